//! The route of a tenant (`gateway.networking.k8s.io/v1` `HTTPRoute`) into the namespace of a major.
//!
//! - What manages databases is answered with a redirect to the login page, which every Gateway can do, and never reaches
//!   Odoo. This is the second lock: `list_db = False` in the pool is the first, since `/jsonrpc` carries the service's
//!   name in its body, where no route sees it.
//! - Websockets go to the gevent worker and have no time limit; Envoy would end them after 15 s.
//! - A route of a tenant that is not served leads nowhere but to the answer for maintenance, and says so in an annotation,
//!   which is how the next call knows that nobody reaches the workers any more.
//! - Odoo's proxy mode looks at `X-Forwarded-Host`, which Envoy Gateway (1.9) does not set: the route does.

use serde::Serialize;

use super::Metadata;
use crate::{
    blueprint::labels::labels,
    defaults,
    names::CLOSED_ANNOTATION,
    plan::{Answer, BY_BACKEND, BY_FILTER, filter_name},
    tenant::{MaintenanceBackend, ParentReference, Release, Subject, Tenant},
};

/// Paths of Odoo's database manager and of the RPC service behind it (17 to 19).
const BLOCKED_PATHS: [&str; 3] = ["/web/database", "/xmlrpc/db", "/xmlrpc/2/db"];
/// Path of Odoo's websocket (16 and later).
const WEBSOCKET_PATH: &str = "/websocket";
/// Where a blocked request is sent.
const LOGIN_PATH: &str = "/web/login";
/// 302 is the only redirect besides 301 that every version of the Gateway API knows.
const FOUND: u16 = 302;
/// No limit, in Gateway API's words.
const NO_TIMEOUT: &str = "0s";
const FORWARDED_HOST: &str = "X-Forwarded-Host";

/// An `HTTPRoute`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: HttpRouteSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpRouteSpec {
    parent_refs: Vec<ParentReference>,
    hostnames: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    matches: Vec<Match>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    filters: Vec<Filter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    backend_refs: Vec<BackendReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeouts: Option<Timeouts>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Match {
    path: PathMatch,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct PathMatch {
    r#type: &'static str,
    value: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
enum Filter {
    RequestRedirect { request_redirect: Redirect },
    RequestHeaderModifier { request_header_modifier: HeaderModifier },
    ExtensionRef { extension_ref: Extension },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Redirect {
    status_code: u16,
    path: ReplaceFullPath,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplaceFullPath {
    r#type: &'static str,
    replace_full_path: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct HeaderModifier {
    set: Vec<Header>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Header {
    name: &'static str,
    value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Extension {
    group: &'static str,
    kind: &'static str,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct BackendReference {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    port: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Timeouts {
    request: String,
}

/// The route of a tenant into the namespace of a major.
pub fn compose(tenant: &Tenant, release: &Release, answer: &Answer) -> HttpRoute {
    let (closed, rules) = match answer {
        Answer::Workers => (None, to_workers(tenant, release)),
        Answer::Filter => (Some(BY_FILTER), vec![by_filter(tenant)]),
        Answer::Backend(backend) => (Some(BY_BACKEND), vec![by_backend(backend)]),
    };
    let annotation = closed.map(|how| (CLOSED_ANNOTATION.to_owned(), how.to_owned()));
    HttpRoute {
        api_version: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: Metadata {
            name: Some(tenant.slug.to_string()),
            namespace: Some(release.namespace.clone()),
            labels: labels(Subject::Tenant(tenant), "route"),
            annotations: annotation.into_iter().collect(),
        },
        spec: HttpRouteSpec {
            parent_refs: tenant.gateway.parents.clone(),
            hostnames: vec![tenant.host.clone()],
            rules,
        },
    }
}

fn to_workers(tenant: &Tenant, release: &Release) -> Vec<Rule> {
    let timeout = &tenant.gateway.request_timeout;
    vec![
        blocked(),
        served(
            tenant,
            release,
            WEBSOCKET_PATH,
            defaults::WEBSOCKET_PORT,
            NO_TIMEOUT,
        ),
        served(tenant, release, "/", defaults::HTTP_PORT, timeout),
    ]
}

fn by_filter(tenant: &Tenant) -> Rule {
    let extension_ref = Extension {
        group: "gateway.envoyproxy.io",
        kind: "HTTPRouteFilter",
        name: filter_name(tenant),
    };
    Rule {
        matches: vec![prefix("/")],
        filters: vec![Filter::ExtensionRef { extension_ref }],
        backend_refs: Vec::new(),
        timeouts: None,
    }
}

fn by_backend(backend: &MaintenanceBackend) -> Rule {
    let MaintenanceBackend {
        name,
        namespace,
        port,
    } = backend.clone();
    Rule {
        matches: vec![prefix("/")],
        filters: Vec::new(),
        backend_refs: vec![BackendReference {
            name,
            namespace,
            port: port.into(),
        }],
        timeouts: None,
    }
}

fn blocked() -> Rule {
    let path = ReplaceFullPath {
        r#type: "ReplaceFullPath",
        replace_full_path: LOGIN_PATH,
    };
    Rule {
        matches: BLOCKED_PATHS.map(prefix).to_vec(),
        filters: vec![Filter::RequestRedirect {
            request_redirect: Redirect {
                status_code: FOUND,
                path,
            },
        }],
        backend_refs: Vec::new(),
        timeouts: None,
    }
}

fn served(tenant: &Tenant, release: &Release, path: &'static str, port: i32, timeout: &str) -> Rule {
    let set = vec![Header {
        name: FORWARDED_HOST,
        value: tenant.host.clone(),
    }];
    Rule {
        matches: vec![prefix(path)],
        filters: vec![Filter::RequestHeaderModifier {
            request_header_modifier: HeaderModifier { set },
        }],
        backend_refs: vec![BackendReference {
            name: release.service.clone(),
            namespace: None,
            port,
        }],
        timeouts: Some(Timeouts {
            request: timeout.to_owned(),
        }),
    }
}

fn prefix(value: &'static str) -> Match {
    Match {
        path: PathMatch {
            r#type: "PathPrefix",
            value,
        },
    }
}
