//! tenant-smoke: asks the tenant's workers for the tenant, as a browser would and as a program would.
//!
//! In: the workers' URL, the tenant's host, its database. Out: how long the login page and a read took, and which Odoo
//! answered. `/web/health` proves nothing (200 for hosts without a tenant), and the login page alone proves little: after
//! a change of code it is 200 while every call of a user fails. So a read through Odoo's models follows, as the
//! administrator, and its answer is compared with what SQL says.
//!
//! Nobody knows the administrator's password, so the read uses a key of Odoo's own API: a row in `res_users_apikeys`, with
//! a random key that only this process has, for as long as the read takes. It is removed whatever happens; one of a run
//! that was killed is removed by the next, and expires by itself from Odoo 18 on. Workers remember for a while that the
//! key was good; nobody can use that, since the key is nowhere any more.

mod answer;
mod key;
mod workers;

use std::{env, time::Duration};

use serde_json::json;
use tokio::time::Instant;
use tracing::warn;

use self::{key::Key, workers::Workers};
use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    postgres::{Client, LockMode, TenantLock},
    tenancy::{self, Tenancy},
};
use crate::contract::{Report, SmokeReport, TenantSmoke};

/// Names how many seconds the workers are asked for, where a minute and a half is not right.
pub const PATIENCE_VARIABLE: &str = "ODOO_JOB_SMOKE_PATIENCE";
/// Workers that roll out, and the first page of a new database: about seven seconds of assets.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks.
pub async fn run(attempt: &Attempt, command: &TenantSmoke) -> Attempted<Option<Report>> {
    attempt.phase("lock").await?;
    // A backup may go on meanwhile; another smoke may not, it would remove our key.
    let tenancy = Tenancy::enter(attempt, &command.tenant, LockMode::Read).await?;
    let only_smoke = format!("{} smoke", command.tenant.slug);
    let _lock = TenantLock::take(&tenancy.login, &only_smoke, LockMode::Write).await?;
    attempt.phase("gate").await?;
    let facts = tenancy.required_facts().await?;
    tenancy.own_marker(&facts).await?;
    let inside = tenancy.inside().await?;
    tenancy::base_version(&*inside, command.odoo_version).await?;
    let workers = Workers::new(command, patience())?;
    let would = format!(
        "ask {} for {} and read through its models, with a key that is removed at once",
        command.workers_url, command.host
    );
    if attempt.only_says(&would) {
        return Ok(None);
    }
    attempt.phase("login-page").await?;
    let begun = Instant::now();
    attempt.interruptible(workers.login_page()).await??;
    let login_page = begun.elapsed();
    attempt.phase("version").await?;
    let version = attempt.interruptible(workers.version()).await??;
    check_version(&version, command.odoo_version)?;
    attempt.phase("model-read").await?;
    let begun = Instant::now();
    read_with_key(attempt, &inside, &workers, command).await?;
    Ok(Some(Report::Smoke(SmokeReport {
        login_page_milliseconds: milliseconds(login_page),
        model_read_milliseconds: milliseconds(begun.elapsed()),
        server_version: version.words,
    })))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn patience() -> Duration {
    let given = env::var(PATIENCE_VARIABLE)
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    given.map_or(PATIENCE, Duration::from_secs)
}

fn check_version(version: &answer::Version, wanted: u32) -> Attempted<()> {
    if version.major == Some(wanted) {
        return Ok(());
    }
    Err(Failure::give_up(
        "WrongWorkers",
        format!(
            "the workers are Odoo {}, and the tenant is to be served by Odoo {wanted}: the URL is that of another \
             version's workers",
            version.words
        ),
    ))
}

/// Puts a key into the database, reads, and takes the key away again, whatever came of the read.
async fn read_with_key(
    attempt: &Attempt,
    inside: &Client,
    workers: &Workers,
    command: &TenantSmoke,
) -> Attempted<()> {
    key::remove_stale(&**inside).await?;
    let key = Key::insert(&**inside).await?;
    let read = attempt.interruptible(read(inside, workers, command, &key)).await;
    let removed = key.remove(&**inside).await;
    match (read, removed) {
        (Ok(Ok(())), removed) => removed,
        (Err(failure) | Ok(Err(failure)), Ok(())) => Err(failure),
        (Err(failure) | Ok(Err(failure)), Err(remains)) => {
            warn!("{remains}");
            Err(failure)
        }
    }
}

/// Two reads: the administrator's login, and how many of two partners there are. What SQL says is asked right before.
async fn read(inside: &Client, workers: &Workers, command: &TenantSmoke, key: &Key) -> Attempted<()> {
    let expected = key::expected(&**inside, key.user).await?;
    let database = &command.tenant.database;
    let call = |model: &str, method: &str, arguments: serde_json::Value| {
        json!([database, key.user, key.value(), model, method, arguments])
    };
    let login = call("res.users", "read", json!([[key.user], ["login"]]));
    let answer = workers.execute(&login).await?;
    if answer[0]["login"].as_str() != Some(&expected.login) {
        return Err(differs("the administrator's login"));
    }
    let partners = call(
        "res.partner",
        "search_count",
        json!([[["id", "in", expected.partners]]]),
    );
    let answer = workers.execute(&partners).await?;
    if answer.as_i64() != Some(expected.partner_count) {
        return Err(differs("the number of partners"));
    }
    Ok(())
}

fn differs(what: &str) -> Failure {
    Failure::retry(
        "ModelReadDiffers",
        format!(
            "the workers give another answer than the database for {what}: they serve another server's database of \
             that name, or hold an old copy; check their db_host, and restart them"
        ),
    )
}
