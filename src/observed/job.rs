//! Jobs: the only reader of their outcome.
//!
//! A Job is finished when its condition `Complete` or `Failed` is true; both are final and exclude each other.
//! `SuccessCriteriaMet` and `FailureTarget` come before (Kubernetes 1.31 and later) while pods still end, and count as
//! running: what they work on may still be in use. Counters lag and are never read.

use serde::Deserialize;

use super::object::{Condition, Metadata, find};
use crate::{contract::ExitCode, function::wire::RawValue};

/// A Job.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct JobView {
    /// Its metadata.
    #[serde(default)]
    pub metadata: Metadata,
    /// Its whole spec, undecoded: what a Job was made with, it keeps.
    pub spec: Option<RawValue>,
    /// Its status.
    #[serde(default)]
    pub status: JobViewStatus,
}

/// The status of a Job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobViewStatus {
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// When it completed.
    pub completion_time: Option<String>,
}

/// How a Job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// Not finished.
    Running,
    /// Done, with success.
    Complete {
        /// When, as Kubernetes says it.
        time: String,
    },
    /// Done, without success.
    Failed(JobFailure),
    /// Somebody deleted it, and it is not gone yet.
    Deleting,
}

/// Why a Job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// Kubernetes' reason.
    pub reason: String,
    /// Kubernetes' message.
    pub message: String,
}

/// What kind of failure a Job had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It will not go better another time, or was tried often enough.
    Failed,
    /// It found something that it must not touch, and touched nothing.
    Refused,
    /// It took longer than its deadline.
    TimedOut,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Failed, Self::Refused, Self::TimedOut];
}

impl JobView {
    /// How the Job stands.
    #[must_use]
    pub fn outcome(&self) -> JobOutcome {
        let conditions = &self.status.conditions;
        let is_true = |r#type| find(conditions, r#type).filter(|condition| condition.status == "True");
        if is_true("Complete").is_some() {
            return JobOutcome::Complete {
                time: self.status.completion_time.clone().unwrap_or_default(),
            };
        }
        if let Some(failed) = is_true("Failed") {
            return JobOutcome::Failed(failure(failed));
        }
        if self.metadata.deletion_timestamp.is_some() {
            JobOutcome::Deleting
        } else {
            JobOutcome::Running
        }
    }
}

impl JobOutcome {
    /// Whether its pods may still work.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        match self {
            Self::Running | Self::Deleting => true,
            Self::Complete { .. } | Self::Failed(_) => false,
        }
    }
}

fn failure(condition: &Condition) -> JobFailure {
    let Condition { reason, message, .. } = condition.clone();
    let kind = match reason.as_str() {
        "DeadlineExceeded" => FailureKind::TimedOut,
        "PodFailurePolicy" if exit_code(&message) == Some(ExitCode::Refused) => FailureKind::Refused,
        _ => FailureKind::Failed,
    };
    JobFailure {
        kind,
        reason,
        message,
    }
}

/// The exit code that a podFailurePolicy names in its message: `Container odoo-job for pod ns/name failed with exit
/// code 78 matching FailJob rule at index 0` (Kubernetes 1.31 to 1.36).
fn exit_code(message: &str) -> Option<ExitCode> {
    let (_, rest) = message.split_once("exit code ")?;
    let digits = rest.split(|character: char| !character.is_ascii_digit()).next()?;
    ExitCode::from_code(digits.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(r#type: &str, reason: &str, message: &str) -> JobView {
        let condition = Condition {
            r#type: r#type.to_owned(),
            status: "True".to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: 0,
        };
        JobView {
            metadata: Metadata::default(),
            spec: None,
            status: JobViewStatus {
                conditions: vec![condition],
                completion_time: Some("T".to_owned()),
            },
        }
    }

    fn kind(job: &JobView) -> Option<FailureKind> {
        match job.outcome() {
            JobOutcome::Failed(failure) => Some(failure.kind),
            JobOutcome::Running | JobOutcome::Complete { .. } | JobOutcome::Deleting => None,
        }
    }

    #[test]
    fn only_the_final_conditions_finish_a_job() {
        assert_eq!(
            job("Complete", "", "").outcome(),
            JobOutcome::Complete { time: "T".to_owned() }
        );
        assert_eq!(job("SuccessCriteriaMet", "", "").outcome(), JobOutcome::Running);
        assert_eq!(
            job("FailureTarget", "BackoffLimitExceeded", "").outcome(),
            JobOutcome::Running
        );
        assert_eq!(job("Suspended", "", "").outcome(), JobOutcome::Running);
    }

    #[test]
    fn a_failure_is_told_apart_by_deadline_and_exit_code() {
        let refused = "Container odoo-job for pod plana-odoo-18/x failed with exit code 78 matching FailJob rule at index 0";
        assert_eq!(
            kind(&job("Failed", "PodFailurePolicy", refused)),
            Some(FailureKind::Refused)
        );
        assert_eq!(
            kind(&job("Failed", "PodFailurePolicy", "exit code 70 matching")),
            Some(FailureKind::Failed)
        );
        assert_eq!(
            kind(&job("Failed", "BackoffLimitExceeded", "exit code 78")),
            Some(FailureKind::Failed)
        );
        assert_eq!(
            kind(&job("Failed", "DeadlineExceeded", "")),
            Some(FailureKind::TimedOut)
        );
    }

    #[test]
    fn a_deleted_job_that_is_finished_still_counts() {
        let mut finished = job("Complete", "", "");
        finished.metadata.deletion_timestamp = Some("T".to_owned());
        assert!(matches!(finished.outcome(), JobOutcome::Complete { .. }));
        finished.status.conditions.clear();
        assert_eq!(finished.outcome(), JobOutcome::Deleting);
    }
}
