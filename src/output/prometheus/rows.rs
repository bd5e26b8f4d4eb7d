//! Writes samples: a name, labels, a value, and the end of the line.

use std::io::Write;

use super::units::label;
use crate::board::account::{BUCKETS, Durations};

/// The value of a sample. What is not finite is not written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Int(i64),
    Float(f64),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// The samples of one family about one unit.
pub(super) struct Rows<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// The name of the family.
    pub(super) name: &'a str,
    /// The labels of the unit.
    pub(super) labels: &'a str,
}

impl Rows<'_> {
    /// One sample with the unit's labels alone, where the value is known.
    pub(super) fn put<V: Into<Value>>(&mut self, value: Option<V>) {
        if let Some(value) = value.map(Into::into) {
            self.line("", value);
        }
    }

    /// One sample with further labels.
    pub(super) fn put_with(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        let further: Vec<String> = labels.iter().map(|(name, value)| label(name, value)).collect();
        self.line(&further.join(","), value.into());
    }

    /// A closed list as one sample a variant, 1 for the one that holds and 0 for the others; none where none is known.
    pub(super) fn put_variant<T: Copy + PartialEq>(&mut self, name: &str, all: &[(&str, T)], holds: Option<T>) {
        if let Some(holds) = holds {
            for (word, variant) in all {
                self.put_with(&[(name, word)], *variant == holds);
            }
        }
    }

    /// One sample a partition, by number, where its value is known.
    pub(super) fn put_partitions(&mut self, values: impl Iterator<Item = (i32, Option<Value>)>) {
        let comma = if self.labels.is_empty() { "" } else { "," };
        let head = format!("{}{{{}{comma}partition=\"", self.name, self.labels);
        for (number, value) in values {
            if let Some(value) = value.filter(finite) {
                self.out.extend_from_slice(head.as_bytes());
                put_number(self.out, Value::Int(number.into()));
                self.out.extend_from_slice(b"\"} ");
                put_number(self.out, value);
                self.out.push(b'\n');
            }
        }
    }

    /// A histogram of durations in seconds: a sample a bucket, which counts those before it too, their sum and count.
    pub(super) fn put_durations(&mut self, durations: &Durations) {
        let name = self.name;
        let (bucket, sum, count) = (format!("{name}_bucket"), format!("{name}_sum"), format!("{name}_count"));
        let mut below = 0;
        for (bound, here) in BUCKETS.iter().zip(durations.counts) {
            below += here;
            self.of(&bucket).put_with(&[("le", &bound.to_string())], below);
        }
        self.of(&bucket).put_with(&[("le", "+Inf")], durations.count);
        self.of(&sum).put(Some(durations.sum));
        self.of(&count).put(Some(durations.count));
    }

    fn of<'a>(&'a mut self, name: &'a str) -> Rows<'a> {
        Rows { out: self.out, name, labels: self.labels }
    }

    fn line(&mut self, further: &str, value: Value) {
        if !finite(&value) {
            return;
        }
        self.out.extend_from_slice(self.name.as_bytes());
        if !self.labels.is_empty() || !further.is_empty() {
            self.out.push(b'{');
            self.out.extend_from_slice(self.labels.as_bytes());
            if !self.labels.is_empty() && !further.is_empty() {
                self.out.push(b',');
            }
            self.out.extend_from_slice(further.as_bytes());
            self.out.push(b'}');
        }
        self.out.push(b' ');
        put_number(self.out, value);
        self.out.push(b'\n');
    }
}

fn finite(value: &Value) -> bool {
    !matches!(value, Value::Float(value) if !value.is_finite())
}

fn put_number(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Int(value) => put_integer(out, value),
        Value::Float(value) => put_float(out, value),
    }
}

/// Most numbers are seconds of whole milliseconds, for which digits are found faster than by the search for the
/// shortest ones. These are the shortest: no two numbers of at most fifteen digits are the same float.
fn put_float(out: &mut Vec<u8>, value: f64) {
    let millis = (value * 1e3).round();
    if !(0.0..1e15).contains(&millis) || millis / 1e3 != value || value.is_sign_negative() {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{value}");
        return;
    }
    let millis = millis as i64;
    put_integer(out, millis / 1_000);
    let mut rest = millis % 1_000;
    if rest > 0 {
        out.push(b'.');
    }
    while rest > 0 {
        out.push(b'0' + (rest / 100) as u8);
        rest = rest % 100 * 10;
    }
}

fn put_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let first = out.len();
    let mut rest = value.unsigned_abs();
    loop {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out[first..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(labels: &str, put: impl FnOnce(&mut Rows<'_>)) -> String {
        let mut out = Vec::new();
        put(&mut Rows { out: &mut out, name: "m", labels });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn samples_have_the_labels_that_they_need() {
        assert_eq!(written("", |rows| rows.put(Some(1.5))), "m 1.5\n");
        assert_eq!(written("a=\"b\"", |rows| rows.put(Some(7_i64))), "m{a=\"b\"} 7\n");
        assert_eq!(written("", |rows| rows.put_with(&[("x", "1\"")], 0_u32)), "m{x=\"1\\\"\"} 0\n");
        assert_eq!(written("a=\"b\"", |rows| rows.put_with(&[("x", "y")], true)), "m{a=\"b\",x=\"y\"} 1\n");
        let all = [("one", 1), ("two", 2)];
        let shown = written("", |rows| rows.put_variant("v", &all, Some(2)));
        assert_eq!(shown, "m{v=\"one\"} 0\nm{v=\"two\"} 1\n");
    }

    #[test]
    fn digits_are_those_of_display() {
        let shown = |value: Value| {
            let mut out = Vec::new();
            put_number(&mut out, value);
            String::from_utf8(out).unwrap()
        };
        for value in [0, 7, -1, 10, 1_050, i64::MAX, i64::MIN] {
            assert_eq!(shown(value.into()), value.to_string());
        }
        let odd = [0.0, -0.0, -1.5, 0.1 + 0.2, 1e-7, 999_999_999_999.999, 1e15, 1e300, f64::MIN_POSITIVE];
        let millis = (0..100_000).map(|n| (n * 7_919_i64 % 1_000_003 * n) as f64 / 1e3);
        for value in odd.into_iter().chain(millis).chain([0.001, 0.01, 0.1, 1.0, 1.01, 10.1, 100.0]) {
            assert_eq!(shown(value.into()), value.to_string());
        }
    }

    #[test]
    fn a_bucket_counts_those_before_it_too() {
        let mut durations = Durations::default();
        for seconds in [0.25, 2.0, 100.0] {
            durations.add(std::time::Duration::from_secs_f64(seconds));
        }
        let shown = written("", |rows| rows.put_durations(&durations));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[4..7], ["m_bucket{le=\"0.1\"} 0", "m_bucket{le=\"0.5\"} 1", "m_bucket{le=\"1\"} 1"]);
        assert_eq!(lines[9..], ["m_bucket{le=\"+Inf\"} 3", "m_sum 102.25", "m_count 3"]);
    }

    #[test]
    fn the_unknown_and_the_unreal_are_absent() {
        assert_eq!(written("", |rows| rows.put(None::<f64>)), "");
        assert_eq!(written("", |rows| rows.put(Some(f64::NAN))), "");
        assert_eq!(written("", |rows| rows.put_variant("v", &[("one", 1)], None)), "");
        let values = [0.5, f64::INFINITY, 1e-9, 1e21];
        let shown = written("a=\"b\"", |rows| rows.put_partitions(values.iter().map(|v| (3, Some((*v).into())))));
        let expected = ["0.5", "0.000000001", "1000000000000000000000"];
        assert_eq!(shown, expected.map(|v| format!("m{{a=\"b\",partition=\"3\"}} {v}\n")).concat());
    }
}
