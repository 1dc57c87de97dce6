//! The longer sentences for what is waited for: what was seen, and what somebody has to do.

use super::{TakenName, WaitingOn};
use crate::{
    observed::{
        database::TroubleKind,
        job::{FailureKind, JobFailure},
    },
    plan::source::TemplateTrouble,
};

impl TakenName {
    /// What is there, and what to do about it.
    pub fn message(&self) -> String {
        let Self { kind, name, owner } = self;
        let owner = owner.as_ref().map_or_else(|| "nobody".to_owned(), Clone::clone);
        let advice = match *kind {
            "Database" => {
                "if it is this tenant's, delete the Database object (policies without Delete keep the data) and set spec.adoptDatabase"
            }
            _ => "delete or rename it",
        };
        format!("a {kind} {name} exists already and is managed by {owner}; it is left alone. {advice}")
    }
}

impl TemplateTrouble {
    /// What keeps a database from being made.
    #[must_use]
    pub fn missing(&self) -> String {
        let Self {
            snapshot,
            template,
            why,
        } = self;
        format!(
            "the template {template} is not built yet: its TemplateSnapshot {snapshot} says {why}. The database is made once \
             it is; what keeps it is to be mended there, and where others build the template, that object is to be deleted"
        )
    }

    /// What a database is made from all the same.
    #[must_use]
    pub fn stale(&self, database: &str) -> String {
        let Self {
            snapshot,
            template,
            why,
        } = self;
        format!(
            "provider-sql makes the database {database} from {template} as it is, which is not what its TemplateSnapshot \
             {snapshot} wants by now ({why})"
        )
    }
}

impl WaitingOn {
    /// The sentences for a tenant that is not served, or goes; empty for everything else.
    pub(super) fn of_an_ending(&self) -> String {
        match self {
            Self::StatusPending => "waiting until the status says what comes next".to_owned(),
            Self::RouteClosing => "waiting until no route leads to the tenant's workers any more".to_owned(),
            Self::Suspended(how) => format!(
                "spec.suspended is true: {how}; crons and sessions are ended, data and backups stay. Set it to false, and the \
                 tenant comes back"
            ),
            Self::UnderMaintenance(by) => {
                format!(
                    "{by} has the tenant to itself; its host name is answered for maintenance until that is over"
                )
            }
            Self::TenantLeaving => {
                "the tenant is being deleted; the condition Guarded says how far that is".to_owned()
            }
            Self::DeletionTakenBack(backup) => {
                let backup = backup.as_deref().unwrap_or("final/latest");
                format!(
                    "the deletion was taken back after the removal of the tenant's files had begun, so the tenant cannot simply \
                     come back; nothing more is removed. Delete it again to go on, or restore the backup {backup} by hand \
                     (docs/operations.md)"
                )
            }
            Self::GracePeriod { until, .. } => format!(
                "the last backup is verified, and nothing is removed until {until}; to bring the tenant back, remove the \
                 annotation usage.crossplane.io/deletion-attempt-with-policy"
            ),
            Self::GraceUnknown => {
                "the record of final-verify has no time that can be read, so the end of the grace hours is \
                unknown; write one, such as 2026-01-31T12:00:00Z, into status.done.final-verify.time"
                    .to_owned()
            }
            Self::DatabaseReleasing => {
                "waiting until the Database says that provider-sql may drop the database".to_owned()
            }
            Self::DatabaseDropping(name) => format!(
                "provider-sql drops the database {name}; if this lasts, kubectl describe database {name} says what keeps it"
            ),
            // Everything else has its words in `message`.
            _ => String::new(),
        }
    }
}

/// Why a Job failed, in its own words where it said any, and how it is tried again.
pub fn failed(job: &str, failure: &JobFailure, said: Option<&str>) -> String {
    let what = match failure.kind {
        FailureKind::Failed => "failed",
        FailureKind::Refused => "refused to touch what it found, since it is not ours to touch",
        FailureKind::TimedOut => "took longer than its deadline",
    };
    let JobFailure { reason, message, .. } = failure;
    let theirs = format!("{reason}: {message}");
    let why = said.unwrap_or(&theirs);
    format!(
        "the Job {job} {what} ({why}); read its log, mend the cause, then delete the Job: it is made again"
    )
}

/// What somebody has to do about a Database.
pub fn way_out(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::TemplateMissing => {
            "the template does not exist; make a TemplateSnapshot for this tier and major"
        }
        TroubleKind::TemplateInUse => {
            "somebody is connected to the template; it is tried again, and a template that is sealed takes no connections"
        }
        TroubleKind::PermissionDenied => {
            "provider-sql's login may not do this; make it a member of the maintenance role, and the template a template"
        }
        TroubleKind::RoleMissing => "the maintenance role does not exist; create it",
        TroubleKind::CloneTimedOut => {
            "cloning the template takes longer than the 60 s that provider-sql waits; make the template smaller or the disk faster"
        }
        TroubleKind::CreationUncertain => {
            "provider-sql was interrupted while it made the database; look whether it is there and whole, then remove the annotation crossplane.io/external-create-pending of the Database"
        }
        TroubleKind::Lost => {
            "the database is gone from the server; it is not made anew under a customer's name: restore a backup, or rename it back"
        }
        TroubleKind::NotConfigured => "provider-sql has no ProviderConfig for the server; create it",
        TroubleKind::LoginRefused => {
            "the server refuses provider-sql's login; correct the Secret of its ProviderConfig"
        }
        TroubleKind::Unreachable => {
            "provider-sql does not reach the server; the tenant may be served all the same. See whether the server runs and what \
             its ProviderConfig says"
        }
        TroubleKind::InUse => {
            "somebody is connected to the database, so it cannot be dropped; it is tried again, and a session that stays is to be \
             ended by hand (pg_terminate_backend)"
        }
        TroubleKind::Paused => "the Database is paused; remove its annotation crossplane.io/paused",
        TroubleKind::Other => "provider-sql cannot do its work",
    }
}
