//! Runs odoo-job as a pod does, and ends it as a node does.
//!
//! In: a command of the contract, and its environment. Out: its exit code, its result, its log. [`prove_every_boundary`]
//! kills it before every phase that a good run has, by SIGKILL with all its children and by SIGTERM, and runs it again.
#![expect(
    clippy::panic,
    reason = "a program that does not do what it is told ends the test"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use function_odoo::contract::{self, ExitCode, JobResult, SecretVariable};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// No command of a test takes longer than this.
const PATIENCE: Duration = Duration::from_secs(240);

/// A run of odoo-job that is to be started.
#[derive(Clone, Debug)]
pub struct Job {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// A run that was started.
pub struct Running {
    child: Child,
    log: mpsc::Receiver<String>,
    seen: String,
    stdout: thread::JoinHandle<String>,
    message: tempfile::NamedTempFile,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code, when it is one of ours; `None` after a signal.
    pub code: Option<ExitCode>,
    /// How it ended.
    pub status: ExitStatus,
    /// What it left in the termination message.
    pub result: Option<JobResult>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub log: String,
}

impl Job {
    /// A run of a command, with nothing in its environment but the PATH.
    pub fn new(command: &contract::Command) -> Self {
        let environment =
            ["PATH", "HOME"].map(|name| (name.to_owned(), std::env::var(name).unwrap_or_default()));
        Self {
            arguments: command.arguments(),
            environment: environment.into(),
        }
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a secret.
    pub fn secret(self, secret: SecretVariable, value: &str) -> Self {
        self.variable(secret.variable, value)
    }

    /// Only says what it would do.
    pub fn dry_run(mut self) -> Self {
        self.arguments.push("--dry-run".to_owned());
        self
    }

    /// Runs it to its end.
    pub fn run(&self) -> Finished {
        self.start().wait()
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        let message = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_odoo-job"))
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .env("ODOO_JOB_TERMINATION_MESSAGE", message.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("odoo-job starts");
        let mut out = child.stdout.take().expect("it is piped");
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            // What is not UTF-8 is seen as empty, and fails the test that reads it.
            let _ = out.read_to_string(&mut text);
            text
        });
        let err = child.stderr.take().expect("it is piped");
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            use std::io::{BufRead as _, BufReader};
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Running {
            child,
            log,
            seen: String::new(),
            stdout,
            message,
        }
    }

    /// Starts it, lets it hold before a phase, ends it there, and waits for its end.
    pub fn kill_before(&self, phase: &str, signal: Signal) -> Finished {
        let mut running = self.clone().variable("ODOO_JOB_HOLD_BEFORE", phase).start();
        running.wait_for("holding before this phase");
        running.kill(signal);
        running.wait()
    }
}

impl Running {
    /// Waits for a text in its log.
    pub fn wait_for(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.seen.lines().any(|line| line.contains(text)) {
            match self.log.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(line) => self.note(&line),
                Err(error) => panic!("{text:?} never came ({error}):\n{}", self.seen),
            }
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it: SIGKILL reaches all its descendants, as when a container ends; others only itself.
    pub fn kill(&self, signal: Signal) {
        let id = self.child.id();
        let mut targets = vec![id];
        if signal == Signal::KILL {
            targets.extend(descendants(id));
        }
        for target in targets {
            let target = Pid::from_raw(target.cast_signed()).expect("a process id");
            // One that has just ended needs no signal.
            let _ = kill_process(target, signal);
        }
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Finished {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                self.kill(Signal::KILL);
                panic!("odoo-job takes longer than {PATIENCE:?}:\n{}", self.seen);
            }
            while let Ok(line) = self.log.try_recv() {
                self.note(&line);
            }
            thread::sleep(Duration::from_millis(5));
        };
        while let Ok(line) = self.log.recv() {
            self.note(&line);
        }
        let message = fs::read_to_string(self.message.path()).unwrap_or_default();
        Finished {
            code: status.code().and_then(ExitCode::from_code),
            status,
            result: JobResult::parse(&message),
            stdout: self.stdout.join().expect("the reader ends"),
            log: self.seen,
        }
    }

    fn note(&mut self, line: &str) {
        self.seen.push_str(line);
        self.seen.push('\n');
    }
}

impl Finished {
    /// The same, when it was done; the test ends otherwise.
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(ExitCode::Done), "{}\n{}", self.stdout, self.log);
        self
    }

    /// The reason, when it was not done.
    pub fn reason(&self) -> &str {
        self.result
            .as_ref()
            .and_then(|result| result.reason.as_deref())
            .unwrap_or_default()
    }

    /// The message, when it was not done.
    pub fn message(&self) -> &str {
        self.result
            .as_ref()
            .and_then(|result| result.message.as_deref())
            .unwrap_or_default()
    }

    /// Everything that it said, to look for secrets in.
    pub fn everything(&self) -> String {
        format!("{}\n{}\n{:?}", self.stdout, self.log, self.result)
    }

    /// The phases that it went through.
    pub fn phases(&self) -> Vec<String> {
        let lines = self
            .log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let phases = lines.filter(|line| line["message"] == "phase");
        phases
            .filter_map(|line| Some(line["phase"].as_str()?.to_owned()))
            .collect()
    }
}

/// Kills a command before every phase that a good run has, runs it again, and proves the outcome. `make` gives a fresh
/// start each time (number of the start), `prove` looks at what is there after the second run. Prints a table.
pub fn prove_every_boundary(
    name: &str,
    mut make: impl FnMut(usize) -> Job,
    mut prove: impl FnMut(usize, &Finished),
) {
    let good = make(0).run().done();
    prove(0, &good);
    let phases = good.phases();
    assert!(!phases.is_empty(), "{name} has no phases:\n{}", good.log);
    let mut number = 0;
    for phase in &phases {
        for signal in [Signal::KILL, Signal::TERM] {
            number += 1;
            let job = make(number);
            let killed = job.kill_before(phase, signal);
            match signal {
                Signal::TERM => assert_eq!(killed.reason(), "Stopped", "{phase}: {}", killed.log),
                _ => assert_eq!(killed.code, None, "{phase}: {}", killed.log),
            }
            let again = job.run();
            assert_eq!(
                again.code,
                Some(ExitCode::Done),
                "{name} after {signal:?} before {phase}:\n{}",
                again.log
            );
            prove(number, &again);
            println!("| {name} | {phase} | {signal:?} | done |");
        }
    }
}

/// All processes below one, by /proc.
fn descendants(of: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let parents: Vec<(u32, u32)> = processes
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name of the program is in parentheses and may have spaces: what follows begins after the last one.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((id, parent))
        })
        .collect();
    let mut found = Vec::new();
    let mut next = vec![of];
    while let Some(parent) = next.pop() {
        let children = parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id);
        next.extend(children.clone());
        found.extend(children);
    }
    found
}
