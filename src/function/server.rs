//! Serves the function: gRPC for Crossplane, HTTP for Prometheus and the kubelet.
//!
//! In: [`Settings`]. Out: nothing but answered calls, until SIGTERM or SIGINT; then health says `NOT_SERVING`, the
//! listener closes, calls in flight finish, and [`serve`] returns.
//!
//! ```text
//! incoming (accept, TLS handshake) --> tonic --> calls (line, deadline, counters) --> service --> function::run
//!     ^ rotation (certificate files)                                  metrics <--+
//! ```
//!
//! Nothing here knows what a composite resource means, and nothing here logs a value of one.

mod address;
mod calls;
mod incoming;
mod metrics;
mod probes;
mod rotation;
mod service;
mod shutdown;
mod tls;

use std::{io, ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tonic::{
    server::NamedService,
    service::Routes,
    transport::{self, server},
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tracing::{info, warn};

pub use address::{Listen, UnreadableAddress};
pub use tls::{Problem, Refused};

use self::{calls::Calls, incoming::Incoming, metrics::Metrics, service::Function, shutdown::Signals};
use super::proto::{
    DESCRIPTORS, v1::function_runner_service_server::FunctionRunnerServiceServer as V1,
    v1beta1::function_runner_service_server::FunctionRunnerServiceServer as V1Beta1,
};

/// How long calls in flight may take to finish after SIGTERM. Kubernetes kills after 30 s; a call takes milliseconds,
/// so this is for slow networks.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

/// After this a connection is asked to move. gRPC clients look at DNS again only when they connect, so without it a new
/// replica would wait for the next restart of Crossplane; a handshake every ten minutes costs nothing.
const CONNECTION_AGE: Duration = Duration::from_secs(10 * 60);

/// How often an idle connection is asked whether its peer still lives, so that vanished ones are given up.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// How long the answer to that may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of a stream that a client may send ahead of our reading. A usual request (40 to 200 KiB) fits in one window.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// Streams that one connection may have open. HTTP/2 advises against fewer than a hundred: clients assume that many
/// before they have read our settings. Not more than a thousand, since every stream may fill a window.
const STREAMS_PER_CONNECTION: RangeInclusive<u32> = 100..=1000;

/// What the server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where gRPC listens.
    pub address: Listen,
    /// Where metrics and probes listen; nowhere when `None`.
    pub metrics_address: Option<Listen>,
    /// Who may call.
    pub security: Security,
    /// The largest request that is read.
    pub request_limit_bytes: usize,
    /// Calls that are worked on at once; more wait in line.
    pub calls_in_flight: u32,
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Everybody, in plain text: for development.
    Insecure,
    /// Who has a certificate of the authority in this folder's `ca.crt`.
    MutualTls(PathBuf),
}

/// Why the server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The gRPC address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address as configured.
        address: Listen,
        /// What the system says.
        source: io::Error,
    },
    /// The metrics address is taken or not ours.
    #[error(
        "cannot listen on {address} for metrics (choose with --metrics-address; empty switches them off)"
    )]
    ListenForMetrics {
        /// The address as configured.
        address: Listen,
        /// What the system says.
        source: io::Error,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] Refused),
    /// The process cannot be told to stop.
    #[error("cannot watch for SIGTERM and SIGINT")]
    Signals(#[source] io::Error),
    /// The descriptors compiled into this program are broken.
    #[error("cannot describe the services for reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server gave up while serving.
    #[error("cannot go on serving")]
    Serving(#[source] transport::Error),
}

/// Serves until SIGTERM or SIGINT.
pub async fn serve(settings: Settings) -> Result<(), Error> {
    let mut signals = Signals::install().map_err(Error::Signals)?;
    let metrics = Arc::new(Metrics::new());
    let identity = match &settings.security {
        Security::Insecure => None,
        Security::MutualTls(folder) => Some(tls::load(folder)?),
    };
    let address = settings.address;
    let listener = address
        .bind()
        .await
        .map_err(|source| Error::Listen { address, source })?;
    let (stop, stopping) = watch::channel(false);
    let probes = start_probes(&settings, &metrics, &stopping).await?;

    announce(
        &settings,
        &listener,
        probes.as_ref().map(|(address, _)| address.as_str()),
        identity.as_ref().and_then(|identity| identity.expires),
    );
    let incoming = match (&settings.security, identity) {
        (Security::MutualTls(folder), Some(identity)) => {
            let followed = rotation::follow(folder.clone(), identity, Arc::clone(&metrics));
            Incoming::secure(listener, followed)
        }
        (Security::Insecure, _) | (Security::MutualTls(_), None) => Incoming::plain(listener),
    };

    let (health, routes) = routes(&settings, &metrics).await?;
    let serving = transport(&settings)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming.into_stream(), stopped(stopping));
    let outcome = run_until_signal(serving, &mut signals, &health, &stop).await;
    if let Some((_, task)) = probes {
        task.abort();
    }
    outcome
}

/// Waits for the server's own end or a signal; after a signal lets calls in flight finish.
async fn run_until_signal(
    serving: impl Future<Output = Result<(), transport::Error>>,
    signals: &mut Signals,
    health: &HealthReporter,
    stop: &watch::Sender<bool>,
) -> Result<(), Error> {
    let mut serving = std::pin::pin!(serving);
    let signal = tokio::select! {
        ended = &mut serving => return ended.map_err(Error::Serving),
        signal = signals.next() => signal,
    };
    info!(signal, grace_seconds = SHUTDOWN_GRACE.as_secs(), "stopping");
    retire(health).await;
    stop.send_replace(true);
    tokio::select! {
        ended = &mut serving => ended.map_err(Error::Serving)?,
        () = tokio::time::sleep(SHUTDOWN_GRACE) => warn!("stopped before every connection closed"),
        signal = signals.next() => warn!(signal, "stopped at once"),
    }
    info!("stopped");
    Ok(())
}

/// The names under which gRPC health knows us; the empty one is the whole server.
const HEALTH_NAMES: [&str; 3] = [
    "",
    <V1<Function> as NamedService>::NAME,
    <V1Beta1<Function> as NamedService>::NAME,
];

async fn retire(health: &HealthReporter) {
    let mut health = health.clone();
    for name in HEALTH_NAMES {
        health.set_service_status(name, ServingStatus::NotServing).await;
        // Ends the streams of those who watch, after they have read the line above: they would hold the shutdown.
        health.clear_service_status(name).await;
    }
}

/// Everything that is served over gRPC.
async fn routes(settings: &Settings, metrics: &Arc<Metrics>) -> Result<(HealthReporter, Routes), Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in HEALTH_NAMES {
        health.set_service_status(name, ServingStatus::Serving).await;
    }
    let limit = settings.request_limit_bytes;
    let function = Function::new(Arc::clone(metrics));
    let line = calls::Line::new(settings.calls_in_flight, metrics);
    let v1 = V1::new(function.clone()).max_decoding_message_size(limit);
    let v1beta1 = V1Beta1::new(function).max_decoding_message_size(limit);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::builder();
    routes
        .add_service(Calls::in_line(v1, "RunFunction", metrics, line.clone()))
        .add_service(Calls::in_line(v1beta1, "RunFunction", metrics, line))
        .add_service(Calls::at_once(health_service, "Check", metrics))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok((health, routes.routes()))
}

/// The HTTP/2 side of the server.
fn transport(settings: &Settings) -> transport::Server {
    let streams = settings
        .calls_in_flight
        .clamp(*STREAMS_PER_CONNECTION.start(), *STREAMS_PER_CONNECTION.end());
    server::Server::builder()
        .max_connection_age(CONNECTION_AGE)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(streams)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        // A connection's window holds the window of each of its streams. Were it smaller, calls waiting in line could
        // fill it with unread bytes and starve the calls being read, which they are waiting for.
        .initial_connection_window_size(STREAM_WINDOW_BYTES.saturating_mul(streams))
}

async fn start_probes(
    settings: &Settings,
    metrics: &Arc<Metrics>,
    stopping: &watch::Receiver<bool>,
) -> Result<Option<(String, JoinHandle<()>)>, Error> {
    let Some(address) = settings.metrics_address else {
        return Ok(None);
    };
    let listener = address
        .bind()
        .await
        .map_err(|source| Error::ListenForMetrics { address, source })?;
    let bound = local_address(&listener);
    Ok(Some((
        bound,
        tokio::spawn(probes::serve(listener, Arc::clone(metrics), stopping.clone())),
    )))
}

fn announce(
    settings: &Settings,
    listener: &TcpListener,
    metrics_address: Option<&str>,
    certificate_expires: Option<Timestamp>,
) {
    info!(
        version = env!("CARGO_PKG_VERSION"),
        address = local_address(listener),
        metrics_address = metrics_address.unwrap_or("off"),
        security = match settings.security {
            Security::Insecure => "insecure",
            Security::MutualTls(_) => "mutual TLS",
        },
        certificate_expires = certificate_expires.map(display),
        request_limit_bytes = settings.request_limit_bytes,
        calls_in_flight = settings.calls_in_flight,
        "serving"
    );
}

fn local_address(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map_or_else(|_| "unknown".to_owned(), |address| address.to_string())
}

/// Done when `stopping` says so, or when nobody is left who could.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
