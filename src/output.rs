//! A report as table, JSON, YAML, CSV, file, ConfigMap and metrics. Computes nothing that the report does not say.

pub mod config_map;
pub mod csv;
pub mod detail;
pub mod duration;
pub mod file;
pub mod filter;
pub mod json;
pub mod listed;
pub mod prometheus;
pub mod table;
pub(crate) mod word;

#[cfg(test)]
pub(crate) mod sample;

use crate::lag::report::Report;

/// The ways in which a person can ask for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A row a group and topic, worst first.
    Table,
    /// A row a partition, worst group and topic first.
    Wide,
    /// The report itself, indented; one a line with `--watch`.
    Json,
    /// The report itself as YAML.
    Yaml,
    /// A row a partition, raw numbers, with a header.
    Csv,
}

/// Why a report could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The JSON writer refused.
    #[error("the report could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The YAML writer refused.
    #[error("the report could not be written as YAML")]
    Yaml(#[from] serde_saphyr::SerializeError),
    /// Even without its rows it is too large: the cluster's list of brokers is.
    #[error("the report would be larger than {most} bytes even without groups, errors and topics")]
    TooLarge {
        /// The limit in bytes.
        most: usize,
    },
    /// The writer refused.
    #[error("the report could not be written")]
    Write(#[from] std::io::Error),
    /// The CSV writer refused.
    #[error("the report could not be written as CSV")]
    Csv(#[from] ::csv::Error),
}

/// A report in the format that was asked for, each line ended; `colours` counts for the tables only.
///
/// # Errors
/// Where a library refuses to serialize, which no report is known to provoke.
pub fn render(report: &Report, format: Format, colours: bool) -> Result<String, RenderError> {
    Ok(match format {
        Format::Table => table::table(report, colours),
        Format::Wide => table::wide(report, colours),
        Format::Json => json::pretty(report)?,
        Format::Yaml => serde_saphyr::to_string(report)?,
        Format::Csv => csv::rows(report)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_ends_its_last_line_and_shows_the_same_twice() {
        let report = sample::report();
        for format in <Format as clap::ValueEnum>::value_variants() {
            let shown = render(&report, *format, false).unwrap();
            assert!(shown.ends_with('\n') && !shown.ends_with("\n\n"), "{format:?}");
            assert!(!shown.contains("NaN"), "{format:?}");
            assert_eq!(shown, render(&report, *format, false).unwrap(), "{format:?}");
        }
    }

    #[test]
    fn yaml_is_the_same_report_as_json() {
        let report = sample::report();
        let yaml: serde_json::Value = serde_saphyr::from_str(&render(&report, Format::Yaml, false).unwrap()).unwrap();
        assert_eq!(yaml, serde_json::to_value(&report).unwrap());
    }
}
