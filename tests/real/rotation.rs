//! A password that is changed while Highwater runs: refused from then on, and taken up soon after its Secret.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::unique;
use crate::kafka::secure;
use crate::login::Login;
use crate::observer::{assert_discreet, sight};
use crate::traced::{Monitor, document};
use crate::wait::eventually;

#[test]
fn a_new_password_is_taken_up_while_it_runs() {
    let (kafka, sight) = (secure(), sight());
    let user = unique("rotating");
    let set_password = |password: &str| {
        let credentials = format!("SCRAM-SHA-512=[iterations=4096,password={password}]");
        let arguments = ["--alter", "--entity-type", "users", "--entity-name", &user, "--add-config", &credentials];
        kafka.tool("kafka.admin.ConfigCommand", &arguments);
    };
    set_password("the-old-word");
    kafka.allow(&[&user], &["--topic", "*", "--group", "*"]);
    let mut login = Login::password("rotating", "SCRAM-SHA-512", &user, "the-old-word");
    login.secrets.push(("rotating".to_owned(), "next".to_owned(), "the-new-word".to_owned()));
    let mut fields = login.spec.clone();
    // On this listener a login lasts three seconds.
    fields["brokers"] = json!([kafka.sasl_plaintext]);
    fields.as_object_mut().unwrap().remove("tls");
    fields["groups"] = json!({ "include": [sight.stopped] });
    fields["topics"] = json!({ "include": [format!("{}*", sight.topic)] });
    let monitor = Monitor::start(&[document("rotating", &fields)], &[("rotating", "password", "the-old-word")]);
    let sees = |wanted: &dyn Fn(&Value) -> bool| monitor.report("rotating").is_some_and(|report| wanted(&report));
    let right =
        |report: &Value| report["sampling"]["coverage"] == 1.0 && report["groups"][0]["total_lag_records"] == 40;
    eventually("the old password works", Duration::from_secs(30), || sees(&right));

    set_password("the-new-word");
    let refused = |report: &Value| report["errors"][0]["reason"] == "AuthenticationFailed";
    eventually("the old password is refused", Duration::from_secs(30), || sees(&refused));
    let kept = |report: &Value| report["groups"][0]["total_lag_records"] == 40;
    assert!(sees(&kept), "the last figures stay: {:#}", monitor.report("rotating").unwrap());

    monitor.write_secret("rotating", "password", "the-new-word");
    eventually("the new password works", Duration::from_secs(10), || sees(&right));
    assert_discreet(&login, &(monitor.log() + &monitor.metrics() + &monitor.report("rotating").unwrap().to_string()));
}
