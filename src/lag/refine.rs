//! Which broker to ask for which times next, so that ages become as exact as wanted with few questions.
//!
//! Each broker has a budget a sample, which goes to the widest bounds first; each commit has a search of its own, whose
//! cuts are left to `times`. The asking itself is left to `monitor` and `kafka`.

pub mod times;

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use super::bracket::{Question, check, estimate, is_blind, is_proven, search, wanted};
use super::history::History;
use super::memory::{Compaction, Memory, PartitionMemory};
use super::observation::{Probe, Told};
use super::policy::Policy;
use super::reason::Reason;
use super::report::Method;
use super::{BrokerId, Millis, Name, Offset, Partition};
use times::{Cutting, cuts, ladder, worth};

/// Questions that one broker bears in one sample: 0.6 s of its CPU time where requests are full, at 28 µs a question
/// (measured on Kafka 4.3.1; 8 µs here). On few partitions a request has room for few, and one costs 30 times as much.
pub const PROBES: usize = 20_000;

/// Samples from the first one on in which that many are asked.
const FIRST: u32 = 3;

/// How often each broker may be asked in one sample.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// In all.
    pub all: usize,
    /// Of them, for ages that are exact enough already, whose record alone was not found.
    pub exact: usize,
}

impl Budget {
    /// That of the first samples, which are to be right at once.
    pub const FULL: Self = Self { all: PROBES, exact: PROBES };

    /// That of a sample before which there were so many: later ones cost less than to observe.
    pub fn after(samples: u32) -> Self {
        if samples < FIRST { Self::FULL } else { Self { all: PROBES / 5, exact: PROBES / 10 } }
    }
}

/// Questions to one broker in one round: each round learns from the one before.
const ROUND: usize = 4_000;

/// Rounds for one commit. A search over a week halves down to a millisecond in thirty.
const ROUNDS: u8 = 40;

/// The age from which it is looked whether compaction has taken the record of a topic whose settings are not known: younger
/// ones are hardly ever cleaned.
const CHECKED: Millis = 3_600_000;

/// How urgent an age is that has no bound.
const UNKNOWN: f64 = f64::MAX;

/// How urgent an age is that is just as exact as wanted.
const EXACT: f64 = 1.0;

/// How urgent an age is whose rows may be empty: as one that is a little less exact than wanted.
const UNPROVEN: f64 = EXACT + f64::EPSILON;

/// How urgent it is to look whether compaction has come: whatever the budget leaves goes there. Nothing else tells a
/// topic that is compacted from one that is not without the right to read its settings.
const LAST: f64 = f64::MIN_POSITIVE;

/// One sample's questions by time: which commits still want sharper ages, and what to ask each broker for them next.
///
/// Each commit is looked at when the sample begins, and again only when something was learnt of its partition. Groups
/// with the same committed offset are one; those whose searches overlap wait for one another's answers.
#[derive(Debug)]
pub struct Refinement {
    policy: Policy,
    /// Every partition of the last pass, by topic and number.
    sites: Vec<Site>,
    opens: Vec<Open>,
    /// The place of each partition in `sites`.
    index: HashMap<Name, Vec<Option<usize>>>,
    queues: BTreeMap<Option<BrokerId>, Queue>,
    /// The brokers that are known to understand the question for the newest record.
    understanding: HashSet<Option<BrokerId>>,
    /// What the others said to it.
    doubted: Vec<Told>,
}

/// A partition, and how often something was learnt of it in this sample.
#[derive(Debug)]
struct Site {
    topic: Name,
    partition: Partition,
    leader: Option<BrokerId>,
    version: u32,
    /// Whether its broker refused an answer in this sample.
    failed: bool,
    /// The age from which compaction may have taken a record; `None` where it never does.
    compacted_from: Option<Millis>,
}

impl Site {
    fn known<'a>(&self, memory: &'a Memory) -> Option<&'a PartitionMemory> {
        memory.partition(&self.topic, self.partition)
    }
}

/// A committed offset whose age may want sharpening.
#[derive(Debug)]
struct Open {
    site: usize,
    committed: Offset,
    rounds: u8,
    /// Whether it was looked whether the record is still there.
    checked: bool,
}

/// What one broker may still be asked in this sample.
#[derive(Debug)]
struct Queue {
    /// The widest bound for its age first. A need that is older than its site's version is looked at again.
    waiting: BinaryHeap<Wish>,
    /// Those asked for in the last round.
    asked: Vec<usize>,
    left: Budget,
    /// Whether the budget is too small for the ladder of every partition that has none yet.
    crowded: bool,
}

/// How urgent an open commit is, in an order that integers have, as of which version of its site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    need: u64,
    open: usize,
    version: u32,
}

/// How to ask for one commit.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// Only whether the record is still there.
    only_checked: bool,
    /// Of the ladder only its two ends, as far as there are records.
    crowded: bool,
}

impl Refinement {
    /// Starts with every commit of the last pass behind which records are waiting.
    pub fn start(memory: &Memory, policy: &Policy, now: Millis, budget: Budget) -> Self {
        let (sites, opens) = sites(memory);
        let mut index: HashMap<Name, Vec<Option<usize>>> = HashMap::new();
        for (place, site) in sites.iter().enumerate() {
            let Ok(partition) = usize::try_from(site.partition) else { continue };
            let places = index.entry(site.topic.clone()).or_default();
            places.resize(places.len().max(partition + 1), None);
            places[partition] = Some(place);
        }
        let (understanding, doubted) = (HashSet::new(), Vec::new());
        let policy = policy.clone();
        let mut new = Self { policy, sites, index, opens, queues: BTreeMap::new(), understanding, doubted };
        let mut queues: BTreeMap<Option<BrokerId>, Queue> = BTreeMap::new();
        let mut known = (usize::MAX, None);
        for (place, open) in new.opens.iter().enumerate() {
            if known.0 != open.site {
                known = (open.site, new.sites.get(open.site).and_then(|site| site.known(memory)));
            }
            let Some((leader, wish)) = new.wish_on(known.1, place, now) else { continue };
            let empty = || Queue { waiting: BinaryHeap::new(), asked: Vec::new(), left: budget, crowded: false };
            queues.entry(leader).or_insert_with(empty).waiting.push(wish);
        }
        for queue in queues.values_mut() {
            let unknown = queue.waiting.iter().filter(|wish| wish.need == UNKNOWN.to_bits());
            let sites: HashSet<_> = unknown.filter_map(|wish| Some(new.opens.get(wish.open)?.site)).collect();
            queue.crowded = sites.len() * ladder(now).count() > budget.all;
        }
        new.queues = queues;
        new
    }

    /// The brokers that have something left to tell.
    pub fn brokers(&self) -> Vec<Option<BrokerId>> {
        self.queues.keys().copied().collect()
    }

    /// The next questions for one broker, the widest bound for its age first; none when no more are worth asking, or
    /// its budget is spent.
    pub fn next(&mut self, memory: &Memory, now: Millis, broker: Option<BrokerId>) -> Vec<Probe> {
        let Some(mut queue) = self.queues.remove(&broker) else { return Vec::new() };
        for open in std::mem::take(&mut queue.asked) {
            queue.waiting.extend(self.wish(open, memory, now).map(|(_, wish)| wish));
        }
        let limit = queue.left.all.min(ROUND);
        let mut taken: HashMap<usize, Vec<(Millis, Millis)>> = HashMap::new();
        let (mut probes, mut later) = (Vec::new(), Vec::new());
        while let Some(wish) = queue.waiting.pop() {
            let Some(open) = self.opens.get(wish.open) else { continue };
            if self.sites.get(open.site).is_some_and(|site| site.version != wish.version) {
                queue.waiting.extend(self.wish(wish.open, memory, now).map(|(_, wish)| wish));
                continue;
            }
            let only_checked = wish.need == LAST.to_bits();
            let manner = Manner { only_checked, crowded: queue.crowded };
            let Some((site, span, times)) = self.questions(open, memory, now, manner) else { continue };
            let spans = taken.entry(open.site).or_default();
            if spans.iter().any(|(low, high)| span.0 < *high && *low < span.1) {
                later.extend(Some(wish).filter(|_| !only_checked || !spans.contains(&span)));
                continue;
            }
            let exact = wish.need <= EXACT.to_bits();
            let room = if exact { queue.left.exact } else { usize::MAX }.min(limit - probes.len());
            if times.len() > room {
                later.push(wish);
                break;
            }
            if exact {
                queue.left.exact -= times.len();
            }
            spans.push(span);
            probes.extend(times.into_iter().map(|time| Probe {
                topic: site.topic.clone(),
                partition: site.partition,
                time,
            }));
            queue.asked.push(wish.open);
            if let Some(open) = self.opens.get_mut(wish.open) {
                open.rounds += 1;
                open.checked |= wish.need == LAST.to_bits();
            }
        }
        queue.waiting.extend(later);
        queue.left.all -= probes.len();
        if !probes.is_empty() {
            self.queues.insert(broker, queue);
        }
        probes
    }

    /// Takes in what brokers answered. In this sample, partitions that were not answered are not asked again, nor are
    /// brokers that are silent or cannot tell.
    pub fn learn(&mut self, memory: &mut Memory, told: &[Told]) {
        let mut found_compacted = Vec::new();
        let (newest, timed): (Vec<_>, Vec<_>) = told.iter().partition(|told| told.probe.time == Probe::NEWEST);
        for told in timed {
            found_compacted.extend(self.take_in(memory, told));
        }
        // That a broker does not know this question says nothing of the others.
        self.doubted.extend(newest.into_iter().filter(|told| told.answer.is_ok()).cloned());
        for told in self.believed(memory) {
            found_compacted.extend(self.take_in(memory, &told));
        }
        for (site, now) in found_compacted {
            self.look_again(site, memory, now);
        }
    }

    /// What was said to the question for the newest record by brokers that understand it, which one answer from behind the
    /// first record proves. The others stay doubted.
    fn believed(&mut self, memory: &Memory) -> Vec<Told> {
        let proves = |told: &&Told| {
            let known = memory.partition(&told.probe.topic, told.probe.partition);
            known.zip(told.answer.ok()).is_some_and(|(known, found)| known.history.is_behind_first(found))
        };
        let all = std::mem::take(&mut self.doubted);
        let proven: Vec<_> = all.iter().filter(proves).map(|told| self.leader(told)).collect();
        self.understanding.extend(proven);
        let (believed, doubted) = all.into_iter().partition(|told| self.understanding.contains(&self.leader(told)));
        self.doubted = doubted;
        believed
    }

    fn leader(&self, told: &Told) -> Option<BrokerId> {
        self.sites.get(self.place(&told.probe)?)?.leader
    }

    fn place(&self, probe: &Probe) -> Option<usize> {
        *self.index.get(&probe.topic)?.get(usize::try_from(probe.partition).ok()?)?
    }

    /// Takes in one answer. Says of which partition, and when, where it showed for the first time that it is compacted.
    fn take_in(&mut self, memory: &mut Memory, told: &Told) -> Option<(usize, Millis)> {
        let Probe { topic, partition, time } = &told.probe;
        let place = self.place(&told.probe);
        let site = place.and_then(|place| self.sites.get_mut(place));
        let history = memory.partition_mut(topic, *partition).map(|known| &mut known.history)?;
        match (told.answer, site) {
            (Ok(found), site) => {
                let (end, compacted) = (history.end()?, history.compacted);
                match *time {
                    Probe::NEWEST => history.learn_newest(found, told.replied, end),
                    time => history.learn(time, found, told.replied, end),
                }
                if let Some(site) = site {
                    site.version += 1;
                }
                if history.compacted && !compacted {
                    return place.map(|place| (place, told.replied));
                }
            }
            (Err(reason), Some(site)) => {
                site.failed = true;
                site.version += 1;
                if is_of_the_broker(reason) {
                    self.queues.remove(&site.leader);
                }
            }
            (Err(_), None) => {}
        }
        None
    }

    /// Takes up every commit of a partition again, since none of its ages is proven any more.
    fn look_again(&mut self, site: usize, memory: &Memory, now: Millis) {
        let first = self.opens.partition_point(|open| open.site < site);
        let count = self.opens.get(first..).map_or(0, |rest| rest.partition_point(|open| open.site == site));
        for open in first..first + count {
            let Some((leader, wish)) = self.wish(open, memory, now) else { continue };
            if let Some(queue) = self.queues.get_mut(&leader) {
                queue.waiting.push(wish);
            }
        }
    }

    /// How urgently one commit wants a sharper age, and from which broker; `None` when nothing is left to ask.
    fn wish(&self, open: usize, memory: &Memory, now: Millis) -> Option<(Option<BrokerId>, Wish)> {
        let site = self.sites.get(self.opens.get(open)?.site)?;
        self.wish_on(site.known(memory), open, now)
    }

    /// The same where it is known already what is remembered of its partition.
    fn wish_on(
        &self,
        partition: Option<&PartitionMemory>,
        index: usize,
        now: Millis,
    ) -> Option<(Option<BrokerId>, Wish)> {
        let open = self.opens.get(index)?;
        let site = self.sites.get(open.site).filter(|site| !site.failed && open.rounds < ROUNDS)?;
        let partition = partition?;
        let question = question(partition, open.committed, &self.policy, now)?;
        let history = &partition.history;
        let need = need(history, question, self.policy.precision, (site.compacted_from, open.checked))?;
        // Positive floats and their bits are in the same order.
        Some((site.leader, Wish { need: need.to_bits(), open: index, version: site.version }))
    }

    /// Where to ask for one commit: its partition, between which times the search goes on, and the times to ask for.
    fn questions(
        &self,
        open: &Open,
        memory: &Memory,
        now: Millis,
        manner: Manner,
    ) -> Option<(&Site, (Millis, Millis), Vec<Millis>)> {
        let site = self.sites.get(open.site)?;
        let partition = site.known(memory)?;
        let question = question(partition, open.committed, &self.policy, now)?;
        if manner.only_checked && !open.checked {
            let time = check(&partition.history, question)?;
            return Some((site, (time, time + 1), vec![time]));
        }
        let history = &partition.history;
        let Some(search) = search(history, question) else {
            // In this order: the first record tells whether the newest one was understood.
            let times = || if manner.crowded { vec![Probe::NEWEST, 0] } else { ladder(now).collect() };
            return (!history.backfilled).then(|| (site, (Millis::MIN, Millis::MAX), times()));
        };
        let (precision, compacted) = (self.policy.precision, history.compacted || manner.only_checked);
        let times = cuts(search, question, Cutting { precision, first: open.rounds == 0, compacted });
        (!times.is_empty()).then_some((site, (search.low, search.high), times))
    }
}

/// The partitions that have commits in the last pass, and each committed offset on them once.
fn sites(memory: &Memory) -> (Vec<Site>, Vec<Open>) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut sites = Vec::new();
    for topic in &memory.last.topics {
        first.insert(&topic.name, sites.len());
        let compaction = memory.topics.get(&topic.name).map_or(Compaction::Unknown, |known| known.compaction);
        let compacted_from = match compaction {
            Compaction::Unknown => Some(CHECKED),
            Compaction::Never => None,
            Compaction::Set => Some(0),
        };
        sites.extend((0..).zip(&topic.partitions).map(|(partition, seen)| Site {
            topic: topic.name.clone(),
            partition,
            leader: seen.leader,
            version: 0,
            failed: false,
            compacted_from,
        }));
    }
    let topics = memory.last.groups.iter().flat_map(|group| &group.commits).flat_map(|commits| &commits.topics);
    let mut commits = Vec::new();
    for topic in topics {
        let Some(first) = first.get(&*topic.topic) else { continue };
        let offsets = topic.offsets.iter().filter_map(|(p, offset)| Some((first + usize::try_from(*p).ok()?, *offset)));
        commits.extend(offsets);
    }
    commits.sort_unstable();
    commits.dedup();
    let opens =
        commits.into_iter().map(|(site, committed)| Open { site, committed, rounds: 0, checked: false }).collect();
    (sites, opens)
}

/// Whether an error means that the broker has no answers for its other partitions either.
fn is_of_the_broker(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Timeout
            | Reason::Unreachable
            | Reason::AuthenticationFailed
            | Reason::TlsFailed
            | Reason::UnsupportedByBroker
    )
}

/// How much wider the bound of an age is than wanted: above 1 it is too wide, up to 1 only the record itself is missing.
/// `None` when nothing is left to ask. Whether compaction may have come is looked for once where that is possible.
fn need(
    history: &History,
    question: Question,
    precision: Millis,
    (compacted_from, checked): (Option<Millis>, bool),
) -> Option<f64> {
    let estimate = estimate(history, question, precision);
    if !history.backfilled && estimate.method == Method::AtLeast {
        return Some(UNKNOWN);
    }
    if !worth(&estimate, precision) {
        let old = compacted_from.zip(estimate.lag).is_some_and(|(from, lag)| precision > 0 && lag >= from);
        let open = !checked || !estimate.settled && !is_proven(history, question);
        return (old && open && !is_blind(history, question)).then_some(LAST);
    }
    if estimate.unproven {
        return Some(UNPROVEN);
    }
    let wanted = wanted(precision, estimate.lag?).max(1) as f64;
    Some(estimate.bound.map_or(UNKNOWN, |bound| bound as f64 / wanted))
}

/// What to ask of a commit behind which records are waiting, as of this sample.
fn question(partition: &PartitionMemory, committed: Offset, policy: &Policy, now: Millis) -> Option<Question> {
    let end = partition.end(policy.read_committed)?;
    let high_watermark = partition.history.end()?;
    let first = committed.max(partition.log_start.unwrap_or(0));
    let (seen, _) = partition.end_seen.filter(|_| partition.is_current())?;
    let end = if first == end { high_watermark } else { end };
    (first < end).then_some(Question { committed: first, end, seen, now })
}
