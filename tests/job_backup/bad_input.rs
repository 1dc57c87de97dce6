//! What a backup refuses, and in which words.

use std::{fs, os::unix::fs::PermissionsExt};

use function_odoo::contract::{self, Backup, Command, ExitCode};

use crate::{
    job::{Finished, Job},
    servers::{
        folder::Folder,
        free_port,
        postgres::{ADMIN, POOL, Postgres},
        s3::S3,
        tmpfs::Tmpfs,
    },
    tenant::{MARKER, Tenant, backup_report},
};

/// Runs a backup that must come to nothing, and looks that it did.
fn fails(tenant: &Tenant, job: &Job, exit: ExitCode, reason: &str, words: &[&str]) -> Finished {
    let finished = job.run();
    assert_eq!(
        (finished.code, finished.reason()),
        (Some(exit), reason),
        "{}",
        finished.log
    );
    for word in words {
        assert!(
            finished.message().contains(word),
            "{word:?} is not in: {}",
            finished.message()
        );
    }
    tenant.prove_silent(&finished);
    finished
}

fn with(tenant: &Tenant, change: impl FnOnce(&mut Backup)) -> Job {
    let mut backup = tenant.backup();
    change(&mut backup);
    tenant.job(&Command::Backup(backup))
}

#[test]
fn the_store_s_refusals_are_told_apart() {
    use ExitCode::{GiveUp, Retry};
    let Some(tenant) = Tenant::new() else { return };
    let job = || tenant.backup_job();
    let wrong = "another-secret-key-of-somebody";
    let finished = fails(
        &tenant,
        &job().secret(contract::STORE_KEY, wrong),
        GiveUp,
        "StoreLoginRefused",
        &["access-key-id", "secret-access-key", &tenant.endpoint],
    );
    assert!(!finished.everything().contains(wrong));
    let unknown = job().secret(contract::STORE_KEY_ID, "unknown-key-id");
    fails(&tenant, &unknown, GiveUp, "StoreLoginRefused", &[]);
    let bucket = with(&tenant, |backup| {
        backup.store.bucket = "no-such-bucket".to_owned()
    });
    fails(&tenant, &bucket, GiveUp, "BucketMissing", &["no-such-bucket"]);
    let region = with(&tenant, |backup| backup.store.region = "elsewhere-1".to_owned());
    fails(&tenant, &region, GiveUp, "StoreRegionWrong", &["region"]);
    let closed = format!("http://127.0.0.1:{}", free_port());
    let unreachable = with(&tenant, |backup| backup.store.endpoint.clone_from(&closed));
    let unreachable = unreachable.variable("ODOO_JOB_STORE_PATIENCE", "1");
    fails(&tenant, &unreachable, Retry, "StoreUnreachable", &[&closed]);
    let scheme = with(&tenant, |backup| backup.store.endpoint = "s3.example".to_owned());
    fails(&tenant, &scheme, GiveUp, "EndpointInvalid", &["https://"]);
    let missing = job().secret(contract::STORE_KEY, "");
    fails(&tenant, &missing, GiveUp, "SecretMissing", &["secret-access-key"]);
    let patience = job().variable("ODOO_JOB_STORE_PATIENCE", "long");
    fails(
        &tenant,
        &patience,
        GiveUp,
        "PatienceInvalid",
        &["ODOO_JOB_STORE_PATIENCE"],
    );
    tenant.prove_untouched();
}

#[test]
fn a_bucket_that_lets_nobody_write_is_told() {
    let Some(s3) = S3::own() else { return };
    let Some(tenant) = Tenant::of(None, Some(s3)) else {
        return;
    };
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":["s3:PutObject"],
            "Resource":["arn:aws:s3:::{}/*"]}}]}}"#,
        tenant.bucket
    );
    // The owner is refused as well only by the file system.
    let answer = tenant
        .s3
        .request("PUT", &format!("/{}?policy=", tenant.bucket), policy.as_bytes());
    assert!(answer.is_ok(), "{answer:?}");
    let finished = tenant.backup_job().run();
    if finished.code == Some(ExitCode::Done) {
        // This server lets the owner of a bucket do everything, whatever the policy says.
        return;
    }
    assert_eq!(finished.reason(), "StoreAccessDenied", "{}", finished.log);
    tenant.prove_untouched();
}

#[test]
fn a_full_store_leaves_nothing_behind() {
    let Some(tmpfs) = Tmpfs::mount(6 << 20) else {
        return;
    };
    let Some(s3) = S3::on(tmpfs.path()) else { return };
    let Some(tenant) = Tenant::of(None, Some(s3)) else {
        return;
    };
    // Noise, which no compression makes small.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(12 << 20)
    .collect();
    tenant.attach(&noise);
    let finished = tenant.backup_job().variable("ODOO_JOB_STORE_PATIENCE", "1").run();
    assert_eq!(finished.code, Some(ExitCode::Retry), "{}", finished.log);
    assert!(
        ["StoreFull", "StoreUnavailable"].contains(&finished.reason()),
        "{}",
        finished.message()
    );
    assert!(
        !tenant.keys().iter().any(|key| key.contains("manifest")),
        "{:?}",
        tenant.keys()
    );
    assert_eq!(
        tenant.s3.unfinished(&tenant.bucket),
        Vec::<std::path::PathBuf>::new()
    );
    assert!(tenant.list().iter().all(|line| line["complete"] == false));
}

#[test]
fn the_database_s_refusals_are_told_apart() {
    use ExitCode::{GiveUp, Refused, Retry};
    let Some(tenant) = Tenant::new() else { return };
    let wrong = tenant
        .backup_job()
        .secret(contract::DATABASE_PASSWORD, "not-the-password");
    fails(&tenant, &wrong, GiveUp, "LoginRefused", &["127.0.0.1"]);
    let port = free_port();
    let closed = with(&tenant, |backup| backup.tenant.server.database_port = port);
    fails(
        &tenant,
        &closed,
        Retry,
        "ServerUnreachable",
        &[&format!("127.0.0.1:{port}")],
    );
    let missing = with(&tenant, |backup| {
        backup.tenant.database = "no.such.database".to_owned()
    });
    fails(
        &tenant,
        &missing,
        GiveUp,
        "DatabaseMissing",
        &["no.such.database"],
    );
    let long = with(&tenant, |backup| backup.tenant.database = "x".repeat(64));
    fails(&tenant, &long, GiveUp, "NameTooLong", &["64"]);
    let slash = with(&tenant, |backup| backup.tenant.database = "../other".to_owned());
    fails(&tenant, &slash, GiveUp, "NameUnsafe", &["../other"]);
    let slug = with(&tenant, |backup| backup.tenant.slug = "../other".to_owned());
    fails(&tenant, &slug, GiveUp, "SlugInvalid", &["../other"]);
    tenant.mark("somebody-else", "ready");
    fails(
        &tenant,
        &tenant.backup_job(),
        Refused,
        "ForeignDatabase",
        &["somebody-else", MARKER],
    );
    tenant.mark(MARKER, "claimed");
    fails(
        &tenant,
        &tenant.backup_job(),
        Retry,
        "TenantNotReady",
        &["tenant-init"],
    );
    tenant.sql_as(ADMIN, "DROP SCHEMA planapulse CASCADE");
    fails(
        &tenant,
        &tenant.backup_job(),
        Refused,
        "MarkerMissing",
        &["adoptDatabase"],
    );
    tenant.mark(MARKER, "ready");
    tenant.sql_as(POOL, "UPDATE ir_module_module SET state = 'uninstalled'");
    fails(
        &tenant,
        &tenant.backup_job(),
        GiveUp,
        "BaseNotInstalled",
        &[&tenant.database],
    );
    tenant.sql_as(POOL, "DROP TABLE ir_module_module");
    fails(&tenant, &tenant.backup_job(), GiveUp, "BaseNotInstalled", &[]);
    tenant.prove_untouched();
}

#[test]
fn a_table_that_may_not_be_read_is_told() {
    let Some(tenant) = Tenant::new() else { return };
    tenant.sql_as("postgres", "CREATE TABLE hidden (id int)");
    fails(
        &tenant,
        &tenant.backup_job(),
        ExitCode::GiveUp,
        "DumpRefused",
        &["permission denied", "hidden"],
    );
    tenant.prove_untouched();
}

#[test]
fn a_filestore_that_is_not_there_is_no_empty_one() {
    let Some(tenant) = Tenant::new() else { return };
    let elsewhere = with(&tenant, |backup| {
        backup.data_directory = "/no/such/folder".to_owned()
    });
    fails(
        &tenant,
        &elsewhere,
        ExitCode::GiveUp,
        "DataDirectoryMissing",
        &["/no/such/folder"],
    );
    let empty = Folder::new("empty");
    let path = empty.path().display().to_string();
    let wrong = with(&tenant, |backup| backup.data_directory.clone_from(&path));
    fails(
        &tenant,
        &wrong,
        ExitCode::GiveUp,
        "FilestoreMissing",
        &[&path, "100 files"],
    );
    tenant.prove_untouched();
    // A tenant without any attachment has none, and that is no fault.
    tenant.sql_as(POOL, "DELETE FROM ir_attachment");
    let report = backup_report(&wrong.run().done());
    assert_eq!((report.filestore_files, report.missing_files), (0, 0));
    tenant.verify_job("latest").run().done();
}

#[test]
fn recipients_that_are_none_are_told() {
    let Some(tenant) = Tenant::new() else { return };
    let recipient = |text: &str| {
        let text = text.to_owned();
        with(&tenant, move |backup| backup.age_recipient = vec![text])
    };
    fails(
        &tenant,
        &recipient("age1broken"),
        ExitCode::GiveUp,
        "RecipientInvalid",
        &["age1broken"],
    );
    let secret = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";
    let finished = fails(
        &tenant,
        &recipient(secret),
        ExitCode::GiveUp,
        "RecipientInvalid",
        &["public half"],
    );
    assert!(!finished.everything().contains(secret));
    tenant.prove_untouched();
}

/// A double of `pg_dump`: an older one than the server is on no machine that has the server.
#[test]
fn an_old_pg_dump_is_refused_by_name() {
    let Some(tenant) = Tenant::new() else { return };
    let folder = Folder::new("bin");
    let program = folder.join("pg_dump");
    fs::write(&program, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n").expect("the folder is ours");
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("it is ours");
    let path = folder.path().display().to_string();
    let job = |path: &str| tenant.backup_job().variable("ODOO_JOB_POSTGRESQL_BIN", path);
    fails(
        &tenant,
        &job(&path),
        ExitCode::GiveUp,
        "ClientTooOld",
        &["14.9", "PostgreSQL 1"],
    );
    fs::write(&program, "#!/bin/sh\nexit 1\n").expect("the folder is ours");
    fails(
        &tenant,
        &job(&path),
        ExitCode::GiveUp,
        "ClientTooOld",
        &["does not say its version"],
    );
    fs::remove_file(&program).expect("it is ours");
    fails(
        &tenant,
        &job(&path),
        ExitCode::GiveUp,
        "ProgramMissing",
        &["pg_dump"],
    );
    tenant.prove_untouched();
}

#[test]
fn the_server_s_certificate_is_checked() {
    let Some(postgres) = Postgres::with_tls() else {
        return;
    };
    let Some(tenant) = Tenant::of(Some(postgres), None) else {
        return;
    };
    let authority = tenant.postgres.authority().expect("it has one");
    let authority = fs::read_to_string(authority).expect("it can be read");
    for (mode, trusts, good) in [
        ("require", false, true),
        ("verify-full", true, true),
        ("verify-ca", true, true),
        ("verify-full", false, false),
    ] {
        let mut job = with(&tenant, |backup| {
            backup.tenant.server.database_ssl_mode = mode.to_owned()
        });
        if trusts {
            job = job.secret(contract::DATABASE_AUTHORITY, &authority);
        }
        let finished = job.run();
        if good {
            let id = backup_report(&finished.done()).id;
            tenant.verify_job(&id).run().done();
        } else {
            assert_eq!(finished.reason(), "ServerUnreachable", "{}", finished.log);
        }
    }
}
