//! What happens to composed resources: in the next pass, and by a change of the spec.
//!
//! In: answers. Out: [`Change`]s, field by field.

use serde_json::Value;

use super::{Act, Answer, Change, ChangeOfSpec, Condition, full_name};
use crate::{
    cli::plan::difference::{Sides, differences},
    function::explain::{ExplainedCondition, stage_of},
};

/// What the next pass does with what is there.
pub fn next_pass(answer: &Answer) -> Vec<Change> {
    let Answer {
        observed, desired, ..
    } = answer;
    let gone = observed.iter().filter(|(name, _)| !desired.contains_key(*name));
    let mut changes: Vec<_> = gone
        .map(|(name, object)| Change {
            act: Act::Delete,
            resource: name.clone(),
            object: full_name(object),
            fields: Vec::new(),
        })
        .collect();
    for (name, (object, _)) in desired {
        let (act, fields) = match observed.get(name) {
            None => (Act::Create, Vec::new()),
            Some(before) => (Act::Change, differences(before, object, Sides::Second)),
        };
        if act == Act::Create || !fields.is_empty() {
            changes.push(Change {
                act,
                resource: name.clone(),
                object: full_name(object),
                fields,
            });
        }
    }
    changes
}

/// What differs between the plans of two specs, made from the same observations.
pub fn change(old: &Answer, new: &Answer) -> ChangeOfSpec {
    let mut resources = Vec::new();
    for (name, (object, _)) in &old.desired {
        if !new.desired.contains_key(name) {
            let act = if old.observed.contains_key(name) {
                Act::Delete
            } else {
                Act::Omit
            };
            resources.push(Change {
                act,
                resource: name.clone(),
                object: full_name(object),
                fields: Vec::new(),
            });
        }
    }
    for (name, (object, _)) in &new.desired {
        let Some((before, _)) = old.desired.get(name) else {
            let act = if is_rerun(name, old) {
                Act::Rerun
            } else {
                Act::Create
            };
            resources.push(Change {
                act,
                resource: name.clone(),
                object: full_name(object),
                fields: Vec::new(),
            });
            continue;
        };
        let fields = differences(before, object, Sides::Both);
        if !fields.is_empty() {
            resources.push(Change {
                act: Act::Change,
                resource: name.clone(),
                object: full_name(object),
                fields,
            });
        }
    }
    let says_something_else = |condition: &&ExplainedCondition| {
        let before = old.condition(condition.r#type);
        before
            .is_none_or(|before| (&before.reason, &before.message) != (&condition.reason, &condition.message))
    };
    let conditions = new.explanation.conditions.iter().filter(says_something_else);
    ChangeOfSpec {
        phase: [old.explanation.phase.to_owned(), new.explanation.phase.to_owned()],
        conditions: conditions
            .map(|condition| Condition::of(condition, &Value::Null))
            .collect(),
        status: differences(&old.status, &new.status, Sides::Both),
        resources,
    }
}

/// Whether a Job does once more what another one has done or tried.
fn is_rerun(name: &str, old: &Answer) -> bool {
    let Some(stage) = stage_of(name, &old.explanation.stages) else {
        return false;
    };
    let was_recorded = old
        .status
        .get("done")
        .is_some_and(|done| done.get(stage.name).is_some());
    was_recorded || old.of_stage(&old.observed, stage.name).is_some()
}
