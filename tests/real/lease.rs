//! The Lease of an operator that no longer reaches the API server: it stops writing before another may begin, and no Service
//! leads to it, for it is not ready, though its pod keeps the label of who leads.

use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::monitor::PATIENCE;
use crate::operated::{Operated, lease};
use crate::wait::eventually;

/// What a renewal writes: no other operator takes the Lease earlier than this after it.
const DURATION: Duration = Duration::from_secs(15);

#[test]
fn it_is_let_go_of_before_it_ends() {
    let mut cluster = Cluster::start();
    let namespace = cluster.namespace("cut-off");
    cluster.apply(&lease(&namespace, "highwater"));
    let within = format!("--namespace={namespace}");
    eventually("its pod is there", PATIENCE, || cluster.may(&["run", "highwater-0", "--image=highwater", &within]));
    let patches = ["--verb=patch", "--resource=pods", "--resource-name=highwater-0"];
    cluster.kubectl(&[&["create", "role", "pod", &within], &patches[..]].concat());
    let account = "--serviceaccount=highwater:highwater";
    cluster.kubectl(&["create", "rolebinding", "pod", "--role=pod", account, &within]);
    let labelled = ["get", "pods", "--selector=highwater.dev/leads=true", "--output=name", &within];
    let leads = |cluster: &Cluster| cluster.kubectl(&labelled) == "pod/highwater-0\n";

    let (kubeconfig, place) = (cluster.operator_kubeconfig(&namespace), format!("{namespace}/highwater"));
    let operated = Operated::serving(namespace, &kubeconfig, &place, &["--pod", "highwater-0"]);
    let ready = || operated.highwater.get("/readyz");
    eventually("it holds the Lease", PATIENCE, || ready().0 == 200 && leads(&cluster));

    cluster.kill_api_server();
    let cut_off = Instant::now();
    eventually("it knows that it may hold it no more", PATIENCE, || {
        ready().1.contains("another operator holds the Lease")
    });
    assert!(cut_off.elapsed() < DURATION, "after {:?}", cut_off.elapsed());
    cluster.start_api_server();
    eventually("it holds it again", PATIENCE, || ready().0 == 200 && leads(&cluster));
}
