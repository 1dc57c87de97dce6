//! The real binary over the real protocol: who may call, what is answered, what operators see, how it starts and ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, an error is a failure where it happens"
)]

#[path = "serve/certificates.rs"]
mod certificates;
#[path = "serve/client.rs"]
mod client;
#[path = "serve/process.rs"]
mod process;

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use function_odoo::function::proto::v1::{
    RequestMeta, Resource, RunFunctionRequest, RunFunctionResponse, State,
};
use function_sdk_rust::proto::v1 as sdk;
use prost::Message as _;
use tonic::{Code, codegen::tokio_stream, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use certificates::{Authority, Mounted};
use client::{V1, V1BETA1, call, held, held_until, plain, secure};
use process::{PATIENCE, Server, poll, run};

const SECRET: &str = "planted-secret-7f3a";
const MIB: usize = 1024 * 1024;

/// A Struct of one text field; written by hand, since the protocol's own type keeps it undecoded.
fn field(name: &str, value: prost_types::Value) -> (String, prost_types::Value) {
    (name.to_owned(), value)
}

fn text(text: &str) -> prost_types::Value {
    prost_types::Value {
        kind: Some(prost_types::value::Kind::StringValue(text.to_owned())),
    }
}

fn object(fields: impl IntoIterator<Item = (String, prost_types::Value)>) -> prost_types::Value {
    let fields = fields.into_iter().collect();
    prost_types::Value {
        kind: Some(prost_types::value::Kind::StructValue(prost_types::Struct {
            fields,
        })),
    }
}

fn encoded(value: prost_types::Value) -> Vec<u8> {
    match value.kind {
        Some(prost_types::value::Kind::StructValue(value)) => value.encode_to_vec(),
        other => panic!("not an object: {other:?}"),
    }
}

/// A PLANAClient with a secret in its spec, as Crossplane sends it.
fn request() -> Vec<u8> {
    let composite = object([
        field("apiVersion", text("planapulse.com/v1alpha1")),
        field("kind", text("PLANAClient")),
        field("metadata", object([field("name", text("acme"))])),
        field(
            "spec",
            object([
                field("subdomain", text(SECRET)),
                field("ownerEmail", text(SECRET)),
            ]),
        ),
    ]);
    let composite = Resource {
        resource: Some(encoded(composite).into()),
        ..Resource::default()
    };
    RunFunctionRequest {
        meta: Some(RequestMeta {
            tag: "the-tag".to_owned(),
            ..RequestMeta::default()
        }),
        observed: Some(State {
            composite: Some(composite),
            ..State::default()
        }),
        ..RunFunctionRequest::default()
    }
    .encode_to_vec()
}

/// A request of about so many bytes, in a place that is not passed on.
fn padded(bytes: usize) -> Vec<u8> {
    let composite = Resource {
        resource: Some(encoded(object([field("padding", text(&"x".repeat(bytes)))])).into()),
        ..Resource::default()
    };
    RunFunctionRequest {
        observed: Some(State {
            composite: Some(composite),
            ..State::default()
        }),
        ..RunFunctionRequest::default()
    }
    .encode_to_vec()
}

fn handled(service: &str, code: &str) -> String {
    format!(
        "grpc_server_handled_total{{grpc_type=\"unary\",grpc_service=\"apiextensions.fn.proto.{service}.FunctionRunnerService\",\
         grpc_method=\"RunFunction\",grpc_code=\"{code}\"}}"
    )
}

async fn answers(channel: &Channel, path: &'static str) {
    let answer = call(channel, path, request()).await.unwrap();
    RunFunctionResponse::decode(answer).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_answer_in_plain_text() {
    let server = Server::start(&["--insecure"]);
    let channel = plain(&server).await;
    answers(&channel, V1).await;
    answers(&channel, V1BETA1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_sdk_s_client_is_answered() {
    let server = Server::start(&["serve", "--insecure"]);
    let mut client =
        sdk::function_runner_service_client::FunctionRunnerServiceClient::new(plain(&server).await);
    let request = sdk::RunFunctionRequest::decode(request().as_slice()).unwrap();
    client.run_function(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_answer_a_client_with_a_certificate_of_the_authority() {
    let authority = Authority::new();
    let mounted = Mounted::of(&authority);
    let server = Server::start_with(&[], &[("TLS_SERVER_CERTS_DIR", mounted.path())]);
    let channel = secure(&server, &authority.pem(), Some(&authority.client()))
        .await
        .unwrap();
    answers(&channel, V1).await;
    answers(&channel, V1BETA1).await;
    assert!(server.metric("function_odoo_certificate_expiry_timestamp_seconds") > 1.0e9);
    let started = server.logged("serving");
    assert_eq!(
        (&started["version"], &started["security"]),
        (&"0.1.0".into(), &"mutual TLS".into())
    );
    assert!(
        started["certificate_expires"].as_str().unwrap().ends_with('Z'),
        "{started}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn insecure_wins_over_certificates() {
    let mounted = Mounted::of(&Authority::new());
    let server = Server::start(&["--insecure", "--tls-certs-dir", mounted.path()]);
    answers(&plain(&server).await, V1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_as_crossplane_makes_them_are_served() {
    let Some(rsa) = certificates::rsa() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "cannot test RSA certificates without openssl"
        );
        eprintln!("skipped: RSA certificates need the openssl program");
        return;
    };
    let mounted = Mounted::with(&rsa.server, &rsa.authority);
    let server = Server::start(&["--tls-certs-dir", mounted.path()]);
    let channel = secure(&server, &rsa.authority, Some(&rsa.client)).await.unwrap();
    answers(&channel, V1).await;
}

/// Whether a call with these certificates is answered. With TLS 1.3 a client learns of its refusal only when it reads.
async fn is_answered(server: &Server, authority: &Authority, pair: Option<&certificates::Pair>) -> bool {
    match secure(server, &authority.pem(), pair).await {
        Ok(channel) => call(&channel, V1, request()).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_certificate_or_with_one_of_another_authority_is_refused() {
    let authority = Authority::new();
    let mounted = Mounted::of(&authority);
    let server = Server::start(&["--tls-certs-dir", mounted.path()]);
    assert!(!is_answered(&server, &authority, None).await);
    assert!(!is_answered(&server, &authority, Some(&Authority::new().client())).await);
    assert!(is_answered(&server, &authority, Some(&authority.client())).await);
    // The line may come after the answer; it is waited for.
    server.logged("call");
    assert_eq!(server.lines("call").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_text_client_and_silent_ones_do_not_hold_up_others() {
    let authority = Authority::new();
    let mounted = Mounted::of(&authority);
    let server = Server::start(&["--tls-certs-dir", mounted.path()]);
    let silent: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(is_answered(&server, &authority, Some(&authority.client())).await);
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_certificates_are_served_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let mounted = Mounted::of(&old);
    let mut server = Server::start(&["--tls-certs-dir", mounted.path()]);
    let open = secure(&server, &old.pem(), Some(&old.client())).await.unwrap();
    answers(&open, V1).await;

    mounted.replace(&new.server(), &new.pem());
    // The first of these fails, which makes the server look at its files.
    let start = Instant::now();
    while !is_answered(&server, &new, Some(&new.client())).await {
        assert!(start.elapsed() < PATIENCE, "the new certificates are not served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!is_answered(&server, &old, Some(&old.client())).await);
    // A connection that was open goes on.
    answers(&open, V1).await;
    server.reaches("function_odoo_certificate_reloads_total{outcome=\"loaded\"}", 1.0);
    assert!(server.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_written_certificates_are_not_served() {
    let authority = Authority::new();
    let mounted = Mounted::of(&authority);
    let server = Server::start(&["--tls-certs-dir", mounted.path()]);
    let next = Authority::new();
    fs::write(mounted.file("tls.crt"), next.server().certificate).unwrap();

    // A refused client makes the server look at its files.
    assert!(!is_answered(&server, &authority, None).await);
    server.reaches(
        "function_odoo_certificate_reloads_total{outcome=\"refused\"}",
        1.0,
    );
    let warning = server.logged("still serving with the certificates loaded before");
    assert!(
        warning["error"].as_str().unwrap().contains("tls.key"),
        "{warning}"
    );
    assert!(is_answered(&server, &authority, Some(&authority.client())).await);
    server.reaches("function_odoo_certificate_reloads_total{outcome=\"loaded\"}", 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_knows_the_server_and_both_services() {
    let server = Server::start(&["--insecure"]);
    let mut health = HealthClient::new(plain(&server).await);
    for service in [
        "",
        "apiextensions.fn.proto.v1.FunctionRunnerService",
        "apiextensions.fn.proto.v1beta1.FunctionRunnerService",
    ] {
        let answer = health
            .check(HealthCheckRequest {
                service: service.to_owned(),
            })
            .await
            .unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
    let unknown = health
        .check(HealthCheckRequest {
            service: "odoo".to_owned(),
        })
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    for path in ["/healthz", "/readyz"] {
        assert!(server.get(path, "*/*").0.starts_with("HTTP/1.1 200 "), "{path}");
    }
}

/// The services and the symbol that one version of reflection shows.
macro_rules! reflected {
    ($version:ident, $channel:expr) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let mut client = ServerReflectionClient::new($channel);
        let ask = [
            MessageRequest::ListServices(String::new()),
            MessageRequest::FileContainingSymbol("apiextensions.fn.proto.v1.RunFunctionRequest".to_owned()),
        ]
        .map(|request| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        });
        let mut answers = client
            .server_reflection_info(tokio_stream::iter(ask))
            .await
            .unwrap()
            .into_inner();
        let mut services = Vec::new();
        let mut files = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            match answer.message_response.unwrap() {
                MessageResponse::ListServicesResponse(list) => {
                    services.extend(list.service.into_iter().map(|service| service.name));
                }
                MessageResponse::FileDescriptorResponse(found) => files = found.file_descriptor_proto,
                other => panic!("{other:?}"),
            }
        }
        (services, files)
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_shows_the_unchanged_protocol_in_both_its_versions() {
    let server = Server::start(&["--insecure"]);
    let channel = plain(&server).await;
    for (services, files) in [
        reflected!(v1, channel.clone()),
        reflected!(v1alpha, channel.clone()),
    ] {
        for service in [
            "apiextensions.fn.proto.v1.FunctionRunnerService",
            "apiextensions.fn.proto.v1beta1.FunctionRunnerService",
            "grpc.health.v1.Health",
        ] {
            assert!(
                services.iter().any(|name| name == service),
                "{service}: {services:?}"
            );
        }
        let file = prost_types::FileDescriptorProto::decode(files[0].as_slice()).unwrap();
        let message = file
            .message_type
            .iter()
            .find(|message| message.name() == "RunFunctionRequest")
            .unwrap();
        let input = message
            .field
            .iter()
            .find(|field| field.name() == "input")
            .unwrap();
        assert_eq!(input.type_name(), ".google.protobuf.Struct");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_under_the_go_sdk_s_names_and_ours() {
    let server = Server::start(&["--insecure"]);
    let channel = plain(&server).await;
    for path in [V1, V1, V1, V1BETA1] {
        answers(&channel, path).await;
    }
    HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
        .unwrap();

    let service = "grpc_type=\"unary\",grpc_service=\"apiextensions.fn.proto.v1.FunctionRunnerService\",grpc_method=\"RunFunction\"";
    for series in [
        format!("grpc_server_started_total{{{service}}}"),
        format!("grpc_server_msg_received_total{{{service}}}"),
        format!("grpc_server_msg_sent_total{{{service}}}"),
        format!("grpc_server_handling_seconds_count{{{service}}}"),
        handled("v1", "OK"),
    ] {
        assert_eq!(server.metric(&series).to_string(), "3", "{series}");
    }
    server.reaches(&handled("v1beta1", "OK"), 1.0);
    server.reaches(&handled("v1", "Internal"), 0.0);
    let (_, text) = server.get("/metrics", "text/plain");
    for name in [
        "grpc_server_handled_total{grpc_type=\"unary\",grpc_service=\"grpc.health.v1.Health\",grpc_method=\"Check\",grpc_code=\"OK\"} 1\n",
        "function_odoo_build_info{version=\"0.1.0\"} 1\n",
        "function_odoo_calls_in_flight 0\n",
        "function_odoo_calls_waiting 0\n",
        "function_odoo_results_total{severity=\"fatal\"} ",
        "function_odoo_certificate_reloads_total{outcome=\"loaded\"} 0\n",
        "# TYPE function_odoo_call_duration_seconds histogram\n",
        "# TYPE function_odoo_request_bytes histogram\n",
        "# TYPE function_odoo_response_bytes histogram\n",
    ] {
        assert!(text.contains(name), "{name}{text}");
    }
    let (head, text) = server.get(
        "/metrics",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    );
    assert!(head.contains("application/openmetrics-text"), "{head}");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_log_line_without_a_value_of_the_spec_even_when_debugging() {
    for arguments in [&["--insecure"][..], &["--insecure", "--debug"]] {
        let server = Server::start(arguments);
        let channel = plain(&server).await;
        answers(&channel, V1).await;
        let mut broken = request();
        broken.truncate(broken.len() - 3);
        call(&channel, V1, broken).await.unwrap_err();
        let line = server.logged("call");
        let refused = server.logged("call refused");
        assert_eq!(refused["code"], "Internal");
        assert_eq!(server.lines("call").len(), 1);
        assert_eq!(line["tag"], "the-tag");
        assert_eq!(line["request_bytes"], request().len());
        assert_eq!(
            (&line["kind"], &line["name"], &line["phase"]),
            (&"PLANAClient".into(), &"acme".into(), &"Refused".into())
        );
        for field in ["microseconds", "response_bytes"] {
            assert!(line[field].is_u64(), "{field}: {line}");
        }
        let log = server.log();
        assert!(!log.contains(SECRET), "{log}");
        assert_eq!(log.contains("call in numbers"), arguments.contains(&"--debug"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_above_the_limit_is_refused_and_the_next_one_answered() {
    let server = Server::start(&["--insecure", "--max-recv-message-size", "2"]);
    let channel = plain(&server).await;
    let refused = call(&channel, V1, padded(2 * MIB)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    call(&channel, V1, padded(2 * MIB - 1024)).await.unwrap();
    server.reaches(&handled("v1", "OutOfRange"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_sixteen_mebibytes_unless_told_otherwise() {
    let server = Server::start(&["--insecure"]);
    let channel = plain(&server).await;
    call(&channel, V1BETA1, padded(16 * MIB - 1024)).await.unwrap();
    assert_eq!(
        call(&channel, V1BETA1, padded(16 * MIB))
            .await
            .unwrap_err()
            .code(),
        Code::OutOfRange
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_request_are_an_error_and_nothing_worse() {
    let mut server = Server::start(&["--insecure"]);
    let channel = plain(&server).await;
    for bytes in [
        &b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x0a\x7f",
        b"\x0f",
        b"not protobuf",
    ] {
        let error = call(&channel, V1, bytes).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal, "{bytes:?}: {error:?}");
    }
    let error = call(
        &channel,
        "/apiextensions.fn.proto.v1.FunctionRunnerService/Other",
        request(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    TcpStream::connect(server.address)
        .unwrap()
        .write_all(&[0xff; 4096])
        .unwrap();
    answers(&channel, V1).await;
    assert!(server.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_above_the_bound_wait_in_line_until_their_deadline() {
    let server = Server::start(&["--insecure", "--max-in-flight", "1"]);
    let (first, second) = (plain(&server).await, plain(&server).await);
    let (release, held) = held(&first, request());
    let held = tokio::spawn(held);
    server.reaches("function_odoo_calls_in_flight", 1.0);

    let (_late, late) = held_until(&second, request(), Some(Duration::from_millis(200)));
    late.await.unwrap_err();
    server.reaches(&handled("v1", "DeadlineExceeded"), 1.0);
    server.reaches("function_odoo_calls_waiting", 0.0);

    let patient = tokio::spawn(async move { call(&second, V1, request()).await });
    server.reaches("function_odoo_calls_waiting", 1.0);
    assert_eq!(server.lines("call").len(), 0);
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    patient.await.unwrap().unwrap();
    server.reaches("function_odoo_calls_in_flight", 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_line_with_large_requests_do_not_starve_those_being_read() {
    let server = Server::start(&["--insecure", "--max-in-flight", "4"]);
    let mut calls = Vec::new();
    for _ in 0..4 {
        let channel = plain(&server).await;
        for _ in 0..8 {
            let channel = channel.clone();
            calls.push(tokio::spawn(
                async move { call(&channel, V1, padded(3 * MIB)).await },
            ));
        }
    }
    for call in calls {
        tokio::time::timeout(PATIENCE, call)
            .await
            .expect("a call starved")
            .unwrap()
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_calls_in_flight_finish() {
    const CALLS: u32 = 20;
    let mut server = Server::start(&["--insecure"]);
    let channel = plain(&server).await;
    let mut watch = HealthClient::new(plain(&server).await)
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    let (releases, calls): (Vec<_>, Vec<_>) = (0..CALLS)
        .map(|_| held(&channel, padded(MIB)))
        .map(|(release, call)| (release, tokio::spawn(call)))
        .unzip();
    server.reaches("function_odoo_calls_in_flight", f64::from(CALLS));

    server.signal("TERM");
    server.logged("stopping");
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    poll("a closed port", || {
        TcpStream::connect(server.address).is_err().then_some(())
    });
    assert!(server.get("/readyz", "*/*").0.starts_with("HTTP/1.1 503 "));
    assert!(server.get("/healthz", "*/*").0.starts_with("HTTP/1.1 200 "));
    assert!(server.is_running());
    assert_eq!(server.lines("call").len(), 0);

    for release in releases {
        release.send(()).unwrap();
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.ended().code(), Some(0));
    server.logged("stopped");
    assert_eq!(server.lines("call").len(), CALLS as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once() {
    let mut server = Server::start(&["--insecure"]);
    let channel = plain(&server).await;
    let (_release, call) = held(&channel, request());
    let call = tokio::spawn(call);
    server.reaches("function_odoo_calls_in_flight", 1.0);
    server.signal("INT");
    server.logged("stopping");
    server.signal("INT");
    assert_eq!(server.ended().code(), Some(0));
    call.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_be_switched_off() {
    let server = Server::start_with(&["--insecure"], &[("METRICS_ADDRESS", "")]);
    assert_eq!(server.metrics_address, None);
    answers(&plain(&server).await, V1).await;
}

/// Starts that must fail: one line that has all of these words, nothing else, exit code 2.
fn is_refused(arguments: &[&str], environment: &[(&str, &str)], words: &[&str]) {
    let refusal = run(arguments, environment);
    assert_eq!(refusal.code, Some(2), "{arguments:?}: {}", refusal.stderr);
    assert_eq!(refusal.stdout, "");
    assert_eq!(refusal.stderr.lines().count(), 1, "{}", refusal.stderr);
    assert!(
        refusal.stderr.starts_with("function-odoo: "),
        "{}",
        refusal.stderr
    );
    for word in words {
        assert!(refusal.stderr.contains(word), "{word}: {}", refusal.stderr);
    }
}

#[test]
fn wrong_flags_are_one_line_and_exit_code_2() {
    is_refused(&["--insecur"], &[], &["--insecur", "--insecure", "--help"]);
    is_refused(&["fly"], &[], &["fly"]);
    is_refused(&["--insecure", "--max-in-flight", "0"], &[], &["--max-in-flight"]);
    is_refused(
        &["--insecure", "--max-recv-message-size", "4MB"],
        &[],
        &["4MB", "16Mi"],
    );
    is_refused(&["--insecure", "--network", "unix"], &[], &["unix", "tcp"]);
    is_refused(
        &["--insecure", "--address", "odoo:9443"],
        &[],
        &["odoo:9443", "[::1]:9443"],
    );
    is_refused(
        &["--insecure"],
        &[("METRICS_ADDRESS", "8080")],
        &["8080", "--metrics-address"],
    );
    is_refused(
        &[],
        &[],
        &["--tls-certs-dir", "TLS_SERVER_CERTS_DIR", "--insecure"],
    );
    is_refused(
        &[],
        &[("TLS_SERVER_CERTS_DIR", "")],
        &["--tls-certs-dir", "--insecure"],
    );
}

#[test]
fn bad_certificates_are_named_all_at_once() {
    let missing = Mounted::of(&Authority::new());
    for file in ["tls.crt", "ca.crt"] {
        fs::remove_file(missing.file(file)).unwrap();
    }
    is_refused(
        &["--tls-certs-dir", missing.path()],
        &[],
        &[missing.path(), "tls.crt", "ca.crt"],
    );
    is_refused(
        &[],
        &[("TLS_SERVER_CERTS_DIR", "/nowhere")],
        &["/nowhere", "tls.crt", "tls.key", "ca.crt"],
    );

    let garbage = Mounted::of(&Authority::new());
    for file in ["tls.crt", "tls.key", "ca.crt"] {
        fs::write(garbage.file(file), SECRET).unwrap();
    }
    is_refused(
        &["--tls-certs-dir", garbage.path()],
        &[],
        &["tls.crt", "tls.key", "ca.crt"],
    );
    assert!(
        !run(&["--tls-certs-dir", garbage.path()], &[])
            .stderr
            .contains(SECRET)
    );

    let mixed = Mounted::of(&Authority::new());
    fs::write(mixed.file("tls.key"), Authority::new().server().key).unwrap();
    is_refused(&["--tls-certs-dir", mixed.path()], &[], &["tls.crt", "tls.key"]);

    let folder = Mounted::of(&Authority::new());
    fs::remove_file(folder.file("tls.key")).unwrap();
    fs::create_dir(folder.file("tls.key")).unwrap();
    is_refused(&["--tls-certs-dir", folder.path()], &[], &["tls.key"]);
}

#[test]
fn a_taken_port_is_one_line_and_exit_code_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    is_refused(
        &["--insecure", "--metrics-address=", "--address", &address],
        &[],
        &[&address, "in use"],
    );
    let metrics = [
        "--insecure",
        "--address",
        "127.0.0.1:0",
        "--metrics-address",
        &address,
    ];
    is_refused(&metrics, &[], &[&address, "in use", "--metrics-address"]);
    let foreign = ["--insecure", "--metrics-address=", "--address", "192.0.2.1:9443"];
    is_refused(&foreign, &[], &["192.0.2.1:9443"]);
}

#[test]
fn version_and_help_are_answers() {
    let version = run(&["--version"], &[]);
    assert_eq!(
        (version.code, version.stdout.as_str()),
        (Some(0), "function-odoo 0.1.0\n")
    );
    let help = run(&["--help"], &[]);
    assert_eq!(help.code, Some(0));
    for word in [
        "PLANAClient",
        "composition render",
        "TLS_SERVER_CERTS_DIR",
        "METRICS_ADDRESS",
        "DEBUG",
        "RUST_LOG",
        "--max-in-flight",
        "--max-recv-message-size",
        "Exit codes:",
        "/readyz",
    ] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    assert_eq!(help.stderr, "");
}
