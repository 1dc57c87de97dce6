//! Objects on their way into and out of messages.
//!
//! In: JSON values. Out: `Struct` bytes, and back. Every number is a double after either way, as it is for Crossplane;
//! large integers lose digits here as they do there.

use bytes::Bytes;
use serde_json::{Number, Value};

use super::SimulateError;
use crate::function::wire;

/// The value with every number as a double.
#[must_use]
pub fn with_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(Number::from_f64)
            .map_or_else(|| value.clone(), Value::Number),
        Value::Array(items) => items.iter().map(with_doubles).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), with_doubles(field)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

pub fn encode(value: &Value, what: impl FnOnce() -> String) -> Result<Bytes, SimulateError> {
    wire::write(&with_doubles(value))
        .map(Bytes::from)
        .map_err(|source| SimulateError::Encode { what: what(), source })
}

/// No bytes at all are an empty object.
pub fn decode(bytes: Option<&Bytes>, what: impl FnOnce() -> String) -> Result<Value, SimulateError> {
    let value = wire::to_json(bytes.map_or(&[][..], |bytes| &bytes[..]))
        .map_err(|source| SimulateError::Decode { what: what(), source })?;
    Ok(with_doubles(&value))
}
