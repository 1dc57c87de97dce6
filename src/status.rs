//! What people see: the status of the composite resource, and results when something changed.
//!
//! In: the tenant or the template, its plan and what was observed. Out: values. A result is only made when a condition's reason or
//! the phase differs from what the cluster has, so that a settled tenant makes no events.

mod template;

use std::collections::BTreeMap;

pub use self::template::template_status;
use crate::{
    api::plana_client::{
        BackupStatus, CourseStatus, DatabaseOrigin, DatabaseStatus, FilestoreStatus, PlanaClientStatus,
    },
    names::{Step, support_room},
    observed::{Condition, Observed},
    plan::{ConditionState, ConditionType, Phase, Plan},
    tenant::{Source, Tenant},
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
    let before = &observed.status;
    // One that goes is of its major to the end.
    let is_leaving = plan.deletion.is_some() && before.odoo_version.is_some();
    let has_database = plan.database.is_some() || is_leaving;
    PlanaClientStatus {
        phase: Some(plan.phase.as_str().to_owned()),
        url: Some(tenant.url()),
        // Only a database makes a tenant be of a major: until then the spec may still change its mind.
        odoo_version: has_database.then(|| tenant.release.major.to_string()),
        namespace: Some(tenant.release.namespace.clone()),
        database_marker: has_database
            .then(|| said(plan, Step::TenantInit, "marker").unwrap_or_else(|| tenant.marker.clone())),
        database: has_database.then(|| database(tenant, plan, observed)),
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
        support_room_id: said(plan, Step::RoomCreate, "roomId"),
        deletion_refused: plan.deletion_refused,
        course: (plan.course != CourseStatus::default()).then_some(plan.course),
        maintenance: plan.maintenance.clone(),
        deletion: plan.deletion.clone(),
        done: plan
            .done
            .iter()
            .map(|(step, record)| (step.as_str().to_owned(), record.clone()))
            .collect(),
    }
}

/// What the Job of a step that is done said in its report.
fn said(plan: &Plan, step: Step, fact: &str) -> Option<String> {
    plan.done.get(&step)?.result.get(fact).cloned()
}

fn database(tenant: &Tenant, plan: &Plan, observed: &Observed) -> DatabaseStatus {
    let condition = plan.conditions.get(&ConditionType::DatabaseReady);
    let expected = match &tenant.source {
        _ if tenant.adopt.is_some() => DatabaseOrigin::Adopted,
        Source::Template { .. } => DatabaseOrigin::Template,
        Source::Modules(_) => DatabaseOrigin::Installed,
    };
    let origin = match said(plan, Step::TenantInit, "origin").as_deref() {
        Some("Adopted") => DatabaseOrigin::Adopted,
        Some("Template") => DatabaseOrigin::Template,
        Some("Installed") => DatabaseOrigin::Installed,
        Some(_) | None => expected,
    };
    // Another tier is made from another template; what this tenant was cloned from stays so.
    let before = observed.status.database.as_ref();
    let cloned = before.and_then(|database| database.template.clone());
    let cloned = cloned.filter(|_| observed.is_recorded(Step::TenantInit));
    let template = cloned.or_else(|| tenant.template().map(ToString::to_string));
    DatabaseStatus {
        name: tenant.database.to_string(),
        ready: condition.is_some_and(ConditionState::holds),
        template: template.filter(|_| origin == DatabaseOrigin::Template),
        origin: Some(origin),
    }
}

/// What changed for a tenant since the status that the cluster has.
#[must_use]
pub fn events(plan: &Plan, observed: &Observed) -> Vec<Event> {
    let before = (observed.status.phase.as_deref(), &observed.conditions);
    changes("tenant", plan.phase, &plan.conditions, before)
}

/// What changed for a tenant or a template since the phase and the conditions that the cluster has.
#[must_use]
pub fn changes(
    what: &str,
    phase: Phase,
    conditions: &BTreeMap<ConditionType, ConditionState>,
    (phase_before, before): (Option<&str>, &BTreeMap<String, Condition>),
) -> Vec<Event> {
    let mut events = Vec::new();
    let phase = phase.as_str();
    if phase_before != Some(phase) {
        events.push(Event {
            warning: false,
            reason: "Phase".to_owned(),
            message: format!("the {what} is {phase}"),
        });
    }
    let changed = |(condition, state): (&ConditionType, _)| change(*condition, state, before);
    events.extend(conditions.iter().filter_map(changed));
    events
}

fn change(
    condition: ConditionType,
    state: &ConditionState,
    before: &BTreeMap<String, Condition>,
) -> Option<Event> {
    let before = before.get(condition.as_str());
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
