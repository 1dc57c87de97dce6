//! What a tenant's life is made of, decided together. From nothing to a tenant that is served, in this order:
//!
//! 1. the guard, the copies of Secrets, the Database (dark, cloned from the tier's template) and the support room;
//! 2. once the database is there, the Job that makes it the tenant's and proves it;
//! 3. with that proof provider-sql may only look; once that is seen, the route and the backups;
//! 4. once the route is accepted, the Job that asks the tenant's workers for the tenant;
//! 5. once they answer, the account portal, the ERP and the event `client.provisioned`.
//!
//! A tenant that is suspended, or that an operation has to itself, keeps all of that but the way to its workers. One that is
//! deleted takes the way of `teardown`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    ConditionState, ConditionType, Phase, Plan, Questions, WaitingOn, backup,
    course::{self, CoursePlan},
    database,
    guard::{self, GuardDecision},
    lease::{self, Lease},
    notices,
    phase::{is_ready, phase, ttl_seconds},
    route::{self, RoutesPlan},
    secrets::{self, Secrets},
    source,
    steps::{Context, Progress, StepPlan},
    teardown,
};
use crate::{
    api::plana_client::{Course, MaintenanceStatus},
    names::{SecretPurpose, Step},
    observed::Observed,
    tenant::Tenant,
};

/// What the parts of a plan are planned with.
struct Situation<'a> {
    tenant: &'a Tenant,
    observed: &'a Observed,
    course: CoursePlan,
    guard: GuardDecision,
    lease: Lease,
    secrets: &'a Secrets,
    context: Context<'a>,
    now: Timestamp,
}

/// Plans a tenant.
pub fn plan(tenant: &Tenant, observed: &Observed, now: Timestamp) -> Plan {
    let mut questions = Questions::default();
    let guard = guard::plan(tenant, observed);
    let course = course::decide(tenant, observed, &guard);
    let inputs = course.inputs(observed);
    let secrets = secrets::plan(tenant, observed, (&course, &inputs), &mut questions);
    let situation = Situation {
        tenant,
        observed,
        course,
        guard,
        lease: lease::look(tenant, &observed.required, now, &mut questions),
        secrets: &secrets,
        context: Context::of_tenant(tenant, observed, &secrets, inputs),
        now,
    };
    match course.now.name {
        Course::Serve | Course::Suspend => live(&situation, questions),
        Course::Teardown => leave(&situation, questions),
    }
}

/// Plans a tenant that stays.
fn live(situation: &Situation<'_>, mut questions: Questions) -> Plan {
    let Situation {
        tenant,
        observed,
        context,
        ..
    } = situation;
    let clone = source::look(tenant, observed, &mut questions);
    let database = database::plan(tenant, observed, &clone, &mut questions);
    let database_trouble = database::trouble(tenant, observed, &clone, &database);
    let init = init(tenant, context, database_trouble.clone(), &mut questions);
    let published = init
        .gate(Step::TenantInit)
        .and_then(|()| database::is_released(observed));
    let backup = backup::plan(
        (tenant, observed),
        situation.secrets,
        published.clone(),
        &mut questions,
        situation.now,
    );
    let mut steps = situation.drain_others(&mut questions);
    let (routes, served) = access(situation, published, &mut steps, &mut questions);
    let gate = steps
        .get(&Step::TenantSmoke)
        .map_or(Ok(()), |smoke| smoke.gate(Step::TenantSmoke));
    let notices = notices::plan(tenant, context, &gate, &mut questions);

    let database_state = database_condition(tenant, observed, database_trouble, &init);
    let mut conditions = BTreeMap::from([
        (ConditionType::FilestoreReady, filestore_condition(tenant, &init)),
        (ConditionType::DatabaseReady, database_state),
        (ConditionType::RouteReady, served),
        (ConditionType::BackupScheduled, backup.condition),
        (ConditionType::VersionInSync, version_condition(tenant)),
        (ConditionType::Guarded, situation.guard.condition.clone()),
    ]);
    conditions.extend(notices.conditions);
    steps.extend(notices.steps);
    steps.insert(Step::TenantInit, init);
    let ready = is_ready(&conditions);
    Plan {
        phase: phase(observed, &conditions, ready),
        ready,
        database: database.ok(),
        guard: Some(situation.guard.guard),
        backup: backup.plan,
        deletion: None,
        ..situation.finish(steps, routes, conditions, questions)
    }
}

/// Plans a tenant that goes.
fn leave(situation: &Situation<'_>, mut questions: Questions) -> Plan {
    let Situation { tenant, observed, .. } = situation;
    let mut steps = situation.drain_others(&mut questions);
    let routes = route::close(tenant, observed, Err(WaitingOn::TenantLeaving), &mut questions);
    let is_unfinished = steps.values().find_map(StepPlan::is_unfinished);
    let may_begin = situation
        .course
        .is_told()
        .and(is_unfinished.map_or(Ok(()), Err))
        .and(situation.may_change())
        .and(routes.closed.clone());
    let ending = teardown::plan(
        &teardown::Situation {
            tenant,
            observed,
            course: &situation.course,
            context: &situation.context,
            may_begin,
            now: situation.now,
        },
        &mut questions,
    );
    let mut conditions: BTreeMap<_, _> = ConditionType::OF_TENANT
        .into_iter()
        .map(|condition| (condition, ConditionState::Waits(WaitingOn::TenantLeaving)))
        .collect();
    conditions.insert(ConditionType::VersionInSync, version_condition(tenant));
    let guard = ending.waits.as_ref().map(|_| situation.guard.guard);
    let waits = ending.waits.unwrap_or(WaitingOn::DeletionReleased);
    conditions.insert(ConditionType::Guarded, ConditionState::Waits(waits));
    steps.extend(ending.steps);
    Plan {
        phase: Phase::Deleting,
        ready: false,
        database: ending.database,
        guard,
        backup: backup::paused(tenant, observed, situation.secrets),
        deletion: Some(ending.deletion),
        ..situation.finish(steps, routes, conditions, questions)
    }
}

/// Whether the tenant's workers are reached, and what decides that.
fn access(
    situation: &Situation<'_>,
    published: Result<(), WaitingOn>,
    steps: &mut BTreeMap<Step, StepPlan>,
    questions: &mut Questions,
) -> (RoutesPlan, ConditionState) {
    let Situation {
        tenant,
        observed,
        course,
        context,
        ..
    } = situation;
    let namespace = &tenant.release.namespace;
    let login = situation.secrets.check(&[SecretPurpose::Database], namespace);
    // One writer: what the other way began ends first, even if the status that said so is lost.
    let ended = steps
        .values()
        .find_map(StepPlan::is_unfinished)
        .map_or(Ok(()), Err);
    let gate = published
        .clone()
        .and(course.is_told())
        .and(ended.clone())
        .and(situation.may_change())
        .and(login.clone());
    if course.now.name == Course::Suspend {
        let routes = route::close(tenant, observed, published, questions);
        let gate = gate.and(routes.closed.clone());
        let suspend = StepPlan::new(Step::TenantSuspend, context, gate, questions);
        let waiting = match &suspend.progress {
            Progress::Waits(waiting) => waiting.clone(),
            Progress::Recorded(_) | Progress::Complete(_) | Progress::Disabled => {
                WaitingOn::Suspended(routes.how)
            }
        };
        steps.insert(Step::TenantSuspend, suspend);
        return (routes, ConditionState::Waits(waiting));
    }
    let mut resumed = ended;
    if !course.is_first() {
        let resume = StepPlan::new(Step::TenantResume, context, gate, questions);
        resumed = match &resume.progress {
            Progress::Waits(waiting) => Err(waiting.clone()),
            Progress::Recorded(_) | Progress::Complete(_) | Progress::Disabled => {
                resume.gate(Step::TenantResume)
            }
        };
        steps.insert(Step::TenantResume, resume);
    }
    let undisturbed = resumed.and(situation.is_free());
    let routes = match &undisturbed {
        Ok(()) => {
            // A status that is lost may have said that it is to be closed.
            let is_certain = situation.may_change().is_ok() && observed.status.phase.is_some();
            route::open(tenant, observed, published, is_certain, questions)
        }
        Err(_) => route::close(tenant, observed, published, questions),
    };
    let accepted = undisturbed.and(routes.accepted.clone());
    let smoke = StepPlan::new(Step::TenantSmoke, context, accepted.clone().and(login), questions);
    let served = situation.served(&accepted, &smoke);
    steps.insert(Step::TenantSmoke, smoke);
    (routes, served)
}

impl Situation<'_> {
    /// Lets the steps end that this course does not include.
    fn drain_others(&self, questions: &mut Questions) -> BTreeMap<Step, StepPlan> {
        let others = Step::OF_TENANT
            .into_iter()
            .filter(|step| !self.course.includes(*step));
        others
            .map(|step| {
                let turn = self.course.before.turn;
                (step, StepPlan::drained(step, &self.context, turn, questions))
            })
            .collect()
    }

    /// Open while no operation has the tenant to itself; on doubt it stays as it is.
    fn is_free(&self) -> Result<(), WaitingOn> {
        let before = self.observed.status.maintenance.as_ref();
        match &self.lease {
            Lease::Pending(what) if before.is_some_and(|before| before.active) => {
                Err(WaitingOn::LookupPending(what.clone()))
            }
            Lease::Free | Lease::Pending(_) | Lease::Abandoned { .. } => Ok(()),
            Lease::Held { by } => Err(WaitingOn::UnderMaintenance(by.clone())),
        }
    }

    /// Open once it is certain that no operation has the tenant to itself.
    fn may_change(&self) -> Result<(), WaitingOn> {
        match &self.lease {
            Lease::Pending(what) => Err(WaitingOn::LookupPending(what.clone())),
            Lease::Free | Lease::Abandoned { .. } | Lease::Held { .. } => self.is_free(),
        }
    }

    fn served(&self, accepted: &Result<(), WaitingOn>, smoke: &StepPlan) -> ConditionState {
        match (accepted, &smoke.progress) {
            (Err(waiting), _) | (Ok(()), Progress::Waits(waiting)) => ConditionState::Waits(waiting.clone()),
            (Ok(()), Progress::Recorded(_) | Progress::Complete(_)) => {
                let url = self.tenant.url();
                match &self.lease {
                    Lease::Abandoned { lease, by } => ConditionState::Holds(
                        "LeaseAbandoned",
                        format!(
                            "the tenant answers at {url}. The Lease {lease} is of {by}, which is gone: delete it, since no \
                             operation on the tenant can begin before"
                        ),
                    ),
                    Lease::Free | Lease::Pending(_) | Lease::Held { .. } => {
                        ConditionState::Holds("Served", format!("the tenant answers at {url}"))
                    }
                }
            }
            (Ok(()), Progress::Disabled) => ConditionState::Waits(WaitingOn::StepNotDone(Step::TenantSmoke)),
        }
    }

    fn maintenance(&self, routes: &RoutesPlan) -> Option<MaintenanceStatus> {
        let (by, is_held) = match &self.lease {
            Lease::Held { by } => (by.clone(), true),
            Lease::Abandoned { by, .. } => (format!("{by}, which is gone"), false),
            Lease::Pending(_) => return self.observed.status.maintenance.clone(),
            Lease::Free => return None,
        };
        let active = is_held && routes.closed.is_ok();
        Some(MaintenanceStatus { active, by })
    }

    /// What all plans have in common; the caller adds what it has decided.
    fn finish(
        &self,
        steps: BTreeMap<Step, StepPlan>,
        routes: RoutesPlan,
        conditions: BTreeMap<ConditionType, ConditionState>,
        questions: Questions,
    ) -> Plan {
        // What was done in an earlier turn stays known until it is done again.
        let before = |step: Step| self.observed.status.done.get(step.as_str());
        let record = |step: Step| steps.get(&step).and_then(StepPlan::record).or(before(step));
        let done = Step::OF_TENANT
            .into_iter()
            .filter_map(|step| Some((step, record(step)?.clone())))
            .collect();
        Plan {
            phase: Phase::Provisioning,
            ready: false,
            database: None,
            guard: None,
            secret_copies: self.secrets.copies.clone(),
            jobs: steps.into_values().filter_map(|plan| plan.job).collect(),
            maintenance: self.maintenance(&routes),
            routes: routes.routes,
            filters: routes.filters,
            backup: None,
            done,
            deletion_refused: self.guard.refused,
            course: self.course.now,
            deletion: None,
            ttl_seconds: ttl_seconds(&conditions, self.observed),
            conditions,
            questions,
        }
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

fn database_condition(
    tenant: &Tenant,
    observed: &Observed,
    trouble: Option<WaitingOn>,
    init: &StepPlan,
) -> ConditionState {
    if let Some(waiting) = trouble {
        return ConditionState::Waits(waiting);
    }
    match &init.progress {
        Progress::Recorded(_) | Progress::Complete(_) => {
            let whose = format!("the database {} is this tenant's", tenant.database);
            ConditionState::Holds("Available", whose + &database::other_template(tenant, observed))
        }
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
