//! What can be wrong with Struct bytes, and with a value that is to become some.
//!
//! In: failures of the reader and the writer, of serde and of a type's own checks. Out: errors that name the field
//! (`spec.customDomains[2]`), say what is there and what belongs there. Paths grow while the failure travels outwards,
//! so that a success pays nothing for them. Of an object, only the key and the first characters of the value that does
//! not fit are repeated.

use std::fmt::Display;

use serde::{
    de::{self, Expected, Unexpected},
    ser,
};
use thiserror::Error;

/// Characters of a value or key that an error repeats: enough to recognise it, too few for a whole secret or a flood.
pub const SHOWN_CHARACTERS: usize = 40;

/// Struct bytes that cannot be read as what was asked for.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("cannot read {}: {}", place(&self.0.path), self.0.kind)]
pub struct ReadError(Box<Failure<ReadErrorKind>>);

/// A value that cannot become Struct bytes.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("cannot write {}: {}", place(&self.0.path), self.0.kind)]
pub struct WriteError(Box<Failure<WriteErrorKind>>);

/// Behind a box: a result carries one word for the failure that hardly ever comes.
#[derive(Clone, Debug, PartialEq)]
struct Failure<Kind> {
    path: String,
    kind: Kind,
}

/// Why bytes cannot be read.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReadErrorKind {
    /// The bytes end inside a field.
    #[error("its bytes end too early")]
    Truncated,
    /// A field has another wire type than its number promises, or one that proto3 does not have (groups).
    #[error("its protobuf field {field} has the wire type {wire_type}")]
    WireType {
        /// The number of the protobuf field.
        field: u32,
        /// The wire type that is there.
        wire_type: u8,
    },
    /// A number is longer than 64 bits.
    #[error("it holds a protobuf number of more than 64 bits")]
    Varint,
    /// A field number is 0 or larger than protobuf allows.
    #[error("it holds the protobuf field number {0}")]
    FieldNumber(u64),
    /// Objects and lists are nested deeper than [`super::MAX_DEPTH`].
    #[error("it is nested deeper than {} levels", super::MAX_DEPTH)]
    Depth,
    /// More bytes than [`super::MAX_BYTES`].
    #[error("it has {0} bytes, more than {max}", max = super::MAX_BYTES)]
    Size(usize),
    /// A text is not UTF-8.
    #[error("it is not UTF-8")]
    Utf8,
    /// Something of another type is there.
    #[error("it is {found}, expected {expected}")]
    InvalidType {
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The type is right, the value is not.
    #[error("it is {found}, expected {expected}")]
    InvalidValue {
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A list of another length than its type has.
    #[error("its length is {found}, expected {expected}")]
    InvalidLength {
        /// What belongs there.
        expected: String,
        /// How many elements are there.
        found: usize,
    },
    /// A text that is none of the choices.
    #[error("it is {found}, expected {expected}")]
    UnknownVariant {
        /// The choices.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A field that the type does not have, where that is refused.
    #[error("there is no such field, expected {expected}")]
    UnknownField {
        /// The fields that the type has.
        expected: String,
        /// The field that is there.
        found: String,
    },
    /// A field that the type needs is absent.
    #[error("it is missing")]
    MissingField(String),
    /// A field is there twice.
    #[error("it is there twice")]
    DuplicateField(String),
    /// What a type's own check says.
    #[error("{0}")]
    Custom(String),
}

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WriteErrorKind {
    /// The outermost value is no object.
    #[error("it is {found}, expected an object")]
    NoObject {
        /// What it is.
        found: &'static str,
    },
    /// Objects and lists are nested deeper than [`super::MAX_DEPTH`].
    #[error("it is nested deeper than {} levels", super::MAX_DEPTH)]
    Depth,
    /// More bytes than [`super::MAX_BYTES`].
    #[error("it has {0} bytes, more than {max}", max = super::MAX_BYTES)]
    Size(usize),
    /// A Struct knows doubles only, and no double is exactly this integer.
    #[error("no double is exactly {0}")]
    InexactInteger(String),
    /// JSON has neither infinities nor NaN.
    #[error("it is {0}, expected a finite number")]
    NotFinite(f64),
    /// Bytes have no place in JSON; write them as text.
    #[error("it is bytes, expected something that JSON has")]
    Bytes,
    /// The key of a map is neither text, integer nor boolean.
    #[error("a key is {found}, expected text")]
    Key {
        /// What the key is.
        found: &'static str,
    },
    /// A [`super::RawValue`] that holds unreadable bytes.
    #[error("the undecoded value is broken: {0}")]
    Raw(ReadErrorKind),
    /// What a type's own serialization says.
    #[error("{0}")]
    Custom(String),
}

impl ReadError {
    /// Where it went wrong, such as `spec.customDomains[2]`; empty for the object as a whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ReadErrorKind {
        &self.0.kind
    }

    /// The same failure, seen from the object that has it under `key`.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        prepend(&mut self.0.path, &key_segment(key));
        self
    }

    /// The same failure, seen from the list that has it at `index`.
    pub(super) fn at(mut self, index: usize) -> Self {
        prepend(&mut self.0.path, &format!("[{index}]"));
        self
    }
}

impl WriteError {
    /// Where it went wrong, such as `spec.replicas`; empty for the object as a whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &WriteErrorKind {
        &self.0.kind
    }

    /// The same failure, seen from the object that has it under `key`.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        prepend(&mut self.0.path, &key_segment(key));
        self
    }

    /// The same failure, seen from the list that has it at `index`.
    pub(super) fn at(mut self, index: usize) -> Self {
        prepend(&mut self.0.path, &format!("[{index}]"));
        self
    }
}

impl From<ReadErrorKind> for ReadError {
    fn from(kind: ReadErrorKind) -> Self {
        Self(Box::new(Failure {
            path: String::new(),
            kind,
        }))
    }
}

impl From<WriteErrorKind> for WriteError {
    fn from(kind: WriteErrorKind) -> Self {
        Self(Box::new(Failure {
            path: String::new(),
            kind,
        }))
    }
}

impl de::Error for ReadError {
    fn custom<T: Display>(message: T) -> Self {
        ReadErrorKind::Custom(message.to_string()).into()
    }

    fn invalid_type(found: Unexpected, expected: &dyn Expected) -> Self {
        ReadErrorKind::InvalidType {
            expected: in_our_words(expected),
            found: describe(found),
        }
        .into()
    }

    fn invalid_value(found: Unexpected, expected: &dyn Expected) -> Self {
        ReadErrorKind::InvalidValue {
            expected: in_our_words(expected),
            found: describe(found),
        }
        .into()
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        ReadErrorKind::InvalidLength {
            expected: in_our_words(expected),
            found,
        }
        .into()
    }

    fn unknown_variant(variant: &str, choices: &'static [&'static str]) -> Self {
        let (expected, found) = (one_of(choices), describe(Unexpected::Str(variant)));
        ReadErrorKind::UnknownVariant { expected, found }.into()
    }

    fn unknown_field(field: &str, fields: &'static [&'static str]) -> Self {
        let (expected, found) = (one_of(fields), shorten(field));
        Self::from(ReadErrorKind::UnknownField { expected, found }).within(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::from(ReadErrorKind::MissingField(field.to_owned())).within(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::from(ReadErrorKind::DuplicateField(field.to_owned())).within(field)
    }
}

impl ser::Error for WriteError {
    fn custom<T: Display>(message: T) -> Self {
        WriteErrorKind::Custom(message.to_string()).into()
    }
}

fn place(path: &str) -> &str {
    if path.is_empty() { "the object" } else { path }
}

fn prepend(path: &mut String, segment: &str) {
    let separator = if path.is_empty() || path.starts_with('[') {
        ""
    } else {
        "."
    };
    path.insert_str(0, separator);
    path.insert_str(0, segment);
}

fn key_segment(key: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let key = shorten(key);
    if !key.is_empty() && key.chars().all(plain) {
        key
    } else {
        format!("[{key:?}]")
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn describe(found: Unexpected) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => format!("the integer {value}"),
        Unexpected::Signed(value) => format!("the integer {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Char(value) => format!("the text {:?}", value.to_string()),
        Unexpected::Str(value) => format!("the text {:?}", shorten(value)),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        other => other.to_string(),
    }
}

/// serde names Rust types; whoever wrote the object knows JSON.
fn in_our_words(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    let plain = match words.as_str() {
        "i8" => "an integer from -128 to 127",
        "i16" => "an integer from -32768 to 32767",
        "i32" => "an integer from -2147483648 to 2147483647",
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" => "an integer from 0 to 4294967295",
        "u64" | "u128" | "usize" => "an integer of 0 or more",
        "i64" | "i128" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "a borrowed string" | "string or map" => "text",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "null",
        _ if words.starts_with("struct ") || words.starts_with("internally tagged enum ") => "an object",
        _ => return words,
    };
    plain.to_owned()
}

fn one_of(choices: &[&str]) -> String {
    match choices {
        [] => "none".to_owned(),
        [only] => only.to_string(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_joins_words_with_dots_and_quotes_what_is_no_word() {
        let error = ReadError::from(ReadErrorKind::Utf8)
            .at(2)
            .within("a.b/c")
            .within("labels")
            .at(0)
            .within("items")
            .within("")
            .within("spec");
        assert_eq!(error.path(), r#"spec[""].items[0].labels["a.b/c"][2]"#);
    }

    #[test]
    fn a_failure_without_a_path_is_about_the_object() {
        let error = ReadError::from(ReadErrorKind::Truncated);
        assert_eq!(error.path(), "");
        assert_eq!(
            error.to_string(),
            "cannot read the object: its bytes end too early"
        );
    }

    #[test]
    fn a_long_text_is_cut_after_forty_characters_even_between_wide_ones() {
        let text = "ü".repeat(41);
        assert_eq!(
            describe(Unexpected::Str(&text)),
            format!("the text \"{}…\"", "ü".repeat(40))
        );
        assert_eq!(shorten(&"ü".repeat(40)), "ü".repeat(40));
    }

    #[test]
    fn a_key_of_a_megabyte_does_not_become_a_path_of_a_megabyte() {
        let error = ReadError::from(ReadErrorKind::Utf8).within(&"k".repeat(1 << 20));
        assert!(error.path().chars().count() < 60, "{}", error.path());
    }

    #[test]
    fn line_breaks_of_a_value_cannot_forge_a_log_line() {
        assert_eq!(describe(Unexpected::Str("a\nb")), r#"the text "a\nb""#);
        assert!(
            !ReadError::from(ReadErrorKind::Utf8)
                .within("a\nb")
                .path()
                .contains('\n')
        );
    }
}
