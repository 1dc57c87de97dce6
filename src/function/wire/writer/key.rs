//! Keys of objects: text, or what is written as such.
//!
//! In: the key of any map type. Out: its text. Everything that other writers of JSON refuse as a key is refused here.

use serde::{Serialize, Serializer, ser::Impossible};

use super::{WriteError, WriteErrorKind};

/// Writes the text of a key.
pub(super) struct Key<'out>(pub(super) &'out mut Vec<u8>);

/// Keys are text; integers and booleans are written as such, as in every JSON writer.
macro_rules! key_as_text {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Result<(), WriteError> {
            self.serialize_str(&value.to_string())
        })*
    };
}

macro_rules! no_key {
    ($($method:ident($($type:ty),*) $(<$generic:ident>)? -> $ok:ty: $found:literal;)*) => {
        $(fn $method$(<$generic: Serialize + ?Sized>)?(self, $(_: $type),*) -> Result<$ok, WriteError> {
            Err(WriteErrorKind::Key { found: $found }.into())
        })*
    };
}

type NoKey = Impossible<(), WriteError>;

impl Serializer for Key<'_> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = NoKey;
    type SerializeTuple = NoKey;
    type SerializeTupleStruct = NoKey;
    type SerializeTupleVariant = NoKey;
    type SerializeMap = NoKey;
    type SerializeStruct = NoKey;
    type SerializeStructVariant = NoKey;

    fn serialize_str(self, value: &str) -> Result<(), WriteError> {
        self.0.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        self.serialize_str(variant)
    }

    key_as_text! {
        serialize_bool: bool; serialize_char: char;
        serialize_i8: i8; serialize_i16: i16; serialize_i32: i32; serialize_i64: i64;
        serialize_u8: u8; serialize_u16: u16; serialize_u32: u32; serialize_u64: u64;
    }

    no_key! {
        serialize_f32(f32) -> (): "a number with a fraction";
        serialize_f64(f64) -> (): "a number with a fraction";
        serialize_bytes(&[u8]) -> (): "bytes";
        serialize_none() -> (): "null";
        serialize_unit() -> (): "null";
        serialize_unit_struct(&'static str) -> (): "null";
        serialize_newtype_variant(&'static str, u32, &'static str, &T) <T> -> (): "an object";
        serialize_seq(Option<usize>) -> NoKey: "a list";
        serialize_tuple(usize) -> NoKey: "a list";
        serialize_tuple_struct(&'static str, usize) -> NoKey: "a list";
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> NoKey: "an object";
        serialize_map(Option<usize>) -> NoKey: "an object";
        serialize_struct(&'static str, usize) -> NoKey: "an object";
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> NoKey: "an object";
    }
}
