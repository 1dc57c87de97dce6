//! The guard of a composite resource (`protection.crossplane.io/v1beta1` `ClusterUsage`).
//!
//! Its reason is what an operator reads when the webhook refuses to delete the tenant, so it says what happens now.

use serde::Serialize;

use super::Metadata;
use crate::{
    api::{API_VERSION, plana_client::KIND},
    blueprint::labels::labels,
    plan::GuardPlan,
    tenant::Tenant,
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
    let reason = if guard.replay_deletion {
        "the deletion is accepted: the tenant's objects go within seconds; its database, backups and filestore stay"
    } else {
        "spec.deletionProtection is true: set it to false before deleting this tenant"
    };
    ClusterUsage {
        api_version: "protection.crossplane.io/v1beta1",
        kind: "ClusterUsage",
        metadata: Metadata {
            labels: labels(&tenant.slug, "guard"),
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
            replay_deletion: guard.replay_deletion,
        },
    }
}
