//! The machine that the cluster sees: its own view of the disk, its own network, its own idea of the kernel.
//!
//! In: fresh namespaces. Out: nothing in here reaches another machine, and nothing that is mounted or written outside
//! the cluster's folder outlives it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::place::{ADDRESS, NODE, Place, RUN};

/// What the kubelet sets for the whole machine unless it is so already: it reads these here, and sets nothing.
const KERNEL: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];
/// Folders that programs write to whatever they are told.
const WRITTEN: [&str; 2] = ["/var/lib", "/var/log"];

/// Makes all of it.
pub fn prepare(place: &Place) -> Result<()> {
    mount_folders(place)?;
    pretend_kernel()?;
    make_network()
}

fn mount_folders(place: &Place) -> Result<()> {
    // Before /run is covered, since the cache may be below it.
    let open = |path: &Path| fs::File::open(path).with_context(|| format!("cannot open {}", path.display()));
    let held = [open(&place.run())?, open(&place.node())?];
    run("mount", &["-t", "tmpfs", "-o", "mode=0755", "e2e", "/run"])?;
    for (folder, file) in [RUN, NODE].into_iter().zip(&held) {
        fs::create_dir(folder).with_context(|| format!("cannot make {folder}"))?;
        let source = format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            std::os::fd::AsRawFd::as_raw_fd(file)
        );
        run("mount", &["--bind", &source, folder])?;
    }
    for folder in WRITTEN {
        let layer = format!("/run/written{}", folder.replace('/', "-"));
        for part in ["upper", "work"] {
            fs::create_dir_all(format!("{layer}/{part}")).context("cannot make a layer")?;
        }
        let options = format!("lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work");
        run("mount", &["-t", "overlay", "-o", &options, "e2e", folder])?;
    }
    fs::create_dir_all("/run/netns").context("cannot make /run/netns")?;
    fs::create_dir_all("/run/lock").context("cannot make /run/lock")?;
    // The names of this cluster, and never those of the machine's resolver.
    fs::write("/run/resolv.conf", format!("nameserver {ADDRESS}\n")).context("cannot write resolv.conf")?;
    let _present = symlink("/run/resolv.conf", "/run/e2e/resolv.conf");
    Ok(())
}

fn pretend_kernel() -> Result<()> {
    fs::create_dir("/run/kernel").context("cannot make /run/kernel")?;
    for (name, value) in KERNEL {
        let source = format!("/run/kernel/{}", name.replace('/', "."));
        fs::write(&source, format!("{value}\n")).with_context(|| format!("cannot write {source}"))?;
        run("mount", &["--bind", &source, &format!("/proc/sys/{name}")])?;
    }
    Ok(())
}

fn make_network() -> Result<()> {
    for arguments in [
        "link set lo up",
        "link add cni0 type bridge",
        &format!("address add {ADDRESS}/24 dev cni0"),
        "link set cni0 up",
        // The API server and the proxy want a default route; this one leads nowhere.
        "route add default dev cni0",
    ] {
        run("ip", &arguments.split(' ').collect::<Vec<_>>())?;
    }
    for setting in ["ip_forward", "conf/all/route_localnet"] {
        fs::write(format!("/proc/sys/net/ipv4/{setting}"), "1")
            .with_context(|| format!("cannot set net.ipv4.{setting}"))?;
    }
    Ok(())
}

/// Runs a command to its end; its complaint is the error.
pub fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
