//! `template-remove`: removes a template, its builds and its files.
//!
//! In: a template's name and its marker. Out: nothing of it left. The name is taken away first, so that no clone can
//! begin; then go the files, and the database last, which until then says whose the files are.

use tracing::info;

use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    filestore::Filestore,
    postgres::{LockMode, Login, TenantLock},
    template::{self, Found, databases, family, files, retired_name},
};
use crate::contract::{RemovedReport, Report, TemplateRemove};

/// Removes what is there; nothing, when nothing is.
pub async fn run(attempt: &Attempt, command: &TemplateRemove) -> Attempted<Option<Report>> {
    let database = &command.database;
    template::check_name(database)?;
    let login = Login::from_environment(&command.server, &format!("odoo-job template-remove {database}"))?;
    attempt.phase("lock").await?;
    let lock = TenantLock::take(&login, database, LockMode::Write).await?;
    let mut client = login.connect().await?;
    attempt.phase("gate").await?;
    let filestore = Filestore::new(&command.data_directory, database)?;
    let ours = gate(&client, command, &filestore).await?;
    if attempt.dry_run {
        let names: Vec<_> = ours.iter().map(|found| found.database.as_str()).collect();
        attempt.only_says(&format!(
            "drop {} databases ({}) and remove {}",
            names.len(),
            names.join(", "),
            filestore.path().display()
        ));
        return Ok(None);
    }
    attempt.phase("retire").await?;
    lock.prove().await?;
    if ours.iter().any(|found| found.database == *database) {
        let retired = retired_name(database, "removed");
        databases::retire(&mut client, database, &retired).await?;
        info!(database, retired, "no clone of it can begin any more");
    }
    attempt.phase("remove").await?;
    let mut removed = files::remove(filestore.clone()).await?;
    for found in family(&*client, database).await? {
        if is_ours(&found, command) {
            lock.prove().await?;
            let more = databases::discard(&client, &found, &command.data_directory).await?;
            removed.files += more.files;
            removed.bytes += more.bytes;
        }
    }
    attempt.phase("prove").await?;
    prove(&client, command, &filestore).await?;
    lock.release().await;
    Ok(Some(Report::Removed(RemovedReport {
        files: removed.files,
        bytes: removed.bytes,
    })))
}

/// The databases that are ours to drop; a refusal when the template's name or directory is somebody else's.
async fn gate(
    client: &tokio_postgres::Client,
    command: &TemplateRemove,
    filestore: &Filestore,
) -> Attempted<Vec<Found>> {
    let all = family(client, &command.database).await?;
    if let Some(found) = all
        .iter()
        .find(|found| found.database == command.database && !found.is_of(&command.marker))
    {
        return Err(Failure::refused(
            "ForeignDatabase",
            format!(
                "{:?} is not the template of {}: {}",
                found.database,
                command.marker,
                found.describe()
            ),
        ));
    }
    let ours: Vec<Found> = all.into_iter().filter(|found| is_ours(found, command)).collect();
    if ours.is_empty() && files::is_foreign(filestore.clone(), command.marker.clone()).await? {
        return Err(Failure::refused(
            "ForeignFilestore",
            format!(
                "{} is there without a database, and does not say that it is of this template; remove it by hand",
                filestore.path().display()
            ),
        ));
    }
    Ok(ours)
}

fn is_ours(found: &Found, command: &TemplateRemove) -> bool {
    found.is_of(&command.marker)
        || (found.database != command.database && found.is_stillborn(&command.roles.maintenance_role))
}

/// Proves that nothing is left.
async fn prove(
    client: &tokio_postgres::Client,
    command: &TemplateRemove,
    filestore: &Filestore,
) -> Attempted<()> {
    let left = family(client, &command.database).await?;
    let left = left.iter().find(|found| is_ours(found, command));
    if left.is_none() && !filestore.exists() {
        return Ok(());
    }
    Err(Failure::retry(
        "TemplateChanged",
        format!(
            "{} is still there: somebody else makes it again",
            left.map_or_else(
                || filestore.path().display().to_string(),
                |found| found.database.clone()
            )
        ),
    ))
}
