//! The whole function, from request to response, without a cluster: one program, so that there is one to link.
//!
//! `golden` shows the moments of a tenant's life whole, `troubles` decides what a golden does not show, `bad_input` is
//! refused in words, `properties` hold for whatever is observed, `plans` and `commands` for the core alone;
//! `endings` is what comes after day one, `templates` has all of this for templates. `cluster` is one tenant's cluster as far as a moment needs it; whole lives,
//! with everything that goes wrong, are in `tests/simulate`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "../common/any.rs"]
mod any;
mod bad_input;
#[path = "../common/cluster.rs"]
mod cluster;
mod commands;
#[path = "../common/dice.rs"]
mod dice;
mod endings;
#[path = "../common/full.rs"]
mod full;
mod golden;
#[path = "../common/openapi.rs"]
mod openapi;
mod plans;
mod properties;
mod templates;
mod troubles;
