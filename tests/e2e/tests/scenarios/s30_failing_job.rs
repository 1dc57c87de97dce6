//! A Job that fails: its condition, the fix, the retry.

use super::{
    access::misbehave,
    cluster::{DATABASES, NAMESPACE, SYSTEM, create_raw, has_database, items, kubectl, psql, psql_in, text},
    manifests::eviction,
    stage::play,
    templates::{MODULES, Template},
    tenant::Tenant,
    wait::wait,
};

const BASIC: Template = Template::new("basic");

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s30_a_refused_notice_is_told_mended_and_sent_again() {
    let birch = Tenant::new("birch", 441);
    play(
        "failing Job: the portal refuses, the fix, the retry",
        &[&birch],
        || {
            BASIC.ensure();
            misbehave("portal", 422, 50, &birch);
            birch.apply();
            let [_, _, message] = birch.wait_reason("PortalNotified", &["PortalFailed"]);
            assert!(message.contains("422"), "it has the Job's words: {message}");
            // It keeps nobody from working.
            birch.wait_ready();
            misbehave("portal", 422, 0, &birch);
            let job = birch
                .of("jobs", SYSTEM, "portal-notify")
                .pop()
                .expect("it is kept");
            let name = text(&job, "/metadata/name");
            println!("          kubectl -n {SYSTEM} delete job {name}");
            kubectl(&["delete", "job", "--namespace", SYSTEM, name]).expect("it is there");
            birch.wait_reason("PortalNotified", &["Notified"]);
        },
    );
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s31_a_taken_database_name_is_refused_and_not_touched() {
    let hazel = Tenant::new("hazel", 442);
    play("failing Job: the database's name is taken", &[&hazel], || {
        BASIC.ensure();
        let name = hazel.database();
        psql(&format!(
            "CREATE DATABASE \"{name}\" OWNER plana_maint TEMPLATE template0"
        ));
        psql_in(
            &name,
            "CREATE TABLE books (entry text); INSERT INTO books VALUES ('somebody else''s')",
        );
        let oid = || psql(&format!("SELECT oid FROM pg_database WHERE datname = '{name}'"));
        let before = oid();
        hazel.apply();
        let [_, _, message] = hazel.wait_reason("DatabaseReady", &["InitRefused"]);
        assert!(message.contains("DatabaseUnmarked"), "{message}");
        assert_eq!(oid(), before, "it is the one that it was");
        assert_eq!(psql_in(&name, "SELECT entry FROM books"), "somebody else's");
        psql("DROP DATABASE IF EXISTS \"hazel-before\"");
        psql(&format!("ALTER DATABASE \"{name}\" RENAME TO \"hazel-before\""));
        // provider-sql looks every ten minutes; a new Database it makes at once. Deleting the old one drops nothing.
        kubectl(&["delete", DATABASES, &name]).expect("it is there");
        wait("the database is made", || has_database(&name).then_some(()));
        let job = hazel
            .of("jobs", NAMESPACE, "tenant-init")
            .pop()
            .expect("it is kept");
        let job = text(&job, "/metadata/name");
        kubectl(&["delete", "job", "--namespace", NAMESPACE, job]).expect("it is there");
        hazel.wait_ready();
        psql("DROP DATABASE \"hazel-before\"");
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s32_slow_an_evicted_job_is_tried_again() {
    let linden = Tenant::new("linden", 443).tier("enterprise");
    let enterprise = Template::new("enterprise");
    play("failing Job: its pod is evicted", &[&linden], || {
        enterprise.ensure();
        let mut modules = MODULES.to_vec();
        modules.push("bus");
        let is_extended = enterprise
            .object()
            .is_some_and(|object| object.to_string().contains("\"bus\""));
        enterprise.apply(if is_extended { &MODULES } else { &modules });
        let pod = wait("the build's pod runs Odoo", || {
            let selector = "app.kubernetes.io/component=template-build";
            let pods = items(&["pods", "--namespace", NAMESPACE, "--selector", selector]);
            let running = pods.iter().find(|pod| text(pod, "/status/phase") == "Running")?;
            Some(text(running, "/metadata/name").to_owned())
        });
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction");
        create_raw(&path, &eviction(NAMESPACE, &pod)).expect("nothing protects it");
        println!("          evicted {pod}");
        enterprise.wait_available();
        linden.apply();
        linden.wait_ready();
    });
}
