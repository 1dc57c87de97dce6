//! A real Kubernetes with Crossplane on one machine, up and down by one command.
//!
//! In: the programs that `dev/install-tools --e2e` builds, and the packages of `dev/package`. Out: a cluster in
//! namespaces of its own (network, mounts, processes), with function-odoo installed as users install it.
//!
//! The layers, outermost first:
//!
//! | process | is |
//! |---|---|
//! | `cluster up`, `down`, `status`, ... | the command of the person; ends when it has said what there is to say |
//! | `cluster keep` | outside: makes the namespaces, removes what the kernel does not, when everything has ended |
//! | `cluster inside` | process 1 of the namespaces: adopts and buries; with it the kernel ends everything in there |
//! | `cluster supervise` | starts programs in order, installs Crossplane and the packages, and watches |
//!
//! Whichever of these is killed, everything below it is gone with it.

mod certificates;
mod cgroup;
mod crossplane;
mod doubles;
mod gateway;
mod inside;
mod keeper;
mod kubectl;
mod machine;
mod node;
mod place;
mod plane;
mod platform;
mod postgres;
mod program;
mod release;
mod services;
mod supervise;
mod view;
mod workers;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::place::Place;

/// A real cluster on this machine, for trying function-odoo and for its tests.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where `dev/install-tools` puts programs, and where the cluster has its state.
    #[arg(long, env = "FUNCTION_ODOO_CACHE", global = true)]
    cache: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Starts the cluster and installs the packages; nothing happens when it is up.
    Up {
        /// Folder with the packages of dev/package.
        #[arg(long, default_value = "_out")]
        packages: PathBuf,
        /// Another release of Crossplane than the pinned one, such as 2.3.
        #[arg(long)]
        crossplane: Option<String>,
    },
    /// Ends the cluster, and leaves nothing but its logs.
    Down,
    /// What runs, and what it takes.
    Status,
    /// Prints a log; without a name, says which there are.
    Logs {
        /// Name of the log.
        name: Option<String>,
    },
    /// Runs kubectl in the cluster, as its administrator.
    Kubectl {
        /// What kubectl gets.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs psql on the cluster's PostgreSQL, as its superuser.
    Psql {
        /// What psql gets.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs a command in the cluster's network.
    Enter {
        /// The command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Publishes the packages once more under another tag, as a next release whose Jobs run its own image.
    Release {
        /// The tag, such as v0.1.1.
        tag: String,
    },
    /// Removes the files of a tenant that is gone, whose name then is free.
    #[command(hide = true)]
    ForgetFiles {
        /// The name of its database.
        database: String,
    },
    /// Runs redis-cli on the cluster's Redis.
    Redis {
        /// What redis-cli gets.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Lists what is in the backups' bucket, or prints one object of it.
    S3 {
        /// Key of the object.
        key: Option<String>,
    },
    /// Has the Matrix server, the portal or the ERP answer with a failure for a while.
    Misbehave {
        /// matrix, portal or erp.
        system: String,
        /// The status that it answers with, 400 to 599.
        status: u16,
        /// How many requests it answers with that; 0 ends it.
        times: u64,
        /// Only requests that have this text in address or body: a subdomain, a key.
        about: Option<String>,
    },
    #[command(hide = true)]
    Doubles {
        /// Folder with a secret for each.
        secrets: PathBuf,
    },
    /// Runs curl in the cluster's network: every host with https is behind the gateway, whose authority it trusts.
    Curl {
        /// What curl gets.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    #[command(hide = true)]
    Keep {
        /// Folder with the packages.
        packages: PathBuf,
    },
    #[command(hide = true)]
    Inside {
        /// Folder with the packages.
        packages: PathBuf,
    },
    #[command(hide = true)]
    Supervise {
        /// Folder with the packages.
        packages: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("cluster: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Arguments { cache, action }: Arguments) -> Result<ExitCode> {
    let place = Place::new(cache)?;
    match action {
        Action::Up { packages, crossplane } => keeper::up(&place, &packages, crossplane.as_deref()),
        Action::Down => keeper::down(&place),
        Action::Status => view::status(&place),
        Action::Logs { name } => view::logs(&place, name.as_deref()),
        Action::Kubectl { arguments } => view::kubectl(&place, &arguments),
        Action::Psql { arguments } => view::psql(&place, &arguments),
        Action::Enter { command } => view::run(&place, &command),
        Action::Release { tag } => release::publish(&place, &tag),
        Action::ForgetFiles { database } => view::forget_files(&place, &database),
        Action::Redis { arguments } => view::redis(&place, &arguments),
        Action::S3 { key } => view::s3(&place, key.as_deref()),
        Action::Misbehave {
            system,
            status,
            times,
            about,
        } => view::misbehave(&place, &system, status, times, about.as_deref()),
        Action::Doubles { secrets } => doubles::run(&secrets),
        Action::Curl { arguments } => view::curl(&place, &arguments),
        Action::Keep { packages } => keeper::keep(&place, &packages),
        Action::Inside { packages } => inside::run(&place, &packages),
        Action::Supervise { packages } => supervise::run(&place, &packages),
    }
}
