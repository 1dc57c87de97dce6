//! What keeps a tenant waiting until somebody does something: a quota, a Secret.

use serde_json::json;

use super::{
    cluster::{NAMESPACE, SYSTEM, apply, items, kubectl},
    manifests::{pod_quota, secret},
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::wait,
};

const BASIC: Template = Template::new("basic");
const QUOTA: &str = "full";

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s40_a_full_quota_is_waited_out() {
    let aspen = Tenant::new("aspen", 451);
    play("obstacle: the quota is full, then freed", &[&aspen], || {
        BASIC.ensure();
        let active = "--field-selector=status.phase!=Succeeded,status.phase!=Failed";
        let used = items(&["pods", "--namespace", NAMESPACE, active]).len();
        apply(&pod_quota(NAMESPACE, QUOTA, used)).expect("it is valid");
        // The quota's controller counts first.
        wait("the quota counts", || {
            let quota = items(&["resourcequotas", "--namespace", NAMESPACE]);
            quota.first()?.pointer("/status/used/pods").map(drop)
        });
        aspen.apply();
        let [_, reason, message] = aspen.wait_reason("DatabaseReady", &["InitRunning", "QuotaFull"]);
        wait("the Job's event names the quota", || {
            let events = items(&["events", "--namespace", NAMESPACE]);
            events
                .iter()
                .any(|event| event.to_string().contains("exceeded quota"))
                .then_some(())
        });
        println!("          {reason}: {message}");
        kubectl(&["delete", "resourcequota", "--namespace", NAMESPACE, QUOTA]).expect("it is there");
        aspen.wait_ready();
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s41_a_missing_secret_is_named_and_noticed() {
    let name = "willow-first-password";
    let willow = Tenant::new("willow", 452).with(json!({"adminPasswordSecret": {"name": name}}));
    play("obstacle: a Secret is missing, then there", &[&willow], || {
        BASIC.ensure();
        let _none = kubectl(&[
            "delete",
            "secret",
            "--namespace",
            SYSTEM,
            name,
            "--ignore-not-found",
        ]);
        willow.apply();
        let [_, _, message] = willow.wait_reason("DatabaseReady", &["SecretMissing"]);
        assert!(message.contains(name), "{message}");
        apply(&secret(SYSTEM, name, "password", "a first password")).expect("it is valid");
        willow.wait_ready();
    });
}
