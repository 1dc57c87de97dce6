//! The Matrix server, the account portal and the ERP of the cluster: enough of each for the Jobs that talk to them.
//!
//! In: the secrets that their callers must have, each in a file. Out: three ports, and on standard output one JSON line
//! for each request: what was asked, by whom as far as it was proven, and what was answered. No line has a secret.
//!
//! Each can be told to misbehave for a while (`POST /_control {"system":"portal","status":503,"times":3}`, on any of the
//! ports), so that a Job can be seen to fail, and to succeed once the trouble is over. With `"about":"acme"` only requests
//! that have this text in address or body count, so that scenarios at the same time do not trouble each other.
//!
//! | file | what it has |
//! |---|---|
//! | `http` | requests and answers on the wire |
//! | `matrix` | rooms, aliases, invitations |
//! | `notices` | the signed news that portal and ERP take |

mod http;
mod matrix;
mod notices;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use self::{
    http::{Answer, Request},
    matrix::Matrix,
    notices::Notices,
};

/// The path that tells the doubles how to behave.
pub const CONTROL: &str = "/_control";

/// One of the systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// The Matrix server.
    Matrix,
    /// The account portal.
    Portal,
    /// The ERP.
    Erp,
}

impl System {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Matrix, Self::Portal, Self::Erp];

    /// What it is called in requests, in the log and in the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Matrix => "matrix",
            Self::Portal => "portal",
            Self::Erp => "erp",
        }
    }

    /// Where it listens.
    pub const fn port(self) -> u16 {
        match self {
            Self::Matrix => 8008,
            Self::Portal => 3000,
            Self::Erp => 8070,
        }
    }
}

/// An answer instead of the right one.
#[derive(Clone, Debug)]
struct Misbehaviour {
    status: u16,
    times: u64,
    /// Only requests with this text; all have the empty one.
    about: String,
}

/// All systems.
#[derive(Debug)]
struct Doubles {
    matrix: Matrix,
    portal: Notices,
    erp: Notices,
    told: Mutex<BTreeMap<System, Misbehaviour>>,
}

/// Serves until the process is ended.
pub fn run(secrets: &Path) -> Result<ExitCode> {
    let secret = |system: System| {
        let path = secrets.join(system.name());
        let text = fs::read_to_string(&path);
        text.with_context(|| format!("cannot read {}", path.display()))
    };
    let doubles = Doubles::new(
        &secret(System::Matrix)?,
        &secret(System::Portal)?,
        &secret(System::Erp)?,
    );
    let listen = |system: System| {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, system.port()));
        let listener = listener.with_context(|| format!("cannot listen on port {}", system.port()))?;
        Ok((system, listener))
    };
    let listeners = System::ALL.into_iter().map(listen).collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| {
        for (system, listener) in listeners {
            let doubles = &doubles;
            scope.spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    // A client that breaks off is no trouble of ours.
                    scope.spawn(move || drop(http::serve(&stream, |request| doubles.work(system, request))));
                }
            });
        }
    });
    Ok(ExitCode::SUCCESS)
}

impl Doubles {
    fn new(matrix: &str, portal: &str, erp: &str) -> Self {
        Self {
            matrix: Matrix::new(matrix),
            portal: Notices::new(portal),
            erp: Notices::new(erp),
            told: Mutex::default(),
        }
    }

    /// Answers, and writes down what was asked.
    fn work(&self, system: System, request: &Request) -> Answer {
        let (answer, seen) = self.answer(system, request);
        let line = line(system, request, &answer, seen);
        // Fails only when nobody keeps the log.
        let _ = writeln!(std::io::stdout(), "{line}");
        answer
    }

    /// The answer, and what the log says besides.
    fn answer(&self, system: System, request: &Request) -> (Answer, Value) {
        if request.target == CONTROL {
            return (self.control(request), json!({}));
        }
        if let Some(status) = self.misbehaviour(system, request) {
            return (
                Answer::new(status, json!({"error": "told to"})),
                json!({"told": true}),
            );
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match system {
            System::Matrix => (self.matrix.answer(request), json!({})),
            System::Portal => self.portal.answer(request, now.as_secs()),
            System::Erp => self.erp.answer(request, now.as_secs()),
        }
    }

    fn control(&self, request: &Request) -> Answer {
        let refuse = |what: &str| Answer::new(400, json!({ "error": what }));
        let body = request.json();
        let names = || System::ALL.map(System::name).join(", ");
        let Some(system) = System::ALL
            .into_iter()
            .find(|system| body["system"] == system.name())
        else {
            return refuse(&format!("system must be one of {}", names()));
        };
        let status = body["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok());
        let Some(status) = status.filter(|status| (400..600).contains(status)) else {
            return refuse("status must be a status of a failure, 400 to 599");
        };
        let Some(times) = body["times"].as_u64() else {
            return refuse("times must be a number; 0 ends it");
        };
        let about = body["about"].as_str().unwrap_or_default().to_owned();
        let misbehaviour = Misbehaviour { status, times, about };
        self.told().insert(system, misbehaviour);
        Answer::new(
            200,
            json!({"system": system.name(), "status": status, "times": times}),
        )
    }

    /// The status that is answered instead, one time less from now on.
    fn misbehaviour(&self, system: System, request: &Request) -> Option<u16> {
        let mut told = self.told();
        let misbehaviour = told.get_mut(&system)?;
        if !request.is_about(&misbehaviour.about) {
            return None;
        }
        misbehaviour.times = misbehaviour.times.checked_sub(1)?;
        Some(misbehaviour.status)
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<System, Misbehaviour>> {
        // It is replaced as a whole, so one who panicked has left it as it was.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line of the log: what was asked, and what `seen` has besides. Of the headers it has none: they hold the secrets.
fn line(system: System, request: &Request, answer: &Answer, seen: Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = json!({
        "time": now.as_secs(),
        "system": system.name(),
        "method": request.method,
        "target": request.target,
        "status": answer.status,
        "body": request.json(),
    });
    if let (Some(line), Value::Object(seen)) = (line.as_object_mut(), seen) {
        line.extend(seen);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpStream};

    use super::*;

    const TOKEN: &str = "planted-token";

    fn doubles() -> Doubles {
        Doubles::new(TOKEN, "planted-portal-key", "planted-erp-key")
    }

    fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.to_string().into_bytes(),
        }
    }

    #[test]
    fn a_system_misbehaves_as_often_as_it_was_told_to_and_the_others_do_not() {
        let doubles = doubles();
        let control = json!({"system": "portal", "status": 503, "times": 2});
        let told = doubles.work(System::Erp, &request("POST", CONTROL, &[], &control));
        assert_eq!(told.status, 200);
        let ask = |system| {
            doubles
                .work(system, &request("POST", "/news", &[], &json!({})))
                .status
        };
        // Unsigned news is refused with 401, whoever gets it.
        let statuses = [
            ask(System::Portal),
            ask(System::Erp),
            ask(System::Portal),
            ask(System::Portal),
        ];
        assert_eq!(statuses, [503, 401, 503, 401]);
    }

    #[test]
    fn a_system_misbehaves_only_to_those_that_it_was_told_of() {
        let doubles = doubles();
        let control = json!({"system": "erp", "status": 500, "times": 9, "about": "acme"});
        doubles.work(System::Erp, &request("POST", CONTROL, &[], &control));
        let statuses = ["acme", "borealis"].map(|name| {
            let news = request("POST", "/news", &[], &json!({"subdomain": name}));
            doubles.work(System::Erp, &news).status
        });
        assert_eq!(statuses, [500, 401]);
    }

    #[test]
    fn a_control_request_that_says_nothing_usable_is_refused() {
        let doubles = doubles();
        for body in [
            json!({}),
            json!({"system": "redis", "status": 503, "times": 1}),
            json!({"system": "erp", "status": 200, "times": 1}),
            json!({"system": "erp", "status": 503}),
            json!("erp"),
        ] {
            let answer = doubles.work(System::Matrix, &request("POST", CONTROL, &[], &body));
            assert_eq!(answer.status, 400, "{body}");
        }
    }

    #[test]
    fn a_line_of_the_log_has_the_request_and_no_secret() {
        let authorization = format!("Bearer {TOKEN}");
        let headers = [("authorization", authorization.as_str())];
        let request = request(
            "GET",
            "/_matrix/client/v3/account/whoami",
            &headers,
            &json!({"a": 1}),
        );
        let doubles = doubles();
        let (answer, seen) = doubles.answer(System::Matrix, &request);
        let line = line(System::Matrix, &request, &answer, seen);
        assert_eq!(line["status"], 200);
        assert_eq!(line["body"], json!({"a": 1}));
        assert_eq!(line["system"], "matrix");
        assert!(!line.to_string().contains(TOKEN), "{line}");
    }

    #[test]
    fn requests_come_and_answers_go_over_a_socket_one_after_the_other() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            http::serve(&stream, |request| doubles().work(System::Erp, request))
        });
        let mut stream = TcpStream::connect(address).unwrap();
        let body = r#"{"system":"erp","status":500,"times":1}"#;
        let head = format!(
            "POST /_control HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(
                format!("{head}{body}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
            )
            .unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        let statuses: Vec<_> = answers
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| &answer[..3])
            .collect();
        assert_eq!(statuses, ["200", "401"], "{answers}");
    }
}
