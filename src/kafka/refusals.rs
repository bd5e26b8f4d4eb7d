//! What Kafka refuses to show and once showed, or may have: it is asked for by name until that is no passing matter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::lag::Name;

/// How long a right may be missing before what it hides is forgotten.
const PASSING: Duration = Duration::from_secs(86_400);

/// Names, and since when each is refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<Name, Instant>);

impl Refusals {
    /// Takes note of all that is refused at present.
    pub(super) fn note(&mut self, refused: &BTreeSet<Name>, now: Instant) {
        self.0.retain(|name, _| refused.contains(name));
        for name in refused {
            self.0.entry(name.clone()).or_insert(now);
        }
    }

    /// Those of a passing matter.
    pub(super) fn passing(&self, now: Instant) -> impl Iterator<Item = &Name> {
        self.0.iter().filter(move |(_, since)| now.duration_since(**since) < PASSING).map(|(name, _)| name)
    }

    /// Whether a name has been refused for too long.
    pub(super) fn lasts(&self, name: &Name, now: Instant) -> bool {
        self.0.get(name).is_some_and(|since| now.duration_since(*since) >= PASSING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_a_day_without_a_break_is_no_passing_matter() {
        let (mut refusals, begun) = (Refusals::default(), Instant::now());
        let names = |all: &[&str]| all.iter().map(|name| Name::from(*name)).collect::<BTreeSet<_>>();
        let at = |hours: u64| begun + Duration::from_secs(hours * 3_600);
        let passing = |of: &Refusals, hours| of.passing(at(hours)).map(ToString::to_string).collect::<Vec<_>>();
        refusals.note(&names(&["a", "b"]), at(0));
        refusals.note(&names(&["a"]), at(12));
        refusals.note(&names(&["a", "b"]), at(13));
        assert_eq!(passing(&refusals, 23), ["a", "b"]);
        assert_eq!((passing(&refusals, 24), refusals.lasts(&"a".into(), at(24))), (vec!["b".to_owned()], true));
        assert!(!refusals.lasts(&"b".into(), at(36)) && refusals.lasts(&"b".into(), at(37)));
    }
}
