//! Asks for offsets of many partitions: log starts, log ends, and what lay at a time.
//!
//! Requests go by leader, so that a broker that is down takes only its own partitions with it. librdkafka's cost grows
//! with the square of the partitions of a request, so they are small, and several are in flight.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::time::Instant;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use super::admin::Admin;
use super::request::{Ask, NOT_ANSWERED};
use super::topics::left;
use crate::lag::reason::Reason;
use crate::lag::{Millis, Name, Offset, Partition};

/// Partitions a request.
const CHUNK: usize = 64;

/// Requests in flight to one broker.
const IN_FLIGHT: usize = 32;

/// One offset wanted.
pub(super) struct Question {
    pub(super) topic: Name,
    pub(super) partition: Partition,
    /// A time, or [`super::request::EARLIEST`], [`super::request::LATEST`] or [`super::request::MAX_TIMESTAMP`].
    pub(super) at: Offset,
    /// The partition's leader.
    pub(super) leader: Option<i32>,
}

/// One offset found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: Offset,
    pub(super) timestamp: Millis,
    pub(super) sent: Millis,
    pub(super) replied: Millis,
}

/// What became of a question.
pub(super) type Outcome = Result<Found, Reason>;

/// The brokers that did not answer at all, and why.
pub(super) type Lost = BTreeMap<i32, Reason>;

/// Asks everything, and answers in the order of the questions. Brokers in `lost` are not asked again.
pub(super) async fn ask(
    admin: &Admin,
    questions: &[Question],
    read_committed: bool,
    lost: &Lost,
    by: Instant,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = questions
        .iter()
        .map(|question| {
            Err(question.leader.map_or(Reason::NoLeader, |l| lost.get(&l).copied().unwrap_or(Reason::Timeout)))
        })
        .collect();
    let requests = requests(questions).into_iter().filter(|(leader, _)| !lost.contains_key(leader));
    let brokers = requests.map(|(leader, chunks)| async move {
        let gone = OnceLock::new();
        let line = Line { admin, leader, read_committed, by, gone: &gone };
        stream::iter(chunks).map(|chunk| line.ask(questions, chunk)).buffer_unordered(IN_FLIGHT).concat().await
    });
    for (index, outcome) in join_all(brokers).await.into_iter().flatten() {
        outcomes[index] = outcome;
    }
    outcomes
}

/// Splits questions by leader into requests that hold each partition once.
fn requests(questions: &[Question]) -> BTreeMap<i32, Vec<Vec<usize>>> {
    let mut rounds: BTreeMap<(i32, usize), Vec<usize>> = BTreeMap::new();
    let mut asked: HashMap<(&str, Partition), usize> = HashMap::new();
    for (index, question) in questions.iter().enumerate() {
        let Some(leader) = question.leader else { continue };
        let round = asked.entry((&question.topic, question.partition)).or_default();
        rounds.entry((leader, *round)).or_default().push(index);
        *round += 1;
    }
    let mut requests: BTreeMap<i32, Vec<Vec<usize>>> = BTreeMap::new();
    for ((leader, _), round) in rounds {
        requests.entry(leader).or_default().extend(round.chunks(CHUNK).map(<[usize]>::to_vec));
    }
    requests
}

/// The way to one broker.
struct Line<'a> {
    admin: &'a Admin,
    leader: i32,
    read_committed: bool,
    by: Instant,
    /// Why the broker is asked no more.
    gone: &'a OnceLock<Reason>,
}

impl Line<'_> {
    async fn ask(&self, questions: &[Question], chunk: Vec<usize>) -> Vec<(usize, Outcome)> {
        let all = |reason| chunk.iter().map(|index| (*index, Err(reason))).collect();
        if let Some(reason) = self.gone.get() {
            return all(*reason);
        }
        let faults = &self.admin.hub().faults;
        let timeout = left(self.by);
        if timeout.is_zero() {
            return all(faults.blame(Some(self.leader), Reason::Timeout));
        }
        let rows: Vec<_> = chunk.iter().map(|i| &questions[*i]).map(|q| (q.topic.clone(), q.partition, q.at)).collect();
        let answer = self.admin.offsets(&rows, Ask { read_committed: self.read_committed, ..Ask::within(timeout) });
        let reply = match faults.guard(Some(self.leader), answer).await {
            Ok(reply) => reply,
            Err(reason) => {
                if is_silence(reason) {
                    let _ = self.gone.set(reason);
                }
                return all(reason);
            }
        };
        // librdkafka answers in the order of the questions, whatever the broker does.
        let answered = chunk.iter().zip(&rows).zip(&reply.value);
        let answered = answered.filter(|((_, asked), row)| (&asked.0, asked.1) == (&row.topic, row.partition));
        let outcomes = answered.map(|((index, _), row)| {
            let outcome = match row.error {
                Some(code) => Err(faults.blame(Some(self.leader), code.reason())),
                // A broker that does not answer leaves no error at its partitions.
                None if row.offset == NOT_ANSWERED => Err(faults.blame(Some(self.leader), Reason::Timeout)),
                None => {
                    Ok(Found { offset: row.offset, timestamp: row.timestamp, sent: reply.sent, replied: reply.replied })
                }
            };
            (*index, outcome)
        });
        outcomes.collect()
    }
}

/// Whether a reason means that the broker said nothing at all.
pub(super) fn is_silence(reason: Reason) -> bool {
    matches!(reason, Reason::Timeout | Reason::Unreachable | Reason::AuthenticationFailed | Reason::TlsFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(topic: &str, partition: Partition, leader: Option<i32>) -> Question {
        Question { topic: topic.into(), partition, at: 0, leader }
    }

    #[test]
    fn each_leader_gets_its_partitions_in_small_requests() {
        let mut questions: Vec<_> = (0..192).map(|p| question("orders", p, Some(1))).collect();
        questions.push(question("orders", 192, Some(2)));
        questions.push(question("orders", 193, None));
        let requests = requests(&questions);
        let sizes: Vec<Vec<usize>> = requests.values().map(|chunks| chunks.iter().map(Vec::len).collect()).collect();
        assert_eq!(sizes, vec![vec![64; 3], vec![1]]);
    }

    #[test]
    fn several_times_of_one_partition_are_several_requests() {
        let questions = [("a", 0), ("a", 0), ("b", 0), ("a", 0)].map(|(topic, p)| question(topic, p, Some(1)));
        assert_eq!(requests(&questions)[&1], vec![vec![0, 2], vec![1], vec![3]]);
    }
}
