//! One writer per tenant: an advisory lock of the server, which ends with the connection that holds it.
//!
//! Advisory locks belong to a database, so all of ours are taken in `postgres`, whatever database is worked on. Who comes
//! second is refused at once, with the name of who holds it (`application_name`), and may try again later.

use super::{Client, Login, query_error};
use crate::{
    job::failure::{Attempted, Failure},
    names::hexadecimal,
};

/// The first half of all our locks' keys, so that other programs' locks are not ours: `odoo` in ASCII.
const CLASS: i32 = 0x6f64_6f6f;

/// What the holder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// It changes something: nobody else may hold the lock.
    Write,
    /// It only reads: others may read as well.
    Read,
}

/// The lock on a tenant or a template, held until this is dropped.
#[derive(Debug)]
pub struct TenantLock {
    client: Client,
    key: String,
}

impl TenantLock {
    /// Takes the lock of `key` (a slug, or the database name of a template), or names its holder.
    pub async fn take(login: &Login, key: &str, mode: LockMode) -> Attempted<Self> {
        let client = login.connect().await?;
        let object = object(key);
        let query = match mode {
            LockMode::Write => "SELECT pg_try_advisory_lock($1, $2)",
            LockMode::Read => "SELECT pg_try_advisory_lock_shared($1, $2)",
        };
        let row = client
            .query_one(query, &[&CLASS, &object])
            .await
            .map_err(|error| query_error(query, &error))?;
        if row.get(0) {
            return Ok(Self {
                client,
                key: key.to_owned(),
            });
        }
        let holder = holder(&client, object).await?;
        Err(Failure::retry(
            "Busy",
            format!("{key} is being worked on by {holder}; only one may at a time"),
        ))
    }

    /// Proves that the lock is still held: a server that was restarted has forgotten it. Call it before what cannot be
    /// taken back.
    pub async fn prove(&self) -> Attempted<()> {
        let query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() \
                     AND classid = $1::int4::oid AND objid = $2::int8::oid AND granted";
        let object = i64::from(object(&self.key).cast_unsigned());
        let held = self.client.query_opt(query, &[&CLASS, &object]).await;
        match held {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => Err(Failure::retry(
                "LockLost",
                format!(
                    "the lock on {} was lost on the way; nothing more was changed",
                    self.key
                ),
            )),
        }
    }

    /// Gives it back.
    pub async fn release(self) {
        self.client.close().await;
    }
}

async fn holder(client: &Client, object: i32) -> Attempted<String> {
    let query = "SELECT coalesce(nullif(a.application_name, ''), 'process ' || l.pid) || ' since ' || \
                 to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' \
                 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' \
                 AND l.classid = $1::int4::oid AND l.objid = $2::int8::oid AND l.granted ORDER BY a.backend_start LIMIT 1";
    let found = client
        .query_opt(query, &[&CLASS, &i64::from(object.cast_unsigned())])
        .await
        .map_err(|error| query_error(query, &error))?;
    Ok(found
        .and_then(|row| row.get(0))
        .unwrap_or_else(|| "somebody who has just ended".to_owned()))
}

/// The second half of a lock's key: two tenants of 65 thousand have one in common with a chance of a half, and then wait
/// for each other now and then, no more.
fn object(key: &str) -> i32 {
    let digits = hexadecimal(key.as_bytes(), 8);
    // Eight hexadecimal digits are always a number of 32 bits.
    u32::from_str_radix(&digits, 16).unwrap_or_default().cast_signed()
}
