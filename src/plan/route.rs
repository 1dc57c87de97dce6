//! The tenant's routes: the one to the major that serves it, and older ones until that is accepted.
//!
//! A route lives in the namespace of its major, and a composed resource cannot move (`crate::names`), so each major
//! has a route of its own. An older one stays until the new one is accepted: Crossplane deletes what is no longer
//! desired before it applies the rest, and between the two the tenant would be a 404.
//!
//! A tenant that is not served keeps its route, which then answers for maintenance: by a Service of the platform, or by Envoy
//! Gateway itself, whose filter has to be there before a route names it and as long as one does. A cluster that has neither
//! loses the route meanwhile.

use std::collections::BTreeMap;

use super::{Question, Questions, WaitingOn};
use crate::{
    observed::{Lookup, Observed, RouteView, route::RouteState},
    tenant::{MaintenanceBackend, Tenant},
};

/// A route as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePlan {
    /// Whether it is accepted.
    pub accepted: bool,
    /// What it leads to.
    pub answer: Answer,
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The workers of its major.
    Workers,
    /// Envoy Gateway's own answer.
    Filter,
    /// The platform's Service.
    Backend(MaintenanceBackend),
}

/// The routes that are to exist.
pub struct RoutesPlan {
    /// By major.
    pub routes: BTreeMap<u32, RoutePlan>,
    /// The filters that closed routes answer with, by major, and whether each is there.
    pub filters: BTreeMap<u32, bool>,
    /// Whether the tenant's own leads to its workers and is accepted, or what it waits for.
    pub accepted: Result<(), WaitingOn>,
    /// Whether no route leads to workers any more, or what that waits for.
    pub closed: Result<(), WaitingOn>,
    /// How a closed one answers, in words.
    pub how: &'static str,
}

/// What closes a route.
enum Means {
    Filter,
    Backend(MaintenanceBackend),
    /// Nothing but its removal.
    Removal,
    Unknown(WaitingOn),
}

/// The word of an annotation for a route that Envoy Gateway answers.
pub const BY_FILTER: &str = "filter";
/// The same for one that leads to the platform's Service.
pub const BY_BACKEND: &str = "backend";

/// Plans the routes of a tenant that is served; a new one may come once `gate` is open. Where it is not certain that it is to
/// be served, the answers for maintenance stay at hand.
pub fn open(
    tenant: &Tenant,
    observed: &Observed,
    gate: Result<(), WaitingOn>,
    is_certain: bool,
    questions: &mut Questions,
) -> RoutesPlan {
    let accepted = accepted(tenant, observed, gate, questions);
    let majors = majors(tenant, observed, &accepted);
    let routes = majors.into_iter().map(|(major, accepted)| {
        let answer = Answer::Workers;
        (major, RoutePlan { accepted, answer })
    });
    RoutesPlan {
        routes: routes.collect(),
        // A filter stays until it is seen that no route names it.
        filters: filters(observed, is_certain),
        accepted: accepted.and_then(|()| leads_to_workers(tenant, observed)),
        closed: closed(observed),
        how: "",
    }
}

/// Plans the routes of a tenant that is not served; a new one may come once `gate` is open.
pub fn close(
    tenant: &Tenant,
    observed: &Observed,
    gate: Result<(), WaitingOn>,
    questions: &mut Questions,
) -> RoutesPlan {
    let means = means(tenant, observed, questions);
    let accepted = accepted(tenant, observed, gate, questions);
    let majors = match means {
        Means::Removal => BTreeMap::new(),
        Means::Filter | Means::Backend(_) | Means::Unknown(_) => majors(tenant, observed, &accepted),
    };
    let mut plan = RoutesPlan {
        routes: BTreeMap::new(),
        filters: filters(observed, matches!(means, Means::Backend(_) | Means::Removal)),
        accepted,
        closed: closed(observed),
        how: how(&means),
    };
    for (major, accepted) in majors {
        let answer = match &means {
            Means::Backend(backend) => Answer::Backend(backend.clone()),
            Means::Filter => match filter(tenant, observed, major, questions) {
                Ok(()) => {
                    let is_there = observed.answers.contains_key(&major);
                    plan.filters.insert(major, is_there);
                    // A route that named a filter before it is there would answer 500.
                    if is_there {
                        Answer::Filter
                    } else {
                        as_it_is(tenant, observed, major)
                    }
                }
                Err(waiting) => {
                    plan.closed = Err(waiting);
                    as_it_is(tenant, observed, major)
                }
            },
            Means::Removal | Means::Unknown(_) => as_it_is(tenant, observed, major),
        };
        // One that is only to come must not lead to the workers even for a moment.
        if answer != Answer::Workers || observed.routes.contains_key(&major) {
            plan.routes.insert(major, RoutePlan { accepted, answer });
        }
    }
    if let Means::Unknown(waiting) = means {
        plan.closed = Err(waiting);
    }
    plan
}

fn how(means: &Means) -> &'static str {
    match means {
        Means::Filter => "its host name is answered with 503 and Retry-After",
        Means::Backend(_) => "its host name is answered by the Service of input.gateway.maintenance",
        Means::Removal => {
            "its route is removed, so that its host name is unknown to the Gateway: name a Service in \
             input.gateway.maintenance for a better answer"
        }
        Means::Unknown(_) => "its route is about to be closed",
    }
}

fn means(tenant: &Tenant, observed: &Observed, questions: &mut Questions) -> Means {
    if let Some(backend) = &tenant.gateway.maintenance {
        return Means::Backend(backend.clone());
    }
    match questions.route_filter_is_known(&observed.required) {
        Lookup::Pending => Means::Unknown(WaitingOn::LookupPending("the kind HTTPRouteFilter".to_owned())),
        Lookup::Absent => Means::Removal,
        Lookup::Found(()) => Means::Filter,
    }
}

/// Whether the filter of a major is there or may come.
fn filter(
    tenant: &Tenant,
    observed: &Observed,
    major: u32,
    questions: &mut Questions,
) -> Result<(), WaitingOn> {
    let Some(release) = tenant
        .release_of(major)
        .filter(|_| !observed.answers.contains_key(&major))
    else {
        return Ok(());
    };
    let question = Question {
        api_version: "gateway.envoyproxy.io/v1alpha1",
        kind: "HTTPRouteFilter",
        namespace: Some(release.namespace.clone()),
        name: filter_name(tenant),
    };
    let key = format!("maintenance-{major}");
    questions.name_is_free(&key, question, &observed.required, &tenant.uid)
}

/// The name of the filter that answers for a tenant.
#[must_use]
pub fn filter_name(tenant: &Tenant) -> String {
    format!("{}-maintenance", tenant.slug)
}

/// What a route leads to by now.
fn as_it_is(tenant: &Tenant, observed: &Observed, major: u32) -> Answer {
    let closed = observed.routes.get(&major).and_then(RouteView::closed);
    match (closed, &tenant.gateway.maintenance) {
        (Some(BY_BACKEND), Some(backend)) => Answer::Backend(backend.clone()),
        // What is closed stays closed, even if the Service is named no more: an error is better than the workers.
        (Some(_), _) => Answer::Filter,
        (None, _) => Answer::Workers,
    }
}

/// The filters that are there; without those that no route names, where none is to.
fn filters(observed: &Observed, without_free: bool) -> BTreeMap<u32, bool> {
    let is_free = |major: &u32| {
        let route = observed.routes.get(major);
        without_free && route.is_some_and(|route| route.closed() != Some(BY_FILTER))
    };
    let used = observed.answers.keys().filter(|major| !is_free(major));
    used.map(|major| (*major, true)).collect()
}

/// Open once every route that is there is seen not to lead to workers, and its Gateway has taken note of that.
fn closed(observed: &Observed) -> Result<(), WaitingOn> {
    for route in observed.routes.values() {
        if route.closed().is_none() {
            return Err(WaitingOn::RouteClosing);
        }
        if let RouteState::Pending { gateway } = route.state() {
            return Err(WaitingOn::RoutePending(gateway));
        }
    }
    Ok(())
}

fn leads_to_workers(tenant: &Tenant, observed: &Observed) -> Result<(), WaitingOn> {
    let own = observed.routes.get(&tenant.release.major);
    if own.is_some_and(|route| route.closed().is_some()) {
        Err(WaitingOn::RoutePending(first_gateway(tenant)))
    } else {
        Ok(())
    }
}

/// Whether the tenant's own route is accepted; when it is not there, whether it may come.
fn accepted(
    tenant: &Tenant,
    observed: &Observed,
    gate: Result<(), WaitingOn>,
    questions: &mut Questions,
) -> Result<(), WaitingOn> {
    match observed.routes.get(&tenant.release.major).map(RouteView::state) {
        Some(RouteState::Accepted) => Ok(()),
        Some(RouteState::Pending { gateway }) => Err(WaitingOn::RoutePending(gateway)),
        Some(RouteState::Refused {
            gateway,
            reason,
            message,
        }) => Err(WaitingOn::RouteRefused {
            gateway,
            reason,
            message,
        }),
        None => {
            gate.and_then(|()| may_come(tenant, observed, questions))?;
            Err(WaitingOn::RoutePending(first_gateway(tenant)))
        }
    }
}

fn first_gateway(tenant: &Tenant) -> String {
    let first = tenant.gateway.parents.first();
    first.map_or_else(String::new, |parent| {
        format!("{}/{}", parent.namespace, parent.name)
    })
}

fn may_come(tenant: &Tenant, observed: &Observed, questions: &mut Questions) -> Result<(), WaitingOn> {
    questions.http_route_is_known(&observed.required)?;
    let question = Question {
        api_version: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        namespace: Some(tenant.release.namespace.clone()),
        name: tenant.slug.to_string(),
    };
    questions.name_is_free("route", question, &observed.required, &tenant.uid)
}

/// The majors that routes are to lead to, and whether each is accepted.
fn majors(tenant: &Tenant, observed: &Observed, accepted: &Result<(), WaitingOn>) -> BTreeMap<u32, bool> {
    let own = tenant.release.major;
    let mut majors = BTreeMap::new();
    if accepted.is_err() {
        let older = observed.routes.iter().filter(|(major, _)| **major != own);
        majors.extend(older.map(|(major, route)| (*major, route.state() == RouteState::Accepted)));
    }
    let comes = matches!(accepted, Err(WaitingOn::RoutePending(_)));
    if comes || observed.routes.contains_key(&own) {
        majors.insert(own, accepted.is_ok());
    }
    majors
}
