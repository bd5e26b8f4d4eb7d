//! A real Kubernetes control plane, without nodes: one that all tests share, and one's own for those who break it.
//!
//! The scripts in `tests/bed/kubernetes` prepare and run etcd, the API server and the controllers; here is when, and that
//! they end. The custom resource and what `deploy/highwater.yaml` says of rights are applied before anything else.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::unique;
use crate::highwater::Outcome;
use crate::process::Held;
use crate::testbed::{cache, read, run};
use crate::wait::eventually;

const START: Duration = Duration::from_secs(60);
/// Everything that is deployed, but not by Helm.
pub(crate) const MANIFESTS: &str = include_str!("../../deploy/highwater.yaml");

/// The control plane that all tests share.
pub(crate) fn cluster() -> &'static Cluster {
    static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);
    &SHARED
}

/// A control plane whose API server can be killed.
///
/// The order of the fields is that in which they end.
pub(crate) struct Cluster {
    _controllers: Held,
    api_server: Option<Held>,
    // The whole folder goes with etcd.
    _etcd: Held,
    dir: PathBuf,
}

impl Cluster {
    /// A control plane of one's own.
    pub(crate) fn start() -> Self {
        Self::prepared(&[], |kubectl| {
            kubectl.apply(&[&highwater::crd::yaml().unwrap(), &*rights()].join("---\n"), &[]);
            // The garbage collector sees at its start what is served then, and looks for more every 30 seconds only.
            let served = || kubectl.run(&["get", "lagmonitors", "-A"], "").code == Some(0);
            eventually("the resource is served", START, served);
        })
    }

    /// A control plane that has not heard of Highwater.
    pub(crate) fn bare() -> Self {
        Self::prepared(&[], |_| {})
    }

    /// The same, for a node at the address of a bridge, in whose network this is called.
    pub(crate) fn bare_at(address: &str) -> Self {
        Self::prepared(&[address], |_| {})
    }

    fn prepared(address: &[&str], deploy: impl FnOnce(&Kubectl<'_>)) -> Self {
        let prepare = script("prepare");
        let dir = TempDir::new().unwrap().keep();
        run(Command::new(prepare).arg(&dir).args(address));
        let etcd = Held::start(&dir, &script("etcd"), &[&dir.to_string_lossy()]);
        let api_server = Some(part(&dir, "api-server"));
        let kubectl = Kubectl(&dir);
        await_ready(&kubectl, api_server.as_ref().unwrap());
        deploy(&kubectl);
        let controllers = part(&dir, "controllers");
        Self { _controllers: controllers, api_server, _etcd: etcd, dir }
    }

    /// The folder of its certificates and configuration, which is of the scripts.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts one more part, whose script is told the folder.
    pub(crate) fn part(&self, name: &str) -> Held {
        part(&self.dir, name)
    }

    /// Runs `kubectl arguments…` as an administrator, and returns what it writes. It must succeed.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        Kubectl(&self.dir).succeeds(arguments)
    }

    /// Writes a line, of a JSONPath, for a LagMonitor as it is, and for everything that is written into it from then on.
    pub(crate) fn follow(&self, namespace: &str, name: &str, path: &str) -> Held {
        let folder = tempfile::TempDir::new().unwrap().keep();
        let [kubeconfig, cache] =
            [("kubeconfig", self.dir.join("admin.kubeconfig")), ("cache-dir", folder.join("cache"))]
                .map(|(flag, path)| format!("--{flag}={}", path.display()));
        let (what, form) = (format!("lagmonitors/{name}"), format!("--output=jsonpath={path}"));
        Held::start(
            &folder,
            &program("kubectl"),
            &["get", &what, "--namespace", namespace, "--watch", &form, &kubeconfig, &cache],
        )
    }

    /// Runs `kubectl arguments…`, and returns what it complains about. It must fail.
    #[track_caller]
    pub(crate) fn kubectl_fails(&self, arguments: &[&str]) -> String {
        let outcome = Kubectl(&self.dir).run(arguments, "");
        assert_ne!(outcome.code, Some(0), "kubectl {arguments:?} succeeds: {outcome:?}");
        outcome.stderr
    }

    /// Runs `kubectl arguments…`, and returns all that it writes, whether it succeeds or not.
    pub(crate) fn tells(&self, arguments: &[&str]) -> String {
        let outcome = Kubectl(&self.dir).run(arguments, "");
        [outcome.stdout, outcome.stderr].concat()
    }

    /// Applies documents, which must be good: a warning is a failure too.
    #[track_caller]
    pub(crate) fn apply(&self, yaml: &str) {
        Kubectl(&self.dir).apply(yaml, &[]);
    }

    /// Runs `kubectl arguments…`, and returns whether it succeeds.
    pub(crate) fn may(&self, arguments: &[&str]) -> bool {
        Kubectl(&self.dir).run(arguments, "").code == Some(0)
    }

    /// Has documents checked as if they were applied, with flags that say more. A warning is a failure too.
    #[track_caller]
    pub(crate) fn check(&self, yaml: &str, flags: &[&str]) {
        Kubectl(&self.dir).apply(yaml, &[&["--dry-run=server"], flags].concat());
    }

    /// Runs a command line as a person pastes it into a shell, who is an administrator. It must succeed.
    #[track_caller]
    pub(crate) fn paste(&self, line: &str) -> String {
        let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap_or_default());
        let outcome = command_at(&self.dir, Path::new("sh"), &["-euc", line], &[("PATH", &path)], "");
        assert_eq!(outcome.code, Some(0), "{line}\n{}", outcome.stderr);
        outcome.stdout
    }

    /// Somebody else who runs `kubectl` meanwhile.
    pub(crate) fn hand(&self) -> Hand {
        Hand(self.dir.clone())
    }

    /// Runs `helm arguments…` as an administrator, and returns what it writes. It must succeed.
    #[track_caller]
    pub(crate) fn helm(&self, arguments: &[&str]) -> String {
        self.may_helm(arguments).unwrap_or_else(|error| panic!("helm {arguments:?}: {error}"))
    }

    /// Runs `helm arguments…`, and returns what it writes, or what it complains about.
    pub(crate) fn may_helm(&self, arguments: &[&str]) -> Result<String, String> {
        let outcome = command(&self.dir, "helm", arguments, "");
        if outcome.code == Some(0) { Ok(outcome.stdout) } else { Err(outcome.stderr) }
    }

    /// Runs `helm arguments…`, and returns what it complains about. It must fail.
    #[track_caller]
    pub(crate) fn helm_fails(&self, arguments: &[&str]) -> String {
        let outcome = self.may_helm(arguments);
        outcome.expect_err("helm must refuse that")
    }

    /// Creates a namespace that no other test has: `orders` becomes `orders-<process>-<number>`.
    #[track_caller]
    pub(crate) fn namespace(&self, name: &str) -> String {
        let name = unique(name);
        self.kubectl(&["create", "namespace", &name]);
        name
    }

    /// A kubeconfig with a token of the operator's service account, and so with its rights and no others. The
    /// namespace is the one that counts where a command names none.
    #[track_caller]
    pub(crate) fn operator_kubeconfig(&self, namespace: &str) -> PathBuf {
        self.kubeconfig(namespace, "highwater")
    }

    /// The same for the service account `highwater` of another namespace.
    #[track_caller]
    pub(crate) fn kubeconfig(&self, namespace: &str, home: &str) -> PathBuf {
        let token = self.kubectl(&["create", "token", "highwater", "--namespace", home]);
        let admin = read(&self.dir, "admin.kubeconfig");
        let clusters = admin.lines().find(|line| line.starts_with("clusters:")).unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: operator\n{clusters}\n\
             users: [{{ name: operator, user: {{ token: {} }} }}]\n\
             contexts: [{{ name: operator, context: {{ cluster: bed, user: operator, namespace: {namespace} }} }}]\n",
            token.trim()
        );
        let path = self.dir.join(format!("{namespace}.kubeconfig"));
        fs::write(&path, text).unwrap();
        path
    }

    /// Kills the API server (`kill -9`). What it has stored stays.
    pub(crate) fn kill_api_server(&mut self) {
        let code = self.api_server.take().expect("the API server runs").stop("KILL");
        assert_eq!(code, Some(128 + 9), "it ran until it was killed");
    }

    /// Starts a killed API server again, at the same address, and waits until it is ready.
    pub(crate) fn start_api_server(&mut self) {
        let api_server = part(&self.dir, "api-server");
        await_ready(&Kubectl(&self.dir), &api_server);
        self.api_server = Some(api_server);
    }

    /// The size of etcd's file in bytes: what counts against its quota, and never shrinks.
    pub(crate) fn etcd_bytes(&self) -> u64 {
        let ports = read(&self.dir, "ports");
        let port = ports.lines().find_map(|line| line.strip_prefix("etcd=")).unwrap();
        let url = format!("http://127.0.0.1:{port}/metrics");
        let metrics = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let size = metrics.lines().find_map(|line| line.strip_prefix("etcd_mvcc_db_total_size_in_bytes ")).unwrap();
        // Prometheus' text has numbers as floats, such as 1.122304e+06.
        size.parse::<f64>().unwrap() as u64
    }
}

/// An administrator who keeps working while the API server goes and comes back: what fails then is left.
pub(crate) struct Hand(PathBuf);

impl Hand {
    /// Applies documents; returns whether the API server took all of them.
    pub(crate) fn apply(&self, yaml: &str) -> bool {
        Kubectl(&self.0).run(&["apply", "--server-side", "-f", "-"], yaml).code == Some(0)
    }

    /// Runs `kubectl arguments…`; returns whether it succeeds.
    pub(crate) fn may(&self, arguments: &[&str]) -> bool {
        Kubectl(&self.0).run(arguments, "").code == Some(0)
    }
}

/// The command `kubectl`, as an administrator of the control plane in a folder.
struct Kubectl<'a>(&'a Path);

impl Kubectl<'_> {
    fn run(&self, arguments: &[&str], input: &str) -> Outcome {
        command(self.0, "kubectl", arguments, input)
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments, "");
        assert_eq!(outcome.code, Some(0), "kubectl {arguments:?}: {}", outcome.stderr);
        outcome.stdout
    }

    #[track_caller]
    fn apply(&self, yaml: &str, flags: &[&str]) {
        let arguments = ["apply", "--server-side", "--warnings-as-errors", "-f", "-"];
        let outcome = self.run(&[&arguments, flags].concat(), yaml);
        assert_eq!(outcome.code, Some(0), "{}\n{yaml}", outcome.stderr);
    }
}

/// Runs a program of the bed as an administrator of the control plane in a folder.
fn command(dir: &Path, name: &str, arguments: &[&str], input: &str) -> Outcome {
    command_at(dir, &program(name), arguments, &[], input)
}

fn command_at(dir: &Path, path: &Path, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Outcome {
    let mut child = Command::new(path)
        .args(arguments)
        .envs(variables.iter().copied())
        .env("KUBECONFIG", dir.join("admin.kubeconfig"))
        // Where it keeps what an API server at this address has told, and finds nobody's preferences.
        .env("HOME", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that fails early does not read all of it.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Of what is deployed, the namespace, the service account and what it and tenants may do: nothing that runs.
fn rights() -> String {
    let kinds = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Lease"];
    let kind =
        |document: &&str| document.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap_or_default().to_owned();
    let found: Vec<_> = MANIFESTS.split("---\n").filter(|document| kinds.contains(&&*kind(document))).collect();
    found.join("---\n")
}

fn part(dir: &Path, name: &str) -> Held {
    let own = dir.join(name);
    fs::create_dir_all(&own).unwrap();
    Held::start(&own, &script(name), &[&dir.to_string_lossy()])
}

fn await_ready(kubectl: &Kubectl<'_>, api_server: &Held) {
    eventually("the API server is ready", START, || {
        assert!(api_server.runs(), "the API server ended:\n{}", api_server.log());
        kubectl.run(&["get", "--raw", "/readyz"], "").code == Some(0)
    });
}

/// A script of the bed, once the programs that it needs are known to be there.
pub(crate) fn script(name: &str) -> PathBuf {
    assert!(
        program("kubectl").exists(),
        "Kubernetes is not in the cache: run tests/bed/kubernetes/install once, or tests/run"
    );
    bed().join(name)
}

fn program(name: &str) -> PathBuf {
    programs().join(name)
}

/// The folder of what the bed has built of Kubernetes and Helm.
pub(crate) fn programs() -> PathBuf {
    let modules = read(&bed(), "go.mod");
    let version = modules.lines().find_map(|line| line.strip_prefix("require k8s.io/kubernetes v")).unwrap();
    cache().join(format!("kubernetes-{version}/bin"))
}

fn bed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/kubernetes")
}
