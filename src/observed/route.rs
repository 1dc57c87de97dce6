//! `HTTPRoute`s: whether every Gateway that a route names takes it.
//!
//! A Gateway's controller answers in `status.parents`, one entry for each parent that it handles (Gateway API v1). No
//! entry means that nobody handles it: waiting, not ready. A route counts only when, for every parent of its spec,
//! an entry says of this generation that it is accepted and that its backends were found.

use serde::Deserialize;

use super::object::{Condition, Metadata, find};
use crate::names::CLOSED_ANNOTATION;

/// An `HTTPRoute`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RouteView {
    /// Its metadata.
    pub metadata: Metadata,
    /// Its spec.
    pub spec: RouteViewSpec,
    /// Its status.
    pub status: RouteViewStatus,
}

/// The spec of a route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteViewSpec {
    /// What it attaches to.
    pub parent_refs: Vec<Parent>,
}

/// The status of a route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RouteViewStatus {
    /// The answers of the controllers.
    pub parents: Vec<ParentStatus>,
}

/// What a route attaches to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Parent {
    /// Name of the Gateway.
    pub name: String,
    /// Its namespace; that of the route when left out.
    pub namespace: Option<String>,
    /// Its listener.
    pub section_name: Option<String>,
}

/// A controller's answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentStatus {
    /// Which parent it speaks of.
    pub parent_ref: Parent,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// How a route stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// Some Gateway has not answered yet.
    Pending {
        /// Which.
        gateway: String,
    },
    /// Every Gateway takes it.
    Accepted,
    /// A Gateway does not take it.
    Refused {
        /// Which.
        gateway: String,
        /// Its reason.
        reason: String,
        /// Its message.
        message: String,
    },
}

impl RouteView {
    /// How it answers, when it leads to no workers.
    #[must_use]
    pub fn closed(&self) -> Option<&str> {
        let how = self.metadata.annotations.get(CLOSED_ANNOTATION);
        how.map(String::as_str)
    }

    /// How the route stands.
    #[must_use]
    pub fn state(&self) -> RouteState {
        let answers = self.spec.parent_refs.iter().map(|parent| self.answer(parent));
        // A refusal tells more than a wait, and a wait more than an acceptance.
        answers.fold(RouteState::Accepted, |worst, answer| match (&worst, &answer) {
            (RouteState::Refused { .. }, _) | (RouteState::Pending { .. }, RouteState::Accepted) => worst,
            (RouteState::Pending { .. } | RouteState::Accepted, _) => answer,
        })
    }

    fn answer(&self, parent: &Parent) -> RouteState {
        let gateway = format!("{}/{}", self.namespace_of(parent), parent.name);
        let Some(status) = self
            .status
            .parents
            .iter()
            .find(|status| self.is_same(&status.parent_ref, parent))
        else {
            return RouteState::Pending { gateway };
        };
        let generation = self.metadata.generation;
        for r#type in ["Accepted", "ResolvedRefs"] {
            match find(&status.conditions, r#type) {
                Some(condition) if condition.holds(generation) => {}
                Some(condition) if condition.status == "False" => {
                    let Condition { reason, message, .. } = condition.clone();
                    return RouteState::Refused {
                        gateway,
                        reason,
                        message,
                    };
                }
                Some(_) | None => return RouteState::Pending { gateway },
            }
        }
        match find(&status.conditions, "PartiallyInvalid") {
            Some(condition) if condition.holds(generation) => {
                let Condition { reason, message, .. } = condition.clone();
                RouteState::Refused {
                    gateway,
                    reason,
                    message,
                }
            }
            Some(_) | None => RouteState::Accepted,
        }
    }

    fn namespace_of<'a>(&'a self, parent: &'a Parent) -> &'a str {
        parent.namespace.as_deref().unwrap_or(&self.metadata.namespace)
    }

    fn is_same(&self, one: &Parent, other: &Parent) -> bool {
        one.name == other.name
            && one.section_name == other.section_name
            && self.namespace_of(one) == self.namespace_of(other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(parents: &serde_json::Value) -> RouteView {
        serde_json::from_value(json!({
            "metadata": {"namespace": "plana-odoo-18", "generation": 2},
            "spec": {"parentRefs": [{"name": "eg-gateway", "namespace": "plana-odoo", "sectionName": "https-app"}]},
            "status": {"parents": parents},
        }))
        .unwrap()
    }

    fn answer(accepted: &str, generation: i64) -> serde_json::Value {
        json!([{
            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "eg-gateway", "namespace": "plana-odoo", "sectionName": "https-app"},
            "conditions": [
                {"type": "Accepted", "status": accepted, "reason": "NoMatchingListenerHostname", "observedGeneration": generation},
                {"type": "ResolvedRefs", "status": "True", "observedGeneration": generation},
            ],
        }])
    }

    #[test]
    fn a_route_is_accepted_when_its_gateway_says_so_of_this_generation() {
        assert_eq!(route(&answer("True", 2)).state(), RouteState::Accepted);
        assert!(matches!(
            route(&answer("True", 1)).state(),
            RouteState::Pending { .. }
        ));
        assert!(matches!(route(&json!([])).state(), RouteState::Pending { .. }));
    }

    #[test]
    fn a_refusal_passes_on_the_gateways_reason() {
        let RouteState::Refused { gateway, reason, .. } = route(&answer("False", 2)).state() else {
            panic!()
        };
        assert_eq!(
            (gateway.as_str(), reason.as_str()),
            ("plana-odoo/eg-gateway", "NoMatchingListenerHostname")
        );
    }
}
