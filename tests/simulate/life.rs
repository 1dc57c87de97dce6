//! Lives: what an action does, how everything comes to rest, and lives that dice make.
//!
//! A life is made by its seed alone. One that breaks a rule is made shorter as long as it still does, and told as a
//! script that plays it again (`SCRIPT=FILE`).

use std::panic::{AssertUnwindSafe, catch_unwind};

use function_odoo::names::{ResourceName, Step};
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    plane::{Outcome, Plane, shown},
    platform, rules,
    script::{Action, Kind},
    store::{Key, Object, text},
    world::{Database, Ending, Gateway},
};

const ATTEMPT: &str = "usage.crossplane.io/deletion-attempt-with-policy";
/// The annotation of what is somebody else's.
const THEIRS: &str = "theirs";
const PAUSED: &str = "crossplane.io/paused";
/// More than any way to rest takes: each round brings every object one step on.
const ROUNDS_MAXIMUM: usize = 80;
/// Rounds of putting right what the round before has brought to light.
const MENDING_MAXIMUM: usize = 6;
const ACTIONS: usize = 24;
const CLIENTS: [&str; 2] = ["acme", "beta"];
const TEMPLATE: &str = "basic-18";
pub const DOMAIN: &str = "planapulse.app";

impl Plane {
    /// Does what a line of a script says.
    pub fn act(&mut self, action: &Action) {
        match action {
            Action::Apply(kind, name) => self.user_applies(*kind, name),
            Action::Set(kind, name, path, value) => {
                self.store
                    .edit(&kind.key(name), |object| set(object, path, value.clone()));
            }
            Action::Annotate(kind, name, key, value) => self.annotate(&kind.key(name), key, value.as_deref()),
            Action::Delete(kind, name) => self.user_deletes(&kind.key(name)),
            Action::Platform(path, value) => {
                self.change_platform(|platform| set(platform, path, value.clone()));
            }
            Action::Forget(kind, name) => self.forget(&kind.key(name)),
            Action::Remove(name, resource) => self.remove(name, resource),
            Action::Pass(kind, name) => {
                self.pass(&kind.key(name));
            }
            Action::Work(None) => {
                self.work();
            }
            Action::Work(Some(kind)) => {
                self.work_on(kind);
            }
            Action::Settle => self.settle(),
            Action::Wait(hours) => self.clock += jiff::SignedDuration::from_hours(*hours),
            Action::Job(step, ending) => {
                self.world.endings.insert(step.clone(), *ending);
            }
            Action::Mend => self.mend(),
            other => self.meddle(other),
        }
        // A moment, so that no two things happen at once.
        self.clock += jiff::SignedDuration::from_secs(1);
    }

    /// What goes wrong around Crossplane, or right again.
    fn meddle(&mut self, action: &Action) {
        match action {
            Action::DatabaseTrouble(trouble) => self.world.database_trouble.clone_from(trouble),
            Action::DatabaseKill => self.world.killed_while_creating = true,
            Action::Make(name, marker) => {
                let marker = Some(marker.clone());
                let database = Database {
                    marker,
                    is_template: false,
                };
                self.world.databases.entry(name.clone()).or_insert(database);
            }
            Action::Drop(name) => {
                self.world.databases.remove(name);
                self.ledger.tampered.insert(name.clone());
            }
            Action::Occupy(key) => self.occupy(key),
            Action::Gateway(word) => {
                self.world.gateway = match word.as_str() {
                    "refuses" => Gateway::Refuses,
                    "silent" => Gateway::Silent,
                    _ => Gateway::Accepts,
                };
            }
            Action::Quota(is_full) => self.world.quota_is_full = *is_full,
            Action::BackupsFail(fail) => self.world.backups_fail = *fail,
            Action::Unknown(kind, true) => {
                self.ledger.were_routes_unknown |= kind == "HTTPRoute";
                self.unknown.insert(kind.clone());
            }
            Action::Unknown(kind, false) => {
                self.unknown.remove(kind);
            }
            Action::Lag(kind, passes) => {
                self.lagging.insert(kind.clone(), *passes);
            }
            Action::SecretGone(namespace, name) => {
                self.store.objects.remove(&Key::new("Secret", namespace, name));
            }
            Action::SecretsThere => self.bring_secrets(),
            Action::Lease(name, true) => self.lease_is_taken(name),
            Action::Lease(name, false) => {
                self.store.objects.remove(&lease(name));
            }
            Action::PodsGone => self.collect_pods(),
            Action::Restart => self.restart(),
            Action::Interrupt(objects) => self.interrupted = Some(*objects),
            other => panic!("{other} is done elsewhere"),
        }
    }

    /// Somebody has an object of that name, and it is not for us to take.
    fn occupy(&mut self, key: &Key) {
        if self.store.get(key).is_some() {
            return;
        }
        let Key {
            kind,
            namespace,
            name,
        } = key;
        let mut object = json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": name, "annotations": {THEIRS: "true"}}, "spec": {},
        });
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let now = self.now();
        self.store.create(object, &now);
    }

    /// Somebody takes a tenant to themselves by hand.
    fn lease_is_taken(&mut self, name: &str) {
        let Key { namespace, name, .. } = lease(name);
        let now = self.now();
        self.store.objects.remove(&Key::new("Lease", &namespace, &name));
        let object = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace, "annotations": {THEIRS: "true"}},
            "spec": {"holderIdentity": "anna", "leaseDurationSeconds": 3600, "renewTime": now},
        });
        self.store.create(object, &now);
    }

    fn user_applies(&mut self, kind: Kind, name: &str) {
        if self.store.get(&kind.key(name)).is_some() {
            return;
        }
        let mut object = platform::example(match kind {
            Kind::Client => "starter",
            Kind::Template => "template",
        });
        object["metadata"]["name"] = json!(name);
        match kind {
            Kind::Client => {
                object["spec"]["subdomain"] = json!(name);
                object["spec"]["projectId"] = json!(project(name));
            }
            Kind::Template => {
                let (code, version) = name.rsplit_once('-').unwrap();
                object["spec"]["templateCode"] = json!(code);
                object["spec"]["odooVersion"] = json!(version);
            }
        }
        let now = self.now();
        self.store.create(object, &now);
    }

    fn annotate(&mut self, key: &Key, name: &str, value: Option<&str>) {
        self.store.edit(key, |object| {
            let metadata = object["metadata"].as_object_mut().unwrap();
            let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
            match value {
                Some(value) => annotations[name] = json!(value),
                None => {
                    annotations.as_object_mut().unwrap().remove(name);
                }
            }
        });
    }

    /// Evidence is lost: what it spoke of may be done again.
    fn forget(&mut self, key: &Key) {
        if let Some(object) = self.store.get(key) {
            let uid = object.uid().to_owned();
            self.ledger.seen.retain(|(of, ..)| *of != uid);
            // So is what it said of a deletion.
            if object.value["status"].get("deletion").is_some() {
                self.ledger.tampered.insert(database_of(&object.value));
            }
        }
        self.store.edit(key, |object| object["status"] = json!({}));
    }

    fn remove(&mut self, name: &str, resource: &str) {
        let composites = self.composites();
        let Some(composite) = composites.iter().find(|key| key.name == name) else {
            return;
        };
        let now = self.now();
        let composed = self.composed(composite);
        let is_it = |name: &str| match ResourceName::parse(name) {
            Some(ResourceName::Job(step, _)) => step.as_str() == resource,
            Some(_) | None => name == resource,
        };
        let Some((name, key)) = composed.iter().find(|(name, _)| is_it(name)) else {
            return;
        };
        self.note(|| format!("- {} by hand", shown(name, key)));
        self.store.delete(key, &now);
    }

    fn bring_secrets(&mut self) {
        let now = self.now();
        for secret in platform::platform_secrets() {
            if self.store.get(&Key::of(&secret)).is_none() {
                self.store.create(secret, &now);
            }
        }
    }

    fn collect_pods(&mut self) {
        self.store
            .objects
            .retain(|key, object| key.kind != "Pod" || object.value["status"]["phase"] == "Running");
    }

    /// Passes and work until nothing changes any more.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS_MAXIMUM {
            let before = self.store.objects.clone();
            for key in self.composites() {
                self.pass(&key);
            }
            if self.composites().is_empty() {
                // Nobody is there to look.
                self.lagging.clear();
            }
            let worked = self.work();
            let rests = !worked && self.lagging.is_empty() && rules::same(&before, &self.store.objects);
            if rests {
                return;
            }
            self.clock += jiff::SignedDuration::from_secs(1);
        }
        self.broken
            .push(format!("nothing comes to rest in {ROUNDS_MAXIMUM} rounds"));
    }

    /// Puts right whatever is wrong, by the ways out that the conditions name.
    fn mend(&mut self) {
        let world = &mut self.world;
        world.database_trouble = None;
        world.killed_while_creating = false;
        world.uncertain.clear();
        world.gateway = Gateway::Accepts;
        world.quota_is_full = false;
        world.backups_fail = false;
        world.endings.clear();
        self.unknown.clear();
        self.lagging.clear();
        self.interrupted = None;
        self.bring_secrets();
        self.store
            .objects
            .retain(|_, object| object.annotation(THEIRS).is_none());
        for (name, database) in templates() {
            self.world.databases.entry(name).or_insert(database);
        }
        for key in self.composites() {
            self.annotate(&key, PAUSED, None);
            self.annotate(&key, ATTEMPT, None);
            if key.kind == "PLANAClient" {
                self.store
                    .edit(&key, |value| value["spec"]["suspended"] = json!(false));
            }
        }
        self.settle();
        for _ in 0..MENDING_MAXIMUM {
            let mended = self.mend_once();
            let went_on = self.go_on_with_deletions();
            if !mended && !went_on {
                return;
            }
            self.settle();
        }
    }

    /// What is too late to take back goes on when it is asked for again.
    fn go_on_with_deletions(&mut self) -> bool {
        let composites = self.composites().into_iter();
        let held: Vec<_> = composites
            .filter(|key| self.store.get(key).unwrap().value["status"]["deletion"]["removing"] == true)
            .collect();
        for key in &held {
            self.store
                .edit(key, |value| value["spec"]["deletionProtection"] = json!(false));
            self.settle();
            self.user_deletes(key);
        }
        !held.is_empty()
    }

    /// Whether there was anything to put right.
    fn mend_once(&mut self) -> bool {
        let mut mended = false;
        let now = self.now();
        let failed = |object: &Object| {
            object
                .condition("Failed")
                .is_some_and(|(status, _)| status == "True")
        };
        let jobs = self.store.of_kind("Job").filter(|(_, job)| failed(job));
        let jobs: Vec<_> = jobs.map(|(key, _)| key.clone()).collect();
        for job in jobs {
            self.store.delete(&job, &now);
            mended = true;
        }
        for key in self.composites() {
            let value = self.store.get(&key).unwrap().value.clone();
            let reason = |r#type: &str| reason(&value, r#type);
            let database = text(&value, "/status/database/name").to_owned();
            match reason("DatabaseReady").as_str() {
                // Restored from a backup, under its name.
                "DatabaseLost" => {
                    let marker = Some(text(&value, "/status/databaseMarker").to_owned());
                    self.world.databases.insert(
                        database,
                        Database {
                            marker,
                            is_template: false,
                        },
                    );
                    mended = true;
                }
                "InitRefused" | "InitRunning" | "InitReplacing" => {
                    let found = self
                        .world
                        .databases
                        .get(&database)
                        .and_then(|found| found.marker.clone());
                    let is_other = found
                        .as_deref()
                        .is_some_and(|found| found != text(&value, "/status/databaseMarker"));
                    if let Some(marker) = found.filter(|_| is_other) {
                        self.store
                            .edit(&key, |value| value["spec"]["adoptDatabase"] = json!(marker));
                        mended = true;
                    }
                }
                _ => {}
            }
            // One way out at a time: what is adopted is not restored as well.
            if reason("RouteReady") == "SmokeRefused" && !reason("DatabaseReady").starts_with("Init") {
                let marker = Some(text(&value, "/status/databaseMarker").to_owned());
                self.world.databases.insert(
                    database_of(&value),
                    Database {
                        marker,
                        is_template: false,
                    },
                );
                mended = true;
            }
            if reason("BackupScheduled") == "BackupOverdue" {
                mended = true;
            }
        }
        mended
    }

    /// What has to be true once everything was put right.
    fn check_the_end(&mut self) {
        for key in self.composites() {
            let (request, response) = match self.exchange(&key) {
                Ok(exchange) => exchange,
                Err(message) => {
                    self.broken
                        .push(format!("{} cannot be called for: {message}", key.shown()));
                    continue;
                }
            };
            if !response.results.is_empty() {
                self.broken.push(format!(
                    "{} rests, and is told: {:?}",
                    key.shown(),
                    response.results
                ));
            }
            self.broken.extend(rules::is_pure(&request, &response));
            let before = self.store.objects.clone();
            let outcome = self.pass(&key);
            if outcome != Outcome::Done || !rules::same(&before, &self.store.objects) {
                self.broken.push(format!(
                    "planning {} again changes something: {outcome:?}",
                    key.shown()
                ));
            }
            let value = &self.store.get(&key).unwrap().value;
            if !reason(value, "Synced").is_empty() {
                let why = format!(
                    "{} is not synced in the end: {:#}",
                    key.shown(),
                    value["status"]["conditions"]
                );
                self.broken.push(why);
                continue;
            }
            let wanted = if key.kind == "PLANAClient" {
                "Running"
            } else {
                "Available"
            };
            let phase = text(value, "/status/phase");
            if phase != wanted {
                let why = format!(
                    "{} is {phase} in the end: {:#}",
                    key.shown(),
                    value["status"]["conditions"]
                );
                self.broken.push(why);
            } else if key.kind == "PLANAClient" {
                let lacking = lacking(self, &key, value);
                self.broken.extend(lacking);
            }
        }
    }
}

/// What a tenant that is served lacks.
fn lacking(plane: &Plane, key: &Key, value: &Value) -> Vec<String> {
    let composed = plane.composed(key);
    let mut lacking = Vec::new();
    for name in ["database", "backup", "guard"] {
        if !composed.contains_key(name) {
            lacking.push(format!("{} has no {name} in the end", key.name));
        }
    }
    for step in Step::OF_TENANT {
        let is_recorded = value["status"]["done"].get(step.as_str()).is_some();
        let is_wanted = ESSENTIAL.contains(&step.as_str());
        if is_wanted && !is_recorded {
            lacking.push(format!(
                "{} has no record of {} in the end",
                key.name,
                step.as_str()
            ));
        }
    }
    let marker = plane
        .world
        .databases
        .get(&database_of(value))
        .and_then(|database| database.marker.clone());
    // What somebody put in its place by hand is noticed by the backup of the next night, and by nobody before.
    let was_replaced = plane.ledger.tampered.contains(&database_of(value));
    if plane.world.hidden.contains(&database_of(value)) {
        lacking.push(format!("{} is served, and its database is hidden", key.name));
    }
    let mut routes = composed.iter().filter(|(name, _)| name.starts_with("route-"));
    let is_closed = |key: &Key| {
        let route = plane.store.get(key);
        route.is_some_and(|route| route.annotation("planapulse.com/closed").is_some())
    };
    if routes.any(|(_, route)| is_closed(route)) {
        lacking.push(format!("{} is served, and a route of it is closed", key.name));
    }
    if marker.as_deref() != Some(text(value, "/status/databaseMarker")) && !was_replaced {
        lacking.push(format!("{} is served from a database of {marker:?}", key.name));
    }
    lacking
}

/// The Lease of a tenant.
fn lease(name: &str) -> Key {
    Key::new("Lease", "crossplane-system", &format!("tenant-{name}"))
}

/// What every tenant has done once.
const ESSENTIAL: [&str; 6] = [
    "tenant-init",
    "tenant-smoke",
    "room-create",
    "portal-notify",
    "erp-callback",
    "event-publish",
];

/// The number of a tenant's project: another one for each name.
fn project(name: &str) -> usize {
    name.len() * 7 + usize::from(name.as_bytes()[0])
}

fn database_of(value: &Value) -> String {
    text(value, "/status/database/name").to_owned()
}

fn reason(value: &Value, r#type: &str) -> String {
    let conditions = value["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == r#type && condition["status"] != "True");
    condition
        .map(|condition| text(condition, "/reason").to_owned())
        .unwrap_or_default()
}

/// The templates that others have built, as databases.
pub fn templates() -> Vec<(String, Database)> {
    let codes = ["basic", "pro", "enterprise"];
    let all = codes
        .iter()
        .flat_map(|code| [17, 18, 19].map(|major| (code, major)));
    all.map(|(code, major)| {
        let marker = Some(format!("template-{code}-{major}"));
        (
            format!("{code}-template-{major}.{DOMAIN}"),
            Database {
                marker,
                is_template: true,
            },
        )
    })
    .collect()
}

fn set(object: &mut Value, path: &str, value: Value) {
    let mut at = object;
    for part in path.split('.') {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value;
}

/// The life of a seed, without its end.
pub fn make(seed: u64) -> Vec<Action> {
    let mut dice = Dice::of(seed);
    let mut actions = Vec::new();
    let with_template = dice.below(3) == 0;
    if with_template {
        actions.push(Action::Apply(Kind::Template, TEMPLATE.to_owned()));
    }
    actions.push(Action::Apply(Kind::Client, CLIENTS[0].to_owned()));
    if dice.below(2) == 0 {
        actions.push(Action::Settle);
    }
    for _ in 0..ACTIONS {
        let action = match dice.below(10) {
            0..=3 => progress(&mut dice, with_template),
            4 => change(&mut dice, with_template),
            _ => fault(&mut dice, with_template),
        };
        actions.push(action);
    }
    actions
}

fn one(dice: &mut Dice, with_template: bool) -> (Kind, String) {
    match dice.below(5) {
        0 if with_template => (Kind::Template, TEMPLATE.to_owned()),
        1 => (Kind::Client, CLIENTS[1].to_owned()),
        _ => (Kind::Client, CLIENTS[0].to_owned()),
    }
}

fn progress(dice: &mut Dice, with_template: bool) -> Action {
    match dice.below(8) {
        0 => Action::Settle,
        1 | 2 => Action::Work(None),
        3 => Action::Work(Some(
            dice.choose(&["Job", "Database", "HTTPRoute", "ClusterUsage"])
                .to_owned(),
        )),
        4 => Action::Wait([1, 26][dice.below(2)]),
        _ => {
            let (kind, name) = one(dice, with_template);
            Action::Pass(kind, name)
        }
    }
}

fn change(dice: &mut Dice, with_template: bool) -> Action {
    let (kind, name) = one(dice, with_template);
    let set = |path: &str, value: Value| Action::Set(kind, name.clone(), path.to_owned(), value);
    if kind == Kind::Template {
        return match dice.below(3) {
            0 => set("spec.modules", json!([dice.choose(&["base", "crm"])])),
            _ => set("spec.revision", json!(dice.choose(&["a", "b"]))),
        };
    }
    match dice.below(11) {
        8 | 9 => set("spec.suspended", json!(dice.below(2) == 0)),
        10 => Action::Delete(kind, name),
        0 => set("spec.tier", json!(dice.choose(&["starter", "pro", "enterprise"]))),
        1 => set("spec.ownerName", json!(dice.choose(&["Anna", "Boris"]))),
        2 => set("spec.odooVersion", json!(dice.choose(&["17", "18", "19"]))),
        3 => set("spec.deletionProtection", json!(dice.below(2) == 0)),
        4 => Action::Apply(Kind::Client, CLIENTS[dice.below(2)].to_owned()),
        5 => Action::Platform("jobs.image".to_owned(), json!(dice.choose(&["jobs:a", "jobs:b"]))),
        _ => {
            let image = json!({"image": dice.choose(&["odoo:a", "odoo:b"])});
            Action::Platform(
                "versions".to_owned(),
                json!({"17": image, "18": image, "19": image}),
            )
        }
    }
}

fn fault(dice: &mut Dice, with_template: bool) -> Action {
    const TROUBLES: [&str; 7] = [
        "delete failed: cannot drop database: pq: database is being accessed by other users (55006)",
        "create failed: cannot create database: pq: source database \"basic\" is being accessed by other users (55006)",
        "create failed: cannot create database: pq: role \"plana_maint\" does not exist (42704)",
        "create failed: cannot create database: pq: permission denied to copy database (42501)",
        "create failed: cannot create database: pq: canceling statement due to user request (57014)",
        "observe failed: cannot select database: connection refused",
        "observe failed: cannot get ProviderConfig: not found",
    ];
    const RESOURCES: [&str; 9] = [
        "maintenance-18",
        "database",
        "backup",
        "guard",
        "route-18",
        "secret-store-backup",
        "secret-database-backup",
        "tenant-init",
        "tenant-smoke",
    ];
    let (kind, name) = one(dice, with_template);
    let steps = Step::ALL.map(Step::as_str);
    match dice.below(25) {
        24 => Action::Lease(name, dice.below(2) == 0),
        0..=4 => Action::Job(
            dice.choose(&steps).to_owned(),
            Ending::ALL[dice.below(Ending::ALL.len())].1,
        ),
        5 => Action::DatabaseTrouble(Some(dice.choose(&TROUBLES).to_owned())),
        6 => Action::DatabaseTrouble(None),
        7 => Action::DatabaseKill,
        8 if dice.below(2) == 0 => {
            let webhook = format!("erp-callback-{name}-{}", project(&name));
            Action::Occupy(match dice.below(4) {
                0 => Key::new("HTTPRoute", "plana-odoo-18", &name),
                1 => Key::new("CronJob", "backup", &format!("{name}-backup")),
                2 => Key::new("Job", "crossplane-system", &webhook),
                _ => Key::new("Database", "", &format!("{name}.{DOMAIN}")),
            })
        }
        8 => Action::Make(format!("{name}.{DOMAIN}"), "theirs".to_owned()),
        9 if dice.below(3) == 0 => Action::Drop(format!("{name}.{DOMAIN}")),
        9 | 10 => Action::Gateway(dice.choose(&["accepts", "refuses", "silent"]).to_owned()),
        11 => Action::Quota(dice.below(2) == 0),
        12 => Action::BackupsFail(dice.below(2) == 0),
        13 if dice.below(4) == 0 && !with_template => {
            Action::Unknown("TemplateSnapshot".to_owned(), dice.below(2) == 0)
        }
        13 if dice.below(3) == 0 => Action::Unknown("HTTPRouteFilter".to_owned(), dice.below(2) == 0),
        13 => Action::Unknown("HTTPRoute".to_owned(), dice.below(3) == 0),
        14 => Action::Lag(
            dice.choose(&[
                "Job",
                "Database",
                "HTTPRoute",
                "PLANAClient",
                "Pod",
                "ClusterUsage",
                "TemplateSnapshot",
            ])
            .to_owned(),
            1 + u32::from(dice.below(2) == 0),
        ),
        15 if dice.below(2) == 0 => Action::SecretsThere,
        15 => {
            let secrets = platform::platform_secrets();
            let secret = &secrets[dice.below(secrets.len())]["metadata"];
            Action::SecretGone(
                text(secret, "/namespace").to_owned(),
                text(secret, "/name").to_owned(),
            )
        }
        16 => Action::PodsGone,
        17 => Action::Restart,
        18 => Action::Interrupt(dice.below(6)),
        19 => Action::Delete(kind, name),
        20 => Action::Annotate(
            kind,
            name,
            PAUSED.to_owned(),
            (dice.below(2) == 0).then(|| "true".to_owned()),
        ),
        21 => Action::Annotate(kind, name, ATTEMPT.to_owned(), None),
        22 if dice.below(2) == 0 => Action::Forget(kind, name),
        _ => {
            let all = [&RESOURCES[..], &steps[..]].concat();
            Action::Remove(name, dice.choose(&all).to_owned())
        }
    }
}

/// What a life came to.
#[derive(Default)]
pub struct Lived {
    pub broken: Vec<String>,
    pub calls: u64,
    pub passes: u64,
    pub ledger: crate::rules::Ledger,
}

/// Plays a life to its end.
pub fn live(seed: u64, actions: &[Action]) -> Lived {
    let mut plane = Plane::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for action in actions.iter().chain([&Action::Mend]) {
            plane.act(action);
            if !plane.broken.is_empty() {
                return;
            }
        }
        plane.check_the_end();
    }));
    if let Err(panic) = outcome {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
        plane
            .broken
            .push(format!("the planner panics: {}", words.unwrap_or_default()));
    }
    Lived {
        broken: plane.broken,
        calls: plane.calls,
        passes: plane.passes,
        ledger: plane.ledger,
    }
}

/// A life that breaks a rule, without what that does not take.
pub fn shorten(seed: u64, mut actions: Vec<Action>) -> Vec<Action> {
    let mut index = actions.len();
    while index > 0 {
        index -= 1;
        let mut fewer = actions.clone();
        fewer.remove(index);
        if !live(seed, &fewer).broken.is_empty() {
            actions = fewer;
        }
    }
    actions
}

/// A life as a script.
pub fn tell(seed: u64, actions: &[Action]) -> String {
    let lines = actions
        .iter()
        .chain([&Action::Mend])
        .map(|action| format!("{action}\n"));
    format!("# seed {seed}\n{}", lines.collect::<String>())
}
