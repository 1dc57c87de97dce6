//! odoo-job: the commands, and what they have in common.
//!
//! In: a [`Command`] of the contract, secrets from the environment. Out: an exit code and a [`Report`], which the function
//! reads from the pod's termination message. Every command is gate -> act -> prove, in named phases: the gates touch
//! nothing and refuse what is not ours, the acts can be repeated from wherever an earlier run was killed, and only what was
//! read back counts as done. Odoo's exit code never does: it is 0 for a missing database, an empty one, an unknown
//! module and a broken one (seen with Odoo 17, 18 and 19).
//!
//! | file | what it has |
//! |---|---|
//! | `attempt` | one run: its phases, being told to stop, `--dry-run` |
//! | `failure` | why a command ended without having done it |
//! | `secrets` `tls` | values that are never shown, authorities that are believed |
//! | `process` | child processes that end whole |
//! | `postgres` | connections, names in statements, the lock and the marker of a tenant |
//! | `filestore` | the files of one database |
//! | `store` `archive` | the object store; compression, encryption and checksums of streams |
//! | `backup` | backups: made, listed, pruned, read back |
//! | `http` | the client of everything that is spoken to by HTTP |
//! | `result` | the termination message |

mod archive;
mod attempt;
mod backup;
mod failure;
mod filestore;
mod http;
mod install;
mod postgres;
mod process;
mod result;
mod secrets;
mod store;
mod tls;

use std::env;

use tracing::error;

use self::{
    attempt::Attempt,
    failure::{Attempted, Failure},
};
use crate::{
    contract::{Command, Invocation, Report},
    telemetry::{self, Verbosity},
};

const LESSON: &str = "\
How it is used:
  The Jobs that function-odoo composes run this program; an init container copies it into the Odoo image
  (`odoo-job install`). Each command checks first and refuses what is not this tenant's, then acts, then
  proves what it has done. A command that was killed is simply run again.

Secrets come from environment variables, which the Jobs take from Secrets:
  ODOO_JOB_DATABASE_USERNAME, ODOO_JOB_DATABASE_PASSWORD, ODOO_JOB_DATABASE_CA   the PostgreSQL server
  ODOO_JOB_STORE_KEY_ID, ODOO_JOB_STORE_KEY, ODOO_JOB_AGE_IDENTITY               backups
  ODOO_JOB_ADMIN_PASSWORD or ODOO_JOB_ADMIN_PASSWORD_HASH                        a new tenant's administrator
  ODOO_JOB_MATRIX_TOKEN, ODOO_JOB_SIGNING_KEY, ODOO_JOB_EVENTS_PASSWORD          the systems around
SSL_CERT_FILE names further certificate authorities. RUST_LOG chooses how much is logged.
ODOO_JOB_STORE_PATIENCE is for how many seconds a request to the object store is tried again (180).
ODOO_JOB_POSTGRESQL_BIN names the one folder that pg_dump and pg_restore are taken from.

What it prints:
  Progress as JSON lines on standard error; the result as one JSON document on standard output and in
  /dev/termination-log (ODOO_JOB_TERMINATION_MESSAGE names another file).

Exit codes:
  0   done and proven
  2   the command line is wrong
  70  not done, and another try does not help: see the reason and the way out in the result
  75  not done, another try may help
  78  refused: what is there is not ours; nothing was touched";

/// Exit code for a command line that is wrong.
const USAGE: u8 = 2;

/// Runs the command of the command line; returns its exit code.
#[must_use]
pub fn run() -> std::process::ExitCode {
    let invocation = match Invocation::parse_line(env::args_os(), LESSON) {
        Ok(invocation) => invocation,
        Err(error) => {
            // Standard output for --help, standard error otherwise; a closed one has nobody to tell.
            let _ = error.print();
            return std::process::ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    telemetry::start(Verbosity::Info);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(attempt(&invocation)),
        Err(error) => {
            error!(%error, "cannot start");
            std::process::ExitCode::from(crate::contract::ExitCode::Retry.code())
        }
    }
}

async fn attempt(invocation: &Invocation) -> std::process::ExitCode {
    let command = &invocation.command;
    let attempt = match Attempt::begin(&command.name(), invocation.dry_run) {
        Ok(attempt) => attempt,
        Err(failure) => {
            error!(reason = failure.reason, "{failure}");
            return std::process::ExitCode::from(failure.exit.code());
        }
    };
    let outcome = dispatch(&attempt, command).await;
    std::process::ExitCode::from(result::tell(&attempt, outcome).code())
}

async fn dispatch(attempt: &Attempt, command: &Command) -> Attempted<Option<Report>> {
    match command {
        Command::Install(command) => install::run(attempt, command).await,
        Command::Backup(command) => backup::make(attempt, command).await,
        Command::BackupPrune(command) => backup::prune(attempt, command).await,
        Command::BackupList(command) => backup::list(attempt, command).await,
        Command::BackupVerify(command) => backup::verify(attempt, command).await,
        Command::TemplateBuild(_)
        | Command::TemplateRemove(_)
        | Command::TenantInit(_)
        | Command::TenantSmoke(_)
        | Command::TenantSuspend(_)
        | Command::TenantResume(_)
        | Command::TenantRelease(_)
        | Command::FilestoreRemove(_)
        | Command::RoomCreate(_)
        | Command::RoomRetire(_)
        | Command::PortalNotify(_)
        | Command::ErpCallback(_)
        | Command::EventPublish(_) => Err(Failure::give_up("NotThere", "this release cannot do this")),
    }
}
