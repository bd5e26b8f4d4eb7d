//! The report as JSON, and the JSON Schema that it keeps to. Answers of the API are others, made of parts of it.

use std::io::{self, Write};

use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::lag::report::Report;

/// For people: indented, as `kubectl -o json` does it, with a newline at the end.
///
/// # Errors
/// Where serde refuses, which no report is known to provoke.
pub fn pretty(report: &Report) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// For programs: one line, with a newline at the end, written as it is rendered.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, mut out: impl Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut out, report)?;
    out.write_all(b"\n")
}

/// For both: a line a field and a line a row of `groups`, `errors` and `topics`, with a newline at the end, written as
/// it is rendered. It is hardly longer than one line, and it can be read, searched and compared line by line.
///
/// # Errors
/// Those of the writer.
pub fn lines(report: &Report, mut out: impl Write) -> io::Result<()> {
    report.serialize(&mut Serializer::with_formatter(&mut out, Lines::default()))?;
    out.write_all(b"\n")
}

/// Breaks the line before each field of the outermost object and before each row of an array in it.
#[derive(Default)]
struct Lines {
    depth: usize,
}

impl Formatter for Lines {
    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(separator(first, self.depth == 1))
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(separator(first, self.depth == 2))
    }
}

fn separator(first: bool, line: bool) -> &'static [u8] {
    match (first, line) {
        (true, true) => b"\n",
        (true, false) => b"",
        (false, true) => b",\n",
        (false, false) => b",",
    }
}

/// The JSON Schema (2020-12) of the report. Further fields may be added within a version, so it admits them.
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Report>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lag::report::Detail;
    use crate::output::{detail, sample};

    #[test]
    fn a_report_of_each_detail_keeps_to_the_schema() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for level in [Detail::Group, Detail::Topic, Detail::Partition] {
            let report = serde_json::to_value(detail::lowered(&sample::report(), level)).unwrap();
            let wrong: Vec<String> = validator.iter_errors(&report).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{level:?}: {wrong:?}");
        }
    }

    #[test]
    fn the_schema_refuses_what_is_no_report() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let good = serde_json::to_value(sample::report()).unwrap();
        for (path, value) in [
            ("/groups/0/state", "offline".into()),
            ("/groups/0/max_lag_seconds", "1s".into()),
            ("/groups/0/topics/0/partitions/0/anomalies", serde_json::json!(["odd"])),
            ("/generated_at", 12.into()),
            ("/cluster/name", serde_json::Value::Null),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap() = value;
            assert!(!validator.is_valid(&bad), "{path}");
        }
        let mut short = good.clone();
        short.as_object_mut().unwrap().remove("schema_version");
        assert!(!validator.is_valid(&short));
    }

    #[test]
    fn every_writing_is_one_value_and_no_number_is_unreal() {
        let mut report = sample::report();
        report.groups[0].max_lag_seconds = Some(f64::NAN);
        let mut line = Vec::new();
        write(&report, &mut line).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let pretty: serde_json::Value = serde_json::from_str(&pretty(&report).unwrap()).unwrap();
        assert_eq!(line, pretty);
        let mut rows = Vec::new();
        lines(&report, &mut rows).unwrap();
        assert_eq!(line, serde_json::from_slice::<serde_json::Value>(&rows).unwrap());
        assert!(line.pointer("/groups/0/max_lag_seconds").unwrap().is_null());
        assert_eq!(line.pointer("/generated_at").unwrap(), "2026-03-01T12:00:00.000Z");
    }

    #[test]
    fn lines_are_fields_and_rows() {
        let report = detail::lowered(&sample::report(), Detail::Group);
        let mut text = Vec::new();
        lines(&report, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let opening =
            ["{", "\"schema_version\":1,", "\"monitor\":{", "\"team\":", "\"cluster\":{\"name\":", "\"generated_at\":"];
        for (line, begins) in text.lines().zip(opening) {
            assert!(line.starts_with(begins), "{line}");
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("{\"group_id\":")).count(), report.groups.len());
        assert_eq!(text.lines().filter(|line| line.starts_with("{\"topic\":")).count(), report.topics.len());
        let mut line = Vec::new();
        write(&report, &mut line).unwrap();
        assert_eq!(text.replace('\n', ""), String::from_utf8(line).unwrap().trim_end());
    }
}
