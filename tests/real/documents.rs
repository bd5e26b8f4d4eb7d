//! The documents of `highwater run` while it runs: added, broken, mended, suspended; and when none is any good.

use std::fs;

use tempfile::TempDir;

use crate::client::{now, unique};
use crate::highwater::highwater;
use crate::kafka::single;
use crate::monitor::{Monitor, PATIENCE, document};
use crate::wait::eventually;

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

    monitor.write("one.yaml", &(of("one").replace("interval: 1s", "interval: 2s") + "  suspend: true\n"));
    eventually("the suspended monitor leaves no report that nobody renews", PATIENCE, || {
        !monitor.file("one").exists() && !monitor.get("/metrics").1.contains("default/one")
    });
    monitor.sampled_after("two", now());
    assert!(monitor.get("/metrics").1.contains("default/two"));

    monitor.write("one.yaml", &of("one").replace("interval: 1s", "interval: 2s"));
    monitor.reports("one", "it goes on", |report| report["sampling"]["interval_seconds"] == 2.0);

    monitor.remove("two.yaml");
    eventually("a deleted monitor's report goes", PATIENCE, || !monitor.file("two").exists());
    assert!(!monitor.get("/metrics").1.contains("default/two"));
    let (code, took) = monitor.stop("TERM");
    assert!(code == Some(0) && took.as_secs() < 5, "{code:?} after {took:?}");
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
