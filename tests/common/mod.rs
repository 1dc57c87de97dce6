//! What several test programs share: finding the real components that they run against.
//!
//! In: a component's name. Out: where it is. A missing one is said aloud and ends the test early on a laptop; with
//! `CI=true` it fails the test, so that CI never passes by testing less.

use std::{env, io, io::Write, path::PathBuf};

/// Where `dev/install-tools` has put a program; `None` tells the test to return.
pub fn tool(name: &str) -> Option<PathBuf> {
    let cache = env::var_os("FUNCTION_ODOO_CACHE").map_or_else(
        || {
            let caches = env::var_os("XDG_CACHE_HOME").map_or_else(
                || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache"),
                PathBuf::from,
            );
            caches.join("function-odoo")
        },
        PathBuf::from,
    );
    let path = cache.join("bin").join(name);
    real_component(name, path.is_file()).then_some(path)
}

/// Whether a test that needs this component may go on.
pub fn real_component(name: &str, present: bool) -> bool {
    may_go_on(&format!("{name}, dev/install-tools {name}"), present)
}

/// The same for what no tool installs, with what is missing and the way to it.
pub fn may_go_on(how: &str, present: bool) -> bool {
    if !present {
        assert!(
            env::var("CI").as_deref() != Ok("true"),
            "a real component is missing: {how}"
        );
        // Straight to the stream: what a passing test prints is swallowed, and dev/test counts these lines.
        writeln!(io::stderr(), "skipped: {how}").expect("standard error is open");
    }
    present
}
