//! Which API server `--kubeconfig` and `--context` mean, and through which proxy it is asked.

mod proxy;

use std::path::Path;

use anyhow::Context;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::Usage;

/// That of the flags, else that of $KUBECONFIG or ~/.kube/config, else that of the pod.
pub(super) async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let read = kubeconfig.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let written = read.as_ref().ok().and_then(|read| proxy_url(read, context)).map(str::to_owned);
    let config = match kubeconfig {
        Some(file) => {
            let flag = format!("--kubeconfig {}", file.display());
            let read = read.map_err(|error| Usage::of(&flag, error))?;
            let flag = context.map_or(flag, |context| format!("--context {context}"));
            Config::from_custom_kubeconfig(read, &options).await.map_err(|error| Usage::of(flag, error))
        }
        None => match context {
            Some(context) => {
                let flag = format!("--context {context}");
                Config::from_kubeconfig(&options).await.map_err(|error| Usage::of(flag, error))
            }
            None => Ok(Config::infer().await.context("no API server: run in a pod, or write --kubeconfig")?),
        },
    };
    let mut config = config?;
    // That of the pod, whose certificates lie in a file, is never behind a proxy. For others kube looks in NO_PROXY for the
    // proxy instead of the server.
    if config.root_cert_file.is_none() {
        config.proxy_url = proxy::of(&config.cluster_url, written.as_deref(), |name| std::env::var(name).ok())?;
    }
    Ok(config)
}

/// What stands as `proxy-url` with the cluster of a context, or of the current one.
fn proxy_url<'a>(read: &'a Kubeconfig, context: Option<&str>) -> Option<&'a str> {
    let context = context.or(read.current_context.as_deref())?;
    let context = read.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = read.clusters.iter().find(|named| named.name == context.cluster)?;
    cluster.cluster.as_ref()?.proxy_url.as_deref().filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_that_of_the_context_s_cluster() {
        let read = Kubeconfig::from_yaml(
            "current-context: near\n\
             contexts: [{name: near, context: {cluster: a}}, {name: far, context: {cluster: b}}]\n\
             clusters: [{name: a, cluster: {proxy-url: ''}}, {name: b, cluster: {proxy-url: 'http://proxy:3128'}}]\n",
        )
        .unwrap();
        assert_eq!(proxy_url(&read, None), None);
        assert_eq!(proxy_url(&read, Some("far")), Some("http://proxy:3128"));
        assert_eq!(proxy_url(&read, Some("nowhere")), None);
    }
}
