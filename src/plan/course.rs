//! What is being done with a tenant: it is served, suspended, or taken away; and how often that changed.
//!
//! A step is done once in a turn. Suspending a tenant for a second time is another turn, so its Job runs again; a backup that was
//! the last one in a deletion that was taken back is not the last one of the next.
//!
//! A turn begins in status: nothing that cannot be taken back is begun before the status that the cluster has says so.

use std::collections::BTreeMap;

use super::{WaitingOn, guard::GuardDecision};
use crate::{
    api::plana_client::{Course, CourseStatus, StepRecord},
    names::Step,
    observed::Observed,
    tenant::Tenant,
};

/// What begins the inputs of a step that is done once in a turn.
const TURN: &str = "turn-";
/// News that are told, and what takes them back.
pub const TAKEN_BACK: [(Step, Step); 4] = [
    (Step::RoomCreate, Step::RoomRetire),
    (Step::PortalNotify, Step::PortalFarewell),
    (Step::ErpCallback, Step::ErpFarewell),
    (Step::EventPublish, Step::EventFarewell),
];

/// What is being done with a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoursePlan {
    /// What is being done, and in which turn.
    pub now: CourseStatus,
    /// What the status that the cluster has says.
    pub before: CourseStatus,
    /// Whether a deletion was taken back when it was too late for that.
    pub held: bool,
}

/// Decides what is being done.
pub fn decide(tenant: &Tenant, observed: &Observed, guard: &GuardDecision) -> CoursePlan {
    let before = observed.status.course.unwrap_or_default();
    let is_removing = is_removing(observed);
    let name = if guard.accepted || is_removing {
        Course::Teardown
    } else if tenant.suspended {
        Course::Suspend
    } else {
        Course::Serve
    };
    let turn = before.turn + u32::from(name != before.name);
    CoursePlan {
        now: CourseStatus { name, turn },
        before,
        held: is_removing && !guard.accepted,
    }
}

/// Whether the removal of the tenant's data may have begun.
pub fn is_removing(observed: &Observed) -> bool {
    let deletion = observed.status.deletion.as_ref();
    deletion.is_some_and(|deletion| deletion.removing)
}

impl CoursePlan {
    /// Open once the status that the cluster has knows of this turn.
    pub fn is_told(&self) -> Result<(), WaitingOn> {
        if self.now == self.before {
            Ok(())
        } else {
            Err(WaitingOn::StatusPending)
        }
    }

    /// Whether the tenant was never anything but served: nothing of it was ever closed.
    pub fn is_first(&self) -> bool {
        self.now.turn == 0
    }

    /// Whether the steps of this course include one.
    pub fn includes(&self, step: Step) -> bool {
        let is_early = matches!(
            step,
            Step::TenantInit | Step::RoomCreate | Step::PortalNotify | Step::ErpCallback | Step::EventPublish
        );
        match self.now.name {
            Course::Serve => {
                is_early || step == Step::TenantSmoke || (step == Step::TenantResume && !self.is_first())
            }
            Course::Suspend => is_early || step == Step::TenantSuspend,
            Course::Teardown => !is_early && step != Step::TenantSmoke && step != Step::TenantResume,
        }
    }

    /// What steps are to be done with, where something else means that they are to be done again.
    pub fn inputs(&self, observed: &Observed) -> BTreeMap<Step, String> {
        wanted(self.now.turn, |step| observed.status.done.get(step.as_str()))
    }
}

/// What steps are to be done with in a turn, by what was done before.
pub fn wanted<'a>(turn: u32, done: impl Fn(Step) -> Option<&'a StepRecord>) -> BTreeMap<Step, String> {
    let mut inputs = BTreeMap::new();
    if turn == 0 {
        return inputs;
    }
    let turn = format!("{TURN}{turn}");
    let each_turn = Step::OF_TENANT
        .into_iter()
        .filter(|step| *step != Step::TenantInit && TAKEN_BACK.iter().all(|(told, _)| told != step));
    inputs.extend(each_turn.map(|step| (step, turn.clone())));
    let record = |step: Step| done(step)?.inputs.as_ref();
    for (told, taken_back) in TAKEN_BACK {
        // Told again after it was taken back; else as it was told.
        let is_stale = turn_of(record(taken_back)) > turn_of(record(told));
        let wanted = if is_stale { Some(&turn) } else { record(told) };
        inputs.extend(wanted.map(|wanted| (told, wanted.clone())));
    }
    inputs
}

/// The turn that a step was done in.
pub fn turn_of(inputs: Option<&String>) -> u32 {
    inputs
        .and_then(|inputs| inputs.strip_prefix(TURN)?.parse().ok())
        .unwrap_or_default()
}
