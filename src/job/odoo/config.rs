//! Odoo's configuration file for one run.
//!
//! In: the file of the image, and the settings of this run. Out: a file of our own in a private folder, with what the
//! image needs to find its modules (`addons_path`, and every setting that we do not know) and nothing of how its web
//! server runs. The password stands in this file and nowhere else: arguments and environments can be read.

use std::{
    env,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::job::{
    failure::{Attempted, Failure},
    postgres::Login,
};

/// Names the image's configuration file, as for Odoo itself.
const IMAGE_FILE_VARIABLE: &str = "ODOO_RC";
/// Where the official image has it.
const IMAGE_FILE: &str = "/etc/odoo/odoo.conf";
/// The one section that Odoo itself reads.
const SECTION: &str = "options";

/// Settings of the image that are not taken over, by their whole name.
const DROPPED: &[&str] = &[
    "admin_passwd",
    "config",
    "data_dir",
    "dbfilter",
    "demo",
    "dev_mode",
    "gevent_port",
    "init",
    "list_db",
    "logfile",
    "logrotate",
    "longpolling_port",
    "max_cron_threads",
    "pidfile",
    "proxy_access_token",
    "proxy_mode",
    "reinit",
    "save",
    "stop_after_init",
    "syslog",
    "update",
    "with_demo",
    "without_demo",
    "workers",
    "x_sendfile",
];
/// The same, by what their names begin with.
const DROPPED_FAMILIES: &[&str] = &["db_", "http_", "limit_", "log_", "smtp_", "test_", "xmlrpc"];

/// A folder with the file, removed when this is dropped.
#[derive(Debug)]
pub struct Configuration {
    folder: PathBuf,
}

impl Configuration {
    /// Writes the file of a run as this login.
    pub fn write(login: &Login, data_directory: &str) -> Attempted<Self> {
        let text = derive(&image_file()?, &settings(login, data_directory))?;
        let folder = env::temp_dir().join(format!("odoo-job-{}", random_name()?));
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|error| unwritable(&folder, &error))?;
        let configuration = Self { folder };
        configuration.add("odoo.conf", &text)?;
        Ok(configuration)
    }

    /// The file, for `-c`.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("odoo.conf")
    }

    /// Puts another file beside it, which only we can read.
    pub fn add(&self, name: &str, text: &str) -> Attempted<PathBuf> {
        let path = self.folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| unwritable(&path, &error))?;
        Ok(path)
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        // A folder that cannot be removed goes with the container.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn random_name() -> Attempted<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::retry("RandomnessMissing", format!("cannot get random bytes: {error}")))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::retry(
        "TemporaryFolder",
        format!(
            "cannot write {}: {error}; TMPDIR must name a folder with some room",
            path.display()
        ),
    )
}

fn image_file() -> Attempted<String> {
    let named = env::var_os(IMAGE_FILE_VARIABLE).filter(|path| !path.is_empty());
    let path = named.map_or_else(|| PathBuf::from(IMAGE_FILE), PathBuf::from);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        // An image may do without: Odoo has defaults for everything.
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied].contains(&error.kind()) => {
            Ok(String::new())
        }
        Err(error) => Err(Failure::give_up(
            "ConfigUnreadable",
            format!(
                "cannot read Odoo's configuration file {}: {error}",
                path.display()
            ),
        )),
    }
}

fn settings(login: &Login, data_directory: &str) -> Vec<(&'static str, String)> {
    vec![
        ("db_host", login.server.database_host.clone()),
        ("db_port", login.server.database_port.to_string()),
        ("db_user", login.username.expose().to_owned()),
        ("db_password", login.password.expose().to_owned()),
        ("db_sslmode", login.server.database_ssl_mode.clone()),
        ("data_dir", data_directory.to_owned()),
        ("http_enable", "False".to_owned()),
        ("list_db", "False".to_owned()),
        ("max_cron_threads", "0".to_owned()),
        ("workers", "0".to_owned()),
    ]
}

/// The image's file with our settings in place of its own. Sections of modules (`[queue_job]`) stay as they are.
fn derive(image: &str, settings: &[(&str, String)]) -> Attempted<String> {
    let mut options = vec![format!("[{SECTION}]")];
    for (name, value) in settings {
        check(name, value)?;
        options.push(format!("{name} = {value}"));
    }
    let mut others = Vec::new();
    let mut section = None;
    let mut keeps = false;
    for line in image.lines() {
        let is_continued = line.starts_with([' ', '\t']);
        let line_text = line.trim();
        if line_text.is_empty() || line_text.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = section_name(line_text).filter(|_| !is_continued) {
            section = Some(name);
            keeps = false;
            if name != SECTION {
                others.push(line.to_owned());
            }
            continue;
        }
        match section {
            None => {}
            Some(SECTION) => {
                keeps = if is_continued { keeps } else { is_kept(line_text) };
                if keeps {
                    options.push(line.to_owned());
                }
            }
            Some(_) => others.push(line.to_owned()),
        }
    }
    options.append(&mut others);
    Ok(options.join("\n") + "\n")
}

fn section_name(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split(']').next()
}

fn is_kept(line: &str) -> bool {
    let name = line.split(['=', ':']).next().unwrap_or_default().trim();
    let name = name.to_ascii_lowercase();
    !DROPPED.contains(&name.as_str()) && !DROPPED_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Refuses a value that Odoo would read as another one.
fn check(name: &str, value: &str) -> Attempted<()> {
    // Odoo 16 to 18 take these words for Python's values, in whatever setting.
    let is_word =
        name.starts_with("db_") && ["true", "false", "none"].contains(&value.to_lowercase().as_str());
    if is_word || value.trim() != value || value.chars().any(char::is_control) {
        return Err(Failure::give_up(
            "SettingUnusable",
            format!(
                "the value of {name} cannot stand in Odoo's configuration file: no blanks at its ends, no control \
                 characters, not true, false or none"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "\
# of the image
[options]
addons_path = /mnt/a,
    /mnt/b
admin_passwd = master
db_host = elsewhere
db_name = tenant
dbfilter = ^%h$
logfile = /var/log/odoo.log
log_level: warn
log_handler = :WARNING,
    odoo.sql_db:DEBUG
Workers = 8
unaccent = True
my_own_setting = kept

[queue_job]
channels = root:2
";

    fn ours(password: &str) -> Vec<(&'static str, String)> {
        vec![("db_password", password.to_owned()), ("workers", "0".to_owned())]
    }

    #[test]
    fn what_finds_modules_stays_and_what_serves_goes() {
        let text = derive(IMAGE, &ours("p%w=:#;")).unwrap();
        let expected = "\
[options]
db_password = p%w=:#;
workers = 0
addons_path = /mnt/a,
    /mnt/b
unaccent = True
my_own_setting = kept
[queue_job]
channels = root:2
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_image_without_a_file_is_fine() {
        assert_eq!(
            derive("", &ours("x")).unwrap(),
            "[options]\ndb_password = x\nworkers = 0\n"
        );
    }

    #[test]
    fn a_value_that_would_be_read_as_another_is_refused_and_not_shown() {
        for password in ["two\nlines", " blank", "None", "false", "bell\u{7}"] {
            let failure = derive("", &ours(password)).unwrap_err();
            assert_eq!(failure.reason, "SettingUnusable", "{password:?}");
            assert!(!failure.message.contains("two"), "{failure}");
        }
    }

    #[test]
    fn the_folder_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = env::temp_dir().join(format!("odoo-job-{}", random_name().unwrap()));
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let configuration = Configuration {
            folder: folder.clone(),
        };
        let path = configuration.add("odoo.conf", "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        drop(configuration);
        assert!(!folder.exists());
    }
}
