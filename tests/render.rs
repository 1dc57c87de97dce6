//! Our preview against `crossplane composition render`, with a scripted function on both sides.
//!
//! Each case is a set of files and a function. The function runs in process for ours, and behind gRPC for the real
//! program, which gets the same files; standard output has to be equal byte for byte.

mod common;
#[path = "common/real_render.rs"]
mod real_render;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use function_odoo::{
    cli::render::{self, Pipeline, RenderArguments, RenderError, output::Format, simulate},
    function::{
        proto::v1::{
            Condition, MatchLabels, Ready, Requirements, Resource, ResourceSelector,
            Result as FunctionResult, RunFunctionRequest, RunFunctionResponse, SchemaSelector, Severity,
            State, Status, resource_selector::Match,
        },
        wire,
    },
};
use prost::Message as _;
use serde_json::{Value, json};

type Function = fn(&RunFunctionRequest) -> RunFunctionResponse;

const COMPOSITION: &str = "
apiVersion: apiextensions.crossplane.io/v1
kind: Composition
metadata:
  name: things
spec:
  compositeTypeRef:
    apiVersion: example.org/v1
    kind: XThing
  mode: Pipeline
  pipeline:
  - step: run
    functionRef:
      name: function-scripted
    input:
      apiVersion: odoo.fn.planapulse.com/v1beta1
      kind: Platform
      replicas: 3
";

const DEFINITION: &str = "
apiVersion: apiextensions.crossplane.io/v2
kind: CompositeResourceDefinition
metadata:
  name: xthings.example.org
spec:
  group: example.org
  scope: SCOPE
  defaultCompositionUpdatePolicy: Automatic
  names:
    kind: XThing
    plural: xthings
  versions:
  - name: v1
    served: true
    referenceable: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size:
                type: integer
                default: 3
              note:
                type: string
                nullable: true
                default: none
              nested:
                type: object
                default: {}
                properties:
                  enabled:
                    type: boolean
                    default: true
              list:
                type: array
                items:
                  type: object
                  properties:
                    weight:
                      type: number
                      default: 1.5
          status:
            type: object
            properties:
              phase:
                type: string
";

const THING: &str = "
apiVersion: example.org/v1
kind: XThing
metadata:
  name: acme
spec:
  size: 5
";

/// A folder for one case, and what is asked of it.
struct Case {
    folder: PathBuf,
    arguments: RenderArguments,
    function: Function,
    pipeline: Pipeline,
    composition: String,
    definition: PathBuf,
}

impl Case {
    fn new(name: &str, composite: &str, function: Function) -> Self {
        let is_namespaced = composite.contains("\n  namespace:");
        let scope = if is_namespaced { "Namespaced" } else { "Cluster" };
        let input =
            json!({"apiVersion": "odoo.fn.planapulse.com/v1beta1", "kind": "Platform", "replicas": 3});
        let mut case = Self {
            folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("render").join(name),
            arguments: RenderArguments::default(),
            function,
            pipeline: Pipeline {
                composition: "things".to_owned(),
                step: "run".to_owned(),
                input: Some(input),
                definitions: Vec::new(),
            },
            composition: COMPOSITION.to_owned(),
            definition: PathBuf::new(),
        };
        let _ = fs::remove_dir_all(&case.folder);
        case.arguments.composite = case.write("", &[("xr.yaml", composite)]).join("xr.yaml");
        let definition = DEFINITION.replace("SCOPE", scope);
        case.definition = case
            .write("", &[("definition.yaml", &definition)])
            .join("definition.yaml");
        case.arguments.xrd = Some(case.definition.clone());
        case
    }

    /// A case with the package that this project ships.
    fn shipped(name: &str, composite: &str, function: Function) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("package/planaclient");
        let mut case = Self::new(name, composite, function);
        case.arguments.xrd = None;
        case.pipeline = Pipeline::shipped("PLANAClient").expect("the package is sound");
        case.composition =
            fs::read_to_string(package.join("composition.yaml")).expect("the package is complete");
        case.definition = package.join("definition.yaml");
        case
    }

    fn write(&self, folder: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.folder.join(folder);
        fs::create_dir_all(&path).expect("the case's folder is writable");
        for (file, text) in files {
            fs::write(path.join(file), text).expect("the case's folder is writable");
        }
        path
    }

    fn observed(mut self, files: &[(&str, &str)]) -> Self {
        self.arguments.observed = Some(self.write("observed", files));
        self
    }

    fn required(mut self, files: &[(&str, &str)]) -> Self {
        self.arguments.required = Some(self.write("required", files));
        self
    }

    fn schemas(mut self, files: &[(&str, &str)]) -> Self {
        self.arguments.schemas = Some(self.write("schemas", files));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut RenderArguments)) -> Self {
        change(&mut self.arguments);
        self
    }

    fn platform(mut self, platform: &str) -> Self {
        self.arguments.platform = Some(
            self.write("", &[("platform.yaml", platform)])
                .join("platform.yaml"),
        );
        self
    }

    fn ours(&self) -> Result<String, RenderError> {
        render::render(&self.arguments, &self.pipeline, &mut |request| {
            (self.function)(&request)
        })
    }

    /// What the real program prints: standard output, or standard error when it fails; `None` when it is missing.
    fn theirs(&self) -> Option<Result<String, String>> {
        let composition = self.composition();
        real_render::real_render(
            &self.arguments,
            &composition,
            &self.definition,
            &self.folder,
            self.function,
        )
    }

    /// The Composition with the input that ours is given.
    fn composition(&self) -> String {
        let Some(platform) = &self.arguments.platform else {
            return self.composition.clone();
        };
        let read = |text: &str| serde_yaml::from_str::<Value>(text).expect("test files are YAML");
        let mut composition = read(&self.composition);
        composition["spec"]["pipeline"][0]["input"] =
            read(&fs::read_to_string(platform).expect("the platform is there"));
        composition.to_string()
    }

    /// Both print the same; returns it.
    fn assert_same(&self) -> String {
        let ours = self.ours().expect("ours prints");
        if let Some(theirs) = self.theirs() {
            let theirs = theirs.expect("theirs prints");
            fs::write(self.folder.join("ours.yaml"), &ours).expect("the case's folder is writable");
            fs::write(self.folder.join("theirs.yaml"), &theirs).expect("the case's folder is writable");
            let is_same = with_sorted_events(&ours) == with_sorted_events(&theirs);
            assert!(
                is_same,
                "{} differs, see ours.yaml and theirs.yaml in it",
                self.folder.display()
            );
        }
        ours
    }

    /// Both fail; returns both messages, theirs being empty when the real program is missing.
    fn assert_both_fail(&self) -> (RenderError, String) {
        let ours = self.ours().expect_err("ours fails");
        let theirs = self
            .theirs()
            .map(|theirs| theirs.expect_err("theirs fails"))
            .unwrap_or_default();
        (ours, theirs)
    }
}

/// The real program sends the "not yet ready" events in random order.
fn with_sorted_events(text: &str) -> Vec<&str> {
    let mut documents: Vec<&str> = text.split("---\n").collect();
    let is_unready = |document: &&str| document.contains("is not yet ready");
    if let Some(first) = documents.iter().position(is_unready) {
        let count = documents[first..]
            .iter()
            .take_while(|document| is_unready(document))
            .count();
        documents[first..first + count].sort_unstable();
    }
    documents
}

// === What scripted functions are made of ===

fn encoded(value: &Value) -> Bytes {
    wire::write(&simulate::with_doubles(value))
        .expect("test objects are encodable")
        .into()
}

fn decoded(bytes: Option<&Bytes>) -> Value {
    wire::to_json(bytes.map_or(&[][..], |bytes| &bytes[..])).expect("Crossplane sends Structs")
}

fn resource(object: &Value, ready: Ready) -> Resource {
    Resource {
        resource: Some(encoded(object)),
        ready: ready.into(),
        ..Resource::default()
    }
}

/// A response that wants these resources, and this status.
fn wants(resources: &[(&str, Value, Ready)], status: Option<Value>) -> RunFunctionResponse {
    let desired = State {
        composite: status.map(|status| resource(&json!({"status": status}), Ready::Unspecified)),
        resources: resources
            .iter()
            .map(|(name, object, ready)| ((*name).to_owned(), resource(object, *ready)))
            .collect(),
    };
    RunFunctionResponse {
        desired: Some(desired.encode_to_vec().into()),
        ..RunFunctionResponse::default()
    }
}

fn map(name: Option<&str>, data: &Value) -> Value {
    let mut object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default"}, "data": data});
    if let Some(name) = name {
        object["metadata"]["name"] = json!(name);
    }
    object
}

fn result(severity: Severity, message: &str) -> FunctionResult {
    FunctionResult {
        severity: severity.into(),
        message: message.to_owned(),
        ..FunctionResult::default()
    }
}

fn condition(r#type: &str, status: Status, reason: &str, message: Option<&str>) -> Condition {
    Condition {
        r#type: r#type.to_owned(),
        status: status.into(),
        reason: reason.to_owned(),
        message: message.map(str::to_owned),
        target: None,
    }
}

fn composite(request: &RunFunctionRequest) -> Value {
    let observed = request
        .observed
        .clone()
        .expect("Crossplane sends what it observed");
    decoded(
        observed
            .composite
            .expect("the composite resource is there")
            .resource
            .as_ref(),
    )
}

fn observed_names(request: &RunFunctionRequest) -> Vec<String> {
    request
        .observed
        .clone()
        .unwrap_or_default()
        .resources
        .into_keys()
        .collect()
}

// === Functions ===

fn nothing(_: &RunFunctionRequest) -> RunFunctionResponse {
    wants(&[], None)
}

/// Many resources, some ready, names given and not, metadata that Crossplane has to add to.
fn many(_: &RunFunctionRequest) -> RunFunctionResponse {
    let mut labelled = map(Some("labelled"), &json!({"k": "v"}));
    labelled["metadata"]["labels"] = json!({"app": "x", "crossplane.io/composite": "other", "empty": null});
    labelled["metadata"]["annotations"] = json!({"note": "a: b"});
    let mut owned = map(None, &json!({}));
    owned["metadata"]["generateName"] = json!("gen-");
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u-1", "extra": 1}]);
    wants(
        &[
            ("zeta", map(Some("a-zeta"), &json!({"k": "v"})), Ready::True),
            ("alpha", map(None, &json!({"k": "v"})), Ready::False),
            ("beta \"q\" ä", labelled, Ready::Unspecified),
            ("gamma", owned, Ready::False),
            (
                "job",
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a-job"}, "spec": {}}),
                Ready::False,
            ),
        ],
        Some(json!({"phase": "Provisioning", "count": 4, "nested": {"list": []}})),
    )
}

fn two_unready(_: &RunFunctionRequest) -> RunFunctionResponse {
    wants(
        &[
            ("b", map(None, &json!({})), Ready::False),
            ("a", map(None, &json!({})), Ready::Unspecified),
        ],
        None,
    )
}

fn three_unready(_: &RunFunctionRequest) -> RunFunctionResponse {
    let object = || map(None, &json!({}));
    wants(
        &[
            ("c", object(), Ready::False),
            ("b", object(), Ready::False),
            ("a", object(), Ready::False),
        ],
        None,
    )
}

/// Conditions of every status, system ones too, results of every severity.
fn talkative(_: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = wants(
        &[("a", map(Some("a"), &json!({})), Ready::True)],
        Some(json!({"phase": "Running"})),
    );
    response.conditions = vec![
        condition("DatabaseReady", Status::ConditionTrue, "Available", None),
        condition(
            "RouteAccepted",
            Status::ConditionFalse,
            "Waiting",
            Some("no parent: \"x\"\nsecond line"),
        ),
        condition("Other", Status::ConditionUnspecified, "Unsure", Some("")),
        condition("Ready", Status::ConditionFalse, "Mine", Some("ignored")),
        condition("Synced", Status::ConditionFalse, "Mine", None),
        condition(
            "DatabaseReady",
            Status::ConditionFalse,
            "Changed",
            Some("set twice"),
        ),
    ];
    response.results = vec![
        result(Severity::Normal, "all is well"),
        FunctionResult {
            reason: Some("Custom".to_owned()),
            ..result(Severity::Warning, "beware: \"this\"")
        },
        FunctionResult {
            reason: Some(String::new()),
            ..result(Severity::Unspecified, "unclear")
        },
    ];
    response
}

fn ready_regardless(_: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = wants(&[("a", map(None, &json!({})), Ready::False)], None);
    set_composite_ready(&mut response, Ready::True);
    response
}

fn unready_regardless(_: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = wants(
        &[("a", map(None, &json!({})), Ready::True)],
        Some(json!({"a": 1})),
    );
    set_composite_ready(&mut response, Ready::False);
    response
}

fn set_composite_ready(response: &mut RunFunctionResponse, ready: Ready) {
    let mut desired = State::decode(response.desired.clone().unwrap_or_default()).expect("just encoded");
    desired.composite.get_or_insert_default().ready = ready.into();
    response.desired = Some(desired.encode_to_vec().into());
}

fn fatal(_: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = nothing(&RunFunctionRequest::default());
    response.results = vec![
        result(Severity::Normal, "before"),
        result(Severity::Fatal, "cannot read spec.size: must be at most 4"),
    ];
    response
}

/// Puts what it was given into the status.
fn mirror(request: &RunFunctionRequest) -> RunFunctionResponse {
    let mut given = composite(request);
    // The time is the real one there.
    given["status"]["conditions"] = json!(null);
    let observed = request.observed.clone().unwrap_or_default();
    let resources: BTreeMap<String, Value> = observed
        .resources
        .iter()
        .map(|(name, found)| (name.clone(), decoded(found.resource.as_ref())))
        .collect();
    let required: BTreeMap<String, Vec<Value>> = request
        .required_resources
        .iter()
        .map(|(name, found)| {
            (
                name.clone(),
                found
                    .items
                    .iter()
                    .map(|item| decoded(item.resource.as_ref()))
                    .collect(),
            )
        })
        .collect();
    let status = json!({
        "composite": given,
        "context": decoded(request.context.as_ref()),
        "desired": request.desired.as_ref().map(Bytes::len),
        "input": decoded(request.input.as_ref()),
        "capabilities": request.meta.as_ref().map(|meta| &meta.capabilities),
        "observed": resources,
        "required": required,
        "schemas": request.required_schemas.iter().map(|(name, found)| (name.clone(), found.openapi_v3.is_some())).collect::<BTreeMap<_, _>>(),
    });
    let kept: Vec<(String, Value)> = observed_names(request)
        .into_iter()
        .map(|name| (name, map(Some("another-name"), &json!({"k": "v"}))))
        .collect();
    let kept: Vec<(&str, Value, Ready)> = kept
        .iter()
        .map(|(name, object)| (name.as_str(), object.clone(), Ready::True))
        .collect();
    wants(&kept, Some(status))
}

fn selector(
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
    r#match: Option<Match>,
) -> ResourceSelector {
    ResourceSelector {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        r#match,
    }
}

/// Requires by name, by labels, all of a kind, and something that is not there.
fn requiring(request: &RunFunctionRequest) -> RunFunctionResponse {
    let labels = |key: &str, value: &str| {
        Some(Match::MatchLabels(MatchLabels {
            labels: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        }))
    };
    let by_name = |name: &str| Some(Match::MatchName(name.to_owned()));
    let mut response = mirror(request);
    response.requirements = Some(Requirements {
        resources: BTreeMap::from([
            (
                "name".to_owned(),
                selector("v1", "Secret", Some("team"), by_name("b")),
            ),
            (
                "missing".to_owned(),
                selector("v1", "Secret", Some("team"), by_name("c")),
            ),
            (
                "other-namespace".to_owned(),
                selector("v1", "Secret", None, by_name("b")),
            ),
            (
                "labels".to_owned(),
                selector("v1", "Secret", None, labels("app", "x")),
            ),
            (
                "labels-here".to_owned(),
                selector("v1", "Secret", Some("team"), labels("app", "x")),
            ),
            ("all".to_owned(), selector("v1", "Secret", None, None)),
            ("none".to_owned(), selector("v1", "Pod", None, None)),
            (
                "cluster".to_owned(),
                selector("v1", "Namespace", None, by_name("team")),
            ),
        ]),
        schemas: BTreeMap::from([
            (
                "route".to_owned(),
                schema("gateway.networking.k8s.io/v1", "HTTPRoute"),
            ),
            (
                "other-kind".to_owned(),
                schema("gateway.networking.k8s.io/v1", "Gateway"),
            ),
            ("other-group".to_owned(), schema("v1", "Pod")),
        ]),
        ..Requirements::default()
    });
    response
}

fn schema(api_version: &str, kind: &str) -> SchemaSelector {
    SchemaSelector {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    }
}

/// Learns a name from one object and requires the next, twice.
fn following(request: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = mirror(request);
    let mut resources = BTreeMap::from([("0".to_owned(), named("first"))]);
    for step in 0..2 {
        let found = request
            .required_resources
            .get(&step.to_string())
            .and_then(|found| found.items.first());
        let next = found.map(|item| decoded(item.resource.as_ref())["data"]["next"].clone());
        if let Some(Value::String(name)) = next {
            resources.insert((step + 1).to_string(), named(&name));
        }
    }
    response.requirements = Some(Requirements {
        resources,
        ..Requirements::default()
    });
    let calls = decoded(request.context.as_ref())["calls"]
        .as_f64()
        .unwrap_or_default();
    response.context = Some(encoded(&json!({"calls": calls + 1.0})));
    response
}

fn named(name: &str) -> ResourceSelector {
    selector(
        "v1",
        "ConfigMap",
        Some("default"),
        Some(Match::MatchName(name.to_owned())),
    )
}

/// Requires something else on each call.
fn restless(request: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = nothing(request);
    let next = request
        .required_resources
        .keys()
        .next()
        .map_or(0, |name| name.parse::<u32>().unwrap_or_default() + 1);
    response.requirements = Some(Requirements {
        resources: BTreeMap::from([(next.to_string(), named("x"))]),
        ..Requirements::default()
    });
    response
}

/// Texts and numbers that are hard to print.
fn weird(_: &RunFunctionRequest) -> RunFunctionResponse {
    let long = "the quick brown fox jumps over the lazy dog and ".repeat(6);
    let data = json!({
        "yes": "no", "number": "012", "time": "2024-01-01T00:00:00Z", "colon": "a: b", "hash": "a #b", "empty": "",
        "script": "#!/bin/sh\nset -e\n\necho 'x'  \n", "block": "a\nb\n", "strip": "a\nb", "keep": "a\n\n", "indented": "  a\nb\n",
        "tab": "a\tb", "nul": "a\u{0}b", "emoji": "\u{1f600}", "umlaut": "äöü", "nbsp": "a\u{a0}b", "line": "a\u{2028}b", "long": long,
        "quote": "it's", "double": "\"x\"", "template": "{{ .x }}", "a10": "", "a2": "", "A": "", "_x": "", "1": "",
    });
    let numbers = json!({
        "huge": 1e300, "half": 1.5, "three": 3, "zero": -0.0, "large": 9_007_199_254_740_993_i64, "e20": 1e20, "e21": 1e21,
        "e19": 1e19, "small": 1e-7, "smaller": 0.00001, "million": 1_234_567.5, "max": i64::MAX, "list": [[], {}, [1, [2]], null, true],
    });
    wants(
        &[("weird", map(Some("weird"), &data), Ready::True)],
        Some(numbers),
    )
}

fn with_status(_: &RunFunctionRequest) -> RunFunctionResponse {
    let mut bare = map(Some("bare"), &json!({}));
    bare["status"] = json!({"x": 1});
    let mut conditions = map(Some("conditions"), &json!({}));
    conditions["status"] = json!({"conditions": [
        {"type": "A", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z", "reason": "R", "extra": 1, "observedGeneration": 2},
        {"type": "B"},
    ]});
    let mut broken = map(Some("broken"), &json!({}));
    broken["status"] = json!({"conditions": [{"type": 1}]});
    wants(
        &[
            ("bare", bare, Ready::True),
            ("broken", broken, Ready::True),
            ("conditions", conditions, Ready::True),
        ],
        Some(
            json!({"conditions": [{"type": "Mine", "status": "True", "reason": "Set", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}),
        ),
    )
}

fn elsewhere(_: &RunFunctionRequest) -> RunFunctionResponse {
    wants(
        &[
            ("a", map(Some("a"), &json!({})), Ready::True),
            ("b", json!({"apiVersion": "v1", "kind": "ConfigMap"}), Ready::True),
        ],
        None,
    )
}

fn bad_name(_: &RunFunctionRequest) -> RunFunctionResponse {
    wants(&[("a", map(Some("Not_A_Name"), &json!({})), Ready::True)], None)
}

fn foreign_owner(_: &RunFunctionRequest) -> RunFunctionResponse {
    let mut object = map(Some("a"), &json!({}));
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u-1", "controller": true}]);
    wants(&[("a", object, Ready::True)], None)
}

fn all(arguments: &mut RenderArguments) {
    arguments.include_function_results = true;
    arguments.include_full_xr = true;
}

fn results_only(arguments: &mut RenderArguments) {
    arguments.include_function_results = true;
}

// === Cases ===

#[test]
fn no_composed_resources_at_all() {
    let printed = Case::new("nothing", THING, nothing).assert_same();
    assert!(printed.contains("resourceRefs: []"), "{printed}");
    Case::new("nothing-all", THING, nothing).with(all).assert_same();
}

#[test]
fn many_resources_with_and_without_names() {
    let printed = Case::new("many", THING, many).with(all).assert_same();
    assert!(printed.contains("Unready resources: alpha, beta"), "{printed}");
    assert!(printed.contains("and 1 more"), "{printed}");
    Case::new("many-plain", THING, many).assert_same();
}

#[test]
fn two_and_three_unready_resources_are_listed_differently() {
    let two = Case::new("two", THING, two_unready)
        .with(results_only)
        .assert_same();
    assert!(two.contains("Unready resources: a, b'\n"), "{two}");
    let three = Case::new("three", THING, three_unready)
        .with(results_only)
        .assert_same();
    assert!(three.contains("Unready resources: a, b, and c"), "{three}");
}

#[test]
fn custom_conditions_and_results_of_every_severity() {
    let printed = Case::new("talkative", THING, talkative)
        .with(results_only)
        .assert_same();
    assert!(
        printed.contains("reason: Custom") && printed.contains("unknown severity"),
        "{printed}"
    );
}

#[test]
fn the_function_decides_over_the_whole() {
    Case::new("ready-regardless", THING, ready_regardless)
        .with(results_only)
        .assert_same();
    Case::new("unready-regardless", THING, unready_regardless)
        .with(all)
        .assert_same();
}

#[test]
fn a_fatal_result_prints_nothing_and_fails_with_the_message() {
    let case = Case::new("fatal", THING, fatal);
    let (ours, theirs) = case.assert_both_fail();
    let message = "pipeline step \"run\" returned a fatal result: cannot read spec.size: must be at most 4";
    assert!(ours.to_string().contains(message), "{ours}");
    assert!(ours.to_string().ends_with("spec.size is on line 7"), "{ours}");
    assert_eq!(ours.exit_code(), render::FAILED);
    assert!(theirs.is_empty() || theirs.contains(message), "{theirs}");
}

const OBSERVED: &str = "
apiVersion: v1
kind: ConfigMap
metadata:
  name: existing-name
  namespace: elsewhere
  generateName: existing-
  uid: 0a
  annotations:
    crossplane.io/composition-resource-name: one
data: {a: '1'}
status: {x: 1}
---
# the second
apiVersion: batch/v1
kind: Job
metadata:
  name: j
  namespace: default
  annotations: {crossplane.io/composition-resource-name: two, extra: x}
  ownerReferences:
  - {apiVersion: example.org/v1, kind: XThing, name: acme, uid: UID, controller: true, blockOwnerDeletion: true}
spec: {backoffLimit: 3, big: 9007199254740993, float: 2.50}
";

#[test]
fn observed_resources_keep_their_names_and_are_shown_to_the_function() {
    let uid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    let thing = THING.replace("metadata:", &format!("metadata:\n  uid: {uid}\n  generation: 3"));
    let observed = OBSERVED.replace("UID", uid);
    let printed = Case::new("observed", &thing, mirror)
        .observed(&[("b.yaml", &observed), ("a.yml", "---\n# nothing but a comment\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {crossplane.io/composition-resource-name: zero}}\n")])
        .with(all)
        .assert_same();
    assert!(printed.contains("name: existing-name"), "{printed}");
}

#[test]
fn a_composite_resource_without_uid_has_one_that_never_changes() {
    let printed = Case::new("uid", THING, many).assert_same();
    let again = Case::new("uid-again", THING, many).ours().expect("ours prints");
    assert_eq!(printed, again);
    assert!(printed.contains("blockOwnerDeletion: true"), "{printed}");
}

#[test]
fn an_observed_resource_of_another_owner_is_refused_by_both() {
    let case = Case::new("foreign", THING, mirror)
        .observed(&[("a.yaml", &OBSERVED.replace("UID", "somebody-else"))]);
    let (ours, theirs) = case.assert_both_fail();
    assert!(
        ours.to_string()
            .contains("a.yaml: document 2, line 21: metadata.ownerReferences"),
        "{ours}"
    );
    assert_eq!(ours.exit_code(), render::BAD_INPUT);
    assert!(theirs.is_empty() || theirs.contains("controller"), "{theirs}");
}

#[test]
fn an_observed_resource_without_its_annotation_is_refused_by_both() {
    let case = Case::new("anonymous", THING, mirror)
        .observed(&[("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n")]);
    let (ours, _) = case.assert_both_fail();
    assert!(
        ours.to_string()
            .contains("line 3: metadata.annotations: add crossplane.io/composition-resource-name"),
        "{ours}"
    );
}

const SECRETS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: b, namespace: team, labels: {app: x}}
data: {k: dg==}
---
apiVersion: v1
kind: Secret
metadata: {name: a, namespace: team, labels: {app: 'x', tier: y}}
---
apiVersion: v1
kind: Secret
metadata: {name: b, namespace: other, labels: {app: y}}
---
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: v2
kind: Secret
metadata: {name: v2, namespace: team, labels: {app: x}}
";

const ROUTES: &str = r##"{"openapi": "3.0.0", "info": {"title": "t", "version": "v"}, "paths": {}, "components": {"schemas": {
  "io.k8s.networking.gateway.v1.HTTPRoute": {"type": "object", "x-kubernetes-group-version-kind": [
    {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "version": "v1"}],
    "properties": {"metadata": {"$ref": "#/components/schemas/meta"}}},
  "meta": {"type": "object"},
  "shared": {"type": "object", "x-kubernetes-group-version-kind": [
    {"group": "gateway.networking.k8s.io", "kind": "Gateway", "version": "v1"}, {"group": "", "kind": "Pod", "version": "v1"}]}
}}}"##;

#[test]
fn required_resources_and_schemas_are_fetched() {
    let printed = Case::new("requiring", THING, requiring)
        .required(&[("secrets.yaml", SECRETS)])
        .schemas(&[("routes.json", ROUTES)])
        .with(all)
        .assert_same();
    assert!(
        printed.contains("route: true") && printed.contains("other-kind: false"),
        "{printed}"
    );
    Case::new("requiring-nothing", THING, requiring).assert_same();
}

#[test]
fn requirements_may_follow_from_what_was_required() {
    let chain = "
apiVersion: v1
kind: ConfigMap
metadata: {name: first, namespace: default}
data: {next: second}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second, namespace: default}
data: {next: third}
";
    let printed = Case::new("following", THING, following)
        .required(&[("chain.yaml", chain)])
        .assert_same();
    assert!(printed.contains("calls: 3"), "{printed}");
}

#[test]
fn requirements_that_never_settle_fail_in_both() {
    let (ours, theirs) = Case::new("restless", THING, restless).assert_both_fail();
    assert!(ours.to_string().contains("6 calls"), "{ours}");
    assert!(
        theirs.is_empty() || theirs.contains("didn't stabilize"),
        "{theirs}"
    );
}

#[test]
fn the_time_and_the_input_reach_the_function_as_the_real_program_sends_them() {
    let printed = Case::new("now", THING, mirror)
        .with(|arguments| arguments.now = Some("2026-01-31T12:00:00Z".to_owned()))
        .with(results_only)
        .assert_same();
    assert!(
        printed.contains("odoo.fn.planapulse.com/now: \"2026-01-31T12:00:00Z\""),
        "{printed}"
    );
    assert!(printed.contains("replicas: 3"), "{printed}");
}

#[test]
fn texts_and_numbers_that_are_hard_to_print() {
    let printed = Case::new("weird", THING, weird).with(all).assert_same();
    assert!(printed.contains("huge: 1e+300"), "{printed}");
}

#[test]
fn status_of_composed_resources_and_conditions_in_the_desired_status() {
    Case::new("status", THING, with_status).assert_same();
}

#[test]
fn defaults_of_the_definition_are_filled_in() {
    let thing = "apiVersion: example.org/v1\nkind: XThing\nmetadata:\n  name: acme\nspec:\n  note: null\n  list: [{}, {weight: 2}]\n";
    let printed = Case::new("defaults", thing, mirror).with(all).assert_same();
    assert!(
        printed.contains("size: 3") && printed.contains("weight: 1.5"),
        "{printed}"
    );
    Case::new(
        "no-spec",
        "apiVersion: example.org/v1\nkind: XThing\nmetadata: {name: acme}\n",
        mirror,
    )
    .with(all)
    .assert_same();
}

#[test]
fn what_the_composite_resource_has_already_is_kept_in_the_full_output() {
    let thing = "
apiVersion: example.org/v1
kind: XThing
metadata:
  name: acme
  labels: {crossplane.io/composite: other, team: x}
  annotations: {a: b}
  generation: 7
spec:
  size: 9007199254740993
  ratio: 0.5
  crossplane:
    compositionRef: {name: things}
    resourceRefs:
    - {apiVersion: v1, kind: ConfigMap, name: old, namespace: default}
status:
  phase: Old
  kept: {a: 1}
  conditions:
  - {type: Ready, status: 'True', reason: Available, lastTransitionTime: '2020-05-05T05:05:05Z', observedGeneration: 7}
  - {type: Mine, status: 'False', reason: Old, message: m, lastTransitionTime: '2020-05-05T05:05:05Z', other: x}
";
    Case::new("kept", thing, many).with(all).assert_same();
    Case::new("kept-mirror", thing, mirror)
        .with(results_only)
        .assert_same();
}

#[test]
fn a_settled_composite_resource_is_not_written_again() {
    let thing = "
apiVersion: example.org/v1
kind: XThing
metadata: {name: acme}
status:
  phase: Running
  count: 3
  ratio: 0.5
  conditions:
  - {type: Responsive, status: 'True', reason: WatchCircuitClosed, lastTransitionTime: '2020-05-05T05:05:05Z'}
  - {type: Synced, status: 'True', reason: ReconcileSuccess, lastTransitionTime: '2020-05-05T05:05:05Z'}
  - {type: Ready, status: 'True', reason: Available, lastTransitionTime: '2020-05-05T05:05:05Z'}
";
    let settled: Function = |_| wants(&[], Some(json!({"phase": "Running", "count": 3, "ratio": 0.5})));
    Case::new("settled", thing, settled)
        .with(results_only)
        .assert_same();
    let labelled = thing.replace(
        "{name: acme}",
        "{name: acme, labels: {crossplane.io/composite: acme}}",
    );
    Case::new("settled-labelled", &labelled, settled)
        .with(results_only)
        .assert_same();
    let generation = labelled.replace("{name: acme", "{generation: 2, name: acme");
    Case::new("settled-generation", &generation, settled)
        .with(results_only)
        .assert_same();
    let observed = generation.replace(
        "WatchCircuitClosed,",
        "WatchCircuitClosed, observedGeneration: 2,",
    );
    Case::new("settled-observed", &observed, settled)
        .with(all)
        .assert_same();
}

#[test]
fn a_paused_or_deleted_or_requested_composite_resource() {
    let with = |metadata: &str| THING.replace("  name: acme", &format!("  name: acme\n  {metadata}"));
    Case::new(
        "paused",
        &with("annotations: {crossplane.io/paused: 'true'}"),
        many,
    )
    .with(all)
    .assert_same();
    Case::new(
        "deleted",
        &with("deletionTimestamp: '2024-05-05T05:05:05Z'"),
        many,
    )
    .with(results_only)
    .assert_same();
    Case::new(
        "requested",
        &with("annotations: {crossplane.io/reconcile-requested-at: now}"),
        many,
    )
    .with(all)
    .assert_same();
}

#[test]
fn a_namespaced_composite_resource_composes_in_its_namespace() {
    let thing = THING.replace("  name: acme", "  name: acme\n  namespace: team");
    let printed = Case::new("namespaced", &thing, elsewhere).with(all).assert_same();
    assert!(printed.contains("NamespaceOverridden"), "{printed}");
    let claim = THING.replace(
        "  name: acme",
        "  name: acme\n  labels: {crossplane.io/claim-name: c, crossplane.io/claim-namespace: n}",
    );
    Case::new("claimed", &claim, elsewhere).assert_same();
}

#[test]
fn long_names_are_cut_alike() {
    let name = "a".repeat(60);
    Case::new("long-name", &THING.replace("acme", &name), many).assert_same();
}

#[test]
fn objects_that_kubernetes_would_refuse_fail_in_both() {
    let (ours, theirs) = Case::new("bad-name", THING, bad_name).assert_both_fail();
    assert!(ours.to_string().contains("Not_A_Name"), "{ours}");
    assert!(theirs.is_empty() || theirs.contains("Not_A_Name"), "{theirs}");
    let (ours, theirs) = Case::new("foreign-owner", THING, foreign_owner).assert_both_fail();
    assert!(
        ours.to_string().contains("already controlled by Secret s"),
        "{ours}"
    );
    assert!(
        theirs.is_empty() || theirs.contains("already controlled"),
        "{theirs}"
    );
}

#[test]
fn the_json_output_has_the_same_documents() {
    let case = Case::new("json", THING, weird).with(|arguments| arguments.output = Format::Json);
    let printed = case.ours().expect("ours prints");
    let documents: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is a document"))
        .collect();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0]["status"]["three"], json!(3));
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let case = Case::new(
        "problems",
        "apiVersion: example.org/v1\nkind: XThing\nspec: {}\n",
        nothing,
    )
    .observed(&[("a.yaml", "a: 1\na: 2\n"), ("b.yaml", "- 1\n")])
    .required(&[("c.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: 5\n")])
    .with(|arguments| arguments.platform = Some(PathBuf::from("/does/not/exist.yaml")));
    let error = case.ours().expect_err("the files are bad");
    let text = error.to_string();
    let expected = [
        "xr.yaml: line 1: metadata.name: missing, or not text",
        "cannot read /does/not/exist.yaml: No such file",
        "a.yaml: line 2: a: the key is there twice",
        "b.yaml: line 1: not an object",
        "c.yaml: line 4: metadata.name: missing, or not text",
    ];
    for part in expected {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert_eq!(text.lines().count(), expected.len(), "{text}");
    assert_eq!(error.exit_code(), render::BAD_INPUT);
}

const CLIENT: &str = "
apiVersion: planapulse.com/v1alpha1
kind: PLANAClient
metadata:
  name: acme
spec:
  tier: starter
  subdomain: acme
  ownerName: Anna Acme
  ownerEmail: anna@acme.example
  projectId: 7
";

#[test]
fn the_shipped_package_is_used_without_a_definition() {
    let printed = Case::shipped("shipped", CLIENT, mirror).with(all).assert_same();
    assert!(printed.contains("kind: Platform"), "{printed}");
    let platform =
        "apiVersion: odoo.fn.planapulse.com/v1beta1\nkind: Platform\ndomain: example.org\nports: [1, 2.50]\n";
    let printed = Case::shipped("shipped-platform", CLIENT, mirror)
        .platform(platform)
        .assert_same();
    assert!(printed.contains("domain: example.org"), "{printed}");
}

#[test]
fn a_kind_that_is_not_served_is_told_with_those_that_are() {
    let case = Case::shipped(
        "not-served",
        &CLIENT.replace("PLANAClient", "PLANAClinet"),
        nothing,
    );
    let error = case.ours().expect_err("there is no such kind");
    let expected = "line 3: kind: planapulse.com/v1alpha1 PLANAClinet is not served; served are: PLANAClient, TemplateSnapshot";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_platform_of_another_kind_is_refused() {
    let case = Case::shipped("not-a-platform", CLIENT, nothing).platform("apiVersion: v1\nkind: Platform\n");
    let error = case.ours().expect_err("the platform is of another API");
    let expected = "platform.yaml: line 1: apiVersion: must be odoo.fn.planapulse.com/v1beta1, found \"v1\"";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn the_time_has_to_be_one() {
    let arguments = RenderArguments {
        now: Some("tomorrow".to_owned()),
        ..RenderArguments::default()
    };
    let error = render::run(&arguments).expect_err("no time");
    assert!(
        error.to_string().starts_with("cannot read --now tomorrow: "),
        "{error}"
    );
    assert_eq!(error.exit_code(), render::BAD_INPUT);
}

/// Runs the program itself: exit code, standard output, standard error.
fn program(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_function-odoo"))
        .arg("render")
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_program_ends_with_an_exit_code_per_outcome() {
    let bad = CLIENT.replace("subdomain: acme", "subdomain: \"-\"");
    let refused = Case::shipped("refused", &bad, nothing);
    let file = refused.arguments.composite.display().to_string();
    let (code, stdout, stderr) = program(&[&file]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(
        stderr.starts_with(&format!("cannot render {file}: pipeline step \"tenant\"")),
        "{stderr}"
    );
    assert!(stderr.ends_with("spec.subdomain is on line 8\n"), "{stderr}");

    let (code, stdout, stderr) = program(&["/does/not/exist.yaml", "--observed", "/neither/this"]);
    assert_eq!(
        (code, stdout.as_str(), stderr.lines().count()),
        (Some(2), "", 2),
        "{stderr}"
    );

    let good = Case::shipped("good", CLIENT, nothing);
    let (code, stdout, stderr) = program(&[&good.arguments.composite.display().to_string(), "-o", "json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(
        stdout.lines().all(|line| line.starts_with('{')) && stdout.lines().count() > 1,
        "{stdout}"
    );
}
