//! The tenant's nightly backups (`batch/v1` `CronJob`).

use k8s_openapi::{
    api::batch::v1::{CronJob, CronJobSpec, JobTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    blueprint::labels::labels,
    plan::{BackupPlan, COPIED_SECRETS, backup_name},
    tenant::{Subject, Tenant},
};

/// A night that was missed by less is made up for. Without a limit Kubernetes stops after 100 missed starts.
const STARTING_DEADLINE_SECONDS: i64 = 3600;
/// Enough to see a week go wrong.
const FAILED_JOBS: i32 = 7;
/// Enough to see when the last ones ran.
const SUCCESSFUL_JOBS: i32 = 3;

/// The `CronJob` of a tenant.
pub fn compose(tenant: &Tenant, plan: &BackupPlan) -> CronJob {
    let copied: Vec<_> = plan.copied.iter().map(|purpose| purpose.as_str()).collect();
    let annotations = [(COPIED_SECRETS.to_owned(), copied.join(","))].into();
    let labels = labels(Subject::Tenant(tenant), "backup");
    CronJob {
        metadata: ObjectMeta {
            name: Some(backup_name(&tenant.slug)),
            namespace: Some(tenant.backup.namespace.clone()),
            labels: Some(labels.clone()),
            annotations: (!copied.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(CronJobSpec {
            schedule: tenant.backup.schedule.clone(),
            time_zone: Some(tenant.backup.time_zone.clone()),
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(STARTING_DEADLINE_SECONDS),
            failed_jobs_history_limit: Some(FAILED_JOBS),
            successful_jobs_history_limit: Some(SUCCESSFUL_JOBS),
            suspend: plan.paused.then_some(true),
            job_template: JobTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(plan.job.clone()),
            },
        }),
        status: None,
    }
}
