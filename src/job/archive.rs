//! Bytes on their way into the store and back: compressed, encrypted and counted while they stream.
//!
//! In: a recipe, and something that writes. Out: parts of an object, of a size that the store takes, with the checksum of
//! what was written and of what is stored. Memory is that of a few parts, however long the stream is: whoever writes
//! waits for the store.

mod open;
mod seal;

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use age::x25519;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::{
    open::{Opened, Unreadable, open},
    seal::{Sealed, Sink, cannot_write, seal},
};
use super::failure::{Attempted, Failure};
use crate::contract::Compression;

/// Bytes, and what they hash to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// How many.
    pub bytes: u64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// What is done to a stream.
#[derive(Clone)]
pub struct Recipe {
    /// How it is compressed.
    pub compression: Compression,
    recipients: Vec<x25519::Recipient>,
}

impl Recipe {
    /// Reads the recipients (`age1...`).
    pub fn new(compression: Compression, recipients: &[String]) -> Attempted<Self> {
        let read = |text: &String| {
            text.parse::<x25519::Recipient>().map_err(|error| {
                // Somebody who mistakes the identity for the recipient must not find it in a log.
                let shown = if text.to_uppercase().starts_with("AGE-SECRET-KEY") {
                    "a secret key was given, give its public half"
                } else {
                    text.as_str()
                };
                Failure::give_up(
                    "RecipientInvalid",
                    format!("an age recipient begins with age1 and is 62 letters long ({error}): {shown}"),
                )
            })
        };
        Ok(Self {
            compression,
            recipients: recipients.iter().map(read).collect::<Attempted<_>>()?,
        })
    }

    /// Whether the stream is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !self.recipients.is_empty()
    }
}

/// Counts and hashes what passes.
pub(super) struct Counted<T> {
    inner: T,
    hash: Sha256,
    bytes: Arc<AtomicU64>,
}

impl<T> Counted<T> {
    /// `bytes` shows others how far it is.
    pub(super) fn new(inner: T, bytes: Arc<AtomicU64>) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            bytes,
        }
    }

    pub(super) fn finish(self) -> (T, Digest) {
        let digest = Digest {
            bytes: self.bytes.load(Ordering::Relaxed),
            sha256: hexadecimal(&self.hash.finalize()),
        };
        (self.inner, digest)
    }

    fn note(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.note(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.note(&buffer[..read]);
        Ok(read)
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
