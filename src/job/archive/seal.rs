//! Into the store: content -> checksum -> compression -> encryption -> checksum -> parts.

use std::{
    io::{self, Write},
    sync::{Arc, atomic::AtomicU64},
};

use age::{Encryptor, Recipient, stream::StreamWriter};
use bytes::Bytes;
use flate2::write::GzEncoder;
use tokio::sync::mpsc;

use super::{Counted, Digest, Recipe};
use crate::{
    contract::Compression,
    job::failure::{Attempted, Failure},
};

/// The level that is documented; more costs more time than it saves room.
const ZSTD_LEVEL: i32 = 3;

/// What a stream became.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What was written.
    pub content: Digest,
    /// What is stored.
    pub stored: Digest,
}

/// Where the parts go, and who sees how far it is.
#[derive(Debug)]
pub struct Sink {
    /// The parts; the receiver sends them off. Few fit, so that whoever writes waits.
    pub parts: mpsc::Sender<Bytes>,
    /// Bytes of the part with a number.
    pub part_bytes: fn(usize) -> usize,
    /// Bytes of content that were written.
    pub content: Arc<AtomicU64>,
    /// Bytes that were stored.
    pub stored: Arc<AtomicU64>,
}

/// Runs `source` with something to write to, and sends what that becomes. Blocks: it is for a thread of its own.
pub fn seal<T>(
    recipe: &Recipe,
    sink: Sink,
    source: impl FnOnce(&mut dyn Write) -> Attempted<T>,
) -> Attempted<(Sealed, T)> {
    let parts = Parts {
        sender: sink.parts,
        part_bytes: sink.part_bytes,
        buffer: Vec::new(),
        number: 0,
    };
    let stored = Counted::new(parts, sink.stored);
    let encryption = Encryption::new(recipe, stored).map_err(|error| cannot_write(&error))?;
    let compression =
        Compressor::new(recipe.compression, encryption).map_err(|error| cannot_write(&error))?;
    let mut content = Counted::new(compression, sink.content);
    let outcome = source(&mut content)?;
    let (compression, content) = content.finish();
    let finish = || {
        let stored = compression.finish()?.finish()?;
        let (parts, stored) = stored.finish();
        parts.finish()?;
        Ok(stored)
    };
    let stored = finish().map_err(|error: io::Error| cannot_write(&error))?;
    Ok((Sealed { content, stored }, outcome))
}

/// What it means that nobody takes the bytes any more: the upload has failed, and says why.
pub fn cannot_write(error: &io::Error) -> Failure {
    Failure::retry("UploadLost", format!("cannot write to the object store: {error}"))
}

enum Compressor<W: Write> {
    Zstd(zstd::Encoder<'static, W>),
    Gzip(GzEncoder<W>),
}

impl<W: Write> Compressor<W> {
    fn new(compression: Compression, inner: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(inner, ZSTD_LEVEL)?;
                // So that zstd itself sees damage.
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
            Compression::Gzip => Self::Gzip(GzEncoder::new(inner, flate2::Compression::default())),
        })
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

enum Encryption<W: Write> {
    None(W),
    // Large beside the other, and there is one of it.
    Age(Box<StreamWriter<W>>),
}

impl<W: Write> Encryption<W> {
    fn new(recipe: &Recipe, inner: W) -> io::Result<Self> {
        if !recipe.is_encrypted() {
            return Ok(Self::None(inner));
        }
        let recipients = recipe
            .recipients
            .iter()
            .map(|recipient| recipient as &dyn Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        Ok(Self::Age(Box::new(encryptor.wrap_output(inner)?)))
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::None(inner) => Ok(inner),
            Self::Age(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for Encryption<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(inner) => inner.write(bytes),
            Self::Age(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(inner) => inner.flush(),
            Self::Age(writer) => writer.flush(),
        }
    }
}

/// Cuts a stream into parts.
struct Parts {
    sender: mpsc::Sender<Bytes>,
    part_bytes: fn(usize) -> usize,
    buffer: Vec<u8>,
    number: usize,
}

impl Parts {
    fn finish(mut self) -> io::Result<()> {
        // An empty object has one empty part.
        if self.buffer.is_empty() && self.number > 0 {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let part = Bytes::from(std::mem::take(&mut self.buffer));
        self.number += 1;
        self.sender
            .blocking_send(part)
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the upload has ended"))
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = (self.part_bytes)(self.number);
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(size);
        }
        let taken = bytes.len().min(size - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == size {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A part is sent when it is full: the store takes no small ones.
        Ok(())
    }
}
