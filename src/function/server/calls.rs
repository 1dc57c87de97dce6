//! What happens around every call, whatever it asks for.
//!
//! In: a request whose body is not yet read. Out: the inner service's answer. In between: the call is counted, waits in line
//! until fewer than `--max-in-flight` are being worked on, and ends at the deadline that its client gave
//! (`grpc-timeout`), also while it waits. Waiting is better than refusing: Crossplane would answer a refusal with
//! its back-off of seconds, while a place in line takes milliseconds to come.
//!
//! The body is read only with a place in line, so the memory for requests is bounded.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    sync::Semaphore,
    time::{Instant as Deadline, sleep_until},
};
use tonic::{
    Code, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::NamedService,
};
use tracing::warn;

use super::metrics::{Method, Metrics};

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// The line in which calls wait.
#[derive(Clone)]
pub struct Line {
    places: Arc<Semaphore>,
    in_flight: Gauge,
    waiting: Gauge,
}

/// A gRPC service whose unary method is counted and, with a line, waits for its turn.
#[derive(Clone)]
pub struct Calls<S> {
    inner: S,
    path: Arc<str>,
    method: Method,
    line: Option<Line>,
}

/// Counts a call exactly once, also when its client goes away and the future is dropped.
struct Count {
    path: Arc<str>,
    method: Method,
    start: Instant,
    deadline: Option<Deadline>,
    ended: bool,
}

/// Raises a gauge while it lives.
struct Raised(Gauge);

impl Line {
    /// At most `places` calls are worked on at once.
    pub fn new(places: u32, metrics: &Metrics) -> Self {
        let places = usize::try_from(places)
            .unwrap_or(Semaphore::MAX_PERMITS)
            .min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            in_flight: metrics.in_flight(),
            waiting: metrics.waiting(),
        }
    }
}

impl<S: NamedService> Calls<S> {
    /// Calls of `method` wait in `line`.
    pub fn in_line(inner: S, method: &'static str, metrics: &Metrics, line: Line) -> Self {
        Self::new(inner, method, metrics, Some(line))
    }

    /// Calls of `method` are answered at once: health has to answer when everything else waits.
    pub fn at_once(inner: S, method: &'static str, metrics: &Metrics) -> Self {
        Self::new(inner, method, metrics, None)
    }

    fn new(inner: S, method: &'static str, metrics: &Metrics, line: Option<Line>) -> Self {
        Self {
            inner,
            path: format!("/{}/{method}", S::NAME).into(),
            method: metrics.method(S::NAME, method),
            line,
        }
    }
}

impl<S: NamedService> NamedService for Calls<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request> for Calls<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if *request.uri().path() != *self.path {
            return Box::pin(self.inner.call(request));
        }
        let line = self.line.clone();
        let deadline = timeout(request.headers()).and_then(|timeout| Deadline::now().checked_add(timeout));
        let mut count = Count::start(Arc::clone(&self.path), self.method.clone(), deadline);
        // The generated services are always ready, so the clone may be called in place of the one that was asked.
        let mut inner = self.inner.clone();
        Box::pin(async move {
            let answer = async {
                let _place = match &line {
                    Some(line) => Some(line.wait().await),
                    None => None,
                };
                inner.call(request).await
            };
            let response = tokio::select! {
                biased;
                response = answer => response?,
                () = passed(deadline) => Status::deadline_exceeded("cannot answer before the client's deadline").into_http(),
            };
            count.end(&response);
            Ok(response)
        })
    }
}

impl Line {
    /// Waits for a place; it is given back when what this returns is dropped.
    async fn wait(&self) -> (Option<tokio::sync::SemaphorePermit<'_>>, Raised) {
        let waiting = Raised::new(&self.waiting);
        // Fails only when the semaphore is closed, which nobody does.
        let place = self.places.acquire().await.ok();
        drop(waiting);
        (place, Raised::new(&self.in_flight))
    }
}

impl Count {
    fn start(path: Arc<str>, method: Method, deadline: Option<Deadline>) -> Self {
        method.start();
        Self {
            path,
            method,
            start: Instant::now(),
            deadline,
            ended: false,
        }
    }

    fn end(&mut self, response: &Response) {
        // A service that succeeds puts its status behind the body, one that fails into the headers.
        let status = Status::from_header_map(response.headers());
        let code = status.as_ref().map_or(Code::Ok, Status::code);
        self.ended = true;
        self.method.end(code, self.start.elapsed());
        if let Some(status) = status.filter(|status| status.code() != Code::Ok) {
            let microseconds = microseconds(self.start.elapsed());
            warn!(path = &*self.path, code = ?status.code(), error = status.message(), microseconds, "call refused");
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if !self.ended {
            let late = self.deadline.is_some_and(|deadline| Deadline::now() >= deadline);
            let code = if late {
                Code::DeadlineExceeded
            } else {
                Code::Cancelled
            };
            self.method.end(code, self.start.elapsed());
            warn!(
                path = &*self.path,
                ?code,
                microseconds = microseconds(self.start.elapsed()),
                "call abandoned by its client"
            );
        }
    }
}

impl Raised {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// For logs.
pub fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

async fn passed(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The time that the client gives: up to eight digits and a unit; anything else counts as none, as in other servers.
fn timeout(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout_of(text: &'static str) -> Option<Duration> {
        let mut headers = http::HeaderMap::new();
        headers.insert("grpc-timeout", http::HeaderValue::from_static(text));
        timeout(&headers)
    }

    #[test]
    fn every_unit_of_a_timeout_is_read() {
        assert_eq!(timeout_of("2H"), Some(Duration::from_secs(2 * 3600)));
        assert_eq!(timeout_of("3M"), Some(Duration::from_secs(3 * 60)));
        assert_eq!(timeout_of("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(timeout_of("4m"), Some(Duration::from_millis(4)));
        assert_eq!(timeout_of("5u"), Some(Duration::from_micros(5)));
        assert_eq!(timeout_of("0n"), Some(Duration::ZERO));
    }

    #[test]
    fn a_timeout_that_is_none_is_ignored() {
        for text in ["", "S", "5", "123456789S", "-1S", "+1S", "1 S", "1x", "1.5S"] {
            assert_eq!(timeout_of(text), None, "{text}");
        }
    }

    /// A service that never answers, or answers at once.
    #[derive(Clone)]
    struct Fake {
        answers: bool,
    }

    impl NamedService for Fake {
        const NAME: &'static str = "a.Fake";
    }

    impl Service<Request> for Fake {
        type Response = Response;
        type Error = Infallible;
        type Future = BoxFuture<Response, Infallible>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request) -> Self::Future {
            let answers = self.answers;
            Box::pin(async move {
                if answers {
                    Ok(Response::new(Body::empty()))
                } else {
                    std::future::pending().await
                }
            })
        }
    }

    fn request(timeout: Option<&str>) -> Request {
        let mut request = http::Request::builder().uri("http://odoo/a.Fake/Call");
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", timeout);
        }
        request.body(Body::empty()).unwrap()
    }

    fn shows(metrics: &Metrics, line: &str) -> bool {
        metrics.to_string().lines().any(|shown| shown == line)
    }

    #[tokio::test]
    async fn a_call_in_line_ends_at_its_own_deadline_and_gives_its_place_back() {
        let metrics = Metrics::new();
        let line = Line::new(1, &metrics);
        let mut slow = Calls::in_line(Fake { answers: false }, "Call", &metrics, line.clone());
        let mut fast = Calls::in_line(Fake { answers: true }, "Call", &metrics, line);
        let first = tokio::spawn(slow.call(request(None)));
        tokio::task::yield_now().await;
        assert!(shows(&metrics, "function_odoo_calls_in_flight 1"));

        let late = fast.call(request(Some("50m"))).await.unwrap();
        assert_eq!(
            Status::from_header_map(late.headers()).unwrap().code(),
            Code::DeadlineExceeded
        );
        assert!(shows(&metrics, "function_odoo_calls_waiting 0"));

        let patient = tokio::spawn(fast.call(request(Some("1H"))));
        tokio::task::yield_now().await;
        assert!(shows(&metrics, "function_odoo_calls_waiting 1"));
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let answer = patient.await.unwrap().unwrap();
        assert!(Status::from_header_map(answer.headers()).is_none());

        let labels = "grpc_type=\"unary\",grpc_service=\"a.Fake\",grpc_method=\"Call\"";
        for (code, count) in [("OK", 1), ("DeadlineExceeded", 1), ("Canceled", 1)] {
            assert!(shows(
                &metrics,
                &format!("grpc_server_handled_total{{{labels},grpc_code=\"{code}\"}} {count}")
            ));
        }
        assert!(shows(&metrics, "function_odoo_calls_in_flight 0"));
    }

    #[tokio::test]
    async fn another_path_is_passed_on_uncounted() {
        let metrics = Metrics::new();
        let mut calls = Calls::in_line(Fake { answers: true }, "Other", &metrics, Line::new(1, &metrics));
        calls.call(request(None)).await.unwrap();
        assert!(!metrics.to_string().contains("grpc_method=\"Call\""));
        let started =
            "grpc_server_started_total{grpc_type=\"unary\",grpc_service=\"a.Fake\",grpc_method=\"Other\"} 0";
        assert!(shows(&metrics, started));
    }
}
