//! The cluster that a pass sees: objects by kind, namespace and name, in memory.
//!
//! In: objects. Out: one of them, or a list. The last object of an identity wins, as with the real preview's store.

use std::collections::BTreeMap;

use serde_json::Value;

use super::object;

/// What kind an object is; all empty when its `apiVersion` makes no sense.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupVersionKind {
    pub group: String,
    pub version: String,
    pub kind: String,
}

impl GroupVersionKind {
    pub fn of(object: &Value) -> Self {
        Self::new(object::api_version(object), object::kind(object))
    }

    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = match api_version.split_once('/') {
            None => ("", api_version),
            Some((_, version)) if version.contains('/') => return Self::default(),
            Some((group, version)) => (group, version),
        };
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }
}

/// Identifies an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub kind: GroupVersionKind,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn of(object: &Value) -> Self {
        Self {
            kind: GroupVersionKind::of(object),
            namespace: object::namespace(object).to_owned(),
            name: object::name(object).to_owned(),
        }
    }
}

/// The objects.
#[derive(Clone, Debug, Default)]
pub struct Store(BTreeMap<Key, Value>);

impl Store {
    pub fn put(&mut self, object: Value) {
        self.0.insert(Key::of(&object), object);
    }

    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.0.get(key)
    }

    /// All objects of a kind, by namespace and name; an empty namespace stands for all.
    pub fn list(
        &self,
        kind: &GroupVersionKind,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Vec<&Value> {
        // A list's kind ends in List, and the real store takes that off whoever put it there.
        let of_items = kind
            .kind
            .strip_suffix("List")
            .filter(|kind| !kind.is_empty())
            .unwrap_or(&kind.kind);
        let mut found: Vec<(String, &Value)> = self
            .0
            .iter()
            .filter(|(key, object)| {
                let version_matches = kind.version.is_empty()
                    || key.kind.version.is_empty()
                    || key.kind.version == kind.version;
                key.kind.group == kind.group
                    && key.kind.kind == of_items
                    && version_matches
                    && (namespace.is_empty() || key.namespace == namespace)
                    && has_labels(object, labels)
            })
            .map(|(key, object)| (format!("{}/{}", key.namespace, key.name), object))
            .collect();
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        found.into_iter().map(|(_, object)| object).collect()
    }
}

fn has_labels(object: &Value, labels: &BTreeMap<String, String>) -> bool {
    let own = object::string_map(object, "labels").unwrap_or_default();
    labels.iter().all(|(key, value)| own.get(key) == Some(value))
}
