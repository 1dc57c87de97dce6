//! What Odoo's log tells of a run. Its exit code tells little: it is 0 for an unknown module and for a missing one.
//!
//! In: the lines, as they come. Out: the module being loaded, whether all were, and the lines that mean that something
//! went wrong. The lines are those of Odoo 16 to 19; that the log is in English is up to Odoo, which does not translate
//! it.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::job::failure::Failure;

/// What Odoo says at the end of a good run, and in no other.
const ALL_LOADED: &str = "Modules loaded.";
/// Lines that are kept of each kind.
const KEPT: usize = 3;

/// What kind of trouble a line means, the one that explains the others first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The volume of the filestore, or the server's, is full.
    DiskFull,
    /// The server went away.
    ServerLost,
    /// Somebody else holds a lock.
    Locked,
    /// A module that was asked for is not in the image.
    ModuleUnknown,
    /// A module that another one needs is not in the image, or is not made for this major.
    ModuleMissing,
    /// Loading failed.
    LoadFailed,
}

/// Parts of lines, and what they mean.
const SIGNS: &[(&str, Trouble)] = &[
    ("No space left on device", Trouble::DiskFull),
    ("psycopg2.errors.DiskFull", Trouble::DiskFull),
    ("Disk quota exceeded", Trouble::DiskFull),
    ("server closed the connection unexpectedly", Trouble::ServerLost),
    ("terminating connection due to", Trouble::ServerLost),
    ("the database system is ", Trouble::ServerLost),
    ("Connection refused", Trouble::ServerLost),
    ("could not translate host name", Trouble::ServerLost),
    ("canceling statement due to lock timeout", Trouble::Locked),
    ("could not serialize access", Trouble::Locked),
    ("deadlock detected", Trouble::Locked),
    ("invalid module names, ignored", Trouble::ModuleUnknown),
    ("not installable, skipped", Trouble::ModuleMissing),
    ("in a dependency loop, skipped", Trouble::ModuleMissing),
    ("inconsistent states", Trouble::ModuleMissing),
    ("Some modules are not loaded", Trouble::ModuleMissing),
    ("Failed to load server-wide module", Trouble::ModuleMissing),
    ("module is not available in your system", Trouble::ModuleMissing),
    ("Failed to load registry", Trouble::LoadFailed),
    ("Failed to initialize database", Trouble::LoadFailed),
    ("Transient module states were reset", Trouble::LoadFailed),
    (" CRITICAL ", Trouble::LoadFailed),
];

static PROGRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[Ll]oading module (\S+) \((\d+)/(\d+)\)").expect("the pattern is right"));
/// The last line of a Python traceback: the exception and what it says.
static EXCEPTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[A-Za-z_][\w.]*(Error|Exception|Warning|Interrupt|Full|Missing|Violation)\b.*")
        .expect("the pattern is right")
});

/// A module that is being loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its name.
    pub module: String,
    /// Which one of how many.
    pub number: u32,
    /// How many.
    pub of: u32,
}

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Whether all modules were loaded.
    pub is_loaded: bool,
    /// The module that was loaded last.
    pub progress: Option<Progress>,
    troubles: Vec<(Trouble, String)>,
    exception: Option<String>,
}

impl Log {
    /// Hears a line; gives the progress when that is what it tells.
    pub fn hear(&mut self, line: &str) -> Option<&Progress> {
        if line.ends_with(ALL_LOADED) {
            self.is_loaded = true;
        }
        if EXCEPTION.is_match(line) {
            self.exception = Some(line.to_owned());
        }
        for trouble in SIGNS
            .iter()
            .filter(|(sign, _)| line.contains(sign))
            .map(|(_, trouble)| *trouble)
        {
            if self.lines(trouble).count() < KEPT {
                self.troubles.push((trouble, without_prefix(line).to_owned()));
            }
        }
        let captures = PROGRESS.captures(line)?;
        self.progress = Some(Progress {
            module: captures[1].to_owned(),
            number: captures[2].parse().ok()?,
            of: captures[3].parse().ok()?,
        });
        self.progress.as_ref()
    }

    /// Whether going on is a waste of time: what is asked for is not there.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.lines(Trouble::ModuleUnknown).next().is_some()
    }

    /// Why the run was no good; `None` when nothing speaks against it but, perhaps, its exit code.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let worst = self.troubles.iter().map(|(trouble, _)| *trouble).min()?;
        let mut said: Vec<&str> = self.lines(worst).collect();
        said.extend(self.exception.as_deref());
        let module = self.progress.as_ref().map_or_else(String::new, |progress| {
            format!(" (the module loaded last was {})", progress.module)
        });
        let said = said.join(" | ");
        Some(match worst {
            Trouble::DiskFull => Failure::retry(
                "DiskFull",
                format!(
                    "Odoo found no room to write{module}: {said}; make room on the filestore or the server"
                ),
            ),
            Trouble::ServerLost => {
                Failure::retry("ServerLost", format!("Odoo lost PostgreSQL{module}: {said}"))
            }
            Trouble::Locked => Failure::retry(
                "DatabaseLocked",
                format!("somebody else works on the database{module}: {said}"),
            ),
            Trouble::ModuleUnknown => Failure::give_up(
                "ModuleUnknown",
                format!("the image has no such module: {said}; correct the list of modules, or the image"),
            ),
            Trouble::ModuleMissing => Failure::give_up(
                "ModuleMissing",
                format!(
                    "a module cannot be loaded from this image{module}: {said}; add what it needs to the image"
                ),
            ),
            Trouble::LoadFailed => Failure::give_up(
                "OdooFailed",
                format!("Odoo could not load its modules{module}: {said}"),
            ),
        })
    }

    /// The exception that was told last.
    #[must_use]
    pub fn exception(&self) -> Option<&str> {
        self.exception.as_deref()
    }

    fn lines(&self, wanted: Trouble) -> impl Iterator<Item = &str> {
        self.troubles
            .iter()
            .filter(move |(trouble, _)| *trouble == wanted)
            .map(|(_, line)| line.as_str())
    }
}

/// A line without date, time and process: `2026-11-21 19:07:09,319 22598 WARNING db logger: words`.
fn without_prefix(line: &str) -> &str {
    let mut rest = line;
    for level in [" WARNING ", " ERROR ", " CRITICAL "] {
        if let Some((_, after)) = rest.split_once(level) {
            rest = after.split_once(": ").map_or(after, |(_, words)| words);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ExitCode;

    /// A line as Odoo writes it.
    fn line(level: &str, words: &str) -> String {
        format!("2026-11-21 19:07:09,319 22598 {level} basic-19 odoo.modules.loading: {words}")
    }

    fn heard(lines: &[String]) -> Log {
        let mut log = Log::default();
        for line in lines {
            log.hear(line);
        }
        log
    }

    #[test]
    fn a_good_run_is_loaded_and_has_no_trouble() {
        // `init db` and `Initializing database` are what an empty database is for.
        let log = heard(&[
            "Running as user 'root' is a security risk.".to_owned(),
            line("INFO", "init db"),
            line("INFO", "Initializing database basic-19"),
            line("INFO", "Loading module base (1/1)"),
            line("INFO", "Loading module web (3/14)"),
            line(
                "WARNING",
                "Missing `license` key in manifest for 'x', defaulting to LGPL-3",
            ),
            line("INFO", "Modules loaded."),
            line("INFO", "Registry loaded in 43.020s"),
        ]);
        assert!(log.is_loaded && !log.is_hopeless());
        assert_eq!(log.failure(), None);
        let progress = Progress {
            module: "web".to_owned(),
            number: 3,
            of: 14,
        };
        assert_eq!(log.progress, Some(progress));
    }

    #[test]
    fn a_run_that_says_nothing_was_not_loaded() {
        // As without `-d`: exit code 0, and nothing done.
        assert!(!heard(&[]).is_loaded);
        assert!(!heard(&[line("INFO", "8 modules loaded in 0.05s, 0 queries")]).is_loaded);
    }

    #[test]
    fn every_line_that_tells_of_trouble_is_understood() {
        let cases = [
            (
                line("WARNING", "invalid module names, ignored: typo"),
                "ModuleUnknown",
            ),
            (
                line("WARNING", "module sale: not installable, skipped"),
                "ModuleMissing",
            ),
            (
                line(
                    "ERROR",
                    "Some modules have inconsistent states, some dependencies may be missing: ['sale']",
                ),
                "ModuleMissing",
            ),
            (
                line(
                    "ERROR",
                    "Some modules are not loaded, some dependencies or manifest may be missing: ['sale']",
                ),
                "ModuleMissing",
            ),
            (
                "But the latter module is not available in your system.".to_owned(),
                "ModuleMissing",
            ),
            (
                line("ERROR", "Failed to load server-wide module `queue_job`."),
                "ModuleMissing",
            ),
            (
                line("CRITICAL", "Failed to initialize database `basic-19`."),
                "OdooFailed",
            ),
            (line("ERROR", "Failed to load registry"), "OdooFailed"),
            (
                line("WARNING", "Transient module states were reset"),
                "OdooFailed",
            ),
            (
                line(
                    "CRITICAL",
                    "module base cannot be loaded! (hint: verify addons-path)",
                ),
                "OdooFailed",
            ),
            (
                "psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout".to_owned(),
                "DatabaseLocked",
            ),
            (
                "psycopg2.OperationalError: server closed the connection unexpectedly".to_owned(),
                "ServerLost",
            ),
            (
                "psycopg2.errors.AdminShutdown: terminating connection due to administrator command"
                    .to_owned(),
                "ServerLost",
            ),
            (
                "OSError: [Errno 28] No space left on device: '/data/filestore'".to_owned(),
                "DiskFull",
            ),
        ];
        for (line, reason) in cases {
            // Whatever comes after it, and even when Odoo says that all is well.
            let log = heard(&[line.clone(), self::line("INFO", "Modules loaded.")]);
            assert_eq!(
                log.failure().map(|failure| failure.reason),
                Some(reason),
                "{line}"
            );
        }
    }

    #[test]
    fn the_cause_is_told_before_its_consequences() {
        let log = heard(&[
            line("INFO", "Loading module mail (7/20)"),
            line("WARNING", "Transient module states were reset"),
            line("ERROR", "Failed to load registry"),
            line("CRITICAL", "Failed to initialize database `basic-19`."),
            "Traceback (most recent call last):".to_owned(),
            "psycopg2.OperationalError: server closed the connection unexpectedly".to_owned(),
        ]);
        let failure = log.failure().unwrap();
        assert_eq!((failure.exit, failure.reason), (ExitCode::Retry, "ServerLost"));
        assert!(failure.message.contains("mail"), "{failure}");
    }

    #[test]
    fn an_import_error_is_told_with_its_module_and_its_exception() {
        let log = heard(&[
            line("INFO", "Loading module broken (4/5)"),
            line("CRITICAL", "Couldn't load module broken"),
            line("WARNING", "Transient module states were reset"),
            line("ERROR", "Failed to load registry"),
            line("CRITICAL", "Failed to initialize database `basic-19`."),
            "Traceback (most recent call last):".to_owned(),
            "  File \"/mnt/broken/__init__.py\", line 1, in <module>".to_owned(),
            "ModuleNotFoundError: No module named 'no_such_thing'".to_owned(),
        ]);
        let failure = log.failure().unwrap();
        assert_eq!((failure.exit, failure.reason), (ExitCode::GiveUp, "OdooFailed"));
        assert!(failure.message.contains("broken") && failure.message.contains("no_such_thing"));
        assert!(!failure.message.contains("22598"), "{failure}");
    }

    #[test]
    fn an_unknown_module_makes_the_rest_a_waste_of_time() {
        assert!(heard(&[line("WARNING", "invalid module names, ignored: typo")]).is_hopeless());
        assert!(!heard(&[line("ERROR", "Failed to load registry")]).is_hopeless());
    }

    #[test]
    fn a_long_log_is_not_kept() {
        let lines: Vec<_> = (0..1000)
            .map(|number| line("CRITICAL", &format!("number {number}")))
            .collect();
        assert_eq!(heard(&lines).troubles.len(), KEPT);
    }
}
