//! Generates the protocol's Rust code from `proto/` without a protoc binary.
//!
//! Two things differ from plain code generation:
//!
//! - Every `google.protobuf.Struct` field becomes undecoded `bytes` (the same wire type under the same number), since
//!   decoding a Struct into a tree is nine tenths of what a call costs. `function::wire` reads and writes those bytes.
//! - `desired` of request and response stay undecoded as a whole, so that what other functions want, fields that
//!   we do not know included, passes through byte for byte.
//!
//! Reflection gets the unchanged descriptors.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;
use prost_types::field_descriptor_proto::Type;

const PROTOS: [&str; 2] = [
    "apiextensions/fn/proto/v1/run_function.proto",
    "apiextensions/fn/proto/v1beta1/run_function.proto",
];
const STRUCT: &str = ".google.protobuf.Struct";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut descriptors = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    for file in &mut descriptors.file {
        for message in &mut file.message_type {
            let outermost = matches!(message.name(), "RunFunctionRequest" | "RunFunctionResponse");
            for field in &mut message.field {
                if field.type_name() == STRUCT || (outermost && field.name() == "desired") {
                    field.set_type(Type::Bytes);
                    field.type_name = None;
                    field.proto3_optional = Some(true);
                }
            }
        }
    }

    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .btree_map(".")
        .disable_comments(["."])
        // Both versions have the same messages, so one set of types serves both services.
        .extern_path(".apiextensions.fn.proto.v1beta1", "crate::function::proto::v1")
        .compile_fds(descriptors)?;
    Ok(())
}
