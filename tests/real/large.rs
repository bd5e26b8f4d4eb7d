//! Reports that are too large for a ConfigMap: as deep as there is room for, and said to be less than was asked for.

use crate::client::{now, unique};
use crate::kafka::single;
use crate::monitor::PATIENCE;
use crate::operated::Operated;
use crate::wait::eventually_some;

const GROUPS: usize = 1_000;

#[test]
fn a_report_of_a_thousand_groups_falls_from_partitions_to_topics_to_groups() {
    let (client, prefix) = (single().client(), unique("large"));
    let topic = format!("{prefix}-orders");
    client.create(&topic, 8, &[]);
    client.produce(&topic, 0, (0..100).map(|_| now()));
    let group = |n: usize| (format!("{prefix}-group-{n:03}"), topic.as_str(), (n % 100) as i64);
    client.commit_each(&(0..GROUPS).map(group).collect::<Vec<_>>());

    let operated = Operated::start("large", &[]);
    for (name, groups) in [("all", "*"), ("some", "-group-1*"), ("one", "-group-100")] {
        let fields = format!(
            "  brokers: [\"{}\"]\n  groups: {{ include: [\"{prefix}{groups}\"] }}\n  topics: {{ include: [{topic}] }}\n  \
             sampling: {{ interval: 1h, coarseInterval: 1h }}\n  output: {{ configMap: {{ name: {name}, detail: Partition }}, file: {{ path: {name}.json }} }}\n",
            single().bootstrap
        );
        operated.apply(name, &fields);
    }
    for (name, detail, groups) in [("all", "Group", GROUPS), ("some", "Topic", 100), ("one", "Partition", 1)] {
        operated.condition(name, "Ready", "True", "Sampling");
        let file = operated.highwater.report(&format!("{}/{name}", operated.namespace)).unwrap();
        assert_eq!((&file["detail"], file["groups"].as_array().unwrap().len()), (&"Partition".into(), groups));
        let map = eventually_some("it is in its ConfigMap", PATIENCE, || operated.config_map(name));
        assert_eq!((&map["detail"], &map["truncated"]), (&detail.into(), &(detail != "Partition").into()), "{name}");
        assert_eq!((map["groups"].as_array().unwrap().len(), &map["left_out"]), (groups, &file["left_out"]), "{name}");
        for (told, whole) in map["groups"].as_array().unwrap().iter().zip(file["groups"].as_array().unwrap()) {
            for field in ["group_id", "max_lag_seconds", "total_lag_records", "state"] {
                assert_eq!(told[field], whole[field], "{name}");
            }
        }
        let text = operated.kubectl(&["get", "configmap", name, "--output=jsonpath={.data.report\\.json}"]);
        let most = if detail == "Group" { 900 } else { 256 };
        assert!(text.len() <= most * 1024, "{name}: {} bytes", text.len());
        println!("{name}: {detail}, {} KiB", text.len() / 1024);
    }
}
