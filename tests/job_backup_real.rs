//! Backups, with a real PostgreSQL and a real S3: made, listed, pruned, read back, and restored by plain tools.
//!
//! In: databases with tables like Odoo's, filestores, buckets. Out: objects that `zstd`, `pg_restore` and `tar` make the
//! same database and the same files of, row for row and file for file, whatever happens on the way.
#![expect(clippy::panic, reason = "a server that does not do its part ends the test")]

mod common;
#[path = "common/job.rs"]
#[expect(dead_code, reason = "no test program needs all of it")]
mod job;
#[path = "common/servers/mod.rs"]
#[expect(dead_code, reason = "no test program needs all of them")]
mod servers;

#[path = "job_backup/bad_input.rs"]
mod bad_input;
#[path = "job_backup/good_runs.rs"]
mod good_runs;
#[path = "job_backup/line.rs"]
mod line;
#[path = "job_backup/restore.rs"]
mod restore;
#[path = "job_backup/tenant.rs"]
mod tenant;
#[path = "job_backup/troubles.rs"]
mod troubles;
#[path = "job_backup/verify.rs"]
mod verify;
