//! The guard: a `ClusterUsage` of the composite resource by itself, so that a deletion goes through the function.
//!
//! Crossplane does not call functions for a composite resource that is being deleted (all 2.x releases). Its webhook
//! for usages refuses the deletion, notes the attempt in an annotation, and, where the usage says so, sends the
//! deletion again once the usage is gone. So the guard stays as long as something is to be done before.
//!
//! The annotation does not say when the attempt was. One that was refused because the tenant was protected must not
//! come back to life when the protection is switched off later, so it is remembered in status.

use super::{ConditionState, WaitingOn};
use crate::{observed::Observed, tenant::Tenant};

/// The guard as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardPlan {
    /// What it does with a deletion.
    pub mode: GuardMode,
    /// Whether it is there.
    pub ready: bool,
}

/// What a guard does with a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardMode {
    /// Refuses it: the tenant is protected.
    Protected,
    /// Refuses it: one that was refused before has not been taken back.
    Refused,
    /// Holds it until the tenant may go; Crossplane sends it again once the guard is gone.
    Armed,
}

/// The guard as long as the tenant stays, its condition, and whether a refused deletion is remembered.
pub struct GuardDecision {
    /// The guard.
    pub guard: GuardPlan,
    /// What deleting does now.
    pub condition: ConditionState,
    /// Whether a deletion was refused and is not to come back to life.
    pub refused: bool,
    /// Whether the tenant is to go.
    pub accepted: bool,
}

/// Plans the guard.
pub fn plan(tenant: &Tenant, observed: &Observed) -> GuardDecision {
    let attempted = observed.deletion_attempted;
    // A guard that does not send deletions again has refused this one, even if the record is lost with the status.
    let was_refused = observed.status.deletion_refused
        || match &observed.guard {
            Some(guard) => !guard.spec.replay_deletion,
            // An attempt was noted by a guard, and no guard was without a status. What both said is lost: on doubt the
            // tenant stays.
            None => observed.status.phase.is_none(),
        };
    let refused = attempted && (tenant.deletion_protection || was_refused);
    let guard = GuardPlan {
        mode: match (tenant.deletion_protection, refused) {
            (true, _) => GuardMode::Protected,
            (false, true) => GuardMode::Refused,
            (false, false) => GuardMode::Armed,
        },
        ready: observed.guard.is_some(),
    };
    let condition = if refused {
        ConditionState::Waits(WaitingOn::DeletionRefused)
    } else if !guard.ready {
        ConditionState::Waits(WaitingOn::GuardCreating)
    } else if tenant.deletion_protection {
        ConditionState::Holds(
            "Protected",
            "deleting is refused until spec.deletionProtection is false".to_owned(),
        )
    } else {
        ConditionState::Holds(
            "Armed",
            "deleting takes the tenant off the air, backs it up for the last time, and removes database and filestore; that \
             backup stays"
                .to_owned(),
        )
    };
    GuardDecision {
        guard,
        condition,
        refused,
        accepted: attempted && !refused,
    }
}
