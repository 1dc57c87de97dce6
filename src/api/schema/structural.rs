//! From the JSON Schema of a Rust type to a structural schema.
//!
//! In: what schemars says of a type, everything inlined. Out: a [`Schema`]. Kubernetes forbids what makes JSON Schema
//! pleasant (`oneOf` with constants, `type` lists, `null`, references), so the few shapes that our types have are
//! rewritten one by one. Total: a shape that is not known here comes out without a type, which a test refuses.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Format, Kind, ListType, Schema};

/// The structural schema of what schemars says.
pub(super) fn structural(raw: &Value) -> Schema {
    let mut schema = match (non_null_alternative(raw), list(raw, "oneOf")) {
        (Some(inner), _) => Schema {
            nullable: true,
            ..structural(inner)
        },
        (None, Some(variants)) => one_of(variants),
        (None, None) => plain(raw),
    };
    if let Some(text) = text(raw, "description") {
        let variants = list(raw, "oneOf")
            .map(|variants| variant_lines(variants))
            .unwrap_or_default();
        schema.description = Some(format!("{}{variants}", readable(&text)));
    }
    if let Some(default) = raw.get("default").filter(|default| !default.is_null()) {
        schema.default = Some(default.clone());
    }
    leave_out_implied_default(&mut schema);
    schema
}

/// `Option<T>` of an object or enum: T, or null.
fn non_null_alternative(raw: &Value) -> Option<&Value> {
    let alternatives = list(raw, "anyOf")?;
    alternatives
        .iter()
        .find(|one| text(one, "type").as_deref() != Some("null"))
}

fn plain(raw: &Value) -> Schema {
    let (kind, nullable) = kind(raw);
    let number = |key| raw.get(key).and_then(Value::as_u64);
    let mut schema = Schema {
        kind,
        nullable,
        pattern: text(raw, "pattern"),
        hint: text(raw, "x-hint"),
        min_length: number("minLength"),
        max_length: number("maxLength"),
        min_items: number("minItems"),
        max_items: number("maxItems"),
        choices: list(raw, "enum").map(|all| strings(all)).unwrap_or_default(),
        required: list(raw, "required").map(|all| strings(all)).unwrap_or_default(),
        items: raw.get("items").map(|items| Box::new(structural(items))),
        properties: properties(raw),
        closed: raw.get("additionalProperties") == Some(&Value::Bool(false)),
        additional_properties: raw
            .get("additionalProperties")
            .filter(|value| value.is_object())
            .map(|value| Box::new(structural(value))),
        ..Schema::default()
    };
    schema.required.sort();
    if schema.kind == Some(Kind::Integer) {
        bound(&mut schema, raw);
    }
    schema.list_type = schema.items.as_deref().map(list_type);
    if let Some(items) = schema.items.as_deref_mut() {
        // The attribute can only stand on the list; the words are about its entries, as the pattern is.
        items.hint = schema.hint.take();
    }
    schema
}

fn kind(raw: &Value) -> (Option<Kind>, bool) {
    let names = match raw.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = names.iter().find_map(|name| match *name {
        "object" => Some(Kind::Object),
        "array" => Some(Kind::Array),
        "string" => Some(Kind::String),
        "integer" => Some(Kind::Integer),
        "boolean" => Some(Kind::Boolean),
        _ => None,
    });
    (kind, names.contains(&"null"))
}

/// Kubernetes knows the widths int32 and int64 only; the others are bounds.
fn bound(schema: &mut Schema, raw: &Value) {
    let (least, greatest) = match text(raw, "format").as_deref() {
        Some("uint8") => (Some(0), Some(i64::from(u8::MAX))),
        Some("uint16") => (Some(0), Some(i64::from(u16::MAX))),
        Some("uint32") => (Some(0), Some(i64::from(u32::MAX))),
        Some("uint64") => (Some(0), None),
        _ => (None, None),
    };
    let number = |key| raw.get(key).and_then(Value::as_i64);
    schema.minimum = number("minimum").max(least);
    schema.maximum = number("maximum").or(greatest);
    let narrow = text(raw, "format").as_deref() == Some("int32")
        || (schema.minimum.is_some_and(|least| least >= i64::from(i32::MIN))
            && schema
                .maximum
                .is_some_and(|greatest| greatest <= i64::from(i32::MAX)));
    schema.format = Some(if narrow { Format::Int32 } else { Format::Int64 });
}

/// Strings are told apart by value; an object has no key to be told apart by, and is taken whole.
fn list_type(items: &Schema) -> ListType {
    match items.kind {
        Some(Kind::String) => ListType::Set,
        Some(Kind::Object | Kind::Array | Kind::Integer | Kind::Boolean) | None => ListType::Atomic,
    }
}

/// An enum: of words, or of objects with one field each (the variant's name).
fn one_of(variants: &[Value]) -> Schema {
    let choices: Vec<String> = variants.iter().flat_map(words).collect();
    if !choices.is_empty() {
        return Schema {
            kind: Some(Kind::String),
            choices,
            ..Schema::default()
        };
    }
    let mut schema = Schema {
        kind: Some(Kind::Object),
        closed: true,
        min_properties: Some(1),
        max_properties: Some(1),
        ..Schema::default()
    };
    for variant in variants {
        let about = text(variant, "description").map(|text| readable(&text));
        for (name, mut property) in properties(variant) {
            property.description = about.clone().or(property.description);
            schema.properties.insert(name, property);
        }
    }
    schema
}

/// The words of one alternative: documented variants are constants, the others share one list.
fn words(variant: &Value) -> Vec<String> {
    text(variant, "const").map_or_else(
        || list(variant, "enum").map(|all| strings(all)).unwrap_or_default(),
        |word| vec![word],
    )
}

fn variant_lines(variants: &[Value]) -> String {
    let line = |variant| {
        Some(format!(
            " {}: {}",
            text(variant, "const")?,
            readable(&text(variant, "description")?)
        ))
    };
    variants.iter().filter_map(line).collect()
}

fn properties(raw: &Value) -> BTreeMap<String, Schema> {
    let named = raw.get("properties").and_then(Value::as_object);
    named
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), structural(value)))
        .collect()
}

/// The default of an object says nothing new when its fields' defaults say the same.
fn leave_out_implied_default(schema: &mut Schema) {
    if schema.kind == Some(Kind::Object) && schema.default.is_some() && schema.default == implied(schema) {
        schema.default = None;
    }
}

/// What the defaults of the fields make of an object; an optional one is not there by itself.
fn implied(schema: &Schema) -> Option<Value> {
    let fields: Map<String, Value> = schema
        .properties
        .iter()
        .filter_map(|(name, property)| Some((name.clone(), value_by_itself(property)?)))
        .collect();
    (!fields.is_empty()).then_some(Value::Object(fields))
}

fn value_by_itself(property: &Schema) -> Option<Value> {
    if property.default.is_some() || property.nullable {
        return property.default.clone();
    }
    implied(property)
}

/// Doc comments are Markdown broken into lines; `kubectl explain` prints plain text and breaks lines itself.
fn readable(description: &str) -> String {
    description
        .replace('`', "")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(raw: &Value, key: &str) -> Option<String> {
    raw.get(key).and_then(Value::as_str).map(ToOwned::to_owned)
}

fn list<'a>(raw: &'a Value, key: &str) -> Option<&'a Vec<Value>> {
    raw.get(key).and_then(Value::as_array)
}

fn strings(values: &[Value]) -> Vec<String> {
    values
        .iter()
        .filter_map(Value::as_str)
        .map(ToOwned::to_owned)
        .collect()
}
