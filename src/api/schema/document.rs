//! The schemas as files: the XRDs of our kinds and the CRD of the function's input.
//!
//! In: the schemas. Out: YAML text, the same bytes each time. Crossplane copies only parts of an XRD into the CRD that
//! it makes: of the metadata only the name's length, of spec and status no default, `anyOf` or list marker at the very
//! top. So nothing stands there, and each rule sits where it survives.
//!
//! Crossplane never installs the input's CRD: it is for people and editors, and the function checks for itself.

mod columns;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Kind, Rule, Schema, rules};
use crate::api::{self, plana_client, template_snapshot};
use crate::defaults;

/// Name of the Composition that is taken unless a `PLANAClient` names another.
pub const COMPOSITION_NAME: &str = "planaclient";

/// Name of the Composition that is taken unless a `TemplateSnapshot` names another.
pub const TEMPLATE_COMPOSITION_NAME: &str = "templatesnapshot";

/// Longest name of a `PLANAClient`, in characters: it is the subdomain.
const CLIENT_NAME_MAXIMUM: u64 = 30;
/// Longest name of a `TemplateSnapshot`: a code of at most 30, a hyphen and two digits.
const SNAPSHOT_NAME_MAXIMUM: u64 = 33;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<Spec> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Named,
    spec: Spec,
}

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionSpec {
    scope: &'static str,
    group: &'static str,
    names: Names,
    default_composition_ref: Named,
    versions: [DefinitionVersion; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    list_kind: Option<&'static str>,
    plural: &'static str,
    singular: &'static str,
    #[serde(rename = "shortNames", skip_serializing_if = "<[_]>::is_empty")]
    short: &'static [&'static str],
    categories: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionVersion {
    name: &'static str,
    served: bool,
    referenceable: bool,
    additional_printer_columns: Vec<Column>,
    schema: Validation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Column {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    description: &'static str,
    json_path: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i32>,
}

#[derive(Serialize)]
struct Validation {
    #[serde(rename = "openAPIV3Schema")]
    schema: Schema,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpec {
    scope: &'static str,
    group: &'static str,
    names: Names,
    versions: [ResourceVersion; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceVersion {
    name: &'static str,
    served: bool,
    storage: bool,
    schema: Validation,
}

/// `package/planaclient/definition.yaml`: the XRD of `PLANAClient`.
pub fn plana_client_definition() -> Result<String, serde_yaml::Error> {
    let names = Names {
        kind: plana_client::KIND,
        list_kind: None,
        plural: "planaclients",
        singular: COMPOSITION_NAME,
        short: &["pcl"],
        categories: &["odoo"],
    };
    definition(names, columns::of_clients(), plana_client())
}

/// `package/templatesnapshot/definition.yaml`: the XRD of `TemplateSnapshot`.
pub fn template_snapshot_definition() -> Result<String, serde_yaml::Error> {
    let names = Names {
        kind: template_snapshot::KIND,
        list_kind: None,
        plural: "templatesnapshots",
        singular: TEMPLATE_COMPOSITION_NAME,
        short: &["tpl"],
        categories: &["odoo"],
    };
    definition(names, columns::of_snapshots(), snapshot())
}

/// An XRD; the Composition of a kind has its singular as name.
fn definition(names: Names, columns: Vec<Column>, schema: Schema) -> Result<String, serde_yaml::Error> {
    file(&Manifest {
        api_version: "apiextensions.crossplane.io/v2",
        kind: "CompositeResourceDefinition",
        metadata: Named {
            name: format!("{}.{}", names.plural, api::GROUP),
        },
        spec: DefinitionSpec {
            scope: "Cluster",
            group: api::GROUP,
            default_composition_ref: Named {
                name: names.singular.to_owned(),
            },
            names,
            versions: [DefinitionVersion {
                name: api::VERSION,
                served: true,
                referenceable: true,
                additional_printer_columns: columns,
                schema: Validation { schema },
            }],
        },
    })
}

/// `function/package/input/platform.yaml`: the CRD of the function's input.
pub fn platform_definition() -> Result<String, serde_yaml::Error> {
    let (group, version) = api::INPUT_API_VERSION.split_once('/').unwrap_or_default();
    let mut schema = super::platform();
    keep_telling_null(&mut schema);
    standard_fields(&mut schema);
    file(&Manifest {
        api_version: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: Named {
            name: format!("platforms.{group}"),
        },
        spec: ResourceSpec {
            scope: "Cluster",
            group,
            names: Names {
                kind: api::INPUT_KIND,
                list_kind: Some("PlatformList"),
                plural: "platforms",
                singular: "platform",
                short: &[],
                categories: &["odoo"],
            },
            versions: [ResourceVersion {
                name: version,
                served: true,
                storage: true,
                schema: Validation { schema },
            }],
        },
    })
}

fn file(document: &impl Serialize) -> Result<String, serde_yaml::Error> {
    Ok(format!(
        "# Generated by `UPDATE=1 cargo test --test schemas` from the types in src/api; do not edit.\n{}",
        serde_yaml::to_string(document)?
    ))
}

/// A whole `PLANAClient`, with every rule.
fn plana_client() -> Schema {
    let (mut spec, status) = written(super::plana_client_spec(), super::plana_client_status());
    rules::add_to_client(&mut spec);
    if let Some(version) = spec.properties.get_mut("odooVersion") {
        version.default = Some(Value::from(defaults::ODOO_VERSION));
    }
    let name = name("Name of the object, which is the subdomain.", CLIENT_NAME_MAXIMUM);
    let about = "One tenant: a customer's Odoo, with its database, address, backups and support room.";
    whole(about, name, spec, status, rules::of_a_client())
}

/// A whole `TemplateSnapshot`, with every rule.
fn snapshot() -> Schema {
    let (mut spec, status) = written(super::template_snapshot_spec(), super::template_snapshot_status());
    rules::add_to_snapshot(&mut spec);
    let name = name(
        "Name of the object, which is the template's: templateCode-odooVersion, such as basic-18.",
        SNAPSHOT_NAME_MAXIMUM,
    );
    let about = "One template database, which new tenants of a tier and an Odoo major are cloned from.";
    whole(about, name, spec, status, rules::of_a_snapshot())
}

/// Spec and status as the API server is to have them.
fn written(mut spec: Schema, mut status: Schema) -> (Schema, Schema) {
    // A null is refused by the API server, or replaced by the default: it says no more than leaving the field out.
    each(&mut spec, &mut |schema| schema.nullable = false);
    // A default would be written by the API server, and what we do not know yet is left out of a status.
    each(&mut status, &mut |schema| {
        (schema.nullable, schema.default) = (false, None);
    });
    (spec, status)
}

fn name(description: &str, maximum: u64) -> Schema {
    Schema {
        description: Some(description.to_owned()),
        kind: Some(Kind::String),
        max_length: Some(maximum),
        ..Schema::default()
    }
}

fn whole(about: &str, name: Schema, spec: Schema, status: Schema, rules: Vec<Rule>) -> Schema {
    let metadata = object("Standard object metadata.", [("name", name)], vec![]);
    let fields = [("metadata", metadata), ("spec", spec), ("status", status)];
    Schema {
        required: vec!["spec".to_owned()],
        ..object(about, fields, rules)
    }
}

fn object<const N: usize>(description: &str, fields: [(&str, Schema); N], validations: Vec<Rule>) -> Schema {
    Schema {
        description: Some(description.to_owned()),
        kind: Some(Kind::Object),
        properties: BTreeMap::from(fields.map(|(name, schema)| (name.to_owned(), schema))),
        validations,
        ..Schema::default()
    }
}

/// Null only stays where it means something else than leaving the field out: where the default is not null.
fn keep_telling_null(schema: &mut Schema) {
    each(schema, &mut |schema| schema.nullable &= schema.default.is_some());
}

/// What every Kubernetes object has: the API server knows it better, and refuses a CRD that describes its metadata.
fn standard_fields(schema: &mut Schema) {
    for name in ["apiVersion", "kind"] {
        if let Some(field) = schema.properties.get_mut(name) {
            field.default = None;
        }
    }
    let metadata = Schema {
        kind: Some(Kind::Object),
        ..Schema::default()
    };
    schema.properties.insert("metadata".to_owned(), metadata);
}

fn each(schema: &mut Schema, change: &mut impl FnMut(&mut Schema)) {
    change(schema);
    let Schema {
        properties,
        items,
        additional_properties,
        ..
    } = schema;
    let inner = items
        .as_deref_mut()
        .into_iter()
        .chain(additional_properties.as_deref_mut());
    for child in properties.values_mut().chain(inner) {
        each(child, change);
    }
}
