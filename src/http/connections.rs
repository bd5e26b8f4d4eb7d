//! Connections: counted, encrypted where there is a certificate, and ended where a peer asks or takes nothing for long.
//!
//! Handshakes go on beside each other, so that one that hangs holds up nobody.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use openssl::ssl::Ssl;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_openssl::SslStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::places::{Place, Places};
use super::tls::Certificate;
use crate::access::Asker;

/// How many connections one address, or network of IPv6, may have open, and how many all together: more than may last, for
/// who watches may still ask.
const OPEN_OF_ONE: usize = 4_000;
const OPEN: usize = 12_000;

/// How long a handshake may take, and how many there may be at once, of one address and of all.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HANDSHAKES_OF_ONE: usize = 128;
const HANDSHAKES: usize = 512;

/// How long a peer may take to send the whole head of a request, or to begin with the next one.
const HEAD: Duration = Duration::from_secs(75);

/// How long a peer may take nothing of what it is sent. Longer than a WebSocket's patience, which can say why it ends.
pub(super) const STALLED: Duration = Duration::from_secs(15);

/// How long to wait where the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_secs(1);

/// A connection that ends when its peer takes nothing, and that is counted until it is dropped.
struct Counted {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    _place: Place<IpAddr>,
}

/// What is read from and written to.
type Stream = Either<Counted, SslStream<Counted>>;

/// What arrives at a listener.
pub(super) struct Connections {
    listener: TcpListener,
    certificate: Option<Certificate>,
    handshakes: JoinSet<(Option<SslStream<Counted>>, SocketAddr)>,
    shaking: Arc<Places<IpAddr>>,
    open: Arc<Places<IpAddr>>,
    head: Duration,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, certificate: Option<Certificate>) -> Self {
        Self {
            listener,
            certificate,
            handshakes: JoinSet::new(),
            shaking: Places::new(HANDSHAKES_OF_ONE, HANDSHAKES),
            open: Places::new(OPEN_OF_ONE, OPEN),
            head: HEAD,
        }
    }

    /// Answers what arrives until `stop` is cancelled; then open requests may end, for as long as the grace.
    pub(super) async fn serve(mut self, router: Router, stop: CancellationToken, grace: Duration) {
        // Here, rather than anew for each request.
        let router: Router = router.with_state(());
        let (served, head) = (TaskTracker::new(), self.head);
        loop {
            let (stream, peer) = tokio::select! {
                next = self.accept() => next,
                () = stop.cancelled() => break,
            };
            served.spawn(answer(stream, peer, router.clone(), head, stop.clone()));
        }
        drop(self);
        served.close();
        let _ = timeout(grace, served.wait()).await;
    }

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok((Some(stream), peer)) = done {
                        return (Either::Right(stream), peer);
                    }
                }
                (stream, peer) = arrival(&self.listener), if self.handshakes.len() < HANDSHAKES => {
                    let whose = Asker::new(None, peer.ip()).from;
                    // Who opens many and says nothing keeps nobody else out.
                    let Ok(place) = self.open.take(whose) else {
                        tracing::debug!("a connection from {peer} is one too many");
                        continue;
                    };
                    let stream = Counted { stream, _place: place };
                    let Some(certificate) = self.certificate.clone() else { return (Either::Left(stream), peer) };
                    if let Ok(place) = self.shaking.take(whose) {
                        self.handshakes.spawn(async move {
                            let _place = place;
                            (secure(stream, &certificate).await, peer)
                        });
                    }
                }
            }
        }
    }
}

/// Answers the requests of one connection, the last one of which may end after the stop.
async fn answer(stream: Stream, peer: SocketAddr, router: Router, head: Duration, stop: CancellationToken) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(Peer(peer.ip())));
        router.clone().call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!("the connection from {peer} failed: {error}");
    }
}

/// Lets the process have as many files open as it may: it often begins with 1,024, and each connection is one.
pub(super) fn open_many() {
    let limit = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        Ok(()) => tracing::debug!(before = limit.current, now = limit.maximum, "files that may be open"),
        Err(error) => tracing::debug!("no more than {:?} files may be open: {error}", limit.current),
    }
}

async fn arrival(listener: &TcpListener) -> (Pin<Box<TimeoutStream<TcpStream>>>, SocketAddr) {
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

async fn secure(stream: Counted, certificate: &Certificate) -> Option<SslStream<Counted>> {
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

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A server with `of_one` and `all` places, where the head of a request may take so long.
    async fn start(of_one: usize, all: usize, head: Duration) -> SocketAddr {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Places::new(of_one, all);
        let connections = Connections { open, head, ..Connections::new(listener, None) };
        let router = Router::new().route("/", get("here"));
        tokio::spawn(connections.serve(router, CancellationToken::new(), Duration::ZERO));
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Whether a request is answered on a connection from this address, and the connection.
    async fn asks(server: SocketAddr, from: u8) -> (bool, TcpStream) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, from], 0))).unwrap();
        let mut stream = socket.connect(server).await.unwrap();
        let mut some = [0; 512];
        // One that is dropped is reset, at once or a little later.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let read = timeout(PATIENCE, stream.read(&mut some)).await.expect("it is answered or dropped").unwrap_or(0);
        (some[..read].ends_with(b"here"), stream)
    }

    #[tokio::test]
    async fn who_opens_too_many_is_dropped_until_one_ends_and_others_are_not() {
        let server = start(2, 3, HEAD).await;
        let (first, second) = (asks(server, 1).await, asks(server, 1).await);
        assert!(first.0 && second.0);
        assert!(!asks(server, 1).await.0, "one address has its places");
        let third = asks(server, 2).await;
        assert!(third.0, "another one has some of its own");
        assert!(!asks(server, 3).await.0, "all together have no more");
        drop(third);
        let begun = Instant::now();
        while !asks(server, 3).await.0 {
            assert!(begun.elapsed() < PATIENCE, "a place that is left is free");
        }
        drop((first, second));
    }

    #[tokio::test]
    async fn who_does_not_send_a_whole_head_is_dropped() {
        let server = start(9, 9, Duration::from_millis(500)).await;
        let begun = Instant::now();
        let (answered, mut idle) = asks(server, 1).await;
        assert!(answered);
        let [mut silent, mut slow] =
            [TcpStream::connect(server).await.unwrap(), TcpStream::connect(server).await.unwrap()];
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        for stream in [&mut silent, &mut slow, &mut idle] {
            let read = timeout(PATIENCE, stream.read(&mut [0; 9])).await.expect("it ends");
            assert_eq!(read.unwrap_or(0), 0, "nothing is said");
        }
        assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    }

    #[test]
    fn as_many_files_may_be_open_as_the_system_allows() {
        let limit = getrlimit(Resource::Nofile);
        let fewer = limit.maximum.map_or(1 << 19, |most| most - 1);
        setrlimit(Resource::Nofile, Rlimit { current: Some(fewer), ..limit }).unwrap();
        open_many();
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
