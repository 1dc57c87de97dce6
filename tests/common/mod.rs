//! What several test programs share.

/// Whether a test may use a real component. Without it the test is skipped aloud on a laptop and fails in CI.
///
/// # Panics
/// When `CI=true` and the component is absent: a test that skips itself there guards nothing.
#[must_use]
pub fn real_component(name: &str, present: bool) -> bool {
    if !present {
        let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!in_ci, "{name} is not there, and CI must not skip its tests");
        println!("skipped: {name} is not there");
    }
    present
}
