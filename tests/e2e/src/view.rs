//! What a person looks at from outside: status, logs, kubectl, psql, curl, Redis, the bucket.
//!
//! In: the running cluster. Out: text; the programs run in the cluster's network and take this process's place.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::{
    cgroup::{self, Memory},
    doubles::{self, System},
    gateway,
    keeper::Running,
    place::{Place, text},
    postgres, services,
};

const MEBIBYTE: u64 = 1 << 20;

/// Programs, nodes and pods; fails when there is no cluster.
pub fn status(place: &Place) -> Result<ExitCode> {
    let Some(running) = Running::find(place) else {
        print("No cluster is up; start one with dev/up.\n")?;
        return Ok(ExitCode::FAILURE);
    };
    let Some(seconds) = text(&place.ready()) else {
        print("The cluster is coming up; dev/logs cluster tells how far it is.\n")?;
        return Ok(ExitCode::FAILURE);
    };
    let memory = cgroup::memory().map(memory).unwrap_or_default();
    let programs = text(&place.programs()).unwrap_or_default();
    print(&format!("Came up in {seconds} s{memory}.\n\n{programs}\n"))?;
    for kinds in ["nodes", "pkg", "pods --all-namespaces", "planaclients"] {
        print("\n")?;
        let arguments: Vec<_> = ["get"].into_iter().chain(kinds.split(' ')).collect();
        enter_kubectl(place, running)
            .args(arguments)
            .status()
            .context("cannot start nsenter")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes at once; a reader that has seen enough (`head`) is no problem.
fn print(text: &str) -> Result<()> {
    let mut output = std::io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(problem) if problem.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write"),
    }
}

/// How much it holds, as the end of a sentence.
pub fn memory(memory: Memory) -> String {
    let [held, peak] = [memory.held, memory.peak].map(|bytes| bytes / MEBIBYTE);
    format!(", holds {held} MiB (with cached files {peak} MiB at its highest)")
}

/// One log, or the names of all.
pub fn logs(place: &Place, name: Option<&str>) -> Result<ExitCode> {
    if let Some(name) = name {
        let path = place.log(name);
        let log = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}; dev/logs names them", path.display()))?;
        print(&log)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut names: Vec<_> = fs::read_dir(place.logs())
        .context("there are no logs: start the cluster with dev/up")?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    print(&format!(
        "{}\n\nPods: dev/kubectl logs -n NAMESPACE POD\n",
        names.join("\n")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// kubectl instead of us.
pub fn kubectl(place: &Place, arguments: &[String]) -> Result<ExitCode> {
    let problem = enter_kubectl(place, find(place)?).args(arguments).exec();
    Err(problem).context("cannot start nsenter, which is part of util-linux")
}

/// psql instead of us.
pub fn psql(place: &Place, arguments: &[String]) -> Result<ExitCode> {
    let psql = postgres::psql(&place.run(), "postgres")?;
    let mut command = enter(find(place)?);
    command.arg(psql.get_program()).args(arguments);
    for (name, value) in psql.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    Err(command.exec()).context("cannot start nsenter, which is part of util-linux")
}

/// A command instead of us.
pub fn run(place: &Place, command: &[String]) -> Result<ExitCode> {
    let problem = enter(find(place)?).args(command).exec();
    Err(problem).context("cannot start nsenter, which is part of util-linux")
}

/// Removes a tenant's directory of the filestore volume, where there is one.
pub fn forget_files(place: &Place, database: &str) -> Result<ExitCode> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-._~".contains(character);
    ensure!(
        !database.starts_with('.') && !database.is_empty() && database.chars().all(is_name),
        "'{database}' is not the name of a database"
    );
    let folder = place.run().join("filestore-19/filestore").join(database);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// redis-cli instead of us.
pub fn redis(place: &Place, arguments: &[String]) -> Result<ExitCode> {
    let mut command = enter(find(place)?);
    // By the environment: arguments are everybody's to read.
    command.env(
        "REDISCLI_AUTH",
        services::secret_of(&place.run(), services::REDIS)?,
    );
    command.args(["redis-cli", "-h", "127.0.0.1"]).args(arguments);
    Err(command.exec()).context("cannot start nsenter, which is part of util-linux")
}

/// The objects of the bucket with their sizes, or the content of one: the server keeps them as files.
pub fn s3(place: &Place, key: Option<&str>) -> Result<ExitCode> {
    find(place)?;
    let bucket = services::bucket(&place.run());
    let objects = services::objects(&bucket)?;
    let Some(key) = key else {
        let mut lines: Vec<_> = objects
            .iter()
            .map(|(key, size)| format!("{size:12}  {key}"))
            .collect();
        lines.push(format!("{} objects in {}\n", objects.len(), services::BUCKET));
        print(&lines.join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    };
    ensure!(
        objects.contains_key(key),
        "there is no object {key}; dev/s3 lists them"
    );
    let mut object = fs::File::open(bucket.join(key)).with_context(|| format!("cannot read {key}"))?;
    std::io::copy(&mut object, &mut std::io::stdout()).with_context(|| format!("cannot print {key}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Tells one of the doubles to fail.
pub fn misbehave(
    place: &Place,
    system: &str,
    status: u16,
    times: u64,
    about: Option<&str>,
) -> Result<ExitCode> {
    let control = json!({"system": system, "status": status, "times": times, "about": about});
    let address = format!("http://127.0.0.1:{}{}", System::Portal.port(), doubles::CONTROL);
    let mut command = enter(find(place)?);
    command.args(["curl", "--silent", "--show-error", "--fail-with-body", "--data"]);
    command
        .arg(control.to_string())
        .args([&address, "--write-out", "\n"]);
    Err(command.exec()).context("cannot start nsenter, which is part of util-linux")
}

/// curl instead of us. No name of the web is known in there: a connection with https goes to the gateway, whatever
/// its host, as it would where the tenants' names are in the DNS.
pub fn curl(place: &Place, arguments: &[String]) -> Result<ExitCode> {
    let mut command = enter(find(place)?);
    command.args(["curl", "--noproxy", "*", "--cacert"]);
    command.arg(place.run().join("pki/ca.crt"));
    command
        .arg("--connect-to")
        .arg(format!(":443:{}:443", gateway::ADDRESS));
    let problem = command.args(arguments).exec();
    Err(problem).context("cannot start nsenter, which is part of util-linux")
}

fn find(place: &Place) -> Result<Running> {
    match Running::find(place) {
        Some(running) => Ok(running),
        None => bail!("no cluster is up; start one with dev/up"),
    }
}

/// A command in the network of the cluster that is up.
pub fn enter_cluster(place: &Place) -> Result<Command> {
    Ok(enter(find(place)?))
}

/// A command in the cluster's network; the files are those of the machine.
fn enter(running: Running) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg("--target")
        .arg(running.holder.as_raw_nonzero().to_string())
        .args(["--net", "--"]);
    command
}

fn enter_kubectl(place: &Place, running: Running) -> Command {
    let mut command = enter(running);
    command
        .env("KUBECONFIG", place.run().join("admin.kubeconfig"))
        .arg(place.tool("kubectl"));
    command
}
