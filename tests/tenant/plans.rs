//! Plans of whatever may be observed together, and of much that may not: the core alone, past the reading.

use function_odoo::{
    api::platform::Platform,
    compose,
    names::{SecretPurpose, Step},
    observed::Observed,
    plan::{self, invariants},
    tenant::{Identity, Living, Tenant, resolve::resolve},
};
use jiff::Timestamp;
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{cluster::NOW, full};

fn tenant() -> Tenant {
    let mut spec = full::spec();
    spec.custom_domains.clear();
    spec.adopt_database = None;
    let identity = Identity {
        name: spec.subdomain.clone(),
        uid: "ours".to_owned(),
    };
    spec.deletion_protection = None;
    let living = Living {
        serving: Some(18),
        routed: vec![17, 18],
    };
    resolve(&identity, &spec, &Platform::default(), &living).unwrap()
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn conditions(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(r#type, status)| json!({"type": r#type, "status": status}))
        .collect()
}

fn add_jobs(observed: &mut Observed, jobs: Vec<(Index, bool, u8)>) {
    for (step, is_other, outcome) in jobs {
        let conditions = match outcome {
            0 => conditions(&[]),
            1 => conditions(&[("Complete", "True")]),
            2 => conditions(&[("Failed", "True")]),
            _ => conditions(&[("FailureTarget", "True")]),
        };
        let deleted = (outcome == 4).then_some(NOW);
        let name = if is_other { "one" } else { "other" };
        let job = json!({
            "metadata": {"name": name, "namespace": "n", "deletionTimestamp": deleted},
            "spec": {"template": name}, "status": {"conditions": conditions, "completionTime": NOW},
        });
        let hash = if is_other { "00000000" } else { "ffffffff" };
        observed
            .jobs
            .insert((*step.get(&Step::OF_TENANT), hash.to_owned()), typed(job));
    }
}

fn add_answers(observed: &mut Observed, answers: &[u8], tenant: &Tenant) {
    let questions = plan::plan(tenant, observed, Timestamp::UNIX_EPOCH).questions;
    for (question, answer) in questions.objects.into_keys().zip(answers.iter().cycle()) {
        let owner = json!([{"kind": "Other", "name": "o", "uid": if *answer == 3 { "ours" } else { "theirs" }, "controller": true}]);
        let deleted = (*answer == 4).then_some(NOW);
        let found = json!({"metadata": {"ownerReferences": owner, "deletionTimestamp": deleted}, "data": {"k": "dg=="}});
        if *answer == 0 {
            continue;
        }
        if question == "lease" {
            let held = (*answer > 3).then(|| {
                typed(json!({"spec": {
                    "holderIdentity": "somebody", "leaseDurationSeconds": 60, "renewTime": NOW,
                }}))
            });
            observed.required.leases.insert(question, held);
        } else if question.starts_with("secret-") {
            observed
                .required
                .secrets
                .insert(question, (*answer > 1).then(|| typed(found)));
        } else {
            observed
                .required
                .objects
                .insert(question, (*answer > 1).then(|| typed(found)));
        }
    }
    if let Some(answer) = answers.first().filter(|answer| **answer > 0) {
        for kind in ["http-route", "http-route-filter"] {
            observed.required.kinds.insert(kind.to_owned(), *answer > 1);
        }
    }
}

/// Anything that may be observed together, and much that may not.
fn any_observed() -> impl Strategy<Value = Observed> {
    let status = (
        prop::collection::vec(any::<bool>(), Step::OF_TENANT.len()),
        any::<bool>(),
        (0..3_u8, 0..3_u32, any::<bool>(), any::<bool>()),
    );
    let objects = (
        prop::option::of((any::<bool>(), 0..4_u8)),
        prop::collection::btree_map(17..19_u32, (any::<bool>(), 0..3_u8), 0..3),
        any::<bool>(),
        prop::option::of(any::<bool>()),
        any::<bool>(),
    );
    let jobs = prop::collection::vec((any::<Index>(), any::<bool>(), 0..5_u8), 0..6);
    let copies = prop::collection::vec((any::<Index>(), any::<bool>()), 0..4);
    let answers = prop::collection::vec(0..5_u8, 1..8);
    (status, objects, jobs, copies, answers).prop_map(|(status, objects, jobs, copies, answers)| {
        let tenant = tenant();
        let mut observed: Observed = Observed::default();
        let (done, refused, (course, turn, removing, dropping)) = status;
        for (step, _) in Step::OF_TENANT.iter().zip(done).filter(|(_, done)| *done) {
            observed.status.done.insert(step.as_str().to_owned(), typed(json!({"job": "j", "time": NOW})));
        }
        for record in observed.status.done.values_mut().filter(|_| turn > 0) {
            record.inputs = Some(format!("turn-{turn}"));
        }
        observed.status.course = (turn > 0).then(|| {
            let name = ["Serve", "Suspend", "Teardown"][usize::from(course)];
            typed(json!({"name": name, "turn": turn}))
        });
        observed.status.deletion = typed(json!({"removing": removing, "dropping": dropping}));
        observed.status.phase = Some("Running".to_owned());
        observed.status.deletion_refused = refused;
        let (database, routes, backup, guard, attempted) = objects;
        observed.database = database.map(|(released, state)| {
            let policies = if released && removing && course == 2 {
                json!(["Observe", "Delete"])
            } else if released {
                json!(["Observe"])
            } else {
                json!(["Observe", "Create"])
            };
            let known = [vec![], vec![("Ready", "True"), ("Synced", "True")], vec![("Synced", "False")], vec![("Synced", "True")]];
            let conditions = conditions(&known[usize::from(state)]);
            typed(json!({"metadata": {"name": "d"}, "spec": {"managementPolicies": policies}, "status": {"conditions": conditions}}))
        });
        for (major, (accepted, closed)) in routes {
            let refs = if accepted { json!([]) } else { json!([{"name": "g"}]) };
            let how = ["filter", "backend"].get(usize::from(closed)).map(|how| json!({"planapulse.com/closed": how}));
            let metadata = json!({"name": "r", "annotations": how.unwrap_or_else(|| json!({}))});
            observed.routes.insert(major, typed(json!({"metadata": metadata, "spec": {"parentRefs": refs}})));
            if closed == 0 {
                observed.answers.insert(major, typed(json!({"metadata": {"name": "f"}})));
            }
        }
        observed.backup = backup.then(|| typed(json!({"metadata": {"name": "b"}})));
        observed.guard = guard.map(|replay| typed(json!({"metadata": {"name": "g"}, "spec": {"replayDeletion": replay}})));
        observed.deletion_attempted = attempted;
        add_jobs(&mut observed, jobs);
        for (purpose, is_control) in copies {
            let namespace = if is_control { "crossplane-system" } else { "backup" };
            let copy = typed(json!({"metadata": {"name": "c"}, "data": {"k": "dg=="}}));
            observed.secret_copies.insert((*purpose.get(&SecretPurpose::ALL), namespace.to_owned()), copy);
        }
        add_answers(&mut observed, &answers, &tenant);
        observed
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_observed_the_plan_keeps_the_invariants(
        observed in any_observed(), is_late in any::<bool>(), wants in (any::<bool>(), any::<bool>(), 0..2_u32),
    ) {
        let now = if is_late { "2100-01-01T00:00:00Z" } else { NOW };
        let (deletion_protection, suspended, grace_hours) = wants;
        let tenant = Tenant { deletion_protection, suspended, grace_hours, ..tenant() };
        let plan = plan::plan(&tenant, &observed, now.parse().unwrap());
        prop_assert_eq!(invariants::violations(&plan, &observed), [""; 0]);
        let composed = compose::compose(&tenant, &plan);
        let planned = usize::from(plan.database.is_some()) + usize::from(plan.guard.is_some())
            + usize::from(plan.backup.is_some()) + plan.secret_copies.len() + plan.routes.len() + plan.filters.len() + plan.jobs.len();
        prop_assert_eq!(composed.len(), planned);
        prop_assert_eq!(plan.conditions.len(), plan::ConditionType::OF_TENANT.len());
        let waits = plan.conditions.values().filter(|state| !state.holds());
        prop_assert!(waits.into_iter().all(|state| !state.reason().is_empty() && !state.message().is_empty()));
    }
}
