//! What storage writes of a history after a sample: the newest run and what was learnt, instead of every row.
//!
//! A history that was only sampled and taught is the same again after its changes are applied in their order, but for
//! rows that `thin` has dropped in between. What else happens to one is told by `rewritten`.

use super::history::{Fact, History, Run};
use super::{Millis, Offset};

/// How a history differs from the one that was last stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The run before the newest, whose end was not told while it was the newest; later ones are gone.
    pub before: Option<Run>,
    /// The newest run.
    pub newest: Option<Run>,
    /// Facts since, in the order of their answers.
    pub learnt: Vec<Fact>,
    /// As in the history.
    pub silence: Option<(Millis, Offset)>,
    /// As in the history.
    pub ahead: Option<Fact>,
    /// As in the history.
    pub slack: Option<(Millis, Millis)>,
    /// As in the history.
    pub backfilled: bool,
    /// As in the history.
    pub current: bool,
}

impl History {
    /// What has changed since it was last stored; the whole story unless it is `rewritten`.
    pub fn change(&self) -> Change {
        let mut newest_first = self.runs.iter().rev();
        let newest = newest_first.next();
        Change {
            before: newest_first.next(),
            newest,
            learnt: self.learnt.clone(),
            silence: self.silence,
            ahead: self.ahead,
            slack: self.slack,
            backfilled: self.backfilled,
            current: self.current,
        }
    }

    /// Brings a history that was read back from storage up to a later change.
    pub fn apply(&mut self, change: Change) {
        self.runs.truncate(self.runs.partition_point(|run| change.before.is_some_and(|b| run.offset < b.offset)));
        self.runs.extend(change.before);
        self.runs.extend(change.newest);
        change.learnt.into_iter().for_each(|fact| self.insert(fact));
        self.silence = change.silence;
        self.ahead = change.ahead;
        self.slack = change.slack;
        self.backfilled = change.backfilled;
        self.current = change.current;
    }

    /// Takes note that everything was stored.
    pub fn stored(&mut self) {
        self.unsaved = false;
        self.rewritten = false;
        self.learnt = Vec::new();
    }
}
