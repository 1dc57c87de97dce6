//! The servers that other tests lean on: they start, answer, refuse whom they have to, and end with the test.

mod common;
#[path = "common/servers/mod.rs"]
mod servers;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use servers::{
    HOST,
    folder::Folder,
    http,
    odoo::Odoo,
    postgres::{ADMIN, MAINTENANCE, POOL, Postgres, Rows, SUPERUSER},
    redis::{Access, Redis, Reply},
    s3::{ACCESS_KEY, S3},
    tmpfs::Tmpfs,
    unique,
};

/// How long a process may take to be gone.
const LIMIT: Duration = Duration::from_secs(20);

fn one(text: &str) -> Rows {
    vec![vec![Some(text.to_owned())]]
}

fn is_running(pid: u32) -> bool {
    // One that has ended and was not waited for is there still, as a zombie.
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status
        .rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn wait_until_gone(pid: u32) {
    let started = Instant::now();
    while is_running(pid) {
        assert!(started.elapsed() < LIMIT, "process {pid} is still there");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_jobs_role_makes_databases_for_the_pools_roles() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let name = unique("roles");
    let create = format!("CREATE DATABASE \"{name}\" OWNER {POOL}");
    postgres.sql_as(ADMIN, SUPERUSER, &create).expect("it may");
    let refused = postgres
        .sql_as(POOL, SUPERUSER, "CREATE DATABASE \"of-the-pool\"")
        .unwrap_err();
    assert!(
        refused.contains("permission denied to create database"),
        "{refused}"
    );
    postgres
        .sql_as(POOL, &name, "CREATE TABLE note (id int, text text)")
        .expect("it is its own");
    postgres
        .sql_as(
            POOL,
            &name,
            "INSERT INTO note VALUES (1, 'a|b'), (2, ''), (3, NULL)",
        )
        .expect("it is its own");
    let rows = postgres
        .sql_as(ADMIN, &name, "SELECT id, text FROM note ORDER BY id")
        .expect("it is a member");
    let text = |text: &str| Some(text.to_owned());
    let expected = [[text("1"), text("a|b")], [text("2"), text("")], [text("3"), None]];
    assert_eq!(rows, expected);
    assert_eq!(
        postgres.sql(&name, "SELECT id FROM note WHERE id > 3"),
        Rows::new()
    );
    assert_eq!(postgres.sql(&name, "SELECT ''"), one(""));
    let rights = format!(
        "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolsuper AND rolname LIKE '{POOL}%'"
    );
    assert_eq!(
        postgres.sql(SUPERUSER, &rights),
        [[None]],
        "no role of ours is a superuser"
    );
    assert_eq!(
        postgres.sql_as(MAINTENANCE, SUPERUSER, "SELECT current_user"),
        Ok(one(MAINTENANCE))
    );
}

#[test]
fn a_role_per_major_is_a_member_of_the_pools() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    postgres.create_pool_role("plana18");
    let member = |member: &str, role: &str| {
        postgres.sql(
            SUPERUSER,
            &format!("SELECT pg_has_role('{member}', '{role}', 'MEMBER')"),
        )
    };
    assert_eq!(member("plana18", POOL), one("t"));
    assert_eq!(member(ADMIN, "plana18"), one("t"));
    assert_eq!(member(ADMIN, MAINTENANCE), one("t"));
    assert_eq!(member(POOL, MAINTENANCE), one("f"));
    assert_eq!(postgres.sql_as("plana18", SUPERUSER, "SELECT 1"), Ok(one("1")));
}

#[test]
fn postgresql_wants_the_right_password() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    for role in [SUPERUSER, ADMIN, POOL, MAINTENANCE] {
        let mut environment = postgres.environment(role, SUPERUSER);
        environment.push(("PGPASSWORD", "wrong".to_owned()));
        let refused = postgres.psql(&environment, "SELECT 1").unwrap_err();
        assert!(refused.contains("password authentication failed"), "{refused}");
    }
    let url = postgres.url(ADMIN, SUPERUSER);
    let dump = Command::new(postgres.bin().join("pg_dump"))
        .arg("--schema-only")
        .arg(url)
        .output()
        .expect("it starts");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
}

#[test]
fn postgresql_with_tls_is_checked_and_wants_nothing_else() {
    let (Some(plain), Some(postgres)) = (Postgres::shared(), Postgres::with_tls()) else {
        return;
    };
    let ask = |postgres: &Postgres, mode: &str, authority: Option<PathBuf>| {
        let mut environment = postgres.environment(ADMIN, SUPERUSER);
        environment.push(("PGSSLMODE", mode.to_owned()));
        environment.extend(authority.map(|file| ("PGSSLROOTCERT", file.display().to_string())));
        postgres.psql(
            &environment,
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        )
    };
    assert_eq!(ask(&postgres, "verify-full", postgres.authority()), Ok(one("t")));
    let refused = ask(&postgres, "disable", None).unwrap_err();
    assert!(refused.contains("no encryption"), "{refused}");
    let other = Postgres::with_tls().expect("the first was there");
    let refused = ask(&postgres, "verify-full", other.authority()).unwrap_err();
    assert!(refused.contains("SSL error"), "{refused}");
    assert_eq!(plain.authority(), None);
    let refused = ask(plain, "require", None).unwrap_err();
    assert!(refused.contains("server does not support SSL"), "{refused}");
}

#[test]
fn postgresql_comes_back_with_its_data() {
    let Some(postgres) = Postgres::own() else { return };
    postgres.create_database("kept", POOL);
    postgres.sql("kept", "CREATE TABLE note (id int)");
    let (port, pid) = (postgres.port(), postgres.pid().expect("it is running"));
    postgres.stop();
    assert!(!is_running(pid));
    assert_eq!(postgres.pid(), None);
    let refused = postgres.sql_as(ADMIN, "kept", "SELECT 1").unwrap_err();
    assert!(refused.contains("Connection refused"), "{refused}");
    postgres.start_again();
    let pid = postgres.pid().expect("it is running");
    postgres.kill();
    assert!(!is_running(pid));
    postgres.start_again();
    assert_eq!(postgres.port(), port);
    assert_eq!(postgres.sql("kept", "SELECT count(*) FROM note"), one("0"));
    assert!(
        postgres.log().contains("was not properly shut down"),
        "{}",
        postgres.log()
    );
}

#[test]
fn redis_keeps_a_value_behind_its_password() {
    let Some(redis) = Redis::shared() else { return };
    let (database, other) = (redis.database(), redis.database());
    let ask = |database, words: &[&str]| redis.command_in(database, words).expect("it answers");
    assert_eq!(
        ask(database, &["SET", "key", "a\r\nb"]),
        Reply::Status("OK".into())
    );
    assert_eq!(ask(database, &["GET", "key"]), Reply::Value(b"a\r\nb".to_vec()));
    assert_eq!(
        ask(database, &["KEYS", "*"]),
        Reply::Many(vec![Reply::Value(b"key".to_vec())])
    );
    assert_eq!(ask(database, &["DBSIZE"]), Reply::Number(1));
    assert_eq!(ask(other, &["GET", "key"]), Reply::Nothing);
    for password in [None, Some("wrong")] {
        let reply = redis
            .command_as(password, database, &["GET", "key"])
            .expect("it answers");
        assert!(matches!(reply, Reply::Refused(_)), "{password:?}: {reply:?}");
    }
    let password = redis.password().expect("it has one");
    assert_eq!(
        redis.url(database),
        format!("redis://:{password}@{}:{}/{database}", HOST, redis.port())
    );
}

#[test]
fn redis_may_be_open_and_may_go() {
    let Some(redis) = Redis::own(Access::Open) else {
        return;
    };
    assert_eq!(
        redis.command_in(0, &["SET", "key", "value"]).expect("it answers"),
        Reply::Status("OK".into())
    );
    assert_eq!(
        (redis.password(), redis.url(7)),
        (None, format!("redis://127.0.0.1:{}/7", redis.port()))
    );
    let pid = redis.pid().expect("it is running");
    redis.stop();
    assert!(!is_running(pid));
    redis.command_in(0, &["PING"]).expect_err("nobody listens");
    redis.start_again();
    assert_eq!(
        redis.command_in(0, &["GET", "key"]).expect("it answers"),
        Reply::Nothing
    );
}

#[test]
fn s3_keeps_objects_as_files() {
    let Some(s3) = S3::shared() else { return };
    let bucket = s3.bucket("objects");
    let ask = |method: &str, target: &str, body: &[u8]| s3.request(method, target, body).expect("it answers");
    let put = ask("PUT", &format!("/{bucket}/folder/one"), b"the bytes");
    assert_eq!(put.status, 200, "{}", put.text());
    assert!(put.header("etag").is_some(), "{put:?}");
    assert_eq!(
        s3.object(&bucket, "folder/one").as_deref(),
        Some(&b"the bytes"[..])
    );
    assert_eq!(s3.object(&bucket, "folder/two"), None);
    assert_eq!(
        ask("GET", &format!("/{bucket}/folder/one"), b"").text(),
        "the bytes"
    );
    ask("PUT", &format!("/{bucket}/another"), b"");
    assert_eq!(s3.keys(&bucket), ["another", "folder/one"]);
    let list = ask("GET", &format!("/{bucket}?list-type=2&prefix=folder%2F"), b"").text();
    assert!(
        list.contains("<Key>folder/one</Key>") && !list.contains("another"),
        "{list}"
    );
    assert_eq!(s3.unfinished(&bucket), Vec::<PathBuf>::new());
    assert_eq!(ask("POST", &format!("/{bucket}/parts?uploads="), b"").status, 200);
    assert_eq!(s3.unfinished(&bucket).len(), 1);
    assert_eq!(ask("DELETE", &format!("/{bucket}/folder/one"), b"").status, 204);
    assert_eq!(s3.keys(&bucket), ["another"]);
}

#[test]
fn s3_refuses_whom_it_does_not_know() {
    let Some(s3) = S3::shared() else { return };
    let bucket = s3.bucket("refused");
    let target = format!("/{bucket}/object");
    let anonymous = http::request(s3.port(), "PUT", &target, &[], b"x").expect("it answers");
    assert_eq!(anonymous.status, 403, "{}", anonymous.text());
    for (access_key, secret_key, code) in [
        (ACCESS_KEY, "wrong", "SignatureDoesNotMatch"),
        ("unknown", s3.secret_key(), "InvalidAccessKeyId"),
    ] {
        let refused = s3
            .request_with(access_key, secret_key, "PUT", &target, b"x")
            .expect("it answers");
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert!(refused.text().contains(code), "{}", refused.text());
    }
    assert_eq!(s3.keys(&bucket), Vec::<String>::new());
}

#[test]
fn s3_on_a_full_file_system_says_so() {
    let Some(disk) = Tmpfs::mount(1 << 20) else { return };
    let Some(s3) = S3::on(disk.path()) else { return };
    let bucket = s3.bucket("full");
    let put = |bytes: usize| {
        s3.request("PUT", &format!("/{bucket}/object"), &vec![b'x'; bytes])
            .expect("it answers")
    };
    let refused = put(2 << 20);
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert_eq!(s3.keys(&bucket), Vec::<String>::new());
    assert_eq!(put(1000).status, 200);
    assert_eq!(s3.endpoint(), format!("http://127.0.0.1:{}", s3.port()));
    s3.stop();
    s3.request("GET", "/", b"").expect_err("nobody listens");
    s3.start_again();
    assert_eq!(s3.object(&bucket, "object").expect("it is there").len(), 1000);
    let path = disk.path().to_owned();
    drop((s3, disk));
    assert!(!path.exists(), "it is unmounted and removed");
}

#[test]
fn odoo_installs_and_serves_a_database() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let Some(odoo) = Odoo::new(postgres, POOL) else {
        return;
    };
    let database = unique("odoo");
    odoo.install_base(postgres, &database);
    assert_eq!(
        postgres.sql(
            &database,
            "SELECT state FROM ir_module_module WHERE name = 'base'"
        ),
        one("installed")
    );
    let files = "SELECT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL";
    for row in postgres.sql(&database, files) {
        let file = odoo
            .filestore(&database)
            .join(row[0].as_ref().expect("it is not NULL"));
        assert!(file.is_file(), "{}", file.display());
    }
    let log = odoo.run(&[
        "-d",
        &database,
        "-u",
        "no_such_module",
        "--stop-after-init",
        "--no-http",
    ]);
    assert!(
        log.as_ref().is_ok_and(|log| log.contains("invalid module names")),
        "{log:?}"
    );
    odoo.run(&["-d", "no such database", "--stop-after-init", "--no-http"])
        .expect_err("the role makes none");

    let version = Command::new(odoo.program())
        .arg("--version")
        .output()
        .expect("it starts");
    assert!(
        String::from_utf8_lossy(&version.stdout).starts_with("Odoo Server 19."),
        "{version:?}"
    );
    let server = odoo.serve(&format!("^{database}$"), &[&database]);
    let (status, page) = server.login_page("tenant.example").expect("it answers");
    assert!(
        status == 200 && page.contains("name=\"password\""),
        "{status}: {page}\n{}",
        server.log()
    );
    let user = server
        .login("tenant.example", &database, "admin", "admin")
        .expect("so Odoo begins");
    let users = server.execute(
        "tenant.example",
        (&database, user, "admin"),
        ("res.users", "search_count"),
        &json!([[["login", "=", "admin"]]]),
    );
    assert_eq!(users, Ok(Value::from(1)));
    let refused = server
        .login("tenant.example", &database, "admin", "wrong")
        .unwrap_err();
    assert!(refused.contains("admin was not let in"), "{refused}");
    let pid = server.pid();
    server.stop();
    assert!(!is_running(pid));
}

/// Which part this program plays when the test below starts it once more.
const PART: &str = "FUNCTION_ODOO_TEST_PART";

#[test]
fn servers_end_with_the_program_that_started_them() {
    match env::var(PART).as_deref() {
        Ok("killed") => start_servers_and_stay(),
        Ok("ended") => start_a_server_and_end(),
        Ok(other) => unreachable!("there is no part {other}"),
        Err(_) => (),
    }
    if env::var(PART).is_ok() || Postgres::shared().is_none() || S3::shared().is_none() {
        return;
    }
    let mut program = again("killed");
    let (pids, folder) = announced(&mut program);
    assert!(
        pids.len() >= 3 && pids.iter().all(|pid| is_running(*pid)),
        "{pids:?}"
    );
    // It gets no chance to say good-bye.
    program.kill().expect("it is running");
    program.wait().expect("it was killed");
    for pid in pids {
        wait_until_gone(pid);
    }
    assert!(folder.is_dir(), "nobody has removed it: {}", folder.display());

    let mut program = again("ended");
    let (pids, _) = announced(&mut program);
    let output = program.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(pids.len(), 1);
    wait_until_gone(pids[0]);
    assert!(
        !folder.exists(),
        "the next program has removed it: {}",
        folder.display()
    );
}

/// This test once more, in a program of its own.
fn again(part: &str) -> Child {
    let program = env::current_exe().expect("it has a path");
    let mut command = Command::new(program);
    command.args([
        "--exact",
        "servers_end_with_the_program_that_started_them",
        "--nocapture",
    ]);
    command
        .env(PART, part)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

fn announce(pids: &[u32], folder: &Path) {
    let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
    // A line of its own: the harness has begun one with the name of the test.
    println!("\nservers {} in {}", pids.join(" "), folder.display());
}

/// The processes that a program has announced, and its folder. It goes on printing, so its output stays open.
fn announced(program: &mut Child) -> (Vec<u32>, PathBuf) {
    let mut output = BufReader::new(program.stdout.as_mut().expect("it is piped"));
    let lines = output.by_ref().lines();
    let line = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("servers ").map(str::to_owned));
    let line = line.expect("it announces them");
    let (pids, folder) = line.split_once(" in ").expect("it has both");
    let pids = pids
        .split(' ')
        .map(|pid| pid.parse().expect("a number"))
        .collect();
    (pids, folder.into())
}

fn start_servers_and_stay() {
    let (Some(postgres), Some(redis), Some(s3)) = (Postgres::own(), Redis::own(Access::Open), S3::own())
    else {
        unreachable!("they were there a moment ago");
    };
    let mut pids = vec![postgres.pid(), redis.pid(), s3.pid()];
    let worker = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
    pids.push(
        postgres.sql(SUPERUSER, worker)[0][0]
            .as_ref()
            .and_then(|pid| pid.parse().ok()),
    );
    let folder = Folder::new("beside-them");
    let pids: Vec<_> = pids.into_iter().map(|pid| pid.expect("it is running")).collect();
    announce(&pids, folder.path().parent().expect("it is in the program's"));
    loop {
        thread::park();
    }
}

fn start_a_server_and_end() {
    let redis = Redis::shared().expect("it was there a moment ago");
    let folder = Folder::new("of-one-that-ends");
    announce(&[redis.pid().expect("it is running")], folder.path());
}
