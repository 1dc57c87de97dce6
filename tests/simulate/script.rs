//! What users, operators and bad luck do, one thing a line.
//!
//! In: text. Out: [`Action`]s, and back. `#` begins a comment; `# ...` lines of a script stay in its log.
//!
//! | line | what it does |
//! |---|---|
//! | `apply client NAME` / `apply template NAME` | `kubectl apply` of the example of that kind |
//! | `set KIND NAME PATH JSON` | sets a field: `set client acme spec.tier "pro"` |
//! | `annotate KIND NAME KEY VALUE` | sets an annotation; without VALUE it is removed |
//! | `delete KIND NAME` | `kubectl delete` |
//! | `platform PATH JSON` | sets a field of the Platform |
//! | `forget KIND NAME` | its status is lost |
//! | `remove NAME RESOURCE` | a composed object is deleted by hand; a Job by its step |
//! | `pass KIND NAME` | one pass of Crossplane |
//! | `work` / `work KIND` | one step of all controllers, or of one kind's |
//! | `settle` | passes and work until nothing changes |
//! | `wait HOURS` | time passes |
//! | `job STEP ENDING` | how the next Job of a step ends |
//! | `database trouble TEXT` / `database well` / `database kill` | what keeps provider-sql, in its own words |
//! | `make DATABASE MARKER` / `drop DATABASE` | somebody makes or drops a database |
//! | `occupy KIND NAMESPACE NAME` | somebody makes an object that nobody controls; `-` for no namespace |
//! | `gateway accepts` / `refuses` / `silent` | what the Gateway does with routes |
//! | `quota full` / `quota free` | whether pods get room |
//! | `backups fail` / `backups work` | whether the nightly Jobs succeed |
//! | `unknown KIND` / `known KIND` | whether the cluster knows a kind |
//! | `lag KIND PASSES` | Crossplane sees objects of a kind as they are now, for so many passes |
//! | `secret gone NAMESPACE NAME` / `secrets there` | Secrets of the platform |
//! | `lease taken NAME` / `lease free NAME` | somebody takes a tenant to themselves by hand, for an hour |
//! | `pods gone` | finished pods are collected |
//! | `restart` | the function and Crossplane start anew |
//! | `interrupt OBJECTS` | Crossplane is killed in its next pass after so many objects |
//! | `mend` | whatever is wrong is put right, by the way out that conditions name |

use std::fmt;

use serde_json::Value;

use crate::{store::Key, world::Ending};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Apply(Kind, String),
    Set(Kind, String, String, Value),
    Annotate(Kind, String, String, Option<String>),
    Delete(Kind, String),
    Platform(String, Value),
    Forget(Kind, String),
    Remove(String, String),
    Pass(Kind, String),
    Work(Option<String>),
    Settle,
    Wait(i64),
    Job(String, Ending),
    DatabaseTrouble(Option<String>),
    DatabaseKill,
    Make(String, String),
    Drop(String),
    Occupy(Key),
    Gateway(String),
    Quota(bool),
    BackupsFail(bool),
    Unknown(String, bool),
    Lag(String, u32),
    SecretGone(String, String),
    SecretsThere,
    Lease(String, bool),
    PodsGone,
    Restart,
    Interrupt(usize),
    Mend,
}

/// A kind of composite resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Client,
    Template,
}

impl Kind {
    pub fn key(self, name: &str) -> Key {
        let kind = match self {
            Self::Client => "PLANAClient",
            Self::Template => "TemplateSnapshot",
        };
        Key::new(kind, "", name)
    }

    fn read(word: &str) -> Option<Self> {
        match word {
            "client" => Some(Self::Client),
            "template" => Some(Self::Template),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Client => "client",
            Self::Template => "template",
        })
    }
}

/// Reads a script; a line that is none is named.
pub fn read(text: &str) -> Result<Vec<(usize, Action)>, String> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(index, line)| (index, line.split(" # ").next().unwrap_or_default().trim()));
    let actions = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    actions
        .map(|(index, line)| match Action::read(line) {
            Some(action) => Ok((index, action)),
            None => Err(format!("line {}: {line}", index + 1)),
        })
        .collect()
}

impl Action {
    fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').collect();
        let rest = |count: usize| line.splitn(count + 1, ' ').nth(count).map(str::to_owned);
        let own = |word: &&str| (*word).to_owned();
        Some(match words.as_slice() {
            ["apply", kind, name] => Self::Apply(Kind::read(kind)?, own(name)),
            ["set", kind, name, path, ..] => Self::Set(
                Kind::read(kind)?,
                own(name),
                own(path),
                serde_json::from_str(&rest(4)?).ok()?,
            ),
            ["annotate", kind, name, key] => Self::Annotate(Kind::read(kind)?, own(name), own(key), None),
            ["annotate", kind, name, key, value] => {
                Self::Annotate(Kind::read(kind)?, own(name), own(key), Some(own(value)))
            }
            ["delete", kind, name] => Self::Delete(Kind::read(kind)?, own(name)),
            ["platform", path, ..] => Self::Platform(own(path), serde_json::from_str(&rest(2)?).ok()?),
            ["forget", kind, name] => Self::Forget(Kind::read(kind)?, own(name)),
            ["remove", name, resource] => Self::Remove(own(name), own(resource)),
            ["pass", kind, name] => Self::Pass(Kind::read(kind)?, own(name)),
            ["work"] => Self::Work(None),
            ["work", kind] => Self::Work(Some(own(kind))),
            ["settle"] => Self::Settle,
            ["wait", hours] => Self::Wait(hours.parse().ok()?),
            ["job", step, ending] => {
                let ending = Ending::ALL.iter().find(|(word, _)| word == ending)?.1;
                Self::Job(own(step), ending)
            }
            ["database", "well"] => Self::DatabaseTrouble(None),
            ["database", "kill"] => Self::DatabaseKill,
            ["database", "trouble", ..] => Self::DatabaseTrouble(Some(rest(2)?)),
            ["make", name, marker] => Self::Make(own(name), own(marker)),
            ["drop", name] => Self::Drop(own(name)),
            ["occupy", kind, "-", name] => Self::Occupy(Key::new(kind, "", name)),
            ["occupy", kind, namespace, name] => Self::Occupy(Key::new(kind, namespace, name)),
            ["gateway", word @ ("accepts" | "refuses" | "silent")] => Self::Gateway(own(word)),
            ["quota", word @ ("full" | "free")] => Self::Quota(*word == "full"),
            ["backups", word @ ("fail" | "work")] => Self::BackupsFail(*word == "fail"),
            ["unknown", kind] => Self::Unknown(own(kind), true),
            ["known", kind] => Self::Unknown(own(kind), false),
            ["lag", kind, passes] => Self::Lag(own(kind), passes.parse().ok()?),
            ["secret", "gone", namespace, name] => Self::SecretGone(own(namespace), own(name)),
            ["secrets", "there"] => Self::SecretsThere,
            ["lease", word @ ("taken" | "free"), name] => Self::Lease(own(name), *word == "taken"),
            ["pods", "gone"] => Self::PodsGone,
            ["restart"] => Self::Restart,
            ["interrupt", objects] => Self::Interrupt(objects.parse().ok()?),
            ["mend"] => Self::Mend,
            _ => return None,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one_of = |is_first: &bool, first, second| if *is_first { first } else { second };
        match self {
            Self::Apply(kind, name) => write!(formatter, "apply {kind} {name}"),
            Self::Set(kind, name, path, value) => write!(formatter, "set {kind} {name} {path} {value}"),
            Self::Annotate(kind, name, key, None) => write!(formatter, "annotate {kind} {name} {key}"),
            Self::Annotate(kind, name, key, Some(value)) => {
                write!(formatter, "annotate {kind} {name} {key} {value}")
            }
            Self::Delete(kind, name) => write!(formatter, "delete {kind} {name}"),
            Self::Platform(path, value) => write!(formatter, "platform {path} {value}"),
            Self::Forget(kind, name) => write!(formatter, "forget {kind} {name}"),
            Self::Remove(name, resource) => write!(formatter, "remove {name} {resource}"),
            Self::Pass(kind, name) => write!(formatter, "pass {kind} {name}"),
            Self::Work(None) => write!(formatter, "work"),
            Self::Work(Some(kind)) => write!(formatter, "work {kind}"),
            Self::Settle => write!(formatter, "settle"),
            Self::Wait(hours) => write!(formatter, "wait {hours}"),
            Self::Job(step, ending) => {
                let word = Ending::ALL.iter().find(|(_, known)| known == ending);
                write!(formatter, "job {step} {}", word.map_or("", |(word, _)| word))
            }
            Self::DatabaseTrouble(None) => write!(formatter, "database well"),
            Self::DatabaseTrouble(Some(message)) => write!(formatter, "database trouble {message}"),
            Self::DatabaseKill => write!(formatter, "database kill"),
            Self::Make(name, marker) => write!(formatter, "make {name} {marker}"),
            Self::Drop(name) => write!(formatter, "drop {name}"),
            Self::Occupy(Key {
                kind,
                namespace,
                name,
            }) => {
                let namespace = if namespace.is_empty() { "-" } else { namespace };
                write!(formatter, "occupy {kind} {namespace} {name}")
            }
            Self::Gateway(word) => write!(formatter, "gateway {word}"),
            Self::Quota(full) => write!(formatter, "quota {}", one_of(full, "full", "free")),
            Self::BackupsFail(fail) => write!(formatter, "backups {}", one_of(fail, "fail", "work")),
            Self::Unknown(kind, unknown) => {
                write!(formatter, "{} {kind}", one_of(unknown, "unknown", "known"))
            }
            Self::Lag(kind, passes) => write!(formatter, "lag {kind} {passes}"),
            Self::SecretGone(namespace, name) => write!(formatter, "secret gone {namespace} {name}"),
            Self::SecretsThere => write!(formatter, "secrets there"),
            Self::Lease(name, taken) => write!(formatter, "lease {} {name}", one_of(taken, "taken", "free")),
            Self::PodsGone => write!(formatter, "pods gone"),
            Self::Restart => write!(formatter, "restart"),
            Self::Interrupt(objects) => write!(formatter, "interrupt {objects}"),
            Self::Mend => write!(formatter, "mend"),
        }
    }
}
