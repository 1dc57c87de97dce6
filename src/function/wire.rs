//! Lazy reader and direct writer of `google.protobuf.Struct` bytes.
//!
//! In: the undecoded bytes of an object, and a type that derives serde's traits. Out: the fields that the type has,
//! read straight from the bytes; or the bytes, written straight from the type. No tree in between: building one is nine
//! tenths of what a call of a composition function costs otherwise, and hardly any of it is looked at.
//!
//! Rules of reading, where protobuf and JSON leave a choice:
//!
//! - Nothing is checked that is not read: text is UTF-8 and numbers are finite where a type asks for them.
//! - A key that is there twice is `DuplicateField` for a derived struct, and the last one for maps and
//!   [`serde_json::Value`], as protobuf has it. Of a repeated field inside one value the last counts; protobuf would
//!   merge two objects there, which no writer of JSON emits.
//! - Numbers without a fraction up to 2^53 are integers. A Value that holds nothing is null.
//! - Unknown fields are skipped. Groups, NaN, infinities and more than [`MAX_DEPTH`] levels are errors.
//! - Behind `flatten` and untagged enums serde buffers, and paths of errors end at the buffer.

mod cursor;
mod encode;
mod error;
mod raw;
mod reader;
pub mod state;
mod writer;

use serde::{Deserialize, Serialize};

pub use error::{ReadError, ReadErrorKind, SHOWN_CHARACTERS, WriteError, WriteErrorKind};
pub use raw::RawValue;

/// Levels of nested objects and lists: the customary recursion limit of protobuf runtimes, and far more than any
/// object of Kubernetes has. It bounds our stack.
pub const MAX_DEPTH: usize = 100;

/// Bytes of one Struct: sixteen times what gRPC carries in one message by default, so whatever is larger is a mistake.
pub const MAX_BYTES: usize = 64 << 20;

/// Field numbers of `google/protobuf/struct.proto`.
mod field {
    /// `Struct.fields`
    pub(super) const ENTRIES: u32 = 1;
    /// The key of a map entry.
    pub(super) const ENTRY_KEY: u32 = 1;
    /// The value of a map entry.
    pub(super) const ENTRY_VALUE: u32 = 2;
    /// `Value.null_value`, the first of the oneof.
    pub(super) const NULL: u32 = 1;
    /// `Value.number_value`
    pub(super) const NUMBER: u32 = 2;
    /// `Value.string_value`
    pub(super) const TEXT: u32 = 3;
    /// `Value.bool_value`
    pub(super) const BOOL: u32 = 4;
    /// `Value.struct_value`
    pub(super) const OBJECT: u32 = 5;
    /// `Value.list_value`, the last of the oneof.
    pub(super) const LIST: u32 = 6;
    /// `ListValue.values`
    pub(super) const ELEMENTS: u32 = 1;
}

/// Reads what `T` has fields for out of the bytes of a Struct.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, ReadError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReadErrorKind::Size(bytes.len()).into());
    }
    T::deserialize(reader::Reader::of_struct(bytes))
}

/// Decodes everything. Costs many times a [`read`] of a few fields: for objects whose shape nobody knows.
pub fn to_json(bytes: &[u8]) -> Result<serde_json::Value, ReadError> {
    read(bytes)
}

/// Writes `value`, which must serialize to an object, as the bytes of a Struct.
pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WriteError> {
    let mut out = Vec::new();
    write_into(value, &mut out)?;
    Ok(out)
}

/// Appends the bytes of a Struct to `out`; after an error `out` is as it was.
pub fn write_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), WriteError> {
    writer::append_struct(value, out)
}
