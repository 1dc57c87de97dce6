//! The command line of odoo-job: its help, its bad input, what `install` does. Needs nothing but Cargo.

#[path = "common/job.rs"]
#[expect(dead_code, reason = "the programs against real servers use the rest")]
mod job;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use function_odoo::contract::{self, ExitCode};
use job::{Job, prove_every_boundary};

fn odoo_job(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_odoo-job"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("odoo-job starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn install(to: &std::path::Path) -> Job {
    Job::new(&contract::Command::Install(contract::Install {
        to: to.to_str().expect("it is text").to_owned(),
    }))
}

#[test]
fn help_names_every_command_secret_and_exit_code() {
    let (code, out, _) = odoo_job(&["--help"]);
    assert_eq!(code, Some(0));
    for word in [
        "install",
        "tenant-init",
        "backup-verify",
        "ODOO_JOB_DATABASE_PASSWORD",
        "--dry-run",
        "78",
    ] {
        assert!(out.contains(word), "{word} is not in:\n{out}");
    }
}

#[test]
fn every_command_explains_its_arguments() {
    let (_, out, _) = odoo_job(&["--help"]);
    let commands = out.split("Commands:\n").nth(1).expect("a list of commands");
    let names = commands.lines().take_while(|line| !line.is_empty());
    let names: Vec<_> = names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let (code, out, _) = odoo_job(&[name, "--help"]);
        assert_eq!(code, Some(0), "{name}");
        assert!(
            out.contains("--dry-run") && out.contains("Usage: odoo-job "),
            "{out}"
        );
    }
}

#[test]
fn a_wrong_command_line_is_told_in_one_go() {
    let (code, out, err) = odoo_job(&["backup-list", "--endpoint=http://s3", "--bucket=b"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("--region") && err.contains("--slug"), "{err}");
    let (code, _, err) = odoo_job(&["no-such-command"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("no-such-command"), "{err}");
}

#[test]
fn install_copies_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("odoo-job");
    let dry = install(&to).dry_run().run().done();
    assert!(
        dry.stdout.starts_with("would write this program to "),
        "{}",
        dry.stdout
    );
    assert!(!to.exists());
    prove_every_boundary(
        "install",
        |_| install(&to),
        |_, _| {
            assert_eq!(
                fs::read(&to).unwrap(),
                fs::read(env!("CARGO_BIN_EXE_odoo-job")).unwrap()
            );
            assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);
        },
    );
    let failed = install(&folder.path().join("missing/odoo-job")).run();
    assert_eq!(failed.code, Some(ExitCode::GiveUp));
    assert_eq!(failed.reason(), "InstallFailed");
    assert!(
        failed.message().contains("missing/odoo-job"),
        "{}",
        failed.message()
    );
    assert_eq!(failed.result.unwrap().phase.as_deref(), Some("copy"));
}
