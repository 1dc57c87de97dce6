//! Plain words that YAML 1.1, which Crossplane's command line reads, understands differently than YAML 1.2.
//!
//! In: a text, or a place in the source. Out: what the text means when it is plain, and whether it is.

const TRUE_WORDS: [&str; 8] = ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"];
const FALSE_WORDS: [&str; 8] = ["n", "N", "no", "No", "NO", "off", "Off", "OFF"];

/// What a text is to YAML 1.1 when it is plain.
pub enum Meaning {
    Boolean(bool),
    /// A boolean where a key is expected.
    Key,
    /// A number in a notation of its own.
    Number,
}

/// What a text means to YAML 1.1 and not to YAML 1.2.
pub fn meaning(text: &str) -> Option<Meaning> {
    if TRUE_WORDS.contains(&text) {
        Some(Meaning::Boolean(true))
    } else if FALSE_WORDS.contains(&text) {
        Some(Meaning::Boolean(false))
    } else {
        is_other_number(text).then_some(Meaning::Number)
    }
}

/// Leading zeros are octal to Go, and underscores separate digits.
fn is_other_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.replace('_', "");
    let has_other_digits = unsigned.starts_with('0') || unsigned.contains('_');
    unsigned.starts_with(|character: char| character.is_ascii_digit())
        && has_other_digits
        && digits.len() > 1
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the scalar that starts at this byte is neither quoted, nor a block, nor tagged.
pub fn is_plain_at(text: &str, index: usize) -> bool {
    !matches!(
        text.as_bytes().get(index),
        Some(b'"' | b'\'' | b'|' | b'>' | b'!')
    )
}
