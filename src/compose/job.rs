//! Jobs: as they would be made now, and as they are.
//!
//! No Job has a TTL: Crossplane would make a Job anew that Kubernetes has collected, and it would run again.

use k8s_openapi::{api::batch::v1::Job, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Serialize;

use super::Metadata;
use crate::{
    blueprint::{Blueprint, labels::labels},
    function::wire::RawValue,
    plan::KeptJob,
    tenant::Tenant,
};

/// A Job with the spec that it was made with, undecoded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptJobObject {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<RawValue>,
}

/// A Job as it would be made now.
pub fn compose(tenant: &Tenant, blueprint: &Blueprint) -> Job {
    Job {
        metadata: ObjectMeta {
            name: Some(blueprint.name.clone()),
            namespace: Some(blueprint.namespace.clone()),
            labels: Some(labels(&tenant.slug, blueprint.step.as_str())),
            ..ObjectMeta::default()
        },
        spec: Some(blueprint.spec.clone()),
        status: None,
    }
}

/// A Job as it is.
pub fn keep(tenant: &Tenant, kept: &KeptJob) -> KeptJobObject {
    KeptJobObject {
        api_version: "batch/v1",
        kind: "Job",
        metadata: Metadata {
            name: Some(kept.name.clone()),
            namespace: Some(kept.namespace.clone()),
            labels: labels(&tenant.slug, kept.step.as_str()),
            ..Metadata::default()
        },
        spec: kept.spec.clone(),
    }
}
