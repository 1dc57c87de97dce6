//! Prints a JSON value as YAML, byte for byte as Go's `sigs.k8s.io/yaml` prints it.
//!
//! In: a [`serde_json::Value`]. Out: one block-style YAML document without its `---`. The Go library writes JSON, reads
//! that JSON back as YAML 1.1 and prints the result with a port of libyaml; `reread` does the detour, `resolve`
//! knows which texts would not read back as text, `order` sorts keys, `emit` lays out lines. The quirks (folding at
//! 80 columns, `|` wherever there is a line break, `? ` before long keys) are kept on purpose, since the output is
//! compared with the real command line. Only what the Go library prints is kept; speed does not matter here.

mod emit;
mod order;
mod reread;
mod resolve;
mod scalar;

use serde_json::Value;
use thiserror::Error;

/// Why a value cannot be printed; Go's library fails on the same values.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum YamlError {
    /// A character that YAML 1.1 does not allow, not even escaped.
    #[error("cannot print {path} as YAML: it has the control character U+{code:04X}")]
    ControlCharacter {
        /// Where in the document.
        path: String,
        /// The character's number.
        code: u32,
    },
    /// A key that is longer than a YAML reader accepts, or that holds a line break.
    #[error("cannot print {path} as YAML: a key there is too long or has a line break")]
    Key {
        /// The object that has the key.
        path: String,
    },
}

/// Prints one document, with its final line break.
pub fn print(value: &Value) -> Result<String, YamlError> {
    let value = reread::reread(value, "")?;
    Ok(emit::document(&value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn yaml(value: &Value) -> String {
        print(value).expect("the value is printable")
    }

    #[test]
    fn nested_lists_and_objects_are_laid_out_as_go_does() {
        let value = json!({"b": [{"x": 1, "y": [1, [2, 3], {}]}, []], "a": {"k": {}}});
        assert_eq!(
            yaml(&value),
            "a:\n  k: {}\nb:\n- x: 1\n  \"y\":\n  - 1\n  - - 2\n    - 3\n  - {}\n- []\n"
        );
    }

    #[test]
    fn text_that_would_read_back_as_something_else_is_quoted() {
        for text in [
            "yes",
            "1",
            "1.5",
            "null",
            "",
            "~",
            "2024-01-01",
            "0x1f",
            "12:30",
            "1_000",
            ".5",
        ] {
            assert_eq!(yaml(&json!(text)), format!("\"{text}\"\n"), "{text}");
        }
        for text in ["a", "1.2.3", "<<", "y1", "1e999", "0b2x", "10.0.0.0/8"] {
            assert_eq!(yaml(&json!(text)), format!("{text}\n"), "{text}");
        }
        assert_eq!(yaml(&json!("- a")), "'- a'\n");
        assert_eq!(yaml(&json!("a: b")), "'a: b'\n");
    }

    #[test]
    fn text_of_several_lines_becomes_a_block_with_its_hints() {
        assert_eq!(yaml(&json!({"k": "a\nb\n"})), "k: |\n  a\n  b\n");
        assert_eq!(yaml(&json!({"k": "a\nb"})), "k: |-\n  a\n  b\n");
        assert_eq!(yaml(&json!({"k": "a\n\n"})), "k: |+\n  a\n\n");
        assert_eq!(yaml(&json!({"k": " a\nb"})), "k: |2-\n   a\n  b\n");
        assert_eq!(yaml(&json!({"k": "a \nb"})), "k: \"a \\nb\"\n");
    }

    #[test]
    fn numbers_are_printed_as_after_a_detour_through_json() {
        for (value, text) in [
            (json!(3.0), "3"),
            (json!(-0.0), "0"),
            (json!(1e300), "1e+300"),
            (json!(1.5), "1.5"),
            (json!(1e20), "1e+20"),
            (json!(1e19), "10000000000000000000"),
            (json!(9_007_199_254_740_993_i64), "9007199254740993"),
            (json!(1e-5), "1e-05"),
            (json!(1_234_567.5), "1.2345675e+06"),
            (json!(0.0001), "0.0001"),
        ] {
            assert_eq!(yaml(&value), format!("{text}\n"), "{value}");
        }
    }

    #[test]
    fn characters_that_go_cannot_print_are_typed_errors() {
        assert_eq!(
            print(&json!({"a": ["\u{7f}"]})),
            Err(YamlError::ControlCharacter {
                path: ".a[0]".to_owned(),
                code: 0x7f
            })
        );
    }
}
