//! filestore-remove: removes a tenant's filestore directory, once its final backup is there.
//!
//! In: the tenant, its final backup. Out: no directory under the tenant's name. Before that: the backup is whole in the
//! store, with the filestore of this very database in it, and no pool can write there any more: the database is gone, or
//! ours and hidden. The directory is renamed first and emptied then, so under its name there is all or nothing; a run that
//! was killed half way is continued. No symbolic link is ever followed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tracing::info;

use super::{
    attempt::{Attempt, Stop},
    backup,
    failure::{Attempted, Failure},
    filestore::Filestore,
    postgres::LockMode,
    tenancy::Tenancy,
};
use crate::contract::{FilestoreRemove, RemovedReport, Report};

const PROGRESS: Duration = Duration::from_secs(3);

/// Removes the directory.
pub async fn run(attempt: &Attempt, command: &FilestoreRemove) -> Attempted<Option<Report>> {
    attempt.phase("lock").await?;
    let tenancy = Tenancy::enter(attempt, &command.tenant, LockMode::Write).await?;
    attempt.phase("gate").await?;
    let filestore = Filestore::new(&command.data_directory, &command.tenant.database)?;
    let removed = removed(filestore.path());
    for path in [filestore.path(), &removed] {
        refuse_links(Path::new(&command.data_directory), path)?;
    }
    refuse_served(&tenancy, command).await?;
    attempt.phase("backup").await?;
    prove_backup(attempt, command).await?;
    let would = count(filestore.path())?;
    let words = format!(
        "remove {} with {} files of {} bytes",
        filestore.path().display(),
        would.files,
        would.bytes
    );
    if attempt.only_says(&words) {
        return Ok(None);
    }
    tenancy.prove_lock().await?;
    let mut report = RemovedReport::default();
    // What an earlier run has renamed, and then what is there now.
    attempt.phase("clear").await?;
    empty(&removed, &mut report, attempt.stop()).await?;
    attempt.phase("rename").await?;
    rename(filestore.path(), &removed)?;
    attempt.phase("remove").await?;
    empty(&removed, &mut report, attempt.stop()).await?;
    attempt.phase("prove").await?;
    for path in [filestore.path(), &removed] {
        if fs::symlink_metadata(path).is_ok() {
            return Err(Failure::retry(
                "FilestoreRemains",
                format!(
                    "{} is there again; who writes there must be ended first",
                    path.display()
                ),
            ));
        }
    }
    Ok(Some(Report::Removed(report)))
}

/// Refuses while a pool could serve the tenant.
async fn refuse_served(tenancy: &Tenancy<'_>, command: &FilestoreRemove) -> Attempted<()> {
    let Some(facts) = tenancy.facts().await? else {
        return Ok(());
    };
    tenancy.own_marker(&facts).await?;
    if facts.owner != command.roles.application_role
        && (!facts.allow_connections || facts.is_dark(&command.roles))
    {
        return Ok(());
    }
    Err(Failure::refused(
        "TenantServed",
        format!(
            "the database {:?} is {}: workers may still write files. Suspend or release the tenant first; nothing was \
             touched",
            command.tenant.database,
            facts.describe()
        ),
    ))
}

/// The backup must be whole, and of this tenant's database: its files are what is about to go.
async fn prove_backup(attempt: &Attempt, command: &FilestoreRemove) -> Attempted<()> {
    let (slug, id) = (&command.tenant.slug, &command.final_backup);
    let manifest = backup::prove_complete(attempt, &command.store, slug, id).await?;
    if manifest.database == command.tenant.database && manifest.marker == command.tenant.marker {
        return Ok(());
    }
    Err(Failure::refused(
        "ForeignBackup",
        format!(
            "the backup {id} is of {:?} ({}), and not of {:?} ({}); nothing was touched",
            manifest.database, manifest.marker, command.tenant.database, command.tenant.marker
        ),
    ))
}

/// Where a directory is while it is being removed: a name that no database of ours has.
fn removed(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".removed-{name}"))
}

/// Refuses a path that leads elsewhere by a symbolic link below the data directory.
fn refuse_links(data_directory: &Path, path: &Path) -> Attempted<()> {
    let below = path.strip_prefix(data_directory).unwrap_or(path);
    let mut whole = data_directory.to_owned();
    for part in below.components() {
        whole.push(part);
        match fs::symlink_metadata(&whole) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(Failure::refused(
                    "FilestoreUnsafe",
                    format!(
                        "{} is no directory but a link or a file; nothing was touched",
                        whole.display()
                    ),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("look at", &whole, &error)),
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Attempted<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("rename", from, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What is below a directory; nothing when it is not there.
fn count(path: &Path) -> Attempted<RemovedReport> {
    let mut found = RemovedReport::default();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for (path, metadata) in list(&folder)? {
            if metadata.is_dir() {
                folders.push(path);
            } else {
                found.files += 1;
                found.bytes += metadata.len();
            }
        }
    }
    Ok(found)
}

/// Removes a directory with all in it, and adds up what it was; nothing when it is not there.
async fn empty(path: &Path, report: &mut RemovedReport, stop: Stop) -> Attempted<()> {
    let path = path.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let mut report = RemovedReport::default();
        let outcome = remove_below(&path, &mut report, &mut Instant::now(), &stop);
        outcome.map(|()| report)
    });
    let removed = work
        .await
        .map_err(|error| Failure::retry("FilestoreUnusable", format!("the removal ended: {error}")))??;
    report.files += removed.files;
    report.bytes += removed.bytes;
    Ok(())
}

fn remove_below(path: &Path, report: &mut RemovedReport, told: &mut Instant, stop: &Stop) -> Attempted<()> {
    let entries = list(path)?;
    for (below, metadata) in entries {
        if stop.is_stopping() {
            return Err(Failure::retry(
                "Stopped",
                format!(
                    "was told to stop after {} files; the next run goes on from there",
                    report.files
                ),
            ));
        }
        if metadata.is_dir() {
            remove_below(&below, report, told, stop)?;
            continue;
        }
        // A link goes, and not what it leads to.
        gone(fs::remove_file(&below)).map_err(|error| failed("remove", &below, &error))?;
        report.files += 1;
        report.bytes += metadata.len();
        if told.elapsed() >= PROGRESS {
            *told = Instant::now();
            info!(
                files = report.files,
                bytes = report.bytes,
                "removing the filestore"
            );
        }
    }
    gone(fs::remove_dir(path)).map_err(|error| failed("remove", path, &error))
}

/// What is in a directory, links as links; nothing when it is not there.
fn list(folder: &Path) -> Attempted<Vec<(PathBuf, fs::Metadata)>> {
    let read = || {
        let entries = fs::read_dir(folder)?;
        entries
            .map(|entry| {
                let entry = entry?;
                // Of the entry itself: a link is not followed.
                Ok((entry.path(), entry.metadata()?))
            })
            .collect::<io::Result<Vec<_>>>()
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        outcome => outcome.map_err(|error| failed("read", folder, &error)),
    }
}

/// What is gone already needs no removal.
fn gone(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot {what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::give_up(
            "FilestoreNotWritable",
            format!(
                "{message}; the Job must run as the user that the files belong to, and is user {}",
                rustix::process::geteuid().as_raw()
            ),
        ),
        _ => Failure::retry("FilestoreUnusable", message),
    }
}
