//! Real brokers: one plain and one secure that all tests share, and clusters of three for those who kill brokers.
//!
//! The scripts in `tests/bed/kafka` prepare and run them; here is when, and that they end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use tempfile::TempDir;

use crate::client::Client;
use crate::process::Held;
use crate::testbed::{cache, read, run};
use crate::wait::eventually;

const START: Duration = Duration::from_secs(60);

/// The plain broker that all tests share.
pub(crate) fn single() -> &'static Single {
    static SHARED: LazyLock<Single> = LazyLock::new(Single::start);
    &SHARED
}

/// The secure broker that all tests share.
pub(crate) fn secure() -> &'static Secure {
    static SHARED: LazyLock<Secure> = LazyLock::new(Secure::start);
    &SHARED
}

/// One plain broker.
pub(crate) struct Single {
    broker: Held,
    /// `host:port`.
    pub(crate) bootstrap: String,
}

impl Single {
    /// A broker of one's own, for tests that stop it.
    pub(crate) fn start() -> Self {
        let dir = prepare("single");
        let bootstrap = read(&dir, "bootstrap");
        Self { broker: broker(&dir), bootstrap }
    }

    /// Stops the broker in its tracks: connections stay open, and nothing answers.
    pub(crate) fn freeze(&self) {
        self.broker.signal("STOP");
    }

    /// Lets a frozen broker go on.
    pub(crate) fn thaw(&self) {
        self.broker.signal("CONT");
    }

    /// A client without any restriction.
    pub(crate) fn client(&self) -> Client {
        Client::new(&plain(&self.bootstrap))
    }

    /// Starts one of Kafka's own programs, which runs until it is dropped.
    pub(crate) fn program(&self, class: &str, arguments: &[&str]) -> Held {
        let dir = TempDir::new().unwrap().keep();
        let address = ["--bootstrap-server", &self.bootstrap];
        Held::start(&dir, &script("tool"), &[&[class], &address[..], arguments].concat())
    }
}

/// One broker with TLS, SASL and ACLs. Its users' password is their name with `-secret` behind it.
///
/// `admin` may everything; `observer` and the certificate's `observer-mtls` may describe every group and topic;
/// `no-topics` may describe groups only, `no-groups` topics only; `nobody` may nothing.
pub(crate) struct Secure {
    _broker: Held,
    /// Of the listener with TLS and SASL.
    pub(crate) sasl_ssl: String,
    /// Of the listener that wants a client certificate.
    pub(crate) ssl: String,
    /// Of the listener with SASL, unencrypted.
    pub(crate) sasl_plaintext: String,
    /// Folder of `ca.crt`, `client.crt`, `client.key`, and `other-ca.crt`, which signed nothing.
    pub(crate) tls: PathBuf,
}

impl Secure {
    fn start() -> Self {
        let dir = prepare("secure");
        let listeners = read(&dir, "bootstrap");
        let listener = |protocol: &str| {
            listeners.lines().find_map(|line| line.strip_prefix(protocol)?.strip_prefix(' ')).unwrap().to_owned()
        };
        let secure = Self {
            _broker: broker(&dir),
            sasl_ssl: listener("SASL_SSL"),
            ssl: listener("SSL"),
            sasl_plaintext: listener("SASL_PLAINTEXT"),
            tls: dir.join("tls"),
        };
        secure.allow(&["observer", "CN=observer-mtls", "no-topics"], &["--group", "*"]);
        secure.allow(&["observer", "CN=observer-mtls", "no-groups"], &["--topic", "*"]);
        secure
    }

    /// Lets users describe: `--topic NAME`, `--group NAME`, `--resource-pattern-type prefixed`, as `kafka-acls` has it.
    pub(crate) fn allow(&self, users: &[&str], resources: &[&str]) {
        let principals: Vec<_> = users.iter().map(|user| format!("--allow-principal=User:{user}")).collect();
        let mut arguments = vec!["--add", "--operation", "Describe"];
        arguments.extend(principals.iter().map(String::as_str));
        arguments.extend(resources);
        self.tool("org.apache.kafka.tools.AclCommand", &arguments);
    }

    /// Runs one of Kafka's own programs as `admin`.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tls = self.tls.display();
        let login = format!(
            "security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.location={tls}/broker.pem\n\
             ssl.truststore.type=PEM\nssl.truststore.location={tls}/ca.crt\n"
        );
        fs::write(&file, login).unwrap();
        run(Command::new(script("tool"))
            .args([class, "--bootstrap-server", &self.ssl, "--command-config"])
            .arg(file.path())
            .args(arguments));
    }

    /// How a user logs in by SCRAM over TLS.
    pub(crate) fn login(&self, user: &str) -> ClientConfig {
        let mut config = plain(&self.sasl_ssl);
        config
            .set("security.protocol", "SASL_SSL")
            .set("ssl.ca.location", self.tls.join("ca.crt").to_string_lossy())
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", user)
            .set("sasl.password", format!("{user}-secret"));
        config
    }

    /// A client without any restriction.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.login("admin"))
    }
}

/// Three plain brokers, numbered from 1, that replicate everything to each other.
pub(crate) struct Three {
    brokers: [Option<Held>; 3],
    dir: TempDir,
    /// `host:port` of all, with commas between.
    pub(crate) bootstrap: String,
}

impl Three {
    /// A cluster of one's own.
    pub(crate) fn start() -> Self {
        let dir = TempDir::new().unwrap();
        run(Command::new(script("prepare")).arg("three").arg(dir.path()));
        let bootstrap = read(dir.path(), "bootstrap");
        let brokers = [1, 2, 3].map(|n| Some(launch(&dir.path().join(n.to_string()))));
        brokers.iter().flatten().for_each(await_started);
        Self { brokers, dir, bootstrap }
    }

    /// Kills a broker (`kill -9`). Its data stays.
    pub(crate) fn kill(&mut self, n: usize) {
        let code = self.brokers[n - 1].take().expect("the broker runs").stop("KILL");
        assert_eq!(code, Some(128 + 9), "it ran until it was killed");
    }

    /// Starts a killed broker again.
    pub(crate) fn revive(&mut self, n: usize) {
        self.brokers[n - 1] = Some(broker(&self.dir.path().join(n.to_string())));
    }

    /// Starts all of them again: alone, none would get far.
    pub(crate) fn revive_all(&mut self) {
        self.brokers = [1, 2, 3].map(|n| Some(launch(&self.dir.path().join(n.to_string()))));
        self.brokers.iter().flatten().for_each(await_started);
    }

    /// Sends a signal to a broker, such as `STOP` and `CONT`.
    pub(crate) fn signal(&self, n: usize, signal: &str) {
        self.brokers[n - 1].as_ref().expect("the broker runs").signal(signal);
    }

    /// A client without any restriction.
    pub(crate) fn client(&self) -> Client {
        Client::new(&plain(&self.bootstrap))
    }
}

/// The least that a client needs.
pub(crate) fn plain(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("broker.address.family", "v4");
    config
}

fn prepare(flavour: &str) -> PathBuf {
    let dir = TempDir::new().unwrap().keep();
    run(Command::new(script("prepare")).arg(flavour).arg(&dir));
    dir
}

fn broker(dir: &Path) -> Held {
    let broker = launch(dir);
    await_started(&broker);
    broker
}

fn launch(dir: &Path) -> Held {
    Held::start(dir, &script("broker"), &[&dir.to_string_lossy()])
}

fn await_started(broker: &Held) {
    eventually("Kafka starts", START, || {
        assert!(broker.runs(), "Kafka ended:\n{}", broker.log());
        broker.log().contains("Kafka Server started")
    });
}

/// A script of the bed, once the jars that it needs are known to be there.
fn script(name: &str) -> PathBuf {
    let bed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/kafka");
    let jars = cache().join(format!("kafka-{}/lib", version(&read(&bed, "pom.xml"))));
    assert!(jars.is_dir(), "Kafka is not in {}: run tests/bed/kafka/install once, or tests/run", jars.display());
    bed.join(name)
}

fn version(pom: &str) -> &str {
    pom.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<')).unwrap().0
}
