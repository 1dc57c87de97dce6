//! `function-odoo plan`: where a tenant or a template is, what it waits for, and what a change would do, for people.
//!
//! In: the files of a preview (`render` reads them). Out: a text or one JSON document, and an exit code that says
//! whether somebody has to do something. What is shown comes from the answer of the function and its explanation
//! (`report`), and from comparing objects field by field (`difference`); `text` puts it into words.

mod difference;
mod report;
mod text;

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use self::report::{Answer, Halt, Report, Verdict};
use super::render::{self, Read, RenderArguments, RenderError, simulate};
use crate::function::{
    self, explain,
    proto::v1::{RunFunctionRequest, RunFunctionResponse},
};

/// Exit code: everything is as it is to be.
pub const SETTLED: u8 = 0;
/// Exit code: something is on its way, and nobody has to do anything.
pub const WAITING: u8 = 3;
/// Exit code: something will not pass unless somebody does something.
pub const TROUBLE: u8 = 4;

/// The annotation that keeps Crossplane from doing anything.
const PAUSED: &str = "crossplane.io/paused";

const LESSON: &str = "\
Get the files from a cluster:
  kubectl get planaclient acme -o yaml > xr.yaml
  crossplane resource trace planaclient acme -o json    (names what is composed; kubectl get each of them into observed/)

Without --observed nothing is there yet. What the function would look up comes from --required and --schemas; a question
without an answer there counts as answered with nothing.

The steps:
  done     it is there, or status.done has it; its evidence and since when
  waiting  something is on its way; what, and since when
  stuck    it will not pass unless somebody does something; what
  next     the next pass makes it
  later    it comes after others; which evidence it waits for
  off      the platform has no such system

With --from, the plan of OLD.yaml and that of XR.yaml are made from the same observations, and what differs is told.

-o json prints one document; docs/plan.md describes its fields.

Exit codes:
  0  settled: everything is as it is to be, and the next pass changes nothing
  1  the function refuses the input; its reasons are on standard error
  2  a file or an argument is wrong; every problem is a line on standard error
  3  waiting: something is on its way, and nobody has to do anything
  4  somebody has to do something";

/// The arguments of `function-odoo plan`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = LESSON)]
pub struct PlanArguments {
    /// File with the composite resource (XR), best with its status
    #[arg(value_name = "XR.yaml")]
    pub composite: PathBuf,
    /// File with the composite resource as it was before a change
    #[arg(long, value_name = "OLD.yaml")]
    pub from: Option<PathBuf>,
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
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Words for people
    #[default]
    Text,
    /// One JSON document
    Json,
}

/// What is to be printed, and how the process is to end.
pub struct Printed {
    /// The text.
    pub text: String,
    /// The exit code.
    pub exit_code: u8,
}

/// Plans from the files; `colour` says whether the text may have colours.
pub fn run(arguments: &PlanArguments, colour: bool) -> Result<Printed, RenderError> {
    let loading = loading(arguments, &arguments.composite);
    let now = render::time(&loading)?;
    let mut read = render::read(&loading)?;
    let halt = halt(&mut read.inputs.composite);
    let new = answer(&loading, &read, now)?;
    let mut report = Report::of(&read.inputs.composite, &new);
    if let Some(from) = &arguments.from {
        let loading = self::loading(arguments, from);
        let mut read_old = render::read(&loading)?;
        self::halt(&mut read_old.inputs.composite);
        let mut read_new = read.clone();
        share_standing(&mut read_old.inputs.composite, &mut read_new.inputs.composite);
        let old = answer(&loading, &read_old, now)?;
        let new = answer(&self::loading(arguments, &arguments.composite), &read_new, now)?;
        report = Report::of(&read_new.inputs.composite, &new);
        report.change = Some(report::change(&old, &new));
    }
    report.halt(halt);
    let exit_code = match report.verdict {
        Verdict::Settled => SETTLED,
        Verdict::Waiting => WAITING,
        Verdict::Trouble => TROUBLE,
    };
    let text = match arguments.output {
        Format::Text => text::text(&report, colour),
        // A report is plain data, which serde_json can always represent.
        Format::Json => serde_json::to_string_pretty(&report).unwrap_or_default() + "\n",
    };
    Ok(Printed { text, exit_code })
}

fn loading(arguments: &PlanArguments, composite: &std::path::Path) -> RenderArguments {
    let PlanArguments {
        composite: _,
        from: _,
        platform,
        observed,
        required,
        schemas,
        now,
        output: _,
    } = arguments.clone();
    RenderArguments {
        composite: composite.to_owned(),
        platform,
        observed,
        required,
        schemas,
        now,
        ..RenderArguments::default()
    }
}

/// Takes off what keeps Crossplane from calling the function, so that it can be told what would happen without it.
fn halt(composite: &mut Value) -> Option<Halt> {
    let metadata = composite.get_mut("metadata")?.as_object_mut()?;
    if metadata.remove("deletionTimestamp").is_some() {
        return Some(Halt::Deleting);
    }
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let paused = annotations.remove(PAUSED)?;
    (paused == "true").then_some(Halt::Paused)
}

/// Both are the same object, observed at the same time: what one file lacks of that, the other one has.
fn share_standing(old: &mut Value, new: &mut Value) {
    for field in ["status", "metadata"] {
        if new.get("status").is_none() && old.get("status").is_some() {
            new[field] = old[field].clone();
        } else if let Some(value) = new.get(field) {
            old[field] = value.clone();
        }
    }
}

/// One pass, with everything that was seen and answered in it.
fn answer(arguments: &RenderArguments, read: &Read, now: Timestamp) -> Result<Answer, RenderError> {
    let mut last: Option<(RunFunctionRequest, RunFunctionResponse)> = None;
    render::pass(arguments, read, &mut |request| {
        let (response, _) = function::run(&request, now);
        last = Some((request, response.clone()));
        response
    })?;
    // Whatever keeps Crossplane from calling was taken off before, so there is a last call.
    let (request, response) = last.unwrap_or_default();
    let explanation = explain::explain(&request, now).map_err(|problems| {
        let words: Vec<_> = problems.iter().map(ToString::to_string).collect();
        RenderError::Unexplained(words.join("; "))
    })?;
    Ok(Answer::new(&request, &response, explanation))
}

/// The kind and the name of an object, for titles.
fn title(composite: &Value) -> (String, String) {
    (
        simulate::kind(composite).to_owned(),
        simulate::name(composite).to_owned(),
    )
}
