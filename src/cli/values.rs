//! What a flag's value may be, and words that say so. The values of one flag alone; how flags fit together is left to
//! the commands.

use std::net::SocketAddr;

use regex::Regex;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::targets::Targets;

use crate::crd::BROKER;
use crate::crd::duration::Duration;
use crate::lag::report::{AlertKind, Severity, State};

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// A bootstrap server, `host:port`.
pub(super) fn broker(text: &str) -> Result<String, String> {
    let broker = text.trim();
    let port = broker.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    match port.is_some() && Regex::new(BROKER).is_ok_and(|pattern| pattern.is_match(broker)) {
        true => Ok(broker.to_owned()),
        false => Err("write host:port with a port from 1 to 65535, such as kafka-1:9092 or [::1]:9092".to_owned()),
    }
}

/// Levels and `target=level`, by comma. The library alone would take a misspelt level for a target, and log nothing.
pub(super) fn log_level(text: &str) -> Result<Targets, String> {
    let directive = |part: &str| match part.trim().to_ascii_lowercase().as_str() {
        "warning" => Some("warn".to_owned()),
        word if word.contains('=') || LEVELS.contains(&word) => Some(part.trim().to_owned()),
        _ => None,
    };
    let directives: Option<Vec<String>> = text.split(',').map(directive).collect();
    let targets = directives.and_then(|directives| directives.join(",").parse().ok());
    targets.map(without_answers).ok_or_else(|| {
        format!(
            "write {}, or directives such as info,highwater::kafka=debug",
            LEVELS.join(", ").replace("warn", "warn (or warning)")
        )
    })
}

/// The library that talks to the API server logs answers that it cannot read as they are, and a Secret may be one: it is
/// silent unless it is asked for by its name.
fn without_answers(targets: Targets) -> Targets {
    match targets.iter().any(|(target, _)| target.starts_with(ANSWERS)) {
        true => targets,
        false => targets.with_target(ANSWERS, LevelFilter::OFF),
    }
}

const ANSWERS: &str = "kube_client";

/// Where to listen.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and port, such as 127.0.0.1:8080".to_owned())
}

/// An origin as browsers send it, or `*`.
pub(super) fn origin(text: &str) -> Result<http::HeaderValue, String> {
    let pattern = Regex::new(r"^(\*|https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?)$");
    let origin = text.parse().ok().filter(|_| pattern.is_ok_and(|pattern| pattern.is_match(text)));
    origin.ok_or_else(|| {
        "write scheme, host and port without a path, such as https://grafana.example.org, or *".to_owned()
    })
}

/// A name, or a namespace and a name, as Kubernetes has them.
pub(super) fn lease(text: &str) -> Result<String, String> {
    let pattern = Regex::new("^([a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9.-]*$");
    match pattern.is_ok_and(|pattern| pattern.is_match(text)) && text.len() <= 253 {
        true => Ok(text.to_owned()),
        false => Err("write a name, or a namespace and a name with a slash between, such as highwater".to_owned()),
    }
}

/// The name of a ClusterRole.
pub(super) fn role(text: &str) -> Result<String, String> {
    let pattern = Regex::new("^[A-Za-z0-9][A-Za-z0-9._:-]*$");
    match pattern.is_ok_and(|pattern| pattern.is_match(text)) && text.len() <= 253 {
        true => Ok(text.to_owned()),
        false => Err("write the name of a ClusterRole, such as highwater-secrets".to_owned()),
    }
}

/// Who somebody is, in as much room as there is for that in what Kubernetes keeps.
pub(super) fn identity(text: &str) -> Result<String, String> {
    let pattern = Regex::new("^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$");
    match pattern.is_ok_and(|pattern| pattern.is_match(text)) {
        true => Ok(text.to_owned()),
        false => Err("write a name of 1 to 100 letters, digits, ., _ and -, such as highwater-0".to_owned()),
    }
}

/// How many times as fast as the wall clock.
pub(super) fn speed(text: &str) -> Result<u16, String> {
    let speed = text.parse().ok().filter(|speed| (1..=1000).contains(speed));
    speed.ok_or_else(|| "write a whole number from 1 to 1000".to_owned())
}

/// A wait that ends, and is no busy loop.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    let wait: Duration = text.parse().map_err(|error| format!("{error}"))?;
    match wait.millis() {
        100..=3_600_000 => Ok(wait),
        _ => Err("write a duration from 100ms to 1h".to_owned()),
    }
}

/// A state of a group, in any case.
pub(super) fn state(word: &str) -> Result<State, String> {
    match word.to_ascii_uppercase().as_str() {
        "ONLINE" => Ok(State::Online),
        "OFFLINE" => Ok(State::Offline),
        "RECOVERING" => Ok(State::Recovering),
        _ => Err("write ONLINE, OFFLINE or RECOVERING".to_owned()),
    }
}

/// The severity of an alert.
pub(super) fn severity(word: &str) -> Result<Severity, String> {
    match word {
        "critical" => Ok(Severity::Critical),
        "warning" => Ok(Severity::Warning),
        _ => Err("write critical or warning".to_owned()),
    }
}

/// The kind of an alert.
pub(super) fn alert(word: &str) -> Result<AlertKind, String> {
    let names = || AlertKind::ALL.map(AlertKind::word).join(", ");
    AlertKind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| format!("write one of {}", names()))
}

/// Where an API is served. A token in it would be seen by others.
pub(super) fn server(text: &str) -> Result<String, String> {
    let pattern =
        Regex::new(r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~%/-]*)?$");
    match pattern.is_ok_and(|pattern| pattern.is_match(text)) {
        true => Ok(text.to_owned()),
        false => Err("write scheme, host, port and path alone, such as https://lag.example.org/highwater".to_owned()),
    }
}

/// A ServiceAccount, `namespace/name`.
pub(super) fn account(text: &str) -> Result<(String, String), String> {
    let pattern = Regex::new("^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*$");
    let found = text.split_once('/').filter(|_| pattern.is_ok_and(|pattern| pattern.is_match(text)));
    let found = found.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    found.ok_or_else(|| "write its namespace and its name with a slash between, such as shop/viewer".to_owned())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;
    use tracing::Level;

    use super::*;

    #[test]
    fn a_broker_is_what_the_resource_takes() {
        for good in ["localhost:9092", "10.0.0.1:1", "[::1]:65535", " b-2.example.com:9094"] {
            assert_eq!(broker(good), Ok(good.trim().to_owned()));
        }
        for bad in ["foo", "127.0.0.1:99999", "127.0.0.1:0", "http://localhost:9092", "::1:9092", ":9092", ""] {
            assert!(broker(bad).unwrap_err().contains("host:port"), "{bad}");
        }
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        for (text, level) in [("warning", Level::WARN), ("WARN", Level::WARN), ("info,highwater=trace", Level::TRACE)] {
            let targets = log_level(text).unwrap();
            assert!(targets.would_enable("highwater::cli", &level), "{text}");
            assert_eq!(targets.would_enable("other", &Level::INFO), text.starts_with("info"), "{text}");
        }
        let shows = |text| log_level(text).unwrap().would_enable("kube_client::client", &Level::WARN);
        assert_eq!(["info", "trace", "info,kube_client=debug"].map(shows), [false, false, true]);
        assert!(!log_level("off").unwrap().would_enable("highwater", &Level::ERROR));
        for bad in ["bogus", "", "3", "info,bogus", "highwater=bogus", "info,"] {
            assert!(log_level(bad).unwrap_err().contains("error, warn"), "{bad}");
        }
    }

    #[test]
    fn a_server_has_no_room_for_a_token() {
        for good in ["http://127.0.0.1:8080", "https://[::1]/a/", "https://lag.example.org/high%20water"] {
            assert_eq!(server(good).as_deref(), Ok(good));
        }
        for bad in ["", "localhost:8080", "http://a:b@c", "https://c/?token=x", "https://c/#x", "ftp://c", "http://c d"]
        {
            assert!(server(bad).unwrap_err().contains("https://lag.example.org"), "{bad}");
        }
        assert_eq!(account("shop/viewer"), Ok(("shop".into(), "viewer".into())));
        assert!(["shop", "shop/", "/viewer", "a/b/c"].iter().all(|bad| account(bad).is_err()));
        assert!(alert("stuck").unwrap_err().contains("stuck_partitions"));
        assert_eq!((alert("slo_violated"), severity("warning")), (Ok(AlertKind::SloViolated), Ok(Severity::Warning)));
    }

    #[test]
    fn numbers_have_bounds_and_errors_name_them() {
        assert_eq!((wait("100ms").unwrap().millis(), wait("1h").unwrap().millis()), (100, 3_600_000));
        assert!(["0s", "99ms", "1h1ms"].iter().all(|text| wait(text).unwrap_err().contains("100ms to 1h")));
        assert!(wait("soon").unwrap_err().contains("90s"));
        assert_eq!((speed("1"), speed("1000")), (Ok(1), Ok(1000)));
        assert!(["0", "1001", "1.5", "-1"].iter().all(|text| speed(text).unwrap_err().contains("1 to 1000")));
        assert!(address("8080").unwrap_err().contains("127.0.0.1:8080") && address("[::]:80").is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(https?://|info|highwater|[A-Za-z]|[0-9]|[.:/@*=,_ -]|\\[|\\]|\\PC){0,16}") {
            let _ = (broker(&text), log_level(&text), address(&text), origin(&text), lease(&text), role(&text));
            let _ = (identity(&text), speed(&text), wait(&text), state(&text), severity(&text), alert(&text));
            let _ = (server(&text), account(&text));
        }

        #[test]
        fn a_broker_that_is_taken_has_a_host_and_a_port(
            text in " ?(\\[[0-9a-f:]{0,6}\\]|[a-z0-9.-]{0,6}|\\PC):[0-9]{0,6}",
        ) {
            if let Ok(broker) = broker(&text) {
                let (host, port) = broker.rsplit_once(':').unwrap();
                prop_assert!(!host.is_empty() && port.parse::<NonZeroU16>().is_ok(), "{broker}");
            }
        }
    }
}
