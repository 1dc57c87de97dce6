//! `RunFunctionRequest` -> what the core works on: identity, spec, Platform, observed, time.
//!
//! In: a request whose Structs are undecoded. Out: a [`Request`], or every problem of the request at once. Only the
//! fields that a decision needs are read. What cannot be read ends the call: an observed resource that is half there is no
//! reason to think that it is not there.

mod observation;
mod platform;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    proto::v1::{RunFunctionRequest, State},
    wire::{self, ReadError},
};
use crate::{
    api::{API_VERSION, check::Problem, plana_client, platform::Platform, template_snapshot},
    observed::{Observed, object::Condition, object::Metadata},
    tenant::{Identity, Living, resolve::parse_major},
};

/// The context key that fixes the time of a call: previews and tests give it, so that they can be repeated.
pub const NOW_CONTEXT_KEY: &str = "odoo.fn.planapulse.com/now";
/// What Crossplane's webhook leaves on an object whose deletion it refused because of a usage (2.x).
const DELETION_ATTEMPT: &str = "usage.crossplane.io/deletion-attempt-with-policy";

/// A kind of composite resource that we serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `PLANAClient`.
    PlanaClient,
    /// `TemplateSnapshot`.
    TemplateSnapshot,
}

/// A request about a composite resource whose kind has this spec and this status, read.
pub struct Request<Spec, Status> {
    /// The composite resource apart from its spec.
    pub identity: Identity,
    /// What is wanted.
    pub spec: Spec,
    /// The platform.
    pub platform: Arc<Platform>,
    /// What there is.
    pub observed: Observed<Status>,
    /// The time of the call.
    pub now: Timestamp,
}

/// The composite resource, as far as it says what it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Head {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata`.
    pub metadata: Metadata,
}

#[derive(Deserialize)]
struct WithSpec<Spec> {
    spec: Spec,
}

/// The spec as it came.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSpec {
    spec: Option<Value>,
}

#[derive(Deserialize)]
struct WithStatus<Status> {
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conditions {
    status: ConditionList,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConditionList {
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    #[serde(rename = "odoo.fn.planapulse.com/now")]
    now: Option<String>,
}

/// What a request is about.
pub fn head(request: &RunFunctionRequest) -> Result<(Kind, Head), Vec<Problem>> {
    head_of(composite(request))
}

/// Reads a request about the object of that metadata; `check` says everything that is wrong with a spec that cannot be
/// read.
pub fn read<Spec: DeserializeOwned, Status: DeserializeOwned + Default>(
    request: &RunFunctionRequest,
    metadata: &Metadata,
    now: Timestamp,
    check: fn(&Value) -> Vec<Problem>,
) -> Result<Request<Spec, Status>, Vec<Problem>> {
    let composite = composite(request);
    let mut problems = Vec::new();
    let mut keep = |found: Vec<Problem>| problems.extend(found);
    let spec = spec(composite, check).map_err(&mut keep).ok();
    let platform = platform::platform(request.input.as_ref()).map_err(&mut keep).ok();
    let now = time(request.context.as_ref(), now).map_err(&mut keep).ok();
    let status = status(composite).map_err(&mut keep).ok();
    let none = BTreeMap::new();
    let resources = request.observed.as_ref().map_or(&none, |state| &state.resources);
    let observed = observation::observed::<Status>(resources).map_err(&mut keep).ok();
    let required = observation::required(request).map_err(&mut keep).ok();
    let (Some(spec), Some(platform), Some(now), Some(status), Some(observed), Some(required)) =
        (spec, platform, now, status, observed, required)
    else {
        problems.sort();
        return Err(problems);
    };
    let observed = Observed {
        status,
        conditions: conditions(composite),
        deletion_attempted: metadata.annotations.contains_key(DELETION_ATTEMPT),
        required,
        ..observed
    };
    let identity = Identity {
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
    };
    Ok(Request {
        identity,
        spec,
        platform,
        observed,
        now,
    })
}

/// The bytes of the composite resource; none reads like an empty object.
fn composite(request: &RunFunctionRequest) -> &[u8] {
    let state: Option<&State> = request.observed.as_ref();
    let resource = state
        .and_then(|state| state.composite.as_ref())
        .and_then(|composite| composite.resource.as_ref());
    resource.map_or(&[], |bytes| bytes)
}

/// What the composite resource says it is, for the log line; empty where it does not.
pub fn head_for_log(request: &RunFunctionRequest) -> Head {
    wire::read(composite(request)).unwrap_or_default()
}

/// Its conditions, by type; none where they cannot be read.
pub fn conditions_for_refusal(request: &RunFunctionRequest) -> BTreeMap<String, Condition> {
    conditions(composite(request))
}

fn head_of(composite: &[u8]) -> Result<(Kind, Head), Vec<Problem>> {
    if composite.is_empty() {
        let message = "cannot be left out: every call is about a composite resource";
        return Err(vec![Problem::new("observed.composite", message)]);
    }
    let head: Head = wire::read(composite).map_err(unreadable("observed.composite"))?;
    let mut wrong = Vec::new();
    if head.api_version != API_VERSION {
        let expected = format!("{API_VERSION:?}");
        wrong.push(Problem::cannot_be("apiVersion", &head.api_version, &expected));
    }
    let kind = match head.kind.as_str() {
        plana_client::KIND => Some(Kind::PlanaClient),
        template_snapshot::KIND => Some(Kind::TemplateSnapshot),
        other => {
            let expected = format!("{:?} or {:?}", plana_client::KIND, template_snapshot::KIND);
            wrong.push(Problem::cannot_be("kind", other, &expected));
            None
        }
    };
    match kind {
        Some(kind) if wrong.is_empty() => Ok((kind, head)),
        Some(_) | None => Err(wrong),
    }
}

/// The API server has checked the spec against its schema; what a preview gives has not been checked. So the whole is
/// only looked at when the typed read fails: then every problem is told, not only the first.
fn spec<Spec: DeserializeOwned>(
    composite: &[u8],
    check: fn(&Value) -> Vec<Problem>,
) -> Result<Spec, Vec<Problem>> {
    let error = match wire::read::<WithSpec<Spec>>(composite) {
        Ok(WithSpec { spec }) => return Ok(spec),
        Err(error) => error,
    };
    let RawSpec { spec } = wire::read(composite).map_err(unreadable("spec"))?;
    let Some(spec) = spec else {
        return Err(vec![Problem::new(
            "spec",
            "cannot be left out: it says what is wanted",
        )]);
    };
    let mut problems = check(&spec);
    // What a tree does not show any more, such as a field that was there twice.
    let unreadable = unreadable("spec")(error);
    let is_new = |found: &Problem| problems.iter().all(|problem| problem.path != found.path);
    let new: Vec<_> = unreadable.into_iter().filter(is_new).collect();
    problems.extend(new);
    Err(problems)
}

fn time(context: Option<&Bytes>, now: Timestamp) -> Result<Timestamp, Vec<Problem>> {
    let path = format!("context[{NOW_CONTEXT_KEY:?}]");
    let Some(context) = context else { return Ok(now) };
    let Context { now: fixed } = wire::read(context).map_err(unreadable("context"))?;
    let Some(text) = fixed else { return Ok(now) };
    let wrong = || Problem::cannot_be(path, &text, "a time like 2026-01-31T02:00:00Z");
    text.parse().map_err(|_| vec![wrong()])
}

fn status<Status: DeserializeOwned + Default>(composite: &[u8]) -> Result<Status, Vec<Problem>> {
    let WithStatus { status } = wire::read(composite).map_err(unreadable("status"))?;
    Ok(status.unwrap_or_default())
}

fn conditions(composite: &[u8]) -> BTreeMap<String, Condition> {
    let Conditions { status } = wire::read(composite).unwrap_or_default();
    status
        .conditions
        .into_iter()
        .map(|condition| (condition.r#type.clone(), condition))
        .collect()
}

/// The major of a tenant's database is in its status; should that be lost, it is in the name of its template, and at
/// last in the oldest of its routes.
pub fn living(observed: &Observed) -> Living {
    let recorded = observed.status.odoo_version.as_deref().and_then(parse_major);
    let template = observed
        .database
        .as_ref()
        .and_then(|database| database.spec.for_provider.template.as_deref());
    let cloned = template.and_then(|template| {
        let (_, rest) = template.split_once("-template-")?;
        parse_major(rest.split('.').next()?)
    });
    let mut routed: Vec<_> = observed
        .routes
        .keys()
        .chain(observed.answers.keys())
        .copied()
        .collect();
    routed.sort_unstable();
    routed.dedup();
    Living {
        serving: recorded.or(cloned).or_else(|| routed.first().copied()),
        routed,
    }
}

/// A part of the request that cannot be read.
pub(super) fn unreadable(path: &str) -> impl Fn(ReadError) -> Vec<Problem> {
    let path = path.to_owned();
    move |error| {
        let inner = error.path();
        let full = match inner {
            "" => path.clone(),
            _ if inner.starts_with(path.as_str()) || path == "observed.composite" => inner.to_owned(),
            _ if inner.starts_with('[') => format!("{path}{inner}"),
            _ => format!("{path}.{inner}"),
        };
        vec![Problem::new(full, format!("cannot be read: {}", error.kind()))]
    }
}
