//! Restoring by plain tools, with the commands that `docs/backups.md` tells operators.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    common,
    servers::{
        folder::Folder,
        postgres::{POOL, SUPERUSER},
        unique,
    },
    tenant::Tenant,
};

/// The block of commands in the documentation, and how it differs for gzip.
fn commands() -> String {
    let text = include_str!("../../docs/backups.md");
    let after = text
        .split("## Restoring by hand")
        .nth(1)
        .expect("the section is there");
    let block = after
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    block.expect("it has a block of commands").to_owned()
}

/// Restores a backup whose objects are in `folder`, beside the tenant, and compares everything.
pub fn prove_same(tenant: &Tenant, folder: &Path, id: &str) {
    if !common::real_component("zstd", has_program("zstd")) {
        return;
    }
    let data = Folder::new("restored");
    let restored = unique("restored");
    let time = id.rsplit('/').next().expect("it has a last part");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command
        .args(["-euc", &commands()])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", tenant.postgres.bin().display()))
        .env("ID", time)
        .env("DATABASE", &restored)
        .env("OWNER", POOL)
        .env("DATA_DIRECTORY", data.path());
    for (name, value) in tenant.postgres.environment(SUPERUSER, SUPERUSER) {
        if name != "PGDATABASE" {
            command.env(name, value);
        }
    }
    let output = command.output().expect("sh is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(contents(tenant, &tenant.database), contents(tenant, &restored));
    assert_eq!(
        files(&tenant.filestore()),
        files(&data.join("filestore").join(&restored))
    );
}

/// Takes the objects of a backup out of the bucket.
pub fn download(tenant: &Tenant, id: &str) -> Folder {
    let folder = Folder::new("objects");
    let time = id.rsplit('/').next().expect("it has a last part");
    for key in tenant.keys().iter().filter(|key| key.contains(time)) {
        let name = key.rsplit('/').next().expect("it has a last part");
        fs::write(folder.join(name), tenant.object(key)).expect("the folder is ours");
    }
    folder
}

/// A database as text: every definition, and every row.
fn contents(tenant: &Tenant, database: &str) -> String {
    let mut command = Command::new(tenant.postgres.bin().join("pg_dump"));
    command.args(["--no-owner", "--no-privileges", "--no-password"]);
    command.envs(tenant.postgres.environment(SUPERUSER, database));
    let output = command.output().expect("pg_dump is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).expect("it is UTF-8");
    assert!(text.contains("Партньор 500"), "{text}");
    // A key against injection that is another each time.
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    lines.collect::<Vec<_>>().join("\n")
}

/// All files below a folder.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below it").to_owned();
                found.insert(name, fs::read(&path).expect("it can be read"));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
