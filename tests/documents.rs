//! What the documents promise: flags, links, and examples that work.

#[path = "common/openapi.rs"]
mod openapi;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use function_odoo::api::check;
use regex_lite::Regex;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| unreachable!("{path}: {error}"))
}

/// The flags of the program and their defaults, as its help tells them.
fn flags() -> BTreeMap<String, Option<String>> {
    let output = Command::new(env!("CARGO_BIN_EXE_function-odoo"))
        .arg("--help")
        .output()
        .expect("it starts");
    let help = String::from_utf8(output.stdout).expect("help is text");
    let mut flags = BTreeMap::new();
    let mut last = None;
    for line in help.lines().skip_while(|line| !line.starts_with("Options:")) {
        let word = line.split_whitespace().find(|word| word.starts_with("--"));
        let is_entry = line.trim_start().starts_with('-');
        if let (true, Some(word)) = (is_entry, word) {
            last = Some(word.to_owned());
            flags.insert(word.to_owned(), None);
        }
        if let (Some(flag), Some((_, rest))) = (&last, line.split_once("[default: ")) {
            flags.insert(flag.clone(), rest.split(']').next().map(str::to_owned));
        }
    }
    flags.retain(|flag, _| flag != "--help" && flag != "--version");
    flags
}

#[test]
fn the_readme_lists_the_flags_with_their_defaults() {
    let flags = flags();
    assert!(flags.contains_key("--address"), "{flags:?}");
    let mut listed = BTreeMap::new();
    for line in read("README.md").lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<_> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        listed.insert(
            cells[1].to_owned(),
            Some(cells[3].to_owned()).filter(|default| !default.is_empty()),
        );
    }
    assert_eq!(listed, flags);
}

/// The anchor of a heading: its letters, digits and hyphens, with hyphens for spaces.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches(['#', ' ']).to_lowercase();
    text.chars()
        .filter(|character| character.is_alphanumeric() || " -_".contains(*character))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = vec![
        PathBuf::from("README.md"),
        "CONTRIBUTING.md".into(),
        "CHANGELOG.md".into(),
    ];
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).expect("there are documents");
    documents.extend(docs.map(|entry| Path::new("docs").join(entry.expect("an entry").file_name())));
    let mut links = 0;
    for document in documents {
        let text = read(&document.display().to_string());
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = document.parent().expect("it is in a folder");
            let path = if path.is_empty() {
                document.clone()
            } else {
                folder.join(path)
            };
            assert!(
                Path::new(ROOT).join(&path).exists(),
                "{}: {target}",
                document.display()
            );
            if !anchor.is_empty() {
                let text = read(&path.display().to_string());
                let is_there = text
                    .lines()
                    .any(|line| line.starts_with('#') && anchor_of(line) == anchor);
                assert!(is_there, "{}: {target}", document.display());
            }
        }
    }
    assert!(links > 5, "links are found: {links}");
}

#[test]
fn the_client_in_the_readme_is_the_starter_example() {
    let readme = read("README.md");
    let block = readme
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("there is one");
    let shown: Value = serde_yaml::from_str(block).expect("it is YAML");
    let example: Value = serde_yaml::from_str(&read("examples/starter/xr.yaml")).expect("it is YAML");
    assert_eq!(shown, example);
    assert_eq!(openapi::problems(&shown), Vec::<String>::new());
}

#[test]
fn example_platforms_and_clients_have_no_problems() {
    for name in ["platform-plana", "platform-small"] {
        let platform: Value =
            serde_yaml::from_str(&read(&format!("examples/{name}.yaml"))).expect("it is YAML");
        assert_eq!(check::platform_problems(&platform), [], "{name}");
        assert_eq!(openapi::problems(&platform), Vec::<String>::new(), "{name}");
    }
    for name in ["starter", "pro", "enterprise", "template"] {
        let client: Value =
            serde_yaml::from_str(&read(&format!("examples/{name}/xr.yaml"))).expect("it is YAML");
        assert_eq!(openapi::problems(&client), Vec::<String>::new(), "{name}");
    }
}

/// All text of odoo-job's source, without its tests.
fn source_of_jobs() -> String {
    let mut folders = vec![Path::new(ROOT).join("src/job")];
    let mut text = read("src/job.rs");
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of src/") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = fs::read_to_string(&path).expect("source");
            text.push_str(file.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
    text
}

/// How a run may end, by reason: what the source says.
fn reasons_in_source() -> BTreeMap<String, BTreeSet<String>> {
    let made = Regex::new(r#"\b(retry|give_up|refused?)\(\s*"([A-Z][A-Za-z]+)""#).expect("it compiles");
    let mut reasons = BTreeMap::<_, BTreeSet<_>>::new();
    for found in made.captures_iter(&source_of_jobs()) {
        let exit = match &found[1] {
            "retry" => "Retry",
            "give_up" => "GiveUp",
            _ => "Refused",
        };
        reasons
            .entry(found[2].to_owned())
            .or_default()
            .insert(exit.to_owned());
    }
    reasons
}

#[test]
fn every_reason_of_odoo_job_is_explained_once() {
    let source = reasons_in_source();
    assert!(source.len() > 10, "{source:?}");
    let mut explained = BTreeMap::new();
    for line in read("docs/odoo-job.md")
        .lines()
        .skip_while(|line| *line != "## Reasons")
    {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, reason, exits, meaning, way_out, _] = cells[..] else {
            continue;
        };
        let Some(reason) = reason.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
            continue;
        };
        assert!(!meaning.is_empty() && !way_out.is_empty(), "{line}");
        let exits = exits.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        assert!(
            explained.insert(reason.to_owned(), exits).is_none(),
            "twice: {line}"
        );
    }
    assert_eq!(explained, source, "left is docs/odoo-job.md, right the source");
}

#[test]
fn every_command_of_odoo_job_is_documented() {
    let output = Command::new(env!("CARGO_BIN_EXE_odoo-job"))
        .arg("--help")
        .output()
        .expect("it starts");
    let help = String::from_utf8(output.stdout).expect("help is text");
    let commands = help.split("Commands:\n").nth(1).expect("a list of commands");
    let names = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next());
    let document = read("docs/odoo-job.md");
    let mut count = 0;
    for name in names.filter(|name| *name != "help") {
        count += 1;
        let documented = document
            .lines()
            .any(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        assert!(documented, "{name} has no row");
    }
    assert!(count > 15, "{count}");
}
