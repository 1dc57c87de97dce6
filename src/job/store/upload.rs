//! A large object on its way: part after part, two at a time, and none of it is there before it is whole.

use std::time::Duration;

use bytes::Bytes;
use object_store::MultipartUpload;
use tokio::{task::JoinSet, time::timeout};
use tracing::warn;

use super::Store;
use crate::job::failure::{Attempted, Failure};

/// Bytes of a part: above S3's minimum of 5 MiB, and small enough that a handful fits in little memory.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at a time; one more is being filled.
const IN_FLIGHT: usize = 2;
/// Parts of the smallest size: 8 GB.
const SMALL_PARTS: usize = 1000;
/// After so many further parts they are twice as large.
const GROWTH_PARTS: usize = 330;
/// A node that is drained waits half a minute for us.
const ABORT_TIMEOUT: Duration = Duration::from_secs(10);
/// S3 takes no more parts than these.
const PARTS_MAXIMUM: usize = 10_000;

/// Bytes of the part with this number, from 0 on: so that all that S3 takes come to more than a terabyte.
#[must_use]
pub fn part_bytes(number: usize) -> usize {
    let grown = number.saturating_sub(SMALL_PARTS);
    PART_BYTES + PART_BYTES * grown / GROWTH_PARTS
}

/// A large object on its way.
#[derive(Debug)]
pub struct Upload<'a> {
    store: &'a Store,
    key: String,
    inner: Box<dyn MultipartUpload>,
    in_flight: JoinSet<object_store::Result<()>>,
    parts: usize,
}

impl<'a> Upload<'a> {
    pub(super) fn new(store: &'a Store, key: &str, inner: Box<dyn MultipartUpload>) -> Self {
        Self {
            store,
            key: key.to_owned(),
            inner,
            in_flight: JoinSet::new(),
            parts: 0,
        }
    }

    /// Sends the next part, once there is room for it.
    pub async fn send(&mut self, part: Bytes) -> Attempted<()> {
        if self.parts == PARTS_MAXIMUM {
            return Err(Failure::give_up(
                "ObjectTooLarge",
                format!("{} would be larger than S3 takes an object", self.key),
            ));
        }
        self.wait_for(IN_FLIGHT - 1).await?;
        self.in_flight.spawn(self.inner.put_part(part.into()));
        self.parts += 1;
        Ok(())
    }

    /// Makes the object appear.
    pub async fn complete(mut self) -> Attempted<()> {
        let outcome = match self.wait_for(0).await {
            Ok(()) => {
                let completed = self.inner.complete().await;
                completed
                    .map(drop)
                    .map_err(|error| self.store.failed("complete the upload of", &self.key, &error))
            }
            Err(failure) => Err(failure),
        };
        if outcome.is_err() {
            self.abort().await;
        }
        outcome
    }

    /// Takes back what was sent. When that fails too, the bucket's own rule for unfinished uploads has to do it.
    pub async fn abort(mut self) {
        // A part that arrives later would stay.
        self.in_flight.shutdown().await;
        match timeout(ABORT_TIMEOUT, self.inner.abort()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let failure = self.store.failed("abort the upload of", &self.key, &error);
                warn!(key = %self.key, "{failure}");
            }
            Err(_) => warn!(key = %self.key, "the store does not answer; an unfinished upload stays"),
        }
    }

    async fn wait_for(&mut self, at_most: usize) -> Attempted<()> {
        while self.in_flight.len() > at_most {
            let Some(sent) = self.in_flight.join_next().await else {
                break;
            };
            let sent = sent.map_err(|error| Failure::retry("UploadLost", error.to_string()))?;
            sent.map_err(|error| self.store.failed("send a part of", &self.key, &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_come_to_a_terabyte() {
        let total: usize = (0..PARTS_MAXIMUM).map(part_bytes).sum();
        assert!(total > 1 << 40, "{total}");
        assert!((0..SMALL_PARTS).all(|number| part_bytes(number) == PART_BYTES));
        // And none is larger than S3 takes a part, or than the memory of a Job.
        assert!(part_bytes(PARTS_MAXIMUM) < 256 << 20);
    }
}
