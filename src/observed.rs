//! What is in the cluster: composed resources by name, and the objects that we asked for.
//!
//! In: typed views of observed objects, each holding only the fields that a decision needs (`function::read` fills
//! them). Out: answers to questions such as "is the Job done". Absent and present are kept apart by `Option`, not
//! asked for, absent and found by [`Lookup`]; what cannot be read never gets here, it ends the call without a change.

pub mod database;
pub mod job;
pub mod object;
pub mod pod;
pub mod route;

use std::collections::BTreeMap;

pub use self::{
    database::DatabaseView,
    job::JobView,
    object::{BackupView, Condition, GuardView, LeaseView, ObjectView, SecretView, SnapshotView},
    pod::PodView,
    route::RouteView,
};
use crate::{
    api::plana_client::PlanaClientStatus,
    names::{SecretPurpose, Step},
};

/// The name of the question for the heavy Jobs of a namespace.
pub const HEAVY_JOBS_QUESTION: &str = "heavy-jobs";
/// The name of the question for the `TemplateSnapshot` of a tenant's template.
pub const SNAPSHOT_QUESTION: &str = "template-snapshot";
/// The name of the question for the Lease of a tenant.
pub const LEASE_QUESTION: &str = "lease";
/// The name of the question for the Database of a tenant.
pub const DATABASE_QUESTION: &str = "database";
/// What begins the names of questions for Secrets.
pub const SECRET_QUESTION: &str = "secret-";
/// What begins the names of questions for the pods of a Job.
pub const PODS_QUESTION: &str = "pods-";

/// Everything that was observed of a composite resource, whose kind has this status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed<Status = PlanaClientStatus> {
    /// The status that the composite resource has.
    pub status: Status,
    /// Its conditions, by type.
    pub conditions: BTreeMap<String, Condition>,
    /// Whether somebody tried to delete it (and the guard refused).
    pub deletion_attempted: bool,
    /// The Database.
    pub database: Option<DatabaseView>,
    /// The routes, by the major that they lead to.
    pub routes: BTreeMap<u32, RouteView>,
    /// What closed routes answer with, by major.
    pub answers: BTreeMap<u32, ObjectView>,
    /// The CronJob.
    pub backup: Option<BackupView>,
    /// The guard.
    pub guard: Option<GuardView>,
    /// The Jobs, by step and hash.
    pub jobs: BTreeMap<(Step, String), JobView>,
    /// Our copies of Secrets, by purpose and namespace.
    pub secret_copies: BTreeMap<(SecretPurpose, String), SecretView>,
    /// What we asked for.
    pub required: Required,
}

impl<Status> Observed<Status> {
    /// Whether events of the composite resource reach Crossplane: it says so itself (`Responsive`, since 2.1), and loses
    /// them while its circuit breaker is open.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        let responsive = self.conditions.get("Responsive");
        responsive.is_none_or(|condition| condition.status != "False")
    }
}

/// The answers to what we asked for, by the name of the question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Required {
    /// Objects whose existence was asked for.
    pub objects: BTreeMap<String, Option<ObjectView>>,
    /// Secrets.
    pub secrets: BTreeMap<String, Option<SecretView>>,
    /// Databases, of those objects that are one.
    pub databases: BTreeMap<String, DatabaseView>,
    /// Leases.
    pub leases: BTreeMap<String, Option<LeaseView>>,
    /// Templates.
    pub snapshots: BTreeMap<String, Option<SnapshotView>>,
    /// Jobs that were asked for by their labels.
    pub jobs: BTreeMap<String, Vec<JobView>>,
    /// Pods of Jobs.
    pub pods: BTreeMap<String, Vec<PodView>>,
    /// Whether the API server knows a kind.
    pub kinds: BTreeMap<String, bool>,
}

/// The answer to a question to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// Not asked yet: Crossplane calls again with the answer.
    Pending,
    /// Asked, and there is none.
    Absent,
    /// Asked, and found.
    Found(T),
}

impl Required {
    /// The object of that question.
    #[must_use]
    pub fn object(&self, question: &str) -> Lookup<&ObjectView> {
        look_up(&self.objects, question)
    }

    /// The Secret of that question.
    #[must_use]
    pub fn secret(&self, question: &str) -> Lookup<&SecretView> {
        look_up(&self.secrets, question)
    }

    /// The `TemplateSnapshot` of that question.
    #[must_use]
    pub fn snapshot(&self, question: &str) -> Lookup<&SnapshotView> {
        look_up(&self.snapshots, question)
    }

    /// The Lease of that question.
    #[must_use]
    pub fn lease(&self, question: &str) -> Lookup<&LeaseView> {
        look_up(&self.leases, question)
    }

    /// Whether the API server knows the kind of that question.
    #[must_use]
    pub fn kind(&self, question: &str) -> Lookup<()> {
        match self.kinds.get(question) {
            None => Lookup::Pending,
            Some(false) => Lookup::Absent,
            Some(true) => Lookup::Found(()),
        }
    }
}

fn look_up<'a, T>(answers: &'a BTreeMap<String, Option<T>>, question: &str) -> Lookup<&'a T> {
    match answers.get(question) {
        None => Lookup::Pending,
        Some(None) => Lookup::Absent,
        Some(Some(found)) => Lookup::Found(found),
    }
}

impl<Status> Observed<Status> {
    /// The Jobs of a step, by hash.
    pub fn jobs_of(&self, step: Step) -> impl Iterator<Item = (&str, &JobView)> {
        self.jobs
            .iter()
            .filter(move |((of, _), _)| *of == step)
            .map(|((_, hash), job)| (hash.as_str(), job))
    }
}

impl Observed {
    /// Whether the status that the cluster has records a step as done.
    #[must_use]
    pub fn is_recorded(&self, step: Step) -> bool {
        self.status.done.contains_key(step.as_str())
    }
}
