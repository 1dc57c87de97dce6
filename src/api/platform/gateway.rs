//! The part of a Platform that says how tenants are reached, and what answers when one is not served.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How tenants are reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gateway {
    /// What the routes attach to.
    #[schemars(length(min = 1, max = 32))]
    pub parent_refs: Vec<ParentReference>,
    /// Longest time of a request, as a Gateway API duration (`600s`). Websockets have none.
    #[schemars(
        regex(pattern = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"),
        extend("x-hint" = "a duration of whole numbers with h, m, s or ms, such as 600s")
    )]
    pub request_timeout: String,
    /// The Service that answers for a tenant that is not served: with 503 and `Retry-After`, if search engines and clients
    /// are to come again. Left out: Envoy Gateway answers by itself (`HTTPRouteFilter`); where the cluster does not know
    /// that kind either, the route is removed meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceBackend>,
}

/// The Service that answers for a tenant that is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceBackend {
    /// Name of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Its namespace, which needs a `ReferenceGrant` for `HTTPRoutes` of the namespaces of the majors. Left out: a Service
    /// of that name in each of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// A Gateway, or one listener of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParentReference {
    /// Name of the Gateway.
    pub name: String,
    /// Namespace of the Gateway; its listener must allow routes from the namespaces of the majors.
    pub namespace: String,
    /// Listener of the Gateway. Left out: all that fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}
