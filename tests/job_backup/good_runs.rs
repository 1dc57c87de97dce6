//! What a backup is to be when nothing goes wrong.

use std::{fs, io::Read as _, thread};

use age::x25519;
use function_odoo::contract::{BackupPurpose, Command, Compression};

use crate::{
    job::prove_every_boundary,
    restore::{self, download},
    servers::{
        folder::Folder,
        postgres::{ADMIN, MAINTENANCE, POOL, SUPERUSER},
    },
    tenant::{MARKER, Tenant, backup_report, verify_report},
};

#[test]
fn plain_tools_restore_a_backup() {
    let Some(tenant) = Tenant::new() else { return };
    let finished = tenant.backup_job().run().done();
    tenant.prove_silent(&finished);
    let report = backup_report(&finished);
    assert_eq!(
        (
            report.filestore_files,
            report.missing_files,
            report.encrypted,
            report.pruned
        ),
        (100, 0, false, 0)
    );
    let (slug, id) = (&tenant.slug, &report.id);
    let keys = [
        format!("{slug}/backup-{id}.dump.zst"),
        format!("{slug}/filestore-{id}.tar.zst"),
        format!("{slug}/manifest-{id}.json"),
    ];
    assert_eq!(tenant.keys(), keys);
    assert_eq!(tenant.object(&keys[0]).len() as u64, report.dump_bytes);
    let manifest = tenant.manifest(id);
    assert_eq!(manifest["marker"], MARKER);
    assert_eq!(manifest["database"], *tenant.database);
    assert_eq!(manifest["baseVersion"], "18.0.1.3");
    assert_eq!(manifest["counts"]["res_users"], 3);
    assert_eq!(manifest["counts"]["account_move_posted"], 33);
    assert_eq!(manifest["counts"]["ir_attachment"], 100);
    assert_eq!(manifest["files"]["referenced"], 100);
    assert_eq!(manifest["takenAt"], *report.taken_at);
    restore::prove_same(&tenant, download(&tenant, id).path(), id);
}

#[test]
fn an_encrypted_backup_is_opened_by_its_identity() {
    let Some(tenant) = Tenant::new() else { return };
    let (identity, second) = (x25519::Identity::generate(), x25519::Identity::generate());
    let mut backup = tenant.backup();
    backup.age_recipient = vec![identity.to_public().to_string(), second.to_public().to_string()];
    backup.purpose = BackupPurpose::Insurance;
    let finished = tenant.job(&Command::Backup(backup)).run().done();
    let report = backup_report(&finished);
    assert!(
        report.encrypted && report.id.starts_with("insurance/"),
        "{report:?}"
    );
    let sealed = download(&tenant, &report.id);
    let opened = Folder::new("opened");
    for entry in fs::read_dir(sealed.path()).expect("it is there").flatten() {
        let name = entry.file_name().into_string().expect("it is ASCII");
        let Some(plain) = name.strip_suffix(".age") else {
            assert!(name.starts_with("manifest-"), "{name}");
            fs::write(
                opened.join(&name),
                fs::read(entry.path()).expect("it can be read"),
            )
            .expect("the folder is ours");
            continue;
        };
        let content = fs::read(entry.path()).expect("it can be read");
        assert!(content.starts_with(b"age-encryption.org/v1"));
        // Each of the recipients opens it.
        for identity in [&second, &identity] {
            let decryptor = age::Decryptor::new(&content[..]).expect("it is of age");
            let identities = std::iter::once(identity as &dyn age::Identity);
            let mut text = Vec::new();
            let mut reader = decryptor.decrypt(identities).expect("the identity fits");
            reader.read_to_end(&mut text).expect("it is whole");
            fs::write(opened.join(plain), text).expect("the folder is ours");
        }
    }
    restore::prove_same(&tenant, opened.path(), &report.id);
    crate::verify::prove_encrypted(&tenant, &report.id, &identity);
}

#[test]
fn gzip_is_for_tools_that_know_nothing_else() {
    let Some(tenant) = Tenant::new() else { return };
    let mut backup = tenant.backup();
    backup.compression = Compression::Gzip;
    backup.purpose = BackupPurpose::Manual;
    let finished = tenant.job(&Command::Backup(backup)).run().done();
    let report = backup_report(&finished);
    let folder = download(&tenant, &report.id);
    let time = report.id.strip_prefix("manual/").expect("it is a manual one");
    // Turned into zstd's by plain tools, the rest is the same.
    for name in [format!("backup-{time}.dump"), format!("filestore-{time}.tar")] {
        let script = format!("gzip -dc {name}.gz | zstd -q > {name}.zst");
        let done = std::process::Command::new("sh")
            .args(["-euc", &script])
            .current_dir(folder.path())
            .status();
        assert!(done.is_ok_and(|status| status.success()), "{script}");
    }
    restore::prove_same(&tenant, folder.path(), &report.id);
    let verified = tenant.verify_job("manual/latest").run().done();
    assert!(verify_report(&verified).opened);
}

#[test]
fn a_second_run_is_a_second_backup() {
    let Some(tenant) = Tenant::new() else { return };
    let first = backup_report(&tenant.backup_job().run().done());
    let second = backup_report(&tenant.backup_job().run().done());
    assert!(first.id < second.id, "{} {}", first.id, second.id);
    assert_eq!(tenant.keys().len(), 6);
    let list = tenant.list();
    let ids: Vec<_> = list
        .iter()
        .map(|line| line["id"].as_str().expect("a text"))
        .collect();
    assert_eq!(ids, [&second.id, &first.id]);
    assert!(list.iter().all(|line| line["complete"] == true), "{list:?}");
    for id in [&first.id, &second.id] {
        tenant.verify_job(id).run().done();
    }
}

#[test]
fn backups_of_the_same_second_do_not_overwrite_each_other() {
    let Some(tenant) = Tenant::new() else { return };
    // Each takes a fraction of a second, and ids are seconds.
    let reports: Vec<_> = (0..4)
        .map(|_| backup_report(&tenant.backup_job().run().done()))
        .collect();
    assert!(
        reports.is_sorted_by(|earlier, later| earlier.id < later.id),
        "{reports:?}"
    );
    for report in &reports {
        tenant.verify_job(&report.id).run().done();
    }
}

#[test]
fn two_at_once_are_two_backups() {
    let Some(tenant) = Tenant::new() else { return };
    let runs: Vec<_> = (0..3).map(|_| tenant.backup_job()).collect();
    let reports: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = runs.iter().map(|job| scope.spawn(|| job.run().done())).collect();
        runs.into_iter()
            .map(|run| backup_report(&run.join().expect("it is done")))
            .collect()
    });
    let ids: std::collections::BTreeSet<_> = reports.iter().map(|report| &report.id).collect();
    assert_eq!(ids.len(), 3);
    for id in ids {
        tenant.verify_job(id).run().done();
    }
}

#[test]
fn nothing_is_written_by_a_dry_run() {
    let Some(tenant) = Tenant::new() else { return };
    let finished = tenant.backup_job().dry_run().run().done();
    assert!(finished.stdout.contains("would back up"), "{}", finished.stdout);
    tenant.prove_untouched();
}

#[test]
fn a_suspended_tenant_is_backed_up_as_well() {
    let Some(tenant) = Tenant::new() else { return };
    let database = tenant.quoted_database();
    tenant.postgres.sql(
        SUPERUSER,
        &format!("ALTER DATABASE {database} OWNER TO {MAINTENANCE}; REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"),
    );
    assert!(
        tenant
            .postgres
            .sql_as(POOL, &tenant.database, "SELECT 1")
            .is_err(),
        "it is hidden"
    );
    let id = backup_report(&tenant.backup_job().run().done()).id;
    tenant.verify_job(&id).run().done();
}

#[test]
fn names_may_be_what_postgresql_takes() {
    let long = format!("long{}.planapulse.app", "x".repeat(63 - 19));
    assert_eq!(long.len(), 63);
    for (slug, name) in [
        ("odd1", "it's \"quoted\".50%"),
        ("odd2", "host=elsewhere dbname=postgres"),
        ("odd4", "back\\slash -- x"),
        ("odd5", long.as_str()),
        ("odd6", "postgresql:elsewhere%20ä"),
    ] {
        let Some(tenant) = Tenant::named(slug, name) else {
            return;
        };
        let finished = tenant.backup_job().run();
        let report = backup_report(&finished.done());
        assert_eq!(report.filestore_files, 100, "{name}");
        assert_eq!(tenant.manifest(&report.id)["database"], name);
        tenant.verify_job(&report.id).run().done();
    }
}

#[test]
fn missing_and_superfluous_files_are_told() {
    let Some(tenant) = Tenant::new() else { return };
    let lost = tenant.attach(b"lost");
    fs::remove_file(tenant.filestore().join(&lost)).expect("it was there");
    tenant.sql_as(
        POOL,
        "INSERT INTO ir_attachment (store_fname) VALUES ('../../etc/passwd'), ('ab/short')",
    );
    tenant.store(b"an orphan");
    fs::create_dir_all(tenant.filestore().join("checklist/ab")).expect("the folder is ours");
    fs::write(tenant.filestore().join("checklist/ab/mark"), "").expect("the folder is ours");
    let finished = tenant.backup_job().run().done();
    let report = backup_report(&finished);
    assert_eq!((report.missing_files, report.filestore_files), (3, 101));
    let files = &tenant.manifest(&report.id)["files"];
    assert_eq!(
        (&files["missing"], &files["orphans"], &files["referenced"]),
        (&3.into(), &1.into(), &103.into())
    );
    let names: Vec<_> = files["missingNames"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    assert!(
        names.contains(&lost.as_str()) && names.contains(&"../../etc/passwd"),
        "{names:?}"
    );
    assert!(
        finished.log.contains("their content was lost before this backup"),
        "{}",
        finished.log
    );
    tenant.verify_job("latest").run().done();
}

#[test]
fn a_killed_backup_is_simply_made_again() {
    let Some(tenant) = Tenant::new() else { return };
    let mut made = std::collections::BTreeSet::new();
    prove_every_boundary(
        "backup",
        |_| tenant.backup_job(),
        |_, finished| {
            let id = backup_report(finished).id;
            tenant.verify_job(&id).run().done();
            assert_eq!(
                tenant.s3.unfinished(&tenant.bucket),
                Vec::<std::path::PathBuf>::new()
            );
            made.insert(id);
            // What was killed before its manifest is no backup, what was killed after it is one.
            let list = tenant.list();
            let complete: Vec<_> = list.iter().filter(|line| line["complete"] == true).collect();
            assert!(
                complete.len() >= made.len() && complete.len() <= made.len() + 2,
                "{list:?}"
            );
            // No session stays behind, and so no lock.
            let sessions = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = '{ADMIN}' AND application_name LIKE '%{}'",
                tenant.slug
            );
            assert_eq!(
                tenant.postgres.sql(SUPERUSER, &sessions),
                vec![vec![Some("0".to_owned())]]
            );
        },
    );
}
