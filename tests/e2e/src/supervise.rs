//! The order in which everything starts.
//!
//! In: namespaces of our own. Out: a cluster with function-odoo installed, and then a watch over its programs. What
//! takes long and needs nobody (the API server) is started first and waited for last.

use std::{fs, path::Path, process::ExitCode, thread, time::Duration};

use anyhow::{Context, Result};

use crate::{
    certificates::Authority,
    cgroup, crossplane, gateway,
    kubectl::Kubectl,
    machine, node,
    place::{Place, RUN},
    plane, platform, postgres,
    program::Programs,
    services, view, workers,
};

const WATCH: Duration = Duration::from_secs(1);

/// Brings everything up, and stays.
pub fn run(place: &Place, packages: &Path) -> Result<ExitCode> {
    let mut programs = Programs::new(place);
    let result = bring_up(place, packages, &mut programs);
    if let Err(problem) = result {
        println!("cannot bring the cluster up: {problem:#}");
        return Ok(ExitCode::FAILURE);
    }
    loop {
        if programs.look() {
            programs.record()?;
        }
        thread::sleep(WATCH);
    }
}

fn bring_up(place: &Place, packages: &Path, programs: &mut Programs) -> Result<()> {
    machine::prepare(place)?;
    Authority::new(Path::new(RUN))?.write_all()?;
    node::configure()?;
    programs.say("the machine has its network and its certificates");
    let kubectl = Kubectl::new(place);
    plane::start(programs)?;
    services::start(programs)?;
    postgres::start(programs)?;
    node::start(programs, place)?;
    let passwords = postgres::finish(programs)?;
    let version = version()?;
    crossplane::push(programs, place, packages, &version)?;
    plane::finish(programs, &kubectl)?;
    crossplane::start(programs, place, &kubectl)?;
    node::finish(programs, &kubectl)?;
    let odoo = workers::push(programs, place)?;
    gateway::start(programs, place, &kubectl)?;
    crossplane::install(programs, &kubectl, &version)?;
    services::finish(programs)?;
    platform::apply(programs, &kubectl, &passwords.admin)?;
    workers::start(programs, &kubectl, odoo, &passwords.pool)?;
    gateway::finish(programs, &kubectl)?;
    workers::finish(programs, &kubectl)?;
    programs.record()?;
    let memory = cgroup::memory().map(view::memory).unwrap_or_default();
    let seconds = programs.elapsed().as_secs_f32();
    println!("The cluster is up after {seconds:.1} s{memory}. Try: dev/kubectl get pods -A");
    fs::write(place.ready(), format!("{seconds:.1}\n")).context("cannot say that all is ready")
}

/// The version of the packages, which is the product's.
fn version() -> Result<String> {
    let version = include_str!("../../../Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(format!("v{}", version.context("Cargo.toml has a version")?))
}
