//! The systems around a tenant, asked from pods by the Jobs' own program: with right secrets, and in trouble.

use serde_json::{Value, json};

use super::{
    access::{look, requests},
    cluster::{SYSTEM, apply, kubectl, object},
    stage::play,
    wait::wait,
};

const IMAGE: &str = "git.planapulse.com/plana-pulse/function-odoo:v0.1.0";
/// A tenant that there is only in news.
const FACTS: [&str; 7] = [
    "--subdomain=around",
    "--project-id=77",
    "--tier=starter",
    "--odoo-version=18",
    "--owner-email=anna@around.example",
    "--owner-name=Anna",
    "--tenant-url=https://around.planapulse.app",
];

/// A pod that runs odoo-job once.
#[derive(Clone, Copy, Debug)]
struct Run {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Variable, Secret, key.
    secrets: &'static [(&'static str, &'static str, &'static str)],
    facts: bool,
}

const PORTAL: Run = Run {
    name: "e2e-portal",
    arguments: &[
        "portal-notify",
        "--url=http://pulse-account-api.pulse-account:3000/api/v1/webhooks/workspace",
        "--event-type=client.provisioned",
        "--idempotency-key=e2e-portal",
    ],
    secrets: &[("ODOO_JOB_SIGNING_KEY", "account-webhook", "signing-key")],
    facts: true,
};

const ERP: Run = Run {
    name: "e2e-erp",
    arguments: &[
        "erp-callback",
        "--url=http://erp.erp:8070/plana_saas/callback",
        "--event-type=client.provisioned",
        "--idempotency-key=e2e-erp",
    ],
    secrets: &[("ODOO_JOB_SIGNING_KEY", "erp-callback", "signing-key")],
    facts: true,
};

const EVENT: Run = Run {
    name: "e2e-event",
    arguments: &[
        "event-publish",
        "--address=redis://redis.redis:6379",
        "--stream=PLANA:events",
        "--max-length=50000",
        "--event-type=client.provisioned",
        "--source=//plana-pulse/crossplane/planaclient",
        "--id=e2e-event",
    ],
    secrets: &[("ODOO_JOB_EVENTS_PASSWORD", "event-stream", "password")],
    facts: true,
};

const STORE: Run = Run {
    name: "e2e-store",
    arguments: &[
        "backup-list",
        "--endpoint=http://s3.object-store:7070",
        "--region=bg-sof-1",
        "--bucket=plana-pulse-backups",
        "--slug=around",
    ],
    secrets: &[
        ("ODOO_JOB_STORE_KEY_ID", "backup-store-creds", "access-key-id"),
        ("ODOO_JOB_STORE_KEY", "backup-store-creds", "secret-access-key"),
    ],
    facts: false,
};

/// The pod's phase at its end, and the result that it left.
fn run(what: Run) -> (String, Value) {
    remove(what);
    let env: Vec<_> = what
        .secrets
        .iter()
        .map(|(variable, name, key)| {
            json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}})
        })
        .collect();
    let facts = if what.facts { &FACTS[..] } else { &[] };
    let arguments = [what.arguments, facts].concat();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": what.name, "namespace": SYSTEM},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "odoo-job", "image": IMAGE, "command": ["/odoo-job"],
                "args": arguments, "env": env,
            }],
        },
    });
    apply(&pod).expect("it is valid");
    let (phase, result) = wait(&format!("{} has ended", what.name), || {
        let pod = object(&["pod", what.name, "--namespace", SYSTEM])?;
        // A container has ended before its pod has.
        let phase = pod["status"]["phase"].as_str()?;
        if !["Succeeded", "Failed"].contains(&phase) {
            return None;
        }
        let end = pod.pointer("/status/containerStatuses/0/state/terminated")?;
        let message = end["message"].as_str().unwrap_or_default();
        Some((phase.to_owned(), message.to_owned()))
    });
    println!("{phase}: {result}");
    // A list has no result besides what it prints.
    (phase, serde_json::from_str(&result).unwrap_or_default())
}

fn remove(what: Run) {
    let gone = kubectl(&[
        "delete",
        "pod",
        what.name,
        "--namespace",
        SYSTEM,
        "--ignore-not-found",
    ]);
    gone.expect("it can go");
}

/// The requests to one of the doubles about the news with a key.
fn asked(system: &str, key: &str) -> Vec<Value> {
    let mut requests = requests(system);
    requests.retain(|line| line["body"]["idempotencyKey"] == key);
    requests
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s15_pods_reach_redis_and_the_object_store_with_the_secrets_of_the_platform() {
    play("services: stream and bucket from pods", &[], || {
        assert_eq!(run(EVENT).0, "Succeeded");
        let entries = look("redis", &["xrevrange", "PLANA:events", "+", "-", "count", "50"]);
        assert!(entries.contains("e2e-event"), "{entries}");
        assert_eq!(run(STORE).0, "Succeeded");
        let objects = look("s3", &[]);
        assert!(objects.ends_with("objects in plana-pulse-backups"), "{objects}");
        [EVENT, STORE].into_iter().for_each(remove);
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s16_portal_and_erp_take_signed_news_and_a_refusal_is_over_once_its_cause_is() {
    play("services: signed news, and trouble that passes", &[], || {
        // As if the portal had another signing key.
        look("misbehave", &["portal", "401", "1", "e2e-portal"]);
        let (phase, result) = run(PORTAL);
        assert_eq!(
            (phase.as_str(), &result["reason"]),
            ("Failed", &json!("CredentialsRefused"))
        );
        for (what, system, key) in [(PORTAL, "portal", "e2e-portal"), (ERP, "erp", "e2e-erp")] {
            assert_eq!(run(what).0, "Succeeded");
            let last = asked(system, key).pop().expect("it was asked");
            assert_eq!(last["signature"], "right", "{last}");
        }
        // Trouble that passes is none of the Job's: it asks again.
        look("misbehave", &["erp", "503", "2", "e2e-erp"]);
        let (phase, result) = run(ERP);
        assert_eq!(phase, "Succeeded");
        assert_eq!(result["report"]["notice"]["attempts"], 3, "{result}");
        [PORTAL, ERP].into_iter().for_each(remove);
    });
}
