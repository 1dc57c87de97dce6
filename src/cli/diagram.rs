//! `function-odoo diagram`: the course of a tenant's and a template's life as Mermaid, from the planner's tables.
//!
//! In: which of them. Out: Markdown, with what is made after what, and which phase follows which. `docs/states.md` holds
//! the same.

use std::fmt::Write as _;

use crate::function::explain::{Course, Stage, TEMPLATE, TENANT};

/// The arguments of `function-odoo diagram`.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct DiagramArguments {
    /// Whose life; without it, both
    #[arg(value_enum, value_name = "KIND")]
    pub subject: Option<Subject>,
}

/// Whose life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// A tenant (`PLANAClient`)
    Tenant,
    /// A template (`TemplateSnapshot`)
    Template,
}

/// The diagrams.
#[must_use]
pub fn run(arguments: DiagramArguments) -> String {
    let subjects = arguments
        .subject
        .map_or(vec![Subject::Tenant, Subject::Template], |subject| vec![subject]);
    let drawn: Vec<_> = subjects.into_iter().map(draw).collect();
    drawn.join("\n")
}

fn draw(subject: Subject) -> String {
    let course = match subject {
        Subject::Tenant => TENANT,
        Subject::Template => TEMPLATE,
    };
    let flows = course.stages.iter().map(|(title, stages)| {
        let flow = flow(stages);
        format!("## What is made for {title}\n\n```mermaid\n{flow}```\n\n")
    });
    let text: String = flows.collect();
    let (title, _) = course.stages[0];
    let phases = phases(course);
    text + &format!("## The phases of {title}\n\n```mermaid\n{phases}```\n")
}

fn flow(stages: &[Stage]) -> String {
    let mut text = "flowchart TD\n".to_owned();
    for stage in stages {
        line(
            &mut text,
            format_args!("{}[\"{}: {}\"]", node(stage.name), stage.name, stage.makes),
        );
    }
    for stage in stages {
        for evidence in stage.needs {
            let words = evidence.words();
            let to = node(stage.name);
            match evidence.comes_from() {
                Some(from) => line(&mut text, format_args!("{} -- \"{words}\" --> {to}", node(from))),
                None => line(
                    &mut text,
                    format_args!("others([others]) -- \"{words}\" --> {to}"),
                ),
            }
        }
    }
    text
}

fn phases(course: Course) -> String {
    let mut text = "stateDiagram-v2\n".to_owned();
    for transition in course.phases {
        let (from, to) = (transition.from.as_str(), transition.to.as_str());
        line(&mut text, format_args!("{from} --> {to}: {}", transition.when));
    }
    text
}

/// Mermaid takes no hyphens in what nodes are called.
fn node(name: &str) -> String {
    name.replace('-', "_")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {line}");
}
