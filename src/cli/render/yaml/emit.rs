//! Lays out lines as libyaml's emitter does, with the settings of Go's library: indent 2, width 80, Unicode, block style.
//!
//! In: a [`Node`]. Out: text. The state (column, whether the last character separates, whether only indentation was
//! written on this line) and the order of writes are libyaml's, since every quirk of the output comes from them.

use std::collections::BTreeMap;

use super::{
    order,
    reread::Node,
    scalar::{Style, allowed_style, escape, has_break, is_break, is_printable, preferred_style},
};

/// Columns per level.
const INDENT: usize = 2;
/// Text is folded at the first single space beyond this column.
const WIDTH: usize = 80;
/// Longer keys (in bytes) are written as `? key`.
const MAX_SIMPLE_KEY_BYTES: usize = 128;

/// Prints a document with its final line break.
pub fn document(node: &Node) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        separated: true,
        at_indentation: true,
        indent: None,
    };
    emitter.node(node, false);
    emitter.indent();
    emitter.out
}

struct Emitter {
    out: String,
    /// Characters on this line.
    column: usize,
    /// Whether the last thing written counts as white space.
    separated: bool,
    /// Whether only indentation (and indicators that count as such) is on this line.
    at_indentation: bool,
    /// Columns before the current block; none before the root.
    indent: Option<usize>,
}

impl Emitter {
    fn node(&mut self, node: &Node, is_value_of_key: bool) {
        match node {
            Node::Plain(text) => self.scalar(text, Style::Plain, false),
            Node::Text(text) => self.scalar(text, preferred_style(text), false),
            Node::List(items) if items.is_empty() => self.empty("[", "]"),
            Node::Object(fields) if fields.is_empty() => self.empty("{", "}"),
            Node::List(items) => self.list(items, is_value_of_key),
            Node::Object(fields) => self.object(fields),
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, true, false);
        self.indicator(close, false, false, false);
    }

    fn list(&mut self, items: &[Node], is_value_of_key: bool) {
        let outer = self.indent;
        // A list below a key starts in the key's column.
        self.increase_indent(false, is_value_of_key && !self.at_indentation);
        for item in items {
            self.indent();
            self.indicator("-", true, false, true);
            self.node(item, false);
        }
        self.indent = outer;
    }

    fn object(&mut self, fields: &BTreeMap<String, Node>) {
        let outer = self.indent;
        self.increase_indent(false, false);
        for key in order::sort(fields.keys()) {
            self.indent();
            let style = preferred_style(key);
            if key.len() <= MAX_SIMPLE_KEY_BYTES && !has_break(key) {
                self.scalar(key, style, true);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.scalar(key, style, false);
                self.indent();
                self.indicator(":", true, false, true);
            }
            if let Some(value) = fields.get(key) {
                self.node(value, true);
            }
        }
        self.indent = outer;
    }

    fn scalar(&mut self, text: &str, preferred: Style, is_simple_key: bool) {
        let outer = self.indent;
        self.increase_indent(true, false);
        let may_break = !is_simple_key;
        match allowed_style(text, preferred, is_simple_key) {
            Style::Plain => self.plain(text, may_break),
            Style::SingleQuoted => self.single_quoted(text, may_break),
            Style::DoubleQuoted => self.double_quoted(text, may_break),
            Style::Literal => self.literal(text),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str, may_break: bool) {
        if !self.separated {
            self.put(' ');
        }
        self.folded_lines(text, |emitter, spaces, next| {
            may_break && !spaces && emitter.column > WIDTH && next != Some(' ')
        });
        self.separated = false;
        self.at_indentation = false;
    }

    fn single_quoted(&mut self, text: &str, may_break: bool) {
        self.indicator("'", true, false, false);
        let doubled = text.replace('\'', "''");
        let mut first = true;
        self.folded_lines(&doubled, |emitter, spaces, next| {
            let inner = !first && next.is_some();
            first = false;
            may_break && !spaces && emitter.column > WIDTH && inner && next != Some(' ')
        });
        self.indicator("'", false, false, false);
    }

    /// Plain and single-quoted text: `fold` says whether a space becomes a line break.
    fn folded_lines(&mut self, text: &str, mut fold: impl FnMut(&Self, bool, Option<char>) -> bool) {
        let mut spaces = false;
        let mut breaks = false;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let folds = fold(self, spaces, characters.peek().copied());
            if character == ' ' {
                if folds {
                    self.indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if is_break(character) {
                if !breaks && character == '\n' {
                    self.put('\n');
                }
                self.put(character);
                self.at_indentation = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent();
                }
                self.put(character);
                self.at_indentation = false;
                spaces = false;
                breaks = false;
            }
        }
    }

    fn double_quoted(&mut self, text: &str, may_break: bool) {
        self.indicator("\"", true, false, false);
        // The Go port looks for a byte order mark at the start of the text, whichever character it is at.
        let escapes_all = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            if escapes_all
                || !is_printable(character)
                || is_break(character)
                || matches!(character, '"' | '\\')
            {
                self.put_all(&escape(character));
                spaces = false;
            } else if character == ' ' {
                if may_break && !spaces && self.column > WIDTH && !first && next.is_some() {
                    self.indent();
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(character);
                spaces = false;
            }
            first = false;
        }
        self.indicator("\"", false, false, false);
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false, false);
        if text.starts_with([' ', '\n']) || text.starts_with(is_break) {
            self.indicator(&INDENT.to_string(), false, false, false);
        }
        let mut from_end = text.chars().rev();
        match (
            from_end.next().is_some_and(is_break),
            from_end.next().is_none_or(is_break),
        ) {
            (false, _) => self.indicator("-", false, false, false),
            (true, true) => self.indicator("+", false, false, false),
            (true, false) => {}
        }
        self.put('\n');
        self.at_indentation = true;
        self.separated = true;
        let mut breaks = true;
        for character in text.chars() {
            if is_break(character) {
                self.put(character);
            } else {
                if breaks {
                    self.indent();
                }
                self.put(character);
            }
            breaks = is_break(character);
            self.at_indentation = breaks;
        }
    }

    fn indicator(&mut self, indicator: &str, needs_space: bool, separates: bool, indents: bool) {
        if needs_space && !self.separated {
            self.put(' ');
        }
        self.put_all(indicator);
        self.separated = separates;
        self.at_indentation = self.at_indentation && indents;
    }

    /// Goes to the current indentation, on a new line unless there already is one.
    fn indent(&mut self) {
        let indent = self.indent.unwrap_or_default();
        if !self.at_indentation || self.column > indent || (self.column == indent && !self.separated) {
            self.put('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.separated = true;
        self.at_indentation = true;
    }

    fn increase_indent(&mut self, is_flow: bool, same_column: bool) {
        self.indent = Some(match self.indent {
            None if is_flow => INDENT,
            None => 0,
            Some(indent) if same_column => indent,
            Some(indent) => indent + INDENT,
        });
    }

    fn put_all(&mut self, text: &str) {
        text.chars().for_each(|character| self.put(character));
    }

    fn put(&mut self, character: char) {
        self.out.push(character);
        self.column = if is_break(character) { 0 } else { self.column + 1 };
    }
}
