//! The schema files: generated, up to date, and valid in the eyes of Kubernetes, Crossplane and its command line.
//!
//! `UPDATE=1 cargo test --test schemas` writes them anew.

mod common;
#[path = "common/full.rs"]
mod full;
#[path = "common/openapi.rs"]
mod openapi;

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use function_odoo::api::{FUNCTION_NAME, FUNCTION_REPOSITORY, platform::Platform, schema::document};
use function_odoo::defaults;
use serde_json::{Map, Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const DEFINITION: &str = "package/planaclient/definition.yaml";
const COMPOSITION: &str = "package/planaclient/composition.yaml";
const SNAPSHOT_DEFINITION: &str = "package/templatesnapshot/definition.yaml";
const SNAPSHOT_COMPOSITION: &str = "package/templatesnapshot/composition.yaml";
const PLATFORM: &str = "function/package/input/platform.yaml";

/// Every keyword that we use; all of them are allowed in a structural schema.
const KNOWN: &str = " additionalProperties default description enum format items maxItems maxLength maxProperties \
    maximum minItems minLength minProperties minimum nullable pattern properties required type \
    x-kubernetes-list-type x-kubernetes-validations ";

fn generated() -> [(&'static str, String); 3] {
    [
        (
            DEFINITION,
            document::plana_client_definition().expect("the XRD can be written"),
        ),
        (
            SNAPSHOT_DEFINITION,
            document::template_snapshot_definition().expect("the XRD can be written"),
        ),
        (
            PLATFORM,
            document::platform_definition().expect("the CRD can be written"),
        ),
    ]
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect(path)
}

fn parsed(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).expect("the file is YAML")
}

/// The schema inside a generated document.
fn schema_of(path: &str) -> Value {
    let (_, yaml) = generated()
        .into_iter()
        .find(|(file, _)| *file == path)
        .expect("it is generated");
    parsed(&yaml)["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Visits a schema and everything below it.
fn each(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        each(property, &format!("{path}.{name}"), visit);
    }
    for (key, step) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = schema.get(key) {
            each(inner, &format!("{path}{step}"), visit);
        }
    }
}

fn leaves_of_schema(schema: &Value) -> BTreeSet<String> {
    let mut leaves = BTreeSet::new();
    each(schema, "", &mut |path, schema| {
        let inner = ["properties", "items", "additionalProperties"]
            .iter()
            .any(|key| schema.get(key).is_some());
        if !inner {
            leaves.insert(path.to_owned());
        }
    });
    leaves
}

/// The paths of a value's leaves, spelled as those of the schema that it belongs to.
fn leaves_of_value(value: &Value, schema: &Value, path: &str, leaves: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let (inner, step) = match schema["properties"].get(name) {
                    Some(property) => (property, name.as_str()),
                    None => (&schema["additionalProperties"], "*"),
                };
                let step = if inner.is_null() { name } else { step };
                leaves_of_value(value, inner, &format!("{path}.{step}"), leaves);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                leaves_of_value(entry, &schema["items"], &format!("{path}[]"), leaves);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            leaves.insert(path.to_owned());
        }
    }
}

#[test]
fn the_files_are_up_to_date() {
    for (path, content) in generated() {
        let file = Path::new(ROOT).join(path);
        if env::var_os("UPDATE").is_some() {
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("the folder can be made");
            fs::write(&file, &content).expect("the file can be written");
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == content,
            "{path} is stale: run `UPDATE=1 cargo test --test schemas`"
        );
    }
}

#[test]
fn crossplane_knows_every_field_of_the_definition_and_the_composition() {
    for path in [DEFINITION, COMPOSITION, SNAPSHOT_DEFINITION, SNAPSHOT_COMPOSITION] {
        assert_eq!(openapi::problems(&parsed(&text(path))), [""; 0], "{path}");
    }
}

#[test]
fn an_object_that_does_not_fit_is_noticed() {
    let mut composition = parsed(&text(COMPOSITION));
    composition["spec"]["mode"] = json!("Pipelines");
    composition["spec"]["pipeline"][0]["stop"] = json!(1);
    composition["metadata"]["nmae"] = json!("x");
    let found = openapi::problems(&composition);
    assert_eq!(found.len(), 3, "{found:?}");
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": 1, "env": [{"name": "A"}, {"name": "A"}], "resources": {"limits": {"cpu": "1 core"}}},
        ]}}},
    });
    let found = openapi::problems(&job);
    assert_eq!(found.len(), 6, "three in each minor: {found:?}");
    assert_eq!(
        openapi::problems(&json!({"apiVersion": "x/v1", "kind": "Y"})),
        ["no schema for \"x/v1\" \"Y\""]
    );
}

/// The rules of apiextensions.k8s.io/v1 for structural schemas, and what Crossplane and `kubectl explain` want besides.
#[test]
fn every_node_is_structural_and_described() {
    let mut nodes = 0;
    for path in [DEFINITION, SNAPSHOT_DEFINITION, PLATFORM] {
        each(&schema_of(path), path, &mut |path, schema| {
            nodes += 1;
            let keys = schema.as_object().expect("a schema is an object");
            for key in keys.keys() {
                assert!(
                    KNOWN.contains(&format!(" {key} ")),
                    "{path}: {key} is not structural"
                );
            }
            let kind = schema["type"]
                .as_str()
                .unwrap_or_else(|| panic!("{path} has no type"));
            assert!(
                !(keys.contains_key("properties") && keys.contains_key("additionalProperties")),
                "{path}"
            );
            assert_eq!(kind == "array", keys.contains_key("items"), "{path}");
            if let Some(format) = schema["format"].as_str() {
                assert!(
                    kind == "integer" && ["int32", "int64"].contains(&format),
                    "{path}: {format}"
                );
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().expect("a name");
                assert!(
                    schema["properties"].get(name).is_some(),
                    "{path}: requires unknown {name}"
                );
            }
            if path.ends_with("platform.yaml.metadata") {
                assert_eq!(keys.len(), 1, "the API server allows nothing else here");
                return;
            }
            let value_of_key = path.ends_with("[]") || path.ends_with(".*");
            let described = schema["description"]
                .as_str()
                .is_some_and(|text| !text.contains(['`', '\n']));
            assert!(
                described || (value_of_key && kind == "string"),
                "{path} has no plain description"
            );
        });
    }
    assert!(nodes > 100, "{nodes}");
}

#[test]
fn nothing_stands_where_crossplane_drops_it() {
    let kept = [
        "description",
        "properties",
        "required",
        "type",
        "x-kubernetes-validations",
    ];
    for path in [DEFINITION, SNAPSHOT_DEFINITION] {
        let schema = schema_of(path);
        let (spec, status) = (&schema["properties"]["spec"], &schema["properties"]["status"]);
        for part in [&schema, spec, status] {
            for key in part.as_object().expect("a schema is an object").keys() {
                assert!(kept.contains(&key.as_str()), "{path}: {key}");
            }
        }
    }
    let longest = |path: &str, field: &str| {
        let schema = schema_of(path);
        let name = schema["properties"]["metadata"]["properties"]["name"]["maxLength"].clone();
        let field = schema["properties"]["spec"]["properties"][field]["maxLength"].clone();
        (name.as_u64(), field.as_u64())
    };
    assert_eq!(longest(DEFINITION, "subdomain"), (Some(30), Some(30)));
    // With a hyphen and the two digits of a major.
    assert_eq!(longest(SNAPSHOT_DEFINITION, "templateCode"), (Some(33), Some(30)));
}

#[test]
fn the_schemas_and_the_types_have_the_same_fields() {
    let definition = schema_of(DEFINITION);
    let snapshot = schema_of(SNAPSHOT_DEFINITION);
    let mut platform = schema_of(PLATFORM);
    // There the API server knows the metadata, and we take part of it.
    platform["properties"]
        .as_object_mut()
        .expect("fields")
        .remove("metadata");
    let mut input = serde_json::to_value(full::platform()).expect("a Platform is JSON");
    input.as_object_mut().expect("fields").remove("metadata");
    for (value, schema) in [
        (
            serde_json::to_value(full::spec()).expect("a spec is JSON"),
            &definition["properties"]["spec"],
        ),
        (
            serde_json::to_value(full::status()).expect("a status is JSON"),
            &definition["properties"]["status"],
        ),
        (
            serde_json::to_value(full::snapshot_spec()).expect("a spec is JSON"),
            &snapshot["properties"]["spec"],
        ),
        (
            serde_json::to_value(full::snapshot_status()).expect("a status is JSON"),
            &snapshot["properties"]["status"],
        ),
        (input, &platform),
    ] {
        let mut leaves = BTreeSet::new();
        leaves_of_value(&value, schema, "", &mut leaves);
        assert_eq!(leaves, leaves_of_schema(schema));
    }
}

#[test]
fn full_values_fit_the_schemas() {
    let client = json!({
        "apiVersion": "planapulse.com/v1alpha1", "kind": "PLANAClient", "metadata": {"name": "acme"},
        "spec": full::spec(), "status": full::status(),
    });
    assert_eq!(openapi::problems(&client), [""; 0]);
    assert_eq!(openapi::problems(&snapshot()), [""; 0]);
    let mut input = serde_json::to_value(full::platform()).expect("a Platform is JSON");
    assert_eq!(openapi::problems(&input), [""; 0]);
    input["gateway"]["requestTimout"] = json!("1s");
    assert_eq!(openapi::problems(&input), [".gateway.requestTimout: is no field"]);
}

#[test]
fn the_default_of_a_new_clients_major_is_the_platforms() {
    let schema = schema_of(DEFINITION);
    let spec = &schema["properties"]["spec"]["properties"];
    assert_eq!(spec["odooVersion"]["default"], defaults::ODOO_VERSION);
    let mut others = 0;
    each(&schema, "", &mut |_, schema| {
        others += usize::from(schema.get("default").is_some());
    });
    assert_eq!(others, 1, "a further default needs a constant and a line here");
}

#[test]
fn a_platform_made_of_the_schemas_defaults_is_the_default_platform() {
    fn filled(schema: &Value) -> Option<Value> {
        if let Some(default) = schema.get("default") {
            return Some(default.clone());
        }
        let fields: Map<String, Value> = schema["properties"]
            .as_object()?
            .iter()
            .filter_map(|(name, property)| Some((name.clone(), filled(property)?)))
            .collect();
        let mut required = schema["required"].as_array().into_iter().flatten();
        let complete = required.all(|name| fields.contains_key(name.as_str().expect("a name")));
        (complete && !fields.is_empty()).then_some(Value::Object(fields))
    }
    let value = filled(&schema_of(PLATFORM)).expect("there are defaults");
    assert_eq!(value["database"]["host"], defaults::DATABASE_HOST);
    let platform: Platform = serde_json::from_value(value.clone()).expect("the defaults are readable");
    assert_eq!(platform, Platform::default());
    let mut object = value;
    object["apiVersion"] = json!("odoo.fn.planapulse.com/v1beta1");
    object["kind"] = json!("Platform");
    assert_eq!(openapi::problems(&object), [""; 0]);
}

#[test]
fn what_must_not_change_of_a_template_says_so_in_cel() {
    let schema = schema_of(SNAPSHOT_DEFINITION);
    let rules = |node: &Value| node["x-kubernetes-validations"].to_string();
    let name = "self.metadata.name == self.spec.templateCode + '-' + self.spec.odooVersion";
    assert!(rules(&schema).contains(name));
    for field in ["templateCode", "odooVersion"] {
        let field = &schema["properties"]["spec"]["properties"][field];
        assert!(rules(field).contains("self == oldSelf"), "{field}");
    }
}

#[test]
fn what_must_not_change_says_so_in_cel() {
    let schema = schema_of(DEFINITION);
    let spec = &schema["properties"]["spec"];
    let rules = |node: &Value| node["x-kubernetes-validations"].to_string();
    assert!(rules(&schema).contains("self.metadata.name == self.spec.subdomain"));
    for field in ["subdomain", "projectId"] {
        assert!(
            rules(&spec["properties"][field]).contains("self == oldSelf"),
            "{field}"
        );
    }
    assert!(rules(spec).contains("oldSelf.adoptDatabase"));
    for name in defaults::RESERVED_NAMES {
        assert!(
            rules(&spec["properties"]["subdomain"]).contains(&format!("'{name}'")),
            "{name}"
        );
    }
    let mut messages = 0;
    each(&schema, "", &mut |path, schema| {
        for rule in schema["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let message = rule["message"].as_str().unwrap_or_default();
            assert!(message.len() > 20 && !message.contains('\n'), "{path}: {message}");
            messages += 1;
        }
    });
    assert!(messages > 10, "{messages}");
}

/// Go reads YAML 1.1, in which these words are truth values and times are numbers, also as keys; the writer, which
/// knows 1.2, leaves them without quotes.
#[test]
fn no_word_is_something_else_to_an_older_reader() {
    fn words(value: &Value, all: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    all.insert(key.clone());
                    words(value, all);
                }
            }
            Value::Array(entries) => entries.iter().for_each(|entry| words(entry, all)),
            Value::String(word) => _ = all.insert(word.clone()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    for (path, yaml) in generated() {
        let mut all = BTreeSet::new();
        words(&parsed(&yaml), &mut all);
        assert!(all.len() > 80, "{path}: {}", all.len());
        for word in all {
            assert!(
                !["y", "n", "yes", "no", "on", "off"].contains(&word.to_lowercase().as_str()),
                "{path}: {word}"
            );
            assert!(
                !word.starts_with(|first: char| first.is_ascii_digit()) || !word.contains(':'),
                "{path}: {word}"
            );
        }
    }
    assert!(
        generated()[0].1.contains("default: '18'"),
        "a number in text keeps its quotes"
    );
}

#[test]
fn the_function_has_one_name_everywhere() {
    let (_, path) = FUNCTION_REPOSITORY
        .split_once('/')
        .expect("a repository has a host and a path");
    assert_eq!(FUNCTION_NAME, path.replace(['/', '.', ':'], "-"));
    assert!(defaults::PROGRAM_IMAGE.starts_with(&format!("{FUNCTION_REPOSITORY}:")));
    for (path, name) in [
        (COMPOSITION, document::COMPOSITION_NAME),
        (SNAPSHOT_COMPOSITION, document::TEMPLATE_COMPOSITION_NAME),
    ] {
        let composition = parsed(&text(path));
        let step = &composition["spec"]["pipeline"][0];
        assert_eq!(step["functionRef"]["name"], FUNCTION_NAME);
        assert_eq!(step["input"]["apiVersion"], function_odoo::api::INPUT_API_VERSION);
        assert_eq!(step["input"]["kind"], function_odoo::api::INPUT_KIND);
        assert_eq!(composition["metadata"]["name"], name);
        let reference = &composition["spec"]["compositeTypeRef"];
        assert_eq!(reference["apiVersion"], function_odoo::api::API_VERSION);
    }

    let mut named = 0;
    let mut files = vec![Path::new(ROOT).to_path_buf()];
    while let Some(file) = files.pop() {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if file.is_dir() {
            let searched = ["package", "function", "deploy", "docs", "examples", "planaclient"];
            if file == Path::new(ROOT)
                || searched.contains(&name.as_str())
                || file.parent() != Some(Path::new(ROOT))
            {
                files.extend(
                    fs::read_dir(&file)
                        .expect("a folder")
                        .map(|entry| entry.expect("an entry").path()),
                );
            }
        } else if [".md", ".yaml"].iter().any(|ending| name.ends_with(ending)) {
            let content = fs::read_to_string(&file).expect("a text");
            for (at, found) in content.match_indices("plana-pulse/function-odoo") {
                assert!(
                    content[..at].ends_with("git.planapulse.com/"),
                    "{}: {found}",
                    file.display()
                );
            }
            for (at, _) in content.match_indices("-function-odoo") {
                assert!(
                    content[..at].ends_with("plana-pulse"),
                    "{}: not {FUNCTION_NAME}",
                    file.display()
                );
                named += 1;
            }
        }
    }
    assert!(named > 0);
}

/// A client that is as it should be.
fn good() -> Value {
    json!({
        "apiVersion": "planapulse.com/v1alpha1", "kind": "PLANAClient", "metadata": {"name": "acme"},
        "spec": {
            "subdomain": "acme", "projectId": 23, "tier": "starter",
            "ownerEmail": "owner@acme.example", "ownerName": "Acme",
        },
    })
}

/// A template with every field given.
fn snapshot() -> Value {
    json!({
        "apiVersion": "planapulse.com/v1alpha1", "kind": "TemplateSnapshot", "metadata": {"name": "basic-18"},
        "spec": full::snapshot_spec(), "status": full::snapshot_status(),
    })
}

fn named(subdomain: &str) -> Value {
    let mut client = good();
    client["metadata"]["name"] = json!(subdomain);
    client["spec"]["subdomain"] = json!(subdomain);
    client
}

fn with(field: &str, value: Value) -> Value {
    let mut client = good();
    client["spec"][field] = value;
    client
}

/// What the real command line says of an object; it evaluates CEL with the API server's own code.
fn validated(crossplane: &Path, object: &Value) -> (bool, String) {
    let mut process = Command::new(crossplane)
        .args([
            "resource",
            "validate",
            &format!("{DEFINITION},{SNAPSHOT_DEFINITION}"),
            "-",
            "--crossplane-image=",
            "--error-on-missing-schemas",
        ])
        .current_dir(ROOT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("crossplane starts");
    let mut input = process.stdin.take().expect("it reads");
    write!(input, "{object}").expect("it listens");
    drop(input);
    let output = process.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// The CRD that Crossplane makes of the XRD, by Crossplane's own code.
#[test]
fn nothing_is_lost_on_the_way_to_the_cluster() {
    let Some(crossplane) = common::tool("crossplane") else {
        return;
    };
    let output = Command::new(crossplane)
        .args(["xrd", "convert", DEFINITION])
        .current_dir(ROOT)
        .output()
        .expect("crossplane starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let converted = parsed(&String::from_utf8(output.stdout).expect("it writes text"));
    let version = &converted["spec"]["versions"][0];
    let there = &version["schema"]["openAPIV3Schema"];
    let ours = schema_of(DEFINITION);
    let rules = "x-kubernetes-validations";
    assert_eq!(there[rules], ours[rules]);
    assert_eq!(there["description"], ours["description"]);
    assert_eq!(
        there["properties"]["metadata"]["properties"]["name"]["maxLength"],
        30
    );
    for part in ["spec", "status"] {
        let (there, ours) = (&there["properties"][part], &ours["properties"][part]);
        assert_eq!(there[rules], ours[rules]);
        assert_eq!(there["required"], ours["required"]);
        for (name, property) in ours["properties"].as_object().expect("fields") {
            assert_eq!(&there["properties"][name], property, "{part}.{name}");
        }
    }
    let columns = version["additionalPrinterColumns"].as_array().expect("columns");
    let names: Vec<_> = columns
        .iter()
        .filter_map(|column| column["name"].as_str())
        .collect();
    assert_eq!(
        names[..7],
        ["TIER", "ODOO", "PHASE", "URL", "OWNER", "DATABASE", "LAST-BACKUP"]
    );
}

#[test]
fn the_real_command_line_takes_good_clients() {
    let Some(crossplane) = common::tool("crossplane") else {
        return;
    };
    let mut full = good();
    full["spec"] = serde_json::to_value(full::spec()).expect("a spec is JSON");
    full["status"] = serde_json::to_value(full::status()).expect("a status is JSON");
    let longest = named(&"a".repeat(30));
    let mut plain = snapshot();
    plain["spec"] = json!({"templateCode": "pro", "odooVersion": "19"});
    plain["metadata"]["name"] = json!("pro-19");
    for client in [
        snapshot(),
        plain,
        good(),
        full,
        named("a"),
        named("a-b-c-1"),
        named("0"),
        longest,
    ] {
        let (fits, said) = validated(&crossplane, &client);
        assert!(fits && said.contains("1 success cases"), "{client}: {said}");
    }
}

#[test]
fn the_real_command_line_refuses_bad_templates_in_our_words() {
    let Some(crossplane) = common::tool("crossplane") else {
        return;
    };
    let with = |field: &str, value: Value| {
        let mut template = snapshot();
        template["spec"][field] = value;
        template
    };
    let cases = [
        (
            with("templateCode", json!("pro")),
            "metadata.name must be <spec.templateCode>-",
        ),
        (with("odooVersion", json!("19")), "such as basic-18"),
        (with("odooVersion", json!(18)), "spec.odooVersion"),
        (
            with("revision", json!("sha256:abc")),
            "must be the tag of an image, or a digest",
        ),
        (
            with("modules", json!(["Sale"])),
            "must be the technical name of a module",
        ),
        (with("moduels", json!([])), "unknown field: \"moduels\""),
    ];
    for (template, message) in cases {
        let (fits, said) = validated(&crossplane, &template);
        assert!(
            !fits && said.contains(message),
            "{template}\nmust be refused with {message:?}: {said}"
        );
    }
}

#[test]
fn the_real_command_line_refuses_bad_clients_in_our_words() {
    let Some(crossplane) = common::tool("crossplane") else {
        return;
    };
    let shape = "must be 1 to 30 lower-case letters";
    let mut other_name = good();
    other_name["metadata"]["name"] = json!("emca");
    let mut nameless = good();
    nameless["spec"]
        .as_object_mut()
        .expect("fields")
        .remove("ownerName");
    let cases = [
        (named("Acme"), shape),
        (named("-acme"), shape),
        (named("acme-"), shape),
        (named("acme.bg"), shape),
        (named("a--b"), "cannot have two hyphens in a row"),
        (named(&"a".repeat(31)), "may not be more than 30"),
        (named("postgres"), "is reserved for the platform itself"),
        (named("basic-template-18"), "marks template databases"),
        (other_name, "metadata.name must be spec.subdomain"),
        (nameless, "ownerName: Required value"),
        (
            with("customDomains", json!(["erp.acme.example"])),
            "need tier enterprise",
        ),
        (
            with("tier", json!("gold")),
            "supported values: \"starter\", \"pro\", \"enterprise\"",
        ),
        (with("projectId", json!(-1)), "greater than or equal to 0"),
        (with("projectId", json!(1.5)), "spec.projectId"),
        (with("projectId", json!("23")), "spec.projectId"),
        (with("odooVersion", json!(18)), "spec.odooVersion"),
        (
            with("odooVersion", json!("eighteen")),
            "must be an Odoo major in quotes",
        ),
        (
            with("ownerEmail", json!("owner at acme")),
            "must be a mail address",
        ),
        (
            with("backup", json!({"schedule": "TZ=Asia/Tokyo 0 1 * * *"})),
            "cannot name a time zone",
        ),
        (
            with("backup", json!({"schedule": "every night"})),
            "must be a cron expression",
        ),
        (
            with("backup", json!({"retentionDays": 1})),
            "greater than or equal to 7",
        ),
        (with("teir", json!("pro")), "unknown field: \"teir\""),
    ];
    for (client, message) in cases {
        let (fits, said) = validated(&crossplane, &client);
        assert!(
            !fits && said.contains(message),
            "{client}\nmust be refused with {message:?}: {said}"
        );
    }
}
