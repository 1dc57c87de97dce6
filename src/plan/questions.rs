//! What a plan needs to know from the cluster, and the answers.
//!
//! Crossplane calls again with the answers, until two calls in a row ask the same. So a question is asked on every call
//! for as long as it matters, whether it was answered or not.

use std::collections::BTreeMap;

use super::{WaitingOn, waiting::TakenName};
use crate::{
    api::{API_VERSION, template_snapshot},
    observed::{Lookup, Required},
};

/// The name of the question whether the cluster knows `HTTPRoute`.
pub const HTTP_ROUTE_KIND: &str = "http-route";
/// The name of the question whether the cluster knows `TemplateSnapshot`.
pub const SNAPSHOT_KIND: &str = "template-snapshot";

/// The name of the question whether the cluster knows `HTTPRouteFilter`.
pub const ROUTE_FILTER_KIND: &str = "http-route-filter";
/// Kinds of operations that may have a tenant to themselves, with the names of the questions whether the cluster knows them.
pub const OPERATIONS: [(&str, &str); 3] = [
    ("tenant-upgrade", "TenantUpgrade"),
    ("environment-restore", "EnvironmentRestore"),
    ("environment-backup", "EnvironmentBackup"),
];

/// An object or a kind that we ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// `apiVersion`.
    pub api_version: &'static str,
    /// `kind`.
    pub kind: &'static str,
    /// Namespace; `None` for what is cluster-scoped.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// Objects that we ask for by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuestion {
    /// `apiVersion`.
    pub api_version: &'static str,
    /// `kind`.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Labels that they all have.
    pub labels: BTreeMap<String, String>,
}

/// All questions of a plan, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Objects.
    pub objects: BTreeMap<String, Question>,
    /// Lists of objects.
    pub lists: BTreeMap<String, ListQuestion>,
    /// Kinds, as `apiVersion` and `kind`.
    pub kinds: BTreeMap<&'static str, (&'static str, &'static str)>,
}

impl Questions {
    /// Asks whether a name that we are about to take is free. An object that nobody manages would be adopted by
    /// force, and deleted with the composite resource; one that somebody manages would be refused for ever.
    pub fn name_is_free(
        &mut self,
        key: &str,
        question: Question,
        required: &Required,
        uid: &str,
    ) -> Result<(), WaitingOn> {
        let Question {
            kind,
            namespace,
            name,
            ..
        } = &question;
        let (kind, full_name) = (*kind, full_name(namespace.as_deref(), name));
        self.objects.insert(key.to_owned(), question);
        match required.object(key) {
            Lookup::Pending => Err(WaitingOn::LookupPending(format!("the {kind} {full_name}"))),
            Lookup::Absent => Ok(()),
            Lookup::Found(object) => match object.metadata.controller() {
                // Ours and on its way out: what is applied onto it now would go with it.
                Some(owner) if owner.uid == uid && object.metadata.deletion_timestamp.is_some() => {
                    Err(WaitingOn::BeingDeleted {
                        kind,
                        name: full_name,
                    })
                }
                // Ours: made by a call whose result we have not observed yet.
                Some(owner) if owner.uid == uid => Ok(()),
                owner => Err(WaitingOn::NameTaken(TakenName {
                    kind,
                    name: full_name,
                    owner: owner.map(|owner| format!("{} {}", owner.kind, owner.name)),
                })),
            },
        }
    }

    /// Asks whether the cluster knows `HTTPRoute`: composing a kind that it does not know would stop everything else.
    pub fn http_route_is_known(&mut self, required: &Required) -> Result<(), WaitingOn> {
        self.kinds
            .insert(HTTP_ROUTE_KIND, ("gateway.networking.k8s.io/v1", "HTTPRoute"));
        match required.kind(HTTP_ROUTE_KIND) {
            Lookup::Pending => Err(WaitingOn::LookupPending("the kind HTTPRoute".to_owned())),
            Lookup::Absent => Err(WaitingOn::GatewayApiMissing),
            Lookup::Found(()) => Ok(()),
        }
    }

    /// Asks whether the cluster knows `HTTPRouteFilter`, with which Envoy Gateway answers by itself.
    pub fn route_filter_is_known(&mut self, required: &Required) -> Lookup<()> {
        let kind = ("gateway.envoyproxy.io/v1alpha1", "HTTPRouteFilter");
        self.kinds.insert(ROUTE_FILTER_KIND, kind);
        required.kind(ROUTE_FILTER_KIND)
    }

    /// Asks whether the cluster knows `TemplateSnapshot`: an older package lacks it, and looking for an object of a kind that
    /// is not known fails the whole call.
    pub fn snapshot_is_known(&mut self, required: &Required) -> Lookup<()> {
        self.kinds
            .insert(SNAPSHOT_KIND, (API_VERSION, template_snapshot::KIND));
        required.kind(SNAPSHOT_KIND)
    }
}

/// Namespace and name of an object, as kubectl writes them.
pub fn full_name(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}
