//! A scenario from beginning to end: the cluster is up, the cast is not on stage yet, something happens, and a line of
//! the table says how it went.

use std::{
    env,
    fs::File,
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Instant,
};

use super::{
    calls::calls,
    cluster::{FUNCTION_PODS, SYSTEM, kubectl, run},
    tenant::Tenant,
};

/// Names the file that gets a line for each scenario.
const TABLE: &str = "E2E_TABLE";

/// Plays a scenario with tenants that do not exist yet; says everything about them when it fails.
pub fn play(name: &str, cast: &[&Tenant], scenario: impl FnOnce()) {
    let status = run("status", &[], "");
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stdout)
    );
    for tenant in cast {
        tenant.remove();
    }
    println!("\n=== {name}");
    let (started, before) = (Instant::now(), calls());
    let outcome = catch_unwind(AssertUnwindSafe(scenario));
    let (seconds, calls) = (started.elapsed().as_secs_f32(), calls().checked_sub(before));
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    // Replicas that were killed took their count along.
    let calls = calls.map_or_else(|| "?".to_owned(), |calls| calls.to_string());
    write_line(&format!("{name:52} {word:6} {seconds:7.1} s {calls:>6} calls"));
    if let Err(problem) = outcome {
        for tenant in cast {
            tenant.explain();
        }
        explain_cluster();
        resume_unwind(problem);
    }
    for tenant in cast {
        tenant.pause();
    }
}

fn write_line(line: &str) {
    println!("{line}");
    if let Some(path) = env::var_os(TABLE) {
        let mut table = File::options()
            .create(true)
            .append(true)
            .open(path)
            .expect("the file of the table can be written");
        writeln!(table, "{line}").expect("the file of the table can be written");
    }
}

/// What a person would look at first.
fn explain_cluster() {
    let system = "--namespace=crossplane-system";
    debug_assert!(system.ends_with(SYSTEM), "one namespace");
    for arguments in [
        &["get", "jobs,pods", "--all-namespaces", "--output=wide"][..],
        &["get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"],
        &["logs", system, "--tail=50", "--selector", "app=crossplane"],
        &["logs", system, "--tail=50", "--selector", FUNCTION_PODS],
    ] {
        show(arguments);
    }
}

/// Prints what a command of kubectl prints.
pub fn show(arguments: &[&str]) {
    println!("\n--- kubectl {}", arguments.join(" "));
    println!("{}", kubectl(arguments).unwrap_or_else(|problem| problem));
}
