//! Pods of our Jobs: the only reader of what odoo-job said in the end.
//!
//! A Job's status tells how it ended and not why, and nothing of what it found. That is in the termination message of its
//! last pod's container, a [`JobResult`], for as long as the pod is there. A message that is no result (the last lines of a
//! program that crashed, those of an image that lacks it) is none, never a guess.

use serde::Deserialize;

use super::{
    job::JobView,
    object::{Metadata, OwnerReference},
};
use crate::{
    contract::{ExitCode, JobResult, RESULT_MAXIMUM_BYTES},
    names::CONTAINER,
};

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PodView {
    /// Its metadata.
    pub metadata: Metadata,
    /// Its status.
    pub status: PodViewStatus,
}

/// The status of a pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodViewStatus {
    /// Its containers.
    pub container_statuses: Vec<ContainerView>,
}

/// The status of a container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ContainerView {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ContainerState,
}

/// The state of a container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// How it ended, if it did.
    pub terminated: Option<Terminated>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// When.
    pub finished_at: String,
    /// What it said.
    pub message: String,
}

impl PodView {
    /// When odoo-job ended in this pod, and with what.
    fn result(&self) -> Option<(&str, JobResult)> {
        let mut containers = self.status.container_statuses.iter();
        let container = containers.find(|container| container.name == CONTAINER)?;
        let Terminated { finished_at, message } = container.state.terminated.as_ref()?;
        let fits = message.len() <= RESULT_MAXIMUM_BYTES;
        let result = fits.then(|| JobResult::parse(message)).flatten()?;
        Some((finished_at, result))
    }

    /// Whether a Job made it; one of that name may have been there before.
    fn is_of(&self, job: &JobView) -> bool {
        let is_other = |owner: &OwnerReference| owner.uid != job.metadata.uid;
        !self.metadata.controller().is_some_and(is_other)
    }
}

/// What a Job said last, in one of its pods. One that completed said so in the pod that was done.
#[must_use]
pub fn last_result(pods: &[PodView], job: &JobView, is_complete: bool) -> Option<JobResult> {
    let said = pods.iter().filter(|pod| pod.is_of(job)).filter_map(|pod| {
        let (time, result) = pod.result()?;
        let counts = !is_complete || result.outcome == ExitCode::Done;
        counts.then(|| (time, &pod.metadata.name, result))
    });
    // Times are RFC 3339 in UTC, without fractions, so their order is that of their text.
    let last = said.max_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
    last.map(|(_, _, result)| result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, finished_at: &str, message: &str) -> PodView {
        let terminated = Terminated {
            finished_at: finished_at.to_owned(),
            message: message.to_owned(),
        };
        let container = ContainerView {
            name: CONTAINER.to_owned(),
            state: ContainerState {
                terminated: Some(terminated),
            },
        };
        PodView {
            metadata: Metadata {
                name: name.to_owned(),
                ..Metadata::default()
            },
            status: PodViewStatus {
                container_statuses: vec![container],
            },
        }
    }

    fn said(outcome: ExitCode, reason: &str) -> JobResult {
        JobResult {
            command: "tenant-init".to_owned(),
            outcome,
            reason: Some(reason.to_owned()),
            message: None,
            phase: None,
            report: None,
        }
    }

    fn job() -> JobView {
        let metadata = Metadata {
            uid: "job".to_owned(),
            ..Metadata::default()
        };
        JobView {
            metadata,
            spec: None,
            status: super::super::job::JobViewStatus::default(),
        }
    }

    #[test]
    fn the_last_pod_that_said_something_counts() {
        let (one, two) = (said(ExitCode::Retry, "One"), said(ExitCode::GiveUp, "Two"));
        let pods = [
            pod("b", "2026-01-01T00:00:02Z", &two.to_message()),
            pod("a", "2026-01-01T00:00:01Z", &one.to_message()),
            pod("c", "2026-01-01T00:00:03Z", "thread 'main' panicked"),
            PodView::default(),
        ];
        assert_eq!(last_result(&pods, &job(), false), Some(two));
        assert_eq!(last_result(&pods, &job(), true), None, "none of them was done");
        assert_eq!(last_result(&[], &job(), false), None);
    }

    #[test]
    fn a_pod_of_another_job_or_another_container_says_nothing() {
        let result = said(ExitCode::Done, "One");
        let mut other = pod("a", "2026-01-01T00:00:01Z", &result.to_message());
        let owner = OwnerReference {
            uid: "another".to_owned(),
            controller: true,
            ..OwnerReference::default()
        };
        other.metadata.owner_references = vec![owner];
        assert_eq!(last_result(&[other.clone()], &job(), true), None);
        other.metadata.owner_references[0].uid = "job".to_owned();
        assert_eq!(last_result(&[other.clone()], &job(), true), Some(result));
        other.status.container_statuses[0].name = "install".to_owned();
        assert_eq!(last_result(&[other], &job(), true), None);
    }
}
