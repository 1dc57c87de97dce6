//! A tenant's life with the real Odoo: a template is built, a tenant is made from it, served, asked, backed up, lost, and
//! restored from its backup by nothing but the tools that everybody has.
//!
//! Between the steps stands what only a cluster has: provider-sql's CREATE DATABASE and the pool of workers.
//! `cargo test --test job_life_real -- --nocapture` prints the transcript.

mod common;
#[path = "common/job.rs"]
#[expect(dead_code, reason = "the programs for single commands use the rest")]
mod job;
#[path = "common/servers/mod.rs"]
#[expect(dead_code, reason = "tests/servers_real.rs uses the rest")]
mod servers;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use function_odoo::contract::{
    self, BackupPurpose, Command as JobCommand, Compression, JobResult, Origin, Report, Roles, Server, Store,
    TenantDatabase,
};
use job::Job;
use servers::{
    HOST,
    odoo::Odoo,
    postgres::{ADMIN, MAINTENANCE, POOL, Postgres, SUPERUSER},
    s3::S3,
};

const SLUG: &str = "acme";
const DATABASE: &str = "acme.planapulse.test";
const TEMPLATE: &str = "basic-template-19.planapulse.test";
const OWNER: &str = "ivan.o'brien+erp@acme.example";
const PASSWORD: &str = "correct horse 100% \"staple\"";
const MARKER: &str = "5d0c4be5-6d86-4a6f-9d3b-1a2b3c4d5e6f";

/// The world that the Jobs of one tenant see.
struct Platform {
    postgres: &'static Postgres,
    s3: &'static S3,
    odoo: Odoo,
    bucket: String,
}

impl Platform {
    fn new() -> Option<Self> {
        let (postgres, s3) = (Postgres::shared()?, S3::shared()?);
        let odoo = Odoo::new(postgres, POOL)?;
        let platform = Self {
            postgres,
            s3,
            odoo,
            bucket: s3.bucket("backups"),
        };
        fs::create_dir_all(platform.data()).expect("the volume");
        Some(platform)
    }

    fn server(&self) -> Server {
        Server {
            database_host: HOST.to_owned(),
            database_port: self.postgres.port(),
            database_ssl_mode: "disable".to_owned(),
        }
    }

    fn roles() -> Roles {
        Roles {
            application_role: POOL.to_owned(),
            maintenance_role: MAINTENANCE.to_owned(),
        }
    }

    fn tenant(&self) -> TenantDatabase {
        TenantDatabase {
            server: self.server(),
            slug: SLUG.to_owned(),
            database: DATABASE.to_owned(),
            marker: MARKER.to_owned(),
        }
    }

    fn store(&self) -> Store {
        Store {
            endpoint: self.s3.endpoint(),
            region: servers::s3::REGION.to_owned(),
            bucket: self.bucket.clone(),
        }
    }

    fn data(&self) -> PathBuf {
        let filestore = self.odoo.filestore(DATABASE);
        filestore
            .ancestors()
            .nth(2)
            .expect("data/filestore/NAME")
            .to_owned()
    }

    fn data_directory(&self) -> String {
        self.data().to_str().expect("it is text").to_owned()
    }

    /// Runs a command with every secret that any command may want, and prints what the operator would see.
    fn run(&self, command: &JobCommand) -> JobResult {
        let tools = format!(
            "{}:{}",
            self.postgres.bin().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let finished = Job::new(command)
            .variable("PATH", tools)
            .variable("ODOO_JOB_ODOO", self.odoo.program().to_str().expect("it is text"))
            .secret(contract::DATABASE_USERNAME, ADMIN)
            .secret(contract::DATABASE_PASSWORD, &self.postgres.password(ADMIN))
            .secret(contract::STORE_KEY_ID, servers::s3::ACCESS_KEY)
            .secret(contract::STORE_KEY, self.s3.secret_key())
            .secret(contract::ADMIN_PASSWORD, PASSWORD)
            .run()
            .done();
        for secret in [PASSWORD, &self.postgres.password(ADMIN), self.s3.secret_key()] {
            assert!(
                !finished.everything().contains(secret),
                "{} shows a secret",
                command.name()
            );
        }
        let result = finished.result.clone().expect("there is a result");
        println!("\n$ odoo-job {}", command.name());
        println!("  phases: {}", finished.phases().join(" -> "));
        println!("  {}", result.to_message());
        result
    }
}

/// What `pg_restore` and `tar` make of a backup, with nothing of ours.
struct PlainTools<'a>(&'a Platform);

impl PlainTools<'_> {
    fn pipe(&self, program: &Path, arguments: &[&str], input: &[u8]) {
        let mut child = Command::new(program)
            .args(arguments)
            .envs(self.0.postgres.environment(SUPERUSER, SUPERUSER))
            .stdin(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        child
            .stdin
            .take()
            .expect("it is piped")
            .write_all(input)
            .expect("it reads");
        assert!(child.wait().expect("it ends").success(), "{}", program.display());
    }

    fn object(&self, key: &str) -> Vec<u8> {
        let bytes = self
            .0
            .s3
            .object(&self.0.bucket, key)
            .expect("the object is there");
        // gzip, so that the standard tools of every machine can read it.
        let mut child = Command::new("gzip")
            .args(["-d", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("gzip starts");
        let mut input = child.stdin.take().expect("it is piped");
        let writer = std::thread::spawn(move || input.write_all(&bytes));
        let output = child.wait_with_output().expect("gzip ends");
        writer.join().expect("the writer ends").expect("gzip reads");
        assert!(output.status.success());
        output.stdout
    }

    fn restore(&self, id: &str, database: &str) {
        let dump = self.object(&format!("{SLUG}/backup-{id}.dump.gz"));
        let files = self.object(&format!("{SLUG}/filestore-{id}.tar.gz"));
        self.0.postgres.create_database(database, POOL);
        let into = format!("--dbname={database}");
        let role = format!("--role={POOL}");
        let arguments = ["--no-owner", "--exit-on-error", &role, &into];
        self.pipe(&self.0.postgres.bin().join("pg_restore"), &arguments, &dump);
        let filestore = self.0.odoo.filestore(database);
        fs::create_dir_all(&filestore).expect("a directory");
        let folder = filestore.to_str().expect("it is text");
        self.pipe(Path::new("tar"), &["-x", "-f", "-", "-C", folder], &files);
    }
}

fn build(platform: &Platform) -> JobCommand {
    JobCommand::TemplateBuild(contract::TemplateBuild {
        server: platform.server(),
        roles: Platform::roles(),
        database: TEMPLATE.to_owned(),
        marker: "template-uid".to_owned(),
        template_code: "basic".to_owned(),
        odoo_version: 19,
        revision: "3f2a9c1d".to_owned(),
        module: ["base", "contacts"].map(str::to_owned).to_vec(),
        data_directory: platform.data_directory(),
    })
}

fn init(platform: &Platform) -> JobCommand {
    JobCommand::TenantInit(contract::TenantInit {
        tenant: platform.tenant(),
        roles: Platform::roles(),
        adopt: None,
        template: Some(TEMPLATE.to_owned()),
        module: Vec::new(),
        odoo_version: 19,
        host: DATABASE.to_owned(),
        owner_email: OWNER.to_owned(),
        owner_name: "Ivan O'Brien \"Acme\" OÜ".to_owned(),
        data_directory: platform.data_directory(),
    })
}

fn backup(platform: &Platform) -> JobCommand {
    JobCommand::Backup(contract::Backup {
        tenant: platform.tenant(),
        store: platform.store(),
        data_directory: platform.data_directory(),
        purpose: BackupPurpose::Scheduled,
        retention_days: 30,
        compression: Compression::Gzip,
        age_recipient: Vec::new(),
    })
}

#[test]
fn a_tenant_is_built_served_backed_up_and_restored() {
    let Some(platform) = Platform::new() else { return };
    let Some(Report::Template(template)) = platform.run(&build(&platform)).report else {
        panic!("a template's report")
    };
    assert!(
        template.modules.contains_key("contacts") && template.module_count > 10,
        "{template:?}"
    );

    // As provider-sql makes it: dark, from the template.
    platform
        .postgres
        .sql_as(
            ADMIN,
            SUPERUSER,
            &format!("CREATE DATABASE \"{DATABASE}\" OWNER {MAINTENANCE} TEMPLATE \"{TEMPLATE}\" ALLOW_CONNECTIONS false"),
        )
        .expect("the template can be cloned while it is sealed");
    let Some(Report::Tenant(tenant)) = platform.run(&init(&platform)).report else {
        panic!("a tenant's report")
    };
    assert_eq!((tenant.origin, tenant.password_set), (Origin::Template, true));
    let again = platform.run(&init(&platform)).report;
    assert_eq!(
        again,
        Some(Report::Tenant(tenant)),
        "a second run changes nothing"
    );

    let workers = platform.odoo.serve("^%h$", &[]);
    let smoke = platform.run(&JobCommand::TenantSmoke(contract::TenantSmoke {
        tenant: platform.tenant(),
        workers_url: format!("http://{HOST}:{}", workers.port),
        host: DATABASE.to_owned(),
        odoo_version: 19,
    }));
    assert!(matches!(smoke.report, Some(Report::Smoke(_))), "{smoke:?}");
    workers
        .login(DATABASE, DATABASE, OWNER, PASSWORD)
        .expect("the new administrator logs in");
    workers
        .login(DATABASE, DATABASE, "admin", "admin")
        .expect_err("nobody else does");
    picture(&workers, "tenant");

    let Some(Report::Backup(backup)) = platform.run(&backup(&platform)).report else {
        panic!("a backup's report")
    };
    let verified = platform.run(&JobCommand::BackupVerify(contract::BackupVerify {
        store: platform.store(),
        slug: SLUG.to_owned(),
        backup: backup.id.clone(),
    }));
    assert!(matches!(verified.report, Some(Report::Verify(verify)) if verify.opened));

    let restored = "restored.planapulse.test";
    PlainTools(&platform).restore(&backup.id, restored);
    workers
        .login(restored, restored, OWNER, PASSWORD)
        .expect("the restored tenant logs in");
    let (status, _) = workers.login_page(restored).expect("it answers");
    assert_eq!(status, 200);
    println!("\nrestored by gzip, pg_restore and tar; the administrator logged in again");
}

/// A picture of the login page, where `ODOO_JOB_PICTURES` names a folder and chromium is there: for people, no proof.
fn picture(workers: &servers::odoo::OdooServer, name: &str) {
    let Some(folder) = std::env::var_os("ODOO_JOB_PICTURES") else {
        return;
    };
    let status = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1100,800",
            // The form appears once the scripts have run.
            "--virtual-time-budget=20000",
        ])
        .arg(format!("--host-resolver-rules=MAP {DATABASE} {HOST}"))
        .arg(format!(
            "--screenshot={}",
            Path::new(&folder).join(format!("{name}.png")).display()
        ))
        .arg(format!("http://{DATABASE}:{}/web/login", workers.port))
        .status();
    println!("picture: {status:?}");
}
