//! The manifest: what a backup is of, and by which sizes and checksums it is known to be whole. `docs/backups.md` says what
//! every field means. It is written last; a backup without one does not exist.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::layout::{BackupId, Part};
use crate::{
    contract::{BackupPurpose, Compression},
    job::archive::Digest,
    names::Slug,
};

/// The version of the document that this release writes and reads.
pub const VERSION: u32 = 1;
/// Names that are kept of missing or superfluous files; their numbers are whole.
pub const NAMES_MAXIMUM: usize = 100;

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of this document.
    pub version: u32,
    /// Id, as `backup-list` shows it.
    pub id: String,
    /// Subdomain of the tenant.
    pub slug: String,
    /// Id of the database's owner.
    pub marker: String,
    /// The database.
    pub database: String,
    /// Why it was made.
    pub purpose: BackupPurpose,
    /// When the dump began, as RFC 3339 in UTC: the state that it holds.
    pub taken_at: String,
    /// When the last object was written.
    pub finished_at: String,
    /// Days for which it is to be kept.
    pub retention_days: u32,
    /// The program that made it.
    pub program: String,
    /// Version of Odoo's module `base`.
    pub base_version: String,
    /// The server, and the program that dumped.
    pub postgresql: Postgresql,
    /// How both objects are compressed.
    pub compression: Compression,
    /// age recipients that both objects are encrypted to; none: they are not encrypted.
    pub age_recipients: Vec<String>,
    /// The dump.
    pub dump: Object,
    /// The archive of the filestore.
    pub filestore: Object,
    /// What is in the archive, and what is not.
    pub files: Files,
    /// Rows of some tables in the state that the dump holds.
    pub counts: BTreeMap<String, u64>,
}

/// Versions of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Postgresql {
    /// Of the server.
    pub server: String,
    /// Of `pg_dump`.
    pub client: String,
}

/// An object of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Its key in the bucket.
    pub key: String,
    /// What it is once it is decrypted and decompressed.
    pub format: String,
    /// The object itself.
    pub stored: Digest,
    /// Its content.
    pub content: Digest,
}

/// What the archive of the filestore has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Files {
    /// Files.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that the dump's attachments refer to.
    pub referenced: u64,
    /// How many of these are not in the archive.
    pub missing: u64,
    /// The first of them.
    pub missing_names: Vec<String>,
    /// How many files of the archive no attachment refers to: Odoo's garbage collection had not come yet.
    pub orphans: u64,
    /// Files whose length changed while they were read; such a file is not what its name says.
    pub changed: u64,
}

/// Why an object is no manifest of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not such a document.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is from a later release.
    #[error("it has version {0}, this release reads {VERSION}")]
    Version(u64),
    /// It does not say what its name says.
    #[error("it says that it is of {0}")]
    Foreign(String),
}

impl Manifest {
    /// The document.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        // A manifest is plain data, which serde_json can always represent.
        let mut document = serde_json::to_vec_pretty(self).unwrap_or_default();
        document.push(b'\n');
        document
    }

    /// Reads a document that was found as the manifest of a backup.
    pub fn parse(document: &[u8], slug: &Slug, id: BackupId) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let unreadable = |error: serde_json::Error| ManifestError::Unreadable(error.to_string());
        let version = serde_json::from_slice::<Version>(document)
            .map_err(unreadable)?
            .version;
        if version != u64::from(VERSION) {
            return Err(ManifestError::Version(version));
        }
        let manifest: Self = serde_json::from_slice(document).map_err(unreadable)?;
        if manifest.slug != slug.as_str() || manifest.id != id.to_string() || manifest.purpose != id.purpose {
            return Err(ManifestError::Foreign(format!(
                "{} {}",
                manifest.slug, manifest.id
            )));
        }
        // What it leads to is removed one day: it must not lead elsewhere.
        for (object, part) in [
            (&manifest.dump, Part::Dump),
            (&manifest.filestore, Part::Filestore),
        ] {
            if object.key != id.key(slug, part, &manifest.suffix()) {
                return Err(ManifestError::Foreign(object.key.clone()));
            }
        }
        Ok(manifest)
    }

    /// Both objects.
    #[must_use]
    pub fn objects(&self) -> [&Object; 2] {
        [&self.dump, &self.filestore]
    }

    /// Whether they are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !self.age_recipients.is_empty()
    }

    /// When the dump began; a time that cannot be read is the id's.
    #[must_use]
    pub fn taken_at(&self, id: BackupId) -> Timestamp {
        self.taken_at.parse().unwrap_or(id.begun)
    }

    fn suffix(&self) -> String {
        super::layout::suffix(self.compression, self.is_encrypted())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A manifest of acme's.
    pub fn example(id: BackupId) -> Manifest {
        let slug = Slug::new("acme").unwrap();
        let digest = |bytes| Digest {
            bytes,
            sha256: "ab".repeat(32),
        };
        let object = |part, format: &str| Object {
            key: id.key(&slug, part, ".zst"),
            format: format.to_owned(),
            stored: digest(10),
            content: digest(100),
        };
        Manifest {
            version: VERSION,
            id: id.to_string(),
            slug: "acme".to_owned(),
            marker: "1b2c".to_owned(),
            database: "acme.planapulse.app".to_owned(),
            purpose: id.purpose,
            taken_at: id.begun.to_string(),
            finished_at: id.begun.to_string(),
            retention_days: 30,
            program: "odoo-job 0.1.0".to_owned(),
            base_version: "18.0.1.3".to_owned(),
            postgresql: Postgresql {
                server: "15.14".to_owned(),
                client: "15.14".to_owned(),
            },
            compression: Compression::Zstd,
            age_recipients: Vec::new(),
            dump: object(Part::Dump, "pg_dump custom"),
            filestore: object(Part::Filestore, "tar"),
            files: Files::default(),
            counts: BTreeMap::new(),
        }
    }

    #[test]
    fn only_what_its_name_says_is_believed() {
        let slug = Slug::new("acme").unwrap();
        let id = BackupId::parse("insurance/20260102T030405").unwrap();
        let good = example(id);
        let parse = |manifest: &Manifest| Manifest::parse(&manifest.to_document(), &slug, id);
        assert_eq!(parse(&good), Ok(good.clone()));
        let foreign = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = good.clone();
            change(&mut manifest);
            assert!(
                matches!(parse(&manifest), Err(ManifestError::Foreign(_))),
                "{manifest:?}"
            );
        };
        foreign(&|manifest| manifest.slug = "other".to_owned());
        foreign(&|manifest| manifest.id = "20260102T030405".to_owned());
        foreign(&|manifest| manifest.purpose = BackupPurpose::Manual);
        foreign(&|manifest| manifest.dump.key = "other/backup-20260102T030405.dump.zst".to_owned());
        let later = Manifest { version: 2, ..good };
        assert_eq!(parse(&later), Err(ManifestError::Version(2)));
        for garbage in ["", "null", "{}", "{\"version\":1}", "<html>"] {
            let read = Manifest::parse(garbage.as_bytes(), &slug, id);
            assert!(
                matches!(read, Err(ManifestError::Unreadable(_))),
                "{garbage}: {read:?}"
            );
        }
    }
}
