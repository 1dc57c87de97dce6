//! What a customer and the systems around see of a tenant: pages behind the gateway, the bucket, the stream, the log of
//! the doubles.

use std::{env, fs, path::PathBuf, process};

use serde_json::Value;

use super::{
    cluster::{answer, run},
    tenant::Tenant,
};

/// The bytes of an answer, and its status.
#[derive(Debug)]
pub struct Page {
    /// The status; 0 when there was no answer.
    pub status: u16,
    /// The text.
    pub body: String,
}

/// A browser as far as its cookies go.
#[derive(Debug)]
pub struct Browser {
    cookies: PathBuf,
}

impl Browser {
    /// Without cookies.
    pub fn new(name: &str) -> Self {
        let cookies = env::temp_dir().join(format!("function-odoo-e2e-{}-{name}", process::id()));
        let _none = fs::remove_file(&cookies);
        Self { cookies }
    }

    /// Asks for an address; the lines are options of curl, which come on its standard input as secrets do.
    pub fn ask(&self, url: &str, lines: &[String]) -> Page {
        let cookies = self.cookies.to_str().expect("the path is text");
        let arguments = [
            "--silent",
            "--max-time",
            "60",
            "--cookie",
            cookies,
            "--cookie-jar",
            cookies,
            "--write-out",
            "\n%{http_code}",
            "--config",
            "-",
            url,
        ];
        let output = run("curl", &arguments, &(lines.join("\n") + "\n"));
        let printed = String::from_utf8_lossy(&output.stdout);
        let (body, status) = printed.rsplit_once('\n').unwrap_or(("", "0"));
        Page {
            status: status.trim().parse().unwrap_or(0),
            body: body.to_owned(),
        }
    }

    /// Asks for an address.
    pub fn get(&self, url: &str) -> Page {
        self.ask(url, &[])
    }

    /// Logs in as a person does, and says as whom Odoo knows us then: the user's login, or nothing.
    pub fn log_in(&self, tenant: &Tenant, login: &str, password: &str) -> Option<String> {
        let page = self.get(&tenant.url("/web/login"));
        assert_eq!(page.status, 200, "the login page: {}", page.body);
        let token = between(&page.body, "name=\"csrf_token\" value=\"", "\"").expect("the form has a token");
        let fields = [("csrf_token", token), ("login", login), ("password", password)];
        let lines: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("data-urlencode = \"{name}={value}\""))
            .collect();
        self.ask(&tenant.url("/web/login"), &lines);
        let question = [
            "header = \"Content-Type: application/json\"".to_owned(),
            "data = \"{}\"".to_owned(),
        ];
        let session = self.ask(&tenant.url("/web/session/get_session_info"), &question);
        let session: Value = serde_json::from_str(&session.body).ok()?;
        Some(session.pointer("/result/username")?.as_str()?.to_owned())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _none = fs::remove_file(&self.cookies);
    }
}

/// The text between two others.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}

/// The entries of the event stream that speak of a tenant: their ids and types.
pub fn events(tenant: &Tenant) -> Vec<Value> {
    let printed = look("redis", &["--json", "XRANGE", "PLANA:events", "-", "+"]);
    let entries: Value = serde_json::from_str(&printed).unwrap_or_default();
    let mut found = Vec::new();
    collect(&entries, &mut found);
    found.retain(|event| event["subject"] == tenant.name.as_str());
    found
}

/// The texts in an answer of Redis that are CloudEvents, whatever shape the answer has.
fn collect(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| collect(item, found)),
        Value::String(text) => found.extend(
            serde_json::from_str::<Value>(text)
                .ok()
                .filter(|event| event["specversion"] == "1.0"),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The keys in the bucket below a tenant's name.
pub fn stored(tenant: &Tenant) -> Vec<String> {
    let listing = look("s3", &[]);
    let prefix = format!("{}/", tenant.name);
    listing
        .split_whitespace()
        .filter(|word| word.starts_with(&prefix))
        .map(str::to_owned)
        .collect()
}

/// The requests that one of the doubles had, one a line of its log.
pub fn requests(system: &str) -> Vec<Value> {
    let log = look("logs", &["doubles"]);
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["system"] == system)
        .collect()
}

/// Has one of the doubles answer so many requests about a tenant with a failure; none: to behave again.
pub fn misbehave(system: &str, status: u16, times: u32, tenant: &Tenant) {
    look(
        "misbehave",
        &[system, &status.to_string(), &times.to_string(), &tenant.name],
    );
}

/// What a command of the cluster prints.
pub fn look(action: &str, arguments: &[&str]) -> String {
    let printed = answer(&run(action, arguments, ""));
    assert!(printed.is_ok(), "{action} {}: {printed:?}", arguments.join(" "));
    printed.unwrap_or_default()
}
