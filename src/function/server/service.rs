//! The gRPC services: both versions of the protocol, one handler.
//!
//! In: a decoded request. Out: the answer of [`crate::function::run`], one log line, and the call's metrics. The log line
//! names the composite resource; nothing from any spec, status, secret or result reaches it.

use std::{borrow::Cow, sync::Arc, time::Instant};

use jiff::Timestamp;
use prost::Message as _;
use tonic::{Request, Response, Status, async_trait};
use tracing::{debug, info};

use super::{
    calls::microseconds,
    metrics::{Answered, Metrics},
};
use crate::function::{
    self, Summary,
    proto::{
        v1::{
            RunFunctionRequest, RunFunctionResponse, Severity,
            function_runner_service_server::FunctionRunnerService as V1,
        },
        v1beta1::function_runner_service_server::FunctionRunnerService as V1Beta1,
    },
};

/// Crossplane's client reads at most this (the default of gRPC in Go), and no flag of it changes that.
const RESPONSE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// The longest text that a client can bring into a log line, in bytes: the longest name Kubernetes allows.
const LOGGED_BYTES: usize = 253;

/// The function as a service.
#[derive(Clone)]
pub struct Function {
    metrics: Arc<Metrics>,
}

impl Function {
    /// Counts into `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }

    fn answer(&self, request: &RunFunctionRequest) -> Result<Response<RunFunctionResponse>, Status> {
        let start = Instant::now();
        let (response, summary) = function::run(request, Timestamp::now());
        let duration = start.elapsed();
        let answered = Answered {
            kind: &summary.kind,
            duration,
            request_bytes: request.encoded_len(),
            response_bytes: response.encoded_len(),
        };
        self.metrics.answered(&answered);
        for result in &response.results {
            self.metrics.result(result.severity());
        }
        log(request, &response, &summary, &answered);
        if answered.response_bytes > RESPONSE_LIMIT_BYTES {
            return Err(Status::resource_exhausted(format!(
                "cannot answer with {} bytes: Crossplane reads at most {RESPONSE_LIMIT_BYTES}",
                answered.response_bytes
            )));
        }
        Ok(Response::new(response))
    }
}

#[async_trait]
impl V1 for Function {
    async fn run_function(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        self.answer(request.get_ref())
    }
}

#[async_trait]
impl V1Beta1 for Function {
    async fn run_function(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        self.answer(request.get_ref())
    }
}

fn log(
    request: &RunFunctionRequest,
    response: &RunFunctionResponse,
    summary: &Summary,
    answered: &Answered<'_>,
) {
    let tag = request.meta.as_ref().map_or("", |meta| &meta.tag);
    let fatal = response
        .results
        .iter()
        .any(|result| result.severity() == Severity::Fatal);
    info!(
        kind = &*shortened(&summary.kind),
        name = &*shortened(&summary.name),
        tag = &*shortened(tag),
        phase = &*shortened(&summary.phase),
        fatal,
        microseconds = microseconds(answered.duration),
        request_bytes = answered.request_bytes,
        response_bytes = answered.response_bytes,
        "call"
    );
    debug!(
        tag = &*shortened(tag),
        observed = request
            .observed
            .as_ref()
            .map_or(0, |observed| observed.resources.len()),
        required = request.required_resources.len(),
        credentials = request.credentials.len(),
        results = response.results.len(),
        conditions = response.conditions.len(),
        requirements = response
            .requirements
            .as_ref()
            .map_or(0, |wanted| wanted.resources.len() + wanted.schemas.len()),
        "call in numbers"
    );
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LOGGED_BYTES {
        return Cow::Borrowed(text);
    }
    let end = (0..=LOGGED_BYTES)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    Cow::Owned(format!("{}...", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(shortened("acme"), "acme");
        let long = format!("a{}", "ю".repeat(200));
        let cut = shortened(&long);
        assert!(cut.len() <= LOGGED_BYTES + "...".len());
        assert!(cut.ends_with("ю..."), "{cut}");
    }
}
