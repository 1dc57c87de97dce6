//! The calls that are measured: moments of a tenant's life, as Crossplane would ask about them.
//!
//! In: `examples/starter/xr.yaml`, played to the moment in the tests' small cluster. Out: a request whose observed
//! objects are all composed again. An API server adds to every object what nobody asked for: defaults, owners of fields,
//! counters. The cluster of the tests leaves that out and this module puts it in, because much of a real request is
//! just that.

use function_odoo::{
    function::proto::v1::{Resources, RunFunctionRequest},
    observed::HEAVY_JOBS_QUESTION,
};
use serde_json::{Map, Value, json};

use super::cluster::{Cluster, NOW, example, platform_secrets, resource};

/// Jobs in a namespace of their own need copies of the Secrets that they use.
const JOBS_NAMESPACE: &str = "odoo-jobs";

/// A moment of a tenant's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Its last four Jobs are running: the most objects that a tenant ever has.
    Telling,
    /// Everything is done: what nearly all calls are about.
    Settled,
    /// As [`Telling`](Self::Telling), and functions before us in the pipeline have composed 88 objects.
    Crowded,
    /// As [`Telling`](Self::Telling), and 275 Jobs of others are the answer to a question.
    Answered,
}

/// With our own twelve, a hundred.
const OBJECTS_OF_OTHERS: usize = 88;
/// About a megabyte.
const ANSWERED_JOBS: usize = 275;

impl Moment {
    pub const ALL: [Self; 4] = [Self::Telling, Self::Settled, Self::Crowded, Self::Answered];

    pub fn title(self) -> &'static str {
        match self {
            Self::Telling => "S: the last Jobs run",
            Self::Settled => "settled",
            Self::Crowded => "M: the last Jobs run, beside 88 objects of other functions",
            Self::Answered => "L: the last Jobs run, and 275 Jobs of others are required",
        }
    }

    /// The moment with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|moment| format!("{moment:?}").eq_ignore_ascii_case(name))
    }

    /// Objects that are observed, and composed.
    pub fn objects(self) -> usize {
        match self {
            Self::Telling | Self::Crowded | Self::Answered => 12,
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
    enlarge(moment, &mut request, &cluster);
    request
}

/// Adds what the larger requests have besides.
fn enlarge(moment: Moment, request: &mut RunFunctionRequest, cluster: &Cluster) {
    let mut objects = cluster.composed.values();
    let Some(job) = objects.find(|object| object["kind"] == "Job") else {
        return;
    };
    match moment {
        Moment::Telling | Moment::Settled => {}
        Moment::Crowded => {
            let observed = request.observed.get_or_insert_default();
            for index in 0..OBJECTS_OF_OTHERS {
                observed
                    .resources
                    .insert(format!("of-others-{index}"), resource(job));
            }
        }
        Moment::Answered => {
            let items = vec![resource(job); ANSWERED_JOBS];
            request
                .required_resources
                .insert(HEAVY_JOBS_QUESTION.to_owned(), Resources { items });
        }
    }
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
