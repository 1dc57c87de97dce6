//! tenant-init: the good run, the second one, and those that were ended on the way.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use function_odoo::contract::{self, ExitCode, Origin};
use pbkdf2::pbkdf2_hmac;

use crate::{
    job::prove_every_boundary,
    servers::{
        postgres::{ADMIN, MAINTENANCE, POOL, SUPERUSER},
        tmpfs::Tmpfs,
    },
    world::{
        FILES, HASH, OWNER_EMAIL, OWNER_NAME, PASSWORD, TEMPLATE, Tenant, World, fill, mark, quoted,
        template_files, tenant_report, write,
    },
};

#[test]
fn a_clone_becomes_a_tenants_own_and_stays_so() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let database = &tenant.database;
    let job = world.job(&world.init(&tenant));
    let finished = job.run().done();
    world.prove_finished(&tenant);

    let parameters = world.parameters(database);
    assert_ne!(parameters["database.secret"], "the secret of the template");
    assert_ne!(parameters["database.secret"], parameters["database.uuid"]);
    assert_ne!(parameters["database.create_date"], "2020-01-01 00:00:00");
    assert_eq!(parameters["other"], "stays");
    assert!(!parameters.contains_key("database.enterprise_code"));
    assert!(!parameters.contains_key("database.expiration_date"));
    let row = |query: &str| world.postgres.sql(database, query).remove(0);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        row(
            "SELECT name, complete_name, commercial_company_name, email, email_normalized FROM res_partner WHERE id = 3"
        ),
        [
            text(OWNER_NAME),
            text(OWNER_NAME),
            None,
            text(OWNER_EMAIL),
            text(&OWNER_EMAIL.to_lowercase())
        ]
    );
    assert_eq!(
        row("SELECT name, commercial_company_name, email FROM res_partner WHERE id = 1"),
        [text(OWNER_NAME), text(OWNER_NAME), text(OWNER_EMAIL)]
    );
    assert_eq!(
        row("SELECT name, email FROM res_company"),
        [text(OWNER_NAME), text(OWNER_EMAIL)]
    );
    assert_eq!(
        row("SELECT name FROM res_partner WHERE id = 2"),
        [text("OdooBot")]
    );
    assert_eq!(row("SELECT count(*) FROM res_users_apikeys"), [text("0")]);
    assert_eq!(
        row("SELECT count(*) FROM res_users WHERE totp_secret IS NOT NULL"),
        [text("0")]
    );
    assert_eq!(row("SELECT password FROM res_users WHERE login = 'demo'"), [None]);

    // What a clone does not bring along, and PostgreSQL 15 does not give by itself.
    world
        .postgres
        .sql_as(
            POOL,
            database,
            "CREATE TABLE of_the_pool (id int); CREATE SCHEMA also_of_the_pool",
        )
        .expect("the pool's role may create");
    let public = format!("SELECT has_database_privilege('pg_monitor', '{database}', 'CONNECT')");
    assert_eq!(world.value(SUPERUSER, &public), "f", "CONNECT is not everybody's");

    let report = tenant_report(&finished);
    assert_eq!(report.origin, Origin::Template);
    assert_eq!(report.marker, tenant.marker);
    assert_eq!(report.database_uuid, parameters["database.uuid"]);
    assert_eq!(report.base_version, "19.0.1.3");
    assert_eq!(
        (report.module_count, report.filestore_files, report.password_set),
        (2, 3, true)
    );
    assert!(report.database_bytes > 1_000_000);

    let before = world.state(database);
    let again = job.run().done();
    assert_eq!(world.state(database), before);
    let report_again = tenant_report(&again);
    assert_eq!(report_again.database_uuid, report.database_uuid);
    assert_eq!(
        (report_again.origin, report_again.password_set),
        (Origin::Template, true)
    );
    assert_eq!(again.phases(), ["lock", "gate", "read-back"]);
}

#[test]
fn files_and_folders_are_ours_in_owner_and_mode() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let filestore = world.filestore(&tenant.database);
    let own = fs::metadata(world.data.path()).expect("it is there").uid();
    for (name, mode) in [
        ("", 0o755),
        ("0a", 0o755),
        (FILES[0].0, 0o644),
        (FILES[2].0, 0o644),
    ] {
        let metadata = fs::metadata(filestore.join(name)).expect(name);
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{name}");
        assert_eq!(metadata.uid(), own, "{name}");
    }
}

#[test]
fn a_password_is_hashed_as_odoo_does_and_said_nowhere() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let job = world.job(&world.init(&tenant));
    let job = job
        .secret(contract::ADMIN_PASSWORD_HASH, "")
        .secret(contract::ADMIN_PASSWORD, PASSWORD);
    let finished = job.run().done();
    let said = finished.everything();
    for secret in [PASSWORD, "planted", &world.postgres.password(ADMIN)] {
        assert!(!said.contains(secret), "{secret}");
    }
    let hash = world.value(&tenant.database, "SELECT password FROM res_users WHERE id = 2");
    let parts: Vec<_> = hash.split('$').collect();
    let ["", "pbkdf2-sha512", rounds, salt, stored] = parts[..] else {
        unreachable!("{hash}")
    };
    assert_eq!(rounds, "600000");
    let salt = decoded(salt);
    let mut expected = [0; 64];
    pbkdf2_hmac::<sha2::Sha512>(PASSWORD.as_bytes(), &salt, 600_000, &mut expected);
    assert_eq!(decoded(stored), expected);
    assert!(!said.contains(stored));
}

fn decoded(text: &str) -> Vec<u8> {
    use base64ct::{Base64Unpadded, Encoding};
    Base64Unpadded::decode_vec(&text.replace('.', "+")).expect("it is passlib's base64")
}

#[test]
fn without_a_password_nobody_can_log_in() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let job = world
        .job(&world.init(&tenant))
        .secret(contract::ADMIN_PASSWORD_HASH, "");
    let report = tenant_report(&job.run().done());
    assert!(!report.password_set);
    assert_eq!(
        world.value(
            &tenant.database,
            "SELECT count(*) FROM res_users WHERE password IS NOT NULL"
        ),
        "0"
    );
    let tenant = world.clone_template();
    let before = world.state(&tenant.database);
    let bad = world
        .job(&world.init(&tenant))
        .secret(contract::ADMIN_PASSWORD_HASH, "$2b$12$planted");
    let refused = bad.run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::GiveUp), "PasswordHashUnusable")
    );
    assert!(!refused.everything().contains("planted"));
    assert_eq!(world.state(&tenant.database), before);
}

#[test]
fn a_dry_run_says_and_changes_nothing() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let before = world.state(&tenant.database);
    let dry = world.job(&world.init(&tenant)).dry_run().run().done();
    assert!(dry.stdout.contains("would open"), "{}", dry.stdout);
    assert_eq!(world.state(&tenant.database), before);
    open(&world, &tenant);
    let before = world.state(&tenant.database);
    let dry = world.job(&world.init(&tenant)).dry_run().run().done();
    assert!(dry.stdout.contains("would claim"), "{}", dry.stdout);
    assert_eq!(world.state(&tenant.database), before);
    assert!(!world.filestore(&tenant.database).exists());
}

#[test]
fn it_is_continued_wherever_it_was_killed() {
    let Some(world) = World::new() else { return };
    let mut tenants = Vec::new();
    let make = |_| {
        let tenant = world.clone_template();
        let job = world.job(&world.init(&tenant));
        tenants.push(tenant);
        job
    };
    prove_every_boundary("tenant-init", make, |_, _| ());
    for tenant in &tenants {
        world.prove_finished(tenant);
    }
}

#[test]
fn ids_and_password_are_made_once_however_often_it_is_killed() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let job = world.job(&world.init(&tenant));
    job.kill_before("grants", rustix::process::Signal::KILL);
    let kept = world.parameters(&tenant.database);
    assert!(
        !world.pool_gets_in(&tenant.database),
        "nobody sees it until the last act"
    );
    // A hash that was changed in the Secret meanwhile is not what the tenant was told.
    let other = HASH.replace("$AAEC", "$BBEC");
    let finished = job.secret(contract::ADMIN_PASSWORD_HASH, &other).run().done();
    assert!(!finished.phases().contains(&"personalise".to_owned()));
    assert_eq!(world.parameters(&tenant.database), kept);
    world.prove_finished(&tenant);
}

#[test]
fn of_two_at_once_one_is_refused_by_name() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let job = world.job(&world.init(&tenant));
    let mut first = job.clone().variable("ODOO_JOB_HOLD_BEFORE", "filestore").start();
    first.wait_for("holding before this phase");
    let second = job.run();
    assert_eq!((second.code, second.reason()), (Some(ExitCode::Retry), "Busy"));
    let holder = format!("odoo-job tenant-init {}", tenant.slug);
    assert!(second.message().contains(&holder), "{}", second.message());
    first.kill(rustix::process::Signal::KILL);
    first.wait();
    job.run().done();
    world.prove_finished(&tenant);
}

#[test]
fn a_server_that_goes_away_half_way_is_said_and_survived() {
    let Some(world) = World::own() else { return };
    let tenant = world.clone_template();
    // Hashing takes long enough to be in the middle of it.
    let job = world.job(&world.init(&tenant));
    let job = job
        .secret(contract::ADMIN_PASSWORD_HASH, "")
        .secret(contract::ADMIN_PASSWORD, PASSWORD);
    let mut running = job.start();
    running.wait_for("\"phase\":\"personalise\"");
    world.postgres.kill();
    let lost = running.wait();
    assert_eq!(lost.code, Some(ExitCode::Retry), "{}", lost.log);
    assert!(
        ["LockLost", "ServerLost", "ServerUnreachable"].contains(&lost.reason()),
        "{}",
        lost.reason()
    );
    let away = job.run();
    assert_eq!(
        (away.code, away.reason()),
        (Some(ExitCode::Retry), "ServerUnreachable")
    );
    let place = format!("127.0.0.1:{}", world.postgres.port());
    assert!(away.message().contains(&place), "{}", away.message());
    world.postgres.start_again();
    assert!(tenant_report(&job.run().done()).password_set);
    assert!(world.pool_gets_in(&tenant.database));
}

#[test]
fn a_wrong_password_of_the_server_is_told_from_a_server_that_is_away() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let job = world
        .job(&world.init(&tenant))
        .secret(contract::DATABASE_PASSWORD, "planted-wrong");
    let refused = job.run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::GiveUp), "LoginRefused")
    );
    assert!(!refused.everything().contains("planted-wrong"));
}

#[test]
fn names_are_nothing_but_names() {
    let Some(world) = World::new() else { return };
    let long = "l".repeat(63);
    for name in [
        "it's \"quoted\".planapulse.app",
        "100%s-%I.planapulse.app",
        "a-b.c_d~e f",
        "ünïcode.планета",
        &long,
    ] {
        let tenant = world.clone_as(name);
        world.job(&world.init(&tenant)).run().done();
        world.prove_finished(&tenant);
        world.job(&world.suspend(&tenant)).run().done();
        assert!(!world.pool_gets_in(name), "{name}");
        world.job(&world.resume(&tenant, 19)).run().done();
        assert!(world.pool_gets_in(name), "{name}");
    }
    for (name, reason) in [
        ("l".repeat(64), "NameTooLong"),
        ("a/../b".to_owned(), "NameUnsafe"),
    ] {
        let refused = world.job(&world.init(&Tenant::new(&name))).run();
        assert_eq!(
            (refused.code, refused.reason()),
            (Some(ExitCode::GiveUp), reason),
            "{name}"
        );
    }
}

#[test]
fn a_role_setting_cannot_make_grants_that_grant_nothing() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let setting = format!(
        "ALTER ROLE {ADMIN} IN DATABASE {} SET role = '{POOL}'",
        quoted(&tenant.database)
    );
    world.postgres.sql(SUPERUSER, &setting);
    open(&world, &tenant);
    // The trap: as the pool's role, the grant succeeds and grants nothing.
    let grant = format!("GRANT USAGE, CREATE ON SCHEMA public TO {POOL}");
    world
        .postgres
        .sql_as(ADMIN, &tenant.database, &grant)
        .expect("it ends with success");
    let may = format!("SELECT has_schema_privilege('{POOL}', 'public', 'CREATE')");
    assert_eq!(world.value(&tenant.database, &may), "f");
    world.job(&world.init(&tenant)).run().done();
    assert_eq!(world.value(&tenant.database, &may), "t");
    let marker_owner =
        "SELECT tableowner FROM pg_tables WHERE schemaname = 'planapulse' AND tablename = 'ownership'";
    assert_eq!(world.value(&tenant.database, marker_owner), ADMIN);
    world.prove_finished(&tenant);
}

#[test]
fn a_session_in_the_way_is_named_and_waited_for() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    open(&world, &tenant);
    let session = Session::open(&world, SUPERUSER, &tenant.database);
    let job = world.job(&world.init(&tenant));
    let waiting = job.run();
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
    drop(session);
    job.run().done();
    world.prove_finished(&tenant);
}

#[test]
fn a_full_volume_leaves_nothing_half_copied() {
    let Some(world) = World::new() else { return };
    let Some(volume) = Tmpfs::mount(1 << 20) else {
        return;
    };
    let tenant = world.clone_template();
    let data = volume.path().join("filestore");
    for (name, content) in FILES {
        write(&data.join(TEMPLATE).join(name), content);
    }
    // The last of the three files no longer fits.
    write(&data.join(TEMPLATE).join(FILES[2].0), &"x".repeat(400 << 10));
    write(&data.join("filler"), &"x".repeat(400 << 10));
    open(&world, &tenant);
    let grown = format!(
        "UPDATE ir_attachment SET file_size = {} WHERE store_fname = '{}' AND file_size > 0",
        400 << 10,
        FILES[2].0
    );
    world.postgres.sql(&tenant.database, &grown);
    let mut command = world.init_of(&tenant);
    command.data_directory = volume.path().display().to_string();
    let job = world.job(&contract::Command::TenantInit(command));
    let full = job.run();
    assert_eq!(
        (full.code, full.reason()),
        (Some(ExitCode::Retry), "FilestoreFull"),
        "{}",
        full.log
    );
    let names = || {
        let entries = fs::read_dir(&data).expect("it is there").flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), [TEMPLATE, "filler"]);
    fs::remove_file(data.join("filler")).expect("it is there");
    job.run().done();
    assert_eq!(names(), [tenant.database.as_str(), TEMPLATE]);
}

#[test]
fn a_template_whose_files_are_gone_is_named() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let lost = world.filestore(TEMPLATE).join(FILES[1].0);
    fs::remove_file(&lost).expect("it is there");
    let job = world.job(&world.init(&tenant));
    let missing = job.run();
    assert_eq!(
        (missing.code, missing.reason()),
        (Some(ExitCode::GiveUp), "TemplateFilesMissing")
    );
    assert!(missing.message().contains(FILES[1].0), "{}", missing.message());
    assert!(!world.pool_gets_in(&tenant.database));
    assert!(!world.filestore(&tenant.database).exists());
    // A file that is there, and not whole, is found by the proof.
    write(&lost, "cut");
    let damaged = job.run();
    assert_eq!(
        (damaged.code, damaged.reason()),
        (Some(ExitCode::GiveUp), "FilesMissing")
    );
    assert!(!world.pool_gets_in(&tenant.database));
}

#[test]
fn a_leftover_directory_is_never_mixed_in() {
    let Some(world) = World::new() else { return };
    let tenant = world.clone_template();
    let leftover = world
        .filestore(&tenant.database)
        .join("ab/ab00000000000000000000000000000000000000");
    write(&leftover, "of an earlier tenant");
    let job = world.job(&world.init(&tenant));
    let refused = job.run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::GiveUp), "FilestoreLeftover")
    );
    assert!(leftover.exists());
    assert!(!world.pool_gets_in(&tenant.database));
    // A file that the database names is the same file; marks of Odoo's garbage collection are no data.
    let (name, content) = FILES[0];
    write(&world.filestore(&tenant.database).join(name), content);
    fs::remove_file(&leftover).expect("it is there");
    write(&world.filestore(&tenant.database).join("checklist/ab/mark"), "");
    job.run().done();
    assert_eq!(
        crate::world::files_below(&world.filestore(&tenant.database)),
        template_files()
    );
}

#[test]
fn a_template_that_lies_about_itself_is_not_published() {
    let Some(world) = World::new() else { return };
    let lies = [
        (
            "UPDATE ir_module_module SET state = 'to upgrade' WHERE name = 'web'",
            "ModulesUnsettled",
        ),
        (
            "UPDATE ir_module_module SET latest_version = '18.0.1.3' WHERE name = 'base'",
            "WrongVersion",
        ),
        (
            "UPDATE ir_module_module SET state = 'uninstalled' WHERE name = 'base'",
            "BaseNotInstalled",
        ),
        (
            "UPDATE res_users SET active = false WHERE id = 2",
            "AdministratorMissing",
        ),
        (
            "DELETE FROM ir_config_parameter WHERE key = 'database.uuid'",
            "NotPersonalised",
        ),
        (
            "UPDATE ir_attachment SET store_fname = '../../secret'",
            "AttachmentUnsafe",
        ),
        ("CREATE TABLE of_the_superuser (id int)", "ObjectsForeign"),
    ];
    for (lie, reason) in lies {
        let tenant = world.clone_template();
        open(&world, &tenant);
        world.postgres.sql(&tenant.database, lie);
        let found = world.job(&world.init(&tenant)).run();
        assert_eq!(
            (found.code, found.reason()),
            (Some(ExitCode::GiveUp), reason),
            "{lie}: {}",
            found.log
        );
        assert!(!world.pool_gets_in(&tenant.database), "{lie}");
        assert_eq!(world.owner(&tenant.database), MAINTENANCE, "{lie}");
    }
}

#[test]
fn another_installations_tenant_is_taken_over_as_it_is() {
    let Some(world) = World::new() else { return };
    let database = format!("{}.planapulse.app", crate::servers::unique("old"));
    world.postgres.create_database(&database, POOL);
    fill(world.postgres, &database);
    mark(
        world.postgres,
        &database,
        "of-another-cluster",
        "tenant",
        "old",
        "ready",
    );
    for (name, content) in FILES {
        write(&world.filestore(&database).join(name), content);
    }
    let session = Session::open(&world, POOL, &database);
    let tenant = Tenant::new(&database);
    let before = world.state(&database);
    let refused = world.job(&world.init(&tenant)).run();
    assert_eq!(
        (refused.code, refused.reason()),
        (Some(ExitCode::Refused), "ForeignDatabase")
    );
    assert!(
        refused.message().contains("of-another-cluster"),
        "{}",
        refused.message()
    );
    assert_eq!(world.state(&database), before);

    let mut command = world.init_of(&tenant);
    command.adopt = Some("of-another-cluster".to_owned());
    let job = world.job(&contract::Command::TenantInit(command));
    let killed = job.kill_before("adopt", rustix::process::Signal::KILL);
    assert_eq!(killed.code, None);
    assert_eq!(world.state(&database), before);
    let report = tenant_report(&job.run().done());
    assert_eq!((report.origin, report.password_set), (Origin::Adopted, false));
    assert_eq!(report.database_uuid, "11111111-1111-1111-1111-111111111111");
    let parameters = world.parameters(&database);
    assert_eq!(
        parameters["web.base.url"],
        format!("https://{}.example", tenant.slug)
    );
    assert_eq!(parameters["database.secret"], "the secret of the template");
    let user = "SELECT login || password FROM res_users WHERE id = 2";
    assert_eq!(world.value(&database, user), "adminadmin");
    assert!(session.is_alive(), "it may be serving all the while");
    let state = world.state(&database);
    assert_eq!(tenant_report(&job.run().done()).origin, Origin::Adopted);
    assert_eq!(world.state(&database), state);
}

#[test]
fn a_tenant_from_before_is_marked_by_hand_and_taken_over() {
    let Some(world) = World::new() else { return };
    let database = format!("{}.planapulse.app", crate::servers::unique("before"));
    world.postgres.create_database(&database, POOL);
    fill(world.postgres, &database);
    for (name, content) in FILES {
        write(&world.filestore(&database).join(name), content);
    }
    let tenant = Tenant::new(&database);
    // What docs/odoo-job.md tells an operator to run, as the login of the Jobs.
    let document = include_str!("../../docs/odoo-job.md");
    let statements = document
        .split("```sql\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let statements = statements
        .expect("a block of SQL")
        .replace("'acme'", &format!("'{}'", tenant.slug));
    world
        .postgres
        .sql_as(ADMIN, &database, &statements)
        .expect("it is right");

    let mut command = world.init_of(&tenant);
    command.adopt = Some("acme-before-2026".to_owned());
    command.tenant.marker = "acme-before-2026".to_owned();
    let job = world.job(&contract::Command::TenantInit(command));
    let report = tenant_report(&job.run().done());
    assert_eq!((report.origin, report.password_set), (Origin::Adopted, false));
    let parameters = world.parameters(&database);
    assert_eq!(
        parameters["web.base.url"],
        format!("https://{}.example", tenant.slug)
    );
    assert_eq!(parameters["database.secret"], "the secret of the template");
    let user = "SELECT login || password FROM res_users WHERE id = 2";
    assert_eq!(world.value(&database, user), "adminadmin");
    let state = world.state(&database);
    assert_eq!(tenant_report(&job.run().done()).origin, Origin::Adopted);
    assert_eq!(world.state(&database), state);
}

/// Opens a clone, as a run that was killed after `open` leaves it.
pub fn open(world: &World, tenant: &Tenant) {
    let name = quoted(&tenant.database);
    let statement = format!(
        "REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} ALLOW_CONNECTIONS true"
    );
    world.postgres.sql(SUPERUSER, &statement);
}

/// A `psql` that stays in a database until this is dropped.
pub struct Session(std::cell::RefCell<std::process::Child>);

impl Session {
    pub fn open(world: &World, role: &str, database: &str) -> Self {
        use std::io::{BufRead, BufReader, Write};
        let mut child = std::process::Command::new(world.postgres.bin().join("psql"))
            .env_clear()
            .envs(world.postgres.environment(role, database))
            .env("PGAPPNAME", "a person")
            .arg("--no-psqlrc")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("psql starts");
        // Kept open by the child's own field: psql ends with its input.
        writeln!(child.stdin.as_mut().expect("it is piped"), "\\echo ready").expect("it reads");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped"))
            .read_line(&mut line)
            .expect("it answers");
        assert_eq!(line.trim(), "ready");
        Self(std::cell::RefCell::new(child))
    }

    /// Whether the server still talks to it: asked for a row, it answers.
    pub fn is_alive(&self) -> bool {
        let mut child = self.0.borrow_mut();
        let asked = writeln!(
            child.stdin.as_mut().expect("it is piped"),
            "SELECT 'ali' || 've';\n\\echo end"
        );
        if asked.is_err() {
            return false;
        }
        let stdout = child.stdout.as_mut().expect("it is piped");
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines
            .take_while(|line| line != "end")
            .any(|line| line.contains("alive"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut child = self.0.borrow_mut();
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}
