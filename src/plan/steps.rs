//! Steps that a Job does once: whether the Job is to exist, and how far it is.
//!
//! A Job that is there is kept as it was made, whatever the settings say by now: a running one would be killed by a
//! change, and a finished one must not run again. Only one that failed makes room for one that differs.
//!
//! Kept means: desired with the very spec that is observed, always, from the first time that it is observed. Going back to
//! what we would render would give up fields again that Kubernetes made, the selector among them, and a Job's cannot change.

use super::{ConditionState, Question, Questions, WaitingOn, questions::full_name, secrets::Secrets};
use crate::{
    api::plana_client::StepRecord,
    blueprint::{self, Blueprint},
    function::wire::RawValue,
    names::{ResourceName, Step},
    observed::{JobView, Observed, job::JobOutcome},
    tenant::Tenant,
};

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
}

/// What a step is planned with.
pub struct Context<'a> {
    /// The tenant.
    pub tenant: &'a Tenant,
    /// What is observed.
    pub observed: &'a Observed,
    /// Its Secrets.
    pub secrets: &'a Secrets,
}

impl StepPlan {
    /// Plans a step that may begin once `gate` is open.
    pub fn new(
        step: Step,
        context: &Context<'_>,
        gate: Result<(), WaitingOn>,
        questions: &mut Questions,
    ) -> Self {
        let Context {
            tenant,
            observed,
            secrets,
        } = context;
        if let Some(record) = observed.status.done.get(step.as_str()) {
            return Self {
                progress: Progress::Recorded(record.clone()),
                job: None,
            };
        }
        let seen: Vec<_> = observed.jobs_of(step).collect();
        if let Some((hash, job, time)) = seen.iter().find_map(|(hash, job)| completed(hash, job)) {
            let record = StepRecord {
                job: job_name(job),
                time,
            };
            return Self {
                progress: Progress::Complete(record),
                job: Some(keep(step, hash, job, true)),
            };
        }
        if let Some((hash, job)) = seen.iter().find(|(_, job)| job.outcome() == JobOutcome::Running) {
            return Self {
                progress: Progress::Waits(WaitingOn::JobRunning(step, job_name(job))),
                job: Some(keep(step, hash, job, false)),
            };
        }
        // A Job that may not come need not be drawn, and most of the time most may not.
        let gate = match gate {
            Err(waiting) if seen.is_empty() && blueprint::exists(step, tenant) => {
                return Self {
                    progress: Progress::Waits(waiting),
                    job: None,
                };
            }
            gate => gate,
        };
        let Some(blueprint) = blueprint::blueprint(step, tenant, &secrets.names) else {
            return Self {
                progress: Progress::Disabled,
                job: None,
            };
        };
        match seen
            .into_iter()
            .min_by_key(|(hash, job)| precedence(job, *hash == blueprint.hash))
        {
            Some((hash, job)) => Self::of_seen(hash, job, blueprint, gate),
            None => Self::of_unseen(blueprint, context, gate, questions),
        }
    }

    fn of_seen(hash: &str, job: &JobView, blueprint: Blueprint, gate: Result<(), WaitingOn>) -> Self {
        let step = blueprint.step;
        let name = job_name(job);
        let same = hash == blueprint.hash;
        match job.outcome() {
            JobOutcome::Failed(failure) if same => {
                let waiting = WaitingOn::JobFailed {
                    step,
                    job: name,
                    failure,
                };
                Self {
                    progress: Progress::Waits(waiting),
                    job: Some(keep(step, hash, job, false)),
                }
            }
            JobOutcome::Failed(_) => {
                // Before its time another one would fail too, or be another one again a moment later.
                if let Err(waiting) = gate {
                    let job = Some(keep(step, hash, job, false));
                    let progress = Progress::Waits(waiting);
                    return Self { progress, job };
                }
                // Under its own name the new Job can come at once; under the name of the old one only when that is
                // gone, since Crossplane would apply it onto an object that is being deleted.
                let free = job.metadata.name != blueprint.name;
                let waiting = if free {
                    WaitingOn::JobRunning(step, full_name(Some(&blueprint.namespace), &blueprint.name))
                } else {
                    WaitingOn::JobReplacing(step, name)
                };
                Self {
                    progress: Progress::Waits(waiting),
                    job: free.then(|| JobPlan::Run(Box::new(blueprint))),
                }
            }
            JobOutcome::Running | JobOutcome::Deleting | JobOutcome::Complete { .. } => Self {
                progress: Progress::Waits(WaitingOn::JobRunning(step, name)),
                job: Some(keep(step, hash, job, false)),
            },
        }
    }

    fn of_unseen(
        blueprint: Blueprint,
        context: &Context<'_>,
        gate: Result<(), WaitingOn>,
        questions: &mut Questions,
    ) -> Self {
        let step = blueprint.step;
        let open = gate.and_then(|()| {
            let question = Question {
                api_version: "batch/v1",
                kind: "Job",
                namespace: Some(blueprint.namespace.clone()),
                name: blueprint.name.clone(),
            };
            questions.name_is_free(
                &format!("job-{}", step.as_str()),
                question,
                context.observed,
                &context.tenant.uid,
            )
        });
        if let Err(waiting) = open {
            return Self {
                progress: Progress::Waits(waiting),
                job: None,
            };
        }
        let name = full_name(Some(&blueprint.namespace), &blueprint.name);
        let progress = Progress::Waits(WaitingOn::JobRunning(step, name));
        Self {
            progress,
            job: Some(JobPlan::Run(Box::new(blueprint))),
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

fn keep(step: Step, hash: &str, job: &JobView, complete: bool) -> JobPlan {
    JobPlan::Keep(KeptJob {
        step,
        resource: ResourceName::Job(step, hash.to_owned()),
        namespace: job.metadata.namespace.clone(),
        name: job.metadata.name.clone(),
        spec: job.spec.clone(),
        complete,
    })
}
