//! Long random lives: whatever happens in whatever order, rules hold at every step; and once everything goes well
//! again, the tenant is served.
//!
//! A life is made by its seed alone. One that fails says its seed and what happened to it; `LIFE=<seed>` plays it alone,
//! `LIVES=<number>` plays more than a normal run.

use std::env;

use function_odoo::names::{ResourceName, Step};
use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW, example, is_fatal, plana, platform_secrets};

const LIVES: u64 = 12;
const STEPS: usize = 80;
const ATTEMPT: &str = "usage.crossplane.io/deletion-attempt-with-policy";
const EVENTS: [(&str, Event); 16] = [
    ("database ready", database_ready),
    ("database stuck", database_stuck),
    ("database lost", database_lost),
    ("job completes", job_completes),
    ("job fails", job_fails),
    ("job deleted by hand", job_deleted),
    ("route accepted", |cluster, _| route(cluster, "True")),
    ("route refused", |cluster, _| route(cluster, "False")),
    ("status lost", |cluster, _| {
        cluster.composite["status"] = json!({});
    }),
    ("secret vanishes", secret_vanishes),
    ("secrets appear", |cluster, _| cluster.others = platform_secrets()),
    ("image changed", image_changed),
    ("spec changed", spec_changed),
    ("protection changed", protection_changed),
    ("deletion attempted", |cluster, _| {
        cluster.composite["metadata"]["annotations"] = json!({ATTEMPT: "Background"});
    }),
    ("attempt taken back", |cluster, _| {
        cluster.composite["metadata"]["annotations"] = json!({});
    }),
];

type Event = fn(&mut Cluster, &mut Dice);

/// Numbers that only depend on the seed.
pub struct Dice(u64);

impl Dice {
    /// Those of a seed.
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        // Marsaglia's xorshift: its period is longer than any life.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// One of some words.
    pub fn choose<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn job(&mut self, cluster: &Cluster) -> Option<String> {
        let is_job = |object: &Value| object["kind"] == "Job";
        let jobs = cluster.composed.iter().filter(|(_, object)| is_job(object));
        let jobs: Vec<_> = jobs.map(|(name, _)| name.clone()).collect();
        (!jobs.is_empty()).then(|| jobs[self.below(jobs.len())].clone())
    }
}

fn database_ready(cluster: &mut Cluster, _: &mut Dice) {
    if cluster.composed.contains_key("database") {
        cluster.database_is_ready();
    }
}

fn database_stuck(cluster: &mut Cluster, dice: &mut Dice) {
    if cluster.composed.contains_key("database") {
        cluster.database_is_stuck(dice.choose(&[
            "pq: (3D000)",
            "pq: (55006)",
            "pq: (42501)",
            "connection refused",
        ]));
    }
}

fn database_lost(cluster: &mut Cluster, _: &mut Dice) {
    if cluster.composed.contains_key("database") {
        cluster.database_is_stuck("observe failed: external resource does not exist");
    }
}

fn job_completes(cluster: &mut Cluster, dice: &mut Dice) {
    if let Some(name) = dice
        .job(cluster)
        .filter(|name| !is_failed(&cluster.composed[name]))
    {
        cluster.job_completes(&name);
    }
}

fn job_fails(cluster: &mut Cluster, dice: &mut Dice) {
    let is_complete = |object: &Value| object["status"].get("completionTime").is_some();
    if let Some(name) = dice
        .job(cluster)
        .filter(|name| !is_complete(&cluster.composed[name]))
    {
        cluster.job_fails(
            &name,
            dice.choose(&["BackoffLimitExceeded", "DeadlineExceeded"]),
            "",
        );
    }
}

fn is_failed(job: &Value) -> bool {
    job["status"].get("failed").is_some()
}

fn job_deleted(cluster: &mut Cluster, dice: &mut Dice) {
    if let Some(name) = dice.job(cluster) {
        cluster.composed.remove(&name);
    }
}

fn route(cluster: &mut Cluster, accepted: &str) {
    let names: Vec<_> = cluster
        .composed
        .keys()
        .filter(|name| name.starts_with("route-"))
        .cloned()
        .collect();
    for name in names {
        cluster.route_is(&name, accepted, "Reason", "");
    }
}

fn secret_vanishes(cluster: &mut Cluster, dice: &mut Dice) {
    if !cluster.others.is_empty() {
        cluster.others.remove(dice.below(cluster.others.len()));
    }
}

fn image_changed(cluster: &mut Cluster, dice: &mut Dice) {
    let image = dice.choose(&["odoo:a", "odoo:b", "odoo:c"]);
    cluster.platform["versions"] =
        json!({"17": {"image": image}, "18": {"image": image}, "19": {"image": image}});
    cluster.platform["jobs"] = json!({"image": dice.choose(&["jobs:a", "jobs:b"])});
}

fn spec_changed(cluster: &mut Cluster, dice: &mut Dice) {
    let spec = &mut cluster.composite["spec"];
    spec["tier"] = json!(dice.choose(&["starter", "pro", "enterprise"]));
    spec["ownerName"] = json!(dice.choose(&["Anna", "Boris"]));
    spec["odooVersion"] = json!(dice.choose(&["17", "18", "18", "19"]));
}

fn protection_changed(cluster: &mut Cluster, dice: &mut Dice) {
    cluster.composite["spec"]["deletionProtection"] = json!(dice.below(2) == 0);
}

/// What no step of a life may do.
fn check(before: &Cluster, after: &Cluster) -> Result<(), String> {
    let policies = |cluster: &Cluster| {
        cluster.composed.get("database")?["spec"]
            .get("managementPolicies")
            .cloned()
    };
    let only_looks = json!(["Observe"]);
    if policies(before).as_ref() == Some(&only_looks) && policies(after) != policies(before) {
        return Err("a database that may only be looked at may be made again".to_owned());
    }
    for name in ["database", "backup"]
        .iter()
        .filter(|name| before.composed.contains_key(**name))
    {
        if !after.composed.contains_key(*name) {
            return Err(format!("{name} is gone"));
        }
    }
    for (name, job) in &before.composed {
        let Some(ResourceName::Job(step, _)) = ResourceName::parse(name) else {
            continue;
        };
        let is_done = after.composite["status"]["done"].get(step.as_str()).is_some();
        let kept = after
            .composed
            .get(name)
            .is_some_and(|after| after["spec"] == job["spec"]);
        if !is_failed(job) && !is_done && !kept {
            return Err(format!("{name}, which runs, is not as it was"));
        }
    }
    for step in Step::OF_TENANT {
        let recorded = |cluster: &Cluster| cluster.composite["status"]["done"].get(step.as_str()).is_some();
        if recorded(before) && (!recorded(after) || after.has_job(step.as_str())) {
            return Err(format!("{step:?} is done and not done"));
        }
    }
    Ok(())
}

/// Everything goes well, for as long as it takes.
fn mend(cluster: &mut Cluster) {
    cluster.others = platform_secrets();
    cluster.composite["metadata"]["annotations"] = json!({});
    cluster.composed.retain(|_, object| !is_failed(object));
    if let Some(backup) = cluster.composed.get_mut("backup") {
        backup["status"] = json!({"lastSuccessfulTime": NOW});
    }
    cluster.provision();
    let settled = cluster.reconcile();
    assert_eq!(settled.results, []);
}

fn live(seed: u64) {
    let mut dice = Dice::of(seed);
    let mut cluster = Cluster::new(example("starter"), plana(), platform_secrets());
    let mut happened = Vec::new();
    for _ in 0..STEPS {
        let (name, event) = EVENTS[dice.below(EVENTS.len())];
        happened.push(name);
        event(&mut cluster, &mut dice);
        let before = cluster.clone();
        let response = cluster.reconcile();
        let told = || format!("LIFE={seed}: {}", happened.join(", "));
        assert!(!is_fatal(&response), "{:?}\n{}", response.results, told());
        check(&before, &cluster).unwrap_or_else(|broken| panic!("{broken}\n{}", told()));
    }
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| mend(&mut cluster)));
    assert!(
        told.is_ok(),
        "is not served in the end\nLIFE={seed}: {}\n{:#}",
        happened.join(", "),
        cluster.composite["status"]
    );
}

#[test]
fn a_life_keeps_the_rules_and_ends_well_whatever_happens() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("LIFE") {
        return live(seed);
    }
    (1..=number("LIVES").unwrap_or(LIVES)).for_each(live);
}
