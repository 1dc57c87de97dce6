//! The Lease `tenant-<slug>`: which operation has the tenant to itself.
//!
//! An operation (an upgrade, a restore) composes the Lease, so its controller is the operation's composite resource, and only
//! one gets it. As long as it is there the tenant's route answers for maintenance; the operation waits until
//! `status.maintenance` says so. A Lease whose holder is gone is named, and holds nothing up.

use jiff::{SignedDuration, Timestamp};

use super::{
    Question, Questions,
    questions::{OPERATIONS, full_name},
};
use crate::{
    api::API_VERSION,
    observed::{LEASE_QUESTION, LeaseView, Lookup, Required, object::OwnerReference},
    tenant::Tenant,
};

/// The name of the question for the operation that holds the Lease.
const HOLDER_QUESTION: &str = "lease-holder";

/// Who has the tenant to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Nobody.
    Free,
    /// Crossplane has not answered yet.
    Pending(String),
    /// An operation.
    Held {
        /// Which.
        by: String,
    },
    /// Nobody any more.
    Abandoned {
        /// Namespace and name of the Lease.
        lease: String,
        /// Who held it.
        by: String,
    },
}

/// Looks who has the tenant to itself.
pub fn look(tenant: &Tenant, required: &Required, now: Timestamp, questions: &mut Questions) -> Lease {
    let namespace = &tenant.jobs.namespace;
    let name = format!("tenant-{}", tenant.slug);
    let lease = full_name(Some(namespace), &name);
    let question = Question {
        api_version: "coordination.k8s.io/v1",
        kind: "Lease",
        namespace: Some(namespace.clone()),
        name,
    };
    questions.objects.insert(LEASE_QUESTION.to_owned(), question);
    let view = match required.lease(LEASE_QUESTION) {
        Lookup::Pending => return Lease::Pending(format!("the Lease {lease}")),
        Lookup::Absent => return Lease::Free,
        Lookup::Found(view) => view,
    };
    if view.metadata.deletion_timestamp.is_some() {
        return Lease::Free;
    }
    match view.metadata.controller() {
        Some(owner) => of_operation(owner, lease, required, questions),
        None => of_somebody(view, lease, now),
    }
}

fn of_operation(
    owner: &OwnerReference,
    lease: String,
    required: &Required,
    questions: &mut Questions,
) -> Lease {
    let by = format!("{} {}", owner.kind, owner.name);
    let Some((key, kind)) = OPERATIONS.into_iter().find(|(_, kind)| *kind == owner.kind) else {
        return Lease::Abandoned { lease, by };
    };
    // An object of a kind that the cluster does not know must not be asked for: it would fail the whole call.
    questions.kinds.insert(key, (API_VERSION, kind));
    match required.kind(key) {
        Lookup::Pending => return Lease::Pending(format!("the kind {kind}")),
        Lookup::Absent => return Lease::Abandoned { lease, by },
        Lookup::Found(()) => {}
    }
    let question = Question {
        api_version: API_VERSION,
        kind,
        namespace: None,
        name: owner.name.clone(),
    };
    questions.objects.insert(HOLDER_QUESTION.to_owned(), question);
    match required.object(HOLDER_QUESTION) {
        Lookup::Pending => Lease::Pending(format!("the {by}")),
        Lookup::Found(holder) if holder.metadata.uid == owner.uid => Lease::Held { by },
        // Another one of the same name is not the one that took it.
        Lookup::Absent | Lookup::Found(_) => Lease::Abandoned { lease, by },
    }
}

/// A Lease that nobody manages is held for as long as it says: somebody took it by hand.
fn of_somebody(view: &LeaseView, lease: String, now: Timestamp) -> Lease {
    let spec = &view.spec;
    let by = spec.holder_identity.clone();
    let by = by.unwrap_or_else(|| "somebody who does not say who".to_owned());
    let renewed = spec
        .renew_time
        .as_ref()
        .and_then(|time| time.parse::<Timestamp>().ok());
    let lasts = spec.lease_duration_seconds.map(SignedDuration::from_secs);
    let is_held = match (renewed, lasts) {
        (Some(renewed), Some(lasts)) => now.duration_since(renewed) < lasts,
        (_, None) | (None, _) => false,
    };
    if is_held {
        Lease::Held { by }
    } else {
        Lease::Abandoned { lease, by }
    }
}
