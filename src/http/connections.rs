//! Connections: accepted, encrypted where there is a certificate, and ended where a peer takes nothing for too long.
//!
//! Handshakes go on beside each other, so that one that hangs holds up nobody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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

/// How long a handshake may take, and how many there may be at once, of all and of one address.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HANDSHAKES: usize = 512;
const HANDSHAKES_OF_ONE: usize = 128;

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
    handshakes: JoinSet<(Option<SslStream<Timed>>, SocketAddr)>,
    /// How many of them each address has.
    shaking: HashMap<IpAddr, usize>,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, certificate: Option<Certificate>) -> Self {
        Self { listener, certificate, handshakes: JoinSet::new(), shaking: HashMap::new() }
    }
}

impl Listener for Connections {
    type Io = Either<Timed, SslStream<Timed>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    let Ok((stream, peer)) = done else { continue };
                    if let Entry::Occupied(mut own) = self.shaking.entry(peer.ip()) {
                        *own.get_mut() -= 1;
                        if *own.get() == 0 {
                            own.remove();
                        }
                    }
                    if let Some(stream) = stream {
                        return (Either::Right(stream), peer);
                    }
                }
                (stream, peer) = arrival(&self.listener), if self.handshakes.len() < HANDSHAKES => {
                    match &self.certificate {
                        None => return (Either::Left(stream), peer),
                        Some(certificate) => {
                            let own = self.shaking.entry(peer.ip()).or_default();
                            // Who opens many and says nothing keeps nobody else out.
                            if *own < HANDSHAKES_OF_ONE {
                                *own += 1;
                                let certificate = certificate.clone();
                                self.handshakes.spawn(async move { (secure(stream, &certificate).await, peer) });
                            }
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
