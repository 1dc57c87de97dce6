//! Connections, ready to speak HTTP/2.
//!
//! In: a listener and, with TLS, the certificates of the moment. Out: a stream of [`Connection`]s. Handshakes run beside
//! each other, bounded in number and time, so a slow or silent client holds up nobody. When the stream is dropped
//! the listener closes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::{
    codegen::tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream},
    transport::server::Connected,
};
use tracing::{debug, warn};

use super::rotation::Followed;

/// How long a TLS handshake may take: several round trips over a bad network.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes at once: far more than Crossplane's pods, few enough that silent clients cannot use up the memory.
const HANDSHAKES_AT_ONCE: usize = 1024;

/// Accepted connections that wait for the server; it takes them at once.
const ACCEPTED_AHEAD: usize = 16;

/// The pause after a failed accept, which otherwise spins while file descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A client's connection.
pub enum Connection {
    /// Plain text.
    Plain(TcpStream),
    /// After a TLS handshake in which the client showed its certificate.
    Secure(Box<TlsStream<TcpStream>>),
}

/// The accept loop before it is started.
pub struct Incoming {
    listener: TcpListener,
    certificates: Option<Followed>,
}

impl Incoming {
    /// Connections in plain text.
    pub fn plain(listener: TcpListener) -> Self {
        Self {
            listener,
            certificates: None,
        }
    }

    /// Connections with mutual TLS.
    pub fn secure(listener: TcpListener, certificates: Followed) -> Self {
        Self {
            listener,
            certificates: Some(certificates),
        }
    }

    /// Starts accepting; ends when the stream is dropped.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<Connection>> {
        let (sender, receiver) = mpsc::channel(ACCEPTED_AHEAD);
        tokio::spawn(self.accept(sender));
        ReceiverStream::new(receiver).map(Ok)
    }

    async fn accept(self, sender: mpsc::Sender<Connection>) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
        loop {
            let accepted = tokio::select! {
                () = sender.closed() => return,
                accepted = next(&self.listener, &handshakes) => accepted,
            };
            match accepted {
                Ok((stream, turn)) => {
                    tokio::spawn(hand_over(stream, self.certificates.clone(), sender.clone(), turn));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Waits until one more handshake may run, then for a connection to run it with.
async fn next(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Option<OwnedSemaphorePermit>)> {
    // Fails only when the semaphore is closed, which nobody does.
    let turn = Arc::clone(handshakes).acquire_owned().await.ok();
    let (stream, _) = listener.accept().await?;
    Ok((stream, turn))
}

/// Brings one connection to the server, unless its handshake fails.
async fn hand_over(
    stream: TcpStream,
    certificates: Option<Followed>,
    sender: mpsc::Sender<Connection>,
    turn: Option<OwnedSemaphorePermit>,
) {
    // Answers are small and complete; waiting to fill a packet only delays them. Works without, so errors are ignored.
    let _ = stream.set_nodelay(true);
    let connection = match certificates {
        None => Some(Connection::Plain(stream)),
        Some(certificates) => handshake(stream, &certificates).await,
    };
    drop(turn);
    if let Some(connection) = connection {
        // Fails only when the server has stopped meanwhile.
        let _ = sender.send(connection).await;
    }
}

async fn handshake(stream: TcpStream, certificates: &Followed) -> Option<Connection> {
    let peer = stream
        .peer_addr()
        .map_or_else(|_| "unknown".to_owned(), |peer| peer.to_string());
    let acceptor = TlsAcceptor::from(certificates.current());
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Connection::Secure(Box::new(stream))),
        // rustls speaks of everything that TLS itself refuses as invalid data: perhaps our files are newer than we.
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            warn!(peer, %error, "cannot complete the TLS handshake");
            certificates.check_soon();
            None
        }
        Ok(Err(error)) => {
            debug!(peer, %error, "connection ended in the TLS handshake");
            None
        }
        Err(_) => {
            debug!(
                peer,
                seconds = HANDSHAKE_TIMEOUT.as_secs(),
                "TLS handshake took too long"
            );
            None
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Secure(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
