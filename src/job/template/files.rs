//! The filestore of a template, which serves two builds at once while the one takes the place of the other.
//!
//! In: the directory of a build. Out: the template's directory with the build's files added. Files are named after their
//! content, so two builds in one directory do not disturb each other, and no directory is ever renamed: whatever
//! database has the template's name, its files are there, also when we are killed. A manifest for each build says which
//! files are its own. Those of the build before stay for one more, since a tenant that was cloned from it may still have
//! to copy them.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::job::{
    failure::{Attempted, Failure},
    filestore::{Filestore, StoredFile},
};

/// What a manifest's name begins and ends with. It is not named like content, so nobody takes it for an attachment.
const MANIFEST: (&str, &str) = ("template-", ".json");
/// What a file is called until it is whole.
const UNFINISHED: &str = ".unfinished";

/// The files of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The marker's id of the template.
    pub id: String,
    /// The build.
    pub build: String,
    /// Names and bytes.
    pub files: Vec<(String, u64)>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Manifest {
    /// Its bytes, all together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Writes down which files a finished build has.
pub async fn write_manifest(filestore: Filestore, id: String, build: String) -> Attempted<Manifest> {
    blocking(move || {
        let files = filestore.files()?;
        let files = files.into_iter().map(|StoredFile { name, bytes }| (name, bytes));
        let manifest = Manifest {
            id,
            build,
            files: files.collect(),
        };
        save(filestore.path(), &manifest)?;
        Ok(manifest)
    })
    .await
}

/// The manifest of a build, when all of its files are there.
pub async fn complete(filestore: Filestore, build: String) -> Attempted<Option<Manifest>> {
    blocking(move || {
        let Some(manifest) = load(&manifest_path(filestore.path(), &build)) else {
            return Ok(None);
        };
        let there: BTreeSet<_> = filestore
            .files()?
            .into_iter()
            .map(|StoredFile { name, bytes }| (name, bytes))
            .collect();
        let is_complete = manifest.files.iter().all(|file| there.contains(file));
        Ok(Some(manifest).filter(|_| is_complete))
    })
    .await
}

/// Adds the files of a build to the template's directory, the manifest last.
pub async fn add(from: Filestore, to: Filestore, manifest: Manifest) -> Attempted<()> {
    blocking(move || {
        for (name, bytes) in &manifest.files {
            let target = to.path().join(name);
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
            }
            place(&from.path().join(name), &target, *bytes).map_err(|error| unwritable(&target, &error))?;
        }
        save(to.path(), &manifest)
    })
    .await
}

/// Removes what is of none of these builds: files, manifests, halves of files.
pub async fn prune(filestore: Filestore, builds: Vec<String>) -> Attempted<Removed> {
    blocking(move || {
        let keeps = builds.iter().map(|build| manifest_path(filestore.path(), build));
        let manifests: Vec<(PathBuf, Manifest)> = keeps
            .filter_map(|path| Some((path.clone(), load(&path)?)))
            .collect();
        let own: BTreeSet<&str> = manifests
            .iter()
            .flat_map(|(_, manifest)| manifest.files.iter().map(|(name, _)| name.as_str()))
            .collect();
        let mut removed = Removed::default();
        for file in filestore.files()? {
            if !own.contains(file.name.as_str()) {
                remove_file(&filestore.path().join(&file.name))?;
                removed.files += 1;
                removed.bytes += file.bytes;
            }
        }
        for path in all_manifests(filestore.path()) {
            if !manifests.iter().any(|(kept, _)| *kept == path) {
                remove_file(&path)?;
            }
        }
        remove_halves(filestore.path())?;
        Ok(removed)
    })
    .await
}

/// Whether the directory is there and no manifest in it says that it is of the template with this id.
pub async fn is_foreign(filestore: Filestore, id: String) -> Attempted<bool> {
    blocking(move || {
        let is_ours = all_manifests(filestore.path())
            .iter()
            .any(|path| load(path).is_some_and(|manifest| manifest.id == id));
        Ok(filestore.path().symlink_metadata().is_ok() && !is_ours)
    })
    .await
}

/// Removes a whole directory.
pub async fn remove(filestore: Filestore) -> Attempted<Removed> {
    blocking(move || {
        let path = filestore.path();
        let files = filestore.files()?;
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(path, &error)),
            _ => {}
        }
        Ok(Removed {
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
        })
    })
    .await
}

/// Whether files can be written at all: the data directory is there, and ours.
pub async fn check_writable(data_directory: &str) -> Attempted<()> {
    let data = PathBuf::from(data_directory);
    blocking(move || {
        if !data.is_dir() {
            return Err(Failure::give_up(
                "FilestoreUnwritable",
                format!(
                    "there is no folder {}; the Job must mount Odoo's data directory there",
                    data.display()
                ),
            ));
        }
        let folder = data.join("filestore");
        let probe = folder.join(format!(".odoo-job-{}{UNFINISHED}", std::process::id()));
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&probe, b"writable"));
        remove_file(&probe)?;
        match written {
            // What an earlier run has left may be what fills it.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
            Err(error) => Err(unwritable(&folder, &error)),
            Ok(()) => Ok(()),
        }
    })
    .await
}

/// Runs work with files where it does not hold up the connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Attempted<T> + Send + 'static) -> Attempted<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Failure::retry(
            "FilestoreUnwritable",
            format!("the work on the filestore was cut off: {error}"),
        ))
    })
}

fn manifest_path(folder: &Path, build: &str) -> PathBuf {
    folder.join(format!("{}{build}{}", MANIFEST.0, MANIFEST.1))
}

fn all_manifests(folder: &Path) -> Vec<PathBuf> {
    names(folder)
        .into_iter()
        .filter(|name| name.starts_with(MANIFEST.0) && name.ends_with(MANIFEST.1))
        .map(|name| folder.join(name))
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// A manifest that cannot be read is none: its build is made again.
fn load(path: &Path) -> Option<Manifest> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn save(folder: &Path, manifest: &Manifest) -> Attempted<()> {
    let path = manifest_path(folder, &manifest.build);
    let unfinished = half(&path);
    // Plain data, which serde_json can always represent.
    let text = serde_json::to_vec(manifest).unwrap_or_default();
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&unfinished, text))
        .and_then(|()| fs::rename(&unfinished, &path))
        .map_err(|error| unwritable(&path, &error))
}

/// Puts a file there, whole or not at all. A second name for it costs nothing; not every file system has that.
fn place(from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
    if fs::metadata(to).is_ok_and(|metadata| metadata.len() == bytes) {
        return Ok(());
    }
    let unfinished = half(to);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if fs::hard_link(from, &unfinished).is_err() {
        fs::copy(from, &unfinished)?;
    }
    fs::rename(&unfinished, to)
}

fn half(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

fn remove_halves(folder: &Path) -> Attempted<()> {
    for name in names(folder) {
        let path = folder.join(&name);
        if name.ends_with(UNFINISHED) {
            remove_file(&path)?;
        } else if name.len() == 2 && path.is_dir() {
            remove_halves(&path)?;
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> Attempted<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, &error)),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let what = format!("cannot write {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::retry("DiskFull", format!("{what}; make room on the filestore's volume"))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::give_up(
            "FilestoreUnwritable",
            format!("{what}; the volume must belong to the uid of the Job's container"),
        ),
        _ => Failure::retry("FilestoreUnwritable", what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data directory of a test.
    struct Data(tempfile::TempDir);

    impl Data {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn filestore(&self, name: &str) -> Filestore {
            Filestore::new(self.0.path().to_str().unwrap(), name).unwrap()
        }

        /// A directory with files of these first letters.
        fn with_files(&self, name: &str, letters: &[char]) -> Filestore {
            let filestore = self.filestore(name);
            for letter in letters {
                let file = letter.to_string().repeat(40);
                let folder = filestore.path().join(&file[..2]);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(&file), format!("content {letter}")).unwrap();
            }
            filestore
        }

        fn letters(&self, name: &str) -> String {
            let files = self.filestore(name).files().unwrap();
            files
                .iter()
                .map(|file| file.name.chars().next().unwrap())
                .collect()
        }
    }

    async fn swap(data: &Data, build: &str, letters: &[char], keep: &[&str]) {
        let (from, to) = (data.with_files(build, letters), data.filestore("template"));
        let manifest = write_manifest(from.clone(), "id".to_owned(), build.to_owned())
            .await
            .unwrap();
        add(from.clone(), to.clone(), manifest).await.unwrap();
        remove(from).await.unwrap();
        let keep = keep.iter().map(|build| (*build).to_owned()).collect();
        prune(to, keep).await.unwrap();
    }

    #[tokio::test]
    async fn a_build_and_the_one_before_have_their_files() {
        let data = Data::new();
        swap(&data, "b1", &['a', 'b'], &["b1"]).await;
        assert_eq!(data.letters("template"), "ab");
        swap(&data, "b2", &['b', 'c'], &["b2", "b1"]).await;
        assert_eq!(data.letters("template"), "abc");
        swap(&data, "b3", &['d'], &["b3", "b2"]).await;
        assert_eq!(data.letters("template"), "bcd");
        let complete = |build: &str| complete(data.filestore("template"), build.to_owned());
        assert_eq!(complete("b3").await.unwrap().unwrap().files.len(), 1);
        assert!(complete("b2").await.unwrap().is_some());
        assert!(complete("b1").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_that_was_cut_off_is_missing_and_is_put_there_again() {
        let data = Data::new();
        swap(&data, "b1", &['a'], &["b1"]).await;
        let template = data.filestore("template");
        let file = template.path().join("aa").join("a".repeat(40));
        fs::write(&file, "con").unwrap();
        assert!(
            complete(template.clone(), "b1".to_owned())
                .await
                .unwrap()
                .is_none()
        );
        fs::write(template.path().join("aa/x.unfinished"), "half").unwrap();
        swap(&data, "b1", &['a'], &["b1"]).await;
        assert!(
            complete(template.clone(), "b1".to_owned())
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!(fs::read_to_string(file).unwrap(), "content a");
        assert_eq!(names(&template.path().join("aa")), ["a".repeat(40)]);
    }

    #[tokio::test]
    async fn a_directory_of_somebody_else_is_told_apart() {
        let data = Data::new();
        let foreign = |id: &str| is_foreign(data.filestore("template"), id.to_owned());
        assert!(!foreign("id").await.unwrap(), "there is none");
        swap(&data, "b1", &['a'], &["b1"]).await;
        assert!(!foreign("id").await.unwrap());
        assert!(foreign("other").await.unwrap());
        let other = data.with_files("other", &['a']);
        assert!(is_foreign(other, "id".to_owned()).await.unwrap());
    }
}
