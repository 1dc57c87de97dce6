//! From nothing to a tenant that is served, in this order:
//!
//! 1. the guard, the copies of Secrets, the Database (dark, cloned from the tier's template) and the support room;
//! 2. once the database is there, the Job that makes it the tenant's and proves it;
//! 3. with that proof provider-sql may only look; once that is seen, the route and the backups;
//! 4. once the route is accepted, the Job that asks the tenant's workers for the tenant;
//! 5. once they answer, the account portal, the ERP and the event `client.provisioned`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    ConditionState, ConditionType, POLLED_TTL_SECONDS, Phase, Plan, Questions, WATCHED_TTL_SECONDS,
    WaitingOn, backup, database, guard, notices, route, secrets, source,
    steps::{Context, Progress, StepPlan},
};
use crate::{
    names::{SecretPurpose, Step},
    observed::Observed,
    tenant::Tenant,
};

/// Plans a tenant.
pub fn plan(tenant: &Tenant, observed: &Observed, now: Timestamp) -> Plan {
    let mut questions = Questions::default();
    let secrets = secrets::plan(tenant, observed, &mut questions);
    let context = Context::of_tenant(tenant, observed, &secrets);

    let guard = guard::plan(tenant, observed);
    let clone = source::look(tenant, observed, &mut questions);
    let database = database::plan(tenant, observed, &clone, &mut questions);
    let database_trouble = database::trouble(tenant, observed, &clone, &database);
    let init = init(tenant, &context, database_trouble.clone(), &mut questions);
    let published = init
        .gate(Step::TenantInit)
        .and_then(|()| database::is_released(observed));
    let routes = route::plan(tenant, observed, published.clone(), &mut questions);
    let backup = backup::plan((tenant, observed), &secrets, published, &mut questions, now);
    let accepted = routes
        .accepted
        .clone()
        .and_then(|()| secrets.check(&[SecretPurpose::Database], &tenant.release.namespace));
    let smoke = StepPlan::new(Step::TenantSmoke, &context, accepted, &mut questions);
    let notices = notices::plan(tenant, &context, &smoke.gate(Step::TenantSmoke), &mut questions);

    let database_state = database_condition(tenant, database_trouble, &init);
    let mut conditions = BTreeMap::from([
        (ConditionType::FilestoreReady, filestore_condition(tenant, &init)),
        (ConditionType::DatabaseReady, database_state),
        (
            ConditionType::RouteReady,
            route_condition(tenant, &routes.accepted, &smoke),
        ),
        (ConditionType::BackupScheduled, backup.condition),
        (ConditionType::VersionInSync, version_condition(tenant)),
        (ConditionType::Guarded, guard.condition),
    ]);
    conditions.extend(notices.conditions);

    let mut steps = notices.steps;
    steps.insert(Step::TenantInit, init);
    steps.insert(Step::TenantSmoke, smoke);
    let done = steps
        .iter()
        .filter_map(|(step, plan)| Some((*step, plan.record()?.clone())))
        .collect();
    let ready = is_ready(&conditions);
    Plan {
        phase: phase(observed, &conditions, guard.guard.is_none(), ready),
        ready,
        database: database.ok(),
        guard: guard.guard,
        secret_copies: secrets.copies,
        jobs: steps.into_values().filter_map(|plan| plan.job).collect(),
        routes: routes.routes,
        backup: backup.plan,
        done,
        deletion_refused: guard.refused,
        ttl_seconds: ttl_seconds(&conditions),
        conditions,
        questions,
    }
}

fn init(
    tenant: &Tenant,
    context: &Context<'_>,
    database: Option<WaitingOn>,
    questions: &mut Questions,
) -> StepPlan {
    let needed = [SecretPurpose::Database, SecretPurpose::Admin];
    let gate = database
        .map_or(Ok(()), Err)
        .and_then(|()| context.secrets.check(&needed, &tenant.release.namespace));
    StepPlan::new(Step::TenantInit, context, gate, questions)
}

fn database_condition(tenant: &Tenant, trouble: Option<WaitingOn>, init: &StepPlan) -> ConditionState {
    if let Some(waiting) = trouble {
        return ConditionState::Waits(waiting);
    }
    match &init.progress {
        Progress::Recorded(_) | Progress::Complete(_) => ConditionState::Holds(
            "Available",
            format!("the database {} is this tenant's", tenant.database),
        ),
        Progress::Waits(waiting) => ConditionState::Waits(waiting.clone()),
        Progress::Disabled => ConditionState::Waits(WaitingOn::StepNotDone(Step::TenantInit)),
    }
}

fn filestore_condition(tenant: &Tenant, init: &StepPlan) -> ConditionState {
    if init.is_done() {
        ConditionState::Holds(
            "Available",
            format!("the directory {} is there", tenant.filestore_path()),
        )
    } else {
        ConditionState::Waits(WaitingOn::StepNotDone(Step::TenantInit))
    }
}

fn route_condition(tenant: &Tenant, accepted: &Result<(), WaitingOn>, smoke: &StepPlan) -> ConditionState {
    match (accepted, &smoke.progress) {
        (Err(waiting), _) | (Ok(()), Progress::Waits(waiting)) => ConditionState::Waits(waiting.clone()),
        (Ok(()), Progress::Recorded(_) | Progress::Complete(_)) => {
            ConditionState::Holds("Served", format!("the tenant answers at {}", tenant.url()))
        }
        (Ok(()), Progress::Disabled) => ConditionState::Waits(WaitingOn::StepNotDone(Step::TenantSmoke)),
    }
}

fn version_condition(tenant: &Tenant) -> ConditionState {
    let (serving, wanted) = (tenant.release.major, tenant.wanted_major);
    match wanted.cmp(&serving) {
        std::cmp::Ordering::Equal => {
            ConditionState::Holds("InSync", format!("Odoo {serving} is wanted and serves"))
        }
        std::cmp::Ordering::Greater => ConditionState::Waits(WaitingOn::UpgradeRequired { serving, wanted }),
        std::cmp::Ordering::Less => ConditionState::Waits(WaitingOn::RestoreRequired { serving, wanted }),
    }
}

/// Usable: everything essential holds. Backups that are late are told, and do not make a tenant unusable.
fn is_ready(conditions: &BTreeMap<ConditionType, ConditionState>) -> bool {
    conditions
        .iter()
        .filter(|(condition, _)| condition.is_essential())
        .all(|(_, state)| match state {
            ConditionState::Holds(..) | ConditionState::Waits(WaitingOn::BackupOverdue(_)) => true,
            ConditionState::Waits(_) => false,
        })
}

fn phase(
    observed: &Observed,
    conditions: &BTreeMap<ConditionType, ConditionState>,
    is_released: bool,
    ready: bool,
) -> Phase {
    let mut essential = conditions
        .iter()
        .filter(|(condition, _)| condition.is_essential());
    let needs_somebody = essential.any(|(_, state)| match state {
        ConditionState::Holds(..) => false,
        ConditionState::Waits(waiting) => waiting.needs_somebody(),
    });
    let was_served = observed.is_recorded(Step::TenantSmoke);
    match (is_released, ready, was_served, needs_somebody) {
        (true, ..) => Phase::Deleting,
        (false, true, ..) => Phase::Running,
        (false, false, true, _) => Phase::Degraded,
        (false, false, false, true) => Phase::Blocked,
        (false, false, false, false) if database::is_available(observed) => Phase::Initializing,
        (false, false, false, false) => Phase::Provisioning,
    }
}

/// Seconds after which to ask again.
pub fn ttl_seconds(conditions: &BTreeMap<ConditionType, ConditionState>) -> i64 {
    let polled = conditions.values().any(|state| match state {
        ConditionState::Holds(..) => false,
        ConditionState::Waits(waiting) => waiting.is_polled(),
    });
    if polled {
        POLLED_TTL_SECONDS
    } else {
        WATCHED_TTL_SECONDS
    }
}
