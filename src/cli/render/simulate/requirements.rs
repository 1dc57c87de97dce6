//! Calls the function until it no longer asks for anything new.
//!
//! In: the first request, the cluster and the schemas. Out: the last response. The function is called again with what
//! its last response requires, until two responses in a row require the same; only the context is carried over. A fatal
//! result ends this at once, and so does a first response that requires nothing.

use std::collections::BTreeMap;

use super::{
    Call, SimulateError, object, schemas,
    store::{GroupVersionKind, Key, Store},
    structs,
};
use crate::function::proto::v1::{
    Requirements, Resource, ResourceSelector, Resources, RunFunctionRequest, RunFunctionResponse, Schema,
    Severity, resource_selector::Match,
};
use serde_json::Value;

/// Crossplane's limit.
const MAX_CALLS: u32 = 6;

pub fn call_until_settled(
    mut request: RunFunctionRequest,
    store: &Store,
    documents: &[Value],
    call: &mut Call<'_>,
) -> Result<RunFunctionResponse, SimulateError> {
    let mut settled: Option<Requirements> = None;
    for calls in 0..MAX_CALLS {
        let response = call(request.clone());
        let is_fatal = response
            .results
            .iter()
            .any(|result| result.severity() == Severity::Fatal);
        let requires_nothing = response.requirements.as_ref().is_none_or(is_empty);
        if is_fatal || response.requirements == settled || (calls == 0 && requires_nothing) {
            return Ok(response);
        }
        let requirements = response.requirements.clone().unwrap_or_default();
        request.required_resources = fetch_all(&requirements.resources, store)?;
        request.extra_resources = fetch_all(&requirements.extra_resources, store)?;
        request.required_schemas = fetch_schemas(&requirements, documents)?;
        request.context.clone_from(&response.context);
        settled = response.requirements;
    }
    Err(SimulateError::Unsettled { calls: MAX_CALLS })
}

fn is_empty(requirements: &Requirements) -> bool {
    let Requirements {
        extra_resources,
        resources,
        schemas,
    } = requirements;
    extra_resources.is_empty() && resources.is_empty() && schemas.is_empty()
}

fn fetch_all(
    selectors: &BTreeMap<String, ResourceSelector>,
    store: &Store,
) -> Result<BTreeMap<String, Resources>, SimulateError> {
    selectors
        .iter()
        .map(|(name, selector)| Ok((name.clone(), fetch(selector, store)?)))
        .collect()
}

fn fetch(selector: &ResourceSelector, store: &Store) -> Result<Resources, SimulateError> {
    let ResourceSelector {
        api_version,
        kind,
        namespace,
        r#match,
    } = selector;
    let kind = GroupVersionKind::new(api_version, kind);
    let namespace = namespace.clone().unwrap_or_default();
    let found: Vec<&Value> = match r#match {
        Some(Match::MatchName(name)) => store
            .get(&Key {
                kind,
                namespace,
                name: name.clone(),
            })
            .into_iter()
            .collect(),
        Some(Match::MatchLabels(labels)) => store.list(&kind, &namespace, &labels.labels),
        None => store.list(&kind, &namespace, &BTreeMap::new()),
    };
    let items = found
        .into_iter()
        .map(|object| {
            let resource = structs::encode(object, || {
                format!("{} {}", object::kind(object), object::name(object))
            })?;
            Ok(Resource {
                resource: Some(resource),
                ..Resource::default()
            })
        })
        .collect::<Result<_, SimulateError>>()?;
    Ok(Resources { items })
}

fn fetch_schemas(
    requirements: &Requirements,
    documents: &[Value],
) -> Result<BTreeMap<String, Schema>, SimulateError> {
    requirements
        .schemas
        .iter()
        .map(|(name, selector)| {
            let kind = GroupVersionKind::new(&selector.api_version, &selector.kind);
            let openapi_v3 = schemas::find(documents, &kind)
                .map(|schema| structs::encode(&schema, || format!("the schema of {}", selector.kind)))
                .transpose()?;
            Ok((name.clone(), Schema { openapi_v3 }))
        })
        .collect()
}
