//! `…/history`: the ages that the store has kept of one group, or coarsely of several, with at most one point a step.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Shared;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::groups::order;
use super::{Api, GroupPath};
use crate::http::answer::Answer;
use crate::http::listing::{Page, page_of};
use crate::http::query::{Asked, Cursor, Limit, Moment, Path, Search, Sort, Step};
use crate::http::refusal::Refusal;
use crate::http::viewer::Shown;
use crate::lag::Millis;
use crate::lag::report::{Assignment, State, Timestamp};
use crate::store::{self, Sample, Samples, Store};

/// So many points there are where no step is written: enough for a chart, and for a sparkline.
const CHART: Millis = 300;
const SPARKLINE: Millis = 60;

/// The most changes of members that are told, with what was before.
const CHANGES: u32 = 11;

/// The most points of several groups together.
const MOST: Millis = 200_000;

/// Who reads of the past at the same time; others wait. What is read stands in memory, and a sample wants the store as well.
pub(in crate::http) static READERS: Semaphore = Semaphore::const_new(4);

/// Which part of the history of a group, and how fine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Span {
    /// The cluster: the name given to it, or Kafka's own id.
    cluster_id: Option<String>,
    /// Only this topic.
    topic: Option<String>,
    /// The beginning, as RFC 3339 or seconds since 1970; the oldest that is kept without it.
    from: Option<Moment>,
    /// The end, likewise; now without it.
    to: Option<Moment>,
    /// Time between two points, as seconds or a duration such as `5m`; about 300 points without it.
    step: Option<Step>,
}

/// Which part of the history of which groups, and how fine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Spans {
    /// The cluster: the name given to it, or Kafka's own id. All clusters without it.
    cluster_id: Option<String>,
    /// Only these groups: write it once for each.
    #[serde(default)]
    group_id: Vec<String>,
    /// Only groups with this in their id, in whatever case.
    #[serde(default)]
    q: Search,
    /// How many groups a page has at most.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<Cursor>,
    /// The beginning, as RFC 3339 or seconds since 1970; the oldest that is kept without it.
    from: Option<Moment>,
    /// The end, likewise; now without it.
    to: Option<Moment>,
    /// Time between two points, as seconds or a duration such as `5m`; about 60 points without it. All groups of a page
    /// together have 200,000 points at most.
    step: Option<Step>,
}

/// The ages of one group over time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GroupHistory")]
pub(in crate::http) struct History {
    /// The name given to the cluster.
    cluster_name: String,
    /// Kafka's own id of the cluster.
    cluster_id: Option<String>,
    /// The group's id.
    group_id: String,
    /// The beginning.
    from: Timestamp,
    /// The end.
    to: Timestamp,
    /// Time between two points; each is the one with the largest age of its step. A step without a sample has none.
    step_seconds: f64,
    /// The group: the oldest over its topics, and the records of all of them.
    points: Vec<Point>,
    /// Each of its topics.
    topics: Vec<TopicHistory>,
    /// Its members as they were at the beginning, and at each change of them or of what they have; the last 10 changes of the
    /// span, and of a week.
    memberships: Vec<Membership>,
}

/// Who was in a group from one time on, as far as samples show.
#[derive(Debug, Serialize, JsonSchema)]
struct Membership {
    /// Since when.
    time: Timestamp,
    /// Every member, by id.
    members: Vec<FormerMember>,
}

/// A member of a group at an earlier time.
#[derive(Debug, Serialize, JsonSchema)]
struct FormerMember {
    /// The id that the group coordinator gave it.
    member_id: String,
    /// The partitions that it had.
    assigned: Vec<Assignment>,
}

impl Membership {
    fn of(kept: store::Membership) -> Self {
        let member = |(member_id, assigned)| FormerMember { member_id, assigned };
        Self { time: Timestamp(kept.time), members: kept.members.into_iter().map(member).collect() }
    }
}

/// The ages of one group on one topic over time.
#[derive(Debug, Serialize, JsonSchema)]
struct TopicHistory {
    /// The topic.
    topic: String,
    /// From the oldest to the newest.
    points: Vec<Point>,
}

/// What was seen at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "HistoryPoint")]
struct Point {
    /// When.
    time: Timestamp,
    /// The largest age.
    lag_seconds: Option<f64>,
    /// How far it may be off, either way.
    bound_seconds: Option<f64>,
    /// Records not read.
    lag_records: Option<i64>,
    /// Whether the group kept up; of several topics, the worst.
    state: Option<State>,
}

/// The ages of several groups over time.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Histories {
    /// The beginning.
    from: Timestamp,
    /// The end.
    to: Timestamp,
    /// Time between two points.
    step_seconds: f64,
    /// The groups of this page, by id, without those of which nothing is kept.
    groups: Vec<GroupPoints>,
    /// How many groups all pages have together, with those of which nothing is kept.
    total: usize,
    /// The `cursor` that gives the next page, with the same parameters; `null` on the last one.
    next_cursor: Option<String>,
}

/// The ages of one group over time, over all its topics.
#[derive(Debug, Serialize, JsonSchema)]
struct GroupPoints {
    /// The name given to the cluster.
    cluster_name: String,
    /// The group's id.
    group_id: String,
    /// From the oldest to the newest.
    points: Vec<Point>,
}

/// A span of time in steps.
#[derive(Debug, Clone, Copy)]
struct Steps {
    from: Millis,
    to: Millis,
    step: Millis,
}

impl Steps {
    /// Those asked for; the oldest of `samples` and `now` stand in for what is left out.
    fn new(asked: [Option<Moment>; 2], step: Option<Step>, points: Millis, samples: &[Samples], now: Millis) -> Self {
        let [from, to] = asked.map(|moment| moment.map(|moment| moment.0));
        let to = to.unwrap_or(now);
        let from = from.or_else(|| oldest(samples)).unwrap_or(to).min(to);
        // Whole seconds, so that two looks at the same span find the same steps.
        let even = (to - from).div_euclid(points * 1_000).saturating_add(1).saturating_mul(1_000);
        Self { from, to, step: step.map_or(even, |step| step.0) }
    }

    /// The same, where so many groups have no more than [`MOST`] points together, as far back as anything is kept.
    ///
    /// # Errors
    /// [`Refusal::Wrong`] with the shortest step that may be.
    fn for_groups(self, groups: usize, samples: &[Samples]) -> Result<Self, Refusal> {
        let from = self.from.max(oldest(samples).unwrap_or(self.to));
        let points = (self.to - from).max(0).saturating_mul(groups as Millis);
        let least = points.saturating_add(MOST * 1_000 - 1) / (MOST * 1_000);
        match self.step >= least * 1_000 {
            true => Ok(self),
            false => Err(Refusal::Wrong(format!(
                "step: write {least}s or longer for {groups} groups over this time, which have {MOST} points at most"
            ))),
        }
    }

    /// The samples of the span, one a step: that with the largest age.
    fn thin(self, samples: &[Sample]) -> Vec<(Millis, Sample)> {
        let mut kept: Vec<(Millis, Sample)> = Vec::new();
        for sample in samples.iter().filter(|sample| (self.from..=self.to).contains(&sample.time)) {
            let step = sample.time.div_euclid(self.step);
            match kept.last_mut().filter(|(last, _)| *last == step) {
                Some((_, worst)) if sample.lag > worst.lag => *worst = *sample,
                Some(_) => {}
                None => kept.push((step, *sample)),
            }
        }
        kept
    }

    /// The same over several topics: the worst of each step, with the records of all.
    fn merge(self, topics: &[Vec<(Millis, Sample)>]) -> Vec<Point> {
        let mut all: BTreeMap<Millis, Sample> = BTreeMap::new();
        for (step, sample) in topics.iter().flatten() {
            all.entry(*step)
                .and_modify(|held| {
                    let worst = if sample.lag > held.lag { *sample } else { *held };
                    let records = held.records.map_or(sample.records, |held| Some(held + sample.records.unwrap_or(0)));
                    *held = Sample { records, state: held.state.max(sample.state), ..worst };
                })
                .or_insert(*sample);
        }
        all.into_values().map(point).collect()
    }
}

/// The time of the first sample that is kept.
fn oldest(samples: &[Samples]) -> Option<Millis> {
    samples.iter().flat_map(|samples| samples.values()).filter_map(|samples| samples.first()).map(|s| s.time).min()
}

fn point(sample: Sample) -> Point {
    let seconds = |millis: Option<Millis>| millis.map(|millis| millis as f64 / 1e3);
    Point {
        time: Timestamp(sample.time),
        lag_seconds: seconds(sample.lag),
        bound_seconds: seconds(sample.bound),
        lag_records: sample.records,
        state: sample.state,
    }
}

/// Refuses a span that ends before it begins.
fn span(from: Option<Moment>, to: Option<Moment>) -> Result<[Option<Moment>; 2], Refusal> {
    match (from, to) {
        (Some(Moment(from)), Some(Moment(to))) if from > to => {
            Err(Refusal::Wrong("to: write a time that is not before from".into()))
        }
        _ => Ok([from, to]),
    }
}

/// Groups of one monitor, of which the past is wanted.
struct Wanted {
    history: String,
    groups: Vec<String>,
}

impl Wanted {
    fn of(history: &str) -> Self {
        Self { history: history.to_owned(), groups: Vec::new() }
    }
}

/// What the store has kept, read where it may take its time.
async fn read<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
) -> Result<T, Refusal> {
    let failed = |error: String| Refusal::NotReady(format!("history cannot be read at present: {error}"));
    let turn = READERS.acquire().await.map_err(|error| failed(error.to_string()))?;
    let store = api.store.clone();
    let read = spawn_blocking(move || {
        let _turn = turn;
        work(&store)
    });
    read.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}

/// The ages of one group over time.
pub(in crate::http) async fn one(
    Shared(api): Shared<Api>,
    Shown(view): Shown,
    Path(GroupPath { group_id }): Path<GroupPath>,
    Asked(asked): Asked<Span>,
) -> Result<Answer<History>, Refusal> {
    let between = span(asked.from, asked.to)?;
    let (told, group) = view.group(asked.cluster_id.as_deref(), &group_id)?;
    let (history, group_read, now) = (told.monitor.pulse.history.clone(), group_id.clone(), api.clock.now());
    let work = move |store: &Store| {
        let samples = vec![store.samples_of(&history, Some(std::slice::from_ref(&group_read)))?];
        let steps = Steps::new(between, asked.step, CHART, &samples, now);
        let memberships = store.memberships_of(&history, &group_read, (steps.from, steps.to), CHANGES)?;
        Ok((samples, steps, memberships))
    };
    let (samples, steps, memberships) = read(&api, work).await?;
    if let Some(topic) = &asked.topic {
        let kept = samples.iter().flat_map(|samples| samples.keys()).any(|(_, kept)| kept == topic);
        if !kept && !group.topics.iter().flatten().any(|shown| *shown.topic == **topic) {
            return Err(Refusal::Unknown(format!("consumer group {group_id:?} has no topic {topic:?}, now or before")));
        }
    }
    let of_topic = |((_, topic), samples): ((String, String), Vec<Sample>)| (topic, steps.thin(&samples));
    let wanted = |topic: &str| asked.topic.as_deref().is_none_or(|only| only == topic);
    let topics: Vec<_> = samples.into_iter().flatten().filter(|((_, topic), _)| wanted(topic)).map(of_topic).collect();
    let (topics, thinned): (Vec<String>, Vec<_>) = topics.into_iter().unzip();
    let points = steps.merge(&thinned);
    let of_topic = |(topic, samples): (String, Vec<(Millis, Sample)>)| TopicHistory {
        topic,
        points: samples.into_iter().map(|(_, sample)| point(sample)).collect(),
    };
    Answer::of(&History {
        cluster_name: told.report.cluster.name.clone(),
        cluster_id: told.report.cluster.id.as_deref().map(str::to_owned),
        group_id,
        from: Timestamp(steps.from),
        to: Timestamp(steps.to),
        step_seconds: steps.step as f64 / 1e3,
        points,
        topics: topics.into_iter().zip(thinned).map(of_topic).collect(),
        memberships: memberships.into_iter().map(Membership::of).collect(),
    })
}

/// The ages of several groups over time.
pub(in crate::http) async fn several(
    Shared(api): Shared<Api>,
    Shown(view): Shown,
    Asked(asked): Asked<Spans>,
) -> Result<Answer<Histories>, Refusal> {
    let between = span(asked.from, asked.to)?;
    let reports = view.reports(asked.cluster_id.as_deref())?;
    let chosen: BTreeSet<&str> = asked.group_id.iter().map(String::as_str).collect();
    let want = |place| {
        let among = view.among(&reports, place);
        among.is_some_and(|(_, group)| {
            asked.q.is_in(&group.group_id) && (chosen.is_empty() || chosen.contains(&*group.group_id))
        })
    };
    let sort = Sort::default();
    let Page { items: places, total, next_cursor } =
        page_of(&order(&view, sort), sort, (asked.limit, asked.cursor.as_ref()), want, |place| place);
    let mut wanted: BTreeMap<usize, Wanted> = BTreeMap::new();
    for (told, group) in places.iter().filter_map(|place| view.at(*place)) {
        let Some(monitor) = reports.iter().position(|one| std::ptr::eq(one.monitor, told.monitor)) else { continue };
        let history = &told.monitor.pulse.history;
        wanted.entry(monitor).or_insert_with(|| Wanted::of(history)).groups.push(group.group_id.to_string());
    }
    let clusters: Vec<String> =
        wanted.keys().filter_map(|place| reports.get(*place)).map(|told| told.report.cluster.name.clone()).collect();
    let of = |store: &Store, one: &Wanted| store.samples_of(&one.history, Some(&one.groups));
    let samples: Vec<Samples> = read(&api, move |store| wanted.values().map(|one| of(store, one)).collect()).await?;
    let steps =
        Steps::new(between, asked.step, SPARKLINE, &samples, api.clock.now()).for_groups(places.len(), &samples)?;
    let mut groups = Vec::new();
    for (cluster, samples) in clusters.iter().zip(samples) {
        let mut of_groups: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for ((group, _), samples) in samples {
            of_groups.entry(group).or_default().push(steps.thin(&samples));
        }
        groups.extend(of_groups.into_iter().map(|(group_id, topics)| GroupPoints {
            cluster_name: cluster.clone(),
            group_id,
            points: steps.merge(&topics),
        }));
    }
    let step_seconds = steps.step as f64 / 1e3;
    let (from, to) = (Timestamp(steps.from), Timestamp(steps.to));
    Answer::of(&Histories { from, to, step_seconds, groups, total, next_cursor })
}
