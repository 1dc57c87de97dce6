//! Patience: looking until there is something to see.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::cluster::kubectl;

const LIMIT: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(500);

/// Looks until there is something to see, and says how long that took.
pub fn wait<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_at_most(LIMIT, what, look)
}

/// The same, where it may take longer.
pub fn wait_at_most<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            println!("{:6.1} s  {what}", started.elapsed().as_secs_f32());
            return seen;
        }
        assert!(
            started.elapsed() < limit,
            "waited {} s in vain: {what}",
            limit.as_secs()
        );
        thread::sleep(PAUSE);
    }
}

/// Waits until an object is gone.
pub fn wait_gone(kind: &str, name: &str) {
    wait(&format!("{kind} {name} is gone"), || {
        let seen = kubectl(&["get", kind, name]);
        seen.is_err_and(|problem| problem.contains("NotFound"))
            .then_some(())
    });
}
