//! What is around a tenant in tests: PLANA's platform, the examples, and what Jobs report.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

/// When everything happens.
pub const NOW: &str = "2026-01-31T12:00:00Z";

/// What the Job of a step would report.
pub fn report(job: &Value) -> Value {
    let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    let argument = |name: &str| {
        let rest = arguments.split(&format!("--{name}=")).nth(1);
        rest.and_then(|rest| rest.split('"').next())
            .unwrap_or_default()
            .to_owned()
    };
    let modules = arguments.split("--module=").skip(1);
    let modules = modules.filter_map(|rest| Some((rest.split('"').next()?.to_owned(), json!("18.0.1.0"))));
    match arguments.split('"').nth(1).unwrap_or_default() {
        "template-build" => json!({"template": {
            "marker": argument("marker"), "revision": argument("revision"), "builtAt": NOW,
            "modules": modules.collect::<Map<_, _>>(), "moduleCount": 60, "modulesDigest": "0123456789abcdef",
            "databaseBytes": 48_000_000, "filestoreFiles": 120, "filestoreBytes": 3_000_000,
        }}),
        "tenant-init" => json!({"tenant": {
            "marker": argument("marker"),
            "origin": if arguments.contains("--adopt=") { "Adopted" } else if arguments.contains("--template=") { "Template" } else { "Installed" },
            "databaseUuid": "7f0c5f5e-3f43-4cb8-9f6b-0d6f3e6a8d11", "baseVersion": "18.0.1.3", "moduleCount": 60,
            "databaseBytes": 48_000_000, "filestoreFiles": 120, "passwordSet": false,
        }}),
        "tenant-smoke" => json!({"smoke": {
            "loginPageMilliseconds": 180, "modelReadMilliseconds": 40, "serverVersion": "18.0-20260105",
        }}),
        "room-create" => json!({"room": {
            "roomId": "!qYxK:planapulse.com", "alias": format!("#{}:planapulse.com", argument("alias")), "existed": false,
        }}),
        "tenant-suspend" | "tenant-resume" | "tenant-release" => json!({"access": {
            "owner": "plana_maint", "sessionsEnded": 3, "unchanged": false,
        }}),
        "backup" => json!({"backup": {
            "id": "final/20260131T120000", "takenAt": NOW, "dumpBytes": 9_000_000, "filestoreBytes": 2_000_000,
            "filestoreFiles": 120, "missingFiles": 0, "encrypted": false, "pruned": 0,
        }}),
        "backup-verify" => json!({"verify": {
            "id": argument("backup"), "bytes": 11_000_000, "files": 120, "opened": true,
        }}),
        "filestore-remove" => json!({"removed": {"files": 120, "bytes": 2_000_000}}),
        "room-retire" => json!({"room": {
            "roomId": "!qYxK:planapulse.com", "alias": format!("#{}:planapulse.com", argument("alias")), "existed": true,
        }}),
        "event-publish" => json!({"event": {"entry": "1769860800000-0", "existed": false}}),
        _ => json!({"notice": {"status": 200, "attempts": 1}}),
    }
}

/// A Secret of the platform, with values that no output may show.
pub fn secret(namespace: &str, name: &str, keys: &[&str]) -> Value {
    let data: Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), json!("cGxhY2Vob2xkZXI=")))
        .collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "Opaque", "data": data})
}

/// What the platform of the examples has besides the tenants.
pub fn platform_secrets() -> Vec<Value> {
    vec![
        secret(
            "crossplane-system",
            "provider-sql-postgres-creds",
            &["username", "password"],
        ),
        secret(
            "plana-odoo-18",
            "provider-sql-postgres-creds",
            &["username", "password"],
        ),
        secret(
            "crossplane-system",
            "backup-store-creds",
            &["access-key-id", "secret-access-key"],
        ),
        secret(
            "backup",
            "backup-store-creds",
            &["access-key-id", "secret-access-key"],
        ),
        secret("crossplane-system", "matrix-support-bot", &["token"]),
        secret("crossplane-system", "account-webhook", &["signing-key"]),
        secret("crossplane-system", "erp-callback", &["signing-key"]),
    ]
}

/// PLANA's Platform: all of it by default.
pub fn plana() -> Value {
    json!({"apiVersion": "odoo.fn.planapulse.com/v1beta1", "kind": "Platform"})
}

/// The composite resource of an example.
pub fn example(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let text = fs::read_to_string(path.join("xr.yaml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}
