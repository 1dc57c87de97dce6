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
//! | `failure` `result` | why a command ended without having done it; the termination message |
//! | `secrets` `tls` | values that are never shown, authorities that are believed |
//! | `process` | child processes that end whole |
//! | `postgres` | connections, names in statements, the lock and the marker of a tenant, who may use a database |
//! | `odoo` | installing modules, with gates and proofs |
//! | `filestore` `passlib` | the files of one database; passwords as Odoo stores them |
//! | `http` | the client of everything that is spoken to by HTTP |
//! | `store` `archive` | the object store; compression, encryption and checksums of streams |
//! | `install` | puts this program where another image can run it |
//! | `template` `template_build` `template_remove` | what a template is; building and removing it |
//! | `tenancy` `tenant_init` `tenant_access` `tenant_smoke` `filestore_remove` | a tenant's database and files |
//! | `backup` | backups: made, listed, pruned, read back |
//! | `notify` `event` `room` | what other systems are told of a tenant |

mod archive;
mod attempt;
mod backup;
mod event;
mod failure;
mod filestore;
mod filestore_remove;
mod http;
mod install;
mod notify;
mod odoo;
mod passlib;
mod postgres;
mod process;
mod result;
mod room;
mod secrets;
mod store;
mod template;
mod template_build;
mod template_remove;
mod tenancy;
mod tenant_access;
mod tenant_init;
mod tenant_smoke;
mod tls;

use std::env;

use tracing::error;

use self::{attempt::Attempt, failure::Attempted};
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
ODOO_JOB_RETRY_PAUSE_MILLISECONDS, ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS: patience with other systems, see
portal-notify --help.

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
        Command::TemplateBuild(command) => template_build::run(attempt, command).await,
        Command::TemplateRemove(command) => template_remove::run(attempt, command).await,
        Command::TenantInit(command) => tenant_init::run(attempt, command).await,
        Command::TenantSmoke(command) => tenant_smoke::run(attempt, command).await,
        Command::TenantSuspend(command) => tenant_access::suspend(attempt, command).await,
        Command::TenantResume(command) => tenant_access::resume(attempt, command).await,
        Command::TenantRelease(command) => tenant_access::release(attempt, command).await,
        Command::FilestoreRemove(command) => filestore_remove::run(attempt, command).await,
        Command::RoomCreate(command) => room::create(attempt, command).await,
        Command::RoomRetire(command) => room::retire(attempt, command).await,
        Command::PortalNotify(command) => notify::run(attempt, command, "the account portal").await,
        Command::ErpCallback(command) => notify::run(attempt, command, "the ERP").await,
        Command::EventPublish(command) => event::run(attempt, command).await,
        Command::Backup(command) => backup::make(attempt, command).await,
        Command::BackupPrune(command) => backup::prune(attempt, command).await,
        Command::BackupList(command) => backup::list(attempt, command).await,
        Command::BackupVerify(command) => backup::verify(attempt, command).await,
    }
}
