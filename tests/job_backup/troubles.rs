//! Servers and lines that fail half way, and memory that stays small.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use function_odoo::contract::ExitCode;
use rustix::process::Signal;

use crate::{
    line::Line,
    servers::{
        postgres::{POOL, Postgres},
        s3::S3,
    },
    tenant::{Tenant, backup_report},
};

/// Rows that do not compress: about 30 MB of dump.
fn grow(tenant: &Tenant, megabytes: u32) {
    tenant.sql_as(
        POOL,
        &format!(
            "CREATE TABLE big AS SELECT n, (SELECT string_agg(md5(n::text || '-' || m), '') FROM generate_series(1, 32) m) \
             FROM generate_series(1, {}) AS n",
            megabytes * 1000
        ),
    );
}

fn prove_nothing_left(tenant: &Tenant) {
    assert!(
        tenant.list().iter().all(|line| line["complete"] == false),
        "{:?}",
        tenant.keys()
    );
    assert_eq!(tenant.s3.unfinished(&tenant.bucket), Vec::<PathBuf>::new());
}

#[test]
fn a_slow_line_is_waited_for() {
    let Some(mut tenant) = Tenant::new() else { return };
    grow(&tenant, 8);
    let line = Line::to(tenant.s3.port(), 4 << 20);
    tenant.endpoint = line.endpoint();
    let finished = tenant.backup_job().run().done();
    tenant.verify_job(&backup_report(&finished).id).run().done();
}

#[test]
fn a_store_that_goes_half_way_leaves_no_backup() {
    let Some(s3) = S3::own() else { return };
    let Some(mut tenant) = Tenant::of(None, Some(s3)) else {
        return;
    };
    grow(&tenant, 30);
    let line = Line::to(tenant.s3.port(), 8 << 20);
    tenant.endpoint = line.endpoint();
    let running = tenant
        .backup_job()
        .variable("ODOO_JOB_STORE_PATIENCE", "1")
        .start();
    line.wait_for(4 << 20);
    tenant.s3.stop();
    let finished = running.wait();
    assert_eq!(
        (finished.code, finished.reason()),
        (Some(ExitCode::Retry), "StoreUnreachable"),
        "{}",
        finished.log
    );
    tenant.s3.start_again();
    assert!(tenant.list().iter().all(|line| line["complete"] == false));
    // One that is back in time is not noticed.
    let running = tenant
        .backup_job()
        .variable("ODOO_JOB_STORE_PATIENCE", "60")
        .start();
    let sent = line_bytes(&line, 4 << 20);
    line.wait_for(sent);
    tenant.s3.stop();
    thread::sleep(Duration::from_millis(500));
    tenant.s3.start_again();
    let id = backup_report(&running.wait().done()).id;
    tenant.verify_job(&id).run().done();
}

fn line_bytes(line: &Line, more: u64) -> u64 {
    line.sent() + more
}

#[test]
fn a_database_server_that_goes_half_way_leaves_no_backup() {
    let Some(postgres) = Postgres::own() else { return };
    let Some(mut tenant) = Tenant::of(Some(postgres), None) else {
        return;
    };
    grow(&tenant, 60);
    let line = Line::to(tenant.s3.port(), 8 << 20);
    tenant.endpoint = line.endpoint();
    let running = tenant.backup_job().start();
    line.wait_for(4 << 20);
    tenant.postgres.kill();
    let finished = running.wait();
    assert_eq!(
        (finished.code, finished.reason()),
        (Some(ExitCode::Retry), "DumpFailed"),
        "{}",
        finished.log
    );
    tenant.prove_silent(&finished);
    tenant.endpoint = tenant.s3.endpoint();
    prove_nothing_left(&tenant);
    assert_eq!(tenant.keys(), Vec::<String>::new());
    tenant.postgres.start_again();
    tenant.backup_job().run().done();
}

#[test]
fn a_backup_that_is_told_to_stop_takes_back_what_it_sent() {
    let Some(mut tenant) = Tenant::new() else { return };
    grow(&tenant, 40);
    let line = Line::to(tenant.s3.port(), 8 << 20);
    tenant.endpoint = line.endpoint();
    let running = tenant.backup_job().start();
    line.wait_for(9 << 20);
    assert!(!tenant.s3.unfinished(&tenant.bucket).is_empty());
    let told = Instant::now();
    running.kill(Signal::TERM);
    let finished = running.wait();
    assert_eq!(
        (finished.code, finished.reason()),
        (Some(ExitCode::Retry), "Stopped"),
        "{}",
        finished.log
    );
    assert!(told.elapsed() < Duration::from_secs(12), "{:?}", told.elapsed());
    tenant.prove_untouched();
    // Killed, it can take nothing back; the bucket's own rule does. The next one does not mind.
    let running = tenant.backup_job().start();
    line.wait_for(line_bytes(&line, 9 << 20));
    running.kill(Signal::KILL);
    running.wait();
    assert!(tenant.list().is_empty());
    tenant.endpoint = tenant.s3.endpoint();
    let id = backup_report(&tenant.backup_job().run().done()).id;
    tenant.verify_job(&id).run().done();
}

#[test]
fn a_line_that_hangs_does_not_keep_a_backup_from_stopping() {
    let Some(mut tenant) = Tenant::new() else { return };
    grow(&tenant, 20);
    let line = Line::to(tenant.s3.port(), 16 << 20);
    tenant.endpoint = line.endpoint();
    let running = tenant.backup_job().start();
    line.wait_for(1 << 20);
    line.stall();
    let told = Instant::now();
    running.kill(Signal::TERM);
    let finished = running.wait();
    assert_eq!(finished.reason(), "Stopped", "{}", finished.log);
    // A kubelet waits 30 seconds.
    assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
}

#[test]
fn memory_does_not_grow_with_the_database() {
    let Some(tenant) = Tenant::new() else { return };
    grow(&tenant, 300);
    let peak = |job: crate::job::Job| {
        let running = job.start();
        let status = format!("/proc/{}/status", running.id());
        let watch = thread::spawn(move || {
            let mut peak = 0;
            while let Ok(text) = fs::read_to_string(&status) {
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let Some(kilobytes) =
                    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
                else {
                    break;
                };
                peak = kilobytes;
                thread::sleep(Duration::from_millis(20));
            }
            peak
        });
        let finished = running.wait().done();
        (watch.join().expect("it ends"), finished)
    };
    let (backup, finished) = peak(tenant.backup_job());
    let report = backup_report(&finished);
    let content = tenant.manifest(&report.id)["dump"]["content"]["bytes"]
        .as_u64()
        .expect("a number");
    assert!(content > 300_000_000, "{content}");
    let (verify, _) = peak(tenant.verify_job("latest"));
    println!("peak memory: backup {backup} kB, verify {verify} kB, for {content} bytes");
    assert!(backup > 1000 && backup < 120_000, "{backup} kB");
    assert!(verify > 1000 && verify < 120_000, "{verify} kB");
}
