//! `install`: copies this program to where a container of another image can run it.

use std::{env, fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
};
use crate::contract::{Install, Report};

/// Anybody may run it, nobody may change it: the other container runs as another user.
const MODE: u32 = 0o755;

/// Copies the program under another name first, so that nobody ever runs a half of it.
pub async fn run(attempt: &Attempt, command: &Install) -> Attempted<Option<Report>> {
    attempt.phase("copy").await?;
    if attempt.only_says(&format!("write this program to {}", command.to)) {
        return Ok(None);
    }
    let to = Path::new(&command.to);
    let failed = |what: &str, error: &std::io::Error| {
        Failure::give_up(
            "InstallFailed",
            format!("cannot {what} {}: {error}", to.display()),
        )
    };
    let own = env::current_exe().map_err(|error| failed("find this program for", &error))?;
    let unfinished = to.with_extension("new");
    fs::copy(own, &unfinished).map_err(|error| failed("write", &error))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(MODE))
        .map_err(|error| failed("set the mode of", &error))?;
    fs::rename(&unfinished, to).map_err(|error| failed("put in place", &error))?;
    Ok(None)
}
