//! Templates: how they are built and built anew, and what a tenant does that is cloned from one, or from none.

use std::{collections::BTreeMap, sync::LazyLock};

use function_odoo::function::{
    proto::v1::{Ready, Resources, RunFunctionRequest, RunFunctionResponse, State},
    wire,
};
use proptest::{prelude::*, sample::Index};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    any::{any_change, changed},
    cluster::{Cluster, NOW, desired, example, is_fatal, plana, platform_secrets, resource, run, secret},
    dice::Dice,
    full,
    properties::doubles,
};

fn created() -> Cluster {
    Cluster::new(example("template"), plana(), platform_secrets())
}

fn building() -> Cluster {
    let mut cluster = created();
    cluster.settle();
    assert_eq!(cluster.reason("TemplateReady"), "BuildRunning");
    cluster
}

fn available() -> Cluster {
    let mut cluster = building();
    cluster.job_completes("template-build");
    cluster.settle();
    assert_eq!(cluster.composite["status"]["phase"], "Available");
    cluster
}

/// A tenant that was just created.
fn tenant(platform: Value) -> Cluster {
    Cluster::new(example("starter"), platform, platform_secrets())
}

/// A `TemplateSnapshot` as its own life leaves it.
fn snapshot(ready: &str, fresh: &str) -> Value {
    json!({
        "apiVersion": "planapulse.com/v1alpha1", "kind": "TemplateSnapshot", "metadata": {"name": "basic-18"},
        "status": {
            "database": "basic-template-18.planapulse.app",
            "conditions": [
                {"type": "TemplateReady", "status": ready, "reason": "BuildFailed", "message": "no disk"},
                {"type": "Fresh", "status": fresh, "reason": "BuildRunning", "message": "a Job runs"},
            ],
        },
    })
}

/// A Job of somebody else that installs modules.
fn heavy_job(name: &str, created: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": "plana-odoo-18", "labels": {"planapulse.com/heavy": "true"},
            "creationTimestamp": created,
            "ownerReferences": [{"kind": "TemplateSnapshot", "name": "pro-18", "uid": "0", "controller": true}],
        },
    })
}

fn is_ready(response: &RunFunctionResponse) -> bool {
    let state = State::decode(response.desired.clone().unwrap_or_default()).unwrap();
    state.composite.unwrap_or_default().ready() == Ready::True
}

fn message(cluster: &Cluster, r#type: &str) -> String {
    let conditions = cluster.composite["status"]["conditions"].as_array().unwrap();
    let mut found = conditions.iter().filter(|condition| condition["type"] == r#type);
    found.next().unwrap()["message"].as_str().unwrap().to_owned()
}

fn jobs(cluster: &Cluster) -> Vec<String> {
    let jobs = cluster
        .composed
        .iter()
        .filter(|(_, object)| object["kind"] == "Job");
    jobs.map(|(name, _)| name.clone()).collect()
}

fn record(cluster: &Cluster) -> &Value {
    &cluster.composite["status"]["done"]["template-build"]
}

#[test]
fn a_template_that_is_built_anew_goes_on_being_cloned() {
    let mut cluster = available();
    let before = record(&cluster).clone();
    let status = cluster.composite["status"].clone();
    assert_eq!(status["revision"], "4f1c2d3");
    assert_eq!(status["modules"]["crm"], "18.0.1.0");
    cluster.composite["spec"]["revision"] = json!("77aa77a");
    let response = cluster.settle();
    assert!(is_ready(&response));
    assert_eq!(cluster.reason("TemplateReady"), "Available");
    assert_eq!(cluster.reason("Fresh"), "BuildRunning");
    assert_eq!(cluster.composite["status"]["phase"], "Outdated");
    cluster.job_fails(
        "template-build",
        "PodFailurePolicy",
        "exit code 70 matching FailJob",
    );
    cluster.job_says(
        "template-build",
        r#"{"command":"template-build","outcome":"GiveUp","reason":"ModuleMissing","message":"no module subscription_oca"}"#,
    );
    let response = cluster.settle();
    assert!(is_ready(&response));
    assert_eq!(cluster.reason("Fresh"), "BuildFailed");
    assert!(message(&cluster, "Fresh").contains("(ModuleMissing: no module subscription_oca)"));
    assert_eq!(*record(&cluster), before, "the record of the old one stays");
    assert_eq!(cluster.composite["status"]["revision"], "4f1c2d3");
    cluster.composite["spec"]["revision"] = json!("88bb88b");
    cluster.settle();
    cluster.job_completes("template-build");
    cluster.settle();
    assert_eq!(cluster.composite["status"]["phase"], "Available");
    assert_eq!(cluster.composite["status"]["revision"], "88bb88b");
    assert_eq!(
        cluster.composite["status"]["image"],
        "git.planapulse.com/plana-pulse/odoo-modules/base-18:88bb88b"
    );
    assert_eq!(jobs(&cluster), [""; 0]);
}

#[test]
fn only_another_revision_or_other_modules_build_it_anew() {
    let unchanged: [fn(&mut Cluster); 4] = [
        |cluster| cluster.platform["jobs"] = json!({"image": "jobs:another", "templateDeadlineSeconds": 99}),
        |cluster| cluster.platform["versions"] = json!({"18": {"image": "mirror.example/odoo:x"}}),
        |cluster| cluster.platform["tiers"] = json!({"pro": {"modules": ["base"]}}),
        |cluster| {
            let all = [
                "web",
                "base",
                "account",
                "mail",
                "contacts",
                "crm",
                "sale_management",
                "crm",
            ];
            cluster.composite["spec"]["modules"] = json!(all);
        },
    ];
    for (number, change) in unchanged.iter().enumerate() {
        let mut cluster = available();
        change(&mut cluster);
        cluster.settle();
        assert_eq!(cluster.reason("Fresh"), "UpToDate", "{number}");
        assert_eq!(jobs(&cluster), [""; 0]);
    }
    let changed: [fn(&mut Cluster); 3] = [
        |cluster| cluster.composite["spec"]["revision"] = json!("5"),
        |cluster| cluster.composite["spec"]["modules"] = json!(["base", "crm"]),
        |cluster| cluster.platform["tiers"] = json!({"starter": {"modules": ["base"]}}),
    ];
    for (number, change) in changed.iter().enumerate() {
        let mut cluster = available();
        change(&mut cluster);
        cluster.settle();
        assert_eq!(cluster.reason("Fresh"), "BuildRunning", "{number}");
    }
}

#[test]
fn without_a_revision_that_of_the_platforms_image_counts() {
    let mut cluster = created();
    cluster.composite["spec"]
        .as_object_mut()
        .unwrap()
        .remove("revision");
    let digest = format!("sha256:{}", "a".repeat(64));
    for (image, revision) in [
        ("r.example/odoo:2026".to_owned(), "2026".to_owned()),
        (format!("r.example/odoo:18@{digest}"), digest),
    ] {
        cluster.platform["versions"] = json!({"18": {"image": image}});
        cluster.settle();
        let job = cluster.job("template-build").to_string();
        assert!(job.contains(&format!("--revision={revision}\"")), "{job}");
        assert!(job.contains(&format!("\"image\":\"{image}\"")), "{job}");
        cluster.job_completes("template-build");
        cluster.settle();
        assert_eq!(cluster.composite["status"]["revision"], revision.as_str());
    }
}

#[test]
fn a_build_that_completes_late_is_recorded_as_what_it_is() {
    let mut cluster = building();
    let first = jobs(&cluster);
    cluster.composite["spec"]["revision"] = json!("77aa77a");
    cluster.settle();
    assert_eq!(jobs(&cluster), first, "a Job that runs goes on");
    cluster.job_completes("template-build");
    cluster.reconcile();
    assert_eq!(cluster.reason("TemplateReady"), "Available");
    assert_eq!(cluster.reason("Fresh"), "BuildNotDone");
    assert_eq!(cluster.composite["status"]["revision"], "4f1c2d3");
    cluster.settle();
    assert_eq!(cluster.reason("Fresh"), "BuildRunning");
    assert_ne!(jobs(&cluster), first);
    assert_eq!(jobs(&cluster).len(), 1);
}

#[test]
fn a_build_that_is_not_wanted_any_more_is_finished_and_built_over() {
    let mut cluster = available();
    cluster.composite["spec"]["revision"] = json!("77aa77a");
    cluster.settle();
    let other = jobs(&cluster);
    cluster.composite["spec"]["revision"] = json!("4f1c2d3");
    cluster.settle();
    assert_eq!(
        jobs(&cluster),
        other,
        "what is swapped in is not known while it runs"
    );
    assert_eq!(cluster.reason("Fresh"), "BuildRunning");
    cluster.job_completes("template-build");
    cluster.settle();
    assert_eq!(cluster.composite["status"]["revision"], "77aa77a");
    assert_ne!(jobs(&cluster), other);
    cluster.job_completes("template-build");
    cluster.settle();
    assert_eq!(cluster.composite["status"]["revision"], "4f1c2d3");
    assert_eq!(cluster.reason("Fresh"), "UpToDate");
}

#[test]
fn an_older_build_that_is_on_its_way_out_says_nothing() {
    let mut cluster = building();
    cluster.job_completes("template-build");
    let mut older = cluster.job("template-build").clone();
    cluster.settle();
    older["metadata"]["name"] = json!("template-build-basic-18-00000000");
    older["metadata"]["annotations"]["planapulse.com/inputs"] = json!("00000000");
    older["status"]["completionTime"] = json!("2026-01-30T12:00:00Z");
    cluster
        .composed
        .insert("template-build-00000000".to_owned(), older);
    cluster.reconcile();
    assert_eq!(cluster.reason("Fresh"), "UpToDate");
    assert_eq!(jobs(&cluster), [""; 0]);
}

#[test]
fn a_build_whose_pod_is_gone_counts_without_its_report() {
    let mut cluster = building();
    cluster.job_completes("template-build");
    cluster.others.retain(|object| object["kind"] != "Pod");
    cluster.settle();
    let status = &cluster.composite["status"];
    assert_eq!(status["phase"], "Available");
    assert_eq!(status["builtAt"], NOW);
    assert_eq!(status.get("revision"), None);
    assert!(
        record(&cluster)["job"]
            .as_str()
            .unwrap()
            .starts_with("plana-odoo-18/template-build-basic-18-")
    );
}

#[test]
fn a_lost_status_builds_it_once_more() {
    let mut cluster = available();
    let before = cluster.composite["status"].clone();
    cluster.composite.as_object_mut().unwrap().remove("status");
    cluster.settle();
    assert_eq!(jobs(&cluster).len(), 1);
    cluster.job_completes("template-build");
    cluster.settle();
    assert_eq!(cluster.composite["status"], before);
}

#[test]
fn a_template_under_another_domain_is_another() {
    let mut cluster = available();
    cluster.platform["domain"] = json!("other.example");
    let response = cluster.settle();
    assert!(!is_ready(&response));
    assert_eq!(cluster.reason("TemplateReady"), "BuildRunning");
    let status = &cluster.composite["status"];
    assert_eq!(status["database"], "basic-template-18.other.example");
    assert_eq!(status.get("revision"), None);
    cluster.job_completes("template-build");
    cluster.settle();
    assert_eq!(cluster.composite["status"]["phase"], "Available");
}

#[test]
fn one_heavy_job_runs_in_a_namespace_at_a_time() {
    let mut cluster = created();
    let mut elsewhere = heavy_job("c", "2026-01-01T00:00:00Z");
    elsewhere["metadata"]["namespace"] = json!("plana-odoo");
    let mut finished = heavy_job("d", "2026-01-01T00:00:00Z");
    finished["status"] = json!({"conditions": [{"type": "Failed", "status": "True"}]});
    let running = [
        heavy_job("b", "2026-01-02T00:00:00Z"),
        heavy_job("a", "2026-01-03T00:00:00Z"),
    ];
    cluster.others.extend([elsewhere, finished]);
    cluster.others.extend(running.clone());
    let response = cluster.settle();
    assert_eq!(cluster.reason("TemplateReady"), "HeavyJobRunning");
    assert!(message(&cluster, "TemplateReady").starts_with("the Job plana-odoo-18/b installs modules"));
    assert_eq!(response.meta.unwrap().ttl.unwrap().seconds, 60);
    assert_eq!(jobs(&cluster), [""; 0]);
    cluster.others.retain(|object| !running.contains(object));
    cluster.settle();
    assert_eq!(jobs(&cluster).len(), 1);
    cluster.others.extend(running);
    cluster.settle();
    assert_eq!(jobs(&cluster).len(), 1, "one that is there goes on");
    assert_eq!(cluster.reason("TemplateReady"), "BuildRunning");
}

#[test]
fn a_settled_template_asks_nothing_and_gives_the_same_bytes() {
    let cluster = available();
    let (request, response) = cluster.exchange();
    assert_eq!(response.requirements, None);
    assert_eq!(response.results, []);
    assert_eq!(run(&request).encode_to_vec(), response.encode_to_vec());
}

#[test]
fn a_secret_is_copied_under_a_name_that_no_tenant_can_take() {
    let mut cluster = created();
    cluster
        .others
        .retain(|object| object["metadata"]["namespace"] != "plana-odoo-18");
    cluster.settle();
    let copy = &cluster.composed["secret-database-plana-odoo-18"];
    assert_eq!(
        copy["metadata"]["name"],
        "basic-template-18-provider-sql-postgres-creds"
    );
    assert!(
        cluster
            .job("template-build")
            .to_string()
            .contains("basic-template-18-provider-sql")
    );
}

#[test]
fn a_tenant_waits_for_a_template_that_was_never_built() {
    let mut cluster = tenant(plana());
    cluster.others.push(snapshot("False", "False"));
    let response = cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "TemplateMissing");
    assert_eq!(cluster.composite["status"]["phase"], "Blocked");
    assert_eq!(
        message(&cluster, "DatabaseReady"),
        "the template basic-template-18.planapulse.app is not built yet: its TemplateSnapshot basic-18 says BuildFailed: \
         no disk. The database is made once it is; what keeps it is to be mended there, and where others \
         build the template, that object is to be deleted"
    );
    // The support room is under way.
    assert_eq!(response.meta.unwrap().ttl.unwrap().seconds, 5);
    assert!(!cluster.composed.contains_key("database"));
    cluster.others.pop();
    cluster.others.push(snapshot("True", "True"));
    cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "DatabaseCreating");
}

#[test]
fn a_tenant_is_cloned_from_a_template_that_is_stale_and_says_so() {
    let mut cluster = tenant(plana());
    cluster.others.push(snapshot("True", "False"));
    cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "TemplateStale");
    let message = message(&cluster, "DatabaseReady");
    assert!(
        message.ends_with("basic-18 wants by now (BuildRunning: a Job runs)"),
        "{message}"
    );
    cluster.provision();
    let asked = cluster.call().requirements.unwrap();
    assert!(!asked.resources.contains_key("template-snapshot"), "{asked:?}");
    assert!(!asked.schemas.contains_key("template-snapshot"));
}

#[test]
fn a_template_that_no_snapshot_speaks_of_is_left_to_provider_sql() {
    let mut of_another = snapshot("False", "False");
    of_another["status"]["database"] = json!("basic-template-18.other.example");
    for (has_snapshots, found) in [
        (true, None),
        (true, Some(of_another)),
        (false, Some(snapshot("False", "False"))),
    ] {
        let mut cluster = tenant(plana());
        cluster.has_snapshots = has_snapshots;
        cluster.others.extend(found);
        cluster.settle();
        assert_eq!(cluster.reason("DatabaseReady"), "DatabaseCreating");
        assert!(cluster.composed.contains_key("database"));
    }
}

#[test]
fn a_tier_without_a_template_installs_its_modules() {
    let mut platform = plana();
    platform["tiers"] = json!({"starter": {"fullInstall": true, "modules": ["crm", "base"]}});
    let mut cluster = tenant(platform);
    cluster.others.push(snapshot("False", "False"));
    cluster.others.push(heavy_job("other", NOW));
    cluster.settle();
    let parameters = &cluster.composed["database"]["spec"]["forProvider"];
    assert_eq!(parameters["template"], "template0");
    assert_eq!(parameters["encoding"], "UTF8");
    assert_eq!(parameters["lcCollate"], "C");
    cluster.database_is_ready();
    cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "HeavyJobRunning");
    cluster.others.pop();
    cluster.settle();
    let job = cluster.job("tenant-init");
    assert_eq!(job["metadata"]["labels"]["planapulse.com/heavy"], "true");
    let job = job.to_string();
    assert!(
        job.contains(r#""--module=base","--module=crm""#) && !job.contains("--template="),
        "{job}"
    );
    cluster.reconcile();
    let kept = cluster.job("tenant-init");
    assert_eq!(kept["metadata"]["labels"]["planapulse.com/heavy"], "true");
    cluster.provision();
    let database = &cluster.composite["status"]["database"];
    assert_eq!(database["origin"], "Installed");
    assert_eq!(database.get("template"), None);
}

#[test]
fn tiers_that_share_a_template_share_its_modules() {
    let tiers = |pro: Value| json!({"starter": {"modules": ["crm", "base"]}, "pro": pro});
    let mut cluster = tenant(plana());
    cluster.platform["tiers"] = tiers(json!({"templateCode": "basic", "modules": ["base"]}));
    let response = cluster.call();
    assert!(is_fatal(&response));
    assert_eq!(
        response.results[0].message,
        "input.tiers.pro.modules: cannot differ from those of another tier with the template basic: give both the same, \
         or another templateCode"
    );
    for fine in [
        json!({"templateCode": "basic", "modules": ["base", "crm"]}),
        json!({"templateCode": "basic"}),
        json!({"modules": ["base"]}),
    ] {
        cluster.platform["tiers"] = tiers(fine);
        assert!(!is_fatal(&cluster.call()));
    }
}

#[test]
fn an_administrators_password_is_handed_on_and_then_forgotten() {
    let mut cluster = tenant(plana());
    cluster.composite["spec"]["adminPasswordSecret"] = json!({"name": "acme-admin"});
    cluster.settle();
    cluster.database_is_ready();
    cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "SecretMissing");
    assert!(message(&cluster, "DatabaseReady").contains("acme-admin"));
    cluster
        .others
        .push(secret("crossplane-system", "acme-admin", &["password"]));
    cluster.settle();
    let copy = "secret-admin-plana-odoo-18";
    assert_eq!(cluster.composed[copy]["metadata"]["name"], "acme-acme-admin");
    let job = cluster.job("tenant-init").clone();
    let environment = job["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array()
        .unwrap()
        .clone();
    for (variable, key) in [
        ("ODOO_JOB_ADMIN_PASSWORD", "password"),
        ("ODOO_JOB_ADMIN_PASSWORD_HASH", "password-hash"),
    ] {
        let from = json!({"secretKeyRef": {"name": "acme-acme-admin", "key": key, "optional": true}});
        assert!(
            environment.contains(&json!({"name": variable, "valueFrom": from})),
            "{environment:?}"
        );
    }
    cluster.provision();
    assert!(!cluster.composed.contains_key(copy));
    let asked = cluster.call().requirements.unwrap();
    assert!(
        !asked
            .resources
            .keys()
            .any(|question| question.contains("acme-admin"))
    );
}

#[test]
fn what_jobs_found_is_in_the_status() {
    let mut cluster = tenant(plana());
    cluster.provision();
    let status = &cluster.composite["status"];
    assert_eq!(status["supportRoomId"], "!qYxK:planapulse.com");
    assert_eq!(status["database"]["origin"], "Template");
    let result = &status["done"]["tenant-init"]["result"];
    assert_eq!(status["databaseMarker"], result["marker"]);
    assert_eq!(result["baseVersion"], "18.0.1.3");
    assert_eq!(
        status["done"]["tenant-smoke"]["result"]["serverVersion"],
        "18.0-20260105"
    );
}

#[test]
fn words_that_are_no_result_are_none() {
    for words in [
        "thread 'main' panicked",
        "",
        "{\"outcome\":\"Done\"}",
        &"x".repeat(5000),
    ] {
        let mut cluster = tenant(plana());
        cluster.settle();
        cluster.job_completes("room-create");
        cluster.job_says("room-create", words);
        cluster.settle();
        assert_eq!(cluster.reason("SupportRoomReady"), "Created");
        let record = &cluster.composite["status"]["done"]["room-create"];
        assert_eq!(record["time"], NOW);
        assert_eq!(record.get("result"), None);
    }
}

type Event = fn(&mut Cluster, &mut Dice);

/// What may happen to a template, in any order.
const EVENTS: [(&str, Event); 9] = [
    ("job completes", |cluster, _| {
        finish(cluster, |cluster| cluster.job_completes("template-build"));
    }),
    ("job fails", |cluster, _| {
        finish(cluster, |cluster| {
            cluster.job_fails("template-build", "DeadlineExceeded", "");
        });
    }),
    ("job deleted by hand", |cluster, _| {
        cluster.composed.retain(|_, object| object["kind"] != "Job");
    }),
    ("pods gone", |cluster, _| {
        cluster.others.retain(|object| object["kind"] != "Pod");
    }),
    ("revision changed", |cluster, dice| {
        cluster.composite["spec"]["revision"] = json!(dice.choose(&["a", "b"]));
    }),
    ("modules changed", |cluster, dice| {
        cluster.composite["spec"]["modules"] = json!([dice.choose(&["base", "crm"])]);
    }),
    ("image changed", |cluster, dice| {
        cluster.platform["jobs"] = json!({"image": dice.choose(&["jobs:a", "jobs:b"])});
    }),
    ("another heavy job", |cluster, _| {
        cluster.others.push(heavy_job("other", NOW));
    }),
    ("secrets vanish or come", |cluster, dice| {
        cluster.others = if dice.below(2) == 0 {
            Vec::new()
        } else {
            platform_secrets()
        };
    }),
];

/// Ends the Job if there is one that is not finished.
fn finish(cluster: &mut Cluster, end: fn(&mut Cluster)) {
    let unfinished = |object: &Value| object["kind"] == "Job" && object.get("status").is_none();
    if cluster.composed.values().any(unfinished) {
        end(cluster);
    }
}

fn live(seed: u64, mut check: impl FnMut(&Cluster, &Cluster, &str)) -> Cluster {
    let mut dice = Dice::of(seed);
    let mut cluster = created();
    let mut happened = Vec::new();
    for _ in 0..60 {
        let (name, event) = EVENTS[dice.below(EVENTS.len())];
        happened.push(name);
        event(&mut cluster, &mut dice);
        let before = cluster.clone();
        let response = cluster.reconcile();
        let told = format!("{seed}: {}", happened.join(", "));
        assert!(!is_fatal(&response), "{:?}\n{told}", response.results);
        check(&before, &cluster, &told);
    }
    cluster
}

/// The request without what the mask says of composed resources and answers.
fn without(request: &RunFunctionRequest, mask: &[bool]) -> RunFunctionRequest {
    let mut bits = mask.iter().copied().cycle();
    let mut request = request.clone();
    let observed = request.observed.as_mut().unwrap();
    observed.resources.retain(|_, _| bits.next().unwrap());
    request.required_resources.retain(|_, _| bits.next().unwrap());
    request
}

/// The last requests of many moments of some lives.
static MOMENTS: LazyLock<Vec<RunFunctionRequest>> = LazyLock::new(|| {
    let mut moments = Vec::new();
    for seed in 1..=3 {
        live(seed, |_, cluster, _| moments.push(cluster.exchange().0));
    }
    moments
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_observation_that_is_missing_removes_nothing_that_is_still_seen(
        index in any::<Index>(), mask in prop::collection::vec(prop::bool::weighted(0.6), 1..12),
    ) {
        let whole = index.get(&MOMENTS);
        let request = without(whole, &mask);
        let (response, again) = (run(&request), run(&request));
        prop_assert!(!is_fatal(&response), "{:?}", response.results);
        prop_assert_eq!(response.encode_to_vec(), again.encode_to_vec());
        let (all, after) = (desired(&run(whole)), desired(&response));
        let seen = &request.observed.as_ref().unwrap().resources;
        let gone: Vec<_> = all.keys().filter(|name| seen.contains_key(*name) && !after.contains_key(*name)).collect();
        prop_assert!(gone.is_empty(), "{gone:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_spec_status_and_platform_is_answered_or_refused(
        index in any::<Index>(), spec in prop::collection::vec(any_change(), 0..3),
        status in prop::collection::vec(any_change(), 0..3), platform in prop::collection::vec(any_change(), 0..3),
    ) {
        let mut request = index.get(&MOMENTS).clone();
        let object = json!({
            "apiVersion": "planapulse.com/v1alpha1", "kind": "TemplateSnapshot",
            "metadata": {"name": "basic-18", "uid": "ours"},
            "spec": changed(serde_json::to_value(full::snapshot_spec()).unwrap(), spec),
            "status": changed(serde_json::to_value(full::snapshot_status()).unwrap(), status),
        });
        let composite = request.observed.as_mut().unwrap().composite.as_mut().unwrap();
        *composite = resource(&doubles(object));
        let platform = changed(serde_json::to_value(full::platform()).unwrap(), platform);
        request.input = wire::write(&doubles(platform)).ok().map(Into::into);
        let response = run(&request);
        if is_fatal(&response) {
            prop_assert_eq!(response.results.len(), 1);
            prop_assert_eq!(response.desired, request.desired);
        } else {
            for (name, object) in desired(&response) {
                prop_assert_eq!(&object["metadata"]["labels"]["planapulse.com/template"], "basic-18", "{}", name);
                prop_assert_eq!(object.get("status"), None);
            }
        }
    }
}

#[test]
fn what_is_no_template_is_refused_in_words() {
    let refused = |change: &dyn Fn(&mut Cluster)| {
        let mut cluster = available();
        change(&mut cluster);
        let request = cluster.exchange().0;
        let response = run(&request);
        assert!(is_fatal(&response), "{:?}", response.results);
        assert_eq!(response.desired, request.desired);
        let kept: Vec<_> = response
            .conditions
            .iter()
            .map(|condition| condition.r#type.as_str())
            .collect();
        assert_eq!(kept, ["TemplateReady", "Fresh"]);
        response.results[0].message.clone()
    };
    let spec = |field: &'static str, value: Value| {
        refused(&move |cluster| cluster.composite["spec"][field] = value.clone())
    };
    assert_eq!(
        spec("odooVersion", json!("19")),
        "metadata.name: cannot be \"basic-18\": must be the code and the major, \"basic-19\"; make the object anew under that name"
    );
    assert_eq!(
        spec("odooVersion", json!("16")),
        "spec.odooVersion: cannot be \"16\": must be one that the platform has: 17, 18, 19"
    );
    let message = spec("templateCode", json!("bascic"));
    assert!(
        message.contains("spec.templateCode: cannot be \"bascic\": must be the templateCode of a tier: basic, enterprise, pro"),
        "{message}"
    );
    assert!(
        spec("revision", json!("a b"))
            .starts_with("spec.revision: cannot be \"a b\": must be the tag of an image")
    );
    assert!(spec("modules", json!("crm")).starts_with("spec.modules: cannot be"));
}

#[test]
fn an_answer_that_is_not_what_was_asked_for_is_refused() {
    let mut request = available_request();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 1}});
    let items = vec![resource(&pod)];
    let answers: BTreeMap<_, _> = [("pods-template-build".to_owned(), Resources { items })].into();
    request.required_resources = answers;
    let response = run(&request);
    assert!(is_fatal(&response));
    let message = &response.results[0].message;
    assert!(
        message.starts_with("required_resources[\"pods-template-build\"]"),
        "{message}"
    );
    assert_eq!(response.desired, request.desired);
}

fn available_request() -> RunFunctionRequest {
    available().exchange().0
}
