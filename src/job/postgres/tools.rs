//! PostgreSQL's own programs: found in the image, and new enough.
//!
//! In: a program's name and the oldest major that will do. Out: where it is. A dump that an older `pg_dump` makes is
//! refused by `pg_dump` itself; here it is by name, before anything is begun.

use std::{env, fs, path::PathBuf};

use crate::job::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    process::Program,
};

/// Names the one folder to look in, where the PATH and Debian's folders are not right.
pub const FOLDER_VARIABLE: &str = "ODOO_JOB_POSTGRESQL_BIN";
/// Debian has a folder for each major here, which is not on the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A program of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Where it is.
    pub path: PathBuf,
    /// Its version: `15.14`.
    pub version: String,
}

/// That there is none that is new enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// What there is: paths with versions.
    pub found: Vec<String>,
}

/// Finds a program of at least this major.
pub async fn find_tool(attempt: &Attempt, name: &str, oldest_major: u32) -> Attempted<Result<Tool, TooOld>> {
    let mut found = Vec::new();
    for path in folders().into_iter().map(|folder| folder.join(name)) {
        if !path.is_file() {
            continue;
        }
        let program = Program::new(&path).arguments(["--version"]);
        let ended = program.start(|_| ())?.wait(attempt).await?;
        let version = ended.last_lines.first().and_then(|line| version(line));
        let Some(version) = version.filter(|_| ended.is_success()) else {
            found.push(format!("{} (does not say its version)", path.display()));
            continue;
        };
        if major(&version) >= oldest_major {
            return Ok(Ok(Tool { path, version }));
        }
        found.push(format!("{} ({version})", path.display()));
    }
    Ok(Err(TooOld { found }))
}

impl TooOld {
    /// The failure that this is, when the program cannot be done without.
    #[must_use]
    pub fn into_failure(self, name: &str, server: &str) -> Failure {
        if self.found.is_empty() {
            return Failure::give_up(
                "ProgramMissing",
                format!(
                    "there is no {name} on the PATH or below {DEBIAN}: the Job's image must have the client of PostgreSQL \
                     {server} or newer"
                ),
            );
        }
        Failure::give_up(
            "ClientTooOld",
            format!(
                "the server is PostgreSQL {server}, and {name} must not be older: there is {}; put a newer client into the \
                 Job's image",
                self.found.join(", ")
            ),
        )
    }
}

/// The number of a major in a version.
#[must_use]
pub fn major(version: &str) -> u32 {
    let digits = version.split(|letter: char| !letter.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// A value in a connection string (`dbname='...'`): a name with `=` in it would be read as one whole.
#[must_use]
pub fn quote_for_connection(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
}

fn folders() -> Vec<PathBuf> {
    if let Some(folder) = env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
        return vec![folder.into()];
    }
    let mut majors: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    majors.sort();
    // The oldest that will do: an archive is read by any newer program, and by no older one.
    let debian = majors.into_iter().map(|(_, folder)| folder);
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian's /usr/bin/pg_dump is a script that picks a version by itself, so it comes last.
    debian.chain(env::split_paths(&path)).collect()
}

/// The version in what `--version` prints: `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn version(line: &str) -> Option<String> {
    let rest = line.split("(PostgreSQL) ").nth(1)?;
    let version = rest.split_whitespace().next()?;
    (major(version) > 0).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let read = |line| version(line);
        assert_eq!(
            read("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"),
            Some("15.14".to_owned())
        );
        assert_eq!(
            read("pg_restore (PostgreSQL) 19devel"),
            Some("19devel".to_owned())
        );
        assert_eq!(major("19devel"), 19);
        assert_eq!(read("pg_dump: command not found"), None);
        assert_eq!(read("x (PostgreSQL) new"), None);
    }

    #[test]
    fn a_name_stays_one_value() {
        assert_eq!(quote_for_connection("a.b"), "'a.b'");
        assert_eq!(quote_for_connection("it's host=x \\"), "'it\\'s host=x \\\\'");
    }
}
