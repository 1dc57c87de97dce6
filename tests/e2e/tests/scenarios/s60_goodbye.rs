//! A tenant that rests, is worked on, and goes.

use std::time::Duration;

use super::{
    access::{Browser, Page, events, misbehave, requests, stored},
    cluster::{DATABASES, SYSTEM, apply, has_database, kubectl, text},
    manifests::lease,
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::{wait, wait_at_most},
};

const BASIC: Template = Template::new("basic");
const ATTEMPT: &str = "usage.crossplane.io/deletion-attempt-with-policy-";
/// A final backup, six Jobs one after the other, and the database.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(420);

fn login_page(tenant: &Tenant) -> Page {
    Browser::new(&tenant.name).get(&tenant.url("/web/login"))
}

fn wait_status(tenant: &Tenant, status: u16) {
    wait(&format!("the gateway says {status}"), || {
        (login_page(tenant).status == status).then_some(())
    });
}

fn delete(tenant: &Tenant) -> String {
    let refusal = kubectl(&["delete", "planaclient", &tenant.name, "--wait=false"]);
    let refusal = refusal.expect_err("the guard refuses the first time");
    println!("          {refusal}");
    refusal
}

fn wait_until_gone(tenant: &Tenant) {
    wait_at_most(TEARDOWN_LIMIT, "the PLANAClient is gone", || {
        tenant.object().is_none().then_some(())
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s60_a_deleted_tenant_leaves_a_verified_backup_and_nothing_else() {
    let fir = Tenant::new("fir", 471);
    play("goodbye: a last backup, then everything goes", &[&fir], || {
        BASIC.ensure();
        fir.apply();
        fir.wait_ready();
        fir.wait_told();
        let refusal = delete(&fir);
        assert!(refusal.contains("in-use by 1 usage"), "{refusal}");
        wait_status(&fir, 503);
        wait_until_gone(&fir);
        assert!(!has_database(&fir.database()), "the database is dropped");
        let keys = stored(&fir);
        println!("          in the bucket: {}", keys.join(" "));
        assert!(
            keys.iter()
                .any(|key| key.contains("/final/") && key.contains("manifest")),
            "{keys:?}"
        );
        let kinds: Vec<_> = events(&fir)
            .iter()
            .map(|event| event["type"].to_string())
            .collect();
        println!("          events: {kinds:?}");
        assert_eq!(kinds.len(), 2, "it came and went");
        for system in ["portal", "erp"] {
            let told = requests(system);
            let of_tenant = told
                .iter()
                .filter(|line| line["body"]["subdomain"] == fir.name.as_str());
            assert!(of_tenant.count() >= 2, "{system} heard of both");
        }
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s61_a_suspended_tenant_is_answered_for_and_comes_back() {
    let larix = Tenant::new("larix", 472);
    play("goodbye: suspended and back, twice", &[&larix], || {
        BASIC.ensure();
        larix.apply();
        larix.wait_ready();
        let suspend = |suspended: bool| {
            let patch = format!("{{\"spec\":{{\"suspended\":{suspended}}}}}");
            kubectl(&[
                "patch",
                "planaclient",
                &larix.name,
                "--type=merge",
                "--patch",
                &patch,
            ])
            .expect("it is valid");
        };
        for _ in 0..2 {
            suspend(true);
            wait("it is suspended", || {
                (text(&larix.object()?, "/status/phase") == "Suspended").then_some(())
            });
            let page = login_page(&larix);
            assert_eq!(page.status, 503, "{}", page.body);
            assert!(has_database(&larix.database()), "the data stay");
            suspend(false);
            larix.wait_ready();
            wait_status(&larix, 200);
        }
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s62_slow_a_held_deletion_is_taken_back_and_a_protected_tenant_stays() {
    let abies = Tenant::new("abies", 473);
    play(
        "goodbye: a failing step holds it, taken back, protected",
        &[&abies],
        || {
            BASIC.ensure();
            abies.apply();
            abies.wait_ready();
            abies.wait_told();
            misbehave("portal", 422, 50, &abies);
            delete(&abies);
            let [_, _, message] = abies.wait_reason("Guarded", &["PortalFarewellFailed"]);
            assert!(message.contains("422"), "{message}");
            assert!(
                has_database(&abies.database()),
                "nothing after the step that failed"
            );
            misbehave("portal", 422, 0, &abies);
            kubectl(&["annotate", "planaclient", &abies.name, ATTEMPT]).expect("it is there");
            abies.wait_ready();
            wait_status(&abies, 200);
            protect(&abies, true);
            abies.wait_reason("Guarded", &["Protected"]);
            delete(&abies);
            abies.wait_reason("Guarded", &["DeletionRefused"]);
            protect(&abies, false);
            // The attempt of before does not come back to life.
            abies.wait_reason("Guarded", &["DeletionRefused"]);
            kubectl(&["annotate", "planaclient", &abies.name, ATTEMPT]).expect("it is there");
            abies.wait_reason("Guarded", &["Armed"]);
            assert_eq!(login_page(&abies).status, 200, "it was served all the time");
        },
    );
}

fn protect(tenant: &Tenant, protected: bool) {
    let patch = format!("{{\"spec\":{{\"deletionProtection\":{protected}}}}}");
    kubectl(&[
        "patch",
        "planaclient",
        &tenant.name,
        "--type=merge",
        "--patch",
        &patch,
    ])
    .expect("it is valid");
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s63_slow_a_lease_takes_one_tenant_off_the_air() {
    let tsuga = Tenant::new("tsuga", 474);
    play("goodbye: a Lease takes one tenant off the air", &[&tsuga], || {
        BASIC.ensure();
        tsuga.apply();
        tsuga.wait_ready();
        let name = format!("tenant-{}", tsuga.name);
        apply(&lease(SYSTEM, &name, "by-hand", 3600)).expect("it is valid");
        wait("the operation is answered", || {
            let object = tsuga.object()?;
            let is_active = object.pointer("/status/maintenance/active")?.as_bool()?;
            is_active.then_some(())
        });
        assert_eq!(login_page(&tsuga).status, 503);
        kubectl(&["delete", "lease", "--namespace", SYSTEM, &name]).expect("it is there");
        tsuga.wait_ready();
        wait_status(&tsuga, 200);
        assert!(
            kubectl(&["get", DATABASES, &tsuga.database()]).is_ok(),
            "the Database is as it was"
        );
    });
}
