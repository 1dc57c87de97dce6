//! A tenant of a scenario, from its manifest to all that can be looked at.

use serde_json::{Value, json};

use super::{
    cluster::{
        DATABASES, NAMESPACE, SYSTEM, apply, condition, has_database, items, kubectl, object, psql, run, text,
    },
    stage::show,
    wait::{wait, wait_gone},
};

/// A tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name and subdomain.
    pub name: String,
    /// Number of its project.
    pub project: u32,
    tier: &'static str,
    further: Value,
}

impl Tenant {
    /// Of the tier starter.
    pub fn new(name: &str, project: u32) -> Self {
        Self {
            name: name.to_owned(),
            project,
            tier: "starter",
            further: json!({}),
        }
    }

    /// Of another tier.
    pub fn tier(self, tier: &'static str) -> Self {
        Self { tier, ..self }
    }

    /// With further fields of the spec.
    pub fn with(self, further: Value) -> Self {
        Self { further, ..self }
    }

    /// The name of its database, of the Database, and its host.
    pub fn database(&self) -> String {
        format!("{}.planapulse.app", self.name)
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.database())
    }

    /// Applies it.
    pub fn apply(&self) {
        let mut spec = json!({
            "subdomain": self.name,
            "projectId": self.project,
            "tier": self.tier,
            "odooVersion": "19",
            "ownerEmail": format!("owner@{}.example", self.name),
            "ownerName": format!("{} Ltd", self.name),
        });
        let further = self.further.as_object().cloned().unwrap_or_default();
        spec.as_object_mut().expect("it is an object").extend(further);
        let manifest = json!({
            "apiVersion": "planapulse.com/v1alpha1",
            "kind": "PLANAClient",
            "metadata": {"name": self.name},
            "spec": spec,
        });
        apply(&manifest).expect("it is valid");
    }

    /// The PLANAClient.
    pub fn object(&self) -> Option<Value> {
        object(&["planaclient", &self.name])
    }

    /// Status, reason and message of a condition of it.
    pub fn condition(&self, kind: &str) -> Option<[String; 3]> {
        condition(&self.object()?, kind)
    }

    /// Waits until a condition has one of these reasons, and prints what it says.
    pub fn wait_reason(&self, kind: &str, reasons: &[&str]) -> [String; 3] {
        let what = format!("{kind} of {} is {}", self.name, reasons.join(" or "));
        let seen = wait(&what, || {
            let condition = self.condition(kind)?;
            reasons.contains(&condition[1].as_str()).then_some(condition)
        });
        println!("          {kind}={} {}: {}", seen[0], seen[1], seen[2]);
        seen
    }

    /// Waits until it is served.
    pub fn wait_ready(&self) {
        wait(&format!("{} is ready", self.name), || {
            (self.condition("Ready")?[0] == "True").then_some(())
        });
    }

    /// Waits until everybody was told of it.
    pub fn wait_told(&self) {
        wait(&format!("everybody was told of {}", self.name), || {
            let told = [
                "SupportRoomReady",
                "PortalNotified",
                "ErpNotified",
                "EventPublished",
            ];
            let object = self.object()?;
            told.iter()
                .all(|kind| condition(&object, kind).is_some_and(|[status, ..]| status == "True"))
                .then_some(())
        });
    }

    /// Its steps that are done: name and Job.
    pub fn done(&self) -> Vec<(String, String)> {
        let steps = self
            .object()
            .and_then(|object| object.pointer("/status/done").cloned());
        let steps = steps
            .as_ref()
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let job = |record: &Value| text(record, "/job").to_owned();
        steps
            .iter()
            .map(|(step, record)| (step.clone(), job(record)))
            .collect()
    }

    /// Objects of it in a namespace, of one of its components.
    pub fn of(&self, kinds: &str, namespace: &str, component: &str) -> Vec<Value> {
        let selector = format!(
            "planapulse.com/tenant={},app.kubernetes.io/component={component}",
            self.name
        );
        items(&[kinds, "--namespace", namespace, "--selector", &selector])
    }

    /// Stops Crossplane's work on it, so that it costs nothing while others are on stage.
    pub fn pause(&self) {
        let _gone = kubectl(&[
            "annotate",
            "--overwrite",
            "planaclient",
            &self.name,
            "crossplane.io/paused=true",
        ]);
    }

    /// Removes it, and the database and files that outlive it on purpose.
    pub fn remove(&self) {
        if self.object().is_some() {
            let _gone = kubectl(&["annotate", "planaclient", &self.name, "crossplane.io/paused-"]);
            // The guard refuses the first time and has it deleted itself, so this may complain.
            let _refused = kubectl(&["delete", "planaclient", &self.name, "--wait=false"]);
            wait_gone("planaclient", &self.name);
            wait_gone(DATABASES, &self.database());
        }
        if has_database(&self.database()) {
            psql(&format!("DROP DATABASE \"{}\" WITH (FORCE)", self.database()));
        }
        run("forget-files", &[&self.database()], "");
    }

    /// Everything about it.
    pub fn explain(&self) {
        let selector = format!("planapulse.com/tenant={}", self.name);
        for arguments in [
            &["describe", "planaclient", &self.name][..],
            &["describe", DATABASES, &self.database()],
            &[
                "logs",
                "--namespace",
                NAMESPACE,
                "--selector",
                &selector,
                "--all-containers",
            ],
            &[
                "logs",
                "--namespace",
                SYSTEM,
                "--selector",
                &selector,
                "--all-containers",
            ],
        ] {
            show(arguments);
        }
    }
}
