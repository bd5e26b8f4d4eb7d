//! Topics that come and go without end: the client, which remembers each of them, is replaced before they are too many.

use std::time::Duration;

use highwater::clock::Clock;
use highwater::kafka::Cluster;
use highwater::kafka::connection::Connection;
use highwater::kafka::selection::{Patterns, Selection};
use highwater::sim::Sim;
use highwater::sim::log::{Log, Traffic};

const TOPICS: usize = 400;

/// Twice as many as there are, and a thousand.
const MOST: usize = 2 * TOPICS + 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_met_many_former_topics_is_replaced() {
    let clock = Clock::wall();
    let sim = Sim::start(highwater::sim::cluster::Cluster::new("churn", 1), clock.clone()).await.unwrap();
    let connection = Connection { brokers: sim.bootstrap().to_vec(), ..Connection::default() };
    let cluster = Cluster::connect(&connection, clock.clone()).unwrap();
    let all = || Patterns::new(&["*".to_owned()], &[]).unwrap();
    let selection = Selection { groups: all(), topics: all() };
    let mut met = Vec::new();
    for round in 0..8_i32 {
        for topic in 0..TOPICS {
            let mut cluster = sim.cluster();
            cluster.delete_topic(&format!("topic-{}-{topic}", round - 1));
            let log = Log::new(clock.now() - 60_000, Traffic::Steady { per_second: 1.0 });
            cluster.create_topic(&format!("topic-{round}-{topic}"), 1, vec![log]);
        }
        let observation = cluster.observe(&selection, false, Duration::from_secs(30)).await;
        assert_eq!(observation.topics.len(), TOPICS, "{:?}", observation.failures);
        let answered = observation.topics.iter().flat_map(|topic| &topic.partitions);
        assert!(answered.into_iter().all(|partition| partition.high_watermark.is_ok()), "round {round}");
        met.push(cluster.topics_met());
    }
    assert!(met.iter().all(|met| *met <= MOST), "{met:?}");
    assert!(met.contains(&0) && met.contains(&(4 * TOPICS)), "replaced when it had to be, and not before: {met:?}");
}
