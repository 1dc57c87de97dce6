//! Keys of objects, which are text on the wire, for map types that want them parsed.
//!
//! In: the text of a key. Out: the text, or the integer or boolean that it spells, whichever the type asks for.

use serde::{
    de::{Deserializer, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use super::ReadError;

/// Reads one key.
pub(super) struct Key<'de>(pub(super) &'de str);

/// Keys are text on the wire; a map type may want them parsed.
macro_rules! parse_key {
    ($($method:ident => $visit:ident: $type:ty;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
            .map_err(|error: ReadError| error.within(self.0))
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor
            .visit_enum(BorrowedStrDeserializer::new(self.0))
            .map_err(|error: ReadError| error.within(self.0))
    }

    parse_key! {
        deserialize_bool => visit_bool: bool;
        deserialize_i8 => visit_i64: i64;
        deserialize_i16 => visit_i64: i64;
        deserialize_i32 => visit_i64: i64;
        deserialize_i64 => visit_i64: i64;
        deserialize_u8 => visit_u64: u64;
        deserialize_u16 => visit_u64: u64;
        deserialize_u32 => visit_u64: u64;
        deserialize_u64 => visit_u64: u64;
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
