//! Where a backup's objects are, and which objects are ours.
//!
//! In: a tenant's slug, a purpose, an id. Out: keys, and back. Whatever is not named exactly so is somebody else's, and
//! is neither counted nor touched.
//!
//! ```text
//! acme/backup-20260102T030405.dump.zst        insurance, manual and final ones are a folder deeper:
//! acme/filestore-20260102T030405.tar.zst      acme/insurance/backup-20260102T030405.dump.zst
//! acme/manifest-20260102T030405.json          .age follows when it is encrypted, .gz instead of .zst
//! ```

use std::fmt;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    contract::{BackupPurpose, Compression},
    job::failure::{Attempted, Failure},
    names::Slug,
};

const ID_FORMAT: &str = "%Y%m%dT%H%M%S";
const ID_BYTES: usize = 15;
/// The word that names the newest backup.
const LATEST: &str = "latest";
const PURPOSES: [BackupPurpose; 4] = [
    BackupPurpose::Scheduled,
    BackupPurpose::Insurance,
    BackupPurpose::Manual,
    BackupPurpose::Final,
];

/// Which backup of a tenant: when it was begun, to the second, and what for. Ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupId {
    /// When it was begun.
    pub begun: Timestamp,
    /// What for.
    pub purpose: BackupPurpose,
}

/// A part of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The dump of the database.
    Dump,
    /// The archive of the filestore.
    Filestore,
    /// What says that the others are whole.
    Manifest,
}

/// Which backup somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Exactly(BackupId),
    /// The newest complete one of a purpose.
    Latest(BackupPurpose),
}

impl BackupId {
    /// The id of a backup that is begun now.
    #[must_use]
    pub fn new(now: Timestamp, purpose: BackupPurpose) -> Self {
        // Ids have no fractions of seconds.
        let begun = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { begun, purpose }
    }

    /// Reads `20260102T030405` or `insurance/20260102T030405`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (purpose, time) = split(text)?;
        Self::from_time(time, purpose)
    }

    fn from_time(time: &str, purpose: BackupPurpose) -> Option<Self> {
        let civil = DateTime::strptime(ID_FORMAT, time).ok()?;
        let begun = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
        // There are other spellings that it would read.
        let id = Self { begun, purpose };
        (time.len() == ID_BYTES && id.time() == time).then_some(id)
    }

    /// The key of a part; `suffix` is what its compression and encryption add.
    #[must_use]
    pub fn key(&self, slug: &Slug, part: Part, suffix: &str) -> String {
        let folder = folder(self.purpose);
        let time = self.time();
        match part {
            Part::Dump => format!("{slug}/{folder}backup-{time}.dump{suffix}"),
            Part::Filestore => format!("{slug}/{folder}filestore-{time}.tar{suffix}"),
            Part::Manifest => format!("{slug}/{folder}manifest-{time}.json"),
        }
    }

    fn time(&self) -> String {
        self.begun.strftime(ID_FORMAT).to_string()
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", folder(self.purpose), self.time())
    }
}

impl Wanted {
    /// Reads an id, `latest`, or one of both below the folder of a purpose.
    pub fn parse(text: &str) -> Attempted<Self> {
        let wanted = match split(text) {
            Some((purpose, LATEST)) => Some(Self::Latest(purpose)),
            _ => BackupId::parse(text).map(Self::Exactly),
        };
        wanted.ok_or_else(|| {
            Failure::give_up(
                "BackupIdInvalid",
                format!(
                    "{text:?} names no backup: give latest, an id as backup-list shows it (20260102T030405), or either after \
                     insurance/, manual/ or final/"
                ),
            )
        })
    }
}

/// Reads a slug, as the keys of a tenant's objects begin with it.
pub fn slug(text: &str) -> Attempted<Slug> {
    Slug::new(text).map_err(|error| Failure::give_up("SlugInvalid", format!("the slug {text:?} {error}")))
}

/// The part of a backup that a key of a tenant's folder is; `None`: it is somebody else's.
#[must_use]
pub fn parse_key(slug: &Slug, key: &str) -> Option<(BackupId, Part)> {
    let rest = key.strip_prefix(slug.as_str())?.strip_prefix('/')?;
    let (purpose, name) = split(rest)?;
    let (stem, part) = [
        ("backup-", Part::Dump),
        ("filestore-", Part::Filestore),
        ("manifest-", Part::Manifest),
    ]
    .into_iter()
    .find_map(|(prefix, part)| Some((name.strip_prefix(prefix)?, part)))?;
    let (time, rest) = stem.split_at_checked(ID_BYTES)?;
    let is_ours = match part {
        Part::Dump => rest.strip_prefix(".dump").is_some_and(is_suffix),
        Part::Filestore => rest.strip_prefix(".tar").is_some_and(is_suffix),
        Part::Manifest => rest == ".json",
    };
    is_ours.then_some((BackupId::from_time(time, purpose)?, part))
}

/// What compression and encryption add to a name.
#[must_use]
pub fn suffix(compression: Compression, is_encrypted: bool) -> String {
    let compression = match compression {
        Compression::Zstd => ".zst",
        Compression::Gzip => ".gz",
    };
    format!("{compression}{}", if is_encrypted { ".age" } else { "" })
}

fn is_suffix(text: &str) -> bool {
    let text = text.strip_suffix(".age").unwrap_or(text);
    [".zst", ".gz"].contains(&text)
}

/// The folder of a purpose below a tenant's.
const fn folder(purpose: BackupPurpose) -> &'static str {
    match purpose {
        BackupPurpose::Scheduled => "",
        BackupPurpose::Insurance => "insurance/",
        BackupPurpose::Manual => "manual/",
        BackupPurpose::Final => "final/",
    }
}

/// The purpose that a path's folder says, and what follows it.
fn split(text: &str) -> Option<(BackupPurpose, &str)> {
    let folder_length = text.rfind('/').map_or(0, |slash| slash + 1);
    let (wanted, rest) = text.split_at(folder_length);
    let purpose = PURPOSES.into_iter().find(|purpose| folder(*purpose) == wanted)?;
    Some((purpose, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Slug {
        Slug::new("acme").unwrap()
    }

    #[test]
    fn keys_are_read_back() {
        let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        for purpose in PURPOSES {
            let id = BackupId::new(now, purpose);
            assert_eq!(BackupId::parse(&id.to_string()), Some(id));
            for part in [Part::Dump, Part::Filestore, Part::Manifest] {
                for suffix in [".zst", ".gz", ".zst.age", ".gz.age"] {
                    let key = id.key(&acme(), part, suffix);
                    assert_eq!(parse_key(&acme(), &key), Some((id, part)), "{key}");
                }
            }
        }
        let insurance = BackupId::new(now, BackupPurpose::Insurance);
        assert_eq!(
            insurance.key(&acme(), Part::Dump, ".zst.age"),
            "acme/insurance/backup-20260102T030405.dump.zst.age"
        );
    }

    #[test]
    fn what_is_named_otherwise_is_somebody_else_s() {
        for key in [
            "acme/backup-20260102T030405.dump",
            "acme/backup-20260102T030405.dump.zst.bak",
            "acme/backup-20260102T030405.tar.zst",
            "acme/backup-20260102T0304.dump.zst",
            "acme/backup-20260102T030461.dump.zst",
            "acme/backup-20261302T030405.dump.zst",
            "acme/backup-2026-1-2T030405.dump.zst",
            "acme/backup-latest.dump.zst",
            "acme/manifest-20260102T030405.json.age",
            "acme/other/backup-20260102T030405.dump.zst",
            "acme/insurance/insurance/manifest-20260102T030405.json",
            "acme2/manifest-20260102T030405.json",
            "manifest-20260102T030405.json",
            "acme/notes.txt",
            "acme/backup-ääääääääääääääää.dump.zst",
        ] {
            assert_eq!(parse_key(&acme(), key), None, "{key}");
        }
    }

    #[test]
    fn a_backup_is_asked_for_by_id_or_as_the_latest() {
        assert_eq!(
            Wanted::parse("latest").unwrap(),
            Wanted::Latest(BackupPurpose::Scheduled)
        );
        assert_eq!(
            Wanted::parse("final/latest").unwrap(),
            Wanted::Latest(BackupPurpose::Final)
        );
        assert!(matches!(
            Wanted::parse("manual/20260102T030405"),
            Ok(Wanted::Exactly(BackupId {
                purpose: BackupPurpose::Manual,
                ..
            }))
        ));
        for text in [
            "",
            "newest",
            "20260102",
            "other/latest",
            "../latest",
            "insurance/",
        ] {
            assert_eq!(
                Wanted::parse(text).unwrap_err().reason,
                "BackupIdInvalid",
                "{text}"
            );
        }
    }
}
