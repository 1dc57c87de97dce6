//! `function-odoo plan` and `diagram`, as people run them: the real program over the folders of `examples/`.
//!
//! `docs/plan.md` shows commands with what they print, `docs/states.md` what `diagram` prints; both are compared here, and
//! `UPDATE=1 cargo test --test plan` writes them anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use function_odoo::cli::plan::{self, PlanArguments};
use serde_json::Value;

const NOW: &str = "2026-01-31T12:00:00Z";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_function-odoo");
    Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What `plan` takes to look at a moment of the examples, from the root of the project.
fn at(moment: &str) -> Vec<String> {
    let folder = format!("examples/{moment}");
    let mut arguments = vec!["plan".to_owned(), format!("{folder}/xr.yaml")];
    for name in ["observed", "required"] {
        if root().join(&folder).join(name).is_dir() {
            arguments.extend([format!("--{name}"), format!("{folder}/{name}")]);
        }
    }
    arguments.extend(["--schemas", "examples/schemas", "--now", NOW].map(str::to_owned));
    arguments
}

fn plan(moment: &str, more: &[&str]) -> Output {
    let arguments = at(moment);
    let arguments: Vec<_> = arguments
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    run(&arguments)
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

fn moments() -> Vec<String> {
    let mut moments = Vec::new();
    for example in ["starter", "pro", "enterprise", "template"] {
        let entries = fs::read_dir(root().join("examples").join(example)).unwrap();
        let folders = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir());
        moments.extend(folders.map(|entry| format!("{example}/{}", entry.file_name().to_str().unwrap())));
    }
    moments.sort();
    moments
}

/// What the function answers at a moment, from its golden file.
fn golden(moment: &str) -> Value {
    let path = root().join("tests/golden").join(format!("{moment}.yaml"));
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_moment_is_told_with_a_reason_for_whatever_is_not_done() {
    let moments = moments();
    assert!(moments.len() > 25, "{moments:?}");
    for moment in moments {
        let output = plan(&moment, &["-o", "json"]);
        let told = document(&output);
        let answer = golden(&moment);
        assert_eq!(
            told["phase"], answer["composite"]["resource"]["status"]["phase"],
            "{moment}"
        );
        let code = match told["verdict"].as_str().unwrap() {
            "Settled" => 0,
            "Waiting" => 3,
            "Trouble" => 4,
            other => panic!("{other}"),
        };
        assert_eq!(output.status.code(), Some(code), "{moment}");
        for condition in told["conditions"].as_array().unwrap() {
            let answered = &answer["conditions"][condition["type"].as_str().unwrap()];
            assert_eq!(condition["reason"], answered["reason"], "{moment}");
            assert_eq!(condition["message"], answered["message"], "{moment}");
        }
        for step in told["steps"].as_array().unwrap() {
            let has = |field: &str| {
                step.get(field)
                    .is_some_and(|value| !value.as_array().is_some_and(Vec::is_empty))
            };
            let is_told = match step["state"].as_str().unwrap() {
                "done" | "next" | "later" => has("evidence"),
                "waiting" | "stuck" => has("reason") && has("message"),
                "off" => true,
                other => panic!("{other}"),
            };
            assert!(is_told, "{moment}: {step}");
        }
    }
}

#[test]
fn every_exit_code_is_used() {
    assert_eq!(plan("starter/30-initialising", &[]).status.code(), Some(3));
    assert_eq!(plan("pro/30-route-refused", &[]).status.code(), Some(4));
    assert_eq!(plan("enterprise/10-running", &[]).status.code(), Some(0));
    assert_eq!(run(&["plan", "no-such-file.yaml"]).status.code(), Some(2));
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("xr.yaml");
    let good = fs::read_to_string(root().join("examples/starter/xr.yaml")).unwrap();
    fs::write(&bad, good.replace("subdomain: acme", "subdomain: a--b")).unwrap();
    let refused = run(&["plan", bad.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("spec.subdomain: cannot be"),
        "{}",
        text(&refused.stderr)
    );
    assert!(refused.stdout.is_empty());
}

fn changed(moment: &str, change: impl Fn(String) -> String) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("xr.yaml");
    let old = format!("examples/{moment}/xr.yaml");
    fs::write(&new, change(fs::read_to_string(root().join(&old)).unwrap())).unwrap();
    let mut arguments = at(moment);
    new.to_str().unwrap().clone_into(&mut arguments[1]);
    arguments.extend(["--from".to_owned(), old, "-o".to_owned(), "json".to_owned()]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    document(&run(&arguments))["change"].take()
}

fn acts(change: &Value) -> Vec<String> {
    let resources = change["resources"].as_array().unwrap().iter();
    let step = |name: &str| {
        name.rsplit_once('-')
            .map_or(name.to_owned(), |(step, _)| step.to_owned())
    };
    resources
        .map(|change| {
            let name = change["resource"].as_str().unwrap();
            format!(
                "{} {}",
                change["act"].as_str().unwrap(),
                if name.contains('-') {
                    step(name)
                } else {
                    name.to_owned()
                }
            )
        })
        .collect()
}

#[test]
fn a_change_is_told_with_what_runs_again() {
    let tier = changed("enterprise/10-running", |text| {
        text.replace("tier: enterprise", "tier: starter")
    });
    assert!(acts(&tier).contains(&"change backup".to_owned()), "{tier:#}");
    assert!(
        !acts(&tier).iter().any(|act| act.starts_with("rerun")),
        "{tier:#}"
    );
    let revision = changed("template/30-available", |text| {
        text.replace("revision: 4f1c2d3", "revision: a0b1c2d")
    });
    assert_eq!(acts(&revision), ["rerun template-build"], "{revision:#}");
    assert_eq!(revision["phase"], serde_json::json!(["Available", "Outdated"]));
    let same = changed("starter/99-running", |text| text);
    assert_eq!(acts(&same), Vec::<String>::new());
    assert_eq!(same["status"], serde_json::json!([]));
}

#[test]
fn a_status_that_only_the_old_file_has_is_that_of_both() {
    let without_status = |text: String| {
        let end = text.find("\nstatus:").unwrap();
        text[..=end].replace("tier: starter", "tier: pro")
    };
    let change = changed("starter/99-running", without_status);
    assert_eq!(
        change["phase"],
        serde_json::json!(["Running", "Running"]),
        "{change:#}"
    );
}

#[test]
fn a_paused_or_deleted_one_is_told_with_what_would_happen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("xr.yaml");
    let text = fs::read_to_string(root().join("examples/enterprise/10-running/xr.yaml")).unwrap();
    let mut arguments = at("enterprise/10-running");
    file.to_str().unwrap().clone_into(&mut arguments[1]);
    arguments.extend(["-o", "json"].map(str::to_owned));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for (field, value, halt, code) in [
        (
            "annotations",
            serde_json::json!({"crossplane.io/paused": "true"}),
            "Paused",
            4,
        ),
        ("deletionTimestamp", serde_json::json!(NOW), "Deleting", 3),
    ] {
        let mut object: Value = serde_yaml::from_str(&text).unwrap();
        object["metadata"][field] = value;
        fs::write(&file, serde_yaml::to_string(&object).unwrap()).unwrap();
        let output = run(&arguments);
        let told = document(&output);
        assert_eq!(
            (told["halt"].as_str(), output.status.code()),
            (Some(halt), Some(code)),
            "{told:#}"
        );
        assert_eq!(told["phase"], "Running", "{told:#}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let arguments = PlanArguments {
        composite: root().join("examples/starter/xr.yaml"),
        now: Some(NOW.to_owned()),
        ..PlanArguments::default()
    };
    let printed = |colour| plan::run(&arguments, colour).unwrap().text;
    assert!(printed(true).contains("\u{1b}["));
    assert!(!printed(false).contains('\u{1b}'));
    assert!(
        !text(&plan("pro/30-route-refused", &[]).stdout).contains('\u{1b}'),
        "a pipe is no terminal"
    );
}

#[test]
fn values_of_secrets_are_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let mut planted = 0;
    let copy = |name: &str| -> PathBuf { folder.path().join(name) };
    for part in ["observed", "required"] {
        fs::create_dir(copy(part)).unwrap();
        for entry in fs::read_dir(root().join("examples/starter/99-running").join(part)).unwrap() {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            planted += usize::from(text.contains("cGxhY2Vob2xkZXI="));
            let value = if part == "observed" {
                "cGxhbnRlZC1vbmU="
            } else {
                "cGxhbnRlZC10d28="
            };
            fs::write(
                copy(part).join(entry.file_name()),
                text.replace("cGxhY2Vob2xkZXI=", value),
            )
            .unwrap();
        }
    }
    assert!(planted > 1, "{planted}");
    let mut arguments = at("starter/99-running");
    for (index, part) in [(3, "observed"), (5, "required")] {
        arguments[index] = copy(part).to_str().unwrap().to_owned();
    }
    for format in ["text", "json"] {
        let arguments: Vec<_> = arguments
            .iter()
            .map(String::as_str)
            .chain(["-o", format])
            .collect();
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        assert!(
            !text(&output.stdout).contains("cGxhbnRlZC"),
            "{}",
            text(&output.stdout)
        );
        assert!(
            text(&output.stdout).contains("data."),
            "a copy that differs is told"
        );
    }
}

/// The document with what its commands print after each of them.
fn with_output(document: &str) -> String {
    let mut lines = document.lines();
    let mut written = String::new();
    while let Some(line) = lines.next() {
        written.push_str(line);
        written.push('\n');
        let Some(command) = line.strip_prefix("    $ function-odoo ") else {
            continue;
        };
        // What it printed before ends with its exit code; a command that is new has none.
        let rest: Vec<_> = lines.clone().collect();
        let next = rest
            .iter()
            .position(|line| line.starts_with("    $ "))
            .unwrap_or(rest.len());
        if let Some(end) = rest[..next]
            .iter()
            .position(|line| line.starts_with("    exit code"))
        {
            lines.nth(end);
        }
        let words: Vec<_> = command.split(' ').collect();
        let output = run(&words);
        for line in text(&output.stdout).lines() {
            written.push_str(format!("    {line}").trim_end());
            written.push('\n');
        }
        writeln!(written, "    exit code {}", output.status.code().unwrap()).unwrap();
    }
    written
}

fn compare(path: &str, expected: &str) {
    let path = root().join(path);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        written == expected,
        "{} is not what is printed; UPDATE=1 cargo test --test plan writes it anew",
        path.display()
    );
}

#[test]
fn the_documents_show_what_is_printed() {
    let document = fs::read_to_string(root().join("docs/plan.md")).unwrap();
    let shown = with_output(&document);
    assert_eq!(shown.matches("    exit code").count(), 3);
    compare("docs/plan.md", &shown);
    let states = fs::read_to_string(root().join("docs/states.md")).unwrap();
    let head = states.split("## ").next().unwrap();
    let diagram = text(&run(&["diagram"]).stdout);
    assert!(diagram.matches("```mermaid").count() == 6);
    compare("docs/states.md", &format!("{head}{diagram}"));
    let one = |subject| text(&run(&["diagram", subject]).stdout);
    assert_eq!(format!("{}\n{}", one("tenant"), one("template")), diagram);
}
