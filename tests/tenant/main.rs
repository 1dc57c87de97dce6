//! The whole function, from request to response, without a cluster: one program, so that there is one to link.
//!
//! `golden` shows the moments of a tenant's life whole, `troubles` decides what a golden does not show, `bad_input` is
//! refused in words, and `properties` hold for whatever is observed. `cluster` does what Crossplane would.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

mod bad_input;
#[path = "../common/cluster.rs"]
mod cluster;
mod golden;
#[path = "../common/openapi.rs"]
mod openapi;
mod troubles;
