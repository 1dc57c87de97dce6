//! Which Secrets the Jobs of a tenant need, where, and whether all that would use one is there already.

use std::collections::BTreeMap;

use super::Need;
use crate::{
    api::plana_client::Course,
    names::{
        SecretPurpose::{self, Admin, Database, Erp, Events, Matrix, Portal, Pull, Store},
        Step,
    },
    observed::Observed,
    plan::{backup, course::CoursePlan},
    tenant::{SecretName, Tenant},
};

/// Steps in the namespace of the major, all of which log in to the database server.
const ON_DATABASE: [Step; 6] = [
    Step::TenantInit,
    Step::TenantSmoke,
    Step::TenantSuspend,
    Step::TenantResume,
    Step::FilestoreRemove,
    Step::TenantRelease,
];
/// Steps in the namespace of the Jobs that talk to the systems around.
const TOLD: [Step; 8] = [
    Step::RoomCreate,
    Step::PortalNotify,
    Step::ErpCallback,
    Step::EventPublish,
    Step::RoomRetire,
    Step::PortalFarewell,
    Step::ErpFarewell,
    Step::EventFarewell,
];

/// What is being done with a tenant, as far as Secrets go.
struct Doing<'a> {
    course: &'a CoursePlan,
    inputs: &'a BTreeMap<Step, String>,
    observed: &'a Observed,
}

impl Doing<'_> {
    fn is_done(&self, step: Step) -> bool {
        let record = self.observed.status.done.get(step.as_str());
        record.is_some_and(|record| {
            let wanted = self.inputs.get(&step);
            wanted.is_none() || record.inputs.as_ref() == wanted
        })
    }

    /// Whether all of the steps that are to be done are; what is not to be done now needs nothing.
    fn done(&self, steps: &[Step]) -> bool {
        steps
            .iter()
            .all(|step| !self.course.includes(*step) || self.is_done(*step))
    }

    /// The schedule goes on naming a copy, so one that somebody deleted must be found missing and made again.
    fn scheduled(&self, purpose: SecretPurpose) -> bool {
        let view = self.observed.backup.as_ref();
        self.done(&[Step::FinalBackup, Step::FinalVerify])
            && view.is_some_and(|view| !backup::names_copy(view, purpose))
    }
}

/// The Secrets that the Jobs of a tenant need.
pub fn of_tenant(
    tenant: &Tenant,
    observed: &Observed,
    (course, inputs): (&CoursePlan, &BTreeMap<Step, String>),
) -> Vec<Need> {
    let doing = Doing {
        course,
        inputs,
        observed,
    };
    let (release, nightly) = (&tenant.release.namespace, &tenant.backup.namespace);
    let is_leaving = course.now.name == Course::Teardown;
    let login = Some(&tenant.server.secret);
    let store = Some(&tenant.backup.store_secret);
    let pull = tenant.jobs.pull_secret.as_ref();
    // Once it is set nobody needs it any more, and a copy of it that stays is one that can be stolen.
    let admin = tenant.admin_password.as_ref();
    let admin = admin.filter(|_| !is_leaving && !doing.is_done(Step::TenantInit));
    let on_database = doing.done(&ON_DATABASE);
    let all = [
        (Database, login, release, on_database),
        (Database, login, nightly, doing.scheduled(Database)),
        (Store, store, nightly, doing.scheduled(Store)),
        (Store, store.filter(|_| is_leaving), release, on_database),
        (Pull, pull, release, on_database),
        (Pull, pull, nightly, doing.scheduled(Pull)),
        (Admin, admin, release, false),
    ];
    let told = of_news(tenant, &doing);
    let need = |(purpose, source, namespace, settled): (_, Option<&SecretName>, &String, _)| {
        Some(Need {
            purpose,
            source: source?.clone(),
            namespace: namespace.clone(),
            settled,
        })
    };
    let mut needs: Vec<_> = all.into_iter().chain(told).filter_map(need).collect();
    // The same Secret for the same purpose in the same namespace, when namespaces coincide, is one need.
    needs.sort_by(|one, other| (one.purpose, &one.namespace).cmp(&(other.purpose, &other.namespace)));
    needs.dedup_by(|later, first| {
        let same = later.purpose == first.purpose && later.namespace == first.namespace;
        if same {
            first.settled &= later.settled;
        }
        same
    });
    needs
}

/// A Secret: what it is for, which one, where it is needed, and whether all that uses it is there.
type Wanted<'a> = (SecretPurpose, Option<&'a SecretName>, &'a String, bool);

/// What the Jobs need that tell the systems around.
fn of_news<'a>(tenant: &'a Tenant, doing: &Doing<'_>) -> [Wanted<'a>; 5] {
    let notices = &tenant.notices;
    let control = &tenant.jobs.namespace;
    let pull = tenant.jobs.pull_secret.as_ref();
    let matrix = notices.matrix.as_ref().map(|matrix| &matrix.secret);
    let portal = notices.portal.as_ref().and_then(|portal| portal.secret.as_ref());
    let erp = notices.erp.as_ref().and_then(|erp| erp.secret.as_ref());
    let events = notices.events.as_ref().and_then(|events| events.secret.as_ref());
    let done = |steps: [Step; 2]| doing.done(&steps);
    [
        (Pull, pull, control, doing.done(&TOLD)),
        (
            Matrix,
            matrix,
            control,
            done([Step::RoomCreate, Step::RoomRetire]),
        ),
        (
            Portal,
            portal,
            control,
            done([Step::PortalNotify, Step::PortalFarewell]),
        ),
        (Erp, erp, control, done([Step::ErpCallback, Step::ErpFarewell])),
        (
            Events,
            events,
            control,
            done([Step::EventPublish, Step::EventFarewell]),
        ),
    ]
}
