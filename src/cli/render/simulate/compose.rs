//! The pipeline: builds the request, calls the function, and applies what it wants.
//!
//! In: the composite resource and the cluster. Out: [`Composed`], with objects and references written to the cluster.
//! Crossplane goes through the composed resources in random order; this goes by name.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    COMPOSITE_LABEL, Call, Inputs, RESOURCE_NAME_ANNOTATION, SimulateError,
    conditions::{self, Condition},
    events::{self, Event},
    identity, object, observed,
    reconcile::Cluster,
    requirements, structs,
};
use crate::function::proto::v1::{
    Capability, Ready, RequestMeta, Resource, RunFunctionRequest, RunFunctionResponse, Severity, State,
    Status,
};

/// The reason of events that name none.
pub const COMPOSE_REASON: &str = "ComposeResources";
const CLAIM_LABELS: [&str; 2] = ["crossplane.io/claim-name", "crossplane.io/claim-namespace"];
const CAPABILITIES: [Capability; 5] = [
    Capability::Capabilities,
    Capability::RequiredResources,
    Capability::Credentials,
    Capability::Conditions,
    Capability::RequiredSchemas,
];

/// What the pipeline has to say.
pub struct Composed {
    /// Composition resource names.
    pub unready: Vec<String>,
    /// What the function says of the whole.
    pub ready: Option<bool>,
    pub events: Vec<Event>,
    pub conditions: Vec<Condition>,
}

pub fn compose(
    composite: &mut Value,
    inputs: &Inputs,
    cluster: &mut Cluster,
    call: &mut Call<'_>,
) -> Result<Composed, SimulateError> {
    let observed = observed::observe(composite, &cluster.store)?;
    let request = request(composite, &observed, inputs)?;
    let response = requirements::call_until_settled(request, &cluster.store, &inputs.schemas, call)?;
    let mut events = results(&response, &inputs.step)?;
    let conditions = response.conditions.iter().map(condition).collect();
    let desired = State::decode(response.desired.unwrap_or_default())?;

    let mut unready = Vec::new();
    let mut objects = Vec::new();
    for (name, resource) in &desired.resources {
        let object = desired_object(name, resource, composite, observed.get(name), &mut events)?;
        objects.push(object);
        if resource.ready() != Ready::True {
            unready.push(name.clone());
        }
    }
    cluster.apply(references(composite, &objects));
    for object in objects {
        cluster.apply(object);
    }
    apply_status(composite, desired.composite.as_ref(), cluster)?;
    let ready = match desired.composite.unwrap_or_default().ready() {
        Ready::True => Some(true),
        Ready::False => Some(false),
        Ready::Unspecified => None,
    };
    Ok(Composed {
        unready,
        ready,
        events,
        conditions,
    })
}

fn request(
    composite: &Value,
    observed: &BTreeMap<String, Value>,
    inputs: &Inputs,
) -> Result<RunFunctionRequest, SimulateError> {
    let resource = |value: &Value, what: &str| -> Result<Resource, SimulateError> {
        let resource = structs::encode(value, || what.to_owned())?;
        Ok(Resource {
            resource: Some(resource),
            ..Resource::default()
        })
    };
    let state = State {
        composite: Some(resource(composite, "the composite resource")?),
        resources: observed
            .iter()
            .map(|(name, object)| Ok((name.clone(), resource(object, name)?)))
            .collect::<Result<_, SimulateError>>()?,
    };
    let input = inputs
        .input
        .as_ref()
        .map(|input| structs::encode(input, || "the input".to_owned()))
        .transpose()?;
    let context = structs::encode(&json!(inputs.context), || "the context".to_owned())?;
    let mut request = RunFunctionRequest {
        observed: Some(state),
        desired: Some(Bytes::new()),
        input,
        context: Some(context),
        ..RunFunctionRequest::default()
    };
    let hash = Sha256::digest(request.encode_to_vec());
    request.meta = Some(RequestMeta {
        tag: identity::hexadecimal(&hash),
        capabilities: CAPABILITIES.map(i32::from).to_vec(),
    });
    Ok(request)
}

/// The results as events; a fatal one is the end.
fn results(response: &RunFunctionResponse, step: &str) -> Result<Vec<Event>, SimulateError> {
    let step_quoted = events::quote(step);
    response
        .results
        .iter()
        .map(|result| {
            let reason = result
                .reason
                .as_deref()
                .filter(|reason| !reason.is_empty())
                .unwrap_or(COMPOSE_REASON);
            let message = &result.message;
            match result.severity() {
                Severity::Fatal => Err(SimulateError::Fatal {
                    step: step.to_owned(),
                    message: message.clone(),
                }),
                Severity::Warning => Ok(Event::warning(
                    reason,
                    format!("Pipeline step {step_quoted}: {message}"),
                )),
                Severity::Normal => Ok(Event::normal(
                    reason,
                    format!("Pipeline step {step_quoted}: {message}"),
                )),
                Severity::Unspecified => {
                    let unknown = "returned a result of unknown severity (assuming warning)";
                    Ok(Event::warning(
                        reason,
                        format!("Pipeline step {step_quoted} {unknown}: {message}"),
                    ))
                }
            }
        })
        .collect()
}

fn condition(condition: &crate::function::proto::v1::Condition) -> Condition {
    let status = match condition.status() {
        Status::ConditionTrue => "True",
        Status::ConditionFalse => "False",
        Status::ConditionUnknown | Status::ConditionUnspecified => "Unknown",
    };
    Condition::new(&condition.r#type, status, &condition.reason).with_message(condition.message())
}

/// The desired object with everything that Crossplane adds to it.
fn desired_object(
    name: &str,
    resource: &Resource,
    composite: &Value,
    observed: Option<&Value>,
    events: &mut Vec<Event>,
) -> Result<Value, SimulateError> {
    let mut object = structs::decode(resource.resource.as_ref(), || {
        format!("desired resource \"{name}\"")
    })?;
    if let Some(observed) = observed {
        for field in ["namespace", "name", "generateName"] {
            object::set_metadata(&mut object, field, object::text(observed, &["metadata", field]));
        }
    }
    let own_namespace = object::namespace(&object);
    let namespace = object::namespace(composite);
    if !namespace.is_empty() && !own_namespace.is_empty() && own_namespace != namespace {
        let quoted = [name, own_namespace, namespace].map(events::quote);
        let [name, own, theirs] = quoted;
        let message = format!(
            "cannot create composed resource {name} in namespace {own}, using XR namespace {theirs} instead"
        );
        events.push(Event::warning("NamespaceOverridden", message));
    }
    add_metadata(&mut object, name, composite)?;
    if !identity::is_valid_name(object::name(&object), &object) {
        let bad = object::name(&object).to_owned();
        return Err(SimulateError::InvalidName {
            resource: name.to_owned(),
            name: bad,
        });
    }
    Ok(object)
}

fn add_metadata(object: &mut Value, name: &str, composite: &Value) -> Result<(), SimulateError> {
    let label = object::label(composite, COMPOSITE_LABEL);
    if object::name(object).is_empty() && object::text(object, &["metadata", "generateName"]).is_empty() {
        object::set_metadata(object, "generateName", &format!("{label}-"));
    }
    if !object::namespace(composite).is_empty() {
        object::set_metadata(object, "namespace", object::namespace(composite));
    }
    let annotation = (RESOURCE_NAME_ANNOTATION.to_owned(), name.to_owned());
    object::add_to_string_map(object, "annotations", [annotation]);
    let mut labels = vec![(COMPOSITE_LABEL.to_owned(), label)];
    let claim = CLAIM_LABELS.map(|key| (key.to_owned(), object::label(composite, key)));
    if claim.iter().all(|(_, value)| !value.is_empty()) {
        labels.extend(claim);
    }
    object::add_to_string_map(object, "labels", labels);
    if let Some([uid, kind, owner]) = object::controller(object)
        && uid != object::uid(composite)
    {
        let (kind, owner) = (kind.to_owned(), owner.to_owned());
        return Err(SimulateError::ForeignController {
            resource: name.to_owned(),
            kind,
            name: owner,
        });
    }
    object::set_controller(object, composite);
    if object::name(object).is_empty() {
        let prefix = object::text(object, &["metadata", "generateName"]).to_owned();
        let generated = identity::generated_name(&prefix, object::uid(composite), name);
        object::set_metadata(object, "name", &generated);
    }
    Ok(())
}

/// A composite resource that consists of its references, sorted.
fn references(composite: &Value, objects: &[Value]) -> Value {
    let is_namespaced = !object::namespace(composite).is_empty();
    let mut references: Vec<_> = objects
        .iter()
        .map(|object| observed::reference(object, is_namespaced))
        .collect();
    references.sort_by_cached_key(|reference| {
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or_default();
        [text("apiVersion"), text("kind"), text("name"), text("namespace")].concat()
    });
    let mut refering = json!({"apiVersion": object::api_version(composite), "kind": object::kind(composite)});
    object::set_metadata(&mut refering, "namespace", object::namespace(composite));
    object::set_metadata(&mut refering, "name", object::name(composite));
    observed::set_references(&mut refering, references);
    refering
}

/// Of the desired composite resource only the status counts; conditions set so far are kept.
fn apply_status(
    composite: &mut Value,
    desired: Option<&Resource>,
    cluster: &mut Cluster,
) -> Result<(), SimulateError> {
    let bytes = desired.and_then(|desired| desired.resource.as_ref());
    let mut next = structs::decode(bytes, || "the desired composite resource".to_owned())?;
    for field in ["apiVersion", "kind"] {
        object::set(&mut next, &[field], json!(object::text(composite, &[field])));
    }
    for field in ["namespace", "name", "uid"] {
        object::set_metadata(&mut next, field, object::text(composite, &["metadata", field]));
    }
    let pending = conditions::read(composite);
    if !pending.is_empty() {
        conditions::set(&mut next, pending);
    }
    cluster.apply_status(&mut next);
    *composite = next;
    Ok(())
}
