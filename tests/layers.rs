//! The shape of src/: who uses whom, what the core may not touch, how large things are, and where words may stand.
//!
//! In: the source as text, without its tests and comments, and the table in the documentation of src/lib.rs. A rule
//! that reads nothing would hold for everything, so each says how much it has read.
#![expect(clippy::panic, reason = "source that cannot be read ends the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use function_odoo::plan::waiting;
use regex_lite::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const FILE_LINES_MAXIMUM: usize = 400;
const FUNCTION_LINES_MAXIMUM: usize = 80;
/// What 95 of 100 functions stay below.
const FUNCTION_LINES_USUAL: usize = 45;

/// A file of src/.
struct Source {
    path: String,
    /// Its module: `plan::steps`.
    module: String,
    /// Its text before its tests.
    text: String,
    /// The same without comments.
    code: String,
}

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(sources);

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&Path::new(ROOT).join("src"), &mut paths);
    paths.sort();
    let all: Vec<_> = paths.iter().map(|path| source(path)).collect();
    assert!(all.len() > 60, "{}", all.len());
    all
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of src/") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn source(path: &Path) -> Source {
    let whole = fs::read_to_string(path).expect("a file of src/");
    let path = path
        .strip_prefix(Path::new(ROOT).join("src"))
        .expect("it is in src/");
    let path = path.to_str().expect("names are ASCII").to_owned();
    // Tests stand at the end of a file; one that stood before would be read as code, and found.
    let text = whole.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<_> = lines
        .map(|line| line.split(" // ").next().unwrap_or_default())
        .collect();
    Source {
        module: path.trim_end_matches(".rs").replace('/', "::"),
        code: code.join("\n"),
        path,
        text,
    }
}

fn is_core(source: &Source) -> bool {
    let outside = ["cli", "job", "main", "telemetry", "function::server"];
    !outside.iter().any(|module| is_below(&source.module, module)) && !source.module.starts_with("bin::")
}

fn is_below(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The table in the documentation of src/lib.rs.
fn table(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let library = &sources
        .iter()
        .find(|source| source.module == "lib")
        .expect("src/lib.rs")
        .text;
    let names = Regex::new("`([a-zA-Z_:]+)`").expect("it compiles");
    let rows = library.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rows = rows.map(|row| {
        let (module, uses) = row.split_once("` |").expect("a row has two cells");
        let uses = names.captures_iter(uses).map(|name| name[1].to_owned());
        (module.to_owned(), uses.collect())
    });
    rows.collect()
}

/// All paths of a crate that a `use` tree names.
fn expand(tree: &str, prefix: &str, paths: &mut BTreeSet<String>) {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default();
        paths.insert(
            format!("{prefix}{}", name.trim())
                .trim_end_matches("::self")
                .to_owned(),
        );
        return;
    };
    let inner = inner
        .trim_end()
        .strip_suffix('}')
        .unwrap_or_else(|| panic!("braces match: {tree}"));
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (index, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = inner[start..index].trim();
                if !part.is_empty() {
                    expand(part, &prefix, paths);
                }
                start = index + 1;
            }
            _ => {}
        }
    }
}

/// Everything of this crate that a file names, from the top.
fn uses(source: &Source) -> BTreeSet<String> {
    static STATEMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^\s*(?:pub(?:\([a-z: ]+\))? )?use\s+([^;]+);").expect("it compiles")
    });
    static INLINE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b(crate|super)::[a-z_:A-Z]+").expect("it compiles"));
    let mut named = BTreeSet::new();
    for tree in STATEMENT.captures_iter(&source.code) {
        expand(&tree[1], "", &mut named);
    }
    let rest = STATEMENT.replace_all(&source.code, "");
    named.extend(INLINE.find_iter(&rest).map(|path| path.as_str().to_owned()));
    named
        .iter()
        .filter_map(|path| from_the_top(path, &source.module))
        .collect()
}

fn from_the_top(path: &str, module: &str) -> Option<String> {
    if let Some(path) = path.strip_prefix("crate::") {
        return Some(path.to_owned());
    }
    let (mut at, mut rest) = (module, path);
    while let Some(further) = rest.strip_prefix("super::") {
        at = at.rsplit_once("::").map_or("", |(parent, _)| parent);
        rest = further;
    }
    (rest != path).then(|| {
        if at.is_empty() {
            rest.to_owned()
        } else {
            format!("{at}::{rest}")
        }
    })
}

#[test]
fn modules_use_what_the_table_says() {
    let table = table(&SOURCES);
    let mut read = 0;
    for source in SOURCES.iter().filter(|source| {
        !["lib", "main"].contains(&source.module.as_str()) && !source.module.starts_with("bin::")
    }) {
        let owners = table.keys().filter(|module| is_below(&source.module, module));
        let owner = owners.max_by_key(|module| module.len());
        let owner = owner.unwrap_or_else(|| panic!("src/lib.rs says nothing of {}", source.module));
        for used in uses(source) {
            read += 1;
            let allowed = table[owner]
                .iter()
                .chain([owner])
                .any(|allowed| is_below(&used, allowed));
            assert!(
                allowed,
                "src/{} uses {used}; src/lib.rs allows {owner} {:?}",
                source.path, table[owner]
            );
        }
    }
    assert!(read > 200, "{read}");
    let modules: BTreeSet<_> = SOURCES.iter().map(|source| source.module.as_str()).collect();
    let stale: Vec<_> = table
        .keys()
        .filter(|module| !modules.contains(module.as_str()))
        .collect();
    assert!(stale.is_empty(), "src/lib.rs speaks of {stale:?}");
}

#[test]
fn nothing_may_be_used_that_is_not() {
    for (module, allowed) in table(&SOURCES) {
        let of_it = SOURCES.iter().filter(|source| is_below(&source.module, &module));
        let used: BTreeSet<_> = of_it.flat_map(uses).collect();
        for allowed in allowed {
            assert!(
                used.iter().any(|used| is_below(used, &allowed)),
                "{module} does not use {allowed}"
            );
        }
    }
}

#[test]
fn the_core_touches_nothing_but_its_arguments() {
    let forbidden = [
        "std::time",
        "SystemTime",
        "Instant::",
        "Timestamp::now",
        "Zoned::now",
        "std::env",
        " env::",
        "env::var",
        "rand::",
        "tracing::",
        "tokio::",
        "std::fs",
        " fs::",
        "std::net",
        "std::process",
        "std::thread",
        "println!",
        "async fn",
    ];
    let core: Vec<_> = SOURCES.iter().filter(|source| is_core(source)).collect();
    assert!(core.len() > 40, "{}", core.len());
    for source in core {
        for word in forbidden {
            assert!(!source.code.contains(word), "src/{} has {word}", source.path);
        }
    }
}

#[test]
fn files_are_short() {
    for source in SOURCES.iter() {
        let lines = source.text.trim_end().lines().count();
        assert!(
            lines < FILE_LINES_MAXIMUM,
            "src/{} has {lines} lines without its tests",
            source.path
        );
    }
}

#[test]
fn functions_are_short() {
    let head = Regex::new(r"^(\s*)(pub(\([a-z: ]+\))? )?(const )?(async )?fn (\w+)").expect("it compiles");
    let mut lengths = Vec::new();
    for source in SOURCES.iter() {
        let lines: Vec<_> = source.text.lines().collect();
        for (start, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("fn ")) {
            let Some(found) = head.captures(line) else {
                continue;
            };
            let end = format!("{}}}", &found[1]);
            let is_end = |line: &&str| **line == end;
            let ends_at_once = line.ends_with('}') || line.ends_with(';');
            let length = if ends_at_once {
                1
            } else {
                lines[start..].iter().position(is_end).map_or(1, |last| last + 1)
            };
            assert!(
                length <= FUNCTION_LINES_MAXIMUM,
                "{} in src/{} has {length} lines",
                &found[6],
                source.path
            );
            lengths.push(length);
        }
    }
    assert!(lengths.len() > 500, "{}", lengths.len());
    let long = lengths
        .iter()
        .filter(|length| **length >= FUNCTION_LINES_USUAL)
        .count();
    assert!(
        long * 20 <= lengths.len(),
        "{long} of {} functions are long",
        lengths.len()
    );
}

#[test]
fn words_stand_where_they_belong() {
    for source in SOURCES.iter() {
        let labels = source.module == "blueprint::labels";
        assert!(
            labels || !source.code.contains("app.kubernetes.io"),
            "src/{} has a label",
            source.path
        );
        let typed = ["compose", "blueprint", "plan"]
            .iter()
            .any(|module| is_below(&source.module, module));
        assert!(
            !(typed && source.code.contains("json!")),
            "src/{} has untyped objects",
            source.path
        );
        for word in ["utils", "helpers", "common", "misc", "manager"] {
            assert!(
                !source.module.split("::").any(|name| name == word),
                "src/{}",
                source.path
            );
        }
        for word in ["maybe_", "todo!", "unimplemented!", "#[allow("] {
            assert!(!source.code.contains(word), "src/{} has {word}", source.path);
        }
    }
}

fn text_of(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of tests/") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text_of(&path, text);
        } else {
            text.push_str(&fs::read_to_string(path).expect("a file of tests/"));
        }
    }
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .collect()
}

#[test]
fn operators_can_look_up_every_reason() {
    let operations =
        fs::read_to_string(Path::new(ROOT).join("docs/operations.md")).expect("docs/operations.md");
    let section = operations
        .split("## What a condition that is false says")
        .nth(1)
        .expect("the section of reasons");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let documented: Vec<_> = rows
        .flat_map(|row| row.split(" |").next().unwrap_or_default().split(", "))
        .collect();
    let unique: BTreeSet<String> = documented.iter().map(|reason| (*reason).to_owned()).collect();
    assert_eq!(unique.len(), documented.len(), "a reason has one row");
    assert_eq!(unique, waiting::reasons());
}

/// A reason that no test ever sees may be one that nobody ever sees. Those of Jobs are alike for all steps, and
/// those of objects that are being deleted for all kinds.
#[test]
fn every_reason_is_seen_in_a_test() {
    let mut text = String::new();
    for folder in ["tests/golden", "tests/tenant", "tests/simulate"] {
        text_of(&Path::new(ROOT).join(folder), &mut text);
    }
    let job = Regex::new(
        "^(?:Build|Init|Smoke|SupportRoom|Portal|Erp|Event|Suspend|Resume|FinalBackup|FinalVerify|RoomRetire|\
         PortalFarewell|ErpFarewell|EventFarewell|FilestoreRemove|Release|\
         Database|HTTPRoute|HTTPRouteFilter|CronJob|Job)\
         (Running|Replacing|Failed|Refused|TimedOut|BeingDeleted)$",
    )
    .expect("it compiles");
    let seen = words(&text);
    let job_words: BTreeSet<String> = seen
        .iter()
        .filter_map(|word| Some(job.captures(word)?[1].to_owned()))
        .collect();
    assert_eq!(job_words.len(), 6, "{job_words:?}");
    // provider-sql's troubles are told apart in the tests of `observed::database`, from its own words.
    let database =
        fs::read_to_string(Path::new(ROOT).join("src/plan/waiting.rs")).expect("src/plan/waiting.rs");
    let table = database
        .split("fn trouble_reason")
        .nth(1)
        .and_then(|rest| rest.split("\n}").next());
    let told_apart = words(table.expect("the words of troubles"));
    let reasons = waiting::reasons();
    let unseen: Vec<_> = reasons
        .iter()
        .filter(|reason| {
            !job.is_match(reason) && !told_apart.contains(reason.as_str()) && !seen.contains(reason.as_str())
        })
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
