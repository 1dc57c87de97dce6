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

    /// Derived structs would take the elements of a list for their fields, in order of declaration.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.kind()? {
            Kind::List(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            kind => self.visit(&kind, visitor),
        }
    }

    forward_by_type! {
        signed: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128;
        unsigned: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128;
        float: deserialize_f32 deserialize_f64;
    }

    forward_to_deserialize_any! {
        bool char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
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

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, collections::BTreeMap};

    use serde::Deserialize;
    use serde_json::{Value, json};

    use crate::function::wire::{MAX_BYTES, MAX_DEPTH, ReadError, ReadErrorKind, read, to_json, write};

    fn read_json<T: for<'de> Deserialize<'de>>(object: &Value) -> Result<T, ReadError> {
        read(&write(object).unwrap())
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        project_id: i64,
        #[serde(default)]
        domains: Vec<String>,
        #[serde(default)]
        tier: Option<Tier>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Object {
        spec: Spec,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Tier {
        Shared,
        Sized(u8),
        Pair(u8, String),
        Custom { cpu: String },
    }

    fn failure(object: &Value) -> (String, ReadErrorKind, String) {
        let error = read_json::<Object>(object).unwrap_err();
        (error.path().to_owned(), error.kind().clone(), error.to_string())
    }

    #[test]
    fn the_wrong_type_is_named_with_its_field_its_value_and_what_belongs_there() {
        let (path, kind, text) = failure(&json!({"spec": {"projectId": "x"}}));
        assert_eq!(path, "spec.projectId");
        assert!(matches!(kind, ReadErrorKind::InvalidType { .. }));
        assert_eq!(
            text,
            r#"cannot read spec.projectId: it is the text "x", expected an integer"#
        );
        let (.., text) = failure(&json!({"spec": {"projectId": 1.5}}));
        assert_eq!(
            text,
            "cannot read spec.projectId: it is the number 1.5, expected an integer"
        );
        let (path, _, text) = failure(&json!({"spec": {"projectId": 1, "domains": ["a", "b", null]}}));
        assert_eq!(path, "spec.domains[2]");
        assert_eq!(text, "cannot read spec.domains[2]: it is null, expected text");
        let (.., text) = failure(&json!({"spec": [1]}));
        assert_eq!(text, "cannot read spec: it is a list, expected an object");
    }

    #[test]
    fn a_number_out_of_range_says_the_range() {
        let (.., text) = failure(&json!({"spec": {"projectId": 1, "tier": {"sized": 256}}}));
        assert_eq!(
            text,
            "cannot read spec.tier.sized: it is the integer 256, expected an integer from 0 to 255"
        );
    }

    #[test]
    fn a_missing_field_is_the_path() {
        let (path, kind, text) = failure(&json!({"spec": {}}));
        assert_eq!(
            (path.as_str(), kind),
            ("spec.projectId", ReadErrorKind::MissingField("projectId".into()))
        );
        assert_eq!(text, "cannot read spec.projectId: it is missing");
    }

    #[test]
    fn unknown_fields_are_skipped_unless_the_type_denies_them() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its errors are looked at")]
        struct Strict {
            known: i64,
            other: i64,
        }
        assert!(read_json::<Object>(&json!({"x": [{}], "spec": {"projectId": 1, "x": 2}})).is_ok());
        let error = read_json::<BTreeMap<String, Strict>>(&json!({"a": {"odd": 1}})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read a.odd: there is no such field, expected known or other"
        );
        assert!(matches!(error.kind(), ReadErrorKind::UnknownField { found, .. } if found == "odd"));
    }

    #[test]
    fn enums_read_from_text_and_from_objects_with_one_key() {
        let tier = |value| read_json::<Object>(&json!({"spec": {"projectId": 1, "tier": value}}));
        let of = |value| tier(value).unwrap().spec.tier.unwrap();
        assert_eq!(of(json!("shared")), Tier::Shared);
        assert_eq!(of(json!({"shared": null})), Tier::Shared);
        assert_eq!(of(json!({"sized": 7})), Tier::Sized(7));
        assert_eq!(of(json!({"pair": [7, "x"]})), Tier::Pair(7, "x".into()));
        assert_eq!(
            of(json!({"custom": {"cpu": "1"}})),
            Tier::Custom { cpu: "1".into() }
        );
        assert_eq!(tier(json!(null)).unwrap().spec.tier, None);
        let text = |value| tier(value).unwrap_err().to_string();
        assert_eq!(
            text(json!("big")),
            r#"cannot read spec.tier: it is the text "big", expected shared, sized, pair or custom"#
        );
        assert!(
            text(json!({"sized": 1, "shared": null})).ends_with("an object, expected an object with one key")
        );
        assert!(text(json!({"pair": [7]})).starts_with("cannot read spec.tier.pair: its length is 1"));
        assert!(
            text(json!({"pair": [7, "x", 1]})).starts_with("cannot read spec.tier.pair: its length is 3")
        );
        assert!(text(json!({"shared": 1})).ends_with("it is the integer 1, expected null"));
        assert!(text(json!({"custom": 1})).ends_with("it is the integer 1, expected an object"));
    }

    #[test]
    fn what_nobody_reads_is_not_looked_at() {
        // {"broken": <a Value cut short>, "spec": {"projectId": 1}}
        let mut bytes = vec![0x0a, 2 + 6 + 3, 0x0a, 6];
        bytes.extend(b"broken");
        bytes.extend([0x12, 1, 0x2a]);
        bytes.extend(write(&json!({"spec": {"projectId": 1}})).unwrap());
        assert_eq!(read::<Object>(&bytes).unwrap().spec.project_id, 1);
        let error = to_json(&bytes).unwrap_err();
        assert_eq!(
            (error.path(), error.kind()),
            ("broken", &ReadErrorKind::Truncated)
        );
    }

    #[test]
    fn text_is_borrowed_from_the_bytes() {
        #[derive(Deserialize)]
        struct Borrowing<'a> {
            name: &'a str,
            #[serde(borrow)]
            labels: BTreeMap<&'a str, Cow<'a, str>>,
        }
        let bytes = write(&json!({"name": "n", "labels": {"a": "b"}})).unwrap();
        let object: Borrowing = read(&bytes).unwrap();
        assert!(bytes.as_ptr_range().contains(&object.name.as_ptr()));
        assert!(
            object
                .labels
                .iter()
                .all(|(key, _)| bytes.as_ptr_range().contains(&key.as_ptr()))
        );
    }

    #[test]
    fn whole_numbers_are_integers_up_to_2_to_the_53() {
        let limit = 1_i64 << 53;
        for integer in [0, 1, -1, limit, -limit] {
            assert_eq!(
                read_json::<BTreeMap<String, i64>>(&json!({"n": integer})).unwrap()["n"],
                integer
            );
        }
        assert_eq!(
            read_json::<BTreeMap<String, u64>>(&json!({"n": limit})).unwrap()["n"],
            limit.cast_unsigned()
        );
        assert!(read_json::<BTreeMap<String, u64>>(&json!({"n": -1})).is_err());
        assert!(read_json::<BTreeMap<String, i64>>(&json!({"n": limit * 2})).is_err());
        assert_eq!(
            read_json::<Value>(&json!({"n": limit * 2})).unwrap()["n"].as_f64(),
            Some(2_f64.powi(54))
        );
        assert_eq!(read_json::<Value>(&json!({"n": 3.0})).unwrap(), json!({"n": 3}));
        assert_eq!(
            read_json::<BTreeMap<String, f64>>(&json!({"n": 3})).unwrap()["n"].to_bits(),
            3_f64.to_bits()
        );
    }

    #[test]
    fn a_negative_zero_stays_one_and_is_an_integer_for_those_who_ask() {
        let object = json!({"n": -0.0});
        assert!(
            read_json::<Value>(&object).unwrap()["n"]
                .as_f64()
                .unwrap()
                .is_sign_negative()
        );
        assert_eq!(read_json::<BTreeMap<String, i64>>(&object).unwrap()["n"], 0);
        assert_eq!(read_json::<BTreeMap<String, u16>>(&object).unwrap()["n"], 0);
    }

    #[test]
    fn serde_buffers_work_flattened_untagged_and_tagged() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(untagged)]
        enum Port {
            Number(u16),
            Name(String),
        }
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(tag = "type")]
        enum Source {
            Git { url: String, depth: u8 },
        }
        #[derive(Debug, PartialEq, Deserialize)]
        struct Mixed {
            ports: Vec<Port>,
            source: Source,
            #[serde(flatten)]
            spec: BTreeMap<String, Value>,
        }
        let object =
            json!({"ports": [80, "http"], "source": {"depth": 3, "type": "Git", "url": "u"}, "x": [1.5]});
        let expected = Mixed {
            ports: vec![Port::Number(80), Port::Name("http".into())],
            source: Source::Git {
                url: "u".into(),
                depth: 3,
            },
            spec: BTreeMap::from([("x".into(), json!([1.5]))]),
        };
        assert_eq!(read_json::<Mixed>(&object).unwrap(), expected);
    }

    #[test]
    fn keys_of_other_types_are_parsed() {
        assert_eq!(
            read_json::<BTreeMap<u16, bool>>(&json!({"8080": true})).unwrap(),
            BTreeMap::from([(8080, true)])
        );
        let error =
            read_json::<BTreeMap<String, BTreeMap<u16, bool>>>(&json!({"p": {"http": true}})).unwrap_err();
        assert_eq!(error.path(), "p.http");
    }

    #[test]
    fn a_key_that_is_there_twice_is_an_error_for_a_struct_and_the_last_for_a_map() {
        let mut bytes = write(&json!({"spec": {"projectId": 1}})).unwrap();
        bytes.extend(write(&json!({"spec": {"projectId": 2}})).unwrap());
        let error = read::<Object>(&bytes).unwrap_err();
        assert_eq!(
            (error.path(), error.kind()),
            ("spec", &ReadErrorKind::DuplicateField("spec".into()))
        );
        assert_eq!(to_json(&bytes).unwrap(), json!({"spec": {"projectId": 2}}));
        assert_eq!(
            read::<BTreeMap<String, Spec>>(&bytes).unwrap()["spec"].project_id,
            2
        );
    }

    #[test]
    fn nan_and_infinities_are_refused_when_read() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut bytes = vec![0x0a, 14, 0x0a, 1, b'n', 0x12, 9, 0x11];
            bytes.extend(number.to_le_bytes());
            assert_eq!(bytes.len(), 16);
            let error = to_json(&bytes).unwrap_err();
            assert_eq!(error.path(), "n");
            assert!(
                matches!(error.kind(), ReadErrorKind::InvalidValue { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn invalid_utf8_is_an_error_in_keys_and_values_that_are_read() {
        let value = [0x0a, 8, 0x0a, 1, b'n', 0x12, 3, 0x1a, 1, 0xff];
        let error = to_json(&value).unwrap_err();
        assert_eq!((error.path(), error.kind()), ("n", &ReadErrorKind::Utf8));
        let key = [0x0a, 7, 0x0a, 1, 0xff, 0x12, 2, 0x20, 1];
        assert_eq!(to_json(&key).unwrap_err().kind(), &ReadErrorKind::Utf8);
    }

    /// `{"deep": [[...[]...]], "name": "n"}`: as many levels as said, the outermost object included.
    fn nested(levels: usize) -> Vec<u8> {
        let mut value = Vec::new();
        for _ in 1..levels {
            let mut outer = Vec::new();
            if !value.is_empty() {
                super::super::encode::append_bytes(&mut outer, 1, &value);
            }
            value.clear();
            super::super::encode::append_bytes(&mut value, 6, &outer);
        }
        let mut entry = Vec::new();
        super::super::encode::append_bytes(&mut entry, 1, b"deep");
        super::super::encode::append_bytes(&mut entry, 2, &value);
        let mut bytes = Vec::new();
        super::super::encode::append_bytes(&mut bytes, 1, &entry);
        bytes.extend(write(&json!({"name": "n"})).unwrap());
        bytes
    }

    #[test]
    fn nesting_ends_at_the_limit_and_only_for_those_who_go_there() {
        #[derive(Deserialize)]
        struct Shallow {
            name: String,
        }
        assert!(to_json(&nested(MAX_DEPTH)).is_ok());
        for levels in [MAX_DEPTH + 1, 200, 3000] {
            let error = to_json(&nested(levels)).unwrap_err();
            assert_eq!(error.kind(), &ReadErrorKind::Depth);
            assert!(error.path().starts_with("deep[0][0]"));
            assert_eq!(read::<Shallow>(&nested(levels)).unwrap().name, "n");
        }
    }

    #[test]
    fn a_struct_that_is_too_large_is_refused_unread() {
        let error = to_json(&vec![0; MAX_BYTES + 1]).unwrap_err();
        assert_eq!(error.kind(), &ReadErrorKind::Size(MAX_BYTES + 1));
    }

    #[test]
    fn a_value_without_content_is_null_and_the_last_content_counts() {
        assert_eq!(to_json(&[0x0a, 3, 0x0a, 1, b'n']).unwrap(), json!({"n": null}));
        assert_eq!(
            to_json(&[0x0a, 9, 0x0a, 1, b'n', 0x12, 4, 0x20, 1, 0x20, 0]).unwrap(),
            json!({"n": false})
        );
        assert_eq!(to_json(&[]).unwrap(), json!({}));
    }

    #[test]
    fn null_is_none_and_unit_and_nothing_else() {
        assert_eq!(
            read_json::<BTreeMap<String, Option<u8>>>(&json!({"a": null, "b": 1})).unwrap()["a"],
            None
        );
        assert!(read_json::<BTreeMap<String, Vec<()>>>(&json!({"a": [null]})).is_ok());
        assert!(read_json::<BTreeMap<String, String>>(&json!({"a": null})).is_err());
    }
}
