//! Every default value, once: PLANA's, since the platform is theirs unless its Platform says otherwise.
//!
//! In: nothing. Out: constants, typed and named with their unit, each with its reason where that is not plain. Where a
//! default also stands in a schema, the schema is generated from here.

/// The domain below which tenants are served; the database of a tenant has its host name as its name.
pub const DOMAIN: &str = "planapulse.app";
/// The Odoo major of a new tenant: 17 is legacy until 2027, 19 is released to few.
pub const ODOO_VERSION: &str = "18";
/// The majors of the platform.
pub const ODOO_VERSIONS: [&str; 3] = ["17", "18", "19"];
/// Where the namespaces of the majors begin; the first one was named before there was a second.
pub const VERSION_NAMESPACE: &str = "plana-odoo";
/// The one major whose namespace has no suffix.
pub const VERSION_WITHOUT_SUFFIX: &str = "17";
/// Image of a major, without its number and tag.
pub const ODOO_IMAGE: &str = "git.planapulse.com/plana-pulse/odoo-modules/base";
/// Tag of the Odoo image: moves with the branch of the major. A Platform should pin a commit instead.
pub const ODOO_IMAGE_TAG: &str = "latest";
/// User id of Odoo in the image of 17; the Debian package numbered it differently then.
pub const ODOO_UID_17: i64 = 101;
/// User id of Odoo in the images since 18.
pub const ODOO_UID: i64 = 100;
/// Group id of Odoo in the images, all majors.
pub const ODOO_GID: i64 = 101;
/// The Service of a major's shared workers, in the namespace of the major.
pub const WORKER_SERVICE: &str = "worker-odoo";
/// Port of Odoo's HTTP workers.
pub const HTTP_PORT: i32 = 8069;
/// Port of Odoo's gevent worker, which serves websockets.
pub const WEBSOCKET_PORT: i32 = 8072;
/// The claim of a major's filestore volume, in the namespace of the major.
pub const FILESTORE_CLAIM: &str = "odoo-filestore";

/// Days for which a Starter tenant's backups are kept.
pub const BACKUP_RETENTION_STARTER_DAYS: u32 = 30;
/// Days for which a Pro tenant's backups are kept.
pub const BACKUP_RETENTION_PRO_DAYS: u32 = 90;
/// Days for which an Enterprise tenant's backups are kept.
pub const BACKUP_RETENTION_ENTERPRISE_DAYS: u32 = 365;
/// The shortest retention that a tenant may ask for: a week, as for insurance backups.
pub const BACKUP_RETENTION_MINIMUM_DAYS: u32 = 7;
/// The longest retention that a tenant may ask for: ten years, the longest that books are kept by law.
pub const BACKUP_RETENTION_MAXIMUM_DAYS: u32 = 3660;

/// Modules of the template `basic`, and of one whose code says nothing to us. A guess at what PLANA sells as Starter: no
/// document lists them, so a Platform should.
pub const MODULES_BASIC: [&str; 7] = [
    "base",
    "web",
    "mail",
    "contacts",
    "crm",
    "sale_management",
    "account",
];
/// Modules of the template `pro` besides those of `basic`; a guess, too.
pub const MODULES_PRO: [&str; 3] = ["purchase", "stock", "project"];
/// Modules of the template `enterprise` besides those of `pro`; a guess, too.
pub const MODULES_ENTERPRISE: [&str; 2] = ["hr", "website"];

/// Host of the PostgreSQL server.
pub const DATABASE_HOST: &str = "pg01.planapulse.com";
/// Port of the PostgreSQL server itself: dumps and DDL do not go through a pooler.
pub const DATABASE_PORT: u16 = 5432;
/// provider-sql's `ProviderConfig` of the server.
pub const DATABASE_PROVIDER_CONFIG: &str = "default";
/// The role that Odoo's pools log in with and that owns a published database.
pub const APPLICATION_ROLE: &str = "plana";
/// The role that owns a database while no pool may see it.
pub const MAINTENANCE_ROLE: &str = "plana_maint";
/// The Secret with the login of the Jobs.
pub const DATABASE_SECRET: &str = "provider-sql-postgres-creds";

/// The Gateway that the routes attach to.
pub const GATEWAY_NAME: &str = "eg-gateway";
/// Its namespace.
pub const GATEWAY_NAMESPACE: &str = "plana-odoo";
/// Its listener for `*.planapulse.app`.
pub const GATEWAY_SECTION: &str = "https-app";
/// Longest time of a request: Envoy gives up after 15 s unless told, and Odoo's reports and imports take minutes.
pub const REQUEST_TIMEOUT: &str = "600s";
/// Seconds after which a client of a tenant that is not served may ask again.
pub const RETRY_AFTER_SECONDS: u32 = 300;

/// Namespace of the backup `CronJobs`.
pub const BACKUP_NAMESPACE: &str = "backup";
/// Hour of the day at which the backups begin.
pub const BACKUP_HOUR: u32 = 2;
/// Minutes after that hour over which the tenants are spread, so that they do not all dump at once.
pub const BACKUP_SPREAD_MINUTES: u32 = 120;
/// Time zone of that hour.
pub const BACKUP_TIME_ZONE: &str = "Europe/Sofia";
/// Endpoint of the object store.
pub const STORE_ENDPOINT: &str = "https://sos-bg-sof-1.exo.io";
/// Region of the object store.
pub const STORE_REGION: &str = "bg-sof-1";
/// Bucket of the backups.
pub const STORE_BUCKET: &str = "plana-pulse-backups";
/// The Secret with the object store's keys.
pub const STORE_SECRET: &str = "backup-store-creds";
/// Hours after which a tenant without a successful backup is reported: a day and two hours of slack.
pub const BACKUP_OVERDUE_HOURS: i64 = 26;

/// Address of the Redis server that holds the event stream.
pub const EVENTS_ADDRESS: &str = "redis://redis.redis:6379";
/// The event stream.
pub const EVENTS_STREAM: &str = "PLANA:events";
/// About how many events the stream keeps.
pub const EVENTS_MAX_LENGTH: u32 = 50_000;
/// `source` of our CloudEvents.
pub const EVENTS_SOURCE: &str = "//plana-pulse/crossplane/planaclient";

/// Matrix homeserver, as Jobs reach it.
pub const MATRIX_HOMESERVER: &str = "https://matrix.planapulse.com";
/// Server name in room aliases.
pub const MATRIX_SERVER_NAME: &str = "planapulse.com";
/// The Secret with the access token of the support bot.
pub const MATRIX_SECRET: &str = "matrix-support-bot";
/// Where the account portal hears of a new workspace.
pub const PORTAL_URL: &str = "http://pulse-account-api.pulse-account:3000/api/v1/webhooks/workspace";
/// The Secret that signs what is sent to the account portal.
pub const PORTAL_SECRET: &str = "account-webhook";
/// Where PLANA's own Odoo hears of a new subscription.
pub const ERP_URL: &str = "https://erp.planapulse.app/plana_saas/callback";
/// The Secret that signs what is sent to the ERP.
pub const ERP_SECRET: &str = "erp-callback";

/// Namespace of the Jobs that talk to the systems around, and of the Secrets that are copied from.
pub const CONTROL_NAMESPACE: &str = "crossplane-system";
/// Image of this project, which holds odoo-job; the tag is the version of this program.
pub const PROGRAM_IMAGE: &str = concat!(
    "git.planapulse.com/plana-pulse/function-odoo:v",
    env!("CARGO_PKG_VERSION")
);
/// The Secret with the login of the image registry.
pub const PULL_SECRET: &str = "forgejo-registry";
/// Seconds for the Job that makes a cloned database a tenant's; longest when there is no template and Odoo
/// initialises base and the tier's modules (15 minutes as measured by PLANA).
pub const INIT_DEADLINE_SECONDS: i64 = 3600;
/// Seconds for the Job that builds a template: an installation of a hundred modules takes minutes, on a slow disk tens.
pub const TEMPLATE_DEADLINE_SECONDS: i64 = 2 * 3600;
/// Seconds for a Job that makes a few requests to another system, its retries with backoff included.
pub const NOTIFY_DEADLINE_SECONDS: i64 = 900;
/// Seconds for one backup: large filestores were seen to take two hours.
pub const BACKUP_DEADLINE_SECONDS: i64 = 4 * 3600;
/// Tries of a Job that is safe to repeat, the first not counted.
pub const RETRIES: i32 = 3;

/// Names that are hosts of the platform itself, or databases of the server, and so can be no tenant's subdomain.
pub const RESERVED_NAMES: [&str; 26] = [
    "account",
    "admin",
    "api",
    "app",
    "auth",
    "backup",
    "blog",
    "cdn",
    "dev",
    "docs",
    "erp",
    "git",
    "grafana",
    "mail",
    "matrix",
    "my",
    "postgres",
    "postgresql",
    "staging",
    "static",
    "status",
    "support",
    "template0",
    "template1",
    "test",
    "www",
];
