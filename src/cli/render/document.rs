//! One YAML or JSON document: its value, and where things are in it.
//!
//! In: text. Out: a [`Value`] as Crossplane's command line would read it, or a [`SyntaxError`] with field path and line.
//! Duplicate keys are errors. Crossplane reads YAML 1.1, where a plain `yes` or `off` is a boolean, and the parser here
//! YAML 1.2, where it is text: such words are looked up in the source and turned into booleans when they are plain.
//! What else differs (octal numbers with a leading 0, digits with underscores) is refused when it is not in quotes.

mod words;

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write as _},
};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_yaml::Error as YamlError;
use thiserror::Error;

use words::Meaning;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct SyntaxError {
    /// The field, when it is known.
    pub field: String,
    /// Counted from 1 within the document's text.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// Reads a document; an empty one is null.
pub fn read(text: &str) -> Result<Value, SyntaxError> {
    let reader = Reader::default();
    let mut value = reader.read(text)?;
    for word in reader.words.take() {
        let place = line_and_index(text, Target::Scalar(word.count));
        if !place.is_some_and(|(_, index)| words::is_plain_at(text, index)) {
            continue;
        }
        let message = match word.meaning {
            Meaning::Boolean(boolean) => {
                replace(&mut value, &word.path, boolean);
                continue;
            }
            Meaning::Key => "a key that Kubernetes' tools read as a boolean: put it in quotes",
            Meaning::Number => {
                "a number that readers understand differently: put it in quotes, or write it in decimal"
            }
        };
        return Err(SyntaxError {
            field: shown(&word.path),
            line: place.map(|(line, _)| line),
            message: message.to_owned(),
        });
    }
    Ok(value)
}

/// The line of a field, or of the nearest field above it that exists; counted from 1.
pub fn line_of(text: &str, path: &[Segment]) -> Option<usize> {
    (0..=path.len())
        .rev()
        .find_map(|length| line_and_index(text, Target::Path(&path[..length])).map(|(line, _)| line))
}

/// A step from a value to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Of an object.
    Key(String),
    /// Of a list.
    Index(usize),
}

/// A path as people write it: `spec.tiers[0].name`.
pub fn shown(path: &[Segment]) -> String {
    path.iter().fold(String::new(), |mut text, segment| {
        match segment {
            Segment::Index(index) => {
                let _ = write!(text, "[{index}]");
            }
            Segment::Key(key) if text.is_empty() => text.push_str(key),
            Segment::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
        }
        text
    })
}

fn replace(value: &mut Value, path: &[Segment], boolean: bool) {
    let target = path.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get_mut(key),
        Segment::Index(index) => value.get_mut(index),
    });
    if let Some(target) = target {
        *target = Value::Bool(boolean);
    }
}

/// What [`line_and_index`] looks for.
#[derive(Clone, Copy)]
enum Target<'a> {
    Scalar(usize),
    Path(&'a [Segment]),
}

/// The parser tells where it is only in errors, so this reads until the target and fails there. The index counts
/// bytes.
fn line_and_index(text: &str, target: Target<'_>) -> Option<(usize, usize)> {
    let reader = Reader {
        target: Some(target),
        ..Reader::default()
    };
    let error = reader.parse(text).err()?;
    let found = reader.found.get();
    error
        .location()
        .filter(|_| found)
        .map(|location| (location.line(), location.index()))
}

/// A text that YAML 1.1 may understand differently.
struct Word {
    path: Vec<Segment>,
    /// How many scalars came before.
    count: usize,
    meaning: Meaning,
}

#[derive(Default)]
struct Reader<'a> {
    target: Option<Target<'a>>,
    found: Cell<bool>,
    scalars: Cell<usize>,
    words: RefCell<Vec<Word>>,
    path: RefCell<Vec<Segment>>,
    refusal: RefCell<Option<String>>,
}

impl Reader<'_> {
    fn parse(&self, text: &str) -> Result<Value, YamlError> {
        Node(self).deserialize(serde_yaml::Deserializer::from_str(text))
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        if text.lines().all(is_blank) {
            return Ok(Value::Null);
        }
        self.parse(text).map_err(|error| {
            let of_parser = error.to_string();
            // The parser puts the place into its messages, which is told apart from the message here.
            let message = of_parser
                .split(" at line ")
                .next()
                .unwrap_or(&of_parser)
                .to_owned();
            SyntaxError {
                field: shown(&self.path.borrow()),
                line: error.location().map(|location| location.line()),
                message: self.refusal.take().unwrap_or(message),
            }
        })
    }

    /// An error of ours; the parser decorates its text, so that is kept apart.
    fn refuse<E: serde::de::Error>(&self, message: &str) -> E {
        self.refusal.replace(Some(message.to_owned()));
        E::custom(message)
    }

    fn stop<E: serde::de::Error>(&self, is_target: bool) -> Result<(), E> {
        if is_target {
            self.found.set(true);
            return Err(E::custom("found"));
        }
        Ok(())
    }

    /// Counts a scalar, and stops at the one that is looked for.
    fn enter_scalar<E: serde::de::Error>(&self) -> Result<usize, E> {
        let count = self.scalars.get();
        self.scalars.set(count + 1);
        self.stop(matches!(self.target, Some(Target::Scalar(wanted)) if wanted == count))?;
        self.enter()?;
        Ok(count)
    }

    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        self.stop(matches!(self.target, Some(Target::Path(path)) if path == self.path.borrow().as_slice()))
    }

    fn within<T, E>(&self, segment: Segment, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.path.borrow_mut().push(segment);
        let value = read()?;
        // Not after an error: the path is where that happened.
        self.path.borrow_mut().pop();
        Ok(value)
    }

    fn note_word(&self, text: &str, count: usize) {
        let Some(meaning) = words::meaning(text) else {
            return;
        };
        self.words.borrow_mut().push(Word {
            path: self.path.borrow().clone(),
            count,
            meaning,
        });
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// Reads one value.
struct Node<'a, 'b>(&'a Reader<'b>);

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value that JSON has, too")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.0.enter_scalar::<E>()?;
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.0.enter_scalar::<E>()?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.0.enter_scalar::<E>()?;
        Ok(Value::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.0.enter_scalar::<E>()?;
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.0.enter_scalar::<E>()?;
        let number =
            Number::from_f64(value).ok_or_else(|| self.0.refuse::<E>("not a number that JSON has"))?;
        Ok(Value::Number(whole(value).map_or(number, Number::from)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        let count = self.0.enter_scalar::<E>()?;
        self.0.note_word(text, count);
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.0.enter::<A::Error>()?;
        let mut all = Vec::new();
        loop {
            let next = self.0.within(Segment::Index(all.len()), || {
                items.next_element_seed(Node(self.0))
            })?;
            let Some(item) = next else {
                return Ok(Value::Array(all));
            };
            all.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        self.0.enter::<A::Error>()?;
        let mut all = Map::new();
        while let Some(key) = fields.next_key_seed(Key {
            reader: self.0,
            earlier: &all,
        })? {
            let value = self
                .0
                .within(Segment::Key(key.clone()), || fields.next_value_seed(Node(self.0)))?;
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

/// Whole doubles are integers, as after Go's detour through JSON.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the double is whole and well within the range of i64"
)]
fn whole(value: f64) -> Option<i64> {
    const LARGEST: f64 = 9.0e18;
    (value.fract() == 0.0 && value.abs() < LARGEST).then_some(value as i64)
}

/// Reads a key; numbers and booleans become text.
struct Key<'a, 'b> {
    reader: &'a Reader<'b>,
    earlier: &'a Map<String, Value>,
}

impl Key<'_, '_> {
    fn is_last_of(&self, path: &[Segment], key: &str) -> bool {
        let here = self.reader.path.borrow();
        matches!(path.split_last(), Some((Segment::Key(last), parents)) if last == key && parents == here.as_slice())
    }

    fn accept<E: serde::de::Error>(&self, key: &str) -> Result<String, E> {
        let count = self.reader.scalars.get();
        self.reader.scalars.set(count + 1);
        self.reader.stop(match self.reader.target {
            None => false,
            Some(Target::Scalar(wanted)) => wanted == count,
            Some(Target::Path(path)) => self.is_last_of(path, key),
        })?;
        if let Some(Meaning::Boolean(_)) = words::meaning(key) {
            let mut path = self.reader.path.borrow().clone();
            path.push(Segment::Key(key.to_owned()));
            self.reader.words.borrow_mut().push(Word {
                path,
                count,
                meaning: Meaning::Key,
            });
        }
        if self.earlier.contains_key(key) {
            self.reader.path.borrow_mut().push(Segment::Key(key.to_owned()));
            return Err(self.reader.refuse("the key is there twice"));
        }
        if key == "<<" {
            return Err(self.reader.refuse("merge keys (<<) are not supported"));
        }
        Ok(key.to_owned())
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key that is text")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<String, E> {
        self.accept(key)
    }

    fn visit_bool<E: serde::de::Error>(self, key: bool) -> Result<String, E> {
        self.accept(if key { "true" } else { "false" })
    }

    fn visit_i64<E: serde::de::Error>(self, key: i64) -> Result<String, E> {
        self.accept(&key.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, key: u64) -> Result<String, E> {
        self.accept(&key.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(text: &str) -> Segment {
        Segment::Key(text.to_owned())
    }

    #[test]
    fn plain_words_of_yaml_1_1_are_booleans_and_quoted_ones_text() {
        let text = "a: yes\nb: 'yes'\nc: [off, \"off\"]\nd: |-\n  no\ne: no\n'yes': y\n";
        let expected =
            json!({"a": true, "b": "yes", "c": [false, "off"], "d": "no", "e": false, "yes": true});
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn words_are_found_in_the_source_after_other_alphabets_and_tags() {
        let text = "ä: 日本\nb: 'yes'\nc: yes\nd: !!str no\ne: [ü, off]\n";
        let expected = json!({"ä": "日本", "b": "yes", "c": true, "d": "no", "e": ["ü", false]});
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn plain_keys_that_are_booleans_elsewhere_are_errors() {
        let error = read("a:\n  on: 1\n").expect_err("the key is true to Kubernetes' tools");
        assert_eq!((error.field.as_str(), error.line), ("a.on", Some(2)));
    }

    #[test]
    fn numbers_that_readers_understand_differently_are_errors_unless_quoted() {
        let error = read("spec:\n  mode: 0644\n").expect_err("an octal number to Go, text here");
        assert_eq!((error.field.as_str(), error.line), ("spec.mode", Some(2)));
        assert!(read("a: 1_000").is_err());
        assert_eq!(read("a: '0644'"), Ok(json!({"a": "0644"})));
        assert_eq!(
            read("a: 0.5\nb: 0\nc: 10\nd: 2.0\ne: 1e3\nf: 0x1f"),
            Ok(json!({"a": 0.5, "b": 0, "c": 10, "d": 2, "e": 1000, "f": 31}))
        );
    }

    #[test]
    fn a_duplicate_key_is_an_error_with_its_line_and_path() {
        let error = read("a:\n- b: 1\n  c: 2\n  b: 3\n").expect_err("b is there twice");
        assert_eq!((error.field.as_str(), error.line), ("a[0].b", Some(4)), "{error}");
        assert_eq!(error.message, "the key is there twice");
    }

    #[test]
    fn bad_syntax_is_an_error_with_its_line() {
        let error = read("a: 1\nb: [1, 2\nc: 3\n").expect_err("the list is not closed");
        assert!(error.line.is_some_and(|line| line >= 2), "{error:?}");
    }

    #[test]
    fn the_line_of_a_missing_field_is_that_of_the_nearest_field_above() {
        let text = "apiVersion: v1\nmetadata:\n  name: a\nspec:\n  list:\n  - x: 1\n  - x: 2\n";
        assert_eq!(line_of(text, &[key("metadata"), key("name")]), Some(3));
        assert_eq!(
            line_of(text, &[key("spec"), key("list"), Segment::Index(1), key("x")]),
            Some(7)
        );
        assert_eq!(
            line_of(text, &[key("metadata"), key("annotations"), key("k")]),
            Some(2)
        );
        assert_eq!(line_of(text, &[key("spec"), key("list")]), Some(5));
        assert_eq!(line_of(text, &[]), Some(1));
    }

    #[test]
    fn comments_alone_are_an_empty_document() {
        assert_eq!(read("# nothing\n\n"), Ok(Value::Null));
        assert_eq!(read(""), Ok(Value::Null));
    }
}
