//! A cluster that does with an answer what Crossplane does, as far as one tenant's life needs.
//!
//! In: a composite resource, a Platform, and whatever else is in the cluster. Out: the requests that Crossplane would
//! send, and after each answer the composed objects and the status that it would leave. Not here: server-side apply with its
//! owners of fields, admission, and every error; the real thing is compared with in other tests.

#[path = "platform.rs"]
mod platform;

use std::collections::BTreeMap;

use function_odoo::function::{
    self, NOW_CONTEXT_KEY,
    proto::v1::{
        RequestMeta, Resource, Resources, Result as Outcome, RunFunctionRequest, RunFunctionResponse, Schema,
        Severity, State, resource_selector::Match,
    },
    wire,
};
use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Value, json};

pub use self::platform::*;

const NAME_ANNOTATION: &str = "crossplane.io/composition-resource-name";
/// Crossplane gives up after one call and five more.
const CALLS_MAXIMUM: usize = 6;
/// More than any life needs: each round of something going well brings the next thing on its way.
const ROUNDS_MAXIMUM: usize = 20;

/// A cluster with one composite resource.
#[derive(Clone)]
pub struct Cluster {
    /// The composite resource.
    pub composite: Value,
    /// The input of the function.
    pub platform: Value,
    /// Composed resources, by composition resource name.
    pub composed: BTreeMap<String, Value>,
    /// Other objects, which may be required.
    pub others: Vec<Value>,
    /// Whether it knows the Gateway API.
    pub has_gateway_api: bool,
    /// Whether it knows `HTTPRouteFilter`.
    pub has_route_filters: bool,
    /// Whether it knows our other kinds.
    pub has_snapshots: bool,
    /// The time of the next calls.
    pub now: String,
    objects_made: u32,
}

impl Cluster {
    /// A cluster in which the composite resource was just created.
    pub fn new(composite: Value, platform: Value, others: Vec<Value>) -> Self {
        let mut cluster = Self {
            composite,
            platform,
            composed: BTreeMap::new(),
            others,
            has_gateway_api: true,
            has_route_filters: true,
            has_snapshots: true,
            now: NOW.to_owned(),
            objects_made: 0,
        };
        if cluster.composite["metadata"].get("uid").is_none() {
            cluster.composite["metadata"]["uid"] = json!(cluster.next_uid());
        }
        cluster
    }

    /// What this cluster would be as the files of a moment, by path.
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::from([("xr.yaml".to_owned(), yaml(&self.composite))]);
        for (name, object) in &self.composed {
            files.insert(format!("observed/{name}.yaml"), yaml(object));
        }
        for object in &self.others {
            let metadata = &object["metadata"];
            let place = metadata["namespace"]
                .as_str()
                .map_or(String::new(), |namespace| format!("{namespace}-"));
            let kind = object["kind"].as_str().unwrap().to_lowercase();
            files.insert(
                format!(
                    "required/{kind}-{place}{}.yaml",
                    metadata["name"].as_str().unwrap()
                ),
                yaml(object),
            );
        }
        files
    }

    /// Calls the function until it asks for nothing new, and does nothing with the answer.
    pub fn call(&self) -> RunFunctionResponse {
        self.exchange().1
    }

    /// The last request of such a round of calls, with all that was asked for, and its answer.
    pub fn exchange(&self) -> (RunFunctionRequest, RunFunctionResponse) {
        let mut request = self.request();
        let mut before = None;
        for _ in 0..CALLS_MAXIMUM {
            let response = run(&request);
            if is_fatal(&response) || response.requirements == before {
                return (request, response);
            }
            before.clone_from(&response.requirements);
            self.fulfil(&mut request, &response);
        }
        panic!("the requirements do not settle");
    }

    /// Calls the function and does what Crossplane does with the answer; a fatal one changes nothing.
    pub fn reconcile(&mut self) -> RunFunctionResponse {
        let response = self.call();
        if is_fatal(&response) {
            return response;
        }
        let desired = desired(&response);
        self.composed.retain(|name, _| desired.contains_key(name));
        self.collect_pods();
        for (name, object) in desired {
            self.apply(&name, object);
        }
        let mut status = desired_composite(&response)["status"].clone();
        status["conditions"] = response.conditions.iter().map(condition).collect();
        self.composite["status"] = status;
        response
    }

    /// Reconciles until nothing changes any more.
    pub fn settle(&mut self) -> RunFunctionResponse {
        for _ in 0..ROUNDS_MAXIMUM {
            let before = (self.composite.clone(), self.composed.clone());
            let response = self.reconcile();
            if before == (self.composite.clone(), self.composed.clone()) {
                return response;
            }
        }
        panic!("the cluster does not settle");
    }

    /// The request that Crossplane sends first.
    pub fn request(&self) -> RunFunctionRequest {
        let resources = self
            .composed
            .iter()
            .map(|(name, object)| (name.clone(), resource(object)));
        RunFunctionRequest {
            meta: Some(RequestMeta {
                tag: "tag".to_owned(),
                ..RequestMeta::default()
            }),
            observed: Some(State {
                composite: Some(resource(&self.composite)),
                resources: resources.collect(),
            }),
            input: Some(wire::write(&self.platform).unwrap().into()),
            context: Some(wire::write(&json!({NOW_CONTEXT_KEY: self.now})).unwrap().into()),
            ..RunFunctionRequest::default()
        }
    }

    /// Adds the answers to what a response asks for.
    pub fn fulfil(&self, request: &mut RunFunctionRequest, response: &RunFunctionResponse) {
        let requirements = response.requirements.clone().unwrap_or_default();
        request.required_resources.clear();
        for (question, selector) in requirements.resources {
            let is_of_kind = |object: &&Value| {
                object["apiVersion"] == selector.api_version.as_str()
                    && object["kind"] == selector.kind.as_str()
                    && object["metadata"]["namespace"].as_str() == selector.namespace.as_deref()
            };
            let items = match selector.r#match.as_ref().unwrap() {
                Match::MatchName(name) => {
                    let is_it = |object: &&Value| object["metadata"]["name"] == name.as_str();
                    let found = self.others.iter().filter(is_of_kind).filter(is_it);
                    found.map(resource).collect()
                }
                Match::MatchLabels(wanted) => {
                    let fits = |object: &&Value| {
                        let labels = &object["metadata"]["labels"];
                        wanted
                            .labels
                            .iter()
                            .all(|(key, value)| labels[key] == value.as_str())
                    };
                    let all = self.others.iter().chain(self.composed.values());
                    all.filter(is_of_kind).filter(fits).map(resource).collect()
                }
            };
            request.required_resources.insert(question, Resources { items });
        }
        request.required_schemas.clear();
        for question in requirements.schemas.into_keys() {
            let schema = json!({"type": "object"});
            let is_known = match question.as_str() {
                "http-route" => self.has_gateway_api,
                "http-route-filter" => self.has_route_filters,
                _ => self.has_snapshots,
            };
            let openapi_v3 = is_known.then(|| wire::write(&schema).unwrap().into());
            request.required_schemas.insert(question, Schema { openapi_v3 });
        }
    }

    fn apply(&mut self, name: &str, mut desired: Value) {
        let before = self.composed.get(name).cloned();
        let uid = before
            .as_ref()
            .map_or_else(|| self.next_uid(), |object| text(object, "/metadata/uid"));
        let made_name = format!(
            "{}-{}",
            text(&self.composite, "/metadata/name"),
            function_odoo::names::short_hash(name.as_bytes())
        );
        let metadata = desired["metadata"].as_object_mut().unwrap();
        metadata.entry("name").or_insert(json!(made_name));
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("creationTimestamp".to_owned(), json!("2026-01-31T11:00:00Z"));
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        annotations[NAME_ANNOTATION] = json!(name);
        metadata.insert(
            "ownerReferences".to_owned(),
            json!([{
                "apiVersion": self.composite["apiVersion"], "kind": self.composite["kind"],
                "name": self.composite["metadata"]["name"], "uid": self.composite["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true,
            }]),
        );
        if let Some(status) = before.and_then(|object| object.get("status").cloned()) {
            desired["status"] = status;
        }
        self.composed.insert(name.to_owned(), desired);
    }

    fn next_uid(&mut self) -> String {
        self.objects_made += 1;
        format!("00000000-0000-4000-8000-{:012}", self.objects_made)
    }

    /// provider-sql has made the database, or sees it.
    pub fn database_is_ready(&mut self) {
        let conditions = json!([
            {"type": "Ready", "status": "True", "reason": "Available", "lastTransitionTime": NOW},
            {"type": "Synced", "status": "True", "reason": "ReconcileSuccess", "lastTransitionTime": NOW},
        ]);
        self.object("database")["status"] = json!({"conditions": conditions});
    }

    /// provider-sql cannot.
    pub fn database_is_stuck(&mut self, message: &str) {
        let conditions = json!([
            {"type": "Ready", "status": "False", "reason": "Creating", "lastTransitionTime": NOW},
            {"type": "Synced", "status": "False", "reason": "ReconcileError", "message": message, "lastTransitionTime": NOW},
        ]);
        self.object("database")["status"] = json!({"conditions": conditions});
    }

    /// The Job of a step has completed, and its pod is still there.
    pub fn job_completes(&mut self, step: &str) {
        let job = self.job(step);
        job["status"] = json!({
            "completionTime": NOW, "startTime": "2026-01-31T11:59:00Z", "succeeded": 1,
            "conditions": [
                {"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached", "lastTransitionTime": NOW},
                {"type": "Complete", "status": "True", "reason": "CompletionsReached", "lastTransitionTime": NOW},
            ],
        });
        let report = report(job);
        self.job_says(
            step,
            &json!({"command": step, "outcome": "Done", "report": report}).to_string(),
        );
    }

    /// A pod of the Job of a step has ended with these words.
    pub fn job_says(&mut self, step: &str, words: &str) {
        let job = self.job(step).clone();
        let (name, uid) = (&job["metadata"]["name"], &job["metadata"]["uid"]);
        let terminated = json!({"exitCode": 0, "finishedAt": NOW, "message": words});
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("{}-x7k2p", name.as_str().unwrap()), "namespace": job["metadata"]["namespace"],
                "labels": {"batch.kubernetes.io/job-name": name, "batch.kubernetes.io/controller-uid": uid},
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": true},
                ],
            },
            "status": {"containerStatuses": [{"name": "odoo-job", "state": {"terminated": terminated}}]},
        });
        self.others
            .retain(|other| other["metadata"]["name"] != pod["metadata"]["name"]);
        self.others.push(pod);
    }

    /// Pods go with their Jobs.
    fn collect_pods(&mut self) {
        let jobs = self.composed.values().map(|object| text(object, "/metadata/uid"));
        let jobs: Vec<_> = jobs.collect();
        self.others.retain(|object| {
            object["kind"] != "Pod" || jobs.contains(&text(object, "/metadata/ownerReferences/0/uid"))
        });
    }

    /// The Job of a step has failed.
    pub fn job_fails(&mut self, step: &str, reason: &str, message: &str) {
        let job = self.job(step);
        job["status"] = json!({
            "startTime": "2026-01-31T11:59:00Z", "failed": 1,
            "conditions": [
                {"type": "Failed", "status": "True", "reason": reason, "message": message, "lastTransitionTime": NOW},
            ],
        });
    }

    /// The Gateway has answered about a route.
    pub fn route_is(&mut self, name: &str, accepted: &str, reason: &str, message: &str) {
        let route = self.object(name);
        let parents: Vec<Value> = route["spec"]["parentRefs"].as_array().unwrap().iter().map(|parent| {
            json!({
                "parentRef": parent, "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                "conditions": [
                    {"type": "Accepted", "status": accepted, "reason": reason, "message": message, "lastTransitionTime": NOW},
                    {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "message": "", "lastTransitionTime": NOW},
                ],
            })
        }).collect();
        route["status"] = json!({"parents": parents});
    }

    /// A composed object.
    pub fn object(&mut self, name: &str) -> &mut Value {
        self.composed
            .get_mut(name)
            .unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The Job of a step.
    pub fn job(&mut self, step: &str) -> &mut Value {
        let found = self
            .composed
            .iter_mut()
            .find(|(name, object)| object["kind"] == "Job" && name.starts_with(step));
        found.unwrap_or_else(|| panic!("there is no Job of {step}")).1
    }

    /// The names of the Jobs that are there, without their hashes.
    pub fn jobs(&self) -> Vec<String> {
        let jobs = self.composed.iter().filter(|(_, object)| object["kind"] == "Job");
        jobs.map(|(name, _)| name.rsplit_once('-').unwrap().0.to_owned())
            .collect()
    }

    /// Somebody tries to delete the composite resource, and the guard refuses.
    pub fn deletion_is_attempted(&mut self) {
        self.composite["metadata"]["annotations"] =
            json!({"usage.crossplane.io/deletion-attempt-with-policy": "Background"});
    }

    /// Somebody takes that back.
    pub fn deletion_is_taken_back(&mut self) {
        self.composite["metadata"]["annotations"] = json!({});
    }

    /// Somebody takes the tenant's Lease by hand, for a while.
    pub fn lease_is_taken(&mut self, seconds: u32) {
        let name = format!("tenant-{}", text(&self.composite, "/metadata/name"));
        self.others.push(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": "crossplane-system"},
            "spec": {"holderIdentity": "anna", "leaseDurationSeconds": seconds, "renewTime": "2026-01-31T11:59:30.000000Z"},
        }));
    }

    /// Whether there is a Job of a step.
    pub fn has_job(&self, step: &str) -> bool {
        self.composed
            .iter()
            .any(|(name, object)| object["kind"] == "Job" && name.starts_with(step))
    }

    /// The reason of a condition.
    pub fn reason(&self, r#type: &str) -> String {
        let conditions = self.composite["status"]["conditions"].as_array().unwrap();
        let condition = conditions
            .iter()
            .find(|condition| condition["type"] == r#type)
            .unwrap();
        condition["reason"].as_str().unwrap().to_owned()
    }

    /// From nothing to a tenant that is served, everything going well.
    pub fn provision(&mut self) {
        self.provision_what_can_be();
        assert_eq!(
            self.composite["status"]["phase"], "Running",
            "{:#}",
            self.composite
        );
    }

    /// Everything that is on its way goes well, until nothing changes any more.
    pub fn provision_what_can_be(&mut self) {
        for _ in 0..ROUNDS_MAXIMUM {
            self.settle();
            let before = self.composed.clone();
            if self.composed.contains_key("database") {
                self.database_is_ready();
            }
            let names: Vec<_> = self.composed.keys().cloned().collect();
            for name in names {
                match self.composed[&name]["kind"].as_str() {
                    Some("HTTPRoute") => self.route_is(&name, "True", "Accepted", ""),
                    Some("Job") => self.job_completes(&name),
                    _ => {}
                }
            }
            if before == self.composed {
                return;
            }
        }
        panic!("the life does not end");
    }
}

/// One call; the time is in the context of the request.
pub fn run(request: &RunFunctionRequest) -> RunFunctionResponse {
    function::run(request, Timestamp::UNIX_EPOCH).0
}

/// Whether a response refuses.
pub fn is_fatal(response: &RunFunctionResponse) -> bool {
    let mut severities = response.results.iter().map(Outcome::severity);
    severities.any(|severity| severity == Severity::Fatal)
}

/// The composed resources of a response.
pub fn desired(response: &RunFunctionResponse) -> BTreeMap<String, Value> {
    let resources = state(response).resources.into_iter();
    resources
        .map(|(name, resource)| (name, decoded(&resource)))
        .collect()
}

/// The composite resource of a response.
pub fn desired_composite(response: &RunFunctionResponse) -> Value {
    decoded(&state(response).composite.unwrap_or_default())
}

fn state(response: &RunFunctionResponse) -> State {
    State::decode(response.desired.clone().unwrap_or_default()).unwrap()
}

fn decoded(resource: &Resource) -> Value {
    wire::to_json(resource.resource.as_deref().unwrap_or_default()).unwrap()
}

/// A value as YAML.
pub fn yaml(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap()
}

/// An object as Crossplane sends it.
pub fn resource(object: &Value) -> Resource {
    Resource {
        resource: Some(wire::write(object).unwrap().into()),
        ..Resource::default()
    }
}

fn condition(condition: &function::proto::v1::Condition) -> Value {
    let status = match condition.status {
        2 => "True",
        3 => "False",
        _ => "Unknown",
    };
    json!({
        "type": condition.r#type, "status": status, "reason": condition.reason,
        "message": condition.message.clone().unwrap_or_default(), "lastTransitionTime": NOW,
    })
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
