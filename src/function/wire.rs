//! Lazy reader and direct writer of `google.protobuf.Struct` bytes. (placeholder until the wire branch lands)
/// x
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RawValue(pub serde_json::Value);
