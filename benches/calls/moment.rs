//! The calls that are measured: two moments of a tenant's life, as Crossplane would ask about them.
//!
//! In: `examples/starter/xr.yaml`, played to the moment in the tests' small cluster. Out: a request whose observed
//! objects are all composed again. An API server adds to every object what nobody asked for: defaults, owners of fields,
//! counters. The cluster of the tests leaves that out and this module puts it in, because much of a real request is
//! just that.

use function_odoo::function::proto::v1::RunFunctionRequest;
use serde_json::{Map, Value, json};

use super::cluster::{Cluster, NOW, example, platform_secrets};

/// Jobs in a namespace of their own need copies of the Secrets that they use.
const JOBS_NAMESPACE: &str = "odoo-jobs";

/// A moment of a tenant's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Its last four Jobs are running: the most objects that a tenant ever has.
    Telling,
    /// Everything is done: what nearly all calls are about.
    Settled,
}

impl Moment {
    pub const ALL: [Self; 2] = [Self::Telling, Self::Settled];

    pub fn title(self) -> &'static str {
        match self {
            Self::Telling => "the last Jobs run",
            Self::Settled => "settled",
        }
    }

    /// Objects that are observed, and composed.
    pub fn objects(self) -> usize {
        match self {
            Self::Telling => 12,
            Self::Settled => 8,
        }
    }
}

/// The request of a moment.
pub fn request(moment: Moment) -> RunFunctionRequest {
    let platform = json!({
        "apiVersion": "odoo.fn.planapulse.com/v1beta1", "kind": "Platform",
        "jobs": {"namespace": JOBS_NAMESPACE},
    });
    let mut cluster = Cluster::new(example("starter"), platform, platform_secrets());
    cluster.settle();
    cluster.database_is_ready();
    cluster.settle();
    cluster.job_completes("tenant-init");
    cluster.settle();
    cluster.route_is("route-18", "True", "Accepted", "Route is accepted");
    cluster.settle();
    cluster.job_completes("tenant-smoke");
    cluster.settle();
    if moment == Moment::Settled {
        for step in ["room-create", "portal-notify", "erp-callback", "event-publish"] {
            cluster.job_completes(step);
        }
        cluster.settle();
    }
    assert_eq!(
        cluster.composed.len(),
        moment.objects(),
        "the example has changed"
    );

    complete(&mut cluster.composite);
    cluster.composed.values_mut().for_each(complete);
    let response = cluster.call();
    let mut request = cluster.request();
    cluster.fulfil(&mut request, &response);
    request
}

/// Adds what an API server and the controllers would have added by now.
fn complete(object: &mut Value) {
    match object["kind"].as_str() {
        Some("Job") => complete_job(object),
        Some("CronJob") => {
            let template = &mut object["spec"]["jobTemplate"]["spec"]["template"]["spec"];
            complete_pod(template);
            object["spec"]["suspend"] = json!(false);
            object["status"] = json!({"lastScheduleTime": NOW, "lastSuccessfulTime": NOW, "active": []});
        }
        _ => {}
    }
    let managed_fields = managed_fields(object);
    let metadata = &mut object["metadata"];
    metadata["generation"] = json!(1);
    metadata["resourceVersion"] = json!("1204881593");
    metadata["labels"]["crossplane.io/composite"] = json!("acme");
    metadata["finalizers"] = json!(["composite.apiextensions.crossplane.io"]);
    metadata["managedFields"] = managed_fields;
}

fn complete_job(job: &mut Value) {
    let uid = job["metadata"]["uid"].clone();
    let name = job["metadata"]["name"].clone();
    let spec = &mut job["spec"];
    spec["completionMode"] = json!("NonIndexed");
    spec["completions"] = json!(1);
    spec["parallelism"] = json!(1);
    spec["manualSelector"] = json!(false);
    spec["suspend"] = json!(false);
    spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let labels = &mut spec["template"]["metadata"]["labels"];
    labels["batch.kubernetes.io/controller-uid"] = uid.clone();
    labels["batch.kubernetes.io/job-name"] = name.clone();
    labels["controller-uid"] = uid;
    labels["job-name"] = name;
    complete_pod(&mut spec["template"]["spec"]);
    job["status"] = json!({
        "active": 1, "ready": 1, "terminating": 0, "startTime": NOW, "uncountedTerminatedPods": {},
    });
}

fn complete_pod(pod: &mut Value) {
    pod["dnsPolicy"] = json!("ClusterFirst");
    pod["schedulerName"] = json!("default-scheduler");
    pod["terminationGracePeriodSeconds"] = json!(30);
    for container in pod["containers"].as_array_mut().into_iter().flatten() {
        container["imagePullPolicy"] = json!("IfNotPresent");
        container["terminationMessagePath"] = json!("/dev/termination-log");
    }
}

/// Crossplane applies everything but the status, which is its controller's.
fn managed_fields(object: &Value) -> Value {
    let fields = object.as_object().cloned().unwrap_or_default();
    let (status, applied): (Map<_, _>, Map<_, _>) = fields.into_iter().partition(|(key, _)| key == "status");
    let applied: Map<_, _> = applied
        .into_iter()
        .filter(|(key, _)| key != "apiVersion" && key != "kind")
        .collect();
    let entry = |manager: &str, operation: &str, fields: Map<String, Value>| {
        json!({
            "apiVersion": object["apiVersion"], "fieldsType": "FieldsV1", "manager": manager,
            "operation": operation, "time": NOW, "fieldsV1": owned(&Value::Object(fields)),
        })
    };
    let manager = "apiextensions.crossplane.io/composed/9f5c6c4c7f8ad2d4a6f0c36b37ac29bcf3a4c6e5d1b08f7723e4a90c5d6b1e2f";
    let mut entries = vec![entry(manager, "Apply", applied)];
    if !status.is_empty() {
        let mut of_status = entry("kube-controller-manager", "Update", status);
        of_status["subresource"] = json!("status");
        entries.push(of_status);
    }
    Value::Array(entries)
}

/// The names of an object's fields as `FieldsV1` writes them: lists by the names of their elements, else as a whole.
fn owned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (format!("f:{key}"), owned(value)))
            .collect(),
        Value::Array(elements) => {
            let keys = ["name", "type", "uid", "mountPath"];
            let keyed = elements.iter().filter_map(|element| {
                let key = keys.iter().find(|key| element[**key].is_string())?;
                let mut fields = owned(element);
                fields["."] = json!({});
                Some((format!("k:{{\"{key}\":{}}}", element[*key]), fields))
            });
            Value::Object(keyed.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json!({}),
    }
}
