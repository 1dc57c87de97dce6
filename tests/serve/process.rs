//! The real binary as a child process: started on free ports, watched through its log, stopped in the end.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Long enough for a busy machine; only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub address: SocketAddr,
    pub metrics_address: Option<SocketAddr>,
}

/// How a bad start ended.
pub struct Refusal {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Server {
    /// Starts the binary on free ports of loopback.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    pub fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(arguments);
        command.args(["--address", "127.0.0.1:0"]);
        if !environment.iter().any(|(name, _)| *name == "METRICS_ADDRESS") {
            command.args(["--metrics-address", "127.0.0.1:0"]);
        }
        let mut child = command
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                written.lock().unwrap().push(line);
            }
        });
        let mut server = Self {
            child,
            log,
            address: ([0, 0, 0, 0], 0).into(),
            metrics_address: None,
        };
        let started = server.logged("serving");
        server.address = started["address"].as_str().unwrap().parse().unwrap();
        server.metrics_address = started["metrics_address"].as_str().unwrap().parse().ok();
        server
    }

    /// Waits for the first log line with this message.
    pub fn logged(&self, message: &str) -> Value {
        poll(&format!("log line `{message}`"), || {
            self.lines(message).into_iter().next()
        })
    }

    /// All log lines with this message so far; every line has to be JSON.
    pub fn lines(&self, message: &str) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        log.iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .filter(|line| line["message"] == message)
            .collect()
    }

    /// Everything it wrote so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the process to end by itself.
    pub fn ended(&mut self) -> ExitStatus {
        poll("the end of the process", || self.child.try_wait().unwrap())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Status line and body of an HTTP GET on the metrics port.
    pub fn get(&self, path: &str, accept: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.metrics_address.unwrap()).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: odoo\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The value of one series; 0 while it does not exist.
    pub fn metric(&self, series: &str) -> f64 {
        let (_, text) = self.get("/metrics", "text/plain");
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
            .map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a series has this value.
    pub fn reaches(&self, series: &str, value: f64) {
        poll(&format!("{series} = {value}"), || {
            ((self.metric(series) - value).abs() < 0.5).then_some(())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary with arguments that it must refuse, or that only print.
pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Refusal {
    let mut command = command(arguments);
    let output = command
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Refusal {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_function-odoo"));
    command.args(arguments);
    for name in ["TLS_SERVER_CERTS_DIR", "METRICS_ADDRESS", "DEBUG", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// Asks again and again until there is an answer.
pub fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
