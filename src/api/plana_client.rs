//! `PLANAClient`: one tenant, as written by an operator, and the status that we report.
//!
//! The schema of the XRD is generated from these types. Immutability and rules across fields are CEL, in
//! `api::schema`, since they belong to the API server and not to a type.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind.
pub const KIND: &str = "PLANAClient";

/// What an operator wants for a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanaClientSpec {
    /// First label of the tenant's host name, and so part of its database's name. Cannot change. 1 to 30 lower-case
    /// letters, digits and single hyphens, beginning and ending with a letter or digit; `www`, `api`, `postgres` and
    /// the like are reserved. It is also the name of this object, so no two tenants can ask for the same one.
    #[schemars(
        length(min = 1, max = 30),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$"),
        extend("x-hint" = "1 to 30 lower-case letters, digits and hyphens, beginning and ending with a letter or digit")
    )]
    pub subdomain: String,
    /// Number of the customer's project. Cannot change: the support room and the ERP's record carry it.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub project_id: i64,
    /// What the customer pays for: template, retention of backups, resources.
    pub tier: TierName,
    /// The Odoo major that is wanted. A new tenant is made with it. For a living one it only changes through a
    /// `TenantUpgrade`: until that is done the condition `VersionInSync` is false and nothing moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 2),
        regex(pattern = r"^[1-9][0-9]$"),
        extend("x-hint" = "an Odoo major in quotes, such as \"18\"")
    )]
    pub odoo_version: Option<String>,
    /// Mail address of the owner: login of the tenant's administrator, and who is invited to the support room.
    #[schemars(
        length(min = 5, max = 254),
        regex(pattern = r"^[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+\.[^@\x00-\x20\x7f]+$"),
        extend("x-hint" = "a mail address, such as owner@example.com")
    )]
    pub owner_email: String,
    /// Name of the owner: name of the tenant's administrator and company.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[^\x00-\x1f\x7f]+$"),
        extend("x-hint" = "a name on one line, without control characters")
    )]
    pub owner_name: String,
    /// Further host names of the tenant. Not served by this release: leave it empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 10),
        inner(
            length(min = 4, max = 253),
            regex(pattern = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")
        ),
        extend("x-hint" = "a host name in lower case, such as erp.example.com")
    )]
    pub custom_domains: Vec<String>,
    /// Stop serving the tenant and keep its data: its host name is answered with 503, its crons and sessions end, its
    /// backups go on. False again: it comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// Refuse to delete this object until this is false again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// Take over a database that exists already: the marker that it carries (`status.databaseMarker` of the tenant
    /// that it belonged to). For a rebuilt cluster or a tenant that moved; without it a database that is not ours
    /// stops the tenant and is not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$"),
        extend("x-hint" = "the marker that the database carries, letters, digits and hyphens")
    )]
    pub adopt_database: Option<String>,
    /// Where this tenant's backups differ from those of its tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupOverrides>,
    /// Secret with the first password of the tenant's administrator. Left out: nobody can log in until the owner has
    /// asked for a new password. It is only read until the tenant is initialised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_password_secret: Option<AdminPasswordSecret>,
}

/// A Secret with the first password of a tenant's administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminPasswordSecret {
    /// Name of the Secret, in the namespace of the platform's Jobs (`jobs.namespace` of its Platform). It has the key
    /// `password`, or `password-hash` with the password as Odoo stores it.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"),
        extend("x-hint" = "the name of a Secret: lower-case letters, digits, hyphens and dots")
    )]
    pub name: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What a customer pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TierName {
    /// Shared workers, backups for a month.
    Starter,
    /// Shared workers, backups for three months.
    Pro,
    /// Backups for a year, own domains.
    Enterprise,
}

/// Where a tenant's backups differ from those of its tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupOverrides {
    /// When to back up, as a cron expression with five fields in the platform's time zone (`30 1 * * *`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 9, max = 100),
        regex(pattern = r"^[0-9*,/-]+( [0-9*,/-]+){2}( [0-9A-Za-z*,/-]+){2}$"),
        extend("x-hint" = "a cron expression with five fields, such as \"30 1 * * *\"")
    )]
    pub schedule: Option<String>,
    /// Days for which backups are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 7, max = 3660))]
    pub retention_days: Option<u32>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanaClientStatus {
    /// Where the tenant is in its life, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Where the tenant is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The Odoo major that the tenant's database is of, and that serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odoo_version: Option<String>,
    /// Namespace of that major's workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the tenant's database carries to say whose it is; `spec.adoptDatabase` of a tenant that takes it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_marker: Option<String>,
    /// The tenant's database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseStatus>,
    /// The tenant's filestore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filestore: Option<FilestoreStatus>,
    /// The tenant's backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatus>,
    /// The tenant's support room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_room: Option<String>,
    /// The room's id at the Matrix server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_room_id: Option<String>,
    /// Whether a deletion was refused because the tenant was protected; it does not come back to life when the
    /// protection ends.
    #[serde(skip_serializing_if = "is_false")]
    pub deletion_refused: bool,
    /// What is being done with the tenant: serving, suspending, tearing down. Left out while it was never anything but
    /// served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub course: Option<CourseStatus>,
    /// The operation that has the tenant to itself, if one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceStatus>,
    /// How far a deletion is, beside the steps in `done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionStatus>,
    /// Steps that are done, by name: their Jobs may go, and are not run again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub done: BTreeMap<String, StepRecord>,
}

/// The tenant's database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseStatus {
    /// Its name.
    pub name: String,
    /// Whether it is there, ours and initialised.
    pub ready: bool,
    /// The template that it was cloned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How the tenant came to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<DatabaseOrigin>,
}

/// How a tenant came to its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DatabaseOrigin {
    /// Cloned from the tier's template.
    Template,
    /// Initialised from nothing, since the tier has no template.
    Installed,
    /// It existed and was taken over.
    Adopted,
}

/// The tenant's filestore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FilestoreStatus {
    /// Directory on the major's filestore volume.
    pub path: String,
}

/// The tenant's backups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupStatus {
    /// When they run, as a cron expression.
    pub schedule: String,
    /// Time zone of the schedule.
    pub time_zone: String,
    /// When one was last made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<String>,
    /// When one was last restored and compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_verified_time: Option<String>,
}

/// What is being done with a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Course {
    /// It is served, or on the way to it.
    #[default]
    Serve,
    /// It is not served, and its data is kept.
    Suspend,
    /// It goes.
    Teardown,
}

/// What is being done with a tenant, and how often that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CourseStatus {
    /// What is being done.
    pub name: Course,
    /// Counts the changes: a step that was done in an earlier turn is done again in this one.
    pub turn: u32,
}

/// The operation that has a tenant to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MaintenanceStatus {
    /// Whether nobody reaches the tenant any more: what the operation waits for.
    pub active: bool,
    /// Who holds the tenant's Lease.
    pub by: String,
}

/// How far a deletion is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeletionStatus {
    /// The backup that stays when the tenant is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_backup: Option<String>,
    /// Until when the tenant stays as it is after that backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<String>,
    /// Whether the removal of its data may have begun: from here on there is no way back but that backup.
    #[serde(skip_serializing_if = "is_false")]
    pub removing: bool,
    /// Whether provider-sql was told to drop the database.
    #[serde(skip_serializing_if = "is_false")]
    pub dropping: bool,
}

/// The record of a step that is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StepRecord {
    /// The Job that did it.
    pub job: String,
    /// When it completed.
    pub time: String,
    /// Hash of what it was done with, where something else means that it is to be done again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// What the Job said of what it found and made; empty where it could not be read any more.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub result: BTreeMap<String, String>,
}
