//! Blocks of README.md that need a Kubernetes, run as they stand there.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster::{Cluster, programs};
use crate::node::IMAGE;

/// Runs the block of README.md whose first line names it so, such as `node install`, as a person with a kubeconfig would.
/// Returns all that it writes, as an error where it does not succeed.
#[track_caller]
pub(crate) fn run(name: &str, cluster: &Cluster, kubeconfig: &Path) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let begin = format!("```sh {name}\n");
    let block = text.split_once(&begin).and_then(|(_, rest)| rest.split_once("```")).expect("README has the block").0;
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", block])
        .current_dir(root)
        .env("PATH", format!("{}:{}", programs().display(), std::env::var("PATH").unwrap()))
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", cluster.dir())
        .env("REGISTRY", IMAGE.split_once('/').unwrap().0)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() { Ok(told) } else { Err(format!("{block}\n{told}")) }
}
