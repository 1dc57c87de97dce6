//! The composition function: one call, from request to response.
//!
//! In: a [`RunFunctionRequest`] and the time. Out: a [`RunFunctionResponse`] and a [`Summary`] for logs and metrics.
//! Only this module and those below it know protobuf. A call that cannot go on is answered with one fatal result that
//! names every problem; it changes nothing in the cluster, whereas a smaller desired state would delete.

pub mod explain;
pub mod proto;
mod read;
pub mod server;
pub mod wire;
mod write;

use jiff::Timestamp;
use proto::v1::{RunFunctionRequest, RunFunctionResponse};

pub use self::read::NOW_CONTEXT_KEY;
use self::{
    read::{Kind, Request},
    write::{Answer, ResponseError},
};
use crate::{
    api::{
        check::{self, Problem},
        plana_client, template_snapshot,
    },
    compose,
    observed::object::Metadata,
    plan, status,
    tenant::resolve,
};

/// What a call was about, for the log line and the metrics: never a value of a spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The kind of the composite resource; empty when the request does not say.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The phase that the answer reports; `Refused` when it is fatal.
    pub phase: String,
}

/// The phase of a call that was refused.
const REFUSED: &str = "Refused";

/// Answers one call. Pure: the same request and time always give the same bytes.
#[must_use]
pub fn run(request: &RunFunctionRequest, now: Timestamp) -> (RunFunctionResponse, Summary) {
    let (head, answered) = match read::head(request) {
        Ok((kind, head)) => {
            let answered = answer(request, kind, &head.metadata, now);
            (head, answered)
        }
        Err(problems) => (read::head_for_log(request), Err(problems)),
    };
    let (response, phase) = answered.unwrap_or_else(|problems| {
        let conditions = read::conditions_for_refusal(request);
        (write::refuse(request, &problems, &conditions), REFUSED)
    });
    (
        response,
        Summary {
            kind: head.kind,
            name: head.metadata.name,
            phase: phase.to_owned(),
        },
    )
}

type Answered = Result<(RunFunctionResponse, &'static str), Vec<Problem>>;

fn answer(request: &RunFunctionRequest, kind: Kind, metadata: &Metadata, now: Timestamp) -> Answered {
    match kind {
        Kind::PlanaClient => answer_client(request, metadata, now),
        Kind::TemplateSnapshot => answer_snapshot(request, metadata, now),
    }
}

fn answer_client(request: &RunFunctionRequest, metadata: &Metadata, now: Timestamp) -> Answered {
    let Request {
        identity,
        spec,
        platform,
        observed,
        now,
    } = read::read(request, metadata, now, check::plana_client_problems)?;
    let tenant = resolve::resolve(&identity, &spec, &platform, &read::living(&observed))?;
    let plan = plan::plan(&tenant, &observed, now);
    let answer = Answer {
        kind: plana_client::KIND,
        status: &status::status(&tenant, &plan, &observed),
        ready: plan.ready,
        conditions: &plan.conditions,
        composed: &compose::compose(&tenant, &plan),
        events: status::events(&plan, &observed),
        questions: &plan.questions,
        ttl_seconds: plan.ttl_seconds,
    };
    let response = write::write(request, answer).map_err(unwritable)?;
    Ok((response, plan.phase.as_str()))
}

fn answer_snapshot(request: &RunFunctionRequest, metadata: &Metadata, now: Timestamp) -> Answered {
    let Request {
        identity,
        spec,
        platform,
        observed,
        now: _, // a template has no schedule
    } = read::read(request, metadata, now, check::template_snapshot_problems)?;
    let template = resolve::resolve_template(&identity, &spec, &platform)?;
    let plan = plan::plan_template(&template, &observed);
    let before = (observed.status.phase.as_deref(), &observed.conditions);
    let answer = Answer {
        kind: template_snapshot::KIND,
        status: &status::template_status(&template, &plan, &observed),
        ready: plan.ready,
        conditions: &plan.conditions,
        composed: &compose::compose_template(&template, &plan),
        events: status::changes("template", plan.phase, &plan.conditions, before),
        questions: &plan.questions,
        ttl_seconds: plan.ttl_seconds,
    };
    let response = write::write(request, answer).map_err(unwritable)?;
    Ok((response, plan.phase.as_str()))
}

fn unwritable(error: ResponseError) -> Vec<Problem> {
    vec![Problem::new(
        "desired",
        format!("{:#}", anyhow::Error::from(error)),
    )]
}
