//! The side effects that are news to others: support room, account portal, ERP, event.

use std::collections::BTreeMap;

use super::{
    ConditionState, ConditionType, Questions, WaitingOn,
    steps::{Context, StepPlan},
};
use crate::{
    names::{SecretPurpose, Step, support_room},
    tenant::Tenant,
};

/// A side effect: its step, its condition, its Secret, and the reason when it is done.
pub const NOTICES: [(Step, ConditionType, SecretPurpose, &str); 4] = [
    (
        Step::RoomCreate,
        ConditionType::SupportRoomReady,
        SecretPurpose::Matrix,
        "Created",
    ),
    (
        Step::PortalNotify,
        ConditionType::PortalNotified,
        SecretPurpose::Portal,
        "Notified",
    ),
    (
        Step::ErpCallback,
        ConditionType::ErpNotified,
        SecretPurpose::Erp,
        "Notified",
    ),
    (
        Step::EventPublish,
        ConditionType::EventPublished,
        SecretPurpose::Events,
        "Published",
    ),
];

/// The plans of the side effects, with their conditions.
pub struct NoticesPlan {
    /// By step.
    pub steps: BTreeMap<Step, StepPlan>,
    /// By type.
    pub conditions: Vec<(ConditionType, ConditionState)>,
}

/// Plans the side effects. The room is made at once; the others once the tenant answers.
pub fn plan(
    tenant: &Tenant,
    context: &Context<'_>,
    answers: &Result<(), WaitingOn>,
    questions: &mut Questions,
) -> NoticesPlan {
    let mut plan = NoticesPlan {
        steps: BTreeMap::new(),
        conditions: Vec::new(),
    };
    for (step, condition, purpose, done) in NOTICES {
        let gate = if step == Step::RoomCreate {
            Ok(())
        } else {
            answers.clone()
        };
        let gate = gate.and_then(|()| context.secrets.check(&[purpose], &tenant.jobs.namespace));
        let planned = StepPlan::new(step, context, gate, questions);
        plan.conditions
            .push((condition, planned.condition(done, || message(step, tenant))));
        plan.steps.insert(step, planned);
    }
    plan
}

fn message(step: Step, tenant: &Tenant) -> String {
    match step {
        Step::RoomCreate => format!("the room is {}", support_room(&tenant.slug, tenant.project_id)),
        Step::PortalNotify => "the account portal knows the tenant".to_owned(),
        Step::ErpCallback => "the ERP knows the tenant".to_owned(),
        Step::EventPublish => "client.provisioned is published".to_owned(),
        Step::TemplateBuild
        | Step::TenantInit
        | Step::TenantSmoke
        | Step::TenantSuspend
        | Step::TenantResume
        | Step::FinalBackup
        | Step::FinalVerify
        | Step::RoomRetire
        | Step::PortalFarewell
        | Step::ErpFarewell
        | Step::EventFarewell
        | Step::FilestoreRemove
        | Step::TenantRelease => String::new(),
    }
}
