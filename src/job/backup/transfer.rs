//! Streams between a thread that makes or reads bytes and the store, with progress while they run.

use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use age::x25519;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tracing::info;

use super::manifest::Object;
use crate::{
    contract::Compression,
    job::{
        archive::{self, Opened, Recipe, Sealed, Sink},
        attempt::Attempt,
        failure::{Attempted, Failure},
        store::{Store, Upload, part_bytes},
    },
};

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);
/// Parts that wait to be sent: one is filled while two are on their way.
const PARTS_WAITING: usize = 1;
/// Chunks of a download that wait to be read.
const CHUNKS_WAITING: usize = 16;

/// What is sent, for the lines of progress.
#[derive(Clone, Copy, Debug)]
pub struct Cargo {
    /// `dump` or `filestore`.
    pub what: &'static str,
    /// About how many bytes of content it is; 0 when that is not known.
    pub expected: u64,
}

/// Sends what `source` writes, from a thread of its own. `ended` says whether the source was whole; the object appears
/// only then, and nothing of it stays otherwise.
pub async fn send<T: Send + 'static>(
    attempt: &Attempt,
    (store, key): (&Store, &str),
    recipe: &Recipe,
    cargo: Cargo,
    source: impl FnOnce(&mut dyn Write) -> Attempted<T> + Send + 'static,
    ended: impl Future<Output = Attempted<()>>,
) -> Attempted<(Sealed, T)> {
    let mut upload = attempt.interruptible(store.upload(key)).await??;
    let (sender, parts) = mpsc::channel(PARTS_WAITING);
    let (content, stored) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let sink = Sink {
        parts: sender,
        part_bytes,
        content: Arc::clone(&content),
        stored,
    };
    let recipe = recipe.clone();
    let thread = spawn_blocking(move || archive::seal(&recipe, sink, source));
    let work = async {
        pump(&mut upload, parts, cargo, &content).await?;
        let sealed = thread.await.map_err(|error| lost(&error))??;
        ended.await?;
        Ok(sealed)
    };
    let outcome = attempt.interruptible(work).await.and_then(|outcome| outcome);
    match outcome {
        Ok(sealed) => {
            attempt.interruptible(upload.complete()).await??;
            Ok(sealed)
        }
        Err(failure) => {
            upload.abort().await;
            Err(failure)
        }
    }
}

/// Reads an object back whole, and its content as far as that can be; `consume` reads that, in a thread of its own.
pub async fn receive<T: Send + 'static>(
    attempt: &Attempt,
    store: &Store,
    (object, compression, is_encrypted): (&Object, Compression, bool),
    identity: Option<x25519::Identity>,
    cargo: Cargo,
    consume: impl FnOnce(&mut dyn Read) -> std::io::Result<T> + Send + 'static,
) -> Attempted<Opened<T>> {
    let work = async {
        let Some(stream) = store.read(&object.key).await? else {
            return Err(Failure::give_up(
                "BackupIncomplete",
                format!("{} is missing", object.key),
            ));
        };
        let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
        let read = Arc::<AtomicU64>::default();
        let progress = Arc::clone(&read);
        let thread = spawn_blocking(move || {
            archive::open(
                chunks,
                compression,
                is_encrypted,
                identity.as_ref(),
                progress,
                consume,
            )
        });
        let mut stream = Box::pin(stream);
        let mut meter = Meter::new(cargo, &read);
        loop {
            tokio::select! {
                chunk = stream.next() => match chunk {
                    // The thread reads to the end, whatever it finds.
                    Some(Ok(chunk)) => if sender.send(Ok(chunk)).await.is_err() { break },
                    Some(Err(failure)) => {
                        // It need not know why it ends here.
                        let _ = sender.send(Err(failure.clone())).await;
                        return Err(failure);
                    }
                    None => break,
                },
                () = meter.tick() => {}
            }
        }
        drop(sender);
        let opened = thread.await.map_err(|error| lost(&error))?;
        opened.map_err(|error| Failure::retry("DownloadLost", format!("{}: {error}", object.key)))
    };
    attempt.interruptible(work).await?
}

async fn pump(
    upload: &mut Upload<'_>,
    mut parts: mpsc::Receiver<Bytes>,
    cargo: Cargo,
    content: &AtomicU64,
) -> Attempted<()> {
    let mut meter = Meter::new(cargo, content);
    loop {
        tokio::select! {
            part = parts.recv() => match part {
                Some(part) => upload.send(part).await?,
                None => return Ok(()),
            },
            () = meter.tick() => {}
        }
    }
}

fn lost(error: &tokio::task::JoinError) -> Failure {
    Failure::retry(
        "ThreadLost",
        format!("a thread of this program ended early: {error}"),
    )
}

/// Says now and then how far it is.
struct Meter<'a> {
    cargo: Cargo,
    bytes: &'a AtomicU64,
    begun: Instant,
    ticks: tokio::time::Interval,
}

impl<'a> Meter<'a> {
    fn new(cargo: Cargo, bytes: &'a AtomicU64) -> Self {
        let mut ticks = interval(PROGRESS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one would come at once.
        ticks.reset();
        Self {
            cargo,
            bytes,
            begun: Instant::now(),
            ticks,
        }
    }

    async fn tick(&mut self) {
        self.ticks.tick().await;
        let bytes = self.bytes.load(Ordering::Relaxed);
        let milliseconds = u64::try_from(self.begun.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let rate = bytes.saturating_mul(1000) / milliseconds;
        let percent = (bytes.saturating_mul(100)).checked_div(self.cargo.expected);
        info!(
            what = self.cargo.what,
            bytes,
            bytes_per_second = rate,
            percent = percent.map(|percent| percent.min(100)),
            "progress"
        );
    }
}
