//! Everything else that works in a cluster: the Jobs' pods, provider-sql and its server, the Gateway, `CronJobs`, usages, the
//! garbage collector.
//!
//! In: the store and what is wrong in the world just now. Out: one step of each ([`Plane::work`]): statuses, pods, databases.
//! A Job does to the databases here what odoo-job does to real ones, as far as others can see it, and says so in its
//! termination message. provider-sql does what version 0.16 was seen to do: it makes anew what somebody dropped, and adopts what is there.

use std::collections::{BTreeMap, BTreeSet};

use function_odoo::contract::{ExitCode, JobResult};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    plane::Plane,
    platform, rules,
    store::{Key, Object, text},
};

const ATTEMPT: &str = "usage.crossplane.io/deletion-attempt-with-policy";
const IN_USE: &str = "crossplane.io/in-use";
const KINDS: [&str; 6] = [
    "Job",
    "Database",
    "HTTPRoute",
    "CronJob",
    "ClusterUsage",
    "garbage",
];
/// A backup a night.
const NIGHT: SignedDuration = SignedDuration::from_hours(20);

/// What is in the world, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub databases: BTreeMap<String, Database>,
    /// What keeps provider-sql: its own words.
    pub database_trouble: Option<String>,
    /// provider-sql is killed while it makes the next database.
    pub killed_while_creating: bool,
    /// Databases that provider-sql does not know whether it has made.
    pub uncertain: BTreeSet<String>,
    pub gateway: Gateway,
    /// No pod gets room.
    pub quota_is_full: bool,
    pub backups_fail: bool,
    /// How the next Job of a step ends, when not well.
    pub endings: BTreeMap<String, Ending>,
    usages: BTreeMap<String, (Key, bool)>,
    /// Databases that their workers do not reach.
    pub hidden: BTreeSet<String>,
    /// Filestores, by database.
    pub files: BTreeSet<String>,
    /// The last backup of a database: whether it was read back whole. Once the tenant may be used again it is the last no more.
    pub last_backups: BTreeMap<String, bool>,
    /// Databases that are ready to be dropped.
    pub released: BTreeSet<String>,
}

/// A database of the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Database {
    /// Whose it is: nobody's until it is proven.
    pub marker: Option<String>,
    pub is_template: bool,
}

/// What the Gateway does with routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gateway {
    #[default]
    Accepts,
    Refuses,
    Silent,
}

/// How a Job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    GivesUp,
    Refuses,
    Exhausted,
    Deadline,
    /// Its pod is evicted, and replaced.
    Evicted,
    /// It does not end.
    Hangs,
    /// It goes well, and its pod is gone before anybody reads it.
    Unread,
    /// It goes well, and what it said is no result.
    Garbled,
}

impl Ending {
    pub const ALL: [(&'static str, Self); 8] = [
        ("gives-up", Self::GivesUp),
        ("refuses", Self::Refuses),
        ("exhausted", Self::Exhausted),
        ("deadline", Self::Deadline),
        ("evicted", Self::Evicted),
        ("hangs", Self::Hangs),
        ("unread", Self::Unread),
        ("garbled", Self::Garbled),
    ];
}

impl Plane {
    /// All kinds of workers do a step. Whether anything changed.
    pub fn work(&mut self) -> bool {
        KINDS
            .iter()
            .fold(false, |changed, kind| self.work_on(kind) | changed)
    }

    /// Those of one kind do a step.
    pub fn work_on(&mut self, kind: &str) -> bool {
        if kind == "garbage" {
            return self.collect_garbage();
        }
        let keys: Vec<_> = self.store.of_kind(kind).map(|(key, _)| key.clone()).collect();
        let mut changed = false;
        for key in keys {
            let before = self.store.get(&key).cloned();
            match kind {
                "Job" => self.job(&key),
                "Database" => self.database(&key),
                "HTTPRoute" => self.route(&key),
                "CronJob" => self.cron_job(&key),
                "ClusterUsage" => self.usage(&key),
                _ => panic!("nobody works on {kind}"),
            }
            let after = self.store.get(&key);
            changed |= before.map(|object| object.value.clone()) != after.map(|object| object.value.clone());
        }
        changed | (kind == "ClusterUsage" && self.end_usages())
    }

    fn pod_of(&self, uid: &str) -> Option<Key> {
        let mut pods = self.store.of_kind("Pod");
        pods.find(|(_, pod)| pod.controller() == Some(uid))
            .map(|(key, _)| key.clone())
    }

    fn job(&mut self, key: &Key) {
        let job = self.store.get(key).unwrap().clone();
        let pod = self.pod_of(job.uid());
        if job.is_going() {
            if let Some(pod) = pod {
                self.store.objects.remove(&pod);
            }
            self.store.objects.remove(key);
            return;
        }
        if is_finished(&job) {
            return;
        }
        if job.value["status"].get("startTime").is_none() {
            let now = self.now();
            self.store
                .edit(key, |value| value["status"]["startTime"] = json!(now));
            return;
        }
        match pod {
            None if self.world.quota_is_full => {}
            None => self.start_pod(key, &job),
            Some(pod) => self.end_pod(key, &job, &pod),
        }
    }

    fn start_pod(&mut self, key: &Key, job: &Object) {
        self.broken.extend(rules::starts(job, &self.store));
        let now = self.now();
        let (name, uid) = (&job.value["metadata"]["name"], job.uid());
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("{}-{}", key.name, &uid[uid.len() - 4..]), "namespace": key.namespace,
                "labels": {"batch.kubernetes.io/job-name": name, "batch.kubernetes.io/controller-uid": uid},
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": true}],
            },
            "status": {"phase": "Running"},
        });
        self.store.create(pod, &now);
        self.store.edit(key, |value| value["status"]["active"] = json!(1));
    }

    fn end_pod(&mut self, key: &Key, job: &Object, pod: &Key) {
        let step = step_of(job);
        let ending = self.world.endings.get(&step).copied();
        if ending == Some(Ending::Hangs) {
            return;
        }
        self.world.endings.remove(&step);
        match ending {
            Some(Ending::Evicted) => {
                self.store.objects.remove(pod);
                self.store.edit(key, |value| value["status"]["active"] = json!(0));
            }
            Some(Ending::Deadline) => {
                self.store.objects.remove(pod);
                self.fail(
                    key,
                    "DeadlineExceeded",
                    "Job was active longer than specified deadline",
                );
            }
            Some(Ending::Exhausted) => {
                self.say(pod, &said(job, ExitCode::Retry, "Unreachable"));
                self.fail(
                    key,
                    "BackoffLimitExceeded",
                    "Job has reached the specified backoff limit",
                );
            }
            Some(Ending::GivesUp) => self.end_badly(key, job, pod, ExitCode::GiveUp, "Broken"),
            Some(Ending::Refuses) => self.end_badly(key, job, pod, ExitCode::Refused, "NotOurs"),
            Some(Ending::Unread | Ending::Garbled) | None => {
                let broken = rules::acts(job, &self.world, &self.store, &self.ledger);
                self.broken.extend(broken);
                match act(job, &mut self.world) {
                    Err((code, reason)) => self.end_badly(key, job, pod, code, reason),
                    Ok(()) => self.end_well(key, job, pod, ending),
                }
            }
            Some(Ending::Hangs) => {}
        }
    }

    fn end_well(&mut self, key: &Key, job: &Object, pod: &Key, ending: Option<Ending>) {
        let now = self.now();
        match ending {
            Some(Ending::Unread) => {
                self.store.objects.remove(pod);
            }
            Some(Ending::Garbled) => self.say(pod, "Traceback (most recent call last):"),
            _ => {
                let report = platform::report(&job.value);
                let words = json!({"command": command(job), "outcome": "Done", "report": report});
                self.say(pod, &words.to_string());
            }
        }
        self.note(|| format!("Job {} completes", step_of(job)));
        self.store.edit(key, |value| {
            value["status"] = json!({
                "startTime": value["status"]["startTime"], "completionTime": now, "succeeded": 1,
                "conditions": [
                    {"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached", "lastTransitionTime": now},
                    {"type": "Complete", "status": "True", "reason": "CompletionsReached", "lastTransitionTime": now},
                ],
            });
        });
    }

    fn end_badly(&mut self, key: &Key, job: &Object, pod: &Key, code: ExitCode, reason: &str) {
        self.say(pod, &said(job, code, reason));
        let message = format!(
            "Container odoo-job for pod {}/{} failed with exit code {} matching FailJob rule at index 0",
            pod.namespace,
            pod.name,
            code.code()
        );
        self.fail(key, "PodFailurePolicy", &message);
    }

    fn say(&mut self, pod: &Key, words: &str) {
        let now = self.now();
        let terminated = json!({"exitCode": 0, "finishedAt": now, "message": words});
        self.store.edit(pod, |value| {
            value["status"] = json!({
                "phase": "Succeeded",
                "containerStatuses": [{"name": "odoo-job", "state": {"terminated": terminated}}],
            });
        });
    }

    fn fail(&mut self, key: &Key, reason: &str, message: &str) {
        let now = self.now();
        let step = self.store.get(key).map(|job| step_of(job)).unwrap_or_default();
        self.note(|| format!("Job {step} fails: {reason}"));
        self.store.edit(key, |value| {
            value["status"] = json!({
                "startTime": value["status"]["startTime"], "failed": 1,
                "conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}],
            });
        });
    }

    fn database(&mut self, key: &Key) {
        let object = self.store.get(key).unwrap().clone();
        let name = object
            .annotation("crossplane.io/external-name")
            .unwrap_or(&key.name)
            .to_owned();
        let policies = object.value["spec"]["managementPolicies"].to_string();
        let may = |policy: &str| policies.contains(policy) || policies.contains('*');
        let is_paused = object.annotation("crossplane.io/paused") == Some("true");
        if object.is_going() {
            if is_paused {
                return;
            }
            let is_kept = self.world.database_trouble.clone();
            let is_kept = is_kept.filter(|trouble| !trouble.starts_with("create"));
            if let Some(message) =
                is_kept.filter(|_| may("Delete") && self.world.databases.contains_key(&name))
            {
                return self.database_is(key, "True", "False", "ReconcileError", &message);
            }
            if may("Delete") && self.world.databases.remove(&name).is_some() {
                self.note(|| format!("the database {name} is dropped"));
                let broken = rules::dropped(&name, &self.world, &self.store, &self.ledger);
                self.broken.extend(broken);
            }
            self.store.objects.remove(key);
            return;
        }
        let ready = match object.condition("Ready") {
            Some(("True", _)) => "True",
            _ => "False",
        };
        let trouble = self.world.database_trouble.clone();
        let exists = self.world.databases.contains_key(&name);
        if is_paused {
            self.database_is(
                key,
                ready,
                "False",
                "ReconcilePaused",
                "Reconciliation is paused via the pause annotation",
            );
        } else if let Some(message) = trouble
            .filter(|message| message.starts_with("observe") || (!exists && !message.starts_with("delete")))
        {
            self.database_is(key, ready, "False", "ReconcileError", &message);
        } else if self.world.uncertain.contains(&name) {
            let message = "cannot determine creation result - remove the crossplane.io/external-create-pending annotation if it is safe to proceed";
            self.database_is(key, ready, "False", "ReconcileError", message);
        } else if exists {
            // It writes what it found of the database into the spec, whatever it may do to it.
            self.store.edit(key, |value| {
                value["spec"]["forProvider"]["tablespace"] = json!("pg_default");
            });
            self.database_is(key, "True", "True", "ReconcileSuccess", "");
        } else if may("Create") {
            self.create_database(key, &object, &name);
        } else {
            let message = "observe failed: external resource does not exist";
            self.database_is(key, ready, "False", "ReconcileError", message);
        }
    }

    fn create_database(&mut self, key: &Key, object: &Object, name: &str) {
        let template = text(&object.value, "/spec/forProvider/template");
        let is_there = template == "template0" || self.world.databases.contains_key(template);
        if !is_there {
            let message = format!(
                "create failed: cannot create database: pq: template database \"{template}\" does not exist (3D000)"
            );
            return self.database_is(key, "False", "False", "ReconcileError", &message);
        }
        self.note(|| format!("the database {name} is cloned from {template}"));
        self.world.databases.insert(name.to_owned(), Database::default());
        self.world.last_backups.remove(name);
        self.world.released.remove(name);
        self.world.hidden.remove(name);
        if std::mem::take(&mut self.world.killed_while_creating) {
            self.world.uncertain.insert(name.to_owned());
        } else {
            self.database_is(key, "True", "True", "ReconcileSuccess", "");
        }
    }

    fn database_is(&mut self, key: &Key, ready: &str, synced: &str, reason: &str, message: &str) {
        let generation = self.store.get(key).unwrap().value["metadata"]["generation"].clone();
        let now = self.now();
        let ready_reason = if ready == "True" { "Available" } else { "Creating" };
        let told = self
            .store
            .get(key)
            .and_then(|object| object.condition("Synced").map(|(status, _)| status.to_owned()));
        if told.as_deref() != Some(synced) {
            let text = if message.is_empty() { "in sync" } else { message };
            self.note(|| format!("provider-sql: {text}"));
        }
        self.store.edit(key, |value| {
            let before = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let time = |r#type: &str, status: &str| {
                let same = before.iter().find(|condition| condition["type"] == r#type && condition["status"] == status);
                same.map_or_else(|| json!(now), |condition| condition["lastTransitionTime"].clone())
            };
            value["status"] = json!({"conditions": [
                {"type": "Ready", "status": ready, "reason": ready_reason, "observedGeneration": generation, "lastTransitionTime": time("Ready", ready)},
                {"type": "Synced", "status": synced, "reason": reason, "message": message, "observedGeneration": generation, "lastTransitionTime": time("Synced", synced)},
            ]});
        });
    }

    fn route(&mut self, key: &Key) {
        let (accepted, reason) = match self.world.gateway {
            Gateway::Silent => return,
            Gateway::Accepts => ("True", "Accepted"),
            Gateway::Refuses => ("False", "NotAllowedByListeners"),
        };
        let now = self.now();
        self.store.edit(key, |value| {
            if value.pointer("/status/parents/0/conditions/0/status") == Some(&json!(accepted)) {
                return;
            }
            let parents = value["spec"]["parentRefs"].as_array().cloned().unwrap_or_default();
            let parents: Vec<_> = parents.iter().map(|parent| json!({
                "parentRef": parent, "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                "conditions": [
                    {"type": "Accepted", "status": accepted, "reason": reason, "message": "", "lastTransitionTime": now},
                    {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "message": "", "lastTransitionTime": now},
                ],
            })).collect();
            value["status"]["parents"] = json!(parents);
        });
    }

    fn cron_job(&mut self, key: &Key) {
        let object = self.store.get(key).unwrap();
        let last = text(&object.value, "/status/lastSuccessfulTime");
        let since = if last.is_empty() {
            text(&object.value, "/metadata/creationTimestamp")
        } else {
            last
        };
        let since: Timestamp = since.parse().unwrap();
        if self.world.backups_fail || self.clock.duration_since(since) < NIGHT {
            return;
        }
        let now = self.now();
        self.note(|| "a backup is made".to_owned());
        self.store
            .edit(key, |value| value["status"]["lastSuccessfulTime"] = json!(now));
    }

    /// The controller of usages labels what is used.
    fn usage(&mut self, key: &Key) {
        let usage = self.store.get(key).unwrap().clone();
        let of = Key::new(
            text(&usage.value, "/spec/of/kind"),
            "",
            text(&usage.value, "/spec/of/resourceRef/name"),
        );
        let replays = usage.value["spec"]["replayDeletion"] == true;
        self.world
            .usages
            .insert(usage.uid().to_owned(), (of.clone(), replays));
        self.store
            .edit(&of, |value| value["metadata"]["labels"][IN_USE] = json!("true"));
    }

    /// Usages that are gone: the label goes, and the deletion that was refused comes again.
    fn end_usages(&mut self) -> bool {
        let there: BTreeSet<_> = self
            .store
            .of_kind("ClusterUsage")
            .map(|(_, usage)| usage.uid().to_owned())
            .collect();
        let (_, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.world.usages)
                .into_iter()
                .partition(|(uid, used)| {
                    let stays = there.contains(uid);
                    if stays {
                        self.world.usages.insert(uid.clone(), used.clone());
                    }
                    stays
                });
        for (_, (of, replays)) in &gone {
            if self.world.usages.values().any(|(other, _)| other == of) {
                continue;
            }
            self.store.edit(of, |value| {
                if let Some(labels) = value["metadata"]["labels"].as_object_mut() {
                    labels.remove(IN_USE);
                }
            });
            let was_attempted = self
                .store
                .get(of)
                .is_some_and(|object| object.annotation(ATTEMPT).is_some());
            if *replays && was_attempted {
                self.note(|| format!("the deletion of {} is sent again", of.shown()));
                self.mark_as_going(of);
            }
        }
        !gone.is_empty()
    }

    /// A user deletes a composite resource.
    pub fn user_deletes(&mut self, key: &Key) {
        let Some(object) = self.store.get(key) else { return };
        if object.value["metadata"]["labels"][IN_USE] == "true" {
            let guards = self
                .store
                .of_kind("ClusterUsage")
                .map(|(_, usage)| text(&usage.value, "/spec/reason").to_owned());
            let reason = guards.collect::<Vec<_>>().join("; ");
            self.note(|| format!("refused: {reason}"));
            self.store.edit(key, |value| {
                let metadata = value["metadata"].as_object_mut().unwrap();
                let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
                annotations[ATTEMPT] = json!("Background");
            });
        } else {
            self.mark_as_going(key);
        }
    }

    fn mark_as_going(&mut self, key: &Key) {
        let now = self.now();
        self.store
            .edit(key, |value| value["metadata"]["deletionTimestamp"] = json!(now));
    }

    fn collect_garbage(&mut self) -> bool {
        let uids: BTreeSet<_> = self
            .store
            .objects
            .values()
            .map(|object| object.uid().to_owned())
            .collect();
        let is_orphan = |object: &Object| object.controller().is_some_and(|owner| !uids.contains(owner));
        let orphans = self
            .store
            .objects
            .iter()
            .filter(|(_, object)| is_orphan(object) && !object.is_going());
        let orphans: Vec<_> = orphans.map(|(key, _)| key.clone()).collect();
        let now = self.now();
        for key in &orphans {
            self.note(|| format!("- {}", key.shown()));
            self.store.delete(key, &now);
        }
        !orphans.is_empty()
    }
}

pub fn is_finished(job: &Object) -> bool {
    ["Complete", "Failed"]
        .iter()
        .any(|r#type| job.condition(r#type).is_some_and(|(status, _)| status == "True"))
}

/// The step of a Job, by its composition resource name.
pub fn step_of(job: &Object) -> String {
    let name = job
        .annotation("crossplane.io/composition-resource-name")
        .unwrap_or_default();
    name.rsplit_once('-').map_or(name, |(step, _)| step).to_owned()
}

fn arguments(job: &Object) -> Vec<&str> {
    let arguments = job.value.pointer("/spec/template/spec/containers/0/args");
    let arguments = arguments.and_then(Value::as_array).into_iter().flatten();
    arguments.filter_map(Value::as_str).collect()
}

/// An argument of a Job's command.
pub fn argument<'a>(job: &'a Object, name: &str) -> Option<&'a str> {
    let mut all = arguments(job).into_iter();
    all.find_map(|argument| argument.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('='))
}

fn command(job: &Object) -> &str {
    arguments(job).first().copied().unwrap_or_default()
}

fn said(job: &Object, outcome: ExitCode, reason: &str) -> String {
    let result = JobResult {
        command: command(job).to_owned(),
        outcome,
        reason: Some(reason.to_owned()),
        message: Some("as told".to_owned()),
        phase: None,
        report: None,
    };
    result.to_message()
}

/// What a Job does to the world, or why it does not.
fn act(job: &Object, world: &mut World) -> Result<(), (ExitCode, &'static str)> {
    let name = argument(job, "database").unwrap_or_default();
    let marker = argument(job, "marker").map(str::to_owned);
    match command(job) {
        "template-build" => {
            let other = world
                .databases
                .get(name)
                .is_some_and(|found| found.marker.is_some() && found.marker != marker);
            if other {
                return Err((ExitCode::Refused, "TemplateNotOurs"));
            }
            world.databases.insert(
                name.to_owned(),
                Database {
                    marker,
                    is_template: true,
                },
            );
        }
        "tenant-init" => {
            let adopted = argument(job, "adopt").map(str::to_owned);
            let found = world
                .databases
                .get_mut(name)
                .ok_or((ExitCode::GiveUp, "DatabaseMissing"))?;
            if found.marker.is_some() && found.marker != marker && found.marker != adopted {
                return Err((ExitCode::Refused, "DatabaseNotOurs"));
            }
            found.marker = marker;
            world.hidden.remove(name);
            world.released.remove(name);
            world.last_backups.remove(name);
            world.files.insert(name.to_owned());
        }
        "tenant-suspend" | "tenant-resume" | "tenant-release" | "filestore-remove" | "backup" => {
            let removes = ["tenant-release", "filestore-remove"].contains(&command(job));
            match world.databases.get(name) {
                None if removes => {}
                None => return Err((ExitCode::GiveUp, "DatabaseMissing")),
                Some(found) if found.marker == marker => {}
                Some(_) => return Err((ExitCode::Refused, "DatabaseNotOurs")),
            }
            change(command(job), name, world);
        }
        "backup-verify" => {
            let slug = argument(job, "slug").unwrap_or_default();
            let name = format!("{slug}.{}", crate::life::DOMAIN);
            let verified = world.last_backups.get_mut(&name);
            *verified.ok_or((ExitCode::GiveUp, "BackupMissing"))? = true;
        }
        "tenant-smoke" => {
            let found = world
                .databases
                .get(name)
                .ok_or((ExitCode::GiveUp, "DatabaseMissing"))?;
            if found.marker != marker {
                return Err((ExitCode::Refused, "DatabaseNotOurs"));
            }
            if world.hidden.contains(name) {
                return Err((ExitCode::GiveUp, "NotServed"));
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a Job does to a tenant's own database.
fn change(command: &str, name: &str, world: &mut World) {
    let name = name.to_owned();
    match command {
        "tenant-suspend" => {
            world.hidden.insert(name);
        }
        "tenant-resume" => {
            world.hidden.remove(&name);
            world.released.remove(&name);
            world.last_backups.remove(&name);
        }
        "backup" => {
            world.last_backups.insert(name, false);
        }
        "filestore-remove" => {
            world.files.remove(&name);
        }
        _ => {
            world.released.insert(name);
        }
    }
}
