//! The cluster of the demo: four topics with a week of records, four consumer groups with a story each.

use crate::lag::Millis;

use super::cluster::Cluster;
use super::consumer::{Phase, Story};
use super::group::Group;
use super::log::{Log, Traffic};

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// Brokers of the demo's cluster.
const BROKERS: usize = 3;

/// How long after the demo's start `search-index` is back: late enough that a first sample still finds it stopped.
const RESTART: Millis = 3 * SECOND;

/// The demo's cluster, as it is at `now`.
///
/// `checkout` keeps up. `billing` falls behind until it gets a second replica, again and again. `audit` stopped three
/// hours ago, and nothing was written since. `search-index` was away for 25 minutes and is catching up.
pub fn demo(now: Millis) -> Cluster {
    let mut cluster = Cluster::new("highwater-demo", BROKERS);
    add_topics(&mut cluster, now);
    let keeps_up = vec![Phase::keeps_up(HOUR, 3)];
    let checkout = Story::new(now - DAY - 700, keeps_up).repeated_from(0).committing_every(2 * SECOND);
    cluster.add_group(Group::new("checkout", &["orders"], checkout));

    let falls_behind = vec![Phase::reads(20 * MINUTE, 1, 5.0), Phase::reads(12 * MINUTE, 2, 24.0)];
    let billing = Story::new(now - 12 * MINUTE, falls_behind).repeated_from(0).committing_every(5 * SECOND);
    cluster.add_group(Group::new("billing", &["payments"], billing));

    let stopped = vec![Phase::keeps_up(6 * DAY, 1)];
    cluster.add_group(Group::new("audit", &["logins"], Story::new(now - 6 * DAY - 3 * HOUR, stopped)));

    let away = 25 * MINUTE;
    let catches_up = Phase::reads(20 * MINUTE, 2, 110.0);
    let restarts = vec![Phase::keeps_up(DAY, 2), Phase::stopped(away), catches_up];
    let index = Story::new(now + RESTART - DAY - away, restarts).repeated_from(1).committing_every(SECOND);
    cluster.add_group(Group::new("search-index", &["clicks"], index).on_consumer_protocol());
    cluster
}

fn add_topics(cluster: &mut Cluster, now: Millis) {
    let created = now - 7 * DAY;
    // The wave peaks at 15:00 UTC, whenever the demo is started.
    let phase = (created - 9 * HOUR).rem_euclid(DAY);
    let mut add = |name, partitions: u32, traffic: &dyn Fn(f64) -> Traffic| {
        // Keys are never spread evenly: the last partition gets half as much again as the first.
        let weight = |p: u32| 0.8 + 0.4 * f64::from(p) / f64::from(partitions - 1);
        let log = |p| Log::new(created, traffic(weight(p)));
        cluster.create_topic(name, 2, (0..partitions).map(log).collect());
    };
    add("orders", 6, &|weight| Traffic::Wave { per_second: 12.0 * weight, period: DAY, depth: 0.7, phase });
    add("payments", 4, &|weight| Traffic::Steady { per_second: 8.0 * weight });
    let burst = |weight: f64| Traffic::Bursts { records: (900.0 * weight) as i64, within: 40 * SECOND, every: MINUTE };
    add("clicks", 6, &burst);
    add("logins", 2, &|weight| Traffic::Steady { per_second: 0.5 * weight });
    if let Some(logins) = cluster.topic_mut("logins") {
        logins.logs.iter_mut().for_each(|log| log.change(now - 160 * MINUTE, Traffic::Idle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_790_000_000_000;

    /// The age of the oldest record that a group has not read on any partition, in seconds.
    fn age(cluster: &Cluster, group: &str, topic: &str, now: Millis) -> i64 {
        let logs = &cluster.topic(topic).unwrap().logs;
        let age = |(partition, log): (i32, &Log)| {
            let committed = cluster.committed(group, topic, partition, now).unwrap();
            log.timestamp(committed, now).map_or(0, |written| now - written)
        };
        (0..).zip(logs).map(age).max().unwrap() / 1000
    }

    #[test]
    fn checkout_keeps_up_for_days() {
        let cluster = demo(NOW);
        assert!((0..3 * DAY).step_by(98_765).all(|t| age(&cluster, "checkout", "orders", NOW + t) <= 2));
        assert_eq!(cluster.members(cluster.group("checkout").unwrap(), NOW + DAY).len(), 3);
    }

    #[test]
    fn billing_falls_behind_until_it_gets_a_second_replica_and_again() {
        let cluster = demo(NOW);
        let age = |minute| age(&cluster, "billing", "payments", NOW + minute * MINUTE);
        assert!((300..400).contains(&age(0)), "{}", age(0));
        assert!(age(4) > age(0) && age(8) > age(4));
        assert!(age(12) < age(8));
        assert!(age(19) <= 5, "{}", age(19));
        assert!(age(36) > 400);
        let members = |minute| cluster.members(cluster.group("billing").unwrap(), NOW + minute * MINUTE).len();
        assert_eq!([members(0), members(9), members(21)], [1, 2, 1]);
    }

    #[test]
    fn audit_ages_with_the_clock_on_an_idle_topic() {
        let cluster = demo(NOW);
        assert_eq!(age(&cluster, "audit", "logins", NOW), 3 * 3600 - 2);
        assert_eq!(age(&cluster, "audit", "logins", NOW + DAY), 27 * 3600 - 2);
        assert!(!cluster.group("audit").unwrap().is_running(NOW));
        let log = &cluster.topic("logins").unwrap().logs[0];
        assert_eq!(log.end(NOW), log.end(NOW + DAY));
    }

    #[test]
    fn search_index_comes_back_25_minutes_behind_and_drains_within_minutes() {
        let cluster = demo(NOW);
        let index = cluster.group("search-index").unwrap();
        let age = |t| age(&cluster, "search-index", "clicks", NOW + t);
        assert!((24 * 60..=25 * 60).contains(&age(0)), "{}", age(0));
        assert!(!index.is_running(NOW) && index.is_running(NOW + RESTART));
        assert!(age(2 * MINUTE) < 16 * 60, "{}", age(2 * MINUTE));
        assert!(age(6 * MINUTE) <= 1, "{}", age(6 * MINUTE));
        assert!(!index.is_running(NOW + 30 * MINUTE), "and is away again later");
        assert!(index.is_running(NOW + 46 * MINUTE));
    }
}
