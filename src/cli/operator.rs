//! `highwater operator`: the monitors of LagMonitor resources, on Kubernetes.

use anyhow::Context;
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tower::util::MapResultLayer;

use super::arguments::Operator;
use super::{GOOD, serving, signals};
use crate::board::Board;
use crate::reconcile::guard::Guards;
use crate::reconcile::lease::Place;
use crate::reconcile::operator::{self, Clients, Settings};

/// How long the API server may take for an answer that is not a watch.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(15);

/// How long a watch may be silent: the API server ends it after 290 s by itself.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(295);

/// Runs until it is stopped.
pub(super) async fn run(arguments: Operator) -> anyhow::Result<u8> {
    let config = config(&arguments).await?;
    let lease = place(&arguments.lease, &config.default_namespace);
    let stop = signals::stop_on_signal()?;
    let awaited = "the list of LagMonitors has not been read yet";
    let serving = serving::serve(&arguments.keeping, arguments.listen, awaited, &stop).await?;
    let board = serving.fleet.board();
    let within = |timeout| {
        let mut config = config.clone();
        config.read_timeout = Some(timeout);
        client(config, board.clone())
    };
    let clients = Clients { call: within(ANSWER)?, watch: within(SILENCE)? };
    let settings = Settings {
        namespaces: arguments.namespace.into_iter().collect(),
        guards: Guards { bootstrap: arguments.allow_bootstrap, token_endpoint: arguments.allow_token_endpoint },
        lease,
        identity: arguments.identity.unwrap_or_else(host_name),
    };
    let readiness = serving.readiness;
    let ready = |reason: Option<&str>| reason.map_or_else(|| readiness.ready(), |reason| readiness.not_ready(reason));
    operator::run(clients, settings, serving.fleet, ready, stop).await;
    serving.server.await??;
    Ok(GOOD)
}

/// `namespace/name`, or a name in the operator's own namespace.
fn place(lease: &str, own: &str) -> Place {
    let (namespace, name) = lease.split_once('/').unwrap_or((own, lease));
    Place { namespace: namespace.to_owned(), name: name.to_owned() }
}

/// That of the flags, else that of the pod, else that of the user's kubeconfig.
async fn config(arguments: &Operator) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: arguments.context.clone(), ..KubeConfigOptions::default() };
    let config = match &arguments.kubeconfig {
        Some(file) => {
            let read = Kubeconfig::read_from(file);
            let read = read.with_context(|| format!("--kubeconfig {}", file.display()))?;
            Config::from_custom_kubeconfig(read, &options).await
        }
        None if arguments.context.is_some() => Config::from_kubeconfig(&options).await,
        None => return Config::infer().await.context("no API server: run in a pod, or write --kubeconfig"),
    };
    config.context("--kubeconfig, --context")
}

/// A client that counts its requests.
fn client(config: Config, board: Board) -> anyhow::Result<kube::Client> {
    let counting = MapResultLayer::new(move |answer: Result<http::Response<_>, tower::BoxError>| {
        let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        board.account(|account| account.requested(code));
        answer
    });
    Ok(ClientBuilder::try_from(config)?.with_layer(&counting).build())
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
