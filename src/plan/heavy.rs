//! Heavy Jobs, which install modules for minutes: one at a time in a namespace.
//!
//! A Job that is there goes on, whoever else has one: only one that is to come waits, for the oldest of those that are not
//! finished. So nobody waits for somebody who waits. Two that come in the same moment do not see each other, and run side
//! by side: that is slow, and not wrong.

use super::{
    Questions, WaitingOn,
    questions::{ListQuestion, full_name},
    steps::Context,
};
use crate::{
    blueprint::{Blueprint, labels},
    observed::{HEAVY_JOBS_QUESTION, JobView},
};

/// Whether a Job may begin as far as other heavy ones go.
pub fn may_begin(
    blueprint: &Blueprint,
    context: &Context<'_>,
    questions: &mut Questions,
) -> Result<(), WaitingOn> {
    if !blueprint.heavy {
        return Ok(());
    }
    let namespace = &blueprint.namespace;
    let question = ListQuestion {
        api_version: "batch/v1",
        kind: "Job",
        namespace: namespace.clone(),
        labels: labels::heavy(),
    };
    questions.lists.insert(HEAVY_JOBS_QUESTION.to_owned(), question);
    let Some(jobs) = context.required.jobs.get(HEAVY_JOBS_QUESTION) else {
        let what = format!("the heavy Jobs in namespace {namespace}");
        return Err(WaitingOn::LookupPending(what));
    };
    let is_ours = |job: &JobView| {
        let controller = job.metadata.controller();
        controller.is_some_and(|owner| owner.uid == context.subject.uid())
    };
    let others = jobs
        .iter()
        .filter(|job| job.outcome().is_unfinished() && !is_ours(job));
    let oldest = others.min_by_key(|job| (&job.metadata.creation_timestamp, &job.metadata.name));
    match oldest {
        None => Ok(()),
        Some(job) => {
            let name = full_name(Some(&job.metadata.namespace), &job.metadata.name);
            Err(WaitingOn::HeavyJobRunning(name))
        }
    }
}
