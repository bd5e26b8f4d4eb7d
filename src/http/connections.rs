//! Connections: accepted, encrypted where there is a certificate, and ended where a peer takes nothing for too long.
//!
//! Handshakes go on beside each other, so that one that hangs holds up nobody.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use openssl::ssl::Ssl;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_openssl::SslStream;
use tokio_util::either::Either;

use super::tls::Certificate;

/// How long a handshake may take, and how many there may be at once.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HANDSHAKES: usize = 512;

/// How long a peer may take nothing of what it is sent. Longer than a WebSocket's patience, which can say why it ends.
pub(super) const STALLED: Duration = Duration::from_secs(15);

/// How long to wait where the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_secs(1);

/// A connection that ends when its peer takes nothing.
type Timed = Pin<Box<TimeoutStream<TcpStream>>>;

/// What arrives at a listener.
pub(super) struct Connections {
    listener: TcpListener,
    certificate: Option<Certificate>,
    handshakes: JoinSet<Option<(SslStream<Timed>, SocketAddr)>>,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, certificate: Option<Certificate>) -> Self {
        Self { listener, certificate, handshakes: JoinSet::new() }
    }
}

impl Listener for Connections {
    type Io = Either<Timed, SslStream<Timed>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some((stream, peer))) = done {
                        return (Either::Right(stream), peer);
                    }
                }
                (stream, peer) = arrival(&self.listener), if self.handshakes.len() < HANDSHAKES => {
                    match &self.certificate {
                        None => return (Either::Left(stream), peer),
                        Some(certificate) => {
                            let certificate = certificate.clone();
                            self.handshakes.spawn(async move { Some((secure(stream, &certificate).await?, peer)) });
                        }
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn arrival(listener: &TcpListener) -> (Timed, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // What is written is a whole answer or event: waiting for more would only make it late.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("a connection went away at once: {error}");
                }
                let mut stream = TimeoutStream::new(stream);
                stream.set_write_timeout(Some(STALLED));
                return (Box::pin(stream), peer);
            }
            Err(error) if gone(&error) => {}
            Err(error) => {
                tracing::warn!("no connection can be accepted: {error}");
                sleep(NO_ROOM).await;
            }
        }
    }
}

/// Whether the peer left before it was accepted, which is its own matter.
fn gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn secure(stream: Timed, certificate: &Certificate) -> Option<SslStream<Timed>> {
    let ssl = Ssl::new(certificate.acceptor().context()).ok()?;
    let mut stream = SslStream::new(ssl, stream).ok()?;
    match timeout(HANDSHAKE, Pin::new(&mut stream).accept()).await {
        Ok(Ok(())) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!("a handshake failed: {error}");
            None
        }
        Err(_) => None,
    }
}

/// From where a request comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

impl Connected<IncomingStream<'_, Connections>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        Self(stream.remote_addr().ip())
    }
}
