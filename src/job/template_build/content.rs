//! What is in a template: no usable credentials, every attachment's file, and the record of its build.
//!
//! In: a database in which Odoo was just installed. Out: one that may be cloned by thousands. A fresh Odoo has the login
//! `admin` with the password `admin`, and RPC lets in whoever knows a database's name.

use std::collections::BTreeMap;

use tokio_postgres::GenericClient;

use crate::{
    contract::Roles,
    job::{
        failure::{Attempted, Failure},
        postgres::{Client, Marker, access, change, one_text, query_error},
        template::{Record, files::Manifest},
    },
    names::hexadecimal,
};

/// Digits of the hash of all modules.
const DIGEST_DIGITS: usize = 16;
/// Names that are told of a long list.
const SHOWN: usize = 5;
/// Columns and, where the column is empty, whole tables with credentials. Not every major, nor every list of modules,
/// has each of them.
const CREDENTIALS: [(&str, &str); 6] = [
    ("res_users", "password"),
    ("res_users", "totp_secret"),
    ("res_users", "oauth_access_token"),
    ("res_users_apikeys", ""),
    ("auth_totp_device", ""),
    ("auth_passkey_key", ""),
];

/// Removes what anybody could log in with.
pub async fn strip(client: &mut Client) -> Attempted<()> {
    let transaction = access::begin(client).await?;
    for (table, column) in CREDENTIALS {
        if !exists(&transaction, table, column).await? {
            continue;
        }
        if column.is_empty() {
            change(&transaction, "DELETE FROM public.%I", &[table]).await?;
        } else {
            let statement = "UPDATE public.%I SET %I = NULL WHERE %2$I IS NOT NULL";
            change(&transaction, statement, &[table, column]).await?;
        }
    }
    access::commit(transaction).await
}

/// Proves that nobody can log in.
pub async fn prove_stripped(client: &Client) -> Attempted<()> {
    const USABLE: &str =
        "SELECT string_agg(login, ', ') FROM public.res_users WHERE coalesce(password, '') <> ''";
    match one_text(&**client, USABLE, &[]).await? {
        None => Ok(()),
        Some(logins) => Err(Failure::give_up(
            "CredentialsLeft",
            format!("users still have a password: {logins}; a trigger or a rule of the database put it back"),
        )),
    }
}

/// Proves that every attachment has its file, whole. Odoo only logs a file that it could not write.
pub async fn prove_attachments(client: &Client, manifest: &Manifest) -> Attempted<()> {
    const QUERY: &str = "SELECT DISTINCT store_fname::text, coalesce(file_size, 0)::bigint FROM public.ir_attachment \
                         WHERE store_fname IS NOT NULL ORDER BY 1";
    let there: BTreeMap<&str, u64> = manifest
        .files
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    let rows = client
        .query(QUERY, &[])
        .await
        .map_err(|error| query_error(QUERY, &error))?;
    let missing: Vec<String> = rows
        .iter()
        .map(|row| (row.get::<_, String>(0), row.get::<_, i64>(1)))
        .filter(|(name, size)| {
            !there
                .get(name.as_str())
                .is_some_and(|bytes| i64::try_from(*bytes) == Ok(*size))
        })
        .map(|(name, _)| name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = missing.iter().take(SHOWN).map(String::as_str).collect();
    Err(Failure::retry(
        "FilesMissing",
        format!(
            "{} of {} attachments have no file, or half of one: {}; is the filestore's volume full?",
            missing.len(),
            rows.len(),
            shown.join(", ")
        ),
    ))
}

/// Writes the record and the marker into the database, for whoever has a clone of it.
pub async fn write(client: &mut Client, record: &Record, marker: &Marker, roles: &Roles) -> Attempted<()> {
    const TABLE: &str = "\
        CREATE TABLE IF NOT EXISTS planapulse.template ( \
          only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), \
          build text NOT NULL, revision text NOT NULL, modules text[] NOT NULL, built_at timestamptz NOT NULL)";
    const ROW: &str = "\
        INSERT INTO planapulse.template (build, revision, modules, built_at) \
        VALUES ($1, $2, $3, $4::text::timestamptz) ON CONFLICT (only_row) DO UPDATE SET build = excluded.build, \
          revision = excluded.revision, modules = excluded.modules, built_at = excluded.built_at";
    let database = client.database.clone();
    let transaction = access::begin(client).await?;
    let modules: Vec<&str> = record.modules.keys().map(String::as_str).collect();
    transaction
        .batch_execute(TABLE)
        .await
        .map_err(|error| query_error(TABLE, &error))?;
    transaction
        .execute(
            ROW,
            &[&record.build, &record.revision, &modules, &record.built_at],
        )
        .await
        .map_err(|error| query_error(ROW, &error))?;
    // The comment stays that of an unfinished build until it is sealed: from outside, only that can be seen.
    let claimed = Marker::read_comment(&transaction, &database).await?;
    marker
        .write(&transaction, &database, &roles.application_role)
        .await?;
    if let Some(claimed) = claimed {
        claimed.write_comment(&transaction, &database).await?;
    }
    access::commit(transaction).await
}

/// The server's time, as RFC 3339 in UTC.
pub async fn now(client: &Client) -> Attempted<String> {
    const NOW: &str = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    Ok(one_text(&**client, NOW, &[]).await?.unwrap_or_default())
}

/// The modules that were asked for, with their versions.
#[must_use]
pub fn asked(installed: &BTreeMap<String, String>, modules: &[String]) -> BTreeMap<String, String> {
    let asked = modules.iter().filter_map(|name| installed.get_key_value(name));
    asked
        .map(|(name, version)| (name.clone(), version.clone()))
        .collect()
}

/// The hash of all modules and versions.
#[must_use]
pub fn digest(installed: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = installed
        .iter()
        .map(|(name, version)| format!("{name}={version}\n"))
        .collect();
    hexadecimal(lines.concat().as_bytes(), DIGEST_DIGITS)
}

/// Whether there is such a table, and in it such a column.
async fn exists(client: &impl GenericClient, table: &str, column: &str) -> Attempted<bool> {
    const QUERY: &str = "SELECT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = 'public' \
                         AND table_name = $1 AND ($2 = '' OR column_name = $2))";
    let row = client.query_one(QUERY, &[&table, &column]).await;
    Ok(row.map_err(|error| query_error(QUERY, &error))?.get(0))
}
