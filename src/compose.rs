//! The complete set of composed resources, from a tenant or a template and its plan.
//!
//! In: a [`Tenant`] and a [`Plan`], or a [`Template`] and a [`TemplatePlan`]. Out: every object that is to exist, typed, complete each time, with whether it is
//! usable. Nothing is chosen here, and nothing can fail: what goes where was decided by the plan.

mod backup;
mod database;
mod guard;
mod job;
mod maintenance;
mod route;
mod secret;

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use serde::Serialize;

pub use self::{
    database::Database, guard::ClusterUsage, job::KeptJobObject, maintenance::HttpRouteFilter,
    route::HttpRoute, secret::SecretObject,
};
use crate::{
    names::ResourceName,
    plan::{JobPlan, Plan, SecretCopy, TemplatePlan},
    tenant::{Subject, Template, Tenant},
};

/// Every object that is to exist, by composition resource name.
pub type Composed = BTreeMap<ResourceName, Desired>;

/// An object that is to exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The object.
    pub object: Object,
    /// Whether it is usable.
    pub ready: bool,
}

/// An object of a kind that we compose.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Object {
    /// A database.
    Database(Box<Database>),
    /// The backups.
    CronJob(Box<CronJob>),
    /// A Job as it would be made now.
    Job(Box<Job>),
    /// A Job as it is.
    KeptJob(KeptJobObject),
    /// A route.
    Route(Box<HttpRoute>),
    /// What a closed route answers with.
    RouteFilter(HttpRouteFilter),
    /// A copy of a Secret.
    Secret(SecretObject),
    /// The guard.
    Guard(ClusterUsage),
}

/// `metadata` of the custom kinds and of what is handed on undecoded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Metadata {
    /// Name; left out where Crossplane makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace; left out for what is cluster-scoped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Composes a tenant.
#[must_use]
pub fn compose(tenant: &Tenant, plan: &Plan) -> Composed {
    let mut composed = Composed::new();
    let mut add = |name, object, ready| {
        composed.insert(name, Desired { object, ready });
    };
    if let Some(plan) = plan.database {
        let database = Box::new(database::compose(tenant, plan.policies));
        add(ResourceName::Database, Object::Database(database), plan.ready);
    }
    if let Some(guard) = plan.guard {
        add(
            ResourceName::Guard,
            Object::Guard(guard::compose(tenant, guard)),
            guard.ready,
        );
    }
    for (major, plan) in &plan.routes {
        if let Some(release) = tenant.release_of(*major) {
            let route = Box::new(route::compose(tenant, release, &plan.answer));
            add(ResourceName::Route(*major), Object::Route(route), plan.accepted);
        }
    }
    for (major, is_there) in &plan.filters {
        if let Some(release) = tenant.release_of(*major) {
            let filter = Object::RouteFilter(maintenance::compose(tenant, release));
            add(ResourceName::Maintenance(*major), filter, *is_there);
        }
    }
    if let Some(plan) = &plan.backup {
        let backup = Box::new(backup::compose(tenant, plan));
        add(ResourceName::Backup, Object::CronJob(backup), plan.ready);
    }
    let subject = Subject::Tenant(tenant);
    composed.extend(work(subject, &plan.secret_copies, &plan.jobs));
    composed
}

/// Composes a template.
#[must_use]
pub fn compose_template(template: &Template, plan: &TemplatePlan) -> Composed {
    work(Subject::Template(template), &plan.secret_copies, &plan.jobs).collect()
}

/// Jobs and the copies of Secrets that they use.
fn work<'a>(
    subject: Subject<'a>,
    copies: &'a [SecretCopy],
    jobs: &'a [JobPlan],
) -> impl Iterator<Item = (ResourceName, Desired)> + 'a {
    let copies = copies.iter().map(move |copy| {
        let object = Object::Secret(secret::compose(subject, copy));
        let ready = copy.ready;
        (copy.resource.clone(), Desired { object, ready })
    });
    copies.chain(jobs.iter().map(move |job| composed_job(subject, job)))
}

fn composed_job(subject: Subject<'_>, job: &JobPlan) -> (ResourceName, Desired) {
    match job {
        JobPlan::Run(blueprint) => {
            let name = ResourceName::Job(blueprint.step, blueprint.hash.clone());
            let object = Object::Job(Box::new(job::compose(subject, blueprint)));
            let ready = false;
            (name, Desired { object, ready })
        }
        JobPlan::Keep(kept) => {
            let object = Object::KeptJob(job::keep(subject, kept));
            let ready = kept.complete;
            (kept.resource.clone(), Desired { object, ready })
        }
    }
}
