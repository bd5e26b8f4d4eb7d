//! What the chart's alerts and dashboard ask Prometheus for is there: metrics, their labels, and the words in them.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::exposition::tests::everything;

/// The labels of one series.
type Labels = BTreeMap<String, String>;

/// The series of each metric.
type Exposed = BTreeMap<String, Vec<Labels>>;

/// The metric whose words `reconcile` has, and holds against the alerts itself.
const CONDITION: &str = "highwater_lagmonitor_condition";

/// What is exposed where there is something to say of everything.
fn exposed() -> Exposed {
    let line = Regex::new(r"^([a-z_]+)(?:\{(.*)\})? \S+$").unwrap();
    let label = Regex::new(r#"([a-z_]+)="((?:[^"\\]|\\.)*)""#).unwrap();
    let mut exposed = Exposed::new();
    for sample in everything().lines().filter_map(|text| line.captures(text)) {
        let labels = sample.get(2).map_or("", |labels| labels.as_str());
        let labels = label.captures_iter(labels).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
        exposed.entry(sample[1].to_owned()).or_default().push(labels);
    }
    exposed
}

/// What in a query, and in the texts that are made of its answer, names nothing that is exposed.
fn unknown(query: &str, texts: &str, exposed: &Exposed) -> Vec<String> {
    let selector = Regex::new(r"\b((?:kafka|highwater)_[a-z0-9_]+)(?:\{([^}]*)\})?").unwrap();
    let mut unknown = Vec::new();
    // Prometheus says where it scraped.
    let mut labels: BTreeSet<&str> = ["job", "instance"].into();
    for found in selector.captures_iter(query) {
        let Some(series) = exposed.get(&found[1]) else {
            unknown.push(found[1].to_owned());
            continue;
        };
        labels.extend(series.iter().flat_map(Labels::keys).map(String::as_str));
        let matchers = found.get(2).map_or("", |matchers| matchers.as_str());
        unknown.extend(unmatched(matchers, series, &found[1] != CONDITION));
    }
    let list = Regex::new(r"\b(by|on|ignoring|group_left) \(([^)]*)\)").unwrap();
    let lists = || list.captures_iter(query).map(|found| found.extract::<2>().1);
    let named = lists().flat_map(|[_, names]| names.split(", ")).filter(|name| !labels.contains(name));
    unknown.extend(named.map(str::to_owned));
    let kept: BTreeSet<&str> =
        lists().filter(|[kind, _]| *kind == "by").flat_map(|[_, names]| names.split(", ")).collect();
    let kept = if kept.is_empty() { labels } else { kept };
    let used = Regex::new(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}").unwrap();
    let used = used.captures_iter(texts).map(|found| found[1].to_owned());
    unknown.extend(used.filter(|name| !kept.contains(name.as_str())));
    unknown
}

/// The matchers for which no series has the label, or the word that is asked for or left out.
fn unmatched(matchers: &str, series: &[Labels], words: bool) -> Vec<String> {
    let matcher = Regex::new(r#"(\w+)(=~|!~|!=|=)"([^"]*)""#).unwrap();
    let found = matcher.captures_iter(matchers).filter(|found| {
        let (label, value) = (&found[1], &found[3]);
        let a_word = words && !found[2].contains('~') && !value.contains('$');
        !series.iter().any(|labels| labels.get(label).is_some_and(|has| !a_word || has == value))
    });
    found.map(|found| found[0].to_owned()).collect()
}

/// Every query in a file of the chart, with the texts that are made of its answer.
fn queries(file: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let own = text(&file["expr"]).map(|query| {
        let texts = [text(&file["legendFormat"]).unwrap_or_default(), file["labels"].to_string()];
        (query, format!("{}{}", texts.concat(), file["annotations"]))
    });
    // A variable of the dashboard: the values of one label.
    let variable = Regex::new(r"^label_values\((.*), (\w+)\)$").unwrap();
    let definition = text(&file["definition"]).unwrap_or_default();
    let variable = variable.captures(&definition).map(|found| (found[1].to_owned(), format!("{{{{{}}}}}", &found[2])));
    let below = match file {
        Value::Object(fields) => fields.values().flat_map(queries).collect(),
        Value::Array(values) => values.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    };
    own.into_iter().chain(variable).chain(below).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_what_is_exposed() {
    let exposed = exposed();
    for (query, texts) in [
        ("highwater_group_stat", ""),
        (r#"highwater_group_state{state="DEAD"}"#, ""),
        (r#"highwater_alerts{kind!="slow"}"#, ""),
        (r#"highwater_group_members{topic=~"$topic"}"#, ""),
        ("sum by (consumer) (highwater_group_members)", ""),
        ("sum by (cluster_name) (highwater_group_members)", "{{group}}"),
        ("highwater_group_members", "of {{ $labels.topic }}"),
    ] {
        assert_eq!(unknown(query, texts, &exposed).len(), 1, "{query} {texts} no longer tells what is wrong");
    }
    let rules = serde_saphyr::from_str(include_str!("../../../charts/highwater/files/rules.yaml")).unwrap();
    let dashboard = serde_json::from_str(include_str!("../../../charts/highwater/files/dashboard.json")).unwrap();
    for (file, least) in [(rules, 10), (dashboard, 40)] {
        let queries = queries(&file);
        assert!(queries.len() > least, "{queries:?}");
        for (query, texts) in queries {
            assert_eq!(unknown(&query, &texts, &exposed), Vec::<String>::new(), "{query}\n{texts}");
        }
    }
}
