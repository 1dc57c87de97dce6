//! The serde serializer to Struct bytes.
//!
//! In: any value that serializes to an object. Out: the bytes of a Struct, appended to a buffer; no tree in between.
//! A nested message gets one byte for its length, which is filled in when the message ends; only a message of 128 bytes
//! or more is moved, by the bytes that its length needs in addition. Entries come in the order in which they are
//! serialized, fields in the order of their numbers, and an empty key is left out: what prost would write.
//!
//! Whatever JSON cannot hold, or would hold as something else, is an error with its path, never a silent change.

mod compound;
mod key;

use compound::{List, Object, Wrapper};
use serde::{Serialize, Serializer};

use super::{
    MAX_BYTES, MAX_DEPTH,
    cursor::Cursor,
    encode::{append_bytes, append_double, append_number, open},
    error::{WriteError, WriteErrorKind},
    field, raw,
    reader::Kind,
};

/// Writes one Value.
pub(super) struct Writer<'out> {
    out: &'out mut Vec<u8>,
    /// How many objects and lists are open around it.
    depth: usize,
    /// Whether bytes are an undecoded Value, to be taken as they are.
    splice: bool,
}

/// Appends the bytes of a Struct; after an error the buffer is as it was.
pub(super) fn append_struct<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), WriteError> {
    let start = out.len();
    let written = value
        .serialize(Writer {
            out,
            depth: 0,
            splice: false,
        })
        .and_then(|()| unwrap_object(out, start));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// The bytes of a Value.
pub(super) fn value_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WriteError> {
    let mut out = Vec::new();
    value.serialize(Writer {
        out: &mut out,
        depth: 0,
        splice: false,
    })?;
    Ok(out)
}

/// Turns the Value since `start` into the Struct that it holds.
fn unwrap_object(out: &mut Vec<u8>, start: usize) -> Result<(), WriteError> {
    let written = out.get(start..).unwrap_or_default();
    let found = match Kind::of(written).map_err(|error| WriteErrorKind::Raw(error.kind().clone()))? {
        Kind::Object(object) if object.len() > MAX_BYTES => {
            return Err(WriteErrorKind::Size(object.len()).into());
        }
        Kind::Object(object) => {
            let first = Cursor::new(written).field();
            if first.is_ok_and(|field| field.is_some_and(|field| field.raw.len() == written.len())) {
                let head = written.len() - object.len();
                out.drain(start..start + head);
            } else {
                // An undecoded Value with more in it than its object.
                let object = object.to_vec();
                out.splice(start.., object);
            }
            return Ok(());
        }
        Kind::Null => "null",
        Kind::Number(_) => "a number",
        Kind::Bool(_) => "a boolean",
        Kind::Text(_) => "text",
        Kind::List(_) => "a list",
    };
    Err(WriteErrorKind::NoObject { found }.into())
}

impl<'out> Writer<'out> {
    fn number(self, number: f64) {
        append_double(self.out, field::NUMBER, number);
    }

    fn deeper(&self) -> Result<usize, WriteError> {
        if self.depth >= MAX_DEPTH {
            Err(WriteErrorKind::Depth.into())
        } else {
            Ok(self.depth + 1)
        }
    }

    fn wrap(&mut self, name: &'static str) -> Result<Wrapper, WriteError> {
        self.depth = self.deeper()?;
        let object = open(self.out, field::OBJECT);
        let entry = open(self.out, field::ENTRIES);
        if !name.is_empty() {
            append_bytes(self.out, field::ENTRY_KEY, name.as_bytes());
        }
        let value = open(self.out, field::ENTRY_VALUE);
        Ok(Wrapper {
            name,
            starts: [object, entry, value],
        })
    }

    fn object(self, wrapper: Option<Wrapper>) -> Result<Object<'out>, WriteError> {
        let depth = self.deeper()?;
        let start = open(self.out, field::OBJECT);
        Ok(Object {
            out: self.out,
            depth,
            start,
            wrapper,
            entry: start,
            key: start..start,
        })
    }

    fn list(self, wrapper: Option<Wrapper>) -> Result<List<'out>, WriteError> {
        let depth = self.deeper()?;
        let start = open(self.out, field::LIST);
        Ok(List {
            out: self.out,
            depth,
            start,
            wrapper,
            index: 0,
        })
    }
}

/// Integers become doubles; one that no double is exactly would be read back as another.
macro_rules! exact_integers {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Result<(), WriteError> {
            #[expect(clippy::cast_precision_loss, reason = "compared below")]
            let double = value as f64;
            #[expect(clippy::cast_possible_truncation, reason = "128 bits hold every double of a 64 bit integer")]
            let exact = double as i128 == i128::from(value);
            if !exact {
                return Err(WriteErrorKind::InexactInteger(value.to_string()).into());
            }
            self.number(double);
            Ok(())
        })*
    };
}

macro_rules! small_integers {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Result<(), WriteError> {
            self.number(f64::from(value));
            Ok(())
        })*
    };
}

impl<'out> Serializer for Writer<'out> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = List<'out>;
    type SerializeTuple = List<'out>;
    type SerializeTupleStruct = List<'out>;
    type SerializeTupleVariant = List<'out>;
    type SerializeMap = Object<'out>;
    type SerializeStruct = Object<'out>;
    type SerializeStructVariant = Object<'out>;

    small_integers! {
        serialize_i8: i8; serialize_i16: i16; serialize_i32: i32;
        serialize_u8: u8; serialize_u16: u16; serialize_u32: u32;
    }

    exact_integers! { serialize_i64: i64; serialize_u64: u64; }

    fn serialize_bool(self, value: bool) -> Result<(), WriteError> {
        append_number(self.out, field::BOOL, u64::from(value));
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), WriteError> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), WriteError> {
        if !value.is_finite() {
            return Err(WriteErrorKind::NotFinite(value).into());
        }
        self.number(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), WriteError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), WriteError> {
        append_bytes(self.out, field::TEXT, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), WriteError> {
        if !self.splice {
            return Err(WriteErrorKind::Bytes.into());
        }
        self.out.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), WriteError> {
        append_number(self.out, field::NULL, 0);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), WriteError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        value.serialize(Writer {
            splice: name == raw::NAME,
            ..self
        })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        let wrapper = self.wrap(variant)?;
        value
            .serialize(Writer {
                out: &mut *self.out,
                depth: self.depth,
                splice: false,
            })
            .map_err(|error| error.within(variant))?;
        Wrapper::end(Some(wrapper), self.out);
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List<'out>, WriteError> {
        self.list(None)
    }

    fn serialize_tuple(self, _length: usize) -> Result<List<'out>, WriteError> {
        self.list(None)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<List<'out>, WriteError> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<List<'out>, WriteError> {
        let wrapper = self.wrap(variant)?;
        self.list(Some(wrapper))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Object<'out>, WriteError> {
        self.object(None)
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Object<'out>, WriteError> {
        self.object(None)
    }

    fn serialize_struct_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Object<'out>, WriteError> {
        let wrapper = self.wrap(variant)?;
        self.object(Some(wrapper))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde_json::{Value, json};

    use crate::function::wire::{
        MAX_BYTES, MAX_DEPTH, WriteError, WriteErrorKind, to_json, write, write_into,
    };

    fn failure<T: Serialize>(value: T) -> WriteError {
        write(&BTreeMap::from([("a", vec![value])])).unwrap_err()
    }

    #[test]
    fn the_outermost_value_must_be_an_object() {
        for (value, found) in [
            (json!(null), "null"),
            (json!(1), "a number"),
            (json!(true), "a boolean"),
            (json!("x"), "text"),
            (json!([{}]), "a list"),
        ] {
            let error = write(&value).unwrap_err();
            assert_eq!(error.kind(), &WriteErrorKind::NoObject { found });
            assert_eq!(
                error.to_string(),
                format!("cannot write the object: it is {found}, expected an object")
            );
        }
        assert!(write(&Some(json!({}))).unwrap().is_empty());
    }

    #[test]
    fn an_integer_that_no_double_holds_is_an_error_and_others_are_not() {
        let error = failure((1_u64 << 53) + 1);
        assert_eq!(error.path(), "a[0]");
        assert_eq!(
            error.kind(),
            &WriteErrorKind::InexactInteger("9007199254740993".into())
        );
        assert!(matches!(
            failure(i64::MAX).kind(),
            WriteErrorKind::InexactInteger(_)
        ));
        assert!(matches!(
            failure(u64::MAX).kind(),
            WriteErrorKind::InexactInteger(_)
        ));
        for exact in [i64::MIN, -(1 << 53), 1 << 53, 1 << 60] {
            assert!(write(&BTreeMap::from([("a", exact)])).is_ok(), "{exact}");
        }
    }

    #[test]
    fn nan_and_infinities_are_errors_and_the_largest_doubles_are_not() {
        assert!(matches!(failure(f64::NAN).kind(), WriteErrorKind::NotFinite(number) if number.is_nan()));
        assert_eq!(
            failure(f32::INFINITY).kind(),
            &WriteErrorKind::NotFinite(f64::INFINITY)
        );
        let bytes = write(&BTreeMap::from([("a", [1e300, f64::MIN_POSITIVE, f64::MAX])])).unwrap();
        assert_eq!(
            to_json(&bytes).unwrap(),
            json!({"a": [1e300, f64::MIN_POSITIVE, f64::MAX]})
        );
    }

    #[test]
    fn bytes_are_refused() {
        struct Blob;
        impl Serialize for Blob {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&[1])
            }
        }
        assert_eq!(failure(Blob).kind(), &WriteErrorKind::Bytes);
    }

    #[test]
    fn an_error_leaves_the_buffer_as_it_was() {
        let mut out = vec![1, 2];
        assert!(write_into(&json!([]), &mut out).is_err());
        assert!(write_into(&BTreeMap::from([("a", f64::NAN)]), &mut out).is_err());
        assert_eq!(out, [1, 2]);
        write_into(&json!({"a": null}), &mut out).unwrap();
        assert_eq!(out, [1, 2, 0x0a, 7, 0x0a, 1, b'a', 0x12, 2, 0x08, 0]);
    }

    #[test]
    fn every_shape_of_serde_is_what_serde_json_makes_of_it() {
        #[derive(Serialize)]
        struct Unit;
        #[derive(Serialize)]
        struct Wrapped(u8);
        #[derive(Serialize)]
        struct Pair(u8, char);
        #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
        enum Variant {
            Unit,
            Wrapped(u8),
            Pair(u8, Option<bool>),
            Fields { x: i8, y: Vec<u8> },
        }
        #[derive(Serialize)]
        struct Shapes {
            unit: (),
            unit_struct: Unit,
            wrapped: Wrapped,
            pair: Pair,
            tuple: (i16, u32, f32),
            none: Option<u8>,
            some: Option<u8>,
            variants: Vec<Variant>,
            by_number: BTreeMap<i32, bool>,
            by_bool: BTreeMap<bool, char>,
            by_variant: BTreeMap<Variant, u8>,
            #[serde(skip_serializing_if = "Option::is_none")]
            skipped: Option<u8>,
            #[serde(flatten)]
            flattened: BTreeMap<String, Value>,
        }
        let fields = || Variant::Fields {
            x: -1,
            y: vec![1; 200],
        };
        let shapes = Shapes {
            unit: (),
            unit_struct: Unit,
            wrapped: Wrapped(1),
            pair: Pair(2, 'ü'),
            tuple: (-3, 4, 0.5),
            none: None,
            some: Some(1),
            variants: vec![
                Variant::Unit,
                Variant::Wrapped(1),
                Variant::Pair(1, None),
                fields(),
            ],
            by_number: BTreeMap::from([(-1, true)]),
            by_bool: BTreeMap::from([(true, 'x')]),
            by_variant: BTreeMap::from([(Variant::Unit, 1)]),
            skipped: None,
            flattened: BTreeMap::from([("extra".into(), json!({"": [[], {}, null]}))]),
        };
        assert_eq!(
            to_json(&write(&shapes).unwrap()).unwrap(),
            serde_json::to_value(&shapes).unwrap()
        );
        assert_eq!(
            to_json(&write(&fields()).unwrap()).unwrap(),
            serde_json::to_value(fields()).unwrap()
        );
    }

    #[test]
    fn errors_inside_variants_and_under_odd_keys_have_their_path() {
        #[derive(Serialize)]
        enum Variant {
            Wrapped(f64),
            Pair(u8, f64),
            Fields { x: f64 },
        }
        let path = |variant| {
            write(&BTreeMap::from([("a.b/c", variant)]))
                .unwrap_err()
                .path()
                .to_owned()
        };
        assert_eq!(path(Variant::Wrapped(f64::NAN)), r#"["a.b/c"].Wrapped"#);
        assert_eq!(path(Variant::Pair(1, f64::NAN)), r#"["a.b/c"].Pair[1]"#);
        assert_eq!(path(Variant::Fields { x: f64::NAN }), r#"["a.b/c"].Fields.x"#);
    }

    #[test]
    fn a_key_that_is_no_text_is_refused() {
        let error = write(&BTreeMap::from([("a", BTreeMap::from([(vec![1], 1)]))])).unwrap_err();
        assert_eq!(
            (error.path(), error.kind()),
            ("a", &WriteErrorKind::Key { found: "a list" })
        );
        let error = write(&BTreeMap::from([(None::<u8>, 1)])).unwrap_err();
        assert_eq!(error.kind(), &WriteErrorKind::Key { found: "null" });
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |levels: usize| {
            let inner = (2..levels).fold(json!([]), |value, _| json!([value]));
            json!({"deep": inner})
        };
        assert!(to_json(&write(&nested(MAX_DEPTH)).unwrap()).is_ok());
        let error = write(&nested(MAX_DEPTH + 1)).unwrap_err();
        assert_eq!(error.kind(), &WriteErrorKind::Depth);
        assert!(error.path().starts_with("deep[0][0]"));
        assert_eq!(write(&nested(200)).unwrap_err().kind(), &WriteErrorKind::Depth);
    }

    #[test]
    fn an_object_that_is_too_large_is_an_error() {
        let error = write(&BTreeMap::from([("a", "x".repeat(MAX_BYTES))])).unwrap_err();
        assert!(matches!(error.kind(), WriteErrorKind::Size(size) if *size > MAX_BYTES));
    }

    #[test]
    fn lengths_of_every_size_are_patched_right() {
        for length in [
            0, 1, 100, 113, 114, 115, 116, 117, 118, 119, 120, 127, 128, 16_370, 16_384, 2_097_152,
        ] {
            let object = json!({"k": {"list": ["x".repeat(length), length]}});
            assert_eq!(to_json(&write(&object).unwrap()).unwrap(), object, "{length}");
        }
    }
}
