//! `highwater operator` on the shared control plane, for one namespace of its own, with the rights that it is given.

use std::path::Path;

use serde_json::Value;

use crate::cluster::{Cluster, cluster};
use crate::monitor::{Monitor, PATIENCE};
use crate::wait::{eventually, eventually_some};

/// A running operator, and its namespace.
pub(crate) struct Operated {
    /// The process.
    pub(crate) highwater: Monitor,
    /// The one namespace that it watches.
    pub(crate) namespace: String,
}

impl Operated {
    /// Starts an operator for a new namespace.
    pub(crate) fn start(name: &str, flags: &[&str]) -> Self {
        let namespace = cluster().namespace(name);
        let kubeconfig = cluster().operator_kubeconfig(&namespace);
        cluster().apply(&lease(&namespace, "highwater"));
        let lease = format!("{namespace}/highwater");
        Self::serving(namespace, &kubeconfig, &lease, flags)
    }

    /// Starts an operator for a new namespace, in which it may read LagMonitors and write their status, and no more.
    pub(crate) fn start_limited(name: &str) -> Self {
        let namespace = cluster().namespace(name);
        let within =
            |arguments: &[&str]| cluster().kubectl(&[&["--namespace", &namespace, "create"], arguments].concat());
        within(&["serviceaccount", "highwater"]);
        within(&["role", "highwater", "--verb=get,list,watch", "--resource=lagmonitors.highwater.dev"]);
        within(&["role", "status", "--verb=patch", "--resource=lagmonitors.highwater.dev/status"]);
        let account = format!("--serviceaccount={namespace}:highwater");
        for role in ["highwater", "status"] {
            within(&["rolebinding", role, &format!("--role={role}"), &account]);
        }
        cluster().apply(&lease(&namespace, &namespace));
        let kubeconfig = cluster().kubeconfig(&namespace, &namespace);
        let lease = format!("{namespace}/highwater");
        Self::serving(namespace, &kubeconfig, &lease, &[])
    }

    /// Starts an operator for a namespace, with the rights of a kubeconfig.
    pub(crate) fn serving(namespace: String, kubeconfig: &Path, lease: &str, flags: &[&str]) -> Self {
        Self::serving_on(None, namespace, kubeconfig, lease, flags)
    }

    /// Starts an operator for a new namespace with its data on a small disk.
    pub(crate) fn start_on_small_disk(name: &str, size: &'static str) -> Self {
        let namespace = cluster().namespace(name);
        let kubeconfig = cluster().operator_kubeconfig(&namespace);
        cluster().apply(&lease(&namespace, "highwater"));
        let lease = format!("{namespace}/highwater");
        Self::serving_on(Some(size), namespace, &kubeconfig, &lease, &[])
    }

    fn serving_on(
        disk: Option<&'static str>,
        namespace: String,
        kubeconfig: &Path,
        lease: &str,
        flags: &[&str],
    ) -> Self {
        let kubeconfig = kubeconfig.to_string_lossy().into_owned();
        let own = ["--kubeconfig", &kubeconfig, "--namespace", &namespace, "--lease", lease];
        let identity = ["--identity", "highwater-0"];
        let identity = if flags.contains(&"--identity") { &[][..] } else { &identity };
        let highwater = Monitor::operator_on(disk, &[&own, identity, flags].concat());
        eventually("it has listed the LagMonitors", PATIENCE, || highwater.get("/readyz").0 == 200);
        Self { highwater, namespace }
    }

    /// Starts a second operator for the namespace, which need not be ready.
    pub(crate) fn another(&self, identity: &str) -> Monitor {
        let kubeconfig = cluster().operator_kubeconfig(&self.namespace).to_string_lossy().into_owned();
        let lease = format!("{}/highwater", self.namespace);
        let flags =
            ["--kubeconfig", &kubeconfig, "--namespace", &self.namespace, "--identity", identity, "--lease", &lease];
        Monitor::operator(&flags)
    }

    /// Creates or changes a LagMonitor: `fields` stand below `spec`, indented by two.
    #[track_caller]
    pub(crate) fn apply(&self, name: &str, fields: &str) {
        cluster().apply(&document(&self.namespace, name, fields));
    }

    /// `kubectl` in the namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        cluster().kubectl(&[&["--namespace", &self.namespace], arguments].concat())
    }

    /// The LagMonitor as the API server has it.
    #[track_caller]
    pub(crate) fn resource(&self, name: &str) -> Value {
        resource(cluster(), &self.namespace, name)
    }

    /// Waits until a condition of the LagMonitor has this status and reason; returns the LagMonitor.
    #[track_caller]
    pub(crate) fn condition(&self, name: &str, condition: &str, status: &str, reason: &str) -> Value {
        eventually_some(&format!("{condition} is {status}, {reason}"), PATIENCE, || {
            let resource = self.resource(name);
            let found = condition_of(&resource, condition);
            (found["status"] == status && found["reason"] == reason).then_some(resource)
        })
    }

    /// What Events say of the LagMonitor: reason and note, in the order in which they happened.
    pub(crate) fn events(&self, name: &str) -> Vec<(String, String)> {
        events(cluster(), &self.namespace, name)
    }

    /// How many requests the API server has answered with a code.
    pub(crate) fn answered(&self, code: u16) -> f64 {
        answered(&self.highwater, code)
    }

    /// The report in a ConfigMap of the namespace, where there is one.
    pub(crate) fn config_map(&self, name: &str) -> Option<Value> {
        let found = self.kubectl(&["get", "configmap", name, "--ignore-not-found", "--output=json"]);
        let found: Value = serde_json::from_str(&found).ok()?;
        Some(serde_json::from_str(found["data"]["report.json"].as_str().unwrap()).unwrap())
    }
}

/// What Events say of a LagMonitor: reason and note, in the order in which they happened.
pub(crate) fn events(cluster: &Cluster, namespace: &str, name: &str) -> Vec<(String, String)> {
    let all = ["get", "events.events.k8s.io", "--output=json", "--sort-by=.eventTime", "--namespace", namespace];
    let told: Value = serde_json::from_str(&cluster.kubectl(&all)).unwrap();
    let of_it = |event: &&Value| event["regarding"]["name"] == name;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events = told["items"].as_array().unwrap().iter();
    events.filter(of_it).map(|event| (text(&event["reason"]), text(&event["note"]))).collect()
}

/// How many requests the API server has answered an operator with a code.
pub(crate) fn answered(highwater: &Monitor, code: u16) -> f64 {
    let begin = format!("highwater_kubernetes_api_requests_total{{code=\"{code}\"}} ");
    let metrics = highwater.get("/metrics").1;
    metrics.lines().find_map(|line| line.strip_prefix(&begin)).map_or(0.0, |count| count.parse().unwrap())
}

/// A Lease of a namespace, and the right to it of the service account `highwater` of another, as a release has it.
pub(crate) fn lease(namespace: &str, home: &str) -> String {
    let role = "{ apiGroup: rbac.authorization.k8s.io, kind: Role, name: lease }";
    let rule =
        "{ apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [highwater], verbs: [get, patch] }";
    format!(
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {{ name: highwater, namespace: {namespace} }}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{ name: lease, namespace: {namespace} }}\nrules: [{rule}]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{ name: lease, namespace: {namespace} }}\nroleRef: {role}\n\
         subjects: [{{ kind: ServiceAccount, name: highwater, namespace: {home} }}]\n"
    )
}

/// A LagMonitor of a namespace.
pub(crate) fn document(namespace: &str, name: &str, fields: &str) -> String {
    format!(
        "apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\nmetadata: {{ name: {name}, namespace: {namespace} }}\n\
         spec:\n{fields}"
    )
}

/// A LagMonitor as the API server has it.
#[track_caller]
pub(crate) fn resource(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    let found = cluster.kubectl(&["get", "lagmonitor", name, "--namespace", namespace, "--output=json"]);
    serde_json::from_str(&found).unwrap()
}

/// One condition of a LagMonitor; null where it has none.
pub(crate) fn condition_of<'a>(resource: &'a Value, condition: &str) -> &'a Value {
    let conditions = resource["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|one| one["type"] == condition));
    found.unwrap_or(&Value::Null)
}
