//! `highwater consumer-lag` as scripts use it: formats, filters, exit codes.

use crate::client::{now, unique};
use crate::highwater::{Outcome, highwater};
use crate::kafka::single;
use crate::shapes::HOUR;

const COLUMNS: [&str; 4] = ["committed_offset", "log_end_offset", "lag_records", "partition"];

/// Two groups on a topic of two partitions: one is three hours behind, one has read everything.
fn stage() -> (String, String, String) {
    let (client, prefix) = (single().client(), unique("commands"));
    let topic = client.topic("commands", 2, &[]);
    client.produce(&topic, 0, (0..10).map(|n| now() - 10 * HOUR + n * HOUR));
    let [behind, done] = ["behind", "done"].map(|name| format!("{prefix}-{name}"));
    client.commit(&behind, &topic, &[(0, 7), (1, 0)]);
    client.commit(&done, &topic, &[(0, 10), (1, 0)]);
    (behind, done, topic)
}

#[track_caller]
fn shown(groups: &str, more: &[&str]) -> Outcome {
    highwater(&[&["consumer-lag", "--brokers", &single().bootstrap, "--group", groups], more].concat())
}

#[test]
fn every_format_has_every_row() {
    let (behind, done, topic) = stage();
    let both = format!("{behind},{done}");
    let text = |format: &str| {
        let outcome = shown(&both, &["-o", format]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{format}");
        outcome.stdout
    };
    for (format, rows) in [("table", 2), ("wide", 4)] {
        let table = text(format);
        let row = |line: &&str| line.contains(&topic) && (line.contains(&behind) || line.contains(&done));
        assert_eq!(table.lines().filter(row).count(), rows, "{table}");
        assert!(table.lines().find(row).is_some_and(|line| line.contains(&behind)), "the worst is first: {table}");
    }
    let json: serde_json::Value = serde_json::from_str(&text("json")).unwrap();
    let yaml: serde_json::Value = serde_saphyr::from_str(&text("yaml")).unwrap();
    for report in [&json, &yaml] {
        assert_eq!(report["groups"].as_array().unwrap().len(), 2, "{report:#}");
        assert_eq!(report["groups"][0]["topics"][0]["partitions"][0]["lag_records"], 3, "{report:#}");
    }
    let csv = text("csv");
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let header = table.headers().unwrap().clone();
    let places = COLUMNS.map(|name| header.iter().position(|found| found == name).unwrap());
    let rows: Vec<_> = table.records().map(|row| places.map(|place| row.as_ref().unwrap()[place].to_owned())).collect();
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    assert_eq!(rows, [["7", "10", "3", "0"], ["0", "0", "0", "1"], ["10", "10", "0", "0"], ["0", "0", "0", "1"]]);
}

#[test]
fn the_exit_code_tells_a_script_what_happened() {
    let (behind, done, _) = stage();
    assert_eq!(shown(&behind, &["--fail-over", "1h"]).code, Some(3));
    assert_eq!(shown(&behind, &["--fail-over", "4h"]).code, Some(0));
    assert_eq!(shown(&done, &["--fail-over", "1s"]).code, Some(0));
    let moved = shown(&format!("{behind}-moved"), &["--fail-over", "1h"]);
    assert!(moved.code == Some(1) && moved.stderr.contains("--fail-over: no group"), "{moved:?}");
    let unknown = shown(&behind, &["--fail-under", "1h"]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("--fail-under"), "{unknown:?}");
    let bad = shown(&behind, &["--fail-over", "soon"]);
    assert!(bad.code == Some(2) && bad.stderr.contains("write a duration"), "{bad:?}");
    for brokers in ["foo", "127.0.0.1:99999", "http://127.0.0.1:9092"] {
        let bad = highwater(&["consumer-lag", "--brokers", brokers]);
        assert!(bad.code == Some(2) && bad.stderr.contains("write host:port"), "{bad:?}");
    }
}

#[test]
fn filters_leave_what_they_say() {
    let (behind, done, topic) = stage();
    let groups = |more: &[&str]| {
        let report = shown(&format!("{behind},{done}"), &[more, &["-o", "json"]].concat()).json();
        let groups = report["groups"].as_array().unwrap().clone();
        groups.iter().map(|group| group["group_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(groups(&[]), [behind.as_str(), done.as_str()]);
    assert_eq!(groups(&["--state", "offline"]), [behind.as_str()]);
    assert_eq!(groups(&["--state", "ONLINE"]), [done.as_str()]);
    assert_eq!(groups(&["--min-lag", "2h"]), [behind.as_str()]);
    assert_eq!(groups(&["--min-lag", "4h"]), [""; 0]);
    assert_eq!(groups(&["--topic", &topic]), [behind.as_str(), done.as_str()]);
    assert_eq!(groups(&["--topic", &format!("{topic}-not")]), [""; 0]);
    let nothing = shown(&behind, &["--min-lag", "4h"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), ""), "{nothing:?}");
    assert_eq!(nothing.stderr, "highwater: no group matches\n");
}
