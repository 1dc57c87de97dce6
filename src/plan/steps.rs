//! Steps that a Job does once: whether the Job is to exist, and how far it is.
//!
//! A Job that is there is kept as it was made, whatever the settings say by now: a running one would be killed by a
//! change, and a finished one must not run again. Only one that failed makes room for one that differs.
//!
//! Kept means: desired with the very spec that is observed, always, from the first time that it is observed. Going back to
//! what we would render would give up fields again that Kubernetes made, the selector among them, and a Job's cannot change.

mod context;
mod drain;

pub use self::context::Context;
use super::{ConditionState, Question, Questions, WaitingOn, heavy, questions::full_name, results};
use crate::{
    api::plana_client::StepRecord,
    blueprint::{self, Blueprint, Occasion},
    contract::Report,
    function::wire::RawValue,
    names::{ResourceName, Step},
    observed::{
        JobView, Required,
        job::{JobFailure, JobOutcome},
    },
};

/// The annotation of a Job that says what it was made with, where something else means that it is to be done again.
pub const INPUTS: &str = "planapulse.com/inputs";

/// A Job that is to exist.
#[derive(Clone, Debug, PartialEq)]
pub enum JobPlan {
    /// As it would be made now.
    Run(Box<Blueprint>),
    /// As it is.
    Keep(KeptJob),
}

/// A Job that stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptJob {
    /// Its step.
    pub step: Step,
    /// Its composition resource name.
    pub resource: ResourceName,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its spec, undecoded.
    pub spec: Option<RawValue>,
    /// What it was made with, where something else means that it is to be done again.
    pub inputs: Option<String>,
    /// Whether it installs modules for minutes.
    pub heavy: bool,
    /// Whether it completed.
    pub complete: bool,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The platform has no system that it would talk to.
    Disabled,
    /// The status that the cluster has says that it is done.
    Recorded(StepRecord),
    /// Its Job completed; the record is on its way into status.
    Complete(StepRecord),
    /// It waits.
    Waits(WaitingOn),
}

/// A step's plan.
pub struct StepPlan {
    /// How far it is.
    pub progress: Progress,
    /// Its Job, if it is to exist.
    pub job: Option<JobPlan>,
    /// What its Job found and made, when it has just completed.
    pub report: Option<Report>,
}

impl StepPlan {
    /// Plans a step that may begin once `gate` is open.
    pub fn new(
        step: Step,
        context: &Context<'_>,
        gate: Result<(), WaitingOn>,
        questions: &mut Questions,
    ) -> Self {
        let subject = context.subject;
        let inputs = context.inputs.get(&step).cloned();
        let record = context.done.get(step.as_str());
        if let (Some(record), None) = (record, &inputs) {
            return Self::of(Progress::Recorded(record.clone()), None);
        }
        // Before a record that is current by now: what a Job that was begun for something else does counts, too.
        let seen = context.unrecorded(step);
        if let Some((hash, job, time)) = seen.iter().find_map(|(hash, job)| completed(hash, job)) {
            return Self::of_completed(step, (hash, job, time), context, questions);
        }
        if let Some((hash, job)) = seen.iter().find(|(_, job)| job.outcome() == JobOutcome::Running) {
            let waiting = WaitingOn::JobRunning(step, job_name(job));
            return Self::waits(waiting, Some(keep(step, hash, job, false)));
        }
        if let Some(record) = record.filter(|record| record.inputs == inputs) {
            return Self::of(Progress::Recorded(record.clone()), None);
        }
        let gate = gate.and_then(|()| context.no_other_writer(step));
        // A Job that may not come need not be drawn, and most of the time most may not.
        let gate = match gate {
            Err(waiting) if seen.is_empty() && blueprint::exists(step, subject) => {
                return Self::waits(waiting, None);
            }
            gate => gate,
        };
        let occasion = Occasion {
            inputs: inputs.as_deref(),
            final_backup: context.final_backup.as_deref(),
        };
        let Some(blueprint) = blueprint::blueprint(step, subject, &context.secrets.names, occasion) else {
            return Self::of(Progress::Disabled, None);
        };
        match seen
            .into_iter()
            .min_by_key(|(hash, job)| precedence(job, *hash == blueprint.hash))
        {
            Some((hash, job)) => Self::of_seen((hash, job), blueprint, context, gate, questions),
            None => Self::of_unseen(blueprint, context, gate, questions),
        }
    }

    fn of(progress: Progress, job: Option<JobPlan>) -> Self {
        let report = None;
        Self {
            progress,
            job,
            report,
        }
    }

    fn waits(waiting: WaitingOn, job: Option<JobPlan>) -> Self {
        Self::of(Progress::Waits(waiting), job)
    }

    fn of_completed(
        step: Step,
        (hash, job, time): (&str, &JobView, String),
        context: &Context<'_>,
        questions: &mut Questions,
    ) -> Self {
        let result = results::ask(step, job, true, context.required, questions);
        let report = result.and_then(|result| result.report);
        let record = StepRecord {
            job: job_name(job),
            time,
            inputs: inputs_of(job),
            result: report.as_ref().map(results::facts).unwrap_or_default(),
        };
        Self {
            progress: Progress::Complete(record),
            job: Some(keep(step, hash, job, true)),
            report,
        }
    }

    fn of_seen(
        (hash, job): (&str, &JobView),
        blueprint: Blueprint,
        context: &Context<'_>,
        gate: Result<(), WaitingOn>,
        questions: &mut Questions,
    ) -> Self {
        let step = blueprint.step;
        let same = hash == blueprint.hash;
        match job.outcome() {
            JobOutcome::Failed(failure) if same => {
                let waiting = failed(step, job, failure, context.required, questions);
                Self::waits(waiting, Some(keep(step, hash, job, false)))
            }
            JobOutcome::Failed(_) => {
                // Before its time another one would fail too, or be another one again a moment later.
                let open = gate.and_then(|()| heavy::may_begin(&blueprint, context, questions));
                if let Err(waiting) = open {
                    return Self::waits(waiting, Some(keep(step, hash, job, false)));
                }
                // Under its own name the new Job can come at once; under the name of the old one only when that is
                // gone, since Crossplane would apply it onto an object that is being deleted.
                if job.metadata.name == blueprint.name {
                    Self::waits(WaitingOn::JobReplacing(step, job_name(job)), None)
                } else {
                    Self::begins(blueprint)
                }
            }
            JobOutcome::Running | JobOutcome::Deleting | JobOutcome::Complete { .. } => {
                let waiting = WaitingOn::JobRunning(step, job_name(job));
                Self::waits(waiting, Some(keep(step, hash, job, false)))
            }
        }
    }

    fn begins(blueprint: Blueprint) -> Self {
        let name = full_name(Some(&blueprint.namespace), &blueprint.name);
        let waiting = WaitingOn::JobRunning(blueprint.step, name);
        Self::waits(waiting, Some(JobPlan::Run(Box::new(blueprint))))
    }

    fn of_unseen(
        blueprint: Blueprint,
        context: &Context<'_>,
        gate: Result<(), WaitingOn>,
        questions: &mut Questions,
    ) -> Self {
        let open = gate.and_then(|()| {
            let question = Question {
                api_version: "batch/v1",
                kind: "Job",
                namespace: Some(blueprint.namespace.clone()),
                name: blueprint.name.clone(),
            };
            let key = format!("job-{}", blueprint.step.as_str());
            let is_free = questions.name_is_free(&key, question, context.required, context.subject.uid());
            let may_begin = heavy::may_begin(&blueprint, context, questions);
            is_free.and(may_begin)
        });
        match open {
            Ok(()) => Self::begins(blueprint),
            Err(waiting) => Self::waits(waiting, None),
        }
    }

    /// Whether it is done, and how that became known does not matter.
    pub fn is_done(&self) -> bool {
        self.record().is_some()
    }

    /// The record of a step that is done.
    pub fn record(&self) -> Option<&StepRecord> {
        match &self.progress {
            Progress::Recorded(record) | Progress::Complete(record) => Some(record),
            Progress::Disabled | Progress::Waits(_) => None,
        }
    }

    /// Open once the status that the cluster has says that the step is done.
    pub fn gate(&self, step: Step) -> Result<(), WaitingOn> {
        match &self.progress {
            Progress::Recorded(_) => Ok(()),
            Progress::Disabled | Progress::Complete(_) | Progress::Waits(_) => {
                Err(WaitingOn::StepNotDone(step))
            }
        }
    }

    /// The condition of a step that is a side effect of its own.
    pub fn condition(&self, done: &'static str, message: impl FnOnce() -> String) -> ConditionState {
        match &self.progress {
            Progress::Disabled => ConditionState::Holds(
                "Disabled",
                "the platform has no such system, so there is nothing to do".to_owned(),
            ),
            Progress::Recorded(_) | Progress::Complete(_) => ConditionState::Holds(done, message()),
            Progress::Waits(waiting) => ConditionState::Waits(waiting.clone()),
        }
    }
}

fn completed<'a>(hash: &'a str, job: &'a JobView) -> Option<(&'a str, &'a JobView, String)> {
    match job.outcome() {
        JobOutcome::Complete { time } => Some((hash, job, time)),
        JobOutcome::Running | JobOutcome::Failed(_) | JobOutcome::Deleting => None,
    }
}

/// Which of several Jobs of a step counts: one that was replaced may be there until it is collected.
fn precedence(job: &JobView, is_same: bool) -> u8 {
    match job.outcome() {
        JobOutcome::Complete { .. } => 0,
        JobOutcome::Running => 1,
        JobOutcome::Failed(_) if is_same => 2,
        JobOutcome::Deleting => 3,
        JobOutcome::Failed(_) => 4,
    }
}

fn job_name(job: &JobView) -> String {
    full_name(Some(&job.metadata.namespace), &job.metadata.name)
}

/// Why a Job failed, in its own words where it said any.
fn failed(
    step: Step,
    job: &JobView,
    failure: JobFailure,
    required: &Required,
    questions: &mut Questions,
) -> WaitingOn {
    let result = results::ask(step, job, false, required, questions);
    WaitingOn::JobFailed {
        step,
        job: job_name(job),
        failure,
        said: result.as_ref().and_then(results::words),
    }
}

fn inputs_of(job: &JobView) -> Option<String> {
    job.metadata.annotations.get(INPUTS).cloned()
}

fn keep(step: Step, hash: &str, job: &JobView, complete: bool) -> JobPlan {
    JobPlan::Keep(KeptJob {
        step,
        resource: ResourceName::Job(step, hash.to_owned()),
        namespace: job.metadata.namespace.clone(),
        name: job.metadata.name.clone(),
        spec: job.spec.clone(),
        inputs: inputs_of(job),
        heavy: job.metadata.labels.heavy.is_some(),
        complete,
    })
}
