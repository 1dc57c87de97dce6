//! `function-odoo composition`: a Composition for a platform that is not PLANA's.
//!
//! In: a Composition of this project, and a Platform. Out: the same Composition with the Platform as the input of its
//! step, as YAML; or every problem of both files, with its line, and nothing to print. Crossplane does not check the
//! input of a function, so what is printed here was checked as the function itself does at every call.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::render::{
    files::{self, Document, Problem},
    inputs, segments, simulate, yaml,
};
use crate::{
    api::{
        INPUT_API_VERSION, INPUT_KIND,
        check::{self, INPUT_PATH},
        platform::Platform,
    },
    tenant::resolve,
};

/// The arguments of `function-odoo composition`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = LESSON)]
pub struct CompositionArguments {
    /// File with the Composition
    #[arg(value_name = "COMPOSITION.yaml")]
    pub composition: PathBuf,
    /// File with the Platform that becomes its input
    #[arg(long, value_name = "FILE")]
    pub platform: PathBuf,
}

const LESSON: &str = "\
A Composition has the platform as the input of its step; those of this project have PLANA's. dev/package --platform
FILE runs this for both, and builds a Configuration package of them.

Exit codes:
  0  printed
  2  a file is wrong; every problem is a line on standard error";

/// Every problem, one a line.
#[derive(Debug, thiserror::Error)]
#[error("{}", super::render::lines(.0))]
pub struct CompositionError(Vec<Problem>);

/// Returns the Composition that is to be printed.
pub fn run(arguments: &CompositionArguments) -> Result<String, CompositionError> {
    let CompositionArguments {
        composition: file,
        platform,
    } = arguments;
    let mut problems = Vec::new();
    let platform = inputs::read_platform(platform, &mut problems);
    if let Some(platform) = &platform {
        problems.extend(platform_problems(platform));
    }
    let composition = files::read_one(file, &mut problems);
    if let (Some(composition), Some(platform)) = (composition, platform)
        && let Some(composition) = with_input(&composition, &platform.value, &mut problems)
        && problems.is_empty()
    {
        let printed = yaml::print(&composition);
        return printed.map_err(|error| CompositionError(vec![Problem::with_file(file, error.to_string())]));
    }
    Err(CompositionError(problems))
}

/// What the function would say of it, with the lines of the file.
fn platform_problems(document: &Document) -> Vec<Problem> {
    let mut found = check::platform_problems(&document.value);
    // Said already, with those of a file that has none.
    let said = ["apiVersion", "kind"].map(|field| format!("{INPUT_PATH}.{field}"));
    found.retain(|problem| !said.contains(&problem.path));
    if found.is_empty() {
        match serde_json::from_value::<Platform>(document.value.clone()) {
            Ok(platform) => found = resolve::platform_problems(&platform),
            Err(error) => found.push(check::Problem::new(
                INPUT_PATH,
                format!("cannot be read: {error}"),
            )),
        }
    }
    let in_file = |problem: check::Problem| {
        let path = problem.path.strip_prefix(INPUT_PATH).unwrap_or(&problem.path);
        match path.trim_start_matches('.') {
            "" => document.problem(&[], problem.message),
            path => document.problem_at(&segments(path), problem.message),
        }
    };
    found.into_iter().map(in_file).collect()
}

/// The Composition with another Platform; `None` for one that has no step with a Platform.
fn with_input(composition: &Document, platform: &Value, problems: &mut Vec<Problem>) -> Option<Value> {
    let mut value = composition.value.clone();
    let steps = value.pointer_mut("/spec/pipeline").and_then(Value::as_array_mut);
    let is_platform = |input: &&mut Value| {
        simulate::api_version(input) == INPUT_API_VERSION && simulate::kind(input) == INPUT_KIND
    };
    let inputs = steps
        .into_iter()
        .flatten()
        .filter_map(|step| step.get_mut("input"));
    let mut inputs: Vec<_> = inputs.filter(is_platform).collect();
    if inputs.is_empty() {
        let message = format!("no step has an input of kind {INPUT_KIND} ({INPUT_API_VERSION})");
        problems.push(composition.problem(&["spec", "pipeline"], message));
        return None;
    }
    for input in &mut inputs {
        (*input).clone_from(platform);
    }
    Some(value)
}
