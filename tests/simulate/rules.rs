//! What no pass may do, whatever happens.
//!
//! In: what Crossplane observed, what the function answered, and what was seen before ([`Ledger`]). Out: the rules that
//! are broken, in words. `plan::invariants` are checked by the planner itself in these builds, so they end a life as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use function_odoo::{
    function::{
        self, explain,
        proto::v1::{Resource, RunFunctionRequest, RunFunctionResponse, Severity, State},
        wire,
    },
    names::{ResourceName, Step},
    plan::stages::{self, Evidence},
};
use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    plane::Pass,
    store::{Key, Object, Store, text},
    world::{World, argument, is_finished},
};

const INPUTS: &str = "planapulse.com/inputs";
const ATTEMPT: &str = "usage.crossplane.io/deletion-attempt-with-policy";
/// Commands that write to the database that they name.
const WRITERS: [&str; 6] = [
    "template-build",
    "tenant-init",
    "tenant-suspend",
    "tenant-resume",
    "tenant-release",
    "filestore-remove",
];
/// The annotation of a route that leads to no workers.
const CLOSED: &str = "planapulse.com/closed";

/// What was seen, and must not happen again.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Completed Jobs that a pass has seen: whose, which step, what it was made with.
    pub seen: BTreeSet<(String, String, String)>,
    /// Databases that somebody has dropped by hand.
    pub tampered: BTreeSet<String>,
    /// The cluster once did not know routes: a real one has lost them then, and here they come back.
    pub were_routes_unknown: bool,
    /// Phases that were left for others, with the kind.
    pub transitions: BTreeSet<(String, String, String)>,
}

/// Judges what the function answered.
pub fn judge(pass: &Pass<'_>, ledger: &mut Ledger) -> Vec<String> {
    let mut broken = Vec::new();
    let uid = pass.composite.uid();
    for (name, object) in pass.observed {
        remember(uid, name, object, ledger);
        if !pass.desired.contains_key(name)
            && let Err(why) = may_go(pass, name, object)
        {
            broken.push(format!("{name} is not desired any more: {why}"));
        }
    }
    broken.extend(policies(pass));
    broken.extend(conditions(pass));
    broken.extend(course(pass));
    broken
}

/// What is made is made as the planner's table says: not before its evidence is there, and without waiting for it then.
fn course(pass: &Pass<'_>) -> Vec<String> {
    let stages: &[stages::Stage] = match (
        text(&pass.composite.value, "/kind"),
        text(&pass.status, "/course/name"),
    ) {
        ("PLANAClient", "Suspend") => &stages::OF_SUSPENSION,
        ("PLANAClient", "Teardown") => &stages::OF_TEARDOWN,
        ("PLANAClient", _) => &stages::OF_TENANT,
        _ => &stages::OF_TEMPLATE,
    };
    let mut broken = Vec::new();
    for name in pass
        .desired
        .keys()
        .filter(|name| !pass.observed.contains_key(*name))
    {
        let Some(stage) = explain::stage_of(name, stages) else {
            continue;
        };
        let missing = stage.needs.iter().filter(|evidence| !is_there(**evidence, pass));
        broken.extend(missing.map(|evidence| format!("{name} is made before {}", evidence.words())));
    }
    for stage in stages {
        let is_begun = pass
            .desired
            .keys()
            .any(|name| explain::stage_of(name, stages).is_some_and(|of| of.name == stage.name));
        let mut steps = Step::ALL.into_iter();
        let step = steps.find(|step| step.as_str() == stage.name);
        let is_recorded = step.is_some_and(|step| is_recorded(pass, step));
        if is_begun || is_recorded || !stage.needs.iter().all(|evidence| is_there(*evidence, pass)) {
            continue;
        }
        let mut conditions = pass.response.conditions.iter();
        let condition = conditions.find(|condition| condition.r#type == stage.condition.as_str());
        let reason = condition.map_or("", |condition| condition.reason.as_str());
        if stage
            .needs
            .iter()
            .any(|evidence| waits_for(*evidence).iter().any(|word| word == reason))
        {
            broken.push(format!(
                "{} waits, {reason}, and all that it needs is there",
                stage.name
            ));
        }
    }
    broken
}

fn is_there(evidence: Evidence, pass: &Pass<'_>) -> bool {
    let database = pass.observed.get("database");
    match evidence {
        Evidence::TemplateUsable => pass.snapshots.iter().all(|snapshot| {
            let conditions = snapshot.pointer("/status/conditions").and_then(Value::as_array);
            let mut ready = conditions
                .into_iter()
                .flatten()
                .filter(|condition| condition["type"] == "TemplateReady");
            ready.any(|condition| condition["status"] == "True")
        }),
        Evidence::DatabaseAvailable => database.is_some_and(|database| {
            let generation = &database.value["metadata"]["generation"];
            // What it may only look at, provider-sql does not bring to a newer spec.
            let only_looks = database.value["spec"]["managementPolicies"] == json!(["Observe"]);
            let conditions = database
                .value
                .pointer("/status/conditions")
                .and_then(Value::as_array);
            let holds = conditions.into_iter().flatten().filter(|condition| {
                condition["status"] == "True"
                    && (only_looks || condition["observedGeneration"] == *generation)
            });
            holds.count() == 2
        }),
        Evidence::DatabaseReleased => database
            .is_some_and(|database| database.value["spec"]["managementPolicies"] == json!(["Observe"])),
        Evidence::RouteAccepted => {
            let mut routes = pass
                .observed
                .iter()
                .filter(|(name, _)| name.starts_with("route-"));
            routes.any(|(_, route)| {
                route.annotation(CLOSED).is_none()
                    && route.value.pointer("/status/parents/0/conditions/0/status") == Some(&json!("True"))
            })
        }
        Evidence::RoutesClosed => {
            let mut routes = pass
                .observed
                .iter()
                .filter(|(name, _)| name.starts_with("route-"));
            routes.all(|(_, route)| route.annotation(CLOSED).is_some())
        }
        Evidence::LastBackupVerified => {
            let was_proven = !pass.composite.value["status"]["done"]["tenant-init"].is_null();
            !was_proven || is_recorded(pass, Step::FinalVerify)
        }
        Evidence::NoWayBack => pass.composite.value["status"]["deletion"]["removing"] == true,
        Evidence::Recorded(step) => is_recorded(pass, step),
    }
}

/// The reasons of a condition that waits for it.
fn waits_for(evidence: Evidence) -> Vec<String> {
    let words: &[&str] = match evidence {
        Evidence::TemplateUsable => &["TemplateNotBuilt"],
        Evidence::DatabaseAvailable => &["DatabaseCreating"],
        Evidence::DatabaseReleased => &["DatabaseNotReleased"],
        Evidence::RouteAccepted => &["RoutePending", "RouteRefused"],
        Evidence::RoutesClosed => &["RouteClosing"],
        Evidence::LastBackupVerified | Evidence::NoWayBack => &[],
        Evidence::Recorded(step) => return vec![format!("{}NotDone", step.reason_word())],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn remember(uid: &str, name: &str, object: &Object, ledger: &mut Ledger) {
    let Some(ResourceName::Job(step, _)) = ResourceName::parse(name) else {
        return;
    };
    if is(object, "Complete") {
        let inputs = object.annotation(INPUTS).unwrap_or_default().to_owned();
        ledger
            .seen
            .retain(|(of, other, _)| (of.as_str(), other.as_str()) != (uid, step.as_str()));
        ledger
            .seen
            .insert((uid.to_owned(), step.as_str().to_owned(), inputs));
    }
}

fn is(object: &Object, condition: &str) -> bool {
    object
        .condition(condition)
        .is_some_and(|(status, _)| status == "True")
}

/// Whether the observed status has the record of a step for the turn that the function answered.
fn is_recorded(pass: &Pass<'_>, step: Step) -> bool {
    let done = &pass.composite.value["status"]["done"];
    let turn = pass.status["course"]["turn"].as_f64().unwrap_or_default();
    let inputs = done.get(step.as_str()).map(|record| &record["inputs"]);
    let is_of_each_turn = !matches!(
        step,
        Step::TemplateBuild
            | Step::TenantInit
            | Step::RoomCreate
            | Step::PortalNotify
            | Step::ErpCallback
            | Step::EventPublish
    );
    let is_later = turn > 0.0 && is_of_each_turn;
    inputs.is_some_and(|inputs| !is_later || *inputs == json!(format!("turn-{turn}")))
}

/// Whether the observed status has the record of a Job, or of one that did the same.
fn is_recorded_job(pass: &Pass<'_>, step: Step, job: &Object) -> bool {
    let record = pass.composite.value["status"]["done"].get(step.as_str());
    record.is_some_and(|record| record["inputs"].as_str() == job.annotation(INPUTS))
}

/// Whether something that is there may go.
fn may_go(pass: &Pass<'_>, name: &str, object: &Object) -> Result<(), String> {
    let is_leaving = pass.composite.annotation(ATTEMPT).is_some();
    match ResourceName::parse(name) {
        Some(ResourceName::Job(step, _)) => {
            let is_recorded = is_recorded_job(pass, step, object);
            match (is_finished(object), is(object, "Complete")) {
                _ if is_leaving && step != Step::TemplateBuild && is_finished(object) => Ok(()),
                (true, true) if is_recorded => Ok(()),
                (true, true) => Err("it completed, and no record of that was observed".to_owned()),
                (true, false) => Ok(()),
                (false, _) if object.is_going() => Ok(()),
                (false, _) if is_recorded && step != Step::TemplateBuild => Ok(()),
                (false, _) => Err("it runs".to_owned()),
            }
        }
        Some(ResourceName::Guard) if is_leaving => Ok(()),
        Some(ResourceName::Guard) => Err("nobody asked for a deletion".to_owned()),
        Some(ResourceName::Secret(..)) => is_unused(pass, object),
        Some(ResourceName::Maintenance(major)) => match pass.observed.get(&format!("route-{major}")) {
            Some(route) if route.annotation(CLOSED) != Some("filter") => Ok(()),
            _ => Err("a route may name it".to_owned()),
        },
        Some(ResourceName::Database) => {
            let is_told = pass.composite.value["status"]["deletion"]["dropping"] == true;
            if is_leaving && is_told && is_recorded(pass, Step::TenantRelease) {
                Ok(())
            } else {
                Err("it is not to be dropped yet".to_owned())
            }
        }
        // Without a filter nothing but its absence closes a route.
        Some(ResourceName::Route(_))
            if pass.unknown.contains("HTTPRouteFilter")
                && (pass.status["course"]["turn"] != 0.0 || !pass.status["maintenance"].is_null()) =>
        {
            Ok(())
        }
        Some(ResourceName::Route(_)) => {
            let mut others = pass
                .observed
                .iter()
                .filter(|(other, _)| other.starts_with("route-") && *other != name);
            let is_accepted = |route: &Object| {
                route.value.pointer("/status/parents/0/conditions/0/status") == Some(&json!("True"))
            };
            let another = others.any(|(_, route)| is_accepted(route));
            if another {
                Ok(())
            } else {
                Err("no other route is accepted".to_owned())
            }
        }
        Some(_) => Err("nothing may end it".to_owned()),
        None => Err("it is not ours".to_owned()),
    }
}

/// A copy of a Secret may go once nothing that may still run names it.
fn is_unused(pass: &Pass<'_>, secret: &Object) -> Result<(), String> {
    let wanted = json!(secret.value["metadata"]["name"]).to_string();
    let namespace = &secret.value["metadata"]["namespace"];
    let names = |resource: &Resource| {
        let object = wire::to_json(resource.resource.as_deref().unwrap_or_default()).unwrap();
        object["metadata"]["namespace"] == *namespace && object["spec"].to_string().contains(&wanted)
    };
    let others = pass
        .desired
        .iter()
        .filter(|(name, _)| !matches!(ResourceName::parse(name), Some(ResourceName::Secret(..))));
    let ended = |name: &str| pass.observed.get(name).is_some_and(|object| is_finished(object));
    for (name, resource) in others {
        if names(resource) && !ended(name) {
            return Err(format!("{name} uses it"));
        }
    }
    Ok(())
}

/// What provider-sql was told to only look at, it may only look at; or drop, once everything else is done.
fn policies(pass: &Pass<'_>) -> Option<String> {
    let before = pass.observed.get("database")?;
    let resource = pass.desired.get("database")?.resource.as_ref()?;
    let (only_looks, drops) = (json!(["Observe"]), json!(["Observe", "Delete"]));
    let policies = &before.value["spec"]["managementPolicies"];
    if (*policies != only_looks && *policies != drops) || before.is_applied_as(resource) {
        return None;
    }
    let after = wire::to_json(resource).unwrap()["spec"]["managementPolicies"].take();
    let may_drop = *policies == drops || is_recorded(pass, Step::TenantRelease);
    let is_allowed = after == only_looks || (after == drops && may_drop);
    (!is_allowed).then(|| "a database that may only be looked at may be made or dropped".to_owned())
}

/// Judges what a Job is about to do to a tenant's data.
pub fn acts(job: &Object, world: &World, store: &Store, ledger: &Ledger) -> Vec<String> {
    const ENDINGS: [&str; 4] = ["tenant-suspend", "backup", "filestore-remove", "tenant-release"];
    let command = text(&job.value, "/spec/template/spec/containers/0/args/0");
    let Some(database) = argument(job, "database").filter(|_| ENDINGS.contains(&command)) else {
        return Vec::new();
    };
    let mut broken: Vec<_> = serves(database, store, ledger)
        .then(|| format!("{command} while a route leads to the workers of {database}"))
        .into_iter()
        .collect();
    let is_verified = world.last_backups.get(database) == Some(&true);
    let removes = ["filestore-remove", "tenant-release"].contains(&command);
    if removes && !is_verified && !ledger.tampered.contains(database) {
        broken.push(format!(
            "{command} of {database}, and no last backup of it is verified"
        ));
    }
    broken
}

/// Judges the end of a database.
pub fn dropped(database: &str, world: &World, store: &Store, ledger: &Ledger) -> Vec<String> {
    let mut broken = Vec::new();
    let mut check = |holds: bool, rule: &str| {
        if !holds && !ledger.tampered.contains(database) {
            broken.push(format!("the database {database} is dropped, and {rule}"));
        }
    };
    let is_verified = world.last_backups.get(database) == Some(&true);
    check(is_verified, "no last backup of it is verified");
    check(!world.files.contains(database), "its files are there");
    check(world.released.contains(database), "it was not released");
    check(!serves(database, store, ledger), "a route leads to its workers");
    broken
}

/// Judges the end of a guard: it goes last.
pub fn guard_goes(key: &Key, store: &Store, world: &World, ledger: &Ledger) -> Option<String> {
    let uid = store.get(key)?.controller()?;
    let mut composites = store.of_kind("PLANAClient");
    let (_, composite) = composites.find(|(_, composite)| composite.uid() == uid)?;
    let database = text(&composite.value, "/status/database/name");
    let marker = world.databases.get(database)?.marker.as_deref();
    let was_proven = !composite.value["status"]["done"]["tenant-init"].is_null();
    let is_its_own = was_proven && marker == Some(text(&composite.value, "/status/databaseMarker"));
    (is_its_own && !ledger.tampered.contains(database))
        .then(|| format!("the guard goes, and the database {database} is there"))
}

/// Whether a route leads to the workers of a database.
fn serves(database: &str, store: &Store, ledger: &Ledger) -> bool {
    if ledger.were_routes_unknown {
        return false;
    }
    let mut routes = store.of_kind("HTTPRoute");
    routes.any(|(_, route)| {
        text(&route.value, "/spec/hostnames/0") == database
            && route.annotation(CLOSED).is_none()
            && !route.is_going()
            && route.controller().is_some()
    })
}

/// Every condition says why; Ready and the phase say the same.
fn conditions(pass: &Pass<'_>) -> Option<String> {
    let silent = pass.response.conditions.iter().find(|condition| {
        condition.reason.is_empty() || condition.message.as_deref().unwrap_or_default().is_empty()
    });
    silent.map(|condition| format!("{} has no reason", condition.r#type))
}

/// Judges the beginning of a pod.
pub fn starts(job: &Object, store: &Store) -> Option<String> {
    let database = argument(job, "database").filter(|_| writes(job))?;
    let runs = |other: &Object| {
        let mut pods = store.of_kind("Pod");
        pods.any(|(_, pod)| {
            pod.controller() == Some(other.uid()) && pod.value["status"]["phase"] == "Running"
        })
    };
    let mut others = store.of_kind("Job").filter(|(_, other)| other.uid() != job.uid());
    let other = others
        .find(|(_, other)| writes(other) && argument(other, "database") == Some(database) && runs(other));
    other.map(|(key, _)| format!("two write to {database}, one of them is {}", key.shown()))
}

fn writes(job: &Object) -> bool {
    let command = text(&job.value, "/spec/template/spec/containers/0/args/0");
    WRITERS.contains(&command)
}

/// Judges an object that was just made.
pub fn composed(
    name: &str,
    key: &Key,
    value: &Value,
    uid: &str,
    ledger: &mut Ledger,
    world: &World,
) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(ResourceName::Job(step, _)) = ResourceName::parse(name) {
        let inputs = value["metadata"]["annotations"][INPUTS]
            .as_str()
            .unwrap_or_default();
        let run = (uid.to_owned(), step.as_str().to_owned(), inputs.to_owned());
        if ledger.seen.contains(&run) {
            broken.push(format!("{} runs again, and it completed", step.as_str()));
        }
    }
    if key.kind == "HTTPRoute" {
        let host = text(value, "/spec/hostnames/0");
        let is_proven = world
            .databases
            .get(host)
            .is_some_and(|database| database.marker.is_some());
        if !is_proven && !ledger.tampered.contains(host) {
            broken.push(format!("{host} is published, and its database is nobody's"));
        }
    }
    broken
}

/// The same call with some observations left out: what is still seen and was desired stays desired.
pub fn look_blindly(
    request: &RunFunctionRequest,
    whole: &RunFunctionResponse,
    dice: &mut Dice,
) -> Vec<String> {
    let mut blind = request.clone();
    let mut stays = |_: &String| dice.below(4) > 0;
    let observed = blind.observed.as_mut().unwrap();
    observed.resources.retain(|name, _| stays(name));
    blind.required_resources.retain(|name, _| stays(name));
    blind.required_schemas.retain(|name, _| stays(name));
    let (response, _) = function::run(&blind, Timestamp::UNIX_EPOCH);
    if response
        .results
        .iter()
        .any(|result| result.severity() == Severity::Fatal)
    {
        return vec!["a call with less observed is refused".to_owned()];
    }
    let (all, after) = (desired(whole), desired(&response));
    let seen = &blind.observed.as_ref().unwrap().resources;
    let gone = all
        .keys()
        .filter(|name| seen.contains_key(*name) && !after.contains_key(*name));
    gone.map(|name| format!("{name} goes since something else is not observed"))
        .collect()
}

/// The same request gives the same bytes.
pub fn is_pure(request: &RunFunctionRequest, response: &RunFunctionResponse) -> Option<String> {
    let (again, _) = function::run(request, Timestamp::UNIX_EPOCH);
    (again.encode_to_vec() != response.encode_to_vec())
        .then(|| "the same request gives other bytes".to_owned())
}

type Desired = BTreeMap<String, Resource>;

fn desired(response: &RunFunctionResponse) -> Desired {
    State::decode(response.desired.clone().unwrap_or_default())
        .unwrap()
        .resources
}

/// Whether a state is that of the one before, object by object.
pub fn same(before: &BTreeMap<Key, Rc<Object>>, after: &BTreeMap<Key, Rc<Object>>) -> bool {
    before.len() == after.len()
        && before.iter().zip(after).all(|((one, before), (other, after))| {
            one == other && (Rc::ptr_eq(before, after) || before.value == after.value)
        })
}
