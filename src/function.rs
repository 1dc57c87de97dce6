//! The composition function: one call, from request to response.
//!
//! In: a [`RunFunctionRequest`] and the time. Out: a [`RunFunctionResponse`] and a [`Summary`] for logs and metrics.
//! Only this module and those below it know protobuf.

pub mod proto;
pub mod server;
pub mod wire;

use jiff::Timestamp;
use proto::v1::{RunFunctionRequest, RunFunctionResponse};

/// What a call was about, for the log line and the metrics: never a value of a spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The kind of the composite resource; empty when the request does not say.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The phase that the answer reports.
    pub phase: String,
}

/// Answers one call. Pure: the same request and time always give the same bytes.
#[must_use]
pub fn run(request: &RunFunctionRequest, now: Timestamp) -> (RunFunctionResponse, Summary) {
    let _ = (request, now);
    (RunFunctionResponse::default(), Summary::default())
}
