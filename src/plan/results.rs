//! What a finished Job said: asked for as long as nothing records it, and told in few words.
//!
//! A pod may be gone before its Job is recorded, so an answer without a result is an answer. While there is none yet the
//! step goes on as if there were no result: Crossplane calls again with the answer before it applies anything.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Questions, questions::ListQuestion};
use crate::{
    contract::{JobResult, Report},
    names::Step,
    observed::{JobView, PODS_QUESTION, Required, pod},
};

/// What Kubernetes labels the pods of a Job with (since 1.27).
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// Asks what a finished Job said.
pub fn ask(
    step: Step,
    job: &JobView,
    is_complete: bool,
    required: &Required,
    questions: &mut Questions,
) -> Option<JobResult> {
    let key = format!("{PODS_QUESTION}{}", step.as_str());
    let pods = required.pods.get(&key);
    let question = ListQuestion {
        api_version: "v1",
        kind: "Pod",
        namespace: job.metadata.namespace.clone(),
        labels: [(JOB_NAME.to_owned(), job.metadata.name.clone())].into(),
    };
    questions.lists.insert(key, question);
    pod::last_result(pods?, job, is_complete)
}

/// Why it did not end well, in its own words.
pub fn words(result: &JobResult) -> Option<String> {
    match (&result.reason, &result.message) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
        (Some(word), None) | (None, Some(word)) => Some(word.clone()),
        (None, None) => None,
    }
}

/// What it found and made: every field of its report that is a word or a number.
pub fn facts(report: &Report) -> BTreeMap<String, String> {
    // A report is plain data, which serde_json can always represent: one field, its kind, with the fields of it.
    let value = serde_json::to_value(report).unwrap_or_default();
    let fields = value.as_object().into_iter().flatten();
    let fields = fields.filter_map(|(_, fields)| fields.as_object()).flatten();
    fields
        .filter_map(|(name, value)| Some((name.clone(), word(value)?)))
        .collect()
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
