//! Odoo 19 Community: its command, and its web server.
//!
//! In: `odoo` as `dev/odoo` installs it, a PostgreSQL and one of its roles. Out: databases with modules in them, and a
//! server whose pages and calls a test asks for. Everything it says goes into the log; how a command ended says little
//! (an unknown module is no error to it), so a test looks at the database.

use std::{
    cell::Cell,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    HOST,
    folder::Folder,
    free_port,
    http::{self, Response},
    postgres::{POOL, Postgres, SUPERUSER},
    process::{self, Server},
};
use crate::common;

const LIMIT: Duration = Duration::from_secs(60);
/// The database of the shared server that [`Odoo::install_base`] makes copies of.
const TEMPLATE_NAME: &str = "odoo-template";

/// Odoo with a configuration file and a data folder of its own.
#[derive(Debug)]
pub struct Odoo {
    program: PathBuf,
    folder: Arc<Folder>,
}

impl Odoo {
    /// Odoo as this role of this PostgreSQL; it refuses to be the superuser.
    pub fn new(postgres: &Postgres, role: &str) -> Option<Self> {
        let program = common::tool("odoo")?;
        let folder = Folder::new("odoo");
        let settings = [
            ("db_host", HOST.to_owned()),
            ("db_port", postgres.port().to_string()),
            ("db_user", role.to_owned()),
            ("db_password", postgres.password(role)),
            ("data_dir", folder.join("data").display().to_string()),
            ("http_interface", HOST.to_owned()),
            ("list_db", "False".to_owned()),
            // One process, which does nothing unasked.
            ("workers", "0".to_owned()),
            ("max_cron_threads", "0".to_owned()),
        ];
        let lines = settings
            .map(|(name, value)| format!("{name} = {value}\n"))
            .concat();
        folder.write_secret("odoo.conf", &format!("[options]\n{lines}"));
        let folder = Arc::new(folder);
        Some(Self { program, folder })
    }

    /// The command itself, for a Job that is to start it.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The configuration file, for `-c`.
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("odoo.conf")
    }

    /// Where the files of a database are, once there are any.
    pub fn filestore(&self, database: &str) -> PathBuf {
        self.folder.join("data").join("filestore").join(database)
    }

    /// Runs `odoo` with the configuration file to its end; what it logged, in either case.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.command();
        command.args(arguments);
        // It logs to standard error, and the log is what the caller wants.
        process::run_logged(command)
    }

    /// Installs modules into a database that is there, without demo data.
    pub fn install(&self, database: &str, modules: &str) {
        let log = self.run(&[
            "-d",
            database,
            "-i",
            modules,
            "--without-demo=True",
            "--no-http",
            "--stop-after-init",
        ]);
        log.unwrap_or_else(|log| unreachable!("installing {modules} into {database}: {log}"));
    }

    /// A database of the pool's role with nothing but `base` and what that brings, and its files. The first of a test
    /// program takes Odoo half a minute; it is kept, and the others are copies of it.
    pub fn install_base(&self, postgres: &'static Postgres, database: &str) {
        static TEMPLATE: OnceLock<Odoo> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let odoo = Self::new(postgres, POOL).expect("it is there, or we were not");
            postgres.create_database(TEMPLATE_NAME, POOL);
            odoo.install(TEMPLATE_NAME, "base");
            odoo
        });
        let copy = format!("CREATE DATABASE \"{database}\" OWNER {POOL} TEMPLATE \"{TEMPLATE_NAME}\"");
        postgres.sql(SUPERUSER, &copy);
        let from = template.filestore(TEMPLATE_NAME);
        if from.is_dir() {
            copy_folder(&from, &self.filestore(database)).expect("our folders can be read and written");
        }
    }

    /// Serves the databases that match the filter (`^%d$` and such), and loads those that are named.
    pub fn serve(&self, filter: &str, databases: &[&str]) -> OdooServer {
        let port = Cell::new(0);
        let command = || {
            port.set(free_port());
            let mut command = self.command();
            command.args(["--http-port", &port.get().to_string(), "--db-filter", filter]);
            if !databases.is_empty() {
                command.args(["-d", &databases.join(",")]);
            }
            command
        };
        let ready = || {
            http::request(port.get(), "GET", "/web/health", &[], &[])
                .is_ok_and(|response| response.status == 200)
        };
        let server = Server::start("Odoo", &self.folder.join("server.log"), LIMIT, command, ready);
        OdooServer {
            port: port.get(),
            server,
            _folder: Arc::clone(&self.folder),
        }
    }

    fn command(&self) -> Command {
        let mut command = process::command(&self.program, None);
        // Settings of whoever runs the tests are not Odoo's.
        for name in [
            "PGHOST",
            "PGPORT",
            "PGUSER",
            "PGPASSWORD",
            "PGDATABASE",
            "PGSSLMODE",
        ] {
            command.env_remove(name);
        }
        command
            .current_dir(self.folder.path())
            .arg("-c")
            .arg(self.configuration());
        command
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// A running web server; it ends when this value is dropped.
#[derive(Debug)]
pub struct OdooServer {
    /// The port of its pages and calls.
    pub port: u16,
    server: Server,
    /// Kept as long as the server writes there.
    _folder: Arc<Folder>,
}

impl OdooServer {
    /// A page, asked for as a browser asks for this host.
    pub fn get(&self, host: &str, target: &str) -> io::Result<Response> {
        http::request(self.port, "GET", target, &[("Host", host)], &[])
    }

    /// Status and text of the page where one logs in.
    pub fn login_page(&self, host: &str) -> io::Result<(u16, String)> {
        let response = self.get(host, "/web/login")?;
        Ok((response.status, response.text()))
    }

    /// The number of the user with this login and password, or what the server says instead.
    pub fn login(&self, host: &str, database: &str, login: &str, password: &str) -> Result<i64, String> {
        let answer = self.call(
            host,
            "common",
            "authenticate",
            &json!([database, login, password, {}]),
        )?;
        answer
            .as_i64()
            .ok_or_else(|| format!("{login} was not let in: {answer}"))
    }

    /// Calls a method of a model (`res.users`, `search_count`) as this user.
    pub fn execute(
        &self,
        host: &str,
        (database, user, password): (&str, i64, &str),
        (model, method): (&str, &str),
        arguments: &Value,
    ) -> Result<Value, String> {
        self.call(
            host,
            "object",
            "execute_kw",
            &json!([database, user, password, model, method, arguments]),
        )
    }

    fn call(&self, host: &str, service: &str, method: &str, arguments: &Value) -> Result<Value, String> {
        let parameters = json!({ "service": service, "method": method, "args": arguments });
        let body = json!({ "jsonrpc": "2.0", "method": "call", "id": 1, "params": parameters }).to_string();
        let headers = [("Host", host), ("Content-Type", "application/json")];
        let response = http::request(self.port, "POST", "/jsonrpc", &headers, body.as_bytes())
            .map_err(|error| format!("{method}: {error}"))?;
        let answer: Value = serde_json::from_slice(&response.body)
            .map_err(|_| format!("{method}: {}: {}", response.status, response.text()))?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(format!("{method}: {}", answer["error"]["data"]["message"])),
        }
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Ends it in good order.
    pub fn stop(mut self) {
        self.server.stop("INT", LIMIT);
    }
}
