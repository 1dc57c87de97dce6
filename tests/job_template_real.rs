//! template-build and template-remove against a real PostgreSQL, with the real Odoo 19 and, for what that cannot be made
//! to do, with a double of it.
//!
//! A template is proven by looking at it as its users do: the server's list of databases, a clone that the Jobs' login
//! makes, the files beside it.

mod common;
#[path = "common/job.rs"]
#[expect(dead_code, reason = "the programs for other commands use the rest")]
mod job;
#[path = "common/servers/mod.rs"]
#[expect(dead_code, reason = "tests/servers_real.rs uses the rest")]
mod servers;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use function_odoo::contract::{
    self, Command, DATABASE_PASSWORD, DATABASE_USERNAME, ExitCode, Report, Roles, TemplateBuild,
    TemplateRemove, TemplateReport,
};
use job::{Finished, Job, prove_every_boundary};
use rustix::process::Signal;
use servers::{
    HOST,
    postgres::{ADMIN, MAINTENANCE, POOL, Postgres, SUPERUSER},
    tmpfs::Tmpfs,
    unique,
};

const ID: &str = "7c1e0a52-93f4-4d0e-8a5b-0c6d2e4f8a11";

/// A server, a data directory and a command `odoo`.
struct World<'a> {
    postgres: &'a Postgres,
    data: PathBuf,
    folder: tempfile::TempDir,
}

/// What a template has that is as it is to be.
struct Seen {
    report: TemplateReport,
    clone: String,
}

impl<'a> World<'a> {
    fn new(postgres: &'a Postgres) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("the folder is ours");
        Self {
            postgres,
            data,
            folder,
        }
    }

    /// A configuration file as an image has it, with modules of its own.
    fn image_configuration(&self) -> PathBuf {
        let addons = self.folder.path().join("addons");
        for (name, code) in [("plana_fine", ""), ("plana_broken", "import no_such_thing\n")] {
            let module = addons.join(name);
            fs::create_dir_all(&module).expect("the folder is ours");
            fs::write(module.join("__init__.py"), code).expect("the folder is ours");
            let manifest = format!(
                "{{'name': '{name}', 'version': '1.0', 'author': 'a test', 'license': 'LGPL-3', 'depends': ['base']}}"
            );
            fs::write(module.join("__manifest__.py"), manifest).expect("the folder is ours");
        }
        let path = self.folder.path().join("image.conf");
        let text = format!(
            "[options]\naddons_path = {}\ndb_host = nowhere.invalid\ndb_name = production\nlogfile = {}\n\
             log_level = critical\nworkers = 4\nadmin_passwd = master\n",
            addons.display(),
            self.folder.path().join("odoo.log").display()
        );
        fs::write(&path, text).expect("the folder is ours");
        path
    }

    /// A build with the real Odoo, in an image with modules of its own.
    fn real_build(&self, odoo: &Path, name: &str, modules: &[&str]) -> Job {
        self.build_with(self.command(name, "r1", modules), odoo)
            .variable("ODOO_RC", self.image_configuration().display().to_string())
    }

    /// The double of Odoo, which behaves like this.
    fn double(&self, mode: &str, version: &str) -> PathBuf {
        let path = self.folder.path().join(format!("odoo-{mode}-{version}"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/odoo_double.sh");
        let psql = self.postgres.bin().join("psql");
        let text = format!(
            "#!/bin/sh\nexport MODE='{mode}' VERSION='{version}' PSQL='{}'\nexec sh '{}' \"$@\"\n",
            psql.display(),
            script.display()
        );
        let unfinished = path.with_extension(unique("new"));
        fs::write(&unfinished, text).expect("the folder is ours");
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        fs::rename(unfinished, &path).expect("the folder is ours");
        path
    }

    fn server(&self) -> contract::Server {
        contract::Server {
            database_host: HOST.to_owned(),
            database_port: self.postgres.port(),
            database_ssl_mode: "disable".to_owned(),
        }
    }

    fn command(&self, database: &str, revision: &str, modules: &[&str]) -> TemplateBuild {
        TemplateBuild {
            server: self.server(),
            roles: roles(),
            database: database.to_owned(),
            marker: ID.to_owned(),
            template_code: "basic".to_owned(),
            odoo_version: 19,
            revision: revision.to_owned(),
            module: modules.iter().map(|&module| module.to_owned()).collect(),
            data_directory: self.data.display().to_string(),
        }
    }

    fn job(&self, command: &Command) -> Job {
        Job::new(command)
            .secret(DATABASE_USERNAME, ADMIN)
            .secret(DATABASE_PASSWORD, &self.postgres.password(ADMIN))
            .variable("TMPDIR", self.folder.path().display().to_string())
    }

    fn build_with(&self, command: TemplateBuild, odoo: &Path) -> Job {
        self.job(&Command::TemplateBuild(command))
            .variable("ODOO_JOB_ODOO", odoo.display().to_string())
    }

    /// A build with the double when all goes well.
    fn build(&self, database: &str, revision: &str, modules: &[&str]) -> Job {
        let double = self.double("good", "19.0");
        self.build_with(self.command(database, revision, modules), &double)
    }

    fn remove(&self, database: &str, marker: &str) -> Job {
        self.job(&Command::TemplateRemove(TemplateRemove {
            server: self.server(),
            roles: roles(),
            database: database.to_owned(),
            marker: marker.to_owned(),
            data_directory: self.data.display().to_string(),
        }))
    }

    fn one(&self, database: &str, query: &str) -> String {
        let rows = self.postgres.sql(database, query);
        rows.first()
            .and_then(|row| row.first().cloned())
            .flatten()
            .unwrap_or_default()
    }

    /// All databases that are named after the template.
    fn family(&self, database: &str) -> Vec<String> {
        let query = format!(
            "SELECT datname FROM pg_database WHERE starts_with(datname, {}) ORDER BY 1",
            literal(database)
        );
        let rows = self.postgres.sql(SUPERUSER, &query);
        rows.into_iter()
            .map(|mut row| row.remove(0).expect("a name"))
            .collect()
    }

    /// The directories that are named after the template.
    fn directories(&self, database: &str) -> Vec<String> {
        let entries = fs::read_dir(self.data.join("filestore")).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
        let mut names: Vec<_> = names.filter(|name| name.starts_with(database)).collect();
        names.sort();
        names
    }

    /// Names of the files with content.
    fn files(&self, database: &str) -> BTreeSet<String> {
        let root = self.data.join("filestore").join(database);
        let mut found = BTreeSet::new();
        for folder in fs::read_dir(&root).into_iter().flatten().flatten() {
            let name = folder.file_name().into_string().expect("text");
            if name.len() == 2 {
                for file in fs::read_dir(folder.path()).expect("a folder").flatten() {
                    found.insert(format!(
                        "{name}/{}",
                        file.file_name().into_string().expect("text")
                    ));
                }
            }
        }
        found
    }

    /// Looks at a template that was built just now, from outside and in a clone.
    fn prove(&self, database: &str, finished: &Finished) -> Seen {
        let Some(Report::Template(report)) = finished.result.clone().and_then(|result| result.report) else {
            unreachable!("a template's report: {}", finished.log)
        };
        assert_eq!(self.family(database), [database], "{}", finished.log);
        assert_eq!(self.directories(database), [database]);
        let facts = format!(
            "SELECT pg_get_userbyid(datdba) || datallowconn || datistemplate || datcollate FROM pg_database \
             WHERE datname = {}",
            literal(database)
        );
        assert_eq!(self.one(SUPERUSER, &facts), format!("{MAINTENANCE}falsetrueC"));
        let clone = unique("clone");
        let create = format!(
            "CREATE DATABASE \"{clone}\" OWNER {POOL} TEMPLATE {}",
            identifier(database)
        );
        self.postgres
            .sql_as(ADMIN, SUPERUSER, &create)
            .expect("it can be cloned");
        let marker =
            "SELECT id || ' ' || purpose || ' ' || subject || ' ' || state FROM planapulse.ownership";
        assert_eq!(self.one(&clone, marker), format!("{ID} template basic-19 ready"));
        let revision = self.one(&clone, "SELECT revision FROM planapulse.template");
        assert_eq!(revision, report.revision);
        let loose = "SELECT count(*) FROM res_users WHERE password IS NOT NULL OR totp_secret IS NOT NULL";
        assert_eq!(self.one(&clone, loose), "0");
        assert_eq!(self.one(&clone, "SELECT count(*) FROM res_users_apikeys"), "0");
        let strangers =
            format!("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner <> '{POOL}'");
        assert_eq!(self.one(&clone, &strangers), "0");
        let half = "SELECT count(*) FROM ir_module_module WHERE state LIKE 'to %'";
        assert_eq!(self.one(&clone, half), "0");
        let installed = "SELECT count(*) FROM ir_module_module WHERE state = 'installed'";
        assert_eq!(self.one(&clone, installed), report.module_count.to_string());
        let files = self.files(database);
        let attachments = self.attachments(&clone);
        assert!(
            !attachments.is_empty() && attachments.is_subset(&files),
            "{attachments:?} {files:?}"
        );
        let size = fs::metadata(self.data.join("filestore").join(database)).expect("it is there");
        assert!(size.is_dir() && report.filestore_files >= attachments.len() as u64);
        Seen { report, clone }
    }

    fn attachments(&self, database: &str) -> BTreeSet<String> {
        let query = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL";
        let rows = self.postgres.sql(database, query);
        rows.into_iter()
            .map(|mut row| row.remove(0).expect("a name"))
            .collect()
    }

    /// Nothing of a template that never came about may be in anybody's way.
    fn prove_no_template(&self, database: &str) {
        assert!(self.family(database).is_empty(), "{:?}", self.family(database));
        assert!(
            self.directories(database).is_empty(),
            "{:?}",
            self.directories(database)
        );
    }
}

fn roles() -> Roles {
    Roles {
        application_role: POOL.to_owned(),
        maintenance_role: MAINTENANCE.to_owned(),
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn identifier(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn refused(finished: &Finished, code: ExitCode, reason: &str) {
    assert_eq!(
        (finished.code, finished.reason()),
        (Some(code), reason),
        "{}",
        finished.log
    );
}

#[test]
fn a_template_is_built_and_found_again() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    // Every character that means something to SQL, to a pattern or to a shell.
    let name = format!("{}'s \"50%\" _\\ $(x).planapulse.app", unique("good"));
    let job = world.build(&name, "r1", &["web", "base", "web"]);
    let dry = job.clone().dry_run().run().done();
    assert!(
        dry.stdout.contains("would build") && world.family(&name).is_empty(),
        "{}",
        dry.stdout
    );
    let built = job.run().done();
    let seen = world.prove(&name, &built);
    let modules: Vec<_> = seen
        .report
        .modules
        .iter()
        .map(|(name, version)| format!("{name}={version}"))
        .collect();
    assert_eq!(modules, ["base=19.0.1.0", "web=19.0.1.0"]);
    assert_eq!((seen.report.module_count, seen.report.marker.as_str()), (2, ID));
    assert_eq!(
        (seen.report.filestore_files, seen.report.filestore_bytes),
        (4, 45)
    );
    assert!(seen.report.database_bytes > 1_000_000 && seen.report.built_at.ends_with('Z'));
    assert!(!built.everything().contains(&postgres.password(ADMIN)));
    let left = fs::read_dir(world.folder.path()).expect("it is there").flatten();
    let left: Vec<_> = left
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("odoo-job"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    // Again: the same, and without Odoo.
    let nobody = world.folder.path().join("no-such-odoo");
    let command = world.command(&name, "r1", &["base", "web"]);
    let oid = format!("SELECT oid FROM pg_database WHERE datname = {}", literal(&name));
    let before = world.one(SUPERUSER, &oid);
    let again = world.build_with(command.clone(), &nobody).run().done();
    assert_eq!(world.prove(&name, &again).report, seen.report);
    assert_eq!(world.one(SUPERUSER, &oid), before);
    assert_eq!(again.phases(), ["lock", "gate", "clean"]);
    let dry = world.build_with(command, &nobody).dry_run().run().done();
    assert!(dry.stdout.contains("would change nothing"), "{}", dry.stdout);
}

#[test]
fn another_revision_or_other_modules_take_the_place_of_a_template() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("swapped");
    let first = world.prove(&name, &world.build(&name, "r1", &["base", "web"]).run().done());
    let dry = world.build(&name, "r2", &["base", "web"]).dry_run().run().done();
    assert!(dry.stdout.contains("be dropped"), "{}", dry.stdout);
    let second = world.prove(&name, &world.build(&name, "r2", &["base", "web"]).run().done());
    assert_eq!(second.report.revision, "r2");
    assert_eq!(second.report.modules_digest, first.report.modules_digest);
    let third = world.prove(&name, &world.build(&name, "r2", &["base", "crm"]).run().done());
    assert_ne!(third.report.modules_digest, first.report.modules_digest);
    // Who was cloned from the build before still finds its files; who is two builds late does not.
    assert!(world.attachments(&second.clone).is_subset(&world.files(&name)));
    world.prove(&name, &world.build(&name, "r3", &["base", "stock"]).run().done());
    assert!(world.attachments(&third.clone).is_subset(&world.files(&name)));
    assert!(!world.attachments(&second.clone).is_subset(&world.files(&name)));
    // The old one serves when the new one cannot be built.
    let broken = world.double("reset", "19.0");
    let failed = world
        .build_with(world.command(&name, "r4", &["base"]), &broken)
        .run();
    refused(&failed, ExitCode::GiveUp, "OdooFailed");
    let unchanged = world.build(&name, "r3", &["base", "stock"]).run().done();
    assert_eq!(unchanged.phases(), ["lock", "gate", "clean"]);
    world.prove(&name, &unchanged);
}

#[test]
fn a_template_that_lost_files_is_built_again() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("lost");
    world.build(&name, "r1", &["base"]).run().done();
    let file = world.files(&name).into_iter().next().expect("it has some");
    fs::remove_file(world.data.join("filestore").join(&name).join(file)).expect("it is ours");
    let again = world.build(&name, "r1", &["base"]).run().done();
    assert!(again.phases().contains(&"swap".to_owned()));
    world.prove(&name, &again);
}

#[test]
fn clones_see_no_gap_while_templates_are_swapped() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("busy");
    world.build(&name, "r0", &["base"]).run().done();
    let done = AtomicBool::new(false);
    let clones = thread::scope(|scope| {
        let cloner = |number: usize| {
            let (world, name, done) = (&world, &name, &done);
            move || {
                let mut count = 0;
                while !done.load(Ordering::Relaxed) {
                    let clone = format!("{name}-clone-{number}");
                    let create = format!("CREATE DATABASE \"{clone}\" OWNER {POOL} TEMPLATE \"{name}\"");
                    postgres
                        .sql_as(ADMIN, SUPERUSER, &create)
                        .expect("there is a template at any time");
                    // What a tenant copies next is there, whichever build it was made from.
                    let files = world.files(name);
                    let attachments = world.attachments(&clone);
                    assert!(attachments.is_subset(&files), "{attachments:?} {files:?}");
                    postgres.sql(SUPERUSER, &format!("DROP DATABASE \"{clone}\""));
                    count += 1;
                }
                count
            }
        };
        let cloners = [1, 2].map(|number| scope.spawn(cloner(number)));
        let modules = ["web", "crm", "stock", "project"];
        for (number, module) in modules.into_iter().enumerate() {
            let finished = world.build(&name, &format!("r{number}"), &["base", module]).run();
            if finished.code != Some(ExitCode::Done) {
                done.store(true, Ordering::Relaxed);
                finished.done();
            }
        }
        done.store(true, Ordering::Relaxed);
        cloners
            .map(|cloner| cloner.join().expect("no clone failed"))
            .iter()
            .sum::<u32>()
    });
    assert!(clones > 8, "{clones}");
    println!("{clones} clones while 4 templates were swapped in");
}

#[test]
fn a_build_is_finished_after_it_was_killed_at_any_boundary() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let prefix = unique("killed");
    let name = |number: usize| format!("{prefix}-{number}-");
    prove_every_boundary(
        "template-build",
        |number| world.build(&name(number), "r1", &["base", "web"]),
        |number, finished| {
            let seen = world.prove(&name(number), finished);
            assert_eq!(seen.report.module_count, 2);
        },
    );
}

#[test]
fn a_rebuild_is_finished_after_it_was_killed_at_any_boundary() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("rekilled");
    // Each start finds the template of the one before, of another revision and with other modules.
    let revision = |number: usize| format!("r{number}");
    let module = |number: usize| ["web", "crm", "stock"][number % 3];
    world.build(&name, "first", &["base"]).run().done();
    prove_every_boundary(
        "template-build (again)",
        |number| world.build(&name, &revision(number), &["base", module(number)]),
        |number, finished| {
            let seen = world.prove(&name, finished);
            assert_eq!(seen.report.revision, revision(number));
            assert!(seen.report.modules.contains_key(module(number)));
        },
    );
}

#[test]
fn a_killed_build_does_not_hinder_another_one() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("left");
    for phase in ["install", "prove", "files"] {
        let killed = world
            .build(&name, "r1", &["base"])
            .kill_before(phase, Signal::KILL);
        assert_eq!(killed.code, None);
    }
    // Killed between CREATE DATABASE and its comment; and one that only looks like it.
    let born = format!("{name}~0123456789ab");
    let sealed =
        format!("CREATE DATABASE \"{born}\" OWNER {MAINTENANCE} TEMPLATE template0 ALLOW_CONNECTIONS false");
    postgres.sql_as(ADMIN, SUPERUSER, &sealed).expect("it may");
    let other = format!("{name}~0123456789cd");
    postgres.create_database(&other, MAINTENANCE);
    let dry = world.build(&name, "r2", &["base"]).dry_run().run().done();
    assert!(
        dry.stdout.contains(&format!("would drop {born}")) && !dry.stdout.contains(&other),
        "{}",
        dry.stdout
    );
    world.build(&name, "r2", &["base"]).run().done();
    assert_eq!(world.family(&name), [name.clone(), other.clone()]);
    postgres.sql(SUPERUSER, &format!("DROP DATABASE \"{other}\""));
    world.prove(&name, &world.build(&name, "r2", &["base"]).run().done());
}

#[test]
fn two_at_once_are_one_after_the_other() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("twice");
    let slow = world.double("slow", "19.0");
    let mut first = world
        .build_with(world.command(&name, "r1", &["base"]), &slow)
        .start();
    first.wait_for("Odoo is loading");
    let second = world.build(&name, "r1", &["base"]).run();
    refused(&second, ExitCode::Retry, "Busy");
    assert!(
        second.message().contains("odoo-job template-build"),
        "{}",
        second.message()
    );
    first.kill(Signal::TERM);
    let first = first.wait();
    refused(&first, ExitCode::Retry, "Stopped");
    world.prove(&name, &world.build(&name, "r1", &["base"]).run().done());
}

#[test]
fn odoo_ends_whole_when_it_is_told_to() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("stubborn");
    let slow = world.double("slow", "19.0");
    for signal in [Signal::TERM, Signal::KILL] {
        let mut running = world
            .build_with(world.command(&name, "r1", &["base"]), &slow)
            .start();
        running.wait_for("Odoo is loading");
        running.kill(signal);
        running.wait();
    }
    // A session of the one that was killed may be there still; the next run ends it.
    world.prove(&name, &world.build(&name, "r1", &["base"]).run().done());
}

#[test]
fn an_odoo_that_lies_is_found_out() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let cases = [
        ("silent", ExitCode::GiveUp, "OdooDidNothing"),
        ("option", ExitCode::GiveUp, "OdooFailed"),
        ("killed", ExitCode::Retry, "OdooKilled"),
        ("locked", ExitCode::Retry, "DatabaseLocked"),
        ("serverwide", ExitCode::GiveUp, "ModuleMissing"),
        ("inconsistent", ExitCode::GiveUp, "ModuleMissing"),
        ("notloaded", ExitCode::GiveUp, "ModuleMissing"),
        ("unknown", ExitCode::GiveUp, "ModuleUnknown"),
        ("reset", ExitCode::GiveUp, "OdooFailed"),
        ("diskfull", ExitCode::Retry, "DiskFull"),
        // The log is fine, and so is the exit code; only the database knows.
        ("half", ExitCode::GiveUp, "ModulesHalfDone"),
        ("lies", ExitCode::GiveUp, "ModulesNotInstalled"),
        ("older", ExitCode::GiveUp, "ModulesOfOtherMajor"),
        ("otherbase", ExitCode::GiveUp, "BaseNotInstalled"),
        ("uninstallable", ExitCode::GiveUp, "ModulesNotInstalled"),
        ("nofile", ExitCode::Retry, "FilesMissing"),
    ];
    let name = unique("liar");
    for (mode, code, reason) in cases {
        let odoo = world.double(mode, "19.0");
        let finished = world
            .build_with(world.command(&name, "r1", &["base", "web"]), &odoo)
            .run();
        refused(&finished, code, reason);
        assert!(
            !finished.everything().contains(&postgres.password(ADMIN)),
            "{mode}"
        );
        world.prove_no_template(&name);
        println!("| {mode} | {code:?} | {reason} | {} |", finished.message());
    }
    world.prove(&name, &world.build(&name, "r1", &["base", "web"]).run().done());
}

#[test]
fn another_major_is_refused_before_anything_is_made() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("major");
    for version in ["18.0", "17.0-20240709", "nonsense"] {
        let odoo = world.double("good", version);
        let finished = world
            .build_with(world.command(&name, "r1", &["base"]), &odoo)
            .run();
        refused(&finished, ExitCode::GiveUp, "WrongOdoo");
        assert!(world.family(&name).is_empty());
    }
    let nobody = world.folder.path().join("no-such-odoo");
    let finished = world
        .build_with(world.command(&name, "r1", &["base"]), &nobody)
        .run();
    refused(&finished, ExitCode::GiveUp, "ProgramMissing");
    let finished = world
        .job(&Command::TemplateBuild(world.command(&name, "r1", &["base"])))
        .variable("PATH", "/nowhere")
        .run();
    refused(&finished, ExitCode::GiveUp, "ProgramMissing");
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("foreign");
    postgres.create_database(&name, POOL);
    let unmarked = world.build(&name, "r1", &["base"]).run();
    refused(&unmarked, ExitCode::Refused, "ForeignDatabase");
    let marker = format!(
        "function-odoo {{\"id\":\"{ID}\",\"purpose\":\"tenant\",\"subject\":\"acme\",\"state\":\"ready\"}}"
    );
    // A tenant's; another template's; another owner's; a comment of somebody.
    for comment in [
        marker.clone(),
        marker.replace("tenant", "template").replace("acme", "pro-19"),
        marker
            .replace("tenant", "template")
            .replace("acme", "basic-19")
            .replace(ID, "another"),
        "the production database".to_owned(),
    ] {
        postgres.sql(
            SUPERUSER,
            &format!("COMMENT ON DATABASE \"{name}\" IS {}", literal(&comment)),
        );
        let finished = world.build(&name, "r1", &["base"]).run();
        refused(&finished, ExitCode::Refused, "ForeignDatabase");
        if !comment.contains("pro-19") {
            refused(
                &world.remove(&name, ID).run(),
                ExitCode::Refused,
                "ForeignDatabase",
            );
        }
    }
    assert_eq!(world.family(&name), [name.as_str()]);
    // A directory of nobody knows whom.
    let orphan = unique("orphan");
    let folder = world.data.join("filestore").join(&orphan).join("ab");
    fs::create_dir_all(&folder).expect("it is ours");
    fs::write(folder.join("ab".repeat(20)), "precious").expect("it is ours");
    refused(
        &world.build(&orphan, "r1", &["base"]).run(),
        ExitCode::Refused,
        "ForeignFilestore",
    );
    refused(
        &world.remove(&orphan, ID).run(),
        ExitCode::Refused,
        "ForeignFilestore",
    );
    assert_eq!(world.files(&orphan).len(), 1);
}

#[test]
fn names_that_cannot_be_are_refused() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let long = format!("{:x<50}", unique("long"));
    world.prove(&long, &world.build(&long, "r1", &["base"]).run().done());
    for (name, reason) in [
        (format!("{long}y"), "NameTooLong"),
        ("a".repeat(64), "NameTooLong"),
        ("a~b".to_owned(), "NameTooLong"),
        ("a,b".to_owned(), "NameUnsafe"),
        ("../a".to_owned(), "NameUnsafe"),
        ("..".to_owned(), "NameUnsafe"),
    ] {
        let finished = world.build(&name, "r1", &["base"]).run();
        refused(&finished, ExitCode::GiveUp, reason);
    }
    let finished = world.build(&unique("odd"), "r1", &["base", "--dev=all"]).run();
    refused(&finished, ExitCode::GiveUp, "ModuleUnknown");
}

#[test]
fn wrong_credentials_and_servers_are_told_without_secrets() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("credentials");
    let wrong = world
        .build(&name, "r1", &["base"])
        .secret(DATABASE_PASSWORD, "hunter2-is-wrong")
        .run();
    refused(&wrong, ExitCode::GiveUp, "LoginRefused");
    assert!(!wrong.everything().contains("hunter2"));
    let mut command = world.command(&name, "r1", &["base"]);
    command.server.database_port = servers::free_port();
    let port = command.server.database_port;
    let nobody = world.build_with(command, &world.double("good", "19.0")).run();
    refused(&nobody, ExitCode::Retry, "ServerUnreachable");
    assert!(nobody.message().contains(&format!("{HOST}:{port}")));
    // A pool's role that may create databases would turn a mistaken name into a tenant.
    let mut command = world.command(&name, "r1", &["base"]);
    command.roles.application_role = ADMIN.to_owned();
    let able = world.build_with(command, &world.double("good", "19.0")).run();
    refused(&able, ExitCode::GiveUp, "RolesUnfit");
    let mut command = world.command(&name, "r1", &["base"]);
    command.roles.maintenance_role = "nobody".to_owned();
    let nobody = world.build_with(command, &world.double("good", "19.0")).run();
    refused(&nobody, ExitCode::GiveUp, "RolesUnfit");
    let mut command = world.command(&name, "r1", &["base"]);
    command.data_directory = world.data.join("missing").display().to_string();
    let nowhere = world.build_with(command, &world.double("good", "19.0")).run();
    refused(&nowhere, ExitCode::GiveUp, "FilestoreUnwritable");
    assert!(world.family(&name).is_empty());
}

#[test]
fn a_full_volume_is_told_and_the_next_run_goes_on() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let Some(tmpfs) = Tmpfs::mount(1 << 20) else {
        return;
    };
    let mut world = World::new(postgres);
    world.data = tmpfs.path().to_owned();
    let name = unique("full");
    world.build(&name, "r1", &["base"]).run().done();
    // Room for two small files and not a byte more: the volume is full in the middle of Odoo's work.
    let (reserve, ballast) = (world.data.join("reserve"), world.data.join("ballast"));
    fs::write(&reserve, [0; 8192]).expect("there is room");
    fs::write(&ballast, vec![0; 2 << 20]).expect_err("there is not that much room");
    fs::remove_file(reserve).expect("it is ours");
    let full = world.build(&name, "r2", &["base", "web"]).run();
    refused(&full, ExitCode::Retry, "DiskFull");
    assert!(full.phases().contains(&"install".to_owned()), "{}", full.log);
    // It leaves nothing that takes room, and the old template serves.
    assert_eq!(
        (world.family(&name), world.directories(&name)),
        (vec![name.clone()], vec![name.clone()])
    );
    world.prove(&name, &world.build(&name, "r1", &["base"]).run().done());
    fs::remove_file(ballast).expect("it is ours");
    world.prove(&name, &world.build(&name, "r2", &["base", "web"]).run().done());
}

#[test]
fn a_removed_template_is_gone_whenever_it_was_killed() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let prefix = unique("removed");
    let name = |number: usize| format!("{prefix}-{number}-");
    prove_every_boundary(
        "template-remove",
        |number| {
            world.build(&name(number), "r1", &["base"]).run().done();
            // And what a killed rebuild has left.
            world
                .build(&name(number), "r2", &["base"])
                .kill_before("files", Signal::KILL);
            world.remove(&name(number), ID)
        },
        |number, _| {
            assert!(world.family(&name(number)).is_empty());
            assert!(world.directories(&name(number)).is_empty());
        },
    );
    let again = world.remove(&name(0), ID).run().done();
    let report = again.result.and_then(|result| result.report);
    assert_eq!(report, Some(Report::Removed(contract::RemovedReport::default())));
}

#[test]
fn removing_says_first_what_it_would_do() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("stays");
    let built = world.build(&name, "r1", &["base"]).run().done();
    let dry = world.remove(&name, ID).dry_run().run().done();
    assert!(dry.stdout.contains("would drop 1 databases"), "{}", dry.stdout);
    refused(
        &world.remove(&name, "another").run(),
        ExitCode::Refused,
        "ForeignDatabase",
    );
    world.prove(&name, &built);
    let removed = world.remove(&name, ID).run().done();
    let report = removed.result.and_then(|result| result.report);
    assert_eq!(
        report,
        Some(Report::Removed(contract::RemovedReport { files: 3, bytes: 30 }))
    );
}

#[test]
fn the_real_odoo_builds_a_template_after_it_was_killed_half_way() {
    let (Some(postgres), Some(odoo)) = (Postgres::shared(), common::tool("odoo")) else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("real's");
    let job = world.real_build(&odoo, &name, &["base", "plana_fine"]);
    let mut running = job.start();
    running.wait_for("Odoo is loading");
    // In the middle of `base`: its tables are there, its data are not.
    thread::sleep(Duration::from_secs(3));
    running.kill(Signal::KILL);
    running.wait();
    let built = job.run().done();
    let seen = world.prove(&name, &built);
    assert_eq!(seen.report.modules["plana_fine"], "19.0.1.0");
    assert!(
        seen.report.modules["base"].starts_with("19.0."),
        "{:?}",
        seen.report
    );
    assert!(
        seen.report.module_count > 5 && seen.report.filestore_files > 5,
        "{:?}",
        seen.report
    );
    assert!(!built.everything().contains(&postgres.password(ADMIN)));
    let extension = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'";
    assert_eq!(world.one(&seen.clone, extension), "1");
    let demo = "SELECT count(*) FROM ir_module_module WHERE demo";
    assert_eq!(world.one(&seen.clone, demo), "0");
    assert!(
        !world.folder.path().join("odoo.log").exists(),
        "the image's log file was used"
    );
    println!("{:?}", seen.report);
}

#[test]
fn the_real_odoo_is_ended_when_a_module_is_unknown() {
    let (Some(postgres), Some(odoo)) = (Postgres::shared(), common::tool("odoo")) else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("typo");
    let finished = world
        .real_build(&odoo, &name, &["base", "no_such_module", "plana_fine"])
        .run();
    refused(&finished, ExitCode::GiveUp, "ModuleUnknown");
    assert!(
        finished.message().contains("no_such_module"),
        "{}",
        finished.message()
    );
    world.prove_no_template(&name);
}

#[test]
fn the_real_odoo_names_the_module_that_cannot_be_loaded() {
    let (Some(postgres), Some(odoo)) = (Postgres::shared(), common::tool("odoo")) else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("broken");
    let finished = world.real_build(&odoo, &name, &["plana_broken"]).run();
    refused(&finished, ExitCode::GiveUp, "OdooFailed");
    for word in ["plana_broken", "no_such_thing"] {
        assert!(finished.message().contains(word), "{}", finished.message());
    }
    world.prove_no_template(&name);
}

#[test]
fn the_real_odoo_makes_no_database_of_a_mistaken_name() {
    let (Some(postgres), Some(odoo)) = (Postgres::shared(), common::tool("odoo")) else {
        return;
    };
    let name = unique("mistaken");
    let world = World::new(postgres);
    let configuration = world.folder.path().join("odoo.conf");
    let settings = format!(
        "[options]\ndb_host = {HOST}\ndb_port = {}\ndb_user = {ADMIN}\ndb_password = {}\ndata_dir = {}\n",
        postgres.port(),
        postgres.password(ADMIN),
        world.data.display()
    );
    fs::write(&configuration, settings).expect("the folder is ours");
    // As odoo-job starts it: the login has CREATEDB, the role that it takes has not.
    let output = std::process::Command::new(odoo)
        .arg(format!("--config={}", configuration.display()))
        .args([
            &format!("--database={name}"),
            "--init=base",
            "--stop-after-init",
            "--no-http",
        ])
        .env("PGOPTIONS", format!("-c role={POOL}"))
        .output()
        .expect("Odoo starts");
    assert_eq!(
        output.status.code(),
        Some(255),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(world.family(&name).is_empty());
}

#[test]
fn a_server_that_goes_away_half_way_is_waited_for() {
    let (Some(postgres), Some(odoo)) = (Postgres::own(), common::tool("odoo")) else {
        return;
    };
    let world = World::new(&postgres);
    let name = unique("gone");
    let mut running = world.real_build(&odoo, &name, &["base"]).start();
    running.wait_for("Odoo is loading");
    postgres.kill();
    let finished = running.wait();
    refused(&finished, ExitCode::Retry, "ServerLost");
    postgres.start_again();
    world.prove(&name, &world.build(&name, "r1", &["base"]).run().done());
    // The lock is the server's: one that was started again has forgotten it, and nothing more is changed.
    let held = world
        .build(&name, "r2", &["base"])
        .variable("ODOO_JOB_HOLD_BEFORE", "swap");
    let mut running = held.start();
    running.wait_for("holding before this phase");
    postgres.stop();
    postgres.start_again();
    running.kill(Signal::TERM);
    refused(&running.wait(), ExitCode::Retry, "Stopped");
    world.prove(&name, &world.build(&name, "r2", &["base"]).run().done());
}

#[test]
fn half_an_odoo_in_a_tenants_database_is_thrown_away() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let world = World::new(postgres);
    let name = unique("half.planapulse.app");
    let create =
        format!("CREATE DATABASE \"{name}\" OWNER {MAINTENANCE} TEMPLATE template0 ALLOW_CONNECTIONS false");
    postgres.sql_as(ADMIN, SUPERUSER, &create).expect("it may");
    let job = |mode: &str| {
        let command = Command::TenantInit(contract::TenantInit {
            tenant: contract::TenantDatabase {
                server: world.server(),
                slug: "half".to_owned(),
                database: name.clone(),
                marker: ID.to_owned(),
            },
            roles: roles(),
            adopt: None,
            template: None,
            module: vec!["base".to_owned(), "web".to_owned()],
            odoo_version: 19,
            host: name.clone(),
            owner_email: "owner@half.example".to_owned(),
            owner_name: "Half".to_owned(),
            data_directory: world.data.display().to_string(),
        });
        let double = world.double(mode, "19.0").display().to_string();
        world.job(&command).variable("ODOO_JOB_ODOO", double)
    };
    // Killed when `base` was there and `web` was not: no state says that anything is missing.
    let mut running = job("baseonly").start();
    running.wait_for("Odoo is loading");
    let installed = "SELECT count(*) FROM ir_module_module WHERE state = 'installed'";
    let begun = std::time::Instant::now();
    while postgres.sql_as(SUPERUSER, &name, installed).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the double made no tables"
        );
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(world.one(&name, installed), "1");
    running.kill(Signal::KILL);
    running.wait();
    let killed = job("good").kill_before("filestore", Signal::KILL);
    assert_eq!(killed.code, None, "{}", killed.log);
    assert_eq!(world.one(&name, installed), "2", "{}", killed.log);
    // What nobody has claimed is nobody's to throw away.
    postgres.sql(
        &name,
        "UPDATE planapulse.ownership SET state = 'ready'; DELETE FROM ir_module_module WHERE name = 'web'",
    );
    let finished = job("good").run();
    assert_ne!(finished.code, Some(ExitCode::Done), "{}", finished.log);
    assert_eq!(world.one(&name, installed), "1");
}
