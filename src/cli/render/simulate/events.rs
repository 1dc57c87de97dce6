//! The events that Crossplane sends about a composite resource, and the wording of names in them.
//!
//! In: what happened. Out: [`Event`]s, and texts quoted and listed as Go and Crossplane do.

use std::fmt::Write as _;

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Information.
    Normal,
    /// Something is wrong, but the pass went on.
    Warning,
}

impl EventType {
    /// The word that Kubernetes uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// An event about the composite resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How serious it is.
    pub r#type: EventType,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Event {
    /// An event that informs.
    pub fn normal(reason: &str, message: impl Into<String>) -> Self {
        Self {
            r#type: EventType::Normal,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// An event that warns.
    pub fn warning(reason: &str, message: impl Into<String>) -> Self {
        Self {
            r#type: EventType::Warning,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// How many names Crossplane shows before it counts the rest.
const SHOWN_NAMES: usize = 3;

/// Sorted names: up to three, then "and N more". Exactly three end in ", and c"; fewer have commas only.
pub fn list_names(names: &[String]) -> String {
    let mut sorted = names.to_vec();
    sorted.sort();
    if sorted.len() > SHOWN_NAMES {
        return format!(
            "{}, and {} more",
            sorted[..SHOWN_NAMES].join(", "),
            sorted.len() - SHOWN_NAMES
        );
    }
    match sorted.split_last() {
        Some((last, first)) if sorted.len() == SHOWN_NAMES => format!("{}, and {last}", first.join(", ")),
        _ => sorted.join(", "),
    }
}

/// A text as Go's `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\'' => quoted.push('\''),
            other if is_printable(other) => quoted.push(other),
            other => {
                let _ = match u32::from(other) {
                    code @ 0..0x80 => write!(quoted, "\\x{code:02x}"),
                    code @ 0x80..0x1_0000 => write!(quoted, "\\u{code:04x}"),
                    code => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Not as the first of a text, where Rust escapes combining marks, too.
fn is_printable(character: char) -> bool {
    const UNESCAPED: usize = 2;
    format!("a{character}").escape_debug().count() == UNESCAPED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_up_to_three_and_then_counted() {
        let names = |count: usize| {
            ["d", "b", "a", "c", "e"]
                .iter()
                .take(count)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(list_names(&names(1)), "d");
        assert_eq!(list_names(&names(2)), "b, d");
        assert_eq!(list_names(&names(3)), "a, b, and d");
        assert_eq!(list_names(&names(5)), "a, b, c, and 2 more");
    }

    #[test]
    fn quoting_is_that_of_go() {
        assert_eq!(
            quote("a\"b\\\n\u{1}\u{85}'ä\u{301}"),
            "\"a\\\"b\\\\\\n\\x01\\u0085'ä\u{301}\""
        );
    }
}
