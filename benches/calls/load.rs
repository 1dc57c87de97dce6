//! The load generator: the same bytes again and again over one connection, as one Crossplane sends them.
//!
//! In: a server and how many calls are in flight. Out: how long each took. It decodes nothing, so that it takes little of
//! the machine that the servers are measured on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tonic::{
    Request, Response, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{
    certificates::{Pair, SERVER_NAME},
    floor::AnyBytes,
    server::Server,
};

const PATH: &str = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction";
/// A server that takes longer than this to listen never will.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts to connect: well below the start of any contender.
const RETRY: Duration = Duration::from_micros(200);

/// What a client shows, and whom it believes.
pub struct Credentials {
    pub authority: String,
    pub client: Pair,
}

/// A phase of load.
pub struct Load {
    /// How long each call took, in order of length.
    pub latencies: Vec<Duration>,
    /// How long the whole took.
    pub elapsed: Duration,
}

/// Connects as soon as somebody listens.
pub async fn connect(
    server: &Server,
    credentials: Option<&Credentials>,
) -> Result<Channel, tonic::transport::Error> {
    let start = Instant::now();
    loop {
        match endpoint(server, credentials)?.connect().await {
            Err(_) if start.elapsed() < PATIENCE => tokio::time::sleep(RETRY).await,
            connected => return connected,
        }
    }
}

fn endpoint(server: &Server, credentials: Option<&Credentials>) -> Result<Endpoint, tonic::transport::Error> {
    let address = server.address;
    let Some(Credentials { authority, client }) = credentials else {
        return Endpoint::from_shared(format!("http://{address}"));
    };
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .identity(Identity::from_pem(&client.certificate, &client.key))
        .domain_name(SERVER_NAME);
    Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)
}

/// One call.
pub async fn call(channel: &Channel, request: Bytes) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    client
        .unary(Request::new(request), PathAndQuery::from_static(PATH), AnyBytes)
        .await
        .map(Response::into_inner)
}

/// `calls` calls, `in_flight` at once.
pub async fn run(channel: &Channel, request: &Bytes, in_flight: usize, calls: usize) -> Result<Load, Status> {
    let start = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (channel, request) = (channel.clone(), request.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(calls / in_flight);
                for _ in 0..calls / in_flight {
                    let start = Instant::now();
                    call(&channel, request.clone()).await?;
                    latencies.push(start.elapsed());
                }
                Ok::<_, Status>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(calls);
    for caller in callers {
        latencies.extend(
            caller
                .await
                .map_err(|error| Status::internal(error.to_string()))??,
        );
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok(Load { latencies, elapsed })
}

impl Load {
    /// The latency that this part of the calls stayed below, in microseconds.
    pub fn quantile_microseconds(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index below the number of calls"
        )]
        let index = (self.latencies.len() as f64 * part) as usize;
        self.latencies
            .get(index)
            .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }

    /// Calls in a second.
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let calls = self.latencies.len() as f64;
        calls / self.elapsed.as_secs_f64()
    }
}
