//! A server as a child process: started, watched through `/proc`, killed.
//!
//! In: which one, and how it is secured. Out: its address, the processor time of all its threads, its memory. The function
//! is the real binary, with its log lines read through a pipe as a container runtime does; the others are this program
//! again, with a hidden first argument, and the one on the Go SDK, which Cargo cannot build, when it is given. Every one is pinned to the first core when there is a `taskset` program.

use std::{
    env, fs,
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

/// The core of the servers; the other one is the load generator's.
pub const SERVER_CORE: &str = "0";
/// The core of the load generator.
pub const CLIENT_CORE: &str = "1";
/// Another binary to measure in place of the one that was built along, such as the one of a release.
const BINARY_VARIABLE: &str = "FUNCTION_ODOO";
/// The program of `benches/calls/go`; without it that one is not measured.
const GO_VARIABLE: &str = "FUNCTION_GO";

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    Floor,
    Function,
    FunctionWithoutLog,
    FunctionWithTls,
    Sdk,
    GoSdk,
}

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Contender {
    /// Everybody who is there.
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Floor,
            Self::Function,
            Self::FunctionWithoutLog,
            Self::FunctionWithTls,
            Self::Sdk,
        ];
        all.extend(env::var_os(GO_VARIABLE).map(|_| Self::GoSdk));
        all
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Floor => "floor: raw bytes in, canned answer",
            Self::Function => "function-odoo",
            Self::FunctionWithoutLog => "function-odoo, RUST_LOG=off",
            Self::FunctionWithTls => "function-odoo, mutual TLS",
            Self::Sdk => "same function on function-sdk-rust",
            Self::GoSdk => "same objects on function-sdk-go",
        }
    }
}

impl Server {
    /// Starts a server; it may take a moment until it listens.
    pub fn start(contender: Contender, answer: &Path, certificates: &str) -> io::Result<Self> {
        let address = free_address()?;
        let text = address.to_string();
        let this = env::current_exe()?;
        let (program, arguments) = match contender {
            Contender::Floor => (this, vec!["floor", &text, answer.to_str().unwrap_or_default()]),
            Contender::Sdk => (this, vec!["sdk", &text]),
            Contender::GoSdk => (
                PathBuf::from(env::var_os(GO_VARIABLE).unwrap_or_default()),
                vec!["--address", &text],
            ),
            Contender::Function | Contender::FunctionWithoutLog => (
                binary(),
                vec!["--insecure", "--metrics-address=", "--address", &text],
            ),
            Contender::FunctionWithTls => (
                binary(),
                vec![
                    "--metrics-address=",
                    "--address",
                    &text,
                    "--tls-certs-dir",
                    certificates,
                ],
            ),
        };
        let mut command = pinned(&program);
        for name in ["TLS_SERVER_CERTS_DIR", "METRICS_ADDRESS", "DEBUG", "RUST_LOG"] {
            command.env_remove(name);
        }
        if contender == Contender::FunctionWithoutLog {
            command.env("RUST_LOG", "off");
        }
        let mut child = command.args(arguments).stderr(Stdio::piped()).spawn()?;
        if let Some(mut log) = child.stderr.take() {
            thread::spawn(move || {
                let mut buffer = vec![0; 64 * 1024];
                while log.read(&mut buffer).is_ok_and(|read| read > 0) {}
            });
        }
        Ok(Self { child, address })
    }

    /// What all its threads have run for so far.
    pub fn processor_microseconds(&self) -> io::Result<f64> {
        let mut nanoseconds = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = text
                .split(' ')
                .next()
                .and_then(|number| number.parse::<f64>().ok());
            nanoseconds += first.ok_or_else(|| io::Error::other(text))?;
        }
        Ok(nanoseconds / 1e3)
    }

    /// A line of `/proc/PID/status` in MiB: `VmRSS` is the memory that it has, `VmHWM` the most that it had.
    pub fn memory_mib(&self, line: &str) -> io::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = text
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0)
            .ok_or_else(|| io::Error::other(format!("no {line}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The function that is measured.
pub fn binary() -> PathBuf {
    env::var_os(BINARY_VARIABLE).map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_function-odoo")),
        PathBuf::from,
    )
}

/// Whether processes can be pinned; pins this one when they can.
pub fn pin_this() -> bool {
    let this = std::process::id().to_string();
    let pinned = Command::new("taskset")
        .args(["-a", "-c", "-p", CLIENT_CORE, &this])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    pinned.is_ok_and(|status| status.success())
}

fn pinned(program: &Path) -> Command {
    let has_taskset = Command::new("taskset")
        .args(["-c", SERVER_CORE, "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_taskset {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(program);
    command
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
