//! A compacted topic: most records are gone, and the ages are those of the survivors.

use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::ages::look;
use crate::client::{Client, now, unique};
use crate::kafka::single;
use crate::shapes::{DAY, HOUR};
use crate::truth::Compared;
use crate::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);

/// Writes twenty records, an hour apart, whose keys begin with `key`: a batch, and so a segment, of their own.
fn twenty(client: &Client, topic: &str, key: &str, start: i64) {
    let producer: BaseProducer = client.config().set("linger.ms", "100").create().unwrap();
    for n in 0..20 {
        let key = format!("{key}{n}");
        let record = BaseRecord::to(topic).partition(0).key(&key).payload("x").timestamp(start + n * HOUR);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(30 * SECOND).unwrap();
}

#[test]
fn the_first_survivor_counts() {
    let (client, groups) = (single().client(), unique("compacted"));
    let settings = [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.001")];
    let topic = client.topic("compacted", 1, &settings);
    for (n, key) in ["early", "same", "same", "other", "same", "last"].into_iter().enumerate() {
        twenty(&client, &topic, key, now() - 6 * DAY + i64::try_from(n).unwrap() * DAY);
    }
    // What is left: `early`, nothing from 20 to 60, then `other`, the last `same`, and the open segment.
    eventually("the log is compacted", 60 * SECOND, || client.records(&topic, 0).len() == 80);
    let records = client.records(&topic, 0);
    assert_eq!((records[19].0, records[20].0), (19, 60));

    let commits = [("early", 5), ("removed", 30), ("first", 60), ("later", 85)];
    client.commit_each(&commits.map(|(name, committed)| (format!("{groups}-{name}"), topic.as_str(), committed)));
    let report = look(&format!("{groups}-*"), &[]);
    for (name, committed) in commits {
        let compared = Compared::new(&report, &format!("{groups}-{name}"), &topic, 0, &records);
        assert!(compared.bound_holds(), "{compared:#?}");
        let hidden = committed == 30 && compared.has("record_hidden");
        assert!(compared.error() <= compared.wanted() || hidden, "{compared:#?}");
        assert_eq!(compared.line["records_lost"], 0, "compaction loses nothing: {compared:#?}");
    }
}
