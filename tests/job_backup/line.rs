//! A line between a program and a server: as slow as a test wants it, and cut when it wants that.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::servers::HOST;

/// A line to a port.
pub struct Line {
    port: u16,
    sent: Arc<AtomicU64>,
    stalled: Arc<AtomicBool>,
}

impl Line {
    /// One that carries so many bytes a second towards the server; what comes back is not slowed.
    pub fn to(server: u16, bytes_per_second: u64) -> Self {
        let listener = TcpListener::bind((HOST, 0)).expect("the loopback interface has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let (sent, stalled) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (all, stop) = (Arc::clone(&sent), Arc::clone(&stalled));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (all, stop) = (Arc::clone(&all), Arc::clone(&stop));
                thread::spawn(move || {
                    // A server that is gone closes the client's connection.
                    let Ok(server) = TcpStream::connect((HOST, server)) else {
                        return;
                    };
                    let (from, to) = (server.try_clone(), client.try_clone());
                    let (Ok(mut from), Ok(mut to)) = (from, to) else {
                        return;
                    };
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                    carry(client, server, bytes_per_second, &all, &stop);
                });
            }
        });
        Self { port, sent, stalled }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{HOST}:{}", self.port)
    }

    /// Waits until so many bytes have gone towards the server.
    pub fn wait_for(&self, bytes: u64) {
        let begun = Instant::now();
        while self.sent() < bytes {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is sent");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many bytes have gone towards the server.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// From now on nothing more gets through, and nobody is told.
    pub fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, rate: u64, sent: &AtomicU64, stalled: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
        sent.fetch_add(read as u64, Ordering::Relaxed);
        thread::sleep(Duration::from_micros(1_000_000 * read as u64 / rate));
        while stalled.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
