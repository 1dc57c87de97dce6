//! The tenant's routes: the one to the major that serves it, and older ones until that is accepted.
//!
//! A route lives in the namespace of its major, and a composed resource cannot move (`crate::names`), so each major
//! has a route of its own. An older one stays until the new one is accepted: Crossplane deletes what is no longer
//! desired before it applies the rest, and between the two the tenant would be a 404.

use std::collections::BTreeMap;

use super::{Question, Questions, WaitingOn};
use crate::{
    observed::{Observed, RouteView, route::RouteState},
    tenant::Tenant,
};

/// The routes that are to exist, with whether each is accepted.
pub struct RoutesPlan {
    /// By major.
    pub routes: BTreeMap<u32, bool>,
    /// Whether the tenant's own is accepted, or what it waits for.
    pub accepted: Result<(), WaitingOn>,
}

/// Plans the routes; a new one may come once `gate` is open.
pub fn plan(
    tenant: &Tenant,
    observed: &Observed,
    gate: Result<(), WaitingOn>,
    questions: &mut Questions,
) -> RoutesPlan {
    let major = tenant.release.major;
    let accepted = match observed.routes.get(&major).map(RouteView::state) {
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
            let open = gate.and_then(|()| may_come(tenant, observed, questions));
            let first_gateway = || format!("{}/{}", parent(tenant).0, parent(tenant).1);
            match open {
                Ok(()) => {
                    let routes = routes(tenant, observed, false, true);
                    return RoutesPlan {
                        routes,
                        accepted: Err(WaitingOn::RoutePending(first_gateway())),
                    };
                }
                Err(waiting) => {
                    let routes = routes(tenant, observed, false, false);
                    return RoutesPlan {
                        routes,
                        accepted: Err(waiting),
                    };
                }
            }
        }
    };
    RoutesPlan {
        routes: routes(tenant, observed, accepted.is_ok(), true),
        accepted,
    }
}

fn parent(tenant: &Tenant) -> (&str, &str) {
    tenant.gateway.parents.first().map_or(("", ""), |parent| {
        (parent.namespace.as_str(), parent.name.as_str())
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

fn routes(tenant: &Tenant, observed: &Observed, accepted: bool, own: bool) -> BTreeMap<u32, bool> {
    let mut routes = BTreeMap::new();
    if !accepted {
        let older = observed
            .routes
            .iter()
            .filter(|(major, _)| **major != tenant.release.major);
        routes.extend(older.map(|(major, route)| (*major, route.state() == RouteState::Accepted)));
    }
    if own {
        routes.insert(tenant.release.major, accepted);
    }
    routes
}
