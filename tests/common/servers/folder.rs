//! Folders for the data of servers.
//!
//! In: a name. Out: a fresh folder of this test program, gone when its owner is. A program that was killed leaves its
//! own behind: each program holds a lock on its folder for life, so the next one sees which are free to be removed.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
};

use super::{tmpfs, unique};

/// A folder that is removed when this value is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// An empty folder that everybody may enter (a server may run as another user) and only we may write.
    pub fn new(name: &str) -> Self {
        let path = program().join(unique(name));
        fs::create_dir(&path).expect("the folder for temporary files is writable");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it is ours");
        Self { path }
    }

    /// Where it is; absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it, or a folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that only we may read, since it has a password in it.
    pub fn write_secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, "").expect("the folder is writable");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("it is ours");
        fs::write(&path, text).expect("the folder is writable");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind, say because a server is still writing, is cleared away by the next program.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// This program's own folder, and the lock that says that it is in use.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<(PathBuf, File)> = OnceLock::new();
    let (path, _lock) = PROGRAM.get_or_init(|| {
        let user = fs::metadata("/proc/self").expect("Linux has it").uid();
        let base = env::temp_dir().join(format!("function-odoo-tests-{user}"));
        fs::create_dir_all(&base).expect("the folder for temporary files is writable");
        // Between making a folder and locking it nobody else may look.
        let sweeping = File::create(base.join("lock")).expect("the folder is ours");
        sweeping.lock().expect("the file system knows locks");
        sweep(&base);
        let path = base.join(process::id().to_string());
        fs::create_dir(&path).expect("one of a process that is gone was swept away");
        let lock = File::create(path.join("lock")).expect("the folder is new");
        lock.lock().expect("nobody else has it");
        (path, lock)
    });
    path
}

/// Removes the folders of programs that are gone.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).expect("it was just made").flatten() {
        if is_abandoned(&entry.path()) {
            tmpfs::unmount_below(&entry.path());
            // A server that is just dying may still write; the next program tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether this is a program's folder, and the program is gone.
fn is_abandoned(folder: &Path) -> bool {
    match File::open(folder.join("lock")).map(|lock| lock.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) => false,
        // A sweep that was cut short has removed the lock first.
        Err(error) => folder.is_dir() && error.kind() == io::ErrorKind::NotFound,
    }
}
