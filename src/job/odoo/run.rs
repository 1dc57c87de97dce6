//! Running the image's `odoo`, once, to its end.
//!
//! In: what to install where. Out: that Odoo says it did, which the database has to confirm. Odoo runs as the Jobs'
//! login with the pool's role (`PGOPTIONS`, which libpq reads below every Odoo; seen with 19), so that what it makes
//! belongs to the pool. That role may not create databases, and with it a mistaken name ends in an error and not in a
//! new tenant, which is what Odoo otherwise makes of it.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tracing::{info, warn};

use super::{
    config::Configuration,
    log::{Log, Progress},
};
use crate::{
    contract::Roles,
    job::{
        attempt::Attempt,
        failure::{Attempted, Failure},
        postgres::Login,
        process::{Ended, Program},
        secrets::Redactor,
        tls::AUTHORITIES_VARIABLE,
    },
};

/// Names Odoo's command where it is not `odoo` or `odoo-bin` on the PATH.
pub const PROGRAM_VARIABLE: &str = "ODOO_JOB_ODOO";
const PROGRAMS: [&str; 2] = ["odoo", "odoo-bin"];
/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(3);
/// Where Debian's and most images have the public authorities, for libpq, which knows none of its own.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The first major whose demo data are off unless asked for; `--without-demo` is a yes or no since then.
const DEMO_OFF_SINCE: u32 = 19;

/// The image's Odoo.
#[derive(Debug)]
pub struct Odoo {
    program: PathBuf,
    major: u32,
}

/// Where and as whom Odoo works.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The Jobs' login.
    pub login: &'a Login,
    /// The roles of the server.
    pub roles: &'a Roles,
    /// The database.
    pub database: &'a str,
    /// Odoo's data directory.
    pub data_directory: &'a str,
}

impl Odoo {
    /// Finds it, and refuses one of another major than the database is to have.
    pub async fn find(attempt: &Attempt, major: u32) -> Attempted<Self> {
        let program = program()?;
        let heard = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&heard);
        let running = Program::new(&program)
            .arguments(["--version"])
            .start(move |line| {
                if line.starts_with("Odoo") || line.starts_with("odoo") {
                    line.clone_into(&mut said.lock().unwrap_or_else(PoisonError::into_inner));
                }
            })?;
        let ended = running.wait(attempt).await?;
        let said = heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match major_of(&said) {
            Some(found) if found == major => {
                info!(version = said, "found Odoo");
                Ok(Self { program, major })
            }
            Some(_) => Err(Failure::give_up(
                "WrongOdoo",
                format!(
                    "the image has {said:?}, but Odoo {major} is wanted; correct the image of this version"
                ),
            )),
            None => Err(Failure::give_up(
                "WrongOdoo",
                format!(
                    "{} --version does not say what it is: {}",
                    program.display(),
                    ended.describe()
                ),
            )),
        }
    }

    /// Installs modules into a database that is there, and hears what Odoo says about it.
    pub async fn install(&self, attempt: &Attempt, place: Place<'_>, modules: &[String]) -> Attempted<()> {
        let configuration = Configuration::write(place.login, place.data_directory)?;
        let program = self.program(&configuration, place, modules)?;
        let log = Arc::new(Mutex::new(Log::default()));
        let hopeless = Arc::new(Notify::new());
        let running = program.start(listener(Arc::clone(&log), Arc::clone(&hopeless)))?;
        let ended = tokio::select! {
            ended = running.wait(attempt) => Some(ended?),
            // Dropping the other future kills Odoo; what it has made is thrown away.
            () = hopeless.notified() => None,
        };
        let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        conclude(ended.as_ref(), &log)
    }

    fn program(
        &self,
        configuration: &Configuration,
        place: Place<'_>,
        modules: &[String],
    ) -> Attempted<Program> {
        let login = place.login;
        let demo = if self.major < DEMO_OFF_SINCE {
            "all"
        } else {
            "True"
        };
        let mut file = OsString::from("--config=");
        file.push(configuration.file());
        let mut program = Program::new(&self.program)
            .arguments([file])
            .arguments([
                format!("--database={}", place.database),
                format!("--init={}", modules.join(",")),
                format!("--without-demo={demo}"),
            ])
            .arguments([
                "--stop-after-init",
                "--no-http",
                "--workers=0",
                "--max-cron-threads=0",
            ])
            .variable("PGOPTIONS", role_option(&place.roles.application_role))
            .redact(Redactor::new([login.password.clone()]));
        for (name, value) in login.environment() {
            // The rest stands in the file: an environment can be read.
            if ["PGAPPNAME", "PGCONNECT_TIMEOUT"].contains(&name) {
                program = program.variable(name, value);
            }
        }
        if login.server.database_ssl_mode.starts_with("verify") {
            let authorities = match login.authority() {
                Some(authority) => configuration.add("ca.crt", authority.expose())?.into_os_string(),
                None => env::var_os(AUTHORITIES_VARIABLE).unwrap_or_else(|| SYSTEM_AUTHORITIES.into()),
            };
            program = program.variable("PGSSLROOTCERT", authorities);
        }
        Ok(program)
    }
}

/// What becomes of every line.
fn listener(log: Arc<Mutex<Log>>, hopeless: Arc<Notify>) -> impl FnMut(&str) + Send + 'static {
    let mut told: Option<Instant> = None;
    move |line| {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = log.hear(line) {
            if told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL) {
                told = Some(Instant::now());
                tell(progress);
            }
        } else if line.contains(" ERROR ") || line.contains(" CRITICAL ") {
            warn!("Odoo: {line}");
        }
        if log.is_hopeless() {
            hopeless.notify_one();
        }
    }
}

fn tell(progress: &Progress) {
    let percent = u64::from(progress.number) * 100 / u64::from(progress.of.max(1));
    info!(
        module = progress.module,
        number = progress.number,
        of = progress.of,
        percent,
        "Odoo is loading"
    );
}

/// What a run comes to. `None` is one that was not waited for.
fn conclude(ended: Option<&Ended>, log: &Log) -> Attempted<()> {
    if let Some(failure) = log.failure() {
        return Err(failure);
    }
    let Some(ended) = ended else {
        return Err(Failure::retry("OdooFailed", "Odoo was ended before it was done"));
    };
    if let Some(signal) = ended.status.signal() {
        return Err(Failure::retry(
            "OdooKilled",
            format!(
                "Odoo was killed by signal {signal}; when that comes again, its container has too little memory"
            ),
        ));
    }
    let exception = log
        .exception()
        .map_or_else(String::new, |exception| format!(" ({exception})"));
    if !ended.is_success() {
        return Err(Failure::give_up(
            "OdooFailed",
            format!("{}{exception}", ended.describe()),
        ));
    }
    if log.is_loaded {
        return Ok(());
    }
    Err(Failure::give_up(
        "OdooDidNothing",
        format!(
            "Odoo never said that it has loaded its modules{exception}: {}",
            ended.describe()
        ),
    ))
}

/// The setting that gives every session of libpq this role. The server takes it apart at blanks and backslashes.
fn role_option(role: &str) -> String {
    let escaped = role.chars().flat_map(|letter| {
        let escape = (letter.is_whitespace() || letter == '\\').then_some('\\');
        escape.into_iter().chain([letter])
    });
    format!("-c role={}", escaped.collect::<String>())
}

/// The major of `Odoo Server 17.0-20240709`.
fn major_of(said: &str) -> Option<u32> {
    let version = said.split_whitespace().last()?;
    let version = version.strip_prefix("saas~").unwrap_or(version);
    version.split_once('.')?.0.parse().ok()
}

fn program() -> Attempted<PathBuf> {
    if let Some(program) = env::var_os(PROGRAM_VARIABLE).filter(|program| !program.is_empty()) {
        return Ok(PathBuf::from(program));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let mut candidates = PROGRAMS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.find(|path| is_program(path)).ok_or_else(|| {
        Failure::give_up(
            "ProgramMissing",
            format!(
                "neither {} is on the PATH; this command runs in the Odoo image, or {PROGRAM_VARIABLE} names it",
                PROGRAMS.join(" nor ")
            ),
        )
    })
}

fn is_program(path: &Path) -> bool {
    const ANY_EXECUTE: u32 = 0o111;
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & ANY_EXECUTE != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ExitCode;

    async fn ended(script: &str) -> (Ended, Log) {
        let attempt = Attempt::begin("test", false).unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let listener = listener(Arc::clone(&log), Arc::default());
        let program = Program::new("sh").arguments(["-c", script]);
        let ended = program.start(listener).unwrap().wait(&attempt).await.unwrap();
        let log = log.lock().unwrap().clone();
        (ended, log)
    }

    async fn outcome(script: &str) -> (ExitCode, &'static str) {
        let (ended, log) = ended(script).await;
        match conclude(Some(&ended), &log) {
            Ok(()) => (ExitCode::Done, ""),
            Err(failure) => (failure.exit, failure.reason),
        }
    }

    #[test]
    fn a_version_is_read_whatever_it_looks_like() {
        for (said, major) in [
            ("Odoo Server 19.0", Some(19)),
            ("Odoo Server 17.0-20240709", Some(17)),
            ("Odoo Server 16.0+e", Some(16)),
            ("Odoo Server saas~18.2", Some(18)),
            ("", None),
            ("Odoo", None),
        ] {
            assert_eq!(major_of(said), major, "{said}");
        }
    }

    #[test]
    fn a_role_is_one_setting_whatever_its_name() {
        assert_eq!(role_option("plana"), "-c role=plana");
        assert_eq!(role_option(r"a b\c"), r"-c role=a\ b\\c");
    }

    #[tokio::test]
    async fn the_exit_code_is_believed_only_when_it_is_bad() {
        let loaded = "echo 2026-11-21 19:07:19,740 1 INFO db odoo.modules.loading: Modules loaded.";
        assert_eq!(outcome(loaded).await, (ExitCode::Done, ""));
        assert_eq!(
            outcome(&format!("{loaded}; exit 255")).await,
            (ExitCode::GiveUp, "OdooFailed")
        );
        // Without -d, or with a log that nobody sees.
        assert_eq!(outcome("exit 0").await, (ExitCode::GiveUp, "OdooDidNothing"));
        // A bad option.
        assert_eq!(
            outcome("echo 'odoo: error: no such option: --x' >&2; exit 2").await,
            (ExitCode::GiveUp, "OdooFailed")
        );
        // As the kernel does it when memory runs out.
        assert_eq!(outcome("kill -KILL $$").await, (ExitCode::Retry, "OdooKilled"));
        assert_eq!(
            outcome("echo 'psycopg2.OperationalError: Connection refused'; exit 1").await,
            (ExitCode::Retry, "ServerLost")
        );
    }
}
