//! A user who may describe groups and topics, and nothing else, sees everything right, however they log in.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{now, unique};
use crate::consumer::LiveConsumer;
use crate::highwater::{Outcome, highwater, highwater_trusting};
use crate::kafka::secure;
use crate::login::{Login, STORE_PASSWORD, store};
use crate::network::{encrypted_token_endpoint, token_endpoint};
use crate::traced::{Monitor, document, secret};
use crate::wait::eventually;

const MINUTE: i64 = 60_000;

/// What there is to see: a group that stopped an hour and a half ago, and one at work.
pub(crate) struct Sight {
    pub(crate) topic: String,
    pub(crate) stopped: String,
    pub(crate) working: String,
    /// When the first record that the stopped group has not read came.
    unread_since: i64,
    _consumer: LiveConsumer,
}

/// The one that all tests look at.
pub(crate) fn sight() -> &'static Sight {
    static SHARED: LazyLock<Sight> = LazyLock::new(|| {
        let client = secure().client();
        let (topic, stopped, working) = (client.topic("seen", 2, &[]), unique("stopped"), unique("working"));
        let start = now() - 150 * MINUTE;
        client.produce(&topic, 0, (0..100).map(|n| start + n * MINUTE));
        client.commit(&stopped, &topic, &[(0, 60), (1, 0)]);
        let consumer = LiveConsumer::start(&client.config(), &working, &topic, 1000);
        eventually("the group has read everything", Duration::from_secs(30), || {
            client.committed(&working, &topic, 1).contains(&(0, 100))
        });
        Sight { topic, stopped, working, unread_since: start + 60 * MINUTE, _consumer: consumer }
    });
    &SHARED
}

impl Sight {
    /// Whether a report shows everything, and all of it right; else what is wrong.
    fn is_seen_in(&self, report: &Value) -> Result<(), String> {
        let group = |name: &str| report["groups"].as_array().unwrap().iter().find(|group| group["group_id"] == name);
        let (Some(stopped), Some(working)) = (group(&self.stopped), group(&self.working)) else {
            return Err("a group is missing".to_owned());
        };
        let members = working["members"].as_array().ok_or("no members")?;
        let assigned = json!([{ "topic": self.topic, "partitions": [0, 1] }]);
        let age = stopped["max_lag_seconds"].as_f64().unwrap_or(-1.0);
        let true_age = (now() - self.unread_since) as f64 / 1e3;
        let checks = [
            ("no errors", report["errors"] == json!([])),
            ("coverage", report["sampling"]["coverage"] == 1.0),
            ("the age, up to the time since the report", (true_age - 30.0..=true_age).contains(&age)),
            ("its bound", stopped["topics"][0]["bound_seconds"].as_f64().is_some_and(|bound| bound <= 1.0)),
            ("records behind", stopped["total_lag_records"] == 40),
            ("nobody in the stopped group", stopped["members"] == json!([]) && stopped["group_state"] == "Empty"),
            ("no lag of the working group", working["max_lag_seconds"] == 0.0 && working["total_lag_records"] == 0),
            ("its state", working["group_state"] == "Stable" && working["type"] == "classic"),
            ("its member", members.len() == 1 && members[0]["client_id"] == "rdkafka"),
            ("what it is assigned", members.len() == 1 && members[0]["assigned"] == assigned),
        ];
        let wrong: Vec<&str> = checks.into_iter().filter(|(_, right)| !right).map(|(what, _)| what).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
    }
}

/// Runs `highwater consumer-lag` on the sight with everything that it can log.
pub(crate) fn look(login: &Login, arguments: &[&str]) -> Outcome {
    look_with(login, arguments, highwater)
}

fn look_with(login: &Login, arguments: &[&str], highwater: impl Fn(&[&str]) -> Outcome) -> Outcome {
    let file = login.file();
    let config = file.path().to_string_lossy();
    let command = ["consumer-lag", "-o", "json", "--log-level", "trace", "--brokers", &login.brokers];
    highwater(&[&command[..], &["--command-config", &config], arguments].concat())
}

/// That nothing of what is confidential stands in a text.
#[track_caller]
pub(crate) fn assert_discreet(login: &Login, text: &str) {
    for words in login.confidential() {
        assert!(!text.contains(&words), "a secret is shown");
    }
}

fn ways() -> Vec<(&'static str, Login)> {
    let by = |name, mechanism| (name, Login::password(name, mechanism, "observer", "observer-secret"));
    let endpoint = token_endpoint();
    let unencrypted = {
        let mut login = Login::password("unencrypted", "PLAIN", "observer", "observer-secret");
        login = login.at(&secure().sasl_plaintext);
        login.properties = login.properties.replace("SASL_SSL", "SASL_PLAINTEXT");
        login.spec["tls"].take();
        login.spec["sasl"]["allowPlaintextCredentials"] = true.into();
        login
    };
    vec![
        by("scram-512", "SCRAM-SHA-512"),
        by("scram-256", "SCRAM-SHA-256"),
        by("plain", "PLAIN"),
        ("unencrypted", unencrypted),
        ("certificate", Login::certificate("certificate")),
        ("token", Login::token("token", &endpoint, "highwater", "client-secret")),
    ]
}

#[test]
fn an_observer_sees_everything_by_command_config() {
    let sight = sight();
    let mut all = ways();
    all.push(("stores of PKCS#12", with_pkcs12()));
    thread::scope(|scope| {
        for (name, login) in &all {
            scope.spawn(move || {
                let groups = format!("{},{}", sight.stopped, sight.working);
                let outcome = look(login, &["--group", &groups, "--topic", &format!("{}*", sight.topic)]);
                assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
                assert_eq!(sight.is_seen_in(&outcome.json()), Ok(()), "{name}");
                assert_discreet(login, &(outcome.stdout + &outcome.stderr));
            });
        }
    });
}

fn with_pkcs12() -> Login {
    let mut login = Login::certificate("pkcs12");
    let location = |name: &str| store(name).to_string_lossy().into_owned();
    login.properties = format!(
        "security.protocol=SSL\n\
         ssl.truststore.type=PKCS12\nssl.truststore.location={}\nssl.truststore.password={STORE_PASSWORD}\n\
         ssl.keystore.type=PKCS12\nssl.keystore.location={}\nssl.keystore.password={STORE_PASSWORD}\n",
        location("trust.p12"),
        location("client.p12"),
    );
    login.secrets.push(("pkcs12".to_owned(), "password".to_owned(), STORE_PASSWORD.to_owned()));
    login
}

#[test]
fn whom_the_system_trusts_is_trusted_by_the_client_and_for_tokens() {
    let sight = sight();
    let endpoint = encrypted_token_endpoint(&secure().tls);
    let mut login = Login::token("system", &endpoint, "highwater", "client-secret");
    login.properties = login.properties.lines().filter(|line| !line.starts_with("ssl.")).collect::<Vec<_>>().join("\n");
    let groups = format!("{},{}", sight.stopped, sight.working);
    let by = |authority: &str| {
        let authority = secure().tls.join(authority);
        look_with(&login, &["--group", &groups, "--topic", &format!("{}*", sight.topic)], |arguments| {
            highwater_trusting(&authority, arguments)
        })
    };
    let trusted = by("ca.crt");
    assert_eq!(trusted.code, Some(0), "{}", trusted.stderr);
    assert_eq!(sight.is_seen_in(&trusted.json()), Ok(()));
    let foreign = by("other-ca.crt");
    assert_eq!(foreign.code, Some(1), "{foreign:?}");
    assert!(foreign.stderr.contains("the token endpoint cannot be reached (TLS)"), "{}", foreign.stderr);
}

#[test]
fn an_observer_sees_everything_by_documents_and_secrets() {
    let (sight, ways) = (sight(), ways());
    let (mut documents, mut folder) = (vec![], vec![]);
    for (index, (name, login)) in ways.iter().enumerate() {
        let mut fields = login.spec.clone();
        fields["brokers"] = json!([login.brokers]);
        fields["groups"] = json!({ "include": [sight.stopped, sight.working] });
        fields["topics"] = json!({ "include": [format!("{}*", sight.topic)] });
        documents.push(document(name, &without_nulls(fields)));
        // Both ways to give Secrets, in turn.
        for (name, key, value) in &login.secrets {
            match index % 2 {
                0 => folder.push((name.as_str(), key.as_str(), value.as_str())),
                _ => documents.push(secret(name, key, value)),
            }
        }
    }
    let monitor = Monitor::start(&merged(documents), &folder);
    for (name, login) in &ways {
        let mut last = Err("no report".to_owned());
        eventually(name, Duration::from_secs(30), || {
            last = monitor.report(name).ok_or("no report".to_owned()).and_then(|report| sight.is_seen_in(&report));
            last.is_ok()
        });
        assert_discreet(login, &monitor.report(name).unwrap().to_string());
    }
    let shown = monitor.log() + &monitor.metrics();
    ways.iter().for_each(|(_, login)| assert_discreet(login, &shown));
}

/// One Secret for all keys of a name.
fn merged(documents: Vec<Value>) -> Vec<Value> {
    let mut merged: Vec<Value> = vec![];
    for document in documents {
        let same = |other: &&mut Value| other["kind"] == "Secret" && other["metadata"] == document["metadata"];
        match merged.iter_mut().find(same).filter(|_| document["kind"] == "Secret") {
            Some(other) => {
                let more = document["stringData"].as_object().unwrap().clone();
                other["stringData"].as_object_mut().unwrap().extend(more);
            }
            None => merged.push(document),
        }
    }
    merged
}

fn without_nulls(mut fields: Value) -> Value {
    fields.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    fields
}

#[test]
fn a_store_of_the_old_format_is_refused_by_its_property() {
    let mut login = with_pkcs12();
    login.properties = login.properties.replace("PKCS12\nssl.truststore", "JKS\nssl.truststore");
    login.properties = login.properties.replace("trust.p12", "trust.jks");
    let outcome = look(&login, &[]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("ssl.truststore.location: "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("allowed are PEM and PKCS12"), "{}", outcome.stderr);
    assert_discreet(&login, &outcome.stderr);
}
