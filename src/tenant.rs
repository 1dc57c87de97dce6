//! What our kinds resolve to: a tenant or a template, everything that its spec and the platform say, without anything
//! left to default.
//!
//! In: a spec of the API and a [`crate::api::platform::Platform`] ([`resolve`]). Out: a [`Tenant`] or a [`Template`], and
//! for what treats both alike a [`Subject`]. Nothing past this module sees the types of the API's specs.

pub mod resolve;
mod subject;
mod template;

use std::collections::BTreeMap;

pub use self::{
    subject::Subject,
    template::{Template, with_revision},
};
pub use crate::api::{
    plana_client::TierName,
    platform::{FilestoreVolume, MaintenanceBackend, ParentReference, Resources, SecretName, SslMode},
};
use crate::names::{DatabaseName, Slug};

/// A tenant and the part of the platform that concerns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Subdomain, and name of the composite resource.
    pub slug: Slug,
    /// UID of the composite resource.
    pub uid: String,
    /// Number of the customer's project.
    pub project_id: i64,
    /// What the customer pays for.
    pub tier: TierName,
    /// Who the tenant belongs to.
    pub owner: Owner,
    /// Host name that the tenant is served by.
    pub host: String,
    /// Its database; the same text as the host.
    pub database: DatabaseName,
    /// What the database carries to say whose it is.
    pub marker: String,
    /// The marker of the database that is to be taken over; none: a new one is made.
    pub adopt: Option<String>,
    /// What the database is made from.
    pub source: Source,
    /// The major that the tenant's database is of, or will be made with.
    pub release: Release,
    /// Other majors that routes of the tenant lead to.
    pub older: BTreeMap<u32, Release>,
    /// The major that the spec asks for.
    pub wanted_major: u32,
    /// Whether it is not to be served, and its data kept.
    pub suspended: bool,
    /// Whether deleting is refused.
    pub deletion_protection: bool,
    /// Hours for which it stays, off the air, between its last backup and its end.
    pub grace_hours: u32,
    /// The tenant's backups.
    pub backup: Backup,
    /// The database server.
    pub server: DatabaseServer,
    /// How tenants are reached.
    pub gateway: Gateway,
    /// Where Jobs run and what they have in common.
    pub jobs: Jobs,
    /// Who is told of the tenant.
    pub notices: Notices,
    /// Secret with the administrator's first password.
    pub admin_password: Option<SecretName>,
}

/// What a tenant's database is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The tier's template.
    Template {
        /// The template database.
        database: DatabaseName,
        /// The `TemplateSnapshot` that would have built it.
        snapshot: String,
    },
    /// Nothing: these modules are installed.
    Modules(Vec<String>),
}

/// Who a tenant belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Mail address.
    pub email: String,
    /// Name.
    pub name: String,
}

/// An Odoo major with its namespace and workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// The number.
    pub major: u32,
    /// Namespace of its workers.
    pub namespace: String,
    /// Odoo image.
    pub image: String,
    /// User id of Odoo in the image.
    pub uid: i64,
    /// Group id of Odoo in the image.
    pub gid: i64,
    /// Service of its workers.
    pub service: String,
    /// Volume with its tenants' filestores.
    pub filestore: FilestoreVolume,
    /// The same files, as a pod in the namespace of the backups mounts them.
    pub backup_filestore: FilestoreVolume,
    /// Role that its pool logs in with.
    pub database_role: String,
}

/// A tenant's backups.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// Namespace of the CronJob.
    pub namespace: String,
    /// Cron expression.
    pub schedule: String,
    /// Whether the schedule is the platform's, every night.
    pub is_nightly: bool,
    /// Time zone of the schedule.
    pub time_zone: String,
    /// Days for which backups are kept.
    pub retention_days: u32,
    /// Image with the database server's client tools.
    pub image: String,
    /// URL of the object store.
    pub endpoint: String,
    /// Region of the object store.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Secret with the object store's keys.
    pub store_secret: SecretName,
    /// Whom backups are encrypted to.
    pub age_recipients: Vec<String>,
    /// Seconds after which one is given up.
    pub deadline_seconds: i64,
}

/// The PostgreSQL server.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseServer {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How Jobs connect.
    pub ssl_mode: SslMode,
    /// The `ProviderConfig` of provider-sql.
    pub provider_config: String,
    /// Owner of a database that no pool may see.
    pub maintenance_role: String,
    /// Secret with the login of the Jobs.
    pub secret: SecretName,
}

/// How tenants are reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// What routes attach to.
    pub parents: Vec<ParentReference>,
    /// Longest time of a request.
    pub request_timeout: String,
    /// The Service that answers for a tenant that is not served.
    pub maintenance: Option<MaintenanceBackend>,
}

/// Where Jobs run and what they have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Jobs {
    /// Namespace of the Jobs that talk to the systems around.
    pub namespace: String,
    /// Image with odoo-job.
    pub image: String,
    /// Secret with the login of the image registry.
    pub pull_secret: Option<SecretName>,
    /// Requests and limits of a Job that works on a database.
    pub heavy: Resources,
    /// Requests and limits of a Job that makes a few requests.
    pub light: Resources,
    /// Seconds for a tenant's first Job.
    pub init_deadline_seconds: i64,
    /// Seconds for the building of a template.
    pub template_deadline_seconds: i64,
}

/// Who is told of a tenant; `None`: the platform has no such system.
#[derive(Clone, Debug, PartialEq)]
pub struct Notices {
    /// The Matrix server.
    pub matrix: Option<Matrix>,
    /// The account portal.
    pub portal: Option<Callback>,
    /// The ERP.
    pub erp: Option<Callback>,
    /// The event stream.
    pub events: Option<Events>,
}

/// A Matrix server.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// URL.
    pub homeserver: String,
    /// Server name in aliases.
    pub server_name: String,
    /// Who is invited to every room.
    pub invite: Vec<String>,
    /// Secret with the access token.
    pub secret: SecretName,
}

/// A system that is told by HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Callback {
    /// URL.
    pub url: String,
    /// Secret with the signing key.
    pub secret: Option<SecretName>,
}

/// An event stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// URL of the Redis server.
    pub address: String,
    /// Name of the stream.
    pub stream: String,
    /// About how many entries it keeps.
    pub max_length: u32,
    /// `source` of the events.
    pub source: String,
    /// Secret with the password.
    pub secret: Option<SecretName>,
}

/// What a tenant already has, and so keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Living {
    /// The major that its database is of.
    pub serving: Option<u32>,
    /// The majors that its routes lead to.
    pub routed: Vec<u32>,
}

/// The composite resource apart from its spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

impl Tenant {
    /// Where the tenant is served.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.host)
    }

    /// The tenant's directory on the filestore volume: Odoo names it after the database.
    #[must_use]
    pub fn filestore_path(&self) -> String {
        format!("filestore/{}", self.database)
    }

    /// The template that the database is cloned from, if it is.
    #[must_use]
    pub fn template(&self) -> Option<&DatabaseName> {
        match &self.source {
            Source::Template { database, .. } => Some(database),
            Source::Modules(_) => None,
        }
    }

    /// A major that the tenant has a route to.
    #[must_use]
    pub fn release_of(&self, major: u32) -> Option<&Release> {
        if major == self.release.major {
            Some(&self.release)
        } else {
            self.older.get(&major)
        }
    }
}
