//! How a text may be written: which style holds it, and what has to be escaped.
//!
//! In: a text. Out: a [`Style`], and escapes. The rules are those of libyaml's emitter and of its Go port.

use super::resolve;

/// The ways to write a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

pub fn preferred_style(text: &str) -> Style {
    if text.contains('\n') {
        Style::Literal
    } else if resolve::reads_back_as_text(text) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    }
}

/// The preferred style, or the next one that can hold the text.
pub fn allowed_style(text: &str, preferred: Style, is_simple_key: bool) -> Style {
    let scan = Scan::of(text);
    let mut style = preferred;
    if style == Style::Plain && (!scan.allows_plain || (text.is_empty() && is_simple_key)) {
        style = Style::SingleQuoted;
    }
    if style == Style::SingleQuoted && !scan.allows_single_quotes {
        style = Style::DoubleQuoted;
    }
    if style == Style::Literal && (!scan.allows_block || is_simple_key) {
        style = Style::DoubleQuoted;
    }
    style
}

/// What a text allows, as libyaml sees it.
struct Scan {
    allows_plain: bool,
    allows_single_quotes: bool,
    allows_block: bool,
}

impl Scan {
    fn of(text: &str) -> Self {
        let is_unprintable = text.chars().any(|character| !is_printable(character));
        let space_before_break = has_pair(text, |left, right| left == ' ' && is_break(right));
        let break_before_space = has_pair(text, |left, right| is_break(left) && right == ' ');
        let blank_end = |character: Option<char>| character.is_some_and(|c| c == ' ' || is_break(c));
        let has_blank_ends = blank_end(text.chars().next()) || blank_end(text.chars().next_back());
        let allows_single_quotes = !is_unprintable && !space_before_break && !break_before_space;
        Self {
            allows_plain: allows_single_quotes && !has_blank_ends && !has_break(text) && !has_indicator(text),
            allows_single_quotes,
            allows_block: !text.is_empty() && !is_unprintable && !space_before_break && !text.ends_with(' '),
        }
    }
}

/// Whether YAML would take something in the text for its own, outside of `[]` and `{}`.
fn has_indicator(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let blank_or_end = |character: Option<char>| character.is_none_or(|c| c == ' ' || c == '\t');
    let mut previous = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let followed_by_blank = blank_or_end(characters.peek().copied());
        let found = match character {
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                previous.is_none()
            }
            '#' => previous.is_none_or(|p| p == ' ' || p == '\t' || p == '\0' || is_break(p)),
            ':' => followed_by_blank,
            '?' | '-' => previous.is_none() && followed_by_blank,
            _ => false,
        };
        if found {
            return true;
        }
        previous = Some(character);
    }
    false
}

pub fn has_break(text: &str) -> bool {
    text.contains(is_break)
}

fn has_pair(text: &str, is_pair: impl Fn(char, char) -> bool) -> bool {
    text.chars()
        .zip(text.chars().skip(1))
        .any(|(left, right)| is_pair(left, right))
}

pub fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What may stand unescaped. Nothing beyond U+FFFF: the Go port forgot those.
pub fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

pub fn escape(character: char) -> String {
    let short = match character {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        other => return long_escape(u32::from(other)),
    };
    format!("\\{short}")
}

fn long_escape(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02X}"),
        0x100..=0xffff => format!("\\u{code:04X}"),
        _ => format!("\\U{code:08X}"),
    }
}
