//! Runs the stories of `tests/scenarios/governance/`: what a group's lines, members and past amount to, sample by sample.
//!
//! The language is told in `tests/scenarios/README.md`.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::scenarios::{commits, duration, partition, restart, signed, stories_of};
use super::{POLICY, ZERO};
use crate::lag::aggregate::{teams, together};
use crate::lag::judge::{Heading, judge, seconds};
use crate::lag::memory::Memory;
use crate::lag::observation::{
    GroupKind, GroupObservation, GroupState, Member, Observation, PartitionObservation, TopicObservation,
};
use crate::lag::policy::Policy;
use crate::lag::report::{AlertKind, Group, GroupStates, Report, Severity, Timestamp};
use crate::lag::slo::{Bounds, Limits, Objective, of_group};
use crate::lag::{Millis, Name};

struct Wanted {
    bounds: Bounds,
    limits: Limits,
    /// Other limits of single topics.
    overrides: Vec<(Name, Limits)>,
}

impl Objective for Wanted {
    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn limits(&self, _: &str, topic: &str) -> Limits {
        self.overrides.iter().find(|(of, _)| **of == *topic).map_or(self.limits, |(_, limits)| *limits)
    }
}

struct Story {
    policy: Policy,
    wanted: Wanted,
    memory: Memory,
    assignor: Option<Name>,
}

impl Story {
    fn new() -> Self {
        let policy = POLICY;
        let bounds = Bounds {
            min_compliance_percent: 95,
            min_rebalance_score: 70,
            rebalance_window: 600_000,
            max_rebalances: 10,
            max_gini_excess_percent: 30,
            stuck_window: 300_000,
        };
        let limits = Limits { max_lag_records: 1_000, max_lag: None };
        let wanted = Wanted { bounds, limits, overrides: vec![] };
        Self { policy, wanted, memory: Memory::default(), assignor: None }
    }
}

#[test]
fn every_story_of_governance_ends_as_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/governance");
    let (mut stories, mut wrong) = (0, String::new());
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        for (title, body) in stories_of(&std::fs::read_to_string(&file).unwrap()) {
            stories += 1;
            if let Err(why) = tell(&body) {
                writeln!(wrong, "{} · {title}\n{why}", file.file_name().unwrap().to_string_lossy()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(stories >= 20, "{stories} stories");
}

fn tell(lines: &[String]) -> Result<(), String> {
    let mut story = Story::new();
    for line in lines {
        let unreadable = || format!("    cannot read: {line}");
        let Some((seen, told)) = line.split_once('|') else {
            story.set(line).ok_or_else(unreadable)?;
            continue;
        };
        let words: Vec<&str> = seen.split_whitespace().collect();
        for now in times(words[0], story.policy.interval).ok_or_else(unreadable)? {
            let report = story.sample(now, &words[1..]).ok_or_else(unreadable)?;
            compare(&report, told).map_err(|why| format!("    {line}\n    at {}s {why}", (now - ZERO) / 1_000))?;
        }
    }
    Ok(())
}

/// One time, or all from one to another, an interval apart: `60s..300s`.
fn times(word: &str, interval: Millis) -> Option<Vec<Millis>> {
    let (from, to) = word.split_once("..").unwrap_or((word, word));
    let (from, to) = (signed(from)?, signed(to)?);
    Some((0..=(to - from) / interval).map(|n| ZERO + from + n * interval).collect())
}

impl Story {
    fn set(&mut self, line: &str) -> Option<()> {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let (bounds, limits) = (&mut self.wanted.bounds, &mut self.wanted.limits);
        match name {
            "restart" => self.restart(),
            "interval" => self.policy.interval = duration(value)?,
            "read_committed" => self.policy.read_committed = true,
            "onlineThreshold" => self.policy.online_threshold = duration(value)?,
            "assignor" => self.assignor = Some(value.into()),
            "maxLag" => limits.max_lag = Some(duration(value)?),
            "maxLagRecords" => limits.max_lag_records = value.parse().ok()?,
            "minCompliancePercent" => bounds.min_compliance_percent = value.parse().ok()?,
            "stuckWindow" => bounds.stuck_window = duration(value)?,
            "rebalanceWindow" => bounds.rebalance_window = duration(value)?,
            "maxRebalances" => bounds.max_rebalances = value.parse().ok()?,
            "override" => {
                let (topic, limit) = value.split_once(' ')?;
                let max_lag_records = limit.parse().ok()?;
                self.wanted.overrides.push((topic.into(), Limits { max_lag_records, max_lag: None }));
            }
            _ => return None,
        }
        Some(())
    }

    /// What a new process has: what is stored of groups, nothing of their partitions.
    fn restart(&mut self) {
        restart(&mut self.memory);
        for conduct in self.memory.conducts.values_mut() {
            let bytes = postcard::to_stdvec(conduct).unwrap();
            *conduct = postcard::from_bytes(&bytes).unwrap();
        }
    }

    /// One sample of topics `t`, `u`, … (their logs and commits parted by `+`) and a group on them.
    fn sample(&mut self, now: Millis, words: &[&str]) -> Option<Report> {
        let [logs, committed, members] = words else { return None };
        let names = ["t", "u", "v"];
        let there = names.iter().zip(logs.split('+')).filter(|(_, logs)| *logs != "-");
        let topics = there.map(|(name, logs)| topic(name, logs, now));
        let topics = topics.collect::<Option<Vec<_>>>()?;
        let mut found = names.iter().zip(committed.split('+')).map(|(name, word)| commits(word, &(*name).into(), now));
        let mut all = found.next()??;
        for more in found {
            if let (Ok(all), Ok(more)) = (&mut all, more?) {
                all.topics.extend(more.topics);
            }
        }
        let (members, state) = group(members)?;
        let group = GroupObservation {
            id: "g".into(),
            kind: GroupKind::Classic,
            state,
            assignor: self.assignor.clone(),
            members,
            commits: all,
        };
        let (started, finished) = (now, now);
        let observation = Observation { started, finished, topics, groups: vec![group], ..Observation::default() };
        self.memory.remember(observation, &self.policy);
        let heading = Heading { monitor: None, team: None, cluster_name: "c".into(), periodic: true, probes: 0 };
        let report = judge(&mut self.memory, &self.policy, Some(&self.wanted), heading, now);
        self.adds_up(&report);
        Some(report)
    }
}

impl Story {
    /// What must hold for every report: sums are sums of what is listed, and the status counts what the report counts.
    fn adds_up(&self, report: &Report) {
        let (group, totals) = (&report.groups[0], report.totals.slo.unwrap());
        let health = &group.health;
        let slo = health.slo.unwrap();
        let status = of_group(group, &self.wanted);
        for counted in [slo, totals] {
            let counts = [counted.within, counted.breaching, counted.unknown, counted.without_commit];
            assert_eq!(counts, [status.within, status.breaching, status.unknown, status.without_commit]);
            assert_eq!(counted.met, status.meets(self.wanted.bounds.min_compliance_percent));
        }
        let lines = || group.topics.iter().flatten().flat_map(|topic| topic.partitions.iter().flatten());
        let stuck = lines().filter(|line| line.stuck_seconds.is_some()).count() as u32;
        assert_eq!(health.stuck_partitions.unwrap_or(0), stuck);
        assert_eq!(self.memory.conducts["g"].stuck.len(), stuck as usize);
        assert!(
            lines().all(|line| line.stuck_seconds.is_none_or(|age| age >= seconds(self.wanted.bounds.stuck_window)))
        );
        assert_eq!(report.totals.warnings + report.totals.criticals, health.alerts.len() as u32);
        let score = health.rebalances.and_then(|found| found.score);
        assert!(score.is_none_or(|score| (0.0..=100.0).contains(&score)));
        assert!(health.fairness.is_none_or(|f| 0.0 <= f.excess && f.excess <= f.gini && f.gini < 1.0));
        assert!(health.replicas.as_ref().is_none_or(|found| (1..=found.useful).contains(&found.advised)));
        let budget = slo.budget.unwrap();
        assert!(budget.remaining.is_none_or(|left| left <= 1.0) && budget.observed_seconds <= budget.period_seconds);
        let texts = health.alerts.iter().flat_map(|alert| [&alert.summary, &alert.advice]);
        assert!(texts.chain(&health.recommendation).all(|text| !text.is_empty() && !text.contains("NaN")));
        for topic in &report.topics {
            assert!(topic.health.coverage.is_none_or(|share| (0.0..=1.0).contains(&share)), "{topic:?}");
        }
    }
}

/// Who is there, and in which state.
const PEOPLE: [&str; 9] = [
    "a=0,1",
    "a=0;b=1",
    "a=1;b=0",
    "a=0,1;b=",
    "-",
    "?",
    "a=;b=@PreparingRebalance",
    "a=0;b=@Reconciling",
    "a=;b=;c=0,1",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn every_life_adds_up_and_a_restart_ends_no_alert(
        steps in prop::collection::vec(any::<([u16; 2], [u8; 2], prop::sample::Index, bool)>(), 1..60)
    ) {
        let mut story = Story::new();
        story.wanted.limits = Limits { max_lag_records: 20_000, max_lag: Some(600_000) };
        let (mut ends, mut read, mut before) = ([0_u64; 2], [0_u64; 2], Vec::new());
        let mut moving_since = None;
        for (minute, (written, share, who, restart)) in (0..).zip(steps) {
            if restart {
                story.restart();
            }
            for partition in 0..2 {
                ends[partition] += u64::from(written[partition] / 8);
                // Half of the time nothing is read.
                let share = u64::from(share[partition].saturating_sub(128));
                read[partition] += (ends[partition] - read[partition]) * share / 127;
            }
            let who = PEOPLE[who.index(PEOPLE.len())];
            let logs = ends.map(|end| format!("0..{end}")).join(",");
            let report = story.sample(ZERO + minute * 60_000, &[&logs, &format!("{},{}", read[0], read[1]), who]).unwrap();
            let alerts: Vec<_> = report.groups[0].health.alerts.iter().map(|a| (a.kind, a.since, a.held)).collect();
            for (kind, since, _) in &before {
                // It goes on with the same beginning, or is over; it never begins anew in the sample that ends it.
                prop_assert!(alerts.iter().all(|(other, now, _)| other != kind || now == since));
            }
            let (moving, nobody) = (who.contains('@'), who == "-");
            if moving || who == "?" {
                moving_since = moving_since.or(moving.then_some(minute));
            } else {
                moving_since = None;
            }
            // After five minutes it is no way to anywhere.
            let endless = moving && moving_since.is_some_and(|since| minute - since >= 5);
            let unsettled = (moving || who == "?") && !endless;
            let of_settled = |kind: &AlertKind| *kind != AlertKind::SloViolated;
            let now = Timestamp(ZERO + minute * 60_000);
            for (kind, since, held) in alerts.iter().filter(|_| unsettled) {
                prop_assert!(!of_settled(kind) || *held && *since < now, "{kind:?} at {minute} min");
            }
            if unsettled {
                let kept = before.iter().filter(|(kind, ..)| of_settled(kind)).count();
                prop_assert_eq!(alerts.iter().filter(|(kind, ..)| of_settled(kind)).count(), kept);
            }
            for (kind, since, _) in alerts.iter().filter(|_| nobody) {
                let begins = [AlertKind::SloViolated, AlertKind::StuckPartitions].contains(kind);
                prop_assert!(begins || *since < now, "{kind:?} at {minute} min");
            }
            before = alerts;
        }
    }
}

#[test]
fn a_team_has_the_groups_of_all_its_monitors() {
    let report = |team: Option<&str>, committed: &str, members: &str| {
        let report = Story::new().sample(ZERO, &["0..5000,0..100", committed, members]).unwrap();
        Report { team: team.map(Name::from), ..report }
    };
    let reports = [
        report(None, "5000,100", "a=0,1"),
        report(Some("shop"), "0,100", "a=0;b=1"),
        report(Some("shop"), "5000,100", "a=0;b=1"),
        report(Some("bank"), "-,-", "-"),
    ];
    let found: Vec<_> = teams(&reports)
        .into_iter()
        .map(|team| {
            let (totals, slo) = (&team.totals, team.totals.slo.unwrap());
            (team.team.clone(), team.monitors, totals.groups, totals.members, totals.warnings, slo.compliance, slo.met)
        })
        .collect();
    let expected = [
        (Some("bank".into()), 1, 1, 0, 0, None, None),
        (Some("shop".into()), 2, 2, 4, 1, Some(0.75), Some(false)),
        (None, 1, 1, 1, 0, Some(1.0), Some(true)),
    ];
    assert_eq!(found, expected);
    let all = together(&reports);
    let slo = all.slo.unwrap();
    assert_eq!((all.groups, all.members, all.warnings, slo.within, slo.breaching), (4, 5, 1, 5, 1));
    assert_eq!(all.group_states, GroupStates { stable: 3, rebalancing: 0, empty: 1, other: 0 });
}

fn topic(name: &str, logs: &str, now: Millis) -> Option<TopicObservation> {
    let partitions: Vec<PartitionObservation> =
        logs.split(',').map(|log| partition(log, now)).collect::<Option<_>>()?;
    Some(TopicObservation { name: name.into(), id: Some([1; 16]), replication_factor: 1, partitions })
}

/// `a=0,1;b=2` are members with partitions of topic `t` (`u0` of topic `u`), `-` is nobody, `?` was not answered;
/// `@Reconciling` is Kafka's state, without it `Stable`, or `Empty` for nobody.
fn group(word: &str) -> Option<(Option<Vec<Member>>, Option<GroupState>)> {
    let (members, state) = word.split_once('@').map_or((word, None), |(members, state)| (members, Some(state)));
    let members: Vec<Member> = match members {
        "?" => return Some((None, None)),
        "-" => Vec::new(),
        all => all.split(';').map(member).collect::<Option<_>>()?,
    };
    let state = match state {
        None if members.is_empty() => GroupState::Empty,
        None => GroupState::Stable,
        Some("PreparingRebalance") => GroupState::PreparingRebalance,
        Some("CompletingRebalance") => GroupState::CompletingRebalance,
        Some("Reconciling") => GroupState::Reconciling,
        Some("Assigning") => GroupState::Assigning,
        Some(_) => return None,
    };
    Some((Some(members), Some(state)))
}

fn member(word: &str) -> Option<Member> {
    let (id, partitions) = word.split_once('=')?;
    let mut assigned: Vec<(Name, Vec<i32>)> = Vec::new();
    for partition in partitions.split(',').filter(|word| !word.is_empty()) {
        let (topic, number) =
            if partition.starts_with(['t', 'u', 'v']) { partition.split_at(1) } else { ("t", partition) };
        match assigned.last_mut().filter(|(name, _)| &**name == topic) {
            Some((_, partitions)) => partitions.push(number.parse().ok()?),
            None => assigned.push((topic.into(), vec![number.parse().ok()?])),
        }
    }
    assigned.sort();
    Some(Member { member_id: id.into(), client_id: "c".into(), host: "/127.0.0.1".into(), assigned })
}

/// Every figure that is told, as `name=value`; `-` is unknown or none, `_` a blank, and texts may go on.
fn compare(report: &Report, told: &str) -> Result<(), String> {
    for word in told.split_whitespace() {
        let (name, value) = word.split_once('=').ok_or(format!("cannot read {word}"))?;
        let shown = figure(report, name).ok_or(format!("there is no figure {name}"))?;
        let value = value.replace('_', " ");
        let same = match (value.parse::<f64>(), shown.parse::<f64>()) {
            (Ok(value), Ok(shown)) => (value - shown).abs() <= 0.005 * value.abs().max(1.0),
            _ => value == shown.replace('_', " ") || value.len() > 8 && shown.starts_with(&value),
        };
        if !same {
            return Err(format!("{name} is {shown}"));
        }
    }
    Ok(())
}

fn figure(report: &Report, name: &str) -> Option<String> {
    fn or_none(value: Option<impl ToString>) -> String {
        value.map_or("-".to_owned(), |value| value.to_string())
    }
    let group = &report.groups[0];
    let health = &group.health;
    let (name, topic) = name.split_once('.').unwrap_or((name, "t"));
    let topic = report.topics.iter().find(|found| &*found.topic == topic)?;
    let on = group.topics.iter().flatten().find(|found| found.topic == topic.topic);
    let (slo, budget) = (health.slo, health.slo.and_then(|slo| slo.budget));
    let replicas = health.replicas.as_ref();
    Some(match name {
        "compliance" => or_none(slo.and_then(|slo| slo.compliance)),
        "met" => or_none(slo.and_then(|slo| slo.met)),
        "unknown" => or_none(slo.map(|slo| slo.unknown)),
        "without" => or_none(slo.map(|slo| slo.without_commit)),
        "remaining" => or_none(budget.and_then(|budget| budget.remaining)),
        "burn5m" => or_none(budget.and_then(|budget| budget.burn_rate_5m)),
        "burn1h" => or_none(budget.and_then(|budget| budget.burn_rate_1h)),
        "burn6h" => or_none(budget.and_then(|budget| budget.burn_rate_6h)),
        "stuck" => or_none(health.stuck_partitions),
        "stuckfor" => {
            let lines = group.topics.iter().flatten().flat_map(|topic| topic.partitions.iter().flatten());
            or_none(lines.filter_map(|line| line.stuck_seconds).reduce(f64::max))
        }
        "score" => or_none(health.rebalances.and_then(|found| found.score)),
        "rebalances" => or_none(health.rebalances.map(|found| found.count)),
        "gini" => or_none(health.fairness.map(|found| found.gini)),
        "excess" => or_none(health.fairness.map(|found| found.excess)),
        "idle" => or_none(health.fairness.map(|found| found.idle_members)),
        "velocity" => or_none(health.velocity.and_then(|found| found.records_per_second)),
        "ageing" => or_none(health.velocity.and_then(|found| found.seconds_per_second)),
        "consumed" => or_none(on.and_then(|on| on.consume_rate)),
        "produced" => or_none(on.and_then(|on| on.produce_rate)),
        "state" => or_none(group.state.map(|state| word(&state))),
        "max" => or_none(group.max_lag_seconds),
        "left" => or_none(on.map(|on| on.abandoned_partitions)),
        "abandoned" => or_none(on.map(|on| on.abandoned)),
        "drain" => or_none(health.drain_seconds),
        "trend" => or_none(group.trend.map(|trend| word(&trend))),
        "advised" => or_none(replicas.map(|found| found.advised)),
        "useful" => or_none(replicas.map(|found| found.useful)),
        "why" => or_none(replicas.map(|found| word(&found.reason))),
        "alerts" => alerts(group),
        "says" => or_none(health.alerts.first().map(|alert| &alert.summary)),
        "next" => or_none(health.recommendation.as_ref()),
        "coverage" => or_none(topic.health.coverage),
        "read" => topic.health.consumed_partitions.to_string(),
        "mean" => or_none(topic.health.mean_compliance),
        "concern" => topic.health.alerts.to_string(),
        "topic" => topic.health.summary.clone(),
        "totals" => format!("{}/{}", report.totals.warnings, report.totals.criticals),
        _ => return None,
    })
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// The first word of each kind, with `!` where it is critical, `~` where it is held, and since when.
fn alerts(group: &Group) -> String {
    let alert = |alert: &crate::lag::report::Alert| {
        let kind = alert.kind.word().split('_').next().unwrap_or_default();
        let critical = if alert.severity == Severity::Critical { "!" } else { "" };
        let held = if alert.held { "~" } else { "" };
        assert_eq!(alert.id, format!("c/g/{}", alert.kind.word()));
        format!("{kind}{critical}{held}@{}s", (alert.since.0 - ZERO) / 1_000)
    };
    let all: Vec<String> = group.health.alerts.iter().map(alert).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(",") }
}
