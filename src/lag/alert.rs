//! What is not all right about a group, from the sample in which it begins until it is over: it ends when the figure was
//! back for two samples, and never flaps with it.

use serde::{Deserialize, Serialize};

use super::Millis;
use super::report::{AlertKind, Severity};

/// Samples in a row in which a figure is back before its alert ends.
const BACK: u8 = 2;

/// The alerts of one group, one place a kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts([Option<Raised>; AlertKind::ALL.len()]);

/// An alert that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// Since when.
    pub since: Millis,
    /// The figure.
    pub value: f64,
    /// What it should at least or at most be.
    pub bound: f64,
    /// How urgent it is: the worst that it was.
    pub severity: Severity,
    /// Whether the figure is of an earlier sample.
    pub held: bool,
    /// Samples in a row in which the figure is back.
    back: u8,
}

/// What a sample says of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The figure.
    pub value: f64,
    /// What it should at least or at most be.
    pub bound: f64,
    /// Whether it is not.
    pub breached: bool,
    /// How urgent that is.
    pub severity: Severity,
}

impl Alerts {
    /// Takes in what a sample says of one kind, `None` where it says nothing: then the alert stays as it is.
    ///
    /// Says whether an alert began, ended or became more urgent.
    pub fn judge(&mut self, kind: AlertKind, finding: Option<Finding>, now: Millis) -> bool {
        let Some(place) = self.0.get_mut(kind as usize) else { return false };
        let before = *place;
        *place = match (before, finding) {
            (None, Some(found)) if found.breached => Some(Raised {
                since: now,
                value: found.value,
                bound: found.bound,
                severity: found.severity,
                held: false,
                back: 0,
            }),
            (None, _) => None,
            (Some(raised), None) => Some(Raised { held: true, ..raised }),
            (Some(raised), Some(found)) => {
                let back = if found.breached { 0 } else { raised.back + 1 };
                let severity = if found.breached { raised.severity.max(found.severity) } else { raised.severity };
                (back < BACK).then_some(Raised {
                    value: found.value,
                    bound: found.bound,
                    severity,
                    held: false,
                    back,
                    ..raised
                })
            }
        };
        before.map(|raised| (raised.since, raised.severity)) != place.map(|raised| (raised.since, raised.severity))
    }

    /// The alert of one kind, while it lasts.
    pub fn raised(&self, kind: AlertKind) -> Option<&Raised> {
        self.0.get(kind as usize)?.as_ref()
    }

    /// The alerts that last.
    pub fn iter(&self) -> impl Iterator<Item = (AlertKind, &Raised)> {
        AlertKind::ALL.into_iter().filter_map(|kind| self.raised(kind).map(|raised| (kind, raised)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: AlertKind = AlertKind::StuckPartitions;

    fn finding(breached: bool) -> Finding {
        Finding { value: f64::from(u8::from(breached)), bound: 0.0, breached, severity: Severity::Warning }
    }

    #[test]
    fn an_alert_begins_at_once_and_ends_when_the_figure_was_back_twice() {
        let mut alerts = Alerts::default();
        let sights =
            [None, Some(false), Some(true), Some(false), Some(true), Some(false), None, Some(false), Some(false)];
        let expected = [None, None, Some(2), Some(2), Some(2), Some(2), Some(2), None, None];
        for (now, (sight, expected)) in (0..).zip(sights.into_iter().zip(expected)) {
            let before = alerts.raised(KIND).is_some();
            let changed = alerts.judge(KIND, sight.map(finding), now);
            assert_eq!(alerts.raised(KIND).map(|raised| raised.since), expected, "sample {now}");
            assert_eq!(changed, before != expected.is_some(), "sample {now}");
            assert_eq!(alerts.raised(KIND).is_some_and(|raised| raised.held), now == 6);
        }
        assert_eq!(alerts.iter().count(), 0);
    }

    #[test]
    fn it_stays_as_urgent_as_it_was() {
        let mut alerts = Alerts::default();
        let of = |severity| Some(Finding { severity, ..finding(true) });
        assert!(alerts.judge(KIND, of(Severity::Warning), 1));
        assert!(alerts.judge(KIND, of(Severity::Critical), 2));
        assert!(!alerts.judge(KIND, of(Severity::Warning), 3));
        let found: Vec<_> = alerts.iter().map(|(kind, raised)| (kind, raised.severity, raised.since)).collect();
        assert_eq!(found, [(KIND, Severity::Critical, 1)]);
    }

    proptest! {
        #[test]
        fn it_never_flaps(sights in prop::collection::vec(prop::option::of(any::<bool>()), 1..80)) {
            let mut alerts = Alerts::default();
            let mut back = 0;
            for (now, sight) in (0..).zip(sights) {
                let before = alerts.raised(KIND).is_some();
                alerts.judge(KIND, sight.map(finding), now);
                back = match sight { Some(true) => 0, Some(false) => back + 1, None => back };
                let after = alerts.raised(KIND).is_some();
                prop_assert_eq!(after && !before, sight == Some(true) && !before);
                prop_assert_eq!(before && !after, before && sight == Some(false) && back >= 2);
            }
        }
    }
}
