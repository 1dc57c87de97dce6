//! What Envoy Gateway itself answers for a tenant that is not served (`gateway.envoyproxy.io/v1alpha1` `HTTPRouteFilter`).
//!
//! The header of a direct response is known since Envoy Gateway 1.6. The body is a format string of Envoy's: no `%` in it.

use serde::Serialize;

use super::Metadata;
use crate::{
    blueprint::labels::labels,
    defaults,
    plan::filter_name,
    tenant::{Release, Subject, Tenant},
};

/// 503: not now, and not for good.
const STATUS: u16 = 503;
const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Not available</title>\
    <h1>Not available right now</h1><p>Please try again later.</p></html>";

/// An `HTTPRouteFilter`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteFilter {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: FilterSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct FilterSpec {
    direct_response: DirectResponse,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct DirectResponse {
    status_code: u16,
    content_type: &'static str,
    body: Body,
    header: Headers,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Body {
    r#type: &'static str,
    inline: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Headers {
    set: Vec<Header>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Header {
    name: &'static str,
    value: String,
}

/// The answer for a tenant, beside its route in the namespace of a major.
pub fn compose(tenant: &Tenant, release: &Release) -> HttpRouteFilter {
    let header = |name, value| Header { name, value };
    HttpRouteFilter {
        api_version: "gateway.envoyproxy.io/v1alpha1",
        kind: "HTTPRouteFilter",
        metadata: Metadata {
            name: Some(filter_name(tenant)),
            namespace: Some(release.namespace.clone()),
            labels: labels(Subject::Tenant(tenant), "maintenance"),
            ..Metadata::default()
        },
        spec: FilterSpec {
            direct_response: DirectResponse {
                status_code: STATUS,
                content_type: "text/html; charset=utf-8",
                body: Body {
                    r#type: "Inline",
                    inline: PAGE,
                },
                header: Headers {
                    set: vec![
                        header("Cache-Control", "no-store".to_owned()),
                        header("Retry-After", defaults::RETRY_AFTER_SECONDS.to_string()),
                    ],
                },
            },
        },
    }
}
