//! What must hold for the questions of one sample, whatever the traffic: that they end, that each broker is spared, and
//! that ages end as exact as wanted or say why not.

use std::collections::{BTreeMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::POLICY;
use super::properties::{Log, PRECISION, gaps};
use crate::lag::bracket::{Estimate, Question, estimate, wanted};
use crate::lag::history::History;
use crate::lag::memory::{Compaction, Memory};
use crate::lag::observation::{
    Commits, GroupKind, GroupObservation, Observation, PartitionObservation, Probe, Reading, Told, TopicCommits,
    TopicObservation,
};
use crate::lag::policy::Policy;
use crate::lag::reason::Reason;
use crate::lag::refine::times::ladder;
use crate::lag::refine::{Budget, Refinement};
use crate::lag::report::Method;
use crate::lag::{BrokerId, Millis, Offset, Partition};

const TOPIC: &str = "t";
const YEAR: Millis = 365 * 86_400_000;

/// Questions to one broker that are enough for every search.
const WHOLE: usize = 1_000_000;

/// Some partitions of one topic, each led by one of `brokers`, and what groups have committed on them.
struct Scene {
    logs: Vec<Log>,
    /// Records that compaction has taken, by partition and offset.
    taken: HashSet<(Partition, Offset)>,
    brokers: BrokerId,
    /// Whether they take the question for the newest record for the beginning of time.
    old_brokers: bool,
    commits: Vec<Vec<(Partition, Offset)>>,
    now: Millis,
    memory: Memory,
    policy: Policy,
}

/// What a refinement asked.
#[derive(Default)]
struct Asked {
    probes: BTreeMap<BrokerId, usize>,
    largest_round: usize,
    rounds: BTreeMap<BrokerId, usize>,
}

impl Scene {
    fn new(logs: Vec<Log>, brokers: BrokerId, commits: Vec<Vec<(Partition, Offset)>>) -> Self {
        let now = logs.iter().map(Log::last).max().unwrap() + 5_000;
        let policy = Policy { precision: PRECISION, ..POLICY };
        let (taken, memory) = (HashSet::new(), Memory::default());
        Self { logs, taken, brokers, old_brokers: false, commits, now, memory, policy }
    }

    /// A sample at `now`.
    fn observe(&mut self, now: Millis) {
        let reading = |offset| Ok(Reading { offset, sent: now - 3, replied: now + 3 });
        let partitions = self.logs.iter().zip(0..).map(|(log, partition)| PartitionObservation {
            leader: Some(partition % self.brokers),
            log_start: reading(0),
            high_watermark: reading(log.end(now)),
            last_stable: None,
        });
        let topic = TopicObservation {
            name: TOPIC.into(),
            id: Some([1; 16]),
            replication_factor: 1,
            partitions: partitions.collect(),
        };
        let groups = self.commits.iter().enumerate().map(|(group, offsets)| GroupObservation {
            id: format!("{group:04}").into(),
            kind: GroupKind::Classic,
            state: None,
            assignor: None,
            members: None,
            commits: Ok(Commits {
                sent: now - 3,
                replied: now + 3,
                topics: vec![TopicCommits { topic: TOPIC.into(), offsets: offsets.clone() }],
            }),
        });
        let (topics, groups) = (vec![topic], groups.collect());
        let observation = Observation { started: now, finished: now + 3, topics, groups, ..Observation::default() };
        self.memory.remember(observation, &self.policy);
    }

    /// Asks every broker until nothing is left to ask; `fails` says which probes are not answered.
    fn refine(&mut self, budget: usize, fails: impl Fn(BrokerId, &Probe) -> Option<Reason>) -> Asked {
        self.refine_within(Budget { all: budget, exact: budget }, fails)
    }

    fn refine_within(&mut self, budget: Budget, fails: impl Fn(BrokerId, &Probe) -> Option<Reason>) -> Asked {
        let now = self.now + 10;
        let mut refinement = Refinement::start(&self.memory, &self.policy, now, budget);
        let mut asked = Asked::default();
        while let Some(broker) = refinement.brokers().first().copied() {
            let probes = refinement.next(&self.memory, now, broker);
            let id = broker.unwrap();
            let distinct: HashSet<_> = probes.iter().collect();
            assert_eq!(distinct.len(), probes.len(), "nothing is asked twice in a round");
            assert!(probes.iter().all(|probe| probe.partition % self.brokers == id), "of the leader alone");
            asked.largest_round = asked.largest_round.max(probes.len());
            *asked.probes.entry(id).or_default() += probes.len();
            *asked.rounds.entry(id).or_default() += usize::from(!probes.is_empty());
            let told: Vec<Told> = probes
                .into_iter()
                .map(|probe| {
                    let answer = fails(id, &probe).map_or_else(|| Ok(self.answer(&probe)), Err);
                    Told { probe, sent: now, replied: now, answer }
                })
                .collect();
            refinement.learn(&mut self.memory, &told);
        }
        asked
    }

    fn answer(&self, probe: &Probe) -> Option<(Offset, Millis)> {
        let log = &self.logs[probe.partition as usize];
        let there = (0..log.end(self.now)).filter(|offset| !self.taken.contains(&(probe.partition, *offset)));
        let mut stamped = there.map(|offset| (offset, log.records[offset as usize].1));
        match probe.time {
            Probe::NEWEST if self.old_brokers => stamped.next(),
            Probe::NEWEST => stamped.rev().max_by_key(|(_, stamp)| *stamp),
            time => stamped.find(|(_, stamp)| *stamp >= time),
        }
    }

    /// The age of a commit, and the true one by the timestamp of the first record that is left.
    fn age(&self, partition: Partition, committed: Offset) -> Option<(Estimate, Millis)> {
        let log = &self.logs[partition as usize];
        let history = &self.memory.partition(TOPIC, partition)?.history;
        let end = history.end().filter(|end| committed < *end)?;
        let question = Question { committed, end, seen: self.now + 3, now: self.now + 10 };
        let first = (committed..end).find(|offset| !self.taken.contains(&(partition, *offset)))?;
        Some((estimate(history, question, PRECISION), question.now - log.records[first as usize].1))
    }

    /// Every commit behind which something is waiting, with its age and the true one.
    fn ages(&self) -> Vec<(Partition, Estimate, Millis)> {
        let commits = self.commits.iter().flatten();
        commits.filter_map(|(p, offset)| self.age(*p, *offset).map(|(found, truth)| (*p, found, truth))).collect()
    }
}

/// Whether an age is inside its bound, or no more than the true one where it has none.
fn holds(found: Estimate, truth: Millis) -> bool {
    let lag = found.lag.unwrap();
    found.bound.map_or(lag <= truth, |bound| (lag - truth).abs() <= bound)
}

/// Traffic that is hard to search: one burst in a year, or a random log, with some timestamps equal.
fn hard() -> impl Strategy<Value = Vec<Millis>> {
    let burst = (1..80_usize, 0..3_i64, 1..YEAR).prop_map(|(records, gap, before)| {
        let mut gaps = vec![before];
        gaps.extend(vec![gap; records]);
        gaps.push(YEAR - before);
        gaps
    });
    prop_oneof![burst, gaps(), vec(Just(0), 2..80)]
}

fn spread(picks: &[prop::sample::Index], logs: &[Log]) -> Vec<Vec<(Partition, Offset)>> {
    let place = |(n, pick): (usize, &prop::sample::Index)| {
        let partition = n % logs.len();
        vec![(partition as Partition, pick.index(logs[partition].records.len()) as Offset)]
    };
    picks.iter().enumerate().map(place).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_search_ends_and_the_age_is_exact_or_says_why(
        gaps in vec(hard(), 1..4), picks in vec(any::<prop::sample::Index>(), 1..12), sampled in any::<bool>(),
    ) {
        let logs: Vec<Log> = gaps.iter().map(|gaps| Log::new(gaps, &[0])).collect();
        let commits = spread(&picks, &logs);
        let mut scene = Scene::new(logs, 2, commits);
        if sampled {
            (1..20).rev().for_each(|n| scene.observe(scene.now - n * 60_000));
        }
        scene.observe(scene.now);
        let asked = scene.refine(1_000_000, |_, _| None);
        prop_assert!(asked.rounds.values().all(|rounds| *rounds <= 80), "{:?}", asked.rounds);
        prop_assert!(asked.probes.values().sum::<usize>() <= picks.len() * 120 + 60, "{:?}", asked.probes);
        for (_, found, truth) in scene.ages() {
            let (lag, bound) = (found.lag.unwrap(), found.bound.unwrap());
            prop_assert!((lag - truth).abs() <= bound, "{found:?}, and true is {truth}");
            prop_assert!(bound <= wanted(PRECISION, lag) || found.hidden, "{found:?}");
        }
    }

    #[test]
    fn records_behind_ages_that_are_exact_enough_have_a_budget_of_their_own(
        gaps in vec(hard(), 1..4), picks in vec(any::<prop::sample::Index>(), 1..12), exact in 0..20_usize,
    ) {
        let logs: Vec<Log> = gaps.iter().map(|gaps| Log::new(gaps, &[0])).collect();
        let mut scene = Scene::new(logs.clone(), 1, spread(&picks, &logs));
        scene.observe(scene.now);
        let mut thrifty = Scene::new(logs.clone(), 1, spread(&picks, &logs));
        thrifty.observe(thrifty.now);
        let all = scene.refine(1_000_000, |_, _| None).probes.values().sum::<usize>();
        let asked = thrifty.refine_within(Budget { all: 1_000_000, exact }, |_, _| None).probes.values().sum::<usize>();
        prop_assert!(asked <= all + 3 * picks.len(), "{asked} of {all}");
        for (_, found, truth) in thrifty.ages() {
            let (lag, bound) = (found.lag.unwrap(), found.bound.unwrap());
            prop_assert!((lag - truth).abs() <= bound, "{found:?}, and true is {truth}");
            prop_assert!(bound <= wanted(PRECISION, lag) || found.hidden, "{found:?}");
        }
        let rest = thrifty.refine_within(Budget { all: 1_000_000, exact: 0 }, |_, _| None);
        prop_assert!(rest.probes.is_empty() || rest.probes.values().all(|asked| *asked == 0), "{:?}", rest.probes);
    }

    #[test]
    fn timestamps_out_of_order_end_too_and_are_inside_the_bound_or_named(
        gaps in gaps(), stamps in vec((0..80_usize, -600_000..86_400_000_i64), 1..10),
        picks in vec(any::<prop::sample::Index>(), 1..8), few in 0..40_usize, old_brokers in any::<bool>(),
    ) {
        let mut log = Log::new(&gaps, &[0]);
        for (index, late) in stamps {
            let index = index % log.records.len();
            log.records[index].1 -= late;
        }
        let logs = vec![log];
        let commits = spread(&picks, &logs);
        for budget in [WHOLE, few] {
            let mut scene = Scene { old_brokers, ..Scene::new(logs.clone(), 1, commits.clone()) };
            scene.observe(scene.now);
            let asked = scene.refine(budget, |_, _| None);
            let most = budget.min(picks.len() * 120 + 60);
            prop_assert!(asked.probes.values().sum::<usize>() <= most, "{:?}", asked.probes);
            let history = &scene.memory.partition(TOPIC, 0).unwrap().history;
            for (partition, committed) in commits.iter().flatten() {
                let Some((found, truth)) = scene.age(*partition, *committed) else { continue };
                let named = found.hidden || history.ahead.is_some();
                if budget == WHOLE {
                    let inside = found.bound.is_some() && holds(found, truth);
                    prop_assert!(inside || named, "{found:?}, and true is {truth}");
                    continue;
                }
                // A search that is not through is wrong only where a record that it found before this one is younger,
                // as by the beginning of time and the present alone. Where there is no room to ask for the present, an
                // old broker tells nothing of a record from the future yet.
                let stamp = scene.logs[0].records[*committed as usize].1;
                let late = history.facts_around(*committed).0.is_some_and(|fact| fact.at > stamp);
                let future = old_brokers && budget < ladder(0).count() && stamp > scene.now;
                prop_assert!(holds(found, truth) || named || late || future, "{found:?}, and true is {truth}");
            }
        }
    }

    #[test]
    fn gaps_of_compaction_are_found_and_ages_are_those_of_the_survivors(
        gaps in vec(1_000..600_000_i64, 20..80), taken in vec((0..80_i64, 1..40_i64), 1..4),
        picks in vec(any::<prop::sample::Index>(), 1..8), interval in 60_000..600_000_i64, known in any::<bool>(),
        (few, skipped, old_brokers) in (0..40_usize, 0..100_i64, any::<bool>()),
    ) {
        let logs = vec![Log::new(&gaps, &[0])];
        let mut commits = spread(&picks, &logs);
        commits.push(vec![(0, 0)]);
        // Samples from before the first record on; or from somewhere in the log on, or none before the last one.
        for (budget, skipped) in [(WHOLE, 0), (few, skipped)] {
            let mut scene = Scene { old_brokers, ..Scene::new(logs.clone(), 1, commits.clone()) };
            let (last, first) = (scene.now, scene.logs[0].records[0].0 - interval);
            let begin = first + (last - first) * skipped / 90;
            (begin..last).step_by(interval as usize).for_each(|now| scene.observe(now));
            let end = scene.logs[0].records.len() as Offset;
            // The newest segment is never cleaned.
            let gone = taken.iter().flat_map(|(from, count)| *from..from + count).filter(|offset| *offset < end - 1);
            scene.taken = gone.map(|offset| (0, offset)).collect();
            scene.observe(last);
            if known {
                scene.memory.topics.get_mut(TOPIC).unwrap().compaction = Compaction::Set;
            }
            scene.refine(budget, |_, _| None);
            let history = &scene.memory.partition(TOPIC, 0).unwrap().history;
            for (partition, committed) in commits.iter().flatten() {
                let Some((found, truth)) = scene.age(*partition, *committed) else { continue };
                if budget == WHOLE {
                    // A gap that ends before the row after next looks like equal timestamps.
                    let row = 2 * interval.max(10);
                    let inside = found.bound.is_some_and(|bound| (found.lag.unwrap() - truth).abs() <= bound + row);
                    // Whether younger ones are there still is not asked where nobody knows that the topic is compacted.
                    let young = !known && found.lag.unwrap() < 3_600_000;
                    prop_assert!(inside || found.hidden || young, "{found:?}, and true is {truth}");
                    continue;
                }
                // That nothing is left before the next row is seen by a search that is through.
                let above = history.runs_around(*committed).1.map_or(end, |run| run.offset);
                let gap = (*committed..above).all(|offset| scene.taken.contains(&(0, offset)));
                prop_assert!(holds(found, truth) || found.hidden || gap, "{found:?}, and true is {truth}");
            }
        }
    }

    #[test]
    fn no_broker_is_asked_more_than_its_budget(
        gaps in vec(gaps(), 3..6), picks in vec(any::<prop::sample::Index>(), 10..60), budget in 0..200_usize,
        old_brokers in any::<bool>(), refuses in any::<bool>(),
    ) {
        let logs: Vec<Log> = gaps.iter().map(|gaps| Log::new(gaps, &[0])).collect();
        let commits = spread(&picks, &logs);
        let mut scene = Scene { old_brokers, ..Scene::new(logs, 2, commits) };
        scene.observe(scene.now);
        let newest = |_, probe: &Probe| (refuses && probe.time == Probe::NEWEST).then_some(Reason::UnsupportedByBroker);
        let asked = scene.refine(budget, newest);
        prop_assert!(asked.probes.values().all(|probes| *probes <= budget), "{:?}", asked.probes);
        prop_assert!(asked.largest_round <= 4_000);
        for (_, found, truth) in scene.ages() {
            prop_assert!(holds(found, truth), "{found:?}, and true is {truth}");
        }
    }

    #[test]
    fn a_broker_that_does_not_answer_by_time_costs_only_itself(
        gaps in vec(gaps(), 4..8), picks in vec(any::<prop::sample::Index>(), 10..40), silent in any::<bool>(),
    ) {
        let logs: Vec<Log> = gaps.iter().map(|gaps| Log::new(gaps, &[0])).collect();
        let commits = spread(&picks, &logs);
        let mut scene = Scene::new(logs, 2, commits);
        scene.observe(scene.now);
        let reason = if silent { Reason::Timeout } else { Reason::UnsupportedByBroker };
        let asked = scene.refine(1_000_000, |broker, _| (broker == 1).then_some(reason));
        prop_assert!(asked.rounds.get(&1).is_none_or(|rounds| *rounds <= 1), "{:?}", asked.rounds);
        for (partition, found, truth) in scene.ages() {
            match partition % 2 {
                1 => prop_assert_eq!(found.bound, None, "{:?} is only a lower bound", found),
                _ => prop_assert!((found.lag.unwrap() - truth).abs() <= found.bound.unwrap(), "{found:?}, {truth}"),
            }
        }
    }
}

/// A log with a record a second for two hours, in partitions; each group's commit on every partition.
fn steady(partitions: usize, commits: &[Offset]) -> Scene {
    let log = Log::new(&[1_000; 7_200], &[0]);
    let all = |offset: &Offset| (0..partitions as Partition).map(|partition| (partition, *offset)).collect();
    Scene::new(vec![log; partitions], 1, commits.iter().map(all).collect())
}

#[test]
fn groups_with_one_committed_offset_are_asked_for_once_and_near_ones_share() {
    let probes = |commits: &[Offset]| {
        let mut scene = steady(3, commits);
        scene.observe(scene.now);
        scene.refine(1_000_000, |_, _| None).probes[&0]
    };
    let one = probes(&[3_000]);
    assert_eq!(probes(&[3_000; 50]), one);
    let near: Vec<Offset> = (0..50).map(|n| 3_000 + 10 * n).collect();
    let shared = probes(&near);
    assert!(shared < 50 * one / 3, "{shared} for fifty neighbours, {one} for one");
}

#[test]
fn idle_partitions_too_many_for_the_ladder_have_exact_ages_by_their_newest_records() {
    // From the first record to the last, ten of them a second apart; or to the present, two hours later.
    for (old_brokers, silent_from) in [(false, 9_001), (true, 7_204_003)] {
        let mut scene = steady(300, &[5, 7]);
        scene.logs.iter_mut().for_each(|log| log.records.truncate(10));
        scene.old_brokers = old_brokers;
        scene.observe(scene.now);
        assert_eq!(scene.refine(600, |_, _| None).probes[&0], 600, "two for each, and nothing is left");
        let ages = scene.ages();
        for (_, found, truth) in &ages {
            assert!(found.bound.is_some() && holds(*found, *truth), "{found:?}, and true is {truth}");
        }
        let widest = ages.iter().map(|(_, found, _)| found.bound.unwrap()).max().unwrap();
        assert!((silent_from / 2..=silent_from).contains(&widest), "{widest}");
    }
}

#[test]
fn many_partitions_at_the_first_look_all_get_a_bound() {
    let mut scene = steady(300, &[3_000]);
    scene.observe(scene.now);
    let asked = scene.refine(1_500, |_, _| None);
    assert_eq!(asked.probes[&0], 1_500);
    for (_, found, truth) in scene.ages() {
        assert!(found.bound.is_some_and(|bound| (found.lag.unwrap() - truth).abs() <= bound), "{found:?}, {truth}");
    }
}

#[test]
fn the_widest_bound_for_its_age_is_sharpened_first() {
    let mut scene = steady(1, &[100, 7_000]);
    // Rows an hour apart, then one a minute: the old commit stands between far rows, the young one between near ones.
    let hours = [7_200_i64, 3_600].map(|back| scene.now - back * 1_000);
    let minutes = (1..10).rev().map(|back| scene.now - back * 60_000);
    let times: Vec<Millis> = hours.into_iter().chain(minutes).chain([scene.now]).collect();
    times.into_iter().for_each(|now| scene.observe(now));
    let bounds = |scene: &Scene| scene.ages().iter().map(|(_, found, _)| found.bound.unwrap()).collect::<Vec<_>>();
    let before = bounds(&scene);
    scene.refine(3, |_, _| None);
    let after = bounds(&scene);
    assert!(before[0] > 30 * 60_000 && after[0] <= 72_000, "{before:?}, then {after:?}");
    assert_eq!(after[1], before[1], "the budget was spent on the other");
}

#[test]
fn a_partition_that_is_refused_is_not_asked_again_and_the_others_go_on() {
    let mut scene = steady(4, &[3_000]);
    scene.observe(scene.now);
    let refused = std::cell::Cell::new(0);
    scene.refine(1_000_000, |_, probe| {
        (probe.partition == 2).then(|| {
            refused.set(refused.get() + 1);
            Reason::KafkaError
        })
    });
    assert_eq!(refused.get(), 15, "the ladder, once");
    for (partition, found, truth) in scene.ages() {
        assert_eq!(found.bound.is_some(), partition != 2);
        assert!(partition == 2 || (found.lag.unwrap() - truth).abs() <= found.bound.unwrap());
    }
}

#[test]
fn timestamps_that_are_none_date_nothing() {
    // Of a producer that counts seconds, or of one that gives none at all.
    for stamp in [|n: usize| 1_790_000_000 + n as Millis, |_| 0] {
        for dated in [0, 5] {
            let mut scene = steady(1, &[0, 3, 7]);
            let log = &mut scene.logs[0].records;
            log.drain(..log.len() - 10);
            log.iter_mut().take(10 - dated).enumerate().for_each(|(n, record)| record.1 = stamp(n));
            scene.observe(scene.now);
            let asked = scene.refine(1_000_000, |_, _| None);
            assert!(asked.probes[&0] < 400, "{:?}", asked.probes);
            let ages: Vec<Estimate> = [0, 3, 7].map(|commit| scene.age(0, commit).unwrap().0).to_vec();
            let spoilt = if dated == 0 { 3 } else { 2 };
            for found in &ages[..spoilt] {
                assert_eq!((found.method, found.bound), (Method::AtLeast, None), "{found:?}");
                assert!(found.lag.unwrap() < 60_000, "{found:?}");
            }
            assert!(ages[spoilt..].iter().all(|found| found.method == Method::Record), "{ages:?}");
            let again = scene.refine(1_000_000, |_, _| None);
            assert!(again.probes.values().all(|asked| *asked == 0), "once: {:?}", again.probes);
        }
    }
}

#[test]
fn how_late_a_record_came_stays_in_its_bound_when_the_disorder_has_faded() {
    let (first, hour, late) = (1_000_000_000, 3_600_000, 30_000);
    let mut history = History::default();
    for (offset, at) in [(10, first), (20, first + hour)] {
        history.observe(Reading { offset, sent: at, replied: at }, 0);
    }
    // It entered the log after the first row, with a timestamp from before it.
    let stamp = first - late;
    history.learn(stamp, Some((10, stamp)), first + hour, 20);
    for hours in [2, 12, 23, 48] {
        let now = first + hours * hour;
        let found = estimate(&history, Question { committed: 10, end: 20, seen: first + hour, now }, PRECISION);
        let (lag, bound) = (found.lag.unwrap(), found.bound.unwrap());
        assert!((lag - (now - stamp)).abs() <= bound, "after {hours} h: {found:?}");
    }
}
