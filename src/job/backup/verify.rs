//! `backup-verify`: reads a backup back whole.
//!
//! Every byte is read and its checksum compared. Where the content can be opened (it is not encrypted, or the identity is
//! given), so is that of the content; the dump's table of contents is read by `pg_restore`, and each file of the archive
//! must be what its name, the SHA-1 of its content, says.

use std::io::{self, Read};

use age::x25519;
use sha1::{Digest as _, Sha1};
use tar::Archive;
use tokio::io::AsyncWriteExt as _;
use tracing::info;

use super::{
    layout::{self, Wanted},
    manifest::{Manifest, Object},
    transfer::{self, Cargo},
};
use crate::{
    contract::{AGE_IDENTITY, BackupVerify, Report, VerifyReport},
    job::{
        archive::{Opened, Unreadable, hexadecimal},
        attempt::Attempt,
        failure::{Attempted, Failure},
        postgres::{Tool, find_tool, major},
        process::Program,
        secrets,
        store::Store,
    },
};

/// What an archive of `pg_dump --format=custom` begins with.
const DUMP_MAGIC: &[u8] = b"PGDMP";
/// Bytes of the beginning of a dump that `pg_restore` gets: the table of contents is there, before all data.
const CONTENTS_BYTES: usize = 16 << 20;

/// What was found in an archive of a filestore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Archived {
    files: u64,
    bytes: u64,
    /// Files that are not what their names say, and the first of them.
    wrong: u64,
    first_wrong: Option<String>,
}

/// Verifies.
pub async fn run(attempt: &Attempt, command: &BackupVerify) -> Attempted<Option<Report>> {
    attempt.phase("find").await?;
    let (slug, wanted) = (layout::slug(&command.slug)?, Wanted::parse(&command.backup)?);
    let identity = identity()?;
    let store = Store::open(&command.store)?;
    let (id, manifest) = attempt
        .interruptible(super::find(&store, &slug, wanted))
        .await??;
    info!(%id, "verifying");
    let can_open = !manifest.is_encrypted() || identity.is_some();
    attempt.phase("dump").await?;
    let contents = verify_dump(attempt, &store, &manifest, identity.clone()).await?;
    if let Some(contents) = contents {
        read_contents(attempt, &manifest, contents).await?;
    }
    attempt.phase("filestore").await?;
    let archived = verify_filestore(attempt, &store, &manifest, identity).await?;
    Ok(Some(Report::Verify(VerifyReport {
        id: manifest.id.clone(),
        bytes: manifest.dump.stored.bytes + manifest.filestore.stored.bytes,
        files: archived.map_or(0, |archived| archived.files),
        opened: can_open,
    })))
}

fn identity() -> Attempted<Option<x25519::Identity>> {
    let Some(secret) = secrets::optional(AGE_IDENTITY)? else {
        return Ok(None);
    };
    // A file of age-keygen has comments above the key.
    let key = secret
        .expose()
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    // The error would not hold the key, and says no more than this.
    match key.unwrap_or_default().parse() {
        Ok(identity) => Ok(Some(identity)),
        Err(_) => Err(Failure::give_up(
            "IdentityInvalid",
            format!(
                "{} is no identity of age: the Secret's key {} must have a line that begins with AGE-SECRET-KEY-1",
                AGE_IDENTITY.variable, AGE_IDENTITY.key
            ),
        )),
    }
}

async fn verify_dump(
    attempt: &Attempt,
    store: &Store,
    manifest: &Manifest,
    identity: Option<x25519::Identity>,
) -> Attempted<Option<Vec<u8>>> {
    let object = &manifest.dump;
    let cargo = Cargo {
        what: "dump",
        expected: object.stored.bytes,
    };
    let what = (object, manifest.compression, manifest.is_encrypted());
    let opened = transfer::receive(attempt, store, what, identity, cargo, |content| {
        let mut contents = Vec::new();
        content.take(CONTENTS_BYTES as u64).read_to_end(&mut contents)?;
        if contents.starts_with(DUMP_MAGIC) {
            Ok(contents)
        } else {
            Err(io::Error::other("it is no archive of pg_dump"))
        }
    })
    .await?;
    compare(object, opened)
}

async fn verify_filestore(
    attempt: &Attempt,
    store: &Store,
    manifest: &Manifest,
    identity: Option<x25519::Identity>,
) -> Attempted<Option<Archived>> {
    let object = &manifest.filestore;
    let cargo = Cargo {
        what: "filestore",
        expected: object.stored.bytes,
    };
    let what = (object, manifest.compression, manifest.is_encrypted());
    let opened = transfer::receive(attempt, store, what, identity, cargo, |content| {
        read_files(content)
    })
    .await?;
    let archived = compare(object, opened)?;
    let Some(found) = &archived else { return Ok(None) };
    let files = &manifest.files;
    if (found.files, found.bytes) != (files.count, files.bytes) {
        return Err(Failure::give_up(
            "BackupAltered",
            format!(
                "{} has {} files of {} bytes, the manifest says {} of {}",
                object.key, found.files, found.bytes, files.count, files.bytes
            ),
        ));
    }
    if found.wrong > 0 {
        return Err(Failure::give_up(
            "FilestoreDamaged",
            format!(
                "{} is as it was stored, and {} of its files are not what their names say, {} first: they were damaged in \
                 the filestore already; look for them in older backups",
                object.key,
                found.wrong,
                found.first_wrong.as_deref().unwrap_or_default()
            ),
        ));
    }
    Ok(archived)
}

/// What an object was read as, compared with what the manifest says.
fn compare<T>(object: &Object, opened: Opened<T>) -> Attempted<Option<T>> {
    let key = &object.key;
    let altered = |what: &str| {
        Failure::give_up(
            "BackupAltered",
            format!(
                "{key} is not what was stored: {what}; use another backup, and find out who can write to the bucket"
            ),
        )
    };
    if opened.stored.bytes < object.stored.bytes {
        let (is, was) = (opened.stored.bytes, object.stored.bytes);
        return Err(Failure::give_up(
            "BackupTruncated",
            format!("{key} has {is} bytes of {was}"),
        ));
    }
    if opened.stored != object.stored {
        return Err(altered("its checksum differs"));
    }
    match opened.content {
        None => {
            info!(
                key,
                "encrypted, and no identity is given: compared as it is stored"
            );
            Ok(None)
        }
        Some(Ok((content, outcome))) if content == object.content => Ok(Some(outcome)),
        Some(Ok(_)) => Err(altered("the checksum of its content differs")),
        Some(Err(Unreadable::Identity)) => Err(Failure::give_up(
            "IdentityWrong",
            format!(
                "{key} is encrypted to others than the identity in {}",
                AGE_IDENTITY.variable
            ),
        )),
        Some(Err(Unreadable::Damaged(problem))) => Err(Failure::give_up(
            "BackupUnreadable",
            format!("{key} is as it was stored, and cannot be read: {problem}"),
        )),
    }
}

/// Lets `pg_restore` read the table of contents, where there is one that can.
async fn read_contents(attempt: &Attempt, manifest: &Manifest, contents: Vec<u8>) -> Attempted<()> {
    let client = &manifest.postgresql.client;
    let tool = match find_tool(attempt, "pg_restore", major(client)).await? {
        Ok(tool) => tool,
        Err(too_old) => {
            info!(found = ?too_old.found, "there is no pg_restore of {client} or newer here: the table of contents is not read");
            return Ok(());
        }
    };
    list(attempt, &tool, contents)
        .await
        .map_err(|failure| failure.while_doing(&manifest.dump.key))
}

async fn list(attempt: &Attempt, tool: &Tool, contents: Vec<u8>) -> Attempted<()> {
    let (running, mut input) = Program::new(&tool.path)
        .arguments(["--list"])
        .variable("LC_ALL", "C")
        .feed(|_| ())?;
    let feed = tokio::spawn(async move {
        // It stops reading where the data begin.
        let _ = input.write_all(&contents).await;
    });
    let ended = running.wait(attempt).await?;
    feed.abort();
    if ended.is_success() {
        return Ok(());
    }
    Err(Failure::give_up(
        "BackupUnreadable",
        format!(
            "pg_restore cannot read its table of contents: {}",
            ended.describe()
        ),
    ))
}

fn read_files(content: &mut dyn Read) -> io::Result<Archived> {
    let mut archive = Archive::new(content);
    let mut found = Archived::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut hash = Hash(Sha1::new());
        found.bytes += io::copy(&mut entry, &mut hash)?;
        found.files += 1;
        let sum = hexadecimal(&hash.0.finalize());
        if name.split('/').next_back() != Some(sum.as_str()) {
            found.wrong += 1;
            found.first_wrong.get_or_insert(name);
        }
    }
    Ok(found)
}

struct Hash(Sha1);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::archive::Digest;

    fn digest(bytes: u64, sha256: &str) -> Digest {
        Digest {
            bytes,
            sha256: sha256.to_owned(),
        }
    }

    #[test]
    fn each_way_to_be_wrong_has_its_reason() {
        let object = Object {
            key: "acme/backup-20260102T030405.dump.zst".to_owned(),
            format: "tar".to_owned(),
            stored: digest(10, "aa"),
            content: digest(100, "bb"),
        };
        let reason = |stored, content| {
            let outcome = compare(&object, Opened::<()> { stored, content });
            outcome.map_err(|failure| failure.reason)
        };
        let good = || digest(10, "aa");
        assert_eq!(reason(good(), Some(Ok((digest(100, "bb"), ())))), Ok(Some(())));
        assert_eq!(reason(good(), None), Ok(None));
        assert_eq!(reason(digest(9, "cc"), None), Err("BackupTruncated"));
        assert_eq!(reason(digest(10, "cc"), None), Err("BackupAltered"));
        assert_eq!(reason(digest(11, "cc"), None), Err("BackupAltered"));
        assert_eq!(
            reason(good(), Some(Ok((digest(100, "cc"), ())))),
            Err("BackupAltered")
        );
        assert_eq!(
            reason(good(), Some(Err(Unreadable::Identity))),
            Err("IdentityWrong")
        );
        let damaged = Unreadable::Damaged("no".to_owned());
        assert_eq!(
            reason(good(), Some(Err(damaged.clone()))),
            Err("BackupUnreadable")
        );
        // What was altered is told as that, whatever reading it led to.
        assert_eq!(reason(digest(10, "cc"), Some(Err(damaged))), Err("BackupAltered"));
    }
}
