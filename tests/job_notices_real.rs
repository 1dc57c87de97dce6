//! The commands that tell other systems of a tenant, run as pods run them: against HTTP and Matrix doubles that write down
//! and check what they get, and a real Redis.
//!
//! What was told is proven from what the other side has, never from what odoo-job says.

mod common;
#[path = "common/http_double.rs"]
mod http_double;
#[path = "common/job.rs"]
#[expect(dead_code, reason = "not every program uses all of it")]
mod job;
#[path = "common/matrix_double.rs"]
mod matrix_double;
#[path = "common/servers/mod.rs"]
#[expect(dead_code, reason = "Redis is the only one here")]
mod servers;

#[path = "job_notices_real/event.rs"]
mod event;
#[path = "job_notices_real/line.rs"]
mod line;
#[path = "job_notices_real/notify.rs"]
mod notify;
#[path = "job_notices_real/room.rs"]
mod room;

use function_odoo::contract::{Command, ExitCode, TenantFacts};
use job::{Finished, Job};

/// A tenant whose names have what breaks quoting.
fn tenant() -> TenantFacts {
    TenantFacts {
        subdomain: "acme".to_owned(),
        project_id: 42,
        tier: "pro".to_owned(),
        odoo_version: 18,
        owner_email: "o'hara+\"x\"@example.com".to_owned(),
        owner_name: "Mr. \"Ö\" O'Hara; 100 % \\ 🦀 $(id)\r\nX-Evil: 1".to_owned(),
        tenant_url: "https://acme.example.com".to_owned(),
    }
}

/// A run with short pauses, and time enough for a busy machine.
fn quick(command: &Command) -> Job {
    Job::new(command)
        .variable("ODOO_JOB_RETRY_PAUSE_MILLISECONDS", "15")
        .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "5000")
}

/// That a run ended so, and that it said none of these.
fn ended(finished: &Finished, code: ExitCode, reason: &str, secrets: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}\n{}", finished.stdout, finished.log);
    assert_eq!(finished.reason(), reason, "{}", finished.log);
    silent(finished, secrets);
}

/// That a run said none of these.
fn silent(finished: &Finished, secrets: &[&str]) {
    let everything = finished.everything();
    for secret in secrets {
        assert!(!everything.contains(secret), "{secret} was told:\n{everything}");
    }
}
