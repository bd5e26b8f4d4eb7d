//! Tables and CSV of answers of the API.

use serde_json::json;

use super::*;

fn groups() -> Value {
    json!([
        {
            "cluster_name": "a", "group_id": "billing", "state": "OFFLINE", "group_state": "Empty",
            "max_lag_seconds": 10_800.0, "trend": "growing", "total_lag_records": 1198, "drain_seconds": null,
            "lag": { "bound_seconds": null, "max_records": 1000, "p95_records": 900, "p50_records": 50 },
            "members": 2, "slo": { "compliance": 0.5 }, "alerts": [{}, {}], "anything": "new"
        },
        {
            "cluster_name": "a", "group_id": "we\u{1b}[31mird", "state": null, "max_lag_seconds": null,
            "lag": { "bound_seconds": null }, "trend": null, "total_lag_records": null, "drain_seconds": 95.5,
            "members": null, "slo": null, "alerts": []
        }
    ])
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The titles of a table of the page, in its order: of the first head of a table after some words of its source.
fn shown(source: &str, after: &str) -> Vec<String> {
    let (_, rest) = source.split_once(after).unwrap_or_else(|| panic!("{after}"));
    let (head, _) = rest.split_once("</thead>").unwrap();
    let title = regex::Regex::new(r"<(?:th|Sortable)\b[^>]*>([^<{]+)</(?:th|Sortable)>").unwrap();
    title.captures_iter(head).map(|found| found[1].replace("’s", "").replace(' ', "-").to_uppercase()).collect()
}

/// What stands in one cell of the page and in several columns of a terminal; a line is for the page alone.
const CELLS: [(&str, &[&str]); 3] = [
    ("AGE", &["AGE", "±BOUND"]),
    ("OVER-TIME", &[]),
    ("REMARKS", &["METHOD", "CLOCK", "LOST", "STALE", "STUCK", "ANOMALIES"]),
];

#[test]
fn tables_have_the_columns_of_the_page() {
    let [groups, group, topics, heat] = [
        include_str!("../../../page/src/views/groups.tsx"),
        include_str!("../../../page/src/views/group.tsx"),
        include_str!("../../../page/src/views/topics.tsx"),
        include_str!("../../../page/src/parts/heat.tsx"),
    ];
    // What the page says in the cell of the name, and of what it has another view.
    let with = |first: &[&'static str], page: Vec<String>| -> Vec<String> {
        let of = |title: String| match CELLS.iter().find(|(cell, _)| *cell == title) {
            Some((_, columns)) => columns.iter().map(|column| (*column).to_owned()).collect(),
            None => vec![title],
        };
        first.iter().map(|title| (*title).to_owned()).chain(page.into_iter().skip(1).flat_map(of)).collect()
    };
    let groups = with(&["CLUSTER", "GROUP", "ALERTS"], shown(groups, "function Table("));
    let consumers = shown(topics, "function Consumers(");
    for (columns, page) in [
        (GROUPS, groups),
        (TOPICS, with(&["TOPIC"], shown(group, "function Topics("))),
        (PARTITIONS, with(&["TOPIC", "PARTITION"], shown(heat, "function Table("))),
        (CONSUMERS, with(&["GROUP"], consumers)),
        (TOPIC, shown(topics, "export function Topics(")),
    ] {
        assert!(page.len() > 6, "{page:?}");
        assert_eq!(columns.iter().map(|column| column.title).collect::<Vec<_>>(), page);
    }
}

#[test]
fn a_list_of_groups_has_a_dash_for_what_is_unknown() {
    let shown = render(&groups(), Listed::Groups, Layout::Table, false).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    let titles: Vec<&str> = GROUPS.iter().map(|column| column.title).filter(|title| *title != "CLUSTER").collect();
    assert_eq!(words(lines[0]), titles);
    let lags = ["1198", "1000", "900", "50"];
    let billing =
        [&["billing", "2", "OFFLINE", "Empty", "≥3h0m", "-", "growing"], &lags[..], &["-", "2", "50%"]].concat();
    assert_eq!(words(lines[1]), billing);
    assert_eq!(words(lines[2])[1..], ["0", "-", "-", "-", "-", "-", "-", "-", "-", "-", "1m35s", "-", "-"]);
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    let coloured = render(&groups(), Listed::Groups, Layout::Table, true).unwrap();
    assert!(coloured.contains("\u{1b}[38;5;9mOFFLINE"), "{coloured:?}");
    assert_eq!(render(&json!([]), Listed::Groups, Layout::Table, false).unwrap(), "");
}

#[test]
fn the_cluster_is_named_where_there_are_several() {
    let mut several = groups();
    several[1]["cluster_name"] = json!("b");
    let shown = render(&several, Listed::Groups, Layout::Table, false).unwrap();
    assert!(shown.starts_with("CLUSTER") && shown.lines().nth(1).unwrap().starts_with("a "), "{shown}");
}

#[test]
fn csv_has_raw_numbers_and_a_header_without_rows_too() {
    let text = render(&groups(), Listed::Groups, Layout::Csv, false).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let begins = "cluster_name,group_id,alerts,state,group_state,max_lag_seconds,lag.bound_seconds,trend,";
    assert!(lines[0].starts_with(begins), "{text}");
    assert_eq!(lines[1], "a,billing,2,OFFLINE,Empty,10800.0,,growing,1198,1000,900,50,,2,0.5");
    assert_eq!(render(&json!([]), Listed::Alerts, Layout::Csv, false).unwrap().lines().count(), 1);
}

#[test]
fn one_group_has_all_that_the_page_says_of_it() {
    let mut group = groups()[0].clone();
    group["topics"] = json!([{ "topic": "orders", "state": "OFFLINE", "max_lag_seconds": 10_800.0, "bound_seconds": 0.001,
        "stuck_partitions": 1, "partitions": [{ "partition": 3, "lag_seconds": 1.5, "anomalies": ["a", "b"] }] }]);
    group["slo"] = json!({ "compliance": 0.5, "target": 0.95, "budget": { "remaining": -0.25, "burn_rate_1h": 14.4 } });
    group["rebalances"] = json!({ "score": 60.0, "target": 70.0, "count": 4 });
    group["fairness"] = json!({ "gini": 0.125, "idle_members": 1 });
    group["replicas"] = json!({ "current": 1, "advised": 3, "useful": 4, "reasoning": "3 would keep up" });
    group["members"] = json!([{ "client_id": "shipper", "host": "/10.0.0.7",
        "assigned": [{ "topic": "orders", "partitions": [0, 1] }, { "topic": "x", "partitions": [7] }] },
        { "client_id": "idle", "host": "/10.0.0.8", "assigned": [] }]);
    group["alerts"] = json!([{ "severity": "critical", "kind": "stuck_partitions", "since": "2026-03-01T12:00:00.000Z",
        "summary": "1 partition is stuck", "advice": "look at it" }]);
    group["recommendation"] = json!("start a member");
    let odd = group["topics"][0]["partitions"][0].clone();
    group["topics"][0]["partitions"] = json!([odd, { "partition": 4, "lag_seconds": null, "anomalies": [] }]);
    let shown = render(&group, Listed::Group, Layout::Table, false).unwrap();
    let parts: Vec<&str> = shown.split("\n\n").collect();
    let row = |part: usize, line: usize| words(parts[part].lines().nth(line).unwrap());
    assert_eq!(parts.len(), 8, "{shown}");
    assert_eq!(row(0, 1)[12], "2", "members are counted: {shown}");
    assert_eq!(row(1, 1), ["50%", "95%", "-25%", "-", "-", "14x", "-", "-", "-"]);
    assert_eq!(row(2, 1), ["60", "70", "4", "0.12", "1", "1", "3", "4"]);
    assert_eq!(row(3, 1)[..4], ["orders", "OFFLINE", "3h0m", "1ms"]);
    assert_eq!(
        (row(4, 1), row(4, 2)),
        (vec!["shipper", "/10.0.0.7", "3", "100%"], vec!["idle", "/10.0.0.8", "0", "0%"])
    );
    assert_eq!((row(5, 1)[..3].to_vec(), row(5, 1)[14]), (vec!["orders", "3", "1.5s"], "a,b"));
    assert_eq!(row(5, 2), [&["orders", "4"][..], &["-"; 13]].concat());
    assert!(parts[6].contains("critical  stuck_partitions"), "{shown}");
    assert_eq!(parts[7], "ADVISED  3 would keep up\nNEXT  start a member\n");
    group["recommendation"] = json!("Run 3 members: 3 would keep up.");
    let told = render(&group, Listed::Group, Layout::Table, false).unwrap();
    assert!(told.ends_with("\n\nNEXT  Run 3 members: 3 would keep up.\n"), "{told}");
    let csv = render(&group, Listed::Group, Layout::Csv, false).unwrap();
    assert_eq!(csv.lines().nth(1).unwrap(), "orders,3,1.5,,,,,,,,,,,,a b");
    assert_eq!(oldest(&group, Listed::Group), Some(10_800.0));
}

#[test]
fn one_topic_has_how_long_it_keeps_records_and_its_groups() {
    let mut detail = json!({
        "topic": { "topic": "orders", "max_lag_seconds": 2.0, "groups": 1, "partitions": 12, "coverage": 0.9999 },
        "config": { "retention_ms": 604_800_000, "retention_bytes": -1, "cleanup_policy": "delete", "reason": null },
        "consumers": [{ "group_id": "billing", "topic_lag": { "state": "ONLINE", "max_lag_seconds": 2.0,
            "bound_seconds": 0.5 }, "rebalances": { "score": 90.0 }, "fairness": { "gini": 0.25 } }],
        "alerts": []
    });
    let shown = render(&detail, Listed::Topic, Layout::Table, false).unwrap();
    assert!(shown.contains("KEPT  for 7d0h, up to unlimited bytes, cleanup delete\n"), "{shown}");
    let row = words(shown.lines().last().unwrap());
    assert_eq!((row[..4].to_vec(), row[8..].to_vec()), (vec!["billing", "ONLINE", "2s", "500ms"], vec!["90", "0.25"]));
    assert!(shown.contains("99.99%"));
    detail["config"] = json!({ "retention_ms": null, "reason": "DescribeConfigs is not allowed" });
    let shown = render(&detail, Listed::Topic, Layout::Table, false).unwrap();
    assert!(shown.contains("KEPT  not known: DescribeConfigs is not allowed\n"), "{shown}");
    assert_eq!((oldest(&detail, Listed::Topic), oldest(&json!([]), Listed::Groups)), (Some(2.0), None));
}
