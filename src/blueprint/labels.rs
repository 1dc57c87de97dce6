//! Labels of everything that we compose. Selectors never use more than these, and they never change.

use std::collections::BTreeMap;

use crate::{names::HEAVY_LABEL, tenant::Subject};

/// The tenant that an object belongs to.
pub const TENANT: &str = "planapulse.com/tenant";
/// The template that an object belongs to.
pub const TEMPLATE: &str = "planapulse.com/template";
const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The labels of an object of a tenant or a template. The component is what it is for, in a word.
#[must_use]
pub fn labels(subject: Subject<'_>, component: &str) -> BTreeMap<String, String> {
    let (name, owner) = match subject {
        Subject::Tenant(_) => ("odoo-tenant", TENANT),
        Subject::Template(_) => ("odoo-template", TEMPLATE),
    };
    let pairs = [
        (NAME, name),
        (INSTANCE, subject.name()),
        (COMPONENT, component),
        (MANAGED_BY, "function-odoo"),
        (owner, subject.name()),
    ];
    owned(pairs)
}

/// The labels of a Job.
#[must_use]
pub fn of_job(subject: Subject<'_>, component: &str, is_heavy: bool) -> BTreeMap<String, String> {
    let mut labels = labels(subject, component);
    if is_heavy {
        labels.extend(heavy());
    }
    labels
}

/// The labels that heavy Jobs are found by: those that install modules for minutes. One at a time in a namespace is enough
/// for its volume and quota.
#[must_use]
pub fn heavy() -> BTreeMap<String, String> {
    owned([(HEAVY_LABEL, "true")])
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
