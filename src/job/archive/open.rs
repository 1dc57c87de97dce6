//! Back from the store: parts -> checksum -> decryption -> decompression -> checksum -> content.

use std::{
    io::{self, Read},
    sync::{Arc, atomic::AtomicU64},
};

use age::{DecryptError, Decryptor, Identity, x25519};
use bytes::{Buf as _, Bytes};
use flate2::read::MultiGzDecoder;
use tokio::sync::mpsc;

use super::{Counted, Digest};
use crate::{contract::Compression, job::failure::Attempted};

/// What a stream was.
#[derive(Clone, Debug)]
pub struct Opened<T> {
    /// What is stored.
    pub stored: Digest,
    /// What it is: its checksum and what was made of it, or why it cannot be read. `None`: it is encrypted, and there
    /// is no identity.
    pub content: Option<Result<(Digest, T), Unreadable>>,
}

/// Why the content of an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is encrypted to others.
    Identity,
    /// It is not what it is to be.
    Damaged(String),
}

/// Reads a stream to its end, whatever it is: its own checksum is to be known in any case. `consume` gets the content.
/// Blocks: it is for a thread of its own.
pub fn open<T>(
    chunks: mpsc::Receiver<Attempted<Bytes>>,
    compression: Compression,
    is_encrypted: bool,
    identity: Option<&x25519::Identity>,
    progress: Arc<AtomicU64>,
    consume: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<Opened<T>> {
    let mut stored = Counted::new(
        Chunks {
            receiver: chunks,
            chunk: Bytes::new(),
        },
        progress,
    );
    let content = match (is_encrypted, identity) {
        (false, _) => Some(decompress(&mut stored, compression, consume)),
        (true, Some(identity)) => Some(decrypt(&mut stored, compression, identity, consume)),
        (true, None) => None,
    };
    io::copy(&mut stored, &mut io::sink())?;
    let (_, stored) = stored.finish();
    Ok(Opened { stored, content })
}

fn decrypt<T>(
    stored: &mut impl Read,
    compression: Compression,
    identity: &x25519::Identity,
    consume: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<(Digest, T), Unreadable> {
    let unreadable = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => Unreadable::Identity,
        error => Unreadable::Damaged(error.to_string()),
    };
    let decryptor = Decryptor::new(stored).map_err(unreadable)?;
    let identities = std::iter::once(identity as &dyn Identity);
    let mut plain = decryptor.decrypt(identities).map_err(unreadable)?;
    decompress(&mut plain, compression, consume)
}

fn decompress<T>(
    stored: &mut impl Read,
    compression: Compression,
    consume: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<(Digest, T), Unreadable> {
    let damaged = |error: io::Error| Unreadable::Damaged(error.to_string());
    match compression {
        Compression::Zstd => read(zstd::Decoder::new(stored).map_err(damaged)?, consume),
        Compression::Gzip => read(MultiGzDecoder::new(stored), consume),
    }
    .map_err(damaged)
}

fn read<T>(
    content: impl Read,
    consume: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<(Digest, T)> {
    let mut content = Counted::new(content, Arc::new(AtomicU64::new(0)));
    let outcome = consume(&mut content)?;
    // What follows is part of the content too.
    io::copy(&mut content, &mut io::sink())?;
    Ok((content.finish().1, outcome))
}

/// A stream's chunks as something to read.
struct Chunks {
    receiver: mpsc::Receiver<Attempted<Bytes>>,
    chunk: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(failure)) => return Err(io::Error::other(failure)),
            }
        }
        let read = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}
