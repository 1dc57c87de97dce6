//! A tenant of a test: a database like Odoo's, a filestore, a bucket, and the commands that work on them.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use function_odoo::contract::{
    self, Backup, BackupList, BackupPrune, BackupPurpose, BackupReport, BackupVerify, Command, Compression,
    Report, Server, Store, TenantDatabase, VerifyReport,
};
use serde_json::Value;
use sha1::{Digest as _, Sha1};

use crate::{
    job::{Finished, Job},
    servers::{
        HOST,
        folder::Folder,
        postgres::{ADMIN, POOL, Postgres, SUPERUSER},
        s3::{ACCESS_KEY, REGION, S3},
    },
};

pub const MARKER: &str = "3f0c9e8a-0000-4000-8000-000000000001";

/// Tables as Odoo has them, and what a dump may trip over.
const TABLES: &str = "
    CREATE TABLE ir_module_module (id serial PRIMARY KEY, name text, state text, latest_version text);
    INSERT INTO ir_module_module (name, state, latest_version)
        VALUES ('base', 'installed', '18.0.1.3'), ('sale', 'uninstalled', NULL);
    CREATE TABLE res_users (id serial PRIMARY KEY, login text UNIQUE, password text, active boolean DEFAULT true);
    INSERT INTO res_users (login, password) VALUES ('admin', '$pbkdf2-sha512$x'), ('it''s \\.', NULL), (E'tab\\there', '');
    CREATE TABLE res_partner (id serial PRIMARY KEY, name jsonb, amount numeric(16, 2), at timestamptz, raw bytea);
    INSERT INTO res_partner (name, amount, at, raw)
        SELECT jsonb_build_object('bg_BG', 'Партньор ' || n, 'quote', '\"''\\'), n / 3.0,
               timestamptz '2026-01-01' + n * interval '1 hour', decode(md5(n::text), 'hex')
        FROM generate_series(1, 500) AS n;
    CREATE TABLE account_move (id serial PRIMARY KEY, state text, partner_id int REFERENCES res_partner ON DELETE CASCADE);
    INSERT INTO account_move (state, partner_id) SELECT CASE WHEN n % 3 = 0 THEN 'posted' ELSE 'draft' END, n
        FROM generate_series(1, 99) AS n;
    CREATE INDEX ON account_move (state) WHERE state = 'posted';
    CREATE TABLE ir_attachment (id serial PRIMARY KEY, name text, store_fname text, db_datas bytea);
    CREATE VIEW posted AS SELECT * FROM account_move WHERE state = 'posted';
    CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
    SELECT lo_from_bytea(0, 'a large object');
";

pub struct Tenant {
    pub postgres: &'static Postgres,
    pub s3: &'static S3,
    pub slug: String,
    pub database: String,
    pub bucket: String,
    pub data: Folder,
    /// Where the store is reached: a test may put something in between.
    pub endpoint: String,
}

impl Tenant {
    /// A tenant of the shared servers, with a hundred files. `None`: a server is missing.
    pub fn new() -> Option<Self> {
        let slug = next_slug();
        Self::named(&slug, &format!("{slug}.planapulse.app"))
    }

    pub fn named(slug: &str, database: &str) -> Option<Self> {
        Some(Self::on(Postgres::shared()?, S3::shared()?, slug, database))
    }

    /// A tenant of servers of the test's own. They live as long as the test program.
    pub fn of(postgres: Option<Postgres>, s3: Option<S3>) -> Option<Self> {
        let slug = next_slug();
        let database = format!("{slug}.planapulse.app");
        let postgres = match postgres {
            Some(own) => Box::leak(Box::new(own)),
            None => Postgres::shared()?,
        };
        let s3 = match s3 {
            Some(own) => Box::leak(Box::new(own)),
            None => S3::shared()?,
        };
        Some(Self::on(postgres, s3, &slug, &database))
    }

    fn on(postgres: &'static Postgres, s3: &'static S3, slug: &str, database: &str) -> Self {
        let tenant = Self {
            postgres,
            s3,
            slug: slug.to_owned(),
            database: database.to_owned(),
            bucket: s3.bucket("backups"),
            data: Folder::new("data"),
            endpoint: s3.endpoint(),
        };
        let create = format!(
            "CREATE DATABASE {} OWNER {POOL} TEMPLATE template0",
            tenant.quoted_database()
        );
        postgres.sql(SUPERUSER, &create);
        tenant.sql_as(POOL, TABLES);
        tenant.mark(MARKER, "ready");
        let names: Vec<_> = (0..100_usize)
            .map(|number| {
                let content = format!("file {number} ").repeat(number * 20);
                format!("('{}')", tenant.store(content.as_bytes()))
            })
            .collect();
        let rows = names.join(", ");
        tenant.sql_as(
            POOL,
            &format!("INSERT INTO ir_attachment (store_fname) VALUES {rows}"),
        );
        tenant
    }

    pub fn quoted_database(&self) -> String {
        format!("\"{}\"", self.database.replace('"', "\"\""))
    }

    pub fn sql_as(&self, role: &str, statement: &str) -> crate::servers::postgres::Rows {
        let rows = self.postgres.sql_as(role, &self.database, statement);
        rows.unwrap_or_else(|problem| panic!("{statement}: {problem}"))
    }

    /// Marks the database as `tenant-init` does.
    pub fn mark(&self, marker: &str, state: &str) {
        let slug = &self.slug;
        self.sql_as(
            ADMIN,
            &format!(
                "CREATE SCHEMA IF NOT EXISTS planapulse; \
                 CREATE TABLE IF NOT EXISTS planapulse.ownership (only_row boolean PRIMARY KEY DEFAULT true, id text, \
                   purpose text, subject text, state text, written_at timestamptz DEFAULT now()); \
                 DELETE FROM planapulse.ownership; \
                 INSERT INTO planapulse.ownership (id, purpose, subject, state) \
                   VALUES ('{marker}', 'tenant', '{slug}', '{state}')"
            ),
        );
    }

    pub fn filestore(&self) -> PathBuf {
        self.data.join("filestore").join(&self.database)
    }

    /// An attachment with its file; its name.
    pub fn attach(&self, content: &[u8]) -> String {
        let name = self.store(content);
        self.sql_as(
            POOL,
            &format!("INSERT INTO ir_attachment (name, store_fname) VALUES ('x', '{name}')"),
        );
        name
    }

    /// A file that no attachment refers to; its name.
    pub fn store(&self, content: &[u8]) -> String {
        use std::fmt::Write as _;
        let digits = Sha1::digest(content)
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        let folder = self.filestore().join(&digits[..2]);
        fs::create_dir_all(&folder).expect("the folder is ours");
        fs::write(folder.join(&digits), content).expect("the folder is ours");
        format!("{}/{digits}", &digits[..2])
    }

    pub fn store_arguments(&self) -> Store {
        Store {
            endpoint: self.endpoint.clone(),
            region: REGION.to_owned(),
            bucket: self.bucket.clone(),
        }
    }

    pub fn backup(&self) -> Backup {
        Backup {
            tenant: TenantDatabase {
                server: Server {
                    database_host: HOST.to_owned(),
                    database_port: self.postgres.port(),
                    database_ssl_mode: "disable".to_owned(),
                },
                slug: self.slug.clone(),
                database: self.database.clone(),
                marker: MARKER.to_owned(),
            },
            store: self.store_arguments(),
            data_directory: self.data.path().display().to_string(),
            purpose: BackupPurpose::Scheduled,
            retention_days: 30,
            compression: Compression::Zstd,
            age_recipient: Vec::new(),
        }
    }

    /// A run of a command with the secrets that it needs.
    pub fn job(&self, command: &Command) -> Job {
        Job::new(command)
            .secret(contract::DATABASE_USERNAME, ADMIN)
            .secret(contract::DATABASE_PASSWORD, &self.postgres.password(ADMIN))
            .secret(contract::STORE_KEY_ID, ACCESS_KEY)
            .secret(contract::STORE_KEY, self.s3.secret_key())
            .variable("ODOO_JOB_STORE_PATIENCE", "5")
    }

    pub fn backup_job(&self) -> Job {
        self.job(&Command::Backup(self.backup()))
    }

    pub fn verify_job(&self, backup: &str) -> Job {
        self.job(&Command::BackupVerify(BackupVerify {
            store: self.store_arguments(),
            slug: self.slug.clone(),
            backup: backup.to_owned(),
        }))
    }

    pub fn prune_job(&self, purpose: BackupPurpose, retention_days: u32) -> Job {
        self.job(&Command::BackupPrune(BackupPrune {
            store: self.store_arguments(),
            slug: self.slug.clone(),
            purpose,
            retention_days,
        }))
    }

    /// What `backup-list` says, newest first.
    pub fn list(&self) -> Vec<Value> {
        let job = self.job(&Command::BackupList(BackupList {
            store: self.store_arguments(),
            slug: self.slug.clone(),
        }));
        let finished = job.run().done();
        let lines = finished
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        lines.filter(|line: &Value| line.get("id").is_some()).collect()
    }

    pub fn keys(&self) -> Vec<String> {
        self.s3.keys(&self.bucket)
    }

    pub fn object(&self, key: &str) -> Vec<u8> {
        self.s3
            .object(&self.bucket, key)
            .unwrap_or_else(|| panic!("{key} is not among {:?}", self.keys()))
    }

    /// Puts an object there, in whatever state.
    pub fn put(&self, key: &str, content: &[u8]) {
        let target = format!("/{}/{key}", self.bucket);
        let answer = self
            .s3
            .request("PUT", &target, content)
            .expect("the store answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub fn remove(&self, key: &str) {
        let target = format!("/{}/{key}", self.bucket);
        let answer = self
            .s3
            .request("DELETE", &target, b"")
            .expect("the store answers");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    pub fn manifest(&self, id: &str) -> Value {
        let (folder, time) = id
            .rsplit_once('/')
            .map_or(("", id), |(folder, time)| (folder, time));
        let folder = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let key = format!("{}/{folder}manifest-{time}.json", self.slug);
        serde_json::from_slice(&self.object(&key)).expect("it is JSON")
    }

    /// That nothing of ours has come into the bucket, whole or not.
    pub fn prove_untouched(&self) {
        assert_eq!(self.keys(), Vec::<String>::new());
        assert_eq!(self.s3.unfinished(&self.bucket), Vec::<PathBuf>::new());
    }

    /// That no secret was said.
    pub fn prove_silent(&self, finished: &Finished) {
        let everything = finished.everything();
        for secret in [&self.postgres.password(ADMIN), self.s3.secret_key()] {
            assert!(!everything.contains(secret), "{everything}");
        }
    }
}

fn next_slug() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("acme{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub fn backup_report(finished: &Finished) -> BackupReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Backup(report)) => report,
        other => panic!("{other:?} is no report of a backup:\n{}", finished.log),
    }
}

pub fn verify_report(finished: &Finished) -> VerifyReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Verify(report)) => report,
        other => panic!("{other:?} is no report of a verification:\n{}", finished.log),
    }
}
