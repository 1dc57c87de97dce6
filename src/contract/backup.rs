//! Commands that work with the object store.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::TenantDatabase;

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
