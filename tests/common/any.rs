//! Any JSON, and changes of a given value: what a preview, an old schema or a mistake may send.
//!
//! In: nothing, or a value that is right. Out: strategies; what is made of a value is mostly wrong in a place or two,
//! which finds more than what is wrong everywhere.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Number, Value};

/// Any JSON, not too large, with words in it that mean something here.
pub fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        (-3_i64..100).prop_map(Number::from),
        any::<f64>().prop_filter_map("JSON numbers are finite", Number::from_f64),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::Number),
        "\\PC{0,12}".prop_map(Value::String),
        word().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((word(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Keys and values that mean something, so that generated objects are not all unknown.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "subdomain",
        "tier",
        "pro",
        "starter",
        "database",
        "host",
        "port",
        "sslMode",
        "verify-full",
        "gateway",
        "parentRefs",
        "name",
        "versions",
        "18",
        "filestore",
        "claim",
        "nfs",
        "uid",
        "backup",
        "schedule",
        "hour",
        "events",
        "address",
        "erp",
        "url",
        "enabled",
        "jobs",
        "pullSecret",
        "requests",
        "kind",
        "Platform",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(ToOwned::to_owned), 1 => "\\PC{0,6}"]
}

/// A change of one place of a value.
#[derive(Clone, Debug)]
pub enum Change {
    /// Something else is there.
    Replace(Value),
    /// It is left out.
    Remove,
    /// It has one field more.
    Add(String, Value),
}

/// A change, and where.
pub fn any_change() -> impl Strategy<Value = (Index, Change)> {
    let change = prop_oneof![
        3 => any_json().prop_map(Change::Replace),
        1 => Just(Change::Remove),
        1 => (word(), any_json()).prop_map(|(name, value)| Change::Add(name, value)),
    ];
    (any::<Index>(), change)
}

/// JSON pointers of all places of a value.
pub fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            pointers(value, &format!("{at}/{name}"), all);
        }),
        Value::Array(entries) => {
            entries
                .iter()
                .enumerate()
                .for_each(|(index, entry)| pointers(entry, &format!("{at}/{index}"), all));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value with these changes.
pub fn changed(mut value: Value, changes: Vec<(Index, Change)>) -> Value {
    for (place, change) in changes {
        let mut all = Vec::new();
        pointers(&value, "", &mut all);
        let pointer = place.get(&all).clone();
        match change {
            Change::Replace(new) => *value.pointer_mut(&pointer).expect("it was listed") = new,
            Change::Add(name, new) => {
                if let Some(Value::Object(fields)) = value.pointer_mut(&pointer) {
                    fields.insert(name, new);
                }
            }
            Change::Remove => {
                let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
                if let Some(Value::Object(fields)) = value.pointer_mut(parent) {
                    fields.remove(name);
                }
            }
        }
    }
    value
}
