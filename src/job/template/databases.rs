//! What is done with the databases of a template: born dark, sealed, swapped, dropped.
//!
//! In: names and markers. Out: the server's databases, changed so that a reader of the list sees every step whole.

use std::time::Duration;

use tokio::time::sleep;
use tracing::info;

use super::{Found, Record, files, write_comment};
use crate::{
    contract::Roles,
    job::{
        failure::{Attempted, Failure},
        filestore::Filestore,
        postgres::{Login, Marker, access, change},
    },
};

/// How often a swap or a drop is tried while a clone is being made.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(1);

/// Makes an empty database as Odoo makes its own (from template0, in UTF-8, sorted by bytes), marked before anybody can
/// come in and then open to the Jobs alone.
pub async fn create(
    client: &mut tokio_postgres::Client,
    login: &Login,
    database: &str,
    marker: &Marker,
    roles: &Roles,
) -> Attempted<()> {
    const CREATE: &str = "CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' \
                          ALLOW_CONNECTIONS false";
    change(&*client, CREATE, &[database, &roles.maintenance_role]).await?;
    marker.write_comment(&*client, database).await?;
    access::open_dark(client, database, roles).await?;
    let mut inside = login.connect_to(database).await?;
    let transaction = access::begin(&mut inside).await?;
    marker
        .write(&transaction, database, &roles.application_role)
        .await?;
    access::commit(transaction).await?;
    inside.close().await;
    Ok(())
}

/// Closes a finished build for good: everybody with CREATEDB may clone it, and nobody can get in. That and the record
/// are one transaction, so what has a record was proven.
pub async fn seal(
    client: &mut tokio_postgres::Client,
    database: &str,
    marker: &Marker,
    record: &Record,
) -> Attempted<()> {
    const SEAL: &str = "ALTER DATABASE %I WITH IS_TEMPLATE true ALLOW_CONNECTIONS false";
    access::end_sessions(&*client, database).await?;
    let transaction = access::begin(client).await?;
    write_comment(&transaction, database, marker, record).await?;
    change(&transaction, SEAL, &[database]).await?;
    access::commit(transaction).await?;
    // Who came in before that would block every clone.
    access::end_sessions(&*client, database).await?;
    Ok(())
}

/// Gives the template's name to a build, and the old template another: there is no moment without the name, and none
/// with half a template. A clone that is being made goes on, one that begins meanwhile waits.
pub async fn swap(
    client: &mut tokio_postgres::Client,
    database: &str,
    build: &str,
    retired: Option<&str>,
) -> Attempted<()> {
    let mut renames = Vec::new();
    renames.extend(retired.map(|retired| [database, retired]));
    renames.push([build, database]);
    patiently(async || rename(client, &renames).await).await
}

/// Takes the template's name away, so that no clone of it can begin.
pub async fn retire(client: &mut tokio_postgres::Client, database: &str, retired: &str) -> Attempted<()> {
    patiently(async || rename(client, &[[database, retired]]).await).await
}

async fn rename(client: &mut tokio_postgres::Client, renames: &[[&str; 2]]) -> Attempted<()> {
    let transaction = access::begin(client).await?;
    change(&transaction, "SET LOCAL lock_timeout = '20s'", &[]).await?;
    for names in renames {
        change(&transaction, "ALTER DATABASE %I RENAME TO %I", names).await?;
    }
    access::commit(transaction).await
}

/// Does something again that a clone is in the way of.
async fn patiently(mut work: impl AsyncFnMut() -> Attempted<()>) -> Attempted<()> {
    let mut tries = 1;
    loop {
        match work().await {
            Err(failure) if failure.reason == "ServerBusy" && tries < TRIES => {
                info!("waiting for a clone: {failure}");
                sleep(PAUSE).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Drops a database that is ours, and the files under its name before it: as long as there are files, the database tells
/// whose they are. Returns what was in the directory.
pub async fn discard(
    client: &tokio_postgres::Client,
    found: &Found,
    data_directory: &str,
) -> Attempted<files::Removed> {
    let database = &found.database;
    if found.allows_connections {
        // Odoo of a run that was killed may be there still.
        access::close(client, database).await?;
    }
    access::end_sessions(client, database).await?;
    let removed = files::remove(Filestore::new(data_directory, database)?).await?;
    if found.is_template {
        change(client, "ALTER DATABASE %I IS_TEMPLATE false", &[database]).await?;
    }
    patiently(async || change(client, "DROP DATABASE IF EXISTS %I", &[database]).await)
        .await
        .map_err(|failure| failure.while_doing("a database that is no longer needed is still there"))?;
    info!(database, "dropped");
    Ok(removed)
}

/// Proves that the template is this build, sealed.
pub fn prove(current: Option<&Found>, build: &str, roles: &Roles) -> Attempted<()> {
    let is_it = current.is_some_and(|found| {
        found.is_sealed()
            && found.owner == roles.maintenance_role
            && found.record.as_ref().is_some_and(|record| record.build == build)
    });
    if is_it {
        return Ok(());
    }
    Err(Failure::retry(
        "TemplateChanged",
        "the template is not the one that was built just now: somebody else has changed it meanwhile",
    ))
}
