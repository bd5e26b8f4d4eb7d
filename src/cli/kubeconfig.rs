//! Which API server `--kubeconfig` and `--context` mean.

use std::path::Path;

use anyhow::Context;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::Usage;

/// That of the flags, else that of the pod, else that of the user's kubeconfig.
pub(super) async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = match kubeconfig {
        Some(file) => {
            let flag = format!("--kubeconfig {}", file.display());
            let read = Kubeconfig::read_from(file).map_err(|error| Usage::of(&flag, error))?;
            let flag = context.map_or(flag, |context| format!("--context {context}"));
            Config::from_custom_kubeconfig(read, &options).await.map_err(|error| Usage::of(flag, error))
        }
        None => {
            let Some(context) = context else {
                return Config::infer().await.context("no API server: run in a pod, or write --kubeconfig");
            };
            let flag = format!("--context {context}");
            Config::from_kubeconfig(&options).await.map_err(|error| Usage::of(flag, error))
        }
    };
    Ok(config?)
}
