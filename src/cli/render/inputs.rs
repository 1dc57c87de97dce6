//! Reads everything that a preview starts from, and checks what can be told before the function is called.
//!
//! In: [`RenderArguments`] and the [`Pipeline`] to preview. Out: [`Read`], or every problem of every file. What an API
//! server would refuse by the schema is left to the function, which explains it better.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{
    Pipeline, RenderArguments, defaults,
    files::{self, Document, Problem},
    simulate::{self, Inputs, ObservedProblem},
};
use crate::{
    api::{INPUT_API_VERSION, INPUT_KIND},
    function::NOW_CONTEXT_KEY,
};

/// What a preview starts from.
#[derive(Clone, Debug)]
pub struct Read {
    /// The composite resource's file, for the lines of its fields.
    pub(super) document: Document,
    /// Everything that the pass depends on.
    pub inputs: Inputs,
}

/// Reads all files.
pub fn read(arguments: &RenderArguments, pipeline: &Pipeline) -> Result<Read, Vec<Problem>> {
    let mut problems = Vec::new();
    let document = files::read_one(&arguments.composite, &mut problems);
    let composite = document.as_ref().map(|document| {
        check_object(document, &mut problems);
        with_defaults(document, arguments, pipeline, &mut problems)
    });
    let input = match &arguments.platform {
        Some(file) => read_platform(file, &mut problems).map(|document| document.value),
        None => pipeline.input.clone(),
    };
    let observed = read_objects(arguments.observed.as_deref(), &mut problems);
    if let Some(composite) = &composite {
        for observed in &observed {
            check_observed(composite, observed, &mut problems);
        }
    }
    let required = read_objects(arguments.required.as_deref(), &mut problems);
    let schemas = arguments
        .schemas
        .as_deref()
        .map(|folder| files::read_schemas(folder, &mut problems))
        .unwrap_or_default();
    match (document, composite) {
        (Some(document), Some(composite)) if problems.is_empty() => {
            let context = arguments
                .now
                .as_ref()
                .map(|now| (NOW_CONTEXT_KEY.to_owned(), json!(now)));
            let inputs = Inputs {
                composite,
                composition: pipeline.composition.clone(),
                step: pipeline.step.clone(),
                input,
                observed: observed.into_iter().map(|document| document.value).collect(),
                required: required.into_iter().map(|document| document.value).collect(),
                schemas,
                context: context.into_iter().collect::<BTreeMap<_, _>>(),
            };
            Ok(Read { document, inputs })
        }
        _ => Err(problems),
    }
}

fn read_objects(path: Option<&Path>, problems: &mut Vec<Problem>) -> Vec<Document> {
    let documents = path
        .map(|path| files::read_all(path, problems))
        .unwrap_or_default();
    for document in &documents {
        check_object(document, problems);
    }
    documents
}

/// What every object needs to be one.
fn check_object(document: &Document, problems: &mut Vec<Problem>) {
    if !document.value.is_object() {
        problems.push(document.problem(
            &[],
            "not an object: expected fields, starting with apiVersion and kind",
        ));
        return;
    }
    for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
        if simulate::text(&document.value, path).is_empty() {
            problems.push(document.problem(path, "missing, or not text"));
        }
    }
}

/// The composite resource with the defaults of its schema.
fn with_defaults(
    document: &Document,
    arguments: &RenderArguments,
    pipeline: &Pipeline,
    problems: &mut Vec<Problem>,
) -> Value {
    let mut composite = document.value.clone();
    if let Some(file) = &arguments.xrd {
        let definition = files::read_one(file, problems);
        if let Some(definition) = definition
            && let Err(problem) = defaults::apply(&mut composite, &definition.value)
        {
            problems.push(definition.problem(&[], problem.to_string()));
        }
        return composite;
    }
    let known = pipeline
        .definitions
        .iter()
        .find(|definition| defaults::check(&composite, definition).is_ok());
    match known.map(|definition| defaults::apply(&mut composite, definition)) {
        Some(Ok(())) => {}
        Some(Err(problem)) => problems.push(document.problem(&["apiVersion"], problem.to_string())),
        None => {
            let kinds: Vec<&str> = pipeline
                .definitions
                .iter()
                .map(|known| simulate::text(known, &["spec", "names", "kind"]))
                .collect();
            let message = format!(
                "{} {} is not served; served are: {}; for another kind give its definition with --xrd",
                simulate::api_version(&composite),
                simulate::kind(&composite),
                kinds.join(", ")
            );
            problems.push(document.problem(&["kind"], message));
        }
    }
    composite
}

/// Reads a Platform, which has to say that it is one.
pub fn read_platform(file: &Path, problems: &mut Vec<Problem>) -> Option<Document> {
    let document = files::read_one(file, problems)?;
    for (field, expected) in [("apiVersion", INPUT_API_VERSION), ("kind", INPUT_KIND)] {
        let found = simulate::text(&document.value, &[field]);
        if found != expected {
            problems.push(document.problem(&[field], format!("must be {expected}, found \"{found}\"")));
        }
    }
    Some(document)
}

fn check_observed(composite: &Value, observed: &Document, problems: &mut Vec<Problem>) {
    if !observed.value.is_object() {
        return;
    }
    for problem in simulate::observed_problems(composite, &observed.value) {
        let path: &[&str] = match problem {
            ObservedProblem::Anonymous => &["metadata", "annotations"],
            ObservedProblem::ForeignController { .. } => &["metadata", "ownerReferences"],
            ObservedProblem::ForeignNamespace { .. } => &["metadata", "namespace"],
        };
        problems.push(observed.problem(path, problem.to_string()));
    }
}
