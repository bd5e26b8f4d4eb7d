//! What stands in the documents that the Helm chart makes: names that clash with nothing, files as they are shipped, alerts
//! as values want them, who reaches the pod, and what in it has the operator's token.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::chart::{folder, of_kind, rendered, yaml};

/// The documents for one of the value sets beside the chart.
fn of_set(name: &str) -> Vec<Value> {
    rendered("lag", "streams", &[&format!("--values={}/ci/{name}.yaml", folder())])
}

fn pod(documents: &[Value]) -> &Value {
    &of_kind(documents, "StatefulSet").unwrap()["spec"]["template"]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn a_tenant_needs_nothing_of_the_cluster() {
    let documents = rendered("lag", "shop", &[&format!("--values={}/ci/tenant.yaml", folder())]);
    let kinds: BTreeSet<_> = documents.iter().map(|document| document["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains("Role") && kinds.iter().all(|kind| !kind.starts_with("C")), "{kinds:?}");
}

#[test]
fn no_two_releases_share_anything() {
    let names = |release: &str, namespace: &str| -> BTreeSet<String> {
        let values = "secretAccess=PerNamespace,metrics.readers[0].name=a,metrics.readers[0].namespace=b";
        let documents = rendered(release, namespace, &["--set", values]);
        let of_cluster =
            documents.iter().filter(|document| document["kind"].as_str().unwrap().starts_with("ClusterRole"));
        of_cluster.map(|document| format!("{} {}", document["kind"], document["metadata"]["name"])).collect()
    };
    for [(release, namespace), other] in [
        [("highwater", "a"), ("highwater", "b")],
        [("highwater", "highwater"), ("highwater", "a")],
        // With a hyphen between, these would be one.
        [("b-c", "a"), ("c", "a-b")],
        [("b-highwater", "b-highwater"), ("highwater", "b")],
    ] {
        let own = names(release, namespace);
        assert!(own.len() > 6 && own.is_disjoint(&names(other.0, other.1)), "{own:?}");
    }
}

#[test]
fn names_of_digits_stay_words() {
    let set = format!("--values={}/ci/digits.yaml", folder());
    for document in rendered("5", "6", &[&set]) {
        let all = ["name", "namespace", "serviceAccountName", "secretName", "storageClassName", "priorityClassName"];
        assert_eq!(numbers(&document, "", &all), Vec::<String>::new(), "{document:#}");
    }
}

/// Paths of fields of these names, and of labels, that are no strings.
fn numbers(value: &Value, path: &str, names: &[&str]) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let path = format!("{path}.{name}");
                let a_word = names.contains(&name.as_str()) || path.contains("abels.");
                let is_none = a_word && !value.is_string() && !value.is_object() && !value.is_array();
                is_none.then(|| path.clone()).into_iter().chain(numbers(value, &path, names)).collect::<Vec<_>>()
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(|value| numbers(value, path, names)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_token_is_the_operator_s_alone() {
    let documents = of_set("sidecar");
    let spec = &pod(&documents)["spec"];
    assert_eq!(spec["automountServiceAccountToken"], false);
    let mounts = |container: &Value| container["volumeMounts"].to_string().contains("serviceaccount");
    let [operator, beside] = list(&spec["containers"]) else { panic!("{spec:#}") };
    assert!(mounts(operator) && !mounts(beside), "{spec:#}");
    assert!(list(&spec["initContainers"]).iter().all(|before| !mounts(before)), "{spec:#}");
}

#[test]
fn who_leads_is_labelled_where_others_stand_by_and_nowhere_else() {
    for (replicas, labelled) in [(0, false), (1, false), (2, true)] {
        let documents = rendered("lag", "streams", &["--set", &format!("replicas={replicas}")]);
        let selector = &of_kind(&documents, "Service").unwrap()["spec"]["selector"];
        assert_eq!(selector["highwater.dev/leads"].as_str(), labelled.then_some("true"), "{replicas}: {selector:#}");
        let operator = pod(&documents)["spec"]["containers"][0].to_string();
        assert_eq!(operator.contains("HIGHWATER_POD"), labelled, "{replicas}: {operator}");
        let roles = documents.iter().filter(|document| document["kind"] == "Role");
        let pods: Vec<_> =
            roles.flat_map(|role| list(&role["rules"])).filter(|rule| rule["resources"][0] == "pods").collect();
        assert_eq!(pods.len(), usize::from(labelled), "{replicas}: {pods:?}");
    }
}

#[test]
fn history_without_a_claim_lies_in_a_folder_with_a_limit() {
    let documents = of_set("without-claim");
    let spec = &of_kind(&documents, "StatefulSet").unwrap()["spec"];
    assert!(spec["volumeClaimTemplates"].is_null() && spec["persistentVolumeClaimRetentionPolicy"].is_null());
    let data = list(&spec["template"]["spec"]["volumes"]).iter().find(|volume| volume["name"] == "data").unwrap();
    assert_eq!(*data, json!({ "name": "data", "emptyDir": { "sizeLimit": "512Mi" } }));
}

#[test]
fn a_network_policy_says_who_reaches_which_port() {
    // No network that enforces it is at hand: that of the tests' node does not. This is what it says.
    let documents = of_set("network");
    let policy = &of_kind(&documents, "NetworkPolicy").unwrap()["spec"];
    let pod = pod(&documents);
    let selects = |selector: &Value, labels: &Value| {
        let mut wanted = selector["matchLabels"].as_object().unwrap().iter();
        wanted.len() > 0 && wanted.all(|(name, value)| labels[name] == *value)
    };
    assert!(selects(&policy["podSelector"], &pod["metadata"]["labels"]), "{policy:#}");
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));

    let test = &of_kind(&documents, "Pod").unwrap()["metadata"]["labels"];
    assert!(!selects(&policy["podSelector"], test), "`helm test` is not what is protected");
    let named: Vec<_> = list(&pod["spec"]["containers"][0]["ports"]).iter().map(|port| &port["name"]).collect();
    let [page, metrics] = list(&policy["ingress"]) else { panic!("{policy:#}") };
    for (rule, port, from) in [(page, "http", "ingress"), (metrics, "metrics", "monitoring")] {
        assert_eq!(rule["ports"], json!([{ "port": port, "protocol": "TCP" }]));
        assert!(named.contains(&&rule["ports"][0]["port"]), "{named:?}");
        let [peer, tester] = list(&rule["from"]) else { panic!("{rule:#}") };
        let labels = json!({ "kubernetes.io/metadata.name": from });
        assert_eq!(*peer, json!({ "namespaceSelector": { "matchLabels": labels } }));
        assert!(selects(&tester["podSelector"], test) && tester["namespaceSelector"].is_null(), "{tester:#}");
    }
    assert_eq!(policy["egress"][0], json!({ "to": [{ "ipBlock": { "cidr": "fd00::/8" } }] }));

    let documents = of_set("open-network");
    let policy = &of_kind(&documents, "NetworkPolicy").unwrap()["spec"];
    assert!(list(&policy["ingress"]).iter().all(|rule| rule["from"].is_null()), "everybody reaches it: {policy:#}");
    assert_eq!(policy["egress"], json!([{}]), "and it everybody");
}

/// The same with every number as a float: Helm writes 100.0 as 100.
fn floating(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(values) => values.iter().map(floating).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), floating(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_is_shipped_as_a_file_arrives_unchanged() {
    let all = "prometheusRule.enabled=true,dashboard.enabled=true";
    let documents = rendered("highwater", "highwater", &["--set", all]);
    let rules = of_kind(&documents, "PrometheusRule").unwrap();
    assert_eq!(rules["spec"], yaml("charts/highwater/files/rules.yaml"));
    let dashboard = &of_kind(&documents, "ConfigMap").unwrap()["data"]["highwater.json"];
    assert_eq!(*dashboard, fs::read_to_string(format!("{}/files/dashboard.json", folder())).unwrap());
    let definition = of_kind(&documents, "CustomResourceDefinition").unwrap();
    assert_eq!(floating(&definition["spec"]), floating(&yaml("crds/lagmonitors.yaml")["spec"]));
    assert_eq!(definition["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
}

#[test]
fn every_alert_can_be_disabled() {
    let documents = rendered("lag", "streams", &["--set", "prometheusRule.enabled=true"]);
    let rules = of_kind(&documents, "PrometheusRule").unwrap()["spec"]["groups"][0]["rules"].clone();
    let names: BTreeSet<String> = list(&rules).iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    assert!(names.len() > 9, "{names:?}");
    let all = names.into_iter().collect::<Vec<_>>().join(",");
    let left = rendered(
        "lag",
        "streams",
        &["--set", &format!("prometheusRule.enabled=true,prometheusRule.disabled={{{all}}}")],
    );
    let left = of_kind(&left, "PrometheusRule").map(|rules| rules["spec"]["groups"][0]["rules"].clone());
    assert!(left.as_ref().is_none_or(|rules| list(rules).is_empty()), "{left:#?}");
}

#[test]
fn alerts_are_as_the_values_say() {
    let set = format!("--values={}/ci/prometheus-operator.yaml", folder());
    let documents = rendered("lag", "default", &[&set]);
    let rules = of_kind(&documents, "PrometheusRule").unwrap()["spec"]["groups"][0]["rules"].as_array().unwrap();
    assert!(
        rules.iter().all(|rule| rule["alert"] != "HighwaterDown" && rule["labels"]["team"] == "streams"),
        "{rules:?}"
    );
    let lag: Vec<_> = rules.iter().filter(|rule| rule["alert"] == "HighwaterGroupLagHigh").collect();
    let tiers = lag.iter().map(|rule| (&rule["labels"]["severity"], rule["expr"].as_str().unwrap()));
    let [warning, critical] = tiers.collect::<Vec<_>>()[..] else { panic!("{lag:?}") };
    assert!(warning.0 == "warning" && warning.1.contains("max_lag_seconds > 60\n"), "{warning:?}");
    assert!(critical.0 == "critical" && critical.1.contains("max_lag_seconds > 300\n"), "{critical:?}");
}

#[test]
fn a_release_that_is_down_is_told_though_another_is_up() {
    let expr = |values: &str| {
        let documents = rendered("lag", "streams", &["--set", values]);
        let rules = of_kind(&documents, "PrometheusRule").unwrap()["spec"]["groups"][0]["rules"].clone();
        let down = rules.as_array().unwrap().iter().find(|rule| rule["alert"] == "HighwaterDown").unwrap().clone();
        down["expr"].as_str().unwrap().to_owned()
    };
    // The labels are those of a ServiceMonitor's targets; who scrapes otherwise has others.
    assert_eq!(expr("prometheusRule.enabled=true"), "absent(highwater_build_info)");
    assert_eq!(
        expr("prometheusRule.enabled=true,serviceMonitor.enabled=true"),
        r#"absent(highwater_build_info{namespace="streams", service="lag-highwater"})"#
    );
}
