//! What can be asked for, in the path and after the `?`: values with their bounds, refused with a sentence that says what
//! is allowed.

mod pairs;

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::{self, Display};
use std::str::FromStr;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};

use super::refusal::Refusal;
use crate::crd::duration::Duration;
use crate::lag::Millis;

/// The query of a request; an unknown parameter, a repeated one, and a value out of bounds are refused.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let pairs = Query::from_request_parts(parts, state).await.map_err(|error| Refusal::Wrong(error.body_text()))?;
        pairs::read(pairs.0).map(Self).map_err(|error| Refusal::Wrong(error.to_string()))
    }
}

impl<T: JsonSchema> OperationInput for Asked<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        // A generator of its own: what can be left out of a query is not what can be left out of an answer.
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let parameters =
            parameters_from_schema(ctx, settings.into_generator().into_root_schema_for::<T>(), ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }
}

/// The names in the path of a request; what is no text is refused.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(names)) => Ok(Self(names)),
            Err(error) => Err(Refusal::Wrong(format!("{}: write it in UTF-8, percent-encoded", error.body_text()))),
        }
    }
}

impl<T: JsonSchema> OperationInput for Path<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::extract::Path::<T>::operation_input(ctx, operation);
    }
}

/// Reads a value as its text, for its own `FromStr` says what is allowed.
fn of_text<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

macro_rules! from_text {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                of_text(deserializer)
            }
        }
    )*};
}

from_text!(Search, Limit, Cursor, Moment, Step, Interval);

macro_rules! schema_of {
    ($name:ty, $($schema:tt)*) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($schema)*)
            }
        }
    };
}

/// A text to look for in names, in whatever case; that of no letters is in all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Search(String);

impl Search {
    pub(super) fn is_in(&self, name: &str) -> bool {
        self.0.is_empty() || name.to_lowercase().contains(&self.0)
    }
}

impl FromStr for Search {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_lowercase()))
    }
}

schema_of!(Search, { "type": "string" });

/// How many items a page has at most, 1 to 1000.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(pub(super) usize);

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole(text).filter(|limit| (1..=1_000).contains(limit)).map(Self).ok_or("write a whole number from 1 to 1000")
    }
}

schema_of!(Limit, { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 });

/// Seconds between two snapshots, 1 to 3600.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval(pub(super) std::time::Duration);

impl FromStr for Interval {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = whole(text).filter(|seconds| (1..=3_600).contains(seconds));
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Self(std::time::Duration::from_secs(seconds.ok_or("write whole seconds, 1 to 3600")?)))
    }
}

schema_of!(Interval, { "type": "integer", "minimum": 1, "maximum": 3600 });

/// Digits alone, without sign.
fn whole(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Where the page before ended: a number and a name, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) number: u64,
    pub(super) name: Vec<u8>,
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write the next_cursor of the page before, or leave it out";
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let (number, name) =
            text.split_at_checked(16).filter(|_| digits && text.len().is_multiple_of(2)).ok_or(WRONG)?;
        let byte = |at: usize| name.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let name: Option<Vec<u8>> = (0..name.len()).step_by(2).map(byte).collect();
        Ok(Self { number: u64::from_str_radix(number, 16).map_err(|_| WRONG)?, name: name.ok_or(WRONG)? })
    }
}

impl Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.number)?;
        self.name.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

schema_of!(Cursor, { "type": "string", "pattern": "^[0-9a-f]{16}([0-9a-f]{2})*$" });

/// A point in time: RFC 3339, or seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Millis);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write a time such as 2026-03-01T12:00:00Z, or seconds since 1970";
        let (seconds, part) = text.split_once('.').unwrap_or((text, "0"));
        if let (Some(_), Some(_), 1..=10, ..=19) = (whole(seconds), whole(part), seconds.len(), part.len()) {
            return text.parse().map(|seconds: f64| Self((seconds * 1e3) as Millis)).map_err(|_| WRONG);
        }
        text.parse().map(|time: jiff::Timestamp| Self(time.as_millisecond())).map_err(|_| WRONG)
    }
}

schema_of!(Moment, { "anyOf": [
    { "type": "string", "format": "date-time" },
    { "type": "string", "pattern": "^[0-9]{1,10}(\\.[0-9]{1,19})?$" }
] });

/// Time between two points: whole seconds, or a duration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step(pub(super) Millis);

impl FromStr for Step {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = whole(text).filter(|_| (1..=8).contains(&text.len())).map(|seconds| seconds as Millis * 1_000);
        let millis = seconds.or_else(|| text.parse().ok().map(Duration::millis));
        millis
            .filter(|millis| *millis >= 1_000)
            .map(Self)
            .ok_or("write seconds, or a duration such as 30s, 5m, 1h; 1s at least")
    }
}

schema_of!(Step, { "type": "string", "pattern": "^([1-9][0-9]{0,7}s?|[1-9][0-9]{0,5}m|[1-9][0-9]{0,4}h)$" });

/// The fields that a list can be sorted by.
pub(super) trait Field: Copy + Default + 'static {
    /// Their names in a query.
    const NAMES: &'static [(&'static str, Self)];
}

/// By which field a list is sorted, and from which end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sort<F> {
    pub(super) field: F,
    pub(super) descending: bool,
}

impl<'de, F: Field> Deserialize<'de> for Sort<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let (name, descending) = text.strip_prefix('-').map_or((&*text, false), |name| (name, true));
        let found = F::NAMES.iter().find(|(known, _)| *known == name);
        let names = || F::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let unknown = || de::Error::custom(format!("write one of {}, with - before it for descending order", names()));
        found.map(|(_, field)| Self { field: *field, descending }).ok_or_else(unknown)
    }
}

impl<F: Field> JsonSchema for Sort<F> {
    fn schema_name() -> Cow<'static, str> {
        "Sort".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = F::NAMES.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]);
        json_schema!({ "type": "string", "enum": names.collect::<Vec<_>>() })
    }
}
