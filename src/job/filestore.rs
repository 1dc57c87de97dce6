//! The filestore directory of one database: `<data-dir>/filestore/<database>/<first 2 hex>/<sha1 of the content>`.
//!
//! In: Odoo's data directory and a database's name. Out: its files, in a fixed order. `checklist/` holds marks of Odoo's
//! garbage collection and is no data; `sessions`, beside `filestore`, is of all tenants and never touched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::failure::{Attempted, Failure};

/// The directory of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filestore {
    path: PathBuf,
}

/// A file of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Its name in `ir_attachment.store_fname`: `ab/ab12...`.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

impl Filestore {
    /// The directory of a database; it need not be there. A name that would lead elsewhere is refused.
    pub fn new(data_directory: &str, database: &str) -> Attempted<Self> {
        if database.is_empty() || database.contains(['/', '\0']) || [".", ".."].contains(&database) {
            return Err(Failure::give_up(
                "NameUnsafe",
                format!("{database:?} cannot be the name of a directory"),
            ));
        }
        Ok(Self {
            path: Path::new(data_directory).join("filestore").join(database),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Its files by name; none when the directory is not there. What is not named like content is left out.
    pub fn files(&self) -> Attempted<Vec<StoredFile>> {
        let mut files = Vec::new();
        for folder in self.folders()? {
            files.extend(self.files_in(&folder)?);
        }
        Ok(files)
    }

    /// Its folders by name; none when the directory is not there.
    pub fn folders(&self) -> Attempted<Vec<String>> {
        let mut folders = self.list(&self.path)?;
        folders.retain(|name| is_hexadecimal(name, 2));
        folders.sort();
        Ok(folders)
    }

    /// The files of one of its folders by name: a filestore whole may be more than fits in memory.
    pub fn files_in(&self, folder: &str) -> Attempted<Vec<StoredFile>> {
        let path = self.path.join(folder);
        let mut files = Vec::new();
        for name in self
            .list(&path)?
            .into_iter()
            .filter(|name| name.starts_with(folder))
        {
            // Odoo's garbage collection may take a file away at any time.
            let Some(metadata) =
                gone_is_none(fs::metadata(path.join(&name))).map_err(|error| self.unreadable(&error))?
            else {
                continue;
            };
            if metadata.is_file() && is_hexadecimal(&name, 40) {
                files.push(StoredFile {
                    name: format!("{folder}/{name}"),
                    bytes: metadata.len(),
                });
            }
        }
        files.sort();
        Ok(files)
    }

    fn list(&self, folder: &Path) -> Attempted<Vec<String>> {
        let Some(entries) = gone_is_none(fs::read_dir(folder)).map_err(|error| self.unreadable(&error))?
        else {
            return Ok(Vec::new());
        };
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
        names
            .collect::<io::Result<_>>()
            .map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::retry(
            "FilestoreUnreadable",
            format!("cannot read the filestore {}: {error}", self.path.display()),
        )
    }
}

/// Whether a text is this many hexadecimal digits in lower case.
fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// What is gone is nothing, and no error.
fn gone_is_none<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["", ".", "..", "a/b", "../other", "a\0"] {
            assert!(Filestore::new("/data", name).is_err(), "{name:?}");
        }
        let filestore = Filestore::new("/data", "acme.planapulse.app~18").unwrap();
        assert_eq!(
            filestore.path(),
            Path::new("/data/filestore/acme.planapulse.app~18")
        );
        assert_eq!(filestore.files().unwrap(), []);
    }
}
