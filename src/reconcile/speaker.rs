//! What LagMonitors say of themselves where no Kubernetes keeps their status: the same conditions, on the board.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::conditions::{Facts, Published, Standing, conditions, said};
use super::documents::{Refusal, Sourced};
use super::local::Wanted;
use super::operator::differs;
use super::plan::{Claims, TEAM, name_of};
use crate::board::said::Said;
use crate::board::{Board, Posted, Snapshot};
use crate::clock::Clock;
use crate::crd::LagMonitor;
use crate::lag::report::MonitorName;
use crate::lag::{Millis, Name};
use crate::monitor::objective::Objective;

/// Every LagMonitor that has something to say.
pub type Speakers = Arc<BTreeMap<MonitorName, Speaker>>;

/// What is known of one LagMonitor besides what stands on the board.
#[derive(Debug, Clone, PartialEq)]
pub struct Speaker {
    /// The name given to its cluster.
    pub cluster_name: String,
    /// Whose it is.
    pub team: Option<Name>,
    /// What became of its spec.
    pub standing: Standing,
    /// The objective of its spec; `None` where there is no good one.
    pub objective: Option<Objective>,
    /// Whether its report goes to a file.
    pub has_file: bool,
}

impl Speaker {
    fn of(monitor: &LagMonitor, standing: Standing) -> Self {
        let spec = &monitor.spec;
        Self {
            cluster_name: spec.cluster_name.clone().unwrap_or_else(|| name_of(&monitor.metadata).to_string()),
            team: monitor.labels().get(TEAM).map(|team| team.as_str().into()),
            standing,
            objective: Objective::new(&spec.slo).ok(),
            has_file: spec.output.file.is_some(),
        }
    }

    /// One of which nothing is known but why.
    fn unread(name: &MonitorName, standing: Standing) -> Self {
        Self { cluster_name: name.to_string(), team: None, standing, objective: None, has_file: false }
    }

    fn conditions(&self, posted: Option<&Posted>, before: &[Condition], now: Millis) -> Vec<Condition> {
        let (standing, published) = (&self.standing, &Published::of_file(self.has_file, posted));
        let facts = Facts { generation: None, standing, posted, published, objective: self.objective.as_ref() };
        conditions(facts, before, now)
    }
}

/// Who speaks after a reading of the files. `good` has the names of the monitors that files held while they were good;
/// one that goes on as it was speaks as it did `before`, and says why.
pub(super) fn speakers(
    monitors: &[Sourced<LagMonitor>],
    wanted: &Wanted,
    good: &BTreeMap<PathBuf, BTreeMap<MonitorName, Claims>>,
    before: &Speakers,
) -> Speakers {
    let mut all = BTreeMap::new();
    for source in monitors {
        let name = name_of(&source.value.metadata);
        let planned = wanted.plans.iter().any(|plan| plan.monitor == name);
        let standing = if source.value.spec.suspend { Standing::Suspended } else { Standing::Accepted };
        if planned || standing == Standing::Suspended {
            all.insert(name, Speaker::of(&source.value, standing));
        }
    }
    let of_file = |name: &MonitorName| good.iter().find(|(_, names)| names.contains_key(name)).map(|(file, _)| file);
    let named = wanted.refused.iter().filter_map(|refusal| Some((refusal.monitor.clone()?, refusal)));
    let kept = wanted.keep.iter().filter_map(|name| {
        let file = of_file(name)?;
        Some((name.clone(), wanted.refused.iter().find(|refusal| refusal.file == *file)?))
    });
    // What is said of the monitor itself comes before what is said of its file.
    for (name, refusal) in named.chain(kept) {
        if all.contains_key(&name) {
            continue;
        }
        let standing = refused(refusal, wanted.keep.contains(&name));
        let speaker = match before.get(&name) {
            Some(known) => Speaker { standing, ..known.clone() },
            None => Speaker::unread(&name, standing),
        };
        all.insert(name, speaker);
    }
    all.into()
}

fn refused(refusal: &Refusal, goes_on: bool) -> Standing {
    Standing::Refused { reason: refusal.reason, message: refusal.to_string(), goes_on }
}

/// Says the conditions of all speakers, anew whenever they or the board change, until `stop` or nobody can change them.
pub async fn speak(mut speakers: watch::Receiver<Speakers>, board: Board, clock: Clock, stop: CancellationToken) {
    let mut posts = board.watch();
    let mut told: BTreeMap<MonitorName, Vec<Condition>> = BTreeMap::new();
    let (mut heard, mut seen) = (Speakers::default(), Snapshot::default());
    loop {
        let (all, now) = (speakers.borrow_and_update().clone(), posts.borrow_and_update().clone());
        for (name, speaker) in &*all {
            if heard.get(name) == Some(speaker) && same(seen.get(name), now.get(name)) {
                continue;
            }
            let before = told.entry(name.clone()).or_default();
            *before = speaker.conditions(now.get(name), before, clock.now());
            let (cluster_name, team) = (speaker.cluster_name.clone(), speaker.team.clone());
            board.say(name, Said { cluster_name, team, conditions: said(before) });
        }
        told.retain(|name, _| all.contains_key(name));
        board.unsay(|name| all.contains_key(name));
        (heard, seen) = (all, now);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = posts.changed() => if changed.is_err() { return },
            changed = speakers.changed() => if changed.is_err() { return },
        }
    }
}

fn same(before: Option<&Posted>, now: Option<&Posted>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => !differs(before, now),
        (before, now) => before.is_none() && now.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::files::Files;
    use crate::reconcile::local::Local;

    const MONITOR: &str = "apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\nmetadata: { name: NAME, labels: { highwater.dev/team: t } }\nspec: { brokers: [\"kafka:9092\"], clusterName: NAME-kafka";

    /// A document with more fields of the spec.
    fn monitor(name: &str, more: &str) -> String {
        format!("{}{more} }}\n", MONITOR.replace("NAME", name))
    }

    fn name(name: &str) -> MonitorName {
        MonitorName { namespace: "default".into(), name: name.into() }
    }

    /// What `Ready` says of each monitor, as `name status/reason`.
    fn ready(speakers: &Speakers) -> Vec<String> {
        let of = |(name, speaker): (&MonitorName, &Speaker)| {
            let conditions = speaker.conditions(None, &[], 0);
            format!("{} {}/{}", name.name, conditions[0].status, conditions[0].reason)
        };
        speakers.iter().map(of).collect()
    }

    /// The speakers after each reading of two files.
    fn read(local: &mut Local, [one, two]: [&str; 2]) -> Speakers {
        let file = |name: &str, text: &str| (PathBuf::from(name), Ok(text.to_owned()));
        let documents = vec![file("one.yaml", one), file("two.yaml", two)];
        local.load(&Files { documents, secrets: BTreeMap::new(), unreadable_secrets: vec![] }).speakers
    }

    #[test]
    fn a_document_that_is_refused_speaks_for_itself() {
        let mut local = Local::new().unwrap();
        let bad = monitor("bad", ", slo: { maxRebalances: 0 }");
        let secret =
            monitor("secret", ", sasl: { mechanism: SCRAM-SHA-512, passwordSecretRef: { name: nowhere, key: word } }");
        let rest = monitor("rest", ", suspend: true");
        let again = monitor("again", "").replace("again-kafka", "good-kafka");
        let good = [monitor("good", ""), rest, again].join("---\n");
        let speakers = read(&mut local, [&good, &format!("{bad}---\n{secret}")]);
        let expected = [
            "again False/NameTaken",
            "bad False/InvalidSpec",
            "good Unknown/Starting",
            "rest False/Suspended",
            "secret False/SecretNotFound",
        ];
        assert_eq!(ready(&speakers), expected);
        let Standing::Refused { message, goes_on: false, .. } = &speakers[&name("bad")].standing else {
            panic!("{speakers:?}")
        };
        assert!(message.starts_with("two.yaml:4: spec.slo.maxRebalances: "), "{message}");
        let good = &speakers[&name("good")];
        assert_eq!((&*good.cluster_name, good.team.as_deref(), good.has_file), ("good-kafka", Some("t"), false));
    }

    #[test]
    fn one_that_goes_on_as_it_was_says_why() {
        let mut local = Local::new().unwrap();
        let good = monitor("good", ", output: { file: { path: good.json } }");
        read(&mut local, [&good, ""]);
        for bad in [
            &*good.replace("kafka:9092", "kafka"),
            "",
            "{",
            &monitor("other", "").replace("kind: LagMonitor", "kind: Log"),
        ] {
            let speakers = read(&mut local, [bad, ""]);
            assert_eq!(ready(&speakers), ["good False/InvalidSpec"], "{bad}");
            let speaker = &speakers[&name("good")];
            assert!(
                speaker.has_file && speaker.standing.samples() && speaker.cluster_name == "good-kafka",
                "{speaker:?}"
            );
        }
        assert_eq!(ready(&read(&mut local, [&good, ""])), ["good Unknown/Starting"]);
        assert!(read(&mut local, [&monitor("new", ""), ""]).keys().eq([&name("new")]), "what is gone is silent");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_said_until_it_can() {
        let (board, clock, stop) =
            (Board::default(), Clock::stepped(crate::output::sample::NOW), CancellationToken::new());
        let mut local = Local::new().unwrap();
        let speakers = read(&mut local, [&monitor("good", ", output: { file: { path: good.json } }"), ""]);
        let (_change, heard) = watch::channel(speakers);
        tokio::spawn(speak(heard, board.clone(), clock.clone(), stop.clone()));
        let published = async |status: &str, reason: &str| {
            loop {
                let said = board.said().get(&name("good")).cloned().unwrap_or_default();
                match said.conditions.iter().find(|condition| condition.kind == "Published") {
                    Some(found) if (&*found.status, &*found.reason) == (status, reason) => return found.clone(),
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        published("Unknown", "Starting").await;
        board.post_pulse(&name("good"), Default::default());
        board.post_file(&name("good"), Err("the disk is full".into()));
        let failed = published("False", "OutputFile").await;
        assert_eq!((&*failed.message, failed.since.0), ("the disk is full", crate::output::sample::NOW));
        clock.step(60_000);
        board.post_file(&name("good"), Ok(()));
        assert_eq!(published("True", "Published").await.since.0, crate::output::sample::NOW + 60_000);
        stop.cancel();
    }
}
