//! The template that a new tenant's database is cloned from: whether a `TemplateSnapshot` says that it is there.
//!
//! Templates may be built by others, so one that no `TemplateSnapshot` speaks of is left to provider-sql, which says whether
//! it exists. Nothing is asked once the database is there.

use super::{Question, Questions, WaitingOn};
use crate::{
    api::{API_VERSION, template_snapshot},
    names::Step,
    observed::{
        Lookup, Observed, SNAPSHOT_QUESTION, SnapshotView,
        database::{DatabaseState, DatabaseView},
        object::find,
    },
    tenant::{Source, Tenant},
};

/// What is known of a template before it is cloned.
pub enum Clone {
    /// Nothing that speaks against it.
    Unquestioned,
    /// Crossplane has not answered yet.
    Pending(String),
    /// Its `TemplateSnapshot` has not built it.
    Missing(TemplateTrouble),
    /// Its `TemplateSnapshot` wants to build it anew.
    Stale(TemplateTrouble),
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateTrouble {
    /// The `TemplateSnapshot`.
    pub snapshot: String,
    /// The template database.
    pub template: String,
    /// What the `TemplateSnapshot` waits for, in its own words.
    pub why: String,
}

/// Looks for the `TemplateSnapshot` of a tenant whose database is not there yet.
pub fn look(tenant: &Tenant, observed: &Observed, questions: &mut Questions) -> Clone {
    let is_cloned = match observed.database.as_ref().map(DatabaseView::state) {
        Some(DatabaseState::Available | DatabaseState::Stuck(_)) => true,
        Some(DatabaseState::Creating) | None => observed.is_recorded(Step::TenantInit),
    };
    let (snapshot, template) = match &tenant.source {
        Source::Template { database, snapshot } if tenant.adopt.is_none() && !is_cloned => {
            (snapshot, database.to_string())
        }
        Source::Template { .. } | Source::Modules(_) => return Clone::Unquestioned,
    };
    let pending = || Clone::Pending(format!("the TemplateSnapshot {snapshot}"));
    match questions.snapshot_is_known(&observed.required) {
        Lookup::Pending => return pending(),
        Lookup::Absent => return Clone::Unquestioned,
        Lookup::Found(()) => {}
    }
    let question = Question {
        api_version: API_VERSION,
        kind: template_snapshot::KIND,
        namespace: None,
        name: snapshot.clone(),
    };
    questions.objects.insert(SNAPSHOT_QUESTION.to_owned(), question);
    match observed.required.snapshot(SNAPSHOT_QUESTION) {
        Lookup::Pending => pending(),
        Lookup::Absent => Clone::Unquestioned,
        Lookup::Found(view) => Clone::of(view, snapshot, template),
    }
}

impl Clone {
    fn of(view: &SnapshotView, snapshot: &str, template: String) -> Self {
        // It is of another platform, and builds another database.
        if view
            .status
            .database
            .as_ref()
            .is_some_and(|database| *database != template)
        {
            return Self::Unquestioned;
        }
        let trouble = |r#type| {
            let condition = find(&view.status.conditions, r#type);
            let why = condition.map_or_else(
                || "its status is empty".to_owned(),
                |condition| format!("{}: {}", condition.reason, condition.message),
            );
            let holds = condition.is_some_and(|condition| condition.status == "True");
            let (snapshot, template) = (snapshot.to_owned(), template.clone());
            (!holds).then_some(TemplateTrouble {
                snapshot,
                template,
                why,
            })
        };
        match (trouble("TemplateReady"), trouble("Fresh")) {
            (Some(trouble), _) => Self::Missing(trouble),
            (None, Some(trouble)) => Self::Stale(trouble),
            (None, None) => Self::Unquestioned,
        }
    }

    /// Whether the database may be made. An old template is still one.
    pub fn may_be_made(&self) -> Result<(), WaitingOn> {
        match self {
            Self::Unquestioned | Self::Stale(_) => Ok(()),
            Self::Pending(what) => Err(WaitingOn::LookupPending(what.clone())),
            Self::Missing(trouble) => Err(WaitingOn::TemplateNotBuilt(trouble.clone())),
        }
    }

    /// What is said while provider-sql makes the database.
    pub fn creating(&self, tenant: &Tenant) -> WaitingOn {
        match self {
            Self::Stale(trouble) => WaitingOn::TemplateStale(tenant.database.to_string(), trouble.clone()),
            Self::Unquestioned | Self::Pending(_) | Self::Missing(_) => {
                WaitingOn::DatabaseCreating(tenant.database.to_string())
            }
        }
    }
}
