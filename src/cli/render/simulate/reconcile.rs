//! One pass of Crossplane's reconcile loop over a composite resource.
//!
//! In: [`Inputs`] and the function. Out: [`Rendered`]. What is printed as the composite resource is whatever was last
//! written of it, so each write of the real loop is made here, too: a paused, a deleting and a settled composite resource
//! all come out differently.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    COMPOSITE_LABEL, Call, Inputs, Rendered, SimulateError,
    compose::{self, Composed},
    conditions::{self, Condition},
    events::{self, Event},
    identity, object, observed,
    store::{Key, Store},
    structs,
};

const PAUSED_ANNOTATION: &str = "crossplane.io/paused";
const RECONCILE_REQUEST_ANNOTATION: &str = "crossplane.io/reconcile-requested-at";
const PAUSED_MESSAGE: &str = "Reconciliation (including deletion) is paused via the pause annotation";
/// Any version will do; the real preview uses this one.
const RESOURCE_VERSION: &str = "999";
const COMPOSITION_REFERENCE: [&str; 3] = ["spec", "crossplane", "compositionRef"];

/// The cluster, and what was written to it.
pub struct Cluster {
    pub store: Store,
    composite: Key,
    /// The composite resource as it was last updated.
    updated: Option<Value>,
    /// The composite resource as it was last applied.
    applied: Option<Value>,
    composed: Vec<Value>,
}

impl Cluster {
    fn new(composite: Value, inputs: &Inputs) -> Self {
        let key = Key::of(&composite);
        let mut store = Store::default();
        store.put(composite);
        for object in inputs.observed.iter().chain(&inputs.required) {
            store.put(structs::with_doubles(object));
        }
        Self {
            store,
            composite: key,
            updated: None,
            applied: None,
            composed: Vec::new(),
        }
    }

    fn update(&mut self, composite: &Value) {
        self.store.put(composite.clone());
        self.updated = Some(composite.clone());
    }

    /// Server-side apply: the preview's cluster replaces the object by what was applied.
    pub fn apply(&mut self, object: Value) {
        self.store.put(object.clone());
        if Key::of(&object) == self.composite {
            self.applied = Some(object);
        } else {
            self.composed.push(object);
        }
    }

    /// Applies the status; the composite resource becomes what is stored, with that status.
    pub fn apply_status(&mut self, composite: &mut Value) {
        *composite = self.with_stored_rest(composite);
        self.store.put(composite.clone());
        self.applied = Some(composite.clone());
    }

    fn update_status(&mut self, composite: &mut Value) {
        *composite = self.with_stored_rest(composite);
        self.store.put(composite.clone());
        self.updated = Some(composite.clone());
    }

    fn with_stored_rest(&self, incoming: &Value) -> Value {
        let Some(stored) = self.store.get(&Key::of(incoming)) else {
            return incoming.clone();
        };
        let mut merged = stored.clone();
        for field in ["status", "conditions"] {
            if let Some(value) = incoming.get(field) {
                object::set(&mut merged, &[field], value.clone());
            }
        }
        merged
    }

    fn into_rendered(self, events: Vec<Event>) -> Rendered {
        let mut composed = self.composed;
        composed.sort_by_cached_key(|object| object::annotation(object, super::RESOURCE_NAME_ANNOTATION));
        Rendered {
            composite: self.updated.or(self.applied).unwrap_or_default(),
            composed,
            events,
        }
    }
}

pub fn reconcile(inputs: &Inputs, call: &mut Call<'_>) -> Result<Rendered, SimulateError> {
    let composite = observed::with_references(prepare(&inputs.composite)?, &inputs.observed)?;
    let mut cluster = Cluster::new(composite.clone(), inputs);
    // A required object may have the composite resource's identity, and then takes its place.
    let mut composite = cluster
        .store
        .get(&cluster.composite)
        .cloned()
        .unwrap_or(composite);
    let mut events = Vec::new();
    let status_before = composite.get("status").map(structs::with_doubles);
    mark(
        &mut composite,
        Condition::new("Responsive", "True", "WatchCircuitClosed"),
    );
    if let Some(reason) = reason_to_stop(&mut composite, &mut events) {
        for condition in reason {
            mark(&mut composite, condition);
        }
        cluster.update_status(&mut composite);
        return Ok(cluster.into_rendered(events));
    }
    select_composition(&mut composite, &inputs.composition, &mut events);
    if object::label(&composite, COMPOSITE_LABEL).is_empty() {
        let name = object::name(&composite).to_owned();
        object::add_to_string_map(&mut composite, "labels", [(COMPOSITE_LABEL.to_owned(), name)]);
        cluster.update(&composite);
    }

    let composed = compose::compose(&mut composite, inputs, &mut cluster, call)?;
    events.extend(composed.events.iter().cloned());
    conditions_of_function(&mut composite, &composed);
    for name in &composed.unready {
        let message = format!("Composed resource {} is not yet ready", events::quote(name));
        events.push(Event::normal(compose::COMPOSE_REASON, message));
    }
    mark(
        &mut composite,
        Condition::new("Synced", "True", "ReconcileSuccess"),
    );
    mark(&mut composite, readiness(&composed));
    if composite.get("status").map(structs::with_doubles) != status_before {
        cluster.update_status(&mut composite);
    }
    Ok(cluster.into_rendered(events))
}

/// Sets a condition with the generation that it is about.
fn mark(composite: &mut Value, condition: Condition) {
    let generation = object::get(composite, &["metadata", "generation"]).and_then(conditions::whole_number);
    conditions::set(
        composite,
        [condition.with_generation(generation.unwrap_or_default())],
    );
}

/// The conditions of a composite resource that nothing is composed for: a paused one, and one that is being deleted.
fn reason_to_stop(composite: &mut Value, events: &mut Vec<Event>) -> Option<Vec<Condition>> {
    if object::annotation(composite, PAUSED_ANNOTATION) == "true" {
        let message = "Reconciliation is paused via the pause annotation";
        events.push(Event::normal("ReconciliationPaused", message));
        let paused = Condition::new("Synced", "False", "ReconcilePaused").with_message(PAUSED_MESSAGE);
        return Some(vec![paused]);
    }
    note_request(composite, events);
    let deletion = object::text(composite, &["metadata", "deletionTimestamp"]);
    deletion.parse::<Timestamp>().is_ok().then(|| {
        let deleting = Condition::new("Ready", "False", "Deleting");
        vec![deleting, Condition::new("Synced", "True", "ReconcileSuccess")]
    })
}

/// The composite resource as it is stored at first.
fn prepare(composite: &Value) -> Result<Value, SimulateError> {
    if object::name(composite).is_empty() {
        return Err(SimulateError::Nameless);
    }
    let mut prepared = structs::with_doubles(composite);
    let uid = identity::uid_of(&prepared);
    object::set_metadata(&mut prepared, "uid", &uid);
    object::set_metadata(&mut prepared, "resourceVersion", RESOURCE_VERSION);
    Ok(prepared)
}

fn note_request(composite: &mut Value, events: &mut Vec<Event>) {
    let token = object::annotation(composite, RECONCILE_REQUEST_ANNOTATION);
    if !token.is_empty() && object::text(composite, &["status", "lastHandledReconcileAt"]) != token {
        events.push(Event::normal(
            "ReconcileRequestHandled",
            "Handling reconcile request",
        ));
        object::set(composite, &["status", "lastHandledReconcileAt"], json!(token));
    }
}

fn select_composition(composite: &mut Value, name: &str, events: &mut Vec<Event>) {
    let reference = json!({"name": name});
    if object::get(composite, &COMPOSITION_REFERENCE) != Some(&reference) {
        let message = format!("Successfully selected composition: {name}");
        events.push(Event::normal("SelectComposition", message));
    }
    object::set(composite, &COMPOSITION_REFERENCE, reference);
}

fn conditions_of_function(composite: &mut Value, composed: &Composed) {
    let custom = composed
        .conditions
        .iter()
        .filter(|condition| !condition.is_of_system());
    for condition in custom {
        conditions::set(composite, [condition.clone()]);
    }
}

/// What the function says of the whole counts; else whether every composed resource is ready.
fn readiness(composed: &Composed) -> Condition {
    let available = Condition::new("Ready", "True", "Available");
    let creating = Condition::new("Ready", "False", "Creating");
    match composed.ready {
        Some(true) => available,
        Some(false) => creating,
        None if composed.unready.is_empty() => available,
        None => creating.with_message(format!(
            "Unready resources: {}",
            events::list_names(&composed.unready)
        )),
    }
}
