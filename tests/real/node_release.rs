//! What a platform team and its tenants do, in the README's own words, on a real node: install, have a Kafka sampled, lose
//! the container, the pod and the node, upgrade, roll back, uninstall.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::script;
use crate::installed::CRD;
use crate::node::{IMAGE, SHELL};
use crate::node_team::{PATIENCE, Team};
use crate::resource::{assert_same, lines};
use crate::testbed::run;
use crate::truth::{CLOCK, generated};
use crate::wait::{eventually, eventually_some};

/// How soon a container or a pod that is lost is back.
const BACK: Duration = Duration::from_secs(20);

/// A tenant's pod that has the report before it as a file.
const READER: &str = "
apiVersion: v1
kind: Pod
metadata: { name: reader, namespace: shop }
spec:
  terminationGracePeriodSeconds: 0
  securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: RuntimeDefault } }
  volumes: [{ name: lag, configMap: { name: orders-lag } }]
  containers:
    - name: reader
      image: @SHELL@
      command: [sleep, \"3600\"]
      volumeMounts: [{ name: lag, mountPath: /lag }]
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
";

/// What the platform team changes later: a sidecar that copies each report to where it wants it.
const SIDECAR: &str = "
logFormat: json
test: { image: @SHELL@ }
extraVolumes: [{ name: copies, emptyDir: {} }]
extraContainers:
  - name: copies
    image: @SHELL@
    command: [sh, -c, \"trap exit TERM; while sleep 0.2; do cp /files/shop/orders.json /copies/; done\"]
    volumeMounts: [{ name: files, mountPath: /files, readOnly: true }, { name: copies, mountPath: /copies }]
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
";

/// A sample when asked for, and its report everywhere.
const OUTPUT: &str = r#"{"spec": {"sampling": {"interval": "1h", "coarseInterval": "1h"},
    "output": {"configMap": {"name": "orders-lag", "detail": "Partition", "minInterval": "10s"}, "file": {"path": "orders.json"}}}}"#;

/// The API's list of groups.
const GROUPS: &str = "/api/v1/consumers/groups";

/// The group of a report whose data is the oldest.
fn worst(report: &Value) -> &Value {
    let groups = report["groups"].as_array().unwrap().iter();
    groups.max_by(|a, b| a["max_lag_seconds"].as_f64().partial_cmp(&b["max_lag_seconds"].as_f64()).unwrap()).unwrap()
}

/// Holds what `kubectl get` prints against a look at the same Kafka that was over so many seconds after the command began.
#[track_caller]
fn assert_row(printed: &str, look: &Value, seconds: f64) {
    let cells =
        |line: &str| line.split("   ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect();
    let mut lines = printed.lines().rev().map(cells);
    let (row, head): (Vec<String>, Vec<String>) = (lines.next().unwrap(), lines.next().unwrap());
    let cell = |name: &str| &*row[head.iter().position(|head| head == name).unwrap()];
    let groups = look["groups"].as_array().unwrap();
    let offline = groups.iter().filter(|group| group["state"] == "OFFLINE").count();
    let (worst, topic) = (worst(look), &worst(look)["topics"][0]);
    let words = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(cell("NAME"), "orders", "{printed}");
    assert_eq!((cell("GROUPS"), cell("OFFLINE")), (&*groups.len().to_string(), &*offline.to_string()), "{printed}");
    assert_eq!(cell("WORST"), format!("{} on {}", words(&worst["group_id"]), words(&topic["topic"])));
    assert_eq!((cell("SLO"), cell("READY")), ("True", "True"), "{printed}");

    // What is below a minute is cut off.
    let (hours, minutes) = cell("MAX-LAG").trim_end_matches('m').split_once('h').unwrap();
    let told = hours.parse::<f64>().unwrap() * 3600.0 + minutes.parse::<f64>().unwrap() * 60.0;
    let (found, off) =
        (worst["max_lag_seconds"].as_f64().unwrap(), 2.0 * topic["bound_seconds"].as_f64().unwrap() + CLOCK);
    let younger = found - told;
    assert!((-off..60.0 + seconds + off).contains(&younger), "{printed}\n{look:#}");
}

#[test]
fn the_readme_leads_from_install_to_uninstall() {
    let team = Team::start();
    team.installs();
    team.tenant_has_kafka_sampled();
    team.adds_a_sidecar_and_sees_the_same_report_everywhere();
    team.loses_container_pod_and_node();
    team.upgrades_and_rolls_back();
    team.has_another_stand_by();
    team.uninstalls();
}

impl Team {
    fn installs(&self) {
        let begun = Instant::now();
        let told = self.readme("install", None);
        println!("helm install to a Ready pod: {:.1} s", begun.elapsed().as_secs_f64());
        assert!(told.contains("STATUS: deployed") && told.contains("kubectl get lagmonitors --watch"), "{told}");
        assert_eq!(self.its(&["get", "pvc", "data-highwater-0", "-o", "jsonpath={.status.phase}"]), "Bound");
        let database = fs::metadata(self.claimed.join("highwater.db")).unwrap();
        assert_eq!((database.uid(), database.gid()), (65532, 65532));
    }

    fn tenant_has_kafka_sampled(&self) {
        let edits = ["auth", "can-i", "create", "lagmonitors", "--namespace=shop", "--as=tenant"];
        eventually("the tenant may", PATIENCE, || self.node.inside(|| self.node.cluster.may(&edits)));
        let begun = Instant::now();
        let told = self.readme("sample", Some(&self.tenant));
        println!("kubectl apply to Ready=True: {:.2} s, kubectl included", begun.elapsed().as_secs_f64());
        println!("{told}");
        let look = self.consumer_lag();
        assert_row(&told, &look, begun.elapsed().as_secs_f64());

        self.within(&["shop", "--as=tenant", "patch", "lm", "orders", "--type=merge", "--patch", OUTPUT]);
        let published = || self.config_map().is_some_and(|report| report["sampling"]["interval_seconds"] == 3600.0);
        eventually("the tenant's ConfigMap is there", PATIENCE, published);
        let once = self.consumer_lag();
        let report = self.config_map().unwrap();
        assert_eq!(lines(&report).len(), 4, "{report:#}");
        assert_same(&report, &once, (generated(&once) - generated(&report)) as f64 / 1e3);
        let status = &self.resource()["status"];
        assert_eq!((&status["lagRecords"], &status["sampledBy"]), (&3.into(), &"highwater-0".into()), "{status:#}");
        assert_eq!(status["worst"]["group"], worst(&once)["group_id"], "{status:#}");
    }

    fn adds_a_sidecar_and_sees_the_same_report_everywhere(&self) {
        let since = self.since();
        self.upgrade(SIDECAR);
        self.sampled_anew(&since);
        self.node.inside(|| self.node.cluster.apply(&READER.replace("@SHELL@", SHELL)));
        self.within(&["shop", "wait", "--for=condition=Ready", "pod/reader", "--timeout=60s"]);
        // A ConfigMap in a volume is as old as a minute.
        let report = |text: &str| serde_json::from_str::<Value>(text).ok();
        eventually("tenant, sidecar and API server have one report", 2 * PATIENCE, || {
            let mounted = self.within(&["shop", "exec", "reader", "--", "cat", "/lag/report.json"]);
            let copied = self.its(&["exec", "highwater-0", "-c", "copies", "--", "cat", "/copies/orders.json"]);
            let published = self.config_map();
            report(&mounted) == published && report(&copied) == published
        });
        let beside = |path: &str| {
            let list = ["exec", "highwater-0", "-c", "copies", "--", "sh", "-c", "ls $0 || :", path];
            self.its(&list)
        };
        assert_eq!((beside("/files"), beside("/var/run/secrets")), ("shop\n".into(), String::new()), "no token for it");
        let told = self.helm(&["test", "highwater", "--logs"]);
        assert!(told.contains("Phase:          Succeeded"), "{told}");
        self.shows_what_rights_allow();
        self.prints_usage();
    }

    fn loses_container_pod_and_node(&self) {
        let (since, before) = (self.since(), self.history());
        let killed = Instant::now();
        self.node.kill("highwater", "highwater-0", "highwater");
        self.ready(1);
        println!("from kill -9 to Ready: {:.1} s", killed.elapsed().as_secs_f64());
        assert!(killed.elapsed() < BACK, "{:?}", killed.elapsed());
        self.remembers(&before);
        self.sampled_anew(&since);

        let deleted = Instant::now();
        self.its(&["delete", "pod", "highwater-0"]);
        self.ready(0);
        println!("from deletion to Ready: {:.1} s", deleted.elapsed().as_secs_f64());
        assert!(deleted.elapsed() < BACK, "{:?}", deleted.elapsed());
        self.remembers(&before);
        self.sampled_anew(&since);

        let flags = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"];
        self.kubectl(&[&["drain", "node"], &flags[..]].concat());
        let pod = ["get", "pod", "highwater-0", "--ignore-not-found", "-o", "jsonpath={.status.phase}"];
        eventually("it waits for a node", PATIENCE, || self.its(&pod) == "Pending");
        self.kubectl(&["uncordon", "node"]);
        self.ready(0);
        self.sampled_anew(&since);
    }

    fn upgrades_and_rolls_back(&self) {
        let since = self.since();
        let (next, archive) = (IMAGE.replace(env!("CARGO_PKG_VERSION"), "next"), self.dir.path().join("next.tar"));
        run(Command::new(script("next-image")).arg(&archive));
        self.node.import(&archive);
        self.readme("upgrade", None);
        let before = self.image();
        let image = ["--set", "image.tag=next"];
        self.helm(
            &[&["upgrade", "highwater", "charts/highwater", "--reset-then-reuse-values", "--wait"], &image[..]]
                .concat(),
        );
        assert!(self.runs().starts_with(&next) && self.runs().contains("--log-format=json"), "{}", self.runs());
        assert_ne!(self.image(), before, "another image runs");
        self.sampled_anew(&since);
        self.helm(&["rollback", "highwater", "--wait"]);
        assert!(self.runs().starts_with(IMAGE), "{}", self.runs());
        assert_eq!(self.image(), before);
        self.sampled_anew(&since);
    }

    fn has_another_stand_by(&self) {
        self.node.volume();
        let replicas = |n: &str| {
            let flags = ["--reset-then-reuse-values", "--wait", "--timeout=60s", "--set"];
            self.helm(&[&["upgrade", "highwater", "charts/highwater"], &flags[..], &[n]].concat());
        };
        replicas("replicas=2");
        let allowed = ["get", "pdb", "highwater", "-o", "jsonpath={.status.disruptionsAllowed}"];
        eventually("one may be evicted", PATIENCE, || self.its(&allowed) == "1");
        eventually("the Service leads to one", PATIENCE, || self.served_by().len() == 1);
        let [first, other] = match self.served_by()[0].as_str() {
            "highwater-0" => ["highwater-0", "highwater-1"],
            _ => ["highwater-1", "highwater-0"],
        };
        // Without a node to go to, the first one does not come back and take the Lease again.
        let first = format!("--pod-selector=statefulset.kubernetes.io/pod-name={first}");
        self.kubectl(&["drain", "node", &first, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"]);
        let taken = Instant::now();
        eventually("the other takes over", PATIENCE, || self.served_by() == [other]);
        println!("from eviction to the other's work: {:.1} s", taken.elapsed().as_secs_f64());
        eventually("it samples", PATIENCE, || self.resource()["status"]["sampledBy"] == other);
        self.kubectl(&["uncordon", "node"]);
        replicas("logLevel=debug");
        let flags = ["get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].args}"];
        assert_eq!(self.its(&flags).matches("--log-level=debug").count(), 2, "both are replaced");
        replicas("replicas=1");
        eventually("the first one works alone", PATIENCE, || self.served_by() == ["highwater-0"]);
        self.its(&["delete", "pvc", "data-highwater-1"]);
    }

    fn uninstalls(&self) {
        let since = self.since();
        self.readme("uninstall", None);
        let kept = [CRD, "persistentvolumeclaim/data-highwater-0"];
        eventually("it goes, but for definition and claim", PATIENCE, || self.left() == kept);
        assert_eq!(self.within(&["shop", "get", "lm", "--output=name"]), "lagmonitor.highwater.dev/orders\n");

        // What was kept is taken up again, and this time goes.
        let repository = IMAGE.split_once(':').unwrap().0;
        let image = format!("image.repository={repository}");
        let install = |values: &str| {
            let chart = ["install", "highwater", "charts/highwater", "--wait", "--timeout=60s"];
            self.helm(&[&chart[..], &["--set", &image, "--set", values]].concat());
        };
        let optional = "networkPolicy.enabled=true,dashboard.enabled=true";
        install(&format!("crds.keep=false,persistence.retention.whenDeleted=Delete,{optional}"));
        self.sampled_anew(&since);
        eventually("the claim is the release's", PATIENCE, || {
            let owner = ["get", "pvc", "data-highwater-0", "-o", "jsonpath={.metadata.ownerReferences[0].kind}"];
            self.its(&owner) == "StatefulSet"
        });
        self.helm(&["uninstall", "highwater", "--wait"]);
        eventually("nothing is left", PATIENCE, || self.left().is_empty());
        eventually("nor with the tenant", PATIENCE, || self.config_map().is_none());

        // A pod that needs no storage.
        install("persistence.enabled=false");
        assert_eq!(self.its(&["get", "pvc", "--output=name"]), "");
    }

    /// Metrics, API and page through the Service: for the tenant's and for Prometheus' ServiceAccount, as their rights are.
    fn shows_what_rights_allow(&self) {
        self.within(&["shop", "create", "serviceaccount", "viewer"]);
        self.within(&["shop", "create", "rolebinding", "viewer", "--clusterrole=view", "--serviceaccount=shop:viewer"]);
        self.within(&["kafka", "create", "serviceaccount", "prometheus"]);
        let reads = ["--clusterrole=highwater-metrics-reader", "--serviceaccount=kafka:prometheus"];
        self.kubectl(&[&["create", "clusterrolebinding", "prometheus"], &reads[..]].concat());
        let viewer = self.viewer();
        let prometheus = self.within(&["kafka", "create", "token", "prometheus"]);
        let groups = |token: &str| self.ask(8080, GROUPS, token);
        eventually("the viewer sees the groups", PATIENCE, || groups(&viewer).0 == 200);
        assert!(groups(&viewer).1.contains("-behind"), "{:?}", groups(&viewer));
        let metrics = self.ask(9090, "/metrics", &prometheus);
        let series = "kafka_consumergroup_group_lag_seconds{cluster_name=\"shop/orders\"";
        assert!(metrics.0 == 200 && metrics.1.contains(series), "{metrics:?}");
        assert_eq!((self.ask(9090, "/metrics", &viewer).0, groups(&prometheus).0, groups("").0), (403, 401, 401));
    }

    /// What the operator tells of the past of the group that is behind: every point, by its time.
    fn history(&self) -> Vec<Value> {
        let report = self.config_map().unwrap();
        let group = worst(&report)["group_id"].as_str().unwrap().to_owned();
        let told = eventually_some("it tells of the past", PATIENCE, || {
            let told = self.may_ask(8080, &format!("{GROUPS}/{group}/history?step=1s"), &self.viewer());
            told.ok().filter(|(status, _)| *status == 200).map(|(_, told)| told)
        });
        let told: Value = serde_json::from_str(&told).unwrap();
        told["points"].as_array().unwrap().clone()
    }

    /// Every point that was known before is still told.
    #[track_caller]
    fn remembers(&self, before: &[Value]) {
        let now = self.history();
        assert!(before.len() > 1 && before.iter().all(|point| now.contains(point)), "{before:#?}\n{now:#?}");
    }

    /// What the kubelet measures of the operator's container.
    fn prints_usage(&self) {
        let usage = eventually_some("the kubelet has measured", PATIENCE, || {
            let told =
                self.kubectl(&["get", "--raw", "/api/v1/nodes/node/proxy/stats/summary?only_cpu_and_memory=true"]);
            let told: Value = serde_json::from_str(&told).unwrap();
            let pods = told["pods"].as_array().unwrap().iter();
            let mut containers = pods
                .filter(|pod| pod["podRef"]["name"] == "highwater-0")
                .flat_map(|pod| pod["containers"].as_array().unwrap());
            let usage = containers.find(|container| container["name"] == "highwater")?.clone();
            usage["memory"]["workingSetBytes"].is_number().then_some(usage)
        });
        let number = |resource: &str, name: &str| usage[resource][name].as_f64().unwrap_or(f64::NAN);
        println!(
            "the operator's container: working set {:.1} MiB, {:.3} cores, {:.2} CPU s since it started",
            number("memory", "workingSetBytes") / 1024.0 / 1024.0,
            number("cpu", "usageNanoCores") / 1e9,
            number("cpu", "usageCoreNanoSeconds") / 1e9,
        );
    }
}
