//! The manifest beside the packages: what Crossplane and people may do, and how the function runs.
//!
//! In: `deploy/function-odoo.yaml`, the goldens (all that the function ever composes) and the Dockerfile. That the
//! objects fit their schemas is checked with the real command line, in `packages_real.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What Crossplane asks for before it watches a composed kind.
const VERBS: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];

/// Groups that Crossplane's own role, and its RBAC manager for the kinds of packages, already grant.
const GRANTED_BY_CROSSPLANE: [&str; 4] = [
    "",
    "planapulse.com",
    "postgresql.sql.crossplane.io",
    "protection.crossplane.io",
];

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the file is in the repository")
}

fn documents(path: &Path) -> Vec<Value> {
    let text = read(path);
    let documents = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize);
    documents
        .map(|document| document.expect("it is YAML"))
        .filter(|document| !document.is_null())
        .collect()
}

fn manifest(kind: &str, name: &str) -> Value {
    let objects = documents(&Path::new(ROOT).join("deploy/function-odoo.yaml"));
    let found = objects
        .into_iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.expect("the manifest holds it")
}

/// What a role grants: the verbs of every group and resource.
fn rights(role: &str) -> BTreeMap<(String, String), BTreeSet<String>> {
    let words = |list: &Value| -> Vec<String> {
        serde_json::from_value(list.clone()).expect("a rule is made of lists of words")
    };
    let role = manifest("ClusterRole", role);
    let mut rights = BTreeMap::new();
    for rule in role["rules"].as_array().expect("a role has rules") {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                let verbs: &mut BTreeSet<_> = rights.entry((group.clone(), resource)).or_default();
                verbs.extend(words(&rule["verbs"]));
            }
        }
    }
    rights
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is in the repository");
    let paths = entries.map(|entry| entry.expect("it is readable").path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// Group and resource of every object in here.
fn collect_resources(value: &Value, into: &mut BTreeSet<(String, String)>) {
    if let (Some(version), Some(kind)) = (value["apiVersion"].as_str(), value["kind"].as_str()) {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        into.insert((group.to_owned(), format!("{}s", kind.to_lowercase())));
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|field| collect_resources(field, into)),
        Value::Array(entries) => entries.iter().for_each(|entry| collect_resources(entry, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn names(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn crossplane_may_do_all_it_must_with_every_kind_that_we_compose() {
    let role = "function-odoo:aggregate-to-crossplane";
    let labels = &manifest("ClusterRole", role)["metadata"]["labels"];
    assert_eq!(labels["rbac.crossplane.io/aggregate-to-crossplane"], "true");

    let mut composed = BTreeSet::new();
    for file in files(&Path::new(ROOT).join("tests/golden")) {
        for answer in documents(&file) {
            collect_resources(&answer, &mut composed);
        }
    }
    composed.retain(|(group, _)| !GRANTED_BY_CROSSPLANE.contains(&group.as_str()));
    assert!(
        composed.contains(&("batch".to_owned(), "jobs".to_owned())),
        "{composed:?}"
    );

    let rights = rights(role);
    for (group, resource) in composed {
        for resource in [resource.clone(), format!("{resource}/status")] {
            let verbs = rights.get(&(group.clone(), resource.clone()));
            assert_eq!(verbs, Some(&names(&VERBS)), "{resource}.{group}");
        }
    }
}

/// Kinds that are only asked for, in the questions of the goldens: Secrets are Crossplane's anyway, ours its RBAC manager's.
#[test]
fn crossplane_may_look_at_the_pods_of_jobs_and_no_more() {
    let asked = files(&Path::new(ROOT).join("tests/golden"))
        .iter()
        .flat_map(|file| documents(file))
        .any(|answer| answer["requires"].to_string().contains("pods-"));
    assert!(asked, "a golden asks for pods");
    let rights = rights("function-odoo:aggregate-to-crossplane");
    let pods = rights.get(&(String::new(), "pods".to_owned()));
    assert_eq!(pods, Some(&names(&["get", "list", "watch"])));
}

#[test]
fn creators_may_write_their_kind_but_neither_delete_it_nor_write_its_status() {
    for (role, plural) in [
        ("planaclient-creator", "planaclients"),
        ("templatesnapshot-creator", "templatesnapshots"),
    ] {
        let of = |resource: String| ("planapulse.com".to_owned(), resource);
        let expected = BTreeMap::from([
            (
                of(plural.to_owned()),
                names(&["get", "list", "watch", "create", "update", "patch"]),
            ),
            (of(format!("{plural}/status")), names(&["get"])),
        ]);
        assert_eq!(rights(role), expected);
    }
}

#[test]
fn the_function_runs_restricted_as_the_user_of_the_image() {
    let config = manifest("DeploymentRuntimeConfig", "function-odoo");
    let pod = &config["spec"]["deploymentTemplate"]["spec"]["template"]["spec"];
    let containers = pod["containers"].as_array().expect("a pod has containers");
    assert_eq!(containers.len(), 1);
    // Crossplane's name for it; under another it would add a second container.
    assert_eq!(containers[0]["name"], "package-runtime");

    let context = &containers[0]["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
    assert_eq!(context["seccompProfile"], json!({"type": "RuntimeDefault"}));

    let dockerfile = read(&Path::new(ROOT).join("Dockerfile"));
    let user = format!("USER {}:{}\n", context["runAsUser"], context["runAsGroup"]);
    assert!(dockerfile.contains(&user), "{user}");
    let metrics = &containers[0]["ports"][0];
    assert_eq!(metrics["name"], "metrics");
    assert!(dockerfile.contains(&format!("EXPOSE 9443 {}\n", metrics["containerPort"])));
}

/// What `function-odoo composition` prints for a Composition of the package and a Platform: exit code, output, complaints.
fn composition(kind: &str, platform: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_function-odoo"))
        .arg("composition")
        .arg(composition_file(kind))
        .arg("--platform")
        .arg(platform)
        .output()
        .expect("it was built with this test");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn composition_file(kind: &str) -> PathBuf {
    Path::new(ROOT)
        .join("package")
        .join(kind)
        .join("composition.yaml")
}

#[test]
fn a_platform_of_somebody_else_becomes_the_input_of_both_compositions() {
    let file = Path::new(ROOT).join("examples/platform-small.yaml");
    for kind in ["planaclient", "templatesnapshot"] {
        let (code, printed, complaints) = composition(kind, &file);
        assert_eq!((code, complaints.as_str()), (Some(0), ""));
        let mut expected = documents(&composition_file(kind)).remove(0);
        expected["spec"]["pipeline"][0]["input"] = documents(&file).remove(0);
        let printed: Value = serde_yaml::from_str(&printed).expect("it is YAML");
        assert_eq!(printed, expected);
    }
}

#[test]
fn every_wrong_field_of_a_platform_is_named_with_its_line() {
    let platform = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().expect("there is room");
        writeln!(
            file,
            "apiVersion: odoo.fn.planapulse.com/v1beta1\nkind: Platform\n{text}"
        )
        .expect("there is room");
        file
    };
    for (text, expected) in [
        (
            "databse:\n  host: a\nbackup:\n  hour: 24\ngateway:\n  parentRefs:\n  - name: 3\n    namespace: a",
            &[
                ("line 6: backup.hour: cannot be 24", ""),
                ("line 3: databse: ", "database"),
                ("line 9: gateway.parentRefs[0].name: cannot be 3", ""),
            ][..],
        ),
        // What no schema tells.
        (
            "domain: Not_A.Domain\nversions:\n  \"18\":\n    namespace: Not-A-Label",
            &[
                ("line 3: domain: cannot be ", "DNS name"),
                ("line 6: versions.18.namespace: cannot be ", "DNS label"),
            ],
        ),
        ("apiVersion: v1", &[("apiVersion: the key is there twice", "")]),
    ] {
        let file = platform(text);
        let (code, printed, complaints) = composition("planaclient", file.path());
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{complaints}");
        assert_eq!(complaints.lines().count(), expected.len(), "{complaints}");
        for (line, (start, rest)) in complaints.lines().zip(expected) {
            assert!(
                line.contains(start) && line.contains(rest),
                "{line}\n{start} {rest}"
            );
        }
    }
}

#[test]
fn what_is_no_platform_or_no_composition_of_ours_is_refused() {
    let example = Path::new(ROOT).join("examples/starter/xr.yaml");
    let (code, _, complaints) = composition("planaclient", &example);
    assert_eq!(code, Some(2));
    assert!(complaints.contains("kind: must be Platform"), "{complaints}");
    let output = Command::new(env!("CARGO_BIN_EXE_function-odoo"))
        .arg("composition")
        .arg(&example)
        .arg("--platform")
        .arg(Path::new(ROOT).join("examples/platform-small.yaml"))
        .output()
        .expect("it was built with this test");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        complaints.contains("spec.pipeline: no step has an input of kind Platform"),
        "{complaints}"
    );
}
