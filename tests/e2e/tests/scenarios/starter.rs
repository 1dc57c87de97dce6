//! A tenant of the starter tier, from `kubectl apply` to its deletion.

use crate::cluster::{DATABASES, Tenant, cluster_log, condition, kubectl, object, psql, wait, wait_gone};

const ACME: Tenant = Tenant {
    example: "starter",
    name: "acme",
};

#[test]
#[ignore = "needs the cluster of dev/up"]
fn a_tenant_gets_its_database_and_its_first_job_and_leaves_the_data() {
    ACME.live(|acme| {
        acme.apply();
        database_is_a_dark_clone(acme);
        first_job_gets_its_program(acme);
        person_is_told(acme);
        room_is_made(acme);
        deletion_keeps_the_data(acme);
    });
}

/// Made by provider-sql from the sealed template, and closed until it is the tenant's.
fn database_is_a_dark_clone(acme: Tenant) {
    let name = acme.database();
    wait("the Database is ready", || {
        let database = object(&[DATABASES, &name])?;
        (condition(&database, "Ready")?[0] == "True").then_some(())
    });
    let seen = psql(&format!(
        "SELECT datallowconn, rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = '{name}'"
    ));
    // The first Job opens it to itself.
    assert!(
        ["f|plana_maint", "t|plana_maint", "t|plana"].contains(&seen.as_str()),
        "{seen}"
    );
}

/// Its pod has odoo-job out of the image in the function's package.
fn first_job_gets_its_program(acme: Tenant) {
    wait("the init Job is there", || {
        acme.of_step("jobs", "tenant-init").pop()
    });
    wait("its pod was given odoo-job", || {
        let pods = acme.of_step("pods", "tenant-init");
        let code = pods
            .first()?
            .pointer("/status/initContainerStatuses/0/state/terminated/exitCode")?;
        (code == 0).then_some(())
    });
}

fn person_is_told(acme: Tenant) {
    let [status, reason, message] = wait("DatabaseReady speaks of the Job, or is done with it", || {
        acme.condition("DatabaseReady")
            .filter(|[_, reason, _]| reason.starts_with("Init") || reason == "Available")
    });
    println!("DatabaseReady={status} {reason}: {message}");
    for kind in ["Synced", "Guarded"] {
        let [status, reason, message] = acme.condition(kind).expect("Crossplane may compose everything");
        assert_eq!(status, "True", "{kind}: {reason}: {message}");
    }
}

/// By a Job of the function, at the double of the Matrix server.
fn room_is_made(acme: Tenant) {
    let [status, reason, message] = wait("the support room is there", || {
        acme.condition("SupportRoomReady")
            .filter(|[status, ..]| status == "True")
    });
    println!("SupportRoomReady={status} {reason}: {message}");
    assert!(cluster_log("doubles").contains("\"room_alias_name\":\"support-acme-023\""));
}

/// Refused once, which is how the function learns of it; then the tenant is gone, and its data are not.
fn deletion_keeps_the_data(acme: Tenant) {
    let refusal =
        kubectl(&["delete", "planaclient", acme.name, "--wait=false"]).expect_err("the guard refuses");
    assert!(refusal.contains("in-use by 1 usage"), "{refusal}");
    wait_gone("planaclient", acme.name);
    let count = psql(&format!(
        "SELECT count(*) FROM pg_database WHERE datname = '{}'",
        acme.database()
    ));
    assert_eq!(count, "1");
}
