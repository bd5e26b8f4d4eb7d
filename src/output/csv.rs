//! The report as CSV: a row a partition with raw numbers, for spreadsheets and scripts. Unknown is an empty field.

use serde::Serialize;

use super::word::word;
use crate::lag::report::{Clock, Group, GroupPartition, GroupTopic, Method, Report, State, Timestamp};

#[derive(Serialize)]
struct Row<'a> {
    cluster_name: &'a str,
    generated_at: Timestamp,
    group_id: &'a str,
    topic: &'a str,
    partition: i32,
    state: Option<State>,
    lag_seconds: Option<f64>,
    bound_seconds: Option<f64>,
    method: Option<Method>,
    clock: Option<Clock>,
    lag_records: Option<i64>,
    committed_offset: Option<i64>,
    log_start_offset: Option<i64>,
    log_end_offset: Option<i64>,
    records_lost: i64,
    stale_seconds: Option<f64>,
    member_id: Option<&'a str>,
    anomalies: String,
}

/// Every partition of every group, in the order of the report, below a header. Several anomalies are parted by spaces.
/// A report at a lesser detail has no rows.
///
/// # Errors
/// Where the writer refuses, which no report is known to provoke.
pub fn rows(report: &Report) -> Result<String, ::csv::Error> {
    let mut out = ::csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    out.write_record(COLUMNS)?;
    for group in &report.groups {
        for topic in group.topics.iter().flatten() {
            for partition in topic.partitions.iter().flatten() {
                out.serialize(row(report, group, topic, &partition))?;
            }
        }
    }
    let bytes = out.into_inner().map_err(|error| ::csv::Error::from(error.into_error()))?;
    String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error).into())
}

/// Written by hand because the header stands even where no row follows.
const COLUMNS: [&str; 18] = [
    "cluster_name",
    "generated_at",
    "group_id",
    "topic",
    "partition",
    "state",
    "lag_seconds",
    "bound_seconds",
    "method",
    "clock",
    "lag_records",
    "committed_offset",
    "log_start_offset",
    "log_end_offset",
    "records_lost",
    "stale_seconds",
    "member_id",
    "anomalies",
];

fn row<'a>(report: &'a Report, group: &'a Group, topic: &'a GroupTopic, partition: &GroupPartition<'a>) -> Row<'a> {
    Row {
        cluster_name: &report.cluster.name,
        generated_at: report.generated_at,
        group_id: &group.group_id,
        topic: &topic.topic,
        partition: partition.partition,
        state: topic.state,
        lag_seconds: partition.lag_seconds,
        bound_seconds: partition.bound_seconds,
        method: partition.method,
        clock: partition.clock,
        lag_records: partition.lag_records,
        committed_offset: partition.committed_offset,
        log_start_offset: partition.log_start_offset,
        log_end_offset: partition.log_end_offset,
        records_lost: partition.records_lost,
        stale_seconds: partition.stale_seconds,
        member_id: partition.member_id.map(|member| &**member),
        anomalies: partition.anomalies.iter().map(word).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{detail, sample};

    #[test]
    fn each_partition_is_a_row_and_reads_back() {
        let text = rows(&sample::report()).unwrap();
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
        let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 7);
        let first: Vec<&str> = rows[0].iter().collect();
        assert_eq!(
            first[2..12],
            ["billing", "orders", "0", "OFFLINE", "266400.0", "", "at_least", "append", "60", "10"]
        );
        assert_eq!(first[12..], ["40", "100", "30", "61.5", "", "timestamps_ahead record_hidden"]);
        assert_eq!(&rows[6][2], sample::AWKWARD);
        assert_eq!((&rows[6][6], &rows[6][11]), ("", ""), "unknown is empty");
    }

    #[test]
    fn the_header_is_that_of_the_fields_and_stands_without_rows() {
        let report = detail::lowered(&sample::report(), crate::lag::report::Detail::Topic);
        assert_eq!(rows(&report).unwrap(), COLUMNS.join(",") + "\n");
        let report = sample::report();
        let topic = &report.groups[0].topics.as_ref().unwrap()[0];
        let row = row(&report, &report.groups[0], topic, &topic.partitions.iter().flatten().next().unwrap());
        let mut derived = ::csv::Writer::from_writer(Vec::new());
        derived.serialize(row).unwrap();
        let derived = String::from_utf8(derived.into_inner().unwrap()).unwrap();
        assert_eq!(derived.lines().next().unwrap(), COLUMNS.join(","));
    }
}
