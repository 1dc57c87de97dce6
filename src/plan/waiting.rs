//! What a tenant can wait for, and the words for it.
//!
//! A variant's name is the reason of the condition that shows it, so documents, code, status and alerts share one
//! word. The message says what was seen and, where somebody has to do something, what.

mod catalogue;
mod words;

pub use self::catalogue::reasons;
use self::words::{failed, way_out};
use super::source::TemplateTrouble;
use crate::{
    names::Step,
    observed::{
        database::{DatabaseTrouble, TroubleKind},
        job::{FailureKind, JobFailure},
    },
};

/// How soon to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Something is under way.
    Soon,
    /// Somebody has to do something, or it takes long.
    Patient,
    /// Another condition tells what is under way. Where none does, the next call goes on.
    Following,
    /// Nothing is to be expected.
    Settled,
}

/// What something waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingOn {
    /// Crossplane has not answered a question of ours yet.
    LookupPending(String),
    /// The database is on its way.
    DatabaseCreating(String),
    /// The same, from a template that is to be built anew.
    TemplateStale(String, TemplateTrouble),
    /// The template was never built.
    TemplateNotBuilt(TemplateTrouble),
    /// provider-sql is in trouble.
    Database(DatabaseTrouble),
    /// An object that we would compose is there and not ours.
    NameTaken(TakenName),
    /// An object of ours that is wanted again is on its way out.
    BeingDeleted {
        /// Its kind.
        kind: &'static str,
        /// Its namespace and name.
        name: String,
    },
    /// A Secret is in neither namespace.
    SecretMissing {
        /// Its name.
        name: String,
        /// Where it is needed.
        namespace: String,
        /// Where it would be copied from.
        source: String,
    },
    /// The step before this one is not done.
    StepNotDone(Step),
    /// provider-sql has not yet seen that it may only look at the database.
    DatabaseNotReleased,
    /// A Job runs.
    JobRunning(Step, String),
    /// A Job that failed makes room for one that differs.
    JobReplacing(Step, String),
    /// A Job failed.
    JobFailed {
        /// What it was to do.
        step: Step,
        /// Its namespace and name.
        job: String,
        /// Why.
        failure: JobFailure,
        /// Why, in its own words.
        said: Option<String>,
    },
    /// Another Job in the namespace installs modules.
    HeavyJobRunning(String),
    /// The cluster has no Gateway API.
    GatewayApiMissing,
    /// A Gateway has not answered.
    RoutePending(String),
    /// A Gateway does not take the route.
    RouteRefused {
        /// Its namespace and name.
        gateway: String,
        /// Its reason.
        reason: String,
        /// Its message.
        message: String,
    },
    /// The backup schedule is on its way.
    BackupCreating,
    /// Backups ought to have been made and were not.
    BackupOverdue(Option<String>),
    /// A newer major is wanted than the one that serves.
    UpgradeRequired {
        /// What serves.
        serving: u32,
        /// What is wanted.
        wanted: u32,
    },
    /// An older major is wanted than the one that serves.
    RestoreRequired {
        /// What serves.
        serving: u32,
        /// What is wanted.
        wanted: u32,
    },
    /// The guard is on its way.
    GuardCreating,
    /// Somebody tried to delete a tenant that is protected.
    DeletionRefused,
    /// The guard is released; Crossplane sends the deletion again.
    DeletionReleased,
    /// What comes next is begun once the status that the cluster has says so.
    StatusPending,
    /// A route still leads to the workers.
    RouteClosing,
    /// The tenant is suspended; how its host name is answered.
    Suspended(&'static str),
    /// An operation has the tenant to itself.
    UnderMaintenance(String),
    /// The tenant goes.
    TenantLeaving,
    /// A deletion was taken back too late; the backup that there is.
    DeletionTakenBack(Option<String>),
    /// The tenant stays as it is for the platform's grace hours.
    GracePeriod {
        /// Until when.
        until: String,
        /// Seconds until then.
        seconds: i64,
    },
    /// It cannot be said when the grace hours end.
    GraceUnknown,
    /// provider-sql has not yet seen that it is to drop the database.
    DatabaseReleasing,
    /// provider-sql drops the database.
    DatabaseDropping(String),
}

/// An object that is there and not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenName {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace and name.
    pub name: String,
    /// Kind and name of who manages it.
    pub owner: Option<String>,
}

impl WaitingOn {
    /// The reason, in one word.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::LookupPending(_) => "LookupPending".to_owned(),
            Self::DatabaseCreating(_) => "DatabaseCreating".to_owned(),
            Self::TemplateStale(..) => "TemplateStale".to_owned(),
            // The same word as for provider-sql's error: it is the same lack.
            Self::TemplateNotBuilt(_) => trouble_reason(TroubleKind::TemplateMissing).to_owned(),
            Self::HeavyJobRunning(_) => "HeavyJobRunning".to_owned(),
            Self::Database(trouble) => trouble_reason(trouble.kind).to_owned(),
            Self::NameTaken(taken) => format!("{}NameTaken", taken.kind),
            Self::BeingDeleted { kind, .. } => format!("{kind}BeingDeleted"),
            Self::SecretMissing { .. } => "SecretMissing".to_owned(),
            Self::StepNotDone(step) => format!("{}NotDone", step.reason_word()),
            Self::DatabaseNotReleased => "DatabaseNotReleased".to_owned(),
            Self::JobRunning(step, _) => format!("{}Running", step.reason_word()),
            Self::JobReplacing(step, _) => format!("{}Replacing", step.reason_word()),
            Self::JobFailed { step, failure, .. } => {
                format!("{}{}", step.reason_word(), failure_word(failure.kind))
            }
            Self::GatewayApiMissing => "GatewayApiMissing".to_owned(),
            Self::RoutePending(_) => "RoutePending".to_owned(),
            Self::RouteRefused { .. } => "RouteRefused".to_owned(),
            Self::BackupCreating => "BackupCreating".to_owned(),
            Self::BackupOverdue(_) => "BackupOverdue".to_owned(),
            Self::UpgradeRequired { .. } => "UpgradeRequired".to_owned(),
            Self::RestoreRequired { .. } => "RestoreRequired".to_owned(),
            Self::GuardCreating => "GuardCreating".to_owned(),
            Self::DeletionRefused => "DeletionRefused".to_owned(),
            Self::DeletionReleased => "DeletionReleased".to_owned(),
            Self::StatusPending => "StatusPending".to_owned(),
            Self::RouteClosing => "RouteClosing".to_owned(),
            Self::Suspended(_) => "Suspended".to_owned(),
            Self::UnderMaintenance(_) => "UnderMaintenance".to_owned(),
            Self::TenantLeaving => "TenantLeaving".to_owned(),
            Self::DeletionTakenBack(_) => "DeletionTakenBack".to_owned(),
            Self::GracePeriod { .. } => "GracePeriod".to_owned(),
            Self::GraceUnknown => "GraceUnknown".to_owned(),
            Self::DatabaseReleasing => "DatabaseReleasing".to_owned(),
            Self::DatabaseDropping(_) => "DatabaseDropping".to_owned(),
        }
    }

    /// What is waited for, and what somebody has to do about it.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::LookupPending(what) => format!("waiting for Crossplane to look up {what}"),
            Self::DatabaseCreating(name) => format!("provider-sql makes the database {name}"),
            Self::TemplateStale(name, trouble) => trouble.stale(name),
            Self::TemplateNotBuilt(trouble) => trouble.missing(),
            Self::HeavyJobRunning(job) => {
                format!("the Job {job} installs modules; it is waited for, so that only one does in its namespace")
            }
            Self::Database(trouble) => format!("{} (provider-sql: {})", way_out(trouble.kind), trouble.message),
            Self::NameTaken(taken) => taken.message(),
            Self::BeingDeleted { kind, name } => {
                format!("the {kind} {name} is being deleted; it is made anew once it is gone")
            }
            Self::SecretMissing { name, namespace, source } if namespace == source => {
                format!("the Secret {name} is not in namespace {namespace}; put it there")
            }
            Self::SecretMissing { name, namespace, source } => format!(
                "the Secret {name} is in neither namespace {namespace} nor {source}; put it into {source}, from where it is copied"
            ),
            Self::StepNotDone(step) => format!("waiting for {}", step.as_str()),
            Self::DatabaseNotReleased => "waiting until provider-sql may only look at the database".to_owned(),
            Self::JobRunning(_, job) => format!("the Job {job} runs"),
            Self::JobReplacing(_, job) => format!("the Job {job} failed and makes room for one with the new settings"),
            Self::JobFailed { job, failure, said, .. } => failed(job, failure, said.as_deref()),
            Self::GatewayApiMissing => "the cluster does not know HTTPRoute (gateway.networking.k8s.io/v1); install the \
                Gateway API (a preview needs its schema: --required-schemas)"
                .to_owned(),
            Self::RoutePending(gateway) => format!(
                "the Gateway {gateway} has not answered; if this lasts, it does not exist or nothing handles it"
            ),
            Self::RouteRefused { gateway, reason, message } => {
                format!("the Gateway {gateway} refuses the route: {reason}: {message}")
            }
            Self::BackupCreating => "waiting for the CronJob".to_owned(),
            Self::BackupOverdue(Some(time)) => {
                format!("the last backup was made at {time}; look at the Jobs of the CronJob")
            }
            Self::BackupOverdue(None) => "no backup was made yet; look at the Jobs of the CronJob".to_owned(),
            Self::UpgradeRequired { serving, wanted } => format!(
                "Odoo {serving} serves the tenant and {wanted} is wanted; nothing moves until a TenantUpgrade has carried it over"
            ),
            Self::RestoreRequired { serving, wanted } => format!(
                "Odoo {serving} serves the tenant and {wanted} is wanted; there is no way back but an EnvironmentRestore of a backup of {wanted}: set spec.odooVersion to {serving} again"
            ),
            Self::GuardCreating => "waiting for the guard".to_owned(),
            Self::DeletionRefused => "a deletion was refused, since spec.deletionProtection was true; to delete, set it \
                to false, remove the annotation usage.crossplane.io/deletion-attempt-with-policy, and delete again once this \
                condition is true"
                .to_owned(),
            Self::DeletionReleased => {
                "the guard is released; Crossplane sends the deletion again. The backups stay".to_owned()
            }
            Self::StatusPending
            | Self::RouteClosing
            | Self::Suspended(_)
            | Self::UnderMaintenance(_)
            | Self::TenantLeaving
            | Self::DeletionTakenBack(_)
            | Self::GracePeriod { .. }
            | Self::GraceUnknown
            | Self::DatabaseReleasing
            | Self::DatabaseDropping(_) => self.of_an_ending(),
        }
    }

    /// Whether it will not pass unless somebody does something.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        match self {
            Self::Database(trouble) => {
                ![TroubleKind::TemplateInUse, TroubleKind::InUse].contains(&trouble.kind)
            }
            Self::NameTaken(_)
            | Self::TemplateNotBuilt(_)
            | Self::SecretMissing { .. }
            | Self::JobFailed { .. }
            | Self::GatewayApiMissing
            | Self::RouteRefused { .. }
            | Self::BackupOverdue(_)
            | Self::UpgradeRequired { .. }
            | Self::RestoreRequired { .. }
            | Self::DeletionTakenBack(_)
            | Self::GraceUnknown
            | Self::DeletionRefused => true,
            Self::LookupPending(_)
            | Self::BeingDeleted { .. }
            | Self::DatabaseCreating(_)
            | Self::TemplateStale(..)
            | Self::HeavyJobRunning(_)
            | Self::StepNotDone(_)
            | Self::DatabaseNotReleased
            | Self::JobRunning(..)
            | Self::JobReplacing(..)
            | Self::RoutePending(_)
            | Self::BackupCreating
            | Self::GuardCreating
            | Self::StatusPending
            | Self::RouteClosing
            | Self::Suspended(_)
            | Self::UnderMaintenance(_)
            | Self::TenantLeaving
            | Self::GracePeriod { .. }
            | Self::DatabaseReleasing
            | Self::DatabaseDropping(_)
            | Self::DeletionReleased => false,
        }
    }

    /// How soon to look again though nothing was heard: events get lost, and some objects are not watched.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self {
            // It ends by itself, mostly within seconds; what lasts longer has a deadline.
            Self::LookupPending(_)
            | Self::DatabaseCreating(_)
            | Self::DatabaseNotReleased
            | Self::JobRunning(..)
            | Self::JobReplacing(..)
            | Self::BeingDeleted { .. }
            | Self::RoutePending(_)
            | Self::BackupCreating
            | Self::GuardCreating
            | Self::StatusPending
            | Self::RouteClosing
            | Self::DatabaseReleasing
            | Self::DatabaseDropping(_)
            | Self::DeletionReleased => Pace::Soon,
            // Somebody ends it, or it takes its time.
            Self::TemplateStale(..)
            | Self::TemplateNotBuilt(_)
            | Self::Database(_)
            | Self::NameTaken(_)
            | Self::SecretMissing { .. }
            | Self::JobFailed { .. }
            | Self::HeavyJobRunning(_)
            | Self::GatewayApiMissing
            | Self::RouteRefused { .. }
            | Self::UnderMaintenance(_)
            | Self::GraceUnknown => Pace::Patient,
            Self::StepNotDone(_) | Self::TenantLeaving => Pace::Following,
            // It is as it is to be for now, or the time is known.
            Self::BackupOverdue(_)
            | Self::UpgradeRequired { .. }
            | Self::RestoreRequired { .. }
            | Self::DeletionTakenBack(_)
            | Self::DeletionRefused
            | Self::Suspended(_)
            | Self::GracePeriod { .. } => Pace::Settled,
        }
    }
}

fn failure_word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Failed => "Failed",
        FailureKind::Refused => "Refused",
        FailureKind::TimedOut => "TimedOut",
    }
}

fn trouble_reason(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::TemplateMissing => "TemplateMissing",
        TroubleKind::TemplateInUse => "TemplateInUse",
        TroubleKind::PermissionDenied => "DatabasePermissionDenied",
        TroubleKind::RoleMissing => "DatabaseRoleMissing",
        TroubleKind::CloneTimedOut => "CloneTimedOut",
        TroubleKind::CreationUncertain => "CreationUncertain",
        TroubleKind::Lost => "DatabaseLost",
        TroubleKind::NotConfigured => "ProviderNotConfigured",
        TroubleKind::LoginRefused => "ProviderLoginRefused",
        TroubleKind::Unreachable => "DatabaseUnreachable",
        TroubleKind::InUse => "DatabaseInUse",
        TroubleKind::Paused => "DatabasePaused",
        TroubleKind::Other => "DatabaseError",
    }
}
