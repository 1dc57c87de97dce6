//! Decisions that a golden does not show: what goes wrong in a tenant's life, and what does not happen because of it.

use function_odoo::function::{
    proto::v1::{RunFunctionResponse, Severity, State},
    wire::{self, RawValue},
};
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{
    Cluster, NOW, desired, desired_composite, example, plana, platform_secrets, run, secret,
};

/// While anything is under way, the room among it.
const UNDER_WAY_SECONDS: i64 = 5;
const POLLED_SECONDS: i64 = 60;

/// A tenant that was just created, in a cluster that has all it needs.
fn created() -> Cluster {
    Cluster::new(example("starter"), plana(), platform_secrets())
}

fn running() -> Cluster {
    let mut cluster = created();
    cluster.provision();
    assert_eq!(cluster.composite["status"]["phase"], "Running");
    cluster
}

/// A tenant whose database is there, so that its first Job runs.
fn initialising() -> Cluster {
    let mut cluster = created();
    cluster.settle();
    cluster.database_is_ready();
    cluster.settle();
    assert!(cluster.has_job("tenant-init"));
    cluster
}

fn ttl_seconds(response: &RunFunctionResponse) -> i64 {
    response.meta.as_ref().unwrap().ttl.unwrap().seconds
}

fn message(response: &RunFunctionResponse, r#type: &str) -> String {
    let mut conditions = response.conditions.iter();
    let condition = conditions.find(|condition| condition.r#type == r#type).unwrap();
    condition.message.clone().unwrap()
}

fn job_name(cluster: &Cluster, step: &str) -> String {
    let mut names = cluster.composed.keys().filter(|name| name.starts_with(step));
    let name = names.next().unwrap().clone();
    assert_eq!(names.next(), None, "one Job of {step}");
    name
}

/// The undecoded spec of a desired object.
fn raw_spec(response: &RunFunctionResponse, name: &str) -> RawValue {
    #[derive(Deserialize)]
    struct Object {
        spec: RawValue,
    }
    let state = State::decode(response.desired.clone().unwrap()).unwrap();
    let bytes = state.resources[name].resource.clone().unwrap();
    wire::read::<Object>(&bytes).unwrap().spec
}

fn raw(value: &Value) -> RawValue {
    wire::read::<std::collections::BTreeMap<String, RawValue>>(&wire::write(&json!({"v": value})).unwrap())
        .unwrap()
        .remove("v")
        .unwrap()
}

fn policies(cluster: &Cluster) -> &Value {
    &cluster.composed["database"]["spec"]["managementPolicies"]
}

fn another_image() -> Value {
    let mut platform = plana();
    platform["versions"] = json!({"18": {"image": "registry.example/odoo:another"}});
    platform
}

#[test]
fn a_secret_that_is_nowhere_is_named_and_waited_for() {
    let mut cluster = created();
    let is_login = |object: &Value| object["metadata"]["name"] == "provider-sql-postgres-creds";
    cluster.others.retain(|object| !is_login(object));
    cluster.settle();
    cluster.database_is_ready();
    let response = cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "SecretMissing");
    assert_eq!(
        message(&response, "DatabaseReady"),
        "the Secret provider-sql-postgres-creds is in neither namespace plana-odoo-18 nor crossplane-system; put it \
         into crossplane-system, from where it is copied"
    );
    assert_eq!(ttl_seconds(&response), UNDER_WAY_SECONDS);
    assert!(!cluster.has_job("tenant-init"));
    cluster.others.push(secret(
        "crossplane-system",
        "provider-sql-postgres-creds",
        &["username", "password"],
    ));
    cluster.settle();
    assert!(cluster.has_job("tenant-init"));
    assert!(cluster.composed.contains_key("secret-database-plana-odoo-18"));
    let job = cluster.job("tenant-init").to_string();
    assert!(
        job.contains("acme-provider-sql-postgres-creds"),
        "the Job names the copy: {job}"
    );
}

#[test]
fn a_copy_follows_its_original_and_survives_it() {
    let mut cluster = running();
    let data = |cluster: &Cluster| cluster.composed["secret-database-backup"]["data"].clone();
    let is_original = |object: &Value| {
        object["metadata"]["name"] == "provider-sql-postgres-creds"
            && object["metadata"]["namespace"] == "crossplane-system"
    };
    let rotated = json!({"username": "cm90YXRlZA==", "password": "cm90YXRlZA=="});
    assert_ne!(data(&cluster), rotated);
    let original = cluster
        .others
        .iter_mut()
        .find(|object| is_original(object))
        .unwrap();
    original["data"] = rotated.clone();
    let backup = cluster.composed["backup"].clone();
    cluster.settle();
    assert_eq!(data(&cluster), rotated);
    cluster.others.retain(|object| !is_original(object));
    cluster.settle();
    assert_eq!(data(&cluster), rotated);
    assert_eq!(
        cluster.composed["backup"], backup,
        "what names the copy does not change"
    );
    assert_eq!(cluster.composite["status"]["phase"], "Running");
}

#[test]
fn a_name_that_is_taken_is_left_alone_and_named() {
    let taken = [
        (
            "postgresql.sql.crossplane.io/v1alpha1",
            "Database",
            None,
            "acme.planapulse.app",
            "DatabaseReady",
            "database",
            "DatabaseNameTaken",
        ),
        (
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            Some("plana-odoo-18"),
            "acme",
            "RouteReady",
            "route-18",
            "HTTPRouteNameTaken",
        ),
        (
            "batch/v1",
            "CronJob",
            Some("backup"),
            "acme-backup",
            "BackupScheduled",
            "backup",
            "CronJobNameTaken",
        ),
        (
            "batch/v1",
            "Job",
            Some("crossplane-system"),
            "matrix-room-create-acme-23",
            "SupportRoomReady",
            "room-create",
            "JobNameTaken",
        ),
    ];
    for (api_version, kind, namespace, name, condition, resource, reason) in taken {
        for owner in [None, Some("Deployment other")] {
            let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
            if let Some(namespace) = namespace {
                object["metadata"]["namespace"] = json!(namespace);
            }
            if owner.is_some() {
                object["metadata"]["ownerReferences"] =
                    json!([{"kind": "Deployment", "name": "other", "uid": "0", "controller": true}]);
            }
            let mut cluster = created();
            cluster.others.push(object);
            cluster.provision_what_can_be();
            let response = cluster.settle();
            assert_eq!(cluster.reason(condition), reason);
            let full_name = namespace.map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"));
            let beginning = format!(
                "a {kind} {full_name} exists already and is managed by {}; it is left alone",
                owner.unwrap_or("nobody")
            );
            let message = message(&response, condition);
            assert!(message.starts_with(&beginning), "{message}");
            assert_eq!(ttl_seconds(&response), POLLED_SECONDS);
            let composed: Vec<_> = desired(&response).into_keys().collect();
            assert!(
                !composed.iter().any(|one| one.starts_with(resource)),
                "{composed:?}"
            );
            cluster.others.pop();
            cluster.settle();
            assert!(cluster.composed.keys().any(|one| one.starts_with(resource)));
        }
    }
}

#[test]
fn nothing_is_composed_before_its_question_is_answered() {
    let cluster = created();
    let response = run(&cluster.request());
    let composed: Vec<_> = desired(&response).into_keys().collect();
    assert_eq!(composed, ["guard"]);
    assert_eq!(ttl_seconds(&response), UNDER_WAY_SECONDS);
    let waiting = response
        .conditions
        .iter()
        .filter(|condition| condition.reason == "LookupPending");
    let waiting: Vec<_> = waiting.map(|condition| condition.r#type.as_str()).collect();
    assert_eq!(waiting, ["DatabaseReady", "SupportRoomReady"]);
}

#[test]
fn without_the_gateway_api_everything_else_goes_on() {
    let mut cluster = initialising();
    cluster.has_gateway_api = false;
    cluster.job_completes("tenant-init");
    let response = cluster.settle();
    assert_eq!(cluster.reason("RouteReady"), "GatewayApiMissing");
    assert_eq!(cluster.reason("BackupScheduled"), "Scheduled");
    assert_eq!(ttl_seconds(&response), UNDER_WAY_SECONDS);
    assert!(!cluster.composed.contains_key("route-18"));
    cluster.has_gateway_api = true;
    cluster.settle();
    assert!(cluster.composed.contains_key("route-18"));
}

#[test]
fn a_failed_job_makes_room_at_once_where_its_name_carries_its_hash() {
    let mut cluster = initialising();
    let first = job_name(&cluster, "tenant-init");
    cluster.job_fails(
        "tenant-init",
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
    );
    cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "InitFailed");
    assert_eq!(
        job_name(&cluster, "tenant-init"),
        first,
        "the same would fail again"
    );
    cluster.platform = another_image();
    cluster.reconcile();
    let second = job_name(&cluster, "tenant-init");
    assert_ne!(second, first);
    assert_eq!(cluster.reason("DatabaseReady"), "InitRunning");
    assert!(
        cluster.composed[&second]
            .to_string()
            .contains("registry.example/odoo:another")
    );
}

#[test]
fn a_failed_job_of_a_fixed_name_makes_room_first() {
    let mut cluster = created();
    cluster.settle();
    let first = job_name(&cluster, "room-create");
    cluster.job_fails(
        "room-create",
        "DeadlineExceeded",
        "Job was active longer than specified deadline",
    );
    cluster.settle();
    assert_eq!(cluster.reason("SupportRoomReady"), "SupportRoomTimedOut");
    cluster.platform["matrix"] = json!({"homeserver": "https://matrix.example"});
    let leaving = cluster.job("room-create").clone();
    cluster.reconcile();
    assert_eq!(cluster.reason("SupportRoomReady"), "SupportRoomReplacing");
    assert!(!cluster.has_job("room-create"));

    // Kubernetes has not collected it yet.
    let mut still_there = leaving.clone();
    still_there["metadata"]["deletionTimestamp"] = json!(NOW);
    cluster.others.push(still_there);
    let response = cluster.settle();
    assert_eq!(cluster.reason("SupportRoomReady"), "JobBeingDeleted");
    assert_eq!(ttl_seconds(&response), UNDER_WAY_SECONDS);
    assert!(!cluster.has_job("room-create"));

    cluster.others.pop();
    cluster.settle();
    assert_ne!(job_name(&cluster, "room-create"), first);
    let job = cluster.job("room-create");
    assert_eq!(job["metadata"]["name"], leaving["metadata"]["name"]);
    assert!(job.to_string().contains("https://matrix.example"));
}

#[test]
fn a_failed_job_is_not_replaced_while_another_could_not_run() {
    let mut cluster = initialising();
    cluster.job_fails("tenant-init", "BackoffLimitExceeded", "");
    cluster.platform = another_image();
    cluster.database_is_stuck("observe failed: cannot select database: connection refused");
    let first = job_name(&cluster, "tenant-init");
    cluster.settle();
    assert_eq!(job_name(&cluster, "tenant-init"), first);
    cluster.database_is_ready();
    cluster.settle();
    assert_ne!(job_name(&cluster, "tenant-init"), first);
}

#[test]
fn a_job_that_runs_or_ran_is_kept_byte_for_byte() {
    for finishes in [false, true] {
        let mut cluster = initialising();
        let name = job_name(&cluster, "tenant-init");
        let job = cluster.object(&name);
        job["spec"]["completions"] = json!(1);
        job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}});
        let before = raw(&job["spec"]);
        if finishes {
            cluster.job_completes("tenant-init");
        }
        cluster.platform = another_image();
        let response = cluster.call();
        assert_eq!(raw_spec(&response, &name), before, "finishes: {finishes}");
        assert_eq!(
            desired(&response)
                .keys()
                .filter(|name| name.starts_with("tenant-init"))
                .count(),
            1
        );
    }
}

/// A real API server (Kubernetes 1.36) answers 422 when the generated selector, once owned, is given up again: so a Job
/// that is observed is never rendered again, whether it runs or failed, and whatever the settings are.
#[test]
fn an_observed_job_keeps_its_selector_with_the_same_settings_too() {
    for fails in [false, true] {
        let mut cluster = initialising();
        let name = job_name(&cluster, "tenant-init");
        cluster.object(&name)["spec"]["selector"] =
            json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}});
        if fails {
            cluster.job_fails("tenant-init", "BackoffLimitExceeded", "");
        }
        let before = raw(&cluster.object(&name)["spec"]);
        assert_eq!(raw_spec(&cluster.call(), &name), before, "fails: {fails}");
    }
}

#[test]
fn of_several_jobs_of_a_step_the_running_one_counts() {
    let mut cluster = initialising();
    let running = job_name(&cluster, "tenant-init");
    let mut replaced = cluster.job("tenant-init").clone();
    replaced["metadata"]["name"] = json!("tenant-init-acme-00000000");
    replaced["status"]["conditions"] =
        json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]);
    cluster
        .composed
        .insert("tenant-init-00000000".to_owned(), replaced);
    cluster.platform = another_image();
    cluster.reconcile();
    assert_eq!(job_name(&cluster, "tenant-init"), running);
}

#[test]
fn a_job_that_somebody_deletes_is_made_again() {
    let mut cluster = initialising();
    cluster.job_fails("tenant-init", "BackoffLimitExceeded", "");
    let name = job_name(&cluster, "tenant-init");
    cluster.composed.remove(&name);
    cluster.settle();
    assert_eq!(job_name(&cluster, "tenant-init"), name);
    assert!(cluster.composed[&name].get("status").is_none());
}

#[test]
fn a_lost_status_heals_and_nothing_is_made_from_the_template_again() {
    let mut cluster = running();
    let before = cluster.clone();
    cluster.composite.as_object_mut().unwrap().remove("status");
    cluster.settle();
    assert_eq!(*policies(&cluster), json!(["Observe"]));
    for (name, object) in &before.composed {
        assert_eq!(cluster.composed.get(name), Some(object), "{name} stays as it is");
    }
    let mut new: Vec<_> = cluster
        .composed
        .keys()
        .filter(|name| !before.composed.contains_key(*name))
        .collect();
    new.retain(|name| {
        !["room-create-", "tenant-init-", "tenant-smoke-"]
            .iter()
            .any(|step| name.starts_with(step))
    });
    assert_eq!(new, [""; 0], "only Jobs that find their work done");
    cluster.provision_what_can_be();
    assert_eq!(cluster.composite["status"]["phase"], "Running");
    assert_eq!(cluster.composed, before.composed);
}

#[test]
fn a_lost_database_is_told_and_never_made_anew() {
    let mut cluster = running();
    let before = cluster.composed.clone();
    cluster.database_is_stuck("observe failed: external resource does not exist");
    let response = cluster.settle();
    assert_eq!(cluster.reason("DatabaseReady"), "DatabaseLost");
    assert_eq!(cluster.composite["status"]["phase"], "Degraded");
    assert_eq!(*policies(&cluster), json!(["Observe"]));
    assert_eq!(ttl_seconds(&response), POLLED_SECONDS);
    assert!(before.keys().eq(cluster.composed.keys()), "everything else stays");
}

#[test]
fn the_route_of_an_older_major_stays_until_the_new_one_is_accepted() {
    let mut cluster = running();
    let mut older = cluster.composed.remove("route-18").unwrap();
    older["metadata"]["namespace"] = json!("plana-odoo");
    cluster.composed.insert("route-17".to_owned(), older);
    cluster.settle();
    assert_eq!(cluster.reason("RouteReady"), "RoutePending");
    assert_eq!(
        cluster.composed["route-17"]["metadata"]["namespace"],
        "plana-odoo"
    );
    cluster.route_is("route-18", "False", "NoMatchingListenerHostname", "");
    cluster.settle();
    assert!(cluster.composed.contains_key("route-17"));
    cluster.route_is("route-18", "True", "Accepted", "");
    cluster.settle();
    assert!(!cluster.composed.contains_key("route-17"));
    assert_eq!(cluster.composite["status"]["phase"], "Running");
}

#[test]
fn a_major_that_a_tenant_lives_on_must_not_vanish_from_the_platform() {
    let mut cluster = running();
    let before = cluster.clone();
    cluster.platform["versions"] = json!({"19": {}});
    let response = cluster.reconcile();
    assert_eq!(
        response.results[0].message,
        "input.versions: cannot be without 18, which this tenant needs: it has 19, add it"
    );
    assert!(before.composed == cluster.composed && before.composite == cluster.composite);
}

#[test]
fn what_the_platform_does_not_have_is_nothing_to_wait_for() {
    let mut cluster = created();
    for system in ["matrix", "portal", "erp", "events"] {
        cluster.platform[system] = json!({"enabled": false});
    }
    cluster.provision();
    assert_eq!(cluster.composite["status"]["phase"], "Running");
    for condition in [
        "SupportRoomReady",
        "PortalNotified",
        "ErpNotified",
        "EventPublished",
    ] {
        assert_eq!(cluster.reason(condition), "Disabled");
    }
    assert_eq!(cluster.composite["status"].get("supportRoom"), None);
    let jobs = cluster.composed.values().filter(|object| object["kind"] == "Job");
    assert_eq!(jobs.count(), 0);
}

#[test]
fn a_late_backup_is_told_once_and_the_tenant_stays_usable() {
    let mut cluster = running();
    cluster.object("backup")["status"] = json!({"lastSuccessfulTime": "2026-01-30T09:59:59Z"});
    let response = cluster.reconcile();
    assert_eq!(cluster.reason("BackupScheduled"), "BackupOverdue");
    assert_eq!(cluster.composite["status"]["phase"], "Running");
    let told: Vec<_> = response
        .results
        .iter()
        .map(|result| (result.severity(), result.message.as_str()))
        .collect();
    let expected =
        "BackupScheduled: the last backup was made at 2026-01-30T09:59:59Z; look at the Jobs of the CronJob";
    assert_eq!(told, [(Severity::Warning, expected)]);
    assert_eq!(cluster.reconcile().results, []);
}

#[test]
fn another_major_moves_nothing() {
    for (wanted, reason) in [("19", "UpgradeRequired"), ("17", "RestoreRequired")] {
        let mut cluster = running();
        let before = cluster.composed.clone();
        cluster.composite["spec"]["odooVersion"] = json!(wanted);
        cluster.settle();
        assert_eq!(cluster.reason("VersionInSync"), reason);
        assert_eq!(cluster.composed, before);
        assert_eq!(cluster.composite["status"]["odooVersion"], "18");
        assert_eq!(cluster.composite["status"]["phase"], "Running");
    }
}

#[test]
fn a_refused_deletion_stays_refused_when_the_status_is_lost() {
    let mut cluster = Cluster::new(example("enterprise"), plana(), platform_secrets());
    cluster.provision();
    cluster.composite["metadata"]["annotations"] =
        json!({"usage.crossplane.io/deletion-attempt-with-policy": "Background"});
    cluster.settle();
    cluster.composite["spec"]["deletionProtection"] = json!(false);
    cluster.settle();
    cluster.composite.as_object_mut().unwrap().remove("status");
    let response = cluster.reconcile();
    assert_eq!(cluster.reason("Guarded"), "DeletionRefused");
    assert_eq!(desired(&response)["guard"]["spec"]["replayDeletion"], false);
    cluster.composite["metadata"]["annotations"] = json!({});
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "Armed");
    assert_eq!(cluster.composed["guard"]["spec"]["replayDeletion"], true);
}

#[test]
fn an_adopted_database_is_only_looked_at_from_the_beginning() {
    let mut cluster = created();
    cluster.composite["spec"]["adoptDatabase"] = json!("0b5c-acme");
    cluster.settle();
    assert_eq!(*policies(&cluster), json!(["Observe"]));
    cluster.database_is_ready();
    let response = cluster.settle();
    let job = cluster.job("tenant-init").to_string();
    assert!(
        job.contains("--adopt=0b5c-acme") && job.contains("--marker=0b5c-acme"),
        "{job}"
    );
    let status = &desired_composite(&response)["status"];
    assert_eq!(status["databaseMarker"], "0b5c-acme");
    assert_eq!(status["database"]["origin"], "Adopted");
}

#[test]
fn nothing_is_published_before_provider_sql_only_looks() {
    let mut cluster = initialising();
    cluster.job_completes("tenant-init");
    cluster.reconcile();
    cluster.object("database")["spec"]["managementPolicies"] = json!(["Observe", "Create"]);
    cluster.reconcile();
    assert_eq!(cluster.reason("RouteReady"), "DatabaseNotReleased");
    assert_eq!(cluster.reason("BackupScheduled"), "DatabaseNotReleased");
    assert!(!cluster.composed.contains_key("route-18") && !cluster.composed.contains_key("backup"));
    cluster.settle();
    assert!(cluster.composed.contains_key("route-18") && cluster.composed.contains_key("backup"));
}

#[test]
fn the_workers_are_asked_only_with_the_login_of_the_database() {
    let mut cluster = initialising();
    cluster.job_completes("tenant-init");
    cluster.settle();
    let is_login = |object: &Value| object["metadata"]["name"] == "provider-sql-postgres-creds";
    cluster.others.retain(|object| !is_login(object));
    cluster.route_is("route-18", "True", "Accepted", "");
    let response = cluster.settle();
    assert_eq!(cluster.reason("RouteReady"), "SecretMissing");
    assert!(message(&response, "RouteReady").contains("provider-sql-postgres-creds"));
    assert!(!cluster.has_job("tenant-smoke"));
    cluster.others = platform_secrets();
    cluster.settle();
    assert!(cluster.has_job("tenant-smoke"));
}

#[test]
fn a_failed_job_without_a_pod_is_told_in_kubernetes_words() {
    let mut cluster = initialising();
    cluster.job_fails(
        "tenant-init",
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
    );
    let response = cluster.settle();
    assert!(
        message(&response, "DatabaseReady")
            .contains("failed (BackoffLimitExceeded: Job has reached the specified backoff limit)")
    );
    cluster.job_says(
        "tenant-init",
        r#"{"command":"tenant-init","outcome":"Retry","reason":"ServerUnreachable","message":"pg01:5432 refuses"}"#,
    );
    let response = cluster.settle();
    assert!(message(&response, "DatabaseReady").contains("failed (ServerUnreachable: pg01:5432 refuses);"));
}

#[test]
fn another_tier_keeps_the_database_and_says_what_is_not_applied() {
    let mut cluster = running();
    let jobs = cluster.jobs();
    cluster.composite["spec"]["tier"] = json!("pro");
    let response = cluster.settle();
    assert_eq!(cluster.jobs(), jobs, "nothing is done again");
    let database = &desired_composite(&response)["status"]["database"];
    assert_eq!(
        database["template"], "basic-template-18.planapulse.app",
        "what it was cloned from"
    );
    assert_eq!(
        message(&response, "DatabaseReady"),
        "the database acme.planapulse.app is this tenant's; it was cloned from basic-template-18.planapulse.app, and \
         pro-template-18.planapulse.app is not applied to a tenant that lives: install in Odoo what it lacks"
    );
    assert!(
        cluster.composed["backup"]
            .to_string()
            .contains("--retention-days=90")
    );
    assert_eq!(cluster.composite["status"]["phase"], "Running");
}

#[test]
fn another_owner_runs_nothing_again() {
    let mut cluster = running();
    let before = cluster.composed.clone();
    cluster.composite["spec"]["ownerEmail"] = json!("boris@acme.example");
    cluster.composite["spec"]["ownerName"] = json!("Boris");
    cluster.platform = another_image();
    cluster.settle();
    assert!(before.keys().eq(cluster.composed.keys()), "no Job is made");
    assert_eq!(cluster.composite["status"]["phase"], "Running");
}
