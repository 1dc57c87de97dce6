//! The tenant's backups: whether the CronJob may exist, and whether it does what it is for.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::JobSpec;

use super::{ConditionState, Question, Questions, WaitingOn, secrets::Secrets};
use crate::{
    blueprint, defaults,
    names::{CRON_JOB_NAME_MAXIMUM_BYTES, SecretPurpose, Slug, shorten},
    observed::{BackupView, Observed},
    tenant::Tenant,
};

/// The backups as they are to be.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupPlan {
    /// The nightly Job.
    pub job: JobSpec,
    /// Whether the `CronJob` is there.
    pub ready: bool,
    /// Whether it makes no Jobs for now.
    pub paused: bool,
    /// What the Job uses copies of Secrets for; kept as an annotation.
    pub copied: Vec<SecretPurpose>,
}

/// The annotation of a `CronJob` that says for which purposes its Jobs use the tenant's copies of Secrets.
pub const COPIED_SECRETS: &str = "planapulse.com/copied-secrets";

/// The backups, and their condition.
pub struct BackupDecision {
    /// `None`: there is to be no `CronJob` yet.
    pub plan: Option<BackupPlan>,
    /// Whether backups are made.
    pub condition: ConditionState,
}

/// The name of a tenant's CronJob.
#[must_use]
pub fn name(slug: &Slug) -> String {
    shorten(&format!("{slug}-backup"), CRON_JOB_NAME_MAXIMUM_BYTES)
}

/// Plans the backups; they may begin once `gate` is open.
pub fn plan(
    (tenant, observed): (&Tenant, &Observed),
    secrets: &Secrets,
    gate: Result<(), WaitingOn>,
    questions: &mut Questions,
    now: Timestamp,
) -> BackupDecision {
    let plan = || {
        Some(BackupPlan {
            job: blueprint::backup(tenant, &secrets.names),
            ready: observed.backup.is_some(),
            paused: false,
            copied: secrets.copied(&tenant.backup.namespace),
        })
    };
    if let Some(view) = &observed.backup {
        return BackupDecision {
            plan: plan(),
            condition: condition(view, tenant.backup.is_nightly, now),
        };
    }
    let may_come = gate
        .and_then(|()| {
            secrets.check(
                &[SecretPurpose::Database, SecretPurpose::Store],
                &tenant.backup.namespace,
            )
        })
        .and_then(|()| {
            let question = Question {
                api_version: "batch/v1",
                kind: "CronJob",
                namespace: Some(tenant.backup.namespace.clone()),
                name: name(&tenant.slug),
            };
            questions.name_is_free("backup", question, &observed.required, &tenant.uid)
        });
    match may_come {
        // On its way: it counts once it is seen.
        Ok(()) => BackupDecision {
            plan: plan(),
            condition: ConditionState::Waits(WaitingOn::BackupCreating),
        },
        Err(waiting) => BackupDecision {
            plan: None,
            condition: ConditionState::Waits(waiting),
        },
    }
}

/// The backups of a tenant that goes: the last one is made by a Job of its own, and no other comes between.
pub fn paused(tenant: &Tenant, observed: &Observed, secrets: &Secrets) -> Option<BackupPlan> {
    observed.backup.as_ref().map(|_| BackupPlan {
        job: blueprint::backup(tenant, &secrets.names),
        ready: true,
        paused: true,
        copied: secrets.copied(&tenant.backup.namespace),
    })
}

/// Whether the Jobs of a `CronJob` use the tenant's copy of a Secret.
pub fn names_copy(view: &BackupView, purpose: SecretPurpose) -> bool {
    let copied = view.metadata.annotations.get(COPIED_SECRETS);
    copied.is_some_and(|copied| copied.split(',').any(|word| word == purpose.as_str()))
}

fn condition(view: &BackupView, is_nightly: bool, now: Timestamp) -> ConditionState {
    let last = &view.status.last_successful_time;
    let since = last.as_ref().or(view.metadata.creation_timestamp.as_ref());
    // A time that cannot be read is no reason for an alarm: the CronJob is there.
    let age = since
        .and_then(|time| time.parse::<Timestamp>().ok())
        .map(|time| now.duration_since(time));
    if is_nightly && age.is_some_and(|age| age > SignedDuration::from_hours(defaults::BACKUP_OVERDUE_HOURS)) {
        return ConditionState::Waits(WaitingOn::BackupOverdue(last.clone()));
    }
    ConditionState::Holds("Scheduled", "backups are scheduled".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::object::{BackupViewStatus, Metadata};

    fn view(created: &str, last: Option<&str>) -> BackupView {
        BackupView {
            metadata: Metadata {
                creation_timestamp: Some(created.to_owned()),
                ..Metadata::default()
            },
            status: BackupViewStatus {
                last_successful_time: last.map(str::to_owned),
                last_schedule_time: None,
            },
        }
    }

    fn reason(view: &BackupView, is_nightly: bool, now: &str) -> String {
        condition(view, is_nightly, now.parse().unwrap()).reason()
    }

    #[test]
    fn a_night_without_a_backup_is_told() {
        let made = view("2026-01-01T00:00:00Z", Some("2026-01-02T02:00:00Z"));
        assert_eq!(reason(&made, true, "2026-01-03T04:00:00Z"), "Scheduled");
        assert_eq!(reason(&made, true, "2026-01-03T04:00:01Z"), "BackupOverdue");
        assert_eq!(reason(&made, false, "2026-02-03T04:00:01Z"), "Scheduled");
        let never = view("2026-01-01T00:00:00Z", None);
        assert_eq!(reason(&never, true, "2026-01-01T12:00:00Z"), "Scheduled");
        assert_eq!(reason(&never, true, "2026-01-03T00:00:00Z"), "BackupOverdue");
        assert_eq!(
            reason(&view("not a time", None), true, "2026-01-03T00:00:00Z"),
            "Scheduled"
        );
    }
}
