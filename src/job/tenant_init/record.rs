//! What tenant-init writes down for its next run: one row of `planapulse.provision`, beside the marker.
//!
//! In: how far it came. Out: the same, read back. Each step writes its line in the transaction that does it, so a run that
//! was killed is continued, and a password or an id is made once. The row names the marker that it is of: a copy of the
//! database carries the row along, and it means nothing there.

use tokio_postgres::{GenericClient, error::SqlState};

use crate::{
    contract::Origin,
    job::{
        failure::Attempted,
        postgres::{one_text, query_error},
    },
};

/// How far tenant-init has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where the data came from.
    pub origin: Origin,
    /// Odoo's id of the database that it was cloned from.
    pub source_uuid: Option<String>,
    /// Whether Odoo has installed the modules, where it was empty.
    pub is_installed: bool,
    /// Whether it has the tenant's own ids, host, owner and password.
    pub is_personalised: bool,
    /// Whether the administrator got a password.
    pub password_set: bool,
}

impl Record {
    /// Nothing done yet.
    #[must_use]
    pub fn new(origin: Origin, source_uuid: Option<String>) -> Self {
        Self {
            origin,
            source_uuid,
            is_installed: false,
            is_personalised: false,
            password_set: false,
        }
    }

    /// Reads the row of this marker; `None` when there is none, or another's.
    pub async fn read(client: &impl GenericClient, marker: &str) -> Attempted<Option<Self>> {
        const QUERY: &str = "SELECT origin, source_uuid, is_installed, is_personalised, password_set \
            FROM planapulse.provision WHERE marker = $1";
        let row = match client.query_opt(QUERY, &[&marker]).await {
            Ok(row) => row,
            Err(error)
                if error.code() == Some(&SqlState::UNDEFINED_TABLE)
                    || error.code() == Some(&SqlState::INVALID_SCHEMA_NAME) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(query_error(QUERY, &error)),
        };
        Ok(row.map(|row| Self {
            origin: origin(row.get(0)),
            source_uuid: row.get(1),
            is_installed: row.get(2),
            is_personalised: row.get(3),
            password_set: row.get(4),
        }))
    }

    /// Writes the row, in place of any other. The schema is the marker's, which was written before.
    pub async fn write(&self, client: &impl GenericClient, marker: &str) -> Attempted<()> {
        const TABLE: &str = "\
            CREATE TABLE IF NOT EXISTS planapulse.provision ( \
              only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), marker text NOT NULL, origin text NOT NULL, \
              source_uuid text, is_installed boolean NOT NULL, is_personalised boolean NOT NULL, \
              password_set boolean NOT NULL, written_at timestamptz NOT NULL)";
        const ROW: &str = "\
            INSERT INTO planapulse.provision (marker, origin, source_uuid, is_installed, is_personalised, \
              password_set, written_at) VALUES ($1, $2, $3, $4, $5, $6, now()) \
            ON CONFLICT (only_row) DO UPDATE SET marker = excluded.marker, origin = excluded.origin, \
              source_uuid = excluded.source_uuid, is_installed = excluded.is_installed, \
              is_personalised = excluded.is_personalised, password_set = excluded.password_set, written_at = now()";
        let Self {
            origin,
            source_uuid,
            is_installed,
            is_personalised,
            password_set,
        } = self;
        client
            .batch_execute(TABLE)
            .await
            .map_err(|error| query_error(TABLE, &error))?;
        client
            .execute(
                ROW,
                &[
                    &marker,
                    &word(*origin),
                    source_uuid,
                    is_installed,
                    is_personalised,
                    password_set,
                ],
            )
            .await
            .map_err(|error| query_error(ROW, &error))?;
        Ok(())
    }
}

/// Odoo's own id of the database; `None` when Odoo is not installed.
pub async fn database_uuid(client: &impl GenericClient) -> Attempted<Option<String>> {
    const THERE: &str = "SELECT to_regclass('public.ir_config_parameter')::text";
    if one_text(client, THERE, &[]).await?.is_none() {
        return Ok(None);
    }
    let query = "SELECT value::text FROM public.ir_config_parameter WHERE key = 'database.uuid'";
    one_text(client, query, &[]).await
}

fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Template => "template",
        Origin::Installed => "installed",
        Origin::Adopted => "adopted",
    }
}

/// The table has no other words; another program's would be a database that is there, and taken over.
fn origin(word: &str) -> Origin {
    match word {
        "template" => Origin::Template,
        "installed" => Origin::Installed,
        _ => Origin::Adopted,
    }
}
