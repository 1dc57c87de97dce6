//! What the two programs agree on: the arguments, the environment, the exit codes and the results of every Job.
//!
//! [`crate::blueprint`] writes a [`Command`] into a pod, odoo-job reads it back; nothing else knows the spelling.
//! Arguments are `--name=value`, one for each field, so a pod's manifest reads like what it does. Secrets never are
//! arguments: they come as environment variables from Secrets ([`SecretVariable`]). What a Job found goes back as a
//! [`JobResult`].

mod backup;
mod database;
mod notices;
mod result;
mod secrets;

use std::{collections::BTreeMap, ffi::OsString};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde::Serialize;
use serde_json::Value;

pub use self::{
    backup::{Backup, BackupList, BackupPrune, BackupPurpose, BackupVerify, Compression, Store},
    database::{
        FilestoreRemove, Roles, Server, TemplateBuild, TemplateRemove, TenantDatabase, TenantInit,
        TenantRelease, TenantResume, TenantSmoke, TenantSuspend,
    },
    notices::{EventPublish, Notification, RoomCreate, RoomRetire, TenantFacts},
    result::{
        AccessReport, BackupReport, EventReport, ExitCode, JobResult, NoticeReport, Origin, PruneReport,
        RESULT_MAXIMUM_BYTES, RemovedReport, Report, RoomReport, SmokeReport, TemplateReport, TenantReport,
        VerifyReport,
    },
    secrets::*,
};

/// Where the program is in the image of this project.
pub const PROGRAM_PATH: &str = "/odoo-job";
/// Where the init container puts the program for a container of another image.
pub const INSTALLED_PATH: &str = "/job/odoo-job";

/// One command of odoo-job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Copy this program to where a container of another image can run it
    Install(Install),
    /// Build a template database, prove it, seal it and swap it in
    TemplateBuild(TemplateBuild),
    /// Remove a template database and its filestore
    TemplateRemove(TemplateRemove),
    /// Make a cloned database a tenant's, prove it, and give it to the pool
    TenantInit(TenantInit),
    /// Ask the tenant's workers for the tenant: login page and a read through the models
    TenantSmoke(TenantSmoke),
    /// Hide a tenant's database from every pool; its data stays
    TenantSuspend(TenantSuspend),
    /// Give a hidden database back to its pool
    TenantResume(TenantResume),
    /// Make a tenant's database ready to be dropped, once its final backup is there
    TenantRelease(TenantRelease),
    /// Remove a tenant's filestore directory, once its final backup is there
    FilestoreRemove(FilestoreRemove),
    /// Make the tenant's support room, or find it
    RoomCreate(RoomCreate),
    /// Mark the tenant's support room as inactive
    RoomRetire(RoomRetire),
    /// Tell the account portal of the tenant
    PortalNotify(Notification),
    /// Tell the ERP of the tenant
    ErpCallback(Notification),
    /// Publish an event of the tenant
    EventPublish(EventPublish),
    /// Back up a tenant: dump, filestore, manifest
    Backup(Backup),
    /// Delete backups that are older than their retention, never the last good one
    BackupPrune(BackupPrune),
    /// List a tenant's backups
    BackupList(BackupList),
    /// Read a backup back whole and check it against its manifest
    BackupVerify(BackupVerify),
}

/// Copy this program to where a container of another image can run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Install {
    /// Path to write.
    #[arg(long)]
    pub to: String,
}

/// Why arguments are not those of a command.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the arguments: {0}")]
pub struct ContractError(#[from] clap::Error);

/// A command line of odoo-job.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "odoo-job", version)]
pub struct Invocation {
    /// Check everything and say what would be changed, and change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Invocation {
    /// Reads a command line, the program's name first. `lesson` is what `--help` says after the list of commands.
    pub fn parse_line(
        line: impl IntoIterator<Item = OsString>,
        lesson: &'static str,
    ) -> Result<Self, clap::Error> {
        let matches = Self::command()
            .after_long_help(lesson)
            .try_get_matches_from(line)?;
        Self::from_arg_matches(&matches)
    }
}

impl Command {
    /// The arguments of a pod that runs this command.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        for (name, fields) in self.value().as_object().into_iter().flatten() {
            arguments.push(name.clone());
            // Sorted here, so that no feature of serde_json can change the order, and with it the hash of a Job.
            let fields: BTreeMap<&String, &Value> = fields.as_object().into_iter().flatten().collect();
            for (field, value) in fields {
                push(&mut arguments, field, value);
            }
        }
        arguments
    }

    /// The command's name, as in [`Self::arguments`].
    #[must_use]
    pub fn name(&self) -> String {
        let value = self.value();
        value
            .as_object()
            .and_then(|command| command.keys().next().cloned())
            .unwrap_or_default()
    }

    /// Reads the arguments back. Unknown or missing ones are errors that name them, never defaults.
    pub fn parse<T: AsRef<str>>(arguments: &[T]) -> Result<Self, ContractError> {
        let line = ["odoo-job"]
            .into_iter()
            .chain(arguments.iter().map(AsRef::as_ref));
        Ok(Invocation::try_parse_from(line)?.command)
    }

    fn value(&self) -> Value {
        // A command is plain data, which serde_json can always represent.
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn push(arguments: &mut Vec<String>, field: &str, value: &Value) {
    match value {
        Value::String(text) => arguments.push(format!("--{field}={text}")),
        Value::Array(values) => values.iter().for_each(|value| push(arguments, field, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            arguments.push(format!("--{field}={value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smoke() -> Command {
        Command::TenantSmoke(TenantSmoke {
            tenant: TenantDatabase {
                server: Server {
                    database_host: "pg01".to_owned(),
                    database_port: 5432,
                    database_ssl_mode: "disable".to_owned(),
                },
                slug: "acme".to_owned(),
                database: "acme.planapulse.app".to_owned(),
                marker: "1b2c".to_owned(),
            },
            workers_url: "http://worker-odoo.plana-odoo-18:8069".to_owned(),
            host: "acme.planapulse.app".to_owned(),
            odoo_version: 18,
        })
    }

    #[test]
    fn arguments_say_what_they_are() {
        assert_eq!(smoke().name(), "tenant-smoke");
        let expected = [
            "tenant-smoke",
            "--database=acme.planapulse.app",
            "--database-host=pg01",
            "--database-port=5432",
            "--database-ssl-mode=disable",
            "--marker=1b2c",
            "--slug=acme",
            "--workers-url=http://worker-odoo.plana-odoo-18:8069",
            "--host=acme.planapulse.app",
            "--odoo-version=18",
        ];
        let mut arguments = smoke().arguments();
        arguments[1..].sort_unstable();
        let mut expected = expected.map(str::to_owned).to_vec();
        expected[1..].sort_unstable();
        assert_eq!(arguments, expected);
    }

    #[test]
    fn missing_and_unknown_arguments_are_named() {
        let mut arguments = smoke().arguments();
        arguments.retain(|argument| !argument.starts_with("--host"));
        let error = Command::parse(&arguments).unwrap_err().to_string();
        assert!(error.contains("--host"), "{error}");
        arguments.push("--hots=x".to_owned());
        let error = Command::parse(&arguments).unwrap_err().to_string();
        assert!(error.contains("--hots"), "{error}");
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Invocation::command().debug_assert();
    }
}
