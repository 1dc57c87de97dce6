//! tenant-smoke, and tenant-init with what Odoo itself makes: against real Odoo, and against workers that misbehave.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use function_odoo::contract::{self, Command, ExitCode, Origin, Report, SmokeReport};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    job::{Finished, Job, prove_every_boundary},
    servers::{
        odoo::Odoo,
        postgres::{ADMIN, MAINTENANCE, POOL, SUPERUSER},
        unique,
    },
    world::{OWNER_EMAIL, PASSWORD, TEMPLATE, Tenant, World, mark, quoted, tenant_report},
};

/// Keys of the API that are in a database.
const KEYS: &str = "SELECT count(*) FROM res_users_apikeys";
const PATIENCE: &str = "ODOO_JOB_SMOKE_PATIENCE";
const FORM: &str = "<form><input name=\"login\"/><input name=\"password\"/></form>";

fn smoke_report(finished: &Finished) -> SmokeReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Smoke(report)) => report,
        other => unreachable!("a smoke's report, and not {other:?}"),
    }
}

/// What a double answers: status, headers and body.
type Answer = (u16, String, String);

/// Something at the workers' port, which answers as the test says. It is there until the test program ends.
struct Double {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Double {
    /// `answer` gets the request's first line and its body.
    fn start(answer: impl Fn(&str, &Value) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there are free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away half way is none of the test's.
                let _ = serve(stream, &answer, &seen);
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &impl Fn(&str, &Value) -> Answer,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let first = head.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    let (status, headers, text) = answer(&first, &serde_json::from_slice(&body).unwrap_or_default());
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{text}",
        text.len()
    )
}

/// Workers that are good until the read, which the test answers.
fn until_read(read: impl Fn(&Value) -> Answer + Send + 'static) -> Double {
    Double::start(move |first, body| match first {
        "GET /web/login HTTP/1.1" => (200, String::new(), FORM.to_owned()),
        "POST /web/webclient/version_info HTTP/1.1" => {
            let result = json!({ "server_version": "19.0-test", "server_serie": "19.0" });
            (
                200,
                String::new(),
                json!({ "jsonrpc": "2.0", "result": result }).to_string(),
            )
        }
        _ => read(&body["params"]["args"]),
    })
}

fn rpc(result: &Value) -> Answer {
    (
        200,
        String::new(),
        json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string(),
    )
}

#[test]
fn it_asks_as_a_gateway_does_and_compares_with_the_database() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let login = Arc::new(Mutex::new(json!([{ "id": 2, "login": OWNER_EMAIL }])));
    let answer = Arc::clone(&login);
    let key = Arc::new(Mutex::new(String::new()));
    let seen_key = Arc::clone(&key);
    let double = until_read(move |arguments| {
        let given = arguments[2].as_str().unwrap_or_default();
        given.clone_into(&mut seen_key.lock().unwrap_or_else(PoisonError::into_inner));
        match arguments[4].as_str() {
            Some("read") => rpc(&answer.lock().unwrap_or_else(PoisonError::into_inner)),
            _ => rpc(&json!(2)),
        }
    });
    let job = world
        .job(&world.smoke(&tenant, double.port, "acme.example", 19))
        .variable(PATIENCE, "0");
    let finished = job.run().done();
    assert_eq!(smoke_report(&finished).server_version, "19.0-test");
    let heads = double.heads();
    assert_eq!(heads.len(), 4, "{heads:?}");
    for head in heads {
        let head = head.to_ascii_lowercase();
        for line in [
            "\r\nhost: acme.example\r\n",
            "x-forwarded-host: acme.example",
            "x-forwarded-proto: https",
        ] {
            assert!(head.contains(line), "{line}: {head}");
        }
    }
    let key = key.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(key.len(), 40);
    assert!(!finished.everything().contains(&key), "a key is a secret");
    assert_eq!(world.value(&tenant.database, KEYS), "0");
    // Workers that have another database of that name.
    *login.lock().unwrap_or_else(PoisonError::into_inner) = json!([{ "id": 2, "login": "somebody@else" }]);
    let differs = job.run();
    assert_eq!(
        (differs.code, differs.reason()),
        (Some(ExitCode::Retry), "ModelReadDiffers")
    );
    assert_eq!(world.value(&tenant.database, KEYS), "0");
}

#[test]
fn workers_that_misbehave_are_told_apart() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let selector = "Location: http://acme.example/web/database/selector\r\n".to_owned();
    let page = |status, headers: &str, body: &str| {
        let answer = (status, headers.to_owned(), body.to_owned());
        Double::start(move |_, _| answer.clone())
    };
    let denied = json!({ "error": { "data": { "name": "odoo.exceptions.AccessDenied", "message": "Access Denied" } } });
    let broken =
        json!({ "error": { "data": { "name": "psycopg2.errors.UndefinedColumn", "message": "column x" } } });
    let call = |answer: &Value| {
        let answer = answer.to_string();
        until_read(move |_| (200, String::new(), answer.clone()))
    };
    let old = Double::start(|first, _| match first {
        "GET /web/login HTTP/1.1" => (200, String::new(), FORM.to_owned()),
        _ => rpc(&json!({ "server_version": "18.0", "server_serie": "18.0" })),
    });
    let cases = [
        (page(303, &selector, ""), "TenantNotListed", ExitCode::Retry),
        (
            page(302, "Location: /elsewhere\r\n", FORM),
            "TenantRedirected",
            ExitCode::Retry,
        ),
        (page(500, "", ""), "TenantBroken", ExitCode::Retry),
        (page(404, "", ""), "LoginPageMissing", ExitCode::Retry),
        (page(503, "", ""), "WorkersUnavailable", ExitCode::Retry),
        (
            page(200, "", "<h1>Welcome to nginx</h1>"),
            "LoginPageOdd",
            ExitCode::Retry,
        ),
        (
            page(200, "Content-Encoding: x\r\n", &"x".repeat(5 << 20)),
            "AnswerOdd",
            ExitCode::Retry,
        ),
        (call(&denied), "ModelReadDenied", ExitCode::Retry),
        (call(&broken), "ModelReadFailed", ExitCode::Retry),
        (
            until_read(|_| (200, String::new(), "<html>".to_owned())),
            "AnswerOdd",
            ExitCode::Retry,
        ),
        (old, "WrongWorkers", ExitCode::GiveUp),
    ];
    for (double, reason, code) in cases {
        let command = world.smoke(&tenant, double.port, "acme.example", 19);
        let finished = world.job(&command).variable(PATIENCE, "0").run();
        assert_eq!(
            (finished.code, finished.reason()),
            (Some(code), reason),
            "{}",
            finished.log
        );
        assert_eq!(world.value(&tenant.database, KEYS), "0", "{reason}");
    }
    let nobody = world.smoke(&tenant, crate::servers::free_port(), "acme.example", 19);
    let finished = world.job(&nobody).variable(PATIENCE, "0").run();
    assert_eq!(
        (finished.code, finished.reason()),
        (Some(ExitCode::Retry), "WorkersUnreachable")
    );
}

#[test]
fn workers_that_roll_out_are_waited_for_and_silent_ones_can_be_left() {
    let Some(world) = World::new() else { return };
    let tenant = world.finished();
    let begun = Instant::now();
    let double = Double::start(move |first, body| {
        if begun.elapsed() < Duration::from_secs(3) {
            return (503, String::new(), String::new());
        }
        match (first, body["params"]["args"][4].as_str()) {
            ("GET /web/login HTTP/1.1", _) => (200, String::new(), FORM.to_owned()),
            (_, Some("read")) => rpc(&json!([{ "id": 2, "login": OWNER_EMAIL }])),
            (_, Some(_)) => rpc(&json!(2)),
            (_, None) => rpc(&json!({ "server_version": "19.0", "server_serie": "19.0" })),
        }
    });
    let finished = world
        .job(&world.smoke(&tenant, double.port, "acme.example", 19))
        .run()
        .done();
    assert!(smoke_report(&finished).login_page_milliseconds >= 1000);

    // One that hangs in the middle of the read: told to stop, the smoke takes its key with it.
    let silent = until_read(|_| {
        thread::sleep(Duration::from_mins(1));
        rpc(&json!(null))
    });
    let mut running = world
        .job(&world.smoke(&tenant, silent.port, "acme.example", 19))
        .start();
    running.wait_for("\"phase\":\"model-read\"");
    let asked = Instant::now();
    while world.value(&tenant.database, KEYS) != "1" {
        assert!(asked.elapsed() < Duration::from_secs(20), "the key never came");
    }
    running.kill(Signal::TERM);
    let stopped = running.wait();
    assert_eq!(
        (stopped.code, stopped.reason()),
        (Some(ExitCode::Retry), "Stopped")
    );
    assert_eq!(world.value(&tenant.database, KEYS), "0");
}

/// Real Odoo with a template of its own: as template-build leaves it, but for its admin/admin.
struct RealOdoo {
    world: World,
    odoo: Odoo,
    template: String,
}

impl RealOdoo {
    fn new() -> Option<Self> {
        let world = World::new()?;
        let odoo = Odoo::new(world.postgres, POOL)?;
        let template = format!("basic-template-19.{}", unique("odoo"));
        odoo.install_base(world.postgres, &template);
        let name = quoted(&template);
        let postgres = world.postgres;
        postgres.sql(
            SUPERUSER,
            &format!("ALTER DATABASE {name} OWNER TO {MAINTENANCE}"),
        );
        mark(
            postgres,
            &template,
            "template-uid",
            "template",
            "basic-19",
            "ready",
        );
        postgres.sql(
            SUPERUSER,
            &format!("ALTER DATABASE {name} IS_TEMPLATE true ALLOW_CONNECTIONS false"),
        );
        Some(Self {
            world,
            odoo,
            template,
        })
    }

    fn data_directory(&self) -> String {
        let filestore = self.odoo.filestore(TEMPLATE);
        let data = filestore.ancestors().nth(2).expect("data/filestore/NAME");
        data.display().to_string()
    }

    fn tenant(&self) -> Tenant {
        let database = format!("{}.planapulse.app", unique("real"));
        let statement = format!(
            "CREATE DATABASE {} OWNER {MAINTENANCE} TEMPLATE {} ALLOW_CONNECTIONS false",
            quoted(&database),
            quoted(&self.template)
        );
        self.world.postgres.sql(SUPERUSER, &statement);
        Tenant::new(&database)
    }

    fn init(&self, tenant: &Tenant, template: Option<&str>) -> Job {
        let mut command = self.world.init_of(tenant);
        command.template = template.map(str::to_owned);
        command.host.clone_from(&tenant.database);
        command.data_directory = self.data_directory();
        let program = self.odoo.program().display().to_string();
        let job = self
            .world
            .job(&Command::TenantInit(command))
            .variable("ODOO_JOB_ODOO", program);
        job.secret(contract::ADMIN_PASSWORD_HASH, "")
            .secret(contract::ADMIN_PASSWORD, PASSWORD)
    }
}

#[test]
fn real_odoo_serves_the_tenant_to_its_owner_and_to_nobody_else() {
    let Some(real) = RealOdoo::new() else { return };
    let RealOdoo { world, odoo, .. } = &real;
    let tenant = real.tenant();
    let database = tenant.database.as_str();
    let workers = odoo.serve("^%h$", &[]);
    let command = world.smoke(&tenant, workers.port, database, 19);
    let smoke = world.job(&command);
    real.init(&tenant, Some(&real.template))
        .kill_before("publish", Signal::KILL);
    let hidden = smoke.clone().variable(PATIENCE, "2").run();
    assert_eq!(
        (hidden.code, hidden.reason()),
        (Some(ExitCode::Retry), "TenantNotListed"),
        "{}",
        hidden.log
    );
    let report = tenant_report(&real.init(&tenant, Some(&real.template)).run().done());
    assert!(
        report.base_version.starts_with("19.0") && report.filestore_files > 0,
        "{report:?}"
    );
    assert_eq!(report.origin, Origin::Template);

    // What a smoke that was killed has left.
    let stale = "INSERT INTO res_users_apikeys (name, user_id, scope, index, key) \
        VALUES ('odoo-job smoke', 2, 'rpc', 'abcdefgh', 'hash')";
    world.postgres.sql(database, stale);
    let make = |_| smoke.clone();
    prove_every_boundary("tenant-smoke", make, |_, finished| {
        assert!(smoke_report(finished).server_version.starts_with("19.0"));
        assert_eq!(world.value(database, KEYS), "0");
    });

    workers
        .login(database, database, OWNER_EMAIL, PASSWORD)
        .expect("the owner logs in");
    for (login, password) in [("admin", "admin"), (OWNER_EMAIL, "admin"), (OWNER_EMAIL, "")] {
        workers
            .login(database, database, login, password)
            .expect_err("nobody else does");
    }
    let elsewhere = world.smoke(&tenant, workers.port, "other.planapulse.app", 19);
    let unknown = world.job(&elsewhere).variable(PATIENCE, "2").run();
    assert_eq!(unknown.reason(), "TenantNotListed", "{}", unknown.log);
    let older = world.job(&world.smoke(&tenant, workers.port, database, 18)).run();
    assert_eq!(
        (older.code, older.reason()),
        (Some(ExitCode::GiveUp), "WrongVersion")
    );

    // Hidden while Odoo has sessions in it, and back without a restart.
    let suspended = crate::world::access_report(&world.job(&world.suspend(&tenant)).run().done());
    assert!(suspended.sessions_ended > 0, "{suspended:?}");
    let hidden = smoke.clone().variable(PATIENCE, "2").run();
    assert_eq!(hidden.reason(), "TenantNotListed", "{}", hidden.log);
    world.job(&world.resume(&tenant, 19)).run().done();
    smoke.run().done();
    assert_eq!(world.owner(database), POOL);
    // What Odoo has in its tables by now is the pool's, and so is what it makes there.
    let foreign = format!(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner NOT IN ('{POOL}', '{ADMIN}')"
    );
    assert_eq!(world.value(database, &foreign), "0");
}

#[test]
fn real_odoo_is_installed_where_there_is_no_template() {
    let Some(world) = World::new() else { return };
    let Some(odoo) = Odoo::new(world.postgres, POOL) else {
        return;
    };
    let tenant = world.empty();
    let real = RealOdoo {
        world,
        odoo,
        template: String::new(),
    };
    let job = real.init(&tenant, None);
    let mut killed = job.start();
    killed.wait_for("loading");
    killed.kill(Signal::KILL);
    assert_eq!(killed.wait().code, None);
    assert!(!real.world.pool_gets_in(&tenant.database));
    let report = tenant_report(&job.run().done());
    assert_eq!(report.origin, Origin::Installed);
    assert!(
        report.base_version.starts_with("19.0") && report.password_set,
        "{report:?}"
    );
    assert_eq!(real.world.owner(&tenant.database), POOL);
    let again = job.run().done();
    assert_eq!(tenant_report(&again).database_uuid, report.database_uuid);
    assert_eq!(again.phases(), ["lock", "gate", "read-back"]);
}
