//! An S3 server whose objects are files (versitygw), so that a test sees what arrived without asking the server.
//!
//! In: `versitygw` as `dev/install-tools` builds it, and a folder to keep buckets in. Out: a server on a free port,
//! its credentials, and requests signed with them. It checks signatures, and refuses what AWS refuses; what it does
//! otherwise: the keys `a` and `a/b` cannot both exist, and encryption that is asked for is ignored.

mod signature;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use signature::Credentials;

use super::{
    HOST,
    folder::Folder,
    free_port,
    http::{self, Response},
    process::{self, Server},
    secret, unique,
};
use crate::common;

const LIMIT: Duration = Duration::from_secs(30);
/// The only region it accepts.
pub const REGION: &str = "test-region-1";
/// The key that it knows.
pub const ACCESS_KEY: &str = "test-access-key";

/// A server and its buckets.
#[derive(Debug)]
pub struct S3 {
    // Before the folders: the server ends before its data are removed.
    server: Mutex<Option<Server>>,
    /// Users, logs, and the buckets unless they are elsewhere.
    folder: Folder,
    root: PathBuf,
    program: PathBuf,
    port: AtomicU16,
    secret_key: String,
}

impl S3 {
    /// The one that all tests of this program share; each takes buckets of its own.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: LazyLock<Option<S3>> = LazyLock::new(S3::own);
        SHARED.as_ref()
    }

    /// One of the test's own, which it may stop.
    pub fn own() -> Option<Self> {
        Self::new(None)
    }

    /// One whose buckets are in this folder: of a small file system, say.
    pub fn on(root: &Path) -> Option<Self> {
        Self::new(Some(root))
    }

    fn new(root: Option<&Path>) -> Option<Self> {
        let program = common::tool("versitygw")?;
        let folder = Folder::new("s3");
        let root = root.map_or_else(|| folder.join("buckets"), Path::to_owned);
        for path in [&root, &folder.join("users")] {
            fs::create_dir_all(path).expect("the folder is writable");
        }
        let s3 = Self {
            server: Mutex::new(None),
            folder,
            root,
            program,
            port: AtomicU16::new(0),
            secret_key: secret(),
        };
        s3.launch(free_port);
        Some(s3)
    }

    /// Starts the server on the port that `port` gives, asked again when that is taken.
    fn launch(&self, port: impl Fn() -> u16) {
        let command = || {
            self.port.store(port(), Ordering::Relaxed);
            self.command()
        };
        let ready = || {
            self.request("GET", "/", &[])
                .is_ok_and(|response| response.status == 200)
        };
        let server = Server::start("versitygw", &self.folder.join("log"), LIMIT, command, ready);
        *self.server() = Some(server);
    }

    fn command(&self) -> Command {
        let mut command = process::command(&self.program, None);
        // By the environment: arguments are everybody's to read.
        command
            .env("ROOT_ACCESS_KEY_ID", ACCESS_KEY)
            .env("ROOT_SECRET_ACCESS_KEY", &self.secret_key);
        command.args([
            "--port",
            &format!("{HOST}:{}", self.port()),
            "--region",
            REGION,
            "--quiet",
        ]);
        // With users in a folder, an unknown key is refused as AWS refuses it.
        command.arg("--iam-dir").arg(self.folder.join("users"));
        command.arg("posix").arg(&self.root);
        command
    }

    /// A bucket that no other test of this program has; its name.
    pub fn bucket(&self, prefix: &str) -> String {
        let name = unique(prefix);
        fs::create_dir(self.root.join(&name)).expect("the folder of the buckets is writable");
        name
    }

    /// What the file of an object has in it; `None` when there is no such object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.root.join(bucket).join(key));
        bytes.map_or_else(
            |error| {
                assert_eq!(error.kind(), io::ErrorKind::NotFound, "{bucket}/{key}: {error}");
                None
            },
            Some,
        )
    }

    /// The keys of all objects in a bucket, in order, from the files.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.root.join(bucket);
        let (mut keys, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("there is such a bucket").flatten() {
                let path = entry.path();
                // Where uploads are until they are whole.
                if path == root.join(".sgwtmp") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let key = path.strip_prefix(&root).expect("it is below it");
                    keys.push(key.to_string_lossy().into_owned());
                }
            }
        }
        keys.sort();
        keys
    }

    /// Uploads that were begun and neither completed nor aborted: the names of their folders.
    pub fn unfinished(&self, bucket: &str) -> Vec<PathBuf> {
        let uploads = fs::read_dir(self.root.join(bucket).join(".sgwtmp/multipart"));
        let objects = uploads.into_iter().flatten().flatten();
        let parts = objects.flat_map(|object| fs::read_dir(object.path()).into_iter().flatten().flatten());
        parts.map(|upload| upload.path()).collect()
    }

    /// Asks with a right signature. The target is a path and a query, both encoded, the query's names in order.
    pub fn request(&self, method: &str, target: &str, body: &[u8]) -> io::Result<Response> {
        self.request_with(ACCESS_KEY, &self.secret_key, method, target, body)
    }

    /// Asks with keys of the test's own.
    pub fn request_with(
        &self,
        access_key: &str,
        secret_key: &str,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> io::Result<Response> {
        let host = format!("{HOST}:{}", self.port());
        let credentials = Credentials {
            access_key,
            secret_key,
            region: REGION,
        };
        let headers = credentials.sign(Timestamp::now(), method, &host, target, body);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        http::request(self.port(), method, target, &headers, body)
    }

    /// Where it is, for path-style requests.
    pub fn endpoint(&self) -> String {
        format!("http://{HOST}:{}", self.port())
    }

    /// Its port, the same for life.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// The secret that belongs to [`ACCESS_KEY`].
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// The server's process, when it is running.
    pub fn pid(&self) -> Option<u32> {
        self.server().as_ref().map(Server::pid)
    }

    /// Ends it; the buckets stay.
    pub fn stop(&self) {
        if let Some(mut server) = self.server().take() {
            server.stop("TERM", LIMIT);
        }
    }

    /// Starts it on the same port and buckets, once it was stopped.
    pub fn start_again(&self) {
        assert!(self.server().is_none(), "it is running");
        let port = self.port();
        self.launch(|| port);
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        // A test that has failed meanwhile has left it as it is.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
