//! What the conditions of a tenant or a template come to: whether it is usable, its phase, and when to ask again.

use std::collections::BTreeMap;

use super::{
    ConditionState, ConditionType, POLLED_TTL_SECONDS, PROGRESS_TTL_SECONDS, Phase, UNHEARD_TTL_SECONDS,
    WATCHED_TTL_SECONDS, WaitingOn, database, waiting::Pace,
};
use crate::{names::Step, observed::Observed};

/// Usable: everything essential holds. Backups that are late are told, and do not make a tenant unusable.
pub fn is_ready(conditions: &BTreeMap<ConditionType, ConditionState>) -> bool {
    conditions
        .iter()
        .filter(|(condition, _)| condition.is_essential())
        .all(|(_, state)| match state {
            ConditionState::Holds(..) | ConditionState::Waits(WaitingOn::BackupOverdue(_)) => true,
            ConditionState::Waits(_) => false,
        })
}

/// Where a tenant that stays is in its life.
pub fn phase(
    observed: &Observed,
    conditions: &BTreeMap<ConditionType, ConditionState>,
    ready: bool,
) -> Phase {
    let mut essential = conditions
        .iter()
        .filter(|(condition, _)| condition.is_essential());
    let needs_somebody = essential.any(|(_, state)| match state {
        ConditionState::Holds(..) => false,
        ConditionState::Waits(waiting) => waiting.needs_somebody(),
    });
    match conditions.get(&ConditionType::RouteReady) {
        Some(ConditionState::Waits(WaitingOn::Suspended(_))) => return Phase::Suspended,
        Some(ConditionState::Waits(WaitingOn::UnderMaintenance(_))) => return Phase::Maintenance,
        Some(ConditionState::Waits(_) | ConditionState::Holds(..)) | None => {}
    }
    let was_served = observed.is_recorded(Step::TenantSmoke);
    match (ready, was_served, needs_somebody) {
        (true, ..) => Phase::Running,
        (false, true, _) => Phase::Degraded,
        (false, false, true) => Phase::Blocked,
        (false, false, false) if database::is_available(observed) => Phase::Initializing,
        (false, false, false) => Phase::Provisioning,
    }
}

/// Seconds after which to ask again; sooner where Crossplane says that it hears no events of the composite resource.
pub fn ttl_seconds<Status>(
    conditions: &BTreeMap<ConditionType, ConditionState>,
    observed: &Observed<Status>,
) -> i64 {
    let most = if observed.is_heard() {
        WATCHED_TTL_SECONDS
    } else {
        UNHEARD_TTL_SECONDS
    };
    let waits: Vec<_> = conditions
        .values()
        .filter_map(|state| match state {
            ConditionState::Holds(..) => None,
            ConditionState::Waits(waiting) => Some(waiting),
        })
        .collect();
    let is_explained = waits.iter().any(|waiting| waiting.pace() != Pace::Following);
    let seconds = waits.iter().map(|waiting| match waiting {
        // What waits for time alone needs no more than one call when it is over.
        WaitingOn::GracePeriod { seconds, .. } => (*seconds).clamp(1, WATCHED_TTL_SECONDS),
        waiting => match waiting.pace() {
            Pace::Soon => PROGRESS_TTL_SECONDS,
            Pace::Following if !is_explained => PROGRESS_TTL_SECONDS,
            Pace::Patient => POLLED_TTL_SECONDS,
            Pace::Following | Pace::Settled => WATCHED_TTL_SECONDS,
        },
    });
    seconds.fold(most, i64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names::Step, observed::object::Condition};

    fn ttl(waits: &[WaitingOn]) -> i64 {
        let types = [
            ConditionType::DatabaseReady,
            ConditionType::RouteReady,
            ConditionType::VersionInSync,
        ];
        let states = waits.iter().cloned().map(ConditionState::Waits);
        let observed = Observed::<()>::default();
        ttl_seconds(&types.into_iter().zip(states).collect(), &observed)
    }

    #[test]
    fn a_composite_whose_events_are_lost_is_looked_at_though_it_is_settled() {
        let mut observed = Observed::<()>::default();
        let responsive = Condition {
            status: "False".to_owned(),
            reason: "WatchCircuitOpen".to_owned(),
            ..Condition::default()
        };
        observed.conditions.insert("Responsive".to_owned(), responsive);
        assert_eq!(ttl_seconds(&BTreeMap::new(), &observed), UNHEARD_TTL_SECONDS);
    }

    #[test]
    fn what_is_under_way_is_asked_for_soon_and_what_somebody_has_to_do_after_a_minute() {
        let running = WaitingOn::JobRunning(Step::TenantInit, "job".to_owned());
        let missing = WaitingOn::GatewayApiMissing;
        assert_eq!(ttl(&[]), WATCHED_TTL_SECONDS);
        assert_eq!(ttl(&[running.clone(), missing.clone()]), PROGRESS_TTL_SECONDS);
        assert_eq!(ttl(std::slice::from_ref(&missing)), POLLED_TTL_SECONDS);
        assert_eq!(ttl(&[WaitingOn::DeletionRefused]), WATCHED_TTL_SECONDS);
    }

    #[test]
    fn a_step_that_waits_for_another_has_the_pace_of_that_one_or_of_the_next_call() {
        let follows = WaitingOn::StepNotDone(Step::TenantInit);
        // The step before it is done by now, and the event of our own status may be lost.
        assert_eq!(ttl(&[follows.clone(), follows.clone()]), PROGRESS_TTL_SECONDS);
        assert_eq!(
            ttl(&[follows.clone(), WaitingOn::GatewayApiMissing]),
            POLLED_TTL_SECONDS
        );
        assert_eq!(ttl(&[follows, WaitingOn::DeletionRefused]), WATCHED_TTL_SECONDS);
    }
}
