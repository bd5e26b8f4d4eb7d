//! `--tls-cert` and `--tls-key` on a Highwater that runs: page, API, metrics and probes, renewal, and files that are no good.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::highwater::{Outcome, highwater};
use crate::monitor::{Monitor, PATIENCE, document};
use crate::testbed::run;
use crate::wait::eventually;

/// Has openssl make a certificate of its own authority for 127.0.0.1, and puts it where the two files are.
fn renew(dir: &Path, name: &str) {
    let at = |file: &str| dir.join(file).to_string_lossy().into_owned();
    let subject = format!("/CN={name}");
    let made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let own = [
        "-subj",
        &subject,
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        &at("new.key"),
        "-out",
        &at("new.crt"),
    ];
    run(Command::new("openssl").args(made).args(own).stderr(std::process::Stdio::null()));
    fs::rename(dir.join("new.key"), dir.join("tls.key")).unwrap();
    fs::rename(dir.join("new.crt"), dir.join("tls.crt")).unwrap();
}

/// What curl makes of an address of the server: its exit code and what the answer says.
fn curl(monitor: &Monitor, scheme: &str, path: &str, ca: &str) -> (Option<i32>, String) {
    let url = format!("{scheme}://{}{path}", monitor.address().unwrap());
    let output = Command::new("curl").args(["-s", "--max-time", "20", "--cacert", ca, &url]).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn everything_is_served_with_a_certificate_that_may_be_renewed() {
    let dir = TempDir::new().unwrap();
    renew(dir.path(), "first");
    let [certificate, key, first] =
        ["tls.crt", "tls.key", "first.crt"].map(|file| dir.path().join(file).to_string_lossy().into_owned());
    fs::copy(&certificate, &first).unwrap();
    let flags = ["--tls-cert", &certificate, "--tls-key", &key];
    let monitor = Monitor::start(&[("own.yaml", &document("own", "127.0.0.1:9", "none"))], &flags);
    for path in ["/", "/livez", "/metrics", "/api/v1/clusters", "/openapi.json"] {
        let (code, said) = curl(&monitor, "https", path, &first);
        assert!(code == Some(0) && !said.is_empty(), "{path}: {code:?} {said}");
    }
    assert_ne!(curl(&monitor, "http", "/livez", &first).0, Some(0), "nothing is said in the clear");
    let url = format!("https://{}", monitor.address().unwrap());
    let ask = |ca: &str| highwater(&["alerts", "--server", &url, "--ca-file", ca, "-o", "json"]);
    // Nothing was sampled; that this is said shows that the connection stands.
    let said = |outcome: &Outcome| outcome.stderr.contains("been sampled yet") || outcome.code == Some(0);
    assert!(said(&ask(&first)), "{:?}", ask(&first));

    renew(dir.path(), "second");
    eventually("the new certificate is there", PATIENCE, || {
        curl(&monitor, "https", "/livez", &certificate).0 == Some(0)
    });
    assert_ne!(curl(&monitor, "https", "/livez", &first).0, Some(0), "the old one is gone");
    assert!(said(&ask(&certificate)) && !said(&ask(&first)), "{:?}", ask(&first));
    assert!(monitor.log().contains("new connections get the new certificate"), "{}", monitor.log());

    fs::write(&key, "nothing").unwrap();
    eventually("the fault is told", PATIENCE, || monitor.log().contains("holds no private key"));
    assert_eq!(curl(&monitor, "https", "/livez", &certificate).0, Some(0), "the certificate in use stays");
}

#[test]
fn flags_and_files_that_are_no_good_are_refused_at_the_start() {
    let dir = TempDir::new().unwrap();
    renew(dir.path(), "first");
    fs::write(dir.path().join("own.yaml"), document("own", "127.0.0.1:9", "none")).unwrap();
    fs::write(dir.path().join("nothing"), "nothing").unwrap();
    fs::write(dir.path().join("empty"), " \n").unwrap();
    let at = |file: &str| dir.path().join(file).to_string_lossy().into_owned();
    let [documents, certificate, key, nothing, empty, data] =
        ["own.yaml", "tls.crt", "tls.key", "nothing", "empty", "data"].map(at);
    let tried = |more: &[&str]| {
        highwater(&[&["run", "-f", &documents, "--data-dir", &data, "--listen", "127.0.0.1:0"], more].concat())
    };
    for (flags, code, words) in [
        (vec!["--tls-cert", &certificate], 2, "--tls-key"),
        (vec!["--tls-cert", &nothing, "--tls-key", &key], 2, "--tls-key: "),
        (vec!["--tls-cert", &nothing, "--tls-key", &key], 2, "holds no certificate in PEM"),
        (vec!["--tls-cert", &certificate, "--tls-key", &nothing], 2, "holds no private key in PEM"),
        (
            vec!["--tls-cert", "/nowhere", "--tls-key", &key],
            2,
            "/nowhere cannot be read: No such file or directory (os error 2)\n",
        ),
        (vec!["--auth", "token"], 2, "--auth-token-file"),
        (vec!["--auth", "token", "--auth-token-file", "/nowhere"], 2, "--auth-token-file /nowhere: "),
        (vec!["--auth", "token", "--auth-token-file", &empty], 2, "the file of the token is empty; write a file"),
        (vec!["--auth-token-file", &nothing], 2, "--auth token alone"),
    ] {
        let refused = tried(&flags);
        assert!(refused.code == Some(code) && refused.stderr.contains(words), "{flags:?}: {refused:?}");
        assert!(refused.stderr.matches("No such file").count() <= 1, "{refused:?}");
    }
    for (flags, words) in [
        (vec!["operator", "--kubeconfig", "/nowhere"], "--kubeconfig /nowhere: "),
        (vec!["groups", "--kubeconfig", "/nowhere"], "--kubeconfig /nowhere: "),
        (vec!["operator", "--kubeconfig", &nothing, "--context", "nope"], "nothing: "),
        (vec!["run", "-f", &documents, "--listen", "127.0.0.1:0", "--data-dir", &nothing], "--data-dir "),
    ] {
        let refused = highwater(&flags);
        assert!(refused.code == Some(2) && refused.stderr.contains(words), "{flags:?}: {refused:?}");
        for said in ["No such file", "File exists"] {
            assert!(refused.stderr.matches(said).count() <= 1, "{refused:?}");
        }
    }
}

#[test]
fn a_token_that_cannot_be_read_any_more_is_told_once() {
    let dir = TempDir::new().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "s3cret\n").unwrap();
    let file = token.to_string_lossy().into_owned();
    let flags = ["--auth", "token", "--auth-token-file", &file];
    let monitor = Monitor::start(&[("own.yaml", &document("own", "127.0.0.1:9", "none"))], &flags);
    let status = |monitor: &Monitor| monitor.ask("/api/v1/clusters", Some("s3cret")).0;
    let told = |monitor: &Monitor| monitor.log().matches("nobody is let in: the token cannot be read").count();
    eventually("it is served", PATIENCE, || status(&monitor) == 200);
    assert_eq!(told(&monitor), 0);
    fs::remove_file(&token).unwrap();
    assert_eq!([status(&monitor), status(&monitor)], [503, 503]);
    eventually("it is told, once", PATIENCE, || told(&monitor) == 1);
    fs::write(&token, "s3cret\n").unwrap();
    assert_eq!(status(&monitor), 200);
}
