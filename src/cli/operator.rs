//! `highwater operator`: the monitors of LagMonitor resources, on Kubernetes.

use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::Config;
use tower::util::MapResultLayer;

use super::arguments::Operator;
use super::kubeconfig::config;
use super::{GOOD, serving, signals};
use crate::board::Board;
use crate::reconcile::grants::Grants;
use crate::reconcile::guard::Guards;
use crate::reconcile::lease::{self, Place};
use crate::reconcile::operator::{self, Clients, Settings};

/// How long the API server may take for an answer that is not a watch.
const ANSWER: Duration = Duration::from_secs(15);

/// How long a watch may be silent: the API server ends it after 290 s by itself.
const SILENCE: Duration = Duration::from_secs(295);

/// Runs until it is stopped.
pub(super) async fn run(arguments: Operator) -> anyhow::Result<u8> {
    let config = config(arguments.kubeconfig.as_deref(), arguments.context.as_deref()).await?;
    let lease = place(&arguments.lease, &config.default_namespace);
    let stop = signals::stop_on_signal()?;
    let awaited = "the list of LagMonitors has not been read yet";
    let reviews = Some(kube::Client::try_from(config.clone())?);
    let serving = serving::serve(&arguments.keeping, arguments.listen, awaited, reviews, &stop).await?;
    let board = serving.fleet.board();
    let within = |timeout: Duration| {
        let mut config = config.clone();
        config.connect_timeout = Some(timeout.min(ANSWER));
        config.read_timeout = Some(timeout);
        client(config, board.clone())
    };
    let clients = Clients { call: within(ANSWER)?, watch: within(SILENCE)?, lease: within(lease::ANSWER)? };
    let settings = Settings {
        namespaces: arguments.namespace.into_iter().collect(),
        guards: Guards { bootstrap: arguments.allow_bootstrap, token_endpoint: arguments.allow_token_endpoint },
        grants: Grants::new(arguments.secrets_role),
        lease,
        identity: arguments.identity.unwrap_or_else(host_name),
        pod: arguments.pod,
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
