//! What stands in the way is said: each cause in words of its own, with its reason in report and metrics, soon, and
//! without a secret. An answer that is empty because of it is never shown as no lag.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::highwater::Outcome;
use crate::kafka::{secure, single};
use crate::login::Login;
use crate::network::{closed, other_name, silent, token_endpoint};
use crate::observer::{assert_discreet, look, sight};
use crate::traced::{Monitor, document, secret};
use crate::wait::{eventually, eventually_some};

/// How long a cause that is known at once may take, starting the program included; `--timeout` is much longer.
const SOON: Duration = Duration::from_secs(10);

struct Case {
    name: &'static str,
    login: Login,
    groups: String,
    topics: String,
    reason: &'static str,
    /// What the sentence names.
    words: &'static str,
}

fn scram(name: &str, user: &str, password: &str) -> Login {
    Login::password(name, "SCRAM-SHA-512", user, password)
}

/// What makes a cluster unreadable as a whole.
fn unreadable() -> Vec<Case> {
    let good = |name| scram(name, "observer", "observer-secret");
    let case = |name, login, reason, words| {
        let sight = sight();
        Case { name, login, groups: format!("{}*", sight.stopped), topics: format!("{}*", sight.topic), reason, words }
    };
    let endpoint = token_endpoint();
    let nothing = Login::plaintext;
    vec![
        case("wrong-password", scram("wrong-password", "observer", "not-my-word"), "AuthenticationFailed", "password"),
        case(
            "refused-token",
            Login::token("refused-token", &endpoint, "highwater", "not-my-secret"),
            "AuthenticationFailed",
            "401",
        ),
        case("wrong-ca", good("wrong-ca").trusting("wrong-ca", "other-ca"), "TlsFailed", "CA"),
        case("other-name", good("other-name").at(&other_name(&secure().sasl_ssl)), "TlsFailed", "names the host"),
        case("without-tls", nothing(&secure().sasl_ssl), "TlsFailed", "switch TLS on"),
        case("needless-tls", good("needless-tls").at(&single().bootstrap), "TlsFailed", "leave TLS out"),
        case("no-certificate", good("no-certificate").at(&secure().ssl), "TlsFailed", "client certificate"),
        case("without-login", nothing(&secure().sasl_plaintext), "AuthenticationFailed", "want a login"),
        case("closed-port", nothing(&closed()), "Unreachable", "nothing listens"),
        case("unknown-host", nothing("nowhere.invalid:9092"), "Unreachable", "DNS"),
    ]
}

/// What makes groups and topics unreadable that are there.
fn hidden() -> Vec<Case> {
    let sight = sight();
    let case = |name, user: &str, written_out, reason, words| {
        let end = if written_out { "" } else { "*" };
        let (groups, topics) = (format!("{}{end}", sight.stopped), format!("{}{end}", sight.topic));
        Case { name, login: scram(name, user, &format!("{user}-secret")), groups, topics, reason, words }
    };
    vec![
        case("topics-by-pattern", "no-topics", false, "NothingVisible", "topics is missing"),
        case("topics-by-name", "no-topics", true, "TopicNotAuthorized", "Describe on the topic is missing"),
        case("groups-by-pattern", "no-groups", false, "NothingVisible", "groups is missing"),
        case("groups-by-name", "no-groups", true, "GroupNotAuthorized", "Describe on the group is missing"),
    ]
}

/// Takes one look, and holds that it says what it should. Returns the sentence.
fn told(case: &Case) -> String {
    let begun = Instant::now();
    let outcome = look(&case.login, &["--timeout", "60s", "--group", &case.groups, "--topic", &case.topics]);
    let took = begun.elapsed();
    assert!(took < SOON, "{}: {took:?}", case.name);
    assert_told(case, &outcome)
}

fn assert_told(case: &Case, outcome: &Outcome) -> String {
    let name = case.name;
    assert_eq!(outcome.code, Some(1), "{name}: {}", outcome.stderr);
    assert!(!outcome.stderr.contains('\x1b'), "colours are for terminals: {}", outcome.stderr);
    let report = outcome.json();
    assert_shows_no_lag(name, &report);
    let errors = report["errors"].as_array().unwrap();
    let error =
        errors.iter().find(|error| error["reason"] == case.reason).unwrap_or_else(|| panic!("{name}: {errors:?}"));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(case.words), "{name}: {message}");
    assert!(outcome.stderr.lines().any(|line| line == format!("highwater: {message}")), "{name}: {}", outcome.stderr);
    assert_discreet(&case.login, &(outcome.stdout.clone() + &outcome.stderr));
    message.to_owned()
}

fn assert_shows_no_lag(name: &str, report: &Value) {
    for group in report["groups"].as_array().unwrap() {
        assert!(group["max_lag_seconds"].is_null() && group["total_lag_records"].is_null(), "{name}: {group}");
    }
}

#[test]
fn what_stands_in_the_way_is_said_once_and_soon() {
    let cases: Vec<Case> = unreadable().into_iter().chain(hidden()).collect();
    let sentences: Vec<String> = thread::scope(|scope| {
        let looks: Vec<_> = cases.iter().map(|case| scope.spawn(|| told(case))).collect();
        looks.into_iter().map(|look| look.join().unwrap()).collect()
    });
    let distinct: BTreeSet<&String> = sentences.iter().collect();
    // The wrong authority and the wrong name are one sentence, which names both.
    assert_eq!(distinct.len(), sentences.len() - 1, "{sentences:#?}");
}

#[test]
fn a_broker_that_never_answers_costs_no_more_than_the_timeout() {
    let case = Case {
        name: "silent",
        login: Login::plaintext(&silent()),
        groups: "*".to_owned(),
        topics: "*".to_owned(),
        reason: "Timeout",
        words: "no answer within the deadline",
    };
    let begun = Instant::now();
    let outcome = look(&case.login, &["--timeout", "3s"]);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_told(&case, &outcome);
}

#[test]
fn a_running_monitor_counts_what_stands_in_the_way() {
    let (unreadable, hidden) = (unreadable(), hidden());
    let mut documents = vec![];
    for case in unreadable.iter().chain(&hidden) {
        let mut fields = case.login.spec.clone();
        fields["brokers"] = json!([case.login.brokers]);
        fields["groups"] = json!({ "include": [case.groups] });
        fields["topics"] = json!({ "include": [case.topics] });
        documents.push(document(case.name, &fields));
        documents.extend(case.login.secrets.iter().map(|(name, key, value)| secret(name, key, value)));
    }
    let monitor = Monitor::start(&documents, &[]);
    let counted = |metric, case: &Case| {
        let cluster = format!("default/{}", case.name);
        monitor.metric(metric, &[("cluster_name", &cluster), ("reason", case.reason)]).is_some_and(|value| value >= 1.0)
    };
    for case in unreadable.iter().chain(&hidden) {
        eventually(case.name, Duration::from_secs(30), || counted("highwater_monitor_unreadable", case));
        let report = eventually_some(case.name, Duration::from_secs(30), || monitor.report(case.name));
        assert_shows_no_lag(case.name, &report);
    }
    for case in &unreadable {
        eventually(case.name, Duration::from_secs(30), || counted("highwater_monitor_sample_failures_total", case));
    }
    let shown = monitor.log() + &monitor.metrics();
    for case in unreadable.iter().chain(&hidden) {
        assert_discreet(&case.login, &(monitor.report(case.name).unwrap().to_string() + &shown));
    }
}
