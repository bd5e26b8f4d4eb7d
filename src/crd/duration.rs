//! A length of time as people write it in a resource: `90s`, `5m`, `1h30m`, `500ms`.
//!
//! Hours, minutes, seconds, milliseconds, in that order, whole numbers. Bounds are left to the fields.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a duration looks like; the number of digits keeps the sum far below what CEL's `duration()` can hold.
pub(super) const PATTERN: &str = "^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?([0-9]{1,11}ms)?$";

/// The longest duration as text, in characters.
const MAX_LENGTH: usize = 20;

/// Milliseconds of each unit, largest first.
const UNITS: [(&str, usize, i64); 4] = [("h", 5, 3_600_000), ("m", 6, 60_000), ("s", 8, 1_000), ("ms", 11, 1)];

/// A length of time, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a duration as hours, minutes, seconds and milliseconds, such as 90s, 5m, 1h30m or 500ms")]
pub struct DurationError;

impl Duration {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self(seconds as i64 * 1_000)
    }

    /// So many minutes.
    #[must_use]
    pub const fn minutes(minutes: u32) -> Self {
        Self(minutes as i64 * 60_000)
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(DurationError);
        }
        let (mut rest, mut millis) = (text, 0_i64);
        for (unit, most_digits, factor) in UNITS {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, behind) = rest.split_at(digits);
            let Some(behind) = behind.strip_prefix(unit) else { continue };
            // `m` is also the beginning of `ms`.
            if unit == "m" && behind.starts_with('s') {
                continue;
            }
            if digits == 0 || digits > most_digits {
                return Err(DurationError);
            }
            millis += number.parse::<i64>().map_err(|_| DurationError)? * factor;
            rest = behind;
        }
        if rest.is_empty() { Ok(Self(millis)) } else { Err(DurationError) }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, _, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX_LENGTH })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1m500ms", 60_500),
            ("0s", 0),
            ("2h0m5s", 7_205_000),
        ] {
            assert_eq!(text.parse::<Duration>().unwrap().millis(), millis, "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in
            ["", "5", "s", "-5m", "1.5h", "5m1h", "5 m", "1d", "1h1h", "123456h", "99999999999999999999ms", "5M"]
        {
            assert_eq!(text.parse::<Duration>(), Err(DurationError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0_i64..359_999_999_999) {
            let duration = Duration(millis);
            prop_assert_eq!(duration.to_string().parse::<Duration>(), Ok(duration));
        }

        #[test]
        fn accepts_exactly_what_the_pattern_accepts(text in "[0-9]{0,6}(h|m|s|ms|d)?[0-9]{0,9}(m|s|ms)?") {
            let allowed = (1..=MAX_LENGTH).contains(&text.len()) && regex::Regex::new(PATTERN).unwrap().is_match(&text);
            prop_assert_eq!(text.parse::<Duration>().is_ok(), allowed);
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = text.parse::<Duration>();
        }
    }
}
