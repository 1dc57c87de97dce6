//! Redis, with nothing kept on disk.
//!
//! In: `redis-server`, wherever the PATH has it. Out: one on a free port, behind a password or open, and a client that
//! speaks just enough of its protocol for a test to look and to prepare.

use std::{
    env,
    fmt::Write as _,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{
    HOST,
    folder::Folder,
    free_port,
    process::{self, Server},
    secret,
};
use crate::common;

const LIMIT: Duration = Duration::from_secs(30);
/// How many databases it has: one for each test that asks.
const DATABASES: u32 = 256;

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Those with the password.
    Password,
    /// Everybody.
    Open,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `OK`, `PONG`.
    Status(String),
    /// A number.
    Number(i64),
    /// A value.
    Value(Vec<u8>),
    /// No value.
    Nothing,
    /// Several.
    Many(Vec<Self>),
    /// A refusal: `NOAUTH Authentication required.`
    Refused(String),
}

/// A server and its data.
#[derive(Debug)]
pub struct Redis {
    // Before the folder: the server ends before its data are removed.
    server: Mutex<Option<Server>>,
    folder: Folder,
    program: PathBuf,
    port: AtomicU16,
    password: Option<String>,
    databases: AtomicU32,
}

impl Redis {
    /// The one that all tests of this program share, behind a password; each takes a database of its own.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: LazyLock<Option<Redis>> = LazyLock::new(|| Redis::own(Access::Password));
        SHARED.as_ref()
    }

    /// One of the test's own, which it may stop.
    pub fn own(access: Access) -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let program = env::split_paths(&path)
            .map(|folder| folder.join("redis-server"))
            .find(|path| path.is_file());
        common::real_component("redis", program.is_some());
        let redis = Self {
            server: Mutex::new(None),
            folder: Folder::new("redis"),
            program: program?,
            port: AtomicU16::new(0),
            password: (access == Access::Password).then(secret),
            databases: AtomicU32::new(0),
        };
        redis.launch(free_port);
        Some(redis)
    }

    /// Starts the server on the port that `port` gives, asked again when that is taken.
    fn launch(&self, port: impl Fn() -> u16) {
        let command = || {
            self.port.store(port(), Ordering::Relaxed);
            self.command()
        };
        let ready = || {
            self.command_in(0, &["PING"])
                .is_ok_and(|reply| reply == Reply::Status("PONG".into()))
        };
        let server = Server::start("Redis", &self.folder.join("log"), LIMIT, command, ready);
        *self.server() = Some(server);
    }

    fn command(&self) -> Command {
        let mut settings = format!("bind {HOST}\nport {}\ndatabases {DATABASES}\n", self.port());
        // Nothing is kept, so nothing is written below any folder either.
        settings.push_str("save \"\"\nappendonly no\n");
        let _ = writeln!(settings, "dir {}", self.folder.path().display());
        if let Some(password) = &self.password {
            let _ = writeln!(settings, "requirepass {password}");
        }
        let file = self.folder.write_secret("redis.conf", &settings);
        let mut command = process::command(&self.program, None);
        command.arg(file);
        command
    }

    /// A database that no other test of this program uses; empty.
    pub fn database(&self) -> u32 {
        let database = self.databases.fetch_add(1, Ordering::Relaxed);
        assert!(
            database < DATABASES,
            "the tests need more databases than Redis was given"
        );
        database
    }

    /// Sends one command to this database, with the password if there is one.
    pub fn command_in(&self, database: u32, words: &[&str]) -> io::Result<Reply> {
        self.command_as(self.password.as_deref(), database, words)
    }

    /// The same with a password of the test's own, or without. The first refusal ends it.
    pub fn command_as(&self, password: Option<&str>, database: u32, words: &[&str]) -> io::Result<Reply> {
        let stream = TcpStream::connect((HOST, self.port()))?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut reader = BufReader::new(stream);
        let database = database.to_string();
        let authentication = password.map(|password| vec!["AUTH", password]);
        for preparation in authentication.into_iter().chain([vec!["SELECT", &database]]) {
            let reply = exchange(&mut reader, &preparation)?;
            if matches!(reply, Reply::Refused(_)) {
                return Ok(reply);
            }
        }
        exchange(&mut reader, words)
    }

    /// Its port, the same for life.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// The password, unless it is open.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Both, and a database, as a URL.
    pub fn url(&self, database: u32) -> String {
        let user = self
            .password
            .as_ref()
            .map(|password| format!(":{password}@"))
            .unwrap_or_default();
        format!("redis://{user}{HOST}:{}/{database}", self.port())
    }

    /// The server's process, when it is running.
    pub fn pid(&self) -> Option<u32> {
        self.server().as_ref().map(Server::pid)
    }

    /// Ends it, and with it all that it knows.
    pub fn stop(&self) {
        if let Some(mut server) = self.server().take() {
            server.stop("TERM", LIMIT);
        }
    }

    /// Starts it on the same port, empty, once it was stopped.
    pub fn start_again(&self) {
        assert!(self.server().is_none(), "it is running");
        let port = self.port();
        self.launch(|| port);
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        // A test that has failed meanwhile has left it as it is.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exchange(reader: &mut BufReader<TcpStream>, words: &[&str]) -> io::Result<Reply> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        let _ = write!(request, "${}\r\n{word}\r\n", word.len());
    }
    reader.get_mut().write_all(request.as_bytes())?;
    read(reader)
}

fn read(reader: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line
        .trim_end()
        .split_at_checked(1)
        .ok_or_else(|| invalid(&line))?;
    let number = || rest.parse::<i64>().map_err(|_| invalid(&line));
    match kind {
        "+" => Ok(Reply::Status(rest.to_owned())),
        "-" => Ok(Reply::Refused(rest.to_owned())),
        ":" => number().map(Reply::Number),
        "$" => usize::try_from(number()?).map_or(Ok(Reply::Nothing), |length| read_value(reader, length)),
        "*" => (0..number()?)
            .map(|_| read(reader))
            .collect::<io::Result<_>>()
            .map(Reply::Many),
        _ => Err(invalid(&line)),
    }
}

fn read_value(reader: &mut impl Read, length: usize) -> io::Result<Reply> {
    let mut value = vec![0; length + 2];
    reader.read_exact(&mut value)?;
    value.truncate(length);
    Ok(Reply::Value(value))
}

fn invalid(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("Redis does not speak like this: {line:?}"),
    )
}
