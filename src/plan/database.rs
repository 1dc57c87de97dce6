//! The tenant's Database: whether it may exist, and what provider-sql may do to it.
//!
//! provider-sql takes over a database that exists without asking, makes one anew that somebody dropped, and drops it with
//! its object (v0.16). So it may make the database once, and from the moment that the tenant's marker in it is proven
//! it may only look: a database that is lost is then a condition, never an empty clone under a customer's name.

use super::{Question, Questions, WaitingOn, source::Clone};
use crate::{
    names::{DatabaseName, Step},
    observed::{DATABASE_QUESTION, DatabaseView, Observed, database::DatabaseState, job::JobOutcome},
    tenant::Tenant,
};

/// What provider-sql may do to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policies {
    /// Look at it, and make it when it is not there.
    ObserveAndCreate,
    /// Look at it.
    ObserveOnly,
    /// Look at it, and drop it when its object goes.
    ObserveAndDelete,
}

/// The Database as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabasePlan {
    /// What provider-sql may do.
    pub policies: Policies,
    /// Whether it is usable.
    pub ready: bool,
}

impl Policies {
    /// The policies as the Database has them.
    #[must_use]
    pub fn as_slice(self) -> &'static [&'static str] {
        match self {
            Self::ObserveAndCreate => &["Observe", "Create"],
            Self::ObserveOnly => &["Observe"],
            Self::ObserveAndDelete => &["Observe", "Delete"],
        }
    }
}

/// The Database as it is to be, or what it waits for.
pub fn plan(
    tenant: &Tenant,
    observed: &Observed,
    clone: &Clone,
    questions: &mut Questions,
) -> Result<DatabasePlan, WaitingOn> {
    if observed.database.is_none() {
        let question = Question {
            api_version: "postgresql.sql.crossplane.io/v1alpha1",
            kind: "Database",
            namespace: None,
            name: tenant.database.to_string(),
        };
        questions.name_is_free(DATABASE_QUESTION, question, &observed.required, &tenant.uid)?;
        clone.may_be_made()?;
    }
    Ok(DatabasePlan {
        policies: policies(tenant, observed),
        ready: is_available(observed),
    })
}

/// The Database as it is, when it is there: nothing is made, and nothing more is allowed.
pub fn as_it_is(tenant: &Tenant, observed: &Observed) -> Option<DatabasePlan> {
    observed.database.as_ref().map(|_| DatabasePlan {
        policies: policies(tenant, observed),
        ready: is_available(observed),
    })
}

fn policies(tenant: &Tenant, observed: &Observed) -> Policies {
    let is_proven = observed.is_recorded(Step::TenantInit)
        || observed
            .jobs_of(Step::TenantInit)
            .any(|(_, job)| matches!(job.outcome(), JobOutcome::Complete { .. }));
    // Once it may only look, it stays so, even if the record of the proof is lost with the status.
    let was_released = observed
        .database
        .as_ref()
        .is_some_and(|database| database.is_observed_only() || database.is_droppable());
    if is_proven || was_released || tenant.adopt.is_some() {
        Policies::ObserveOnly
    } else {
        Policies::ObserveAndCreate
    }
}

/// Whether the database is there.
pub fn is_available(observed: &Observed) -> bool {
    match observed.database.as_ref().map(DatabaseView::state) {
        Some(DatabaseState::Available) => true,
        Some(DatabaseState::Creating | DatabaseState::Stuck(_)) | None => false,
    }
}

/// Open once provider-sql has been seen to be only looking.
pub fn is_released(observed: &Observed) -> Result<(), WaitingOn> {
    let released = observed
        .database
        .as_ref()
        .is_some_and(DatabaseView::is_observed_only);
    if released {
        Ok(())
    } else {
        Err(WaitingOn::DatabaseNotReleased)
    }
}

/// What keeps the database, before what keeps the step that makes it the tenant's.
pub fn trouble(
    tenant: &Tenant,
    observed: &Observed,
    clone: &Clone,
    exists: &Result<DatabasePlan, WaitingOn>,
) -> Option<WaitingOn> {
    if let Err(waiting) = exists {
        return Some(waiting.clone());
    }
    let creating = || clone.creating(tenant);
    match observed.database.as_ref().map(DatabaseView::state) {
        None | Some(DatabaseState::Creating) => Some(creating()),
        Some(DatabaseState::Stuck(trouble)) => Some(WaitingOn::Database(trouble)),
        Some(DatabaseState::Available) => None,
    }
}

/// What is to be said when the tenant's tier is made from something else by now.
pub fn other_template(tenant: &Tenant, observed: &Observed) -> String {
    let database = observed.status.database.as_ref();
    let cloned = database.and_then(|database| database.template.as_deref());
    let of_tier = tenant.template().map(DatabaseName::as_str);
    match cloned {
        Some(cloned) if of_tier != Some(cloned) => {
            let tier = of_tier.unwrap_or("the modules of its tier");
            format!(
                "; it was cloned from {cloned}, and {tier} is not applied to a tenant that lives: install in Odoo what it lacks"
            )
        }
        Some(_) | None => String::new(),
    }
}
