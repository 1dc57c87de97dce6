//! What the two programs agree on: the arguments, the environment and the exit codes of every Job.
//!
//! [`crate::blueprint`] writes a [`Command`] into a pod, odoo-job reads it back; nothing else knows the spelling.
//! Arguments are `--name=value`, one for each field, so a pod's manifest reads like what it does. Secrets never are
//! arguments: they come as environment variables from Secrets ([`SecretVariable`]).

use std::collections::BTreeMap;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use serde_json::Value;

/// Where the program is in the image of this project.
pub const PROGRAM_PATH: &str = "/odoo-job";
/// Where the init container puts the program for a container of another image.
pub const INSTALLED_PATH: &str = "/job/odoo-job";

/// How odoo-job ends. The Jobs' podFailurePolicy knows these codes; they are from `sysexits.h` where one fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Done and proven.
    Done,
    /// Not done; trying again may help.
    Retry,
    /// Not done; trying again does not help.
    GiveUp,
    /// What is there is not ours to touch; nothing was touched.
    Refused,
}

/// One command of odoo-job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Subcommand)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Copy this program to where a container of another image can run it.
    Install(Install),
    /// Make a cloned database a tenant's, and prove it.
    TenantInit(TenantInit),
    /// Ask the tenant's workers for the tenant.
    TenantSmoke(TenantSmoke),
    /// Make the tenant's support room.
    RoomCreate(RoomCreate),
    /// Tell the account portal of the tenant.
    PortalNotify(Notification),
    /// Tell the ERP of the tenant.
    ErpCallback(Notification),
    /// Publish an event.
    EventPublish(EventPublish),
    /// Back up a tenant.
    Backup(Backup),
}

/// Copy this program to where a container of another image can run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Install {
    /// Path to write.
    #[arg(long)]
    pub to: String,
}

/// How a command reaches the database server; the login is in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Server {
    /// Host of the server.
    #[arg(long)]
    pub database_host: String,
    /// Port of the server.
    #[arg(long)]
    pub database_port: u16,
    /// `disable`, `require`, `verify-ca` or `verify-full`.
    #[arg(long)]
    pub database_ssl_mode: String,
}

/// Make a cloned database a tenant's, and prove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantInit {
    /// How the server is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub server: Server,
    /// Subdomain of the tenant.
    #[arg(long)]
    pub slug: String,
    /// The tenant's database.
    #[arg(long)]
    pub database: String,
    /// The marker that the database is to carry.
    #[arg(long)]
    pub marker: String,
    /// The marker that the database carries already, when it is taken over.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt: Option<String>,
    /// The template that the database was cloned from.
    #[arg(long)]
    pub template: String,
    /// Odoo major of the database.
    #[arg(long)]
    pub odoo_version: u32,
    /// Role that is to own the database in the end.
    #[arg(long)]
    pub application_role: String,
    /// Role that owns it until then.
    #[arg(long)]
    pub maintenance_role: String,
    /// Host name that the tenant is served by.
    #[arg(long)]
    pub host: String,
    /// Login and mail address of the administrator.
    #[arg(long)]
    pub owner_email: String,
    /// Name of the administrator and of the company.
    #[arg(long)]
    pub owner_name: String,
    /// Odoo's data directory.
    #[arg(long)]
    pub data_directory: String,
}

/// Ask the tenant's workers for the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantSmoke {
    /// URL of the workers, past the gateway.
    #[arg(long)]
    pub workers_url: String,
    /// Host name to ask for.
    #[arg(long)]
    pub host: String,
    /// Odoo major that must answer.
    #[arg(long)]
    pub odoo_version: u32,
}

/// Make the tenant's support room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct RoomCreate {
    /// URL of the homeserver.
    #[arg(long)]
    pub homeserver: String,
    /// Server name of the room's alias.
    #[arg(long)]
    pub server_name: String,
    /// Alias of the room, without `#` and server name.
    #[arg(long)]
    pub alias: String,
    /// Name of the room.
    #[arg(long)]
    pub name: String,
    /// Mail address of the owner, who is invited.
    #[arg(long)]
    pub owner_email: String,
    /// Matrix ids that are invited.
    #[arg(long)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invite: Vec<String>,
}

/// The facts of a tenant that other systems are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantFacts {
    /// Subdomain.
    #[arg(long)]
    pub subdomain: String,
    /// Number of the customer's project.
    #[arg(long)]
    pub project_id: i64,
    /// Tier.
    #[arg(long)]
    pub tier: String,
    /// Odoo major.
    #[arg(long)]
    pub odoo_version: u32,
    /// Mail address of the owner.
    #[arg(long)]
    pub owner_email: String,
    /// Name of the owner.
    #[arg(long)]
    pub owner_name: String,
    /// URL of the tenant.
    #[arg(long)]
    pub tenant_url: String,
}

/// Tell a system of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Notification {
    /// URL to post to.
    #[arg(long)]
    pub url: String,
    /// Makes a second post harmless: always the same for the same news.
    #[arg(long)]
    pub idempotency_key: String,
    /// What it is told.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantFacts,
}

/// Publish an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct EventPublish {
    /// URL of the Redis server.
    #[arg(long)]
    pub address: String,
    /// Name of the stream.
    #[arg(long)]
    pub stream: String,
    /// About how many entries the stream keeps.
    #[arg(long)]
    pub max_length: u32,
    /// `type` of the event.
    #[arg(long)]
    pub event_type: String,
    /// `source` of the event.
    #[arg(long)]
    pub source: String,
    /// `id` of the event: always the same for the same news.
    #[arg(long)]
    pub id: String,
    /// `data` of the event.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantFacts,
}

/// Back up a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Backup {
    /// How the server is reached.
    #[command(flatten)]
    #[serde(flatten)]
    pub server: Server,
    /// Subdomain of the tenant: prefix of its backups.
    #[arg(long)]
    pub slug: String,
    /// The tenant's database.
    #[arg(long)]
    pub database: String,
    /// The marker that the database must carry.
    #[arg(long)]
    pub marker: String,
    /// Odoo's data directory.
    #[arg(long)]
    pub data_directory: String,
    /// URL of the object store.
    #[arg(long)]
    pub endpoint: String,
    /// Region of the object store.
    #[arg(long)]
    pub region: String,
    /// Bucket.
    #[arg(long)]
    pub bucket: String,
    /// Days for which backups are kept.
    #[arg(long)]
    pub retention_days: u32,
    /// Whom the backup is encrypted to.
    #[arg(long)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub age_recipient: Vec<String>,
}

/// A secret that a command reads from its environment, and the key of the Secret that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    /// Name of the environment variable.
    pub variable: &'static str,
    /// Key in the Secret.
    pub key: &'static str,
}

/// User name at the database server.
pub const DATABASE_USERNAME: SecretVariable = SecretVariable {
    variable: "ODOO_JOB_DATABASE_USERNAME",
    key: "username",
};
/// Password at the database server.
pub const DATABASE_PASSWORD: SecretVariable = SecretVariable {
    variable: "ODOO_JOB_DATABASE_PASSWORD",
    key: "password",
};
/// Key id at the object store.
pub const STORE_KEY_ID: SecretVariable = SecretVariable {
    variable: "ODOO_JOB_STORE_KEY_ID",
    key: "access-key-id",
};
/// Secret key at the object store.
pub const STORE_KEY: SecretVariable = SecretVariable {
    variable: "ODOO_JOB_STORE_KEY",
    key: "secret-access-key",
};
/// Access token of the Matrix server.
pub const MATRIX_TOKEN: SecretVariable = SecretVariable {
    variable: "ODOO_JOB_MATRIX_TOKEN",
    key: "token",
};
/// Key that requests are signed with.
pub const SIGNING_KEY: SecretVariable = SecretVariable {
    variable: "ODOO_JOB_SIGNING_KEY",
    key: "signing-key",
};
/// Password of the event stream's server.
pub const EVENTS_PASSWORD: SecretVariable = SecretVariable {
    variable: "ODOO_JOB_EVENTS_PASSWORD",
    key: "password",
};

/// Why arguments are not those of a command.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the arguments: {0}")]
pub struct ContractError(#[from] clap::Error);

#[derive(Parser)]
#[command(name = "odoo-job", no_binary_name = true)]
struct Invocation {
    #[command(subcommand)]
    command: Command,
}

impl ExitCode {
    /// The number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Done => 0,
            Self::Retry => 75,
            Self::GiveUp => 70,
            Self::Refused => 78,
        }
    }

    /// The code of a number; `None` for one that is not ours (a crash, a signal).
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        [Self::Done, Self::Retry, Self::GiveUp, Self::Refused]
            .into_iter()
            .find(|known| known.code() == code)
    }
}

impl Command {
    /// The arguments of a pod that runs this command.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        // A command is plain data, which serde_json can always represent.
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut arguments = Vec::new();
        for (name, fields) in value.as_object().into_iter().flatten() {
            arguments.push(name.clone());
            // Sorted here, so that no feature of serde_json can change the order, and with it the hash of a Job.
            let fields: BTreeMap<&String, &Value> = fields.as_object().into_iter().flatten().collect();
            for (field, value) in fields {
                push(&mut arguments, field, value);
            }
        }
        arguments
    }

    /// Reads the arguments back. Unknown or missing ones are errors that name them, never defaults.
    pub fn parse<T: AsRef<str>>(arguments: &[T]) -> Result<Self, ContractError> {
        let arguments = arguments.iter().map(|argument| argument.as_ref().to_owned());
        Ok(Invocation::try_parse_from(arguments)?.command)
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
            workers_url: "http://worker-odoo.plana-odoo-18:8069".to_owned(),
            host: "acme.planapulse.app".to_owned(),
            odoo_version: 18,
        })
    }

    #[test]
    fn arguments_say_what_they_are() {
        let expected = [
            "tenant-smoke",
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
        use clap::CommandFactory as _;
        Invocation::command().debug_assert();
    }

    #[test]
    fn exit_codes_are_read_back() {
        for code in [
            ExitCode::Done,
            ExitCode::Retry,
            ExitCode::GiveUp,
            ExitCode::Refused,
        ] {
            assert_eq!(ExitCode::from_code(code.code()), Some(code));
        }
        assert_eq!(ExitCode::from_code(137), None);
    }
}
