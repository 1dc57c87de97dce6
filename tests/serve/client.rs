//! A gRPC client that sends any bytes whatever to either version of the protocol, and can keep a call open.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use tokio::sync::oneshot;
use tonic::{
    Request, Response, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{http::uri::PathAndQuery, tokio_stream},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::{
    certificates::{Pair, SERVER_NAME},
    process::{PATIENCE, Server},
};

pub const V1: &str = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction";
pub const V1BETA1: &str = "/apiextensions.fn.proto.v1beta1.FunctionRunnerService/RunFunction";

/// A connection in plain text.
pub async fn plain(server: &Server) -> Channel {
    endpoint("http", server).connect().await.unwrap()
}

/// A connection that believes `authority` (PEM) and shows `pair`.
pub async fn secure(
    server: &Server,
    authority: &str,
    pair: Option<&Pair>,
) -> Result<Channel, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .domain_name(SERVER_NAME);
    if let Some(pair) = pair {
        tls = tls.identity(Identity::from_pem(&pair.certificate, &pair.key));
    }
    endpoint("https", server).tls_config(tls).unwrap().connect().await
}

fn endpoint(scheme: &str, server: &Server) -> Endpoint {
    Endpoint::from_shared(format!("{scheme}://{}", server.address))
        .unwrap()
        .connect_timeout(PATIENCE)
}

/// Calls and waits for the answer.
pub async fn call(channel: &Channel, path: &'static str, message: impl Into<Bytes>) -> Result<Bytes, Status> {
    let mut client = ready(channel).await?;
    client
        .unary(
            Request::new(message.into()),
            PathAndQuery::from_static(path),
            AnyBytes,
        )
        .await
        .map(Response::into_inner)
}

/// A call whose message is sent, but whose end is not until `release` is used: it stays in flight.
pub fn held(
    channel: &Channel,
    message: impl Into<Bytes>,
) -> (
    oneshot::Sender<()>,
    impl Future<Output = Result<Bytes, Status>> + Send + 'static,
) {
    held_until(channel, message, None)
}

/// As [`held`], with a deadline.
pub fn held_until(
    channel: &Channel,
    message: impl Into<Bytes>,
    deadline: Option<Duration>,
) -> (
    oneshot::Sender<()>,
    impl Future<Output = Result<Bytes, Status>> + Send + 'static,
) {
    let (release, released) = oneshot::channel::<()>();
    let (channel, message) = (channel.clone(), message.into());
    let answer = async move {
        let mut client = ready(&channel).await?;
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        sender.send(message).await.unwrap();
        let end = tokio::spawn(async move {
            let _ = released.await;
            drop(sender);
        });
        let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(receiver));
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        let answer = client
            .client_streaming(request, PathAndQuery::from_static(V1), AnyBytes)
            .await;
        end.abort();
        answer.map(Response::into_inner)
    };
    (release, answer)
}

async fn ready(channel: &Channel) -> Result<Grpc<Channel>, Status> {
    let mut client = Grpc::new(channel.clone());
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(format!("{error:?}")))?;
    Ok(client)
}

/// Bytes in, bytes out.
struct AnyBytes;

impl Codec for AnyBytes {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AnyBytes {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for AnyBytes {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
