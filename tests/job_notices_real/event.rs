//! `event-publish`, on a real Redis and on a REST endpoint.
#![expect(clippy::panic, reason = "an answer that is none ends the test")]

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use function_odoo::contract::{Command, EVENTS_PASSWORD, EventPublish, EventReport, ExitCode, Report};
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    ended,
    http_double::{Double, Step, answer},
    job::{Finished, Job, prove_every_boundary},
    line::{self, Break},
    quick,
    servers::redis::{Access, Redis, Reply},
    silent, tenant,
};

const SOURCE: &str = "//plana-pulse/crossplane/planaclient";
/// A name of a stream with what breaks quoting.
const STREAM: &str = "PLANA:events \"%\" {é}\r\n";

fn event(address: &str, id: &str) -> EventPublish {
    EventPublish {
        address: address.to_owned(),
        stream: STREAM.to_owned(),
        max_length: 50_000,
        event_type: "client.provisioned".to_owned(),
        source: SOURCE.to_owned(),
        id: id.to_owned(),
        tenant: tenant(),
    }
}

/// A stream of the test's own.
struct Stream {
    redis: &'static Redis,
    database: u32,
}

impl Stream {
    fn new() -> Option<Self> {
        let redis = Redis::shared()?;
        let database = redis.database();
        Some(Self { redis, database })
    }

    fn password(&self) -> &str {
        self.redis.password().expect("it has one")
    }

    fn at(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}/{}", self.database)
    }

    fn job(&self, id: &str) -> Job {
        self.job_at(self.redis.port(), id)
    }

    fn job_at(&self, port: u16, id: &str) -> Job {
        self.job_of(&event(&self.at(port), id))
    }

    fn job_of(&self, event: &EventPublish) -> Job {
        quick(&Command::EventPublish(event.clone())).secret(EVENTS_PASSWORD, self.password())
    }

    fn ask(&self, words: &[&str]) -> Reply {
        self.redis
            .command_in(self.database, words)
            .expect("Redis answers")
    }

    fn entries(&self) -> Vec<(String, BTreeMap<String, String>)> {
        entries(&self.ask(&["XRANGE", STREAM, "-", "+"]))
    }

    /// That the stream has one entry, and that it is this event's.
    fn assert_one(&self, id: &str) -> String {
        let entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:?}");
        check(&entries[0].1, id);
        entries[0].0.clone()
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Value(bytes) => String::from_utf8(bytes.clone()).expect("text"),
        other => panic!("{other:?}"),
    }
}

fn entries(reply: &Reply) -> Vec<(String, BTreeMap<String, String>)> {
    let many = |reply: &Reply| match reply {
        Reply::Many(values) => values.clone(),
        other => panic!("{other:?}"),
    };
    let entry = |reply: &Reply| {
        let parts = many(reply);
        let fields = many(&parts[1]);
        let fields = fields.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1])));
        (text(&parts[0]), fields.collect())
    };
    many(reply).iter().map(entry).collect()
}

/// Checks everything about an entry that a reader may rely on.
fn check(fields: &BTreeMap<String, String>, id: &str) {
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["event", "id", "source", "subject", "type"]);
    assert_eq!(fields["id"], id);
    assert_eq!(fields["source"], SOURCE);
    assert_eq!(fields["type"], "client.provisioned");
    assert_eq!(fields["subject"], "acme");
    check_event(&serde_json::from_str(&fields["event"]).expect("JSON"), id);
}

fn check_event(event: &Value, id: &str) {
    let time: Timestamp = event["time"].as_str().expect("a time").parse().expect("RFC 3339");
    assert!(
        (Timestamp::now().as_second() - time.as_second()).abs() < 120,
        "{time}"
    );
    let tenant = tenant();
    let expected = serde_json::json!({
        "specversion": "1.0", "id": id, "source": SOURCE, "type": "client.provisioned", "subject": "acme",
        "time": event["time"], "datacontenttype": "application/json",
        "data": {
            "subdomain": "acme", "projectId": 42, "tier": "pro", "odooVersion": 18,
            "ownerEmail": tenant.owner_email, "ownerName": tenant.owner_name,
            "url": "https://acme.example.com",
        },
    });
    assert_eq!(event, &expected);
}

fn report(finished: &Finished) -> EventReport {
    match finished.result.as_ref().and_then(|result| result.report.clone()) {
        Some(Report::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_is_published_once() {
    let Some(stream) = Stream::new() else { return };
    let first = stream.job("once").run().done();
    assert_eq!(first.phases(), ["check", "publish"]);
    let entry = stream.assert_one("once");
    let expected = |existed| EventReport {
        entry: entry.clone(),
        existed,
    };
    assert_eq!(report(&first), expected(false));
    let second = stream.job("once").run().done();
    assert_eq!(report(&second), expected(true));
    stream.assert_one("once");
    silent(&first, &[stream.password()]);
    silent(&second, &[stream.password()]);
    // No other key was left beside the stream.
    assert_eq!(stream.ask(&["DBSIZE"]), Reply::Number(1));
}

#[test]
fn the_most_talkative_log_has_no_password() {
    let Some(stream) = Stream::new() else { return };
    let finished = stream.job("loud").variable("RUST_LOG", "trace").run().done();
    silent(&finished, &[stream.password()]);
    stream.assert_one("loud");
}

#[test]
fn an_event_is_found_below_many_others() {
    let Some(stream) = Stream::new() else { return };
    stream.job("deep").run().done();
    let script = "for i = 1, 3000 do redis.call('XADD', KEYS[1], '*', 'id', 'x' .. i, 'source', ARGV[1]) end";
    stream.ask(&["EVAL", script, "1", STREAM, SOURCE]);
    // The same id of another source is another event, and neither is one without our fields.
    stream.ask(&["XADD", STREAM, "*", "id", "other", "source", "//another"]);
    stream.ask(&["XADD", STREAM, "*", "payload", "other"]);
    assert!(report(&stream.job("deep").run().done()).existed);
    assert!(!report(&stream.job("other").run().done()).existed);
    let entries = stream.entries();
    assert_eq!(entries.len(), 3004);
    check(&entries[3003].1, "other");
}

#[test]
fn a_dry_run_looks_and_changes_nothing() {
    let Some(stream) = Stream::new() else { return };
    let dry = stream.job("dry").dry_run().run().done();
    assert!(
        dry.stdout.starts_with("would add event dry to the stream"),
        "{}",
        dry.stdout
    );
    assert_eq!(stream.ask(&["DBSIZE"]), Reply::Number(0));
    stream.job("dry").run().done();
    let dry = stream.job("dry").dry_run().run().done();
    assert!(dry.stdout.starts_with("would change nothing"), "{}", dry.stdout);
    stream.assert_one("dry");
}

#[test]
fn many_at_once_publish_one_event() {
    let Some(stream) = Stream::new() else { return };
    let over = Arc::new(Mutex::new(false));
    // Others write to the stream all the while.
    let (database, others) = (stream.database, Arc::clone(&over));
    let redis = stream.redis;
    let noise = thread::spawn(move || {
        let mut count = 0;
        while !*others.lock().unwrap() {
            redis
                .command_in(
                    database,
                    &["XADD", STREAM, "*", "id", "noise", "source", "//others"],
                )
                .expect("Redis answers");
            count += 1;
            thread::sleep(Duration::from_millis(1));
        }
        count
    });
    let running: Vec<_> = (0..5).map(|_| stream.job("race").start()).collect();
    let finished: Vec<_> = running.into_iter().map(|running| running.wait().done()).collect();
    *over.lock().unwrap() = true;
    let noise = noise.join().unwrap();
    assert!(noise > 0);
    let reports: Vec<_> = finished.iter().map(report).collect();
    assert_eq!(
        reports.iter().filter(|report| !report.existed).count(),
        1,
        "{reports:?}"
    );
    assert!(
        reports.iter().all(|report| report.entry == reports[0].entry),
        "{reports:?}"
    );
    let ours: Vec<_> = stream
        .entries()
        .into_iter()
        .filter(|(_, fields)| fields["id"] == "race")
        .collect();
    assert_eq!(ours.len(), 1);
    check(&ours[0].1, "race");
}

#[test]
fn the_stream_keeps_about_what_it_is_told() {
    let Some(stream) = Stream::new() else { return };
    let script = "for i = 1, 1000 do redis.call('XADD', KEYS[1], '*', 'id', 'x' .. i) end";
    stream.ask(&["EVAL", script, "1", STREAM]);
    let mut event = event(&stream.at(stream.redis.port()), "short");
    event.max_length = 200;
    stream.job_of(&event).run().done();
    let entries = stream.entries();
    assert!((200..=400).contains(&entries.len()), "{}", entries.len());
    check(&entries.last().unwrap().1, "short");
}

#[test]
fn wrong_credentials_are_told_and_never_shown() {
    let Some(stream) = Stream::new() else { return };
    let wrong = "wrong-password-hunter22";
    let finished = stream.job("x").secret(EVENTS_PASSWORD, wrong).run();
    ended(
        &finished,
        ExitCode::GiveUp,
        "CredentialsRefused",
        &[wrong, stream.password()],
    );
    let finished = quick(&Command::EventPublish(event(
        &stream.at(stream.redis.port()),
        "x",
    )))
    .run();
    ended(&finished, ExitCode::GiveUp, "CredentialsRefused", &[]);
    let url = stream.redis.url(stream.database);
    let finished = quick(&Command::EventPublish(event(&url, "x"))).run();
    ended(
        &finished,
        ExitCode::GiveUp,
        "PasswordInAddress",
        &[stream.password()],
    );
    assert_eq!(stream.ask(&["DBSIZE"]), Reply::Number(0));
    let Some(open) = Redis::own(Access::Open) else {
        return;
    };
    let address = format!("redis://127.0.0.1:{}", open.port());
    let finished = quick(&Command::EventPublish(event(&address, "x")))
        .secret(EVENTS_PASSWORD, wrong)
        .run();
    ended(&finished, ExitCode::GiveUp, "CredentialsRefused", &[wrong]);
    quick(&Command::EventPublish(event(&address, "x"))).run().done();
}

#[test]
fn a_user_needs_only_the_rights_that_help_names() {
    let Some(stream) = Stream::new() else { return };
    let password = "publisher-hunter22";
    let rights = [
        "+watch",
        "+multi",
        "+exec",
        "+xadd",
        "+xrange",
        "+xrevrange",
        "+select",
    ];
    let mut words = vec!["ACL", "SETUSER", "pub@l", "on", ">publisher-hunter22", "~PLANA:*"];
    words.extend(rights);
    stream.ask(&words);
    let address = format!(
        "redis://pub%40l@127.0.0.1:{}/{}",
        stream.redis.port(),
        stream.database
    );
    let mut command = event(&address, "acl");
    let job = |command: &EventPublish| {
        quick(&Command::EventPublish(command.clone())).secret(EVENTS_PASSWORD, password)
    };
    let finished = job(&command).run().done();
    silent(&finished, &[password]);
    stream.assert_one("acl");
    command.stream = "another".to_owned();
    let finished = job(&command).run();
    ended(&finished, ExitCode::GiveUp, "CredentialsRefused", &[password]);
    assert!(
        finished.message().contains("NOPERM") || finished.message().contains("permission"),
        "{}",
        finished.message()
    );
    stream.ask(&["ACL", "DELUSER", "pub@l"]);
}

#[test]
fn a_stream_that_is_none_is_left_alone() {
    let Some(stream) = Stream::new() else { return };
    stream.ask(&["SET", STREAM, "somebody's"]);
    let finished = stream.job("x").run();
    ended(
        &finished,
        ExitCode::GiveUp,
        "StreamUnusable",
        &[stream.password()],
    );
    assert!(finished.message().contains("WRONGTYPE"), "{}", finished.message());
    assert_eq!(stream.ask(&["GET", STREAM]), Reply::Value(b"somebody's".to_vec()));
    let mut command = event(&stream.at(stream.redis.port()), "x");
    command.address = format!("redis://127.0.0.1:{}/9999", stream.redis.port());
    let finished = stream.job_of(&command).run();
    ended(
        &finished,
        ExitCode::GiveUp,
        "StreamUnusable",
        &[stream.password()],
    );
}

#[test]
fn a_server_that_is_full_or_a_replica_is_tried_again() {
    let Some(redis) = Redis::own(Access::Open) else {
        return;
    };
    let ask = |words: &[&str]| redis.command_in(0, words).expect("Redis answers");
    let job = quick(&Command::EventPublish(event(
        &format!("redis://127.0.0.1:{}", redis.port()),
        "x",
    )));
    ask(&["CONFIG", "SET", "maxmemory", "1"]);
    ended(&job.run(), ExitCode::Retry, "EventsBusy", &[]);
    ask(&["CONFIG", "SET", "maxmemory", "0"]);
    ask(&["REPLICAOF", "127.0.0.1", &redis.port().to_string()]);
    ended(&job.run(), ExitCode::Retry, "EventsBusy", &[]);
    ask(&["REPLICAOF", "NO", "ONE"]);
    // It is over while we wait.
    ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let mut running = job.start();
    running.wait_for("trying again");
    ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(!report(&running.wait().done()).existed);
    assert_eq!(entries(&ask(&["XRANGE", STREAM, "-", "+"])).len(), 1);
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    let Some(redis) = Redis::own(Access::Open) else {
        return;
    };
    let job = quick(&Command::EventPublish(event(
        &format!("redis://127.0.0.1:{}", redis.port()),
        "x",
    )));
    redis.stop();
    let finished = job.run();
    ended(&finished, ExitCode::Retry, "EventsUnreachable", &[]);
    assert!(
        finished.message().contains(&redis.port().to_string()),
        "{}",
        finished.message()
    );
    let mut running = job
        .clone()
        .variable("ODOO_JOB_RETRY_PAUSE_MILLISECONDS", "100")
        .start();
    running.wait_for("trying again");
    redis.start_again();
    running.wait().done();
    let reply = redis.command_in(0, &["XRANGE", STREAM, "-", "+"]).unwrap();
    assert_eq!(entries(&reply).len(), 1);
}

#[test]
fn a_line_that_breaks_anywhere_publishes_once() {
    let Some(stream) = Stream::new() else { return };
    stream.job("before").run().done();
    let mut broken = 0;
    for (number, bytes) in (0..1600).step_by(67).chain([5, 10, 15, 20, 30]).enumerate() {
        let id = format!("line-{number}");
        let port = line::breaking(stream.redis.port(), 2, bytes, Break::Cut);
        let finished = stream.job_at(port, &id).run().done();
        broken += u32::from(finished.log.contains("EventsUnreachable"));
        let all = stream.entries();
        let ours: Vec<_> = all.iter().filter(|(_, fields)| fields["id"] == id).collect();
        assert_eq!(ours.len(), 1, "cut after {bytes} bytes: {}", finished.log);
        check(&ours[0].1, &id);
        assert_eq!(report(&finished).entry, ours[0].0);
    }
    assert!(broken > 5, "{broken} lines broke");
}

#[test]
fn killed_on_a_line_that_stopped_it_is_published_once() {
    let Some(stream) = Stream::new() else { return };
    for (number, bytes) in [0, 6, 11, 16, 21, 40, 60, 90].into_iter().enumerate() {
        for signal in [Signal::KILL, Signal::TERM] {
            let id = format!("stop-{number}-{signal:?}");
            let port = line::breaking(stream.redis.port(), 1, bytes, Break::Stop);
            let running = stream
                .job_at(port, &id)
                .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "60000")
                .start();
            thread::sleep(Duration::from_millis(250));
            let begun = Instant::now();
            running.kill(signal);
            running.wait();
            assert!(begun.elapsed() < Duration::from_secs(10));
            stream.job(&id).run().done();
            let all = stream.entries();
            let ours: Vec<_> = all.iter().filter(|(_, fields)| fields["id"] == id).collect();
            assert_eq!(ours.len(), 1, "{signal:?} after {bytes} bytes");
        }
    }
}

#[test]
fn a_line_that_is_silent_or_speaks_otherwise_is_no_server() {
    let Some(stream) = Stream::new() else { return };
    let port = line::breaking(stream.redis.port(), usize::MAX, 12, Break::Stop);
    let finished = stream
        .job_at(port, "x")
        .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "200")
        .run();
    ended(
        &finished,
        ExitCode::Retry,
        "EventsUnreachable",
        &[stream.password()],
    );
    let garbage = Double::script(vec![Step::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]);
    let finished = stream
        .job_at(garbage.port, "x")
        .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "200")
        .run();
    ended(
        &finished,
        ExitCode::Retry,
        "EventsUnreachable",
        &[stream.password()],
    );
    assert_eq!(stream.ask(&["DBSIZE"]), Reply::Number(0));
}

#[test]
fn events_are_published_in_confidence() {
    let Some(stream) = Stream::new() else { return };
    let (port, authority) = line::secured(stream.redis.port());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.as_bytes()).unwrap();
    let address = format!("rediss://localhost:{port}/{}", stream.database);
    let job = stream.job_of(&event(&address, "tls"));
    let unknown = job.run();
    ended(
        &unknown,
        ExitCode::GiveUp,
        "CertificateRefused",
        &[stream.password()],
    );
    job.variable("SSL_CERT_FILE", file.path().to_str().unwrap())
        .run()
        .done();
    stream.assert_one("tls");
}

#[test]
fn killed_at_every_boundary_it_is_published_once() {
    let Some(first) = Stream::new() else { return };
    let streams = Mutex::new(vec![first]);
    prove_every_boundary(
        "event-publish",
        |number| {
            let mut streams = streams.lock().unwrap();
            if number > 0 {
                streams.push(Stream::new().expect("it was there before"));
            }
            streams[number].job("boundary")
        },
        |number, finished| {
            let entry = streams.lock().unwrap()[number].assert_one("boundary");
            assert_eq!(report(finished).entry, entry);
        },
    );
}

#[test]
fn arguments_that_make_no_event_are_named() {
    let address = "redis://127.0.0.1:1";
    let refused = |change: fn(&mut EventPublish)| {
        let mut command = event(address, "x");
        change(&mut command);
        let finished = quick(&Command::EventPublish(command)).run();
        assert_eq!(finished.code, Some(ExitCode::GiveUp), "{}", finished.log);
        format!("{}: {}", finished.reason(), finished.message())
    };
    assert!(refused(|event| event.id.clear()).starts_with("EventInvalid: --id"));
    assert!(refused(|event| event.max_length = 0).starts_with("EventInvalid: --max-length"));
    assert!(refused(|event| event.address = "unix:///redis".to_owned()).starts_with("AddressInvalid"));
    assert!(refused(|event| event.address = "redis://h/db".to_owned()).starts_with("AddressInvalid"));
}

fn rest(double: &Double, key: &str) -> Job {
    quick(&Command::EventPublish(event(
        &double.url("/api/v1/events"),
        "rest",
    )))
    .secret(EVENTS_PASSWORD, key)
}

#[test]
fn a_rest_endpoint_gets_the_event_whole() {
    let key = "publisher-key-hunter22";
    let double = Double::script(vec![
        answer(503, format!("{key} is busy")),
        Step::Half(201, "{".to_owned()),
        answer(201, "{}"),
        answer(409, "known"),
    ]);
    let finished = rest(&double, key).run().done();
    assert_eq!(report(&finished), EventReport::default());
    silent(&finished, &[key]);
    let finished = rest(&double, key).run().done();
    assert!(report(&finished).existed);
    let requests = double.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/api/v1/events")
        );
        assert_eq!(request.header("x-api-key"), Some(key));
        assert_eq!(
            request.header("content-type"),
            Some("application/cloudevents+json")
        );
        check_event(&request.json(), "rest");
    }
    // All tries of one run are the same event.
    assert_eq!(requests[0].body, requests[2].body);
}

#[test]
fn a_rest_endpoint_that_refuses_is_told_at_once() {
    let double = Double::script(vec![answer(401, "no key")]);
    let finished = rest(&double, "publisher-key-hunter22").run();
    ended(&finished, ExitCode::GiveUp, "CredentialsRefused", &["hunter22"]);
    assert_eq!(double.requests().len(), 1);
    let finished = rest(&double, "two\nlines-hunter22").run();
    ended(&finished, ExitCode::GiveUp, "SecretUnreadable", &["hunter22"]);
    let dry = rest(&double, "publisher-key-hunter22").dry_run().run().done();
    assert!(
        dry.stdout.starts_with("would post event rest to http://"),
        "{}",
        dry.stdout
    );
    assert_eq!(double.requests().len(), 1);
}

#[test]
fn killed_at_every_boundary_a_rest_endpoint_is_told() {
    let doubles = Mutex::new(Vec::new());
    prove_every_boundary(
        "event-publish (REST)",
        |_| {
            let double = Double::script(vec![answer(202, ""), answer(409, "known")]);
            let job = rest(&double, "publisher-key-hunter22");
            doubles.lock().unwrap().push(double);
            job
        },
        |number, _| {
            let requests = doubles.lock().unwrap()[number].requests();
            assert_eq!(requests.len(), 1);
            check_event(&requests[0].json(), "rest");
        },
    );
}
