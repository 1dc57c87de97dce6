//! What tenants go through in the cluster of `dev/up`, from `kubectl apply` to what a person would look at.
//!
//! In: a cluster that is up. Out: what kubectl, psql, curl, the bucket, the stream and the doubles' log show; a line of
//! the table that `dev/scenarios` prints; on failure, everything that explains it. Ignored by default, since they need
//! that cluster. One runs at a time: they count the function's calls, and some of them kill what all of them need.
//!
//! Tests run by name, so the number in a name is its place: what all others need comes first, what ends something that
//! is not made again comes last. `slow` are those that CI has no time for.

mod access;
mod calls;
mod cluster;
mod manifests;
mod stage;
mod templates;
mod tenant;
mod wait;

mod s10_provision;
mod s15_services;
mod s20_template;
mod s30_failing_job;
mod s40_obstacles;
mod s50_kills;
mod s60_goodbye;
mod s70_many;
mod s80_upgrade;
mod s90_configuration;
