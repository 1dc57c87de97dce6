//! Our YAML against the library that Crossplane's command line prints with (`tests/go_yaml`, built by these tests).
//!
//! Where Go's library fails (control characters), ours has to fail too.

#[expect(dead_code, reason = "this program needs Go only, which no tool installs")]
mod common;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use function_odoo::cli::render::yaml;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Map, Value, json};

/// How many generated values are compared; a second or two.
const GENERATED: usize = 6000;

/// Texts that some YAML reader takes for something else, or that are hard to lay out.
const NASTY: &[&str] = &[
    "",
    " ",
    "  ",
    "a ",
    " a",
    "\n",
    "\n\n",
    "a\n",
    "a\n\n",
    "\na",
    " \na",
    "a \nb",
    "a\n b\n",
    "\ta",
    "a\tb",
    "a\t\nb",
    "\r",
    "a\r\nb",
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "n",
    "no",
    "on",
    "off",
    "On",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRue",
    "null",
    "Null",
    "~",
    "nil",
    ".nan",
    ".NaN",
    ".inf",
    "-.inf",
    "+.INF",
    "inf",
    "NaN",
    "<<",
    "=",
    "0",
    "-0",
    "+0",
    "00",
    "007",
    "08",
    "0o7",
    "0O17",
    "0x1F",
    "0X1f",
    "0xg",
    "0x",
    "0b1",
    "0b2",
    "-0b1",
    "0b-1",
    "0b+1",
    "-0b-1",
    "+1",
    "-1",
    "1_000",
    "_1",
    "1_",
    "1__0",
    "0_1",
    "1.",
    ".1",
    ".",
    "..",
    "...",
    "....",
    "1.0",
    "1.0.0",
    "1e3",
    "1E3",
    "1e+3",
    "1e",
    "e3",
    "1e999",
    "-1e999",
    ".1e999",
    "1e-999",
    ".e3",
    "+.5",
    "-.5",
    ".1_2",
    "._1",
    ".1_",
    ".1__2",
    ".1_2e3",
    ".1e_3",
    ".1e3_0",
    "1,5",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "+9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0xffffffffffffffff",
    "0x10000000000000000",
    "12:30",
    "1:60",
    "1:59:59",
    "190:20:30.15",
    "-1:2",
    "1:2.",
    "1_:2",
    ":1",
    "12:",
    "2024-01-01",
    "2024-1-1",
    "2024-13-01",
    "2024-02-30",
    "2024-02-29",
    "2023-02-29",
    "1900-02-29",
    "2000-02-29",
    "2024-01-01T00:00:00Z",
    "2024-01-01t0:0:0Z",
    "2024-01-01T00:00:00",
    "2024-01-01 00:00:00",
    "2024-01-01   1:2:3.5",
    "2024-01-01 00:00:00Z",
    "2024-01-01T00:00:00.123456789012Z",
    "2024-01-01T00:00:00,5Z",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:00:00+01:00",
    "2024-01-01T00:00:00+24:60",
    "2024-01-01T00:00:00+25:00",
    "2024-01-01T00:00:00z",
    "2024-01",
    "20240-01-01",
    "2024-001-01",
    "2024-01-001",
    "-",
    "- a",
    "-a",
    "--",
    "---",
    "--- a",
    "---a",
    "? a",
    "?a",
    "?",
    ":",
    ": a",
    ":a",
    "a:",
    "a: b",
    "a:b",
    "a :b",
    "a#b",
    "a #b",
    "#a",
    "# a",
    "a\t#b",
    "\u{0}#b",
    "!a",
    "&a",
    "*a",
    "@a",
    "`a",
    "%a",
    "|",
    "|a",
    ">a",
    "'a",
    "'",
    "''",
    "a'b",
    "\"a",
    "\"",
    "a\"b",
    "\\",
    "a\\b",
    "[a",
    "a[",
    "]",
    "{a",
    "{}",
    "[]",
    "{{ .x }}",
    "a,b",
    ",a",
    "\u{7f}",
    "a\u{80}b",
    "\u{85}",
    "a\u{85}b",
    "a \u{85} \u{85} b",
    "\u{85}\u{85}",
    "a\u{85}",
    "\u{85}a\nb",
    "\u{a0}",
    "a\u{a0}b",
    "\u{ad}",
    "\u{2028}",
    "a\u{2028}b",
    "a\u{2028} b",
    "a \u{2029}b",
    "a\u{2028}\nb",
    "\u{2028}\n",
    "\n\u{2028}",
    "\u{feff}",
    "a\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{fffd}",
    "\u{e000}",
    "\u{d7ff}",
    "\u{10ffff}",
    "\u{1f600}",
    "a\u{1f600}\nb",
    "ä",
    "日本語",
    "Ünï cödé",
    "\u{1}",
    "\u{1b}[0m",
    "\u{8}\u{b}\u{c}\u{7}",
    "<a href=\"b\">&</a>",
    "a\u{0}b",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "#!/bin/sh\nset -e\n\necho  \"$1\"  \n",
    "key: value\nlist:\n- a\n",
];

/// Runs all values through the Go program; `None` when Go is missing.
fn go_yaml(values: &[Value]) -> Option<Vec<Result<String, String>>> {
    let program = go_program()?;
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Go program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let lines = values
        .iter()
        .fold(String::new(), |lines, value| lines + &value.to_string() + "\n");
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("the Go program ends");
    writer
        .join()
        .expect("the writer ends")
        .expect("the Go program reads everything");
    let answers: Vec<Value> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("the Go program answers in JSON");
    assert_eq!(answers.len(), values.len(), "one answer a value");
    Some(
        answers
            .iter()
            .map(|answer| match (&answer["yaml"], &answer["error"]) {
                (Value::String(yaml), _) => Ok(yaml.clone()),
                (_, error) => Err(error.to_string()),
            })
            .collect(),
    )
}

/// Built once for all tests of this program.
fn go_program() -> Option<PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(build_go_program).clone()
}

fn build_go_program() -> Option<PathBuf> {
    let present = Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !common::real_component("Go, https://go.dev/dl", present) {
        return None;
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-yaml");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go_yaml"))
        .status()
        .expect("go starts");
    assert!(status.success(), "tests/go_yaml builds");
    Some(program)
}

fn assert_same(values: &[Value]) {
    let Some(expected) = go_yaml(values) else { return };
    let mut differences = Vec::new();
    for (value, expected) in values.iter().zip(expected) {
        match (yaml::print(value), expected) {
            (Ok(ours), Ok(theirs)) if ours == theirs => {}
            (Err(_), Err(_)) => {}
            (ours, theirs) => differences.push(format!("{value}\n  ours:   {ours:?}\n  theirs: {theirs:?}")),
        }
    }
    let shown: Vec<&String> = differences.iter().take(3).collect();
    assert!(
        differences.is_empty(),
        "{} of {} differ: {shown:#?}",
        differences.len(),
        values.len()
    );
}

fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        10 => proptest::char::range('a', 'e'),
        3 => Just(' '),
        2 => Just('\n'),
        4 => prop::sample::select(" \t\n-:#?,[]{}&*!|>'\"%@`\\.0129_+eExTZ~yNo=/<".chars().collect::<Vec<_>>()),
        1 => prop::sample::select("\u{85}\u{a0}\u{2028}\u{2029}ä日\u{1f600}\u{7}\r".chars().collect::<Vec<_>>()),
    ];
    prop_oneof![
        3 => prop::sample::select(NASTY).prop_map(str::to_owned),
        4 => prop::collection::vec(character.clone(), 0..12).prop_map(|all| all.into_iter().collect()),
        1 => prop::collection::vec(character, 70..200).prop_map(|all| all.into_iter().collect()),
        2 => prop::collection::vec("[a-z0-9:'#-]{1,9}", 8..40).prop_map(|words| words.join(" ")),
        1 => prop::collection::vec("[a-z \"]{1,12}", 8..40).prop_map(|words| format!("{}\u{1}", words.join("  "))),
    ]
}

/// Letters never follow digits here: Go's order has cycles then (`12` < `1a` < `2` < `12`), and its output varies.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-cA-C._/-]{1,6}",
        2 => "[a-b]{0,3}[0-9]{1,4}(\\.[0-9]{1,3})?",
        1 => text().prop_map(|text| text.replace(|character: char| character.is_ascii_digit(), "d")),
        1 => "[a-c]{120,135}",
        1 => "[äöb日]{1,4}[0-9]?",
    ]
}

#[expect(clippy::cast_precision_loss, reason = "the doubles are what is tested")]
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(|number| json!(number as f64)),
        (-1000_i64..1000).prop_map(|number| json!(number as f64)),
        any::<f64>().prop_map(Value::from),
        (any::<i32>(), -12_i32..26)
            .prop_map(|(mantissa, exponent)| json!(f64::from(mantissa) * 10_f64.powi(exponent))),
        (any::<u16>(), 0_i32..8)
            .prop_map(|(mantissa, places)| json!(f64::from(mantissa) / 10_f64.powi(places))),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        3 => number(),
        9 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

#[test]
fn nasty_texts_are_printed_as_go_prints_them() {
    let mut values = Vec::new();
    for text in NASTY {
        values.push(json!(text));
        values.push(json!({"k": text, "l": [text, {"m": text}]}));
        values.push(json!({*text: 1, "z": {*text: [text]}}));
        values.push(json!(format!("{text} {}", "word ".repeat(30))));
        values.push(json!({"k": format!("{}{text}\n", "word ".repeat(30))}));
        values.push(json!({"k": {"l": format!("{}{text}", "it's  ".repeat(20))}}));
    }
    for length in [127, 128, 129, 1021, 1022, 1023, 1024] {
        values.push(json!({"k".repeat(length): "v", "a": {"k".repeat(length): {"b": [1]}}}));
        values.push(json!({"ä".repeat(length): ["v"]}));
    }
    assert_same(&values);
}

#[test]
fn generated_values_are_printed_as_go_prints_them() {
    let mut runner = TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    });
    let values: Vec<Value> = (0..GENERATED)
        .map(|_| {
            tree()
                .new_tree(&mut runner)
                .expect("the strategy generates")
                .current()
        })
        .collect();
    assert_same(&values);
}
