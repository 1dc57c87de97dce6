//! The cgroup that everything of the cluster is in: to measure it, to find what is left of it, and to remove it.
//!
//! In: the mounted hierarchies of cgroup version 1. Out: a group [`NAME`] in each; the kubelet puts its pods below.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// Our group, in every hierarchy; the kubelet's configuration names it too.
const NAME: &str = "function-odoo-e2e";
const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes that the programs and pods hold, and held at most.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Anonymous memory and files without a disk (tmpfs), now.
    pub held: u64,
    /// The same with cached files, at its highest.
    pub peak: u64,
}

/// Makes the groups.
pub fn create() -> Result<()> {
    let hierarchies = hierarchies()?;
    ensure!(
        hierarchies.iter().any(|path| path.ends_with("memory")),
        "this machine has no cgroup version 1 with the memory controller, and version 2 is not supported yet: \
         start it with systemd.unified_cgroup_hierarchy=0"
    );
    for hierarchy in hierarchies {
        let group = hierarchy.join(NAME);
        match fs::create_dir(&group) {
            Err(problem) if problem.kind() != io::ErrorKind::AlreadyExists => {
                return Err(problem).with_context(|| format!("cannot make {}", group.display()));
            }
            Ok(()) | Err(_) => {}
        }
        // A new group of this hierarchy takes no process before it has these.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = fs::read(hierarchy.join(file)) {
                fs::write(group.join(file), value).with_context(|| format!("cannot write {file}"))?;
            }
        }
    }
    Ok(())
}

/// Puts this process into the group that is measured; what it starts is in it from birth.
pub fn join() -> Result<()> {
    for hierarchy in hierarchies()? {
        if hierarchy.ends_with("memory") || hierarchy.ends_with("pids") {
            fs::write(hierarchy.join(NAME).join("cgroup.procs"), "0").context("cannot join the cgroup")?;
        }
    }
    Ok(())
}

/// What the cluster holds; `None` when it is not there.
pub fn memory() -> Option<Memory> {
    let hierarchies = hierarchies().ok()?;
    let group = hierarchies
        .iter()
        .find(|path| path.ends_with("memory"))?
        .join(NAME);
    let statistics = fs::read_to_string(group.join("memory.stat")).ok()?;
    let field = |name: &str| -> Option<u64> {
        statistics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?
            .parse()
            .ok()
    };
    let peak = fs::read_to_string(group.join("memory.max_usage_in_bytes")).ok()?;
    Some(Memory {
        held: field("total_rss")? + field("total_shmem").unwrap_or(0),
        peak: peak.trim().parse().ok()?,
    })
}

/// Removes the groups, once the processes in them have ended.
pub fn remove() -> Result<()> {
    let started = Instant::now();
    // On a machine with both versions runc makes groups of version 2 as well, which nobody else removes.
    for hierarchy in mounted(&["cgroup", "cgroup2"])? {
        let group = hierarchy.join(NAME);
        while group.exists() {
            let Err(problem) = remove_tree(&group) else { break };
            ensure!(
                started.elapsed() < LIMIT,
                "cannot remove {}: {problem}; its processes are in cgroup.procs there",
                group.display()
            );
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// A cgroup's files cannot be removed, and go with it.
fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

fn hierarchies() -> Result<Vec<PathBuf>> {
    mounted(&["cgroup"])
}

fn mounted(kinds: &[&str]) -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read the mounts")?;
    Ok(parse(&mounts, kinds))
}

fn parse(mounts: &str, kinds: &[&str]) -> Vec<PathBuf> {
    let path = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind) = (fields.next()?, fields.next()?);
        kinds.contains(&kind).then(|| PathBuf::from(path))
    };
    mounts.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hierarchies_of_the_wanted_version_count() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(
            parse(mounts, &["cgroup"]),
            [PathBuf::from("/sys/fs/cgroup/memory")]
        );
        assert_eq!(parse(mounts, &["cgroup", "cgroup2"]).len(), 2);
    }
}
