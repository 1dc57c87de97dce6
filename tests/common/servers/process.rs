//! Processes that end with the test program.
//!
//! In: a command, and how to tell that its server answers. Out: the running server, or a panic with the end of its log.
//!
//! The kernel kills each as soon as the thread that started it is gone (`setpriv --pdeathsig`), even when the whole
//! program was killed and could not say so any more. A test's thread ends with the test, so one thread, which never
//! ends by itself, starts them all.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        LazyLock,
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// How often a server that ends at once is started again: its port may have been taken in between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);
/// How much of its log a failed start shows.
const LOG_LINES: usize = 40;

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
}

/// A user that a server is to run as, by number.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
}

/// Who we are, as far as servers care.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").expect("Linux has it").uid() == 0
}

impl User {
    /// The first of these that this system has.
    pub fn find(names: &[&str]) -> Option<Self> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let user = |name: &&str| {
            let mut fields = users
                .lines()
                .find_map(|line| line.strip_prefix(*name)?.strip_prefix(':'))?
                .split(':');
            let (uid, gid) = (fields.nth(1)?, fields.next()?);
            Some(Self {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
            })
        };
        names.iter().find_map(user)
    }
}

/// A command that runs as this user, and as we do without one.
pub fn command(program: &Path, user: Option<User>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(User { uid, gid }) = user {
        command.args([
            "--reuid",
            &uid.to_string(),
            "--regid",
            &gid.to_string(),
            "--clear-groups",
        ]);
    }
    command.arg("--").arg(program).stdin(Stdio::null());
    command
}

impl Server {
    /// Starts what `command` gives (see [`command`]) and waits until it is ready. Its output is appended to the log.
    pub fn start(
        name: &str,
        log: &Path,
        limit: Duration,
        mut command: impl FnMut() -> Command,
        ready: impl Fn() -> bool,
    ) -> Self {
        let started = Instant::now();
        for _ in 0..ATTEMPTS {
            let mut server = Self::spawn(command(), log);
            while server.is_running() {
                // What answers could be another's server on the same port: then ours does not live.
                if ready() && server.is_running() {
                    return server;
                }
                assert!(
                    started.elapsed() < limit,
                    "{name} does not answer after {} s:\n{}",
                    limit.as_secs(),
                    tail(log)
                );
                thread::sleep(PAUSE);
            }
            thread::sleep(PAUSE * 4);
        }
        unreachable!("{name} ends as soon as it is started:\n{}", tail(log))
    }

    fn spawn(mut command: Command, log: &Path) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the log is writable");
        command
            .stdout(output.try_clone().expect("it is open"))
            .stderr(output);
        Self {
            child: spawn(command).expect("setpriv is part of every Linux"),
            log: log.to_owned(),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended, by itself or otherwise.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// The end of what it has written.
    pub fn log(&self) -> String {
        tail(&self.log)
    }

    /// Asks it to end with this signal, and waits until it has.
    pub fn stop(&mut self, signal: &str, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        if self.is_running() {
            let pid = self.pid().to_string();
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .expect("kill is part of every Linux");
        }
        while self.is_running() {
            assert!(
                started.elapsed() < limit,
                "process {} ignores SIG{signal}:\n{}",
                self.pid(),
                self.log()
            );
            thread::sleep(PAUSE);
        }
        self.child.wait().expect("it has ended")
    }

    /// Ends it at once, as a power failure would.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end; what it printed, or what it complained of.
pub fn run(command: Command) -> Result<String, String> {
    run_with(command, "")
}

/// The same with this on its standard input, where nobody sees it: arguments are everybody's to read.
pub fn run_with(mut command: Command, input: &str) -> Result<String, String> {
    // Not the command itself: its environment has passwords.
    let program = command.get_program().to_owned();
    let failed = |error: io::Error| format!("{}: {error}", program.display());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // A program that ends without reading all of it says itself why.
    let _ = child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {text}{problem}", output.status))
}

/// Runs a command to its end; its standard error, whether it succeeded or not.
pub fn run_logged(mut command: Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(log)
    } else {
        Err(format!("{}: {log}", output.status))
    }
}

type Request = (Command, Sender<io::Result<Child>>);

/// Starts a process from the thread that outlives all tests.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: LazyLock<Sender<Request>> = LazyLock::new(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        let serve = move || {
            for (mut command, answer) in requests {
                // Whoever asked may be gone; the child then is as well, as soon as nobody holds it.
                let _ = answer.send(command.spawn());
            }
        };
        thread::Builder::new()
            .name("servers".into())
            .spawn(serve)
            .expect("a thread can be started");
        sender
    });
    let (answer, child) = mpsc::channel();
    STARTER.send((command, answer)).expect("the thread never ends");
    child.recv().expect("the thread answers")
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
