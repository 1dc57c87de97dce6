//! The Jobs of a tenant or a template as they would run: complete, with the hash that names them.
//!
//! In: a [`Subject`] and the names of its Secrets. Out: a [`Blueprint`] for a step, or the CronJob's Job. Nothing here
//! decides whether a Job runs; that is the plan's, which needs the hash to know a Job again.
//!
//! A Job's pod template cannot change once it is there. So everything that goes into it goes into a hash, and the
//! hash into the Job's composition resource name: what changes makes another Job.

pub mod labels;
mod pod;
mod steps;
mod teardown;
mod template;

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};

use crate::{
    contract::ExitCode,
    defaults,
    names::{CONTAINER, JOB_NAME_MAXIMUM_BYTES, SecretPurpose, Step, short_hash, shorten},
    tenant::{Source, Subject, Tenant},
};

/// A Job as it would run.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    /// What it does.
    pub step: Step,
    /// Hash of its namespace and pod template.
    pub hash: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its spec.
    pub spec: JobSpec,
    /// What it is to be done with, where something else means that it is to be done again.
    pub inputs: Option<String>,
    /// Whether it installs modules for minutes.
    pub heavy: bool,
}

/// What a tenant's Secrets are called in the namespaces of its Jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretNames(BTreeMap<(SecretPurpose, String), String>);

impl SecretNames {
    /// Remembers the name of a Secret in a namespace.
    pub fn insert(&mut self, purpose: SecretPurpose, namespace: &str, name: String) {
        self.0.insert((purpose, namespace.to_owned()), name);
    }

    /// The name of a Secret in a namespace, if the platform has one for that purpose.
    #[must_use]
    pub fn get(&self, purpose: SecretPurpose, namespace: &str) -> Option<&str> {
        self.0.get(&(purpose, namespace.to_owned())).map(String::as_str)
    }
}

/// What a step is done for, besides what its tenant or template says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occasion<'a> {
    /// What it is to be done with, where something else means that it is to be done again.
    pub inputs: Option<&'a str>,
    /// The backup that must be whole before anything is removed.
    pub final_backup: Option<&'a str>,
}

/// The Job of a step; `None` when there is no such step, or the platform has no system that it would talk to.
#[must_use]
pub fn blueprint(
    step: Step,
    subject: Subject<'_>,
    secrets: &SecretNames,
    occasion: Occasion<'_>,
) -> Option<Blueprint> {
    let parts = match subject {
        Subject::Tenant(tenant) => steps::parts(step, tenant, secrets, occasion)?,
        Subject::Template(template) => template::parts(step, template, secrets)?,
    };
    let namespace = parts.namespace.clone();
    let deadline_seconds = parts.deadline_seconds;
    let spec = job_spec(parts.into_template(), deadline_seconds);
    let hash = hash(&namespace, &spec, turn(subject, occasion));
    let name = match subject {
        Subject::Tenant(tenant) => job_name(step, tenant, &hash),
        Subject::Template(template) => format!("{}-{}-{hash}", step.as_str(), template.name),
    };
    Some(Blueprint {
        step,
        hash,
        name: shorten(&name, JOB_NAME_MAXIMUM_BYTES),
        namespace,
        spec,
        inputs: occasion.inputs.map(str::to_owned),
        heavy: is_heavy(step, subject),
    })
}

/// Whether a tenant or a template has a step at all.
#[must_use]
pub fn exists(step: Step, subject: Subject<'_>) -> bool {
    let tenant = match subject {
        Subject::Template(_) => return step == Step::TemplateBuild,
        Subject::Tenant(tenant) => tenant,
    };
    match step {
        Step::TemplateBuild => false,
        Step::RoomCreate | Step::RoomRetire => tenant.notices.matrix.is_some(),
        Step::PortalNotify | Step::PortalFarewell => tenant.notices.portal.is_some(),
        Step::ErpCallback | Step::ErpFarewell => tenant.notices.erp.is_some(),
        Step::EventPublish | Step::EventFarewell => tenant.notices.events.is_some(),
        Step::TenantInit
        | Step::TenantSmoke
        | Step::TenantSuspend
        | Step::TenantResume
        | Step::FinalBackup
        | Step::FinalVerify
        | Step::FilestoreRemove
        | Step::TenantRelease => true,
    }
}

/// What makes a Job of a tenant another one, though it does the same: a turn of the tenant's life. A template's inputs
/// are in its pod already.
fn turn<'a>(subject: Subject<'_>, occasion: Occasion<'a>) -> &'a str {
    match subject {
        Subject::Tenant(_) => occasion.inputs.unwrap_or_default(),
        Subject::Template(_) => "",
    }
}

/// Whether the Job of a step installs modules for minutes.
fn is_heavy(step: Step, subject: Subject<'_>) -> bool {
    match subject {
        Subject::Template(_) => step == Step::TemplateBuild,
        Subject::Tenant(tenant) => {
            let installs = match tenant.source {
                Source::Template { .. } => false,
                Source::Modules(_) => tenant.adopt.is_none(),
            };
            installs && step == Step::TenantInit
        }
    }
}

/// The Job that the backup's CronJob makes every night.
#[must_use]
pub fn backup(tenant: &Tenant, secrets: &SecretNames) -> JobSpec {
    let parts = steps::backup(tenant, secrets);
    let deadline_seconds = parts.deadline_seconds;
    job_spec(parts.into_template(), deadline_seconds)
}

/// Names of Jobs that the client's runbooks know are kept as they are; the others carry their hash.
fn job_name(step: Step, tenant: &Tenant, hash: &str) -> String {
    let (slug, project_id) = (&tenant.slug, tenant.project_id);
    match step {
        Step::TemplateBuild => format!("template-build-{slug}-{hash}"),
        Step::TenantInit => format!("tenant-init-{slug}-{hash}"),
        Step::TenantSmoke => format!("tenant-smoke-{slug}-{hash}"),
        Step::RoomCreate => format!("matrix-room-create-{slug}-{project_id}"),
        Step::PortalNotify => format!("account-webhook-{slug}-{project_id}"),
        Step::ErpCallback => format!("erp-callback-{slug}-{project_id}"),
        Step::EventPublish => format!("client-provisioned-{slug}-{project_id}"),
        Step::TenantSuspend
        | Step::TenantResume
        | Step::FinalBackup
        | Step::FinalVerify
        | Step::RoomRetire
        | Step::PortalFarewell
        | Step::ErpFarewell
        | Step::EventFarewell
        | Step::FilestoreRemove
        | Step::TenantRelease => format!("{}-{slug}-{hash}", step.as_str()),
    }
}

fn job_spec(template: k8s_openapi::api::core::v1::PodTemplateSpec, deadline_seconds: i64) -> JobSpec {
    JobSpec {
        active_deadline_seconds: Some(deadline_seconds),
        backoff_limit: Some(defaults::RETRIES),
        pod_failure_policy: Some(PodFailurePolicy {
            rules: failure_rules(),
        }),
        // One writer at a time: the next pod waits until the last one is gone.
        pod_replacement_policy: Some("Failed".to_owned()),
        template,
        ..JobSpec::default()
    }
}

/// Give up at once on what another try cannot mend; do not count a pod that the cluster took away.
fn failure_rules() -> Vec<PodFailurePolicyRule> {
    let hopeless = PodFailurePolicyOnExitCodesRequirement {
        container_name: Some(CONTAINER.to_owned()),
        operator: "In".to_owned(),
        values: vec![ExitCode::GiveUp.code().into(), ExitCode::Refused.code().into()],
    };
    let evicted = PodFailurePolicyOnPodConditionsPattern {
        status: "True".to_owned(),
        type_: "DisruptionTarget".to_owned(),
    };
    vec![
        PodFailurePolicyRule {
            action: "FailJob".to_owned(),
            on_exit_codes: Some(hopeless),
            ..PodFailurePolicyRule::default()
        },
        PodFailurePolicyRule {
            action: "Ignore".to_owned(),
            on_pod_conditions: Some(vec![evicted]),
            ..PodFailurePolicyRule::default()
        },
    ]
}

fn hash(namespace: &str, spec: &JobSpec, turn: &str) -> String {
    // Kubernetes objects are plain data, which serde_json can always represent.
    let mut bytes = serde_json::to_vec(&spec.template).unwrap_or_default();
    bytes.extend_from_slice(namespace.as_bytes());
    bytes.extend_from_slice(turn.as_bytes());
    short_hash(&bytes)
}
