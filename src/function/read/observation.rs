//! Observed composed resources and required resources -> [`Observed`].

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    super::{
        proto::v1::{Resource, RunFunctionRequest},
        wire,
    },
    unreadable,
};
use crate::{
    api::check::Problem,
    names::ResourceName,
    observed::{
        DATABASE_QUESTION, DatabaseView, HEAVY_JOBS_QUESTION, LEASE_QUESTION, Observed, PODS_QUESTION,
        Required, SECRET_QUESTION, SNAPSHOT_QUESTION,
    },
};

/// What an object must say before it is looked at more closely. Every object is asked, so nothing is copied.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Nature<'a> {
    api_version: &'a str,
    kind: &'a str,
}

/// Reads the composed resources that are ours; those of other functions are none of our business.
pub fn observed<Status: Default>(
    resources: &BTreeMap<String, Resource>,
) -> Result<Observed<Status>, Vec<Problem>> {
    let mut observed = Observed::default();
    let mut problems = Vec::new();
    for (text, resource) in resources {
        let Some(name) = ResourceName::parse(text) else {
            continue;
        };
        let path = format!("observed.resources[{text:?}]");
        if let Err(found) = add(&mut observed, name, resource, &path) {
            problems.extend(found);
        }
    }
    if problems.is_empty() {
        Ok(observed)
    } else {
        Err(problems)
    }
}

fn add<Status>(
    observed: &mut Observed<Status>,
    name: ResourceName,
    resource: &Resource,
    path: &str,
) -> Result<(), Vec<Problem>> {
    let bytes = resource.resource.as_deref().unwrap_or_default();
    let head: Nature<'_> = wire::read(bytes).map_err(|error| unreadable(path)(error))?;
    let (api_version, kind) = expected(&name);
    if head.api_version != api_version || head.kind != kind {
        let given = format!("{} of {}", head.kind, head.api_version);
        let expected = format!("a {kind} of {api_version}, and nothing is changed until it is");
        return Err(vec![Problem::cannot_be(
            format!("{path}.kind"),
            &given,
            &expected,
        )]);
    }
    let metadata = match name {
        ResourceName::Database => &observed.database.insert(view(bytes, path)?).metadata,
        ResourceName::Backup => &observed.backup.insert(view(bytes, path)?).metadata,
        ResourceName::Guard => &observed.guard.insert(view(bytes, path)?).metadata,
        ResourceName::Route(major) => &seen(&mut observed.routes, major, view(bytes, path)?).metadata,
        ResourceName::Maintenance(major) => &seen(&mut observed.answers, major, view(bytes, path)?).metadata,
        ResourceName::Job(step, hash) => &seen(&mut observed.jobs, (step, hash), view(bytes, path)?).metadata,
        ResourceName::Secret(purpose, namespace) => {
            let copies = &mut observed.secret_copies;
            &seen(copies, (purpose, namespace), view(bytes, path)?).metadata
        }
    };
    if metadata.name.is_empty() {
        let message =
            "cannot be left out: the observation is incomplete, and nothing is changed until it is whole";
        return Err(vec![Problem::new(format!("{path}.metadata.name"), message)]);
    }
    Ok(())
}

/// Composition resource names are read one to one, so no object takes the place of another.
fn seen<K: Ord, V>(all: &mut BTreeMap<K, V>, key: K, view: V) -> &V {
    all.entry(key).or_insert(view)
}

fn expected(name: &ResourceName) -> (&'static str, &'static str) {
    match name {
        ResourceName::Database => ("postgresql.sql.crossplane.io/v1alpha1", "Database"),
        ResourceName::Backup => ("batch/v1", "CronJob"),
        ResourceName::Guard => ("protection.crossplane.io/v1beta1", "ClusterUsage"),
        ResourceName::Route(_) => ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ResourceName::Maintenance(_) => ("gateway.envoyproxy.io/v1alpha1", "HTTPRouteFilter"),
        ResourceName::Job(..) => ("batch/v1", "Job"),
        ResourceName::Secret(..) => ("v1", "Secret"),
    }
}

/// Reads the answers to our questions.
pub fn required(request: &RunFunctionRequest) -> Result<Required, Vec<Problem>> {
    let mut required = Required::default();
    let mut problems = Vec::new();
    for (question, resources) in &request.required_resources {
        let path = format!("required_resources[{question:?}]");
        let found = answer(&mut required, question, &resources.items, &path);
        problems.extend(found.err().into_iter().flatten());
    }
    for (question, schema) in &request.required_schemas {
        let known = schema
            .openapi_v3
            .as_ref()
            .is_some_and(|schema| !schema.is_empty());
        required.kinds.insert(question.clone(), known);
    }
    if problems.is_empty() {
        Ok(required)
    } else {
        Err(problems)
    }
}

fn answer(
    required: &mut Required,
    question: &str,
    items: &[Resource],
    path: &str,
) -> Result<(), Vec<Problem>> {
    let name = question.to_owned();
    if question == HEAVY_JOBS_QUESTION {
        required.jobs.insert(name, views(items, path)?);
    } else if question.starts_with(PODS_QUESTION) {
        required.pods.insert(name, views(items, path)?);
    } else if question == SNAPSHOT_QUESTION {
        required.snapshots.insert(name, at_most_one(items, path)?);
    } else if question == LEASE_QUESTION {
        required.leases.insert(name, at_most_one(items, path)?);
    } else if question.starts_with(SECRET_QUESTION) {
        required.secrets.insert(name, at_most_one(items, path)?);
    } else {
        if question == DATABASE_QUESTION {
            let found: Option<DatabaseView> = at_most_one(items, path)?;
            required.databases.extend(found.map(|view| (name.clone(), view)));
        }
        required.objects.insert(name, at_most_one(items, path)?);
    }
    Ok(())
}

fn at_most_one<T: DeserializeOwned>(items: &[Resource], path: &str) -> Result<Option<T>, Vec<Problem>> {
    match items {
        [] => Ok(None),
        [item] => view(item.resource.as_deref().unwrap_or_default(), path).map(Some),
        items => {
            let message = format!(
                "cannot be {} objects: must be one, which was asked for by its name",
                items.len()
            );
            Err(vec![Problem::new(path, message)])
        }
    }
}

fn views<T: DeserializeOwned>(items: &[Resource], path: &str) -> Result<Vec<T>, Vec<Problem>> {
    let read = |item: &Resource| view(item.resource.as_deref().unwrap_or_default(), path);
    items.iter().map(read).collect()
}

fn view<T: DeserializeOwned>(bytes: &[u8], path: &str) -> Result<T, Vec<Problem>> {
    wire::read(bytes).map_err(|error| unreadable(path)(error))
}
