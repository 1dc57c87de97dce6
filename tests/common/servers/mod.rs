//! The servers that odoo-job works on, real and of the test's own: PostgreSQL, Redis, S3 and Odoo.
//!
//! In: nothing but the programs that `dev/install-tools` knows. Out: servers on free ports of the loopback interface,
//! with data of their own below the system's folder for temporary files. `shared()` is one for the whole test program,
//! where each test takes names of its own (`unique`); `own()` is one that a test may stop, fill up or break. A missing
//! program is said aloud by `common::real_component` and gives `None`, which tells the test to return.
//!
//! A program brings them in with `mod common;` and `#[path = "common/servers/mod.rs"] mod servers;`. The latter expects
//! `dead_code` in all but `tests/servers_real.rs`, which uses, and so proves, everything here.
//!
//! None outlives the test program, however that ends: see [`process`]. What a killed one left on disk, the next one
//! clears away: see [`folder`].

pub mod folder;
pub mod http;
pub mod odoo;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod s3;
pub mod tmpfs;

use std::{
    hash::{BuildHasher, RandomState},
    net::TcpListener,
    sync::atomic::{AtomicU32, Ordering},
};

/// All servers listen here and nowhere else.
pub const HOST: &str = "127.0.0.1";

/// A port that nobody listens on; a server that loses it to another is started again on the next.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((HOST, 0)).expect("the loopback interface has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// A password that no other server has, so that nothing answers in its place.
pub fn secret() -> String {
    // Each state has keys of its own; that is random enough for a server that lives for a minute on loopback.
    let [first, second] = [(); 2].map(|()| RandomState::new().hash_one("secret"));
    format!("{first:016x}{second:016x}")
}

/// A name that no other test of this program has: of a database, a bucket, a folder.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
