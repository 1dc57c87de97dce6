//! Whose something is: what a tenant and a template have in common, for what treats them alike.

use super::{DatabaseServer, Jobs, Release, Template, Tenant};

/// A composite resource, resolved.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A `PLANAClient`.
    Tenant(&'a Tenant),
    /// A `TemplateSnapshot`.
    Template(&'a Template),
}

impl<'a> Subject<'a> {
    /// Name of the composite resource.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            Self::Tenant(tenant) => tenant.slug.as_str(),
            Self::Template(template) => &template.name,
        }
    }

    /// UID of the composite resource.
    #[must_use]
    pub fn uid(self) -> &'a str {
        match self {
            Self::Tenant(tenant) => &tenant.uid,
            Self::Template(template) => &template.uid,
        }
    }

    /// What the names of its objects begin with; no two composite resources have the same.
    #[must_use]
    pub fn prefix(self) -> String {
        match self {
            Self::Tenant(tenant) => tenant.slug.to_string(),
            Self::Template(template) => template.prefix(),
        }
    }

    /// The Odoo major that its database is of.
    #[must_use]
    pub fn release(self) -> &'a Release {
        match self {
            Self::Tenant(tenant) => &tenant.release,
            Self::Template(template) => &template.release,
        }
    }

    /// The database server.
    #[must_use]
    pub fn server(self) -> &'a DatabaseServer {
        match self {
            Self::Tenant(tenant) => &tenant.server,
            Self::Template(template) => &template.server,
        }
    }

    /// Whether it takes over a database that was there before it.
    #[must_use]
    pub fn adopts(self) -> bool {
        match self {
            Self::Tenant(tenant) => tenant.adopt.is_some(),
            Self::Template(_) => false,
        }
    }

    /// What its Jobs have in common.
    #[must_use]
    pub fn jobs(self) -> &'a Jobs {
        match self {
            Self::Tenant(tenant) => &tenant.jobs,
            Self::Template(template) => &template.jobs,
        }
    }
}
