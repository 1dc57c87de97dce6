//! `function-odoo render`: what a composite resource becomes, without a cluster.
//!
//! In: files. Out: the text that `crossplane composition render` prints for the same files with this function (YAML byte
//! for byte, checked in `tests/render.rs`), or a [`RenderError`] and nothing to print.
//!
//! `inputs` reads (`files`, `document`, `defaults`), [`simulate`] does what Crossplane does, [`output`] and
//! [`yaml`] print. Only two things are not as in the real preview: problems of files are all told, with their lines, and
//! the "not yet ready" events are in the order of their names, where Crossplane's order is random.

mod defaults;
mod document;
pub(super) mod files;
pub(super) mod inputs;
pub mod output;
pub mod simulate;
pub mod yaml;

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use crate::function;
use document::Segment;
pub use files::Problem;
pub use inputs::Read;
use output::Format;
use simulate::{Call, Rendered, SimulateError};

/// Exit code: the pass failed, as the real preview says it.
pub const FAILED: u8 = 1;
/// Exit code: there was nothing to run, since a file or an argument is wrong.
pub const BAD_INPUT: u8 = 2;

const DEFINITIONS: [&str; 2] = [
    include_str!("../../package/planaclient/definition.yaml"),
    include_str!("../../package/templatesnapshot/definition.yaml"),
];
/// The Compositions; the first counts for a kind that has none.
const COMPOSITIONS: [&str; 2] = [
    include_str!("../../package/planaclient/composition.yaml"),
    include_str!("../../package/templatesnapshot/composition.yaml"),
];

/// The arguments of `function-odoo render`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = LESSON)]
pub struct RenderArguments {
    /// File with the composite resource (XR)
    #[arg(value_name = "XR.yaml")]
    pub composite: PathBuf,
    /// File with a Platform, the function's input; without it that of the shipped Composition
    #[arg(long, value_name = "FILE")]
    pub platform: Option<PathBuf>,
    /// File or folder with composed resources as they exist, each with its composition-resource-name annotation
    #[arg(long, value_name = "PATH")]
    pub observed: Option<PathBuf>,
    /// File or folder with other objects that the function may look up
    #[arg(long, value_name = "PATH")]
    pub required: Option<PathBuf>,
    /// Folder with OpenAPI documents, one per group and version (kubectl get --raw /openapi/v3/...)
    #[arg(long, value_name = "DIR")]
    pub schemas: Option<PathBuf>,
    /// The time to take for now, such as 2026-01-31T12:00:00Z; without it, now
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// File with another definition of the composite resource's kind, for its defaults
    #[arg(long, value_name = "FILE")]
    pub xrd: Option<PathBuf>,
    /// Print events, too, as objects of kind Result
    #[arg(short = 'r', long)]
    pub include_function_results: bool,
    /// Print the composite resource with what was in its file
    #[arg(short = 'x', long)]
    pub include_full_xr: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Yaml, value_name = "FORMAT")]
    pub output: Format,
}

const LESSON: &str = "\
Prints what `crossplane composition render` prints for the same files, without that program, without a server and
without a cluster. Output has one document for the composite resource, one for each composed resource in the order of
their names, and with -r one for each event.

Exit codes:
  0  printed
  1  the function refused (its reasons are on standard error), or Crossplane would refuse its answer
  2  a file or an argument is wrong; every problem is a line on standard error";

/// The part of a Composition that is seen in output, and the kinds that it is for.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// The Composition's name.
    pub composition: String,
    /// The name of its step.
    pub step: String,
    /// The step's input when none is given.
    pub input: Option<Value>,
    /// The definitions of the composite resources that are known without `--xrd`.
    pub definitions: Vec<Value>,
}

/// Why there is nothing to print.
#[derive(Debug, Error)]
pub enum RenderError {
    /// Files that cannot be used; one line each.
    #[error("{}", lines(.0))]
    Input(Vec<Problem>),
    /// The time is not one.
    #[error("cannot read --now {text}: {source}")]
    Time {
        /// As it was given.
        text: String,
        /// Why not.
        source: jiff::Error,
    },
    /// What this program ships is broken.
    #[error("cannot read the shipped package: {0}")]
    Package(String),
    /// The pass failed; the lines are those of the fields that the message names.
    #[error("cannot render {file}: {source}{}", places(.fields))]
    Pass {
        /// The composite resource's file.
        file: String,
        /// Why.
        source: Box<SimulateError>,
        /// Field and line.
        fields: Vec<(String, usize)>,
    },
    /// An answer cannot be explained.
    #[error("cannot explain what the function answered: {0}")]
    Unexplained(String),
    /// Something cannot be printed.
    #[error("cannot print {file}: {source}")]
    Print {
        /// The composite resource's file.
        file: String,
        /// Why not.
        source: yaml::YamlError,
    },
}

impl RenderError {
    /// The exit code of the process.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Time { .. } => BAD_INPUT,
            Self::Package(_) | Self::Pass { .. } | Self::Unexplained(_) | Self::Print { .. } => FAILED,
        }
    }
}

pub(super) fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn places(fields: &[(String, usize)]) -> String {
    fields.iter().fold(String::new(), |text, (field, line)| {
        text + &format!("\n  {field} is on line {line}")
    })
}

/// Runs the function over the files and returns what is to be printed.
pub fn run(arguments: &RenderArguments) -> Result<String, RenderError> {
    let pipeline = pipeline(arguments)?;
    let now = time(arguments)?;
    render(arguments, &pipeline, &mut |request| {
        function::run(&request, now).0
    })
}

/// The time that the arguments take for now.
pub fn time(arguments: &RenderArguments) -> Result<Timestamp, RenderError> {
    match &arguments.now {
        Some(text) => text.parse().map_err(|source| RenderError::Time {
            text: text.clone(),
            source,
        }),
        None => Ok(Timestamp::now()),
    }
}

/// What this program's own package has for the kind of the composite resource.
fn pipeline(arguments: &RenderArguments) -> Result<Pipeline, RenderError> {
    // What is wrong with the file is told when it is read for good.
    let composite = files::read_one(&arguments.composite, &mut Vec::new());
    let kind = composite.map(|document| simulate::kind(&document.value).to_owned());
    Pipeline::shipped(&kind.unwrap_or_default())
}

/// Reads all files for a pass of this program's own function.
pub fn read(arguments: &RenderArguments) -> Result<Read, RenderError> {
    inputs::read(arguments, &pipeline(arguments)?).map_err(RenderError::Input)
}

/// Runs any function over what was read.
pub fn pass(arguments: &RenderArguments, read: &Read, call: &mut Call<'_>) -> Result<Rendered, RenderError> {
    simulate::simulate(&read.inputs, call).map_err(|source| RenderError::Pass {
        file: arguments.composite.display().to_string(),
        fields: fields_in(&source.to_string(), &read.document),
        source: Box::new(source),
    })
}

/// Runs any function over the files and returns what is to be printed.
pub fn render(
    arguments: &RenderArguments,
    pipeline: &Pipeline,
    call: &mut Call<'_>,
) -> Result<String, RenderError> {
    let read = inputs::read(arguments, pipeline).map_err(RenderError::Input)?;
    let rendered = pass(arguments, &read, call)?;
    let full = arguments.include_full_xr.then_some(&read.inputs.composite);
    let documents = output::documents(rendered, full, arguments.include_function_results);
    output::print(&documents, arguments.output).map_err(|source| RenderError::Print {
        file: arguments.composite.display().to_string(),
        source,
    })
}

impl Pipeline {
    /// What this program's own package has for a kind.
    pub fn shipped(kind: &str) -> Result<Self, RenderError> {
        let read = |text: &str| document::read(text).map_err(|error| RenderError::Package(error.to_string()));
        let compositions: Vec<Value> = COMPOSITIONS.into_iter().map(read).collect::<Result<_, _>>()?;
        let is_of_kind =
            |composition: &&Value| simulate::text(composition, &["spec", "compositeTypeRef", "kind"]) == kind;
        let composition = compositions.iter().find(is_of_kind).unwrap_or(&compositions[0]);
        let step = &composition["spec"]["pipeline"][0];
        Ok(Self {
            composition: simulate::name(composition).to_owned(),
            step: simulate::text(step, &["step"]).to_owned(),
            input: step.get("input").cloned(),
            definitions: DEFINITIONS
                .iter()
                .map(|text| read(text))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The fields of the composite resource's file that a message names, with their lines.
fn fields_in(message: &str, document: &files::Document) -> Vec<(String, usize)> {
    let is_in_path =
        |character: char| character.is_alphanumeric() || matches!(character, '.' | '[' | ']' | '-' | '_');
    let mut found: Vec<(String, usize)> = Vec::new();
    for word in message.split(|character| !is_in_path(character)) {
        let path = segments(word.trim_end_matches('.'));
        let is_field = matches!(path.first(), Some(Segment::Key(key)) if key == "spec" || key == "metadata");
        if let Some(line) = is_field.then(|| document.line_of(&path)).flatten()
            && !found.iter().any(|(field, _)| *field == document::shown(&path))
        {
            found.push((document::shown(&path), line));
        }
    }
    found
}

/// A path such as `spec.tiers[0].name`.
pub(super) fn segments(path: &str) -> Vec<Segment> {
    path.split(['.', '['])
        .map(
            |part| match part.strip_suffix(']').and_then(|index| index.parse().ok()) {
                Some(index) => Segment::Index(index),
                None => Segment::Key(part.to_owned()),
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        arguments: RenderArguments,
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
        let line = [
            "render",
            "xr.yaml",
            "--observed",
            "o",
            "--now",
            "2026-01-31T12:00:00Z",
            "-r",
            "-x",
            "-o",
            "json",
        ];
        let CommandLine { arguments } = CommandLine::try_parse_from(line).expect("the flags are known");
        assert_eq!(arguments.composite, PathBuf::from("xr.yaml"));
        assert!(arguments.include_function_results && arguments.include_full_xr);
        assert_eq!(arguments.output, Format::Json);
    }

    #[test]
    fn a_path_in_a_message_is_found_with_its_index() {
        let expected = [
            Segment::Key("spec".to_owned()),
            Segment::Key("tiers".to_owned()),
            Segment::Index(0),
            Segment::Key("name".to_owned()),
        ];
        assert_eq!(segments("spec.tiers[0].name"), expected);
    }
}
