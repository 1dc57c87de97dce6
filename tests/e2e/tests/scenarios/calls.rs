//! How often the function was called, as its metrics say.

use super::cluster::{FUNCTION_PODS, SYSTEM, items, kubectl, text};

const METRIC: &str = "function_odoo_request_bytes_count";
const PORT: u16 = 8080;

/// Calls of all replicas that live; those of a replica that is gone went with it.
pub fn calls() -> u64 {
    items(&["pods", "--namespace", SYSTEM, "--selector", FUNCTION_PODS])
        .iter()
        .filter_map(|pod| of_pod(text(pod, "/metadata/name")))
        .sum()
}

fn of_pod(name: &str) -> Option<u64> {
    let path = format!("/api/v1/namespaces/{SYSTEM}/pods/{name}:{PORT}/proxy/metrics");
    Some(parse(&kubectl(&["get", "--raw", &path]).ok()?))
}

/// One line a kind of composite resource: `METRIC{kind="PLANAClient"} 12`.
fn parse(metrics: &str) -> u64 {
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix(METRIC)?.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[test]
fn the_calls_of_all_kinds_are_summed() {
    let metrics = "# HELP function_odoo_request_bytes Size.\n\
        function_odoo_request_bytes_count{kind=\"PLANAClient\"} 12\n\
        function_odoo_request_bytes_count{kind=\"TemplateSnapshot\"} 3\n\
        function_odoo_request_bytes_sum{kind=\"PLANAClient\"} 99\n";
    assert_eq!(parse(metrics), 15);
}
