//! Where a tenant or a template is, what is next, and what it waits for.
//!
//! In: a [`Tenant`], what is [`Observed`], and the time; or a template and what is observed of it ([`plan_template`]). Out:
//! a [`Plan`] or a [`TemplatePlan`] that leaves nothing to choose: every object
//! that is to exist, every condition with its reason, every question to the cluster. Always a plan, never an error: what
//! cannot go on waits, and says for what ([`WaitingOn`]).
//!
//! Rules that hold for every plan (`invariants` checks them in tests and debug builds):
//! - What is observed as ours stays desired until a plan has a reason to end it; an observation that is missing never is one.
//! - A step is recorded in status first, and its Job leaves only when the *observed* status has the record.
//! - A Database may only be looked at from the moment that the tenant's marker in it is proven.

mod backup;
mod course;
mod database;
mod guard;
mod heavy;
pub mod invariants;
mod lease;
mod notices;
mod phase;
mod provision;
mod questions;
mod results;
mod route;
mod secrets;
mod source;
pub mod stages;
mod steps;
mod teardown;
mod template;
pub mod waiting;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::{
    backup::{BackupPlan, COPIED_SECRETS, name as backup_name},
    database::{DatabasePlan, Policies},
    guard::{GuardMode, GuardPlan},
    questions::{ListQuestion, Question, Questions},
    route::{Answer, BY_BACKEND, BY_FILTER, RoutePlan, filter_name},
    secrets::SecretCopy,
    source::TemplateTrouble,
    steps::{INPUTS, JobPlan, KeptJob},
    template::{Built, TemplatePlan, plan as plan_template},
    waiting::WaitingOn,
};
use crate::{
    api::plana_client::{CourseStatus, DeletionStatus, MaintenanceStatus, StepRecord},
    names::Step,
    observed::Observed,
    tenant::Tenant,
};

/// Seconds after which Crossplane asks again although nothing changed: everything that we compose is watched, so this
/// only covers events that were lost (crossplane#7703).
pub const WATCHED_TTL_SECONDS: i64 = 600;
/// Seconds after which it asks again while something is under way. Crossplane tells us of every change, until the circuit
/// breaker of the composite resource opens: 100 tokens, one more a second, two for an update (since 2.1). A new tenant takes
/// about 180 within ten seconds (seen on 2.4.0), and what happens in the five minutes after that is not told.
pub const PROGRESS_TTL_SECONDS: i64 = 5;
/// Seconds after which it asks again while that breaker is open: what an operator changes is not told either.
pub const UNHEARD_TTL_SECONDS: i64 = 15;
/// Seconds after which it asks again while we wait for something that may not be watched: required resources are
/// only watched since Crossplane 2.4.
pub const POLLED_TTL_SECONDS: i64 = 60;

/// Everything that is to be, for one tenant, now.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where the tenant is in its life.
    pub phase: Phase,
    /// Whether the tenant can be used.
    pub ready: bool,
    /// The Database; `None`: there is to be none yet.
    pub database: Option<DatabasePlan>,
    /// The guard; `None`: it is released.
    pub guard: Option<GuardPlan>,
    /// The tenant's copies of Secrets.
    pub secret_copies: Vec<SecretCopy>,
    /// The Jobs.
    pub jobs: Vec<JobPlan>,
    /// The routes, by the major that they are of.
    pub routes: BTreeMap<u32, RoutePlan>,
    /// What closed routes answer with, by major, and whether it is there.
    pub filters: BTreeMap<u32, bool>,
    /// The backups; `None`: there are to be none yet.
    pub backup: Option<BackupPlan>,
    /// The conditions, all of them.
    pub conditions: BTreeMap<ConditionType, ConditionState>,
    /// The steps that are done.
    pub done: BTreeMap<Step, StepRecord>,
    /// Whether a deletion was refused and is not to come back to life.
    pub deletion_refused: bool,
    /// What is being done with the tenant.
    pub course: CourseStatus,
    /// The operation that has the tenant to itself.
    pub maintenance: Option<MaintenanceStatus>,
    /// How far a deletion is.
    pub deletion: Option<DeletionStatus>,
    /// What we need to know.
    pub questions: Questions,
    /// Seconds after which to ask again.
    pub ttl_seconds: i64,
}

/// Where a tenant or a template is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its database is on the way.
    Provisioning,
    /// Its database is there and becomes the tenant's.
    Initializing,
    /// It is served.
    Running,
    /// It was served, and something that it needs is not right.
    Degraded,
    /// It waits for somebody to do something.
    Blocked,
    /// It is not served, on purpose, and its data is kept.
    Suspended,
    /// An operation has it to itself.
    Maintenance,
    /// It is about to go.
    Deleting,
    /// A template that is built for the first time.
    Building,
    /// A template that is as it is to be.
    Available,
    /// A template that can be cloned, and is to be built anew.
    Outdated,
}

/// A condition of the composite resource: one for each side effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The database is there, ours and initialised.
    DatabaseReady,
    /// The filestore is there.
    FilestoreReady,
    /// The tenant is reached by its host name, and answers.
    RouteReady,
    /// Backups are made.
    BackupScheduled,
    /// The support room is there.
    SupportRoomReady,
    /// The account portal knows.
    PortalNotified,
    /// The ERP knows.
    ErpNotified,
    /// The event is published.
    EventPublished,
    /// The tenant is served by the major that is wanted.
    VersionInSync,
    /// Deleting does what the spec says.
    Guarded,
    /// The template can be cloned.
    TemplateReady,
    /// The template is built from the wanted revision and modules.
    Fresh,
}

/// The state of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionState {
    /// It holds: a reason word and a sentence.
    Holds(&'static str, String),
    /// It does not hold yet.
    Waits(WaitingOn),
}

/// Plans a tenant.
#[must_use]
pub fn plan(tenant: &Tenant, observed: &Observed, now: Timestamp) -> Plan {
    let plan = provision::plan(tenant, observed, now);
    debug_assert_eq!(invariants::violations(&plan, observed), Vec::<String>::new());
    plan
}

impl Phase {
    /// The word in status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "Provisioning",
            Self::Initializing => "Initializing",
            Self::Running => "Running",
            Self::Degraded => "Degraded",
            Self::Blocked => "Blocked",
            Self::Suspended => "Suspended",
            Self::Maintenance => "Maintenance",
            Self::Deleting => "Deleting",
            Self::Building => "Building",
            Self::Available => "Available",
            Self::Outdated => "Outdated",
        }
    }
}

impl ConditionType {
    /// Those of a template.
    pub const OF_TEMPLATE: [Self; 2] = [Self::TemplateReady, Self::Fresh];
    /// Those of a tenant.
    pub const OF_TENANT: [Self; 10] = [
        Self::DatabaseReady,
        Self::FilestoreReady,
        Self::RouteReady,
        Self::BackupScheduled,
        Self::SupportRoomReady,
        Self::PortalNotified,
        Self::ErpNotified,
        Self::EventPublished,
        Self::VersionInSync,
        Self::Guarded,
    ];

    /// The type as Kubernetes has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseReady => "DatabaseReady",
            Self::FilestoreReady => "FilestoreReady",
            Self::RouteReady => "RouteReady",
            Self::BackupScheduled => "BackupScheduled",
            Self::SupportRoomReady => "SupportRoomReady",
            Self::PortalNotified => "PortalNotified",
            Self::ErpNotified => "ErpNotified",
            Self::EventPublished => "EventPublished",
            Self::VersionInSync => "VersionInSync",
            Self::Guarded => "Guarded",
            Self::TemplateReady => "TemplateReady",
            Self::Fresh => "Fresh",
        }
    }

    /// Whether the tenant or the template cannot be used without it.
    #[must_use]
    pub fn is_essential(self) -> bool {
        match self {
            Self::DatabaseReady
            | Self::FilestoreReady
            | Self::RouteReady
            | Self::BackupScheduled
            | Self::TemplateReady => true,
            Self::SupportRoomReady
            | Self::PortalNotified
            | Self::ErpNotified
            | Self::EventPublished
            | Self::VersionInSync
            | Self::Guarded
            | Self::Fresh => false,
        }
    }
}

impl ConditionState {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self {
            Self::Holds(..) => true,
            // A backup that is late does not make the tenant unusable, and is still there to be seen.
            Self::Waits(_) => false,
        }
    }

    /// The reason, in one word.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Holds(reason, _) => (*reason).to_owned(),
            Self::Waits(waiting) => waiting.reason(),
        }
    }

    /// The reason, in a sentence, with the way out.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Holds(_, message) => message.clone(),
            Self::Waits(waiting) => waiting.message(),
        }
    }
}
