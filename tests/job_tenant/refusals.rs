//! What is not a tenant's own is refused, with whose it is and the way out, and is not touched.

use function_odoo::contract::{Command, ExitCode};

use crate::{
    init::open,
    servers::{
        postgres::{MAINTENANCE, POOL, SUPERUSER},
        unique,
    },
    world::{TEMPLATE, Tenant, World, fill, mark, quoted},
};

/// Refused, named, and nothing changed: neither the database nor a file.
fn prove_refused(world: &World, tenant: &Tenant, command: &Command, reason: &str, words: &[&str]) {
    let before = world.state(&tenant.database);
    for job in [world.job(command), world.job(command).dry_run()] {
        let refused = job.run();
        assert_eq!(
            (refused.code, refused.reason()),
            (Some(ExitCode::Refused), reason),
            "{}\n{}",
            tenant.database,
            refused.log
        );
        for word in words {
            assert!(refused.message().contains(word), "{word}: {}", refused.message());
        }
        assert_eq!(world.state(&tenant.database), before, "{reason}");
        assert!(!world.filestore(&tenant.database).exists(), "{reason}");
    }
}

/// A database of Odoo's without a marker.
fn unmarked(world: &World, owner: &str) -> Tenant {
    let database = format!("{}.planapulse.app", unique("unmarked"));
    world.postgres.create_database(&database, owner);
    fill(world.postgres, &database);
    Tenant::new(&database)
}

#[test]
fn a_published_database_without_a_marker_is_nobodys_to_take() {
    let Some(world) = World::new() else { return };
    let tenant = unmarked(&world, POOL);
    let command = world.init(&tenant);
    prove_refused(
        &world,
        &tenant,
        &command,
        "DatabaseUnmarked",
        &["owned by plana", "PUBLIC", "adoptDatabase"],
    );
    for command in [world.suspend(&tenant), world.resume(&tenant, 19)] {
        prove_refused(&world, &tenant, &command, "DatabaseUnmarked", &[&tenant.marker]);
    }
    let mut adopting = world.init_of(&tenant);
    adopting.adopt = Some("some-id".to_owned());
    let command = Command::TenantInit(adopting);
    prove_refused(
        &world,
        &tenant,
        &command,
        "NotAdoptable",
        &["some-id", "no marker"],
    );
}

#[test]
fn a_hidden_database_without_a_marker_is_taken_only_when_it_is_empty() {
    let Some(world) = World::new() else { return };
    let tenant = unmarked(&world, MAINTENANCE);
    open(&world, &tenant);
    prove_refused(
        &world,
        &tenant,
        &world.init(&tenant),
        "DatabaseUnmarked",
        &["plana_maint"],
    );
    let mut empty_wanted = world.init_of(&tenant);
    empty_wanted.template = None;
    let command = Command::TenantInit(empty_wanted);
    prove_refused(&world, &tenant, &command, "DatabaseUnmarked", &["empty"]);

    let empty = world.empty();
    open(&world, &empty);
    prove_refused(
        &world,
        &empty,
        &world.init(&empty),
        "DatabaseEmpty",
        &["cloned again"],
    );
}

#[test]
fn another_tenants_database_is_refused_whoever_asks() {
    let Some(world) = World::new() else { return };
    let theirs = world.finished();
    let before = world.filestore(&theirs.database);
    assert!(before.exists());
    let mut tenant = Tenant::new(&theirs.database);
    let state = world.state(&theirs.database);
    for command in [
        world.init(&tenant),
        world.suspend(&tenant),
        world.resume(&tenant, 19),
    ] {
        let refused = world.job(&command).run();
        assert_eq!(
            (refused.code, refused.reason()),
            (Some(ExitCode::Refused), "ForeignDatabase")
        );
        for word in [&theirs.marker, &theirs.slug, "nothing was touched"] {
            assert!(refused.message().contains(word), "{}", refused.message());
        }
        assert_eq!(world.state(&theirs.database), state);
    }
    // The same for the right id and the wrong slug: a tenant is both.
    tenant.marker.clone_from(&theirs.marker);
    let refused = world.job(&world.init(&tenant)).run();
    assert_eq!(refused.reason(), "ForeignDatabase");
    assert_eq!(world.state(&theirs.database), state);
}

#[test]
fn a_clone_that_others_see_or_of_another_template_is_refused() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    open(&world, &tenant);
    let change = |statement: &str| {
        let statement = statement.replace("DATABASE", &format!("DATABASE {}", quoted(&tenant.database)));
        world.postgres.sql(SUPERUSER, &statement);
    };
    change("GRANT CONNECT ON DATABASE TO PUBLIC");
    prove_refused(
        &world,
        &tenant,
        &world.init(&tenant),
        "DatabasePublished",
        &["PUBLIC"],
    );
    change("REVOKE CONNECT ON DATABASE FROM PUBLIC");
    change(&format!("ALTER DATABASE OWNER TO {POOL}"));
    prove_refused(
        &world,
        &tenant,
        &world.init(&tenant),
        "DatabasePublished",
        &["owned by plana"],
    );
    change(&format!("ALTER DATABASE OWNER TO {MAINTENANCE}"));
    let markers = [
        ("template", "pro-19", "ready", "ForeignDatabase"),
        ("template", "basic-18", "ready", "ForeignDatabase"),
        ("template", "basic-19", "claimed", "TemplateUnfinished"),
        ("tenant", "other", "ready", "ForeignDatabase"),
    ];
    for (purpose, subject, state, reason) in markers {
        mark(
            world.postgres,
            &tenant.database,
            "theirs",
            purpose,
            subject,
            state,
        );
        prove_refused(
            &world,
            &tenant,
            &world.init(&tenant),
            reason,
            &["theirs", subject],
        );
    }
    mark(
        world.postgres,
        &tenant.database,
        "theirs",
        "somewhat",
        "else",
        "ready",
    );
    prove_refused(
        &world,
        &tenant,
        &world.init(&tenant),
        "MarkerUnreadable",
        &["somewhat"],
    );
    // Nothing of all that has left a trace.
    mark(
        world.postgres,
        &tenant.database,
        "template-uid",
        "template",
        "basic-19",
        "ready",
    );
    world.job(&world.init(&tenant)).run().done();
    world.prove_finished(&tenant);
}

#[test]
fn a_closed_clone_that_is_none_of_ours_is_closed_again() {
    let Some(world) = World::new() else { return };
    let database = format!("{}.planapulse.app", unique("closed"));
    world.postgres.create_database(&database, MAINTENANCE);
    fill(world.postgres, &database);
    mark(world.postgres, &database, "theirs", "tenant", "other", "ready");
    let name = quoted(&database);
    // A copy: its row came along, its comment did not.
    world.postgres.sql(
        SUPERUSER,
        &format!("COMMENT ON DATABASE {name} IS NULL; ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
    );
    let tenant = Tenant::new(&database);
    let refused = world.job(&world.init(&tenant)).run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::Refused), "ForeignDatabase")
    );
    let closed = format!("SELECT datallowconn FROM pg_database WHERE datname = '{database}'");
    assert_eq!(world.value(SUPERUSER, &closed), "f");
    assert!(!world.pool_gets_in(&database));
}

#[test]
fn a_template_is_no_tenant() {
    let Some(world) = World::new() else { return };
    let tenant = Tenant::new(TEMPLATE);
    let before = world.state(TEMPLATE);
    for command in [
        world.init(&tenant),
        world.suspend(&tenant),
        world.resume(&tenant, 19),
    ] {
        let refused = world.job(&command).run();
        assert_eq!(
            (refused.code, refused.reason()),
            (Some(ExitCode::Refused), "DatabaseIsTemplate")
        );
    }
    assert_eq!(world.state(TEMPLATE), before);
}

#[test]
fn a_database_that_is_not_there_is_waited_for() {
    let Some(world) = World::new() else { return };
    let tenant = Tenant::new("not-there.planapulse.app");
    for command in [
        world.init(&tenant),
        world.suspend(&tenant),
        world.resume(&tenant, 19),
    ] {
        let missing = world.job(&command).run();
        assert_eq!(
            (missing.code, missing.reason()),
            (Some(ExitCode::Retry), "DatabaseMissing")
        );
        assert!(
            missing.message().contains("not-there.planapulse.app"),
            "{}",
            missing.message()
        );
    }
}
