//! The dump: `pg_dump` of the state that a snapshot holds.

use std::{
    fs::File,
    io::{Read as _, Write},
};

use tokio::process::ChildStdout;
use tracing::info;

use crate::job::{
    archive,
    attempt::Attempt,
    failure::{Attempted, Failure},
    postgres::{AuthorityFile, Login, Tool, quote_for_connection},
    process::{Program, Running},
    secrets::Redactor,
};

/// A table that a module update holds for longer is not waited for: the dump would hold up whoever comes after.
const LOCK_WAIT: &str = "--lock-wait-timeout=120s";
const BUFFER: usize = 256 << 10;

/// Starts the dump of a database; its output is the archive. The file must live as long as the program runs.
pub fn start(
    login: &Login,
    tool: &Tool,
    database: &str,
    snapshot: &str,
    authority: Option<&AuthorityFile>,
) -> Attempted<(Running, ChildStdout)> {
    let mut program = Program::new(&tool.path)
        .arguments([
            // Compression is ours: its own is slower, and hides from zstd what repeats.
            "--format=custom",
            "--compress=0",
            "--no-password",
            LOCK_WAIT,
        ])
        .arguments([
            format!("--snapshot={snapshot}"),
            format!("--dbname=dbname={}", quote_for_connection(database)),
        ])
        .redact(Redactor::new([login.password.clone()]))
        .variable("LC_ALL", "C");
    for (name, value) in login.environment() {
        program = program.variable(name, value);
    }
    if let Some(file) = authority {
        program = program.variable("PGSSLROOTCERT", file.path());
    }
    program.stream(|line| info!("{line}"))
}

/// Copies the output to where it goes. Blocks.
pub fn copy(output: ChildStdout, to: &mut dyn Write) -> Attempted<()> {
    let lost =
        |error: &std::io::Error| Failure::retry("DumpFailed", format!("cannot read from pg_dump: {error}"));
    let mut output = File::from(output.into_owned_fd().map_err(|error| lost(&error))?);
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = output.read(&mut buffer).map_err(|error| lost(&error))?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])
            .map_err(|error| archive::cannot_write(&error))?;
    }
}

/// Waits for the dump's end; only one that ended well is a dump.
pub async fn prove(running: Running, attempt: &Attempt) -> Attempted<()> {
    let ended = running.wait(attempt).await?;
    if ended.is_success() {
        return Ok(());
    }
    let said = ended.describe();
    let denied = ["permission denied", "must be owner", "server version mismatch"];
    if denied.iter().any(|words| said.contains(words)) {
        return Err(Failure::give_up("DumpRefused", said));
    }
    Err(Failure::retry("DumpFailed", said))
}
