//! One pass over a cluster, in the order that makes its figures comparable; and what lay at a time.
//!
//! Topics and log starts first, then committed offsets, then log ends: a healthy partition then has
//! `log start ≤ committed offset ≤ log end`. Everything that fails stays where it failed; the rest goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::select_ok;

use super::admin::Admin;
use super::answers::{Metadata, TopicAnswer};
use super::client::{self, Error};
use super::commits::{Asked, Wanted};
use super::configs::{self, Configs};
use super::connection::Connection;
use super::failures::Failures;
use super::groups::{self, Found, Known};
use super::offsets::{self, Lost, Outcome, Question};
use super::refusals::Refusals;
use super::request::{EARLIEST, LATEST, MAX_TIMESTAMP};
use super::selection::Selection;
use super::{commits, outcome, topics};
use crate::clock::Clock;
use crate::lag::observation::{Commits, Observation, Probe, Told, TopicConfig};
use crate::lag::reason::{Reason, Scope};
use crate::lag::{Name, Offset};

/// A cluster that is looked at again and again.
///
/// Its client is replaced after a pass that had to give up requests: librdkafka would go on with them, busily. It is
/// replaced too when it has met many more topics than there are, for it keeps what it once knew of a topic.
pub struct Cluster {
    connection: Connection,
    admin: Mutex<Admin>,
    memory: Mutex<Memory>,
    /// How long topics keep their records; `None` where that is not asked.
    configs: Option<Arc<Mutex<Configs>>>,
}

/// What one pass leaves to the next.
#[derive(Default)]
struct Memory {
    groups: Known,
    leaders: HashMap<Name, Vec<Option<i32>>>,
    /// The selected topics that Kafka refuses, and the groups known from before.
    refused_topics: Refusals,
    refused_groups: Refusals,
    /// The topics that the present client was ever asked for.
    met: HashSet<Name>,
}

/// Topics that a client may have met beyond twice those that there are, before it is replaced.
const FORMER_TOPICS: usize = 1_000;

/// How late an answer is at least before another client asks beside.
const HEDGED: Duration = Duration::from_secs(1);

/// The time that a pass has, and how much of it each step may use up.
#[derive(Clone, Copy)]
struct Budget {
    begun: Instant,
    deadline: Duration,
}

impl Budget {
    fn until(self, share: f64) -> Instant {
        self.begun + self.deadline.mul_f64(share)
    }
}

impl Cluster {
    /// A client of the cluster. Connects in the background; what stands in the way shows in the first pass.
    ///
    /// # Errors
    /// When the settings themselves cannot be used.
    pub fn connect(connection: &Connection, clock: Clock) -> Result<Self, Error> {
        let admin = Mutex::new(client::connect(connection, clock)?);
        Ok(Self { connection: connection.clone(), admin, memory: Mutex::default(), configs: None })
    }

    /// The same, asking also how long topics keep their records: beside the passes, from the second one on, once an hour.
    #[must_use]
    pub fn asking_configs(self) -> Self {
        Self { configs: Some(Arc::default()), ..self }
    }

    /// The same, knowing of topics and groups from an earlier process: what is in no list at first is asked for by name.
    #[must_use]
    pub fn knowing(self, topics: impl Iterator<Item = Name>, groups: impl Iterator<Item = Name>) -> Self {
        {
            let mut memory = self.memory();
            memory.refused_topics.note(&topics.collect(), Instant::now());
            let found = |id: Name| (id.clone(), Found { by_name: false, ..Found::unknown(id) });
            memory.groups = groups.map(found).collect();
        }
        self
    }

    /// How long topics keep their records, or why that is not known; without those that were not asked for yet.
    pub fn configs(&self) -> Arc<BTreeMap<Name, Result<TopicConfig, Reason>>> {
        self.configs.as_ref().map(|configs| locked(configs).known()).unwrap_or_default()
    }

    /// One pass over the selected groups and topics; `read_committed` asks for the last stable offsets too.
    ///
    /// Ends at the deadline at the latest, with whatever was answered until then. A failure of scope `cluster` with
    /// another reason than `NothingVisible` says that topics or groups may be missing here that still exist.
    /// Needs a tokio runtime.
    pub async fn observe(&self, selection: &Selection, read_committed: bool, deadline: Duration) -> Observation {
        let mut admin = self.admin();
        let clock = admin.hub().clock.clone();
        let mut observation = Observation { started: clock.now(), ..Observation::default() };
        let mut failures = Failures::default();
        let budget = Budget { begun: Instant::now(), deadline };
        let pass = self.pass(&mut admin, selection, read_committed, budget, &mut observation, &mut failures);
        if let Err(reason) = pass.await {
            let what = "the cluster cannot be read";
            match admin.hub().faults.advice(reason) {
                Some(advice) => failures.say(Scope::Cluster, "", reason, format!("{what}: {advice}")),
                None => failures.add(Scope::Cluster, "", reason, what),
            }
        }
        observation.failures = failures.list();
        observation.finished = clock.now();
        self.recycle(&admin);
        observation
    }

    /// Asks which record was the first at or after each time; in any order, several times of a partition as well.
    ///
    /// Partitions are known from the last pass: those that it did not see are answered with `UnknownTopic`.
    /// Needs a tokio runtime.
    pub async fn tell(&self, probes: Vec<Probe>, deadline: Duration) -> Vec<Told> {
        let leaders: Vec<Option<Option<i32>>> = {
            let memory = self.memory();
            let leader = |p: &Probe| memory.leaders.get(&p.topic)?.get(usize::try_from(p.partition).ok()?).copied();
            probes.iter().map(leader).collect()
        };
        let questions: Vec<_> = probes
            .iter()
            .zip(&leaders)
            .map(|(probe, leader)| Question {
                topic: probe.topic.clone(),
                partition: probe.partition,
                // Negative numbers are no times to Kafka, and no record is older than 1970.
                at: if probe.time == Probe::NEWEST { MAX_TIMESTAMP } else { probe.time.max(0) },
                leader: leader.flatten(),
            })
            .collect();
        let admin = self.admin();
        let sent = admin.hub().clock.now();
        let outcomes = offsets::ask(&admin, &questions, false, &Lost::new(), Instant::now() + deadline).await;
        let replied = admin.hub().clock.now();
        self.recycle(&admin);
        let told = probes.into_iter().zip(leaders).zip(outcomes);
        told.map(|((probe, leader), outcome)| match outcome {
            _ if leader.is_none() => Told { probe, sent, replied, answer: Err(Reason::UnknownTopic) },
            Err(reason) => Told { probe, sent, replied, answer: Err(reason) },
            Ok(found) => {
                let answer = Ok((found.offset >= 0).then_some((found.offset, found.timestamp)));
                Told { probe, sent: found.sent, replied: found.replied, answer }
            }
        })
        .collect()
    }

    /// What there is in the cluster; and in `admin`, the client that learned it.
    ///
    /// librdkafka asks the broker that it asked last, also while that one hangs. So a new client, which takes one that
    /// welcomes it, asks beside one that was good before and is late now, though not all brokers are down.
    async fn metadata(&self, admin: &mut Admin, budget: Budget) -> Result<Metadata, Reason> {
        let (by, late) = (budget.until(0.4), budget.until(0.1).max(budget.begun + HEDGED));
        let ask = |admin: Admin| {
            Box::pin(async move {
                let metadata = topics::metadata(&admin, by).await?;
                Ok((admin, metadata))
            })
        };
        let mut first = ask(admin.clone());
        let answer = if let Ok(answer) = tokio::time::timeout_at(late.into(), &mut first).await {
            answer
        } else if self.memory().met.is_empty() || admin.hub().faults.all_down() {
            first.await
        } else {
            let second = self.another(admin).map(ask);
            select_ok(std::iter::once(first).chain(second)).await.map(|(answer, _)| answer)
        };
        let (answered, metadata) = answer.map_err(|reason| admin.hub().faults.blame(None, reason))?;
        if !std::ptr::eq(answered.hub(), admin.hub()) {
            self.replace(admin, || Some(answered.clone()));
            *admin = answered;
        }
        Ok(metadata)
    }

    async fn pass(
        &self,
        admin: &mut Admin,
        selection: &Selection,
        read_committed: bool,
        budget: Budget,
        observation: &mut Observation,
        failures: &mut Failures,
    ) -> Result<(), Reason> {
        let metadata = self.metadata(admin, budget).await?;
        let admin = &*admin;
        observation.cluster_id.clone_from(&metadata.cluster_id);
        observation.brokers = metadata.nodes.iter().map(|node| node.address.clone()).collect();
        let known: Vec<Name> = {
            let memory = self.memory();
            memory.leaders.keys().chain(memory.refused_topics.passing(Instant::now())).cloned().collect()
        };
        let look = topics::look(admin, &metadata, &selection.topics, known.into_iter(), budget.until(0.4), failures);
        let (topics, refused) = look.await?;
        {
            let mut memory = self.memory();
            memory.refused_topics.note(&refused, Instant::now());
            if !memory.leaders.is_empty() {
                self.ask_configs(admin, &metadata, &topics);
            }
            memory.leaders = topics.iter().map(|t| (t.name.clone(), t.leaders.clone())).collect();
            memory.met.extend(topics.iter().map(|topic| topic.name.clone()));
        }

        let (known, nobody) = (self.memory().groups.clone(), Lost::new());
        let (starts, groups) = tokio::join!(
            ask(admin, &topics, EARLIEST, false, &nobody, budget.until(0.5)),
            groups::look(admin, &selection.groups, &known, budget.until(0.5), failures),
        );
        let hidden = hidden(selection, (&topics, &refused), &groups);
        topics::look_for_hidden(admin, &metadata, hidden, budget.until(0.6), failures).await;
        let answers = commits::ask(admin, &groups, &Wanted::new(&topics), budget.until(0.75)).await;
        let groups = groups.into_iter().zip(answers);
        let groups = groups.map(|(group, Asked { commits, rows })| (Found { rows, ..group }, commits)).collect();
        let groups = outcome::groups(groups, &mut observation.gone, failures);
        self.keep(&groups);
        observation.groups = groups.into_iter().map(|(found, commits)| outcome::group(found, commits)).collect();

        let lost = outcome::lost(&topics, &starts);
        let (ends, stable) = tokio::join!(ask(admin, &topics, LATEST, false, &lost, budget.until(1.0)), async {
            match read_committed {
                true => Some(ask(admin, &topics, LATEST, true, &lost, budget.until(1.0)).await),
                false => None,
            }
        });
        observation.topics = outcome::topics(&topics, starts, ends, stable);
        outcome::blame(&observation.topics, &topics, &metadata.nodes, failures);
        Ok(())
    }

    /// Keeps the groups for the next pass, without those that have been refused for too long.
    fn keep(&self, groups: &[(Found, Result<Commits, Reason>)]) {
        let (mut memory, now) = (self.memory(), Instant::now());
        let refused = groups.iter().filter(|(_, commits)| matches!(commits, Err(Reason::GroupNotAuthorized)));
        memory.refused_groups.note(&refused.map(|(found, _)| found.id.clone()).collect(), now);
        let kept = groups.iter().filter(|(found, _)| !memory.refused_groups.lasts(&found.id, now));
        let kept = kept.map(|(found, _)| (found.id.clone(), found.clone())).collect();
        memory.groups = kept;
    }

    /// Has the settings asked for that are due, by a task that no pass waits for.
    fn ask_configs(&self, admin: &Admin, metadata: &Metadata, topics: &[TopicAnswer]) {
        let Some(held) = &self.configs else { return };
        let due = locked(held).due(topics, Instant::now());
        if due.is_empty() {
            return;
        }
        let (held, admin, broker) = (held.clone(), admin.clone(), metadata.live_broker());
        tokio::spawn(async move {
            let answers = configs::ask(&admin, broker, &due).await;
            locked(&held).learn(&due, answers, Instant::now());
        });
    }

    fn admin(&self) -> Admin {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The topics that the present client has met: it remembers each of them for as long as it lives.
    pub fn topics_met(&self) -> usize {
        self.memory().met.len()
    }

    /// Puts a new client in the place of one that has left requests behind, or has met too many topics.
    fn recycle(&self, used: &Admin) {
        let crowded = {
            let memory = self.memory();
            memory.met.len() > 2 * memory.leaders.len() + FORMER_TOPICS
        };
        if crowded || used.hub().has_left_behind() {
            self.replace(used, || self.another(used));
        }
    }

    /// Puts a client, if there is one, in the place of another, unless who asked beside this one has done so already.
    fn replace(&self, used: &Admin, fresh: impl FnOnce() -> Option<Admin>) {
        let mut memory = self.memory();
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        if std::ptr::eq(admin.hub(), used.hub())
            && let Some(fresh) = fresh()
        {
            *admin = fresh;
            memory.met.clear();
        }
    }

    /// A new client like this one; `None` where none can be made.
    fn another(&self, like: &Admin) -> Option<Admin> {
        client::connect(&self.connection, like.hub().clock.clone()).ok()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn locked(configs: &Mutex<Configs>) -> MutexGuard<'_, Configs> {
    configs.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for one offset of every partition, topic by topic.
async fn ask(
    admin: &Admin,
    topics: &[TopicAnswer],
    at: Offset,
    read_committed: bool,
    lost: &Lost,
    by: Instant,
) -> Vec<Outcome> {
    let questions: Vec<_> = topics
        .iter()
        .flat_map(|topic| {
            (0..).zip(&topic.leaders).map(|(partition, leader)| Question {
                topic: topic.name.clone(),
                partition,
                at,
                leader: *leader,
            })
        })
        .collect();
    offsets::ask(admin, &questions, read_committed, lost, by).await
}

/// The selected topics that members are assigned and that are not among the visible ones. Of those that are written out,
/// or were refused, it was said before.
fn hidden(
    selection: &Selection,
    (topics, refused): (&[TopicAnswer], &BTreeSet<Name>),
    groups: &[Found],
) -> BTreeSet<Name> {
    let members = groups.iter().flat_map(|group| group.members.iter().flatten());
    let assigned = members.flat_map(|member| &member.assigned).map(|(topic, _)| topic);
    assigned
        .filter(|name| {
            selection.topics.matches(name) && !selection.topics.literals().any(|literal| literal == &***name)
        })
        .filter(|name| topics.binary_search_by(|topic| topic.name.cmp(name)).is_err() && !refused.contains(*name))
        .cloned()
        .collect()
}
