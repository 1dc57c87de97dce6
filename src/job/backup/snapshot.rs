//! The state that a backup holds: one snapshot of the database, which `pg_dump` dumps and the manifest counts.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::ToSql;

use super::files::References;
use crate::{
    contract::TenantDatabase,
    job::{
        failure::{Attempted, Failure},
        postgres::{Client, Login, Marker, MarkerState, one_text, query_error},
    },
};

/// Rows that are counted, where the table is there: what a restore is compared by.
const COUNTS: [(&str, &str, &str); 4] = [
    ("res_users", "res_users", "SELECT count(*) FROM res_users"),
    ("res_partner", "res_partner", "SELECT count(*) FROM res_partner"),
    (
        "account_move_posted",
        "account_move",
        "SELECT count(*) FROM account_move WHERE state = 'posted'",
    ),
    (
        "ir_attachment",
        "ir_attachment",
        "SELECT count(*) FROM ir_attachment",
    ),
];

/// A snapshot, which lives as long as its connection.
#[derive(Debug)]
pub struct Snapshot {
    client: Client,
    /// Its id, for `pg_dump`.
    pub id: String,
}

/// What the manifest says of the database.
#[derive(Debug)]
pub struct Facts {
    /// Version of the module `base`.
    pub base_version: String,
    /// Rows of some tables.
    pub counts: BTreeMap<String, u64>,
    /// The files that attachments refer to.
    pub references: References,
    /// Bytes of the database.
    pub database_bytes: u64,
}

/// Proves that the database is this tenant's, that it is ready, and that it is one of Odoo's.
pub async fn gate(client: &Client, tenant: &TenantDatabase) -> Attempted<()> {
    let expected = Marker::tenant(&tenant.marker, &tenant.slug, MarkerState::Ready);
    let database = &tenant.database;
    let Some(found) = Marker::read(&**client).await? else {
        return Err(Failure::refused(
            "MarkerMissing",
            format!(
                "the database {database:?} carries no marker, so it is not known to be {}; tenant-init marks it, and \
                 adoptDatabase takes one over",
                expected.describe()
            ),
        ));
    };
    if !expected.is_same_owner(&found) {
        return Err(Failure::refused(
            "ForeignDatabase",
            format!(
                "the database {database:?} is of {}, not of {}",
                found.describe(),
                expected.describe()
            ),
        ));
    }
    match found.state {
        MarkerState::Claimed => Err(Failure::retry(
            "TenantNotReady",
            format!("the database {database:?} is still being made; tenant-init has not come to its end"),
        )),
        MarkerState::Ready => base_version(client).await.map(drop),
    }
}

impl Snapshot {
    /// Takes a snapshot of a database.
    pub async fn take(login: &Login, database: &str) -> Attempted<Self> {
        // A limit for sessions that do nothing would end it while the dump runs.
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
             SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0";
        let client = login.connect_to(database).await?;
        client
            .batch_execute(BEGIN)
            .await
            .map_err(|error| query_error(BEGIN, &error))?;
        let id = one_text(&*client, "SELECT pg_export_snapshot()", &[]).await?;
        Ok(Self {
            client,
            id: id.unwrap_or_default(),
        })
    }

    /// Reads what the manifest says of this state.
    pub async fn facts(&self) -> Attempted<Facts> {
        let client = &self.client;
        let mut counts = BTreeMap::new();
        for (name, table, query) in COUNTS {
            if has_table(client, table).await? {
                counts.insert(name.to_owned(), number(client, query).await?);
            }
        }
        Ok(Facts {
            base_version: base_version(client).await?,
            counts,
            references: self.references().await?,
            database_bytes: number(client, "SELECT pg_database_size(current_database())").await?,
        })
    }

    /// Gives it back.
    pub async fn release(self) {
        self.client.close().await;
    }

    async fn references(&self) -> Attempted<References> {
        const QUERY: &str = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL";
        let mut references = References::default();
        if !has_table(&self.client, "ir_attachment").await? {
            return Ok(references);
        }
        let failed = |error| query_error(QUERY, &error);
        let none = std::iter::empty::<&(dyn ToSql + Sync)>();
        // Row by row: there may be millions.
        let rows = self.client.query_raw(QUERY, none).await.map_err(failed)?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            references.add(row.get(0));
        }
        references.sort();
        Ok(references)
    }
}

/// The version of the server: `15.14`, and its major.
pub async fn server_version(client: &Client) -> Attempted<(String, u32)> {
    let text = one_text(&**client, "SELECT current_setting('server_version')", &[]).await?;
    let version = text.unwrap_or_default();
    let version = version.split_whitespace().next().unwrap_or_default().to_owned();
    let number = number(client, "SELECT current_setting('server_version_num')::int8").await?;
    Ok((version, u32::try_from(number / 10_000).unwrap_or_default()))
}

async fn base_version(client: &Client) -> Attempted<String> {
    const QUERY: &str = "SELECT latest_version FROM ir_module_module WHERE name = 'base' AND state IN \
         ('installed', 'to upgrade')";
    let version = if has_table(client, "ir_module_module").await? {
        one_text(&**client, QUERY, &[]).await?
    } else {
        None
    };
    version.ok_or_else(|| {
        Failure::give_up(
            "BaseNotInstalled",
            format!(
                "Odoo's module base is not installed in {:?}, so there is nothing to back up; tenant-init initialises it",
                client.database
            ),
        )
    })
}

async fn has_table(client: &Client, table: &str) -> Attempted<bool> {
    let found = one_text(&**client, "SELECT to_regclass($1)::text", &[&table]).await?;
    Ok(found.is_some())
}

async fn number(client: &Client, query: &str) -> Attempted<u64> {
    let row = client
        .query_one(query, &[])
        .await
        .map_err(|error| query_error(query, &error))?;
    // Counts and sizes are never negative.
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}
