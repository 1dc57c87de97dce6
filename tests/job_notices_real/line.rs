//! Lines to a server that end, stop, or speak TLS.
//!
//! In: a port. Out: another one, which leads there. Of the line that breaks, the first connections are cut or stop after so
//! many bytes of the server; later ones are whole, as after a restart of what was in between.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

const HOST: &str = "127.0.0.1";

/// What becomes of a connection whose bytes are used up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// It ends.
    Cut,
    /// It stays open, and nothing comes any more.
    Stop,
}

/// A port that leads to another; the first connections break after so many bytes of the server.
pub fn breaking(to: u16, connections: usize, bytes: usize, kind: Break) -> u16 {
    let listener = TcpListener::bind((HOST, 0)).expect("the loopback interface has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    let broken = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let is_broken = broken.fetch_add(1, Ordering::Relaxed) < connections;
            let allowed = if is_broken { bytes } else { usize::MAX };
            let server = TcpStream::connect((HOST, to)).expect("the server listens");
            let (client_in, server_out) = (clone(&client), clone(&server));
            thread::spawn(move || forward(client_in, server_out, usize::MAX, Break::Cut));
            thread::spawn(move || forward(server, client, allowed, kind));
        }
    });
    port
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a descriptor")
}

fn forward(mut from: TcpStream, mut to: TcpStream, mut allowed: usize, kind: Break) {
    let mut buffer = [0; 4096];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let passed = count.min(allowed);
        if to.write_all(&buffer[..passed]).is_err() {
            break;
        }
        allowed -= passed;
        if passed < count && kind == Break::Cut {
            break;
        }
    }
    // Each is done with when the other is.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A port that speaks TLS and leads to another, and the certificate of its authority in PEM.
pub fn secured(to: u16) -> (u16, String) {
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .expect("a configuration");
    let (sender, port) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(serve(to, TlsAcceptor::from(Arc::new(config)), sender));
    });
    (port.recv().expect("it listens"), certificate.pem())
}

async fn serve(to: u16, acceptor: TlsAcceptor, sender: mpsc::Sender<u16>) {
    let listener = tokio::net::TcpListener::bind((HOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    sender.send(port).expect("the test waits");
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that does not believe us goes away.
            let Ok(mut client) = acceptor.accept(client).await else {
                return;
            };
            let mut server = tokio::net::TcpStream::connect((HOST, to))
                .await
                .expect("the server listens");
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
