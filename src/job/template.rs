//! Templates: what a template says of itself, where its copies stand, and what may be done with them.
//!
//! In: the server's list of databases. Out: the template, what a run of ours has left beside it, and a refusal where
//! either is somebody else's. A sealed template lets nobody in, so all that has to be known of it stands in its comment:
//! the marker, and the record of its build. `planapulse.template` inside says the same to whoever has a clone.

pub mod databases;
pub mod files;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio_postgres::GenericClient;

use super::{
    failure::{Attempted, Failure},
    postgres::{COMMENT, Marker, MarkerState, Purpose, change, query_error},
};
use crate::names::{DATABASE_NAME_MAXIMUM_BYTES, DATABASE_SUFFIX_BYTES, hexadecimal};

/// Digits of a build's id.
const BUILD_DIGITS: usize = 12;
/// Between a template's name and the id of a build that is not, or no longer, the template.
const SEPARATOR: char = '~';

/// A build of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its id: the hash of what it was to be.
    pub build: String,
    /// What it was built from.
    pub revision: String,
    /// When, as RFC 3339 in UTC.
    pub built_at: String,
    /// The modules that were asked for, with their versions.
    pub modules: BTreeMap<String, String>,
    /// How many modules are installed.
    pub module_count: u32,
    /// The hash of all of them.
    pub modules_digest: String,
    /// Files in the filestore.
    pub filestore_files: u64,
    /// Bytes in the filestore.
    pub filestore_bytes: u64,
    /// The build that it took the place of, whose files stay for clones that were made from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// The comment of a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Comment {
    #[serde(flatten)]
    marker: Marker,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<Record>,
}

/// A database of a template: the template itself, or one that is named after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub database: String,
    /// The role that owns it.
    pub owner: String,
    /// Whether anybody may connect.
    pub allows_connections: bool,
    /// Whether everybody with CREATEDB may clone it.
    pub is_template: bool,
    /// Whose it is.
    pub marker: Option<Marker>,
    /// The record of its build.
    pub record: Option<Record>,
    /// Whether it has a comment, readable or not.
    pub has_comment: bool,
}

impl Found {
    /// Whether it was built to its end: nobody can have changed it since.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        let is_ready = self
            .marker
            .as_ref()
            .is_some_and(|marker| marker.state == MarkerState::Ready);
        is_ready && self.record.is_some() && self.is_template && !self.allows_connections
    }

    /// Whether it carries the marker of a template with this id.
    #[must_use]
    pub fn is_of(&self, id: &str) -> bool {
        let marker = self.marker.as_ref();
        marker.is_some_and(|marker| marker.purpose == Purpose::Template && marker.id == id)
    }

    /// Whether it is what CREATE DATABASE leaves when we are killed before the comment: closed from birth on, so nobody
    /// ever was in it.
    #[must_use]
    pub fn is_stillborn(&self, maintenance_role: &str) -> bool {
        !self.has_comment && self.owner == maintenance_role && !self.allows_connections && !self.is_template
    }

    /// Whose it is, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.marker {
            Some(marker) => format!("it belongs to {}", marker.describe()),
            None if self.has_comment => "it has a comment that is not ours".to_owned(),
            None => "it has no marker".to_owned(),
        }
    }
}

/// Refuses a name that leaves no room for the names of its builds.
pub fn check_name(database: &str) -> Attempted<()> {
    let longest = DATABASE_NAME_MAXIMUM_BYTES - DATABASE_SUFFIX_BYTES;
    if (1..=longest).contains(&database.len()) && !database.contains(['\0', SEPARATOR]) {
        return Ok(());
    }
    Err(Failure::give_up(
        "NameTooLong",
        format!(
            "the template {database:?} has {} bytes; 1 to {longest} leave room for the names of its builds, and none \
             may be {SEPARATOR:?}",
            database.len()
        ),
    ))
}

/// The id of a build: the same for the same owner, revision and modules, so that a run finds what another one has left.
#[must_use]
pub fn build_id(marker: &Marker, revision: &str, modules: &[String]) -> String {
    let text = format!(
        "{}\n{}\n{revision}\n{}",
        marker.id,
        marker.subject,
        modules.join("\n")
    );
    hexadecimal(text.as_bytes(), BUILD_DIGITS)
}

/// The name of a build beside its template.
#[must_use]
pub fn build_name(database: &str, build: &str) -> String {
    format!("{database}{SEPARATOR}{build}")
}

/// The name under which a build ends that is no longer the template.
#[must_use]
pub fn retired_name(database: &str, build: &str) -> String {
    build_name(
        database,
        &hexadecimal(format!("retired {build}").as_bytes(), BUILD_DIGITS),
    )
}

/// The template and all databases that are named like builds of it.
pub async fn family(client: &impl GenericClient, database: &str) -> Attempted<Vec<Found>> {
    const QUERY: &str = "SELECT datname::text, pg_get_userbyid(datdba)::text, datallowconn, datistemplate, \
                         shobj_description(oid, 'pg_database') FROM pg_database \
                         WHERE datname = $1 OR starts_with(datname::text, $2) ORDER BY datname";
    let prefix = format!("{database}{SEPARATOR}");
    let rows = client
        .query(QUERY, &[&database, &prefix])
        .await
        .map_err(|error| query_error(QUERY, &error))?;
    let all = rows.iter().map(|row| {
        let text: Option<String> = row.get(4);
        let comment = text
            .as_deref()
            .and_then(|text| serde_json::from_str::<Comment>(text.strip_prefix(COMMENT)?).ok());
        let (marker, record) =
            comment.map_or((None, None), |comment| (Some(comment.marker), comment.template));
        Found {
            database: row.get(0),
            owner: row.get(1),
            allows_connections: row.get(2),
            is_template: row.get(3),
            marker,
            record,
            has_comment: text.is_some(),
        }
    });
    let is_build = |name: &str| {
        name.strip_prefix(&prefix).is_some_and(|suffix| {
            suffix.len() == BUILD_DIGITS && suffix.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    Ok(all
        .filter(|found| found.database == database || is_build(&found.database))
        .collect())
}

/// Writes marker and record into the comment of a database.
pub async fn write_comment(
    client: &impl GenericClient,
    database: &str,
    marker: &Marker,
    record: &Record,
) -> Attempted<()> {
    let comment = Comment {
        marker: marker.clone(),
        template: Some(record.clone()),
    };
    // Plain data, which serde_json can always represent.
    let text = format!("{COMMENT}{}", serde_json::to_string(&comment).unwrap_or_default());
    change(client, "COMMENT ON DATABASE %I IS %L", &[database, &text]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_leaves_room_for_the_names_of_its_builds() {
        let longest = "a".repeat(DATABASE_NAME_MAXIMUM_BYTES - DATABASE_SUFFIX_BYTES);
        assert!(check_name(&longest).is_ok());
        assert_eq!(
            build_name(&longest, "0123456789ab").len(),
            DATABASE_NAME_MAXIMUM_BYTES
        );
        for name in [format!("{longest}a"), String::new(), "a~b".to_owned()] {
            assert_eq!(check_name(&name).unwrap_err().reason, "NameTooLong", "{name}");
        }
    }

    #[test]
    fn a_build_is_known_by_what_it_is_to_be() {
        let marker = |id| Marker::template(id, "basic", 19, MarkerState::Claimed);
        let modules = ["base".to_owned(), "web".to_owned()];
        let id = build_id(&marker("a"), "r1", &modules);
        assert_eq!(id.len(), BUILD_DIGITS);
        assert_eq!(id, build_id(&marker("a"), "r1", &modules));
        let others = [
            build_id(&marker("b"), "r1", &modules),
            build_id(&marker("a"), "r2", &modules),
            build_id(&marker("a"), "r1", &modules[..1]),
        ];
        assert!(!others.contains(&id), "{others:?}");
        assert_ne!(retired_name("t", &id), build_name("t", &id));
    }
}
