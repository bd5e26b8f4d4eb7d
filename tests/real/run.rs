//! `highwater run` beside a producer and consumers for a minute (two with `HIGHWATER_TEST_FULL=1`), killed in the
//! middle: the states of groups, and a reader of the report that never pauses.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::unique;
use crate::consumer::LiveConsumer;
use crate::highwater::highwater;
use crate::kafka::single;
use crate::monitor::{Monitor, document};
use crate::producer::LiveProducer;
use crate::truth::{generated, topic};
use crate::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);

/// What the reader has seen: how often it read, how many reports, the states of each group in their order.
#[derive(Default)]
struct Seen {
    reads: usize,
    reports: Vec<i64>,
    states: BTreeMap<String, Vec<String>>,
}

/// Reads the report without a pause, and holds it against the schema every time.
struct Reader {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(file: PathBuf) -> Self {
        let validator = jsonschema::validator_for(&highwater(&["schema"]).json()).unwrap();
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let thread = spawn({
            let (stop, seen) = (stop.clone(), seen.clone());
            move || {
                while !file.exists() && !stop.load(Ordering::Relaxed) {}
                while !stop.load(Ordering::Relaxed) {
                    let text = fs::read(&file).expect("once it is there, it is always there");
                    let report: Value = serde_json::from_slice(&text).unwrap_or_else(|e| panic!("torn: {e}"));
                    let wrong: Vec<String> = validator.iter_errors(&report).map(|e| e.to_string()).collect();
                    assert!(wrong.is_empty(), "{wrong:?}: {report:#}");
                    seen.lock().unwrap().take(&report);
                }
            }
        });
        Self { stop, seen, thread: Some(thread) }
    }

    fn states(&self, group: &str) -> Vec<String> {
        self.seen.lock().unwrap().states.get(group).cloned().unwrap_or_default()
    }

    fn finish(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().expect("every report was whole and valid");
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Seen {
    fn take(&mut self, report: &Value) {
        self.reads += 1;
        let at = generated(report);
        if self.reports.last().is_some_and(|last| *last >= at) {
            assert_eq!(self.reports.last(), Some(&at), "reports go back in time");
            return;
        }
        self.reports.push(at);
        for group in report["groups"].as_array().unwrap() {
            let Some(state) = group["state"].as_str() else { continue };
            let states = self.states.entry(group["group_id"].as_str().unwrap().to_owned()).or_default();
            if states.last().is_none_or(|last| last != state) {
                states.push(state.to_owned());
            }
        }
    }
}

/// State and since of every group on the topic.
fn standing(report: &Value, on: &str) -> BTreeMap<String, (String, String)> {
    let groups = report["groups"].as_array().unwrap().iter();
    let ids = groups.map(|group| group["group_id"].as_str().unwrap().to_owned());
    ids.filter_map(|id| {
        let found = topic(report, &id, on)?;
        let standing = (found["state"].as_str()?.to_owned(), found["since"].as_str()?.to_owned());
        Some((id, standing))
    })
    .collect()
}

#[test]
fn states_follow_the_consumers_and_survive_a_kill() {
    let (begun, client) = (Instant::now(), single().client());
    let prefix = unique("run");
    let orders = format!("{prefix}-orders");
    client.create(&orders, 1, &[]);
    let name = |who: &str| format!("{prefix}-{who}");
    let consume = |who: &str, pace| LiveConsumer::start(&client.config(), &name(who), &orders, pace);
    let mut monitor = Monitor::start(&[("run.yaml", &document("run", &single().bootstrap, &prefix))], &[]);
    let reader = Reader::start(monitor.file("run"));
    let is = |who: &str, states: &[&str]| {
        let what = format!("{who} is {states:?}");
        eventually(&what, 60 * SECOND, || {
            reader.states(&name(who)).ends_with(&states.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
        });
    };

    let _producer = LiveProducer::start(&client.config(), &orders, 40);
    let _keeps = consume("keeps", 500);
    let _slow = consume("slow", 4);
    let (stopped, restarted) = (consume("stopped", 500), consume("restarted", 500));
    for who in ["keeps", "slow", "stopped", "restarted"] {
        is(who, &["ONLINE"]);
    }
    stopped.stop();
    restarted.stop();
    is("stopped", &["ONLINE", "OFFLINE"]);
    is("restarted", &["ONLINE", "OFFLINE"]);
    is("slow", &["ONLINE", "RECOVERING"]);

    assert_eq!(monitor.stop("KILL").0, Some(128 + 9), "it ran until it was killed");
    let before = standing(&monitor.report("run").unwrap(), &orders);
    assert_eq!(before.len(), 4);
    let killed = crate::client::now();
    monitor.restart();
    let after = standing(&monitor.sampled_after("run", killed), &orders);
    assert_eq!(after, before, "states and since when are kept");

    let _again = consume("restarted", 160);
    is("restarted", &["ONLINE", "OFFLINE", "RECOVERING", "ONLINE"]);
    if std::env::var_os("HIGHWATER_TEST_FULL").is_some() {
        std::thread::sleep((120 * SECOND).saturating_sub(begun.elapsed()));
    }
    let (code, took) = monitor.stop("TERM");
    assert!(code == Some(0) && took < 5 * SECOND, "{code:?} after {took:?}");
    let seen = reader.finish();
    let expected: [(&str, &[&str]); 4] = [
        ("keeps", &["ONLINE"]),
        ("slow", &["ONLINE", "RECOVERING"]),
        ("stopped", &["ONLINE", "OFFLINE"]),
        ("restarted", &["ONLINE", "OFFLINE", "RECOVERING", "ONLINE"]),
    ];
    for (who, states) in expected {
        assert_eq!(seen.states[&name(who)], states, "{who}");
    }
    assert!(seen.reads > 10 * seen.reports.len(), "{} reads of {} reports", seen.reads, seen.reports.len());
}
