//! The process itself: one data folder for one of them, ports that are taken, signals, exit codes, and the proxy before an
//! API server. Needs neither Kafka nor Kubernetes.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use highwater::clock::Clock;
use highwater::sim::{Sim, stories};
use tempfile::TempDir;

use crate::highwater::{highwater, highwater_with, running};
use crate::monitor::{Monitor, PATIENCE, document};
use crate::network::{closed, silent};
use crate::process::Held;
use crate::wait::{eventually, eventually_some};

/// A kubeconfig for this API server.
fn kubeconfig(folder: &Path, server: &str) -> String {
    let file = folder.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: far\n\
         contexts: [{{ name: far, context: {{ cluster: far, user: me }} }}]\n\
         clusters: [{{ name: far, cluster: {{ server: \"{server}\" }} }}]\n\
         users: [{{ name: me, user: {{ token: t }} }}]\n"
    );
    fs::write(&file, text).unwrap();
    file.to_string_lossy().into_owned()
}

#[test]
fn a_second_one_on_a_data_folder_ends_and_names_it() {
    let text = document("taken", &closed(), "none");
    let monitor = Monitor::start(&[("a.yaml", &text)], &[]);
    let dir = TempDir::new().unwrap();
    let (file, kubeconfig) = (dir.path().join("a.yaml"), kubeconfig(dir.path(), "https://127.0.0.1:9"));
    fs::write(&file, text).unwrap();
    let (file, data) = (file.to_string_lossy().into_owned(), monitor.data().to_string_lossy().into_owned());
    for command in [["run", "-f", &file], ["operator", "--kubeconfig", &kubeconfig]] {
        let second = highwater(&[&command[..], &["--data-dir", &data, "--listen", "127.0.0.1:0"]].concat());
        assert_eq!(second.code, Some(1), "{second:?}");
        let told = second.stderr.lines().last().unwrap_or_default();
        assert!(told.starts_with(&format!("highwater: --data-dir {data}: ")), "{second:?}");
    }
    assert_eq!(monitor.get("/readyz").0, 200, "the first one goes on");
}

#[test]
fn the_demo_takes_another_port_and_leaves_no_folder() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, dir) = (taken.local_addr().unwrap(), TempDir::new().unwrap());
    let demo = running(dir.path(), &["demo", "--listen", &address.to_string()]);
    let after = |mark: &str| {
        let log = demo.log();
        let line = log.lines().find_map(|line| line.strip_prefix(mark))?.trim().to_owned();
        Some(line)
    };
    let report = eventually_some("it says where its report is", PATIENCE, || after("report "));
    let page = after("page ").unwrap();
    assert!(page.starts_with("http://127.0.0.1:") && !page.contains(&format!(":{}/", address.port())), "{page}");
    assert_eq!(ureq::get(&page).call().unwrap().status().as_u16(), 200);
    eventually("the report is there", PATIENCE, || Path::new(&report).exists());
    let folder = Path::new(&report).ancestors().find(|path| path.to_string_lossy().ends_with("/default"));
    let folder = folder.and_then(Path::parent).unwrap().to_owned();
    assert_eq!(demo.stop("INT"), Some(0));
    assert!(!folder.exists(), "{}", folder.display());
}

/// Whether the process has come so far that it answers SIGINT itself.
fn catches_interrupts(folder: &Path) -> bool {
    let pid = fs::read_to_string(folder.join("pid")).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 2 != 0)
}

/// `consumer-lag --watch` of a cluster, once it answers signals.
fn watching(folder: &Path, brokers: &str, more: &[&str]) -> Held {
    let held = running(folder, &[&["consumer-lag", "--brokers", brokers, "--watch", "1s"], more].concat());
    eventually("it answers signals", PATIENCE, || catches_interrupts(folder));
    held
}

#[test]
fn a_second_interrupt_ends_the_process_at_once() {
    let dir = TempDir::new().unwrap();
    // It waits a minute for an answer, and looks for signals after that.
    let held = watching(dir.path(), &silent(), &["--timeout", "1m"]);
    let begun = Instant::now();
    held.signal("INT");
    // Two within half a second are one.
    sleep(Duration::from_secs(1));
    assert!(held.runs(), "it still waits: {}", held.log());
    assert_eq!(held.stop("INT"), Some(1));
    let (log, took) = (fs::read_to_string(dir.path().join("log")).unwrap(), begun.elapsed());
    assert!(log.contains("highwater: ended at once: a second signal"), "after {took:?}: {log}");
}

#[test]
fn a_watch_ends_when_some_data_is_too_old() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clock = Clock::wall();
    let sim = runtime.block_on(Sim::start(stories::demo(clock.now()), clock)).unwrap();
    let brokers = sim.bootstrap().join(",");
    let watch = ["consumer-lag", "--brokers", &brokers, "--group", "audit", "--watch", "1s"];
    let over = highwater(&[&watch[..], &["--fail-over", "1m"]].concat());
    assert_eq!(over.code, Some(3), "{over:?}");
    assert!(over.stdout.contains("audit"), "{over:?}");

    let dir = TempDir::new().unwrap();
    let held = watching(dir.path(), &brokers, &["--group", "audit", "--fail-over", "10000h"]);
    eventually("it looks again and again", PATIENCE, || held.log().matches("audit").count() >= 2);
    assert_eq!(held.stop("INT"), Some(0));
}

#[test]
fn an_api_server_is_asked_through_the_proxy_and_nobody_sees_its_password() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let asked = spawn(move || {
        let (mut client, _) = proxy.accept().unwrap();
        let head: Vec<String> = BufReader::new(client.try_clone().unwrap())
            .lines()
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
        head.join("\n")
    });
    let dir = TempDir::new().unwrap();
    let file = kubeconfig(dir.path(), "https://api.example.invalid:6443");
    let ask = |proxy: &str, no_proxy: &str| {
        let variables = [("HTTPS_PROXY", proxy), ("NO_PROXY", no_proxy)];
        let outcome = highwater_with(&variables, &["groups", "--kubeconfig", &file, "--timeout", "10s"]);
        assert!(!format!("{outcome:?}").contains("secret"), "{outcome:?}");
        outcome
    };
    let url = format!("http://user:secret@{address}");
    // Without the proxy there is no such host, and nothing to accept.
    assert_eq!(ask(&url, "example.invalid").code, Some(1));
    assert!(!asked.is_finished());
    assert_eq!(ask(&url, "127.0.0.0/8").code, Some(1));
    let head = asked.join().unwrap();
    assert!(head.starts_with("CONNECT api.example.invalid:6443 HTTP/1.1\n"), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq="), "{head}");
    let refused = ask("socks5://user:secret@127.0.0.1:9", "");
    assert!(refused.code == Some(2) && refused.stderr.contains("HTTPS_PROXY: write http://host:port"), "{refused:?}");
}
