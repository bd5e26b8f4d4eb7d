//! What the API says of groups, one group, one topic and alerts, as tables with the page's columns, and as CSV.
//!
//! An answer is read field by field, so that a younger Highwater may say more than this one knows. JSON and YAML are the
//! answer itself.

mod columns;

use serde_json::Value;

use self::columns::{ALERTS, CONDUCT, CONSUMERS, Column, GROUPS, HELD, MEMBERS, OBJECTIVE, PARTITIONS, TOPIC, TOPICS};
use super::RenderError;
use super::duration::human;
use super::table::{Sheet, printable};
use crate::lag::report::State;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Groups, each an item of a list.
    Groups,
    /// One group, whole.
    Group,
    /// One topic with its groups.
    Topic,
    /// Alerts, each an item of a list.
    Alerts,
}

/// The ways in which a person can ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Layout {
    /// For people: the columns of the page.
    Table,
    /// What the API says, indented.
    Json,
    /// The same as YAML.
    Yaml,
    /// The rows of the table with raw numbers and a header; of one group, its partitions.
    Csv,
}

/// An answer in the layout that was asked for; `colours` counts for tables only. A list is an array.
///
/// # Errors
/// Where a library refuses to serialize, which no answer is known to provoke.
pub fn render(answer: &Value, listed: Listed, layout: Layout, colours: bool) -> Result<String, RenderError> {
    Ok(match layout {
        Layout::Json => serde_json::to_string_pretty(answer)? + "\n",
        Layout::Yaml => serde_saphyr::to_string(answer)?,
        Layout::Csv => match listed {
            Listed::Groups => csv(GROUPS, &rows(answer, ""))?,
            Listed::Alerts => csv(ALERTS, &rows(answer, ""))?,
            Listed::Topic => csv(CONSUMERS, &rows(answer, "/consumers"))?,
            Listed::Group => csv(PARTITIONS, &partitions(answer))?,
        },
        Layout::Table => match listed {
            Listed::Groups => table(GROUPS, &rows(answer, ""), colours),
            Listed::Alerts => table(ALERTS, &rows(answer, ""), colours),
            Listed::Group => group(answer, colours),
            Listed::Topic => topic(answer, colours),
        },
    })
}

/// The largest age of an answer in seconds; `None` where no age is known.
pub fn oldest(answer: &Value, listed: Listed) -> Option<f64> {
    let age = |row: &Value| row["max_lag_seconds"].as_f64();
    match listed {
        Listed::Groups => rows(answer, "").into_iter().filter_map(age).reduce(f64::max),
        Listed::Group => age(answer),
        Listed::Topic => age(&answer["topic"]),
        Listed::Alerts => None,
    }
}

/// The rows of an array in an answer; none where there is no array.
fn rows<'a>(answer: &'a Value, at: &str) -> Vec<&'a Value> {
    answer.pointer(at).and_then(Value::as_array).into_iter().flatten().collect()
}

/// The partitions of a group, each with its topic.
fn partitions(group: &Value) -> Vec<Value> {
    let of = |topic: &Value| {
        let (name, partitions) = (topic["topic"].clone(), rows(topic, "/partitions"));
        partitions
            .into_iter()
            .cloned()
            .map(move |mut row| {
                row["topic"] = name.clone();
                row
            })
            .collect::<Vec<_>>()
    };
    rows(group, "/topics").into_iter().flat_map(of).collect()
}

/// The members of a group, each with its share of the partitions that are assigned.
fn members(group: &Value) -> Vec<Value> {
    let assigned = |member: &Value| -> usize {
        rows(member, "/assigned").into_iter().map(|topic| rows(topic, "/partitions").len()).sum()
    };
    let members = rows(group, "/members");
    let all: usize = members.iter().map(|member| assigned(member)).sum();
    let shared = |member: &Value| {
        let mut row = member.clone();
        row["share"] = if all == 0 { Value::Null } else { (assigned(member) as f64 / all as f64).into() };
        row
    };
    members.into_iter().map(shared).collect()
}

/// One group: what it is and how it stands, its topics, members, partitions and alerts, and what to do next.
fn group(group: &Value, colours: bool) -> String {
    let (members, partitions) = (members(group), partitions(group));
    let [next, why] = ["/recommendation", "/replicas/reasoning"].map(|at| group.pointer(at).and_then(Value::as_str));
    // What is said once is not said again.
    let why = why.filter(|why| !next.is_some_and(|next| next.contains(why)));
    let line = |title: &str, text: Option<&str>| {
        text.map_or_else(String::new, |text| format!("{title}  {}\n", printable(text)))
    };
    sections(vec![
        table(GROUPS, &[group], colours),
        table(OBJECTIVE, &[group], colours),
        table(CONDUCT, &[group], colours),
        table(TOPICS, &rows(group, "/topics"), colours),
        table(MEMBERS, &members.iter().collect::<Vec<_>>(), colours),
        table(PARTITIONS, &partitions.iter().collect::<Vec<_>>(), colours),
        table(HELD, &rows(group, "/alerts"), colours),
        line("ADVISED", why) + &line("NEXT", next),
    ])
}

/// One topic: how it stands, how long it keeps records, its groups and their alerts.
fn topic(detail: &Value, colours: bool) -> String {
    let config = &detail["config"];
    let kept = |name: &str| match &config[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Number(number) if number.as_f64().is_some_and(|number| number < 0.0) => "unlimited".to_owned(),
        Value::Number(number) if name == "retention_ms" => human(number.as_f64().unwrap_or(0.0) / 1e3),
        other => other.to_string(),
    };
    let names = ["retention_ms", "retention_bytes", "cleanup_policy"];
    let [time, bytes, policy] = names.map(kept);
    let kept = match config["reason"].as_str() {
        Some(why) => format!("KEPT  not known: {}\n", printable(why)),
        None => format!("KEPT  for {time}, up to {bytes} bytes, cleanup {policy}\n"),
    };
    let topics = [&detail["topic"]];
    let parts = vec![
        table(TOPIC, &topics, colours),
        kept,
        table(CONSUMERS, &rows(detail, "/consumers"), colours),
        table(ALERTS, &rows(detail, "/alerts"), colours),
    ];
    sections(parts)
}

/// The parts that have something in them, with an empty line between.
fn sections(mut parts: Vec<String>) -> String {
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// A table; empty without a row. The column of the cluster is left out where all rows have the same.
fn table(columns: &[Column], rows: &[&Value], colours: bool) -> String {
    let one = rows.iter().all(|row| row["cluster_name"] == rows[0]["cluster_name"]);
    let shown: Vec<&Column> = columns.iter().filter(|column| !(one && column.field == "/cluster_name")).collect();
    let titles: Vec<&str> = shown.iter().map(|column| column.title).collect();
    let right: Vec<&str> = shown.iter().filter(|column| column.right()).map(|column| column.title).collect();
    let mut sheet = Sheet::new(&titles, &right, colours);
    for row in rows {
        let state = shown.iter().find(|column| column.title == "STATE").and_then(|column| row.pointer(column.field));
        let state = state.and_then(|state| serde_json::from_value::<State>(state.clone()).ok());
        sheet.row(state, shown.iter().map(|column| column.cell(row)));
    }
    sheet.finish()
}

/// Rows with raw values; a field's name is its path in the answer, with dots.
fn csv<'a, R: std::borrow::Borrow<Value> + 'a>(columns: &[Column], rows: &'a [R]) -> Result<String, RenderError> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|column| column.field[1..].replace('/', ".")))?;
    for row in rows {
        writer.write_record(columns.iter().map(|column| column.raw(row.borrow())))?;
    }
    let bytes = writer.into_inner().map_err(::csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
