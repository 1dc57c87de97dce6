//! Where the result of a command goes: the termination message, which the function reads, and standard output.

use std::{env, fs, path::PathBuf};

use tracing::{error, info, warn};

use super::{
    attempt::{Attempt, println_result},
    failure::{Attempted, Failure},
};
use crate::contract::{ExitCode, JobResult, Report};

/// Names the file with the termination message where it is not Kubernetes' own.
pub const MESSAGE_VARIABLE: &str = "ODOO_JOB_TERMINATION_MESSAGE";
const MESSAGE_FILE: &str = "/dev/termination-log";

/// Tells how a command ended, everywhere, and gives its exit code.
pub fn tell(attempt: &Attempt, outcome: Attempted<Option<Report>>) -> ExitCode {
    let result = match outcome {
        Ok(report) => JobResult {
            command: attempt.command().to_owned(),
            outcome: ExitCode::Done,
            reason: None,
            message: None,
            phase: None,
            report,
        },
        Err(Failure {
            exit,
            reason,
            message,
        }) => JobResult {
            command: attempt.command().to_owned(),
            outcome: exit,
            reason: Some(reason.to_owned()),
            message: Some(message),
            phase: Some(attempt.current_phase().to_owned()),
            report: None,
        },
    };
    if let (Some(reason), Some(message)) = (&result.reason, &result.message) {
        error!(reason, phase = attempt.current_phase(), "{message}");
    } else {
        info!("done");
    }
    let message = result.to_message();
    println_result(&message);
    leave(&message);
    result.outcome
}

/// Leaves the message for the kubelet. Outside of a pod there is no such file, and nobody misses it.
fn leave(message: &str) {
    let named = env::var_os(MESSAGE_VARIABLE).map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| PathBuf::from(MESSAGE_FILE));
    if named.is_none() && !path.exists() {
        return;
    }
    if let Err(error) = fs::write(&path, message) {
        warn!(%error, path = %path.display(), "cannot leave the result for the kubelet");
    }
}
