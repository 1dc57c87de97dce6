//! A plan in words.
//!
//! In: a [`Report`]. Out: text, in colours only where it is told to.

use super::report::{Act, Change, ChangeOfSpec, Condition, Halt, Report, Step, StepState, Verdict};

/// More fields of one object are counted.
const FIELDS_SHOWN: usize = 6;
const INDENT: &str = "                            ";

/// A colour of terminals.
#[derive(Clone, Copy)]
enum Colour {
    Green,
    Yellow,
    Red,
    Dim,
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Red => 31,
            Colour::Dim => 2,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// The report in words.
pub fn text(report: &Report, colour: bool) -> String {
    let mut page = Page {
        text: String::new(),
        colour,
    };
    let Report {
        kind,
        name,
        phase,
        ready,
        verdict,
        halt,
        steps,
        conditions,
        next_pass,
        asks_again_after_seconds,
        change,
    } = report;
    let usable = if *ready {
        "it can be used"
    } else {
        "it cannot be used"
    };
    let (colour, words) = match verdict {
        Verdict::Settled => (Colour::Green, "everything is as it is to be"),
        Verdict::Waiting => (
            Colour::Yellow,
            "something is on its way, and nobody has to do anything",
        ),
        Verdict::Trouble => (Colour::Red, "somebody has to do something"),
    };
    let words = page.paint(colour, words);
    page.line(&format!("{kind} {name} is {phase}: {usable}; {words}."));
    match halt {
        Some(Halt::Paused) => page.line(
            "It is paused, so nothing of this happens until its annotation crossplane.io/paused is removed.",
        ),
        Some(Halt::Deleting) => page.line("It is being deleted, so nothing of this happens any more."),
        None => {}
    }
    page.line("");
    page.line("Steps");
    for step in steps {
        self::step(&mut page, step);
    }
    page.line("");
    page.line("Conditions");
    for condition in conditions {
        self::condition(&mut page, condition);
    }
    page.line("");
    changes(&mut page, "The next pass", next_pass);
    if let Some(change) = change {
        page.line("");
        change_of_spec(&mut page, change);
    }
    page.line("");
    page.line(&format!(
        "Crossplane asks again when something of it changes, and at the latest after {asks_again_after_seconds} s."
    ));
    page.text
}

fn step(page: &mut Page, step: &Step) {
    let Step {
        name,
        makes,
        state,
        evidence,
        since,
        reason,
        message,
        result,
    } = step;
    let (colour, word) = match state {
        StepState::Done => (Colour::Green, "done"),
        StepState::Waiting => (Colour::Yellow, "waiting"),
        StepState::Stuck => (Colour::Red, "stuck"),
        StepState::Next => (Colour::Yellow, "next"),
        StepState::Later => (Colour::Dim, "later"),
        StepState::Off => (Colour::Dim, "off"),
    };
    let word = page.paint(colour, &format!("{word:<8}"));
    page.line(&format!("  {word}  {name:<14}  {makes}"));
    let since = since
        .as_ref()
        .filter(|since| !since.is_empty())
        .map(|since| format!(", since {since}"));
    let since = since.unwrap_or_default();
    match state {
        StepState::Later => page.line(&format!("{INDENT}once {}", evidence.join(" and "))),
        StepState::Off => {}
        StepState::Done => {
            page.line(&format!("{INDENT}{}{since}", evidence.join(", ")));
            if !result.is_empty() {
                let facts: Vec<_> = result
                    .iter()
                    .map(|(fact, value)| format!("{fact} {value}"))
                    .collect();
                let facts = page.paint(Colour::Dim, &facts.join(", "));
                page.line(&format!("{INDENT}{facts}"));
            }
        }
        StepState::Waiting | StepState::Stuck | StepState::Next => {
            if !evidence.is_empty() {
                let begins = if *state == StepState::Next {
                    "the next pass makes the "
                } else {
                    ""
                };
                page.line(&format!("{INDENT}{begins}{}", evidence.join(", ")));
            }
            if let (Some(reason), Some(message)) = (reason, message) {
                page.line(&format!("{INDENT}{reason}{since}: {message}"));
            }
        }
    }
}

fn condition(page: &mut Page, condition: &Condition) {
    let Condition {
        r#type,
        holds,
        essential: _,
        needs_somebody,
        reason,
        message,
        since,
    } = condition;
    let (colour, word) = match (holds, needs_somebody) {
        (true, _) => (Colour::Green, "holds"),
        (false, false) => (Colour::Yellow, "waits"),
        (false, true) => (Colour::Red, "stuck"),
    };
    let word = page.paint(colour, &format!("{word:<8}"));
    let since = since
        .as_ref()
        .map(|since| format!(" since {since}"))
        .unwrap_or_default();
    page.line(&format!("  {word}  {type:<16}  {reason}{since}: {message}"));
}

fn changes(page: &mut Page, title: &str, changes: &[Change]) {
    if changes.is_empty() {
        page.line(&format!("{title} changes no object."));
        return;
    }
    page.line(title);
    for change in changes {
        let Change {
            act,
            resource,
            object,
            fields,
        } = change;
        let (colour, word) = match act {
            Act::Create => (Colour::Green, "creates"),
            Act::Change => (Colour::Yellow, "changes"),
            Act::Delete => (Colour::Red, "deletes"),
            Act::Rerun => (Colour::Red, "runs again"),
            Act::Omit => (Colour::Dim, "does not create"),
        };
        let word = page.paint(colour, word);
        page.line(&format!("  {word} {object} ({resource})"));
        for field in fields.iter().take(FIELDS_SHOWN) {
            page.line(&format!("      {}", field.words()));
        }
        if fields.len() > FIELDS_SHOWN {
            page.line(&format!("      and {} fields more", fields.len() - FIELDS_SHOWN));
        }
    }
}

fn change_of_spec(page: &mut Page, change: &ChangeOfSpec) {
    let ChangeOfSpec {
        phase: [before, after],
        conditions,
        status,
        resources,
    } = change;
    if before != after {
        page.line(&format!("The phase would be {after} and not {before}."));
    }
    changes(page, "The change", resources);
    for difference in status
        .iter()
        .filter(|difference| !difference.path.starts_with("phase"))
    {
        page.line(&format!("  status.{}", difference.words()));
    }
    for condition in conditions {
        self::condition(page, condition);
    }
    let again = resources.iter().filter(|change| change.act == Act::Rerun);
    let again: Vec<_> = again.map(|change| change.resource.as_str()).collect();
    if again.is_empty() {
        page.line("No Job runs again.");
    } else {
        page.line(&format!("Runs again: {}.", again.join(", ")));
    }
}
