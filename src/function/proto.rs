//! Generated messages and services of the composition function protocol.
//!
//! In: `proto/`, at build time (`build.rs`). Out: the messages of `apiextensions.fn.proto.v1`, and one gRPC service
//! per protocol version. `google.protobuf.Struct` fields are undecoded [`bytes::Bytes`], read and written by
//! [`super::wire`]; `desired` is undecoded as a whole.

/// The encoded descriptors of `proto/`, unchanged, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The current protocol: called by Crossplane 1.17 and later.
#[expect(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated; documented in proto/"
)]
pub mod v1 {
    tonic::include_proto!("apiextensions.r#fn.proto.v1");
}

/// The older protocol, which Crossplane falls back to; it has the messages of [`v1`].
#[expect(
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated; documented in proto/"
)]
pub mod v1beta1 {
    tonic::include_proto!("apiextensions.r#fn.proto.v1beta1");
}
