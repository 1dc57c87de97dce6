//! `function-odoo serve`: flags and environment to server settings.
//!
//! In: the flags and variables of the official SDKs for Go and Rust. Out: a running server, until it is told to stop. The
//! server itself is [`crate::function::server`].

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use crate::{
    function::server::{self, Listen, Security, Settings},
    telemetry::{self, Verbosity},
};
use anyhow::{Context as _, anyhow};
use clap::{
    Args,
    builder::{FalseyValueParser, OsStringValueParser},
};
use tracing::error;

/// Room for 100 tenants' worth of required resources; the SDKs' 4 MiB is refused too soon when objects carry their
/// field managers.
const REQUEST_LIMIT: &str = "16Mi";

/// Crossplane works on at most 100 composite resources of a kind at once; more calls than this only come from many
/// kinds at a restart, and those wait in line.
const CALLS_IN_FLIGHT: u32 = 128;

/// More than this cannot be meant: the memory for that many requests does not exist.
const CALLS_IN_FLIGHT_LIMIT: i64 = 65_535;

/// Below this a bare number counts MiB (the Go SDK's habit), from here on bytes (the Rust SDK's). No request fits into
/// fewer bytes, and no machine takes messages of a GiB.
const FIRST_BYTE_COUNT: usize = 1024;

/// gRPC writes lengths in 32 bits, and a request of a GiB is a mistake.
const REQUEST_LIMIT_BYTES: usize = 1024 * 1024 * 1024;

#[derive(Args, Debug)]
pub struct Arguments {
    /// Where gRPC listens; ":9443" is every address, IPv6 and IPv4
    #[arg(long, value_name = "ADDRESS", default_value = ":9443")]
    address: Listen,

    /// Folder with tls.crt, tls.key and ca.crt: serve with TLS to clients that have a certificate of ca.crt
    #[arg(long, value_name = "FOLDER", env = "TLS_SERVER_CERTS_DIR", hide_env_values = true,
          value_parser = OsStringValueParser::new())]
    tls_certs_dir: Option<OsString>,

    /// Serve everybody in plain text, whatever --tls-certs-dir says
    #[arg(long)]
    insecure: bool,

    /// Log more (never values of a spec)
    #[arg(long, short, env = "DEBUG", hide_env_values = true, value_parser = FalseyValueParser::new())]
    debug: bool,

    /// Largest request: 16Mi, 512Ki, or a number (below 1024: MiB, else bytes)
    #[arg(long, value_name = "SIZE", default_value = REQUEST_LIMIT, value_parser = size)]
    max_recv_message_size: usize,

    /// Calls worked on at once; more wait in line until their deadline
    #[arg(long, value_name = "CALLS", default_value_t = CALLS_IN_FLIGHT,
          value_parser = clap::value_parser!(u32).range(1..=CALLS_IN_FLIGHT_LIMIT))]
    max_in_flight: u32,

    /// Where metrics and probes listen; empty switches them off
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "METRICS_ADDRESS",
        hide_env_values = true,
        default_value = ":8080"
    )]
    metrics_address: String,

    /// Accepted as in functions written in Go; there is only tcp
    #[arg(long, value_name = "NETWORK", default_value = "tcp", value_parser = ["tcp"])]
    network: String,
}

/// Serves until told to stop.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let debug = arguments.debug;
    let settings = arguments.settings()?;
    telemetry::start(if debug { Verbosity::Debug } else { Verbosity::Info });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    match runtime.block_on(server::serve(settings)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(cause @ server::Error::Serving(_)) => {
            error!(error = format!("{:#}", anyhow!(cause)), "failed");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

impl Arguments {
    fn settings(self) -> anyhow::Result<Settings> {
        let Self {
            address,
            tls_certs_dir,
            insecure,
            debug: _,
            max_recv_message_size,
            max_in_flight,
            metrics_address,
            network: _,
        } = self;
        // Set but empty counts as not set, as everywhere in a pod.
        let certificates = tls_certs_dir
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from);
        let security = match (insecure, certificates) {
            (true, _) => Security::Insecure,
            (false, Some(folder)) => Security::MutualTls(folder),
            (false, None) => anyhow::bail!(
                "cannot serve without certificates: name their folder with --tls-certs-dir or TLS_SERVER_CERTS_DIR, \
                 or serve everybody with --insecure"
            ),
        };
        let metrics_address = match metrics_address.as_str() {
            "" => None,
            text => Some(text.parse().context("cannot use --metrics-address")?),
        };
        Ok(Settings {
            address,
            metrics_address,
            security,
            request_limit_bytes: max_recv_message_size,
            calls_in_flight: max_in_flight,
        })
    }
}

/// Reads a size as both SDKs' users write it.
fn size(text: &str) -> Result<usize, String> {
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30)];
    let (digits, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, Some(shift))))
        .unwrap_or((text, None));
    let number = digits
        .parse::<usize>()
        .ok()
        .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let bytes = number.and_then(|number| match shift {
        Some(shift) => number.checked_mul(1 << shift),
        None if number < FIRST_BYTE_COUNT => number.checked_mul(1 << 20),
        None => Some(number),
    });
    match bytes {
        Some(bytes) if (1..=REQUEST_LIMIT_BYTES).contains(&bytes) => Ok(bytes),
        _ => Err("write a size from 1Ki to 1Gi, such as 16Mi, 4194304 (bytes) or 16 (MiB)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_the_habits_of_both_sdks() {
        assert_eq!(size("4"), Ok(4 << 20));
        assert_eq!(size("1023"), Ok(1023 << 20));
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("4194304"), Ok(4 << 20));
        assert_eq!(size("16Mi"), Ok(16 << 20));
        assert_eq!(size("512Ki"), Ok(512 << 10));
        assert_eq!(size("1Gi"), Ok(1 << 30));
    }

    #[test]
    fn sizes_that_mean_nothing_are_refused() {
        for text in [
            "",
            "0",
            "-1",
            "+4",
            "4MB",
            "Mi",
            "1.5Mi",
            "2Gi",
            "99999999999999999999",
            "18446744073709551615Ki",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
