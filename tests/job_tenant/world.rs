//! What a tenant's Jobs see: a server with a sealed template, a data directory with its files, a bucket.
//!
//! In: the real PostgreSQL and S3. Out: clones as provider-sql makes them, commands with their secrets, and what is in a
//! database or a directory afterwards. The template has the tables of Odoo that the Jobs know, made by SQL: Odoo takes
//! half a minute for its own.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use function_odoo::contract::{
    self, AccessReport, Backup, BackupPurpose, Command, Compression, FilestoreRemove, Report, Roles, Server,
    Store, TenantDatabase, TenantInit, TenantRelease, TenantReport, TenantResume, TenantSmoke, TenantSuspend,
};

use crate::{
    job::{Finished, Job},
    servers::{
        HOST,
        folder::Folder,
        postgres::{ADMIN, MAINTENANCE, POOL, Postgres, SUPERUSER},
        s3::{self, S3},
        unique,
    },
};

/// The template that clones are made of.
pub const TEMPLATE: &str = "basic-template-19.planapulse.app";
/// The administrator's password, which must not be seen anywhere.
pub const PASSWORD: &str = "planted-pässword 100% $1 'quoted'";
/// A hash as passlib makes it, of another password: made once, since hashing takes its time without optimisation.
pub const HASH: &str = "$pbkdf2-sha512$1000$AAECAwQFBgcICQoLDA0ODw$dk542eWZGszOZsPOiT9vZkEAS.jPxY1.DroaV7qIXCoOEOn0XoyF29WjXYQoU0sDwIS00WNS6iNf//980xov5A";
/// The owner, with what SQL and shells would trip over.
pub const OWNER_NAME: &str = "Ivan O'Brien \"Acme\" 100% OÜ; DROP TABLE res_users; --";
pub const OWNER_EMAIL: &str = "Ivan.O'Brien+erp@acme.example";

/// The files of the template, as its attachments name them, and what is in them.
pub const FILES: [(&str, &str); 3] = [
    ("0a/0a0b0c0d0e0f00112233445566778899aabbccdd", "first"),
    ("0a/0affffffffffffffffffffffffffffffffffffff", "second file"),
    (
        "c0/c0ffee00112233445566778899aabbccddeeff00",
        "the third of three",
    ),
];

/// The tables of Odoo that the Jobs know, and what a template has in them. A template should have no usable password; this
/// one has everything that a careless one may have.
const ODOO: &str = r"
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL);
INSERT INTO ir_config_parameter (key, value) VALUES
  ('database.uuid', '11111111-1111-1111-1111-111111111111'), ('database.secret', 'the secret of the template'),
  ('database.create_date', '2020-01-01 00:00:00'), ('web.base.url', 'http://localhost:8069'),
  ('database.enterprise_code', 'M123'), ('database.expiration_date', '2021-01-01'), ('other', 'stays');
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar, state varchar, latest_version varchar);
INSERT INTO ir_module_module (name, state, latest_version) VALUES
  ('base', 'installed', '19.0.1.3'), ('web', 'installed', '19.0.1.0'), ('mail', 'uninstalled', NULL);
CREATE TABLE ir_model_data (id serial PRIMARY KEY, module varchar, name varchar, model varchar, res_id int);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, complete_name varchar, commercial_company_name varchar,
  email varchar, email_normalized varchar, is_company boolean, active boolean DEFAULT true);
INSERT INTO res_partner (id, name, complete_name, is_company) VALUES
  (1, 'My Company', 'My Company', true), (2, 'OdooBot', 'OdooBot', false), (3, 'Administrator', 'Administrator', false);
CREATE TABLE res_company (id serial PRIMARY KEY, name varchar, email varchar, partner_id int);
INSERT INTO res_company VALUES (1, 'My Company', NULL, 1);
CREATE TABLE res_users (id serial PRIMARY KEY, login varchar NOT NULL UNIQUE, password varchar, active boolean,
  partner_id int, company_id int, totp_secret varchar);
INSERT INTO res_users VALUES (1, '__system__', NULL, false, 2, 1, NULL), (2, 'admin', 'admin', true, 3, 1, 'totp'),
  (5, 'demo', 'demo', true, 3, 1, NULL);
INSERT INTO ir_model_data (module, name, model, res_id) VALUES ('base', 'user_admin', 'res.users', 2);
CREATE TABLE res_users_apikeys (id serial PRIMARY KEY, name varchar NOT NULL, user_id int NOT NULL, scope varchar,
  expiration_date timestamp, index varchar(8) NOT NULL CHECK (char_length(index) = 8), key varchar NOT NULL,
  create_date timestamp DEFAULT (now() AT TIME ZONE 'utc'));
INSERT INTO res_users_apikeys (name, user_id, index, key) VALUES ('of the template', 2, '12345678', 'hash');
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar, store_fname varchar, file_size int);
";

/// A server and a data directory of a test.
pub struct World {
    pub postgres: &'static Postgres,
    pub data: Folder,
}

/// A tenant of a test.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub slug: String,
    pub database: String,
    pub marker: String,
}

impl World {
    /// The shared server, with its template; a data directory of the test's own.
    pub fn new() -> Option<Self> {
        static TEMPLATE_MADE: OnceLock<()> = OnceLock::new();
        let postgres = Postgres::shared()?;
        TEMPLATE_MADE.get_or_init(|| make_template(postgres, TEMPLATE));
        Some(Self::on(postgres))
    }

    /// A server of the test's own, which it may stop. It is kept for the rest of the program.
    pub fn own() -> Option<Self> {
        let postgres: &'static Postgres = Box::leak(Box::new(Postgres::own()?));
        make_template(postgres, TEMPLATE);
        Some(Self::on(postgres))
    }

    fn on(postgres: &'static Postgres) -> Self {
        let world = Self {
            postgres,
            data: Folder::new("data"),
        };
        for (name, content) in FILES {
            write(&world.filestore(TEMPLATE).join(name), content);
        }
        // Odoo's marks for its garbage collection are no data.
        write(&world.filestore(TEMPLATE).join("checklist/0a/mark"), "");
        world
    }

    pub fn filestore(&self, database: &str) -> PathBuf {
        self.data.join("filestore").join(database)
    }

    /// A tenant whose database is a clone of the template, closed as provider-sql makes it.
    pub fn clone_template(&self) -> Tenant {
        self.clone_as(&format!("{}.planapulse.app", unique("acme")))
    }

    pub fn clone_as(&self, database: &str) -> Tenant {
        self.create(database, TEMPLATE);
        Tenant::new(database)
    }

    /// An empty database, closed as provider-sql makes it.
    pub fn empty(&self) -> Tenant {
        let database = format!("{}.planapulse.app", unique("empty"));
        self.create(&database, "template0");
        Tenant::new(&database)
    }

    fn create(&self, database: &str, template: &str) {
        let statement = format!(
            "CREATE DATABASE {} OWNER {MAINTENANCE} TEMPLATE \"{template}\" ALLOW_CONNECTIONS false",
            quoted(database)
        );
        self.postgres.sql(SUPERUSER, &statement);
    }

    /// A tenant that tenant-init has finished.
    pub fn finished(&self) -> Tenant {
        let tenant = self.clone_template();
        self.job(&self.init(&tenant)).run().done();
        tenant
    }

    pub fn server(&self) -> Server {
        Server {
            database_host: HOST.to_owned(),
            database_port: self.postgres.port(),
            database_ssl_mode: "disable".to_owned(),
        }
    }

    fn tenant(&self, tenant: &Tenant) -> TenantDatabase {
        TenantDatabase {
            server: self.server(),
            slug: tenant.slug.clone(),
            database: tenant.database.clone(),
            marker: tenant.marker.clone(),
        }
    }

    pub fn data_directory(&self) -> String {
        self.data.path().display().to_string()
    }

    pub fn init_of(&self, tenant: &Tenant) -> TenantInit {
        TenantInit {
            tenant: self.tenant(tenant),
            roles: roles(),
            adopt: None,
            template: Some(TEMPLATE.to_owned()),
            module: Vec::new(),
            odoo_version: 19,
            host: format!("{}.example", tenant.slug),
            owner_email: OWNER_EMAIL.to_owned(),
            owner_name: OWNER_NAME.to_owned(),
            data_directory: self.data_directory(),
        }
    }

    pub fn init(&self, tenant: &Tenant) -> Command {
        Command::TenantInit(self.init_of(tenant))
    }

    pub fn suspend(&self, tenant: &Tenant) -> Command {
        Command::TenantSuspend(TenantSuspend {
            tenant: self.tenant(tenant),
            roles: roles(),
        })
    }

    pub fn resume(&self, tenant: &Tenant, odoo_version: u32) -> Command {
        Command::TenantResume(TenantResume {
            tenant: self.tenant(tenant),
            roles: roles(),
            odoo_version,
        })
    }

    pub fn release(&self, tenant: &Tenant, final_backup: &str, store: &Store) -> Command {
        Command::TenantRelease(TenantRelease {
            tenant: self.tenant(tenant),
            roles: roles(),
            final_backup: final_backup.to_owned(),
            store: store.clone(),
        })
    }

    pub fn remove(&self, tenant: &Tenant, final_backup: &str, store: &Store) -> Command {
        Command::FilestoreRemove(FilestoreRemove {
            tenant: self.tenant(tenant),
            roles: roles(),
            data_directory: self.data_directory(),
            final_backup: final_backup.to_owned(),
            store: store.clone(),
        })
    }

    pub fn smoke(&self, tenant: &Tenant, port: u16, host: &str, odoo_version: u32) -> Command {
        Command::TenantSmoke(TenantSmoke {
            tenant: self.tenant(tenant),
            workers_url: format!("http://{HOST}:{port}"),
            host: host.to_owned(),
            odoo_version,
        })
    }

    /// A final backup of a tenant, as its teardown makes it; its id.
    pub fn back_up(&self, tenant: &Tenant, store: &Store) -> String {
        let command = Command::Backup(Backup {
            tenant: self.tenant(tenant),
            store: store.clone(),
            data_directory: self.data_directory(),
            purpose: BackupPurpose::Final,
            retention_days: 30,
            compression: Compression::Zstd,
            age_recipient: Vec::new(),
        });
        let result = self.job(&command).run().done().result;
        match result.and_then(|result| result.report) {
            Some(Report::Backup(report)) => report.id,
            other => unreachable!("a backup's report, and not {other:?}"),
        }
    }

    /// A run with the secrets that the Job's pod has.
    pub fn job(&self, command: &Command) -> Job {
        let tools = format!(
            "{}:{}",
            self.postgres.bin().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let job = Job::new(command)
            .variable("PATH", tools)
            .secret(contract::DATABASE_USERNAME, ADMIN)
            .secret(contract::DATABASE_PASSWORD, &self.postgres.password(ADMIN));
        let job = match command {
            Command::TenantInit(_) => job.secret(contract::ADMIN_PASSWORD_HASH, HASH),
            _ => job,
        };
        match S3::shared() {
            Some(store) => job
                .secret(contract::STORE_KEY_ID, s3::ACCESS_KEY)
                .secret(contract::STORE_KEY, store.secret_key()),
            None => job,
        }
    }

    /// The one value that the superuser gets; `(null)` for NULL.
    pub fn value(&self, database: &str, query: &str) -> String {
        let rows = self.postgres.sql(database, query);
        let value = rows.first().and_then(|row| row.first()).cloned();
        value.flatten().unwrap_or_else(|| "(null)".to_owned())
    }

    /// The whole of `ir_config_parameter`.
    pub fn parameters(&self, database: &str) -> BTreeMap<String, String> {
        let rows = self.postgres.sql(
            database,
            "SELECT key, value FROM ir_config_parameter ORDER BY key",
        );
        rows.into_iter()
            .map(|row| {
                (
                    row[0].clone().unwrap_or_default(),
                    row[1].clone().unwrap_or_default(),
                )
            })
            .collect()
    }

    /// Everything that a command could change: of the database from outside, and in it where one can look.
    pub fn state(&self, database: &str) -> Vec<String> {
        let literal = database.replace('\'', "''");
        let outside = format!(
            "SELECT concat_ws(' ', pg_get_userbyid(datdba), datallowconn, datistemplate, datacl, \
             shobj_description(oid, 'pg_database')) FROM pg_database WHERE datname = '{literal}'"
        );
        let mut state = vec![self.value(SUPERUSER, &outside)];
        let open = format!("SELECT datallowconn FROM pg_database WHERE datname = '{literal}'");
        if self.value(SUPERUSER, &open) != "t" {
            return state;
        }
        let tables = self.postgres.sql(
            database,
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
             WHERE schemaname IN ('public', 'planapulse') ORDER BY 1",
        );
        for table in tables.into_iter().flatten().flatten() {
            let rows = format!("SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t");
            state.push(format!("{table} {}", self.value(database, &rows)));
        }
        state.push(self.value(
            database,
            "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'",
        ));
        state
    }

    /// Whether the pool's role can log in to the database.
    pub fn pool_gets_in(&self, database: &str) -> bool {
        self.postgres.sql_as(POOL, database, "SELECT 1").is_ok()
    }

    pub fn owner(&self, database: &str) -> String {
        let literal = database.replace('\'', "''");
        self.value(
            SUPERUSER,
            &format!("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{literal}'"),
        )
    }

    /// Proves that a tenant is finished: its own, published, and with all of the template's files and no other.
    pub fn prove_finished(&self, tenant: &Tenant) {
        let Tenant {
            slug,
            database,
            marker,
        } = tenant;
        assert_eq!(self.owner(database), POOL);
        assert!(self.pool_gets_in(database), "{database}");
        let row = self.value(
            database,
            "SELECT concat_ws(' ', id, purpose, subject, state) FROM planapulse.ownership",
        );
        assert_eq!(row, format!("{marker} tenant {slug} ready"));
        let parameters = self.parameters(database);
        assert_eq!(parameters["web.base.url"], format!("https://{slug}.example"));
        assert_eq!(parameters["web.base.url.freeze"], "True");
        assert_ne!(
            parameters["database.uuid"],
            "11111111-1111-1111-1111-111111111111"
        );
        let user = self.value(
            database,
            "SELECT login || ' ' || password FROM res_users WHERE id = 2",
        );
        assert_eq!(user, format!("{OWNER_EMAIL} {HASH}"));
        assert_eq!(files_below(&self.filestore(database)), template_files());
        let leftovers: Vec<_> = fs::read_dir(self.data.join("filestore"))
            .expect("it is there")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert_eq!(leftovers, Vec::<String>::new());
    }
}

impl Tenant {
    pub fn new(database: &str) -> Self {
        Self {
            slug: unique("tenant"),
            database: database.to_owned(),
            marker: format!("uid-of-{}", unique("tenant")),
        }
    }
}

/// A bucket of the test's own.
pub fn store() -> Option<Store> {
    let s3 = S3::shared()?;
    Some(Store {
        endpoint: s3.endpoint(),
        region: s3::REGION.to_owned(),
        bucket: s3.bucket("tenant"),
    })
}

pub fn roles() -> Roles {
    Roles {
        application_role: POOL.to_owned(),
        maintenance_role: MAINTENANCE.to_owned(),
    }
}

pub fn tenant_report(finished: &Finished) -> TenantReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Tenant(report)) => report,
        other => unreachable!("a tenant's report, and not {other:?}"),
    }
}

pub fn access_report(finished: &Finished) -> AccessReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Access(report)) => report,
        other => unreachable!("an access report, and not {other:?}"),
    }
}

/// A name as SQL wants it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn template_files() -> BTreeMap<String, String> {
    FILES
        .map(|(name, content)| (name.to_owned(), content.to_owned()))
        .into()
}

/// All files below a folder and what is in them.
pub fn files_below(folder: &Path) -> BTreeMap<String, String> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .expect("it is below")
                    .display()
                    .to_string();
                files.insert(name, fs::read_to_string(path).expect("it is text"));
            }
        }
    }
    files
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder is ours");
    fs::write(path, content).expect("the folder is ours");
    // The template's own modes are not the tenant's.
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("it is ours");
}

/// Marks a database as template-build and tenant-init do.
pub fn mark(postgres: &Postgres, database: &str, id: &str, purpose: &str, subject: &str, state: &str) {
    let statement = format!(
        "SET ROLE {ADMIN}; CREATE SCHEMA IF NOT EXISTS planapulse; \
         CREATE TABLE IF NOT EXISTS planapulse.ownership ( \
           only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), id text NOT NULL, purpose text NOT NULL, \
           subject text NOT NULL, state text NOT NULL, written_at timestamptz NOT NULL DEFAULT now()); \
         DELETE FROM planapulse.ownership; \
         INSERT INTO planapulse.ownership (id, purpose, subject, state) \
           VALUES ('{id}', '{purpose}', '{subject}', '{state}'); \
         COMMENT ON DATABASE {} IS \
           'function-odoo {{\"id\":\"{id}\",\"purpose\":\"{purpose}\",\"subject\":\"{subject}\",\"state\":\"{state}\"}}'",
        quoted(database)
    );
    postgres.sql(database, &statement);
}

/// Odoo's tables in a database, of the pool's role; the role keeps no right in the schema, as in one by provider-sql.
pub fn fill(postgres: &Postgres, database: &str) {
    let attachments = FILES
        .map(|(name, content)| format!("('{name}', '{name}', {}), ('again', '{name}', 0)", content.len()));
    let statement = format!(
        "GRANT ALL ON SCHEMA public TO {POOL}; SET ROLE {POOL}; {ODOO} \
         INSERT INTO ir_attachment (name, store_fname, file_size) VALUES {}, ('a link', NULL, NULL); \
         RESET ROLE; REVOKE ALL ON SCHEMA public FROM {POOL}",
        attachments.join(", ")
    );
    postgres.sql(database, &statement);
}

fn make_template(postgres: &Postgres, name: &str) {
    postgres.create_database(name, MAINTENANCE);
    fill(postgres, name);
    mark(postgres, name, "template-uid", "template", "basic-19", "ready");
    let seal = format!(
        "ALTER DATABASE {} IS_TEMPLATE true ALLOW_CONNECTIONS false",
        quoted(name)
    );
    postgres.sql(SUPERUSER, &seal);
}
