//! The ownership marker: whose database this is, and for what.
//!
//! It is one row of the table `planapulse.ownership` **inside** the database. There it goes along with every copy (a
//! clone by TEMPLATE, a dump, a rename), while a COMMENT, the obvious place, is lost by CREATE DATABASE ... TEMPLATE
//! (PostgreSQL 15, seen; the documentation of COMMENT says that comments on databases are of the cluster). A copy that
//! goes along is a copy that lies, so the row says for which purpose and for whom, and every command that makes a copy
//! claims it first. The pool's role may read it, and not write it.
//!
//! A COMMENT with the same words is kept beside it, for people (`\l+`) and for templates, which nobody can log in to.
//! Where both can be read, the row decides.

use serde::{Deserialize, Serialize};
use tokio_postgres::{GenericClient, error::SqlState};

use super::{change, one_text, query_error};
use crate::job::failure::{Attempted, Failure};

/// What a database is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A tenant's own.
    Tenant,
    /// What tenants are cloned from.
    Template,
}

/// How far the command that marked it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkerState {
    /// It is being made; nobody may use it.
    Claimed,
    /// It was made and proven.
    Ready,
}

/// Whose database this is, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Id of the owner: the uid of the composite resource, or what `adoptDatabase` says.
    pub id: String,
    /// What it is for.
    pub purpose: Purpose,
    /// For whom: the slug of a tenant, `<code>-<major>` of a template.
    pub subject: String,
    /// How far it is.
    pub state: MarkerState,
}

/// What the comment begins with; JSON follows.
pub const COMMENT: &str = "function-odoo ";

impl Marker {
    /// The marker of a tenant.
    #[must_use]
    pub fn tenant(id: &str, slug: &str, state: MarkerState) -> Self {
        Self {
            id: id.to_owned(),
            purpose: Purpose::Tenant,
            subject: slug.to_owned(),
            state,
        }
    }

    /// The marker of a template.
    #[must_use]
    pub fn template(id: &str, code: &str, major: u32, state: MarkerState) -> Self {
        Self {
            id: id.to_owned(),
            purpose: Purpose::Template,
            subject: format!("{code}-{major}"),
            state,
        }
    }

    /// Whether it names the same owner and purpose, however far it is.
    #[must_use]
    pub fn is_same_owner(&self, other: &Self) -> bool {
        (&self.id, self.purpose, &self.subject) == (&other.id, other.purpose, &other.subject)
    }

    /// Reads the marker of the database that the client is connected to.
    pub async fn read(client: &impl GenericClient) -> Attempted<Option<Self>> {
        const QUERY: &str = "SELECT id, purpose, subject, state FROM planapulse.ownership";
        let row = match client.query_opt(QUERY, &[]).await {
            Ok(row) => row,
            Err(error)
                if error.code() == Some(&SqlState::UNDEFINED_TABLE)
                    || error.code() == Some(&SqlState::INVALID_SCHEMA_NAME) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(query_error(QUERY, &error)),
        };
        let Some(row) = row else { return Ok(None) };
        let texts: Vec<String> = (0..4).map(|column| row.get(column)).collect();
        let value = serde_json::json!({
            "id": texts[0], "purpose": texts[1], "subject": texts[2], "state": texts[3],
        });
        serde_json::from_value(value).map(Some).map_err(|_| {
            Failure::refused(
                "MarkerUnreadable",
                format!("planapulse.ownership says {texts:?}, which this release cannot read"),
            )
        })
    }

    /// Reads the copy in the comment of a database, from outside of it.
    pub async fn read_comment(client: &impl GenericClient, database: &str) -> Attempted<Option<Self>> {
        let query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1";
        let comment = one_text(client, query, &[&database]).await?;
        Ok(comment.and_then(|text| serde_json::from_str(text.strip_prefix(COMMENT)?).ok()))
    }

    /// Writes the marker into the database that the client is connected to, in place of any other, and its copy into
    /// the comment. `reader` is the role that may read it. Within a transaction, both or none are written.
    pub async fn write(&self, client: &impl GenericClient, database: &str, reader: &str) -> Attempted<()> {
        const TABLE: &str = "\
            CREATE SCHEMA IF NOT EXISTS planapulse; \
            CREATE TABLE IF NOT EXISTS planapulse.ownership ( \
              only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), \
              id text NOT NULL, purpose text NOT NULL, subject text NOT NULL, state text NOT NULL, \
              written_at timestamptz NOT NULL DEFAULT now())";
        const ROW: &str = "\
            INSERT INTO planapulse.ownership (id, purpose, subject, state) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (only_row) DO UPDATE SET id = excluded.id, purpose = excluded.purpose, \
              subject = excluded.subject, state = excluded.state, written_at = now()";
        // Plain data, which serde_json can always represent.
        let value = serde_json::to_value(self).unwrap_or_default();
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        client
            .batch_execute(TABLE)
            .await
            .map_err(|error| query_error("CREATE TABLE planapulse.ownership", &error))?;
        let (purpose, state) = (text("purpose"), text("state"));
        client
            .execute(ROW, &[&self.id, &purpose, &self.subject, &state])
            .await
            .map_err(|error| query_error("INSERT INTO planapulse.ownership", &error))?;
        change(client, "GRANT USAGE ON SCHEMA planapulse TO %I", &[reader]).await?;
        change(client, "GRANT SELECT ON planapulse.ownership TO %I", &[reader]).await?;
        self.write_comment(client, database).await
    }

    /// Writes the copy into the comment of a database.
    pub async fn write_comment(&self, client: &impl GenericClient, database: &str) -> Attempted<()> {
        let text = format!("{COMMENT}{}", serde_json::to_string(self).unwrap_or_default());
        change(client, "COMMENT ON DATABASE %I IS %L", &[database, &text]).await
    }

    /// In words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let purpose = match self.purpose {
            Purpose::Tenant => "tenant",
            Purpose::Template => "template",
        };
        format!("the {purpose} {} ({})", self.subject, self.id)
    }
}
