//! Checks objects against the schemas that the API server would check them against.
//!
//! In: an object. Out: what is wrong with it, one line per field; a field that its schema does not know is wrong too,
//! since the API server would drop it in silence. The schema is found by `apiVersion` and `kind`: Kubernetes' own from
//! two minors, the CRDs in tests/schemas/crds, and our XRD and input. An object without a schema is wrong.
//!
//! Not checked: CEL, formats of text, and what admission adds.
#![expect(
    clippy::panic,
    reason = "schemas that cannot be read end the test that needs them"
)]

use std::{collections::HashSet, fs, path::Path, sync::LazyLock};

use regex_lite::Regex;
use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const KUBERNETES_MINORS: [&str; 2] = ["1.33", "1.36"];

static LIBRARY: LazyLock<Library> = LazyLock::new(Library::load);

/// What is wrong with an object; empty when it fits every schema that there is for it.
pub fn problems(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut schemas = 0;
    for (minor, document) in &LIBRARY.kubernetes {
        if let Some(schema) = native(document, object) {
            schemas += 1;
            let label = format!("Kubernetes {minor}: ");
            let reader = Reader {
                definitions: &document["definitions"],
                pruning: false,
            };
            reader.check(object, schema, &label, &mut found);
        }
    }
    if let Some(schema) = LIBRARY
        .custom
        .iter()
        .find_map(|resource| custom(resource, object))
    {
        schemas += 1;
        let definitions = &LIBRARY.kubernetes[0].1["definitions"];
        Reader {
            definitions,
            pruning: true,
        }
        .check(object, &schema, "", &mut found);
    }
    if schemas == 0 {
        found.push(format!(
            "no schema for {} {}",
            object["apiVersion"], object["kind"]
        ));
    }
    found
}

struct Library {
    kubernetes: Vec<(&'static str, Value)>,
    custom: Vec<Value>,
}

impl Library {
    fn load() -> Self {
        let kubernetes = KUBERNETES_MINORS
            .map(|minor| {
                let path = format!("tests/schemas/kubernetes-{minor}.json");
                (minor, json(&Path::new(ROOT).join(path)))
            })
            .into();
        let mut custom = Vec::new();
        for folder in ["tests/schemas/crds", "function/package/input"] {
            let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect(folder);
            custom.extend(entries.map(|entry| yaml(&entry.expect(folder).path())));
        }
        custom.extend(composites());
        Self { kubernetes, custom }
    }
}

/// Our XRDs, with the fields that Crossplane adds.
fn composites() -> Vec<Value> {
    let kinds = fs::read_dir(Path::new(ROOT).join("package")).expect("package");
    let files = kinds.map(|entry| entry.expect("package").path().join("definition.yaml"));
    files
        .filter(|file| file.is_file())
        .map(|file| {
            let mut definition = yaml(&file);
            for version in definition["spec"]["versions"].as_array_mut().expect("versions") {
                let properties = &mut version["schema"]["openAPIV3Schema"]["properties"];
                let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
                properties["spec"]["properties"]["crossplane"] = anything.clone();
                properties["status"]["properties"]["crossplane"] = anything.clone();
                properties["status"]["properties"]["conditions"] =
                    json!({"type": "array", "items": anything});
            }
            definition
        })
        .collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &Path) -> Value {
    serde_yaml::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// JSON is YAML, but its own reader takes a tenth of the time.
fn json(path: &Path) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn native<'a>(document: &'a Value, object: &Value) -> Option<&'a Value> {
    let (group, version) = group_and_version(object)?;
    let wanted = json!({"group": group, "version": version, "kind": object["kind"]});
    let definitions = document["definitions"].as_object().expect("definitions");
    definitions.values().find(|definition| {
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.len() == 1 && kinds[0] == wanted)
    })
}

fn custom(resource: &Value, object: &Value) -> Option<Value> {
    let (group, version) = group_and_version(object)?;
    let spec = &resource["spec"];
    if spec["group"] != group || spec["names"]["kind"] != object["kind"] {
        return None;
    }
    let version = spec["versions"]
        .as_array()?
        .iter()
        .find(|one| one["name"] == version)?;
    let mut schema = version["schema"]["openAPIV3Schema"].clone();
    standard_fields(&mut schema);
    Some(schema)
}

fn group_and_version(object: &Value) -> Option<(&str, &str)> {
    let api_version = object["apiVersion"].as_str()?;
    Some(api_version.split_once('/').unwrap_or(("", api_version)))
}

/// What a custom resource has without saying so.
fn standard_fields(schema: &mut Value) {
    schema["properties"]["apiVersion"] = json!({"type": "string"});
    schema["properties"]["kind"] = json!({"type": "string"});
    let metadata = json!({"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"});
    schema["properties"]["metadata"] = metadata;
}

struct Reader<'a> {
    definitions: &'a Value,
    /// Whether an object without named fields loses all that it has, as in a CRD, or may have any.
    pruning: bool,
}

impl Reader<'_> {
    fn check(&self, value: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.check_reference(value, reference, path, found);
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        if schema["x-kubernetes-int-or-string"] == true || schema["format"] == "int-or-string" {
            if !value.is_string() && !value.is_i64() {
                found.push(format!("{path}: {value} is neither text nor a whole number"));
            }
            return;
        }
        let known = has_type(value, schema["type"].as_str());
        if known == Some(false) {
            found.push(format!("{path}: {value} is not of type {}", schema["type"]));
            return;
        }
        self.check_alternatives(value, schema, path, found);
        if schema["enum"]
            .as_array()
            .is_some_and(|choices| !choices.contains(value))
        {
            found.push(format!("{path}: {value} is none of {}", schema["enum"]));
        }
        match value {
            Value::Object(fields) => self.check_fields(fields, schema, path, found),
            Value::Array(entries) => self.check_entries(entries, schema, path, found),
            Value::String(text) => check_text(text, schema, path, found),
            Value::Number(_) => check_range(value.as_f64(), schema, ["minimum", "maximum"], path, found),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_reference(&self, value: &Value, reference: &str, path: &str, found: &mut Vec<String>) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        if name.ends_with(".Quantity") {
            let fits = value.is_number() || value.as_str().is_some_and(is_quantity);
            return found.extend((!fits).then(|| format!("{path}: {value} is no quantity")));
        }
        let schema = &self.definitions[name];
        assert!(schema.is_object(), "the schemas lack {name}");
        Reader {
            definitions: self.definitions,
            pruning: false,
        }
        .check(value, schema, path, found);
    }

    /// `allOf` and its kin constrain a value and say nothing of which fields there are.
    fn check_alternatives(&self, value: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
        let loose = Reader {
            definitions: self.definitions,
            pruning: false,
        };
        let fits = |schema: &Value| {
            let mut open = schema.clone();
            open["additionalProperties"] = Value::Bool(true);
            let mut inner = Vec::new();
            loose.check(value, &open, path, &mut inner);
            inner.is_empty()
        };
        let count = |key: &str| {
            let all = schema[key].as_array()?;
            Some((all.iter().filter(|one| fits(one)).count(), all.len()))
        };
        let wrong = [
            ("allOf", count("allOf").is_some_and(|(fit, all)| fit != all)),
            ("anyOf", count("anyOf").is_some_and(|(fit, _)| fit == 0)),
            ("oneOf", count("oneOf").is_some_and(|(fit, _)| fit != 1)),
            ("not", schema.get("not").is_some_and(fits)),
        ];
        found.extend(
            wrong
                .iter()
                .filter(|(_, wrong)| *wrong)
                .map(|(key, _)| format!("{path}: breaks {key}")),
        );
    }

    fn check_fields(
        &self,
        fields: &serde_json::Map<String, Value>,
        schema: &Value,
        path: &str,
        found: &mut Vec<String>,
    ) {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !fields.contains_key(name) {
                found.push(format!("{path}.{name}: is required"));
            }
        }
        check_range(
            count(fields.len()),
            schema,
            ["minProperties", "maxProperties"],
            path,
            found,
        );
        let free = schema["x-kubernetes-preserve-unknown-fields"] == true
            || schema["additionalProperties"] == true
            || (!self.pruning && schema["properties"].is_null());
        for (name, value) in fields {
            let path = format!("{path}.{name}");
            let embedded = schema["x-kubernetes-embedded-resource"] == true
                && ["apiVersion", "kind", "metadata"].contains(&name.as_str());
            match (schema["properties"].get(name), &schema["additionalProperties"]) {
                (Some(property), _) => self.check(value, property, &path, found),
                (None, values @ Value::Object(_)) => self.check(value, values, &path, found),
                (None, _) if free || embedded => {}
                (None, _) => found.push(format!("{path}: is no field")),
            }
        }
    }

    fn check_entries(&self, entries: &[Value], schema: &Value, path: &str, found: &mut Vec<String>) {
        check_range(
            count(entries.len()),
            schema,
            ["minItems", "maxItems"],
            path,
            found,
        );
        for (index, entry) in entries.iter().enumerate() {
            self.check(entry, &schema["items"], &format!("{path}[{index}]"), found);
        }
        let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut seen = HashSet::new();
        for entry in entries {
            let identity = match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => entry.to_string(),
                Some("map") => keys
                    .iter()
                    .map(|key| entry[*key].to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
                _ => continue,
            };
            if !seen.insert(identity.clone()) {
                found.push(format!("{path}: has {identity} twice"));
            }
        }
    }
}

fn has_type(value: &Value, expected: Option<&str>) -> Option<bool> {
    Some(match expected? {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("the type {other} is unknown"),
    })
}

fn check_text(text: &str, schema: &Value, path: &str, found: &mut Vec<String>) {
    check_range(
        count(text.chars().count()),
        schema,
        ["minLength", "maxLength"],
        path,
        found,
    );
    if let Some(pattern) = schema["pattern"].as_str() {
        let matcher = Regex::new(pattern).unwrap_or_else(|error| panic!("{path}: {pattern}: {error}"));
        if !matcher.is_match(text) {
            found.push(format!("{path}: {text:?} does not match {pattern}"));
        }
    }
}

fn check_range(number: Option<f64>, schema: &Value, limits: [&str; 2], path: &str, found: &mut Vec<String>) {
    let number = number.expect("JSON numbers are finite");
    let width = schema["format"] == "int32" && !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    if width
        || schema[limits[0]].as_f64().is_some_and(|least| number < least)
        || schema[limits[1]].as_f64().is_some_and(|most| number > most)
    {
        let range = limits
            .map(|limit| format!("{limit} {}", schema[limit]))
            .join(", ");
        found.push(format!("{path}: {number} is outside of {range}"));
    }
}

fn count(length: usize) -> Option<f64> {
    u32::try_from(length).ok().map(f64::from)
}

fn is_quantity(text: &str) -> bool {
    let pattern =
        r"^[+-]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?$";
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}
