//! placeholder until the schema branch lands
/// One thing that is wrong with an input, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Field path.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}
/// x
#[must_use]
pub fn plana_client_problems(_spec: &serde_json::Value) -> Vec<Problem> {
    Vec::new()
}
/// x
#[must_use]
pub fn platform_problems(_spec: &serde_json::Value) -> Vec<Problem> {
    Vec::new()
}
