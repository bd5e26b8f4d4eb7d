//! What the other tests take for granted of the bed, and of Kafka itself.

use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::client::{now, unique};
use crate::consumer::LiveConsumer;
use crate::kafka::{Three, secure, single};
use crate::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: i64 = 3_600_000;

#[test]
fn a_check_that_runs_no_test_fails() {
    let check = r#"
        logs=$1 RUN=$1/run
        . tests/bed/checks.sh
        check_tests some 9 echo 'test result: ok. 3 passed; 0 failed; 0 ignored'
        check_tests none 9 echo 'test result: ok. 0 passed; 0 failed; 0 ignored'
        check_tests silent 9 true
        summary || echo failed"#;
    let logs = tempfile::TempDir::new().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-uc", check, "bash"]).arg(logs.path()).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = bash.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.ends_with("3 passed, 2 failed\nfailed\n"), "{told}");
}

#[test]
fn records_are_found_by_the_time_they_carry() {
    let client = single().client();
    let topic = client.topic("times", 2, &[]);
    let start = now() - 7 * 24 * HOUR;
    client.produce(&topic, 1, (0..100).map(|n| start + n * HOUR));

    assert_eq!(client.ends(&topic, 1), (0, 100));
    assert_eq!(client.offset_at(&topic, 1, start + 41 * HOUR), Some(41));
    assert_eq!(client.offset_at(&topic, 1, start + 41 * HOUR + 1), Some(42));
    assert_eq!(client.offset_at(&topic, 1, start + 100 * HOUR), None);
    assert_eq!(client.ends(&topic, 0), (0, 0));
}

#[test]
fn a_group_without_members_keeps_its_commits() {
    let client = single().client();
    let (topic, group) = (client.topic("commits", 3, &[]), unique("stopped"));
    client.produce(&topic, 0, [now(); 10]);
    client.commit(&group, &topic, &[(0, 7), (2, 0)]);
    assert_eq!(client.committed(&group, &topic, 2), [(0, 7), (2, 0)]);
    client.commit(&group, &topic, &[(0, 3), (2, 0)]);
    assert_eq!(client.committed(&group, &topic, 2), [(0, 3), (2, 0)]);
}

#[test]
fn deleted_records_move_the_log_start() {
    let client = single().client();
    let topic = client.topic("deleted", 1, &[]);
    client.produce(&topic, 0, [now(); 10]);
    client.delete_records(&topic, 0, 4);
    assert_eq!(client.ends(&topic, 0), (4, 10));
}

#[test]
fn a_topic_is_created_again_and_starts_from_zero() {
    let client = single().client();
    let topic = client.topic("again", 1, &[]);
    client.produce(&topic, 0, [now(); 10]);
    client.delete(&topic);
    client.create(&topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    assert_eq!(client.ends(&topic, 0), (0, 0));
    client.produce(&topic, 0, [now() - HOUR]);
    assert_eq!(client.offset_at(&topic, 0, now() - HOUR / 2), Some(0), "the broker's clock counts, not the producer's");
}

#[test]
fn a_live_consumer_commits_what_it_reads_and_stops() {
    let client = single().client();
    let (topic, group) = (client.topic("live", 1, &[]), unique("reader"));
    client.produce(&topic, 0, [now(); 500]);
    let consumer = LiveConsumer::start(&client.config(), &group, &topic, 100);
    eventually("it reads", 20 * SECOND, || consumer.read() >= 20);
    assert!(consumer.read() < 500, "it is slowed down");
    consumer.stop();
    let offset = client.committed(&group, &topic, 1)[0].1;
    assert!((20..500).contains(&offset), "{offset}");
}

#[test]
fn every_way_to_log_in_works() {
    let kafka = secure();
    let file = |name: &str| kafka.tls.join(name).to_string_lossy().into_owned();
    let by = |mechanism: &str| {
        let mut config = kafka.login("observer");
        config.set("sasl.mechanism", mechanism);
        config
    };
    let mut certificate = crate::kafka::plain(&kafka.ssl);
    certificate
        .set("security.protocol", "SSL")
        .set("ssl.ca.location", file("ca.crt"))
        .set("ssl.certificate.location", file("client.crt"))
        .set("ssl.key.location", file("client.key"));
    let mut token = by("OAUTHBEARER");
    token.set("enable.sasl.oauthbearer.unsecure.jwt", "true").set("sasl.oauthbearer.config", "principal=observer");
    let mut unencrypted = by("PLAIN");
    unencrypted.set("bootstrap.servers", &kafka.sasl_plaintext).set("security.protocol", "SASL_PLAINTEXT");

    let topic = kafka.client().topic("visible", 1, &[]);
    for config in [by("SCRAM-SHA-256"), by("SCRAM-SHA-512"), by("PLAIN"), token, unencrypted, certificate] {
        let consumer: BaseConsumer = config.create().unwrap();
        // An OAUTHBEARER client fetches its token while it is polled.
        consumer.poll(Duration::ZERO);
        let metadata = consumer.fetch_metadata(None, 20 * SECOND).unwrap();
        assert!(metadata.topics().iter().any(|t| t.name() == topic), "{config:?}");
    }
}

#[test]
fn rights_hide_what_they_do_not_cover() {
    let kafka = secure();
    let admin = kafka.client();
    let (topic, group) = (admin.topic("hidden", 1, &[]), unique("hidden"));
    admin.commit(&group, &topic, &[(0, 0)]);
    let sees = |user: &str| {
        let consumer: BaseConsumer = kafka.login(user).create().unwrap();
        let topics = consumer.fetch_metadata(None, 20 * SECOND).unwrap();
        let groups = consumer.fetch_group_list(None, 20 * SECOND).unwrap();
        (topics.topics().iter().any(|t| t.name() == topic), groups.groups().iter().any(|g| g.name() == group))
    };
    assert_eq!(sees("observer"), (true, true));
    assert_eq!(sees("no-topics"), (false, true));
    assert_eq!(sees("no-groups"), (true, false));
    assert_eq!(sees("nobody"), (false, false));
}

#[test]
fn a_cluster_of_three_outlives_a_broker() {
    let mut kafka = Three::start();
    let client = kafka.client();
    let topic = client.topic("replicated", 3, &[]);
    client.produce(&topic, 0, [now(); 10]);
    let lost = client.leaders(&topic)[&0];
    kafka.kill(lost as usize);
    eventually("another broker leads", 30 * SECOND, || ![-1, lost].contains(&client.leaders(&topic)[&0]));
    assert_eq!(client.ends(&topic, 0), (0, 10));
    client.produce(&topic, 0, [now(); 10]);
    kafka.revive(lost as usize);
    assert_eq!(client.ends(&topic, 0), (0, 20));
}
