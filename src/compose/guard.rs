//! The guard of a composite resource (`protection.crossplane.io/v1beta1` `ClusterUsage`).
//!
//! Its reason is what an operator reads when the webhook refuses to delete the tenant, so it says what happens now.

use serde::Serialize;

use super::Metadata;
use crate::{
    api::{API_VERSION, plana_client::KIND},
    blueprint::labels::labels,
    plan::{GuardMode, GuardPlan},
    tenant::{Subject, Tenant},
};

/// A `ClusterUsage`. Its name is Crossplane's, so that it can be nobody else's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterUsage {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: ClusterUsageSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterUsageSpec {
    of: Used,
    reason: &'static str,
    replay_deletion: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    api_version: &'static str,
    kind: &'static str,
    resource_ref: Reference,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Reference {
    name: String,
}

/// The guard of a tenant.
pub fn compose(tenant: &Tenant, guard: GuardPlan) -> ClusterUsage {
    let reason = match guard.mode {
        GuardMode::Protected => {
            "spec.deletionProtection is true: set it to false before deleting this tenant"
        }
        GuardMode::Refused => {
            "a deletion was refused while the tenant was protected: remove its annotation \
            usage.crossplane.io/deletion-attempt-with-policy, wait until its condition Guarded is true, then delete it"
        }
        GuardMode::Armed => {
            "the deletion is accepted: the tenant is taken off the air, backed up for the last time, and then removed; its \
            condition Guarded says how far that is. To keep it, remove its annotation \
            usage.crossplane.io/deletion-attempt-with-policy before its files are removed"
        }
    };
    ClusterUsage {
        api_version: "protection.crossplane.io/v1beta1",
        kind: "ClusterUsage",
        metadata: Metadata {
            labels: labels(Subject::Tenant(tenant), "guard"),
            ..Metadata::default()
        },
        spec: ClusterUsageSpec {
            of: Used {
                api_version: API_VERSION,
                kind: KIND,
                resource_ref: Reference {
                    name: tenant.slug.to_string(),
                },
            },
            reason,
            replay_deletion: guard.mode == GuardMode::Armed,
        },
    }
}
