//! The archive of the filestore: a tar of all files, compared with what the dump's attachments refer to.
//!
//! Files are named by their content and never change, so those that were there when the dump began are the dump's; Odoo's
//! garbage collection may take some away meanwhile. Names are as in `ir_attachment.store_fname`. One folder of 256 is
//! looked at a time, and a name takes 20 bytes, so a million files take no more than 20 MB.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt as _,
};

use tar::{Builder, EntryType, Header};
use tracing::{info, warn};

use super::manifest::{Files, NAMES_MAXIMUM};
use crate::job::{
    archive,
    failure::{Attempted, Failure},
    filestore::Filestore,
};

/// Whoever unpacks it decides who may read; it is the mode that Odoo gives them.
const MODE: u32 = 0o644;
const NAME_BYTES: usize = 20;

/// The files that the attachments of a dump refer to.
#[derive(Clone, Debug, Default)]
pub struct References {
    names: Vec<[u8; NAME_BYTES]>,
    /// Names that are not named like content: nothing archives these.
    odd: Vec<String>,
    odd_count: u64,
}

impl References {
    /// Adds the name of an attachment's file.
    pub fn add(&mut self, name: &str) {
        if let Some(name) = pack(name) {
            self.names.push(name);
            return;
        }
        self.odd_count += 1;
        if self.odd.len() < NAMES_MAXIMUM {
            self.odd.push(name.to_owned());
        }
    }

    /// Sorts them, so that they can be found.
    pub fn sort(&mut self) {
        self.names.sort_unstable();
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.names.len() as u64 + self.odd_count
    }
}

/// Refuses a filestore that is not there while attachments refer to it: a volume that was mounted wrongly would become
/// a backup without files, and in time push out the good ones.
pub fn gate(filestore: &Filestore, data_directory: &str, references: &References) -> Attempted<()> {
    let wanted = references.count();
    if filestore.exists() || wanted == 0 {
        return Ok(());
    }
    Err(Failure::give_up(
        "FilestoreMissing",
        format!(
            "there is no {}, and {wanted} files of attachments should be in it: the volume of {data_directory} may be a wrong \
             one",
            filestore.path().display()
        ),
    ))
}

/// Writes the archive. Blocks.
pub fn write(filestore: &Filestore, references: &References, to: &mut dyn Write) -> Attempted<Files> {
    let mut archive = Builder::new(to);
    let mut found = vec![false; references.names.len()];
    let mut files = Files {
        referenced: references.count(),
        ..Files::default()
    };
    let folders = filestore.folders()?;
    for (number, folder) in folders.iter().enumerate() {
        for file in filestore.files_in(folder)? {
            let Some(bytes) = append(&mut archive, filestore, &file.name, &mut files)? else {
                continue;
            };
            files.count += 1;
            files.bytes += bytes;
            match pack(&file.name).and_then(|name| references.names.binary_search(&name).ok()) {
                Some(index) => found[index] = true,
                None => files.orphans += 1,
            }
        }
        if number % 64 == 63 {
            info!(
                folder = number + 1,
                of = folders.len(),
                files = files.count,
                "progress of the filestore"
            );
        }
    }
    let written = archive
        .into_inner()
        .map_err(|error| archive::cannot_write(&error));
    written.map(drop)?;
    compare(references, &found, &mut files);
    Ok(files)
}

fn compare(references: &References, found: &[bool], files: &mut Files) {
    let missing = references.names.iter().zip(found).filter(|(_, found)| !**found);
    files.missing = missing.clone().count() as u64 + references.odd_count;
    let names = missing.map(|(name, _)| unpack(name));
    files.missing_names = names
        .chain(references.odd.iter().cloned())
        .take(NAMES_MAXIMUM)
        .collect();
    if files.missing > 0 {
        warn!(
            missing = files.missing,
            first = %files.missing_names.first().map_or("", String::as_str),
            "attachments refer to files that are not in the filestore; their content was lost before this backup"
        );
    }
}

/// Appends a file; `None` when it is gone.
fn append(
    archive: &mut Builder<&mut dyn Write>,
    filestore: &Filestore,
    name: &str,
    files: &mut Files,
) -> Attempted<Option<u64>> {
    let path = filestore.path().join(name);
    let unreadable = |error: &io::Error| {
        Failure::retry(
            "FilestoreUnreadable",
            format!("cannot read {}: {error}", path.display()),
        )
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            info!(name, "taken away by Odoo's garbage collection meanwhile");
            return Ok(None);
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    let mut content = Exactly {
        file,
        rest: metadata.len(),
        has_changed: false,
        error: None,
    };
    let mut header = header(&metadata);
    let appended = archive.append_data(&mut header, name, &mut content);
    // The archive does not say whose error it is.
    if let Some(error) = content.error {
        return Err(unreadable(&error));
    }
    appended.map_err(|error| archive::cannot_write(&error))?;
    if content.has_changed || content.is_longer() {
        files.changed += 1;
        warn!(
            name,
            "its length changed while it was read: it is not what its name says"
        );
    }
    Ok(Some(metadata.len()))
}

fn header(metadata: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(MODE);
    header.set_size(metadata.len());
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    // A file from before 1970 is none of Odoo's.
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or_default());
    header
}

/// A file of exactly the length that its header says, whatever happens to it: the archive is whole in any case.
struct Exactly {
    file: File,
    rest: u64,
    has_changed: bool,
    error: Option<io::Error>,
}

impl Exactly {
    fn is_longer(&mut self) -> bool {
        matches!(self.file.read(&mut [0]), Ok(1))
    }
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.rest).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = if self.has_changed {
            0
        } else {
            match self.file.read(&mut buffer[..wanted]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let copy = io::Error::new(error.kind(), error.to_string());
                    self.error = Some(error);
                    return Err(copy);
                }
            }
        };
        let read = if read == 0 {
            self.has_changed = true;
            buffer[..wanted].fill(0);
            wanted
        } else {
            read
        };
        self.rest -= read as u64;
        Ok(read)
    }
}

/// `ab/abcd...` in 20 bytes; `None` for a name of another form.
fn pack(name: &str) -> Option<[u8; NAME_BYTES]> {
    let (folder, digits) = name.split_once('/')?;
    if folder.len() != 2 || digits.len() != 2 * NAME_BYTES || !digits.starts_with(folder) {
        return None;
    }
    let mut packed = [0; NAME_BYTES];
    for (byte, pair) in packed.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let digit = |letter: u8| match letter {
            b'0'..=b'9' => Some(letter - b'0'),
            b'a'..=b'f' => Some(letter - b'a' + 10),
            _ => None,
        };
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(packed)
}

fn unpack(name: &[u8; NAME_BYTES]) -> String {
    let digits = archive::hexadecimal(name);
    format!("{}/{digits}", &digits[..2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_packed_and_unpacked() {
        let name = "da/da39a3ee5e6b4b0d3255bfef95601890afd80709";
        assert_eq!(unpack(&pack(name).unwrap()), name);
        for odd in [
            "",
            "da39",
            "db/da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "DA/DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
        ] {
            assert_eq!(pack(odd), None, "{odd}");
        }
    }

    fn exactly(content: &[u8], rest: u64) -> (Vec<u8>, Exactly) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let mut reader = Exactly {
            file,
            rest,
            has_changed: false,
            error: None,
        };
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        (read, reader)
    }

    #[test]
    fn a_file_that_changes_keeps_the_archive_whole() {
        let (read, mut reader) = exactly(b"12345", 5);
        assert_eq!(
            (read.as_slice(), reader.has_changed, reader.is_longer()),
            (&b"12345"[..], false, false)
        );
        let (read, mut reader) = exactly(b"12345", 3);
        assert_eq!(
            (read.as_slice(), reader.has_changed, reader.is_longer()),
            (&b"123"[..], false, true)
        );
        let (read, reader) = exactly(b"123", 5);
        assert_eq!((read.as_slice(), reader.has_changed), (&b"123\0\0"[..], true));
    }
}
