//! A value that stays as it came.
//!
//! In: any JSON value, undecoded, out of the bytes that [`super::read`] reads. Out: the very same bytes, spliced into
//! what [`super::write`](super::write()) writes. Keeping an observed object's part unchanged thus costs a copy, and
//! loses nothing that our types do not know. With any other serde format it is the value that it holds.

use std::fmt::{Debug, Formatter};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, Visitor},
    ser::Error as _,
};
use serde_json::Value;

use super::{encode, error::ReadError, field, reader::Reader, writer};

/// The newtype name that our reader and writer know; private, so that no other type can carry it by accident.
pub(super) const NAME: &str = "$function_odoo::wire::RawValue";

/// An undecoded `google.protobuf.Value`.
///
/// Equality is that of the bytes: two that differ may hold equal values.
#[derive(Clone, PartialEq, Eq)]
pub struct RawValue(Bytes);

/// What [`RawValue`] hands to a serializer under [`NAME`].
struct Held<'value>(&'value [u8]);

struct Capture;

impl RawValue {
    /// Decodes the value.
    pub fn to_json(&self) -> Result<Value, ReadError> {
        Value::deserialize(Reader::of_value(&self.0))
    }
}

/// How long it is; what it holds may be secret.
impl Debug for RawValue {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RawValue({} bytes)", self.0.len())
    }
}

impl Serialize for RawValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NAME, &Held(&self.0))
    }
}

impl Serialize for Held<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // serde has no other way to tell serializers apart without a trace of it in foreign formats.
        if std::any::type_name::<S>() == std::any::type_name::<writer::Writer>() {
            return serializer.serialize_bytes(self.0);
        }
        let value = Value::deserialize(Reader::of_value(self.0)).map_err(S::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, Capture)
    }
}

impl<'de> Visitor<'de> for Capture {
    type Value = RawValue;

    fn expecting(&self, formatter: &mut Formatter) -> std::fmt::Result {
        formatter.write_str("any value")
    }

    /// From our reader only: all others see a newtype.
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<RawValue, E> {
        Ok(RawValue(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<RawValue, E> {
        Ok(RawValue(bytes.into()))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawValue, D::Error> {
        let value = Value::deserialize(deserializer)?;
        writer::value_bytes(&value)
            .map(|bytes| RawValue(bytes.into()))
            .map_err(D::Error::custom)
    }
}

/// A Value that holds this Struct.
pub(super) fn value_of_struct(bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(bytes.len() + encode::MAX_HEAD_BYTES);
    encode::append_bytes(&mut value, field::OBJECT, bytes);
    value
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::function::wire::{read, to_json, write};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept {
        name: String,
        spec: RawValue,
    }

    #[test]
    fn any_value_comes_out_as_it_went_in() {
        for value in [
            json!(null),
            json!(1.5),
            json!("x"),
            json!(true),
            json!({"a": [1]}),
            json!([{}, []]),
        ] {
            let object = json!({"name": "n", "spec": value});
            let bytes = write(&object).unwrap();
            let kept: Kept = read(&bytes).unwrap();
            assert_eq!(write(&kept).unwrap(), bytes);
            assert_eq!(kept.spec.to_json().unwrap(), value);
        }
    }

    #[test]
    fn fields_unknown_to_protobuf_survive_and_decoding_would_lose_them() {
        // The Value {bool: true} with an additional field 9.
        let value = [0x20, 1, 0x48, 7];
        let mut bytes = vec![0x0a, 5 + 4, 0x0a, 1, b'v', 0x12, 4];
        bytes.extend(value);
        let kept: BTreeMap<String, RawValue> = read(&bytes).unwrap();
        assert_eq!(write(&kept).unwrap(), bytes);
        assert_ne!(write(&to_json(&bytes).unwrap()).unwrap(), bytes);
    }

    #[test]
    fn other_formats_see_the_value_itself() {
        let object = json!({"name": "n", "spec": {"a": [1, "x", null]}});
        let kept: Kept = read(&write(&object).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(&kept).unwrap(), object);
        assert_eq!(
            serde_json::to_string(&kept.spec).unwrap(),
            r#"{"a":[1,"x",null]}"#
        );
        assert_eq!(serde_json::from_value::<Kept>(object).unwrap(), kept);
    }

    #[test]
    fn a_whole_object_can_be_kept() {
        let bytes = write(&json!({"a": {"b": [1]}})).unwrap();
        let kept: RawValue = read(&bytes).unwrap();
        assert_eq!(write(&kept).unwrap(), bytes);
    }

    #[test]
    fn debug_output_does_not_show_what_it_holds() {
        let kept: RawValue = read(&write(&json!({"password": "hunter2"})).unwrap()).unwrap();
        let shown = format!("{kept:?}");
        assert!(
            shown.starts_with("RawValue(") && !shown.contains("hunter2") && !shown.contains("104"),
            "{shown}"
        );
    }

    #[test]
    fn it_is_kept_inside_options_lists_and_flattened_maps() {
        #[derive(Serialize, Deserialize)]
        struct Nested {
            list: Vec<RawValue>,
            some: Option<RawValue>,
            none: Option<RawValue>,
            #[serde(flatten)]
            rest: BTreeMap<String, RawValue>,
        }
        let object = json!({"list": [1, "x"], "some": {"a": 1}, "none": null, "other": [true]});
        let nested: Nested = read(&write(&object).unwrap()).unwrap();
        assert!(nested.none.is_none());
        assert_eq!(to_json(&write(&nested).unwrap()).unwrap(), object);
    }
}
