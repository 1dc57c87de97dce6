//! What the checker says of any JSON whatever, held against the typed read.
//!
//! Where the typed read fails there must be a problem with a name. Where it succeeds, all that the checker may add is
//! what types do not carry: shapes, lengths, ranges, and that a list is no object (serde would read a list as a struct's
//! fields in order).

#[path = "common/any.rs"]
mod any;
#[path = "common/full.rs"]
mod full;

use std::sync::LazyLock;

use any::{any_change, any_json, changed, pointers};

use function_odoo::api::check::{
    PROBLEMS_MAXIMUM, Problem, plana_client_problems, platform_problems, template_snapshot_problems,
};
use function_odoo::api::schema::{self, Schema};
use function_odoo::api::{
    plana_client::PlanaClientSpec, platform::Platform, template_snapshot::TemplateSnapshotSpec,
};
use proptest::prelude::*;
use regex_lite::Regex;
use serde_json::{Value, json};

/// Whether the typed read must have failed for it, too.
fn carried_by_types(problem: &Problem) -> bool {
    static RANGE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"must (be|have) (exactly [0-9]+|at (least|most) [0-9]+|[0-9]+ to [0-9]+)$")
            .expect("it compiles")
    });
    let message = problem.message.as_str();
    let range = RANGE.is_match(message);
    let shape = message.starts_with("cannot be \"")
        && HINTS
            .iter()
            .any(|hint| message.ends_with(&format!(": must be {hint}")));
    let list_as_fields = message == "cannot be a list: must be an object";
    let other_kind = ["input.apiVersion", "input.kind"].contains(&problem.path.as_str())
        && message.starts_with("cannot be \"");
    !(range || shape || list_as_fields || other_kind)
}

static HINTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    fn hints(schema: &Schema, all: &mut Vec<String>) {
        all.extend(schema.hint.clone());
        let inner = [&schema.items, &schema.additional_properties]
            .into_iter()
            .flatten()
            .map(|inner| &**inner);
        schema
            .properties
            .values()
            .chain(inner)
            .for_each(|schema| hints(schema, all));
    }
    let mut all = Vec::new();
    hints(&schema::plana_client_spec(), &mut all);
    hints(&schema::template_snapshot_spec(), &mut all);
    hints(&schema::platform(), &mut all);
    all
});

fn agrees(value: &Value, readable: bool, problems: &[Problem]) -> Result<(), TestCaseError> {
    if !readable {
        prop_assert!(
            !problems.is_empty(),
            "cannot be read and nothing is said: {value}"
        );
    }
    if readable {
        let wrong: Vec<_> = problems
            .iter()
            .filter(|problem| carried_by_types(problem))
            .collect();
        prop_assert!(wrong.is_empty(), "can be read: {wrong:?} {value}");
    }
    prop_assert!(problems.len() <= PROBLEMS_MAXIMUM + 1);
    prop_assert!(problems.is_sorted());
    for problem in problems {
        prop_assert!(
            problem.message.starts_with("cannot ") && problem.message.len() < 600,
            "{problem}"
        );
    }
    Ok(())
}

fn check_spec(value: &Value) -> Result<(), TestCaseError> {
    let readable = serde_json::from_value::<PlanaClientSpec>(value.clone()).is_ok();
    agrees(value, readable, &plana_client_problems(value))
}

fn check_snapshot(value: &Value) -> Result<(), TestCaseError> {
    let readable = serde_json::from_value::<TemplateSnapshotSpec>(value.clone()).is_ok();
    agrees(value, readable, &template_snapshot_problems(value))
}

fn check_platform(value: &Value) -> Result<(), TestCaseError> {
    let readable = serde_json::from_value::<Platform>(value.clone()).is_ok();
    agrees(value, readable, &platform_problems(value))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_readable_or_has_a_named_problem(value in any_json()) {
        check_spec(&value)?;
        check_snapshot(&value)?;
        check_platform(&value)?;
    }

    #[test]
    fn a_changed_spec_is_readable_or_has_a_named_problem(changes in prop::collection::vec(any_change(), 1..4)) {
        let full = serde_json::to_value(full::spec()).expect("a spec is JSON");
        check_spec(&changed(full, changes))?;
    }

    #[test]
    fn a_changed_template_is_readable_or_has_a_named_problem(changes in prop::collection::vec(any_change(), 1..4)) {
        let full = serde_json::to_value(full::snapshot_spec()).expect("a spec is JSON");
        check_snapshot(&changed(full, changes))?;
    }

    #[test]
    fn a_changed_platform_is_readable_or_has_a_named_problem(changes in prop::collection::vec(any_change(), 1..4)) {
        let full = serde_json::to_value(full::platform()).expect("a Platform is JSON");
        check_platform(&changed(full, changes))?;
    }
}

#[test]
fn full_and_least_values_have_no_problem() {
    let spec = serde_json::to_value(full::spec()).expect("a spec is JSON");
    assert_eq!(plana_client_problems(&spec), []);
    assert!(serde_json::to_value(full::status()).is_ok_and(|status| status.is_object()));
    let snapshot = serde_json::to_value(full::snapshot_spec()).expect("a spec is JSON");
    assert_eq!(template_snapshot_problems(&snapshot), []);
    assert!(serde_json::to_value(full::snapshot_status()).is_ok_and(|status| status.is_object()));
    let platform = serde_json::to_value(full::platform()).expect("a Platform is JSON");
    assert_eq!(platform_problems(&platform), []);
    let default = serde_json::to_value(Platform::default()).expect("a Platform is JSON");
    assert_eq!(platform_problems(&default), []);
    assert_eq!(platform_problems(&json!({})), []);
}

/// Each place of a valid value, one after the other, holds something of each kind that does not belong there.
#[test]
fn a_wrong_type_anywhere_is_named_at_its_place() {
    let full = serde_json::to_value(full::platform()).expect("a Platform is JSON");
    let mut places = Vec::new();
    pointers(&full, "", &mut places);
    let mut wrong = 0;
    for place in &places {
        for value in [
            json!(null),
            json!(true),
            json!(1.5),
            json!(1e300),
            json!("?"),
            json!([]),
            json!({"?": 1}),
        ] {
            let mut changed = full.clone();
            *changed.pointer_mut(place).expect("it was listed") = value;
            let readable = serde_json::from_value::<Platform>(changed.clone()).is_ok();
            let problems = platform_problems(&changed);
            assert!(readable || !problems.is_empty(), "{place}");
            wrong += usize::from(!readable);
            let name = place.rsplit('/').next().unwrap_or_default();
            for problem in &problems {
                let near = problem.path.contains(name) || name.parse::<usize>().is_ok();
                assert!(near, "{place}: {problem}");
            }
        }
    }
    assert!(wrong > 300, "{wrong} of {} places", places.len());
}

#[test]
fn deep_and_wide_values_are_answered() {
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!({"database": [deep]});
    }
    assert_eq!(platform_problems(&deep).len(), 1);
    let wide: Vec<Value> = (0..100_000).map(|_| json!({"name": 1})).collect();
    let problems = platform_problems(&json!({"gateway": {"parentRefs": wide}}));
    assert_eq!(problems.len(), PROBLEMS_MAXIMUM + 1);
}
