//! From a tenant that is served to nothing but its last backup, in this order:
//!
//! 1. what is on its way ends, and the route answers for maintenance;
//! 2. the database is hidden, so that crons and sessions end; the last backup is made, and read back whole;
//! 3. the platform's grace hours pass;
//! 4. the room, the account portal, the ERP and the event stream hear of it, those that had heard of the tenant;
//! 5. from here on there is no way back: filestore, then the database's release, then provider-sql drops it;
//! 6. once it is seen to be gone the guard goes, and Crossplane sends the deletion again.
//!
//! Each step is recorded in status before the next begins, and one that fails holds all that follow. A deletion that is
//! taken back before 5 brings the tenant back (`course`). A database that was never proven to be the tenant's is left on its server.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    DatabasePlan, Policies, Question, Questions, WaitingOn,
    course::{self, CoursePlan},
    notices::NOTICES,
    steps::{Context, Progress, StepPlan},
};
use crate::{
    api::plana_client::DeletionStatus,
    names::{SecretPurpose, Step},
    observed::{DATABASE_QUESTION, DatabaseView, Lookup, Observed, database::DatabaseState},
    tenant::Tenant,
};

/// How far a teardown is, and what is to be for it.
pub struct TeardownPlan {
    /// What it waits for; `None`: nothing is left.
    pub waits: Option<WaitingOn>,
    /// Its steps.
    pub steps: BTreeMap<Step, StepPlan>,
    /// The Database, as long as it is to be there.
    pub database: Option<DatabasePlan>,
    /// How far it is, for status.
    pub deletion: DeletionStatus,
}

/// What a teardown is planned with.
pub struct Situation<'a> {
    /// Whose it is.
    pub tenant: &'a Tenant,
    /// What is observed.
    pub observed: &'a Observed,
    /// What is being done.
    pub course: &'a CoursePlan,
    /// What steps are planned with.
    pub context: &'a Context<'a>,
    /// When the first step may begin.
    pub may_begin: Result<(), WaitingOn>,
    /// The time.
    pub now: Timestamp,
}

/// Steps that work on the tenant's data.
const BACKED_UP: [Step; 3] = [Step::TenantSuspend, Step::FinalBackup, Step::FinalVerify];
/// Steps that take it away.
const REMOVED: [Step; 2] = [Step::FilestoreRemove, Step::TenantRelease];
/// The news of 4, each with that which it takes back.
const FAREWELLS: [(Step, Step); 4] = [
    (Step::RoomRetire, Step::RoomCreate),
    (Step::PortalFarewell, Step::PortalNotify),
    (Step::ErpFarewell, Step::ErpCallback),
    (Step::EventFarewell, Step::EventPublish),
];

/// Plans a teardown.
pub fn plan(situation: &Situation<'_>, questions: &mut Questions) -> TeardownPlan {
    let Situation { observed, course, .. } = situation;
    let mut plan = TeardownPlan {
        waits: None,
        steps: BTreeMap::new(),
        database: None,
        deletion: observed.status.deletion.clone().unwrap_or_default(),
    };
    let mut open = situation.may_begin.clone();
    if course.held {
        open = Err(WaitingOn::DeletionTakenBack(plan.deletion.final_backup.clone()));
    }
    let has_data = is_proven(observed, situation.context);
    let told = FAREWELLS
        .into_iter()
        .filter(|(_, told)| observed.is_recorded(*told))
        .map(|(farewell, _)| farewell);
    let told: Vec<_> = told.collect();
    open = open.and(plan.skip(has_data, &told, situation, questions));
    if has_data {
        open = plan.run(&BACKED_UP, situation, open, questions);
        plan.deletion
            .final_backup
            .clone_from(&situation.context.final_backup);
        open = open.and_then(|()| plan.grace(situation));
    }
    open = plan.run(&told, situation, open, questions);
    if !has_data {
        // Whatever it is, nobody has proven that it is this tenant's: it stays.
        plan.database = super::database::as_it_is(situation.tenant, observed);
        plan.waits = open.and_then(|()| is_whole(situation, questions)).err();
        return plan;
    }
    open = open.and_then(|()| plan.no_way_back(observed));
    open = plan.run(&REMOVED, situation, open, questions);
    plan.waits = plan.drop_database(situation, open, questions).err();
    plan
}

/// Whether the database was proven to be the tenant's.
fn is_proven(observed: &Observed, context: &Context<'_>) -> bool {
    // The record may be lost with the status; what was allowed because of it is not. An adopted database may only be
    // looked at from the beginning, and so says nothing.
    let was_proven = |database: &DatabaseView| database.is_observed_only() || database.is_droppable();
    let is_adopted = context.subject.adopts();
    observed.is_recorded(Step::TenantInit)
        || (!is_adopted && observed.database.as_ref().is_some_and(was_proven))
}

impl TeardownPlan {
    /// Lets the steps end that have nothing to do; open once they have.
    fn skip(
        &mut self,
        has_data: bool,
        told: &[Step],
        situation: &Situation<'_>,
        questions: &mut Questions,
    ) -> Result<(), WaitingOn> {
        let on_data = BACKED_UP.into_iter().chain(REMOVED).filter(|_| !has_data);
        let farewells = FAREWELLS.into_iter().map(|(farewell, _)| farewell);
        let untold = farewells.filter(|farewell| !told.contains(farewell));
        let mut open = Ok(());
        for step in on_data.chain(untold) {
            let turn = situation.course.before.turn;
            let drained = StepPlan::drained(step, situation.context, turn, questions);
            open = open.and(drained.is_unfinished().map_or(Ok(()), Err));
            self.steps.insert(step, drained);
        }
        open
    }

    /// Plans steps one after the other; open once the last of them is recorded.
    fn run(
        &mut self,
        steps: &[Step],
        situation: &Situation<'_>,
        mut open: Result<(), WaitingOn>,
        questions: &mut Questions,
    ) -> Result<(), WaitingOn> {
        for step in steps {
            let (purposes, namespace) = needs(*step, situation.tenant);
            let gate = open
                .clone()
                .and_then(|()| situation.context.secrets.check(purposes, namespace));
            let planned = StepPlan::new(*step, situation.context, gate, questions);
            open = open.and(match &planned.progress {
                // A system that the platform has no more need not be told.
                Progress::Recorded(_) | Progress::Disabled => Ok(()),
                Progress::Complete(_) => Err(WaitingOn::StatusPending),
                Progress::Waits(waiting) => Err(waiting.clone()),
            });
            self.steps.insert(*step, planned);
        }
        open
    }

    /// Open once the tenant has stayed as it is for as long as the platform says.
    fn grace(&mut self, situation: &Situation<'_>) -> Result<(), WaitingOn> {
        let hours = situation.tenant.grace_hours;
        if hours == 0 {
            self.deletion.grace_until = None;
            return Ok(());
        }
        let verified = self.steps.get(&Step::FinalVerify).and_then(StepPlan::record);
        let verified = verified.and_then(|record| record.time.parse::<Timestamp>().ok());
        let until = verified.and_then(|time| time.checked_add(SignedDuration::from_hours(hours.into())).ok());
        let Some(until) = until else {
            // On doubt the tenant stays.
            return Err(WaitingOn::GraceUnknown);
        };
        self.deletion.grace_until = Some(until.to_string());
        let left = situation.now.duration_until(until);
        if left.is_positive() {
            let seconds = left.as_secs();
            return Err(WaitingOn::GracePeriod {
                until: until.to_string(),
                seconds,
            });
        }
        Ok(())
    }

    /// Open once the status that the cluster has says that there is no way back.
    fn no_way_back(&mut self, observed: &Observed) -> Result<(), WaitingOn> {
        self.deletion.removing = true;
        if course::is_removing(observed) {
            Ok(())
        } else {
            Err(WaitingOn::StatusPending)
        }
    }

    /// Lets provider-sql drop the database; open once it is gone.
    fn drop_database(
        &mut self,
        situation: &Situation<'_>,
        open: Result<(), WaitingOn>,
        questions: &mut Questions,
    ) -> Result<(), WaitingOn> {
        let Situation { tenant, observed, .. } = situation;
        if open.is_err() {
            self.database = super::database::as_it_is(tenant, observed);
            return open;
        }
        let is_told = observed
            .status
            .deletion
            .as_ref()
            .is_some_and(|deletion| deletion.dropping);
        let question = database_question(tenant);
        if is_told {
            return is_gone(question, situation, questions);
        }
        if observed.database.is_none() {
            // Somebody deleted the object; it has to be there to take the database with it.
            questions.name_is_free(DATABASE_QUESTION, question, &observed.required, &tenant.uid)?;
        }
        let may_drop = observed.database.as_ref().is_some_and(DatabaseView::is_droppable);
        self.database = Some(DatabasePlan {
            policies: Policies::ObserveAndDelete,
            ready: super::database::is_available(observed),
        });
        self.deletion.dropping = may_drop;
        Err(if may_drop {
            WaitingOn::StatusPending
        } else {
            WaitingOn::DatabaseReleasing
        })
    }
}

fn database_question(tenant: &Tenant) -> Question {
    Question {
        api_version: "postgresql.sql.crossplane.io/v1alpha1",
        kind: "Database",
        namespace: None,
        name: tenant.database.to_string(),
    }
}

/// Open unless the tenant has a Database that is not observed: then whatever else says that there is no data is not
/// observed either, and the guard stays.
fn is_whole(situation: &Situation<'_>, questions: &mut Questions) -> Result<(), WaitingOn> {
    let Situation { tenant, observed, .. } = situation;
    if observed.database.is_some() {
        return Ok(());
    }
    let question = database_question(tenant);
    let pending = WaitingOn::LookupPending(format!("the Database {}", question.name));
    questions.objects.insert(DATABASE_QUESTION.to_owned(), question);
    match observed.required.object(DATABASE_QUESTION) {
        Lookup::Pending => Err(pending),
        Lookup::Found(found)
            if found
                .metadata
                .controller()
                .is_some_and(|owner| owner.uid == tenant.uid) =>
        {
            Err(pending)
        }
        Lookup::Absent | Lookup::Found(_) => Ok(()),
    }
}

/// Open once the Database is gone. Crossplane does not list what it deletes any more, so it is asked for by its name.
fn is_gone(
    question: Question,
    situation: &Situation<'_>,
    questions: &mut Questions,
) -> Result<(), WaitingOn> {
    let Situation { tenant, observed, .. } = situation;
    let name = question.name.clone();
    questions.objects.insert(DATABASE_QUESTION.to_owned(), question);
    match observed.required.object(DATABASE_QUESTION) {
        Lookup::Pending => Err(WaitingOn::LookupPending(format!("the Database {name}"))),
        Lookup::Found(found)
            if found
                .metadata
                .controller()
                .is_none_or(|owner| owner.uid == tenant.uid) =>
        {
            let view = observed.required.databases.get(DATABASE_QUESTION);
            match view.map(DatabaseView::state) {
                Some(DatabaseState::Stuck(trouble)) => Err(WaitingOn::Database(trouble)),
                Some(DatabaseState::Available | DatabaseState::Creating) | None => {
                    Err(WaitingOn::DatabaseDropping(name))
                }
            }
        }
        Lookup::Absent | Lookup::Found(_) if observed.database.is_none() => Ok(()),
        Lookup::Absent | Lookup::Found(_) => Err(WaitingOn::DatabaseDropping(name)),
    }
}

/// The Secrets that a step needs, and where.
fn needs(step: Step, tenant: &Tenant) -> (&'static [SecretPurpose], &str) {
    const LOGIN: [SecretPurpose; 1] = [SecretPurpose::Database];
    const BOTH: [SecretPurpose; 2] = [SecretPurpose::Database, SecretPurpose::Store];
    let (release, nightly) = (&tenant.release.namespace, &tenant.backup.namespace);
    let is_farewell = |(farewell, _): &(Step, Step)| *farewell == step;
    if let Some(index) = FAREWELLS.iter().position(is_farewell) {
        return (std::slice::from_ref(&NOTICES[index].2), &tenant.jobs.namespace);
    }
    if step == Step::FinalBackup {
        (&BOTH, nightly)
    } else if step == Step::FinalVerify {
        (&BOTH[1..], nightly)
    } else if REMOVED.contains(&step) {
        (&BOTH, release)
    } else {
        (&LOGIN, release)
    }
}
