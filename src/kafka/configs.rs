//! How long topics keep their records. That takes a right that nothing else needs, and changes seldom: it is asked once an
//! hour, beside everything else, and a pass is whole without the answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admin::Admin;
use super::answers::{Code, ConfigAnswer, TopicAnswer};
use super::request::Ask;
use crate::lag::Name;
use crate::lag::observation::TopicConfig;
use crate::lag::reason::Reason;

/// The settings that are asked for.
const KEYS: [&str; 3] = ["retention.ms", "retention.bytes", "cleanup.policy"];

/// How long an answer counts, and a refusal; how soon a broker that gave none is asked again.
const KNOWN: Duration = Duration::from_secs(3_600);
const RETRY: Duration = Duration::from_secs(300);

/// So many topics are asked for in one pass at most.
const MOST: usize = 500;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known, and when it is to be asked for again.
#[derive(Default)]
pub(super) struct Configs {
    again: HashMap<Name, Instant>,
    known: Arc<Known>,
}

type Known = BTreeMap<Name, Result<TopicConfig, Reason>>;

impl Configs {
    /// The topics to ask for now, which are not due again until an answer had time to come. What no longer exists is
    /// forgotten.
    pub(super) fn due(&mut self, topics: &[TopicAnswer], now: Instant) -> Vec<Name> {
        let names: HashSet<&Name> = topics.iter().map(|topic| &topic.name).collect();
        self.again.retain(|name, _| names.contains(name));
        if self.known.keys().any(|name| !names.contains(name)) {
            Arc::make_mut(&mut self.known).retain(|name, _| names.contains(name));
        }
        let is_due = |topic: &&TopicAnswer| self.again.get(&topic.name).is_none_or(|again| *again <= now);
        let due: Vec<Name> = topics.iter().filter(is_due).take(MOST).map(|topic| topic.name.clone()).collect();
        self.again.extend(due.iter().map(|name| (name.clone(), now + RETRY)));
        due
    }

    pub(super) fn learn(&mut self, asked: &[Name], answers: Result<Vec<ConfigAnswer>, Reason>, now: Instant) {
        let known = Arc::make_mut(&mut self.known);
        match answers {
            Ok(answers) => {
                for ConfigAnswer { topic, entries } in answers {
                    // One that is gone since it was asked for is not taken up again.
                    if let Some(again) = self.again.get_mut(&topic) {
                        *again = now + KNOWN;
                        known.insert(topic, entries.map(|entries| config(&entries)).map_err(Code::reason));
                    }
                }
            }
            // What was known stays until it is known anew.
            Err(reason) => {
                for topic in asked {
                    known.entry(topic.clone()).or_insert(Err(reason));
                }
            }
        }
    }

    pub(super) fn known(&self) -> Arc<Known> {
        self.known.clone()
    }
}

fn config(entries: &[(String, String)]) -> TopicConfig {
    let find = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    TopicConfig {
        retention_ms: find(KEYS[0]).and_then(|value| value.parse().ok()),
        retention_bytes: find(KEYS[1]).and_then(|value| value.parse().ok()),
        cleanup_policy: find(KEYS[2]).map(Name::from),
    }
}

/// Asks a broker for the settings of some topics.
pub(super) async fn ask(admin: &Admin, broker: Option<i32>, topics: &[Name]) -> Result<Vec<ConfigAnswer>, Reason> {
    let answer = admin.configs(topics, &KEYS, Ask { broker, ..Ask::within(PATIENCE) });
    Ok(admin.hub().faults.guard(broker, answer).await?.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> TopicAnswer {
        TopicAnswer { name: name.into(), error: None, id: None, replication_factor: 1, leaders: vec![] }
    }

    fn told(topic: &str, entries: &[(&str, &str)]) -> ConfigAnswer {
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ConfigAnswer { topic: topic.into(), entries: Ok(entries) }
    }

    #[test]
    fn a_topic_is_asked_for_once_an_hour_and_sooner_where_nobody_answered() {
        let (mut configs, start) = (Configs::default(), Instant::now());
        let topics = [topic("a"), topic("b"), topic("c")];
        let due = configs.due(&topics, start);
        assert_eq!((due.len(), configs.due(&topics, start).len()), (3, 0), "what is under way is not asked again");
        let entries = [("retention.ms", "-1"), ("retention.bytes", "12"), ("cleanup.policy", "compact,delete")];
        let denied = ConfigAnswer { topic: "b".into(), entries: Err(Code::TOPIC_AUTHORIZATION) };
        configs.learn(&due, Ok(vec![told("a", &entries), denied]), start);
        let policy = Some("compact,delete".into());
        let a = TopicConfig { retention_ms: Some(-1), retention_bytes: Some(12), cleanup_policy: policy };
        let b = Err(Reason::TopicNotAuthorized);
        assert_eq!(*configs.known(), Known::from([("a".into(), Ok(a.clone())), ("b".into(), b)]));
        assert_eq!(configs.due(&topics, start + RETRY), ["c".into()], "what was not answered is asked again");
        let due = configs.due(&topics, start + KNOWN);
        assert_eq!(due.len(), 3);
        configs.learn(&due, Err(Reason::Timeout), start + KNOWN);
        assert_eq!(configs.known()["a"], Ok(a), "what was known stays");
        assert_eq!(configs.known()["c"], Err(Reason::Timeout));
        assert_eq!(configs.due(&topics[..1], start + KNOWN + RETRY).len(), 1);
        assert_eq!(configs.known().len(), 1, "what no longer exists is forgotten");
    }

    #[test]
    fn a_pass_asks_for_so_many_at_most() {
        let topics: Vec<_> = (0..2 * MOST).map(|n| topic(&n.to_string())).collect();
        assert_eq!(Configs::default().due(&topics, Instant::now()).len(), MOST);
    }
}
