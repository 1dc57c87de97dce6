//! What the core decided -> `RunFunctionResponse`.
//!
//! In: the request, composed resources, status, conditions, events, questions. Out: the response. The desired state and
//! context of earlier functions pass as they came. Only the composite's status is written, never its spec or
//! metadata, and never the status of a composed resource.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    proto::v1::{
        Condition, MatchLabels, Ready, Requirements, ResourceSelector, ResponseMeta, Result as Outcome,
        RunFunctionRequest, RunFunctionResponse, SchemaSelector, Severity, Status, Target,
        resource_selector::Match,
    },
    wire::{self, ReadError, WriteError},
};
use crate::{
    api::{API_VERSION, check::Problem},
    compose::Composed,
    observed::object::Condition as ObservedCondition,
    plan::{ConditionState, ConditionType, Questions},
    status::Event,
};

/// Why a response cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// A value has no place in a Struct.
    #[error("cannot write {name}")]
    Write {
        /// Which composed resource, or the status.
        name: String,
        /// Why.
        source: WriteError,
    },
    /// The desired state of earlier functions cannot be read, so it cannot be passed on either.
    #[error("cannot pass on the desired state of earlier functions")]
    Foreign(#[source] ReadError),
}

/// The composite resource as a function may write it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Composite<'a, Status> {
    api_version: &'static str,
    kind: &'static str,
    status: &'a Status,
}

/// What the core decided about a composite resource.
pub struct Answer<'a, Status> {
    /// Its kind.
    pub kind: &'static str,
    /// Its status.
    pub status: &'a Status,
    /// Whether it is usable.
    pub ready: bool,
    /// Its conditions.
    pub conditions: &'a BTreeMap<ConditionType, ConditionState>,
    /// Its composed resources.
    pub composed: &'a Composed,
    /// What changed.
    pub events: Vec<Event>,
    /// What we need to know.
    pub questions: &'a Questions,
    /// Seconds after which to ask again.
    pub ttl_seconds: i64,
}

/// A Job with its pod, the largest object that we compose, has about as many; growing to that would copy it ten times.
const OBJECT_BYTES: usize = 4096;

/// The reason of the fatal result of a refusal.
const REFUSED: &str = "InvalidInput";

/// The response of a call that went well.
pub fn write<Status: Serialize>(
    request: &RunFunctionRequest,
    answer: Answer<'_, Status>,
) -> Result<RunFunctionResponse, ResponseError> {
    let Answer {
        kind,
        status,
        ready: is_ready,
        conditions,
        composed,
        events,
        questions,
        ttl_seconds,
    } = answer;
    // One buffer for all: many large ones make the allocator tidy up each time.
    let mut written = Vec::with_capacity(OBJECT_BYTES * composed.len());
    let mut places = Vec::with_capacity(composed.len());
    for (name, desired) in composed {
        let (name, start) = (name.to_string(), written.len());
        wire::write_into(&desired.object, &mut written).map_err(|source| ResponseError::Write {
            name: name.clone(),
            source,
        })?;
        places.push((name, start..written.len(), ready(desired.ready)));
    }
    let resources: BTreeMap<_, _> = places
        .into_iter()
        .map(|(name, place, ready)| (name, (&written[place], ready)))
        .collect();
    let composite = wire::write(&Composite {
        api_version: API_VERSION,
        kind,
        status,
    })
    .map_err(|source| ResponseError::Write {
        name: "status".to_owned(),
        source,
    })?;
    let foreign = request.desired.as_deref().unwrap_or_default();
    let desired = wire::state::merge(foreign, Some((&composite, ready(is_ready))), &resources)
        .map_err(ResponseError::Foreign)?;
    Ok(RunFunctionResponse {
        meta: Some(meta(request, Some(ttl_seconds))),
        desired: Some(desired.into()),
        context: request.context.clone(),
        results: events.into_iter().map(result).collect(),
        conditions: conditions
            .iter()
            .map(|(r#type, state)| condition(*r#type, state))
            .collect(),
        requirements: requirements(questions),
        output: None,
    })
}

/// The response of a call that cannot go on: one fatal result with every problem, which changes nothing in the cluster.
/// Conditions are repeated as they are, since Crossplane sets those that are left out to Unknown after a fatal result.
pub fn refuse(
    request: &RunFunctionRequest,
    problems: &[Problem],
    conditions: &BTreeMap<String, ObservedCondition>,
) -> RunFunctionResponse {
    let known = ConditionType::OF_TENANT.iter().chain(&ConditionType::OF_TEMPLATE);
    let ours = known.filter_map(|r#type| conditions.get(r#type.as_str()));
    RunFunctionResponse {
        meta: Some(meta(request, None)),
        desired: request.desired.clone(),
        context: request.context.clone(),
        results: vec![Outcome {
            severity: Severity::Fatal.into(),
            message: message(problems),
            reason: Some(REFUSED.to_owned()),
            target: Some(Target::Composite.into()),
        }],
        conditions: ours.map(repeated).collect(),
        requirements: None,
        output: None,
    }
}

fn message(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

fn meta(request: &RunFunctionRequest, ttl_seconds: Option<i64>) -> ResponseMeta {
    let tag = request
        .meta
        .as_ref()
        .map(|meta| meta.tag.clone())
        .unwrap_or_default();
    let ttl = ttl_seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
    ResponseMeta { tag, ttl }
}

fn ready(ready: bool) -> Ready {
    if ready { Ready::True } else { Ready::False }
}

fn result(event: Event) -> Outcome {
    let Event {
        warning,
        reason,
        message,
    } = event;
    let severity = if warning {
        Severity::Warning
    } else {
        Severity::Normal
    };
    Outcome {
        severity: severity.into(),
        message,
        reason: Some(reason),
        target: Some(Target::Composite.into()),
    }
}

fn condition(r#type: ConditionType, state: &ConditionState) -> Condition {
    let status = if state.holds() {
        Status::ConditionTrue
    } else {
        Status::ConditionFalse
    };
    Condition {
        r#type: r#type.as_str().to_owned(),
        status: status.into(),
        reason: state.reason(),
        message: Some(state.message()),
        target: Some(Target::Composite.into()),
    }
}

fn repeated(observed: &ObservedCondition) -> Condition {
    let status = match observed.status.as_str() {
        "True" => Status::ConditionTrue,
        "False" => Status::ConditionFalse,
        _ => Status::ConditionUnknown,
    };
    Condition {
        r#type: observed.r#type.clone(),
        status: status.into(),
        reason: observed.reason.clone(),
        message: Some(observed.message.clone()),
        target: Some(Target::Composite.into()),
    }
}

/// No message when nothing is asked: cores before 2.4 take an empty one as a reason to call again.
fn requirements(questions: &Questions) -> Option<Requirements> {
    let by_name = questions.objects.iter().map(|(key, question)| {
        let selector = ResourceSelector {
            api_version: question.api_version.to_owned(),
            kind: question.kind.to_owned(),
            namespace: question.namespace.clone(),
            r#match: Some(Match::MatchName(question.name.clone())),
        };
        (key.clone(), selector)
    });
    let by_labels = questions.lists.iter().map(|(key, question)| {
        let labels = question.labels.clone();
        let selector = ResourceSelector {
            api_version: question.api_version.to_owned(),
            kind: question.kind.to_owned(),
            namespace: Some(question.namespace.clone()),
            r#match: Some(Match::MatchLabels(MatchLabels { labels })),
        };
        (key.clone(), selector)
    });
    let resources: BTreeMap<_, _> = by_name.chain(by_labels).collect();
    let schemas: BTreeMap<_, _> = questions
        .kinds
        .iter()
        .map(|(key, (api_version, kind))| {
            let selector = SchemaSelector {
                api_version: (*api_version).to_owned(),
                kind: (*kind).to_owned(),
            };
            ((*key).to_owned(), selector)
        })
        .collect();
    let asks = !resources.is_empty() || !schemas.is_empty();
    asks.then(|| Requirements {
        resources,
        schemas,
        ..Requirements::default()
    })
}
