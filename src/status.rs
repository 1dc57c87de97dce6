//! What people see: the status of the composite resource, and results when something changed.
//!
//! In: the tenant, its plan and what was observed. Out: values. A result is only made when a condition's reason or
//! the phase differs from what the cluster has, so that a settled tenant makes no events.

use crate::{
    api::plana_client::{BackupStatus, DatabaseOrigin, DatabaseStatus, FilestoreStatus, PlanaClientStatus},
    names::support_room,
    observed::Observed,
    plan::{ConditionState, ConditionType, Plan},
    tenant::Tenant,
};

/// An event of the composite resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether somebody has to look at it.
    pub warning: bool,
    /// Its reason, in one word.
    pub reason: String,
    /// Its message.
    pub message: String,
}

/// The status of the composite resource.
#[must_use]
pub fn status(tenant: &Tenant, plan: &Plan, observed: &Observed) -> PlanaClientStatus {
    let holds = |condition| plan.conditions.get(&condition).is_some_and(ConditionState::holds);
    let has_database = plan.database.is_some();
    let before = &observed.status;
    PlanaClientStatus {
        phase: Some(plan.phase.as_str().to_owned()),
        url: Some(tenant.url()),
        // Only a database makes a tenant be of a major: until then the spec may still change its mind.
        odoo_version: has_database.then(|| tenant.release.major.to_string()),
        namespace: Some(tenant.release.namespace.clone()),
        database_marker: has_database.then(|| tenant.marker.clone()),
        database: has_database.then(|| database(tenant, holds(ConditionType::DatabaseReady))),
        filestore: holds(ConditionType::FilestoreReady).then(|| FilestoreStatus {
            path: tenant.filestore_path(),
        }),
        backup: plan.backup.is_some().then(|| BackupStatus {
            schedule: tenant.backup.schedule.clone(),
            time_zone: tenant.backup.time_zone.clone(),
            last_successful_time: observed
                .backup
                .as_ref()
                .and_then(|view| view.status.last_successful_time.clone()),
            last_verified_time: before
                .backup
                .as_ref()
                .and_then(|backup| backup.last_verified_time.clone()),
        }),
        support_room: tenant
            .notices
            .matrix
            .as_ref()
            .map(|_| support_room(&tenant.slug, tenant.project_id)),
        deletion_refused: plan.deletion_refused,
        done: plan
            .done
            .iter()
            .map(|(step, record)| (step.as_str().to_owned(), record.clone()))
            .collect(),
    }
}

fn database(tenant: &Tenant, ready: bool) -> DatabaseStatus {
    let origin = if tenant.adopt.is_some() {
        DatabaseOrigin::Adopted
    } else {
        DatabaseOrigin::Template
    };
    DatabaseStatus {
        name: tenant.database.to_string(),
        ready,
        template: tenant.adopt.is_none().then(|| tenant.template.to_string()),
        origin: Some(origin),
    }
}

/// What changed since the status that the cluster has.
#[must_use]
pub fn events(plan: &Plan, observed: &Observed) -> Vec<Event> {
    let mut events = Vec::new();
    let phase = plan.phase.as_str();
    if observed.status.phase.as_deref() != Some(phase) {
        events.push(Event {
            warning: false,
            reason: "Phase".to_owned(),
            message: format!("the tenant is {phase}"),
        });
    }
    events.extend(
        plan.conditions
            .iter()
            .filter_map(|(condition, state)| change(*condition, state, observed)),
    );
    events
}

fn change(condition: ConditionType, state: &ConditionState, observed: &Observed) -> Option<Event> {
    let before = observed.conditions.get(condition.as_str());
    let reason = state.reason();
    if before.is_some_and(|before| before.reason == reason) {
        return None;
    }
    let (tells, warning) = match state {
        // That something holds is news only when it did not before.
        ConditionState::Holds(..) => (before.is_some(), false),
        ConditionState::Waits(waiting) => (waiting.needs_somebody(), true),
    };
    let event = || Event {
        warning,
        reason,
        message: format!("{}: {}", condition.as_str(), state.message()),
    };
    tells.then(event)
}
