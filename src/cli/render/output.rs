//! What is printed of a pass: which documents, and in which format.
//!
//! In: a [`Rendered`] pass and the composite resource as it was read. Out: text. YAML is that of `crossplane composition
//! render`, byte for byte. It has no JSON output; here that is one compact document a line, in the same order.

use serde_json::{Number, Value, json};

use super::{
    simulate::{Event, Rendered, freeze_timestamps},
    yaml::{self, YamlError},
};

const RESULT_API_VERSION: &str = "render.crossplane.io/v1beta1";
/// Doubles up to here (2^53) are whole numbers without loss.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// How documents are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// YAML documents, each after a line with `---`
    #[default]
    Yaml,
    /// One JSON document a line
    Json,
}

/// The documents in the order of the output.
///
/// With `full` the composite resource as it was read goes in, too; with `results`, the events.
pub fn documents(rendered: Rendered, full: Option<&Value>, results: bool) -> Vec<Value> {
    let Rendered {
        composite,
        composed,
        events,
    } = rendered;
    let mut first = match full {
        Some(read) => {
            let mut merged = read.clone();
            merge(&mut merged, composite);
            merged
        }
        None => composite,
    };
    freeze_timestamps(&mut first);
    let mut all = vec![first];
    all.extend(composed.into_iter().map(|mut object| {
        freeze_timestamps(&mut object);
        object
    }));
    if results {
        all.extend(events.iter().map(result));
    }
    all
}

fn result(event: &Event) -> Value {
    let Event {
        r#type,
        reason,
        message,
    } = event;
    json!({
        "apiVersion": RESULT_API_VERSION,
        "kind": "Result",
        "severity": r#type.as_str(),
        "reason": reason,
        "message": message,
    })
}

/// Objects are merged; everything else, lists and nulls included, is replaced.
fn merge(target: &mut Value, source: Value) {
    match (target, source) {
        (Value::Object(target), Value::Object(source)) => {
            for (key, value) in source {
                match target.get_mut(&key) {
                    Some(earlier) => merge(earlier, value),
                    None => {
                        target.insert(key, value);
                    }
                }
            }
        }
        (target, source) => *target = source,
    }
}

/// Prints documents.
pub fn print(documents: &[Value], format: Format) -> Result<String, YamlError> {
    match format {
        Format::Yaml => documents
            .iter()
            .map(|document| Ok(format!("---\n{}", yaml::print(document)?)))
            .collect(),
        Format::Json => Ok(documents.iter().fold(String::new(), |text, document| {
            text + &with_integers(document).to_string() + "\n"
        })),
    }
}

/// Whole doubles as integers, since `3.0` is not what anybody wrote.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the double is whole and within 2^53"
)]
fn with_integers(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() <= LARGEST_EXACT => {
                Value::Number(Number::from(double as i64))
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(with_integers).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), with_integers(field)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_replaces_lists_and_nulls_and_keeps_other_fields() {
        let mut target = json!({"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}, "d": "t"});
        merge(
            &mut target,
            json!({"a": {"y": [3]}, "b": null, "c": {}, "d": {"e": 1}, "f": 0}),
        );
        assert_eq!(
            target,
            json!({"a": {"x": 1, "y": [3]}, "b": null, "c": {"z": 1}, "d": {"e": 1}, "f": 0})
        );
    }

    #[test]
    fn json_is_one_document_a_line_with_whole_numbers() {
        let printed =
            print(&[json!({"a": 3.0, "b": 1.5}), json!({})], Format::Json).expect("JSON is always printable");
        assert_eq!(printed, "{\"a\":3,\"b\":1.5}\n{}\n");
    }
}
