//! The packages as `dev/package` and the real `crossplane` build them, down to a registry and back.
//!
//! The first test that needs them builds both, which takes minutes when the release build is not in the target
//! directory yet. Layers are unpacked with `tar`; what is inside is compared with the files that it comes from.

mod common;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use common::tool;
use serde::Deserialize;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CONFIGURATION: &str = "configuration-odoo.xpkg";

/// How the variables begin that Cargo sets for the programs it runs. A Cargo below them would build dependencies whose
/// build scripts look at these (ring's does) again and again.
const SET_BY_CARGO: [&str; 7] = [
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
    "CARGO_TARGET_TMPDIR",
    "OUT_DIR",
];

/// A registry on loopback that ends with the test, whatever comes of it.
struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn start(crane: &Path) -> Self {
        let log = empty_folder("registry").join("log");
        let stderr = fs::File::create(&log).expect("the folder is writable");
        let mut process = Command::new(crane)
            .args(["registry", "serve", "--address", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("crane starts");
        // It chooses a free port itself, and says which as soon as it listens.
        loop {
            let said = fs::read_to_string(&log).expect("the log is readable");
            let port = said
                .lines()
                .find_map(|line| line.split_once("serving on port "))
                .map(|(_, port)| port);
            if let Some(port) = port.filter(|_| said.ends_with('\n')) {
                return Self {
                    process,
                    address: format!("127.0.0.1:{port}"),
                };
            }
            assert!(
                process.try_wait().expect("its state is known").is_none(),
                "the registry ended: {said}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Failing here would hide the test's own failure; a process that is gone already is fine.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// An unpacked package: its image configuration, and the contents of its layers, one folder each.
struct Unpacked {
    config: Value,
    layers: Vec<PathBuf>,
}

impl Unpacked {
    fn new(package: &Path, name: &str) -> Self {
        let folder = empty_folder(name);
        run("tar", &[Path::new("-xf"), package, Path::new("-C"), &folder]);
        let manifest = json(&fs::read(folder.join("manifest.json")).expect("a package has a manifest"));
        let config = manifest[0]["Config"]
            .as_str()
            .expect("it names its configuration");
        let layers = manifest[0]["Layers"]
            .as_array()
            .expect("it lists its layers")
            .iter()
            .enumerate();
        let layers = layers.map(|(number, layer)| {
            let into = folder.join(number.to_string());
            fs::create_dir(&into).expect("the folder is new");
            let layer = folder.join(layer.as_str().expect("a layer is a file name"));
            run("tar", &[Path::new("-xf"), &layer, Path::new("-C"), &into]);
            into
        });
        Self {
            layers: layers.collect(),
            config: json(&fs::read(folder.join(config)).expect("it is there")),
        }
    }

    /// The objects of `package.yaml`, which is in one layer exactly.
    fn objects(&self) -> Vec<Value> {
        let files: Vec<_> = self
            .layers
            .iter()
            .map(|layer| layer.join("package.yaml"))
            .filter(|f| f.is_file())
            .collect();
        assert_eq!(files.len(), 1, "package.yaml");
        documents(&fs::read_to_string(&files[0]).expect("it is readable"))
    }
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}

fn function_package() -> String {
    format!("function-odoo-{}.xpkg", architecture())
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("it is JSON")
}

/// The objects of a file with several YAML documents.
fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
    let documents = documents.map(|document| document.expect("it is YAML"));
    documents.filter(|document| !document.is_null()).collect()
}

fn yaml_file(path: &str) -> Vec<Value> {
    documents(&fs::read_to_string(Path::new(ROOT).join(path)).expect("the file is in the repository"))
}

/// What the Dockerfile copies: every program of the image.
fn programs() -> BTreeSet<String> {
    let dockerfile = fs::read_to_string(Path::new(ROOT).join("Dockerfile")).expect("it is in the repository");
    let copied = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    copied
        .map(|words| words.split(' ').next().unwrap_or_default().to_owned())
        .collect()
}

/// The name that Crossplane gives to a dependency: its path in the registry, as one DNS label.
fn dependency_name(package: &str) -> String {
    let (_, path) = package
        .split_once('/')
        .expect("a package name has a registry and a path");
    path.replace(['/', '.', ':'], "-")
}

fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder can go");
    }
    fs::create_dir_all(&folder).expect("the target directory is writable");
    folder
}

fn output(command: &mut Command) -> Output {
    command
        .current_dir(ROOT)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

/// Runs a program that has to succeed, and returns what it printed.
fn run<P: AsRef<Path>>(program: &str, arguments: &[P]) -> String {
    let arguments = arguments.iter().map(AsRef::as_ref);
    succeed(Command::new(program).args(arguments))
}

fn succeed(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Runs `dev/package` as from a shell.
fn package_into(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("dev/package");
    for (name, _) in env::vars_os() {
        if SET_BY_CARGO
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    succeed(command.arg("--out").arg(folder).args(arguments))
}

/// The folder with both packages, built once for all tests; `None` where the tools are missing.
fn packages() -> Option<&'static Path> {
    static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
    tool("crossplane")?;
    let folder = PACKAGES.get_or_init(|| {
        let folder = empty_folder("first");
        println!("{}", package_into(&folder, &[]));
        folder
    });
    Some(folder)
}

fn kinds(objects: &[Value]) -> BTreeSet<String> {
    let kind = |object: &Value| {
        let (group, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
        format!("{} {}", group.unwrap_or_default(), kind.unwrap_or_default())
    };
    objects.iter().map(kind).collect()
}

#[test]
fn the_image_runs_our_programs_and_nothing_else_without_privileges() {
    let Some(folder) = packages() else { return };
    let image = Unpacked::new(&folder.join(function_package()), "image");
    let config = &image.config["config"];
    assert_eq!(config["User"], "2000:2000");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/function-odoo"]));
    assert_eq!(
        config["ExposedPorts"],
        serde_json::json!({"8080/tcp": {}, "9443/tcp": {}})
    );
    assert_eq!(image.config["architecture"], architecture());
    assert_eq!(image.config["os"], "linux");

    let files = image
        .layers
        .iter()
        .flat_map(|layer| fs::read_dir(layer).expect("it is a folder"));
    let files: BTreeSet<_> = files
        .map(|file| {
            file.expect("it is readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let mut expected = programs();
    assert!(expected.contains("function-odoo"));
    // The package's own two layers: objects and examples.
    expected.extend(["package.yaml".to_owned(), ".up".to_owned()]);
    assert_eq!(files, expected);
}

#[test]
fn the_programs_of_the_image_start_and_know_their_version() {
    let Some(folder) = packages() else { return };
    for program in programs() {
        let path = folder.join(architecture()).join(&program);
        let version = succeed(Command::new(&path).arg("--version").env_clear());
        assert!(
            version.contains(env!("CARGO_PKG_VERSION")),
            "{program} --version: {version}"
        );
    }
}

#[test]
fn the_function_package_is_its_metadata_and_the_schema_of_its_input() {
    let Some(folder) = packages() else { return };
    let objects = Unpacked::new(&folder.join(function_package()), "function").objects();
    let metas: Vec<_> = objects
        .iter()
        .filter(|object| object["kind"] == "Function")
        .collect();
    assert_eq!(metas.len(), 1);
    assert_eq!(
        metas[0]["spec"],
        yaml_file("function/package/crossplane.yaml")[0]["spec"]
    );
    assert_eq!(
        metas[0]["spec"]["capabilities"],
        serde_json::json!(["composition"])
    );
    let expected = [
        "apiextensions.k8s.io/v1 CustomResourceDefinition",
        "meta.pkg.crossplane.io/v1 Function",
    ];
    assert_eq!(kinds(&objects), expected.map(String::from).into());
}

#[test]
fn the_configuration_package_is_its_metadata_with_xrds_and_compositions() {
    let Some(folder) = packages() else { return };
    let package = Unpacked::new(&folder.join(CONFIGURATION), "configuration");
    let objects = package.objects();
    let metas: Vec<_> = objects
        .iter()
        .filter(|object| object["kind"] == "Configuration")
        .collect();
    assert_eq!(metas.len(), 1);
    assert_eq!(metas[0]["spec"], yaml_file("crossplane.yaml")[0]["spec"]);
    let expected = [
        "apiextensions.crossplane.io/v1 Composition",
        "apiextensions.crossplane.io/v2 CompositeResourceDefinition",
        "meta.pkg.crossplane.io/v1 Configuration",
    ];
    assert_eq!(kinds(&objects), expected.map(String::from).into());

    let examples = package
        .layers
        .iter()
        .map(|layer| layer.join(".up/examples.yaml"))
        .find(|file| file.is_file());
    let examples = fs::read_to_string(examples.expect("it has a layer of examples")).expect("it is readable");
    let examples = documents(&examples);
    assert!(!examples.is_empty());
    assert_eq!(
        kinds(&examples),
        ["PLANAClient", "TemplateSnapshot"]
            .map(|kind| format!("planapulse.com/v1alpha1 {kind}"))
            .into()
    );
}

#[test]
fn compositions_call_the_function_by_the_name_that_crossplane_gives_it() {
    let Some(folder) = packages() else { return };
    let objects = Unpacked::new(&folder.join(CONFIGURATION), "names").objects();
    let meta = &yaml_file("crossplane.yaml")[0];
    let dependencies = meta["spec"]["dependsOn"]
        .as_array()
        .expect("the Configuration has dependencies");
    let functions: BTreeSet<_> = dependencies
        .iter()
        .filter(|dependency| dependency["kind"] == "Function")
        .map(|dependency| {
            dependency_name(
                dependency["package"]
                    .as_str()
                    .expect("a dependency names its package"),
            )
        })
        .collect();
    let steps: BTreeSet<_> = objects
        .iter()
        .filter_map(|object| object["spec"]["pipeline"].as_array())
        .flatten()
        .map(|step| {
            step["functionRef"]["name"]
                .as_str()
                .expect("a step names its function")
                .to_owned()
        })
        .collect();
    assert_eq!(steps, functions);
}

#[test]
fn a_platform_of_somebody_else_changes_the_input_of_the_compositions_and_nothing_else() {
    const PLATFORM: &str = "examples/platform-small.yaml";
    let Some(folder) = packages() else { return };
    let own = [empty_folder("own"), empty_folder("own-again")];
    for folder in &own {
        package_into(folder, &["--platform", PLATFORM]);
    }
    let bytes = |folder: &Path, package: &str| fs::read(folder.join(package)).expect("it was built");
    assert!(bytes(folder, &function_package()) == bytes(&own[0], &function_package()));
    assert!(bytes(&own[0], CONFIGURATION) == bytes(&own[1], CONFIGURATION));
    let mut expected = Unpacked::new(&folder.join(CONFIGURATION), "planas").objects();
    for object in expected
        .iter_mut()
        .filter(|object| object["kind"] == "Composition")
    {
        object["spec"]["pipeline"][0]["input"] = yaml_file(PLATFORM).remove(0);
    }
    assert_eq!(
        Unpacked::new(&own[0].join(CONFIGURATION), "somebodys").objects(),
        expected
    );
}

#[test]
fn building_again_gives_the_same_bytes() {
    let Some(first) = packages() else { return };
    let second = empty_folder("second");
    package_into(&second, &[]);
    for package in [function_package().as_str(), CONFIGURATION] {
        let (first, second) = (fs::read(first.join(package)), fs::read(second.join(package)));
        assert!(
            first.expect("it was built") == second.expect("it was built"),
            "{package} differs"
        );
    }
}

#[test]
fn both_packages_come_back_from_a_registry_as_they_were_pushed() {
    let Some(folder) = packages() else { return };
    let Some(crossplane) = tool("crossplane") else {
        return;
    };
    let Some(crane) = tool("crane") else { return };
    let registry = Registry::start(&crane);
    for package in [function_package().as_str(), CONFIGURATION] {
        let (path, name) = (folder.join(package), package.trim_end_matches(".xpkg"));
        let tag = format!(
            "{}/plana-pulse/{name}:v{}",
            registry.address,
            env!("CARGO_PKG_VERSION")
        );
        succeed(
            Command::new(&crossplane)
                .args(["xpkg", "push", "-f"])
                .arg(&path)
                .arg(&tag),
        );
        let pushed = Unpacked::new(&path, &format!("pushed-{name}"));
        let manifest = json(succeed(Command::new(&crane).args(["manifest", &tag])).as_bytes());
        let config = json(succeed(Command::new(&crane).args(["config", &tag])).as_bytes());
        assert_eq!(config["rootfs"], pushed.config["rootfs"]);
        assert_eq!(config["config"]["User"], pushed.config["config"]["User"]);
        let layers = manifest["layers"]
            .as_array()
            .expect("a manifest lists its layers");
        assert_eq!(layers.len(), pushed.layers.len());
        // Crossplane looks for the objects in the layer that carries this annotation.
        let base = |layer: &&Value| layer["annotations"]["io.crossplane.xpkg"] == "base";
        assert_eq!(layers.iter().filter(base).count(), 1);
    }
}

#[test]
fn what_we_hand_to_kubernetes_is_valid_against_the_schemas() {
    let Some(crossplane) = tool("crossplane") else {
        return;
    };
    for path in [
        "deploy/function-odoo.yaml",
        "crossplane.yaml",
        "function/package/crossplane.yaml",
        "package",
    ] {
        let mut command = Command::new(&crossplane);
        command.args([
            "resource",
            "validate",
            // The input of a Composition's step is checked too, and its schema is ours.
            "tests/schemas/crds,function/package/input",
            path,
            "--crossplane-image=",
        ]);
        let report = succeed(command.arg("--error-on-missing-schemas"));
        assert!(
            report.contains("0 missing schemas") && report.contains("0 failure cases"),
            "{report}"
        );
    }
}

#[test]
fn an_image_that_could_not_be_what_its_dockerfile_says_is_refused() {
    let folder = empty_folder("refused");
    // This test is a dynamic program, and no file of the host belongs in an image.
    fs::copy(
        env::current_exe().expect("a test has a path"),
        folder.join("dynamic"),
    )
    .expect("it can be copied");
    let cases = [
        ("FROM scratch\nCOPY data /data\nRUN true\n", "Dockerfile:3: RUN: "),
        ("FROM debian\nCOPY data /data\n", "Dockerfile:1: FROM: "),
        ("COPY data /data\n", "Dockerfile:1: COPY: the first instruction"),
        (
            "FROM scratch\nCOPY dynamic /dynamic\n",
            "Dockerfile:2: COPY: dynamic wants a dynamic loader",
        ),
        (
            "FROM scratch\nCOPY ../Dockerfile /data\n",
            "Dockerfile:2: COPY: '../Dockerfile' is not a file in",
        ),
        (
            "FROM scratch\nCOPY data /data\nENTRYPOINT /data\n",
            "Dockerfile:3: ENTRYPOINT: only the form",
        ),
        (
            "FROM scratch\nCOPY data /data\nEXPOSE 99999\n",
            "Dockerfile:3: EXPOSE: '99999' is not a port",
        ),
        ("FROM scratch\nUSER 2000\n", "nothing is copied"),
    ];
    fs::write(folder.join("data"), "data").expect("the folder is writable");
    for (dockerfile, refusal) in cases {
        let file = folder.join("Dockerfile");
        fs::write(&file, dockerfile).expect("the folder is writable");
        let mut command = Command::new("dev/image");
        command
            .arg("--arch")
            .arg(architecture())
            .arg("--out")
            .arg(folder.join("image.tar"));
        let output = output(command.arg("--file").arg(&file).arg(&folder));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(refusal),
            "{dockerfile}: {error}"
        );
        assert!(!folder.join("image.tar").exists(), "{dockerfile}");
    }
}

#[test]
fn a_dynamic_program_needs_its_loader_and_its_libraries_in_the_image() {
    let folder = empty_folder("dynamic");
    let root = folder.join("root");
    fs::create_dir_all(root.join("bin")).expect("the folder is writable");
    // This test is a dynamic program.
    let program = env::current_exe().expect("a test has a path");
    fs::copy(program, root.join("bin/program")).expect("it can be copied");
    std::os::unix::fs::symlink("bin/program", root.join("link")).expect("the folder is writable");
    let file = folder.join("Dockerfile");
    fs::write(&file, "FROM scratch\nCOPY . /\n").expect("the folder is writable");
    let image = || {
        let mut command = Command::new("dev/image");
        command.args(["--arch", architecture(), "--file"]).arg(&file);
        output(command.arg("--out").arg(folder.join("image.tar")).arg(&root))
    };
    let refused = image();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(
        error.contains("Dockerfile:2: COPY: bin/program wants a dynamic loader"),
        "{error}"
    );

    run("dev/image-libraries", &[&root]);
    let made = image();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let unpacked = Unpacked::new(&folder.join("image.tar"), "dynamic-image");
    let link = fs::read_link(unpacked.layers[0].join("link")).expect("links stay links");
    assert_eq!(link, Path::new("bin/program"));

    let libc = run("find", &[&root, Path::new("-name"), Path::new("libc.so.6")]);
    fs::remove_file(libc.trim()).expect("libc was brought along");
    let refused = image();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(
        error.contains("wants libc.so.6, which is not in the image"),
        "{error}"
    );
}
