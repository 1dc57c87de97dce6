//! What Prometheus reads.
//!
//! In: events of calls, results and certificates. Out: the text of all series ([`Metrics`] is `Display`).
//!
//! The `grpc_server_*` series have the names, labels and help of the official Go SDK, so that dashboards hold for
//! functions in any language. Every label has a fixed set of values: nothing a client sends becomes one.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};
use tonic::Code;

use crate::{
    api::{plana_client, template_snapshot},
    function::proto::v1::Severity,
};

/// The composite kinds of this function; any other is counted as [`OTHER_KIND`], so that no caller can make series.
const KINDS: [&str; 2] = [plana_client::KIND, template_snapshot::KIND];
const OTHER_KIND: &str = "other";

/// The Go SDK's buckets, in seconds.
const HANDLING_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A usual call takes a tenth of a millisecond, the largest allowed tens of milliseconds; in seconds.
const DURATION_BUCKETS: [f64; 10] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0,
];

/// From a bare request to the largest: 4 KiB to 16 MiB, four to the next; 4 MiB is what Crossplane itself reads.
const SIZE_BUCKETS: [f64; 7] = [
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
];

/// The names that Go gives the codes, by number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// All series.
pub struct Metrics {
    registry: Registry,
    started: Family<Labels<3>, Counter>,
    handled: Family<Labels<4>, Counter>,
    received: Family<Labels<3>, Counter>,
    sent: Family<Labels<3>, Counter>,
    handling: Family<Labels<3>, Histogram, fn() -> Histogram>,
    duration: Histograms,
    request_bytes: Histograms,
    response_bytes: Histograms,
    results: Family<Labels<1>, Counter>,
    in_flight: Gauge,
    waiting: Gauge,
    reloads: Family<Labels<1>, Counter>,
    expiry: Gauge,
}

/// The series of one unary method.
#[derive(Clone)]
pub struct Method {
    started: Counter,
    received: Counter,
    sent: Counter,
    handling: Histogram,
    handled: [Counter; CODES.len()],
}

/// What one answered call adds.
pub struct Answered<'a> {
    /// The composite's kind, as the request has it.
    pub kind: &'a str,
    /// The time in `function::run`.
    pub duration: Duration,
    /// The size of the request.
    pub request_bytes: usize,
    /// The size of the response.
    pub response_bytes: usize,
}

impl Metrics {
    /// All series at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            started: Family::default(),
            handled: Family::default(),
            received: Family::default(),
            sent: Family::default(),
            handling: Family::new_with_constructor(|| Histogram::new(HANDLING_BUCKETS)),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            request_bytes: Family::new_with_constructor(|| Histogram::new(SIZE_BUCKETS)),
            response_bytes: Family::new_with_constructor(|| Histogram::new(SIZE_BUCKETS)),
            results: Family::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            reloads: Family::default(),
            expiry: Gauge::default(),
        };
        metrics.register_grpc();
        metrics.register_ours();
        metrics.show_at_zero();
        metrics
    }

    /// The names and helps end without `_total` and full stop here; the encoder adds both.
    fn register_grpc(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "grpc_server_started",
            "Total number of RPCs started on the server",
            self.started.clone(),
        );
        registry.register(
            "grpc_server_handled",
            "Total number of RPCs completed on the server, regardless of success or failure",
            self.handled.clone(),
        );
        registry.register(
            "grpc_server_msg_received",
            "Total number of RPC stream messages received on the server",
            self.received.clone(),
        );
        registry.register(
            "grpc_server_msg_sent",
            "Total number of gRPC stream messages sent by the server",
            self.sent.clone(),
        );
        registry.register(
            "grpc_server_handling_seconds",
            "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server",
            self.handling.clone(),
        );
    }

    fn register_ours(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("function_odoo_build", "The running program", build);
        registry.register(
            "function_odoo_call_duration_seconds",
            "Time from the decoded request to the response, by kind of the composite resource",
            self.duration.clone(),
        );
        registry.register(
            "function_odoo_request_bytes",
            "Size of requests",
            self.request_bytes.clone(),
        );
        registry.register(
            "function_odoo_response_bytes",
            "Size of responses",
            self.response_bytes.clone(),
        );
        registry.register(
            "function_odoo_results",
            "Results in responses, by severity",
            self.results.clone(),
        );
        registry.register(
            "function_odoo_calls_in_flight",
            "Calls being worked on",
            self.in_flight.clone(),
        );
        registry.register(
            "function_odoo_calls_waiting",
            "Calls waiting in line",
            self.waiting.clone(),
        );
        registry.register(
            "function_odoo_certificate_reloads",
            "Changed certificate files, by what became of them",
            self.reloads.clone(),
        );
        registry.register(
            "function_odoo_certificate_expiry_timestamp_seconds",
            "When the served certificate ends; 0 without one",
            self.expiry.clone(),
        );
    }

    /// Shows these at zero before they first happen, so that an alert on their increase sees the first one.
    fn show_at_zero(&self) {
        for severity in ["fatal", "warning", "normal", "unspecified"] {
            self.results.get_or_create_owned(&[("severity", severity)]);
        }
        for outcome in ["loaded", "refused"] {
            self.reloads.get_or_create_owned(&[("outcome", outcome)]);
        }
    }

    /// The series of a unary method, from now on shown at zero.
    #[must_use]
    pub fn method(&self, service: &'static str, method: &'static str) -> Method {
        let [kind, service, method] = [
            ("grpc_type", "unary"),
            ("grpc_service", service),
            ("grpc_method", method),
        ];
        let labels = [kind, service, method];
        Method {
            started: self.started.get_or_create_owned(&labels),
            received: self.received.get_or_create_owned(&labels),
            sent: self.sent.get_or_create_owned(&labels),
            handling: self.handling.get_or_create_owned(&labels),
            handled: CODES.map(|code| {
                self.handled
                    .get_or_create_owned(&[kind, service, method, ("grpc_code", code)])
            }),
        }
    }

    /// Calls being worked on.
    #[must_use]
    pub fn in_flight(&self) -> Gauge {
        self.in_flight.clone()
    }

    /// Calls waiting in line.
    #[must_use]
    pub fn waiting(&self) -> Gauge {
        self.waiting.clone()
    }

    /// Counts a call that the function answered.
    pub fn answered(&self, call: &Answered<'_>) {
        let kind = [("kind", known_kind(call.kind))];
        self.duration
            .get_or_create(&kind)
            .observe(call.duration.as_secs_f64());
        self.request_bytes
            .get_or_create(&kind)
            .observe(approximate(call.request_bytes));
        self.response_bytes
            .get_or_create(&kind)
            .observe(approximate(call.response_bytes));
    }

    /// Counts one result of a response.
    pub fn result(&self, severity: Severity) {
        let severity = match severity {
            Severity::Fatal => "fatal",
            Severity::Warning => "warning",
            Severity::Normal => "normal",
            Severity::Unspecified => "unspecified",
        };
        self.results.get_or_create(&[("severity", severity)]).inc();
    }

    /// Counts changed certificate files: taken, or refused because they could not be served.
    pub fn certificates_reloaded(&self, taken: bool) {
        let outcome = if taken { "loaded" } else { "refused" };
        self.reloads.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Remembers when the served certificate ends.
    pub fn certificate_expires(&self, end: Option<Timestamp>) {
        self.expiry.set(end.map_or(0, Timestamp::as_second));
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::encode(formatter, &self.registry)
    }
}

impl Method {
    /// A call came in.
    pub fn start(&self) {
        self.started.inc();
        self.received.inc();
    }

    /// A call ended with `code`.
    pub fn end(&self, code: Code, duration: Duration) {
        self.handling.observe(duration.as_secs_f64());
        if code == Code::Ok {
            self.sent.inc();
        }
        if let Some(handled) = usize::try_from(i32::from(code))
            .ok()
            .and_then(|code| self.handled.get(code))
        {
            handled.inc();
        }
    }
}

fn known_kind(kind: &str) -> &'static str {
    KINDS
        .into_iter()
        .find(|known| *known == kind)
        .unwrap_or(OTHER_KIND)
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn approximate(bytes: usize) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_not_ours_is_counted_without_becoming_a_label() {
        let metrics = Metrics::new();
        for kind in ["PLANAClient", "Made-up", "", "planaclient"] {
            metrics.answered(&Answered {
                kind,
                duration: Duration::ZERO,
                request_bytes: 1,
                response_bytes: 2,
            });
        }
        let text = metrics.to_string();
        assert!(
            text.contains("function_odoo_request_bytes_count{kind=\"other\"} 3\n"),
            "{text}"
        );
        assert!(
            text.contains("function_odoo_request_bytes_count{kind=\"PLANAClient\"} 1\n"),
            "{text}"
        );
        assert!(!text.contains("Made-up"), "{text}");
    }

    #[test]
    fn a_call_that_fails_is_handled_but_sends_nothing() {
        let metrics = Metrics::new();
        let method = metrics.method("a.Service", "Call");
        method.start();
        method.end(Code::OutOfRange, Duration::ZERO);
        let text = metrics.to_string();
        let labels = "grpc_type=\"unary\",grpc_service=\"a.Service\",grpc_method=\"Call\"";
        for line in [
            format!("grpc_server_handled_total{{{labels},grpc_code=\"OutOfRange\"}} 1\n"),
            format!("grpc_server_handled_total{{{labels},grpc_code=\"OK\"}} 0\n"),
            format!("grpc_server_started_total{{{labels}}} 1\n"),
            format!("grpc_server_msg_received_total{{{labels}}} 1\n"),
            format!("grpc_server_msg_sent_total{{{labels}}} 0\n"),
        ] {
            assert!(text.contains(&line), "{line}{text}");
        }
    }

    #[test]
    fn every_code_has_go_s_name_at_its_number() {
        for (number, name) in CODES.into_iter().enumerate() {
            let code = Code::from(i32::try_from(number).unwrap());
            // tonic spells one of them differently.
            let debug = format!("{code:?}")
                .replace("Cancelled", "Canceled")
                .replace("Ok", "OK");
            assert_eq!(debug, name);
        }
    }
}
