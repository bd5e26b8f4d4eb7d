//! How a user logs in to the secure broker, as `--command-config` and as a LagMonitor write it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::kafka::{Secure, secure};

/// The password of every store that is made here, and of no user.
pub(crate) const STORE_PASSWORD: &str = "store-secret";

/// One way to log in.
pub(crate) struct Login {
    /// The bootstrap server.
    pub(crate) brokers: String,
    /// The file of `--command-config`.
    pub(crate) properties: String,
    /// `tls` and `sasl` of a LagMonitor.
    pub(crate) spec: Value,
    /// The Secrets that it refers to: name, key, value.
    pub(crate) secrets: Vec<(String, String, String)>,
}

impl Login {
    /// Without any protection.
    pub(crate) fn plaintext(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), properties: String::new(), spec: json!({}), secrets: vec![] }
    }

    /// With a user's password, over TLS. `name` is that of its Secrets.
    pub(crate) fn password(name: &str, mechanism: &str, user: &str, password: &str) -> Self {
        let module = match mechanism {
            "PLAIN" => "plain.PlainLoginModule",
            _ => "scram.ScramLoginModule",
        };
        let jaas =
            format!("org.apache.kafka.common.security.{module} required username=\"{user}\" password=\"{password}\";");
        let sasl = json!({
            "mechanism": mechanism, "username": user, "passwordSecretRef": { "name": name, "key": "password" },
        });
        let mut login = Self::plaintext(&secure().sasl_ssl);
        login.properties = format!("sasl.mechanism={mechanism}\nsasl.jaas.config={jaas}\n");
        login.spec["sasl"] = sasl;
        login.secrets.push((name.to_owned(), "password".to_owned(), password.to_owned()));
        login.trusting(name, "ca")
    }

    /// With tokens from an endpoint, over TLS.
    pub(crate) fn token(name: &str, endpoint: &str, client: &str, secret: &str) -> Self {
        let jaas = format!(
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=\"{client}\" clientSecret=\"{secret}\";"
        );
        let oauth = json!({
            "tokenEndpoint": endpoint, "clientID": client, "clientSecretRef": { "name": name, "key": "secret" },
        });
        let mut login = Self::plaintext(&secure().sasl_ssl);
        login.properties = format!(
            "sasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url={endpoint}\nsasl.jaas.config={jaas}\n"
        );
        login.spec["sasl"] = json!({ "mechanism": "OAUTHBEARER", "oauth": oauth, "allowPlaintextCredentials": true });
        login.secrets.push((name.to_owned(), "secret".to_owned(), secret.to_owned()));
        login.trusting(name, "ca")
    }

    /// With a client certificate.
    pub(crate) fn certificate(name: &str) -> Self {
        let mut login = Self::plaintext(&secure().ssl).trusting(name, "ca");
        let store = secure().tls.join("client.pem");
        login.properties += &format!("ssl.keystore.type=PEM\nssl.keystore.location={}\n", store.display());
        login.spec["tls"]["clientSecretRef"] = json!({ "name": name });
        login.secrets.push((name.to_owned(), "tls.crt".to_owned(), tls("client.crt")));
        login.secrets.push((name.to_owned(), "tls.key".to_owned(), tls("client.key")));
        login
    }

    /// Over TLS, with the authority `ca` or `other-ca`, from a PEM store.
    pub(crate) fn trusting(mut self, name: &str, ca: &str) -> Self {
        let protocol = if self.spec["sasl"].is_null() { "SSL" } else { "SASL_SSL" };
        let file = secure().tls.join(format!("{ca}.crt"));
        let (name, key) = (format!("{name}-ca"), "ca.crt");
        let kept = self
            .properties
            .lines()
            .filter(|line| !line.starts_with("security.protocol") && !line.starts_with("ssl.truststore"));
        self.properties = kept.map(|line| format!("{line}\n")).collect();
        self.properties += &format!("security.protocol={protocol}\nssl.truststore.type=PEM\n");
        self.properties += &format!("ssl.truststore.location={}\n", file.display());
        self.spec["tls"] = json!({ "ca": { "secretRef": { "name": name, "key": key } } });
        self.secrets.retain(|(_, found, _)| found != key);
        self.secrets.push((name, key.to_owned(), tls(&format!("{ca}.crt"))));
        self
    }

    /// At another bootstrap server.
    pub(crate) fn at(self, brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), ..self }
    }

    /// The file of `--command-config`.
    pub(crate) fn file(&self) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, &self.properties).unwrap();
        file
    }

    /// What nobody but the brokers and the token endpoint may be told: passwords, and the lines of keys.
    pub(crate) fn confidential(&self) -> Vec<String> {
        let values = self.secrets.iter().filter(|(_, key, _)| !key.ends_with(".crt")).map(|(_, _, value)| value);
        let lines = values.flat_map(|value| value.lines()).filter(|line| !line.starts_with("-----"));
        lines.map(str::to_owned).collect()
    }
}

/// A store that Java's keytool or openssl made: `trust.p12`, `trust.jks`, `client.p12`.
pub(crate) fn store(name: &str) -> PathBuf {
    static STORES: LazyLock<TempDir> = LazyLock::new(|| make_stores(secure()));
    STORES.path().join(name)
}

fn make_stores(kafka: &Secure) -> TempDir {
    let dir = TempDir::new().unwrap();
    let tls = |name: &str| kafka.tls.join(name);
    for (store, kind) in [("trust.p12", "PKCS12"), ("trust.jks", "JKS")] {
        let options = ["-importcert", "-noprompt", "-alias", "ca", "-storetype", kind, "-storepass", STORE_PASSWORD];
        let mut keytool = Command::new("keytool");
        made(keytool.args(options).arg("-file").arg(tls("ca.crt")).arg("-keystore").arg(dir.path().join(store)));
    }
    let mut openssl = Command::new("openssl");
    openssl.args(["pkcs12", "-export", "-passout", &format!("pass:{STORE_PASSWORD}")]);
    made(openssl.arg("-in").arg(tls("client.pem")).arg("-out").arg(dir.path().join("client.p12")));
    dir
}

#[track_caller]
fn made(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn tls(name: &str) -> String {
    fs::read_to_string(Path::new(&secure().tls).join(name)).unwrap()
}
