//! OpenAPI documents, as the API server serves them per group and version, and the schema of one kind in them.
//!
//! In: documents and a kind. Out: the kind's schema with its references filled in, or none. As in the real preview, the
//! first document that mentions a group and version anywhere is the one that answers for it.

use serde_json::Value;

const KIND_ANNOTATION: &str = "x-kubernetes-group-version-kind";
const REFERENCE_PREFIX: &str = "#/components/schemas/";

use super::store::GroupVersionKind;

/// The schema of a kind.
pub fn find(documents: &[Value], wanted: &GroupVersionKind) -> Option<Value> {
    let document = documents.iter().find(|document| {
        schemas(document)
            .flat_map(|(_, schema)| kinds(schema))
            .any(|kind| kind.group == wanted.group && kind.version == wanted.version)
    })?;
    let (name, schema) = schemas(document).find(|(_, schema)| {
        let kinds: Vec<GroupVersionKind> = kinds(schema).collect();
        // Schemas that many kinds share are nobody's.
        matches!(&kinds[..], [only] if only == wanted)
    })?;
    Some(fill_in(schema, document, &mut vec![name.clone()]))
}

fn schemas(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
}

fn kinds(schema: &Value) -> impl Iterator<Item = GroupVersionKind> {
    schema[KIND_ANNOTATION]
        .as_array()
        .into_iter()
        .flatten()
        .map(|kind| {
            let text = |field: &str| kind[field].as_str().unwrap_or_default().to_owned();
            GroupVersionKind {
                group: text("group"),
                version: text("version"),
                kind: text("kind"),
            }
        })
}

/// Replaces references by what they stand for; a reference to something that is just being filled in stays.
fn fill_in(schema: &Value, document: &Value, within: &mut Vec<String>) -> Value {
    let reference = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|text| text.strip_prefix(REFERENCE_PREFIX));
    if let Some(name) = reference
        && !within.iter().any(|outer| outer == name)
        && let Some(target) = document["components"]["schemas"].get(name)
    {
        within.push(name.to_owned());
        let filled = fill_in(target, document, within);
        within.pop();
        return filled;
    }
    match schema {
        Value::Array(items) => items.iter().map(|item| fill_in(item, document, within)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), fill_in(field, document, within)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}
