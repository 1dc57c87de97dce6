//! Everything that can be waited for, so that documents and alerts can be held to it.

use std::collections::BTreeSet;

use super::{TakenName, WaitingOn};
use crate::{
    names::Step,
    observed::{
        database::{DatabaseTrouble, TroubleKind},
        job::{FailureKind, JobFailure},
    },
    plan::source::TemplateTrouble,
};

/// Kinds whose names are the same for everybody, and so may be taken.
const NAMED_KINDS: [&str; 5] = ["Database", "HTTPRoute", "HTTPRouteFilter", "CronJob", "Job"];

/// Every reason that something can wait for, in one word: what documents and alerts have to know.
#[must_use]
pub fn reasons() -> BTreeSet<String> {
    everything().iter().map(WaitingOn::reason).collect()
}

/// Something of everything that can be waited for.
fn everything() -> Vec<WaitingOn> {
    let text = String::new;
    let failure = |kind| JobFailure {
        kind,
        reason: text(),
        message: text(),
    };
    let trouble = || TemplateTrouble {
        snapshot: text(),
        template: text(),
        why: text(),
    };
    let mut all = vec![
        WaitingOn::LookupPending(text()),
        WaitingOn::DatabaseCreating(text()),
        WaitingOn::TemplateStale(text(), trouble()),
        WaitingOn::TemplateNotBuilt(trouble()),
        WaitingOn::HeavyJobRunning(text()),
        WaitingOn::StepNotDone(Step::TemplateBuild),
        WaitingOn::SecretMissing {
            name: text(),
            namespace: text(),
            source: text(),
        },
        WaitingOn::StepNotDone(Step::TenantInit),
        WaitingOn::StepNotDone(Step::TenantSmoke),
        WaitingOn::DatabaseNotReleased,
        WaitingOn::GatewayApiMissing,
        WaitingOn::RoutePending(text()),
        WaitingOn::RouteRefused {
            gateway: text(),
            reason: text(),
            message: text(),
        },
        WaitingOn::BackupCreating,
        WaitingOn::BackupOverdue(None),
        WaitingOn::UpgradeRequired {
            serving: 0,
            wanted: 1,
        },
        WaitingOn::RestoreRequired {
            serving: 1,
            wanted: 0,
        },
        WaitingOn::GuardCreating,
        WaitingOn::DeletionRefused,
        WaitingOn::DeletionReleased,
    ];
    all.extend(endings());
    all.extend(TroubleKind::ALL.map(|kind| {
        WaitingOn::Database(DatabaseTrouble {
            kind,
            message: text(),
        })
    }));
    for kind in NAMED_KINDS {
        let (name, owner) = (text(), None);
        all.push(WaitingOn::NameTaken(TakenName { kind, name, owner }));
        all.push(WaitingOn::BeingDeleted { kind, name: text() });
    }
    for step in Step::ALL {
        all.push(WaitingOn::JobRunning(step, text()));
        all.push(WaitingOn::JobReplacing(step, text()));
        all.extend(FailureKind::ALL.map(|kind| WaitingOn::JobFailed {
            step,
            job: text(),
            failure: failure(kind),
            said: None,
        }));
    }
    all
}

/// Those of a tenant that is not served, or goes.
fn endings() -> Vec<WaitingOn> {
    let text = String::new;
    vec![
        WaitingOn::StatusPending,
        WaitingOn::RouteClosing,
        WaitingOn::Suspended(""),
        WaitingOn::UnderMaintenance(text()),
        WaitingOn::TenantLeaving,
        WaitingOn::DeletionTakenBack(None),
        WaitingOn::GracePeriod {
            until: text(),
            seconds: 0,
        },
        WaitingOn::GraceUnknown,
        WaitingOn::DatabaseReleasing,
        WaitingOn::DatabaseDropping(text()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does not compile until a new variant is here, and fails until it is in the list.
    fn number(waiting: &WaitingOn) -> usize {
        match waiting {
            WaitingOn::LookupPending(_) => 0,
            WaitingOn::DatabaseCreating(_) => 1,
            WaitingOn::Database(_) => 2,
            WaitingOn::NameTaken(_) => 3,
            WaitingOn::BeingDeleted { .. } => 4,
            WaitingOn::SecretMissing { .. } => 5,
            WaitingOn::StepNotDone(_) => 6,
            WaitingOn::DatabaseNotReleased => 7,
            WaitingOn::JobRunning(..) => 8,
            WaitingOn::JobReplacing(..) => 9,
            WaitingOn::JobFailed { .. } => 10,
            WaitingOn::GatewayApiMissing => 11,
            WaitingOn::RoutePending(_) => 12,
            WaitingOn::RouteRefused { .. } => 13,
            WaitingOn::BackupCreating => 14,
            WaitingOn::BackupOverdue(_) => 15,
            WaitingOn::UpgradeRequired { .. } => 16,
            WaitingOn::RestoreRequired { .. } => 17,
            WaitingOn::GuardCreating => 18,
            WaitingOn::DeletionRefused => 19,
            WaitingOn::DeletionReleased => 20,
            WaitingOn::TemplateStale(..) => 21,
            WaitingOn::TemplateNotBuilt(_) => 22,
            WaitingOn::HeavyJobRunning(_) => 23,
            WaitingOn::StatusPending => 24,
            WaitingOn::RouteClosing => 25,
            WaitingOn::Suspended(_) => 26,
            WaitingOn::UnderMaintenance(_) => 27,
            WaitingOn::TenantLeaving => 28,
            WaitingOn::DeletionTakenBack(_) => 29,
            WaitingOn::GracePeriod { .. } => 30,
            WaitingOn::GraceUnknown => 31,
            WaitingOn::DatabaseReleasing => 32,
            WaitingOn::DatabaseDropping(_) => 33,
        }
    }

    #[test]
    fn every_kind_of_waiting_is_in_the_list_of_reasons() {
        let numbers: BTreeSet<_> = everything().iter().map(number).collect();
        assert!(numbers.into_iter().eq(0..34));
        let waits = everything();
        // That the template is missing is seen by provider-sql, or before it by us.
        assert_eq!(reasons().len() + 1, waits.len(), "no two others share a word");
        assert!(waits.iter().all(|waiting| !waiting.message().is_empty()));
    }
}
