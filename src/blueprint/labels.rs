//! Labels of everything that we compose. Selectors never use more than these, and they never change.

use std::collections::BTreeMap;

use crate::names::Slug;

/// The tenant that an object belongs to.
pub const TENANT: &str = "planapulse.com/tenant";
const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The labels of an object of a tenant. The component is what it is for, in a word.
#[must_use]
pub fn labels(slug: &Slug, component: &str) -> BTreeMap<String, String> {
    let pairs = [
        (NAME, "odoo-tenant"),
        (INSTANCE, slug.as_str()),
        (COMPONENT, component),
        (MANAGED_BY, "function-odoo"),
        (TENANT, slug.as_str()),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
