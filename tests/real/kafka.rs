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
use crate::proxy::Proxy;
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
        Self::start_at("127.0.0.1")
    }

    /// A broker that is reached at this address.
    pub(crate) fn start_at(address: &str) -> Self {
        let dir = prepare("single", &[address]);
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

    /// What one of Kafka's own programs says.
    pub(crate) fn tell(&self, class: &str, arguments: &[&str]) -> String {
        tell(class, &self.bootstrap, arguments)
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
        let dir = prepare("secure", &[]);
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
    /// The way to each, where there is something in between.
    proxies: Vec<Proxy>,
}

impl Three {
    /// A cluster of one's own.
    pub(crate) fn start() -> Self {
        let mut three = Self::prepare();
        three.revive_all();
        three
    }

    /// A cluster that is reached through proxies alone, by brokers as well.
    pub(crate) fn behind_proxies() -> Self {
        let mut three = Self::prepare();
        let addresses: Vec<String> = three.bootstrap.split(',').map(str::to_owned).collect();
        for (address, n) in addresses.iter().zip(1..) {
            let mut proxy = Proxy::new();
            proxy.lead(address);
            let file = three.dir.path().join(format!("{n}/server.properties"));
            let settings = fs::read_to_string(&file).unwrap();
            fs::write(&file, format!("{settings}\nadvertised.listeners=PLAINTEXT://{}\n", proxy.address)).unwrap();
            three.proxies.push(proxy);
        }
        three.bootstrap = three.proxies.iter().map(|proxy| &*proxy.address).collect::<Vec<_>>().join(",");
        three.revive_all();
        three
    }

    fn prepare() -> Self {
        let dir = TempDir::new().unwrap();
        run(Command::new(script("prepare")).arg("three").arg(dir.path()));
        let bootstrap = read(dir.path(), "bootstrap");
        Self { brokers: [None, None, None], dir, bootstrap, proxies: vec![] }
    }

    /// What is between clients and a broker.
    pub(crate) fn proxy(&self, n: usize) -> &Proxy {
        &self.proxies[n - 1]
    }

    /// What one of Kafka's own programs says.
    pub(crate) fn tell(&self, class: &str, arguments: &[&str]) -> String {
        tell(class, &self.bootstrap, arguments)
    }

    /// Has the replicas of these partitions stand in this order, and the first of them lead.
    pub(crate) fn move_leaders(&self, partitions: &[(&str, i32)], order: [i32; 3]) {
        let all = partitions
            .iter()
            .map(|(topic, partition)| serde_json::json!({ "topic": topic, "partition": partition, "replicas": order }));
        let plan = serde_json::json!({ "version": 1, "partitions": all.collect::<Vec<_>>() }).to_string();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, plan).unwrap();
        let path = file.path().to_string_lossy();
        let class = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
        self.tell(class, &["--execute", "--reassignment-json-file", &path]);
        eventually("every replica has caught up, so that the first may lead", START, || {
            let arguments = ["--election-type", "PREFERRED", "--path-to-json-file", &path];
            ask(ELECTION, &self.bootstrap, &arguments).is_ok()
        });
    }

    /// Has a replica lead that may lack records.
    pub(crate) fn elect_uncleanly(&self, topic: &str) {
        self.tell(ELECTION, &["--election-type", "UNCLEAN", "--topic", topic, "--partition", "0"]);
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

const ELECTION: &str = "org.apache.kafka.tools.LeaderElectionCommand";

#[track_caller]
fn tell(class: &str, bootstrap: &str, arguments: &[&str]) -> String {
    ask(class, bootstrap, arguments).unwrap_or_else(|text| panic!("{text}"))
}

/// What a program says, or what it complains of.
fn ask(class: &str, bootstrap: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(script("tool"));
    let output = command.args([class, "--bootstrap-server", bootstrap]).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if output.status.success() { Ok(text) } else { Err(text + &String::from_utf8_lossy(&output.stderr)) }
}

/// The least that a client needs.
pub(crate) fn plain(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("broker.address.family", "v4");
    config
}

fn prepare(flavour: &str, address: &[&str]) -> PathBuf {
    let dir = TempDir::new().unwrap().keep();
    run(Command::new(script("prepare")).arg(flavour).arg(&dir).args(address));
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
