//! `backup`: dump, filestore, manifest; then what is too old is pruned.

use std::path::Path;

use jiff::Timestamp;
use tokio::time::{Duration, sleep};
use tracing::{info, warn};

use super::{
    dump, files,
    layout::{self, BackupId, Part},
    manifest::{Manifest, Object, Postgresql, VERSION},
    prune,
    snapshot::{self, Snapshot},
    transfer::{self, Cargo},
};
use crate::{
    contract::{Backup, BackupPurpose, BackupReport, Report},
    job::{
        archive::{Recipe, Sealed},
        attempt::Attempt,
        failure::{Attempted, Failure},
        filestore::Filestore,
        postgres::{AuthorityFile, LockMode, Login, TenantLock, Tool, check_name, find_tool},
        store::Store,
    },
    names::Slug,
};

/// Seconds that backups of one tenant and purpose, begun in the same one, wait for a second of their own.
const ID_ATTEMPTS: u32 = 20;

/// What the gates have found.
struct Ready<'a> {
    command: &'a Backup,
    slug: Slug,
    recipe: Recipe,
    filestore: Filestore,
    login: Login,
    store: Store,
    tool: Tool,
    server_version: String,
    lock: TenantLock,
}

/// Makes a backup.
pub async fn run(attempt: &Attempt, command: &Backup) -> Attempted<Option<Report>> {
    attempt.phase("gate").await?;
    let ready = attempt.interruptible(gate(attempt, command)).await??;
    let what = format!("back up {:?} to {}", command.tenant.database, ready.store.place());
    if attempt.only_says(&what) {
        return Ok(None);
    }
    attempt.phase("dump").await?;
    let (id, id_lock) = attempt.interruptible(claim_id(&ready)).await??;
    info!(%id, "backing up");
    let state = attempt.interruptible(Snapshot::take(&ready.login, &command.tenant.database));
    let state = state.await??;
    let facts = attempt.interruptible(state.facts()).await??;
    files::gate(&ready.filestore, &command.data_directory, &facts.references)?;
    let dump = send_dump(attempt, &ready, id, &state.id, facts.database_bytes).await?;
    state.release().await;
    attempt.phase("filestore").await?;
    let (filestore, files) = send_filestore(attempt, &ready, id, facts.references).await?;
    attempt.phase("manifest").await?;
    let manifest = Manifest {
        version: VERSION,
        id: id.to_string(),
        slug: ready.slug.to_string(),
        marker: command.tenant.marker.clone(),
        database: command.tenant.database.clone(),
        purpose: command.purpose,
        taken_at: id.begun.to_string(),
        finished_at: Timestamp::now().to_string(),
        retention_days: command.retention_days,
        program: concat!("odoo-job ", env!("CARGO_PKG_VERSION")).to_owned(),
        base_version: facts.base_version,
        postgresql: Postgresql {
            server: ready.server_version.clone(),
            client: ready.tool.version.clone(),
        },
        compression: command.compression,
        age_recipients: command.age_recipient.clone(),
        dump,
        filestore,
        files,
        counts: facts.counts,
    };
    let key = id.key(&ready.slug, Part::Manifest, "");
    let document = manifest.to_document();
    attempt
        .interruptible(ready.store.write_new(&key, &document))
        .await??;
    id_lock.release().await;
    attempt.phase("prune").await?;
    let pruned = prune_after(attempt, &ready).await?;
    ready.lock.release().await;
    Ok(Some(Report::Backup(report(&manifest, pruned))))
}

/// Checks everything that can be checked before anything is written.
async fn gate<'a>(attempt: &Attempt, command: &'a Backup) -> Attempted<Ready<'a>> {
    let tenant = &command.tenant;
    let slug = layout::slug(&tenant.slug)?;
    check_name("database", &tenant.database)?;
    let recipe = Recipe::new(command.compression, &command.age_recipient)?;
    let filestore = Filestore::new(&command.data_directory, &tenant.database)?;
    if !Path::new(&command.data_directory).is_dir() {
        return Err(Failure::give_up(
            "DataDirectoryMissing",
            format!(
                "there is no {}: Odoo's volume is not mounted there",
                command.data_directory
            ),
        ));
    }
    let store = Store::open(&command.store)?;
    let login = Login::from_environment(&tenant.server, &format!("odoo-job backup {slug}"))?;
    let lock = TenantLock::take(&login, &tenant.slug, LockMode::Read).await?;
    let client = login.connect_to(&tenant.database).await?;
    snapshot::gate(&client, tenant).await?;
    let (server_version, major) = snapshot::server_version(&client).await?;
    let tool = find_tool(attempt, "pg_dump", major)
        .await?
        .map_err(|too_old| too_old.into_failure("pg_dump", &server_version))?;
    client.close().await;
    store.prove(slug.as_str()).await?;
    Ok(Ready {
        command,
        slug,
        recipe,
        filestore,
        login,
        store,
        tool,
        server_version,
        lock,
    })
}

/// An id that no other backup has: two of the same second would write the same objects.
async fn claim_id(ready: &Ready<'_>) -> Attempted<(BackupId, TenantLock)> {
    let mut last = None;
    for _ in 0..ID_ATTEMPTS {
        let id = BackupId::new(Timestamp::now(), ready.command.purpose);
        match TenantLock::take(&ready.login, &format!("{}/{id}", ready.slug), LockMode::Write).await {
            Ok(lock) if is_taken(ready, id).await? => lock.release().await,
            Ok(lock) => return Ok((id, lock)),
            Err(failure) if failure.reason == "Busy" => last = Some(failure),
            Err(failure) => return Err(failure),
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err(last.unwrap_or_else(|| Failure::retry("Busy", "too many backups begin at once")))
}

/// Whether a backup that was done within this second has the id already: its objects are not to be overwritten.
async fn is_taken(ready: &Ready<'_>, id: BackupId) -> Attempted<bool> {
    let found = ready.store.document(&key(ready, id, Part::Manifest)).await?;
    // A store that answers everything with the same page has no backup; the upload finds out what it is.
    Ok(found.is_some_and(|bytes| serde_json::from_slice::<serde_json::Map<_, _>>(&bytes).is_ok()))
}

async fn send_dump(
    attempt: &Attempt,
    ready: &Ready<'_>,
    id: BackupId,
    snapshot: &str,
    expected: u64,
) -> Attempted<Object> {
    let database = &ready.command.tenant.database;
    let key = key(ready, id, Part::Dump);
    let authority = AuthorityFile::of(&ready.login)?;
    let (running, output) = dump::start(&ready.login, &ready.tool, database, snapshot, authority.as_ref())?;
    let cargo = Cargo {
        what: "dump",
        expected,
    };
    let (sealed, ()) = transfer::send(
        attempt,
        (&ready.store, &key),
        &ready.recipe,
        cargo,
        move |to| dump::copy(output, to),
        dump::prove(running, attempt),
    )
    .await?;
    Ok(object(key, "pg_dump custom", sealed))
}

async fn send_filestore(
    attempt: &Attempt,
    ready: &Ready<'_>,
    id: BackupId,
    references: files::References,
) -> Attempted<(Object, super::manifest::Files)> {
    let key = key(ready, id, Part::Filestore);
    let filestore = ready.filestore.clone();
    let cargo = Cargo {
        what: "filestore",
        expected: 0,
    };
    let (sealed, files) = transfer::send(
        attempt,
        (&ready.store, &key),
        &ready.recipe,
        cargo,
        move |to| files::write(&filestore, &references, to),
        async { Ok(()) },
    )
    .await?;
    Ok((object(key, "tar", sealed), files))
}

/// Prunes older backups of the same purpose. The backup is made, so what fails here is only told.
async fn prune_after(attempt: &Attempt, ready: &Ready<'_>) -> Attempted<u32> {
    let command = ready.command;
    let work = async {
        let rule = prune::Rule {
            purpose: command.purpose,
            retention_days: command.retention_days,
            marker: Some(&command.tenant.marker),
        };
        let plan = prune::plan(&ready.store, &ready.slug, rule).await?;
        prune::carry_out(&ready.store, &plan).await?;
        Attempted::Ok(plan.deleted())
    };
    if command.purpose == BackupPurpose::Final {
        return Ok(0);
    }
    match attempt.interruptible(work).await {
        Ok(Ok(pruned)) => Ok(pruned),
        Ok(Err(failure)) | Err(failure) => {
            warn!(
                reason = failure.reason,
                "the backup is complete, older ones were not pruned: {failure}"
            );
            Ok(0)
        }
    }
}

fn key(ready: &Ready<'_>, id: BackupId, part: Part) -> String {
    let suffix = layout::suffix(ready.recipe.compression, ready.recipe.is_encrypted());
    id.key(&ready.slug, part, &suffix)
}

fn object(key: String, format: &str, sealed: Sealed) -> Object {
    Object {
        key,
        format: format.to_owned(),
        stored: sealed.stored,
        content: sealed.content,
    }
}

fn report(manifest: &Manifest, pruned: u32) -> BackupReport {
    BackupReport {
        id: manifest.id.clone(),
        taken_at: manifest.taken_at.clone(),
        dump_bytes: manifest.dump.stored.bytes,
        filestore_bytes: manifest.filestore.stored.bytes,
        filestore_files: manifest.files.count,
        missing_files: manifest.files.missing,
        encrypted: manifest.is_encrypted(),
        pruned,
    }
}
