//! The objects that scenarios apply, as a person would write them.

use serde_json::{Value, json};

/// A Secret with one key.
pub fn secret(namespace: &str, name: &str, key: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {key: value},
    })
}

/// A quota for the number of pods in a namespace.
pub fn pod_quota(namespace: &str, name: &str, pods: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hard": {"pods": pods.to_string()}},
    })
}

/// The eviction of a pod.
pub fn eviction(namespace: &str, pod: &str) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    })
}

/// A template of major 19 with a few modules, since each costs seconds.
pub fn template(code: &str, modules: &[&str]) -> Value {
    json!({
        "apiVersion": "planapulse.com/v1alpha1",
        "kind": "TemplateSnapshot",
        "metadata": {"name": format!("{code}-19")},
        "spec": {"templateCode": code, "odooVersion": "19", "modules": modules},
    })
}

/// A Lease that somebody holds from now on.
pub fn lease(namespace: &str, name: &str, holder: &str, seconds: u32) -> Value {
    let now = now();
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": now, "renewTime": now,
        },
    })
}

/// The time as Kubernetes writes it, with microseconds.
fn now() -> String {
    let output = std::process::Command::new("date")
        .args(["--utc", "+%Y-%m-%dT%H:%M:%S.000000Z"])
        .output()
        .expect("date is part of every system");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
