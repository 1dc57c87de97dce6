//! The object store: S3, path style, one bucket.
//!
//! In: the contract's store and the keys from the environment. Out: objects as lists, documents and streams; errors name
//! the endpoint and the bucket, and never a key. Every request is tried again for a while; what the store answered in
//! the end is told apart by [`failure`].

mod connection;
mod failure;
mod upload;

use std::{env, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::{
    BackoffConfig, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};

pub use self::upload::{Upload, part_bytes};
use self::{
    connection::{Clock, Connector},
    failure::Place,
};
use super::{
    failure::{Attempted, Failure},
    http,
    secrets::{self, Redactor},
};
use crate::contract::{self, STORE_KEY, STORE_KEY_ID};

/// Names how many seconds a request is tried again for, where three minutes are not right.
pub const PATIENCE_VARIABLE: &str = "ODOO_JOB_STORE_PATIENCE";
/// A store that is restarted is back within this; the signature of a request is valid for five minutes.
const PATIENCE: Duration = Duration::from_mins(3);
/// No document of ours is larger; what is, is none.
const DOCUMENT_BYTES: u64 = 4 << 20;

/// A bucket of an object store.
#[derive(Debug)]
pub struct Store {
    inner: AmazonS3,
    place: Place,
    clock: Arc<Clock>,
}

/// An object as a list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written, in seconds, by the store's clock.
    pub written_at: Timestamp,
}

impl Store {
    /// Prepares requests with the keys of the environment; makes none yet.
    pub fn open(store: &contract::Store) -> Attempted<Self> {
        let endpoint = store.endpoint.trim_end_matches('/');
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(Failure::give_up(
                "EndpointInvalid",
                format!("the endpoint {endpoint:?} of the object store must begin with https:// or http://"),
            ));
        }
        let (id, key) = (secrets::required(STORE_KEY_ID)?, secrets::required(STORE_KEY)?);
        let clock = Arc::new(Clock::default());
        let inner = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_allow_http(endpoint.starts_with("http://"))
            .with_virtual_hosted_style_request(false)
            .with_region(&store.region)
            .with_bucket_name(&store.bucket)
            .with_access_key_id(id.expose())
            .with_secret_access_key(key.expose())
            .with_retry(retries()?)
            .with_http_connector(Connector::new(http::upload_client()?, Arc::clone(&clock)))
            .build()
            .map_err(|error| {
                Failure::give_up(
                    "StoreUnusable",
                    format!("cannot use the object store at {endpoint}: {error}"),
                )
            })?;
        let place = Place {
            endpoint: endpoint.to_owned(),
            bucket: store.bucket.clone(),
            redactor: Redactor::new([id, key]),
        };
        Ok(Self { inner, place, clock })
    }

    /// Bucket and endpoint, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    /// Proves that the store is there, knows the bucket and takes the keys, before anything costly is done.
    pub async fn prove(&self, folder: &str) -> Attempted<()> {
        match self.inner.list(Some(&path(folder)?)).next().await {
            // A name that cannot be read is somebody else's, and the store is there.
            None | Some(Ok(_) | Err(object_store::Error::InvalidPath { .. })) => Ok(()),
            Some(Err(error)) => Err(self.failed("list", folder, &error)),
        }
    }

    /// All objects below a folder.
    pub async fn objects(&self, folder: &str) -> Attempted<Vec<StoredObject>> {
        let list = self.inner.list(Some(&path(folder)?));
        let objects = list.map_ok(|object| StoredObject {
            key: object.location.into(),
            bytes: object.size,
            // Both are seconds since 1970; a date that jiff cannot hold is none of a store's.
            written_at: Timestamp::from_second(object.last_modified.timestamp()).unwrap_or(Timestamp::MAX),
        });
        objects
            .try_collect()
            .await
            .map_err(|error| self.failed("list", folder, &error))
    }

    /// A small object whole; `None` when it is not there.
    pub async fn document(&self, key: &str) -> Attempted<Option<Bytes>> {
        let failed = |error| self.failed("read", key, &error);
        let got = match self.inner.get(&path(key)?).await {
            Ok(got) => got,
            Err(error) if failure::is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if got.meta.size > DOCUMENT_BYTES {
            return Err(Failure::give_up(
                "DocumentTooLarge",
                format!(
                    "{key} in {} has {} bytes and is not ours",
                    self.place, got.meta.size
                ),
            ));
        }
        got.bytes().await.map(Some).map_err(failed)
    }

    /// Writes a small object that must not be there yet.
    pub async fn write_new(&self, key: &str, document: &[u8]) -> Attempted<()> {
        let options = PutOptions::from(PutMode::Create);
        let outcome = self
            .inner
            .put_opts(&path(key)?, document.to_vec().into(), options)
            .await;
        let Err(error) = outcome else { return Ok(()) };
        // An answer that was lost on the way makes the second try meet the first one's object.
        if failure::is_conflict(&error) {
            if self.document(key).await?.is_some_and(|found| found == document) {
                return Ok(());
            }
            return Err(Failure::retry(
                "ObjectExists",
                format!("{key} in {} is there already, with other content", self.place),
            ));
        }
        Err(self.failed("write", key, &error))
    }

    /// The content of an object as a stream; `None` when it is not there.
    pub async fn read(&self, key: &str) -> Attempted<Option<impl Stream<Item = Attempted<Bytes>> + '_>> {
        match self.inner.get(&path(key)?).await {
            Ok(got) => {
                let key = key.to_owned();
                let stream = got.into_stream();
                Ok(Some(
                    stream.map_err(move |error| self.failed("read", &key, &error)),
                ))
            }
            Err(error) if failure::is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("read", key, &error)),
        }
    }

    /// Removes an object; one that is not there is removed.
    pub async fn remove(&self, key: &str) -> Attempted<()> {
        match self.inner.delete(&path(key)?).await {
            Err(error) if !failure::is_missing(&error) => Err(self.failed("remove", key, &error)),
            _ => Ok(()),
        }
    }

    /// Begins to write a large object: it is there when the upload is completed, and not before.
    pub async fn upload(&self, key: &str) -> Attempted<Upload<'_>> {
        let upload = self.inner.put_multipart(&path(key)?).await;
        let upload = upload.map_err(|error| self.failed("begin the upload of", key, &error))?;
        Ok(Upload::new(self, key, upload))
    }

    fn failed(&self, doing: &str, key: &str, error: &object_store::Error) -> Failure {
        self.place
            .failure(&format!("{doing} {key}"), error, self.clock.skew_seconds())
    }
}

fn retries() -> Attempted<RetryConfig> {
    let patience = match env::var(PATIENCE_VARIABLE) {
        Err(_) => PATIENCE,
        Ok(text) => text.parse().map(Duration::from_secs).map_err(|_| {
            Failure::give_up(
                "PatienceInvalid",
                format!("{PATIENCE_VARIABLE} must be a number of seconds, not {text:?}"),
            )
        })?,
    };
    Ok(RetryConfig {
        backoff: BackoffConfig::default(),
        // Time is the limit.
        max_retries: usize::MAX,
        retry_timeout: patience,
    })
}

fn path(key: &str) -> Attempted<Path> {
    Path::parse(key).map_err(|error| {
        Failure::give_up(
            "KeyUnusable",
            format!("{key:?} cannot be the key of an object: {error}"),
        )
    })
}
