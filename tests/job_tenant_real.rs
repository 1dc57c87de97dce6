//! The commands that make, hide, show and release a tenant's database and files, against real servers.
//!
//! What is true of every one of them: a second run changes nothing, one that was killed is continued, what is another's is
//! refused and not touched, and no secret is said. Each test has databases, a data directory and a bucket of its own.

mod common;
#[path = "common/job.rs"]
#[expect(dead_code, reason = "other programs use the rest")]
mod job;
#[path = "common/servers/mod.rs"]
#[expect(dead_code, reason = "tests/servers_real.rs uses the rest")]
mod servers;

#[path = "job_tenant/world.rs"]
mod world;

#[path = "job_tenant/access.rs"]
mod access;
#[path = "job_tenant/init.rs"]
mod init;
#[path = "job_tenant/refusals.rs"]
mod refusals;
#[path = "job_tenant/removal.rs"]
mod removal;
#[path = "job_tenant/smoke.rs"]
mod smoke;
