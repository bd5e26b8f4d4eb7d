//! The documents of `highwater run` while it runs: added, broken, mended, suspended; and when none is any good.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{now, unique};
use crate::highwater::highwater;
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::wait::{eventually, eventually_some};

#[test]
fn documents_are_taken_up_as_they_change() {
    let (client, prefix) = (single().client(), unique("documents"));
    client.create(&prefix, 1, &[]);
    client.commit(&prefix, &prefix, &[(0, 0)]);
    let of = |name| document(name, &single().bootstrap, &prefix);
    let mut monitor = Monitor::start(&[("one.yaml", &of("one"))], &[]);
    monitor.reports("one", "the first document's report", |report| report["groups"][0]["group_id"] == *prefix);
    assert_eq!((monitor.get("/readyz").0, monitor.get("/livez").0), (200, 200));

    monitor.write("two.yaml", &of("two"));
    monitor.reports("two", "the second document's report", |report| report["groups"][0]["group_id"] == *prefix);

    monitor.write("one.yaml", &of("one").replace("interval: 1s", "interval: 1parsec"));
    eventually("the bad document is named", PATIENCE, || {
        let log = monitor.log();
        let line = log.lines().find(|line| line.contains("one.yaml"));
        line.is_some_and(|line| line.contains("one.yaml:8") && line.contains("spec.sampling.interval"))
    });
    monitor.sampled_after("one", now());
    monitor.sampled_after("two", now());
    let ready = says(&monitor, "one", "InvalidSpec");
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("one.yaml:8") && message.ends_with("it is sampled as it was written before"), "{message}");

    // Whether it could be sampled is not asked: there is no such Secret.
    let absent = "  tls: { ca: { secretRef: { name: absent, key: ca.crt } } }\n  suspend: true\n";
    monitor.write("one.yaml", &(of("one") + absent));
    eventually("what nobody renews is not shown", PATIENCE, || !monitor.get("/metrics").1.contains("default/one"));
    let kept = monitor.report("one").unwrap();
    monitor.sampled_after("two", now());
    assert!(monitor.get("/metrics").1.contains("default/two"));
    assert_eq!(monitor.report("one"), Some(kept), "the report of a suspended monitor stays as it is");
    assert!(!monitor.log().contains("absent"), "{}", monitor.log());
    assert_eq!(
        (says(&monitor, "one", "Suspended")["status"].clone(), says(&monitor, "two", "Sampling")["status"].clone()),
        ("False".into(), "True".into())
    );

    monitor.write("one.yaml", &of("one").replace("interval: 1s", "interval: 2s"));
    monitor.reports("one", "it goes on", |report| report["sampling"]["interval_seconds"] == 2.0);

    monitor.remove("two.yaml");
    eventually("a deleted monitor's report goes", PATIENCE, || !monitor.file("two").exists());
    assert!(!monitor.get("/metrics").1.contains("default/two"));
    let (code, took) = monitor.stop("TERM");
    assert!(code == Some(0) && took.as_secs() < 5, "{code:?} after {took:?}");
    assert!(monitor.remembered().contains(&"default/two".to_owned()), "its file may be back in a moment");
}

/// What the API shows of the condition Ready of a monitor, once it has this reason.
fn says(monitor: &Monitor, name: &str, reason: &str) -> Value {
    eventually_some(&format!("{name} says {reason}"), PATIENCE, || {
        let told: Value = serde_json::from_str(&monitor.get("/api/v1/clusters").1).unwrap();
        let row = told["items"].as_array().unwrap().iter().find(|row| row["monitor"] == name)?.clone();
        Some(row["conditions"][0].clone()).filter(|ready| ready["type"] == "Ready" && ready["reason"] == reason)
    })
}

#[test]
fn a_folder_of_secrets_that_is_not_there_is_a_refusal() {
    let outcome = highwater(&["run", "-f", "tests/valid/minimal.yaml", "--secrets-dir", "nowhere"]);
    assert_eq!(
        (outcome.code, outcome.stderr.trim()),
        (Some(2), "highwater: --secrets-dir nowhere: write a folder that exists")
    );
}

#[test]
fn every_bad_sample_is_refused_with_the_sentence_that_it_states() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/invalid");
    let outcome = highwater(&["run", "-f", folder, "--listen", "127.0.0.1:0"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let stated = files.iter().map(|file| {
        let text = fs::read_to_string(file).unwrap();
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("# {name}: "))).unwrap();
        format!("highwater: {}:{}: {}: {}", file.display(), header("line"), header("field"), header("says"))
    });
    assert_eq!(outcome.stderr.lines().collect::<Vec<_>>(), stated.collect::<Vec<_>>());
}

#[test]
fn no_good_document_is_a_refusal() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("bad.yaml");
    fs::write(&file, document("bad", "localhost:9092", "*").replace("offlineAfter: 10s", "offlineAfter: soon"))
        .unwrap();
    let (file, data) = (file.to_string_lossy().into_owned(), dir.path().join("data"));
    let outcome = highwater(&["run", "-f", &file, "--data-dir", &data.to_string_lossy(), "--listen", "127.0.0.1:0"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    for word in [format!("{file}:8: spec.sampling.offlineAfter: "), "from 1s to 168h".to_owned()] {
        assert!(outcome.stderr.contains(&word), "{word}: {}", outcome.stderr);
    }
    assert!(!data.exists(), "nothing is left behind");
}
