//! A tenant's or a template's copy of a Secret of the platform. Its values are handed on undecoded.

use serde::Serialize;

use super::Metadata;
use crate::{blueprint::labels::labels, function::wire::RawValue, plan::SecretCopy, tenant::Subject};

/// A Secret whose data is not decoded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretObject {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<RawValue>,
}

/// The copy of a Secret.
pub fn compose(subject: Subject<'_>, copy: &SecretCopy) -> SecretObject {
    SecretObject {
        api_version: "v1",
        kind: "Secret",
        metadata: Metadata {
            name: Some(copy.name.clone()),
            namespace: Some(copy.namespace.clone()),
            labels: labels(subject, "credentials"),
            ..Metadata::default()
        },
        r#type: copy.r#type.clone(),
        data: copy.data.clone(),
    }
}
