//! `TemplateSnapshot`: the template database of a tier and a major, as written by an operator, and the status that we
//! report.
//!
//! The schema of the XRD is generated from these types, as that of a `PLANAClient` is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plana_client::StepRecord;

/// The kind.
pub const KIND: &str = "TemplateSnapshot";

/// What an operator wants of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateSnapshotSpec {
    /// Code of the template, as the tiers of the platform name it: `basic` (starter), `pro` or `enterprise`. Cannot
    /// change. The name of this object is `<templateCode>-<odooVersion>`, so no two can be for the same template.
    #[schemars(
        length(min = 1, max = 30),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$"),
        extend("x-hint" = "1 to 30 lower-case letters, digits and hyphens, beginning and ending with a letter or digit")
    )]
    pub template_code: String,
    /// The Odoo major of the template. Cannot change.
    #[schemars(
        length(min = 2, max = 2),
        regex(pattern = r"^[1-9][0-9]$"),
        extend("x-hint" = "an Odoo major in quotes, such as \"18\"")
    )]
    pub odoo_version: String,
    /// Tag (mostly a commit) or digest (`sha256:...`) of the major's image that the template is built from; another one
    /// builds it anew, while the old one goes on being cloned. Left out: that of the platform's image for the major. A
    /// tag that moves, such as `latest`, is not noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127})$"),
        extend("x-hint" = "the tag of an image, or a digest: sha256: and 64 hexadecimal digits")
    )]
    pub revision: Option<String>,
    /// Modules to install. Left out: those of the tier (`tiers.*.modules` of the Platform). Others build it anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 200),
        inner(length(min = 1, max = 100), regex(pattern = r"^[a-z0-9_]+$")),
        extend("x-hint" = "the technical name of a module, such as sale_management")
    )]
    pub modules: Vec<String>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateSnapshotStatus {
    /// Where the template is in its life, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The template database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The image that the template was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The tag or digest of that image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// When it was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_at: Option<String>,
    /// The modules that were asked for, with their versions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, String>,
    /// How many modules are installed, with all that they need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_count: Option<i64>,
    /// Digest of all installed modules and their versions: templates with the same one hold the same modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules_digest: Option<String>,
    /// Bytes of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_bytes: Option<i64>,
    /// Files in the template's filestore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filestore_files: Option<i64>,
    /// Bytes in the template's filestore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filestore_bytes: Option<i64>,
    /// Steps that are done, by name: the last build.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub done: BTreeMap<String, StepRecord>,
}
