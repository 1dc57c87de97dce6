//! The filestore of a new tenant: the template's files that its database names, under the tenant's name.
//!
//! In: the names in `ir_attachment`, the template's directory. Out: the tenant's own, ours in owner and mode. Files are
//! copied into a directory beside it, whose rename is the last act: under the tenant's name there is all or nothing.
//! A directory that is there already, with files that no attachment names, is another's leftover and is never mixed in.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio_postgres::GenericClient;
use tracing::info;

use crate::job::{
    attempt::Stop,
    failure::{Attempted, Failure},
    filestore::Filestore,
    postgres::{columns::columns, query_error},
};

const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const PROGRESS: Duration = Duration::from_secs(3);
/// Names of files that a message shows.
const SHOWN: usize = 3;

/// Names in `ir_attachment.store_fname`, with the bytes that Odoo says each has, when it says so.
pub type Attachments = BTreeMap<String, Option<u64>>;

/// The files that the database names.
pub async fn attachments(client: &impl GenericClient) -> Attempted<Attachments> {
    const QUERY: &str = "SELECT store_fname::text, max(file_size)::int8 FROM public.ir_attachment \
        WHERE store_fname IS NOT NULL AND store_fname <> '' GROUP BY store_fname";
    if !columns(client, "ir_attachment").await?.contains("store_fname") {
        return Ok(Attachments::new());
    }
    let rows = client.query(QUERY, &[]).await;
    let rows = rows.map_err(|error| query_error(QUERY, &error))?;
    let size = |size: Option<i64>| u64::try_from(size?).ok().filter(|bytes| *bytes > 0);
    Ok(rows.iter().map(|row| (row.get(0), size(row.get(1)))).collect())
}

/// What a filestore has and lacks, measured by what the database names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Named, and not there.
    pub missing: Vec<String>,
    /// There, with another size than the database says.
    pub damaged: Vec<String>,
    /// There, and not named.
    pub orphans: Vec<String>,
    /// There.
    pub files: u64,
}

/// Compares a filestore with what the database names.
pub fn compare(filestore: &Filestore, attachments: &Attachments) -> Attempted<Comparison> {
    let files = filestore.files()?;
    let mut comparison = Comparison {
        files: u64::try_from(files.len()).unwrap_or(u64::MAX),
        ..Comparison::default()
    };
    let mut left: BTreeMap<_, _> = attachments.iter().collect();
    for file in files {
        match left.remove(&file.name) {
            None => comparison.orphans.push(file.name),
            Some(Some(bytes)) if *bytes != file.bytes => comparison.damaged.push(file.name),
            Some(_) => {}
        }
    }
    comparison.missing = left.into_keys().cloned().collect();
    Ok(comparison)
}

/// Refuses a directory that is another's: one with files that the new database does not name. Those that it names are the
/// same files, since a name is that of the content.
pub fn refuse_leftover(filestore: &Filestore, attachments: &Attachments) -> Attempted<()> {
    let mut files = everything_in(filestore.path())?;
    files.retain(|name| !attachments.contains_key(name));
    if files.is_empty() {
        return Ok(());
    }
    Err(Failure::give_up(
        "FilestoreLeftover",
        format!(
            "{} has {} files of an earlier tenant ({}); files are never mixed. Move the directory away, or remove it \
             with filestore-remove once its final backup is there",
            filestore.path().display(),
            files.len(),
            shown(&files)
        ),
    ))
}

/// The names of files, as far as a message shows them.
#[must_use]
pub fn shown(names: &[String]) -> String {
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}

/// Copies the files that the database names from the template's directory. What an earlier run has copied is kept.
pub fn copy(template: &Filestore, to: &Filestore, attachments: &Attachments, stop: &Stop) -> Attempted<()> {
    let there = compare(to, attachments)?;
    if to.exists() && there.missing.is_empty() && there.damaged.is_empty() {
        return Ok(());
    }
    let unfinished = unfinished(to.path());
    let outcome = fill(template, &unfinished, attachments, stop).and_then(|()| put_in_place(&unfinished, to));
    if outcome
        .as_ref()
        .is_err_and(|failure| failure.reason == "FilestoreFull")
    {
        // Half a copy on a full volume is in everybody's way. The next try begins anew.
        let _ = fs::remove_dir_all(&unfinished);
    }
    outcome
}

/// Removes a copy that an earlier tenant's run has not finished.
pub fn clear_unfinished(filestore: &Filestore) -> Attempted<()> {
    remove(&unfinished(filestore.path()))
}

fn remove(path: &Path) -> Attempted<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Proves that a directory and all in it is ours, and that others may read it and not write it. `strict` is for one that
/// we have made: Odoo's own modes follow the umask of its image.
pub fn prove_ownership(filestore: &Filestore, strict: bool) -> Attempted<()> {
    let own = rustix::process::geteuid().as_raw();
    let mut folders = vec![filestore.path().to_owned()];
    while let Some(folder) = folders.pop() {
        check_entry(&folder, own, strict.then_some(FOLDER_MODE))?;
        for entry in fs::read_dir(&folder).map_err(|error| failed("read", &folder, &error))? {
            let entry = entry.map_err(|error| failed("read", &folder, &error))?;
            let kind = entry
                .file_type()
                .map_err(|error| failed("read", &folder, &error))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                check_entry(&entry.path(), own, strict.then_some(FILE_MODE))?;
            }
        }
    }
    Ok(())
}

fn check_entry(path: &Path, own: u32, mode: Option<u32>) -> Attempted<()> {
    let metadata = fs::symlink_metadata(path).map_err(|error| failed("read", path, &error))?;
    let actual = metadata.permissions().mode() & 0o7777;
    let is_odd = metadata.is_symlink() || metadata.uid() != own;
    if !is_odd && mode.is_none_or(|mode| mode == actual) {
        return Ok(());
    }
    Err(Failure::give_up(
        "FilestoreOwner",
        format!(
            "{} is of user {} with mode {actual:o}{}, and Odoo's workers, as user {own}, have to write there; the \
             volume must not map users",
            path.display(),
            metadata.uid(),
            if metadata.is_symlink() {
                " and a symbolic link"
            } else {
                ""
            }
        ),
    ))
}

fn fill(from: &Filestore, to: &Path, attachments: &Attachments, stop: &Stop) -> Attempted<()> {
    make_folder(to)?;
    let (mut files, mut bytes, mut told) = (0_usize, 0, Instant::now());
    for name in attachments.keys() {
        if stop.is_stopping() {
            return Err(Failure::retry(
                "Stopped",
                format!("was told to stop after {files} of {} files", attachments.len()),
            ));
        }
        bytes += copy_file(from, to, name)?;
        files += 1;
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            info!(
                files,
                of = attachments.len(),
                bytes,
                "copying the template's files"
            );
        }
    }
    info!(files, bytes, "copied the template's files");
    Ok(())
}

fn copy_file(from: &Filestore, to: &Path, name: &str) -> Attempted<u64> {
    let source = from.path().join(checked(name)?);
    let target = to.join(name);
    let metadata = fs::symlink_metadata(&source).map_err(|error| absent(&source, &error))?;
    if fs::symlink_metadata(&target).is_ok_and(|copied| copied.len() == metadata.len()) {
        return Ok(metadata.len());
    }
    if let Some(folder) = target.parent() {
        make_folder(folder)?;
    }
    // Only a whole file gets its name, so that a later run can go by it.
    let part = target.with_extension("part");
    let bytes = fs::copy(&source, &part).map_err(|error| failed("write", &part, &error))?;
    fs::set_permissions(&part, PermissionsExt::from_mode(FILE_MODE))
        .and_then(|()| fs::rename(&part, &target))
        .map_err(|error| failed("write", &target, &error))?;
    Ok(bytes)
}

fn put_in_place(unfinished: &Path, to: &Filestore) -> Attempted<()> {
    // It has nothing that is not in the copy as well: it was looked at before.
    remove(to.path())?;
    fs::rename(unfinished, to.path()).map_err(|error| failed("put in place", to.path(), &error))?;
    // Without it, a crash of the machine may undo the rename; not all file systems can do it.
    if let Some(parent) = to.path().parent() {
        let _ = fs::File::open(parent).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// A folder and those above it, readable for all whatever the umask says.
fn make_folder(path: &Path) -> Attempted<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
        .and_then(|()| fs::set_permissions(path, PermissionsExt::from_mode(FOLDER_MODE)))
        .map_err(|error| failed("make", path, &error))
}

/// Where the copy is until it is whole: a name that no database has, since ours never begin with a dot.
fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.copying"))
}

/// A name of the database as a path below a filestore; one that leads elsewhere is refused.
fn checked(name: &str) -> Attempted<&str> {
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
    if name.split('/').count() == 2 && name.split('/').all(is_plain) {
        return Ok(name);
    }
    Err(Failure::give_up(
        "AttachmentUnsafe",
        format!("ir_attachment names a file {name:?}, which is no name in a filestore"),
    ))
}

/// All files below a directory, but Odoo's marks of garbage collection; none when it is not there.
fn everything_in(path: &Path) -> Attempted<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("read", &folder, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed("read", &folder, &error))?;
            let below = entry.path();
            if below == path.join("checklist") {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(below);
            } else {
                let name = below.strip_prefix(path).unwrap_or(&below);
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

fn absent(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::give_up(
            "TemplateFilesMissing",
            format!(
                "the database names a file that is not at {}: the template was rebuilt after the database was cloned, \
                 or its volume is another. Delete the database, so that it is cloned again",
                path.display()
            ),
        );
    }
    failed("read", path, error)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot {what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::retry(
            "FilestoreFull",
            format!("{message}; nothing is left half copied. Make room on the volume"),
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::give_up(
            "FilestoreNotWritable",
            format!(
                "{message}; the volume must be writable for user {}",
                rustix::process::geteuid().as_raw()
            ),
        ),
        _ => Failure::retry("FilestoreUnusable", message),
    }
}
