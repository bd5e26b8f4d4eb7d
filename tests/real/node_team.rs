//! A platform team with a node, a Kafka to sample, and a tenant: what they ask `kubectl`, Helm and the operator.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{now, unique};
use crate::highwater::highwater;
use crate::installed::left;
use crate::node::{Node, SHELL, image};
use crate::operated::{condition_of, resource};
use crate::readme;
use crate::shapes::HOUR;
use crate::truth::generated;
use crate::wait::eventually;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where pods keep to what restricted ones may, and a tenant who may `edit`, as most of them.
const NAMESPACES: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: highwater, labels: { pod-security.kubernetes.io/enforce: restricted } }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { pod-security.kubernetes.io/enforce: restricted } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: tenant, namespace: shop }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: tenant }]
";

/// The broker under the name that the README and the samples have for it.
const KAFKA: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: kafka }
---
apiVersion: v1
kind: Service
metadata: { name: kafka-bootstrap, namespace: kafka }
spec: { ports: [{ port: 9092, targetPort: @PORT@ }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: kafka-bootstrap, namespace: kafka, labels: { kubernetes.io/service-name: kafka-bootstrap } }
addressType: IPv4
endpoints: [{ addresses: [\"@ADDRESS@\"] }]
ports: [{ port: @PORT@ }]
";

/// A node, and the folder that the release's claim is bound to.
pub(crate) struct Team {
    pub(crate) node: Node,
    pub(crate) claimed: PathBuf,
    /// Who the tenant is.
    pub(crate) tenant: PathBuf,
    pub(crate) dir: TempDir,
}

impl Team {
    pub(crate) fn start() -> Self {
        let node = Node::start();
        node.import(&image());
        let (claimed, dir) = (node.volume(), TempDir::new().unwrap());
        let tenant = dir.path().join("tenant.kubeconfig");
        let admin = fs::read_to_string(node.cluster.dir().join("admin.kubeconfig")).unwrap();
        let impersonated = admin.replacen("user: { client-certificate", "user: { as: tenant, client-certificate", 1);
        assert_ne!(admin, impersonated);
        fs::write(&tenant, impersonated).unwrap();
        let team = Self { node, claimed, tenant, dir };
        team.node.inside(|| {
            team.node.cluster.apply(NAMESPACES);
            let kafka = team.node.kafka();
            let client = kafka.client();
            let (topic, groups) = (client.topic("orders", 2, &[]), unique("billing"));
            client.produce(&topic, 0, (0..10).map(|n| now() - 10 * HOUR + n * HOUR));
            client.commit(&format!("{groups}-behind"), &topic, &[(0, 7), (1, 0)]);
            client.commit(&format!("{groups}-done"), &topic, &[(0, 10), (1, 0)]);
            let (address, port) = kafka.bootstrap.split_once(':').unwrap();
            team.node.cluster.apply(&KAFKA.replace("@ADDRESS@", address).replace("@PORT@", port));
        });
        team
    }

    /// What there is of the release.
    pub(crate) fn left(&self) -> Vec<String> {
        self.node.inside(|| left(&self.node.cluster))
    }

    /// Runs the block `node NAME` of README.md.
    #[track_caller]
    pub(crate) fn readme(&self, name: &str, kubeconfig: Option<&Path>) -> String {
        let own = self.node.cluster.dir().join("admin.kubeconfig");
        let kubeconfig = kubeconfig.unwrap_or(&own);
        let told = self.node.inside(|| readme::run(&format!("node {name}"), &self.node.cluster, kubeconfig));
        told.unwrap_or_else(|told| panic!("{told}\n{}", self.told()))
    }

    /// What Kubernetes and the operator say of the release, for somebody who wants to know why.
    pub(crate) fn told(&self) -> String {
        let told = |arguments: &[&str]| self.node.inside(|| self.node.cluster.tells(arguments));
        let pods = told(&["get", "pods,pvc,pv", "--all-namespaces"]);
        let events = told(&["events", "--all-namespaces"]);
        let logs =
            ["logs", "--namespace=highwater", "--selector=app.kubernetes.io/instance=highwater", "--all-containers"];
        [pods, events, told(&logs)].concat()
    }

    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.node.inside(|| self.node.cluster.kubectl(arguments))
    }

    /// `kubectl` in the namespace that stands first.
    #[track_caller]
    pub(crate) fn within(&self, arguments: &[&str]) -> String {
        self.kubectl(&[&["--namespace"][..], arguments].concat())
    }

    /// `kubectl` in the namespace of the release.
    #[track_caller]
    pub(crate) fn its(&self, arguments: &[&str]) -> String {
        self.within(&[&["highwater"][..], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn helm(&self, arguments: &[&str]) -> String {
        let chart = format!("{}/charts/highwater", env!("CARGO_MANIFEST_DIR"));
        let arguments: Vec<_> =
            arguments.iter().map(|&one| if one == "charts/highwater" { &*chart } else { one }).collect();
        let arguments = [&arguments[..], &["--namespace=highwater"]].concat();
        let told = self.node.inside(|| self.node.cluster.may_helm(&arguments));
        told.unwrap_or_else(|error| panic!("helm {arguments:?}: {error}\n{}", self.told()))
    }

    /// Upgrades the release with further values.
    #[track_caller]
    pub(crate) fn upgrade(&self, values: &str) {
        let file = self.dir.path().join("values.yaml");
        fs::write(&file, values.replace("@SHELL@", SHELL)).unwrap();
        let values = format!("--values={}", file.display());
        self.helm(&["upgrade", "highwater", "charts/highwater", "--reuse-values", "--wait", &values]);
    }

    /// Waits until the operator has been started again so many times in its pod, and is ready.
    #[track_caller]
    pub(crate) fn ready(&self, restarts: u32) {
        let told = "jsonpath={range .status.containerStatuses[?(@.name=='highwater')]}{.restartCount} {.ready}{end}";
        let pod = ["get", "pod", "highwater-0", "--ignore-not-found", "-o", told];
        eventually(&format!("the pod is ready after {restarts} restarts"), PATIENCE, || {
            self.its(&pod) == format!("{restarts} true")
        });
    }

    /// The image that runs, by its content.
    pub(crate) fn image(&self) -> String {
        let path = "jsonpath={.status.containerStatuses[?(@.name=='highwater')].imageID}";
        self.its(&["get", "pod", "highwater-0", "-o", path])
    }

    /// Image and flags of the operator.
    pub(crate) fn runs(&self) -> String {
        let path = "jsonpath={.spec.containers[0].image} {.spec.containers[0].args}";
        self.its(&["get", "pod", "highwater-0", "-o", path])
    }

    pub(crate) fn resource(&self) -> Value {
        self.node.inside(|| resource(&self.node.cluster, "shop", "orders"))
    }

    /// The report in the tenant's ConfigMap.
    pub(crate) fn config_map(&self) -> Option<Value> {
        let found = self.within(&["shop", "get", "configmap", "orders-lag", "--ignore-not-found", "--output=json"]);
        let found: Value = serde_json::from_str(&found).ok()?;
        Some(serde_json::from_str(found["data"]["report.json"].as_str().unwrap()).unwrap())
    }

    /// Since when each group is in its state, which is known from history alone.
    pub(crate) fn since(&self) -> Vec<String> {
        let report = self.config_map().unwrap();
        let groups = report["groups"].as_array().unwrap();
        groups.iter().map(|group| group["topics"][0]["since"].as_str().unwrap().to_owned()).collect()
    }

    /// Has a sample taken by whoever runs now, and waits for its report: the states in it are as old as before.
    #[track_caller]
    pub(crate) fn sampled_anew(&self, since: &[String]) {
        let asked = now();
        let ask = format!("highwater.dev/sample-now={asked}");
        self.within(&["shop", "annotate", "--overwrite", "lm", "orders", &ask]);
        eventually("there is a younger report", PATIENCE, || generated(&self.config_map().unwrap()) > asked);
        assert_eq!(condition_of(&self.resource(), "Ready")["status"], "True");
        assert_eq!(self.since(), since);
    }

    /// One look at the same Kafka, from beside it.
    pub(crate) fn consumer_lag(&self) -> Value {
        let kafka = &self.node.kafka().bootstrap;
        let outcome = self.node.inside(|| highwater(&["consumer-lag", "--brokers", kafka, "-o", "json"]));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.json()
    }

    /// The token of somebody who may `view` the tenant's namespace.
    pub(crate) fn viewer(&self) -> String {
        self.within(&["shop", "create", "token", "viewer", "--audience=highwater"])
    }

    /// Status and body of an answer of the operator, through its Service.
    #[track_caller]
    pub(crate) fn ask(&self, port: u16, path: &str, token: &str) -> (u16, String) {
        self.may_ask(port, path, token).unwrap()
    }

    /// The same, where the Service may lead to nobody yet.
    pub(crate) fn may_ask(&self, port: u16, path: &str, token: &str) -> Result<(u16, String), ureq::Error> {
        let address = self.its(&["get", "service", "highwater", "-o", "jsonpath={.spec.clusterIP}"]);
        self.node.inside(|| {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let request = agent.get(format!("http://{address}:{port}{path}"));
            let request = request.header("authorization", format!("Bearer {}", token.trim()));
            let mut answer = request.call()?;
            Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
        })
    }

    /// The pods that the Service leads to.
    pub(crate) fn served_by(&self) -> Vec<String> {
        let slices = ["get", "endpointslices", "--selector=kubernetes.io/service-name=highwater", "-o", "json"];
        let slices: Value = serde_json::from_str(&self.its(&slices)).unwrap();
        let slices = slices["items"].as_array().unwrap().iter();
        let endpoints = slices.flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
        ready.map(|endpoint| endpoint["targetRef"]["name"].as_str().unwrap().to_owned()).collect()
    }
}
