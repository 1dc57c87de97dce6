//! What becomes of a value when it is written as JSON and read back as YAML.
//!
//! In: a JSON value. Out: a [`Node`] tree whose numbers are already text. Numbers: JSON writes a whole double without
//! point, and YAML reads digits as an integer; other doubles are printed with Go's shortest `g` format. Text: a raw
//! U+0085 is a line break to the YAML reader and gets folded; other control characters stop it.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::YamlError;

/// A line break to YAML 1.1, but not to JSON, which leaves it as it is.
const NEXT_LINE: char = '\u{85}';
/// The YAML reader gives up on a key whose JSON text, quotes included, is longer than this.
const MAX_KEY_CHARACTERS: usize = 1024;

/// A value as the YAML reader has it.
pub enum Node {
    /// Printed as it is: null, booleans, numbers.
    Plain(String),
    /// Text, to be quoted when needed.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object.
    Object(BTreeMap<String, Node>),
}

/// Reads a value as Go's library does; `path` is where the value is, for errors.
pub fn reread(value: &Value, path: &str) -> Result<Node, YamlError> {
    Ok(match value {
        Value::Null => Node::Plain("null".to_owned()),
        Value::Bool(value) => Node::Plain(value.to_string()),
        Value::Number(number) => Node::Plain(number_text(number)),
        Value::String(text) => Node::Text(reread_text(text, path)?),
        Value::Array(items) => Node::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| reread(item, &format!("{path}[{index}]")))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => Node::Object(
            fields
                .iter()
                .map(|(key, field)| {
                    let path_of_field = format!("{path}.{key}");
                    Ok((reread_key(key, path)?, reread(field, &path_of_field)?))
                })
                .collect::<Result<_, YamlError>>()?,
        ),
    })
}

fn reread_key(key: &str, path: &str) -> Result<String, YamlError> {
    let characters: usize = key.chars().map(json_width).sum();
    if characters + 2 > MAX_KEY_CHARACTERS || key.contains(NEXT_LINE) {
        return Err(YamlError::Key {
            path: path.to_owned(),
        });
    }
    reread_text(key, path)
}

/// How many characters Go's JSON writer needs for a character.
fn json_width(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => 6,
        _ => 1,
    }
}

fn reread_text(text: &str, path: &str) -> Result<String, YamlError> {
    for character in text.chars() {
        // JSON writes these raw, and the YAML reader refuses them.
        let refused =
            matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
        if refused {
            return Err(YamlError::ControlCharacter {
                path: path.to_owned(),
                code: character.into(),
            });
        }
    }
    Ok(if text.contains(NEXT_LINE) {
        fold(text)
    } else {
        text.to_owned()
    })
}

/// One U+0085 becomes a space, more become one line break less; spaces around them go.
fn fold(text: &str) -> String {
    let mut folded = String::new();
    let mut spaces = 0;
    let mut breaks = 0;
    for character in text.chars() {
        match character {
            NEXT_LINE => breaks += 1,
            ' ' => spaces += 1,
            other => {
                push_blanks(&mut folded, spaces, breaks);
                (spaces, breaks) = (0, 0);
                folded.push(other);
            }
        }
    }
    push_blanks(&mut folded, spaces, breaks);
    folded
}

fn push_blanks(text: &mut String, spaces: usize, breaks: usize) {
    match breaks {
        0 => text.extend(std::iter::repeat_n(' ', spaces)),
        1 => text.push(' '),
        more => text.extend(std::iter::repeat_n('\n', more - 1)),
    }
}

fn number_text(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    number.as_f64().map_or_else(|| number.to_string(), float_text)
}

/// What a double looks like after JSON (no exponent below 1e21) and YAML (digits alone are an integer).
fn float_text(value: f64) -> String {
    let digits = format!("{value}");
    if let Ok(integer) = digits.parse::<i64>() {
        return integer.to_string();
    }
    if let Ok(integer) = digits.parse::<u64>() {
        return integer.to_string();
    }
    shortest(value)
}

/// Go's `FormatFloat(value, 'g', -1, 64)`: an exponent of two digits below 1e-4 and from 1e6 on.
fn shortest(value: f64) -> String {
    /// Below this exponent Go switches to the exponent form.
    const MIN_EXPONENT: i32 = -4;
    /// From this exponent on Go switches to the exponent form when it prints the shortest digits.
    const MAX_EXPONENT: i32 = 6;
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (MIN_EXPONENT..MAX_EXPONENT).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
