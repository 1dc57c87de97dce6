//! The composition function: one call, from request to response.
//!
//! In: a [`RunFunctionRequest`] and the time. Out: a [`RunFunctionResponse`] and a [`Summary`] for logs and metrics.
//! Only this module and those below it know protobuf. A call that cannot go on is answered with one fatal result that
//! names every problem; it changes nothing in the cluster, whereas a smaller desired state would delete.

pub mod proto;
mod read;
pub mod server;
pub mod wire;
mod write;

use jiff::Timestamp;
use proto::v1::{RunFunctionRequest, RunFunctionResponse};

pub use self::read::NOW_CONTEXT_KEY;
use self::read::Request;
use crate::{api::check::Problem, compose, plan, status, tenant::resolve};

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
    let head = read::head_for_log(request);
    let (response, phase) = answer(request, now).unwrap_or_else(|problems| {
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

fn answer(
    request: &RunFunctionRequest,
    now: Timestamp,
) -> Result<(RunFunctionResponse, &'static str), Vec<Problem>> {
    let Request {
        identity,
        spec,
        platform,
        observed,
        living,
        now,
    } = read::read(request, now)?;
    let tenant = resolve::resolve(&identity, &spec, &platform, &living)?;
    let plan = plan::plan(&tenant, &observed, now);
    let composed = compose::compose(&tenant, &plan);
    let status = status::status(&tenant, &plan, &observed);
    let events = status::events(&plan, &observed);
    let response = write::write(request, &plan, &composed, &status, events).map_err(|error| {
        vec![Problem::new(
            "desired",
            format!("{:#}", anyhow::Error::from(error)),
        )]
    })?;
    Ok((response, plan.phase.as_str()))
}
