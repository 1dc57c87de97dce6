//! Commands that work with the object store.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::TenantDatabase;

const BACKUP_LESSON: &str = "\
Phases:
  gate        the database is this tenant's, Odoo's and ready; the store takes the keys
  dump        pg_dump of one snapshot, streamed into the store
  filestore   a tar of all files, so that it has every file that a row of the dump refers to
  manifest    a backup without one does not exist
  prune       older ones of the same purpose go; that this fails is told, and no failure
A backup that was killed is simply made again; what it has left goes after a day. A suspended tenant can be
backed up. docs/backups.md says how to restore one by hand.

Reasons:
  70  BaseNotInstalled, DataDirectoryMissing, FilestoreMissing, ClientTooOld, ProgramMissing, DumpRefused,
      RecipientInvalid, StoreLoginRefused, StoreAccessDenied, BucketMissing, StoreRegionWrong, EndpointInvalid
  75  Busy, TenantNotReady, DumpFailed, StoreUnreachable, StoreUnavailable, StoreFull, StoreGarbled, ClockSkewed
  78  MarkerMissing, ForeignDatabase";

const PRUNE_LESSON: &str = "\
Deleted is only what has a readable manifest that says that it is this tenant's, of the same owner and of this
purpose. The newest complete one stays however old it is, so do final ones (78, FinalIsKept) and all objects that
are not named like ours. The manifest goes first. What an interrupted backup has left goes after a day.
--dry-run lists what would go.";

const LIST_LESSON: &str = "\
A table at a terminal, a JSON document a line otherwise. Incomplete ones say what they lack.";

const VERIFY_LESSON: &str = "\
Every byte is read. What is not encrypted, or whose identity is in ODOO_JOB_AGE_IDENTITY, is opened as well: the
checksum of the content, the dump's table of contents by pg_restore, the name of each file against its content.

Reasons:
  70  BackupMissing, BackupIncomplete, BackupTruncated, BackupAltered, BackupUnreadable, ManifestUnusable,
      FilestoreDamaged, IdentityWrong, IdentityInvalid
  75  StoreUnreachable, StoreUnavailable, StoreGarbled, ClockSkewed";

/// Where backups are; the keys are in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Store {
    /// URL of the object store
    #[arg(long)]
    pub endpoint: String,
    /// Region that requests are signed for
    #[arg(long)]
    pub region: String,
    /// Bucket
    #[arg(long)]
    pub bucket: String,
}

/// Why a backup is made; decides where it lies and how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BackupPurpose {
    /// The nightly one: `<slug>/`, kept for the tier's days
    Scheduled,
    /// Before something destructive: `<slug>/insurance/`, kept for at least a week
    Insurance,
    /// Asked for by a person: `<slug>/manual/`, kept until its own retention is over
    Manual,
    /// The last one before a tenant goes: `<slug>/final/`, never pruned
    Final,
}

/// How a backup is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// zstd, level 3
    Zstd,
    /// gzip, for tools that know nothing else
    Gzip,
}

/// Back up a tenant: dump first, filestore second, manifest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
#[command(after_long_help = BACKUP_LESSON)]
pub struct Backup {
    /// The database.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantDatabase,
    /// The store.
    #[command(flatten)]
    #[serde(flatten)]
    pub store: Store,
    /// Odoo's data directory
    #[arg(long)]
    pub data_directory: String,
    /// Why it is made
    #[arg(long)]
    pub purpose: BackupPurpose,
    /// Days for which backups of this purpose are kept; older ones are pruned afterwards, never the last good one
    #[arg(long)]
    pub retention_days: u32,
    /// Compression
    #[arg(long)]
    pub compression: Compression,
    /// age recipient (`age1...`) that it is encrypted to; give it once for each. None: not encrypted by us
    #[arg(long)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub age_recipient: Vec<String>,
}

/// Delete a tenant's backups that are older than their retention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
#[command(after_long_help = PRUNE_LESSON)]
pub struct BackupPrune {
    /// The store.
    #[command(flatten)]
    #[serde(flatten)]
    pub store: Store,
    /// Subdomain of the tenant
    #[arg(long)]
    pub slug: String,
    /// Which backups
    #[arg(long)]
    pub purpose: BackupPurpose,
    /// Days for which they are kept
    #[arg(long)]
    pub retention_days: u32,
}

/// List a tenant's backups, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
#[command(after_long_help = LIST_LESSON)]
pub struct BackupList {
    /// The store.
    #[command(flatten)]
    #[serde(flatten)]
    pub store: Store,
    /// Subdomain of the tenant
    #[arg(long)]
    pub slug: String,
}

/// Read a backup back whole and check it against its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
#[command(after_long_help = VERIFY_LESSON)]
pub struct BackupVerify {
    /// The store.
    #[command(flatten)]
    #[serde(flatten)]
    pub store: Store,
    /// Subdomain of the tenant
    #[arg(long)]
    pub slug: String,
    /// Id of the backup, `latest`, or `insurance/<id>` and the like
    #[arg(long)]
    pub backup: String,
}
