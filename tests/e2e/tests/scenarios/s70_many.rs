//! Many tenants at once, and what they cost once they are settled.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use super::{
    calls::calls,
    cluster::{items, text},
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::wait_at_most,
};

/// Names how many tenants come at once, where it is not [`TENANTS`].
const COUNT: &str = "E2E_TENANTS";
const TENANTS: u32 = 10;
const LIMIT: Duration = Duration::from_secs(1500);
const QUIET: Duration = Duration::from_secs(60);
/// Crossplane asks each minute, and once more for whatever it still had in line.
const QUIET_CALLS_PER_TENANT: u64 = 2;

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s70_slow_many_tenants_come_at_once_and_settle() {
    let count = env::var(COUNT)
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(TENANTS);
    let tenants: Vec<_> = (0..count)
        .map(|number| Tenant::new(&format!("many-{number:02}"), 500 + number))
        .collect();
    let cast: Vec<_> = tenants.iter().collect();
    play(&format!("many: {count} tenants at once"), &cast, || {
        Template::new("basic").ensure();
        let (started, before) = (Instant::now(), calls());
        for tenant in &tenants {
            tenant.apply();
        }
        println!("          applied after {:.1} s", started.elapsed().as_secs_f32());
        wait_at_most(LIMIT, "all are told of", || all_are_settled(count).then_some(()));
        let each = (calls() - before) / u64::from(count);
        println!("          {each} calls of the function for each tenant");
        // What the last changes brought is still on its way.
        thread::sleep(Duration::from_secs(15));
        let before = calls();
        thread::sleep(QUIET);
        let quiet = calls() - before;
        println!("          {quiet} calls in a quiet minute for {count} tenants");
        assert!(
            quiet <= QUIET_CALLS_PER_TENANT * u64::from(count) + 10,
            "a hot loop: {quiet} calls"
        );
    });
}

fn all_are_settled(count: u32) -> bool {
    let settled = items(&["planaclients"])
        .iter()
        .filter(|tenant| text(tenant, "/metadata/name").starts_with("many-"))
        .filter(|tenant| {
            let done = tenant.pointer("/status/done").and_then(|done| done.as_object());
            text(tenant, "/status/phase") == "Running" && done.is_some_and(|done| done.len() >= 6)
        })
        .count();
    settled == usize::try_from(count).unwrap_or(usize::MAX)
}
