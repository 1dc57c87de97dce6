//! An entry of a stream that is added once.
//!
//! In: an event. Out: the entry that holds it, added now or before. Whether it is there is asked of the stream itself, newest
//! entries first: a key beside it could be evicted or expire, or be there without its entry. The entry is added in a
//! transaction that fails when the stream has changed since it was looked through; then only what is new is looked
//! through. So two that publish at once add one entry, and a stream that others write to only costs another look.

use redis::{
    FromRedisValue, Value, cmd,
    streams::{StreamId, StreamRangeReply},
};

use super::redis::Connection;
use crate::job::failure::{Attempted, Failure};

/// Entries that are looked at in one go; a go keeps the server from others for about a millisecond.
const PAGE: usize = 500;
/// How often the stream may change between a look and the addition. At a thousand entries a second on a slow line, one
/// in two looks is in vain; a hundred in a row do not happen.
const LOOKS: usize = 100;

/// An entry that is to be there.
pub struct Entry<'a> {
    /// The stream.
    pub stream: &'a str,
    /// About how many entries the stream keeps.
    pub max_length: u32,
    /// The event's `id`.
    pub id: &'a str,
    /// Its `source`: an id is only unique within it.
    pub source: &'a str,
    /// Its `type`.
    pub r#type: &'a str,
    /// Its `subject`.
    pub subject: &'a str,
    /// All of it, as JSON.
    pub event: &'a str,
}

/// An entry that is there.
pub struct Published {
    /// Its id in the stream.
    pub entry: String,
    /// Whether it was there before.
    pub existed: bool,
}

/// What a look through the stream found.
#[derive(Default)]
struct Look {
    /// The entry of our event.
    found: Option<String>,
    /// The newest entry of the stream.
    newest: Option<String>,
}

impl Entry<'_> {
    /// Looks for the entry.
    pub async fn find(&self, connection: &mut Connection<'_>) -> Attempted<Option<String>> {
        Ok(self.look(connection, None).await?.found)
    }

    /// Adds the entry unless it is there, and reads it back.
    pub async fn publish(&self, connection: &mut Connection<'_>) -> Attempted<Published> {
        let mut seen = None;
        for _ in 0..LOOKS {
            let _: Value = query(connection, cmd("WATCH").arg(self.stream)).await?;
            let look = self.look(connection, seen.as_deref()).await?;
            if let Some(entry) = look.found {
                return Ok(Published { entry, existed: true });
            }
            seen = look.newest.or(seen);
            if let Some(entry) = self.add(connection).await? {
                self.prove(connection, &entry).await?;
                return Ok(Published {
                    entry,
                    existed: false,
                });
            }
        }
        Err(Failure::retry(
            "EventsBusy",
            format!(
                "the stream {} of {} changed {LOOKS} times while it was looked through",
                self.stream,
                connection.server.place()
            ),
        ))
    }

    /// Looks through the stream, newest first, down to the entry that was seen before.
    async fn look(&self, connection: &mut Connection<'_>, seen: Option<&str>) -> Attempted<Look> {
        // `(` leaves out the entry itself.
        let oldest = seen.map_or_else(|| "-".to_owned(), |seen| format!("({seen}"));
        let mut newest = "+".to_owned();
        let mut look = Look::default();
        loop {
            let mut command = cmd("XREVRANGE");
            command
                .arg(self.stream)
                .arg(&newest)
                .arg(&oldest)
                .arg("COUNT")
                .arg(PAGE);
            let page: StreamRangeReply = query(connection, &command).await?;
            if look.newest.is_none() {
                look.newest = page.ids.first().map(|entry| entry.id.clone());
            }
            if let Some(entry) = page.ids.iter().find(|entry| self.is_ours(entry)) {
                look.found = Some(entry.id.clone());
                return Ok(look);
            }
            match page.ids.last() {
                Some(last) if page.ids.len() == PAGE => newest = format!("({}", last.id),
                Some(_) | None => return Ok(look),
            }
        }
    }

    fn is_ours(&self, entry: &StreamId) -> bool {
        let has = |field, value: &str| {
            entry
                .get::<Vec<u8>>(field)
                .is_some_and(|it| it == value.as_bytes())
        };
        has("id", self.id) && has("source", self.source)
    }

    /// Adds the entry, unless the stream has changed since it is watched.
    async fn add(&self, connection: &mut Connection<'_>) -> Attempted<Option<String>> {
        let mut command = cmd("XADD");
        command.arg(self.stream);
        command.arg("MAXLEN").arg("~").arg(self.max_length).arg("*");
        let fields = [
            ("id", self.id),
            ("source", self.source),
            ("type", self.r#type),
            ("subject", self.subject),
            ("event", self.event),
        ];
        for (field, value) in fields {
            command.arg(field).arg(value);
        }
        // One by one, since a refusal of one in the middle would be told without its code. What fails before EXEC ends
        // with the connection.
        let _: Value = query(connection, &cmd("MULTI")).await?;
        let _: Value = query(connection, &command).await?;
        let added: Option<(String,)> = query(connection, &cmd("EXEC")).await?;
        Ok(added.map(|(entry,)| entry))
    }

    /// Reads the entry back. A server that was started again in between has lost it.
    async fn prove(&self, connection: &mut Connection<'_>, entry: &str) -> Attempted<()> {
        let mut command = cmd("XRANGE");
        command.arg(self.stream).arg(entry).arg("+").arg("COUNT").arg(1);
        let page: StreamRangeReply = query(connection, &command).await?;
        // One that follows tells that ours was there: a short, busy stream has dropped it already.
        if page.ids.is_empty() {
            return Err(Failure::retry(
                "EventLost",
                format!("entry {entry} was added to {} and is not there", self.stream),
            ));
        }
        Ok(())
    }
}

async fn query<T: FromRedisValue>(connection: &mut Connection<'_>, command: &redis::Cmd) -> Attempted<T> {
    let answer = command.query_async(&mut connection.line).await;
    answer.map_err(|error| connection.server.failure(&error))
}
