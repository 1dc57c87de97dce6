//! `portal-notify` and `erp-callback`.
#![expect(clippy::panic, reason = "a result that is none ends the test")]

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use function_odoo::contract::{Command, ExitCode, Notification, Report, SIGNING_KEY};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use rustix::process::Signal;
use sha2::Sha256;

use crate::{
    ended,
    http_double::{Double, Request, Step, answer},
    job::{Job, prove_every_boundary},
    line, quick, silent, tenant,
};

const KEY: &str = "planted-signing-key-hunter22";
const NEWS: &str = "0123456789abcdef0123456789abcdef";

fn news(url: &str) -> Notification {
    Notification {
        url: url.to_owned(),
        event_type: "client.provisioned".to_owned(),
        idempotency_key: NEWS.to_owned(),
        tenant: tenant(),
    }
}

fn portal(double: &Double) -> Job {
    signed(&double.url("/api/v1/webhooks/workspace?token=query-hunter22"))
}

fn signed(url: &str) -> Job {
    quick(&Command::PortalNotify(news(url))).secret(SIGNING_KEY, KEY)
}

/// Checks everything about a request that a receiver may rely on.
fn check(request: &Request) {
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/api/v1/webhooks/workspace?token=query-hunter22");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("idempotency-key"), Some(NEWS));
    assert!(
        request
            .header("user-agent")
            .expect("it is there")
            .starts_with("odoo-job/")
    );
    let tenant = tenant();
    let expected = serde_json::json!({
        "event": "client.provisioned", "idempotencyKey": NEWS, "subdomain": "acme", "projectId": 42, "tier": "pro",
        "odooVersion": 18, "ownerEmail": tenant.owner_email, "ownerName": tenant.owner_name,
        "url": "https://acme.example.com",
    });
    assert_eq!(request.json(), expected);
    let time = request.header("x-signature-timestamp").expect("it is signed");
    let seconds: i64 = time.parse().expect("seconds");
    assert!((Timestamp::now().as_second() - seconds).abs() < 120, "{seconds}");
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("it is there");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(&request.body);
    let signature = request
        .header("x-signature")
        .expect("it is there")
        .strip_prefix("sha256=")
        .expect("it is there");
    let bytes: Vec<u8> = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&signature[at..at + 2], 16).expect("it is there"))
        .collect();
    mac.verify_slice(&bytes)
        .expect("the signature is that of the body");
}

fn report(finished: &crate::job::Finished) -> (u16, u32) {
    match finished.result.as_ref().and_then(|result| result.report.as_ref()) {
        Some(Report::Notice(notice)) => (notice.status, notice.attempts),
        other => panic!("{other:?}"),
    }
}

#[test]
fn news_arrives_signed_and_whole() {
    let double = Double::script(vec![answer(202, format!("thanks {KEY}"))]);
    let finished = portal(&double).run().done();
    assert_eq!(report(&finished), (202, 1));
    assert_eq!(finished.phases(), ["check", "send"]);
    silent(&finished, &[KEY, "query-hunter22"]);
    let requests = double.requests();
    assert_eq!(requests.len(), 1);
    check(&requests[0]);
}

#[test]
fn the_most_talkative_log_has_no_secret() {
    let double = Double::script(vec![answer(503, format!("busy, {KEY}")), answer(200, KEY)]);
    let finished = portal(&double).variable("RUST_LOG", "trace").run().done();
    assert!(finished.log.lines().count() > 10, "{}", finished.log);
    let signatures = double.requests();
    let signatures = signatures
        .iter()
        .map(|request| request.header("x-signature").unwrap());
    silent(&finished, &[KEY, "query-hunter22"]);
    silent(&finished, &signatures.collect::<Vec<_>>());
}

#[test]
fn the_erp_is_told_the_same_way() {
    let double = Double::script(vec![answer(200, "")]);
    let command = Command::ErpCallback(news(&double.url("/plana_saas/callback")));
    let finished = quick(&command).run().done();
    silent(&finished, &[KEY]);
    let requests = double.requests();
    assert_eq!(requests[0].target, "/plana_saas/callback");
    // Without a key nothing pretends to be signed.
    assert_eq!(requests[0].header("x-signature"), None);
    assert_eq!(requests[0].header("x-signature-timestamp"), None);
    assert_eq!(requests[0].header("idempotency-key"), Some(NEWS));
}

#[test]
fn an_empty_key_is_no_reason_to_send_unsigned() {
    for empty in ["", "\n"] {
        let double = Double::script(vec![answer(200, "")]);
        let finished = portal(&double).secret(SIGNING_KEY, empty).run();
        ended(&finished, ExitCode::GiveUp, "SecretMissing", &[]);
        assert!(
            finished.message().contains("signing-key"),
            "{}",
            finished.message()
        );
        assert_eq!(double.requests().len(), 0);
    }
}

#[test]
fn a_dry_run_says_and_sends_nothing() {
    let double = Double::script(vec![answer(200, "")]);
    let finished = portal(&double).dry_run().run().done();
    assert!(
        finished
            .stdout
            .starts_with("would post client.provisioned of acme to http://127.0.0.1"),
        "{}",
        finished.stdout
    );
    silent(&finished, &[KEY, "query-hunter22"]);
    assert_eq!(double.requests().len(), 0);
}

#[test]
fn trouble_that_passes_is_waited_out_with_one_key() {
    let double = Double::script(vec![
        answer(503, "try later"),
        Step::Close,
        Step::Garbage(b"220 mail.example.com ESMTP\r\n".to_vec()),
        Step::Half(200, "{\"ok\":".to_owned()),
        answer(408, ""),
        answer(425, ""),
        Step::Late(Duration::from_millis(300), Box::new(answer(200, "ok"))),
    ]);
    let finished = portal(&double).run().done();
    assert_eq!(report(&finished), (200, 7));
    let requests = double.requests();
    assert_eq!(requests.len(), 7);
    requests.iter().for_each(check);
    for word in [
        "EndpointFailing",
        "AnswerBroken",
        "EndpointBusy",
        "503: try later",
    ] {
        assert!(finished.log.contains(word), "{word}:\n{}", finished.log);
    }
    silent(&finished, &[KEY, "query-hunter22"]);
}

#[test]
fn a_receiver_that_says_how_long_is_obeyed() {
    let wait = |value: &str| {
        Step::Answer(
            429,
            vec![("Retry-After", value.to_owned())],
            "slow down".to_owned(),
        )
    };
    let double = Double::script(vec![wait("1"), answer(200, "")]);
    portal(&double).run().done();
    let requests = double.requests();
    let pause = requests[1].at.duration_since(requests[0].at);
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
    // One who asks for more than there is gets it: we end, and the Job comes back later.
    let double = Double::script(vec![wait("86400")]);
    let begun = Instant::now();
    let finished = portal(&double).run();
    ended(&finished, ExitCode::Retry, "EndpointBusy", &[KEY]);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(finished.message().contains("86400"), "{}", finished.message());
    assert_eq!(double.requests().len(), 1);
}

#[test]
fn patience_ends_and_says_why() {
    let double = Double::script(vec![answer(500, "<html> query-hunter22\nsorry")]);
    let finished = portal(&double).run();
    ended(
        &finished,
        ExitCode::Retry,
        "EndpointFailing",
        &[KEY, "query-hunter22"],
    );
    let message = finished.message();
    assert!(message.contains("500: <html> *** (tried 8 times)"), "{message}");
    assert!(
        message.contains("the account portal, POST http://127.0.0.1"),
        "{message}"
    );
    let requests = double.requests();
    assert_eq!(requests.len(), 8);
    // The pauses grow: the last is at least sixteen times the shortest first one.
    let last = requests[7].at.duration_since(requests[6].at);
    assert!(last >= Duration::from_millis(15 * 32), "{last:?}");
}

#[test]
fn what_will_not_pass_is_told_at_once() {
    let long = format!(
        "\u{1b}[31mno such\u{7} project {KEY} {}\nsecond line",
        "x".repeat(400)
    );
    let moved = vec![(
        "Location",
        "https://elsewhere.example/hook?key=location-hunter22".to_owned(),
    )];
    let cases = [
        (
            answer(400, long),
            "NotAccepted",
            "400: [31mno such project *** xxx",
        ),
        (
            answer(401, "who are you"),
            "CredentialsRefused",
            "401: who are you",
        ),
        (answer(404, ""), "NotAccepted", "404: (an empty answer)"),
        (
            answer(409, "the subdomain is another project's"),
            "NotAccepted",
            "409: the subdomain",
        ),
        (answer(422, "no"), "NotAccepted", "422: no"),
        (
            Step::Answer(302, moved, String::new()),
            "Redirected",
            "https://elsewhere.example/hook, which",
        ),
    ];
    for (step, reason, words) in cases {
        let double = Double::script(vec![step]);
        let finished = portal(&double).run();
        ended(
            &finished,
            ExitCode::GiveUp,
            reason,
            &[KEY, "hunter22", "second line", "\u{1b}"],
        );
        assert!(finished.message().contains(words), "{}", finished.message());
        assert!(finished.message().len() < 600, "{}", finished.message());
        assert_eq!(double.requests().len(), 1);
        assert_eq!(finished.result.unwrap().phase.as_deref(), Some("send"));
    }
}

#[test]
fn news_that_is_known_already_is_done() {
    let in_header = Step::Answer(
        409,
        vec![("Idempotency-Key", NEWS.to_owned())],
        "duplicate".to_owned(),
    );
    let in_body = answer(409, format!("{{\"duplicateOf\":\"{NEWS}\"}}"));
    for step in [in_header, in_body] {
        let double = Double::script(vec![step]);
        assert_eq!(report(&portal(&double).run().done()), (409, 1));
        assert_eq!(double.requests().len(), 1);
    }
}

#[test]
fn a_receiver_that_hangs_does_not_hold_us() {
    let double = Double::script(vec![Step::Hang, Step::Hang, answer(200, "")]);
    let finished = portal(&double)
        .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "400")
        .run()
        .done();
    assert_eq!(
        report(&finished).1,
        u32::try_from(double.requests().len()).unwrap()
    );
    assert!(finished.log.contains("EndpointSilent"), "{}", finished.log);
    let double = Double::script(vec![Step::Hang]);
    let begun = Instant::now();
    let finished = portal(&double)
        .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "400")
        .run();
    ended(
        &finished,
        ExitCode::Retry,
        "EndpointSilent",
        &[KEY, "query-hunter22"],
    );
    assert!(begun.elapsed() < Duration::from_secs(40));
}

#[test]
fn a_receiver_that_is_not_there_is_named() {
    let port = crate::servers::free_port();
    let finished = signed(&format!("http://127.0.0.1:{port}/hook")).run();
    ended(&finished, ExitCode::Retry, "EndpointUnreachable", &[KEY]);
    assert!(
        finished.message().contains(&format!("127.0.0.1:{port}")),
        "{}",
        finished.message()
    );
    let finished = signed("http://no-such-host.invalid/hook").run();
    ended(&finished, ExitCode::Retry, "EndpointUnreachable", &[KEY]);
    assert!(
        finished.message().contains("no-such-host.invalid"),
        "{}",
        finished.message()
    );
}

#[test]
fn addresses_and_settings_that_cannot_be_meant_are_named() {
    for (url, reason) in [
        ("portal", "AddressInvalid"),
        ("ftp://portal/", "AddressInvalid"),
        ("http://user:address-hunter22@127.0.0.1/", "PasswordInAddress"),
    ] {
        let finished = signed(url).run();
        ended(&finished, ExitCode::GiveUp, reason, &["address-hunter22"]);
        assert!(finished.message().contains("--url"), "{}", finished.message());
    }
    let finished = signed("http://127.0.0.1/")
        .variable("ODOO_JOB_RETRY_PAUSE_MILLISECONDS", "soon")
        .run();
    ended(&finished, ExitCode::GiveUp, "SettingInvalid", &[]);
    let mut command = news("http://127.0.0.1/");
    command.idempotency_key = "two\nlines".to_owned();
    let finished = quick(&Command::PortalNotify(command)).run();
    ended(&finished, ExitCode::GiveUp, "KeyInvalid", &[]);
}

#[test]
fn news_is_told_in_confidence() {
    let double = Double::script(vec![answer(200, "")]);
    let (port, authority) = line::secured(double.port);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.as_bytes()).unwrap();
    let job = signed(&format!(
        "https://localhost:{port}/api/v1/webhooks/workspace?token=query-hunter22"
    ));
    let unknown = job.run();
    ended(
        &unknown,
        ExitCode::GiveUp,
        "CertificateRefused",
        &[KEY, "query-hunter22"],
    );
    assert!(
        unknown.message().contains("SSL_CERT_FILE"),
        "{}",
        unknown.message()
    );
    assert_eq!(double.requests().len(), 0);
    job.variable("SSL_CERT_FILE", file.path().to_str().unwrap())
        .run()
        .done();
    check(&double.requests()[0]);
}

#[test]
fn two_at_once_and_a_second_run_are_one_piece_of_news() {
    let double = Double::script(vec![Step::Late(
        Duration::from_millis(50),
        Box::new(answer(200, "")),
    )]);
    let running = [portal(&double).start(), portal(&double).start()];
    for running in running {
        running.wait().done();
    }
    portal(&double).run().done();
    let requests = double.requests();
    assert_eq!(requests.len(), 3);
    // The receiver tells them by the key, and finds the same news under it.
    for request in &requests {
        check(request);
        assert_eq!(request.body, requests[0].body);
    }
}

#[test]
fn killed_at_every_boundary_it_is_told_by_the_next_run() {
    let doubles = Arc::new(Mutex::new(Vec::new()));
    prove_every_boundary(
        "portal-notify",
        |_| {
            let double = Double::script(vec![answer(200, "")]);
            let job = portal(&double);
            doubles.lock().unwrap().push(double);
            job
        },
        |number, _| {
            let requests = doubles.lock().unwrap()[number].requests();
            assert_eq!(requests.len(), 1);
            check(&requests[0]);
        },
    );
}

#[test]
fn killed_while_it_waits_it_is_told_by_the_next_run() {
    for signal in [Signal::KILL, Signal::TERM] {
        // While the answer is awaited, and while a pause goes on.
        for first in [Step::Hang, answer(503, "")] {
            let double = Double::script(vec![first, answer(200, "")]);
            let job = portal(&double);
            let running = job
                .clone()
                .variable("ODOO_JOB_RETRY_PAUSE_MILLISECONDS", "60000")
                .variable("ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS", "60000")
                .start();
            double.wait_for(1);
            std::thread::sleep(Duration::from_millis(100));
            let begun = Instant::now();
            running.kill(signal);
            let killed = running.wait();
            assert!(begun.elapsed() < Duration::from_secs(10));
            if signal == Signal::TERM {
                ended(&killed, ExitCode::Retry, "Stopped", &[KEY]);
            }
            job.run().done();
            let requests = double.requests();
            assert_eq!(requests.len(), 2);
            requests.iter().for_each(check);
        }
    }
}
