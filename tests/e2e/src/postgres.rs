//! PostgreSQL as the platform has it: a server of its own, outside the cluster and inside its network.
//!
//! In: the machine's PostgreSQL programs. Out: a server with the roles that Jobs, pools and maintenance have, and the
//! template databases that tenants are cloned from, made by plain SQL and sealed.
//!
//! | role | may |
//! |---|---|
//! | `postgres` | everything, from the machine itself |
//! | `plana_admin` | create databases and give them to the others, whose member it is: provider-sql and the Jobs |
//! | `plana` | log in and own databases: the pools |
//! | `plana_maint` | own what is being worked on |

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    certificates::write_secret,
    kubectl::checked,
    place::{ADDRESS, RUN},
    program::{Programs, command},
};

const LIMIT: Duration = Duration::from_secs(60);
const MAJORS: &str = "/usr/lib/postgresql";
const OLDEST_MAJOR: u32 = 15;
/// The superuser's password; only here and on loopback.
pub const PASSWORD: &str = "postgres.password";
/// The login that provider-sql and the Jobs get.
pub const ADMIN: &str = "plana_admin";
const ROLES: [(&str, &str); 3] = [
    (ADMIN, "CREATEDB"),
    (POOL, "NOCREATEDB"),
    ("plana_maint", "NOCREATEDB"),
];
/// The templates of the tiers of one major.
const TEMPLATES: [&str; 3] = ["basic", "pro", "enterprise"];

/// The login of the pools.
pub const POOL: &str = "plana";

/// The passwords of those whose clients are in the cluster.
#[derive(Debug)]
pub struct Passwords {
    /// Of [`ADMIN`].
    pub admin: String,
    /// Of [`POOL`].
    pub pool: String,
}

/// Makes the data, and starts the server on them.
pub fn start(programs: &mut Programs) -> Result<()> {
    let bin = bin()?;
    let folder = Path::new(RUN).join("postgres");
    let (uid, gid) = user()?;
    fs::create_dir(&folder).context("cannot make PostgreSQL's folder")?;
    chown(&folder, Some(uid), Some(gid)).context("cannot give PostgreSQL its folder")?;
    let password = Path::new(RUN).join(PASSWORD);
    write_secret(&password, &secret()?)?;
    // The server's user may read its own.
    chown(&password, Some(uid), Some(gid)).context("cannot give PostgreSQL the password")?;
    let output = as_user(&bin.join("initdb"), uid, gid)
        .arg("--pgdata")
        .arg(folder.join("data"))
        .args(["--username=postgres", "--auth=scram-sha-256", "--pwfile"])
        .arg(&password)
        .args(["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        .output()
        .context("cannot start initdb")?;
    checked(&output, "initdb")?;
    let rules = "host all all 127.0.0.1/32 scram-sha-256\nhostssl all all 10.88.0.0/24 scram-sha-256\n";
    fs::write(folder.join("data/pg_hba.conf"), rules).context("cannot write pg_hba.conf")?;
    for file in ["postgres.crt", "postgres.key"] {
        let copy = folder.join(file);
        fs::copy(Path::new(RUN).join("pki").join(file), &copy).context("cannot copy a certificate")?;
        chown(&copy, Some(uid), Some(gid)).context("cannot give PostgreSQL its certificate")?;
    }
    let mut command = as_user(&bin.join("postgres"), uid, gid);
    command.arg("-D").arg(folder.join("data"));
    for setting in [
        &format!("listen_addresses=127.0.0.1,{ADDRESS}"),
        "unix_socket_directories=",
        "max_connections=200",
        "ssl=on",
        &format!("ssl_cert_file={}", folder.join("postgres.crt").display()),
        &format!("ssl_key_file={}", folder.join("postgres.key").display()),
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "log_connections=on",
    ] {
        command.args(["-c", setting]);
    }
    programs.start("postgresql", command)
}

/// Waits for the server, and makes roles and templates; gives the passwords.
pub fn finish(programs: &mut Programs) -> Result<Passwords> {
    let psql = |database: &str, statements: &str| sql(database, statements);
    programs.wait("postgresql", LIMIT, || psql("postgres", "SELECT 1").is_ok())?;
    let (mut admin, mut pool) = (String::new(), String::new());
    for (role, rights) in ROLES {
        let own = secret()?;
        // Names and passwords are ours: letters, digits and underscores.
        psql(
            "postgres",
            &format!("CREATE ROLE {role} LOGIN {rights} PASSWORD '{own}'"),
        )?;
        if role != ADMIN {
            psql("postgres", &format!("GRANT {role} TO {ADMIN}"))?;
        }
        match role {
            ADMIN => admin = own,
            POOL => pool = own,
            _ => {}
        }
    }
    for template in TEMPLATES {
        let name = format!("{template}-template-18.planapulse.app");
        psql(
            "postgres",
            &format!("CREATE DATABASE \"{name}\" OWNER plana_maint TEMPLATE template0"),
        )?;
        psql(
            &name,
            "CREATE TABLE made_by (what text); INSERT INTO made_by VALUES ('template')",
        )?;
        let seal = format!("ALTER DATABASE \"{name}\" IS_TEMPLATE true ALLOW_CONNECTIONS false");
        psql("postgres", &seal)?;
    }
    programs.say("PostgreSQL has its roles and templates");
    Ok(Passwords { admin, pool })
}

/// psql as the superuser, from the machine itself.
pub fn psql(run: &Path, database: &str) -> Result<Command> {
    let password = fs::read_to_string(run.join(PASSWORD)).context("cannot read the password")?;
    let mut command = Command::new(bin()?.join("psql"));
    command.env("PGPASSWORD", password).env("PGHOST", "127.0.0.1");
    command
        .env("PGUSER", "postgres")
        .env("PGDATABASE", database)
        .env("PGCONNECT_TIMEOUT", "10");
    Ok(command)
}

/// Statements go over standard input, since some hold passwords.
fn sql(database: &str, statements: &str) -> Result<String> {
    let mut child = psql(Path::new(RUN), database)?
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start psql")?;
    let mut input = child.stdin.take().context("psql has an input")?;
    input
        .write_all(statements.as_bytes())
        .context("cannot write to psql")?;
    drop(input);
    checked(&child.wait_with_output().context("cannot wait for psql")?, "psql")
}

fn as_user(program: &Path, uid: u32, gid: u32) -> Command {
    let mut setpriv = command(Path::new("setpriv"));
    setpriv
        .arg(format!("--reuid={uid}"))
        .arg(format!("--regid={gid}"));
    setpriv
        .args(["--clear-groups", "--"])
        .arg(program)
        .current_dir(RUN);
    setpriv
}

/// The user that Debian's package brings; the server refuses to be root.
fn user() -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").context("cannot read the users")?;
    let find = || {
        let mut fields = users
            .lines()
            .find_map(|line| line.strip_prefix("postgres:"))?
            .split(':');
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find().context("there is no user postgres: run dev/install-tools postgresql")
}

/// The programs of the newest major.
fn bin() -> Result<PathBuf> {
    let majors = fs::read_dir(MAJORS).into_iter().flatten().flatten();
    let newest = majors
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|major| *major >= OLDEST_MAJOR)
        .max();
    let major = newest.context("there is no PostgreSQL: run dev/install-tools postgresql")?;
    let bin = Path::new(MAJORS).join(major.to_string()).join("bin");
    ensure!(bin.join("initdb").is_file(), "{} has no initdb", bin.display());
    Ok(bin)
}

/// A password.
pub fn secret() -> Result<String> {
    use std::fmt::Write as _;

    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot get random bytes")?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").context("cannot write a number")?;
    }
    Ok(text)
}
