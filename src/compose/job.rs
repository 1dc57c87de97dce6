//! Jobs: as they would be made now, and as they are.
//!
//! No Job has a TTL: Crossplane would make a Job anew that Kubernetes has collected, and it would run again.

use std::collections::BTreeMap;

use k8s_openapi::{api::batch::v1::Job, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Serialize;

use super::Metadata;
use crate::{
    blueprint::{Blueprint, labels::of_job},
    function::wire::RawValue,
    plan::{INPUTS, KeptJob},
    tenant::Subject,
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
pub fn compose(subject: Subject<'_>, blueprint: &Blueprint) -> Job {
    Job {
        metadata: ObjectMeta {
            name: Some(blueprint.name.clone()),
            namespace: Some(blueprint.namespace.clone()),
            labels: Some(of_job(subject, blueprint.step.as_str(), blueprint.heavy)),
            annotations: blueprint.inputs.clone().map(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(blueprint.spec.clone()),
        status: None,
    }
}

/// A Job as it is.
pub fn keep(subject: Subject<'_>, kept: &KeptJob) -> KeptJobObject {
    KeptJobObject {
        api_version: "batch/v1",
        kind: "Job",
        metadata: Metadata {
            name: Some(kept.name.clone()),
            namespace: Some(kept.namespace.clone()),
            labels: of_job(subject, kept.step.as_str(), kept.heavy),
            annotations: kept.inputs.clone().map(annotations).unwrap_or_default(),
            ..Metadata::default()
        },
        spec: kept.spec.clone(),
    }
}

fn annotations(inputs: String) -> BTreeMap<String, String> {
    [(INPUTS.to_owned(), inputs)].into()
}
