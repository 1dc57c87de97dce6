//! The objects of a cluster, as an API server keeps them.
//!
//! In: applied, edited and deleted objects. Out: objects with uid, generation and defaults. What somebody applied and
//! leaves out the next time is removed again, and what others set stays (server-side apply); an object whose controller
//! is another one, and a field of a Job that cannot change, are refused.

use std::{cell::OnceCell, collections::BTreeMap, rc::Rc};

use bytes::Bytes;
use function_odoo::function::wire;
use serde_json::{Map, Value, json};

/// Kind, namespace and name: no two kinds of one name are in play.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    pub value: Value,
    /// What Crossplane applied last.
    applied: Value,
    /// The same, encoded, for as long as nobody else has touched it.
    applied_bytes: Option<Bytes>,
    encoded: OnceCell<Bytes>,
}

/// Why an object cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 422: the rest goes on.
    Invalid(String),
    /// Anything else: the pass ends.
    Aborted(String),
}

/// All objects.
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub objects: BTreeMap<Key, Rc<Object>>,
    made: u64,
}

/// What a Job can change after it was made.
const MUTABLE_OF_JOB: [&str; 4] = [
    "parallelism",
    "suspend",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
];

impl Key {
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub fn of(value: &Value) -> Self {
        Self::new(
            text(value, "/kind"),
            text(value, "/metadata/namespace"),
            text(value, "/metadata/name"),
        )
    }

    /// As kubectl writes it.
    pub fn shown(&self) -> String {
        if self.namespace.is_empty() {
            format!("{} {}", self.kind, self.name)
        } else {
            format!("{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl Object {
    fn new(value: Value) -> Self {
        Self {
            value,
            applied: Value::Null,
            applied_bytes: None,
            encoded: OnceCell::new(),
        }
    }

    /// As Crossplane sends it.
    pub fn bytes(&self) -> Bytes {
        self.encoded.get_or_init(|| encode(&self.value)).clone()
    }

    pub fn uid(&self) -> &str {
        text(&self.value, "/metadata/uid")
    }

    /// The uid of the object that manages it.
    pub fn controller(&self) -> Option<&str> {
        let owners = self.value.pointer("/metadata/ownerReferences")?.as_array()?;
        let owner = owners.iter().find(|owner| owner["controller"] == true)?;
        owner["uid"].as_str()
    }

    pub fn is_going(&self) -> bool {
        self.value["metadata"].get("deletionTimestamp").is_some()
    }

    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.value["metadata"].get("annotations")?.get(name)?.as_str()
    }

    /// The state of a condition and its reason.
    pub fn condition(&self, r#type: &str) -> Option<(&str, &str)> {
        let conditions = self.value.pointer("/status/conditions")?.as_array()?;
        let condition = conditions.iter().find(|condition| condition["type"] == r#type)?;
        Some((
            condition["status"].as_str()?,
            condition["reason"].as_str().unwrap_or_default(),
        ))
    }

    pub fn is_applied_as(&self, bytes: &Bytes) -> bool {
        self.applied_bytes.as_ref() == Some(bytes)
    }
}

impl Store {
    pub fn get(&self, key: &Key) -> Option<&Rc<Object>> {
        self.objects.get(key)
    }

    /// The objects of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a Key, &'a Rc<Object>)> {
        self.objects.iter().filter(move |(key, _)| key.kind == kind)
    }

    /// Puts a new object where there is none.
    pub fn create(&mut self, mut value: Value, time: &str) -> Key {
        let key = Key::of(&value);
        self.made += 1;
        let metadata = &mut value["metadata"];
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.made));
        metadata["creationTimestamp"] = json!(time);
        metadata["generation"] = json!(1);
        if key.kind == "Job" {
            default_job(&mut value);
        }
        self.objects.insert(key.clone(), Rc::new(Object::new(value)));
        key
    }

    /// Changes an object from outside of Crossplane; whatever a spec becomes counts as another generation.
    pub fn edit(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let Some(object) = self.objects.get_mut(key) else {
            return;
        };
        let mut value = object.value.clone();
        change(&mut value);
        if value == object.value {
            return;
        }
        let is_status_only =
            value["spec"] == object.value["spec"] && value["metadata"] == object.value["metadata"];
        if value["spec"] != object.value["spec"] {
            next_generation(&mut value);
        }
        let object = Rc::make_mut(object);
        object.value = value;
        object.encoded = OnceCell::new();
        if !is_status_only {
            object.applied_bytes = None;
        }
    }

    /// Asks for the deletion of an object: one with finalizers stays until they are gone.
    pub fn delete(&mut self, key: &Key, time: &str) {
        let waits = ["Job", "Database"].contains(&key.kind.as_str());
        if !waits {
            self.objects.remove(key);
            return;
        }
        self.edit(key, |value| {
            let metadata = value["metadata"].as_object_mut().unwrap();
            metadata.entry("deletionTimestamp").or_insert_with(|| json!(time));
        });
    }

    /// Applies an object for an owner, by force.
    pub fn apply(
        &mut self,
        key: &Key,
        desired: &Value,
        bytes: &Bytes,
        owner: &Value,
        time: &str,
    ) -> Result<Applied, Refused> {
        let mut applied = desired.clone();
        applied["metadata"]["ownerReferences"] = json!([owner]);
        let Some(before) = self.objects.get(key).cloned() else {
            let key = self.create(applied.clone(), time);
            self.remember(&key, applied, bytes);
            return Ok(Applied::Created);
        };
        let uid = owner["uid"].as_str();
        let adopted = match before.controller() {
            Some(controller) if Some(controller) != uid => {
                return Err(Refused::Invalid(format!(
                    "{} has another controller",
                    key.shown()
                )));
            }
            controller => controller.is_none(),
        };
        let mut value = before.value.clone();
        remove_left_out(&mut value, &before.applied, &applied);
        merge(&mut value, &applied);
        if key.kind == "Job"
            && let Some(field) = changed_field(&before.value["spec"], &value["spec"])
        {
            return Err(Refused::Invalid(format!(
                "{}: spec.{field}: field is immutable",
                key.shown()
            )));
        }
        let changed = value != before.value;
        if value["spec"] != before.value["spec"] {
            next_generation(&mut value);
        }
        if changed {
            let object = Rc::make_mut(self.objects.get_mut(key).unwrap());
            object.value = value;
            object.encoded = OnceCell::new();
        }
        self.remember(key, applied, bytes);
        Ok(match (adopted, changed) {
            (true, _) => Applied::Adopted,
            (false, true) => Applied::Changed,
            (false, false) => Applied::Unchanged,
        })
    }

    fn remember(&mut self, key: &Key, applied: Value, bytes: &Bytes) {
        let object = Rc::make_mut(self.objects.get_mut(key).unwrap());
        object.applied = applied;
        object.applied_bytes = Some(bytes.clone());
    }
}

/// What applying did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Created,
    Changed,
    Unchanged,
    /// It was there and nobody's.
    Adopted,
}

pub fn encode(value: &Value) -> Bytes {
    wire::write(value).unwrap().into()
}

pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn next_generation(value: &mut Value) {
    let generation = value["metadata"]["generation"].as_i64().unwrap_or(1);
    value["metadata"]["generation"] = json!(generation + 1);
}

/// What the API server adds to a Job.
fn default_job(value: &mut Value) {
    let uid = value["metadata"]["uid"].clone();
    let name = value["metadata"]["name"].clone();
    let spec = &mut value["spec"];
    spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    spec["completions"] = json!(1);
    spec["completionMode"] = json!("NonIndexed");
    spec["manualSelector"] = json!(false);
    let labels = spec["template"]["metadata"].as_object_mut();
    if labels.is_none() {
        spec["template"]["metadata"] = json!({});
    }
    let labels = &mut spec["template"]["metadata"]["labels"];
    if labels.is_null() {
        *labels = json!({});
    }
    labels["batch.kubernetes.io/controller-uid"] = uid;
    labels["batch.kubernetes.io/job-name"] = name;
    spec["template"]["spec"]["dnsPolicy"] = json!("ClusterFirst");
}

fn changed_field(before: &Value, after: &Value) -> Option<String> {
    let none = Map::new();
    let (before, after) = (
        before.as_object().unwrap_or(&none),
        after.as_object().unwrap_or(&none),
    );
    let names = before.keys().chain(after.keys());
    let mut fixed = names.filter(|name| !MUTABLE_OF_JOB.contains(&name.as_str()));
    fixed.find(|name| before.get(*name) != after.get(*name)).cloned()
}

/// Objects are merged field by field; everything else is replaced.
fn merge(target: &mut Value, source: &Value) {
    match (target, source) {
        (Value::Object(target), Value::Object(source)) => {
            for (name, value) in source {
                match target.get_mut(name) {
                    Some(before) => merge(before, value),
                    None => {
                        target.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (target, source) => *target = source.clone(),
    }
}

fn remove_left_out(target: &mut Value, before: &Value, after: &Value) {
    let (Value::Object(target), Value::Object(before)) = (target, before) else {
        return;
    };
    for (name, before) in before {
        match after.get(name) {
            None => {
                target.remove(name);
            }
            Some(after) => {
                if let Some(target) = target.get_mut(name) {
                    remove_left_out(target, before, after);
                }
            }
        }
    }
}
