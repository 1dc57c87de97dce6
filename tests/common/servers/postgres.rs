//! PostgreSQL, with the roles that the Jobs know.
//!
//! In: the newest server of Debian's packages. Out: one on a free port, made by `initdb` just now, where every role
//! has a password and TCP is the only way in. Nothing is ever flushed to disk: the data need not outlive the test.
//!
//! | role | may |
//! |---|---|
//! | `postgres` | everything; only the test itself uses it |
//! | `plana_admin` | create databases and give them to the pools' roles, whose member it is: the Jobs' role |
//! | `plana` | log in and own databases: a pool's role |
//! | `plana_maint` | the same: owns what is being worked on, and is Odoo's role while it migrates |

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::{
    HOST,
    folder::Folder,
    free_port,
    process::{self, Server, User, is_root},
    secret,
};
use crate::common;

/// Debian has one folder per major here.
const MAJORS: &str = "/usr/lib/postgresql";
const OLDEST_MAJOR: u32 = 15;
const LIMIT: Duration = Duration::from_secs(30);
/// The superuser.
pub const SUPERUSER: &str = "postgres";
/// The role of the Jobs.
pub const ADMIN: &str = "plana_admin";
/// The role of the pool.
pub const POOL: &str = "plana";
/// The role that owns a database while a Job works on it.
pub const MAINTENANCE: &str = "plana_maint";

/// How `psql` separates, with characters that no test has in its data.
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';
const NULL: &str = "\u{1d}";

/// The rows of an answer; a field is `None` when it is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// A server and its data.
#[derive(Debug)]
pub struct Postgres {
    // Before the folder: the server ends before its data are removed.
    server: Mutex<Option<Server>>,
    folder: Folder,
    bin: PathBuf,
    user: Option<User>,
    port: AtomicU16,
    secret: String,
    has_tls: bool,
}

impl Postgres {
    /// The one that all tests of this program share; each takes databases of its own.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: LazyLock<Option<Postgres>> = LazyLock::new(Postgres::own);
        SHARED.as_ref()
    }

    /// One of the test's own, which it may stop.
    pub fn own() -> Option<Self> {
        Some(Self::new(&bin()?, false))
    }

    /// One that speaks TLS and nothing else, for 127.0.0.1 and localhost; [`Self::authority`] vouches for it.
    pub fn with_tls() -> Option<Self> {
        Some(Self::new(&bin()?, true))
    }

    fn new(bin: &Path, has_tls: bool) -> Self {
        let postgres = Self {
            server: Mutex::new(None),
            folder: Folder::new("postgres"),
            bin: bin.to_owned(),
            // The server refuses to be root. Debian's package brings the first user.
            user: is_root().then(|| User::find(&["postgres", "nobody"]).expect("Linux has nobody")),
            port: AtomicU16::new(0),
            secret: secret(),
            has_tls,
        };
        postgres.initialize();
        postgres.launch(free_port);
        postgres.create_roles();
        postgres
    }

    /// Makes the cluster's files.
    fn initialize(&self) {
        let password = self.folder.write_secret("password", &self.password(SUPERUSER));
        let data = self.data();
        fs::create_dir(&data).expect("the folder is new");
        if let Some(User { uid, gid }) = self.user {
            for path in [&password, &data] {
                chown(path, Some(uid), Some(gid)).expect("root may");
            }
        }
        let mut command = process::command(&self.bin.join("initdb"), self.user);
        command.current_dir(self.folder.path()).arg("--pgdata").arg(&data);
        command
            .args(["--username", SUPERUSER, "--auth=scram-sha-256", "--pwfile"])
            .arg(&password);
        command.args(["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]);
        process::run(command).unwrap_or_else(|problem| unreachable!("initdb: {problem}"));
        if self.has_tls {
            self.write_certificates();
        }
    }

    /// An authority, a certificate by it, and the rule that nobody comes in without TLS.
    fn write_certificates(&self) {
        let pair = || KeyPair::generate().expect("ring makes keys");
        let (authority_pair, server_pair) = (pair(), pair());
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two certificates of one name are one certificate to OpenSSL.
        authority
            .distinguished_name
            .push(DnType::CommonName, "authority of a test");
        let authority_text = authority
            .self_signed(&authority_pair)
            .expect("it can be signed")
            .pem();
        let names = vec![HOST.to_owned(), "localhost".to_owned()];
        let certificate = CertificateParams::new(names)
            .and_then(|certificate| {
                certificate.signed_by(&server_pair, &Issuer::new(authority, authority_pair))
            })
            .expect("it can be signed");
        fs::write(self.folder.join("ca.crt"), authority_text).expect("the folder is ours");
        let key = self
            .folder
            .write_secret("server.key", &server_pair.serialize_pem());
        fs::write(self.folder.join("server.crt"), certificate.pem()).expect("the folder is ours");
        if let Some(User { uid, gid }) = self.user {
            chown(&key, Some(uid), Some(gid)).expect("root may");
        }
        let rules = format!("hostssl all all {HOST}/32 scram-sha-256\n");
        // Written in place: the file stays the server's.
        fs::write(self.data().join("pg_hba.conf"), rules).expect("the data are in our folder");
    }

    /// Starts the server on the port that `port` gives, asked again when that is taken.
    fn launch(&self, port: impl Fn() -> u16) {
        let command = || {
            self.port.store(port(), Ordering::Relaxed);
            self.command()
        };
        let ready = || self.sql_as(SUPERUSER, SUPERUSER, "SELECT 1").is_ok();
        let server = Server::start("PostgreSQL", &self.folder.join("log"), LIMIT, command, ready);
        *self.server() = Some(server);
    }

    fn command(&self) -> Command {
        let mut command = process::command(&self.bin.join("postgres"), self.user);
        command.current_dir(self.folder.path()).arg("-D").arg(self.data());
        let mut set = |setting: &str| {
            command.args(["-c", setting]);
        };
        set(&format!("listen_addresses={HOST}"));
        set(&format!("port={}", self.port()));
        set("unix_socket_directories=");
        set("max_connections=200");
        set("shared_buffers=64MB");
        for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off"] {
            set(setting);
        }
        if self.has_tls {
            set("ssl=on");
            set(&format!(
                "ssl_cert_file={}",
                self.folder.join("server.crt").display()
            ));
            set(&format!(
                "ssl_key_file={}",
                self.folder.join("server.key").display()
            ));
        }
        command
    }

    fn create_roles(&self) {
        self.create_login(ADMIN, "CREATEDB");
        for role in [POOL, MAINTENANCE] {
            self.create_login(role, "NOCREATEDB");
            self.sql(SUPERUSER, &format!("GRANT {role} TO {ADMIN}"));
        }
    }

    fn create_login(&self, role: &str, rights: &str) {
        let password = self.password(role);
        self.sql(
            SUPERUSER,
            &format!("CREATE ROLE {role} LOGIN {rights} PASSWORD '{password}'"),
        );
    }

    /// A pool's role for one major (`plana18`): a member of the pool's role, as the Jobs' role is of it.
    pub fn create_pool_role(&self, role: &str) {
        self.create_login(role, "NOCREATEDB");
        self.sql(SUPERUSER, &format!("GRANT {POOL} TO {role}"));
        self.sql(SUPERUSER, &format!("GRANT {role} TO {ADMIN}"));
    }

    /// An empty database, made as the provider makes them: by the superuser, for this role.
    pub fn create_database(&self, name: &str, owner: &str) {
        self.sql(
            SUPERUSER,
            &format!("CREATE DATABASE \"{name}\" OWNER \"{owner}\" TEMPLATE template0"),
        );
    }

    /// What the superuser gets for this statement; the test fails when that is an error.
    pub fn sql(&self, database: &str, statement: &str) -> Rows {
        self.sql_as(SUPERUSER, database, statement)
            .unwrap_or_else(|problem| unreachable!("{statement}: {problem}"))
    }

    /// What this role gets for it, or the server's complaint.
    pub fn sql_as(&self, role: &str, database: &str, statement: &str) -> Result<Rows, String> {
        self.psql(&self.environment(role, database), statement)
    }

    /// The same with settings of the test's own: a wrong password, another `PGSSLMODE`.
    pub fn psql(&self, environment: &[(&str, String)], statement: &str) -> Result<Rows, String> {
        let mut command = Command::new(self.bin.join("psql"));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PGCONNECT_TIMEOUT", "10");
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--no-password",
        ]);
        command.args(["--set=ON_ERROR_STOP=1", &format!("--pset=null={NULL}")]);
        command
            .arg(format!("--field-separator={FIELD}"))
            .arg(format!("--record-separator={RECORD}"));
        process::run_with(command, statement).map(|text| rows(&text))
    }

    /// Its port, the same for life.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// The password of a role that was made here.
    pub fn password(&self, role: &str) -> String {
        format!("{role}-{}", self.secret)
    }

    /// How libpq, its programs and Odoo get to a database.
    pub fn environment(&self, role: &str, database: &str) -> Vec<(&'static str, String)> {
        vec![
            ("PGHOST", HOST.to_owned()),
            ("PGPORT", self.port().to_string()),
            ("PGUSER", role.to_owned()),
            ("PGPASSWORD", self.password(role)),
            ("PGDATABASE", database.to_owned()),
        ]
    }

    /// The same as a URL.
    pub fn url(&self, role: &str, database: &str) -> String {
        let (port, password) = (self.port(), self.password(role));
        format!("postgres://{role}:{password}@{HOST}:{port}/{database}")
    }

    /// Where `pg_dump`, `pg_restore` and `psql` of the same major are.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The certificate that vouches for a server with TLS.
    pub fn authority(&self) -> Option<PathBuf> {
        self.has_tls.then(|| self.folder.join("ca.crt"))
    }

    /// The end of the server's log.
    pub fn log(&self) -> String {
        self.server().as_ref().map(Server::log).unwrap_or_default()
    }

    /// The server's process, when it is running.
    pub fn pid(&self) -> Option<u32> {
        self.server().as_ref().map(Server::pid)
    }

    /// Ends it in good order: sessions are cut off, and nothing is lost.
    pub fn stop(&self) {
        if let Some(mut server) = self.server().take() {
            server.stop("INT", LIMIT);
        }
    }

    /// Ends it as a power failure would.
    pub fn kill(&self) {
        drop(self.server().take());
    }

    /// Starts it on the same port and data, once it was stopped or killed.
    pub fn start_again(&self) {
        assert!(self.server().is_none(), "it is running");
        let port = self.port();
        self.launch(|| port);
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        // A test that has failed meanwhile has left it as it is.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of the newest major with all of its programs.
fn bin() -> Option<PathBuf> {
    let majors = fs::read_dir(MAJORS).into_iter().flatten().flatten();
    let newest = majors
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|major| *major >= OLDEST_MAJOR)
        .map(|major| (major, Path::new(MAJORS).join(major.to_string()).join("bin")))
        .filter(|(_, bin)| {
            ["initdb", "postgres", "psql", "pg_dump"]
                .iter()
                .all(|name| bin.join(name).is_file())
        })
        .max();
    common::real_component("postgresql", newest.is_some());
    newest.map(|(_, bin)| bin)
}

fn rows(text: &str) -> Rows {
    let field = |field: &str| (field != NULL).then(|| field.to_owned());
    // The last record ends with a line feed in any case; no rows are no text at all.
    let Some(text) = text.strip_suffix('\n') else {
        return Rows::new();
    };
    text.split(RECORD)
        .map(|record| record.split(FIELD).map(field).collect())
        .collect()
}
