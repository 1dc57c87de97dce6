//! A next release of the packages, for upgrading the ones that are installed.
//!
//! In: the packages that the cluster came up with, and a tag. Out: both in the registry under that tag. They do the same
//! as before and are not the same: the Function's metadata name the tag, and the Platform of the Compositions has the Jobs
//! run the image of that tag, as every release of ours changes it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};

use crate::{kubectl::checked, place::Place, view};

const FUNCTION: &str = include_str!("../../../function/package/crossplane.yaml");
const PLATFORM: &str = include_str!("../manifests/platform-input.yaml");
const COMPOSITIONS: [&str; 2] = ["planaclient", "templatesnapshot"];
const ANNOTATIONS: &str = "  annotations:\n";

/// Makes and pushes them.
pub fn publish(place: &Place, tag: &str) -> Result<ExitCode> {
    let is_tag = |character: char| character.is_ascii_alphanumeric() || ".-".contains(character);
    ensure!(
        tag.starts_with('v') && tag.chars().all(is_tag),
        "'{tag}' is not a tag such as v0.1.1"
    );
    let packages = place.packages()?;
    let root = place.run().join("release");
    if root.exists() {
        fs::remove_dir_all(&root).context("cannot remove the last release")?;
    }
    fs::create_dir_all(root.join("none")).context("cannot make a folder")?;
    let release = Release {
        place,
        packages,
        root,
        tag,
    };
    let function = release.function()?;
    release.push(&function, "function-odoo")?;
    let configuration = release.configuration()?;
    release.push(&configuration, "configuration-odoo")?;
    println!("function-odoo:{tag} and configuration-odoo:{tag} are in the registry.");
    Ok(ExitCode::SUCCESS)
}

struct Release<'a> {
    place: &'a Place,
    packages: PathBuf,
    root: PathBuf,
    tag: &'a str,
}

impl Release<'_> {
    fn function(&self) -> Result<PathBuf> {
        let sources = source("function/package");
        let root = self.root.join("function");
        copy(&sources, &root)?;
        let note = format!("{ANNOTATIONS}    planapulse.com/release: {}\n", self.tag);
        ensure!(
            FUNCTION.contains(ANNOTATIONS),
            "the Function's metadata have annotations"
        );
        write(
            &root.join("crossplane.yaml"),
            &FUNCTION.replacen(ANNOTATIONS, &note, 1),
        )?;
        let image = self.packages.join("function-odoo-amd64.tar");
        let image = format!("--embed-runtime-image-tarball={}", image.display());
        self.build("function", &[&image])
    }

    fn configuration(&self) -> Result<PathBuf> {
        let root = self.root.join("configuration");
        copy(&source("package"), &root)?;
        let image = format!("git.planapulse.com/plana-pulse/function-odoo:{}", self.tag);
        let platform = self.root.join("platform.yaml");
        write(&platform, &format!("{PLATFORM}jobs:\n  image: {image}\n"))?;
        for name in COMPOSITIONS {
            let file = Path::new(name).join("composition.yaml");
            let output = Command::new(self.packages.join("amd64/function-odoo"))
                .arg("composition")
                .arg(source("package").join(&file))
                .arg("--platform")
                .arg(&platform)
                .output()
                .context("cannot start function-odoo")?;
            write(&root.join(&file), &checked(&output, "function-odoo composition")?)?;
        }
        self.build("configuration", &[])
    }

    fn build(&self, name: &str, further: &[&str]) -> Result<PathBuf> {
        let file = self.root.join(format!("{name}.xpkg"));
        let output = Command::new(self.place.tool("crossplane"))
            .args(["xpkg", "build"])
            .arg(format!("--package-root={}", self.root.join(name).display()))
            .arg(format!("--examples-root={}", self.root.join("none").display()))
            .arg(format!("--package-file={}", file.display()))
            .args(further)
            .output()
            .context("cannot start crossplane")?;
        checked(&output, "crossplane xpkg build").map(|_| file)
    }

    fn push(&self, file: &Path, name: &str) -> Result<()> {
        let output = view::enter_cluster(self.place)?
            .arg(self.place.tool("crossplane"))
            .args(["xpkg", "push", "-f"])
            .arg(file)
            .arg(format!(
                "{}/plana-pulse/{name}:{}",
                crate::place::REGISTRY,
                self.tag
            ))
            .output()
            .context("cannot start nsenter")?;
        checked(&output, "crossplane xpkg push").map(drop)
    }
}

/// A folder of the sources that this program was built from.
fn source(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A folder with what is below it, links as what they lead to.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let path = entry.context("cannot read a folder")?.path();
        let target = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}
