//! What differs between two objects, field by field.
//!
//! In: two values. Out: paths with what was and what would be. Values of Secrets are never shown.

use serde::Serialize;
use serde_json::Value;

/// Longer values are cut in words.
const SHOWN_MAXIMUM: usize = 90;

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The field: `spec.template.spec.containers[0].image`.
    pub path: String,
    /// What it is; absent when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it would be; absent when it would not be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Which fields count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Only those that the second has: the first has those of others, too.
    Second,
    /// Those of either.
    Both,
}

/// The fields that differ.
pub fn differences(before: &Value, after: &Value, sides: Sides) -> Vec<Difference> {
    let is_secret = after["kind"] == "Secret";
    let mut found = Vec::new();
    compare(String::new(), Some(before), Some(after), sides, &mut found);
    for difference in &mut found {
        if is_secret && (difference.path.starts_with("data") || difference.path.starts_with("stringData")) {
            difference.before = None;
            difference.after = Some(Value::String("(a Secret's value)".to_owned()));
        }
    }
    found
}

fn compare(
    path: String,
    before: Option<&Value>,
    after: Option<&Value>,
    sides: Sides,
    found: &mut Vec<Difference>,
) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let left_out = before
                .keys()
                .filter(|name| sides == Sides::Both && !after.contains_key(*name));
            for name in after.keys().chain(left_out) {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                compare(path, before.get(name), after.get(name), sides, found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                compare(
                    format!("{path}[{index}]"),
                    before.get(index),
                    after.get(index),
                    sides,
                    found,
                );
            }
        }
        (before, after) if before == after => {}
        (before, after) => found.push(Difference {
            path,
            before: before.map(whole_numbers),
            after: after.map(whole_numbers),
        }),
    }
}

/// Doubles that are whole as integers: a Struct has no others, and `3.0` is not what anybody wrote.
#[expect(clippy::cast_possible_truncation, reason = "the double is whole and small")]
fn whole_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 && double.abs() < 1e15 => Value::from(double as i64),
            Some(_) | None => value.clone(),
        },
        Value::Array(items) => items.iter().map(whole_numbers).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), whole_numbers(field)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

impl Difference {
    /// In words.
    pub fn words(&self) -> String {
        match (&self.before, &self.after) {
            (None, Some(after)) => format!("{}: {}", self.path, shown(after)),
            (Some(before), None) => format!("{}: {} goes", self.path, shown(before)),
            (Some(before), Some(after)) => format!("{}: {} -> {}", self.path, shown(before), shown(after)),
            (None, None) => self.path.clone(),
        }
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN_MAXIMUM {
        return text;
    }
    text.chars().take(SHOWN_MAXIMUM).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(before: &Value, after: &Value, sides: Sides) -> Vec<String> {
        differences(before, after, sides)
            .iter()
            .map(Difference::words)
            .collect()
    }

    #[test]
    fn fields_of_others_count_only_where_both_sides_are_ours() {
        let before = json!({"spec": {"a": 1.0, "list": ["x", "y"], "theirs": true}});
        let after = json!({"spec": {"a": 2.0, "list": ["x"], "new": {"b": 1.5}}});
        let mut expected = vec!["spec.a: 1 -> 2", "spec.list[1]: y goes", "spec.new: {\"b\":1.5}"];
        assert_eq!(words(&before, &after, Sides::Second), expected);
        expected.push("spec.theirs: true goes");
        assert_eq!(words(&before, &after, Sides::Both), expected);
        assert!(words(&after, &after, Sides::Both).is_empty());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = |value: &str| json!({"kind": "Secret", "data": {"password": value}});
        let told = words(&secret("planted"), &secret("other"), Sides::Both);
        assert_eq!(told, ["data.password: (a Secret's value)"]);
    }

    #[test]
    fn a_long_value_is_cut() {
        let told = words(&json!({"a": 1}), &json!({"a": "x".repeat(200)}), Sides::Both);
        assert!(told[0].ends_with("x...") && told[0].len() < 120, "{told:?}");
    }
}
