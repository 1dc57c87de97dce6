//! Every moment of every example, previewed by us and by the real `crossplane composition render`: equal byte for byte.
//! What it prints fits every schema, as `crossplane resource validate` sees it.

mod common;
#[path = "common/real_render.rs"]
mod real_render;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use function_odoo::{
    cli::render::{self, RenderArguments},
    function::{
        self,
        proto::v1::{RunFunctionRequest, RunFunctionResponse},
    },
};
use jiff::Timestamp;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const NOW: &str = "2026-01-31T12:00:00Z";

/// The moments: folders of `examples/<name>/`, and the bare examples.
fn moments() -> Vec<RenderArguments> {
    let mut moments = Vec::new();
    for example in folders(&Path::new(ROOT).join("examples")) {
        if example.join("xr.yaml").is_file() {
            moments.push(arguments(&example));
            moments.extend(folders(&example).iter().map(|moment| arguments(moment)));
        }
    }
    moments
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("examples can be read");
    let mut folders: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn arguments(folder: &Path) -> RenderArguments {
    let present = |name: &str| Some(folder.join(name)).filter(|path| path.exists());
    RenderArguments {
        composite: folder.join("xr.yaml"),
        observed: present("observed"),
        required: present("required"),
        schemas: Some(Path::new(ROOT).join("examples/schemas")),
        now: Some(NOW.to_owned()),
        // Without the events: core tells in random order which resources are not ready (tests/render.rs sorts them).
        include_full_xr: true,
        ..RenderArguments::default()
    }
}

/// A file of the shipped package for the kind of an example.
fn shipped(arguments: &RenderArguments, file: &str) -> PathBuf {
    let text = fs::read_to_string(&arguments.composite).expect("the example is there");
    let composite: Value = serde_yaml::from_str(&text).expect("an example is YAML");
    let kind = composite["kind"].as_str().expect("it has a kind").to_lowercase();
    Path::new(ROOT).join("package").join(kind).join(file)
}

/// The shipped Composition, with another input if one is given.
fn composition(arguments: &RenderArguments) -> String {
    let path = shipped(arguments, "composition.yaml");
    let text = fs::read_to_string(path).expect("the package is there");
    let Some(platform) = &arguments.platform else {
        return text;
    };
    let mut composition: Value = serde_yaml::from_str(&text).expect("a Composition is YAML");
    let platform = fs::read_to_string(platform).expect("the example is there");
    composition["spec"]["pipeline"][0]["input"] =
        serde_yaml::from_str(&platform).expect("a Platform is YAML");
    composition.to_string()
}

fn call(request: &RunFunctionRequest) -> RunFunctionResponse {
    function::run(request, Timestamp::UNIX_EPOCH).0
}

#[test]
fn every_moment_is_previewed_as_crossplane_does() {
    let moments = moments();
    assert!(moments.len() > 20, "the examples are there: {}", moments.len());
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("previews");
    fs::create_dir_all(&scratch).expect("the scratch folder is writable");
    let compare = |arguments: &RenderArguments| {
        let definition = shipped(arguments, "definition.yaml");
        let theirs =
            real_render::real_render(arguments, &composition(arguments), &definition, &scratch, call)?;
        let ours = render::run(arguments).map_err(|error| error.to_string());
        assert_eq!(ours, theirs, "{}", arguments.composite.display());
        assert!(ours.is_ok(), "{}: {ours:?}", arguments.composite.display());
        Some(())
    };
    for arguments in &moments {
        if compare(arguments).is_none() {
            return;
        }
    }
    for platform in ["platform-plana.yaml", "platform-small.yaml"] {
        let platform = Path::new(ROOT).join("examples").join(platform);
        let arguments = RenderArguments {
            platform: Some(platform),
            ..moments[0].clone()
        };
        compare(&arguments);
    }
}

#[test]
fn every_preview_is_valid_for_crossplane() {
    let Some(program) = common::tool("crossplane") else {
        return;
    };
    let schemas = Path::new(ROOT).join("tests/schemas/crds");
    let package = Path::new(ROOT).join("package");
    let extensions = format!(
        "{},{},{}",
        package.join("planaclient/definition.yaml").display(),
        package.join("templatesnapshot/definition.yaml").display(),
        schemas.display()
    );
    for arguments in moments() {
        let printed = render::run(&arguments);
        let printed = printed.expect("a moment can be previewed");
        let mut validate = Command::new(&program)
            .args([
                "resource",
                "validate",
                &extensions,
                "-",
                "--crossplane-image=",
                "--error-on-missing-schemas",
            ])
            .env("HOME", env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the real program starts");
        validate
            .stdin
            .take()
            .expect("it is piped")
            .write_all(printed.as_bytes())
            .expect("it reads");
        let output = validate.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}: {said}",
            arguments.composite.display()
        );
        assert!(
            said.contains(" 0 failure cases"),
            "{}: {said}",
            arguments.composite.display()
        );
    }
}
