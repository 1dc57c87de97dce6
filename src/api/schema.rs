//! Schemas of the API, as Kubernetes wants them: structural OpenAPI v3.
//!
//! In: the types beside this module; their doc comments are the descriptions. Out: a [`Schema`] for the spec and status
//! of each kind and for a Platform, and the documents made of them ([`document`]). [`super::check`] reads the
//! same schemas, so what the API server refuses and what the function refuses is written once.
//!
//! What no type can say (rules across fields, what must not change) is CEL, in `rules`.

pub mod document;
mod rules;
mod structural;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use super::plana_client::{PlanaClientSpec, PlanaClientStatus, TierName};
use super::platform::Platform;
use super::template_snapshot::{TemplateSnapshotSpec, TemplateSnapshotStatus};

/// One node of a structural schema. Its fields serialise as OpenAPI, in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// What the field is for, as `kubectl explain` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What kind of value it is; every node has one.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Width of a whole number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Whether null is read like a value that was left out.
    #[serde(skip_serializing_if = "is_false")]
    pub nullable: bool,
    /// What counts when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values there are.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What a string must match, in the syntax that RE2 and `regex-lite` share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The pattern in words; never written into a schema.
    #[serde(skip)]
    pub hint: Option<String>,
    /// Fewest characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    /// Most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// Least number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    /// Greatest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
    /// Fewest entries of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u64>,
    /// Most entries of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// Fewest fields of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_properties: Option<u64>,
    /// Most fields of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_properties: Option<u64>,
    /// The entries of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Schema>>,
    /// The named fields of an object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Schema>,
    /// The values of an object whose keys are free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_properties: Option<Box<Schema>>,
    /// Fields that must be given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// Whether any other field is an error. Never written: the API server drops unknown fields by itself.
    #[serde(skip)]
    pub closed: bool,
    /// How two writers' lists are merged.
    #[serde(rename = "x-kubernetes-list-type", skip_serializing_if = "Option::is_none")]
    pub list_type: Option<ListType>,
    /// Rules in CEL.
    #[serde(rename = "x-kubernetes-validations", skip_serializing_if = "Vec::is_empty")]
    pub validations: Vec<Rule>,
}

/// What kind of value a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Fields or free keys.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
}

/// Width of a whole number; Kubernetes knows these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// 32 bits with sign.
    Int32,
    /// 64 bits with sign.
    Int64,
}

/// How two writers' lists are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ListType {
    /// The list is one value and belongs to one writer.
    Atomic,
    /// Entries are unique; each belongs to its writer.
    Set,
}

/// A rule in CEL, and what the API server says when it does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The expression; true means well.
    pub rule: String,
    /// What to do about it.
    pub message: String,
    /// The field that the message is about, where it is below the node that has the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_path: Option<String>,
}

/// Schema of the spec of a `PLANAClient`, as the function reads it.
#[must_use]
pub fn plana_client_spec() -> Schema {
    of::<PlanaClientSpec>()
}

/// Schema of the status of a `PLANAClient`.
#[must_use]
pub fn plana_client_status() -> Schema {
    of::<PlanaClientStatus>()
}

/// Schema of the spec of a `TemplateSnapshot`, as the function reads it.
#[must_use]
pub fn template_snapshot_spec() -> Schema {
    of::<TemplateSnapshotSpec>()
}

/// Schema of the status of a `TemplateSnapshot`.
#[must_use]
pub fn template_snapshot_status() -> Schema {
    of::<TemplateSnapshotStatus>()
}

/// Schema of a Platform, as the function reads it.
#[must_use]
pub fn platform() -> Schema {
    let mut schema = of::<Platform>();
    if let Some(tiers) = schema.properties.get_mut("tiers") {
        name_the_keys(tiers, of::<TierName>().choices);
    }
    schema
}

fn of<T: JsonSchema>() -> Schema {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    structural::structural(settings.into_generator().root_schema_for::<T>().as_value())
}

/// A map whose keys are an enum is an object with those fields; schemars forgets the keys.
fn name_the_keys(map: &mut Schema, keys: Vec<String>) {
    if let Some(value) = map.additional_properties.take() {
        map.properties = keys.into_iter().map(|key| (key, (*value).clone())).collect();
        map.closed = true;
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each<'a>(schema: &'a Schema, path: &str, visit: &mut impl FnMut(&str, &'a Schema)) {
        visit(path, schema);
        for (name, property) in &schema.properties {
            each(property, &format!("{path}.{name}"), visit);
        }
        for inner in [&schema.items, &schema.additional_properties]
            .into_iter()
            .flatten()
        {
            each(inner, &format!("{path}[]"), visit);
        }
    }

    fn everything(mut visit: impl FnMut(&str, &Schema)) {
        each(&plana_client_spec(), "spec", &mut visit);
        each(&plana_client_status(), "status", &mut visit);
        each(&template_snapshot_spec(), "spec", &mut visit);
        each(&template_snapshot_status(), "status", &mut visit);
        each(&platform(), "platform", &mut visit);
    }

    #[test]
    fn every_node_has_a_type() {
        everything(|path, schema| assert!(schema.kind.is_some(), "{path} has no type"));
    }

    #[test]
    fn every_pattern_has_its_words_and_compiles() {
        let mut patterns = 0;
        everything(|path, schema| {
            assert_eq!(schema.pattern.is_some(), schema.hint.is_some(), "{path}");
            if let Some(pattern) = &schema.pattern {
                regex_lite::Regex::new(pattern).unwrap_or_else(|error| panic!("{path}: {error}"));
                patterns += 1;
            }
        });
        assert!(patterns > 8, "{patterns}");
    }

    /// The classes that differ: `\s` has a vertical tab here and none in RE2, `\w`, `\d` and `\b` differ in Unicode,
    /// as does everything that ignores case; look-around and back references are in neither.
    #[test]
    fn patterns_keep_to_what_both_matchers_read_alike() {
        everything(|path, schema| {
            let Some(pattern) = &schema.pattern else { return };
            assert!(pattern.starts_with('^') && pattern.is_ascii(), "{path}");
            assert!(!pattern.contains("(?") && !pattern.contains("[[:"), "{path}");
            for (index, _) in pattern.match_indices('\\') {
                let next = pattern[index + 1..].chars().next();
                assert!(matches!(next, Some('.' | 'x')), "{path}: \\{next:?}");
            }
        });
    }

    #[test]
    fn the_tiers_of_a_platform_are_fields() {
        let schema = platform();
        let tiers = &schema.properties["tiers"];
        assert!(tiers.closed && tiers.additional_properties.is_none());
        assert_eq!(
            tiers.properties.keys().collect::<Vec<_>>(),
            ["enterprise", "pro", "starter"]
        );
    }
}
