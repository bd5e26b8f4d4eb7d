//! A whole Kubernetes: a control plane and one node that runs pods, with services, names, volumes, and a Kafka to reach.
//!
//! It needs root, and `tests/bed/kubernetes/install-node`. It is in a network of its own: what talks to its API server or
//! to pods does so `inside`. Modules whose tests use it begin with `node_`, so that a machine that cannot skips them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::unique;
use crate::cluster::{Cluster, script};
use crate::kafka::Single;
use crate::netns::{BRIDGE, Netns};
use crate::process::Held;
use crate::testbed::run;
use crate::wait::eventually;

const START: Duration = Duration::from_secs(60);

/// Volumes are folders of the node, which `Node::volume` makes; a pod's `fsGroup` counts on them.
const STORAGE: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: local, annotations: { storageclass.kubernetes.io/is-default-class: \"true\" } }
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
";

/// The image that is under test, as an OCI archive.
pub(crate) fn image() -> PathBuf {
    let archive =
        std::env::var_os("HIGHWATER_IMAGE").expect("HIGHWATER_IMAGE is not set: run tests/bed/image, or tests/run");
    PathBuf::from(archive)
}

/// The name of the image that is under test.
pub(crate) const IMAGE: &str = concat!("localhost/highwater:", env!("CARGO_PKG_VERSION"));

/// An image with busybox, and its commands in the path.
pub(crate) const SHELL: &str = "localhost/busybox:1";

/// A node with its control plane.
///
/// The order of the fields is that in which they end.
pub(crate) struct Node {
    kafka: OnceLock<Single>,
    _dns: Held,
    _proxy: Held,
    machine: Held,
    _scheduler: Held,
    /// The control plane: for use inside.
    pub(crate) cluster: Cluster,
    netns: Netns,
    // Of the machine, which removes it.
    dir: PathBuf,
}

impl Node {
    /// A node of one's own.
    pub(crate) fn start() -> Self {
        let netns = Netns::start(&script("network"));
        let dir = TempDir::new().unwrap().keep();
        let (cluster, machine, scheduler, proxy, dns) = netns.inside(|| {
            let cluster = Cluster::bare_at(BRIDGE);
            let machine =
                Held::start(&dir, &script("node"), &[&cluster.dir().to_string_lossy(), &dir.to_string_lossy()]);
            let [scheduler, proxy, dns] = ["scheduler", "proxy", "dns"].map(|name| cluster.part(name));
            cluster.apply(STORAGE);
            let ready = [
                "get",
                "node",
                "node",
                "--ignore-not-found",
                "--output=jsonpath={.status.conditions[?(@.type=='Ready')].status}",
            ];
            eventually("the node is ready", START, || {
                for part in [&machine, &scheduler, &proxy, &dns] {
                    assert!(part.runs(), "a part of the node ended:\n{}", part.log());
                }
                cluster.kubectl(&ready) == "True"
            });
            (cluster, machine, scheduler, proxy, dns)
        });
        Self { kafka: OnceLock::new(), _dns: dns, _proxy: proxy, machine, _scheduler: scheduler, cluster, netns, dir }
    }

    /// Does something inside the node's network: `kubectl`, Kafka clients, requests to pods and services, and every
    /// program that is started there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.netns.inside(work)
    }

    /// A broker that pods reach at its address.
    pub(crate) fn kafka(&self) -> &Single {
        self.kafka.get_or_init(|| self.inside(|| Single::start_at(BRIDGE)))
    }

    /// Gives the node the images of an archive, under the names that stand in it.
    pub(crate) fn import(&self, archive: &Path) {
        let archive = File::open(archive).unwrap();
        run(self.ctr(&["images", "import", "-"]).stdin(archive));
    }

    /// Makes a volume of 1 GiB, for the next claim of that size or less. Returns its folder.
    pub(crate) fn volume(&self) -> PathBuf {
        let name = unique("volume");
        let folder = self.dir.join("volumes").join(&name);
        fs::create_dir_all(&folder).unwrap();
        let volume = format!(
            "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{ name: {name} }}\nspec:\n  \
             capacity: {{ storage: 1Gi }}\n  accessModes: [ReadWriteOnce]\n  storageClassName: local\n  \
             persistentVolumeReclaimPolicy: Retain\n  local: {{ path: {} }}\n  nodeAffinity:\n    required:\n      \
             nodeSelectorTerms:\n        - matchExpressions: [{{ key: kubernetes.io/hostname, operator: In, values: [node] }}]\n",
            folder.display()
        );
        self.inside(|| self.cluster.apply(&volume));
        folder
    }

    /// Kills the process of a container (`kill -9`).
    pub(crate) fn kill(&self, namespace: &str, pod: &str, container: &str) {
        let id = format!("--output=jsonpath={{.status.containerStatuses[?(@.name=='{container}')].containerID}}");
        let id = self.inside(|| self.cluster.kubectl(&["get", "pod", pod, "--namespace", namespace, &id]));
        run(&mut self.ctr(&["tasks", "kill", "--signal", "SIGKILL", id.trim_start_matches("containerd://")]));
    }

    /// containerd's own tool, where containerd is.
    fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let mounts = format!("--mount=/proc/{}/ns/mnt", self.machine.pid());
        command.args([&mounts, "ctr", "--namespace", "k8s.io"]).args(arguments).stdin(Stdio::null());
        command
    }
}
