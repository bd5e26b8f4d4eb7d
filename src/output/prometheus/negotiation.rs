//! Which of the two formats a scraper wants, by its `Accept` header (RFC 9110 §12.5.1).

/// A format of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of a response in this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// OpenMetrics where the header names it, in a version that we speak, and likes it no less than text. Text for
    /// everybody else, however odd the header: a scrape is better answered than refused.
    pub fn accepted(accept: &str) -> Self {
        let (mut open_metrics, mut text) = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameter = |name: &str| {
                let value = range.split(';').skip(1).filter_map(|p| p.split_once('='));
                value
                    .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name))
                    .map(|(_, v)| v.trim().trim_matches('"'))
                    .next()
            };
            let quality = parameter("q").map_or(1.0, |q| q.parse::<f64>().unwrap_or(0.0));
            match kind.as_str() {
                "application/openmetrics-text" if parameter("version").is_none_or(|v| v == "1.0.0") => {
                    open_metrics = quality.max(open_metrics);
                }
                "text/plain" | "text/*" => text = quality.max(text),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_go_by_the_header() {
        let cases = [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; charset=utf-8", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.3", Format::Text),
            ("application/openmetrics-text;version=1.0.0;q=x", Format::Text),
            // Prometheus 2 and 3.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_a_format_that_their_header_does_not_name(
            accept in "(application/openmetrics-text|text/plain|,|;| |q|version|=|1\\.0\\.0|0\\.[0-9]|\"|\\PC){0,12}",
        ) {
            let named = accept.to_ascii_lowercase().contains("application/openmetrics-text");
            prop_assert!(named || Format::accepted(&accept) == Format::Text);
        }

        #[test]
        fn the_format_is_that_which_is_liked_better(text in 0_u16..=1000, open_metrics in 0_u16..=1000) {
            let [t, o] = [text, open_metrics].map(|quality| f64::from(quality) / 1000.0);
            let accept = format!("text/plain;q={t}, application/openmetrics-text; q={o}");
            let expected = if open_metrics > 0 && open_metrics >= text { Format::OpenMetrics } else { Format::Text };
            prop_assert_eq!(Format::accepted(&accept), expected, "{}", accept);
        }
    }
}
