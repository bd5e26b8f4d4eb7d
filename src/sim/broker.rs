//! One broker of the simulated cluster: takes connections, reads requests, sends answers in order.
//!
//! What to answer is left to `answer`. A request that it cannot read or does not know closes the connection, as Kafka
//! does.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::Clock;

use super::answer::{self, Refusal};
use super::cluster::{BrokerId, Cluster, Health};

/// The largest request that a broker takes, in bytes; Kafka's `socket.request.max.bytes`.
const LARGEST_REQUEST: u32 = 100 << 20;

/// Rest after a connection could not be taken, so that a lack of file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The state of the cluster, shared by its brokers and whoever changes it.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<RwLock<Cluster>>);

/// One broker.
#[derive(Debug, Clone)]
pub(super) struct Broker {
    pub(super) id: BrokerId,
    pub(super) health: watch::Receiver<Health>,
    pub(super) cluster: Shared,
    pub(super) clock: Clock,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    #[error("a request of {0} bytes is too large")]
    TooLarge(u32),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the broker is down")]
    Down,
}

/// An answer, and when it is due.
type Due = (Instant, Bytes);

impl Shared {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self(Arc::new(RwLock::new(cluster)))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Cluster> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Cluster> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    /// Takes connections until the task is aborted, and its connections with it.
    pub(super) async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    connections.spawn(self.clone().converse(socket));
                    while connections.try_join_next().is_some() {}
                }
                Err(error) => {
                    tracing::debug!(broker = self.id, %error, "no connection taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn converse(self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let (reader, writer) = socket.into_split();
        let (answers, due) = mpsc::unbounded_channel();
        let mut health = self.health.clone();
        let ended = tokio::select! {
            biased;
            _ = health.wait_for(|health| *health == Health::Down) => Err(Ended::Down),
            ended = async { tokio::try_join!(self.read(reader, answers), send(writer, due)) } => ended,
        };
        if let Err(ended) = ended {
            tracing::debug!(broker = self.id, %ended, "connection closed");
        }
    }

    async fn read(&self, reader: OwnedReadHalf, answers: mpsc::UnboundedSender<Due>) -> Result<(), Ended> {
        let mut reader = BufReader::new(reader);
        loop {
            let length = reader.read_u32().await?;
            if length > LARGEST_REQUEST {
                return Err(Ended::TooLarge(length));
            }
            let mut request = vec![0; length as usize];
            reader.read_exact(&mut request).await?;
            if *self.health.borrow() != Health::Silent {
                let due = {
                    let cluster = self.cluster.read();
                    cluster.answered.fetch_add(1, Ordering::Relaxed);
                    Instant::now() + cluster.latency(self.id)
                };
                let _ = answers.send((due, answer::frame(self, request.into())?));
            }
        }
    }
}

async fn send(mut writer: OwnedWriteHalf, mut answers: mpsc::UnboundedReceiver<Due>) -> Result<(), Ended> {
    while let Some((due, answer)) = answers.recv().await {
        tokio::time::sleep_until(due).await;
        writer.write_all(&answer).await?;
    }
    Ok(())
}
