//! What dies while it works: the function, Crossplane, provider-sql.

use std::{process::Command, thread};

use super::{
    access::events,
    cluster::{DATABASES, FUNCTION_PODS, SYSTEM, apply, kubectl, object, psql, text},
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::wait,
};

const BASIC: Template = Template::new("basic");

fn kill(selector: &str) {
    let arguments = [
        "delete",
        "pods",
        "--namespace",
        SYSTEM,
        "--selector",
        selector,
        "--force",
        "--grace-period=0",
    ];
    let killed = kubectl(&arguments).expect("pods can be deleted");
    assert!(killed.contains("deleted"), "there are pods: {killed}");
}

/// By SIGKILL, since a provider that is told to end writes down that it did not create. Its process is one of the machine.
fn kill_the_provider() {
    let provider = "^/usr/local/bin/crossplane-sql-provider";
    let killed = Command::new("pkill").args(["-KILL", "-f", provider]).status();
    assert!(killed.is_ok_and(|status| status.success()), "there is a provider");
}

fn kill_crossplane() {
    kill("app=crossplane");
}

/// Each step done once, and each thing told once.
fn nothing_happened_twice(tenant: &Tenant) {
    tenant.wait_told();
    let done = tenant.done();
    println!("          done: {done:?}");
    assert!(done.len() >= 6, "all steps are recorded: {done:?}");
    let events = events(tenant);
    assert_eq!(events.len(), 1, "one event: {events:?}");
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s50_the_function_is_killed_at_every_stage() {
    let spruce = Tenant::new("spruce", 461);
    play("kills: the function at every stage", &[&spruce], || {
        BASIC.ensure();
        spruce.apply();
        let mut seen = Vec::new();
        wait("it is ready, though each change killed the function", || {
            let object = spruce.object()?;
            let stage = format!(
                "{} {:?} {:?}",
                text(&object, "/status/phase"),
                spruce.condition("DatabaseReady").map(|[_, reason, _]| reason),
                spruce.condition("RouteReady").map(|[_, reason, _]| reason),
            );
            if !seen.contains(&stage) {
                println!("          killed at: {stage}");
                kill(FUNCTION_PODS);
                seen.push(stage);
            }
            (spruce.condition("Ready")?[0] == "True").then_some(())
        });
        assert!(seen.len() > 2, "there were stages: {seen:?}");
        nothing_happened_twice(&spruce);
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s51_slow_crossplane_is_killed() {
    let juniper = Tenant::new("juniper", 462);
    play("kills: Crossplane, twice", &[&juniper], || {
        BASIC.ensure();
        juniper.apply();
        juniper.wait_reason("DatabaseReady", &["DatabaseCreating", "InitRunning", "Available"]);
        kill_crossplane();
        juniper.wait_reason("DatabaseReady", &["Available"]);
        kill_crossplane();
        juniper.wait_ready();
        nothing_happened_twice(&juniper);
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s52_the_provider_is_killed_while_it_creates() {
    let walnut = Tenant::new("walnut", 463);
    play("kills: provider-sql while it creates", &[&walnut], || {
        BASIC.ensure();
        // CREATE DATABASE writes to this table, so it waits for us.
        let holder =
            thread::spawn(|| psql("BEGIN; LOCK TABLE pg_database IN SHARE MODE; SELECT pg_sleep(20)"));
        wait("the lock is held", || {
            let held = "SELECT count(*) FROM pg_locks WHERE relation = 'pg_database'::regclass AND mode = 'ShareLock'";
            (psql(held) == "1").then_some(())
        });
        walnut.apply();
        wait("provider-sql waits in CREATE DATABASE", || {
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'";
            (psql(waits) == "1").then_some(())
        });
        kill_the_provider();
        holder.join().expect("it slept to its end");
        let [_, reason, message] = walnut.wait_reason(
            "DatabaseReady",
            &["CreationUncertain", "InitRunning", "Available"],
        );
        if reason == "CreationUncertain" {
            // What the message and docs/operations.md say: look, then remove the annotation.
            assert!(message.contains("external-create-pending"), "{message}");
            let database = object(&[DATABASES, &walnut.database()]).expect("it is there");
            println!(
                "          {}",
                text(
                    &database,
                    "/metadata/annotations/crossplane.io~1external-create-pending"
                )
            );
            let annotation = "crossplane.io/external-create-pending-";
            kubectl(&["annotate", DATABASES, &walnut.database(), annotation]).expect("it is there");
        }
        walnut.wait_ready();
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s53_slow_a_job_deleted_by_hand_after_its_end_is_not_run_again() {
    let poplar = Tenant::new("poplar", 464);
    play("kills: Jobs and objects deleted by hand", &[&poplar], || {
        BASIC.ensure();
        poplar.apply();
        poplar.wait_ready();
        poplar.wait_told();
        let done = poplar.done();
        let selector = "planapulse.com/tenant=poplar";
        for arguments in [
            ["delete", "jobs", "--all-namespaces", "--selector", selector],
            ["delete", "httproutes", "--all-namespaces", "--selector", selector],
        ] {
            let _none = kubectl(&arguments);
        }
        wait("the route is there again", || {
            object(&["httproute", "poplar", "--namespace=plana-odoo-19"])
        });
        poplar.wait_ready();
        assert_eq!(poplar.done(), done, "no step was done again");
        assert_eq!(events(&poplar).len(), 1, "no event was sent again");
        // Not ours to apply: it only has to be refused.
        let other = serde_json::json!({
            "apiVersion": "planapulse.com/v1alpha1", "kind": "PLANAClient", "metadata": {"name": "www"},
            "spec": {"subdomain": "www", "projectId": 1, "tier": "starter", "ownerEmail": "a@b.example", "ownerName": "A"},
        });
        let refusal = apply(&other).expect_err("the name is reserved");
        assert!(refusal.contains("reserved"), "{refusal}");
    });
}
