//! Server-sent events: what is followed, for people with curl and for pages.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Documented, StatusCode as Code};
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, timeout};
use tokio_util::sync::CancellationToken;

use super::follow::{Everything, Follow, Judged, OneGroup};
use super::right::Right;
use super::{Message, PATIENCE, Watched};
use crate::access::Access;
use crate::board::Snapshot;
use crate::http::api::{Api, GroupPath, Of};
use crate::http::client::Seat;
use crate::http::query::{Asked, Path};
use crate::http::refusal::Refusal;
use crate::http::view::Told;
use crate::http::viewer::{Guard, Shown};

/// How often a comment keeps a silent connection alive.
const ALIVE: Duration = Duration::from_secs(15);

/// Server-sent events.
pub(super) struct Events(Response);

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        self.0
    }
}

impl OperationOutput for Events {
    type Inner = String;

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<Code>, Documented)> {
        let mut answer = Documented {
            description: "Events without end: `event` is the type, `data` the message in JSON.".into(),
            ..Documented::default()
        };
        answer.content.insert("text/event-stream".into(), MediaType::default());
        vec![(Some(Code::Code(200)), answer)]
    }
}

/// What is said next, and when.
struct Talk<F> {
    follower: F,
    posts: watch::Receiver<Snapshot>,
    ticks: Option<Interval>,
    right: Right,
    stop: CancellationToken,
    ready: VecDeque<Message>,
}

impl<F: Follow> Talk<F> {
    /// Says what is new until the end, or until the client does not take it: who reads a byte now and then would keep a
    /// report from being forgotten.
    async fn hold(mut self, tell: mpsc::Sender<Message>) {
        loop {
            let message = tokio::select! {
                message = self.next() => message,
                () = tell.closed() => None,
            };
            let Some(message) = message else { return };
            if !matches!(timeout(PATIENCE, tell.send(message)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<Message> {
        loop {
            self.right.check().await.ok()?;
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let news = tokio::select! {
                () = self.stop.cancelled() => return None,
                // It is judged anew before anything else is said.
                () = self.right.ends() => Vec::new(),
                changed = self.posts.changed() => {
                    changed.ok()?;
                    if self.follower.is_outgrown() {
                        return None;
                    }
                    self.follower.news()
                }
                () = tick(self.ticks.as_mut()) => self.follower.again(),
            };
            self.ready.extend(news);
        }
    }
}

/// Waits for the next tick; for ever where there are none.
pub(super) async fn tick(ticks: Option<&mut Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

/// Ticks from one interval after now on.
pub(super) fn ticks(interval: Duration) -> Interval {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    ticks
}

fn say<F: Follow>(api: &Api, mut follower: F, interval: Option<Duration>, right: Right, seat: Seat) -> Events {
    let posts = api.views.watch();
    let (ready, ticks) = (follower.first().into(), interval.map(ticks));
    let talk = Talk { follower, posts, ticks, right, stop: api.stop.clone(), ready };
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(talk.hold(tell));
    // The place is free when the connection has ended.
    let events = unfold((told, seat), async |(mut told, seat)| {
        let Message { word, json } = told.recv().await?;
        Some((Ok::<_, Infallible>(Event::default().event(word).data(json.as_str())), (told, seat)))
    });
    let alive = KeepAlive::new().interval(ALIVE);
    // Without this, nginx would hold events back until its buffer is full.
    let headers = [(header::CACHE_CONTROL.as_str(), "no-store"), ("x-accel-buffering", "no")];
    Events((headers, Sse::new(events).keep_alive(alive)).into_response())
}

/// One group while it is watched.
pub(super) async fn group(
    Shared(api): Shared<Api>,
    Shown(view): Shown,
    guard: Guard,
    Path(GroupPath { group_id }): Path<GroupPath>,
    Asked(watched): Asked<Watched>,
) -> Result<Events, Refusal> {
    let (Told { monitor, .. }, _) = view.group(watched.cluster_id.as_deref(), &group_id)?;
    let interval = watched.interval();
    let namespaces = [monitor.name.namespace.clone()].into();
    let follower = OneGroup::new(api.clone(), monitor, group_id, interval.is_none());
    let seat = guard.seat(&api).await?;
    Ok(say(&api, follower, interval, Right::new(guard, namespaces), seat))
}

/// New reports and all events.
pub(super) async fn all(
    Shared(api): Shared<Api>,
    Shown(view): Shown,
    guard: Guard,
    Asked(of): Asked<Of>,
) -> Result<Events, Refusal> {
    let reports = of.cluster_id.is_some().then(|| view.reports(of.cluster_id.as_deref())).transpose()?;
    let only = reports.and_then(|reports| reports.first().map(|told| told.monitor.name.clone()));
    let judged = match api.access {
        Access::Open | Access::Token(_) => None,
        Access::Kubernetes(_) => {
            let view = api.view()?;
            let all = view.monitors.iter().map(|monitor| monitor.name.namespace.clone()).collect();
            Some(Judged { all, seen: guard.namespaces(&view).await? })
        }
    };
    let namespaces = judged.as_ref().map_or_else(BTreeSet::new, |judged| judged.seen.clone());
    let seat = guard.seat(&api).await?;
    Ok(say(&api, Everything::new(api.clone(), only, judged), None, Right::new(guard, namespaces), seat))
}
