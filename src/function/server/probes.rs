//! The HTTP side: `/metrics`, `/healthz` and `/readyz`.
//!
//! In: the metrics, and whether the server is stopping. Out: text. Prometheus gets `OpenMetrics` when it asks for it and the
//! classic format otherwise, as from Go. Kubernetes cannot show a client certificate, so its probes come here:
//! alive as long as the process answers, ready until it is told to stop.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};
use tracing::error;

use super::metrics::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
}

/// Serves until the task is aborted.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, stopping: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(show_readiness))
        .with_state(Shared { metrics, stopping });
    if let Err(error) = axum::serve(listener, router).await {
        error!(%error, "cannot go on serving metrics");
    }
}

async fn show_metrics(State(shared): State<Shared>, headers: HeaderMap) -> impl IntoResponse {
    let open = headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .as_bytes()
            .windows(b"openmetrics".len())
            .any(|part| part == b"openmetrics")
    });
    let text = shared.metrics.to_string();
    if open {
        ([(header::CONTENT_TYPE, OPEN_METRICS)], text)
    } else {
        ([(header::CONTENT_TYPE, CLASSIC)], classic(&text))
    }
}

async fn show_readiness(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    if *shared.stopping.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

/// The older format: counters and infos are described under the names that their samples have, infos are gauges, and
/// there is no end mark.
fn classic(open_metrics: &str) -> String {
    let mut types = std::collections::BTreeMap::new();
    for line in open_metrics.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            types.insert(name, kind);
        }
    }
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics
        .lines()
        .filter(|line| *line != "# EOF" && !line.starts_with("# UNIT "))
    {
        let mut words = line.splitn(4, ' ');
        let (Some("#"), Some(what), Some(name), Some(rest)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let suffix = match types.get(name) {
            Some(&"counter") => "_total",
            Some(&"info") => "_info",
            _ => "",
        };
        let rest = if (what, rest) == ("TYPE", "info") {
            "gauge"
        } else {
            rest
        };
        for part in ["# ", what, " ", name, suffix, " ", rest, "\n"] {
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_format_describes_the_names_that_samples_have() {
        let metrics = Metrics::new();
        metrics.method("a.Service", "Call").start();
        let text = classic(&metrics.to_string());
        for line in [
            "# TYPE grpc_server_started_total counter\n",
            "# HELP grpc_server_started_total Total number of RPCs started on the server.\n",
            "# TYPE function_odoo_build_info gauge\n",
            "# TYPE grpc_server_handling_seconds histogram\n",
            "# TYPE function_odoo_calls_in_flight gauge\n",
            "function_odoo_calls_in_flight 0\n",
            "function_odoo_results_total{severity=\"fatal\"} 0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(!text.contains("# EOF"));
    }
}
