//! The moments of a tenant's provisioning, whole: what is observed, and all that the function answers.
//!
//! Each example is played in a small cluster. A moment is a folder of `examples/<name>/` with the files that
//! `function-odoo render` and `crossplane composition render` take; what the function answers to it is in
//! `tests/golden/<name>/`. `UPDATE=1 cargo test --test tenant golden` writes both; a changed answer wants an explanation
//! in the commit. Stale and orphaned files fail.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use function_odoo::function::{
    proto::v1::{Ready, RunFunctionResponse, State},
    wire,
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, example, is_fatal, plana, platform_secrets, yaml},
    openapi,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// An example that is being played.
struct Play {
    name: &'static str,
    cluster: Cluster,
    /// All files of its moments, by path below the repository.
    files: BTreeMap<PathBuf, String>,
}

impl Play {
    fn new(name: &'static str, platform: Value, others: Vec<Value>) -> Self {
        Self {
            name,
            cluster: Cluster::new(example(name), platform, others),
            files: BTreeMap::new(),
        }
    }

    /// Notes what there is and what the function answers to it; then Crossplane does what it answers, until nothing
    /// changes.
    fn moment(&mut self, title: &str) -> &mut Cluster {
        let folder = Path::new("examples").join(self.name).join(title);
        for (path, text) in self.cluster.files() {
            self.files.insert(folder.join(path), text);
        }
        let response = self.cluster.call();
        check_objects(&response);
        let expected = Path::new("tests/golden")
            .join(self.name)
            .join(format!("{title}.yaml"));
        self.files.insert(expected, yaml(&describe(&response)));
        self.cluster.reconcile();
        &mut self.cluster
    }

    /// Compares all files of the example with those on disk, or writes them.
    fn finish(self) {
        let mut stale = Vec::new();
        let update = env::var_os("UPDATE").is_some();
        let folders = [
            Path::new("examples").join(self.name),
            Path::new("tests/golden").join(self.name),
        ];
        let on_disk: Vec<PathBuf> = folders.iter().flat_map(|folder| files_below(folder)).collect();
        for path in on_disk.iter().filter(|path| !self.files.contains_key(*path)) {
            if path.ends_with(Path::new(self.name).join("xr.yaml")) {
                continue;
            }
            stale.push(format!("orphaned: {}", path.display()));
            if update {
                fs::remove_file(Path::new(ROOT).join(path)).unwrap();
            }
        }
        for (path, text) in &self.files {
            let path = Path::new(ROOT).join(path);
            if fs::read_to_string(&path).ok().as_ref() != Some(text) {
                stale.push(format!("stale: {}", path.display()));
                if update {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, text).unwrap();
                }
            }
        }
        assert!(
            update || stale.is_empty(),
            "UPDATE=1 cargo test --test tenant golden writes them:\n{}",
            stale.join("\n")
        );
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(Path::new(ROOT).join(folder)) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| folder.join(entry.unwrap().file_name()));
    paths
        .flat_map(|path| {
            if Path::new(ROOT).join(&path).is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// A response as people read it: everything in it, values of Secrets as placeholders.
fn describe(response: &RunFunctionResponse) -> Value {
    let desired = State::decode(response.desired.clone().unwrap_or_default()).unwrap();
    let resources: BTreeMap<_, _> = desired
        .resources
        .iter()
        .map(|(name, resource)| {
            let object = hidden(wire::to_json(resource.resource.as_deref().unwrap_or_default()).unwrap());
            (
                name,
                json!({"ready": resource.ready() == Ready::True, "resource": object}),
            )
        })
        .collect();
    let composite = desired.composite.map(|composite| {
        let object = wire::to_json(composite.resource.as_deref().unwrap_or_default()).unwrap();
        json!({"ready": composite.ready() == Ready::True, "resource": object})
    });
    let results: Vec<_> = response.results.iter().map(|result| {
        json!({"severity": format!("{:?}", result.severity()), "reason": result.reason, "message": result.message})
    }).collect();
    let conditions: BTreeMap<_, _> = response
        .conditions
        .iter()
        .map(|condition| {
            let status = format!("{:?}", condition.status()).replace("Condition", "");
            (
                &condition.r#type,
                json!({"status": status, "reason": condition.reason, "message": condition.message}),
            )
        })
        .collect();
    let requirements = response.requirements.clone().unwrap_or_default();
    let asked: Vec<_> = requirements
        .resources
        .keys()
        .chain(requirements.schemas.keys())
        .collect();
    let ttl = response
        .meta
        .as_ref()
        .and_then(|meta| meta.ttl)
        .map(|ttl| ttl.seconds);
    json!({
        "composite": composite, "conditions": conditions, "resources": resources, "results": results,
        "requires": asked, "ttlSeconds": ttl,
    })
}

fn hidden(mut object: Value) -> Value {
    if object["kind"] == "Secret" {
        for value in object["data"].as_object_mut().unwrap().values_mut() {
            *value = json!("<secret>");
        }
    }
    object
}

/// Every composed object is what its API server would take.
fn check_objects(response: &RunFunctionResponse) {
    let desired = State::decode(response.desired.clone().unwrap_or_default()).unwrap();
    for (name, resource) in &desired.resources {
        let mut object = wire::to_json(resource.resource.as_deref().unwrap_or_default()).unwrap();
        // Crossplane gives a name to what has none.
        object["metadata"]
            .as_object_mut()
            .unwrap()
            .entry("name")
            .or_insert(json!("made"));
        assert_eq!(
            openapi::problems(&object),
            Vec::<String>::new(),
            "{name}: {object:#}"
        );
    }
    assert!(!is_fatal(response), "{:?}", response.results);
}

#[test]
fn a_starter_client_is_provisioned() {
    let mut play = Play::new("starter", plana(), platform_secrets());
    play.moment("00-created");
    play.moment("10-database-creating").database_is_ready();
    play.moment("20-database-ready");
    play.moment("30-initialising").job_completes("tenant-init");
    play.moment("40-initialised");
    play.moment("50-published")
        .route_is("route-18", "True", "Accepted", "Route is accepted");
    play.moment("60-route-accepted");
    play.moment("70-asking").job_completes("tenant-smoke");
    play.moment("80-answering");
    let cluster = play.moment("90-telling");
    for step in ["room-create", "portal-notify", "erp-callback", "event-publish"] {
        cluster.job_completes(step);
    }
    play.moment("95-told");
    let cluster = play.moment("99-running");
    assert_eq!(cluster.composite["status"]["phase"], "Running");
    let settled = cluster.clone();
    cluster.reconcile();
    assert!(
        settled.composed == cluster.composed && settled.composite == cluster.composite,
        "a settled tenant stays settled"
    );
    play.finish();
}

#[test]
fn a_pro_client_meets_trouble() {
    let mut play = Play::new("pro", plana(), platform_secrets());
    play.cluster.others.push(json!({
        "apiVersion": "planapulse.com/v1alpha1", "kind": "TemplateSnapshot", "metadata": {"name": "pro-18"},
        "status": {"conditions": [
            {"type": "TemplateReady", "status": "False", "reason": "BuildFailed",
             "message": "the Job plana-odoo-18/template-build-pro-18-1f2e3d4c failed"},
            {"type": "Fresh", "status": "False", "reason": "BuildNotDone", "message": "waiting for template-build"},
        ]},
    }));
    play.cluster.settle();
    play.moment("05-template-not-built").others.pop();
    play.cluster.settle();
    play.cluster.database_is_stuck(
        r#"create failed: cannot create database: pq: template database "pro-template-18.planapulse.app" does not exist (3D000)"#,
    );
    play.moment("10-template-missing").database_is_ready();
    play.cluster.settle();
    play.cluster.job_fails(
        "tenant-init",
        "PodFailurePolicy",
        "Container odoo-job for pod plana-odoo-18/tenant-init-borealis-x failed with exit code 78 matching FailJob rule at index 0",
    );
    play.cluster.job_says(
        "tenant-init",
        r#"{"command":"tenant-init","outcome":"Refused","reason":"ForeignDatabase","phase":"gate","message":"the database borealis.planapulse.app carries the marker of aurora; it is left alone"}"#,
    );
    play.moment("20-init-refused");
    let key = play
        .cluster
        .composed
        .keys()
        .find(|name| name.starts_with("tenant-init"))
        .unwrap()
        .clone();
    play.cluster.composed.remove(&key);
    play.cluster.settle();
    play.cluster.job_completes("tenant-init");
    play.cluster.settle();
    play.cluster.route_is(
        "route-18",
        "False",
        "NoMatchingListenerHostname",
        "no listener matches borealis.planapulse.app",
    );
    play.moment("30-route-refused")
        .route_is("route-18", "True", "Accepted", "Route is accepted");
    play.cluster.settle();
    play.cluster.job_completes("tenant-smoke");
    play.cluster.settle();
    play.cluster.job_fails(
        "room-create",
        "DeadlineExceeded",
        "Job was active longer than specified deadline",
    );
    play.moment("40-support-room-late");
    play.cluster.object("backup")["status"] = json!({"lastSuccessfulTime": "2026-01-30T23:31:00Z"});
    play.cluster.composite["spec"]["odooVersion"] = json!("19");
    play.moment("50-upgrade-required");
    play.finish();
}

#[test]
fn an_enterprise_client_moves_in_and_is_protected() {
    let mut play = Play::new("enterprise", plana(), platform_secrets());
    play.moment("00-created").provision();
    play.moment("10-running").composite["metadata"]["annotations"] =
        json!({"usage.crossplane.io/deletion-attempt-with-policy": "Background"});
    play.moment("20-deletion-refused").composite["spec"]["deletionProtection"] = json!(false);
    play.moment("30-protection-ended");
    assert!(
        play.cluster.composed.contains_key("guard"),
        "an old attempt does not come back to life"
    );
    play.cluster.composite["metadata"]["annotations"] = json!({});
    play.cluster.settle();
    play.cluster.composite["metadata"]["annotations"] =
        json!({"usage.crossplane.io/deletion-attempt-with-policy": "Background"});
    play.moment("40-deleted");
    play.moment("50-closed");
    for (title, step) in [
        ("60-suspended", "tenant-suspend"),
        ("70-backed-up", "final-backup"),
        ("80-verified", "final-verify"),
    ] {
        play.cluster.settle();
        play.cluster.job_completes(step);
        play.moment(title);
    }
    for step in [
        "room-retire",
        "portal-farewell",
        "erp-farewell",
        "event-farewell",
        "filestore-remove",
    ] {
        play.cluster.settle();
        play.cluster.job_completes(step);
    }
    play.moment("90-files-removed");
    play.cluster.settle();
    play.cluster.job_completes("tenant-release");
    play.cluster.reconcile();
    play.moment("93-released");
    play.moment("95-dropping");
    play.moment("97-dropped");
    play.moment("99-gone");
    assert!(!play.cluster.composed.contains_key("guard") && !play.cluster.composed.contains_key("database"));
    play.finish();
}

#[test]
fn a_starter_client_is_suspended() {
    let mut play = Play::new("suspended", plana(), platform_secrets());
    play.cluster.provision();
    play.cluster.composite["spec"]["suspended"] = json!(true);
    play.moment("00-asked");
    play.moment("10-closing");
    play.cluster.settle();
    play.cluster.job_completes("tenant-suspend");
    play.cluster.settle();
    let cluster = play.moment("20-suspended");
    cluster.composite["spec"]["suspended"] = json!(false);
    cluster.settle();
    cluster.job_completes("tenant-resume");
    cluster.settle();
    play.moment("30-back");
    play.finish();
}

#[test]
fn a_template_is_built_and_built_anew() {
    let mut play = Play::new("template", plana(), platform_secrets());
    play.moment("00-created");
    play.moment("10-building").job_completes("template-build");
    play.moment("20-built");
    let cluster = play.moment("30-available");
    assert_eq!(cluster.composite["status"]["phase"], "Available");
    cluster.composite["spec"]["revision"] = json!("77aa77a");
    cluster.settle();
    play.moment("40-rebuilding").job_fails(
        "template-build",
        "PodFailurePolicy",
        "Container odoo-job for pod plana-odoo-18/template-build-basic-18-x failed with exit code 70 matching FailJob rule at index 0",
    );
    play.cluster.job_says(
        "template-build",
        r#"{"command":"template-build","outcome":"GiveUp","reason":"ModuleMissing","phase":"gate","message":"the image has no module crm; name modules that it has, or another revision"}"#,
    );
    play.cluster.settle();
    play.moment("50-rebuild-failed");
    play.finish();
}
