//! Logging, for both programs.
//!
//! In: how much to say. Out: one JSON object a line on standard error, so that standard output stays for results.
//! `RUST_LOG` (`info,function_odoo=debug`) replaces the level. Nobody may log values of a spec or a Secret; this
//! module cannot check that, tests plant secrets and look.

use std::{env, io};

use tracing::warn;
use tracing_subscriber::EnvFilter;

/// Debug lines of the transport (every HTTP/2 frame) would bury ours.
const DEBUG: &str = "debug,axum=info,h2=info,hyper=info,hyper_util=info,rustls=info,tonic=info,tower=info";

/// PostgreSQL's notices (`schema already exists, skipping`) are at this level, and tell an operator nothing.
const INFO: &str = "info,tokio_postgres=warn";

const LEVEL_VARIABLE: &str = "RUST_LOG";

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// What an operator wants to know.
    Info,
    /// More, for finding a fault.
    Debug,
}

/// Starts logging to standard error. A second call changes nothing.
pub fn start(verbosity: Verbosity) {
    let default = || {
        EnvFilter::new(match verbosity {
            Verbosity::Info => INFO,
            Verbosity::Debug => DEBUG,
        })
    };
    let wanted = env::var(LEVEL_VARIABLE).ok().filter(|text| !text.is_empty());
    let (filter, unreadable) = match wanted.map(EnvFilter::try_new) {
        None => (default(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (default(), Some(error)),
    };
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(verbosity == Verbosity::Debug)
        .with_writer(io::stderr)
        .with_env_filter(filter)
        .try_init();
    if let (Ok(()), Some(error)) = (started, unreadable) {
        warn!(%error, "cannot read {LEVEL_VARIABLE}, logging as without it");
    }
}
