//! Lengths of time as an on-call person says them: `850ms`, `4.2s`, `4m12s`, `5h12m`, `3d2h`.
//!
//! Two units at most; what is smaller is cut off, except for a bound, which is never shown narrower than it is.

/// A length of time in seconds, cut off to what is shown. Negative and unknown lengths do not occur in a report.
pub fn human(seconds: f64) -> String {
    show(micros(seconds) / 1_000)
}

/// The same, rounded up to what is shown.
pub fn human_bound(seconds: f64) -> String {
    let millis = (micros(seconds) + 999) / 1_000;
    let step = match millis {
        ..1_000 => 1,
        1_000..10_000 => 100,
        10_000..3_600_000 => 1_000,
        3_600_000..86_400_000 => 60_000,
        _ => 3_600_000,
    };
    show((millis + step - 1) / step * step)
}

/// Rounded, because 0.057 × 1,000 is a little more than 57 in binary.
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

fn show(millis: i64) -> String {
    let seconds = millis / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match millis {
        ..1 => "0s".into(),
        1..1_000 => format!("{millis}ms"),
        1_000..10_000 if millis % 1_000 >= 100 => format!("{seconds}.{}s", millis % 1_000 / 100),
        1_000..60_000 => format!("{seconds}s"),
        60_000..3_600_000 => format!("{minutes}m{}s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_cut_off() {
        let cases = [
            (0.0, "0s"),
            (0.0004, "0s"),
            (0.85, "850ms"),
            (1.0, "1s"),
            (1.001, "1s"),
            (4.29, "4.2s"),
            (4.6, "4.6s"),
            (59.9999, "59s"),
            (252.0, "4m12s"),
            (3_599.9, "59m59s"),
            (18_720.0, "5h12m"),
            (266_400.0, "3d2h"),
            (3.2e8, "3703d16h"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(human(seconds), shown, "{seconds}");
        }
    }

    #[test]
    fn bounds_are_rounded_up() {
        let cases = [
            (0.0, "0s"),
            (0.0004, "1ms"),
            (0.057, "57ms"),
            (0.9995, "1s"),
            (4.21, "4.3s"),
            (9.95, "10s"),
            (59.5, "1m0s"),
            (3_599.5, "1h0m"),
            (86_399.0, "1d0h"),
            (86_401.0, "1d1h"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(human_bound(seconds), shown, "{seconds}");
        }
    }
}
