//! `backup-verify` and `backup-prune`: what is wrong with a backup is told, and what is not ours stays.

use age::{secrecy::ExposeSecret as _, x25519};
use function_odoo::contract::{AGE_IDENTITY, BackupPurpose, Command, ExitCode, Report};
use serde_json::Value;

use crate::{
    job::{Finished, Job, prove_every_boundary},
    tenant::{Tenant, backup_report, verify_report},
};

fn refusal(job: &Job) -> (Option<ExitCode>, String) {
    let finished: Finished = job.run();
    (finished.code, finished.reason().to_owned())
}

fn gave_up(reason: &str) -> (Option<ExitCode>, String) {
    (Some(ExitCode::GiveUp), reason.to_owned())
}

/// With its identity an encrypted backup is opened, without it is compared as it is stored, another's is told.
pub fn prove_encrypted(tenant: &Tenant, id: &str, identity: &x25519::Identity) {
    let key = identity.to_string();
    let with = |text: &str| tenant.verify_job(id).secret(AGE_IDENTITY, text).run();
    let file = format!("# created: today\n# public key: age1\n{}\n", key.expose_secret());
    let opened = with(&file).done();
    assert!(!opened.everything().contains(key.expose_secret()));
    let report = verify_report(&opened);
    assert_eq!((report.opened, report.files), (true, 100));
    let report = verify_report(&tenant.verify_job(id).run().done());
    assert_eq!((report.opened, report.files), (false, 0));
    let other = x25519::Identity::generate().to_string();
    assert_eq!(with(other.expose_secret()).reason(), "IdentityWrong");
    let broken = with("AGE-SECRET-KEY-1NOT");
    assert_eq!(broken.reason(), "IdentityInvalid");
    assert!(!broken.everything().contains("KEY-1NOT"));
}

#[test]
fn each_damage_has_its_name() {
    let Some(tenant) = Tenant::new() else { return };
    let id = backup_report(&tenant.backup_job().run().done()).id;
    let slug = &tenant.slug;
    let dump = format!("{slug}/backup-{id}.dump.zst");
    let files = format!("{slug}/filestore-{id}.tar.zst");
    let manifest = format!("{slug}/manifest-{id}.json");
    let verify = |backup: &str| refusal(&tenant.verify_job(backup));
    let good = verify_report(&tenant.verify_job("latest").run().done());
    assert_eq!((good.files, good.opened, &good.id), (100, true, &id));
    for key in [&dump, &files] {
        let whole = tenant.object(key);
        let mut altered = whole.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        for (content, reason) in [
            (&whole[..whole.len() - 1], "BackupTruncated"),
            (&[][..], "BackupTruncated"),
            (&[&whole[..], b"x"].concat()[..], "BackupAltered"),
            (&altered[..], "BackupAltered"),
        ] {
            tenant.put(key, content);
            assert_eq!(verify(&id), gave_up(reason), "{key}");
        }
        tenant.remove(key);
        assert_eq!(verify(&id), gave_up("BackupIncomplete"), "{key}");
        assert_eq!(
            verify("latest"),
            gave_up("BackupMissing"),
            "an incomplete one is no backup"
        );
        assert_eq!(tenant.list()[0]["complete"], false);
        tenant.put(key, &whole);
    }
    let document = tenant.object(&manifest);
    let replaced = |from: &str, to: &str| {
        String::from_utf8_lossy(&document)
            .replacen(from, to, 1)
            .into_bytes()
    };
    for content in [
        b"<html>".to_vec(),
        document[..document.len() / 2].to_vec(),
        replaced("\"version\": 1", "\"version\": 2"),
        replaced(&format!("\"slug\": \"{slug}\""), "\"slug\": \"other\""),
        replaced(&dump, "other/backup-20260101T000000.dump.zst"),
    ] {
        tenant.put(&manifest, &content);
        assert_eq!(verify(&id), gave_up("ManifestUnusable"));
        assert_eq!(tenant.list()[0]["complete"], false);
    }
    // Nobody who cannot write all three can make them fit again.
    let stored: Value = serde_json::from_slice(&document).expect("it is JSON");
    let sum = stored["dump"]["content"]["sha256"].as_str().expect("a text");
    tenant.put(&manifest, &replaced(sum, &"0".repeat(64)));
    assert_eq!(verify(&id), gave_up("BackupAltered"));
    tenant.remove(&manifest);
    assert_eq!(verify(&id), gave_up("BackupMissing"));
    assert_eq!(verify("not-an-id"), gave_up("BackupIdInvalid"));
    assert_eq!(verify("../other/latest"), gave_up("BackupIdInvalid"));
    tenant.put(&manifest, &document);
    tenant.verify_job(&id).run().done();
}

#[test]
fn a_damaged_file_is_found_by_its_name() {
    let Some(tenant) = Tenant::new() else { return };
    let name = tenant.attach(b"it was this");
    std::fs::write(tenant.filestore().join(&name), "and is that").expect("the folder is ours");
    tenant.backup_job().run().done();
    let finished = tenant.verify_job("latest").run();
    assert_eq!(
        (finished.code, finished.reason()),
        (Some(ExitCode::GiveUp), "FilestoreDamaged")
    );
    assert!(finished.message().contains(&name), "{}", finished.message());
}

#[test]
fn a_killed_verification_is_simply_run_again() {
    let Some(tenant) = Tenant::new() else { return };
    tenant.backup_job().run().done();
    let keys = tenant.keys();
    prove_every_boundary(
        "backup-verify",
        |_| tenant.verify_job("latest"),
        |_, finished| {
            assert_eq!(verify_report(finished).files, 100);
            assert_eq!(tenant.keys(), keys);
        },
    );
}

/// Copies a backup to an older id, manifest and all.
fn age(tenant: &Tenant, id: &str, older: &str) {
    let time = |id: &str| id.rsplit('/').next().expect("it has a last part").to_owned();
    let stamp = |id: &str| {
        let time = time(id);
        let (date, clock) = (&time[..8], &time[9..]);
        let part = |text: &str, from: usize| text[from..from + 2].to_owned();
        format!(
            "{}-{}-{}T{}:{}:{}Z",
            &date[..4],
            part(date, 4),
            part(date, 6),
            part(clock, 0),
            part(clock, 2),
            part(clock, 4)
        )
    };
    for key in tenant.keys().iter().filter(|key| key.contains(&time(id))) {
        let mut content = tenant.object(key);
        if key.ends_with(".json") {
            let text = String::from_utf8(content).expect("it is UTF-8");
            content = text
                .replace(&time(id), &time(older))
                .replace(&stamp(id), &stamp(older))
                .into_bytes();
        }
        tenant.put(&key.replace(&time(id), &time(older)), &content);
    }
}

fn pruned(finished: &Finished) -> (u32, u32) {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Prune(report)) => (report.deleted, report.kept),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pruning_leaves_the_last_good_one_and_all_that_is_not_ours() {
    let Some(tenant) = Tenant::new() else { return };
    let id = backup_report(&tenant.backup_job().run().done()).id;
    for older in ["20200101T000000", "20210101T000000"] {
        age(&tenant, &id, older);
    }
    let slug = &tenant.slug;
    let foreign = [
        format!("{slug}/notes.txt"),
        format!("{slug}/backup-20200101T000000.dump.zst.bak"),
        format!("{slug}/old/backup-20200101T000000.dump.zst"),
        format!("{slug}x/manifest-20200101T000000.json"),
        "readme".to_owned(),
    ];
    for key in &foreign {
        tenant.put(key, b"somebody else's");
    }
    // Named like ours, and not ours: another owner's of the same subdomain, and one that is no manifest at all.
    age(&tenant, &id, "20190101T000000");
    let others = format!("{slug}/manifest-20190101T000000.json");
    let text = String::from_utf8(tenant.object(&others)).expect("it is UTF-8");
    tenant.put(
        &others,
        text.replace(crate::tenant::MARKER, "somebody-else").as_bytes(),
    );
    tenant.put(&format!("{slug}/manifest-20180101T000000.json"), b"garbage");
    let before = tenant.keys();
    let dry = tenant
        .prune_job(BackupPurpose::Scheduled, 30)
        .dry_run()
        .run()
        .done();
    assert_eq!(
        dry.stdout.matches("would delete backup").count(),
        2,
        "{}",
        dry.stdout
    );
    assert_eq!(tenant.keys(), before);
    assert_eq!(
        pruned(&tenant.prune_job(BackupPurpose::Scheduled, 30).run().done()),
        (2, 2)
    );
    let after = tenant.keys();
    let gone: Vec<_> = before.iter().filter(|key| !after.contains(key)).collect();
    assert_eq!(gone.len(), 6, "{gone:?}");
    assert!(
        gone.iter()
            .all(|key| key.contains("20200101T000000.") || key.contains("20210101T000000.")),
        "{gone:?}"
    );
    assert!(foreign.iter().all(|key| after.contains(key)), "{after:?}");
    assert_eq!(
        pruned(&tenant.prune_job(BackupPurpose::Scheduled, 30).run().done()),
        (0, 2)
    );
    // What is left is the last good one, however short the retention.
    assert_eq!(
        pruned(&tenant.prune_job(BackupPurpose::Scheduled, 0).run().done()),
        (0, 2)
    );
    tenant.verify_job("latest").run().done();
    let refused = tenant.prune_job(BackupPurpose::Final, 0).run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::Refused), "FinalIsKept")
    );
}

#[test]
fn a_backup_prunes_what_has_become_too_old() {
    let Some(tenant) = Tenant::new() else { return };
    let id = backup_report(&tenant.backup_job().run().done()).id;
    age(&tenant, &id, "20200101T000000");
    age(&tenant, &id, "20200102T000000");
    // An object that an interrupted run has left is too young by the store's clock: it may still be growing.
    let leftover = format!("{}/backup-20200103T000000.dump.zst", tenant.slug);
    tenant.put(&leftover, b"half");
    assert_eq!(backup_report(&tenant.backup_job().run().done()).pruned, 2);
    let keys = tenant.keys();
    assert!(
        !keys
            .iter()
            .any(|key| key.contains("20200101") || key.contains("20200102")),
        "{keys:?}"
    );
    assert!(keys.contains(&leftover));
}

#[test]
fn a_final_backup_is_kept_for_ever() {
    let Some(tenant) = Tenant::new() else { return };
    let mut backup = tenant.backup();
    backup.purpose = BackupPurpose::Final;
    backup.retention_days = 0;
    let job = tenant.job(&Command::Backup(backup));
    let ids: Vec<_> = (0..2).map(|_| backup_report(&job.run().done()).id).collect();
    assert!(ids.iter().all(|id| id.starts_with("final/")), "{ids:?}");
    assert_eq!(tenant.keys().len(), 6);
    assert_eq!(
        verify_report(&tenant.verify_job("final/latest").run().done()).id,
        ids[1]
    );
}

#[test]
fn a_killed_pruning_is_simply_run_again() {
    let Some(tenant) = Tenant::new() else { return };
    let id = backup_report(&tenant.backup_job().run().done()).id;
    prove_every_boundary(
        "backup-prune",
        |_| {
            age(&tenant, &id, "20200101T000000");
            tenant.prune_job(BackupPurpose::Scheduled, 30)
        },
        |_, _| assert_eq!(tenant.keys().len(), 3),
    );
}
