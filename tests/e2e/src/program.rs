//! The programs of the cluster, each with a log.
//!
//! In: commands, in their order. Out: running programs; one that ends before it was ready is an error with the end of
//! its log, one that ends later is told in the status.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::place::{NODE, Place};

const PAUSE: Duration = Duration::from_millis(50);
/// How much of a log an error shows.
const LOG_LINES: usize = 15;

/// A program that was started.
#[derive(Debug)]
struct Program {
    name: &'static str,
    child: Child,
    ended: Option<ExitStatus>,
}

/// All that were started, first to last.
#[derive(Debug)]
pub struct Programs {
    place: Place,
    started: Instant,
    all: Vec<Program>,
}

impl Programs {
    /// None yet; time counts from here.
    pub fn new(place: &Place) -> Self {
        Self {
            place: place.clone(),
            started: Instant::now(),
            all: Vec::new(),
        }
    }

    /// How long this cluster has been coming up.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says what has been reached, and when.
    pub fn say(&self, what: &str) {
        println!("{:6.1} s  {what}", self.elapsed().as_secs_f32());
    }

    /// One of `dev/install-tools`.
    pub fn tool(&self, name: &str) -> Command {
        command(&self.place.tool(name))
    }

    /// Starts a program; its output is its log.
    pub fn start(&mut self, name: &'static str, mut command: Command) -> Result<()> {
        let path = self.place.log(name);
        let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let child = command
            .stdout(log.try_clone().context("cannot share the log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        self.all.push(Program {
            name,
            child,
            ended: None,
        });
        Ok(())
    }

    /// Waits until the program answers.
    pub fn wait(&mut self, name: &str, limit: Duration, ready: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            self.look();
            if let Some(status) = self.ended(name) {
                bail!("{name} has ended, {status}:\n{}", self.tail(name));
            }
            if started.elapsed() > limit {
                bail!(
                    "{name} does not answer after {} s:\n{}",
                    limit.as_secs(),
                    self.tail(name)
                );
            }
            thread::sleep(PAUSE);
        }
        self.say(&format!("{name} answers"));
        Ok(())
    }

    /// Looks who has ended; true when somebody has since the last time.
    pub fn look(&mut self) -> bool {
        let mut is_news = false;
        for program in &mut self.all {
            if program.ended.is_none()
                && let Ok(Some(status)) = program.child.try_wait()
            {
                println!("{} has ended: {status}", program.name);
                program.ended = Some(status);
                is_news = true;
            }
        }
        is_news
    }

    fn ended(&self, name: &str) -> Option<ExitStatus> {
        self.all.iter().find(|program| program.name == name)?.ended
    }

    fn tail(&self, name: &str) -> String {
        tail(&self.place.log(name), LOG_LINES)
    }

    /// Writes down who runs, for `dev/status`.
    pub fn record(&self) -> Result<()> {
        let line = |program: &Program| match program.ended {
            None => format!("{:24} running\n", program.name),
            Some(status) => format!("{:24} ended, {status}\n", program.name),
        };
        let text: String = self.all.iter().map(line).collect();
        let new: PathBuf = self.place.programs().with_extension("new");
        fs::write(&new, text).context("cannot write the status")?;
        fs::rename(new, self.place.programs()).context("cannot replace the status")
    }
}

/// A command that finds the programs of the node, and nothing of the person's settings.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command.env(
        "PATH",
        format!("{NODE}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    );
    command.env("HOME", "/run").env("LC_ALL", "C.UTF-8");
    command
}

/// One of `dev/node`.
pub fn node_tool(name: &str) -> Command {
    command(&Path::new(NODE).join("bin").join(name))
}

/// The last lines of a file.
pub fn tail(path: &Path, lines: usize) -> String {
    let Ok(file) = File::open(path) else {
        return format!("(there is no {})", path.display());
    };
    let mut last = VecDeque::with_capacity(lines);
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        if last.len() == lines {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join("\n")
}
