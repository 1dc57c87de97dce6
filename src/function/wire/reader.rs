//! The serde deserializer of Struct bytes.
//!
//! In: undecoded bytes of a Struct or Value. Out: calls of a serde visitor. Nothing is decoded before a visitor asks
//! for it: an ignored field costs its length prefix, text is borrowed from the bytes, no tree is built. Numbers are
//! doubles on the wire; those without a fraction are handed over as integers, since that is what types ask for.
//!
//! Every path ends in a value or a [`ReadError`]: slices are bounded by their length prefix, nesting by [`MAX_DEPTH`],
//! and no size on the wire is ever used to allocate.

mod key;
mod variant;

use key::Key;
use serde::{
    de::{
        DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};
use variant::Variant;

use super::{
    MAX_DEPTH,
    cursor::{Cursor, Entry, Payload, text},
    error::{ReadError, ReadErrorKind},
    field, raw,
};

/// Integers up to here are exact in a double; beyond, a double without a fraction need not be the integer that was meant.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// What a Value holds. Text is checked, objects and lists are not opened.
pub(super) enum Kind<'de> {
    Null,
    Number(f64),
    Bool(bool),
    Text(&'de str),
    Object(&'de [u8]),
    List(&'de [u8]),
}

/// Reads one value.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de> {
    source: Source<'de>,
    /// How many objects and lists are open around it.
    depth: usize,
}

#[derive(Clone, Copy)]
enum Source<'de> {
    Struct(&'de [u8]),
    Value(&'de [u8]),
}

struct Entries<'de> {
    cursor: Cursor<'de>,
    current: Entry<'de>,
    depth: usize,
}

struct Elements<'de> {
    cursor: Cursor<'de>,
    index: usize,
    depth: usize,
}

impl<'de> Kind<'de> {
    /// The last field of the oneof counts; none at all is null, as the official runtimes have it.
    pub(super) fn of(value: &'de [u8]) -> Result<Self, ReadError> {
        let mut last = None;
        let mut cursor = Cursor::new(value);
        while let Some(field) = cursor.field()? {
            if (field::NULL..=field::LIST).contains(&field.number) {
                last = Some(field);
            }
        }
        let Some(last) = last else { return Ok(Self::Null) };
        match (last.number, &last.payload) {
            (field::NULL, Payload::Varint(_)) => Ok(Self::Null),
            (field::NUMBER, Payload::Fixed64(bytes)) => finite(f64::from_le_bytes(*bytes)).map(Self::Number),
            (field::TEXT, Payload::Bytes(bytes)) => text(bytes).map(Self::Text),
            (field::BOOL, Payload::Varint(value)) => Ok(Self::Bool(*value != 0)),
            (field::OBJECT, Payload::Bytes(bytes)) => Ok(Self::Object(bytes)),
            (field::LIST, Payload::Bytes(bytes)) => Ok(Self::List(bytes)),
            _ => Err(last.unexpected()),
        }
    }

    fn unexpected(&self) -> Unexpected<'de> {
        match *self {
            Self::Null => Unexpected::Unit,
            Self::Number(number) => {
                exact_integer(number).map_or(Unexpected::Float(number), Unexpected::Signed)
            }
            Self::Bool(value) => Unexpected::Bool(value),
            Self::Text(text) => Unexpected::Str(text),
            Self::Object(_) => Unexpected::Map,
            Self::List(_) => Unexpected::Seq,
        }
    }
}

impl<'de> Reader<'de> {
    pub(super) fn of_struct(bytes: &'de [u8]) -> Self {
        Self {
            source: Source::Struct(bytes),
            depth: 0,
        }
    }

    pub(super) fn of_value(bytes: &'de [u8]) -> Self {
        Self {
            source: Source::Value(bytes),
            depth: 0,
        }
    }

    fn kind(self) -> Result<Kind<'de>, ReadError> {
        match self.source {
            Source::Struct(bytes) => Ok(Kind::Object(bytes)),
            Source::Value(bytes) => Kind::of(bytes),
        }
    }

    fn visit<V: Visitor<'de>>(self, kind: &Kind<'de>, visitor: V) -> Result<V::Value, ReadError> {
        match *kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Number(number) => match exact_integer(number) {
                // A negative zero stays one.
                Some(integer) if integer != 0 || number.is_sign_positive() => visitor.visit_i64(integer),
                _ => visitor.visit_f64(number),
            },
            Kind::Bool(value) => visitor.visit_bool(value),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::Object(bytes) => visitor.visit_map(self.entries(bytes)?),
            Kind::List(bytes) => {
                let mut elements = Elements {
                    cursor: Cursor::new(bytes),
                    index: 0,
                    depth: self.deeper()?,
                };
                let value = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(value)
            }
        }
    }

    fn entries(self, bytes: &'de [u8]) -> Result<Entries<'de>, ReadError> {
        let depth = self.deeper()?;
        Ok(Entries {
            cursor: Cursor::new(bytes),
            current: Entry { key: "", value: &[] },
            depth,
        })
    }

    fn deeper(self) -> Result<usize, ReadError> {
        if self.depth == MAX_DEPTH {
            Err(ReadErrorKind::Depth.into())
        } else {
            Ok(self.depth + 1)
        }
    }

    fn signed<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let kind = self.kind()?;
        match kind {
            Kind::Number(number) => match exact_integer(number) {
                Some(integer) => visitor.visit_i64(integer),
                None => visitor.visit_f64(number),
            },
            _ => self.visit(&kind, visitor),
        }
    }

    fn unsigned<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let kind = self.kind()?;
        let integer = match kind {
            Kind::Number(number) => exact_integer(number).and_then(|integer| u64::try_from(integer).ok()),
            _ => None,
        };
        match integer {
            Some(integer) => visitor.visit_u64(integer),
            None => self.visit(&kind, visitor),
        }
    }

    fn float<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let kind = self.kind()?;
        match kind {
            Kind::Number(number) => visitor.visit_f64(number),
            _ => self.visit(&kind, visitor),
        }
    }
}

/// Forwards what serde asks by type to the method that knows the type.
macro_rules! forward_by_type {
    ($($target:ident: $($method:ident)*;)*) => {
        $($(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            self.$target(visitor)
        })*)*
    };
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.visit(&self.kind()?, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.kind()? {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.source {
            _ if name != raw::NAME => visitor.visit_newtype_struct(self),
            Source::Value(bytes) => visitor.visit_borrowed_bytes(bytes),
            Source::Struct(bytes) => visitor.visit_byte_buf(raw::value_of_struct(bytes)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.kind()? {
            Kind::Text(text) => visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            Kind::Object(bytes) => {
                let depth = self.deeper()?;
                let mut cursor = Cursor::new(bytes);
                let (Some(only), None) = (cursor.entry(field::ENTRIES)?, cursor.entry(field::ENTRIES)?)
                else {
                    return Err(Error::invalid_value(Unexpected::Map, &"an object with one key"));
                };
                let value = Reader {
                    source: Source::Value(only.value),
                    depth,
                };
                visitor.visit_enum(Variant {
                    name: only.key,
                    value,
                })
            }
            kind => Err(Error::invalid_type(
                kind.unexpected(),
                &"text or an object with one key",
            )),
        }
    }

    forward_by_type! {
        signed: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128;
        unsigned: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128;
        float: deserialize_f32 deserialize_f64;
    }

    forward_to_deserialize_any! {
        bool char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.cursor.entry(field::ENTRIES)? else {
            return Ok(None);
        };
        self.current = entry;
        seed.deserialize(Key(self.current.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        seed.deserialize(Reader {
            source: Source::Value(self.current.value),
            depth: self.depth,
        })
        .map_err(|error| error.within(self.current.key))
    }
}

impl Elements<'_> {
    /// A tuple stops where its type ends; what is left would be lost without a word.
    fn end(mut self) -> Result<(), ReadError> {
        let read = self.index;
        let mut found = read;
        while self.cursor.message(field::ELEMENTS)?.is_some() {
            found += 1;
        }
        if found == read {
            return Ok(());
        }
        Err(Error::invalid_length(found, &format!("{read} elements").as_str()))
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(value) = self.cursor.message(field::ELEMENTS)? else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Reader {
            source: Source::Value(value),
            depth: self.depth,
        })
        .map(Some)
        .map_err(|error| error.at(index))
    }
}

fn exact_integer(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
    (number.fract() == 0.0 && number.abs() <= MAX_EXACT_INTEGER).then_some(number as i64)
}

/// NaN and infinities fit a double but no JSON; a reader that let them in would hand them to writers that cannot.
fn finite(number: f64) -> Result<f64, ReadError> {
    if number.is_finite() {
        return Ok(number);
    }
    Err(Error::invalid_value(
        Unexpected::Float(number),
        &"a finite number",
    ))
}
