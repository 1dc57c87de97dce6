//! Small file systems, to run full.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{folder::Folder, process::is_root};
use crate::common;

/// A file system in memory, unmounted when this value is dropped.
#[derive(Debug)]
pub struct Tmpfs {
    folder: Folder,
}

impl Tmpfs {
    /// Mounts one with room for this many bytes; only root can, so others are told to return.
    pub fn mount(bytes: u64) -> Option<Self> {
        if !common::may_go_on("a tmpfs, run the tests as root", is_root()) {
            return None;
        }
        let folder = Folder::new("tmpfs");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0755"), "tmpfs"])
            .arg(folder.path())
            .output()
            .expect("mount is part of every Linux");
        let problem = String::from_utf8_lossy(&mounted.stderr);
        let how = format!(
            "a tmpfs, run the tests where root may mount one: {}",
            problem.trim()
        );
        common::may_go_on(&how, mounted.status.success()).then_some(Self { folder })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount_below(self.folder.path());
    }
}

/// Unmounts whatever is mounted at this folder or below it, in use or not.
pub fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // The fifth word of a line is the mount point; ours have no character that is written in another way there.
    let points = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from);
    for point in points.filter(|point| point.starts_with(folder)) {
        let _ = Command::new("umount").arg("--lazy").arg(point).status();
    }
}
