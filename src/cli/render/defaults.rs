//! Fills in the defaults of a composite resource's schema, as the API server would.
//!
//! In: a composite resource and its `CompositeResourceDefinition`. Out: the composite resource with defaults, or why the definition does
//! not fit. Follows Kubernetes' structural defaulting over what Crossplane takes over from a definition: below `spec` and
//! `status` only the properties, so a default at the very top of them has no effect.

use serde_json::{Value, json};
use thiserror::Error;

use super::simulate::{api_version, kind, text};

const LEGACY_SCOPE: &str = "LegacyCluster";
const DEFINITION: &str = "CompositeResourceDefinition";

/// Why a definition does not fit a composite resource.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DefinitionProblem {
    /// It is something else.
    #[error("kind: must be {DEFINITION}, found \"{0}\"")]
    NotADefinition(String),
    /// It defines another kind.
    #[error("spec.names.kind: defines {defined}, but the composite resource is of {found}")]
    OtherKind {
        /// Kind and group in the definition.
        defined: String,
        /// Kind and group of the composite resource.
        found: String,
    },
    /// It has no such version.
    #[error("spec.versions: has no version for the composite resource's apiVersion {0}")]
    NoVersion(String),
    /// A layout from before Crossplane 2 that this preview does not know.
    #[error("spec.scope: {LEGACY_SCOPE} is not supported")]
    Legacy,
}

/// Whether the definition is one for this composite resource's kind.
pub fn check(composite: &Value, definition: &Value) -> Result<(), DefinitionProblem> {
    if kind(definition) != DEFINITION {
        return Err(DefinitionProblem::NotADefinition(kind(definition).to_owned()));
    }
    let group = api_version(composite)
        .split_once('/')
        .map_or("", |(group, _)| group);
    let found = format!("{} in group \"{group}\"", kind(composite));
    let defined = format!(
        "{} in group \"{}\"",
        text(definition, &["spec", "names", "kind"]),
        text(definition, &["spec", "group"])
    );
    if defined != found {
        return Err(DefinitionProblem::OtherKind { defined, found });
    }
    if text(definition, &["spec", "scope"]) == LEGACY_SCOPE {
        return Err(DefinitionProblem::Legacy);
    }
    Ok(())
}

/// Fills in defaults.
pub fn apply(composite: &mut Value, definition: &Value) -> Result<(), DefinitionProblem> {
    check(composite, definition)?;
    let api_version = api_version(composite).to_owned();
    let group = text(definition, &["spec", "group"]);
    let version = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|version| format!("{group}/{}", text(version, &["name"])) == api_version)
        .ok_or(DefinitionProblem::NoVersion(api_version))?;
    let schema = &version["schema"]["openAPIV3Schema"]["properties"];
    let mut spec = properties_of(&schema["spec"]);
    if let Some(policy) = definition["spec"].get("defaultCompositionUpdatePolicy") {
        spec["crossplane"] = json!({"properties": {"compositionUpdatePolicy": {"default": policy}}});
    }
    let root = json!({"properties": {
        "spec": {"properties": spec},
        "status": {"properties": properties_of(&schema["status"])},
    }});
    fill_in(composite, &root);
    Ok(())
}

fn properties_of(schema: &Value) -> Value {
    schema
        .get("properties")
        .filter(|properties| properties.is_object())
        .cloned()
        .unwrap_or_else(|| json!({}))
}

fn fill_in(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let default = property.get("default").filter(|default| !default.is_null());
                if let Some(default) = default
                    && fields
                        .get(name)
                        .is_none_or(|field| is_refused_null(field, property))
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, field) in fields {
                match (schema["properties"].get(name), schema.get("additionalProperties")) {
                    (Some(property), _) => fill_in(field, property),
                    (None, Some(others)) => fill_in_item(field, others),
                    (None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    fill_in_item(item, schema);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An item that is null becomes the default, if there is one.
fn fill_in_item(item: &mut Value, schema: &Value) {
    if is_refused_null(item, schema) {
        *item = schema.get("default").cloned().unwrap_or_default();
    }
    fill_in(item, schema);
}

fn is_refused_null(value: &Value, schema: &Value) -> bool {
    value.is_null() && schema.get("nullable") != Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Value {
        json!({
            "apiVersion": "apiextensions.crossplane.io/v2", "kind": "CompositeResourceDefinition",
            "spec": {
                "group": "example.org", "scope": "Cluster", "names": {"kind": "XThing"},
                "defaultCompositionUpdatePolicy": "Manual",
                "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"properties": {"spec": {
                    "default": {"lost": true},
                    "properties": {
                        "size": {"default": 3},
                        "note": {"nullable": true, "default": "x"},
                        "nested": {"default": {}, "properties": {"on": {"default": true}}},
                        "list": {"items": {"properties": {"n": {"default": 1}}}},
                        "map": {"additionalProperties": {"default": {}, "properties": {"n": {"default": 2}}}},
                    }
                }}}}}],
            },
        })
    }

    fn composite(spec: &Value) -> Value {
        json!({"apiVersion": "example.org/v1", "kind": "XThing", "spec": spec})
    }

    #[test]
    fn defaults_are_filled_in_at_every_level() {
        let mut filled =
            composite(&json!({"note": null, "list": [{}, {"n": 5}], "map": {"a": null}, "crossplane": {}}));
        apply(&mut filled, &definition()).expect("the definition fits");
        let expected = json!({
            "note": null, "size": 3, "nested": {"on": true}, "list": [{"n": 1}, {"n": 5}], "map": {"a": {"n": 2}},
            "crossplane": {"compositionUpdatePolicy": "Manual"},
        });
        assert_eq!(filled["spec"], expected);
    }

    #[test]
    fn an_absent_spec_stays_absent() {
        let mut bare = json!({"apiVersion": "example.org/v1", "kind": "XThing"});
        apply(&mut bare, &definition()).expect("the definition fits");
        assert_eq!(bare.get("spec"), None);
    }

    #[test]
    fn a_definition_of_another_kind_or_version_is_refused() {
        let mut other = composite(&json!({}));
        other["kind"] = json!("XOther");
        assert!(matches!(
            apply(&mut other, &definition()),
            Err(DefinitionProblem::OtherKind { .. })
        ));
        let mut later = composite(&json!({}));
        later["apiVersion"] = json!("example.org/v2");
        assert!(matches!(
            apply(&mut later, &definition()),
            Err(DefinitionProblem::NoVersion(_))
        ));
    }
}
