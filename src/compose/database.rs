//! The Database of provider-sql (`postgresql.sql.crossplane.io/v1alpha1`, cluster-scoped).
//!
//! Born dark: owned by the maintenance role and closed to connections, so that no pool lists it and nobody logs in
//! until `tenant-init` has made it the tenant's. Locale and encoding are the template's, and left out; a database without
//! a template gets those that Odoo gives it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Metadata;
use crate::{
    blueprint::labels::labels,
    plan::Policies,
    tenant::{Subject, Tenant},
};

/// provider-sql takes the database's name from here; it would take `metadata.name` too, but says so only in its code.
const EXTERNAL_NAME: &str = "crossplane.io/external-name";
/// What an empty database is made from: it takes any locale, and nothing that somebody put into `template1` is in it.
const EMPTY: &str = "template0";
/// What Odoo makes a database with (17 to 19): an index of text finds beginnings of words with this order only.
const ENCODING: &str = "UTF8";
const COLLATION: &str = "C";
/// As many connections as the server allows.
const UNLIMITED: i32 = -1;

/// A Database.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: DatabaseSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct DatabaseSpec {
    management_policies: &'static [&'static str],
    provider_config_ref: Reference,
    for_provider: DatabaseParameters,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Reference {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct DatabaseParameters {
    template: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lc_collate: Option<&'static str>,
    owner: String,
    allow_connections: bool,
    connection_limit: i32,
    is_template: bool,
}

/// The Database of a tenant.
pub fn compose(tenant: &Tenant, policies: Policies) -> Database {
    let name = tenant.database.to_string();
    let template = tenant.template();
    Database {
        api_version: "postgresql.sql.crossplane.io/v1alpha1",
        kind: "Database",
        metadata: Metadata {
            labels: labels(Subject::Tenant(tenant), "database"),
            annotations: BTreeMap::from([(EXTERNAL_NAME.to_owned(), name.clone())]),
            name: Some(name),
            namespace: None,
        },
        spec: DatabaseSpec {
            management_policies: policies.as_slice(),
            provider_config_ref: Reference {
                name: tenant.server.provider_config.clone(),
            },
            for_provider: DatabaseParameters {
                template: template.map_or_else(|| EMPTY.to_owned(), ToString::to_string),
                encoding: template.is_none().then_some(ENCODING),
                lc_collate: template.is_none().then_some(COLLATION),
                owner: tenant.server.maintenance_role.clone(),
                allow_connections: false,
                connection_limit: UNLIMITED,
                is_template: false,
            },
        },
    }
}
