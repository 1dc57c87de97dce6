//! Reading and writing fields of untyped Kubernetes objects, with the leniency of Kubernetes' own accessors.
//!
//! In and out: a [`Value`]. A field of the wrong type reads as absent; a field below something that is not an object is
//! not written. Nothing here fails.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The text at a path, or an empty one.
#[must_use]
pub fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    get(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// `apiVersion`.
#[must_use]
pub fn api_version(object: &Value) -> &str {
    text(object, &["apiVersion"])
}

/// `kind`.
#[must_use]
pub fn kind(object: &Value) -> &str {
    text(object, &["kind"])
}

/// `metadata.name`.
#[must_use]
pub fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

/// `metadata.namespace`.
#[must_use]
pub fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// An annotation, or an empty text.
#[must_use]
pub fn annotation(object: &Value, key: &str) -> String {
    string_map(object, "annotations")
        .and_then(|mut all| all.remove(key))
        .unwrap_or_default()
}

/// A label, or an empty text.
pub fn label(object: &Value, key: &str) -> String {
    string_map(object, "labels")
        .and_then(|mut all| all.remove(key))
        .unwrap_or_default()
}

/// The value at a path.
pub fn get<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter()
        .try_fold(object, |value, key| value.as_object()?.get(*key))
}

/// Labels or annotations. A null counts as an empty text; anything else that is not text voids the whole map.
pub fn string_map(object: &Value, field: &str) -> Option<BTreeMap<String, String>> {
    get(object, &["metadata", field])?
        .as_object()?
        .iter()
        .map(|(key, value)| match value {
            Value::Null => Some((key.clone(), String::new())),
            Value::String(text) => Some((key.clone(), text.clone())),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        })
        .collect()
}

/// Adds labels or annotations.
pub fn add_to_string_map(object: &mut Value, field: &str, more: impl IntoIterator<Item = (String, String)>) {
    let mut all = string_map(object, field).unwrap_or_default();
    all.extend(more);
    set(object, &["metadata", field], json!(all));
}

/// Writes a field, with the objects above it.
pub fn set(object: &mut Value, path: &[&str], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut target = object;
    for key in parents {
        let Some(fields) = target.as_object_mut() else {
            return;
        };
        target = fields.entry(*key).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(fields) = target.as_object_mut() {
        fields.insert((*last).to_owned(), value);
    }
}

/// Writes a text below `metadata`; an empty one removes the field.
pub fn set_metadata(object: &mut Value, field: &str, text: &str) {
    if !text.is_empty() {
        set(object, &["metadata", field], json!(text));
    } else if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove(field);
    }
}

/// The owner reference of the controller: uid, kind and name.
pub fn controller(object: &Value) -> Option<[&str; 3]> {
    owner_references(object)
        .iter()
        .find(|owner| get(owner, &["controller"]) == Some(&Value::Bool(true)))
        .map(|owner| {
            [
                text(owner, &["uid"]),
                text(owner, &["kind"]),
                text(owner, &["name"]),
            ]
        })
}

/// `metadata.ownerReferences`; nothing when one of them is not an object.
pub fn owner_references(object: &Value) -> &[Value] {
    match get(object, &["metadata", "ownerReferences"]).and_then(Value::as_array) {
        Some(owners) if owners.iter().all(Value::is_object) => owners,
        _ => &[],
    }
}

/// Makes `owner` the controller, in place of an earlier reference with the same uid.
pub fn set_controller(object: &mut Value, owner: &Value) {
    let reference = json!({
        "apiVersion": api_version(owner),
        "kind": kind(owner),
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    });
    let mut owners: Vec<Value> = owner_references(object)
        .iter()
        .map(typed_owner_reference)
        .collect();
    match owners
        .iter_mut()
        .find(|earlier| earlier["uid"] == reference["uid"])
    {
        Some(earlier) => *earlier = reference,
        None => owners.push(reference),
    }
    set(object, &["metadata", "ownerReferences"], Value::Array(owners));
}

/// An owner reference with the fields that its type has.
fn typed_owner_reference(owner: &Value) -> Value {
    let mut typed = Map::new();
    for field in ["apiVersion", "kind", "name", "uid"] {
        typed.insert(field.to_owned(), json!(text(owner, &[field])));
    }
    for field in ["controller", "blockOwnerDeletion"] {
        if let Some(flag @ Value::Bool(_)) = owner.get(field) {
            typed.insert(field.to_owned(), flag.clone());
        }
    }
    Value::Object(typed)
}
