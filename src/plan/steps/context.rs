//! What the steps of a tenant or a template are planned with.

use std::collections::BTreeMap;

use super::{inputs_of, job_name};
use crate::{
    api::plana_client::{PlanaClientStatus, StepRecord},
    names::Step,
    observed::{JobView, Observed, Required, job::JobOutcome},
    plan::{WaitingOn, secrets::Secrets},
    tenant::{Subject, Tenant},
};

/// What a step is planned with.
pub struct Context<'a> {
    /// Whose step it is.
    pub subject: Subject<'a>,
    /// The steps that the status that the cluster has says are done.
    pub done: &'a BTreeMap<String, StepRecord>,
    /// The Jobs that are observed, by step and hash.
    pub jobs: &'a BTreeMap<(Step, String), JobView>,
    /// The answers to our questions.
    pub required: &'a Required,
    /// Its Secrets.
    pub secrets: &'a Secrets,
    /// What steps are to be done with, where something else means that they are to be done again.
    pub inputs: BTreeMap<Step, String>,
    /// The backup that must be whole before anything is removed.
    pub final_backup: Option<String>,
}

impl<'a> Context<'a> {
    /// Of a tenant.
    pub fn of_tenant(
        tenant: &'a Tenant,
        observed: &'a Observed,
        secrets: &'a Secrets,
        inputs: BTreeMap<Step, String>,
    ) -> Self {
        Self {
            final_backup: final_backup(&observed.status, &inputs),
            inputs,
            subject: Subject::Tenant(tenant),
            done: &observed.status.done,
            jobs: &observed.jobs,
            required: &observed.required,
            secrets,
        }
    }

    /// The Jobs of a step that the record of it does not speak of: neither the one that it records, nor one before it that
    /// is still on its way out.
    pub(super) fn unrecorded(&self, step: Step) -> Vec<(&'a str, &'a JobView)> {
        let record = self.done.get(step.as_str());
        let is_recorded = |job: &JobView| match job.outcome() {
            // What is recorded is done, whatever else is there under its name.
            _ if record.is_some_and(|record| record.inputs == inputs_of(job)) => true,
            // Times are RFC 3339 in UTC, without fractions, so their order is that of their text.
            JobOutcome::Complete { time } => record.is_some_and(|record| time < record.time),
            JobOutcome::Running | JobOutcome::Failed(_) | JobOutcome::Deleting => false,
        };
        let of_step = self.jobs.iter().filter(|((of, _), _)| *of == step);
        of_step
            .map(|((_, hash), job)| (hash.as_str(), job))
            .filter(|(_, job)| !is_recorded(job))
            .collect()
    }

    /// Open while no other step's Job changes the tenant's data or who may use them.
    pub(super) fn no_other_writer(&self, step: Step) -> Result<(), WaitingOn> {
        if !Step::WRITERS.contains(&step) {
            return Ok(());
        }
        let is_other = |of: &Step| *of != step && Step::WRITERS.contains(of);
        let mut others = self.jobs.iter().filter(|((of, _), _)| is_other(of));
        match others.find(|(_, job)| job.outcome().is_unfinished()) {
            Some(((of, _), job)) => Err(WaitingOn::JobRunning(*of, job_name(job))),
            None => Ok(()),
        }
    }
}

/// The last backup, as the Job that made it called it, or the Job that read it back; one of an earlier turn is not the last.
fn final_backup(status: &PlanaClientStatus, inputs: &BTreeMap<Step, String>) -> Option<String> {
    let said = |step: Step| {
        let record = status.done.get(step.as_str())?;
        let is_current = record.inputs.as_ref() == inputs.get(&step);
        record.result.get("id").filter(|_| is_current).cloned()
    };
    said(Step::FinalBackup).or_else(|| said(Step::FinalVerify))
}
