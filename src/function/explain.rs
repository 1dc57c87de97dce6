//! What a call decided, for people: the conditions with what only the planner knows of them.
//!
//! In: the request that an answer was given to. Out: an [`Explanation`]. Nothing here decides; it plans once more, which gives
//! the same plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    proto::v1::RunFunctionRequest,
    read::{self, Kind, Request},
};
use crate::{
    api::check::{self, Problem},
    names::{ResourceName, Step},
    plan::{
        self, ConditionState, ConditionType,
        stages::{self, Transition},
    },
    tenant::resolve,
};

pub use crate::plan::stages::Stage;

/// What a call decided.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The phase.
    pub phase: &'static str,
    /// Whether it can be used.
    pub ready: bool,
    /// The conditions.
    pub conditions: Vec<ExplainedCondition>,
    /// The stages of this kind's life.
    pub stages: Vec<Stage>,
    /// The steps whose record in status counts now.
    pub recorded: BTreeSet<&'static str>,
    /// Seconds after which Crossplane asks again.
    pub ttl_seconds: i64,
}

/// A condition, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedCondition {
    /// Its type.
    pub r#type: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Whether nothing can be used without it.
    pub is_essential: bool,
    /// Whether it will not pass unless somebody does something.
    pub needs_somebody: bool,
    /// The reason, in one word.
    pub reason: String,
    /// The reason, in a sentence, with the way out.
    pub message: String,
}

/// What a diagram of a kind's life is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// What is made, and what it waits for: of each course, with its name.
    pub stages: &'static [(&'static str, &'static [Stage])],
    /// Which phase follows which.
    pub phases: &'static [Transition],
}

/// The course of a tenant.
pub const TENANT: Course = Course {
    stages: &[
        ("a tenant", &stages::OF_TENANT),
        ("a tenant that is suspended", &stages::OF_SUSPENSION),
        ("a tenant that goes", &stages::OF_TEARDOWN),
    ],
    phases: stages::PHASES_OF_TENANT,
};
/// The course of a template.
pub const TEMPLATE: Course = Course {
    stages: &[("a template", &stages::OF_TEMPLATE)],
    phases: stages::PHASES_OF_TEMPLATE,
};

/// Explains the answer to a request.
pub fn explain(request: &RunFunctionRequest, now: Timestamp) -> Result<Explanation, Vec<Problem>> {
    let (kind, head) = read::head(request)?;
    match kind {
        Kind::PlanaClient => {
            let Request {
                identity,
                spec,
                platform,
                observed,
                now,
            } = read::read(request, &head.metadata, now, check::plana_client_problems)?;
            let tenant = resolve::resolve(&identity, &spec, &platform, &read::living(&observed))?;
            let plan = plan::plan(&tenant, &observed, now);
            Ok(Explanation {
                phase: plan.phase.as_str(),
                ready: plan.ready,
                conditions: conditions(&plan.conditions),
                stages: stages::of_tenant(plan.course, &plan.done),
                recorded: stages::recorded(plan.course.turn, &plan.done),
                ttl_seconds: plan.ttl_seconds,
            })
        }
        Kind::TemplateSnapshot => {
            let Request {
                identity,
                spec,
                platform,
                observed,
                now: _,
            } = read::read(request, &head.metadata, now, check::template_snapshot_problems)?;
            let template = resolve::resolve_template(&identity, &spec, &platform)?;
            let plan = plan::plan_template(&template, &observed);
            Ok(Explanation {
                phase: plan.phase.as_str(),
                ready: plan.ready,
                conditions: conditions(&plan.conditions),
                stages: stages::OF_TEMPLATE.to_vec(),
                recorded: BTreeSet::from([Step::TemplateBuild.as_str()]),
                ttl_seconds: plan.ttl_seconds,
            })
        }
    }
}

fn conditions(all: &BTreeMap<ConditionType, ConditionState>) -> Vec<ExplainedCondition> {
    let explained = all.iter().map(|(r#type, state)| ExplainedCondition {
        r#type: r#type.as_str(),
        holds: state.holds(),
        is_essential: r#type.is_essential(),
        needs_somebody: match state {
            ConditionState::Holds(..) => false,
            ConditionState::Waits(waiting) => waiting.needs_somebody(),
        },
        reason: state.reason(),
        message: state.message(),
    });
    explained.collect()
}

/// The stage that makes a composed resource.
#[must_use]
pub fn stage_of<'a>(resource: &str, stages: &'a [Stage]) -> Option<&'a Stage> {
    let name = ResourceName::parse(resource)?;
    stages.iter().find(|stage| stage.makes(&name))
}
