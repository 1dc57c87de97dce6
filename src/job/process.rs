//! Child processes: `odoo`, `pg_dump`, `pg_restore`.
//!
//! In: a program, its arguments and its environment. Out: its lines as they come, and how it ended, with its last lines.
//! A child is a process group of its own, so that it ends whole: asked with SIGTERM when the command is to stop, and
//! killed when it does not, or when nobody waits for it any more. It gets no environment but what is named here: our
//! own has secrets.

use std::{
    collections::VecDeque,
    env,
    ffi::{OsStr, OsString},
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    secrets::Redactor,
};

/// How long a child may take to end after SIGTERM: half of what a kubelet gives us.
const GRACE: Duration = Duration::from_secs(15);
/// Lines that are kept for the error.
const LAST_LINES: usize = 30;
/// Bytes of a line that are kept.
const LINE_BYTES: usize = 2000;
/// What a child needs of our environment.
const INHERITED: [&str; 9] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "TMPDIR",
];

/// A program that is to be started.
#[derive(Debug)]
pub struct Program {
    command: Command,
    name: String,
    redactor: Redactor,
}

/// A program that runs. Dropping it kills it and all its children.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Option<Pid>,
    name: String,
    output: JoinHandle<VecDeque<String>>,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// The last lines that it printed.
    pub last_lines: Vec<String>,
    name: String,
}

impl Program {
    /// A program by its path, or by its name on the PATH.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.env_clear().stdin(Stdio::null()).process_group(0);
        for name in INHERITED {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        Self {
            command,
            name: program.to_string_lossy().into_owned(),
            redactor: Redactor::default(),
        }
    }

    /// Adds arguments. Never a secret: everybody on the machine can read them.
    #[must_use]
    pub fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.command.args(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Hides secrets in what it prints.
    #[must_use]
    pub fn redact(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Starts it; `each_line` gets every line of its standard error and output.
    pub fn start(mut self, each_line: impl FnMut(&str) + Send + 'static) -> Attempted<Running> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = self.spawn()?;
        let (out, err) = (running.child.stdout.take(), running.child.stderr.take());
        running.output = tokio::spawn(collect(out, err, self.redactor, each_line));
        Ok(running)
    }

    /// Starts it; its standard output is a stream of bytes.
    pub fn stream(
        mut self,
        each_line: impl FnMut(&str) + Send + 'static,
    ) -> Attempted<(Running, ChildStdout)> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = self.spawn()?;
        let out = running.child.stdout.take();
        let err = running.child.stderr.take();
        let stdout = out.ok_or_else(|| cannot_start(&self.name, "it has no standard output"))?;
        running.output = tokio::spawn(collect(None::<ChildStdout>, err, self.redactor, each_line));
        Ok((running, stdout))
    }

    /// Starts it; its standard input is a stream of bytes.
    pub fn feed(mut self, each_line: impl FnMut(&str) + Send + 'static) -> Attempted<(Running, ChildStdin)> {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = self.spawn()?;
        let (out, err) = (running.child.stdout.take(), running.child.stderr.take());
        let input = running.child.stdin.take();
        let stdin = input.ok_or_else(|| cannot_start(&self.name, "it has no standard input"))?;
        running.output = tokio::spawn(collect(out, err, self.redactor, each_line));
        Ok((running, stdin))
    }

    fn spawn(&mut self) -> Attempted<Running> {
        let child = self
            .command
            .spawn()
            .map_err(|error| cannot_start(&self.name, &error.to_string()))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Running {
            child,
            group,
            name: self.name.clone(),
            output: tokio::spawn(async { VecDeque::new() }),
        })
    }
}

impl Running {
    /// Waits until it has ended; ends it when the command is to stop.
    pub async fn wait(mut self, attempt: &Attempt) -> Attempted<Ended> {
        let stop = attempt.stop();
        let status = tokio::select! {
            status = self.child.wait() => status,
            () = stop.stopped() => {
                self.terminate().await;
                return Err(Failure::retry(
                    "Stopped",
                    format!("was told to stop while {} was running", self.name),
                ));
            }
        };
        let status = status.map_err(|error| {
            Failure::retry("ChildLost", format!("cannot wait for {}: {error}", self.name))
        })?;
        // It has ended, its children may not have: they would hold the pipes.
        self.signal(Signal::KILL);
        let last_lines = (&mut self.output).await.unwrap_or_default();
        Ok(Ended {
            status,
            last_lines: last_lines.into(),
            name: self.name.clone(),
        })
    }

    async fn terminate(&mut self) {
        self.signal(Signal::TERM);
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            // It cannot refuse this one.
            let _ = self.child.wait().await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone already needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Ended {
    /// Whether it ended with exit code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.success()
    }

    /// How it ended, with its last lines, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown status".to_owned(),
        };
        let said = self
            .last_lines
            .iter()
            .rev()
            .take(5)
            .rev()
            .cloned()
            .collect::<Vec<_>>()
            .join(" | ");
        if said.is_empty() {
            format!("{} ended with {how}", self.name)
        } else {
            format!("{} ended with {how}: {said}", self.name)
        }
    }
}

fn cannot_start(program: &str, error: &str) -> Failure {
    Failure::give_up(
        "ProgramMissing",
        format!("cannot start {program}: {error}; the Job's image must have it on its PATH"),
    )
}

async fn collect(
    out: Option<impl AsyncRead + Unpin>,
    err: Option<impl AsyncRead + Unpin>,
    redactor: Redactor,
    mut each_line: impl FnMut(&str),
) -> VecDeque<String> {
    let mut kept = VecDeque::new();
    let (sender, mut lines) = tokio::sync::mpsc::channel(64);
    let copy = async {
        tokio::join!(read(out, sender.clone()), read(err, sender));
    };
    let consume = async {
        while let Some(line) = lines.recv().await {
            let line: String = redactor.redact(&line);
            each_line(&line);
            if kept.len() == LAST_LINES {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    };
    tokio::join!(copy, consume);
    kept
}

async fn read(stream: Option<impl AsyncRead + Unpin>, sender: tokio::sync::mpsc::Sender<String>) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // A line that cannot be read ends the stream: the exit code tells the rest.
    while reader
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let end = text
            .char_indices()
            .nth(LINE_BYTES)
            .map_or(text.len(), |(end, _)| end);
        if !text.is_empty() && sender.send(text[..end].to_owned()).await.is_err() {
            return;
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::job::secrets::Secret;

    fn shell(script: &str) -> Program {
        Program::new("sh").arguments(["-c", script])
    }

    #[tokio::test]
    async fn the_last_lines_and_the_code_are_told_without_secrets() {
        let attempt = Attempt::begin("test", false).unwrap();
        let program = shell("echo out; echo hunter2 is wrong >&2; exit 3");
        let program = program.redact(Redactor::new([Secret::new("hunter2".to_owned())]));
        let ended = program.start(|_| ()).unwrap().wait(&attempt).await.unwrap();
        let words = ended.describe();
        assert!(!ended.is_success());
        assert!(
            words.contains("exit code 3") && words.contains("*** is wrong"),
            "{words}"
        );
    }

    #[tokio::test]
    async fn a_child_does_not_see_our_environment() {
        let attempt = Attempt::begin("test", false).unwrap();
        let ended = shell("env").start(|_| ()).unwrap().wait(&attempt).await.unwrap();
        let allowed = |line: &String| {
            let name = line.split('=').next().unwrap_or_default();
            INHERITED.contains(&name) || ["PWD", "SHLVL", "_", "OLDPWD"].contains(&name)
        };
        assert!(ended.last_lines.iter().all(allowed), "{:?}", ended.last_lines);
    }

    #[tokio::test]
    async fn dropping_it_ends_its_children_too() {
        let mark = format!("{}.{}", 86_000 + std::process::id() % 399, std::process::id());
        let running = shell(&format!("sleep {mark} & wait")).start(|_| ()).unwrap();
        let alive = || {
            let mut processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
            let wanted = format!("sleep\0{mark}\0");
            processes.any(|process| {
                std::fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line == wanted)
            })
        };
        let begun = Instant::now();
        while !alive() && begun.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(alive());
        drop(running);
        while alive() && begun.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!alive());
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let failure = Program::new("no-such-program").start(|_| ()).unwrap_err();
        assert_eq!(failure.reason, "ProgramMissing");
        assert!(failure.message.contains("no-such-program"), "{failure}");
    }
}
