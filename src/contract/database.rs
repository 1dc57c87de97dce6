//! Commands that work on a tenant's database and its filestore.

use clap::Args;
use serde::Serialize;

/// How a command reaches the database server; the login is in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Server {
    /// Host of the server
    #[arg(long)]
    pub database_host: String,
    /// Port of the server itself, not of a pooler
    #[arg(long)]
    pub database_port: u16,
    /// `disable`, `require`, `verify-ca` or `verify-full`, as in PostgreSQL
    #[arg(long, value_parser = ["disable", "require", "verify-ca", "verify-full"])]
    pub database_ssl_mode: String,
}

/// The roles of the server that own databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Roles {
    /// Role that Odoo's pool logs in with, and that owns a published database
    #[arg(long)]
    pub application_role: String,
    /// Role that owns a database while no pool may see it
    #[arg(long)]
    pub maintenance_role: String,
}

/// Which tenant's database, and by which marker it is known to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantDatabase {
    /// How the server is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub server: Server,
    /// Subdomain of the tenant
    #[arg(long)]
    pub slug: String,
    /// The tenant's database
    #[arg(long)]
    pub database: String,
    /// The marker that the database carries, or is to carry
    #[arg(long)]
    pub marker: String,
}

/// Make a cloned database a tenant's, and prove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantInit {
    /// The database.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantDatabase,
    /// The roles.
    #[command(flatten)]
    #[serde(flatten)]
    pub roles: Roles,
    /// The marker that the database carries already, when it is taken over from elsewhere
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt: Option<String>,
    /// The template that the database was cloned from; without it, an empty database is initialised
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Module to install when the database is empty; give it once for each
    #[arg(long)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub module: Vec<String>,
    /// Odoo major of the database
    #[arg(long)]
    pub odoo_version: u32,
    /// Host name that the tenant is served by
    #[arg(long)]
    pub host: String,
    /// Login and mail address of the administrator
    #[arg(long)]
    pub owner_email: String,
    /// Name of the administrator and of the company
    #[arg(long)]
    pub owner_name: String,
    /// Odoo's data directory
    #[arg(long)]
    pub data_directory: String,
}

/// Hide a tenant's database from every pool: owner, CONNECT and sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantSuspend {
    /// The database.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantDatabase,
    /// The roles.
    #[command(flatten)]
    #[serde(flatten)]
    pub roles: Roles,
}

/// Give a hidden database back to its pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantResume {
    /// The database.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantDatabase,
    /// The roles.
    #[command(flatten)]
    #[serde(flatten)]
    pub roles: Roles,
    /// Odoo major that the database must be of
    #[arg(long)]
    pub odoo_version: u32,
}

/// Make a tenant's database ready to be dropped: no session left, owned by the login that drops it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantRelease {
    /// The database.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantDatabase,
    /// The roles.
    #[command(flatten)]
    #[serde(flatten)]
    pub roles: Roles,
    /// Backup that must be complete in the store before anything is released
    #[arg(long)]
    pub final_backup: String,
    /// Where that backup is.
    #[command(flatten)]
    #[serde(flatten)]
    pub store: super::Store,
}

/// Remove a tenant's filestore directory, once its database is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct FilestoreRemove {
    /// The database, which must be gone or hidden.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantDatabase,
    /// The roles.
    #[command(flatten)]
    #[serde(flatten)]
    pub roles: Roles,
    /// Odoo's data directory
    #[arg(long)]
    pub data_directory: String,
    /// Backup that must be complete in the store, its filestore included, before anything is removed
    #[arg(long)]
    pub final_backup: String,
    /// Where that backup is.
    #[command(flatten)]
    #[serde(flatten)]
    pub store: super::Store,
}

/// Ask the tenant's workers for the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantSmoke {
    /// The database: a read through Odoo's models needs a key in it, for as long as it takes.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantDatabase,
    /// URL of the workers, past the gateway
    #[arg(long)]
    pub workers_url: String,
    /// Host name to ask for
    #[arg(long)]
    pub host: String,
    /// Odoo major that must answer
    #[arg(long)]
    pub odoo_version: u32,
}

const TEMPLATE_BUILD: &str = "\
What it does, phase by phase:
  lock     one run per template; a second one is told who works on it
  gate     looks at roles, databases, files and Odoo's version, and refuses what is not this template's
  clean    drops what killed runs have left
  create   an empty database named TEMPLATE~BUILD, which no pool can see
  install  odoo -i MODULES, listened to: its exit code is 0 for most ways of failing
  strip    removes passwords, second factors and API keys
  prove    states and versions of all modules, a file for each attachment
  seal     nobody can connect any more, everybody with CREATEDB can clone
  files    adds the files to those of the template; both generations are there
  swap     gives it the template's name, in one transaction: clones never see a gap
  drop     drops the old template, and files that no clone can need any more
A template that has this revision and these modules is left as it is, after a look at its files.

Odoo:
  Runs as `odoo` or `odoo-bin` of the PATH (ODOO_JOB_ODOO names another), with the settings of the image's
  configuration file (ODOO_RC, /etc/odoo/odoo.conf) that find modules, and none that serve or log.

When it fails:
  The old template goes on serving. GiveUp: WrongOdoo, ModuleUnknown, ModuleMissing, OdooFailed: correct the image
  or the list of modules. Retry: DiskFull, ServerLost, Busy. Refused: ForeignDatabase, ForeignFilestore: what has the
  template's name belongs to somebody else; the message says to whom.";

/// Build a template database that tenants are cloned from, and swap it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
#[command(after_long_help = TEMPLATE_BUILD)]
pub struct TemplateBuild {
    /// How the server is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub server: Server,
    /// The roles.
    #[command(flatten)]
    #[serde(flatten)]
    pub roles: Roles,
    /// The template database
    #[arg(long)]
    pub database: String,
    /// The marker that the template carries
    #[arg(long)]
    pub marker: String,
    /// Code of the template: `basic`, `pro` or `enterprise`
    #[arg(long)]
    pub template_code: String,
    /// Odoo major of the template
    #[arg(long)]
    pub odoo_version: u32,
    /// What the template is built from: the commit or digest of the image
    #[arg(long)]
    pub revision: String,
    /// Module to install; give it once for each
    #[arg(long, required = true)]
    pub module: Vec<String>,
    /// Odoo's data directory
    #[arg(long)]
    pub data_directory: String,
}

const TEMPLATE_REMOVE: &str = "\
What it does, phase by phase:
  lock, gate   as template-build
  retire       takes the template's name away, so that no clone can begin
  remove       its files, then its databases and what killed builds have left
  prove        nothing is left
Tenants that were cloned before keep their data; those whose tenant-init has not copied the files yet would lack them,
so remove a template only when no tenant is being made from it. Removing nothing is done, too.";

/// Remove a template database and its filestore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
#[command(after_long_help = TEMPLATE_REMOVE)]
pub struct TemplateRemove {
    /// How the server is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub server: Server,
    /// The roles.
    #[command(flatten)]
    #[serde(flatten)]
    pub roles: Roles,
    /// The template database
    #[arg(long)]
    pub database: String,
    /// The marker that the template carries
    #[arg(long)]
    pub marker: String,
    /// Odoo's data directory
    #[arg(long)]
    pub data_directory: String,
}
