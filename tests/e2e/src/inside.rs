//! Process 1 of the cluster's namespaces.
//!
//! In: nothing but the supervisor to start. Out: its end is ours, and with ours the kernel kills everything in the
//! namespaces. Until then, whatever loses its parent in here becomes our child, and is waited for.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};
use rustix::process::{WaitOptions, wait};

use crate::{cgroup, place::Place};

/// Starts the supervisor, and buries everybody else.
pub fn run(place: &Place, packages: &Path) -> Result<ExitCode> {
    cgroup::join()?;
    let supervisor = Command::new(env::current_exe().context("cannot tell what this program is")?)
        .arg("--cache")
        .arg(place.cache())
        .arg("supervise")
        .arg(packages)
        .spawn()
        .context("cannot start the supervisor")?;
    loop {
        let ended = wait(WaitOptions::empty()).context("cannot wait for the supervisor")?;
        if let Some((pid, status)) = ended
            && pid.as_raw_nonzero().get().unsigned_abs() == supervisor.id()
        {
            let is_well = status.exit_status() == Some(0);
            return Ok(if is_well {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
    }
}
