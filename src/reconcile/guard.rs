//! Which brokers and token endpoints LagMonitors may name: `--allow-bootstrap` and `--allow-token-endpoint`.
//!
//! What a broker then says about its peers is Kafka's own matter: a network policy limits that.

use std::str::FromStr;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use http::Uri;

use super::plan::{Invalid, Problem};
use crate::crd::LagMonitorSpec;

/// The hosts that are allowed. An empty list allows every one.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    /// Bootstrap servers.
    pub bootstrap: Vec<HostPattern>,
    /// Hosts of OAuth token endpoints.
    pub token_endpoint: Vec<HostPattern>,
}

/// A host as a glob, such as `*.kafka.svc`, and a port, or any.
#[derive(Debug, Clone)]
pub struct HostPattern {
    host: GlobSet,
    port: Option<u16>,
}

/// A text that is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a host or a glob of hosts, and a port if only one is allowed, such as *.kafka.svc or kafka-*:9093")]
pub struct HostPatternError;

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let (host, port) = split(text).ok_or(HostPatternError)?;
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err(HostPatternError);
        }
        let glob = GlobBuilder::new(host).case_insensitive(true).build().map_err(|_| HostPatternError)?;
        // A set says that a pattern is too deep or too large; a single matcher panics.
        let host = GlobSetBuilder::new().add(glob).build().map_err(|_| HostPatternError)?;
        Ok(Self { host, port })
    }
}

impl HostPattern {
    fn allows(&self, host: &str, port: Option<u16>) -> bool {
        self.host.is_match(host) && (self.port.is_none() || self.port == port)
    }
}

impl Guards {
    /// Checks the targets of a spec.
    ///
    /// # Errors
    /// The first that is not allowed.
    pub fn check(&self, spec: &LagMonitorSpec) -> Result<(), Invalid> {
        for (index, broker) in spec.brokers.iter().enumerate() {
            let target = split(broker);
            if !allowed(&self.bootstrap, target) {
                return Err(refusal(format!("spec.brokers[{index}]"), "--allow-bootstrap", broker));
            }
        }
        let oauth = spec.sasl.as_ref().and_then(|sasl| sasl.oauth.as_ref());
        match oauth.filter(|oauth| !allowed(&self.token_endpoint, endpoint(&oauth.token_endpoint).as_ref().map(parts)))
        {
            Some(oauth) => {
                let field = "spec.sasl.oauth.tokenEndpoint".to_owned();
                Err(refusal(field, "--allow-token-endpoint", &oauth.token_endpoint))
            }
            None => Ok(()),
        }
    }
}

fn allowed(patterns: &[HostPattern], target: Option<(&str, Option<u16>)>) -> bool {
    let matches = |(host, port)| patterns.iter().any(|pattern| pattern.allows(host, port));
    patterns.is_empty() || target.is_some_and(matches)
}

fn refusal(field: String, flag: &'static str, target: &str) -> Invalid {
    Invalid { field, problem: Problem::NotAllowed { flag, target: target.to_owned() } }
}

/// `host:port` or a host alone; an IPv6 address stands in brackets, which are not part of the host.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    Some((host, port.map(str::parse).transpose().ok()?))
}

/// The endpoint as the client that fetches tokens reads it.
fn endpoint(url: &str) -> Option<(String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let port = uri.port_u16().or(match uri.scheme_str()? {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    })?;
    Some((uri.host()?.trim_matches(['[', ']']).to_owned(), port))
}

fn parts(endpoint: &(String, u16)) -> (&str, Option<u16>) {
    (&endpoint.0, Some(endpoint.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn check(guards: &Guards, brokers: &[&str], endpoint: &str) -> Option<String> {
        let spec = serde_json::from_value(json!({
            "brokers": brokers,
            "sasl": { "mechanism": "OAUTHBEARER", "oauth": {
                "tokenEndpoint": endpoint, "clientID": "id", "clientSecretRef": { "name": "a", "key": "b" },
            } },
        }));
        guards.check(&spec.unwrap()).err().map(|invalid| invalid.to_string())
    }

    #[test]
    fn a_pattern_that_nests_too_deep_is_refused() {
        assert_eq!("{".repeat(300).parse::<HostPattern>().err(), Some(HostPatternError));
        assert!(format!("{}a{}", "{".repeat(300), "}".repeat(300)).parse::<HostPattern>().is_err());
    }

    #[test]
    fn nothing_is_limited_by_default() {
        assert_eq!(check(&Guards::default(), &["anything:1"], "https://anywhere/token"), None);
    }

    #[test]
    fn hosts_and_ports_are_matched_as_a_whole() {
        let guards = |list: &[&str]| Guards { bootstrap: patterns(list), token_endpoint: vec![] };
        let allowed = |list: &[&str], broker: &str| check(&guards(list), &[broker], "https://x/").is_none();
        for (pattern, broker, expected) in [
            ("*.kafka.svc", "a.kafka.svc:9092", true),
            ("*.kafka.svc", "A.KAFKA.SVC:9092", true),
            ("*.kafka.svc", "a.kafka.svc.evil.com:9092", false),
            ("*.kafka.svc", "kafka.svc:9092", false),
            ("kafka:9093", "kafka:9093", true),
            ("kafka:9093", "kafka:9092", false),
            ("kafka:9093", "akafka:9093", false),
            ("10.0.*", "10.0.3.4:9092", true),
            ("[fd00::1]:9092", "[fd00::1]:9092", true),
            ("[fd00::1]:9092", "[fd00::2]:9092", false),
        ] {
            assert_eq!(allowed(&[pattern], broker), expected, "{pattern} {broker}");
        }
        assert!(allowed(&["one", "two"], "two:1"));
    }

    #[test]
    fn every_broker_has_to_be_allowed() {
        let guards = Guards { bootstrap: patterns(&["good"]), token_endpoint: vec![] };
        let told = check(&guards, &["good:1", "169.254.169.254:80"], "https://x/").unwrap();
        assert!(told.starts_with("spec.brokers[1]: ") && told.contains("--allow-bootstrap"), "{told}");
    }

    #[test]
    fn endpoints_are_read_as_the_client_reads_them() {
        let guards = Guards { bootstrap: vec![], token_endpoint: patterns(&["*.good.com:443"]) };
        let allowed = |url: &str| check(&guards, &["a:1"], url).is_none();
        assert!(allowed("https://idp.good.com/token"));
        assert!(allowed("https://idp.good.com:443/token?x=y"));
        assert!(!allowed("http://idp.good.com/token"));
        assert!(!allowed("https://idp.good.com:8443/token"));
        assert!(!allowed("https://evil.com/idp.good.com"));
        assert!(!allowed(r"https://evil.com\.good.com/"));
        assert!(!allowed("https://evil.com:443?.good.com:443"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", ":9092", "kafka:port", "kafka:99999", "http://kafka", "a{b", "[::1", "a b"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(
            text in "([a-z]|[0-9]|[*?:.,!{}\\\\-]|\\[|\\]|\\PC){0,20}",
            broker in "(\\[|\\]|[a-z]|:|[0-9]|\\PC){0,12}",
            url in "(https?://)?([a-z]|[:@/?.]|\\[|\\]|[0-9]|\\PC){0,12}",
        ) {
            let list: Vec<_> = text.parse::<HostPattern>().into_iter().chain(patterns(&["*.kafka.svc:9092"])).collect();
            let guards = [(list.clone(), vec![]), (vec![], list)];
            for (bootstrap, token_endpoint) in guards {
                let _ = check(&Guards { bootstrap, token_endpoint }, &[&broker], &url);
            }
        }

        #[test]
        fn a_host_that_is_written_out_allows_itself_alone(
            host in "[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?",
            port in 1..u16::MAX,
        ) {
            let allowed = |pattern: &str, broker: String| {
                let guards = Guards { bootstrap: patterns(&[pattern]), token_endpoint: vec![] };
                check(&guards, &[&broker], "https://x/").is_none()
            };
            let with_port = format!("{host}:{port}");
            prop_assert!(allowed(&host, with_port.clone()) && allowed(&with_port, with_port.to_uppercase()));
            prop_assert!(!allowed(&with_port, format!("{host}:{}", port + 1)), "{with_port}");
            for other in [format!("x{with_port}"), format!("{host}x:{port}"), format!("{host}.x:{port}")] {
                prop_assert!(!allowed(&host, other.clone()) && !allowed(&with_port, other));
            }
        }
    }
}
