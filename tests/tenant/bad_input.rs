//! What cannot be read or served is refused in one fatal result, which names every problem by its field and changes
//! nothing; what is merely odd, large or deep is answered.

use std::sync::LazyLock;

use bytes::Bytes;
use function_odoo::function::{
    NOW_CONTEXT_KEY,
    proto::v1::{Resource, Resources, RunFunctionRequest, RunFunctionResponse, Severity, Status},
    wire,
};
use serde_json::{Value, json};

use crate::cluster::{Cluster, desired, example, is_fatal, plana, platform_secrets, resource, run};

/// Deeper than the wire reads, and than a stack of 8 MB would bear a careless reader many times over.
const DEEP: usize = 200;
const LARGE_BYTES: usize = 10 << 20;

static RUNNING: LazyLock<Cluster> = LazyLock::new(|| {
    let mut cluster = Cluster::new(example("starter"), plana(), platform_secrets());
    cluster.provision();
    cluster
});
static REQUEST: LazyLock<RunFunctionRequest> = LazyLock::new(|| request_of(&RUNNING));

fn running() -> Cluster {
    RUNNING.clone()
}

/// A tenant that is served, all its questions answered, after a function that composes something of its own.
fn request() -> RunFunctionRequest {
    REQUEST.clone()
}

fn request_of(cluster: &Cluster) -> RunFunctionRequest {
    let (mut request, response) = cluster.exchange();
    assert!(!is_fatal(&response), "{:?}", response.results);
    request.desired = Some(foreign());
    request
}

/// The desired state of an earlier function, with a field that this version of the protocol does not know.
fn foreign() -> Bytes {
    let mut state = Vec::new();
    let bucket = wire::write(&json!({"apiVersion": "example.org/v1", "kind": "Bucket"})).unwrap();
    wire::state::append_resource(
        &mut state,
        "bucket",
        &bucket,
        function_odoo::function::proto::v1::Ready::True,
    );
    state.extend_from_slice(&[0x48, 1]);
    state.into()
}

/// What a refusal says. Whatever is wrong, it is one fatal result that leaves everything as it is.
fn refused(request: &RunFunctionRequest) -> String {
    let response = run(request);
    let [result] = response.results.as_slice() else {
        panic!("{:?}", response.results)
    };
    assert_eq!(result.severity(), Severity::Fatal, "{}", result.message);
    assert_eq!(result.reason.as_deref(), Some("InvalidInput"));
    assert_eq!(response.desired, request.desired);
    assert_eq!(response.context, request.context);
    assert_eq!(response.meta.unwrap().tag, "tag");
    assert!(result.message.len() < 4000, "{}", result.message.len());
    result.message.clone()
}

fn refused_with(change: impl FnOnce(&mut Cluster)) -> String {
    let (mut request, mut changed) = (request(), running());
    change(&mut changed);
    let RunFunctionRequest { observed, input, .. } = changed.request();
    (request.observed, request.input) = (observed, input);
    refused(&request)
}

fn answered(request: &RunFunctionRequest) -> RunFunctionResponse {
    let response = run(request);
    assert!(!is_fatal(&response), "{:?}", response.results);
    let before = run(&self::request());
    let names = |response| desired(response).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&response), names(&before), "nothing leaves desired");
    response
}

/// Struct bytes of an object, with undecoded bytes for the Value at a JSON pointer.
fn spliced(object: &Value, at: &str, value: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    for (key, inner) in object.as_object().unwrap() {
        entry(
            &mut bytes,
            key,
            &spliced_value(inner, &format!("/{key}"), at, value),
        );
    }
    if let Some(key) = at
        .strip_prefix('/')
        .filter(|key| !key.contains('/') && object.get(key).is_none())
    {
        entry(&mut bytes, key, value);
    }
    bytes.into()
}

fn spliced_value(inner: &Value, path: &str, at: &str, value: &[u8]) -> Vec<u8> {
    if path == at {
        return value.to_vec();
    }
    match (inner, at.strip_prefix(path)) {
        (Value::Object(_), Some(rest)) if rest.starts_with('/') => object_value(&spliced(inner, rest, value)),
        _ => {
            let whole = wire::write(&json!({"v": inner})).unwrap();
            // After the tag and length of the entry, and the key of one letter, come the tag and length of the Value.
            let entry = &whole[1 + varint_length(&whole[1..])..];
            let value = &entry[4..];
            value[varint_length(value)..].to_vec()
        }
    }
}

fn varint_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1
}

fn delimited(out: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    out.push(tag);
    let mut length = payload.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(payload);
}

fn entry(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let mut entry = Vec::new();
    delimited(&mut entry, 0x0a, key.as_bytes());
    delimited(&mut entry, 0x12, value);
    delimited(out, 0x0a, &entry);
}

fn object_value(object: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    delimited(&mut value, 0x2a, object);
    value
}

fn text_value(text: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    delimited(&mut value, 0x1a, text);
    value
}

fn number_value(number: f64) -> Vec<u8> {
    [&[0x11], number.to_le_bytes().as_slice()].concat()
}

/// A Value of objects within objects.
fn deep_value() -> Vec<u8> {
    let mut value = number_value(1.0);
    for _ in 0..DEEP {
        let mut object = Vec::new();
        entry(&mut object, "a", &value);
        value = object_value(&object);
    }
    value
}

fn large_value() -> Vec<u8> {
    text_value(&vec![b'x'; LARGE_BYTES])
}

/// A request whose composite resource has undecoded bytes at a JSON pointer.
fn with_composite(at: &str, value: &[u8]) -> RunFunctionRequest {
    let mut request = request();
    let composite = request.observed.as_mut().unwrap().composite.as_mut().unwrap();
    let object = wire::to_json(composite.resource.as_ref().unwrap()).unwrap();
    composite.resource = Some(spliced(&object, at, value));
    request
}

fn with_observed(name: &str, at: &str, value: &[u8]) -> RunFunctionRequest {
    let mut request = request();
    let observed = request.observed.as_mut().unwrap();
    let resource = observed.resources.get_mut(name).unwrap();
    let object = wire::to_json(resource.resource.as_ref().unwrap()).unwrap();
    resource.resource = Some(spliced(&object, at, value));
    request
}

fn with_input(at: &str, value: &[u8]) -> RunFunctionRequest {
    let mut request = request();
    request.input = Some(spliced(&plana(), at, value));
    request
}

#[test]
fn spliced_bytes_are_those_of_the_writer() {
    let object = json!({"a": {"b": 1, "c": "x"}, "d": [true]});
    let bytes = spliced(&object, "/a/c", &text_value(b"x"));
    assert_eq!(wire::to_json(&bytes).unwrap(), object);
    let bytes = spliced(&object, "/a/new", &number_value(2.0));
    assert_eq!(wire::to_json(&bytes).unwrap()["a"]["new"], 2);
}

#[test]
fn conditions_are_repeated_and_everything_else_passes() {
    let mut cluster = running();
    cluster.composite["spec"]["subdomain"] = json!("www");
    cluster.composite["metadata"]["name"] = json!("www");
    let RunFunctionRequest { observed, .. } = cluster.request();
    let mut request = request();
    request.observed = observed;
    let before: Vec<_> = cluster.composite["status"]["conditions"]
        .as_array()
        .unwrap()
        .clone();
    let message = refused(&request);
    assert_eq!(
        message,
        "spec.subdomain: cannot be \"www\": must be another, since the platform keeps that name for itself"
    );
    let response = run(&request);
    assert_eq!(response.conditions.len(), 10);
    for condition in &response.conditions {
        let observed = before
            .iter()
            .find(|one| one["type"] == condition.r#type.as_str())
            .unwrap();
        let is_true = condition.status() == Status::ConditionTrue;
        assert_eq!(is_true, observed["status"] == "True");
        assert_eq!(observed["reason"], condition.reason.as_str());
        assert_eq!(
            observed["message"],
            condition.message.as_deref().unwrap_or_default()
        );
    }
    assert_eq!(response.requirements, None);
}

#[test]
fn another_kind_or_version_is_named_with_the_one_that_is_served() {
    let message = refused_with(|cluster| {
        cluster.composite["kind"] = json!("TenantUpgrade");
    });
    assert_eq!(
        message,
        "kind: cannot be \"TenantUpgrade\": must be \"PLANAClient\" or \"TemplateSnapshot\""
    );
    let message = refused_with(|cluster| {
        cluster.composite["apiVersion"] = json!("planapulse.com/v1");
        cluster.composite["kind"] = json!("Other");
    });
    assert_eq!(
        message,
        "apiVersion: cannot be \"planapulse.com/v1\": must be \"planapulse.com/v1alpha1\"; \
         kind: cannot be \"Other\": must be \"PLANAClient\" or \"TemplateSnapshot\""
    );
}

#[test]
fn without_a_composite_resource_or_a_spec_there_is_nothing_to_do() {
    let missing = "observed.composite: cannot be left out: every call is about a composite resource";
    let mut request = request();
    request.observed.as_mut().unwrap().composite = None;
    assert_eq!(refused(&request), missing);
    request.observed = None;
    assert_eq!(refused(&request), missing);
    let message = refused_with(|cluster| {
        cluster.composite.as_object_mut().unwrap().remove("spec");
    });
    assert_eq!(message, "spec: cannot be left out: it says what is wanted");
    let message = refused_with(|cluster| cluster.composite["spec"] = json!([]));
    assert_eq!(message, "spec: cannot be a list: must be an object");
}

#[test]
fn an_empty_request_is_refused_and_stays_empty() {
    let response = run(&RunFunctionRequest::default());
    assert!(is_fatal(&response));
    assert_eq!((response.desired, response.conditions), (None, Vec::new()));
}

#[test]
fn wrong_types_everywhere_are_told_at_once_and_sorted() {
    let message = refused_with(|cluster| {
        cluster.composite["spec"] = json!({
            "subdomain": ["acme"], "projectId": "23", "tier": 1, "ownerEmail": {}, "deletionProtection": "yes",
        });
        cluster.composite["status"]["done"] = json!("all");
        cluster.platform["database"] = json!({"port": "5432"});
        cluster.platform["gateway"] = json!({"parentRefs": {}});
        cluster.object("database")["status"]["conditions"] = json!("Ready");
        cluster.object("route-18")["spec"]["parentRefs"] = json!(7);
    });
    let lines: Vec<_> = message.split("; ").collect();
    assert!(lines.is_sorted(), "{lines:#?}");
    let paths: Vec<_> = lines
        .iter()
        .map(|line| line.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(
        paths,
        [
            "input.database.port",
            "input.gateway.parentRefs",
            "observed.resources[\"database\"].status.conditions",
            "observed.resources[\"route-18\"].spec.parentRefs",
            "spec.deletionProtection",
            "spec.ownerEmail",
            "spec.ownerName",
            "spec.projectId",
            "spec.subdomain",
            "spec.tier",
            "status.done",
        ]
    );
    assert!(
        lines.iter().all(|line| line.contains(": cannot be ")),
        "{lines:#?}"
    );
}

#[test]
fn a_platform_with_typos_names_the_nearest_field() {
    let message = refused_with(|cluster| {
        cluster.platform["databse"] = json!({});
        cluster.platform["jobs"] = json!({"pullSecrets": "x"});
        cluster.platform["versions"] = json!({"18": {"Image": "x"}});
    });
    assert_eq!(
        message,
        "input.databse: cannot be read: there is no such field, did you mean \"database\"?; \
         input.jobs.pullSecrets: cannot be read: there is no such field, did you mean \"pullSecret\"?; \
         input.versions[\"18\"].Image: cannot be read: there is no such field, did you mean \"image\"?"
    );
}

#[test]
fn a_platform_of_another_kind_is_refused() {
    let message = refused_with(|cluster| {
        cluster.platform = json!({"apiVersion": "odoo.fn.planapulse.com/v1", "kind": "Resources"});
    });
    assert_eq!(
        message,
        "input.apiVersion: cannot be \"odoo.fn.planapulse.com/v1\": must be \"odoo.fn.planapulse.com/v1beta1\"; \
         input.kind: cannot be \"Resources\": must be \"Platform\""
    );
}

#[test]
fn without_an_input_the_platform_is_planas() {
    let mut request = request();
    request.input = None;
    answered(&request);
}

#[test]
fn what_is_deep_is_refused_where_it_is_read_and_passed_on_where_it_is_not() {
    let deep = deep_value();
    let limit = "it is nested deeper than 100 levels";
    for (request, path) in [
        (with_composite("/spec/subdomain", &deep), "spec.subdomain"),
        (with_composite("/status/phase", &deep), "status.phase"),
        (with_input("/database", &deep), "input.database.a"),
        (with_observed("database", "/status", &deep), ""),
    ] {
        if path.is_empty() {
            answered(&request);
        } else {
            let message = refused(&request);
            assert!(message.starts_with(path), "{path}: {message}");
            assert!(
                message.contains(limit) || message.contains("cannot be"),
                "{path}: {message}"
            );
        }
    }
    answered(&with_composite("/spec/unknown", &deep));
    answered(&with_composite("/status/unknown", &deep));
    answered(&with_observed("backup", "/spec", &deep));
}

#[test]
fn what_other_functions_say_passes_whatever_its_depth_and_size() {
    for value in [deep_value(), large_value()] {
        let mut object = Vec::new();
        entry(&mut object, "value", &value);
        let mut request = request();
        let mut context = request.context.clone().unwrap().to_vec();
        context.extend_from_slice(&object);
        request.context = Some(context.into());
        let mut state = foreign().to_vec();
        let ready = function_odoo::function::proto::v1::Ready::False;
        wire::state::append_resource(&mut state, "theirs", &object, ready);
        request.desired = Some(state.into());
        let response = run(&request);
        assert!(!is_fatal(&response), "{:?}", response.results);
        assert_eq!(response.context, request.context);
        let desired = response.desired.unwrap();
        let theirs = wire::state::split(&desired).unwrap().resources.into_iter();
        let entries: Vec<_> = theirs
            .filter(|resource| ["bucket", "theirs"].contains(&resource.name))
            .collect();
        let given = request.desired.unwrap();
        assert!(entries == wire::state::split(&given).unwrap().resources);
    }
}

#[test]
fn what_is_large_is_answered_or_refused_in_few_words() {
    let large = large_value();
    assert_eq!(
        refused(&with_composite("/spec/ownerName", &large)),
        "spec.ownerName: cannot have 10485760 characters: must have 1 to 128"
    );
    let message = refused(&with_composite("/metadata/name", &large));
    assert!(
        message.starts_with("metadata.name: cannot be \"xxxx"),
        "{message}"
    );
    let message = refused(&with_input("/domain", &large));
    assert!(message.starts_with("input.domain: cannot be \"xxxx"), "{message}");
    let mut key = Vec::new();
    entry(&mut key, &"k".repeat(LARGE_BYTES), &number_value(1.0));
    let message = refused(&with_input("/gateway", &object_value(&key)));
    assert!(message.starts_with("input.gateway[\"kkkk"), "{message}");
    answered(&with_composite("/status/unknown", &large));
    answered(&with_observed("backup", "/spec", &large));
}

#[test]
fn numbers_that_are_no_whole_numbers_are_refused() {
    for number in [f64::NAN, f64::INFINITY, 1e300, 1.5, -1.0, 2_147_483_648.0] {
        let message = refused(&with_composite("/spec/projectId", &number_value(number)));
        assert!(
            message.starts_with("spec.projectId: cannot be "),
            "{number}: {message}"
        );
    }
    for number in [f64::NAN, 1e300] {
        let mut database = Vec::new();
        entry(&mut database, "port", &number_value(number));
        let message = refused(&with_input("/database", &object_value(&database)));
        assert!(
            message.starts_with("input.database.port: cannot be "),
            "{number}: {message}"
        );
        let message = refused(&with_observed(
            "database",
            "/metadata/generation",
            &number_value(number),
        ));
        let path = "observed.resources[\"database\"].metadata.generation: cannot be ";
        assert!(message.starts_with(path), "{number}: {message}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_named_by_its_field() {
    let broken = text_value(&[0xff, 0xfe]);
    for (request, path) in [
        (with_composite("/spec/ownerName", &broken), "spec.ownerName"),
        (with_composite("/kind", &broken), "kind"),
        (with_composite("/status/phase", &broken), "status.phase"),
        (with_input("/domain", &broken), "input.domain"),
        (
            with_observed("guard", "/metadata/name", &broken),
            "observed.resources[\"guard\"].metadata.name",
        ),
    ] {
        assert_eq!(
            refused(&request),
            format!("{path}: cannot be read: it is not UTF-8")
        );
    }
    let mut key = Vec::new();
    delimited(&mut key, 0x0a, &[0x0a, 1, 0xff, 0x12, 0]);
    let message = refused(&with_input("/database", &object_value(&key)));
    assert!(message.starts_with("input.database"), "{message}");
    assert!(message.ends_with("it is not UTF-8"), "{message}");
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let twice = [
        wire::write(&json!({"tier": "starter", "ownerName": "Anna"})).unwrap(),
        wire::write(&json!({"tier": "pro", "ownerName": "Boris"})).unwrap(),
    ];
    let message = refused(&with_composite("/spec", &object_value(&twice.concat())));
    assert!(
        message.contains("; spec.ownerName: cannot be read: it is there twice; "),
        "{message}"
    );
    let twice = [
        wire::write(&json!({"port": 1})).unwrap(),
        wire::write(&json!({"port": 2})).unwrap(),
    ];
    let message = refused(&with_input("/database", &object_value(&twice.concat())));
    assert_eq!(message, "input.database.port: cannot be read: it is there twice");
}

#[test]
fn an_observation_that_is_half_there_changes_nothing() {
    for (name, object, path) in [
        ("database", json!({}), ".kind"),
        (
            "database",
            json!({"apiVersion": "postgresql.sql.crossplane.io/v1alpha1", "kind": "Database"}),
            ".metadata.name",
        ),
        (
            "backup",
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"namespace": "backup"}}),
            ".metadata.name",
        ),
        (
            "route-18",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "acme"}}),
            ".kind",
        ),
        (
            "guard",
            json!({"apiVersion": "protection.crossplane.io/v1alpha1", "kind": "ClusterUsage", "metadata": {"name": "x"}}),
            ".kind",
        ),
    ] {
        let message = refused_with(|cluster| *cluster.object(name) = object);
        let path = format!("observed.resources[\"{name}\"]{path}: cannot be ");
        assert!(message.starts_with(&path), "{message}");
        assert!(message.contains("nothing is changed until it is"), "{message}");
    }
    let mut request = request();
    let observed = request.observed.as_mut().unwrap();
    observed
        .resources
        .insert("database".to_owned(), Resource::default());
    assert!(refused(&request).starts_with("observed.resources[\"database\"].kind: cannot be "));
}

#[test]
fn resources_of_other_functions_are_none_of_our_business() {
    let mut request = request();
    let observed = request.observed.as_mut().unwrap();
    let odd = Resource {
        resource: Some(Bytes::from_static(&[0xff; 9])),
        ..Resource::default()
    };
    for name in ["bucket", "room-create-of-theirs", "route-018", "secret-other-x"] {
        observed.resources.insert(name.to_owned(), odd.clone());
    }
    answered(&request);
}

#[test]
fn bytes_that_are_no_struct_are_refused() {
    let broken = || Some(Bytes::from_static(&[0x0a, 9, 0x0a]));
    let mut one = request();
    one.observed
        .as_mut()
        .unwrap()
        .composite
        .as_mut()
        .unwrap()
        .resource = broken();
    assert_eq!(
        refused(&one),
        "observed.composite: cannot be read: its bytes end too early"
    );
    let mut one = request();
    one.input = broken();
    assert_eq!(refused(&one), "input: cannot be read: its bytes end too early");
    let mut one = request();
    one.context = broken();
    assert_eq!(refused(&one), "context: cannot be read: its bytes end too early");
    let mut one = request();
    one.desired = broken();
    let message = refused(&one);
    assert!(
        message.starts_with("desired: cannot pass on the desired state of earlier functions"),
        "{message}"
    );
}

#[test]
fn a_time_that_is_none_is_refused() {
    for (value, words) in [
        (
            json!("yesterday"),
            "cannot be \"yesterday\": must be a time like 2026-01-31T02:00:00Z",
        ),
        (json!(7), "cannot be read: it is the integer 7, expected text"),
    ] {
        let mut request = request();
        request.context = Some(wire::write(&json!({NOW_CONTEXT_KEY: value})).unwrap().into());
        assert_eq!(
            refused(&request),
            format!("context[\"{NOW_CONTEXT_KEY}\"]: {words}")
        );
    }
}

#[test]
fn answers_to_questions_are_absent_empty_or_one() {
    let question = "secret-crossplane-system/provider-sql-postgres-creds";
    let whole = request();
    assert!(
        whole.required_resources.contains_key(question),
        "{:?}",
        whole.required_resources.keys()
    );
    let mut absent = whole.clone();
    absent.required_resources.clear();
    absent.required_schemas.clear();
    answered(&absent);
    let mut empty = whole.clone();
    empty
        .required_resources
        .values_mut()
        .for_each(|found| found.items.clear());
    answered(&empty);
    let mut many = whole.clone();
    let secret = resource(&platform_secrets()[0]);
    let items = vec![secret.clone(), secret];
    many.required_resources
        .insert(question.to_owned(), Resources { items });
    assert_eq!(
        refused(&many),
        format!(
            "required_resources[{question:?}]: cannot be 2 objects: must be one, which was asked for by its name"
        )
    );
    let mut broken = whole;
    let items = vec![Resource {
        resource: Some(wire::write(&json!({"type": 7})).unwrap().into()),
        ..Resource::default()
    }];
    broken
        .required_resources
        .insert(question.to_owned(), Resources { items });
    assert_eq!(
        refused(&broken),
        format!("required_resources[{question:?}].type: cannot be read: it is the integer 7, expected text")
    );
}

fn new_client(change: impl FnOnce(&mut Cluster)) -> Result<Cluster, String> {
    let mut cluster = Cluster::new(example("starter"), plana(), platform_secrets());
    change(&mut cluster);
    let mut request = cluster.request();
    request.desired = Some(foreign());
    if is_fatal(&run(&request)) {
        return Err(refused(&request));
    }
    cluster.provision();
    Ok(cluster)
}

fn named(cluster: &mut Cluster, subdomain: &str) {
    cluster.composite["metadata"]["name"] = json!(subdomain);
    cluster.composite["spec"]["subdomain"] = json!(subdomain);
}

#[test]
fn a_subdomain_may_have_thirty_characters() {
    let cluster = new_client(|cluster| named(cluster, &"a".repeat(30))).unwrap();
    for object in cluster.composed.values() {
        let name = object["metadata"]["name"].as_str().unwrap();
        let limit = if object["kind"] == "CronJob" { 52 } else { 63 };
        assert!(name.len() <= limit, "{name}");
    }
    assert_eq!(
        new_client(|cluster| named(cluster, &"a".repeat(31)))
            .err()
            .unwrap(),
        "spec.subdomain: cannot have 31 characters: must have 1 to 30"
    );
    assert_eq!(
        new_client(|cluster| named(cluster, "a--b")).err().unwrap(),
        "spec.subdomain: cannot be \"a--b\": must be lower-case letters, digits and single hyphens, beginning and \
         ending with a letter or digit (example: acme)"
    );
}

#[test]
fn a_domain_leaves_room_for_the_names_of_databases() {
    let domain = |length: usize| format!("{}.app", "d".repeat(length - 4));
    // basic-template-18. has 18 characters.
    assert!(new_client(|cluster| cluster.platform["domain"] = json!(domain(50 - 18))).is_ok());
    let long = domain(50 - 17);
    assert_eq!(
        new_client(|cluster| cluster.platform["domain"] = json!(long))
            .err()
            .unwrap(),
        format!(
            "input.domain: cannot name a database \"basic-template-18.{}...\": must be at most 50 bytes, has 51",
            "d".repeat(22)
        )
    );
    assert_eq!(
        new_client(|cluster| cluster.platform["tiers"] = json!({"starter": {"templateCode": "t".repeat(30)}}))
            .err()
            .unwrap(),
        format!(
            "input.tiers.starter.templateCode: cannot name a database \"{}-template-...\": must be at \
             most 50 bytes, has 57",
            "t".repeat(30)
        )
    );
    assert_eq!(
        new_client(|cluster| cluster.platform["domain"] = json!("Plana Pulse"))
            .err()
            .unwrap(),
        "input.domain: cannot be \"Plana Pulse\": must be a DNS name in lower case (example: planapulse.app)"
    );
}

#[test]
fn a_project_number_fits_into_every_name() {
    let largest = new_client(|cluster| {
        named(cluster, &"a".repeat(30));
        cluster.composite["spec"]["projectId"] = json!(i32::MAX);
    });
    assert_eq!(largest.unwrap().composite["status"]["phase"], "Running");
    for number in [-1, i64::from(i32::MAX) + 1] {
        let message = new_client(|cluster| cluster.composite["spec"]["projectId"] = json!(number))
            .err()
            .unwrap();
        assert_eq!(
            message,
            format!("spec.projectId: cannot be {number}: must be 0 to 2147483647")
        );
    }
}

#[test]
fn names_that_the_platform_keeps_are_refused() {
    for (name, reserved) in [
        ("www", vec![]),
        ("intranet", vec!["intranet"]),
        ("basic-template-18", vec![]),
    ] {
        let message = new_client(|cluster| {
            named(cluster, name);
            cluster.platform["reservedNames"] = json!(reserved);
        });
        assert_eq!(
            message.err().unwrap(),
            format!(
                "spec.subdomain: cannot be {name:?}: must be another, since the platform keeps that name for itself"
            )
        );
    }
    assert!(new_client(|cluster| named(cluster, "intranet")).is_ok());
}

#[test]
fn the_object_has_the_name_of_its_subdomain() {
    let message = new_client(|cluster| cluster.composite["metadata"]["name"] = json!("other"));
    assert_eq!(
        message.err().unwrap(),
        "metadata.name: cannot be \"other\": must be the subdomain, \"acme\"; make the object anew under that name"
    );
}

#[test]
fn what_would_be_ignored_is_refused() {
    let message = new_client(|cluster| {
        cluster.composite["spec"]["customDomains"] = json!(["erp.acme.example"]);
    });
    assert_eq!(
        message.err().unwrap(),
        "spec.customDomains: cannot be served by this release: leave it empty"
    );
}

#[test]
fn a_major_is_one_of_the_platforms() {
    let wanted = |major: &str, versions: Value| {
        new_client(|cluster| {
            cluster.composite["spec"]["odooVersion"] = json!(major);
            cluster.platform["versions"] = versions;
        })
        .err()
        .unwrap()
    };
    assert_eq!(
        wanted("20", json!({})),
        "spec.odooVersion: cannot be \"20\": must be one that the platform has: 17, 18, 19"
    );
    assert_eq!(
        wanted("17", json!({"18": {}})),
        "spec.odooVersion: cannot be \"17\": must be one that the platform has: 18"
    );
    assert_eq!(
        wanted("v18", json!({})),
        "spec.odooVersion: cannot have 3 characters: must have exactly 2"
    );
}

#[test]
fn what_only_the_schema_forbids_is_refused_in_its_words() {
    let cases = [
        (
            "ownerEmail",
            json!("nobody"),
            "cannot be \"nobody\": must be a mail address, such as owner@example.com",
        ),
        (
            "ownerEmail",
            json!("a b@example.com"),
            "cannot be \"a b@example.com\": must be a mail address, such as owner@example.com",
        ),
        (
            "ownerName",
            json!(""),
            "cannot have 0 characters: must have 1 to 128",
        ),
        (
            "ownerName",
            json!("Anna\nBoris"),
            "cannot be \"Anna\\nBoris\": must be a name on one line, without control characters",
        ),
        (
            "adoptDatabase",
            json!("-x y"),
            "cannot be \"-x y\": must be the marker that the database carries, letters, digits and hyphens",
        ),
    ];
    for (field, value, words) in cases {
        let message = new_client(|cluster| cluster.composite["spec"][field] = value)
            .err()
            .unwrap();
        assert_eq!(message, format!("spec.{field}: {words}"));
    }
    let message = new_client(|cluster| {
        cluster.composite["spec"]["backup"] = json!({"schedule": "30 1 * * * *", "retentionDays": 6});
    });
    assert_eq!(
        message.err().unwrap(),
        "spec.backup.retentionDays: cannot be 6: must be 7 to 3660; \
         spec.backup.schedule: cannot be \"30 1 * * * *\": must be a cron expression with five fields, such as \"30 1 * * *\""
    );
}
