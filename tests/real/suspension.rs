//! A LagMonitor that is suspended, and one whose status somebody else has changed: what is known stays, and is told right.

use std::thread::sleep;
use std::time::Duration;

use crate::monitor::PATIENCE;
use crate::operated::{Operated, condition_of};
use crate::resource::{spec, stage};
use crate::truth::generated;
use crate::wait::{eventually, eventually_some};

/// Asks for a sample a second, and for every output.
const EVERYWHERE: &str = "  sampling: { interval: 1s }\n  output: { configMap: { name: orders-lag, minInterval: 10s }, file: { path: lag/orders.json } }\n";

#[test]
fn what_is_known_stays_until_it_goes_on_or_goes() {
    let (prefix, mut operated) = (stage("suspended"), Operated::start("suspended", &[]));
    let name = format!("{}/lag/orders", operated.namespace);
    operated.apply("orders", &spec(&prefix, EVERYWHERE));
    operated.condition("orders", "Ready", "True", "Sampling");

    // Nothing of what it would need is asked for: there is no such Secret.
    let absent = "  tls: { ca: { secretRef: { name: absent, key: ca.crt } } }\n";
    operated.apply("orders", &spec(&prefix, &format!("{EVERYWHERE}{absent}  suspend: true\n")));
    let told = operated.condition("orders", "Ready", "False", "Suspended");
    assert!(!operated.highwater.get("/metrics").1.contains("cluster_name="), "nothing that nobody renews is shown");
    let (file, map) = (operated.highwater.report(&name).unwrap(), operated.config_map("orders-lag").unwrap());
    let stays = |operated: &Operated| {
        let resource = operated.resource("orders");
        assert_eq!(condition_of(&resource, "Ready")["reason"], "Suspended");
        assert_eq!(resource["status"]["lagRecords"], told["status"]["lagRecords"]);
        assert_eq!(resource["status"]["configMap"], "orders-lag");
        assert_eq!(operated.highwater.report(&name).as_ref(), Some(&file), "its file is as it was");
        assert_eq!(operated.config_map("orders-lag").as_ref(), Some(&map), "its ConfigMap is as it was");
    };
    stays(&operated);
    operated.highwater.stop("TERM");
    operated.highwater.restart();
    eventually("it has had a turn", PATIENCE, || {
        operated.highwater.get("/metrics").1.contains(r#"condition="Ready",status="False",reason="Suspended""#)
    });
    stays(&operated);

    operated.apply("orders", &spec(&prefix, EVERYWHERE));
    operated.condition("orders", "Ready", "True", "Sampling");
    let goes_on =
        |operated: &Operated| operated.highwater.report(&name).filter(|now| generated(now) > generated(&file));
    eventually_some("it goes on", PATIENCE, || goes_on(&operated));

    operated.apply("orders", &spec(&prefix, &format!("{EVERYWHERE}  suspend: true\n")));
    operated.condition("orders", "Ready", "False", "Suspended");
    operated.kubectl(&["delete", "lm/orders"]);
    eventually("what it left goes with it, folders too", PATIENCE, || {
        operated.highwater.output().is_empty() && operated.config_map("orders-lag").is_none()
    });
}

#[test]
fn what_somebody_else_writes_into_the_status_is_mended() {
    let (prefix, operated) = (stage("meddled"), Operated::start("meddled", &[]));
    let absent = "  tls: { ca: { secretRef: { name: absent, key: ca.crt } } }\n";
    operated.apply("quiet", &spec(&prefix, "  sampling: { interval: 1s }\n"));
    operated.condition("quiet", "Ready", "True", "Sampling");
    operated.apply("quiet", &spec(&prefix, "  suspend: true\n"));
    operated.apply("refused", &spec(&prefix, absent));
    for (name, reason, patch) in [
        ("quiet", "Suspended", r#"[{"op":"remove","path":"/status"}]"#),
        ("refused", "SecretNotFound", r#"[{"op":"replace","path":"/status/conditions/0/reason","value":"Mine"}]"#),
    ] {
        let before = operated.condition(name, "Ready", "False", reason);
        let told = operated.kubectl(&["patch", "lm", name, "--subresource=status", "--type=json", "--patch", patch]);
        assert!(!told.contains("no change"), "{told}");
        eventually(&format!("the status of {name} is as it was"), 3 * PATIENCE, || {
            operated.resource(name)["status"] == before["status"]
        });
    }
    let version = |name: &str| operated.resource(name)["metadata"]["resourceVersion"].clone();
    let before = ["quiet", "refused"].map(version);
    // Longer than the time between two turns of one that is refused.
    sleep(Duration::from_secs(12));
    assert_eq!(["quiet", "refused"].map(version), before, "and then it rests");
}
