//! How much a lazy typed read saves: the same fields out of the same bytes, once through `function::wire` and once
//! through prost's Struct and a `serde_json::Value`.
//!
//! Run with `cargo bench --bench wire`. Both sides take turns inside each round, so that a busy machine slows both;
//! trust the ratio, not the microseconds.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use function_odoo::function::{
    proto::v1,
    wire::{self, read, write},
};
use prost::{Message, bytes::Bytes};
use prost_types::{Struct, value::Kind};
use serde::Deserialize;
use serde_json::{Value, json};

const ROUNDS: usize = 31;
const CALLS_PER_ROUND: u32 = 50;

/// Kinds of a small tenant's composed resources.
const KINDS: [&str; 12] = [
    "ConfigMap",
    "Deployment",
    "HTTPRoute",
    "Ingress",
    "Job",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Role",
    "Secret",
    "Service",
];

/// What a function reads of its composite resource.
#[derive(Debug, PartialEq, Deserialize)]
struct Composite {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    project_id: i64,
    version: String,
    custom_domains: Vec<String>,
    modules: Vec<String>,
}

/// What it reads of everything else.
#[derive(Debug, PartialEq, Deserialize)]
struct Observed {
    kind: String,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

type Read = (Composite, Vec<Observed>);

fn managed_fields() -> Value {
    let owned: BTreeMap<_, _> = (0..12)
        .map(|index| (format!("f:field{index}"), json!({"f:nested": {}, ".": {}})))
        .collect();
    let by = |manager: &str| {
        json!({"manager": manager, "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": owned}, "f:spec": owned}})
    };
    json!([
        by("apiextensions.crossplane.io/composed/1b4f0e98"),
        by("kube-controller-manager")
    ])
}

fn object(kind: &str) -> Value {
    let condition = |name: &str| {
        json!({"type": name, "status": "True", "reason": "AsExpected", "observedGeneration": 3,
            "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "everything is as it should be"})
    };
    let labels: BTreeMap<_, _> = (0..8)
        .map(|index| (format!("example.org/label-{index}"), "value".repeat(3)))
        .collect();
    let container = json!({"name": "odoo", "image": "registry.example/odoo:18.0", "env": (0..10)
        .map(|index| json!({"name": format!("VARIABLE_{index}"), "value": "some value"})).collect::<Vec<_>>()});
    json!({
        "apiVersion": "v1", "kind": kind,
        "metadata": {"name": format!("tenant-{}", kind.to_lowercase()), "namespace": "tenant", "generation": 3,
            "uid": "2f6d4b6e-0d6b-4a57-9f43-0123456789ab", "resourceVersion": "123456", "labels": labels,
            "ownerReferences": [{"apiVersion": "v1", "kind": "PLANAClient", "name": "tenant", "controller": true}],
            "managedFields": managed_fields()},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
        "status": {"conditions": [condition("Ready"), condition("Synced"), condition("Available")]},
    })
}

fn request() -> Bytes {
    let mut composite = object("PLANAClient");
    composite["spec"] = json!({"projectId": 4711, "version": "18.0", "modules": ["sale", "stock", "account"],
        "customDomains": ["shop.example", "www.shop.example"], "tier": "shared"});
    let resource = |object: &Value| v1::Resource {
        resource: Some(write(object).expect("the object is written").into()),
        ..v1::Resource::default()
    };
    let state = v1::State {
        composite: Some(resource(&composite)),
        resources: KINDS
            .iter()
            .map(|kind| (kind.to_lowercase(), resource(&object(kind))))
            .collect(),
    };
    let request = v1::RunFunctionRequest {
        observed: Some(state),
        ..v1::RunFunctionRequest::default()
    };
    request.encode_to_vec().into()
}

fn structs(bytes: &Bytes) -> (Bytes, Vec<Bytes>) {
    let request = v1::RunFunctionRequest::decode(bytes.clone()).expect("the request is readable");
    let state = request.observed.unwrap_or_default();
    let composite = state.composite.unwrap_or_default().resource.unwrap_or_default();
    (
        composite,
        state
            .resources
            .into_values()
            .filter_map(|resource| resource.resource)
            .collect(),
    )
}

fn lazily(bytes: &Bytes) -> Read {
    let (composite, resources) = structs(bytes);
    let observed = resources
        .iter()
        .map(|object| read(object).expect("the object is readable"));
    (
        read(&composite).expect("the composite is readable"),
        observed.collect(),
    )
}

fn through_trees(bytes: &Bytes) -> Read {
    let typed = |bytes: &Bytes| json_of(&Struct::decode(bytes.clone()).expect("the object is readable"));
    let (composite, resources) = structs(bytes);
    let observed = resources
        .iter()
        .map(|object| serde_json::from_value(typed(object)).expect("it has the fields"));
    (
        serde_json::from_value(typed(&composite)).expect("it has the fields"),
        observed.collect(),
    )
}

fn all_as_json(bytes: &Bytes) -> Vec<Value> {
    let (composite, resources) = structs(bytes);
    let objects = resources.iter().chain([&composite]);
    objects
        .map(|object| wire::to_json(object).expect("the object is readable"))
        .collect()
}

fn json_of(object: &Struct) -> Value {
    object
        .fields
        .iter()
        .map(|(key, value)| (key.clone(), json_of_value(value.kind.as_ref())))
        .collect()
}

fn json_of_value(kind: Option<&Kind>) -> Value {
    match kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => json!(value),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the objects above have small integers only"
        )]
        Some(Kind::NumberValue(number)) => json!(*number as i64),
        Some(Kind::StringValue(text)) => json!(text),
        Some(Kind::ListValue(list)) => list
            .values
            .iter()
            .map(|value| json_of_value(value.kind.as_ref()))
            .collect(),
        Some(Kind::StructValue(object)) => json_of(object),
    }
}

fn timed<T>(work: impl Fn() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..CALLS_PER_ROUND {
        black_box(work());
    }
    start.elapsed() / CALLS_PER_ROUND
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn main() {
    let bytes = request();
    assert_eq!(lazily(&bytes), through_trees(&bytes), "both sides read the same");

    let object = object("Deployment");
    let mut times: [Vec<Duration>; 6] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(timed(|| lazily(&bytes)));
        times[1].push(timed(|| through_trees(&bytes)));
        times[2].push(timed(|| all_as_json(&bytes)));
        times[3].push(timed(|| structs(&bytes)));
        times[4].push(timed(|| write(&object).expect("the object is written")));
        times[5].push(timed(|| {
            serde_json::to_vec(&object).expect("the object is written")
        }));
    }
    let [lazy, trees, all, decode, ours, json] = times.map(median);
    println!(
        "request of {} bytes, {} objects, median of {ROUNDS} rounds",
        bytes.len(),
        KINDS.len() + 1
    );
    println!("decode only, Structs untouched  {decode:8.1} us");
    println!("lazy typed read                 {lazy:8.1} us");
    println!("everything to JSON, lazily      {all:8.1} us");
    println!("Struct trees and JSON           {trees:8.1} us");
    println!("trees / lazy                    {:8.1}", trees / lazy);
    println!("one object to Struct bytes      {ours:8.1} us");
    println!("one object to JSON text         {json:8.1} us");
    println!("Struct bytes / JSON text        {:8.1}", ours / json);
}
