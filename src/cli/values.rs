//! What a flag's value may be, and words that say so. The values of one flag alone; how flags fit together is left to
//! the commands.

use std::net::SocketAddr;

use regex::Regex;
use tracing_subscriber::filter::targets::Targets;

use crate::crd::duration::Duration;
use crate::lag::report::State;

/// What a bootstrap server looks like, as the LagMonitor has it; the port is at most 65535 besides.
const BROKER: &str = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}$";

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
    directives.and_then(|directives| directives.join(",").parse().ok()).ok_or_else(|| {
        format!(
            "write {}, or directives such as info,highwater::kafka=debug",
            LEVELS.join(", ").replace("warn", "warn (or warning)")
        )
    })
}

/// Where to listen.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and port, such as 127.0.0.1:8080".to_owned())
}

/// A name, or a namespace and a name, as Kubernetes has them.
pub(super) fn lease(text: &str) -> Result<String, String> {
    let pattern = Regex::new("^([a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9.-]*$");
    match pattern.is_ok_and(|pattern| pattern.is_match(text)) && text.len() <= 253 {
        true => Ok(text.to_owned()),
        false => Err("write a name, or a namespace and a name with a slash between, such as highwater".to_owned()),
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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_broker_is_what_the_resource_takes() {
        let schema = schemars::schema_for!(crate::crd::lag_monitor::LagMonitorSpec).to_value();
        assert_eq!(schema.pointer("/properties/brokers/items/pattern").unwrap(), BROKER);
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
        assert!(!log_level("off").unwrap().would_enable("highwater", &Level::ERROR));
        for bad in ["bogus", "", "3", "info,bogus", "highwater=bogus", "info,"] {
            assert!(log_level(bad).unwrap_err().contains("error, warn"), "{bad}");
        }
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
}
