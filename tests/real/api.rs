//! The API beside Kafka's own `kafka-consumer-groups --describe`: offsets, lag, members, assignor and state are the same; and
//! what is said of a real group while it is watched.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;

use crate::client::{now, unique};
use crate::consumer::LiveConsumer;
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::shapes::HOUR;
use crate::wait::{eventually, eventually_some};

const DESCRIBE: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// A table of Kafka's tool: a row a line, each by the names of the columns.
fn table(group: &str, more: &[&str]) -> Vec<BTreeMap<String, String>> {
    let text = single().tell(DESCRIBE, &[&["--describe", "--group", group], more].concat());
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let Some(header) = lines.find(|line| line.starts_with("GROUP")) else { panic!("{text}") };
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let names = words(header);
    lines.map(|line| names.iter().cloned().zip(words(line)).collect()).collect()
}

/// What Kafka says of each partition: committed offset, log end, lag, member, host, client.
fn told(group: &str) -> BTreeMap<i64, [String; 6]> {
    let columns = ["CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"];
    let row =
        |row: BTreeMap<String, String>| (row["PARTITION"].parse().unwrap(), columns.map(|column| row[column].clone()));
    table(group, &[]).into_iter().map(row).collect()
}

/// The same of the API's answer; what is not there is `-`, as Kafka's tool has it.
fn shown(group: &Value) -> BTreeMap<i64, [String; 6]> {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let members = group["members"].as_array().unwrap();
    let row = |row: &Value| {
        let member = members.iter().find(|member| member["member_id"] == row["member_id"]).unwrap_or(&Value::Null);
        let figures = ["committed_offset", "log_end_offset", "lag_records", "member_id"].map(|name| text(&row[name]));
        let [committed, end, lag, id] = figures;
        (
            row["partition"].as_i64().unwrap(),
            [committed, end, lag, id, text(&member["host"]), text(&member["client_id"])],
        )
    };
    group["topics"][0]["partitions"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn groups_are_as_kafkas_own_tool_describes_them() {
    let (kafka, prefix) = (single(), unique("api"));
    let client = kafka.client();
    let topic = format!("{prefix}-topic");
    client.create(&topic, 3, &[]);
    (0..3).for_each(|partition| client.produce(&topic, partition, (0..30).map(|n| now() - HOUR + n * 60_000)));
    let [stopped, classic, newer] = ["stopped", "classic", "newer"].map(|name| format!("{prefix}-{name}"));
    client.commit(&stopped, &topic, &[(0, 7), (2, 30)]);
    let (plain, mut config) = (client.config(), client.config());
    config.set("group.protocol", "consumer");
    let start = |config, group: &str| LiveConsumer::start(config, group, &topic, 1_000);
    let _consumers = [start(&plain, &classic), start(&config, &newer)];
    for group in [&classic, &newer] {
        eventually("everything is read", PATIENCE, || {
            client.committed(group, &topic, 3).iter().all(|(_, at)| *at == 30)
        });
    }

    let monitor = Monitor::start(&[("api.yaml", &document("api", &kafka.bootstrap, &prefix))], &[]);
    let get = |path: &str| {
        let (status, body) = monitor.get(&format!("/api/v1/{path}"));
        (status == 200).then(|| serde_json::from_str::<Value>(&body).unwrap())
    };
    let listed = eventually_some("all groups are listed", PATIENCE, || {
        get("consumers/groups?sort=-total_lag_records&cluster_id=default/api").filter(|list| list["total"] == 3)
    });
    assert_eq!(listed["items"][0]["group_id"], *stopped, "{listed:#}");

    for group in [&stopped, &classic, &newer] {
        let (found, kafkas) = eventually_some("the same is said", PATIENCE, || {
            let (found, kafkas) = (get(&format!("consumers/groups/{group}"))?, told(group));
            // A partition without a commit is not in Kafka's table unless a member has it.
            let ours: BTreeMap<_, _> = shown(&found).into_iter().filter(|(n, _)| kafkas.contains_key(n)).collect();
            (ours == kafkas).then_some((found, kafkas))
        });
        assert!(kafkas.len() >= 2, "{kafkas:?}");
        let state = &table(group, &["--state"])[0];
        let row = format!("{state:?}");
        let members = found["members"].as_array().unwrap().len();
        let kafkas_state = found["group_state"].as_str().unwrap();
        assert!(row.contains(&format!("\"{kafkas_state}\"")), "{kafkas_state}: {row}");
        let assignor =
            [(&classic, json!("range")), (&newer, json!("uniform"))].into_iter().find(|(of, _)| *of == group);
        let assignor = assignor.map_or(Value::Null, |(_, assignor)| assignor);
        assert_eq!(found["assignor"], assignor, "{row}");
        assert!(assignor.as_str().is_none_or(|assignor| row.contains(assignor)), "{row}");
        assert_eq!(members, usize::from(group != &stopped), "{row}");
        let health = get(&format!("consumers/groups/{group}/health")).unwrap();
        let lag: i64 = kafkas.values().map(|row| row[2].parse::<i64>().unwrap_or(0)).sum();
        assert_eq!(health["lag"]["total_records"], lag, "{health:#}");
        let history = get(&format!("consumers/groups/{group}/history")).unwrap();
        assert_eq!(history["points"].as_array().unwrap().last().unwrap()["lag_records"], lag, "{history:#}");
    }
    assert_eq!(monitor.get(&format!("/api/v1/consumers/groups/{prefix}-nobody")).0, 404);
}

/// What is said while somebody listens, message by message.
struct Said(Receiver<Value>);

impl Said {
    /// The text messages of a WebSocket.
    fn by_socket(monitor: &Monitor, path: &str) -> Self {
        let address = monitor.address().unwrap();
        let stream = TcpStream::connect(&address).unwrap();
        let (mut socket, _) = tungstenite::client(format!("ws://{address}/ws/{path}"), stream).unwrap();
        let (tell, told) = channel();
        spawn(move || {
            while let Ok(message) = socket.read() {
                if let tungstenite::Message::Text(text) = message {
                    tell.send(serde_json::from_str(&text).unwrap()).ok();
                }
            }
        });
        Self(told)
    }

    /// The data of server-sent events.
    fn by_events(monitor: &Monitor, path: &str) -> Self {
        let mut stream = TcpStream::connect(monitor.address().unwrap()).unwrap();
        stream.write_all(format!("GET /api/v1/{path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
        let (tell, told) = channel();
        spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Some(data) = line.strip_prefix("data: ") {
                    tell.send(serde_json::from_str(data).unwrap()).ok();
                }
            }
        });
        Self(told)
    }

    /// The next message of this type; others in between are passed over.
    #[track_caller]
    fn next(&self, word: &str) -> Value {
        let mut passed = Vec::new();
        loop {
            let Ok(said) = self.0.recv_timeout(PATIENCE) else { panic!("{word} is not said, but {passed:?}") };
            if said["type"] == word {
                return said;
            }
            passed.push(said["type"].clone());
        }
    }
}

#[test]
fn what_happens_to_a_group_is_told_to_who_watches_and_stands_in_the_lists() {
    let (kafka, name) = (single(), unique("watched"));
    let client = kafka.client();
    client.create(&name, 2, &[]);
    client.commit(&name, &name, &[(0, 0), (1, 0)]);
    let text = document("watched", &kafka.bootstrap, &name) + "  slo: { maxLagRecords: 5 }\n";
    let monitor = Monitor::start(&[("watched.yaml", &text)], &[]);
    let get = |path: &str| serde_json::from_str::<Value>(&monitor.get(&format!("/api/v1/{path}")).1).unwrap();
    eventually("the group is listed", PATIENCE, || get(&format!("consumers/groups/{name}"))["group_id"] == *name);

    let watched = format!("consumers/groups/{name}/live");
    let everybody =
        [Said::by_socket(&monitor, &watched), Said::by_events(&monitor, &watched), Said::by_events(&monitor, "live")];
    for said in &everybody[..2] {
        let first = said.next("snapshot");
        assert_eq!((&first["group"]["group_id"], &first["cluster_name"]), (&json!(name), &json!("default/watched")));
        assert_eq!(first["group"]["topics"][0]["partitions"][0]["committed_offset"], 0, "{first:#}");
    }
    assert_eq!(everybody[2].next("report")["cluster_name"], "default/watched");

    let consumer = LiveConsumer::start(&client.config(), &name, &name, 1_000);
    for said in &everybody {
        let joined = said.next("consumer.member_joined");
        assert_eq!((&joined["group_id"], &joined["client_id"]), (&json!(name), &json!("rdkafka")), "{joined:#}");
    }
    consumer.stop();
    everybody.iter().for_each(|said| assert_eq!(said.next("consumer.member_left")["client_id"], "rdkafka"));

    client.produce(&name, 0, (0..6).map(|_| now()));
    for said in &everybody {
        let violated = said.next("consumer.slo_violated");
        assert_eq!((&violated["alert"]["value"], &violated["alert"]["group_id"]), (&json!(0.5), &json!(name)));
    }
    let alert = lists_say_the_same(&name, get);
    client.commit(&name, &name, &[(0, 6), (1, 0)]);
    for said in &everybody {
        assert_eq!(said.next("consumer.slo_restored")["alert"]["id"], alert);
    }
    assert_eq!(get(&format!("alerts?group_id={name}"))["total"], 0);
    let last = eventually_some("a snapshot without alert", PATIENCE, || {
        Some(everybody[0].next("snapshot")).filter(|last| last["group"]["alerts"] == json!([]))
    });
    assert_eq!(last["group"]["topics"][0]["partitions"][0]["committed_offset"], 6, "{last:#}");
}

/// What the lists of alerts and of the topic's groups say while a group is over its limit on one of two partitions; the id
/// of the alert.
fn lists_say_the_same(name: &str, get: impl Fn(&str) -> Value) -> Value {
    let alerts = get(&format!("alerts?group_id={name}"));
    let alert = &alerts["items"][0];
    assert_eq!(
        (&alerts["total"], &alert["kind"], &alert["namespace"]),
        (&json!(1), &json!("slo_violated"), &json!("default"))
    );
    assert_eq!(alert["summary"], "50 % of its partitions are within their limits, 95 % are wanted");
    let consumers = get(&format!("consumers/topics/{name}/consumers"));
    let (lag, row) =
        (told(name).values().map(|row| row[2].parse::<i64>().unwrap()).sum::<i64>(), &consumers["items"][0]);
    assert_eq!(
        (&consumers["total"], &row["group_id"], &row["group_state"]),
        (&json!(1), &json!(name), &json!("Empty"))
    );
    assert_eq!((&row["total_lag_records"], &row["max_lag_records"], lag), (&json!(6), &json!(6), 6), "{row:#}");
    assert_eq!((&row["slo"]["within"], &row["slo"]["breaching"], &row["members"]), (&json!(1), &json!(1), &json!(0)));
    let detail = get(&format!("consumers/topics/{name}/detail"));
    assert_eq!((&detail["alerts"][0]["id"], &detail["topic"]["alerts"]), (&alert["id"], &json!(1)));
    alert["id"].clone()
}
