//! What is wrong with a value, all of it: the schemas read against a spec or a Platform.
//!
//! In: JSON of any shape. Out: [`Problem`]s, each with its field path and what belongs there, sorted by path; none when
//! the typed read succeeds and every constraint of the schema holds. The typed read stops at its first error and knows
//! no patterns, lengths or ranges; Crossplane does not check a function's input at all.
//!
//! A value is only shown where it is short and plain, and a URL without its password. Stricter than the typed read in
//! two ways that no writer of YAML will miss: serde would read a list as the fields of a struct in order, and
//! `{"starter": null}` as the word `starter`. Rules in CEL (immutable, reserved, across fields) are not checked here.
//!
//! No value makes it panic or recurse deeper than the schema is.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::schema::{self, Kind, Schema};
use super::{INPUT_API_VERSION, INPUT_KIND};

/// Where the field paths of a spec begin.
pub const SPEC_PATH: &str = "spec";
/// Where the field paths of a Platform begin: it is the `input` of a Composition's step.
pub const INPUT_PATH: &str = "input";
/// Problems that are reported at once. A result has to fit in a message, and nobody reads more.
pub const PROBLEMS_MAXIMUM: usize = 50;
/// Characters of a value or key that are shown.
const SHOWN_MAXIMUM_CHARACTERS: usize = 40;

static SPEC: LazyLock<Schema> = LazyLock::new(schema::plana_client_spec);
static SNAPSHOT: LazyLock<Schema> = LazyLock::new(schema::template_snapshot_spec);
static PLATFORM: LazyLock<Schema> = LazyLock::new(schema::platform);

/// The patterns of all: to compile one takes longer than a whole call.
static PATTERNS: LazyLock<BTreeMap<String, Regex>> = LazyLock::new(|| {
    let mut compiled = BTreeMap::new();
    compile(&SPEC, &mut compiled);
    compile(&SNAPSHOT, &mut compiled);
    compile(&PLATFORM, &mut compiled);
    compiled
});

/// One thing that is wrong, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The field, from the top: `spec.customDomains[0]`.
    pub path: String,
    /// What is wrong with it and what belongs there; begins with "cannot".
    pub message: String,
}

impl Problem {
    /// A problem of that field.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }

    /// A problem of text that is not what belongs there; shows no more of it than the others do.
    #[must_use]
    pub fn cannot_be(path: impl Into<String>, given: &str, expected: &str) -> Self {
        Self::new(path, format!("cannot be {}: must be {expected}", quoted(given)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.message)
    }
}

/// What is wrong with the spec of a `PLANAClient`.
#[must_use]
pub fn plana_client_problems(spec: &Value) -> Vec<Problem> {
    problems(spec, &SPEC, SPEC_PATH)
}

/// What is wrong with the spec of a `TemplateSnapshot`.
#[must_use]
pub fn template_snapshot_problems(spec: &Value) -> Vec<Problem> {
    problems(spec, &SNAPSHOT, SPEC_PATH)
}

/// What is wrong with the function's input.
#[must_use]
pub fn platform_problems(input: &Value) -> Vec<Problem> {
    let mut found = problems(input, &PLATFORM, INPUT_PATH);
    for (field, expected) in [("apiVersion", INPUT_API_VERSION), ("kind", INPUT_KIND)] {
        if let Some(Value::String(given)) = input.get(field)
            && given != expected
        {
            let path = format!("{INPUT_PATH}.{field}");
            found.push(Problem::cannot_be(path, given, &format!("{expected:?}")));
        }
    }
    found.sort();
    found
}

/// What is wrong with a value that a schema describes. At most [`PROBLEMS_MAXIMUM`], and one more that counts the rest.
#[must_use]
pub fn problems(value: &Value, schema: &Schema, root_path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    check(value, schema, root_path, &mut found);
    found.sort();
    if found.len() > PROBLEMS_MAXIMUM {
        let message = format!(
            "cannot be read: there are {} more problems",
            found.len() - PROBLEMS_MAXIMUM
        );
        found.truncate(PROBLEMS_MAXIMUM);
        found.push(Problem::new(root_path, message));
    }
    found
}

fn compile(schema: &Schema, compiled: &mut BTreeMap<String, Regex>) {
    if let Some(text) = &schema.pattern
        && let Ok(pattern) = Regex::new(text)
    {
        compiled.insert(text.clone(), pattern);
    }
    let inner = [&schema.items, &schema.additional_properties];
    let inner = inner.into_iter().flatten().map(|inner| &**inner);
    for schema in schema.properties.values().chain(inner) {
        compile(schema, compiled);
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match PATTERNS.get(pattern) {
        Some(pattern) => pattern.is_match(text),
        // A schema of somebody else. A pattern that no matcher reads is not what is wrong with a value.
        None => Regex::new(pattern).map_or(true, |pattern| pattern.is_match(text)),
    }
}

fn check(value: &Value, schema: &Schema, path: &str, found: &mut Vec<Problem>) {
    if value.is_null() && schema.nullable {
        return;
    }
    let message = match (schema.kind, value) {
        (None, _) | (Some(Kind::Boolean), Value::Bool(_)) => None,
        (Some(Kind::Object), Value::Object(fields)) => return check_object(fields, schema, path, found),
        (Some(Kind::Array), Value::Array(entries)) => return check_list(entries, schema, path, found),
        (Some(Kind::String), Value::String(text)) => wrong_text(text, schema),
        (Some(Kind::Integer), Value::Number(number)) => match number.as_i64() {
            Some(number) => wrong_number(number, schema),
            None => Some(wrong_type(value, schema)),
        },
        (
            Some(Kind::Object | Kind::Array | Kind::String | Kind::Integer | Kind::Boolean),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
        ) => Some(wrong_type(value, schema)),
    };
    found.extend(message.map(|message| Problem::new(path, message)));
}

fn check_object(fields: &Map<String, Value>, schema: &Schema, path: &str, found: &mut Vec<Problem>) {
    for name in &schema.required {
        if !fields.contains_key(name) {
            found.push(Problem::new(
                format!("{path}.{name}"),
                left_out(schema.properties.get(name)),
            ));
        }
    }
    let known = fields
        .keys()
        .filter(|name| schema.properties.contains_key(*name))
        .count() as u64;
    let exactly_one = schema.min_properties == Some(1) && schema.max_properties == Some(1);
    if exactly_one && known != 1 {
        let names = one_of(schema.properties.keys());
        let message = format!("cannot have {known} of its fields: must have exactly one, {names}");
        found.push(Problem::new(path, message));
    }
    for (name, value) in fields {
        let inner = match (schema.properties.get(name), &schema.additional_properties) {
            (Some(property), _) => property,
            (None, Some(values)) => values,
            (None, None) if schema.closed => {
                found.push(Problem::new(child(path, name), unknown(name, schema)));
                continue;
            }
            (None, None) => continue,
        };
        check(value, inner, &child(path, name), found);
    }
}

fn check_list(entries: &[Value], schema: &Schema, path: &str, found: &mut Vec<Problem>) {
    let count = entries.len() as u64;
    if let Some(range) = outside(count, schema.min_items, schema.max_items) {
        found.push(Problem::new(
            path,
            format!("cannot have {count} entries: must have {range}"),
        ));
    }
    let Some(inner) = &schema.items else { return };
    for (index, entry) in entries.iter().enumerate() {
        check(entry, inner, &format!("{path}[{index}]"), found);
    }
}

fn wrong_text(text: &str, schema: &Schema) -> Option<String> {
    if !schema.choices.is_empty() {
        return (!schema.choices.iter().any(|choice| choice == text)).then(|| {
            format!(
                "cannot be {}: must be {}",
                quoted(text),
                one_of(schema.choices.iter())
            )
        });
    }
    let length = text.chars().count() as u64;
    // The length first: a text that is too long is not worth a matcher's time.
    if let Some(range) = outside(length, schema.min_length, schema.max_length) {
        return Some(format!("cannot have {length} characters: must have {range}"));
    }
    let (pattern, hint) = (schema.pattern.as_deref()?, schema.hint.as_deref()?);
    (!matches(pattern, text)).then(|| format!("cannot be {}: must be {hint}", quoted(text)))
}

fn wrong_number(number: i64, schema: &Schema) -> Option<String> {
    let range = outside(number, schema.minimum, schema.maximum)?;
    Some(format!("cannot be {number}: must be {range}"))
}

/// The range in words, when the number is outside of it.
fn outside<N: Copy + PartialOrd + fmt::Display>(
    number: N,
    least: Option<N>,
    most: Option<N>,
) -> Option<String> {
    if least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most) {
        return None;
    }
    match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("exactly {least}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    }
}

fn wrong_type(value: &Value, schema: &Schema) -> String {
    let expected = match schema.kind {
        Some(Kind::Object) => "an object".to_owned(),
        Some(Kind::Array) => "a list".to_owned(),
        Some(Kind::Integer) => "a whole number".to_owned(),
        Some(Kind::Boolean) => "true or false, without quotes".to_owned(),
        Some(Kind::String) if !schema.choices.is_empty() => one_of(schema.choices.iter()),
        Some(Kind::String) | None => schema
            .hint
            .as_ref()
            .map_or("text, in quotes".to_owned(), |hint| format!("text: {hint}")),
    };
    let plain = matches!(schema.kind, Some(Kind::Integer | Kind::Boolean | Kind::String));
    let given = match value {
        // Where an object belongs, such as the name of a Secret, plain text may be the secret itself.
        Value::String(text) if plain => quoted(text),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    format!("cannot be {given}: must be {expected}")
}

fn left_out(schema: Option<&Schema>) -> String {
    let about = schema
        .and_then(|schema| schema.description.as_deref())
        .unwrap_or_default();
    let sentence = about.split(". ").next().unwrap_or_default().trim_end_matches('.');
    if sentence.is_empty() {
        return "cannot be left out".to_owned();
    }
    format!("cannot be left out ({sentence})")
}

fn unknown(name: &str, schema: &Schema) -> String {
    match nearest(name, schema.properties.keys()) {
        Some(near) => format!("cannot be read: there is no such field, did you mean {near:?}?"),
        None => format!(
            "cannot be read: there is no such field; the fields here are {}",
            schema.properties.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The name that is at most a third of its letters away, the case not counted much.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    if name.chars().count() > SHOWN_MAXIMUM_CHARACTERS {
        return None;
    }
    known
        .map(|known| (distance(&plain_letters(name), &plain_letters(known)), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

fn plain_letters(name: &str) -> Vec<char> {
    name.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Edits from one word to the other: letters put in, left out, or exchanged.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left_letter) in left.iter().enumerate() {
        let mut diagonal = row.first().copied().unwrap_or_default();
        let mut previous = index + 1;
        let mut next = vec![previous];
        for (right_letter, above) in right.iter().zip(row.iter().skip(1)) {
            let kept = diagonal + usize::from(left_letter != right_letter);
            previous = kept.min(previous + 1).min(above + 1);
            diagonal = *above;
            next.push(previous);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn one_of<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let words: Vec<&str> = words.map(String::as_str).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// The path of a field: a name that YAML would not take as it is stands in brackets and quotes.
fn child(path: &str, name: &str) -> String {
    let plain = name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if plain && name.len() <= SHOWN_MAXIMUM_CHARACTERS {
        format!("{path}.{name}")
    } else {
        format!("{path}[{}]", quoted(name))
    }
}

/// Text in quotes, shortened, and without what stands between the scheme and the host of a URL.
#[must_use]
pub fn quoted(text: &str) -> String {
    let masked = match (text.split_once("://"), text.rfind('@')) {
        (Some((scheme, _)), Some(at)) if at > scheme.len() => {
            format!("{scheme}://***{}", text.get(at..).unwrap_or_default())
        }
        (Some(_) | None, Some(_) | None) => text.to_owned(),
    };
    if masked.chars().count() <= SHOWN_MAXIMUM_CHARACTERS {
        return format!("{masked:?}");
    }
    let beginning: String = masked.chars().take(SHOWN_MAXIMUM_CHARACTERS).collect();
    format!("{:?}", format!("{beginning}..."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    fn valid() -> Value {
        json!({
            "subdomain": "acme", "projectId": 23, "tier": "pro",
            "ownerEmail": "owner@acme.example", "ownerName": "Acme",
        })
    }

    fn with(field: &str, value: Value) -> Vec<String> {
        let mut spec = valid();
        spec[field] = value;
        lines(&plana_client_problems(&spec))
    }

    #[test]
    fn a_valid_spec_has_no_problem() {
        assert_eq!(lines(&plana_client_problems(&valid())), [""; 0]);
        assert_eq!(with("odooVersion", Value::Null), [""; 0]);
        assert_eq!(
            with("crossplane", json!({"compositionRef": {"name": "x"}})),
            [""; 0]
        );
    }

    #[test]
    fn everything_that_is_wrong_with_a_spec_is_said_at_once_and_sorted() {
        let spec = json!({
            "subdomain": "Acme_", "projectId": 1.5, "tier": "gold", "ownerEmail": 7,
            "customDomains": ["erp.acme.example", "ACME"], "suspended": "yes", "backup": {"retentionDays": 1},
        });
        assert_eq!(
            lines(&plana_client_problems(&spec)),
            [
                "spec.backup.retentionDays: cannot be 1: must be 7 to 3660",
                "spec.customDomains[1]: cannot be \"ACME\": must be a host name in lower case, such as erp.example.com",
                "spec.ownerEmail: cannot be 7: must be text: a mail address, such as owner@example.com",
                "spec.ownerName: cannot be left out (Name of the owner: name of the tenant's administrator and company)",
                "spec.projectId: cannot be 1.5: must be a whole number",
                "spec.subdomain: cannot be \"Acme_\": must be 1 to 30 lower-case letters, digits and hyphens, \
                 beginning and ending with a letter or digit",
                "spec.suspended: cannot be \"yes\": must be true or false, without quotes",
                "spec.tier: cannot be \"gold\": must be starter, pro or enterprise",
            ]
        );
    }

    #[test]
    fn numbers_outside_of_every_width_are_refused() {
        for number in [
            "1e300",
            "-1",
            "2147483648",
            "9223372036854775808",
            "18446744073709551615",
            "5.0",
        ] {
            let value: Value = serde_json::from_str(number).expect("a number");
            assert_eq!(with("projectId", value).len(), 1, "{number}");
        }
    }

    #[test]
    fn a_length_is_counted_in_characters_and_said_instead_of_the_shape() {
        assert_eq!(with("ownerName", json!("Ж".repeat(128))), [""; 0]);
        assert_eq!(
            with("ownerName", json!("")),
            ["spec.ownerName: cannot have 0 characters: must have 1 to 128"]
        );
        assert_eq!(
            with("subdomain", json!("a".repeat(31))),
            ["spec.subdomain: cannot have 31 characters: must have 1 to 30"]
        );
    }

    #[test]
    fn a_typo_names_the_nearest_field() {
        let input = json!({
            "gatway": {},
            "gateway": {"requestTimout": "600s", "request_timeout": "600s", "zebra": 1},
            "versions": {"18": {"immage": "x"}},
            "tiers": {"Pro": {}},
            "kind": "Platfrom",
        });
        assert_eq!(
            lines(&platform_problems(&input)),
            [
                "input.gateway.requestTimout: cannot be read: there is no such field, did you mean \"requestTimeout\"?",
                "input.gateway.zebra: cannot be read: there is no such field; the fields here are maintenance, parentRefs, \
                 requestTimeout",
                "input.gateway[\"request_timeout\"]: cannot be read: there is no such field, did you mean \
                 \"requestTimeout\"?",
                "input.gatway: cannot be read: there is no such field, did you mean \"gateway\"?",
                "input.kind: cannot be \"Platfrom\": must be \"Platform\"",
                "input.tiers.Pro: cannot be read: there is no such field, did you mean \"pro\"?",
                "input.versions[\"18\"].immage: cannot be read: there is no such field, did you mean \"image\"?",
            ]
        );
    }

    #[test]
    fn a_filestore_is_one_thing_or_the_other() {
        let both = json!({"claim": "c", "nfs": {"server": "s", "path": "/p"}});
        let at = |value: &Value| {
            lines(&platform_problems(
                &json!({"versions": {"18": {"filestore": value}}}),
            ))
        };
        let expected = |count| {
            vec![format!(
                "input.versions[\"18\"].filestore: cannot have {count} of its fields: must have exactly one, claim or nfs"
            )]
        };
        assert_eq!(at(&both), expected(2));
        assert_eq!(at(&json!({})), expected(0));
        assert_eq!(at(&json!({"claim": "c"})), [""; 0]);
    }

    #[test]
    fn no_secret_is_shown() {
        let planted = "hunter2-hunter2";
        let input = json!({
            "database": {"credentialsSecret": planted, "password": planted},
            "events": {"address": format!("redis://user:{planted}@redis:6379")},
            "matrix": {"homeserver": format!("ftp://a:{planted}@b@c")},
        });
        let text = lines(&platform_problems(&input)).join("\n");
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(!text.contains(planted), "{text}");
        assert!(text.contains("\"redis://***@redis:6379\""), "{text}");
    }

    #[test]
    fn long_values_and_keys_are_shortened_and_so_is_the_report() {
        let spec = with("subdomain", json!(format!("A{}", "é".repeat(28))));
        assert!(spec[0].contains("\"Aééé"), "{spec:?}");
        let mut input = Map::new();
        for index in 0..200 {
            input.insert(format!("{}{index}", "k".repeat(10_000)), Value::Null);
        }
        let found = platform_problems(&Value::Object(input));
        assert_eq!(found.len(), PROBLEMS_MAXIMUM + 1);
        assert!(lines(&found).contains(&"input: cannot be read: there are 150 more problems".to_owned()));
        assert!(lines(&found).iter().all(|line| line.len() < 400));
    }

    #[test]
    fn other_things_than_objects_are_said_to_be_so() {
        for value in [json!(null), json!(true), json!(1), json!("x"), json!([])] {
            assert_eq!(platform_problems(&value).len(), 1, "{value}");
            assert_eq!(plana_client_problems(&value).len(), 1, "{value}");
        }
    }
}
