//! What holds for whatever is observed, given or left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use function_odoo::{
    function::{
        self, NOW_CONTEXT_KEY,
        proto::v1::{Ready, RunFunctionRequest, RunFunctionResponse},
        wire,
    },
    names::{ResourceName, Step},
};
use jiff::Timestamp;
use proptest::{prelude::*, sample::Index};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    any::{any_change, any_json, changed},
    cluster::{Cluster, desired, desired_composite, example, is_fatal, plana, platform_secrets, run},
    full,
};

const ATTEMPT: &str = "usage.crossplane.io/deletion-attempt-with-policy";

/// As many as a teardown has, and one to see it gone.
const TEARDOWN_STEPS: usize = 10;

/// The last requests of many moments of three lives, good and bad ones.
static MOMENTS: LazyLock<Vec<RunFunctionRequest>> = LazyLock::new(|| {
    ["starter", "pro", "enterprise"]
        .iter()
        .flat_map(|name| moments(name))
        .collect()
});

fn moments(name: &str) -> Vec<RunFunctionRequest> {
    let mut cluster = Cluster::new(example(name), plana(), platform_secrets());
    let mut noted = Vec::new();
    let mut then = |cluster: &mut Cluster, change: &dyn Fn(&mut Cluster)| {
        change(cluster);
        noted.push(cluster.exchange().0);
        cluster.settle();
        noted.push(cluster.exchange().0);
    };
    let accepted = |cluster: &mut Cluster| cluster.route_is("route-18", "True", "Accepted", "");
    let lost = |cluster: &mut Cluster| cluster.database_is_stuck("external resource does not exist");
    let protection = |cluster: &mut Cluster| {
        let is_protected = cluster.composite["spec"]["deletionProtection"] == true;
        cluster.composite["spec"]["deletionProtection"] = json!(!is_protected);
    };
    then(&mut cluster, &|_| {});
    then(&mut cluster, &|cluster| cluster.database_is_stuck("pq: (55006)"));
    then(&mut cluster, &Cluster::database_is_ready);
    then(&mut cluster, &|cluster| {
        cluster.job_fails("tenant-init", "BackoffLimitExceeded", "");
    });
    then(&mut cluster, &|cluster| cluster.job_completes("tenant-init"));
    then(&mut cluster, &|cluster| {
        cluster.route_is("route-18", "False", "NotAllowedByListeners", "");
    });
    then(&mut cluster, &accepted);
    then(&mut cluster, &|cluster| cluster.job_completes("tenant-smoke"));
    then(&mut cluster, &|cluster| {
        cluster.job_fails("portal-notify", "DeadlineExceeded", "");
    });
    then(&mut cluster, &|cluster| cluster.job_completes("event-publish"));
    then(&mut cluster, &Cluster::provision_what_can_be);
    then(&mut cluster, &|cluster| {
        cluster.composite["spec"]["odooVersion"] = json!("19");
    });
    then(&mut cluster, &lost);
    then(&mut cluster, &Cluster::database_is_ready);
    for suspended in [true, false] {
        then(&mut cluster, &|cluster| {
            cluster.composite["spec"]["suspended"] = json!(suspended);
        });
        then(&mut cluster, &|cluster| {
            cluster.route_is("route-18", "True", "Accepted", "");
        });
        then(&mut cluster, &Cluster::provision_what_can_be);
    }
    then(&mut cluster, &|cluster| {
        cluster.composite["metadata"]["annotations"] = json!({ATTEMPT: "Background"});
    });
    then(&mut cluster, &protection);
    cluster.composite["spec"]["deletionProtection"] = json!(false);
    cluster.deletion_is_taken_back();
    cluster.provision_what_can_be();
    cluster.deletion_is_attempted();
    for _ in 0..TEARDOWN_STEPS {
        then(&mut cluster, &|cluster| {
            for step in cluster.jobs() {
                cluster.job_completes(&step);
            }
        });
    }
    assert!(
        !cluster.composed.contains_key("guard"),
        "{:#}",
        cluster.composite["status"]
    );
    noted
}

fn any_moment() -> impl Strategy<Value = RunFunctionRequest> {
    any::<Index>().prop_map(|index| index.get(&MOMENTS).clone())
}

fn composite(request: &RunFunctionRequest) -> Value {
    let resource = request.observed.as_ref().unwrap().composite.as_ref().unwrap();
    wire::to_json(resource.resource.as_ref().unwrap()).unwrap()
}

fn set_composite(request: &mut RunFunctionRequest, object: &Value) {
    let resource = request.observed.as_mut().unwrap().composite.as_mut().unwrap();
    resource.resource = Some(wire::write(object).unwrap().into());
}

/// The value as a Struct can hold it: numbers are doubles there.
pub fn doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(entries) => entries.into_iter().map(doubles).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, doubles(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

fn observed(request: &RunFunctionRequest) -> BTreeMap<String, Value> {
    let resources = &request.observed.as_ref().unwrap().resources;
    let objects = resources.iter();
    objects
        .map(|(name, resource)| {
            (
                name.clone(),
                wire::to_json(resource.resource.as_ref().unwrap()).unwrap(),
            )
        })
        .collect()
}

/// The request without what the mask says of composed resources, answers and status.
fn without(request: &RunFunctionRequest, mask: &[bool]) -> RunFunctionRequest {
    let mut bits = mask.iter().copied().cycle();
    let mut stays = || bits.next().unwrap_or(true);
    let mut request = request.clone();
    request
        .observed
        .as_mut()
        .unwrap()
        .resources
        .retain(|_, _| stays());
    request.required_resources.retain(|_, _| stays());
    request.required_schemas.retain(|_, _| stays());
    let mut object = composite(&request);
    // Nothing but its record says that an adopted database was proven; without it the database stays on its server, and the
    // tenant may go.
    let is_adopted = object["spec"].get("adoptDatabase").is_some();
    let is_needed = |name: &str| is_adopted && ["done", "tenant-init"].contains(&name);
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        if let Some(done) = status.get_mut("done").and_then(Value::as_object_mut) {
            done.retain(|name, _| stays() || is_needed(name));
        }
        status.retain(|name, _| stays() || is_needed(name));
    }
    set_composite(&mut request, &object);
    request
}

/// What no answer may do, whatever is observed.
fn check(request: &RunFunctionRequest, response: &RunFunctionResponse) -> Result<(), TestCaseError> {
    let (before, after) = (observed(request), desired(response));
    let status = &composite(request)["status"];
    for step in Step::OF_TENANT {
        let record = status["done"].get(step.as_str());
        for (name, job) in &after {
            if matches!(ResourceName::parse(name), Some(ResourceName::Job(of, _)) if of == step) {
                let inputs = job["metadata"]["annotations"].get("planapulse.com/inputs");
                let again = record.is_some_and(|record| record.get("inputs") == inputs);
                prop_assert!(!again, "{step:?} is recorded and runs");
            }
        }
    }
    if let Some(database) = before.get("database") {
        let policies = |object: &Value| object["spec"]["managementPolicies"].clone();
        let only_looks = policies(database) == json!(["Observe"]);
        let is_released = status["done"].get("tenant-release").is_some();
        let is_dropped = is_released && status["deletion"]["dropping"] == true;
        prop_assert!(is_dropped || after.contains_key("database"));
        if let Some(after) = after.get("database").filter(|_| only_looks) {
            let allowed = policies(after) == json!(["Observe"])
                || (is_released && policies(after) == json!(["Observe", "Delete"]));
            prop_assert!(allowed, "{after}");
        }
    }
    for name in after.keys() {
        let parsed = ResourceName::parse(name).map(|name| name.to_string());
        prop_assert_eq!(parsed.as_ref(), Some(name));
    }
    let written = desired_composite(response);
    let keys: Vec<_> = written.as_object().unwrap().keys().collect();
    prop_assert_eq!(keys, ["apiVersion", "kind", "status"]);
    for (name, object) in &after {
        prop_assert!(object.get("status").is_none(), "{name} has a status");
        let allowed = ["annotations", "labels", "name", "namespace"];
        for key in object["metadata"].as_object().unwrap().keys() {
            prop_assert!(allowed.contains(&key.as_str()), "{name} has metadata.{key}");
        }
        let tenant = &composite(request)["metadata"]["name"];
        let labels = &object["metadata"]["labels"];
        prop_assert_eq!(&labels["planapulse.com/tenant"], tenant);
        prop_assert_eq!(&labels["app.kubernetes.io/instance"], tenant);
        prop_assert_eq!(&labels["app.kubernetes.io/name"], "odoo-tenant");
        prop_assert_eq!(&labels["app.kubernetes.io/managed-by"], "function-odoo");
        prop_assert_eq!(labels.as_object().unwrap().len(), 5);
        let was_there = before.get(name).filter(|before| before["kind"] == "Job");
        let selector = was_there
            .map(|before| before["spec"]["selector"].clone())
            .unwrap_or_default();
        prop_assert_eq!(&object["spec"]["selector"], &selector);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_observation_that_is_missing_removes_nothing_that_is_still_seen(
        moment in any_moment(), mask in prop::collection::vec(prop::bool::weighted(0.7), 1..60),
    ) {
        let whole = desired(&run(&moment));
        let request = without(&moment, &mask);
        let response = run(&request);
        prop_assert!(!is_fatal(&response), "{:?}", response.results);
        let (seen, after) = (observed(&request), desired(&response));
        let gone: Vec<_> = whole.keys().filter(|name| seen.contains_key(*name) && !after.contains_key(*name)).collect();
        prop_assert!(gone.is_empty(), "{gone:?} of {seen:#?}");
        check(&request, &response)?;
    }

    #[test]
    fn the_same_request_gives_the_same_bytes_and_what_others_say_passes(
        moment in any_moment(), names in prop::collection::btree_set("[a-z-]{1,12}", 0..4), object in any_json(),
    ) {
        let mut request = moment;
        let object = wire::write(&json!({"object": doubles(object), "kind": "Theirs"})).unwrap();
        let mut state = Vec::new();
        let theirs = names.iter().filter(|name| ResourceName::parse(name).is_none());
        for name in theirs {
            wire::state::append_resource(&mut state, name, &object, Ready::False);
        }
        request.desired = Some(state.into());
        let mut context = request.context.unwrap_or_default().to_vec();
        context.extend_from_slice(&object);
        request.context = Some(context.into());
        let (response, again) = (run(&request), run(&request));
        prop_assert_eq!(response.encode_to_vec(), again.encode_to_vec());
        prop_assert_eq!(&response.context, &request.context);
        let (given, got) = (request.desired.unwrap(), response.desired.unwrap());
        let given = wire::state::split(&given).unwrap().resources;
        let got = wire::state::split(&got).unwrap().resources;
        prop_assert!(given.iter().all(|resource| got.contains(resource)), "byte for byte");
        let unique: BTreeSet<_> = got.iter().map(|resource| resource.name).collect();
        prop_assert_eq!(unique.len(), got.len());
    }

    #[test]
    fn names_do_not_change_with_what_does_not_concern_them(moment in any_moment(), owner in "[A-Za-z]{1,20}") {
        let names = |request: &RunFunctionRequest| {
            let names = desired(&run(request)).into_keys();
            names.filter(|name| !matches!(ResourceName::parse(name), Some(ResourceName::Job(..)))).collect::<Vec<_>>()
        };
        let before = names(&moment);
        let (mut request, mut object) = (moment.clone(), composite(&moment));
        object["spec"]["ownerName"] = json!(owner);
        object["spec"]["tier"] = json!("pro");
        set_composite(&mut request, &object);
        prop_assert_eq!(names(&request), before);
    }

    #[test]
    fn any_spec_status_and_platform_is_answered_or_refused(
        moment in any_moment(), spec in prop::collection::vec(any_change(), 0..3),
        status in prop::collection::vec(any_change(), 0..3), platform in prop::collection::vec(any_change(), 0..3),
    ) {
        let mut request = moment;
        let mut object = composite(&request);
        object["spec"] = changed(serde_json::to_value(full::spec()).unwrap(), spec);
        object["spec"].as_object_mut().map(|spec| spec.remove("customDomains"));
        object["metadata"]["name"] = json!("acme");
        object["status"] = changed(serde_json::to_value(full::status()).unwrap(), status);
        set_composite(&mut request, &doubles(object));
        let platform = changed(serde_json::to_value(full::platform()).unwrap(), platform);
        request.input = wire::write(&doubles(platform)).ok().map(Into::into);
        let response = run(&request);
        if is_fatal(&response) {
            prop_assert_eq!(response.results.len(), 1);
            prop_assert_eq!(response.desired, request.desired);
        } else {
            check(&request, &response)?;
        }
    }
}

#[test]
fn the_moments_are_many_and_hold_what_they_are_for() {
    assert!(MOMENTS.len() > 60, "{}", MOMENTS.len());
    let all: BTreeSet<_> = MOMENTS
        .iter()
        .flat_map(|moment| observed(moment).into_keys())
        .collect();
    let is_there = |beginning: &str| all.iter().any(|name| name.starts_with(beginning));
    for beginning in [
        "database",
        "backup",
        "guard",
        "route-18",
        "maintenance-18",
        "secret-",
    ]
    .into_iter()
    .chain(Step::OF_TENANT.map(Step::as_str))
    {
        assert!(is_there(beginning), "{beginning}");
    }
    for moment in MOMENTS.iter() {
        let response = run(moment);
        assert!(!is_fatal(&response), "{:?}", response.results);
        check(moment, &response).unwrap();
    }
}

/// As the API server has it, and as it was before.
const PLANTED: [&str; 2] = ["cGxhbnRlZC1zZWNyZXQ=", "planted-secret"];

#[test]
fn a_secret_is_nowhere_but_in_copies_of_it() {
    let mut copied = 0;
    for moment in MOMENTS.iter() {
        let mut request = moment.clone();
        let secrets = request
            .required_resources
            .iter_mut()
            .filter(|(question, _)| question.starts_with("secret-"));
        let found = secrets.flat_map(|(_, found)| &mut found.items);
        let held = request.observed.as_mut().unwrap().resources.iter_mut();
        let held = held
            .filter(|(name, _)| name.starts_with("secret-"))
            .map(|(_, copy)| copy);
        for secret in found.chain(held) {
            let mut object = wire::to_json(secret.resource.as_ref().unwrap()).unwrap();
            object["data"]
                .as_object_mut()
                .unwrap()
                .values_mut()
                .for_each(|value| *value = json!(PLANTED[0]));
            secret.resource = Some(wire::write(&object).unwrap().into());
        }
        let (mut response, summary) = function::run(&request, Timestamp::UNIX_EPOCH);
        let mut shown = vec![format!(
            "{summary:?} {:?} {:?}",
            response.results, response.conditions
        )];
        shown.push(desired_composite(&response).to_string());
        for mut object in desired(&response).into_values() {
            if object["kind"] == "Secret" {
                let data = object.as_object_mut().unwrap().remove("data").unwrap();
                copied += usize::from(data.to_string().contains(PLANTED[0]));
            }
            shown.push(object.to_string());
        }
        response.desired = None;
        shown.push(format!("{response:?}"));
        for text in shown {
            assert!(PLANTED.iter().all(|planted| !text.contains(planted)), "{text}");
        }
    }
    assert!(copied > 50, "{copied}");
}

#[test]
fn a_settled_tenant_gives_the_same_bytes_and_no_results() {
    for name in ["starter", "pro", "enterprise"] {
        let mut cluster = Cluster::new(example(name), plana(), platform_secrets());
        cluster.provision();
        let (request, response) = cluster.exchange();
        assert_eq!(response.results, []);
        assert_eq!(run(&request).encode_to_vec(), response.encode_to_vec());
        let before = cluster.clone();
        cluster.reconcile();
        assert!(before.composed == cluster.composed && before.composite == cluster.composite);
        let context = request.context.unwrap();
        assert!(wire::to_json(&context).unwrap().get(NOW_CONTEXT_KEY).is_some());
    }
}
