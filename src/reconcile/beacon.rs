//! The label on the operator's own pod by which a Service finds the one that holds the Lease.
//!
//! Who stands by is ready to take over, and so is its pod; without the label, half of the questions would go to it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

/// The label. It is `true` while the Lease is held, and absent otherwise.
const LABEL: &str = "highwater.dev/leads";

/// How long to wait after the API server refused to change the pod.
const PAUSE: Duration = Duration::from_secs(5);

/// The operator's own pod.
#[derive(Debug, Clone)]
pub(super) struct Beacon {
    pods: Api<Pod>,
    pod: String,
}

impl Beacon {
    /// The label on a pod of a namespace.
    pub(super) fn new(client: &Client, namespace: &str, pod: &str) -> Self {
        Self { pods: Api::namespaced(client.clone(), namespace), pod: pod.to_owned() }
    }

    /// Says on the pod whether this operator leads, as soon as the API server takes it.
    pub(super) async fn say(&self, leads: bool) {
        let labels = json!({ "metadata": { "labels": { LABEL: leads.then_some("true") } } });
        while let Err(error) =
            self.pods.patch_metadata(&self.pod, &PatchParams::default(), &Patch::Merge(&labels)).await
        {
            let reason = match &error {
                kube::Error::Api(answer) if answer.is_forbidden() => "PodForbidden",
                _ => "KubernetesApi",
            };
            let pod = &self.pod;
            tracing::warn!(pod, reason, "the pod cannot be labelled, so that no Service finds it: {error}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
