//! How far each step is, and what shows that.
//!
//! In: the composite resource as it was read, and the answer. Out: [`Step`]s. A step is done when its object is there and ready, or when
//! status has its record; the condition that tells of it says what it waits for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Answer, Step, StepState, full_name, since};
use crate::{cli::render::simulate, function::explain::ExplainedCondition};

/// The steps in the order of a life.
pub fn steps(composite: &Value, answer: &Answer) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for stage in &answer.explanation.stages {
        let is_done = |name: &str, steps: &[Step]| {
            steps
                .iter()
                .any(|step| step.name == name && step.state == StepState::Done)
        };
        let missing = stage.needs.iter().filter(|evidence| {
            evidence
                .comes_from()
                .is_some_and(|source| !is_done(source, &steps))
        });
        let missing: Vec<_> = missing.map(|evidence| evidence.words()).collect();
        let mut step = Step {
            name: stage.name.to_owned(),
            makes: stage.makes.to_owned(),
            state: StepState::Later,
            evidence: missing,
            since: None,
            reason: None,
            message: None,
            result: BTreeMap::new(),
        };
        stand(
            &mut step,
            composite,
            answer,
            answer.condition(stage.condition.as_str()),
        );
        steps.push(step);
    }
    steps
}

/// How far a step is; its evidence is what it has to wait for, so far.
fn stand(step: &mut Step, composite: &Value, answer: &Answer, condition: Option<&ExplainedCondition>) {
    let record = answer.status.get("done").and_then(|done| done.get(&step.name));
    // What was done in an earlier turn of a tenant's life is to be done again.
    let counts = answer.explanation.recorded.contains(step.name.as_str());
    if let Some(record) = record.filter(|_| counts) {
        step.state = StepState::Done;
        step.evidence = vec![format!("the Job {}", text_of(record, "job"))];
        step.since = Some(text_of(record, "time"));
        let result = record
            .get("result")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        step.result = result
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        return;
    }
    let observed = answer.of_stage(&answer.observed, &step.name);
    let desired = answer.of_stage(&answer.desired, &step.name);
    let created =
        observed.map(|(_, object)| simulate::text(object, &["metadata", "creationTimestamp"]).to_owned());
    match (observed, desired) {
        (Some((_, object)), Some((_, (_, true)))) => {
            step.state = StepState::Done;
            step.evidence = vec![full_name(object)];
            step.since = created;
        }
        (None, Some((_, (object, _)))) => {
            step.state = StepState::Next;
            step.evidence = vec![full_name(object)];
        }
        (_, None) if !step.evidence.is_empty() => {}
        (_, None) if condition.is_some_and(|condition| condition.holds) => step.state = StepState::Off,
        (observed, _) => {
            step.evidence = observed.iter().map(|(_, object)| standing(object)).collect();
            step.state = StepState::Waiting;
        }
    }
    let waits = matches!(step.state, StepState::Waiting | StepState::Next);
    if let Some(condition) = condition.filter(|condition| waits && !condition.holds) {
        if condition.needs_somebody {
            step.state = StepState::Stuck;
        }
        step.reason = Some(condition.reason.clone());
        step.message = Some(condition.message.clone());
        step.since = since(composite, condition.r#type, &condition.reason);
    }
}

fn text_of(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// An object, and since when it is there.
fn standing(object: &Value) -> String {
    let created = simulate::text(object, &["metadata", "creationTimestamp"]);
    if created.is_empty() {
        full_name(object)
    } else {
        format!("{}, there since {created}", full_name(object))
    }
}
