//! Steps that are not to be taken now: what they have begun ends by itself, and nothing new begins.
//!
//! A Job that runs is never cut off, and one that completed is recorded. One that failed goes once it is of an earlier turn
//! of the tenant's life: nobody mends it any more.

use super::{Context, Progress, StepPlan, completed, failed, inputs_of, job_name, keep, precedence};
use crate::{
    names::Step,
    observed::job::JobOutcome,
    plan::{Questions, WaitingOn, course},
};

impl StepPlan {
    /// Lets a step end. `turn` is what the status that the cluster has says.
    pub fn drained(step: Step, context: &Context<'_>, turn: u32, questions: &mut Questions) -> Self {
        let record = context.done.get(step.as_str());
        let seen = context.unrecorded(step);
        if let Some((hash, job, time)) = seen.iter().find_map(|(hash, job)| completed(hash, job)) {
            return Self::of_completed(step, (hash, job, time), context, questions);
        }
        let idle = || match record {
            Some(record) => Progress::Recorded(record.clone()),
            None => Progress::Waits(WaitingOn::StepNotDone(step)),
        };
        let counts = seen.into_iter().min_by_key(|(_, job)| precedence(job, false));
        let Some((hash, job)) = counts else {
            return Self::of(idle(), None);
        };
        match job.outcome() {
            JobOutcome::Running | JobOutcome::Deleting | JobOutcome::Complete { .. } => {
                let waiting = WaitingOn::JobRunning(step, job_name(job));
                Self::waits(waiting, Some(keep(step, hash, job, false)))
            }
            JobOutcome::Failed(failure) => {
                if course::turn_of(inputs_of(job).as_ref()) < turn {
                    return Self::of(idle(), None);
                }
                let waiting = failed(step, job, failure, context.required, questions);
                Self::waits(waiting, Some(keep(step, hash, job, false)))
            }
        }
    }

    /// Whether a Job of it may still work, or is about to be recorded.
    pub fn is_unfinished(&self) -> Option<WaitingOn> {
        match &self.progress {
            Progress::Waits(waiting @ (WaitingOn::JobRunning(..) | WaitingOn::JobReplacing(..))) => {
                Some(waiting.clone())
            }
            Progress::Complete(_) => Some(WaitingOn::StatusPending),
            Progress::Disabled | Progress::Recorded(_) | Progress::Waits(_) => None,
        }
    }
}
