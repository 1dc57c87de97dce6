//! What tenants go through in the cluster of `dev/up`, from `kubectl apply` to what a person would look at.
//!
//! In: a cluster that is up. Out: what psql and kubectl see of a tenant; on failure, everything that explains it.
//! Ignored by default, since they need that cluster: `cargo test -p function-odoo-e2e -- --ignored`. Each scenario has
//! a tenant of its own, so they may run at once.

mod cluster;
mod served;
mod starter;
mod template;
