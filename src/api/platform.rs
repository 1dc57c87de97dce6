//! `Platform`: the input of the function, which says what the platform around the tenants is.
//!
//! Every field is optional. What is left out has PLANA's value, from [`crate::defaults`]; a platform that is not
//! PLANA's names its own. `versions` and `tiers` given here replace PLANA's lists, and each entry only needs the
//! fields that differ.
//!
//! Crossplane does not check the input of a function, so the function does, field by field.

mod gateway;
mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::gateway::{Gateway, MaintenanceBackend, ParentReference};
use super::plana_client::TierName;
use crate::defaults;

/// What the platform around the tenants is. Every field is optional; what is left out has PLANA's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Platform {
    /// `odoo.fn.planapulse.com/v1beta1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `Platform`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Standard object metadata; not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The domain below which tenants are served: the host of a tenant is `<subdomain>.<domain>`, and so is the name
    /// of its database.
    pub domain: String,
    /// The Odoo majors that are served, by number (`"18"`). Left out: PLANA's 17, 18 and 19. Given: only these.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, Version>,
    /// What each tier gets. A tier that is left out has PLANA's values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tiers: BTreeMap<TierName, Tier>,
    /// The PostgreSQL server of the tenants.
    pub database: Database,
    /// How tenants are reached.
    pub gateway: Gateway,
    /// When backups run and where they go.
    pub backup: Backup,
    /// Where `client.provisioned` is published.
    pub events: Events,
    /// The Matrix server of the support rooms.
    pub matrix: Matrix,
    /// The account portal.
    pub portal: Callback,
    /// The ERP that keeps the subscriptions.
    pub erp: Callback,
    /// What the Jobs have in common.
    pub jobs: Jobs,
    /// Subdomains that no tenant may have, besides the built-in ones (`www`, `api`, `postgres`, ... and everything
    /// that contains `-template-`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reserved_names: Vec<String>,
}

/// Standard object metadata, accepted so that a Platform can be a file of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Name of the file's object; not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels; not read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations; not read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One Odoo major: its namespace, images and workers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Version {
    /// Namespace of the major's workers. Left out: `plana-odoo-<major>`, and `plana-odoo` for 17.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Odoo image of the major; pin a commit or digest. Left out: PLANA's `base-<major>:latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// User id of Odoo in that image. Left out: 101 for 17, 100 since 18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub uid: Option<i64>,
    /// Group id of Odoo in that image. Left out: 101.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub gid: Option<i64>,
    /// Service of the major's shared workers, with Odoo on 8069 and its websockets on 8072. Left out: `worker-odoo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Volume with the filestores of the major's tenants. Left out: the claim `odoo-filestore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filestore: Option<FilestoreVolume>,
    /// Volume with the same files, as the backups mount it in their own namespace, read-only. Left out: the NFS export
    /// of `filestore`, or else the claim `odoo-filestore-<major>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_filestore: Option<FilestoreVolume>,
    /// Role that the major's pool logs in with. Left out: `database.applicationRole`. A role per major keeps the pool
    /// of an older major off a database that was upgraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_role: Option<String>,
}

/// Where the filestores of a major are: a claim or an NFS export, not both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum FilestoreVolume {
    /// Name of a `PersistentVolumeClaim` in the namespace of the major.
    Claim(String),
    /// An NFS export, mounted as it is.
    Nfs(Nfs),
}

/// An NFS export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nfs {
    /// Host name or address of the NFS server.
    pub server: String,
    /// Exported path; Odoo's data directory, so that `filestore/<database>` is below it.
    pub path: String,
}

/// What a tier gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tier {
    /// Template database that tenants of the tier are cloned from: `<templateCode>-template-<major>.<domain>`. Left
    /// out: `basic` for starter, else the tier itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_code: Option<String>,
    /// Days for which backups are kept. Left out: 30 for starter, 90 for pro, 365 for enterprise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 7, max = 3660))]
    pub backup_retention_days: Option<u32>,
    /// Modules of the tier's template, by technical name. Left out: PLANA's for the template code `basic`, `pro` or
    /// `enterprise`, and those of `basic` for any other. Tiers with one template have one list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 200),
        inner(length(min = 1, max = 100), regex(pattern = r"^[a-z0-9_]+$")),
        extend("x-hint" = "the technical name of a module, such as sale_management")
    )]
    pub modules: Vec<String>,
    /// What becomes of a tenant of the tier that is deleted. Left out: it goes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    /// True: there is no template; a new tenant of the tier starts with an empty database, in which its first Job
    /// installs the modules. That takes minutes instead of seconds. Left out: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_install: Option<bool>,
}

/// What becomes of a tenant that is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// Hours for which a deleted tenant stays, off the air, after its last backup was verified and before anything of it is
    /// removed. Left out: 0.
    #[schemars(range(min = 0, max = 8760))]
    pub grace_hours: u32,
}

/// The PostgreSQL server of the tenants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Database {
    /// Host name or address, as Jobs reach it.
    pub host: String,
    /// Port of the server itself, not of a pooler: dumps and DDL do not pass through one.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// How Jobs connect.
    pub ssl_mode: SslMode,
    /// The provider-sql `ProviderConfig` (`postgresql.sql.crossplane.io`) of the server.
    pub provider_config: String,
    /// Role that Odoo's pools log in with and that owns a tenant's database once it is published.
    pub application_role: String,
    /// Role that owns a database while no pool may see it; the Jobs' login is a member of it.
    pub maintenance_role: String,
    /// Secret with the login of the Jobs: keys `username` and `password`.
    pub credentials_secret: SecretName,
}

/// How a client connects, in PostgreSQL's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Unencrypted.
    Disable,
    /// Encrypted, the server's certificate is not checked.
    Require,
    /// Encrypted, the certificate must come from a known authority.
    VerifyCa,
    /// Encrypted, and the certificate must be for this host.
    VerifyFull,
}

/// A Secret and the namespace in which the platform keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretName {
    /// Name of the Secret. A Job uses the Secret of that name in its own namespace; where there is none, the
    /// function composes a copy for the tenant.
    pub name: String,
    /// Namespace that it is copied from.
    #[serde(default = "control_namespace")]
    pub namespace: String,
}

/// When backups run and where they go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Backup {
    /// Namespace of the `CronJobs`.
    pub namespace: String,
    /// Hour of the day at which the backups begin.
    #[schemars(range(min = 0, max = 23))]
    pub hour: u32,
    /// Minutes after that hour over which the tenants are spread.
    #[schemars(range(min = 1, max = 720))]
    pub spread_minutes: u32,
    /// Time zone of that hour, as in the IANA database.
    pub time_zone: String,
    /// Image with `pg_dump` of the server's major or newer. Left out: the Odoo image of the tenant's major.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The S3 object store.
    pub store: ObjectStore,
    /// age recipients (`age1...`) that backups are encrypted to. None: not encrypted by us.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub age_recipients: Vec<String>,
}

/// An S3 object store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ObjectStore {
    /// URL of the endpoint.
    #[schemars(
        regex(pattern = r"^https?://"),
        extend("x-hint" = "a URL that begins with https:// or http://")
    )]
    pub endpoint: String,
    /// Region that requests are signed for.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Secret with the keys `access-key-id` and `secret-access-key`.
    pub credentials_secret: SecretName,
}

/// Where events are published: a Redis stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Events {
    /// False: no event is published.
    pub enabled: bool,
    /// URL of the Redis server, without a password.
    #[schemars(
        regex(pattern = r"^rediss?://[^@]+$"),
        extend("x-hint" = "a URL such as redis://redis.redis:6379, the password in passwordSecret")
    )]
    pub address: String,
    /// Name of the stream.
    pub stream: String,
    /// About how many entries the stream keeps.
    #[schemars(range(min = 1))]
    pub max_length: u32,
    /// `source` of the CloudEvents.
    pub source: String,
    /// Secret with the key `password`. Left out: the server asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<SecretName>,
}

/// The Matrix server of the support rooms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Matrix {
    /// False: no support rooms.
    pub enabled: bool,
    /// URL of the homeserver.
    #[schemars(
        regex(pattern = r"^https?://"),
        extend("x-hint" = "a URL that begins with https:// or http://")
    )]
    pub homeserver: String,
    /// Server name in room aliases (`#support-acme-023:<serverName>`).
    pub server_name: String,
    /// Matrix ids that are invited to every room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invite: Vec<String>,
    /// Secret with the key `token`, an access token that may create rooms.
    pub token_secret: SecretName,
}

/// A system that is told of a new tenant by HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Callback {
    /// False: it is not told.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// URL that is posted to. Left out: PLANA's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        regex(pattern = r"^https?://"),
        extend("x-hint" = "a URL that begins with https:// or http://")
    )]
    pub url: Option<String>,
    /// Secret with the key `signing-key`, for the HMAC of the body. Left out: not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<SecretName>,
}

/// What the Jobs have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Jobs {
    /// Namespace of the Jobs that talk to the systems around.
    pub namespace: String,
    /// Image of this project, which holds odoo-job. Left out: the one of this version.
    pub image: String,
    /// Secret with the login of the image registry; the Jobs' pods name it. Null: none.
    pub pull_secret: Option<String>,
    /// Requests and limits of a Job that works on a database.
    pub heavy_resources: Resources,
    /// Requests and limits of a Job that makes a few requests.
    pub light_resources: Resources,
    /// Seconds after which a tenant's first Job is given up.
    #[schemars(range(min = 60, max = 86_400))]
    pub init_deadline_seconds: i64,
    /// Seconds after which the building of a template is given up.
    #[schemars(range(min = 60, max = 86_400))]
    pub template_deadline_seconds: i64,
    /// Seconds after which a backup is given up.
    #[schemars(range(min = 60, max = 86_400))]
    pub backup_deadline_seconds: i64,
}

/// Requests and limits, as Kubernetes quantities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// Requested amounts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// Upper limits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

fn control_namespace() -> String {
    defaults::CONTROL_NAMESPACE.to_owned()
}

fn yes() -> bool {
    true
}
