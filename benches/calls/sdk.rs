//! The same function on the official Rust SDK.
//!
//! In: the SDK's request, decoded into trees. Out: the SDK's response, equal to ours. Between reading and writing it is
//! our own core, so what differs is only how objects get in and out. Where a choice had to be made it is the SDK's
//! favour: the Platform is remembered and never checked, kinds of objects are not checked, nothing is logged, and what is
//! handed on undecoded here is cloned there without a detour through JSON.

use std::sync::{Arc, Mutex, PoisonError};

use function_odoo::{
    api::{
        API_VERSION,
        plana_client::{self, PlanaClientSpec, PlanaClientStatus},
        platform::Platform,
    },
    compose,
    function::NOW_CONTEXT_KEY,
    names::ResourceName,
    observed::{
        Condition, HEAVY_JOBS_QUESTION, JobView, LEASE_QUESTION, Observed, PODS_QUESTION, Required,
        SecretView, job::JobViewStatus, object::Metadata,
    },
    plan::{self, Plan},
    status::{self, Event},
    tenant::{
        Identity, Living,
        resolve::{parse_major, resolve},
    },
};
use function_sdk_rust::{
    Args,
    proto::v1::{
        Ready, RunFunctionRequest, RunFunctionResponse, Target,
        function_runner_service_server::FunctionRunnerService,
    },
    request, resource, response,
};
use jiff::Timestamp;
use pbjson_types::{Struct, value::Kind};
use serde::{Deserialize, Serialize};
use tonic::{Request, Response, Status};

/// Where the platform keeps the Secrets that are copied.
const CONTROL_NAMESPACE: &str = function_odoo::defaults::CONTROL_NAMESPACE;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Serves in plain text until it is killed.
pub async fn serve(address: &str) -> Result<(), function_sdk_rust::Error> {
    let arguments = Args {
        debug: false,
        address: address.to_owned(),
        tls_certs_dir: None,
        insecure: true,
        max_recv_message_size: None,
        metrics_address: String::new(),
    };
    function_sdk_rust::serve(Function, &arguments).await
}

struct Function;

#[tonic::async_trait]
impl FunctionRunnerService for Function {
    async fn run_function(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        let answer = run(request.get_ref()).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(answer))
    }
}

/// The composite resource, as far as it is read.
#[derive(Deserialize)]
struct Composite {
    metadata: Metadata,
    spec: PlanaClientSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conditions {
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Job {
    metadata: Metadata,
    status: JobViewStatus,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    metadata: Metadata,
    r#type: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DesiredComposite<'a> {
    api_version: &'static str,
    kind: &'static str,
    status: &'a PlanaClientStatus,
}

/// Answers one call.
pub fn run(request: &RunFunctionRequest) -> Result<RunFunctionResponse, Failure> {
    let composite = request::observed_composite(request).and_then(|composite| composite.resource.as_ref());
    let composite = resource::struct_to_json(composite.ok_or("no composite resource")?);
    let Composite { metadata, spec } = Composite::deserialize(&composite)?;
    let status: PlanaClientStatus = composite
        .get("status")
        .map(PlanaClientStatus::deserialize)
        .transpose()?
        .unwrap_or_default();
    let conditions: Conditions = composite
        .get("status")
        .map(Conditions::deserialize)
        .transpose()?
        .unwrap_or_default();
    let platform = platform(request)?;
    let now: Timestamp = request::get_context_key(request, NOW_CONTEXT_KEY)
        .and_then(|now| now.as_str()?.parse().ok())
        .ok_or("no time")?;
    let observed = Observed {
        status,
        conditions: conditions
            .conditions
            .into_iter()
            .map(|condition| (condition.r#type.clone(), condition))
            .collect(),
        deletion_attempted: false,
        required: required(request)?,
        ..observed(request)?
    };
    let identity = Identity {
        name: metadata.name,
        uid: metadata.uid,
    };
    let living = Living {
        serving: observed.status.odoo_version.as_deref().and_then(parse_major),
        routed: observed.routes.keys().copied().collect(),
    };
    let tenant = resolve(&identity, &spec, &platform, &living).map_err(|problems| format!("{problems:?}"))?;
    let plan = plan::plan(&tenant, &observed, now);
    let composed = compose::compose(&tenant, &plan);
    let status = status::status(&tenant, &plan, &observed);
    let events = status::events(&plan, &observed);
    write(request, &plan, &composed, &status, events)
}

static PLATFORM: Mutex<Option<(Struct, Arc<Platform>)>> = Mutex::new(None);

fn platform(request: &RunFunctionRequest) -> Result<Arc<Platform>, Failure> {
    let input = request.input.as_ref().ok_or("no input")?;
    let mut last = PLATFORM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((before, platform)) = last.as_ref()
        && before == input
    {
        return Ok(Arc::clone(platform));
    }
    let platform: Arc<Platform> = Arc::new(request::get_input(request)?);
    *last = Some((input.clone(), Arc::clone(&platform)));
    Ok(platform)
}

fn observed(request: &RunFunctionRequest) -> Result<Observed, Failure> {
    let mut observed = Observed::default();
    for (text, resource) in request.observed.iter().flat_map(|state| &state.resources) {
        let resource = Some(resource);
        match ResourceName::parse(text) {
            None => {}
            Some(ResourceName::Database) => observed.database = Some(resource::get(resource)?),
            Some(ResourceName::Backup) => observed.backup = Some(resource::get(resource)?),
            Some(ResourceName::Guard) => observed.guard = Some(resource::get(resource)?),
            Some(ResourceName::Route(major)) => {
                observed.routes.insert(major, resource::get(resource)?);
            }
            Some(ResourceName::Maintenance(major)) => {
                observed.answers.insert(major, resource::get(resource)?);
            }
            Some(ResourceName::Job(step, hash)) => {
                let view = job(resource::get(resource)?);
                observed.jobs.insert((step, hash), view);
            }
            Some(ResourceName::Secret(purpose, namespace)) => {
                let view = secret(resource::get(resource)?);
                observed.secret_copies.insert((purpose, namespace), view);
            }
        }
    }
    Ok(observed)
}

fn job(Job { metadata, status }: Job) -> JobView {
    let spec = None;
    JobView {
        metadata,
        spec,
        status,
    }
}

fn secret(secret: Secret) -> SecretView {
    SecretView {
        metadata: secret.metadata,
        r#type: secret.r#type,
        data: None,
    }
}

fn required(request: &RunFunctionRequest) -> Result<Required, Failure> {
    let mut required = Required::default();
    for question in request.required_resources.keys() {
        let items = request::get_required_resources(request, question).unwrap_or_default();
        if question.starts_with(PODS_QUESTION) {
            let pods: Result<_, _> = items.into_iter().map(serde_json::from_value).collect();
            required.pods.insert(question.clone(), pods?);
            continue;
        }
        if question == HEAVY_JOBS_QUESTION {
            let jobs = items
                .into_iter()
                .map(|item| serde_json::from_value(item).map(job));
            required
                .jobs
                .insert(question.clone(), jobs.collect::<Result<_, _>>()?);
            continue;
        }
        let item = items.into_iter().next();
        if question == LEASE_QUESTION {
            let view = item.map(serde_json::from_value).transpose()?;
            required.leases.insert(question.clone(), view);
        } else if question.starts_with("secret-") {
            let view = item.map(serde_json::from_value).transpose()?.map(secret);
            required.secrets.insert(question.clone(), view);
        } else {
            let view = item.map(serde_json::from_value).transpose()?;
            required.objects.insert(question.clone(), view);
        }
    }
    for (question, schema) in &request.required_schemas {
        let known = schema
            .openapi_v3
            .as_ref()
            .is_some_and(|schema| !schema.fields.is_empty());
        required.kinds.insert(question.clone(), known);
    }
    Ok(required)
}

fn write(
    request: &RunFunctionRequest,
    plan: &Plan,
    composed: &compose::Composed,
    status: &PlanaClientStatus,
    events: Vec<Event>,
) -> Result<RunFunctionResponse, Failure> {
    let ttl = std::time::Duration::from_secs(plan.ttl_seconds.try_into()?);
    let mut answer = response::to(request, ttl);
    for (name, desired) in composed {
        let target = response::desired_composed(&mut answer, name.to_string());
        resource::update(target, &desired.object)?;
        resource::set_ready(target, ready(desired.ready));
        if let compose::Object::Secret(_) = desired.object {
            copy_data(request, target);
        }
        if let compose::Object::KeptJob(_) = desired.object {
            keep_spec(request, &name.to_string(), target);
        }
    }
    let composite = DesiredComposite {
        api_version: API_VERSION,
        kind: plana_client::KIND,
        status,
    };
    let target = response::desired_composite(&mut answer);
    resource::update(target, &composite)?;
    resource::set_ready(target, ready(plan.ready));
    for (r#type, state) in &plan.conditions {
        let add = if state.holds() {
            response::condition_true
        } else {
            response::condition_false
        };
        let condition = add(&mut answer, r#type.as_str(), state.reason());
        condition.message = Some(state.message());
        condition.target = Some(Target::Composite.into());
    }
    for event in events {
        let add = if event.warning {
            response::warning
        } else {
            response::normal
        };
        add(&mut answer, event.message).reason = Some(event.reason);
    }
    for (key, question) in &plan.questions.objects {
        let by_name = Some(response::ResourceMatch::Name(question.name.clone()));
        let (api_version, kind) = (question.api_version, question.kind);
        response::require_resources(
            &mut answer,
            key,
            api_version,
            kind,
            by_name,
            question.namespace.clone(),
        );
    }
    for (key, question) in &plan.questions.lists {
        let by_labels = Some(response::ResourceMatch::Labels(
            question.labels.clone().into_iter().collect(),
        ));
        let (api_version, kind) = (question.api_version, question.kind);
        let namespace = Some(question.namespace.clone());
        response::require_resources(&mut answer, key, api_version, kind, by_labels, namespace);
    }
    for (key, (api_version, kind)) in &plan.questions.kinds {
        response::require_schema(&mut answer, *key, *api_version, *kind);
    }
    Ok(answer)
}

/// A Job that is there is kept with the spec that is observed.
fn keep_spec(request: &RunFunctionRequest, name: &str, target: &mut function_sdk_rust::proto::v1::Resource) {
    let observed = request
        .observed
        .as_ref()
        .and_then(|state| state.resources.get(name));
    let spec = observed.and_then(|job| job.resource.as_ref()?.fields.get("spec").cloned());
    let fields = target.resource.as_mut().map(|object| &mut object.fields);
    if let (Some(fields), Some(spec)) = (fields, spec) {
        fields.insert("spec".to_owned(), spec);
    }
}

/// The data of a copy is that of its original, which the request has.
fn copy_data(request: &RunFunctionRequest, copy: &mut function_sdk_rust::proto::v1::Resource) {
    let Some(copy) = &mut copy.resource else { return };
    let name = metadata(copy, "name").unwrap_or_default();
    let original = name.split_once('-').map(|(_, original)| original);
    let is_original = |object: &&Struct| {
        metadata(object, "namespace") == Some(CONTROL_NAMESPACE) && metadata(object, "name") == original
    };
    let data = request
        .required_resources
        .values()
        .filter_map(|resources| resources.items.first()?.resource.as_ref())
        .find(is_original)
        .and_then(|object| object.fields.get("data"));
    if let Some(data) = data {
        copy.fields.insert("data".to_owned(), data.clone());
    }
}

fn metadata<'a>(object: &'a Struct, field: &str) -> Option<&'a str> {
    let Some(Kind::StructValue(metadata)) = &object.fields.get("metadata")?.kind else {
        return None;
    };
    match &metadata.fields.get(field)?.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}

fn ready(ready: bool) -> Ready {
    if ready { Ready::True } else { Ready::False }
}
