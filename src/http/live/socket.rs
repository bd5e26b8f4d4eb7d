//! WebSockets: what is followed, as text messages, with pings, and an end for clients that do not keep up.

use std::time::{Duration, Instant};

use axum::extract::State as Shared;
use axum::extract::ws::{
    CloseFrame, Message as Frame, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection,
};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::watch;
use tokio::time::timeout;

use super::follow::{Follow, OneGroup};
use super::right::Right;
use super::stream::{tick, ticks};
use super::{Message, PATIENCE, Watched};
use crate::board::Snapshot;
use crate::http::api::{Api, GroupPath};
use crate::http::client::Seat;
use crate::http::query::{Asked, Path};
use crate::http::refusal::Refusal;
use crate::http::view::Told;
use crate::http::viewer::{Guard, Shown, own_page};

/// How often a client is pinged, and how long it may be silent.
const PING: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);

/// How long a client has to take the reason why it is dropped.
const FAREWELL: Duration = Duration::from_secs(5);

/// The longest message that a client may send: there is nothing to say.
const LONGEST: usize = 4_096;

/// One group while it is watched.
pub(super) async fn group(
    Shared(api): Shared<Api>,
    Shown(view): Shown,
    guard: Guard,
    Path(GroupPath { group_id }): Path<GroupPath>,
    Asked(watched): Asked<Watched>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    own_page(&headers, Some(&api.origins))?;
    let (Told { monitor, .. }, _) = view.group(watched.cluster_id.as_deref(), &group_id)?;
    let upgrade = upgrade.map_err(|error| Refusal::Wrong(format!("ask for this as a WebSocket: {error}")))?;
    let (interval, namespaces) = (watched.interval(), [monitor.name.namespace.clone()].into());
    let seat = guard.seat(&api).await?;
    let follower = OneGroup::new(api.clone(), monitor, group_id, interval.is_none());
    // Without this, each connection would have 128 KiB for what it never says.
    let upgrade = upgrade.max_message_size(LONGEST).max_frame_size(LONGEST).read_buffer_size(LONGEST);
    let talk = Talk { api, right: Right::new(guard, namespaces), interval, _seat: seat };
    Ok(upgrade.on_upgrade(move |socket| talk.hold(socket, follower)))
}

/// Why a talk is over.
enum End {
    /// The client is gone.
    Gone,
    /// The client is told why it is dropped.
    Dropped(u16, &'static str),
}

/// Who listens, and how often.
struct Talk {
    api: Api,
    right: Right,
    interval: Option<Duration>,
    _seat: Seat,
}

impl Talk {
    async fn hold(mut self, mut socket: WebSocket, mut follower: impl Follow) {
        let posts = self.api.views.watch();
        let messages = follower.first();
        let end = match self.send(&mut socket, messages).await {
            Ok(()) => self.follow(&mut socket, follower, posts).await,
            Err(end) => end,
        };
        if let End::Dropped(code, reason) = end {
            let close = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
            // A client that takes nothing does not take this either.
            let _ = timeout(FAREWELL, socket.send(close)).await;
        }
    }

    /// Says what is new until the end.
    async fn follow(
        &mut self,
        socket: &mut WebSocket,
        mut follower: impl Follow,
        mut posts: watch::Receiver<Snapshot>,
    ) -> End {
        let (mut ticks_of_interval, mut pings, mut heard) = (self.interval.map(ticks), ticks(PING), Instant::now());
        loop {
            let messages = tokio::select! {
                () = self.api.stop.cancelled() => return End::Dropped(close_code::AWAY, "the server stops"),
                // It is judged anew before anything else is said.
                () = self.right.ends() => Vec::new(),
                changed = posts.changed() => match changed {
                    Ok(()) => follower.news(),
                    Err(_) => return End::Dropped(close_code::AWAY, "the server stops"),
                },
                () = tick(ticks_of_interval.as_mut()) => follower.again(),
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE {
                        return End::Dropped(close_code::POLICY, "no answer to pings");
                    }
                    if let Err(end) = deliver(socket, Frame::Ping(Default::default())).await {
                        return end;
                    }
                    continue;
                }
                received = socket.recv() => match received {
                    None | Some(Err(_) | Ok(Frame::Close(_))) => return End::Gone,
                    Some(Ok(_)) => {
                        heard = Instant::now();
                        continue;
                    }
                },
            };
            if let Err(end) = self.send(socket, messages).await {
                return end;
            }
        }
    }

    async fn send(&mut self, socket: &mut WebSocket, messages: Vec<Message>) -> Result<(), End> {
        self.check().await?;
        for message in messages {
            self.check().await?;
            deliver(socket, Frame::Text(message.json)).await?;
        }
        Ok(())
    }

    /// Whether the listener may still listen; nobody may while that cannot be judged.
    async fn check(&mut self) -> Result<(), End> {
        match self.right.check().await {
            Ok(()) => Ok(()),
            Err(Refusal::Stranger(_) | Refusal::Forbidden(_)) => {
                Err(End::Dropped(close_code::POLICY, "the token does not allow this any more"))
            }
            Err(_) => Err(End::Dropped(close_code::AGAIN, "who may see this cannot be judged")),
        }
    }
}

async fn deliver(socket: &mut WebSocket, frame: Frame) -> Result<(), End> {
    match timeout(PATIENCE, socket.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Dropped(close_code::POLICY, "too slow: a message was not taken within 10 s")),
    }
}
