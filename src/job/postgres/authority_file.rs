//! The authorities of the database server as a file, which is the only form that libpq and its programs take.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
};

use super::Login;
use crate::job::{
    failure::{Attempted, Failure},
    tls::AUTHORITIES_VARIABLE,
};

/// Where distributions keep the public authorities.
const PUBLIC: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A file for `PGSSLROOTCERT`; one that was written here is removed when this is dropped.
#[derive(Debug)]
pub struct AuthorityFile {
    path: PathBuf,
    is_ours: bool,
}

impl AuthorityFile {
    /// The file for a login; `None` where no certificate is checked, or where libpq has to find its own.
    pub fn of(login: &Login) -> Attempted<Option<Self>> {
        if !login.server.database_ssl_mode.starts_with("verify-") {
            return Ok(None);
        }
        let Some(authority) = login.authority() else {
            let named = env::var_os(AUTHORITIES_VARIABLE)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from);
            let found = named.or_else(|| PUBLIC.map(PathBuf::from).into_iter().find(|path| path.is_file()));
            return Ok(found.map(|path| Self { path, is_ours: false }));
        };
        let path = env::temp_dir().join(format!("odoo-job-{}.crt", process::id()));
        // What a process that is gone has left under our number is not ours to write into.
        let _ = fs::remove_file(&path);
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(authority.expose().as_bytes()))
            .map_err(|error| {
                Failure::give_up(
                    "TemporaryFolderUnusable",
                    format!("cannot write the authorities to {}: {error}", path.display()),
                )
            })?;
        Ok(Some(Self { path, is_ours: true }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AuthorityFile {
    fn drop(&mut self) {
        if self.is_ours {
            // The folder goes with the pod in any case.
            let _ = fs::remove_file(&self.path);
        }
    }
}
