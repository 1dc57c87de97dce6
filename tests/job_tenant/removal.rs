//! tenant-release and filestore-remove: the end of a tenant, and only behind its final backup.

use std::{fs, os::unix::fs::symlink};

use function_odoo::contract::{ExitCode, RemovedReport, Report};

use crate::{
    init::Session,
    job::{Finished, prove_every_boundary},
    servers::{
        postgres::{ADMIN, SUPERUSER},
        s3::S3,
    },
    world::{FILES, Tenant, World, access_report, quoted, store, template_files, write},
};

fn removed(finished: &Finished) -> RemovedReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Removed(report)) => report,
        other => unreachable!("a report of what was removed, and not {other:?}"),
    }
}

/// What no run has left: neither the directory nor what it is renamed to.
fn prove_removed(world: &World, tenant: &Tenant) {
    let names: Vec<_> = fs::read_dir(world.data.join("filestore"))
        .expect("it is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(&tenant.database))
        .collect();
    assert_eq!(names, Vec::<String>::new());
}

#[test]
fn a_tenant_goes_behind_its_final_backup() {
    let (Some(world), Some(store)) = (World::new(), store()) else {
        return;
    };
    let tenant = world.finished();
    let database = &tenant.database;
    let state = world.state(database);
    for command in [
        world.release(&tenant, "final/20260101T000000", &store),
        world.release(&tenant, "no id", &store),
    ] {
        let without = world.job(&command).run();
        assert_ne!(without.code, Some(ExitCode::Done), "{}", without.log);
        assert_eq!(world.state(database), state, "{}", without.message());
    }
    world.job(&world.suspend(&tenant)).run().done();
    let backup = world.back_up(&tenant, &store);
    let dry = world
        .job(&world.release(&tenant, &backup, &store))
        .dry_run()
        .run()
        .done();
    assert!(dry.stdout.contains("would hide"), "{}", dry.stdout);
    world.job(&world.resume(&tenant, 19)).run().done();

    // A pool that came back is no reason not to: it is hidden again.
    let session = Session::open(&world, "plana", database);
    let report = access_report(&world.job(&world.release(&tenant, &backup, &store)).run().done());
    assert_eq!(
        (report.owner.as_str(), report.sessions_ended, report.unchanged),
        (ADMIN, 1, false)
    );
    assert!(!session.is_alive());
    assert!(
        world.postgres.sql_as(ADMIN, database, "SELECT 1").is_err(),
        "it is closed to all"
    );
    let state = world.state(database);
    assert!(access_report(&world.job(&world.release(&tenant, &backup, &store)).run().done()).unchanged);
    assert_eq!(world.state(database), state);
    let closed = world.job(&world.suspend(&tenant)).run();
    assert_eq!(
        (closed.code, closed.reason()),
        (Some(ExitCode::Refused), "DatabaseClosed")
    );

    // A teardown that was cancelled, and one that was not.
    world.job(&world.resume(&tenant, 19)).run().done();
    world.prove_finished(&tenant);
    world.job(&world.release(&tenant, &backup, &store)).run().done();
    let drop = format!("DROP DATABASE {}", quoted(database));
    world
        .postgres
        .sql_as(ADMIN, SUPERUSER, &drop)
        .expect("the login may drop it");
    let gone = access_report(&world.job(&world.release(&tenant, &backup, &store)).run().done());
    assert_eq!((gone.owner.as_str(), gone.unchanged), ("", true));

    let report = removed(&world.job(&world.remove(&tenant, &backup, &store)).run().done());
    let bytes: usize = FILES.iter().map(|(_, content)| content.len()).sum();
    assert_eq!(
        report,
        RemovedReport {
            files: 3,
            bytes: bytes as u64
        }
    );
    prove_removed(&world, &tenant);
    let again = removed(&world.job(&world.remove(&tenant, &backup, &store)).run().done());
    assert_eq!(again, RemovedReport::default());
}

#[test]
fn nothing_goes_while_the_tenant_is_served_or_its_backup_is_not_whole() {
    let (Some(world), Some(store), Some(s3)) = (World::new(), store(), S3::shared()) else {
        return;
    };
    let tenant = world.finished();
    let backup = world.back_up(&tenant, &store);
    let filestore = world.filestore(&tenant.database);
    let intact = || assert_eq!(crate::world::files_below(&filestore), template_files());

    let served = world.job(&world.remove(&tenant, &backup, &store)).run();
    assert_eq!(
        (served.code, served.reason()),
        (Some(ExitCode::Refused), "TenantServed")
    );
    intact();
    world.job(&world.suspend(&tenant)).run().done();
    let dry = world
        .job(&world.remove(&tenant, &backup, &store))
        .dry_run()
        .run()
        .done();
    assert!(dry.stdout.contains("with 3 files"), "{}", dry.stdout);
    intact();

    // Another tenant's directory is not behind this tenant's backup.
    let mut other = tenant.clone();
    other.marker = "another-uid".to_owned();
    let foreign = world.job(&world.remove(&other, &backup, &store)).run();
    assert_eq!(
        (foreign.code, foreign.reason()),
        (Some(ExitCode::Refused), "ForeignDatabase")
    );
    let mut gone = tenant.clone();
    gone.database = "never-there.planapulse.app".to_owned();
    write(&world.filestore(&gone.database).join(FILES[0].0), "somebody's");
    let foreign = world.job(&world.remove(&gone, &backup, &store)).run();
    assert_eq!(
        (foreign.code, foreign.reason()),
        (Some(ExitCode::Refused), "ForeignBackup")
    );
    assert!(world.filestore(&gone.database).join(FILES[0].0).exists());

    let key = s3
        .keys(&store.bucket)
        .into_iter()
        .find(|key| key.contains("/filestore-"))
        .expect("the archive is there");
    let deleted = s3
        .request("DELETE", &format!("/{}/{key}", store.bucket), &[])
        .expect("it answers");
    assert_eq!(deleted.status, 204);
    for command in [
        world.remove(&tenant, &backup, &store),
        world.release(&tenant, &backup, &store),
    ] {
        let state = world.state(&tenant.database);
        let lacking = world.job(&command).run();
        assert_eq!(lacking.code, Some(ExitCode::GiveUp), "{}", lacking.log);
        assert!(lacking.message().contains("filestore-"), "{}", lacking.message());
        assert_eq!(world.state(&tenant.database), state);
        intact();
    }
}

#[test]
fn no_link_is_followed() {
    let (Some(world), Some(store)) = (World::new(), store()) else {
        return;
    };
    let tenant = world.finished();
    let backup = world.back_up(&tenant, &store);
    world.job(&world.suspend(&tenant)).run().done();
    let (filestore, elsewhere) = (world.filestore(&tenant.database), world.data.join("elsewhere"));
    write(&elsewhere.join("precious"), "precious");
    // A link within: it goes, and what it leads to stays.
    symlink(&elsewhere, filestore.join("ab")).expect("the folder is ours");
    symlink(elsewhere.join("precious"), filestore.join("0a/link")).expect("the folder is ours");
    let moved = world.data.join("moved");
    fs::rename(&filestore, &moved).expect("the folder is ours");
    symlink(&moved, &filestore).expect("the folder is ours");
    let refused = world.job(&world.remove(&tenant, &backup, &store)).run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::Refused), "FilestoreUnsafe")
    );
    fs::remove_file(&filestore).expect("it is a link");
    fs::rename(&moved, &filestore).expect("the folder is ours");
    let report = removed(&world.job(&world.remove(&tenant, &backup, &store)).run().done());
    assert_eq!(report.files, 5);
    assert_eq!(
        fs::read_to_string(elsewhere.join("precious")).expect("it is there"),
        "precious"
    );
    prove_removed(&world, &tenant);
}

#[test]
fn both_are_continued_wherever_they_were_killed() {
    let (Some(world), Some(store)) = (World::new(), store()) else {
        return;
    };
    let tenant = world.finished();
    let backup = world.back_up(&tenant, &store);
    let release = |_| {
        world.job(&world.resume(&tenant, 19)).run().done();
        world.job(&world.release(&tenant, &backup, &store))
    };
    prove_every_boundary("tenant-release", release, |_, _| {
        assert_eq!(world.owner(&tenant.database), ADMIN);
        assert!(
            world
                .postgres
                .sql_as(ADMIN, &tenant.database, "SELECT 1")
                .is_err()
        );
    });
    let remove = |_| {
        for (name, content) in FILES {
            write(&world.filestore(&tenant.database).join(name), content);
        }
        world.job(&world.remove(&tenant, &backup, &store))
    };
    prove_every_boundary("filestore-remove", remove, |_, _| prove_removed(&world, &tenant));
}
