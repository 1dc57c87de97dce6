//! The transport alone: a server that reads any bytes and answers with the bytes it was started with.
//!
//! In: a gRPC message. Out: always the same one, of the size of the function's answer. What a function costs beyond this
//! is its own; nothing on top of tonic can cost less.

use std::{
    convert::Infallible,
    net::SocketAddr,
    task::{Context, Poll},
};

use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService, UnaryService},
    transport::Server,
};

/// Serves until it is killed.
pub async fn serve(address: SocketAddr, answer: Bytes) -> Result<(), tonic::transport::Error> {
    Server::builder().add_service(Canned(answer)).serve(address).await
}

#[derive(Clone)]
struct Canned(Bytes);

impl NamedService for Canned {
    const NAME: &'static str = "apiextensions.fn.proto.v1.FunctionRunnerService";
}

impl Service<http::Request<Body>> for Canned {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let canned = self.clone();
        Box::pin(async move { Ok(Grpc::new(AnyBytes).unary(canned, request).await) })
    }
}

impl UnaryService<Bytes> for Canned {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.clone())))
    }
}

/// Bytes in, bytes out.
#[derive(Clone)]
pub struct AnyBytes;

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
