//! Up and down, and the process that stays between them.
//!
//! In: the command. Out: one keeper at a time, which holds the namespaces and, when they end, removes what the kernel
//! leaves: cgroups and the state on disk. What a killed keeper could not remove, the next `up` or `down` does.

use std::{
    env,
    fs::{self, File},
    io::{Read, Seek, Write},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, geteuid, kill_process},
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::{
    cgroup,
    place::{CROSSPLANE, Place, text},
    view,
};

const PAUSE: Duration = Duration::from_millis(50);
/// How long the end of everything may take: Odoo's image is 40 000 files, and a busy disk removes a few hundred a second.
const END_LIMIT: Duration = Duration::from_secs(180);
/// What a shell gives for a command that was interrupted.
const INTERRUPTED: u8 = 130;

/// The running cluster, as the keeper's file names it.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    keeper: Pid,
    /// The process whose namespaces are the cluster's.
    pub holder: Pid,
}

impl Running {
    /// The cluster that runs now.
    pub fn find(place: &Place) -> Option<Self> {
        let line = text(&place.keeper())?;
        let (keeper, holder) = line.split_once(' ')?;
        let pid = |word: &str| Pid::from_raw(word.parse().ok()?);
        let running = Self {
            keeper: pid(keeper)?,
            holder: pid(holder)?,
        };
        // The numbers may be others' by now.
        let is_ours = |pid: Pid, word: &str| {
            fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).is_ok_and(|line| {
                line.split(|byte| *byte == 0)
                    .any(|argument| argument == word.as_bytes())
            })
        };
        (is_ours(running.keeper, "keep") && is_ours(running.holder, "unshare")).then_some(running)
    }
}

/// Starts the cluster unless it is up, and shows how it comes along.
pub fn up(place: &Place, packages: &Path, crossplane: Option<&str>) -> Result<ExitCode> {
    ensure!(
        geteuid().is_root(),
        "a node mounts, makes namespaces and limits memory, which only root may: use sudo"
    );
    let packages = std::path::absolute(packages).context("cannot make the packages' path absolute")?;
    place.check(&packages)?;
    fs::create_dir_all(place.home()).context("cannot make the cluster's folder")?;
    let _lock = lock(place, FlockOperation::NonBlockingLockExclusive)?;
    if Running::find(place).is_some() {
        println!("The cluster is up already.");
        return view::status(place);
    }
    clean(place)?;
    fs::create_dir_all(place.run()).context("cannot make the folder of the state")?;
    if let Some(release) = crossplane {
        fs::write(place.crossplane_file(), format!("{CROSSPLANE}-{release}"))
            .context("cannot write which Crossplane it is")?;
        let image = place.crossplane().join("image.tar");
        ensure!(
            image.exists(),
            "there is no Crossplane {release}: run dev/install-tools crossplane-core-{release} cluster-images"
        );
    }
    fs::write(place.packages_file(), packages.as_os_str().as_encoded_bytes())
        .context("cannot write where the packages are")?;
    let _ignored = fs::remove_dir_all(place.logs());
    fs::create_dir_all(place.logs()).context("cannot make the folder of the logs")?;
    let log = File::create(place.log("cluster")).context("cannot write a log")?;
    let keeper = Command::new("setsid")
        .arg(env::current_exe().context("cannot tell what this program is")?)
        .arg("--cache")
        .arg(place.cache())
        .arg("keep")
        .arg(&packages)
        .stdin(Stdio::null())
        .stderr(log.try_clone().context("cannot share the log")?)
        .stdout(log)
        .spawn()
        .context("cannot start setsid, which is part of util-linux")?;
    follow(place, keeper)
}

/// Copies the keeper's log to the person until everything is ready.
fn follow(place: &Place, mut keeper: Child) -> Result<ExitCode> {
    let stop = stop_flag()?;
    let mut log = File::open(place.log("cluster")).context("cannot read the log")?;
    loop {
        let is_ready = place.ready().exists();
        let ended = keeper.try_wait().context("cannot ask after the keeper")?;
        copy(&mut log)?;
        if let Some(status) = ended {
            bail!(
                "the cluster did not come up ({status}); the logs are in {}",
                place.logs().display()
            );
        }
        if is_ready {
            return Ok(ExitCode::SUCCESS);
        }
        if stop.load(Ordering::Relaxed) {
            println!("interrupted: ending the cluster");
            end(keeper.id())?;
            keeper.wait().context("cannot wait for the keeper")?;
            return Ok(ExitCode::from(INTERRUPTED));
        }
        thread::sleep(PAUSE);
    }
}

fn copy(log: &mut File) -> Result<()> {
    let position = log
        .stream_position()
        .context("cannot tell how far the log was read")?;
    let mut news = Vec::new();
    log.read_to_end(&mut news).context("cannot read the log")?;
    // A line that is still being written waits.
    let whole = news
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    std::io::stdout()
        .write_all(&news[..whole])
        .context("cannot write")?;
    log.seek(std::io::SeekFrom::Start(position + whole as u64))
        .context("cannot read the log")?;
    Ok(())
}

/// Ends the cluster, and removes what a killed one has left.
pub fn down(place: &Place) -> Result<ExitCode> {
    if !place.home().exists() {
        println!("There was no cluster.");
        return Ok(ExitCode::SUCCESS);
    }
    let started = Instant::now();
    let running = Running::find(place);
    if let Some(running) = running {
        end(running.keeper.as_raw_nonzero().get().unsigned_abs())?;
        while Running::find(place).is_some() || place.keeper().exists() {
            ensure!(
                started.elapsed() < END_LIMIT,
                "the cluster does not end; its keeper is process {}",
                running.keeper.as_raw_nonzero()
            );
            thread::sleep(PAUSE);
        }
    }
    // Whoever was bringing it up has still to say that it is gone.
    let _lock = lock(place, FlockOperation::LockExclusive)?;
    clean(place)?;
    match running {
        Some(_) => println!(
            "The cluster is down after {:.1} s.",
            started.elapsed().as_secs_f32()
        ),
        None => println!("No cluster was up; nothing of one is left."),
    }
    Ok(ExitCode::SUCCESS)
}

fn end(keeper: u32) -> Result<()> {
    let pid = Pid::from_raw(keeper.cast_signed()).context("the keeper has no process")?;
    kill_process(pid, Signal::TERM).context("cannot end the keeper")
}

/// Keeps the cluster until it ends or is told to.
pub fn keep(place: &Place, packages: &Path) -> Result<ExitCode> {
    let stop = stop_flag()?;
    cgroup::create()?;
    // The kernel ends the holder with us, and all of the cluster with its first process.
    let mut holder = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "unshare"])
        .args([
            "--net",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--mount-proc",
        ])
        .args(["--fork", "--kill-child=KILL", "--"])
        .arg(env::current_exe().context("cannot tell what this program is")?)
        .arg("--cache")
        .arg(place.cache())
        .arg("inside")
        .arg(packages)
        .stdin(Stdio::null())
        .spawn()
        .context("cannot start setpriv, which is part of util-linux")?;
    let us = std::process::id();
    fs::write(place.keeper(), format!("{us} {}\n", holder.id())).context("cannot write who we are")?;
    let status = loop {
        if let Some(status) = holder.try_wait().context("cannot ask after the cluster")? {
            break status;
        }
        if stop.load(Ordering::Relaxed) {
            holder.kill().context("cannot end the cluster")?;
        }
        thread::sleep(PAUSE);
    };
    clean(place)?;
    ensure!(
        stop.load(Ordering::Relaxed),
        "the cluster ended by itself: {status}"
    );
    Ok(ExitCode::SUCCESS)
}

/// Removes what outlives the processes.
fn clean(place: &Place) -> Result<()> {
    cgroup::remove()?;
    if place.run().exists() {
        fs::remove_dir_all(place.run())
            .with_context(|| format!("cannot remove {}", place.run().display()))?;
    }
    // Last, since whoever waits for the end waits for this.
    if place.keeper().exists() {
        fs::remove_file(place.keeper()).context("cannot remove the keeper's file")?;
    }
    Ok(())
}

/// One `up` or `down` at a time.
fn lock(place: &Place, operation: FlockOperation) -> Result<File> {
    let file = File::create(place.home().join("lock")).context("cannot write the lock")?;
    flock(&file, operation).context("another dev/up or dev/down is at work; wait for it")?;
    Ok(file)
}

fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("cannot listen to signals")?;
    }
    Ok(flag)
}
