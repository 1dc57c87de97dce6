//! Composed resources that exist: whether they can be what they are said to be, and how the composite resource finds them.
//!
//! In: the composite resource and the observed objects. Out: problems, the composite resource with references, or the
//! objects by composition resource name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{
    RESOURCE_NAME_ANNOTATION, SimulateError, object,
    store::{GroupVersionKind, Key, Store},
};

const REFERENCES: [&str; 3] = ["spec", "crossplane", "resourceRefs"];

/// What is wrong with an observed object.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ObservedProblem {
    /// Nothing says which composed resource it is.
    #[error(
        "add {RESOURCE_NAME_ANNOTATION} with the composition resource name, as the same object has it in the output"
    )]
    Anonymous,
    /// Another object controls it, so it would be ignored.
    #[error(
        "the controller's uid is {found}, that of the composite resource {expected}; change it or leave ownerReferences out"
    )]
    ForeignController {
        /// The uid in the owner reference.
        found: String,
        /// The uid that it has to be.
        expected: String,
    },
    /// A namespaced composite resource composes in its own namespace only.
    #[error("must be {expected}, the namespace of the composite resource")]
    ForeignNamespace {
        /// The namespace of the composite resource.
        expected: String,
    },
}

/// Everything that keeps an object from being observed.
#[must_use]
pub fn problems(composite: &Value, object: &Value) -> Vec<ObservedProblem> {
    let mut found = Vec::new();
    if object::annotation(object, RESOURCE_NAME_ANNOTATION).is_empty() {
        found.push(ObservedProblem::Anonymous);
    }
    let namespace = object::namespace(composite);
    if !namespace.is_empty() && object::namespace(object) != namespace {
        found.push(ObservedProblem::ForeignNamespace {
            expected: namespace.to_owned(),
        });
    }
    let expected = super::uid_of(composite);
    if let Some([uid, ..]) = object::controller(object)
        && uid != expected
    {
        found.push(ObservedProblem::ForeignController {
            found: uid.to_owned(),
            expected,
        });
    }
    found
}

/// The composite resource with a reference to every observed object, in place of those it has.
pub fn with_references(mut composite: Value, observed: &[Value]) -> Result<Value, SimulateError> {
    for object in observed {
        if let Some(problem) = problems(&composite, object).into_iter().next() {
            let object = format!("{} {}", object::kind(object), object::name(object));
            return Err(SimulateError::Observed { object, problem });
        }
    }
    if !observed.is_empty() {
        let is_namespaced = !object::namespace(&composite).is_empty();
        let references = observed
            .iter()
            .map(|object| reference(object, is_namespaced))
            .collect();
        set_references(&mut composite, references);
    }
    Ok(composite)
}

/// A reference; a namespaced composite resource's has no namespace.
pub fn reference(object: &Value, is_namespaced: bool) -> Map<String, Value> {
    let namespace = if is_namespaced {
        ""
    } else {
        object::namespace(object)
    };
    let fields = [
        ("apiVersion", object::api_version(object)),
        ("kind", object::kind(object)),
        ("name", object::name(object)),
        ("namespace", namespace),
    ];
    fields
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(field, text)| (field.to_owned(), json!(text)))
        .collect()
}

/// Writes the references, without empty ones.
pub fn set_references(composite: &mut Value, references: Vec<Map<String, Value>>) {
    let written = references
        .into_iter()
        .filter(|reference| !reference.is_empty())
        .map(Value::Object)
        .collect();
    object::set(composite, &REFERENCES, written);
}

/// The objects that the composite resource refers to and that nobody else controls.
pub fn observe(composite: &Value, store: &Store) -> Result<BTreeMap<String, Value>, SimulateError> {
    let mut observed = BTreeMap::new();
    let references = object::get(composite, &REFERENCES).and_then(Value::as_array);
    for reference in references.into_iter().flatten() {
        let namespace = match object::namespace(composite) {
            "" => object::text(reference, &["namespace"]),
            own => own,
        };
        let key = Key {
            kind: GroupVersionKind::of(reference),
            namespace: namespace.to_owned(),
            name: object::text(reference, &["name"]).to_owned(),
        };
        let Some(found) = store.get(&key).filter(|_| !key.name.is_empty()) else {
            continue;
        };
        if object::controller(found).is_some_and(|[uid, ..]| uid != object::uid(composite)) {
            continue;
        }
        let name = object::annotation(found, RESOURCE_NAME_ANNOTATION);
        if name.is_empty() {
            let object = format!("{} {}", key.kind.kind, key.name);
            return Err(SimulateError::Observed {
                object,
                problem: ObservedProblem::Anonymous,
            });
        }
        observed.insert(name, found.clone());
    }
    Ok(observed)
}
