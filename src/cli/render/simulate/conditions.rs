//! `status.conditions` of an object: read as Crossplane's type, merged by type, written back.
//!
//! In and out: a [`Value`]. Conditions that do not fit the type read as none. All times become one fixed instant at the
//! end ([`freeze_timestamps`]), as in the real preview, so that output does not change from run to run.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::object;

/// What every `lastTransitionTime` is in the output.
const FROZEN_TIME: &str = "2024-01-01T00:00:00Z";
/// Types that belong to Crossplane; what a function says about them is ignored.
const SYSTEM_TYPES: [&str; 5] = ["Ready", "Synced", "Healthy", "UpToDate", "Responsive"];

/// A condition as Crossplane's API types it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub r#type: String,
    pub status: String,
    pub reason: String,
    pub message: String,
    pub observed_generation: i64,
    /// As it was read; `None` is now.
    pub time: Option<Timestamp>,
}

impl Condition {
    pub fn new(r#type: &str, status: &str, reason: &str) -> Self {
        Self {
            r#type: r#type.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            ..Self::default()
        }
    }

    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..self
        }
    }

    pub fn with_generation(self, observed_generation: i64) -> Self {
        Self {
            observed_generation,
            ..self
        }
    }

    pub fn is_of_system(&self) -> bool {
        SYSTEM_TYPES.contains(&self.r#type.as_str())
    }

    /// Equal but for the time; a generation counts only when both have one.
    fn says_the_same_as(&self, other: &Self) -> bool {
        let generations_differ = self.observed_generation != 0
            && other.observed_generation != 0
            && self.observed_generation != other.observed_generation;
        !generations_differ
            && self.r#type == other.r#type
            && self.status == other.status
            && self.reason == other.reason
            && self.message == other.message
    }
}

/// Reads `status.conditions`; `None` when there is no status or something in it does not fit.
fn try_read(object: &Value) -> Option<Vec<Condition>> {
    match object.get("status")? {
        Value::Null => Some(Vec::new()),
        status => match status.as_object()?.get("conditions") {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(conditions) => conditions.as_array()?.iter().map(read_one).collect(),
        },
    }
}

fn read_one(value: &Value) -> Option<Condition> {
    if value.is_null() {
        return Some(Condition::default());
    }
    let fields = value.as_object()?;
    let text = |field: &str| match fields.get(field) {
        None | Some(Value::Null) => Some(String::new()),
        Some(value) => value.as_str().map(str::to_owned),
    };
    let time = match fields.get("lastTransitionTime") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_str()?.parse().ok()?),
    };
    let observed_generation = match fields.get("observedGeneration") {
        None | Some(Value::Null) => 0,
        Some(value) => whole_number(value)?,
    };
    Some(Condition {
        r#type: text("type")?,
        status: text("status")?,
        reason: text("reason")?,
        message: text("message")?,
        observed_generation,
        time,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the double is whole and within the range of i64"
)]
pub fn whole_number(value: &Value) -> Option<i64> {
    const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
    let is_whole = |double: &f64| double.fract() == 0.0 && (-TWO_POW_63..TWO_POW_63).contains(double);
    value
        .as_i64()
        .or_else(|| value.as_f64().filter(is_whole).map(|double| double as i64))
}

/// The conditions of an object.
pub fn read(object: &Value) -> Vec<Condition> {
    try_read(object).unwrap_or_default()
}

/// Sets conditions, each in the place of an earlier one of its type; one that says the same keeps its time.
pub fn set(object: &mut Value, conditions: impl IntoIterator<Item = Condition>) {
    let mut all = read(object);
    for condition in conditions {
        match all.iter_mut().find(|earlier| earlier.r#type == condition.r#type) {
            Some(earlier) if earlier.says_the_same_as(&condition) => {}
            Some(earlier) => *earlier = condition,
            None => all.push(condition),
        }
    }
    write(object, &all);
}

fn write(object: &mut Value, conditions: &[Condition]) {
    let written = if conditions.is_empty() {
        Value::Null
    } else {
        conditions.iter().map(to_json).collect()
    };
    object::set(object, &["status", "conditions"], written);
}

fn to_json(condition: &Condition) -> Value {
    let time = condition.time.map_or_else(
        || FROZEN_TIME.to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    let mut fields = Map::new();
    fields.insert("type".to_owned(), json!(condition.r#type));
    fields.insert("status".to_owned(), json!(condition.status));
    fields.insert("lastTransitionTime".to_owned(), json!(time));
    fields.insert("reason".to_owned(), json!(condition.reason));
    if !condition.message.is_empty() {
        fields.insert("message".to_owned(), json!(condition.message));
    }
    if condition.observed_generation != 0 {
        fields.insert(
            "observedGeneration".to_owned(),
            json!(condition.observed_generation),
        );
    }
    Value::Object(fields)
}

/// Gives every condition the same time, as the real preview does; a status without conditions gets `conditions: null`.
pub fn freeze_timestamps(object: &mut Value) {
    if let Some(conditions) = try_read(object) {
        let frozen: Vec<Condition> = conditions
            .into_iter()
            .map(|condition| Condition {
                time: None,
                ..condition
            })
            .collect();
        write(object, &frozen);
    }
}
