//! The API server, through kubectl.
//!
//! In: manifests and names. Out: applied objects and conditions that hold, or kubectl's complaint.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    place::{Place, RUN},
    program::Programs,
};

const PAUSE: Duration = Duration::from_millis(200);

/// kubectl, as the administrator.
#[derive(Debug)]
pub struct Kubectl {
    programs: Programs,
}

impl Kubectl {
    /// Of the cluster in whose namespaces we are.
    pub fn new(place: &Place) -> Self {
        Self {
            programs: Programs::new(place),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.programs.tool("kubectl");
        command
            .env("KUBECONFIG", format!("{RUN}/admin.kubeconfig"))
            .args(arguments);
        command
    }

    /// Whether the API server says that it is ready.
    pub fn is_ready(&self) -> bool {
        self.command(&["get", "--raw", "/readyz"])
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// What kubectl prints.
    pub fn get(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().context("cannot start kubectl")?;
        checked(&output, &arguments.join(" "))
    }

    /// Applies manifests, which kubectl gets on its standard input: Secrets are in no argument.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let mut command = self.command(&["apply", "--server-side", "--force-conflicts", "-f", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start kubectl")?;
        let mut input = child.stdin.take().context("kubectl has an input")?;
        input
            .write_all(manifests.as_bytes())
            .context("cannot write to kubectl")?;
        drop(input);
        let output = child.wait_with_output().context("cannot wait for kubectl")?;
        checked(&output, "apply").map(drop)
    }

    /// Applies a file or a folder of them.
    pub fn apply_path(&self, path: &Path) -> Result<()> {
        let path = path.to_str().context("the path is text")?;
        self.get(&["apply", "--server-side", "--force-conflicts", "-f", path])
            .map(drop)
    }

    /// Waits as `kubectl wait` does, but also for the object to come into being.
    pub fn wait(&self, arguments: &[&str], limit: Duration) -> Result<()> {
        let started = Instant::now();
        let mut all = vec!["wait", "--timeout=5s"];
        all.extend_from_slice(arguments);
        loop {
            let Err(problem) = self.get(&all) else {
                return Ok(());
            };
            if started.elapsed() > limit {
                bail!("waited {} s in vain: {problem:#}", limit.as_secs());
            }
            thread::sleep(PAUSE);
        }
    }
}

/// The output of a command that went well.
pub fn checked(output: &Output, what: &str) -> Result<String> {
    ensure!(
        output.status.success(),
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
