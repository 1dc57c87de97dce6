//! What a plan says, as data: the document of `-o json`.
//!
//! In: the last request of a pass, its response and its explanation. Out: a [`Report`]. What is observed and what is desired
//! are compared here; nothing is decided.

mod change;
mod step;

use std::collections::BTreeMap;

use prost::Message as _;
use serde::Serialize;
use serde_json::Value;

pub use self::change::change;
use super::{difference::Difference, title};
use crate::{
    cli::render::simulate,
    function::{
        explain::{ExplainedCondition, Explanation, stage_of},
        proto::v1::{Ready, Resource, RunFunctionRequest, RunFunctionResponse, State},
        wire,
    },
};

/// Everything that one pass saw and answered.
pub struct Answer {
    explanation: Explanation,
    /// The composite resource's status as answered.
    status: Value,
    observed: BTreeMap<String, Value>,
    /// With whether each is ready.
    desired: BTreeMap<String, (Value, bool)>,
}

/// The document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The kind of the composite resource.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub phase: String,
    /// Whether it can be used.
    pub ready: bool,
    /// What it comes to.
    pub verdict: Verdict,
    /// Why Crossplane does nothing of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// The steps in the order of a life.
    pub steps: Vec<Step>,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// What the next pass does.
    pub next_pass: Vec<Change>,
    /// Seconds after which Crossplane asks again at the latest.
    pub asks_again_after_seconds: i64,
    /// What a change does; only with `--from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeOfSpec>,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Everything is as it is to be.
    Settled,
    /// Something is on its way.
    Waiting,
    /// Somebody has to do something.
    Trouble,
}

/// Why Crossplane does nothing for a composite resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Halt {
    /// It is paused.
    Paused,
    /// It is being deleted.
    Deleting,
}

/// A step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it makes.
    pub makes: String,
    /// How far it is.
    pub state: StepState,
    /// What shows that: an object that is there, a record, or what has to be observed first.
    pub evidence: Vec<String>,
    /// Since when, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What it waits for, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it waits for, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What its Job found and made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub result: BTreeMap<String, String>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// It is there, or recorded.
    Done,
    /// Something is on its way.
    Waiting,
    /// Somebody has to do something.
    Stuck,
    /// The next pass makes it.
    Next,
    /// It comes after others.
    Later,
    /// The platform has no such system.
    Off,
}

/// A condition.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Its type.
    pub r#type: String,
    /// Whether it holds.
    pub holds: bool,
    /// Whether nothing can be used without it.
    pub essential: bool,
    /// Whether it will not pass unless somebody does something.
    pub needs_somebody: bool,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// Since when, where the composite resource says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// What happens to a composed resource.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What.
    pub act: Act,
    /// Its composition resource name.
    pub resource: String,
    /// Its kind, namespace and name.
    pub object: String,
    /// The fields that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Difference>,
}

/// What happens to a composed resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is deleted.
    Delete,
    /// A Job takes the place of one that is there.
    Rerun,
    /// It would have been made, and is not.
    Omit,
}

/// What a change of the spec does.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeOfSpec {
    /// The phase before and after.
    pub phase: [String; 2],
    /// Conditions that say something else, after.
    pub conditions: Vec<Condition>,
    /// Fields of status that say something else.
    pub status: Vec<Difference>,
    /// What happens to composed resources.
    pub resources: Vec<Change>,
}

impl Answer {
    /// Takes a request and its response apart.
    pub fn new(
        request: &RunFunctionRequest,
        response: &RunFunctionResponse,
        explanation: Explanation,
    ) -> Self {
        let decode = |resource: &Resource| {
            wire::to_json(resource.resource.as_deref().unwrap_or_default()).unwrap_or_default()
        };
        let state = State::decode(response.desired.clone().unwrap_or_default()).unwrap_or_default();
        let observed = request.observed.clone().unwrap_or_default().resources;
        let composite = state.composite.as_ref().map(decode).unwrap_or_default();
        Self {
            explanation,
            status: composite.get("status").cloned().unwrap_or_default(),
            observed: observed
                .iter()
                .map(|(name, resource)| (name.clone(), decode(resource)))
                .collect(),
            desired: state
                .resources
                .iter()
                .map(|(name, resource)| (name.clone(), (decode(resource), resource.ready() == Ready::True)))
                .collect(),
        }
    }

    fn of_stage<'a, T>(&self, all: &'a BTreeMap<String, T>, stage: &str) -> Option<(&'a String, &'a T)> {
        let stages = &self.explanation.stages;
        let mut found = all
            .iter()
            .filter(|(name, _)| stage_of(name, stages).is_some_and(|of| of.name == stage));
        // The newest route or Job is the one that counts.
        found.next_back()
    }

    fn condition(&self, r#type: &str) -> Option<&ExplainedCondition> {
        self.explanation
            .conditions
            .iter()
            .find(|condition| condition.r#type == r#type)
    }
}

impl Report {
    /// The report of one pass.
    pub fn of(composite: &Value, answer: &Answer) -> Self {
        let (kind, name) = title(composite);
        let Explanation {
            phase,
            ready,
            conditions,
            stages: _,
            recorded: _,
            ttl_seconds,
        } = &answer.explanation;
        let next_pass = change::next_pass(answer);
        let conditions: Vec<_> = conditions
            .iter()
            .map(|condition| Condition::of(condition, composite))
            .collect();
        let verdict = if conditions.iter().any(|condition| condition.needs_somebody) {
            Verdict::Trouble
        } else if next_pass.is_empty() && conditions.iter().all(|condition| condition.holds) {
            Verdict::Settled
        } else {
            Verdict::Waiting
        };
        Self {
            kind,
            name,
            phase: (*phase).to_owned(),
            ready: *ready,
            verdict,
            halt: None,
            steps: step::steps(composite, answer),
            conditions,
            next_pass,
            asks_again_after_seconds: *ttl_seconds,
            change: None,
        }
    }
}

impl Report {
    /// Nothing of this happens for as long as that lasts.
    pub fn halt(&mut self, halt: Option<Halt>) {
        self.halt = halt;
        match halt {
            Some(Halt::Paused) => self.verdict = Verdict::Trouble,
            Some(Halt::Deleting) if self.verdict == Verdict::Settled => self.verdict = Verdict::Waiting,
            Some(Halt::Deleting) | None => {}
        }
    }
}

impl Condition {
    fn of(explained: &ExplainedCondition, composite: &Value) -> Self {
        let ExplainedCondition {
            r#type,
            holds,
            is_essential,
            needs_somebody,
            reason,
            message,
        } = explained;
        Self {
            since: since(composite, r#type, reason),
            r#type: (*r#type).to_owned(),
            holds: *holds,
            essential: *is_essential,
            needs_somebody: *needs_somebody,
            reason: reason.clone(),
            message: message.clone(),
        }
    }
}

/// Since when the composite resource has a condition with this reason.
fn since(composite: &Value, r#type: &str, reason: &str) -> Option<String> {
    let conditions = composite.get("status")?.get("conditions")?.as_array()?;
    let mut found = conditions
        .iter()
        .filter(|condition| condition["type"] == r#type && condition["reason"] == reason);
    found.next()?["lastTransitionTime"].as_str().map(str::to_owned)
}

/// Kind, namespace and name.
fn full_name(object: &Value) -> String {
    let (kind, namespace, name) = (
        simulate::kind(object),
        simulate::namespace(object),
        simulate::name(object),
    );
    match (namespace.is_empty(), name.is_empty()) {
        (_, true) => kind.to_owned(),
        (true, false) => format!("{kind} {name}"),
        (false, false) => format!("{kind} {namespace}/{name}"),
    }
}
