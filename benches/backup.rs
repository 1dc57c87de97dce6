//! What a backup costs: ours into an S3 server, against the dump alone and against what one pipes together by hand.
//!
//! `cargo bench --bench backup`; `-- 5` makes five rounds instead of three. In: a database of about 300 MB and a filestore
//! of 100 MB, made here. Out: a table on standard output with seconds, bytes and ratios within a round. No limit is
//! checked, since no two machines agree: read the ratios.
//!
//! All contenders read the same database and the same files, in turn. `floor` is `pg_dump` and `tar` into nothing: what
//! the server and the disk need in any case. `by hand` is `pg_dump | gzip` and `tar | gzip` into local files, without
//! checksums and without a store. Ours compresses, computes two checksums, uploads in parts, and writes a manifest.
#![expect(clippy::panic, reason = "a measurement that cannot go on ends")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/job.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod job;
#[path = "../tests/common/servers/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod servers;
#[path = "../tests/job_backup/tenant.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod tenant;

use std::{env, fs, process::Command, time::Instant};

use function_odoo::contract::{self, Compression};
use servers::postgres::{ADMIN, POOL};
use tenant::{Tenant, backup_report};

/// Text as mails have it: words that repeat, and numbers that do not.
const MESSAGES: &str = "
    CREATE TABLE mail_message (id serial PRIMARY KEY, date timestamptz, body text);
    INSERT INTO mail_message (date, body)
    SELECT timestamptz '2025-01-01' + n * interval '1 minute',
           '<p>Dear ' || md5(n::text) || ',</p>' || repeat('<p>thank you for your order no. ' || n ||
           ', which we have received and will deliver within ' || n % 30 || ' days.</p>', 20)
    FROM generate_series(1, 160000) AS n;
";
const FILES: usize = 1000;
const FILE_BYTES: usize = 100_000;

struct Measure {
    name: &'static str,
    seconds: f64,
    bytes: u64,
}

fn main() {
    let rounds = env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(3);
    let Some(tenant) = Tenant::new() else { return };
    tenant.sql_as(POOL, MESSAGES);
    for number in 0..FILES {
        tenant.attach(&content(number));
    }
    let size = tenant.sql_as(
        POOL,
        "SELECT pg_size_pretty(pg_database_size(current_database()))",
    );
    println!(
        "database {}, {FILES} files of {FILE_BYTES} bytes, {rounds} rounds\n",
        size[0][0].as_deref().unwrap_or("?")
    );
    println!("| round | contender | seconds | of the floor | MB stored |\n|---|---|---|---|---|");
    for round in 1..=rounds {
        let floor = plain(&tenant, "floor", "cat >/dev/null", "cat >/dev/null");
        let scratch = tempfile::tempdir().expect("a folder");
        let path = scratch.path().display();
        let hand = plain(
            &tenant,
            "by hand, gzip",
            &format!("gzip >{path}/dump.gz"),
            &format!("gzip >{path}/files.gz"),
        );
        let stored = |name: &str| fs::metadata(scratch.path().join(name)).map_or(0, |file| file.len());
        let hand = Measure {
            bytes: stored("dump.gz") + stored("files.gz"),
            ..hand
        };
        let zstd = ours(&tenant, "odoo-job, zstd", Compression::Zstd);
        let gzip = ours(&tenant, "odoo-job, gzip", Compression::Gzip);
        let base = floor.seconds;
        for Measure { name, seconds, bytes } in [floor, hand, zstd, gzip] {
            #[expect(clippy::cast_precision_loss, reason = "megabytes are read by people")]
            let megabytes = bytes as f64 / 1e6;
            println!(
                "| {round} | {name} | {seconds:.2} | {:.2} | {megabytes:.1} |",
                seconds / base
            );
        }
    }
}

/// Bytes that compress to about a half, and that no two files share.
fn content(number: usize) -> Vec<u8> {
    let mut state = number as u64 + 1;
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    while bytes.len() < FILE_BYTES {
        // xorshift: random enough for a compressor.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
        bytes.extend(b"________");
    }
    bytes
}

fn plain(tenant: &Tenant, name: &'static str, dump: &str, files: &str) -> Measure {
    let script = format!(
        "set -eo pipefail; pg_dump --format=custom --compress=0 | {dump}; tar -c -C \"$FILES\" . | {files}"
    );
    let begun = Instant::now();
    let status = Command::new("bash")
        .args(["-c", &script])
        .envs(tenant.postgres.environment(ADMIN, &tenant.database))
        .env("PATH", path(tenant))
        .env("FILES", tenant.filestore())
        .status()
        .expect("bash starts");
    assert!(status.success(), "{name}");
    Measure {
        name,
        seconds: begun.elapsed().as_secs_f64(),
        bytes: 0,
    }
}

fn ours(tenant: &Tenant, name: &'static str, compression: Compression) -> Measure {
    let command = contract::Command::Backup(contract::Backup {
        compression,
        ..tenant.backup()
    });
    let begun = Instant::now();
    let finished = tenant.job(&command).variable("PATH", path(tenant)).run().done();
    let seconds = begun.elapsed().as_secs_f64();
    let report = backup_report(&finished);
    Measure {
        name,
        seconds,
        bytes: report.dump_bytes + report.filestore_bytes,
    }
}

fn path(tenant: &Tenant) -> String {
    format!(
        "{}:{}",
        tenant.postgres.bin().display(),
        env::var("PATH").unwrap_or_default()
    )
}
