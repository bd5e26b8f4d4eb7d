//! Files and folders as people have them: what is good goes on, what is bad is named.

use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const MONITOR: &str = "apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\nmetadata: { name: NAME }\nspec: { brokers: [\"kafka:9092\"] }\n";

fn monitor(name: &str) -> String {
    MONITOR.replace("NAME", name)
}

fn load(paths: &[PathBuf], secrets_dir: Option<&Path>) -> Loaded {
    Documents::new().unwrap().load(&Files::read(paths, secrets_dir))
}

fn load_text(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), text).unwrap();
    let mut loaded = load(&[folder.path().to_owned()], None);
    loaded.refused.iter_mut().for_each(|refusal| refusal.file = "a.yaml".into());
    loaded
}

fn told(loaded: &Loaded) -> Vec<String> {
    loaded.refused.iter().map(ToString::to_string).collect()
}

fn monitors(loaded: &Loaded) -> Vec<String> {
    loaded
        .monitors
        .iter()
        .map(|monitor| names(&monitor.value))
        .map(|(namespace, name)| format!("{namespace}/{name}"))
        .collect()
}

#[test]
fn good_documents_go_on_beside_bad_ones() {
    let text = format!(
        "{}---\n# note\nkind: LagMonitor\napiVersion: highwater.dev/v1alpha1\nmetadata: {{ name: b }}\nspec:\n  brokers: [x]\n  slo:\n    maxRebalances: 0\n---\n{{\n---\n{}",
        monitor("a"),
        monitor("c")
    );
    let loaded = load_text(&text);
    assert_eq!(monitors(&loaded), ["default/a", "default/c"]);
    let told = told(&loaded);
    assert!(
        told[0].starts_with("a.yaml:11: spec.brokers[0]: write host:port with a port from 1 to 65535"),
        "{told:#?}"
    );
    assert!(told[1].starts_with("a.yaml:13: spec.slo.maxRebalances: Invalid value: 0: "), "{told:#?}");
    assert!(told[2].contains(": not YAML: "), "{told:#?}");
    assert_eq!(told.len(), 3);
}

#[test]
fn other_kinds_are_told_what_is_allowed() {
    let told = told(&load_text(
        "kind: Pod\napiVersion: v1\n---\nkind: LagMonitor\napiVersion: v1\n---\na: 1\n---\n- 1\n---\njust text\n",
    ));
    let allowed = "allowed are apiVersion highwater.dev/v1alpha1 with kind LagMonitor, and apiVersion v1 with kind Secret or ConfigMap";
    let expected = [
        format!("a.yaml:1: kind: Unsupported value: \"Pod\": {allowed}"),
        format!("a.yaml:5: apiVersion: Unsupported value: \"v1\": {allowed}"),
        format!("a.yaml:7: kind: Required value: {allowed}"),
        format!("a.yaml:9: kind: Required value: {allowed}"),
        format!("a.yaml:11: kind: Required value: {allowed}"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_second_of_the_same_name_is_refused() {
    let loaded = load_text(&format!(
        "{0}---\n{0}---\n{1}",
        monitor("a"),
        monitor("a").replace("name: a", "name: a, namespace: b")
    ));
    assert_eq!(monitors(&loaded), ["default/a", "b/a"]);
    assert!(
        told(&loaded)[0].starts_with("a.yaml:8: metadata.name: LagMonitor default/a is written in "),
        "{:?}",
        told(&loaded)
    );
}

#[test]
fn folders_are_read_in_order_and_not_below() {
    let folder = tempfile::tempdir().unwrap();
    for (file, name) in [("c.json", "c"), ("a.yaml", "a"), ("b.yml", "b"), ("d.txt", "d"), (".e.yaml", "e")] {
        fs::write(folder.path().join(file), monitor(name)).unwrap();
    }
    fs::create_dir(folder.path().join("f.yaml")).unwrap();
    let loaded = load(&[folder.path().to_owned()], None);
    assert_eq!(monitors(&loaded), ["default/a", "default/b", "default/c"]);
    assert_eq!(loaded.refused, []);
    let missing = load(&[folder.path().join("nowhere")], None);
    assert!(told(&missing)[0].contains("nowhere:1: can't be read: "));
}

#[test]
fn secrets_come_from_documents_and_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (name, key, value) in [("own", "password", "from folder"), ("other", "key", "k")] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join(key), value).unwrap();
    }
    let text = "apiVersion: v1\nkind: Secret\nmetadata: { name: own, namespace: shop }\ndata: { password: aGlkZGVu, both: eA== }\nstringData: { plain: text, both: y }\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca, namespace: shop }\ndata: { ca.crt: pem }\nbinaryData: { b: AAE= }\n";
    let file = folder.path().join("a.yaml");
    fs::write(&file, text).unwrap();
    let loaded = load(&[file], Some(folder.path()));
    assert_eq!(loaded.refused, []);
    let get =
        |namespace: &str, kind, name: &str, key: &str| loaded.objects.of(namespace).get(kind, name)?.get(key).cloned();
    assert_eq!(get("shop", Kind::Secret, "own", "password"), Some(b"hidden".to_vec()));
    assert_eq!(get("shop", Kind::Secret, "own", "both"), Some(b"y".to_vec()));
    assert_eq!(get("else", Kind::Secret, "own", "password"), Some(b"from folder".to_vec()));
    assert_eq!(get("shop", Kind::Secret, "other", "key"), Some(b"k".to_vec()));
    assert_eq!(get("shop", Kind::ConfigMap, "ca", "ca.crt"), Some(b"pem".to_vec()));
    assert_eq!(get("shop", Kind::ConfigMap, "ca", "b"), Some(vec![0, 1]));
    assert_eq!(get("else", Kind::ConfigMap, "ca", "ca.crt"), None);
    let (shown, bytes) = (format!("{loaded:?}"), format!("{:?}", b"hidden"));
    assert!(shown.contains("own") && !shown.contains("hidden") && !shown.contains(&bytes), "{shown}");
}

#[test]
fn bad_secrets_are_told_without_their_content() {
    let start = "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\n";
    let text = [
        format!("{start}data: {{ p: \"s3cret!\" }}\n"),
        format!("{start}stringData: {{ p: 12345 }}\n"),
        format!("{start}data: s3cret\n"),
        "apiVersion: v1\nkind: Secret\ndata: {}\n".to_owned(),
        start.to_owned(),
        start.to_owned(),
    ];
    let told = told(&load_text(&text.join("---\n")));
    let expected = [
        "a.yaml:4: data.p: write the value in base64, or the plain text under stringData",
        "a.yaml:9: stringData.p: write the value as a string: in quotes if it looks like a number or true",
        "a.yaml:14: data: write a mapping of keys to strings",
        "a.yaml:16: metadata.name: Required value: write a name",
        "a.yaml:26: metadata.name: Secret default/a is written twice: write it once",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_list_is_what_it_lists() {
    let item = |name: &str, interval: &str| {
        format!(
            "- apiVersion: highwater.dev/v1alpha1\n  kind: LagMonitor\n  metadata: {{ name: {name} }}\n  spec:\n    \
             brokers: [\"kafka:9092\"]\n    sampling:\n      interval: {interval}\n"
        )
    };
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{}{}", item("a", "30s"), item("b", "soon"));
    let loaded = load_text(&list);
    assert_eq!(monitors(&loaded), ["default/a"]);
    let [refusal] = &loaded.refused[..] else { panic!("{:?}", loaded.refused) };
    assert_eq!((refusal.line, refusal.field.as_str()), (17, "spec.sampling.interval"));
}

#[test]
fn a_reading_differs_when_any_content_does() {
    let folder = tempfile::tempdir().unwrap();
    let (documents, secrets) = (folder.path().join("d"), folder.path().join("s"));
    fs::create_dir_all(&documents).unwrap();
    fs::create_dir_all(secrets.join("a")).unwrap();
    fs::write(documents.join("a.yaml"), monitor("a")).unwrap();
    fs::write(secrets.join("a/key"), "1").unwrap();
    let read = || Files::read(std::slice::from_ref(&documents), Some(&secrets));
    let first = read();
    assert_eq!(read(), first);
    fs::write(secrets.join("a/key"), "2").unwrap();
    let second = read();
    assert_ne!(second, first);
    fs::rename(documents.join("a.yaml"), documents.join("b.yaml")).unwrap();
    assert_ne!(read(), second);
}

#[test]
fn a_swapped_link_is_seen_as_a_mounted_config_map_swaps_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, name) in [("..1", "a"), ("..2", "b")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("m.yaml"), monitor(name)).unwrap();
    }
    std::os::unix::fs::symlink("..1", at("..data")).unwrap();
    std::os::unix::fs::symlink("..data/m.yaml", at("m.yaml")).unwrap();
    assert_eq!(monitors(&load(&[folder.path().to_owned()], None)), ["default/a"]);
    std::os::unix::fs::symlink("..2", at("..new")).unwrap();
    fs::rename(at("..new"), at("..data")).unwrap();
    assert_eq!(monitors(&load(&[folder.path().to_owned()], None)), ["default/b"]);
}

#[test]
fn a_later_fault_is_told_with_file_and_line() {
    let loaded = load_text(&monitor("a"));
    let problem = super::super::plan::Problem::Required;
    let refusal = loaded.monitors[0].refusal(&Invalid { field: "spec.brokers[0]".into(), problem });
    assert_eq!(
        (refusal.line, refusal.field.as_str(), refusal.message.as_str()),
        (4, "spec.brokers[0]", "Required value")
    );
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        "[0-9]{0,9}(h|m|s|d|ms)?".prop_map(Value::from),
        "[a-z/.:*-]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{0,10}", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Every place in a document, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => return,
    };
    for (name, child) in children {
        let place = format!("{at}/{name}");
        places(child, &place, found);
        found.push(place);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_field_with_any_value_is_taken_or_named(place in any::<prop::sample::Index>(), value in value()) {
        static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::new().unwrap());
        let [Ok(document)] = &crate::reconcile::marked::parse(include_str!("../../../tests/valid/full.yaml"))[..] else { panic!() };
        let (mut document, mut found) = (document.value.clone(), vec![]);
        places(&document["spec"], "/spec", &mut found);
        let place = &found[place.index(found.len())];
        *document.pointer_mut(place).unwrap() = value;
        let mut loaded = Loaded::default();
        DOCUMENTS.load_text(Path::new("a"), &document.to_string(), &mut loaded);
        prop_assert_eq!(loaded.monitors.len() + usize::from(!loaded.refused.is_empty()), 1, "{}", place);
        // A rule of several fields is told at what holds them.
        let section = place.split('/').nth(2).unwrap();
        for refusal in &loaded.refused {
            let about = refusal.field.contains(section) || refusal.message.contains(section);
            prop_assert!(about, "{}: {}: {}", place, refusal.field, refusal.message);
        }
    }

    #[test]
    fn never_panics(text in "((apiVersion|kind|metadata|spec|data|  name|  namespace|  brokers|  tls|  sampling|    interval|  slo|    overrides|-)(: |:\n| )?(v1|highwater.dev/v1alpha1|Secret|LagMonitor|\\[a:1, a:1\\]|null|1|\"\")?\n){0,10}") {
        static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::new().unwrap());
        let mut loaded = Loaded::default();
        DOCUMENTS.load_text(Path::new("a"), &text, &mut loaded);
    }
}
