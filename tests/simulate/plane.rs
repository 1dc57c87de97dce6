//! Crossplane, for composite resources of our kinds: what one pass does with what the function answers.
//!
//! In: the store, the caches that Crossplane reads through, a Platform. Out: the store after a pass, and an
//! [`Outcome`]. As Crossplane 2.3 and 2.4 do it: observed names win; what is observed and not desired is deleted first; objects
//! are applied in any order; 422 leaves the rest going, any other error ends the pass before status is written; a fatal
//! result changes nothing. Each pass is judged by `rules`.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use bytes::Bytes;
use function_odoo::function::{
    self, NOW_CONTEXT_KEY,
    proto::v1::{
        RequestMeta, Requirements, Resource, ResourceSelector, Resources, Result as Event,
        RunFunctionRequest, RunFunctionResponse, Schema, Severity, State, resource_selector::Match,
    },
    wire,
};
use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    life::templates,
    platform,
    rules::{self, Ledger},
    store::{Applied, Key, Object, Refused, Store, encode, text},
    world::World,
};

const RESOURCE_NAME: &str = "crossplane.io/composition-resource-name";
const PAUSED: &str = "crossplane.io/paused";
/// Crossplane gives up after one call and five more.
const CALLS_MAXIMUM: usize = 6;
/// Of so many passes one is looked at with observations left out.
const BLIND_EVERY: usize = 6;

/// A cluster with Crossplane and whatever else works in it.
pub struct Plane {
    pub store: Store,
    pub clock: Timestamp,
    pub world: World,
    pub ledger: Ledger,
    /// Rules that were broken.
    pub broken: Vec<String>,
    /// Kinds that the cluster does not know.
    pub unknown: BTreeSet<String>,
    /// Kinds whose cache stands still, for so many passes.
    pub lagging: BTreeMap<String, u32>,
    /// Whether a cache stood still in the pass that is or was the last one.
    is_stale: bool,
    /// The next pass ends after so many objects are applied.
    pub interrupted: Option<usize>,
    pub dice: Dice,
    /// What happened, for people.
    pub log: Option<Vec<String>>,
    /// Crossplane 2.4 gives the first call what the last one of the pass before asked for.
    pub is_prefilling: bool,
    pub calls: u64,
    pub passes: u64,
    platform: Value,
    platform_bytes: Bytes,
    cache: BTreeMap<Key, Rc<Object>>,
    asked: BTreeMap<Key, Requirements>,
}

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is no such composite resource (any more).
    Absent,
    Paused,
    /// The function refused.
    Fatal(String),
    /// Something kept it from being carried out whole.
    Failed(String),
    Done,
}

/// One pass, for the rules.
pub struct Pass<'a> {
    pub composite: &'a Object,
    pub observed: &'a BTreeMap<String, Rc<Object>>,
    pub desired: &'a BTreeMap<String, Resource>,
    pub response: &'a RunFunctionResponse,
    /// The status that the function answered.
    pub status: Value,
    /// The `TemplateSnapshot` that was asked for.
    pub snapshots: Vec<Value>,
    /// Kinds that the cluster does not know.
    pub unknown: &'a BTreeSet<String>,
}

impl Plane {
    pub fn new(seed: u64) -> Self {
        let platform = platform::plana();
        let mut plane = Self {
            store: Store::default(),
            clock: platform::NOW.parse().unwrap(),
            world: World::default(),
            ledger: Ledger::default(),
            broken: Vec::new(),
            unknown: BTreeSet::new(),
            lagging: BTreeMap::new(),
            is_stale: false,
            interrupted: None,
            dice: Dice::of(seed),
            log: None,
            is_prefilling: seed.is_multiple_of(2),
            calls: 0,
            passes: 0,
            platform_bytes: encode(&platform),
            platform,
            cache: BTreeMap::new(),
            asked: BTreeMap::new(),
        };
        for secret in platform::platform_secrets() {
            plane.store.create(secret, platform::NOW);
        }
        plane.world.databases.extend(templates());
        plane
    }

    pub fn now(&self) -> String {
        self.clock.to_string()
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(format!("  {}", line()));
        }
    }

    pub fn change_platform(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.platform);
        self.platform_bytes = encode(&self.platform);
    }

    /// The composite resources.
    pub fn composites(&self) -> Vec<Key> {
        let kinds = ["TemplateSnapshot", "PLANAClient"];
        let of = |kind| self.store.of_kind(kind).map(|(key, _)| key.clone());
        kinds.into_iter().flat_map(of).collect()
    }

    /// The composed objects of a composite resource, by composition resource name.
    pub fn composed(&self, composite: &Key) -> BTreeMap<String, Key> {
        let uid = self.store.get(composite).map(|object| object.uid().to_owned());
        let Some(uid) = uid else { return BTreeMap::new() };
        let all = self.store.objects.iter();
        let ours = all.filter(|(_, object)| object.controller() == Some(&uid));
        ours.filter_map(|(key, object)| Some((object.annotation(RESOURCE_NAME)?.to_owned(), key.clone())))
            .collect()
    }

    /// Everything starts anew with what is in the cluster.
    pub fn restart(&mut self) {
        self.asked.clear();
        self.cache.clear();
        self.lagging.clear();
    }

    /// Crossplane does one pass for a composite resource.
    pub fn pass(&mut self, key: &Key) -> Outcome {
        self.passes += 1;
        self.refresh();
        let cached = self.cache.get(key).cloned();
        let Some(composite) = cached.filter(|_| self.store.get(key).is_some()) else {
            return Outcome::Absent;
        };
        if composite.annotation(PAUSED) == Some("true") {
            self.set_conditions(key, &[("Synced", "False", "ReconcilePaused", "")]);
            return Outcome::Paused;
        }
        if composite.is_going() {
            self.store.objects.remove(key);
            self.asked.remove(key);
            self.note(|| format!("- {}", key.shown()));
            return Outcome::Absent;
        }
        self.label(key);
        let outcome = self.reconcile(key, &composite);
        match &outcome {
            Outcome::Fatal(message) | Outcome::Failed(message) => {
                let message = message.clone();
                self.set_conditions(key, &[("Synced", "False", "ReconcileError", &message)]);
                self.note(|| format!("{}: the pass ends: {message}", key.name));
            }
            Outcome::Absent | Outcome::Paused | Outcome::Done => {}
        }
        outcome
    }

    fn reconcile(&mut self, key: &Key, composite: &Object) -> Outcome {
        let observed = match self.observe(composite) {
            Ok(observed) => observed,
            Err(message) => return Outcome::Failed(message),
        };
        let (request, response) = match self.call(key, composite, &observed) {
            Ok(exchange) => exchange,
            Err(message) => return Outcome::Failed(message),
        };
        if let Some(fatal) = response
            .results
            .iter()
            .find(|result| result.severity() == Severity::Fatal)
        {
            self.broken
                .push(format!("{} is refused: {}", key.shown(), fatal.message));
            return Outcome::Fatal(fatal.message.clone());
        }
        let state = State::decode(response.desired.clone().unwrap_or_default()).unwrap();
        let asked = request.required_resources.get("template-snapshot");
        let found = asked.into_iter().flat_map(|found| &found.items);
        let pass = Pass {
            composite,
            observed: &observed,
            desired: &state.resources,
            response: &response,
            status: status_of(&state),
            unknown: &self.unknown,
            snapshots: found
                .map(|found| wire::to_json(found.resource.as_ref().unwrap()).unwrap())
                .collect(),
        };
        self.broken.extend(rules::judge(&pass, &mut self.ledger));
        if self.dice.below(BLIND_EVERY) == 0 {
            let blind = rules::look_blindly(&request, &response, &mut self.dice);
            self.broken.extend(blind);
        }
        for result in &response.results {
            let Event {
                reason,
                message,
                severity,
                ..
            } = result;
            let mark = if *severity == Severity::Warning as i32 {
                "!"
            } else {
                "*"
            };
            let told = format!(
                "{} {mark} {}: {message}",
                key.name,
                reason.clone().unwrap_or_default()
            );
            self.note(|| told);
        }
        let carried_out = self.carry_out(key, composite, &observed, &state.resources);
        match carried_out {
            Err(message) => Outcome::Failed(message),
            Ok(unsynced) => {
                self.write_status(key, &state, &response, &unsynced);
                Outcome::Done
            }
        }
    }

    /// The caches take over what has changed, but for kinds that lag.
    fn refresh(&mut self) {
        let old = std::mem::take(&mut self.cache);
        self.cache.clone_from(&self.store.objects);
        self.is_stale = !self.lagging.is_empty();
        if self.lagging.is_empty() {
            return;
        }
        let lags = |key: &Key| self.lagging.contains_key(&key.kind);
        self.cache.retain(|key, _| !lags(key));
        self.cache.extend(old.into_iter().filter(|(key, _)| lags(key)));
        self.lagging.retain(|_, passes| {
            *passes -= 1;
            *passes > 0
        });
    }

    fn label(&mut self, key: &Key) {
        self.store.edit(key, |value| {
            let name = value["metadata"]["name"].clone();
            let metadata = &mut value["metadata"];
            if metadata.get("labels").is_none() {
                metadata["labels"] = json!({});
            }
            metadata["labels"]["crossplane.io/composite"] = name;
        });
    }

    /// What the references lead to, from the cache, or live where that has nothing.
    fn observe(&self, composite: &Object) -> Result<BTreeMap<String, Rc<Object>>, String> {
        let mut observed = BTreeMap::new();
        let references = composite.value.pointer("/spec/crossplane/resourceRefs");
        for reference in references.and_then(Value::as_array).into_iter().flatten() {
            let key = Key::new(
                text(reference, "/kind"),
                text(reference, "/namespace"),
                text(reference, "/name"),
            );
            if self.unknown.contains(&key.kind) {
                continue;
            }
            let found = self.cache.get(&key).or_else(|| self.store.get(&key));
            let Some(object) = found.filter(|object| {
                object
                    .controller()
                    .is_none_or(|controller| controller == composite.uid())
            }) else {
                continue;
            };
            let name = object.annotation(RESOURCE_NAME);
            let name = name.ok_or_else(|| format!("{} has lost its name", key.shown()))?;
            observed.insert(name.to_owned(), object.clone());
        }
        Ok(observed)
    }

    /// What Crossplane would send and be answered, without doing anything about it.
    pub fn exchange(&mut self, key: &Key) -> Result<(RunFunctionRequest, RunFunctionResponse), String> {
        self.refresh();
        let composite = self
            .cache
            .get(key)
            .cloned()
            .ok_or_else(|| format!("there is no {}", key.shown()))?;
        let observed = self.observe(&composite)?;
        self.call(key, &composite, &observed)
    }

    fn call(
        &mut self,
        key: &Key,
        composite: &Object,
        observed: &BTreeMap<String, Rc<Object>>,
    ) -> Result<(RunFunctionRequest, RunFunctionResponse), String> {
        let mut request = RunFunctionRequest {
            meta: Some(RequestMeta {
                tag: "tag".to_owned(),
                ..RequestMeta::default()
            }),
            observed: Some(State {
                composite: Some(resource(composite)),
                resources: observed
                    .iter()
                    .map(|(name, object)| (name.clone(), resource(object)))
                    .collect(),
            }),
            input: Some(self.platform_bytes.clone()),
            context: Some(encode(&json!({NOW_CONTEXT_KEY: self.now()}))),
            ..RunFunctionRequest::default()
        };
        let mut supplied = self.asked.get(key).cloned().filter(|_| self.is_prefilling);
        if let Some(requirements) = &supplied {
            self.fulfil(&mut request, requirements)?;
        }
        for _ in 0..CALLS_MAXIMUM {
            self.calls += 1;
            let (response, _) = function::run(&request, Timestamp::UNIX_EPOCH);
            let is_fatal = response
                .results
                .iter()
                .any(|result| result.severity() == Severity::Fatal);
            if is_fatal || response.requirements == supplied {
                self.asked
                    .insert(key.clone(), response.requirements.clone().unwrap_or_default());
                return Ok((request, response));
            }
            supplied.clone_from(&response.requirements);
            self.fulfil(&mut request, &response.requirements.clone().unwrap_or_default())?;
        }
        self.broken
            .push(format!("what {} requires does not settle", key.shown()));
        Err("requirements do not settle".to_owned())
    }

    fn fulfil(&self, request: &mut RunFunctionRequest, requirements: &Requirements) -> Result<(), String> {
        request.required_resources.clear();
        for (question, selector) in &requirements.resources {
            if self.unknown.contains(&selector.kind) {
                return Err(format!("no matches for kind {}", selector.kind));
            }
            let items = self.select(selector).map(|object| resource(object)).collect();
            request
                .required_resources
                .insert(question.clone(), Resources { items });
        }
        request.required_schemas.clear();
        for (question, selector) in &requirements.schemas {
            let is_known = !self.unknown.contains(&selector.kind);
            let openapi_v3 = is_known.then(|| encode(&json!({"type": "object"})));
            request
                .required_schemas
                .insert(question.clone(), Schema { openapi_v3 });
        }
        Ok(())
    }

    fn select<'a>(&'a self, selector: &'a ResourceSelector) -> impl Iterator<Item = &'a Rc<Object>> {
        // Secrets are read past the cache.
        let from = if selector.kind == "Secret" {
            &self.store.objects
        } else {
            &self.cache
        };
        let namespace = selector.namespace.clone();
        let is_there = move |key: &Key| {
            key.kind == selector.kind
                && namespace
                    .as_deref()
                    .is_none_or(|namespace| namespace == key.namespace)
        };
        let fits = |key: &Key, object: &Object| match &selector.r#match {
            None => true,
            Some(Match::MatchName(name)) => key.name == *name,
            Some(Match::MatchLabels(wanted)) => {
                let labels = object.value.pointer("/metadata/labels");
                let has = |(name, value): (&String, &String)| {
                    labels.and_then(|labels| labels.get(name)).and_then(Value::as_str) == Some(value)
                };
                wanted.labels.iter().all(has)
            }
        };
        let found = from
            .iter()
            .filter(move |(key, object)| is_there(key) && fits(key, object));
        found.map(|(_, object)| object)
    }

    /// Deletes, refers, applies. Answers what could not be applied, or why the pass ends.
    fn carry_out(
        &mut self,
        composite_key: &Key,
        composite: &Object,
        observed: &BTreeMap<String, Rc<Object>>,
        desired: &BTreeMap<String, Resource>,
    ) -> Result<Vec<String>, String> {
        let time = self.now();
        for (name, object) in observed.iter().filter(|(name, _)| !desired.contains_key(*name)) {
            self.collect(name, object, &time)?;
        }
        let owner = owner(composite);
        let mut objects: Vec<_> = desired
            .iter()
            .map(|(name, resource)| self.named(name, resource, composite, observed))
            .collect();
        let references: Vec<_> = objects.iter().map(|(_, key, ..)| reference(key)).collect();
        self.store.edit(composite_key, |value| {
            value["spec"]["crossplane"]["resourceRefs"] = json!(references);
        });
        let mut unsynced = Vec::new();
        let mut applied = 0;
        while !objects.is_empty() {
            let (name, key, value, bytes) = objects.swap_remove(self.dice.below(objects.len()));
            if self.interrupted == Some(applied) {
                self.interrupted = None;
                return Err("Crossplane was killed".to_owned());
            }
            match self.apply(&name, &key, value.as_ref(), &bytes, &owner, &time) {
                Ok(()) => applied += 1,
                Err(Refused::Invalid(message)) => {
                    self.note(|| format!("422 {message}"));
                    // What was left by one that is gone is collected, and then there is room.
                    if !self.is_stale && !self.is_garbage(&key) {
                        self.broken.push(format!("{name} is refused: {message}"));
                    }
                    unsynced.push(name);
                }
                Err(Refused::Aborted(message)) => return Err(message),
            }
        }
        self.interrupted = None;
        Ok(unsynced)
    }

    /// Whether the owner of an object is gone.
    fn is_garbage(&self, key: &Key) -> bool {
        let controller = self.store.get(key).and_then(|object| object.controller());
        let mut all = self.store.objects.values();
        controller.is_some_and(|uid| !all.any(|object| object.uid() == uid))
    }

    fn collect(&mut self, name: &str, object: &Object, time: &str) -> Result<(), String> {
        let key = Key::of(&object.value);
        let Some(there) = self.store.get(&key) else {
            return Ok(());
        };
        if there.uid() != object.uid() {
            return Err(format!("{} is another one by now", key.shown()));
        }
        if !there.is_going() {
            self.note(|| format!("- {}", shown(name, &key)));
        }
        if name == "guard" {
            let broken = rules::guard_goes(&key, &self.store, &self.world, &self.ledger);
            self.broken.extend(broken);
        }
        self.store.delete(&key, time);
        Ok(())
    }

    /// A desired object under the name that it has or gets; not decoded when it is what was applied last.
    fn named(
        &self,
        name: &str,
        resource: &Resource,
        composite: &Object,
        observed: &BTreeMap<String, Rc<Object>>,
    ) -> (String, Key, Option<Value>, Bytes) {
        let bytes = resource.resource.clone().unwrap_or_default();
        if let Some(before) = observed.get(name) {
            let key = Key::of(&before.value);
            if self
                .store
                .get(&key)
                .is_some_and(|object| object.is_applied_as(&bytes))
            {
                return (name.to_owned(), key, None, bytes);
            }
        }
        let mut value = wire::to_json(&bytes).unwrap();
        let made = format!(
            "{}-{}",
            text(&composite.value, "/metadata/name"),
            function_odoo::names::short_hash(name.as_bytes())
        );
        let metadata = value["metadata"].as_object_mut().unwrap();
        metadata.entry("name").or_insert(json!(made));
        if let Some(before) = observed.get(name) {
            metadata.insert("name".to_owned(), before.value["metadata"]["name"].clone());
            if let Some(namespace) = before.value["metadata"].get("namespace") {
                metadata.insert("namespace".to_owned(), namespace.clone());
            }
        }
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        annotations[RESOURCE_NAME] = json!(name);
        (name.to_owned(), Key::of(&value), Some(value), bytes)
    }

    fn apply(
        &mut self,
        name: &str,
        key: &Key,
        value: Option<&Value>,
        bytes: &Bytes,
        owner: &Value,
        time: &str,
    ) -> Result<(), Refused> {
        if self.unknown.contains(&key.kind) {
            let message = format!("no matches for kind {}", key.kind);
            self.broken.push(format!("{name} is composed: {message}"));
            return Err(Refused::Aborted(message));
        }
        let Some(value) = value else { return Ok(()) };
        let applied = self.store.apply(key, value, bytes, owner, time)?;
        match applied {
            Applied::Created => {
                self.note(|| format!("+ {}", shown(name, key)));
                let composed = rules::composed(
                    name,
                    key,
                    value,
                    text(owner, "/uid"),
                    &mut self.ledger,
                    &self.world,
                );
                self.broken.extend(composed);
            }
            Applied::Changed => self.note(|| format!("~ {}", shown(name, key))),
            // What a cache that stands still does not show, nobody can see.
            Applied::Adopted if !self.is_stale => {
                self.broken.push(format!("{} is adopted", key.shown()));
            }
            Applied::Adopted | Applied::Unchanged => {}
        }
        Ok(())
    }

    fn write_status(
        &mut self,
        key: &Key,
        state: &State,
        response: &RunFunctionResponse,
        unsynced: &[String],
    ) {
        let composite = state.composite.clone().unwrap_or_default();
        let mut status = status_of(state);
        let before = self
            .store
            .get(key)
            .map(|object| object.value["status"].clone())
            .unwrap_or_default();
        if let Some(conditions) = before.get("conditions") {
            status["conditions"] = conditions.clone();
        }
        let phase = |status: &Value| text(status, "/phase").to_owned();
        if phase(&status) != phase(&before) {
            let (from, to) = (phase(&before), phase(&status));
            self.note(|| format!("{} is {to}", key.name));
            if !from.is_empty() {
                self.ledger.transitions.insert((key.kind.clone(), from, to));
            }
        }
        self.store.edit(key, |value| value["status"] = status);
        let custom = response.conditions.iter().map(|condition| {
            let status = match condition.status {
                2 => "True",
                3 => "False",
                _ => "Unknown",
            };
            (
                condition.r#type.as_str(),
                status,
                condition.reason.as_str(),
                condition.message(),
            )
        });
        let mut conditions: Vec<_> = custom.collect();
        let message = unsynced.join(", ");
        conditions.push(if unsynced.is_empty() {
            ("Synced", "True", "ReconcileSuccess", "")
        } else {
            ("Synced", "False", "ReconcileError", &message)
        });
        conditions.push(if composite.ready == 1 {
            ("Ready", "True", "Available", "")
        } else {
            ("Ready", "False", "Creating", "")
        });
        self.set_conditions(key, &conditions);
    }

    /// Sets conditions; the time of one that stays in its state stays, too.
    pub fn set_conditions(&mut self, key: &Key, conditions: &[(&str, &str, &str, &str)]) {
        let now = self.now();
        let mut told = Vec::new();
        self.store.edit(key, |value| {
            let mut all = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
            for (r#type, status, reason, message) in conditions {
                let mut condition = json!({
                    "type": r#type, "status": status, "reason": reason, "message": message, "lastTransitionTime": now,
                });
                let before = all.iter().position(|before| before["type"] == *r#type);
                let before = before.map(|index| all.remove(index)).unwrap_or_default();
                if before["status"] == *status {
                    condition["lastTransitionTime"] = before["lastTransitionTime"].clone();
                }
                if before["reason"] != *reason {
                    told.push(format!("{type} {status}: {reason}"));
                }
                all.push(condition);
            }
            all.sort_by(|one, other| text(one, "/type").cmp(text(other, "/type")));
            value["status"]["conditions"] = Value::Array(all);
        });
        for line in told {
            self.note(|| format!("{} {line}", key.name));
        }
    }
}

/// A composition resource name without the hash that changes with every image, and where its object is.
pub fn shown(name: &str, key: &Key) -> String {
    use function_odoo::names::ResourceName;
    let name = match ResourceName::parse(name) {
        Some(ResourceName::Job(step, _)) => step.as_str().to_owned(),
        Some(_) | None => name.to_owned(),
    };
    if key.namespace.is_empty() {
        name
    } else {
        format!("{name} ({})", key.namespace)
    }
}

fn status_of(state: &State) -> Value {
    let composite = state
        .composite
        .as_ref()
        .and_then(|composite| composite.resource.clone());
    wire::to_json(&composite.unwrap_or_default()).unwrap()["status"].take()
}

fn resource(object: &Object) -> Resource {
    Resource {
        resource: Some(object.bytes()),
        ..Resource::default()
    }
}

fn reference(key: &Key) -> Value {
    let mut reference = json!({"kind": key.kind, "name": key.name});
    if !key.namespace.is_empty() {
        reference["namespace"] = json!(key.namespace);
    }
    reference
}

fn owner(composite: &Object) -> Value {
    let value = &composite.value;
    json!({
        "apiVersion": value["apiVersion"], "kind": value["kind"], "name": value["metadata"]["name"],
        "uid": value["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}
