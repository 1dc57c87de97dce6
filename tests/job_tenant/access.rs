//! tenant-suspend and tenant-resume: hidden means hidden from everybody, and back means as it was.

use function_odoo::contract::ExitCode;

use crate::{
    init::{Session, open},
    job::prove_every_boundary,
    servers::postgres::{ADMIN, MAINTENANCE, POOL, SUPERUSER},
    world::{World, access_report, mark, quoted},
};

#[test]
fn a_suspended_tenant_is_seen_by_nobody_and_comes_back() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let database = &tenant.database;
    // Monitoring that was given CONNECT by name, and a role that got it from another.
    let name = quoted(database);
    let monitoring = crate::servers::unique("monitoring");
    world.postgres.sql(
        SUPERUSER,
        &format!("CREATE ROLE \"{monitoring}\" LOGIN; GRANT CONNECT ON DATABASE {name} TO \"{monitoring}\" WITH GRANT OPTION"),
    );
    world.postgres.sql(
        SUPERUSER,
        &format!("SET ROLE \"{monitoring}\"; GRANT CONNECT ON DATABASE {name} TO pg_monitor"),
    );
    let session = Session::open(&world, POOL, database);
    let data = world.value(
        database,
        "SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM res_users u",
    );

    let suspended = world.job(&world.suspend(&tenant)).run().done();
    let report = access_report(&suspended);
    assert_eq!(
        (report.owner.as_str(), report.sessions_ended, report.unchanged),
        (MAINTENANCE, 1, false)
    );
    assert!(!session.is_alive());
    let refused = world.postgres.sql_as(POOL, database, "SELECT 1").unwrap_err();
    assert!(refused.contains("permission denied for database"), "{refused}");
    let listed = format!(
        "SELECT count(*) FROM pg_database WHERE datname = '{database}' AND datdba = \
         (SELECT oid FROM pg_roles WHERE rolname = '{POOL}') AND datallowconn"
    );
    assert_eq!(world.value(SUPERUSER, &listed), "0", "as Odoo lists databases");
    for role in [monitoring.as_str(), "pg_monitor", POOL] {
        let may = format!("SELECT has_database_privilege('{role}', '{database}', 'CONNECT')");
        assert_eq!(world.value(SUPERUSER, &may), "f", "{role}");
    }
    world
        .postgres
        .sql_as(ADMIN, database, "SELECT count(*) FROM res_users")
        .expect("the Jobs still can");

    let state = world.state(database);
    let again = access_report(&world.job(&world.suspend(&tenant)).run().done());
    assert_eq!(
        (again.owner.as_str(), again.sessions_ended, again.unchanged),
        (MAINTENANCE, 0, true)
    );
    assert_eq!(world.state(database), state);

    let report = access_report(&world.job(&world.resume(&tenant, 19)).run().done());
    assert_eq!((report.owner.as_str(), report.unchanged), (POOL, false));
    world.prove_finished(&tenant);
    assert_eq!(
        world.value(
            database,
            "SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM res_users u"
        ),
        data
    );
    let state = world.state(database);
    assert!(access_report(&world.job(&world.resume(&tenant, 19)).run().done()).unchanged);
    assert_eq!(world.state(database), state);
}

#[test]
fn a_suspended_tenant_is_finished_and_stays_suspended() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    world.job(&world.suspend(&tenant)).run().done();
    let state = world.state(&tenant.database);
    world.job(&world.init(&tenant)).run().done();
    assert_eq!(world.state(&tenant.database), state);
}

#[test]
fn suspend_and_resume_are_continued_wherever_they_were_killed() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let open = |world: &World| world.job(&world.resume(&tenant, 19)).run().done();
    let suspend = |_| {
        open(&world);
        world.job(&world.suspend(&tenant))
    };
    prove_every_boundary("tenant-suspend", suspend, |_, _| {
        assert_eq!(world.owner(&tenant.database), MAINTENANCE);
        assert!(!world.pool_gets_in(&tenant.database));
    });
    let resume = |_| {
        world.job(&world.suspend(&tenant)).run().done();
        world.job(&world.resume(&tenant, 19))
    };
    prove_every_boundary("tenant-resume", resume, |_, _| world.prove_finished(&tenant));
}

#[test]
fn a_tenant_of_another_major_is_not_resumed() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    world.job(&world.suspend(&tenant)).run().done();
    let state = world.state(&tenant.database);
    let refused = world.job(&world.resume(&tenant, 18)).run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::GiveUp), "WrongVersion")
    );
    assert!(refused.message().contains("19.0.1.3"), "{}", refused.message());
    assert_eq!(world.state(&tenant.database), state);
}

#[test]
fn an_unfinished_tenant_is_not_resumed() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    world
        .job(&world.init(&tenant))
        .kill_before("personalise", rustix::process::Signal::KILL);
    let state = world.state(&tenant.database);
    let refused = world.job(&world.resume(&tenant, 19)).run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::GiveUp), "TenantUnfinished")
    );
    assert_eq!(world.state(&tenant.database), state);
}

#[test]
fn dry_runs_change_nothing() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let state = world.state(&tenant.database);
    for command in [world.suspend(&tenant), world.resume(&tenant, 19)] {
        let dry = world.job(&command).dry_run().run().done();
        assert!(dry.stdout.contains("would "), "{}", dry.stdout);
        assert_eq!(world.state(&tenant.database), state);
    }
}

#[test]
fn a_superusers_session_is_named_and_the_tenant_is_hidden_all_the_same() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let session = Session::open(&world, SUPERUSER, &tenant.database);
    let waiting = world.job(&world.suspend(&tenant)).run();
    assert_eq!(
        (waiting.code, waiting.reason()),
        (Some(ExitCode::Retry), "SessionsRemain")
    );
    assert!(
        waiting.message().contains("postgres (a person)"),
        "{}",
        waiting.message()
    );
    assert!(session.is_alive());
    assert!(!world.pool_gets_in(&tenant.database));
    drop(session);
    assert!(access_report(&world.job(&world.suspend(&tenant)).run().done()).unchanged);
}

#[test]
fn a_comment_that_says_otherwise_does_not_count_where_the_row_can_be_read() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    open(&world, &tenant);
    mark(
        world.postgres,
        &tenant.database,
        "theirs",
        "tenant",
        "other",
        "ready",
    );
    let lie = format!(
        "COMMENT ON DATABASE {} IS 'function-odoo {{\"id\":\"{}\",\"purpose\":\"tenant\",\"subject\":\"{}\",\"state\":\"ready\"}}'",
        quoted(&tenant.database),
        tenant.marker,
        tenant.slug
    );
    world.postgres.sql(SUPERUSER, &lie);
    let refused = world.job(&world.suspend(&tenant)).run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::Refused), "ForeignDatabase")
    );
}
