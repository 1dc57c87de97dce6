//! Our messages against those of the official Python SDK: what one writes, the other reads.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it calls")]

mod common;
#[path = "protocol/official.rs"]
mod official;
#[path = "protocol/ours.rs"]
mod ours;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use function_odoo::function::{
    proto::v1,
    wire::{state::merge, to_json, write},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use prost::{Message, bytes::Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

/// Messages of each kind that Python gets to see.
const MESSAGES: usize = 60;

fn samples<M>(strategy: impl Strategy<Value = M>) -> Vec<M> {
    let mut runner = TestRunner::deterministic();
    (0..MESSAGES)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// The same Struct, written by our writer.
fn rewrite(bytes: &mut Option<Bytes>) {
    if let Some(bytes) = bytes {
        *bytes = write(&to_json(bytes).unwrap()).unwrap().into();
    }
}

#[derive(Deserialize)]
struct Seen {
    json: Value,
    bytes: String,
}

fn ask(python: &Path, lines: &str) -> Vec<Seen> {
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python_sdk/echo.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = lines.to_owned();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn from_hexadecimal(text: &str) -> Bytes {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_official_python_sdk_sees_our_messages_as_we_do_and_we_see_its() {
    let Some(python) = common::tool("python-sdk") else {
        return;
    };
    let mut lines = String::new();
    let mut expected = Vec::new();
    for message in samples(official::request()) {
        let mut request = v1::RunFunctionRequest::decode(message.encode_to_vec().as_slice()).unwrap();
        rewrite(&mut request.input);
        rewrite(&mut request.context);
        for resource in request
            .observed
            .iter_mut()
            .flat_map(|state| state.resources.values_mut())
        {
            rewrite(&mut resource.resource);
        }
        writeln!(lines, "request {}", hexadecimal(&request.encode_to_vec())).unwrap();
        expected.push(ours::request(&request));
    }
    for message in samples(official::response()) {
        let mut response = v1::RunFunctionResponse::decode(message.encode_to_vec().as_slice()).unwrap();
        rewrite(&mut response.context);
        rewrite(&mut response.output);
        let object = write(&json!({"kind": "Job", "metadata": {"labels": {"a.b/c": "d"}}})).unwrap();
        let resources = BTreeMap::from([("ours".to_owned(), (object.as_slice(), v1::Ready::True))]);
        let foreign = response.desired.take().unwrap_or_default();
        response.desired = Some(merge(&foreign, None, &resources).unwrap().into());
        writeln!(lines, "response {}", hexadecimal(&response.encode_to_vec())).unwrap();
        expected.push(ours::response(&response));
    }

    let seen = ask(&python, &lines);
    assert_eq!(seen.len(), 2 * MESSAGES);
    for (index, (seen, expected)) in seen.into_iter().zip(expected).enumerate() {
        assert_eq!(ours::doubles(seen.json), expected);
        let bytes = from_hexadecimal(&seen.bytes);
        let back = if index < MESSAGES {
            ours::request(&v1::RunFunctionRequest::decode(bytes).unwrap())
        } else {
            ours::response(&v1::RunFunctionResponse::decode(bytes).unwrap())
        };
        assert_eq!(back, expected);
    }
}
