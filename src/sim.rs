//! The embedded simulated Kafka cluster on loopback: for the demo, fast tests and scale; never in a real one's path.
//!
//! Logs and consumers are functions of time (`log`, `consumer`); `cluster` holds them and can be changed while it runs;
//! `broker` and `answer` speak Kafka's protocol, so that the real client talks to it. It answers what an observer asks,
//! and takes no records. It is no Kafka: what it shows is proven on the real one.

mod answer;
mod broker;
pub mod cluster;
pub mod consumer;
pub mod group;
pub mod log;
pub mod stories;

use std::io;
use std::net::Ipv4Addr;
use std::sync::RwLockWriteGuard;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::Clock;

use broker::{Broker, Shared};
use cluster::Cluster;

/// A running simulated cluster; it stops when this is dropped.
#[derive(Debug)]
pub struct Sim {
    cluster: Shared,
    bootstrap: Vec<String>,
    _brokers: JoinSet<()>,
}

impl Sim {
    /// Starts a listener on loopback for each broker of `cluster`, on free ports, in the runtime that awaits this.
    ///
    /// `clock` says what time it is in the cluster. Fails when a port cannot be bound.
    pub async fn start(mut cluster: Cluster, clock: Clock) -> io::Result<Self> {
        let mut listeners = vec![];
        for broker in &mut cluster.brokers {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            broker.port = listener.local_addr()?.port();
            listeners.push((listener, broker.health.subscribe()));
        }
        let bootstrap =
            cluster.brokers.iter().map(|broker| format!("{}:{}", Ipv4Addr::LOCALHOST, broker.port)).collect();
        let cluster = Shared::new(cluster);
        let mut brokers = JoinSet::new();
        for (id, (listener, health)) in (0..).zip(listeners) {
            brokers.spawn(Broker { id, health, cluster: cluster.clone(), clock: clock.clone() }.serve(listener));
        }
        Ok(Self { cluster, bootstrap, _brokers: brokers })
    }

    /// The bootstrap servers, `host:port` each, by broker.
    pub fn bootstrap(&self) -> &[String] {
        &self.bootstrap
    }

    /// The cluster's state, to look at or to change; brokers, and another call of this, wait for as long as it is held.
    pub fn cluster(&self) -> RwLockWriteGuard<'_, Cluster> {
        self.cluster.write()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::config::{ClientConfig, FromClientConfig};
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};
    use rdkafka::{Offset, TopicPartitionList};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::cluster::Health;
    use super::consumer::{Phase, Story};
    use super::group::Group;
    use super::log::{Log, Traffic};
    use super::*;

    const NOW: i64 = 1_790_000_000_000;
    const HOUR: i64 = 3_600_000;
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Two brokers, a topic of four partitions with one record a second since an hour, and three groups on it.
    fn cluster() -> Cluster {
        let mut cluster = Cluster::new("sim-test", 2);
        let log = Log::new(NOW - HOUR, Traffic::Steady { per_second: 1.0 }).with_retention(HOUR / 2);
        cluster.create_topic("orders", 1, vec![log; 4]);
        let running = Story::new(NOW - HOUR, vec![Phase::keeps_up(2 * HOUR, 2)]);
        let stopped = Story::new(NOW - HOUR, vec![Phase::keeps_up(HOUR / 4, 1)]);
        cluster.add_group(Group::new("running", &["orders"], running.clone()));
        cluster.add_group(Group::new("stopped", &["orders"], stopped));
        cluster.add_group(Group::new("modern", &["orders"], running).on_consumer_protocol());
        cluster
    }

    fn client(sim: &Sim, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", sim.bootstrap().join(",")).set("group.id", group);
        config.set("enable.auto.commit", "false").set("topic.metadata.refresh.interval.ms", "200");
        BaseConsumer::from_config(&config).unwrap()
    }

    /// The four partitions, each at `offset`.
    fn orders(offset: Offset) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        (0..4).for_each(|p| list.add_partition_offset("orders", p, offset).unwrap());
        list
    }

    fn offsets(list: &TopicPartitionList) -> Vec<Offset> {
        list.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::offset).collect()
    }

    /// Runs `test` with a client of `group` on a thread of its own, as the client blocks.
    async fn with_client(group: &'static str, test: impl FnOnce(&Sim, &BaseConsumer, &Clock) + Send + 'static) {
        let clock = Clock::stepped(NOW);
        let sim = Sim::start(cluster(), clock.clone()).await.unwrap();
        let run = move || test(&sim, &client(&sim, group), &clock);
        tokio::task::spawn_blocking(run).await.unwrap();
    }

    #[tokio::test]
    async fn the_real_client_sees_brokers_topics_and_groups() {
        with_client("observer", |sim, client, _| {
            let metadata = client.fetch_metadata(None, PATIENCE).unwrap();
            assert_eq!(metadata.brokers().len(), 2);
            let partitions = metadata.topics()[0].partitions();
            assert_eq!((metadata.topics().len(), partitions.len()), (1, 4));
            assert!((0..2).all(|broker| partitions.iter().any(|p| p.leader() == broker)));
            assert_eq!(client.client().fetch_cluster_id(PATIENCE).as_deref(), Some("sim-test"));

            let list = client.fetch_group_list(None, PATIENCE).unwrap();
            let mut seen: Vec<_> =
                list.groups().iter().map(|g| (g.name(), g.state(), g.protocol(), g.members().len())).collect();
            seen.sort_unstable();
            let modern = ("modern", "Dead", "", 0);
            assert_eq!(seen, [modern, ("running", "Stable", "range", 2), ("stopped", "Empty", "", 0)]);
            let running = list.groups().iter().find(|g| g.name() == "running").unwrap();
            let cluster = sim.cluster();
            let expected = cluster.members(cluster.group("running").unwrap(), NOW);
            let member = &running.members()[0];
            assert_eq!((member.id(), member.client_id()), (&*expected[0].id, "running-0"));
            // Version 1, one topic of that name, partitions 0 and 1, no user data.
            let assignment = b"\x00\x01\x00\x00\x00\x01\x00\x06orders\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01";
            assert!(member.assignment().unwrap().starts_with(assignment), "{:?}", member.assignment());
        })
        .await;
    }

    #[tokio::test]
    async fn the_real_client_reads_offsets_and_times() {
        with_client("stopped", |_, client, clock| {
            assert_eq!(client.fetch_watermarks("orders", 1, PATIENCE).unwrap(), (1799, 3600));
            let committed = client.committed_offsets(orders(Offset::Invalid), PATIENCE).unwrap();
            assert_eq!(offsets(&committed), [Offset::Offset(900); 4]);
            let times = client.offsets_for_times(orders(Offset::Offset(NOW - 60_000)), PATIENCE).unwrap();
            assert_eq!(offsets(&times), [Offset::Offset(3539); 4]);
            let future = client.offsets_for_times(orders(Offset::Offset(NOW + 1)), PATIENCE).unwrap();
            assert_eq!(offsets(&future), [Offset::End; 4]);
            clock.step(10_000);
            assert_eq!(client.fetch_watermarks("orders", 1, PATIENCE).unwrap(), (1809, 3610));
        })
        .await;
    }

    #[tokio::test]
    async fn the_real_client_sets_offsets_of_groups_without_members_only() {
        with_client("stopped", |sim, client, _| {
            client.commit(&orders(Offset::Offset(1000)), CommitMode::Sync).unwrap();
            let committed = client.committed_offsets(orders(Offset::Invalid), PATIENCE).unwrap();
            assert_eq!(offsets(&committed), [Offset::Offset(1000); 4]);
            let other = super::tests::client(sim, "running");
            let refused = other.commit(&orders(Offset::Offset(1000)), CommitMode::Sync);
            assert_eq!(refused, Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId)));
        })
        .await;
    }

    #[tokio::test]
    async fn a_silent_broker_times_out_and_a_slow_one_takes_its_time() {
        with_client("stopped", |sim, client, _| {
            client.fetch_watermarks("orders", 0, PATIENCE).unwrap();
            (0..2).for_each(|broker| sim.cluster().set_latency(broker, Duration::from_millis(100)));
            let asked = std::time::Instant::now();
            client.fetch_watermarks("orders", 0, PATIENCE).unwrap();
            assert!(asked.elapsed() >= Duration::from_millis(100));
            (0..2).for_each(|broker| sim.cluster().set_latency(broker, Duration::ZERO));
            sim.cluster().set_health(0, Health::Silent);
            let within = Duration::from_secs(1);
            let answers = (0..4).map(|p| client.fetch_watermarks("orders", p, within).is_ok()).collect::<Vec<_>>();
            assert!(answers == [true, false, true, false] || answers == [false, true, false, true], "{answers:?}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_broker_that_goes_down_closes_its_connections_and_takes_no_more() {
        let sim = Sim::start(cluster(), Clock::wall()).await.unwrap();
        let mut before = TcpStream::connect(&sim.bootstrap()[1]).await.unwrap();
        sim.cluster().set_health(1, Health::Down);
        let mut after = TcpStream::connect(&sim.bootstrap()[1]).await.unwrap();
        for connection in [&mut before, &mut after] {
            let ended = tokio::time::timeout(PATIENCE, connection.read_u8()).await.unwrap();
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[tokio::test]
    async fn a_port_is_free_again_after_the_cluster_has_gone() {
        let sim = Sim::start(cluster(), Clock::wall()).await.unwrap();
        let address = sim.bootstrap()[0].clone();
        assert!(TcpStream::connect(&address).await.is_ok());
        drop(sim);
        tokio::task::yield_now().await;
        assert!(TcpStream::connect(&address).await.is_err());
    }
}
