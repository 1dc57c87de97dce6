//! How a tenant's life goes on after day one, and how it ends: suspended and back, an operation that has it to itself, and
//! the deletion from the first refusal to the guard's release.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::cluster::{Cluster, desired, example, plana, platform_secrets};

const SOON_SECONDS: i64 = 600;

fn running_on(platform: Value) -> Cluster {
    let mut cluster = Cluster::new(example("starter"), platform, platform_secrets());
    cluster.provision();
    cluster
}

/// Made once, since most tests begin with it.
static RUNNING: LazyLock<Cluster> = LazyLock::new(|| running_on(plana()));

fn running() -> Cluster {
    RUNNING.clone()
}

fn phase(cluster: &Cluster) -> &str {
    cluster.composite["status"]["phase"].as_str().unwrap()
}

fn message(cluster: &Cluster, r#type: &str) -> String {
    let conditions = cluster.composite["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|condition| condition["type"] == r#type);
    found.unwrap()["message"].as_str().unwrap().to_owned()
}

fn rules(cluster: &Cluster) -> &Value {
    &cluster.composed["route-18"]["spec"]["rules"]
}

fn is_open(cluster: &Cluster) -> bool {
    rules(cluster).to_string().contains("worker-odoo")
}

fn suspend(cluster: &mut Cluster, suspended: bool) {
    cluster.composite["spec"]["suspended"] = json!(suspended);
    cluster.settle();
}

/// The only Job that is there completes.
fn completes(cluster: &mut Cluster, step: &str) {
    assert_eq!(cluster.jobs(), [step]);
    cluster.job_completes(step);
    cluster.settle();
}

#[test]
fn a_tenant_is_suspended_and_comes_back_as_often_as_one_likes() {
    let mut cluster = running();
    let before = cluster.composed.clone();
    for round in 0..2 {
        suspend(&mut cluster, true);
        assert!(!is_open(&cluster), "the route closes before the Job begins");
        assert_eq!(
            rules(&cluster)[0]["filters"][0]["extensionRef"]["name"],
            "acme-maintenance"
        );
        let answer = &cluster.composed["maintenance-18"]["spec"]["directResponse"];
        assert_eq!(
            (&answer["statusCode"], &answer["header"]["set"][1]["name"]),
            (&json!(503), &json!("Retry-After"))
        );
        assert_eq!(cluster.reason("RouteReady"), "SuspendRunning", "round {round}");
        completes(&mut cluster, "tenant-suspend");
        assert_eq!(
            (phase(&cluster), cluster.reason("RouteReady").as_str()),
            ("Suspended", "Suspended")
        );
        assert!(message(&cluster, "RouteReady").contains("503 and Retry-After"));
        assert_eq!(cluster.reason("BackupScheduled"), "Scheduled");
        assert_eq!(cluster.reason("DatabaseReady"), "Available");

        suspend(&mut cluster, false);
        assert!(!is_open(&cluster), "the workers cannot see the database yet");
        assert_eq!(cluster.reason("RouteReady"), "ResumeRunning");
        completes(&mut cluster, "tenant-resume");
        assert!(is_open(&cluster));
        assert!(!cluster.composed.contains_key("maintenance-18"));
        completes(&mut cluster, "tenant-smoke");
        assert_eq!(
            (phase(&cluster), cluster.reason("RouteReady").as_str()),
            ("Running", "Served")
        );
        assert!(cluster.composed == before, "as it was");
    }
    assert_eq!(
        cluster.composite["status"]["course"],
        json!({"name": "Serve", "turn": 4})
    );
}

#[test]
fn what_a_suspended_tenant_has_begun_ends_before_it_comes_back() {
    let mut cluster = running();
    suspend(&mut cluster, true);
    assert_eq!(cluster.jobs(), ["tenant-suspend"]);
    suspend(&mut cluster, false);
    assert_eq!(cluster.reason("RouteReady"), "SuspendRunning");
    assert_eq!(cluster.jobs(), ["tenant-suspend"], "one writer");
    assert!(!is_open(&cluster));
    completes(&mut cluster, "tenant-suspend");
    completes(&mut cluster, "tenant-resume");
    completes(&mut cluster, "tenant-smoke");
    assert_eq!(phase(&cluster), "Running");
}

#[test]
fn a_suspension_that_fails_holds_and_is_done_again_in_the_next_turn() {
    let mut cluster = running();
    suspend(&mut cluster, true);
    cluster.job_fails("tenant-suspend", "BackoffLimitExceeded", "");
    cluster.settle();
    assert_eq!(cluster.reason("RouteReady"), "SuspendFailed");
    suspend(&mut cluster, false);
    completes(&mut cluster, "tenant-resume");
    completes(&mut cluster, "tenant-smoke");
    suspend(&mut cluster, true);
    completes(&mut cluster, "tenant-suspend");
    assert_eq!(phase(&cluster), "Suspended");
}

#[test]
fn without_envoys_filter_the_platforms_service_answers_or_the_route_goes() {
    let mut platform = plana();
    platform["gateway"] =
        json!({"maintenance": {"name": "maintenance", "namespace": "gateways", "port": 80}});
    let mut cluster = running_on(platform);
    suspend(&mut cluster, true);
    let backend = json!({"name": "maintenance", "namespace": "gateways", "port": 80});
    assert_eq!(rules(&cluster)[0]["backendRefs"], json!([backend]));
    assert!(!cluster.composed.contains_key("maintenance-18"));
    cluster.platform = plana();
    cluster.settle();
    assert!(
        rules(&cluster).to_string().contains("acme-maintenance"),
        "the filter takes over"
    );

    let mut cluster = running();
    cluster.has_route_filters = false;
    suspend(&mut cluster, true);
    assert!(!cluster.composed.contains_key("route-18"));
    completes(&mut cluster, "tenant-suspend");
    assert!(message(&cluster, "RouteReady").contains("its route is removed"));
    suspend(&mut cluster, false);
    completes(&mut cluster, "tenant-resume");
    assert!(is_open(&cluster));
}

#[test]
fn a_filter_that_is_somebody_elses_is_left_alone_and_named() {
    let mut cluster = running();
    cluster.others.push(json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "HTTPRouteFilter",
        "metadata": {"name": "acme-maintenance", "namespace": "plana-odoo-18"},
    }));
    suspend(&mut cluster, true);
    assert_eq!(cluster.reason("RouteReady"), "HTTPRouteFilterNameTaken");
    assert!(is_open(&cluster) && cluster.jobs().is_empty());
    cluster.others.pop();
    cluster.settle();
    assert_eq!(cluster.reason("RouteReady"), "SuspendRunning");
}

#[test]
fn a_tenant_may_be_made_suspended() {
    let mut cluster = Cluster::new(example("starter"), plana(), platform_secrets());
    cluster.composite["spec"]["suspended"] = json!(true);
    cluster.provision_what_can_be();
    assert_eq!(phase(&cluster), "Suspended");
    assert!(!is_open(&cluster));
    assert_eq!(cluster.reason("PortalNotified"), "SmokeNotDone");
    suspend(&mut cluster, false);
    cluster.provision();
}

fn operation(uid: &str) -> Value {
    json!({"apiVersion": "planapulse.com/v1alpha1", "kind": "TenantUpgrade", "metadata": {"name": "acme-19", "uid": uid}})
}

fn lease_of(uid: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "tenant-acme", "namespace": "crossplane-system", "ownerReferences": [
            {"apiVersion": "planapulse.com/v1alpha1", "kind": "TenantUpgrade", "name": "acme-19", "uid": uid, "controller": true},
        ]},
    })
}

#[test]
fn an_operation_has_the_tenant_to_itself_until_its_lease_goes() {
    let mut cluster = running();
    let before = cluster.composed.clone();
    cluster.others.extend([operation("u"), lease_of("u")]);
    cluster.reconcile();
    let by = json!({"active": false, "by": "TenantUpgrade acme-19"});
    assert_eq!(
        cluster.composite["status"]["maintenance"], by,
        "not before the route is closed"
    );
    cluster.settle();
    assert!(!is_open(&cluster) && cluster.jobs().is_empty());
    assert_eq!(
        (phase(&cluster), cluster.reason("RouteReady").as_str()),
        ("Maintenance", "UnderMaintenance")
    );
    assert_eq!(cluster.composite["status"]["maintenance"]["active"], true);
    assert_eq!(
        cluster.composite["status"].get("course"),
        None,
        "the operation does what it does by itself"
    );

    suspend(&mut cluster, true);
    assert_eq!(
        cluster.jobs(),
        [""; 0],
        "nobody else works on the tenant meanwhile"
    );
    cluster.deletion_is_attempted();
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "UnderMaintenance");
    assert_eq!(cluster.jobs(), [""; 0]);
    cluster.deletion_is_taken_back();
    suspend(&mut cluster, false);

    cluster.others.retain(|object| object["kind"] != "Lease");
    cluster.settle();
    completes(&mut cluster, "tenant-resume");
    completes(&mut cluster, "tenant-smoke");
    assert!(cluster.composed == before, "as it was");
    assert_eq!(cluster.composite["status"].get("maintenance"), None);
}

#[test]
fn a_lease_whose_holder_is_gone_is_named_and_holds_nothing_up() {
    for holder in [None, Some(operation("another"))] {
        let mut cluster = running();
        cluster.others.push(lease_of("u"));
        cluster.others.extend(holder);
        let response = cluster.reconcile();
        assert_eq!(
            (phase(&cluster), cluster.reason("RouteReady").as_str()),
            ("Running", "LeaseAbandoned")
        );
        assert!(
            message(&cluster, "RouteReady")
                .contains("crossplane-system/tenant-acme is of TenantUpgrade acme-19")
        );
        assert_eq!(response.results.len(), 1, "told once");
        assert_eq!(cluster.reconcile().results, []);
        let maintenance = json!({"active": false, "by": "TenantUpgrade acme-19, which is gone"});
        assert_eq!(cluster.composite["status"]["maintenance"], maintenance);
    }
}

#[test]
fn a_lease_that_was_taken_by_hand_lasts_as_long_as_it_says() {
    for (seconds, is_held) in [(60, true), (20, false)] {
        let mut cluster = running();
        cluster.lease_is_taken(seconds);
        cluster.settle();
        assert_eq!(phase(&cluster), if is_held { "Maintenance" } else { "Running" });
        assert_eq!(is_open(&cluster), !is_held);
    }
}

/// Every Job that is there completes, and every other, until the guard goes; returns the order.
fn tear_down(cluster: &mut Cluster) -> Vec<String> {
    let mut order = Vec::new();
    cluster.settle();
    while let [step] = &cluster.jobs()[..] {
        order.push(step.clone());
        let step = step.clone();
        cluster.job_completes(&step);
        cluster.settle();
    }
    order
}

const ALL_STEPS: [&str; 9] = [
    "tenant-suspend",
    "final-backup",
    "final-verify",
    "room-retire",
    "portal-farewell",
    "erp-farewell",
    "event-farewell",
    "filestore-remove",
    "tenant-release",
];

#[test]
fn a_deletion_takes_its_steps_in_order_and_the_guard_goes_last() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.settle();
    assert!(!is_open(&cluster));
    assert_eq!(cluster.composed["backup"]["spec"]["suspend"], true);
    assert_eq!(
        (phase(&cluster), cluster.reason("RouteReady").as_str()),
        ("Deleting", "TenantLeaving")
    );
    assert_eq!(tear_down(&mut cluster), ALL_STEPS);
    assert!(!cluster.composed.contains_key("database") && !cluster.composed.contains_key("guard"));
    assert_eq!(cluster.reason("Guarded"), "DeletionReleased");
    let status = &cluster.composite["status"];
    assert_eq!(status["deletion"]["finalBackup"], "final/20260131T120000");
    for step in ALL_STEPS {
        assert!(status["done"].get(step).is_some(), "{step}");
    }
    let calls = cluster.reconcile();
    assert!(!desired(&calls).contains_key("guard"), "it stays away");
}

#[test]
fn the_last_backup_is_named_to_whatever_removes_something() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.settle();
    for step in ALL_STEPS {
        let job = cluster.job(step).to_string();
        let names_it = ["final-verify", "filestore-remove", "tenant-release"].contains(&step);
        assert_eq!(job.contains("final/20260131T120000"), names_it, "{step}");
        if step == "final-backup" {
            assert!(job.contains("--purpose=final"));
        }
        completes(&mut cluster, step);
    }
}

#[test]
fn the_database_is_dropped_in_three_looks() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.settle();
    for step in &ALL_STEPS[..8] {
        completes(&mut cluster, step);
    }
    cluster.job_completes("tenant-release");
    cluster.reconcile();
    let policies = |cluster: &Cluster| cluster.composed["database"]["spec"]["managementPolicies"].clone();
    assert_eq!(
        policies(&cluster),
        json!(["Observe"]),
        "not before the record is seen"
    );
    cluster.reconcile();
    assert_eq!(cluster.reason("Guarded"), "DatabaseReleasing");
    assert_eq!(policies(&cluster), json!(["Observe", "Delete"]));
    cluster.reconcile();
    assert_eq!(cluster.reason("Guarded"), "StatusPending");
    assert!(
        cluster.composed.contains_key("database"),
        "not before status says so"
    );
    let leaving = cluster.composed["database"].clone();
    cluster.others.push(leaving);
    cluster.reconcile();
    assert!(!cluster.composed.contains_key("database"));
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "DatabaseDropping");
    assert!(
        cluster.composed.contains_key("guard"),
        "the server has not dropped it"
    );
    cluster.others.last_mut().unwrap()["status"] = json!({"conditions": [{
        "type": "Synced", "status": "False", "reason": "ReconcileError",
        "message": r#"delete failed: cannot drop database: pq: database "acme.planapulse.app" is being accessed by other users (55006)"#,
    }]});
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "DatabaseInUse");
    cluster.others.pop();
    cluster.settle();
    assert!(!cluster.composed.contains_key("guard"));
}

#[test]
fn a_step_that_fails_holds_the_deletion_and_says_why() {
    for (index, step) in ALL_STEPS.into_iter().enumerate() {
        let mut cluster = running();
        cluster.deletion_is_attempted();
        cluster.settle();
        for before in &ALL_STEPS[..index] {
            completes(&mut cluster, before);
        }
        cluster.job_fails(step, "BackoffLimitExceeded", "");
        cluster.settle();
        assert!(
            cluster.reason("Guarded").ends_with("Failed"),
            "{}",
            cluster.reason("Guarded")
        );
        assert_eq!(cluster.jobs(), [step]);
        for object in ["guard", "database"] {
            assert!(cluster.composed.contains_key(object), "{step}: {object}");
        }
        let failed = cluster
            .composed
            .keys()
            .find(|name| name.starts_with(step))
            .unwrap()
            .clone();
        cluster.composed.remove(&failed);
        assert_eq!(tear_down(&mut cluster), ALL_STEPS[index..]);
        assert!(!cluster.composed.contains_key("guard"));
    }
}

#[test]
fn a_deletion_that_is_taken_back_in_time_brings_the_tenant_back() {
    let told = ["room-create", "portal-notify", "erp-callback", "event-publish"];
    for steps in 0..=7 {
        let mut cluster = running();
        let before = cluster.composed.clone();
        cluster.deletion_is_attempted();
        cluster.settle();
        for step in &ALL_STEPS[..steps] {
            if *step == "event-farewell" {
                // The next look would be too late.
                cluster.job_completes(step);
                cluster.reconcile();
            } else {
                completes(&mut cluster, step);
            }
        }
        cluster.deletion_is_taken_back();
        cluster.settle();
        let again: Vec<_> = told
            .iter()
            .take(steps.saturating_sub(2))
            .map(|step| (*step).to_owned())
            .collect();
        cluster.provision();
        assert!(cluster.composed == before, "after {steps} steps");
        let done = &cluster.composite["status"]["done"];
        for step in told {
            let is_again = done[step].get("inputs").is_some();
            assert_eq!(
                is_again,
                again.contains(&step.to_owned()),
                "{step} after {steps} steps"
            );
        }
        assert_eq!(cluster.composite["status"].get("deletion"), None);
        cluster.deletion_is_attempted();
        assert_eq!(
            tear_down(&mut cluster),
            ALL_STEPS,
            "all of it again, the backup too"
        );
    }
}

#[test]
fn a_deletion_that_is_taken_back_too_late_is_held() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.settle();
    for step in &ALL_STEPS[..7] {
        completes(&mut cluster, step);
    }
    assert_eq!(cluster.jobs(), ["filestore-remove"]);
    cluster.deletion_is_taken_back();
    cluster.settle();
    assert_eq!(cluster.jobs(), ["filestore-remove"], "what runs ends by itself");
    completes_and_stays(&mut cluster);
    assert_eq!(cluster.reason("Guarded"), "DeletionTakenBack");
    assert!(message(&cluster, "Guarded").contains("final/20260131T120000"));
    assert_eq!(cluster.jobs(), [""; 0]);
    assert!(!is_open(&cluster), "files are missing");
    assert_eq!(
        cluster.composed["database"]["spec"]["managementPolicies"],
        json!(["Observe"])
    );
    cluster.deletion_is_attempted();
    assert_eq!(tear_down(&mut cluster), ["tenant-release"]);
}

fn completes_and_stays(cluster: &mut Cluster) {
    cluster.job_completes("filestore-remove");
    cluster.settle();
    assert!(cluster.composed.contains_key("guard"));
}

#[test]
fn protection_that_comes_during_a_deletion_brings_the_tenant_back() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.settle();
    completes(&mut cluster, "tenant-suspend");
    completes(&mut cluster, "final-backup");
    cluster.composite["spec"]["deletionProtection"] = json!(true);
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "DeletionRefused");
    assert_eq!(cluster.jobs(), ["final-verify"], "what runs ends by itself");
    cluster.job_completes("final-verify");
    cluster.provision();
    cluster.composite["spec"]["deletionProtection"] = json!(false);
    cluster.settle();
    assert_eq!(
        cluster.reason("Guarded"),
        "DeletionRefused",
        "an old attempt does not come back to life"
    );
}

#[test]
fn a_deleted_tenant_stays_for_the_grace_hours_of_its_tier() {
    let mut platform = plana();
    platform["tiers"] = json!({"starter": {"deletion": {"graceHours": 2}}});
    let mut cluster = running_on(platform);
    cluster.deletion_is_attempted();
    cluster.settle();
    for step in &ALL_STEPS[..3] {
        completes(&mut cluster, step);
    }
    assert_eq!(cluster.reason("Guarded"), "GracePeriod");
    assert_eq!(
        cluster.composite["status"]["deletion"]["graceUntil"],
        "2026-01-31T14:00:00Z"
    );
    let ttl = |cluster: &mut Cluster| cluster.reconcile().meta.unwrap().ttl.unwrap().seconds;
    assert_eq!(ttl(&mut cluster), SOON_SECONDS);
    cluster.now = "2026-01-31T13:59:15Z".to_owned();
    assert_eq!(ttl(&mut cluster), 45);
    assert_eq!(cluster.jobs(), [""; 0]);
    cluster.now = "2026-01-31T14:00:00Z".to_owned();
    assert_eq!(tear_down(&mut cluster), ALL_STEPS[3..]);

    let mut cluster = running();
    cluster.platform["tiers"] = json!({"starter": {"deletion": {"graceHours": 2}}});
    cluster.deletion_is_attempted();
    cluster.settle();
    for step in &ALL_STEPS[..3] {
        completes(&mut cluster, step);
    }
    cluster.composite["status"]["done"]["final-verify"]["time"] = json!("by hand");
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "GraceUnknown");
}

#[test]
fn what_was_never_made_needs_no_farewell() {
    let mut cluster = Cluster::new(example("starter"), plana(), platform_secrets());
    for system in ["matrix", "portal"] {
        cluster.platform[system] = json!({"enabled": false});
    }
    cluster.settle();
    cluster.deletion_is_attempted();
    cluster.settle();
    assert!(!cluster.composed.contains_key("guard"), "nothing was made");
    assert!(
        cluster.composed.contains_key("database"),
        "what nobody has proven stays"
    );

    let mut cluster = Cluster::new(example("starter"), plana(), platform_secrets());
    cluster.settle();
    cluster.database_is_ready();
    cluster.settle();
    cluster.deletion_is_attempted();
    cluster.settle();
    assert_eq!(
        cluster.jobs(),
        ["room-create", "tenant-init"],
        "what runs ends by itself"
    );
    assert!(cluster.composed.contains_key("guard"));
    cluster.job_completes("room-create");
    cluster.job_fails("tenant-init", "BackoffLimitExceeded", "");
    cluster.settle();
    assert_eq!(cluster.jobs(), ["room-retire"]);
    cluster.job_completes("room-retire");
    cluster.settle();
    assert!(!cluster.composed.contains_key("guard"));
    let policies = &cluster.composed["database"]["spec"]["managementPolicies"];
    assert_eq!(*policies, json!(["Observe", "Create"]), "it is not dropped");
}

#[test]
fn a_backup_that_could_not_say_its_id_is_the_latest() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.settle();
    completes(&mut cluster, "tenant-suspend");
    cluster.job_completes("final-backup");
    cluster.others.retain(|object| object["kind"] != "Pod");
    cluster.settle();
    assert!(
        cluster
            .job("final-verify")
            .to_string()
            .contains("--backup=final/latest")
    );
}

#[test]
fn a_status_that_is_lost_with_the_guard_is_no_reason_to_delete() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.composite.as_object_mut().unwrap().remove("status");
    cluster.composed.remove("guard");
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "DeletionRefused");
    assert!(is_open(&cluster));
}

#[test]
fn a_database_object_that_somebody_deleted_comes_back_to_take_the_database_along() {
    let mut cluster = running();
    cluster.deletion_is_attempted();
    cluster.settle();
    for step in &ALL_STEPS[..8] {
        completes(&mut cluster, step);
    }
    cluster.composed.remove("database");
    cluster.job_completes("tenant-release");
    cluster.reconcile();
    cluster.reconcile();
    let policies = &cluster.composed["database"]["spec"]["managementPolicies"];
    assert_eq!(*policies, json!(["Observe", "Delete"]));
    cluster.settle();
    assert!(!cluster.composed.contains_key("guard") && !cluster.composed.contains_key("database"));
}

#[test]
fn a_job_that_hangs_need_not_be_waited_for_when_a_tenant_goes() {
    let mut cluster = Cluster::new(example("starter"), plana(), platform_secrets());
    cluster.platform["matrix"] = json!({"enabled": false});
    cluster.settle();
    cluster.database_is_ready();
    cluster.settle();
    cluster.deletion_is_attempted();
    cluster.settle();
    assert_eq!(cluster.reason("Guarded"), "InitRunning");
    let hangs = cluster
        .composed
        .keys()
        .find(|name| name.starts_with("tenant-init"));
    let hangs = hangs.unwrap().clone();
    cluster.composed.remove(&hangs);
    cluster.settle();
    assert_eq!(cluster.jobs(), [""; 0], "it is not made again");
    assert!(!cluster.composed.contains_key("guard"));
}
