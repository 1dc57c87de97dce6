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
const EVENTS: [(&str, Event); 18] = [
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
    ("suspended changed", |cluster, dice| {
        cluster.composite["spec"]["suspended"] = json!(dice.below(2) == 0);
    }),
    ("lease changed", lease_changed),
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

fn lease_changed(cluster: &mut Cluster, dice: &mut Dice) {
    cluster.others.retain(|object| object["kind"] != "Lease");
    if dice.below(2) == 0 {
        cluster.lease_is_taken(60);
    }
}

/// Whether the deletion went so far that Crossplane sends it again.
fn is_over(cluster: &Cluster) -> bool {
    !cluster.composed.contains_key("guard")
}

/// What no step of a life may do.
fn check(before: &Cluster, after: &Cluster) -> Result<(), String> {
    let record = |step: &str| before.composite["status"]["done"].get(step).cloned();
    let is_released = record("tenant-release").is_some() && record("final-verify").is_some();
    let policies = |cluster: &Cluster| {
        cluster.composed.get("database")?["spec"]
            .get("managementPolicies")
            .cloned()
    };
    let only_looks = json!(["Observe"]);
    let may_drop = is_released && policies(after).is_none_or(|now| now == json!(["Observe", "Delete"]));
    let is_looser = policies(before).as_ref() == Some(&only_looks) && policies(after) != policies(before);
    if is_looser && !may_drop {
        return Err("a database that may only be looked at may be made again".to_owned());
    }
    for name in ["database", "backup"]
        .iter()
        .filter(|name| before.composed.contains_key(**name))
    {
        let may_go = is_released && *name == "database";
        if !may_go && !after.composed.contains_key(*name) {
            return Err(format!("{name} is gone"));
        }
    }
    for (name, job) in &before.composed {
        let Some(ResourceName::Job(step, _)) = ResourceName::parse(name) else {
            continue;
        };
        let done = &after.composite["status"]["done"];
        let is_done = done.get(step.as_str()).is_some_and(|record| {
            record["job"]
                .as_str()
                .unwrap()
                .ends_with(job["metadata"]["name"].as_str().unwrap())
        });
        let kept = after
            .composed
            .get(name)
            .is_some_and(|after| after["spec"] == job["spec"]);
        if !is_failed(job) && !is_done && !kept {
            return Err(format!("{name}, which runs, is not as it was"));
        }
    }
    for step in Step::OF_TENANT {
        let recorded = |cluster: &Cluster| cluster.composite["status"]["done"].get(step.as_str()).cloned();
        let inputs = |record: Option<Value>| record.map(|record| record.get("inputs").cloned());
        let again = after.composed.iter().any(|(name, job)| {
            let is_of_step =
                matches!(ResourceName::parse(name), Some(ResourceName::Job(of, _)) if of == step);
            let with = job["metadata"]["annotations"]
                .get("planapulse.com/inputs")
                .cloned();
            is_of_step && inputs(recorded(before)) == Some(with)
        });
        if recorded(before).is_some() && (recorded(after).is_none() || again) {
            return Err(format!("{step:?} is done and not done"));
        }
    }
    Ok(())
}

/// Everything goes well, for as long as it takes.
fn mend(cluster: &mut Cluster) {
    cluster.others = platform_secrets();
    cluster.composite["spec"]["suspended"] = json!(false);
    cluster.composite["spec"]["deletionProtection"] = json!(false);
    let is_gone = cluster.composite["status"]["deletion"]["removing"] == true;
    cluster.deletion_is_taken_back();
    cluster.composed.retain(|_, object| !is_failed(object));
    if is_gone {
        // What is too late to take back goes on when it is asked for again.
        cluster.settle();
        cluster.deletion_is_attempted();
        cluster.provision_what_can_be();
        assert!(is_over(cluster) && !cluster.composed.contains_key("database"));
        return;
    }
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
        if is_over(&cluster) {
            return;
        }
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
