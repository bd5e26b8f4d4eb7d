//! The Events of one LagMonitor: told in the order in which things happened, and kept while the API server takes none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Resource};

use super::Turn;
use super::telling::NAME;
use crate::reconcile::notices::Notice;

/// The most Events that are kept; of more, the oldest are not told.
const MOST: usize = 32;

/// How long nothing is told after the API server did not take an Event.
const PAUSE: Duration = Duration::from_secs(10);

/// What is still to be told, and when each of it was noticed.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Untold {
    waiting: VecDeque<(Timestamp, Notice)>,
    failed: Option<Instant>,
}

impl Untold {
    /// Takes note of what has happened; says how much is given up for it.
    fn add(&mut self, news: Vec<Notice>, now: Timestamp) -> usize {
        // Each has a time of its own, for that is in its name.
        let times = (0..).map(|n| now + Duration::from_nanos(n));
        self.waiting.extend(times.zip(news));
        let too_many = self.waiting.len().saturating_sub(MOST);
        self.waiting.drain(..too_many).count()
    }

    /// How long to wait before anything is told.
    fn pause(&self, now: Instant) -> Option<Duration> {
        let over = PAUSE.checked_sub(now.saturating_duration_since(self.failed?))?;
        (!self.waiting.is_empty()).then_some(over)
    }
}

impl Turn<'_> {
    /// Tells what has happened, after what could not be told before; says when to try again.
    pub(super) async fn tell(&mut self, news: Vec<Notice>) -> Option<Duration> {
        let lost = self.ledger.untold.add(news, Timestamp::now());
        if lost > 0 {
            tracing::warn!(monitor = %self.name, reason = "EventNotTold", "{lost} of too many Events are given up");
        }
        if let Some(left) = self.ledger.untold.pause(Instant::now()) {
            return Some(left);
        }
        self.ledger.untold.failed = None;
        while let Some((at, notice)) = self.ledger.untold.waiting.front() {
            match self.create(*at, notice).await {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(monitor = %self.name, reason = "EventNotTold", "{error}");
                    self.operator.board.account(|account| account.failed("EventNotTold"));
                    if may_be_taken_later(&error) {
                        self.ledger.untold.failed = Some(Instant::now());
                        return Some(PAUSE);
                    }
                }
            }
            self.ledger.untold.waiting.pop_front();
        }
        None
    }

    /// Creates an Event. Each stands for itself, and is not counted under another of the same reason.
    async fn create(&self, at: Timestamp, notice: &Notice) -> Result<(), kube::Error> {
        let event = Event {
            metadata: ObjectMeta {
                namespace: Some(self.name.namespace.clone()),
                name: Some(event_name(&self.name.name, at.as_nanosecond())),
                ..ObjectMeta::default()
            },
            action: Some(notice.action.into()),
            event_time: Some(MicroTime(at)),
            note: Some(notice.note.clone()),
            reason: Some(notice.reason.clone()),
            regarding: Some(self.object.object_ref(&())),
            reporting_controller: Some(NAME.to_owned()),
            reporting_instance: Some(self.operator.settings.identity.clone()),
            type_: Some(if notice.warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        };
        let events = Api::<Event>::namespaced(self.operator.client.clone(), &self.name.namespace);
        match events.create(&PostParams::default(), &event).await {
            // An answer was lost on the way.
            Err(kube::Error::Api(answer)) if answer.is_already_exists() => Ok(()),
            created => created.map(drop),
        }
    }
}

/// Whether the API server may take later what it did not take now: it was away, has too much to do, or a right is missing.
fn may_be_taken_later(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(answer) => answer.is_forbidden() || answer.code == 429 || answer.code >= 500,
        _ => true,
    }
}

/// A name that no other Event has, and that the API server takes: as much of the monitor's as there is room for.
fn event_name(monitor: &str, nanoseconds: i128) -> String {
    const LONGEST: usize = 253;
    let end = format!(".{nanoseconds:x}");
    let begin: String = monitor.chars().take(LONGEST.saturating_sub(end.len())).collect();
    // What stands before a dot ends with a letter or a digit.
    format!("{}{end}", begin.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(number: usize) -> Notice {
        Notice { warning: true, reason: format!("R{number}"), action: "Sample", note: String::new() }
    }

    #[test]
    fn what_is_not_told_is_kept_in_order_and_not_without_end() {
        let (now, mut untold) = (Timestamp::now(), Untold::default());
        assert_eq!(untold.add((0..30).map(notice).collect(), now), 0);
        assert_eq!(untold.add((30..40).map(notice).collect(), now + Duration::from_secs(1)), 8);
        let kept: Vec<_> = untold.waiting.iter().map(|(_, notice)| notice.reason.clone()).collect();
        assert_eq!(kept, (8..40).map(|number| format!("R{number}")).collect::<Vec<_>>());
        assert!(untold.waiting.iter().zip(untold.waiting.iter().skip(1)).all(|(one, next)| one.0 < next.0));
    }

    #[test]
    fn after_a_failure_there_is_a_pause_while_something_waits() {
        let at = Instant::now();
        let mut untold = Untold { failed: Some(at), ..Untold::default() };
        assert_eq!(untold.pause(at), None, "nothing waits");
        untold.add(vec![notice(1)], Timestamp::now());
        assert_eq!(untold.pause(at + Duration::from_secs(4)), Some(Duration::from_secs(6)));
        assert_eq!(untold.pause(at + Duration::from_secs(11)), None);
        untold.failed = None;
        assert_eq!(untold.pause(at), None);
    }

    #[test]
    fn an_event_of_a_monitor_with_the_longest_name_has_one_that_is_taken() {
        let now = Timestamp::now().as_nanosecond();
        assert!(event_name("orders", now).starts_with("orders.1"));
        for monitor in ["a".repeat(253), format!("{}-{}", "a".repeat(235), "b".repeat(17)), "a.".repeat(126) + "a"] {
            let name = event_name(&monitor, now);
            assert!((230..=253).contains(&name.len()) && !name.contains("-.") && !name.contains(".."), "{name}");
        }
    }
}
