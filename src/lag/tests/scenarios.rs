//! Runs the stories of `tests/scenarios/`: one line a sample, what is seen to the left of `|`, the verdict to its right.
//!
//! The language is told in `tests/scenarios/README.md`.

use std::fmt::Write as _;
use std::path::Path;

use super::{POLICY, ZERO};
use crate::lag::judge::{Heading, judge};
use crate::lag::memory::Memory;
use crate::lag::observation::{
    Answer, Commits, GroupKind, GroupObservation, GroupState, Member, Observation, PartitionObservation, Reading, Told,
    TopicCommits, TopicObservation,
};
use crate::lag::policy::Policy;
use crate::lag::reason::Reason;
use crate::lag::refine::{Budget, Refinement};
use crate::lag::report::GroupTopic;
use crate::lag::{Millis, Name, Offset};

struct Story {
    policy: Policy,
    memory: Memory,
    topic_id: u8,
    /// By how much the clock was set so far.
    clock_set: Millis,
    stamps: Vec<(Offset, Millis)>,
}

#[test]
fn every_story_ends_as_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut stories = 0;
    let mut wrong = String::new();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "txt")) {
        let text = std::fs::read_to_string(file).unwrap();
        for (title, body) in stories_of(&text) {
            stories += 1;
            if let Err(why) = tell(&body) {
                writeln!(wrong, "{} · {title}\n{why}", file.file_name().unwrap().to_string_lossy()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(stories >= 25, "{stories} stories");
}

pub(super) fn stories_of(text: &str) -> Vec<(String, Vec<String>)> {
    let mut stories: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("story:") {
            Some(title) => stories.push((title.trim().to_owned(), Vec::new())),
            None => stories.last_mut().expect("a file opens with a story").1.push(line.to_owned()),
        }
    }
    stories
}

fn tell(lines: &[String]) -> Result<(), String> {
    let mut story = Story { policy: POLICY, memory: Memory::default(), topic_id: 1, clock_set: 0, stamps: Vec::new() };
    for line in lines {
        match line.split_once('|') {
            Some((seen, told)) => {
                let verdict = story.sample(seen).ok_or_else(|| format!("    cannot read: {line}"))?;
                story.compare(&verdict, told).map_err(|why| format!("    {line}\n    {why}"))?;
            }
            None => story.set(line).ok_or_else(|| format!("    cannot read: {line}"))?,
        }
    }
    Ok(())
}

impl Story {
    /// A setting of the policy, the record timestamps, or something that happens to the topic.
    fn set(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_whitespace();
        match words.next()? {
            "recreated" => self.topic_id += 1,
            "clock" => self.clock_set += signed(words.next()?)?,
            "restart" => {
                restart(&mut self.memory);
            }
            "read_committed" => self.policy.read_committed = true,
            "precision" => self.policy.precision = duration(words.next()?)?,
            "offlineAfter" => self.policy.offline_after = duration(words.next()?)?,
            "onlineThreshold" => self.policy.online_threshold = duration(words.next()?)?,
            "stamps" => {
                for word in words {
                    let (offset, time) = word.split_once('@')?;
                    self.stamps.push((offset.parse().ok()?, ZERO + signed(time)?));
                }
            }
            "cleaned" => {
                let (from, to) = words.next()?.split_once("..")?;
                let taken = from.parse().ok()?..to.parse().ok()?;
                self.stamps.retain(|(offset, _)| !taken.contains(offset));
            }
            _ => return None,
        }
        Some(())
    }

    fn sample(&mut self, seen: &str) -> Option<GroupTopic> {
        let mut words = seen.split_whitespace();
        let now = ZERO + signed(words.next()?)?;
        let topic: Name = "t".into();
        let partitions = words.next()?.split(',').map(|log| partition(log, now)).collect::<Option<Vec<_>>>()?;
        let commits = commits(words.next()?, &topic, now)?;
        let members = match words.next()? {
            "?" => None,
            count => Some((0..count.parse().ok()?).map(member).collect()),
        };
        self.memory.remember(
            Observation {
                started: now,
                finished: now,
                uptime: Some(now - self.clock_set),
                topics: vec![TopicObservation {
                    name: topic,
                    id: Some([self.topic_id; 16]),
                    replication_factor: 1,
                    partitions,
                }],
                groups: vec![GroupObservation {
                    id: "g".into(),
                    kind: GroupKind::Classic,
                    state: Some(GroupState::Stable),
                    assignor: None,
                    members,
                    commits,
                }],
                ..Observation::default()
            },
            &self.policy,
        );
        self.refine(now);
        let heading = Heading { monitor: None, team: None, cluster_name: "c".to_owned(), periodic: true, probes: 0 };
        let report = judge(&mut self.memory, &self.policy, None, heading, now);
        report.groups.into_iter().next()?.topics?.into_iter().next()
    }

    /// Answers questions by time from the record timestamps of the story, as a broker would.
    fn refine(&mut self, now: Millis) {
        let mut refinement = Refinement::start(&self.memory, &self.policy, now, Budget::FULL);
        loop {
            let probes = refinement.next(&self.memory, now, Some(0));
            if probes.is_empty() {
                break;
            }
            let told: Vec<Told> = probes
                .into_iter()
                .map(|probe| {
                    let known = self.memory.partition("t", probe.partition);
                    let (start, end) = (known.and_then(|p| p.log_start), known.and_then(|p| p.history.end()));
                    let there = self.stamps.iter().filter(|(offset, _)| (start..end).contains(&Some(*offset)));
                    let first = there.filter(|(_, at)| *at >= probe.time).min();
                    let answer =
                        if self.stamps.is_empty() { Err(Reason::UnsupportedByBroker) } else { Ok(first.copied()) };
                    Told { probe, sent: now, replied: now, answer }
                })
                .collect();
            refinement.learn(&mut self.memory, &told);
        }
    }

    /// The verdict: lag in records, age, bound, method, state, oddities. `*` stands for anything.
    fn compare(&self, verdict: &GroupTopic, told: &str) -> Result<(), String> {
        let anomalies: Vec<String> = verdict
            .partitions
            .iter()
            .flatten()
            .flat_map(|p| p.anomalies.iter())
            .map(|a| serde_json::to_value(a).unwrap().as_str().unwrap().to_owned())
            .collect();
        let lost: i64 = verdict.partitions.iter().flatten().map(|p| p.records_lost).sum();
        let lost = (lost > 0).then(|| format!("lost={lost}"));
        let stale = verdict.partitions.iter().flatten().filter_map(|p| p.stale_seconds).reduce(f64::max);
        let stale = stale.map(|s| format!("stale={s}"));
        let abandoned = (verdict.abandoned_partitions > 0).then(|| format!("left={}", verdict.abandoned_partitions));
        let notes: Vec<String> = anomalies.into_iter().chain(lost).chain(stale).chain(abandoned).collect();
        let shown = [
            verdict.total_lag_records.map_or("-".to_owned(), |lag| lag.to_string()),
            verdict.max_lag_seconds.map_or("-".to_owned(), |age| format!("{age}s")),
            verdict.bound_seconds.map_or("-".to_owned(), |bound| format!("{bound}s")),
            verdict.method.map_or("-".to_owned(), |m| serde_json::to_value(m).unwrap().as_str().unwrap().to_owned()),
            verdict.state.map_or("-".to_owned(), |s| serde_json::to_value(s).unwrap().as_str().unwrap().to_owned()),
            if notes.is_empty() { "-".to_owned() } else { notes.join(",") },
        ];
        let mut told: Vec<&str> = told.split_whitespace().collect();
        if told.len() == 5 {
            told.push("-");
        }
        let agree = told.len() == shown.len() && told.iter().zip(&shown).all(|(told, shown)| agrees(told, shown));
        if agree { Ok(()) } else { Err(format!("is {}", shown.join("  "))) }
    }
}

/// Leaves of groups what storage gives back after a restart.
pub(super) fn restart(memory: &mut Memory) {
    let sampled = std::mem::take(&mut memory.last).finished;
    for progress in memory.groups.values_mut().flat_map(|topics| topics.values_mut()) {
        *progress = std::mem::take(progress).restored(sampled);
    }
}

/// Whether a told word fits the shown one: the same, anything (`*`), or a length within a tolerance (`30s~5s`).
fn agrees(told: &str, shown: &str) -> bool {
    if told == "*" || told == shown {
        return true;
    }
    let (value, tolerance) = told.split_once('~').unwrap_or((told, "0s"));
    match (signed(value), signed(tolerance), signed(shown)) {
        (Some(value), Some(tolerance), Some(shown)) => (value - shown).abs() <= tolerance,
        _ => false,
    }
}

/// `start..end`, `start..stable/high-watermark`, or `!` for no answer.
pub(super) fn partition(log: &str, now: Millis) -> Option<PartitionObservation> {
    let answer = |offset: &str| -> Option<Answer> {
        if offset == "?" {
            return Some(Err(Reason::Timeout));
        }
        Some(Ok(Reading { offset: offset.parse().ok()?, sent: now, replied: now }))
    };
    if log == "!" {
        return Some(PartitionObservation {
            leader: None,
            log_start: Err(Reason::Timeout),
            high_watermark: Err(Reason::Timeout),
            last_stable: None,
        });
    }
    let (start, end) = log.split_once("..")?;
    let (stable, end) = end.split_once('/').map_or((None, end), |(stable, end)| (Some(stable), end));
    Some(PartitionObservation {
        leader: Some(0),
        log_start: answer(start)?,
        high_watermark: answer(end)?,
        last_stable: match stable {
            Some(stable) => Some(answer(stable)?),
            None => None,
        },
    })
}

/// Committed offsets by comma, `-` for none, or `!` for a failed request.
pub(super) fn commits(word: &str, topic: &Name, now: Millis) -> Option<Result<Commits, Reason>> {
    if word == "!" {
        return Some(Err(Reason::Timeout));
    }
    let mut offsets = Vec::new();
    for (partition, offset) in (0..).zip(word.split(',')) {
        if offset != "-" {
            offsets.push((partition, offset.parse().ok()?));
        }
    }
    Some(Ok(Commits { sent: now, replied: now, topics: vec![TopicCommits { topic: topic.clone(), offsets }] }))
}

fn member(number: usize) -> Member {
    Member {
        member_id: format!("m-{number}").into(),
        client_id: "c".into(),
        host: "/127.0.0.1".into(),
        assigned: vec![("t".into(), vec![0])],
    }
}

pub(super) fn signed(word: &str) -> Option<Millis> {
    match word.strip_prefix('-') {
        Some(word) => duration(word).map(|length| -length),
        None => duration(word),
    }
}

/// `90s`, `1.5h`, `2d`, `20ms`, `1h30m`.
pub(super) fn duration(word: &str) -> Option<Millis> {
    let mut rest = word;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match rest.get(..end)? {
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            "d" => 8.64e7,
            _ => return None,
        };
        rest = rest.get(end..)?;
        total += value * unit;
    }
    (!word.is_empty()).then_some(total.round() as Millis)
}
