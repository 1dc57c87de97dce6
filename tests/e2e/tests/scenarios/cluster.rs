//! The cluster as a person has it: the commands of `dev/`.
//!
//! In: the program `cluster`, which was built with these tests. Out: what its commands print, or their complaint.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// provider-sql's kind; other groups have Databases too.
pub const DATABASES: &str = "databases.postgresql.sql.crossplane.io";
/// Where the Jobs and workers of the scenarios' major are.
pub const NAMESPACE: &str = "plana-odoo-19";
/// Where Crossplane is, and the Jobs that tell others.
pub const SYSTEM: &str = "crossplane-system";
/// The pods of the function.
pub const FUNCTION_PODS: &str = "pkg.crossplane.io/function=plana-pulse-function-odoo";

/// Runs a command of the cluster, with something on its standard input.
pub fn run(action: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .arg(action)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built with this test");
    let mut standard_input = child.stdin.take().expect("it is piped");
    // Who does not read its input is free to end before it is written.
    let _unread = standard_input.write_all(input.as_bytes());
    drop(standard_input);
    child.wait_with_output().expect("it was started")
}

/// What a command printed, or its complaint.
pub fn answer(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// What kubectl prints, or its complaint.
pub fn kubectl(arguments: &[&str]) -> Result<String, String> {
    answer(&run("kubectl", arguments, ""))
}

/// Applies one object, as a person would.
pub fn apply(object: &Value) -> Result<String, String> {
    answer(&run("kubectl", &["apply", "--filename=-"], &object.to_string()))
}

/// Creates an object below an address of the API, such as an eviction.
pub fn create_raw(path: &str, object: &Value) -> Result<String, String> {
    let arguments = ["create", "--raw", path, "--filename=-"];
    answer(&run("kubectl", &arguments, &object.to_string()))
}

/// An object, or a list of them; `None` as long as there is none.
pub fn object(arguments: &[&str]) -> Option<Value> {
    let mut all = vec!["get", "--output=json"];
    all.extend_from_slice(arguments);
    serde_json::from_str(&kubectl(&all).ok()?).ok()
}

/// The items of a list.
pub fn items(arguments: &[&str]) -> Vec<Value> {
    object(arguments)
        .and_then(|list| list["items"].as_array().cloned())
        .unwrap_or_default()
}

/// A field of an object as text; empty where there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Status, reason and message of a condition.
pub fn condition(object: &Value, kind: &str) -> Option<[String; 3]> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    Some(["/status", "/reason", "/message"].map(|field| text(condition, field).to_owned()))
}

/// What the superuser gets for statements in a database of the server; they go over standard input.
pub fn psql_in(database: &str, statements: &str) -> String {
    let flags = [
        "--no-psqlrc",
        "--tuples-only",
        "--no-align",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
    ];
    let mut arguments = flags.to_vec();
    arguments.extend(["--dbname", database]);
    let answer = answer(&run("psql", &arguments, statements));
    assert!(answer.is_ok(), "{statements}: {answer:?}");
    answer.unwrap_or_default()
}

/// The same, in the database `postgres`.
pub fn psql(statements: &str) -> String {
    psql_in("postgres", statements)
}

/// Whether the server has this database.
pub fn has_database(name: &str) -> bool {
    psql(&format!(
        "SELECT count(*) FROM pg_database WHERE datname = '{name}'"
    )) == "1"
}
