//! What can be typed: commands and flags, with their meaning as help text.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::asking::{Alerts, Groups, One};
use super::values;
use crate::crd::duration::Duration;
use crate::lag::report::{Detail, State};
use crate::output::Format;
use crate::reconcile::guard::HostPattern;

/// How old is the data that each of your Kafka consumer groups is working on, in seconds, and is that all right?
#[derive(Debug, Parser)]
#[command(name = "highwater", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// Logging, which every command has.
    #[command(flatten)]
    pub(super) log: Log,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows four consumer groups of a simulated cluster, live; needs nothing installed.
    Demo(Demo),
    /// Samples the clusters of LagMonitor documents, as the operator does, without Kubernetes.
    Run(Run),
    /// Samples the clusters of LagMonitor resources on Kubernetes, and tells them what it finds.
    Operator(Operator),
    /// Shows once how old every group's data is, right from the first second.
    ConsumerLag(Box<ConsumerLag>),
    /// Lists the groups that a running Highwater knows, the oldest data first.
    Groups(Box<Groups>),
    /// Shows one group that a running Highwater knows: its topics, members, alerts, and what to do next.
    Group(Box<One>),
    /// Shows one topic that a running Highwater knows, with its groups.
    Topic(Box<One>),
    /// Lists what is not all right, the gravest first.
    Alerts(Box<Alerts>),
    /// Prints the CustomResourceDefinition of LagMonitors, for `kubectl apply --server-side -f -`.
    Crd,
    /// Prints the JSON Schema of the report.
    Schema,
    /// Prints a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// How to log.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// The form of log lines.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "HIGHWATER_LOG_FORMAT",
        help_heading = "Logging"
    )]
    pub(super) log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, off, or directives such as `info,highwater::kafka=debug`
    /// [default: info for run and operator, off for the others].
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_parser = values::log_level,
        env = "HIGHWATER_LOG_LEVEL",
        help_heading = "Logging"
    )]
    pub(super) log_level: Option<tracing_subscriber::filter::targets::Targets>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `highwater demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Prints one table and ends.
    #[arg(long, value_parser = BoolishValueParser::new(), env = "HIGHWATER_ONCE")]
    pub(super) once: bool,
    /// How many times as fast as the wall clock the simulated time goes, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::speed, env = "HIGHWATER_SPEED")]
    pub(super) speed: u16,
    /// Where to serve metrics; a free port when this one is taken.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        value_parser = values::address,
        env = "HIGHWATER_LISTEN"
    )]
    pub(super) listen: SocketAddr,
    /// Who may read the API in a browser.
    #[command(flatten)]
    pub(super) origins: Origins,
}

/// `highwater run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// LagMonitor documents: files, or folders of them; Secret and ConfigMap documents may stand beside them. Changes
    /// are taken up within seconds.
    #[arg(
        short = 'f',
        long,
        value_name = "PATH",
        required = true,
        num_args = 1,
        env = "HIGHWATER_FILENAME",
        value_delimiter = ','
    )]
    pub(super) filename: Vec<PathBuf>,
    /// A folder that stands in for Secrets: `<name>/<key>`.
    #[arg(long, value_name = "FOLDER", env = "HIGHWATER_SECRETS_DIR")]
    pub(super) secrets_dir: Option<PathBuf>,
    /// What is kept, and where.
    #[command(flatten)]
    pub(super) keeping: Keeping,
    /// Where to serve probes and metrics.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        value_parser = values::address,
        env = "HIGHWATER_LISTEN"
    )]
    pub(super) listen: SocketAddr,
    /// When /readyz says yes.
    #[arg(long, value_name = "WHEN", value_enum, default_value = "serving", env = "HIGHWATER_READY_WHEN")]
    pub(super) ready_when: ReadyWhen,
}

/// `highwater operator`.
#[derive(Debug, Args)]
pub(super) struct Operator {
    /// The namespaces to watch, by comma or repeated [default: all].
    #[arg(short = 'n', long, value_name = "NAMESPACE", value_delimiter = ',', env = "HIGHWATER_NAMESPACE")]
    pub(super) namespace: Vec<String>,
    /// The bootstrap servers that LagMonitors may name: hosts or globs of hosts, each with a port if only that is
    /// allowed, such as `*.kafka.svc:9093`, by comma or repeated [default: every one].
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',', env = "HIGHWATER_ALLOW_BOOTSTRAP")]
    pub(super) allow_bootstrap: Vec<HostPattern>,
    /// The hosts of OAuth token endpoints that LagMonitors may name, likewise [default: every one].
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',', env = "HIGHWATER_ALLOW_TOKEN_ENDPOINT")]
    pub(super) allow_token_endpoint: Vec<HostPattern>,
    /// The ClusterRole to which whoever owns a namespace binds the operator, so that it may `get` the Secrets there; what a
    /// LagMonitor says where it may not names it [default: the command makes a Role first].
    #[arg(long, value_name = "NAME", value_parser = values::role, env = "HIGHWATER_SECRETS_ROLE")]
    pub(super) secrets_role: Option<String>,
    /// The kubeconfig file [default: $KUBECONFIG or ~/.kube/config, else the pod's ServiceAccount].
    #[arg(long, value_name = "FILE", env = "HIGHWATER_KUBECONFIG")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME", env = "HIGHWATER_CONTEXT")]
    pub(super) context: Option<String>,
    /// Who this is, in the status of LagMonitors and in Events, and without `--pod` as holder of the Lease, where no two may be
    /// the same [default: the host's name, which is the pod's].
    #[arg(long, value_name = "NAME", value_parser = values::identity, env = "HIGHWATER_IDENTITY")]
    pub(super) identity: Option<String>,
    /// The Lease that lets one operator alone write, `NAME` in its own namespace or `NAMESPACE/NAME`.
    #[arg(long, value_name = "LEASE", default_value = "highwater", value_parser = values::lease, env = "HIGHWATER_LEASE")]
    pub(super) lease: String,
    /// The pod that this runs in, in the namespace of the Lease. It is labelled `highwater.dev/leads: "true"` while the Lease
    /// is held, so that a Service finds it, and is ready when it stands by, too [default: none; standing by is not ready].
    #[arg(long, value_name = "NAME", env = "HIGHWATER_POD")]
    pub(super) pod: Option<String>,
    /// What is kept, and where.
    #[command(flatten)]
    pub(super) keeping: Keeping,
    /// Where to serve probes and metrics.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        value_parser = values::address,
        env = "HIGHWATER_LISTEN"
    )]
    pub(super) listen: SocketAddr,
}

/// What `run` and `operator` keep and show.
#[derive(Debug, Args)]
pub(super) struct Keeping {
    /// Where history is kept [default: $XDG_STATE_HOME/highwater or ~/.local/state/highwater].
    #[arg(long, value_name = "FOLDER", env = "HIGHWATER_DATA_DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Where the report files of LagMonitors go, below their namespace [default: `output` in the data folder].
    #[arg(long, value_name = "FOLDER", env = "HIGHWATER_OUTPUT_DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// How deep the metrics go [default: partition, and topic above 20,000 partition series].
    #[arg(long, value_name = "DETAIL", value_enum, env = "HIGHWATER_METRICS_DETAIL")]
    pub(super) metrics_detail: Option<MetricsDetail>,
    /// How many partitions of each group and topic the metrics show at topic detail, those whose data is the oldest.
    #[arg(long, value_name = "COUNT", default_value_t = 0, env = "HIGHWATER_METRICS_TOP_PARTITIONS")]
    pub(super) metrics_top_partitions: usize,
    /// Where to serve the metrics instead of at --listen, with probes beside them.
    #[arg(long, value_name = "ADDRESS", value_parser = values::address, env = "HIGHWATER_METRICS_LISTEN")]
    pub(super) metrics_listen: Option<SocketAddr>,
    /// Who may see reports and metrics: everybody, who has the token of --auth-token-file, or whom the Kubernetes API
    /// server lets `get` lagmonitors/report in the monitor's namespace, and /metrics.
    #[arg(long, value_name = "HOW", value_enum, default_value = "none", env = "HIGHWATER_AUTH")]
    pub(super) auth: Auth,
    /// The file with the token of --auth token; it may change while Highwater runs.
    #[arg(long, value_name = "FILE", env = "HIGHWATER_AUTH_TOKEN_FILE")]
    pub(super) auth_token_file: Option<PathBuf>,
    /// The certificate, with those that lead to its authority, in PEM: everything is served with TLS. It may change while
    /// Highwater runs.
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "HIGHWATER_TLS_CERT")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM, without a password.
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "HIGHWATER_TLS_KEY")]
    pub(super) tls_key: Option<PathBuf>,
    /// How many requests a second one client may make of page and API, and five times as many at once; 0 for no limit.
    #[arg(long, value_name = "N", default_value_t = 200, env = "HIGHWATER_RATE_LIMIT")]
    pub(super) rate_limit: u32,
    /// Who may read the API in a browser.
    #[command(flatten)]
    pub(super) origins: Origins,
}

/// Who may see what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Auth {
    /// Everybody sees everything.
    None,
    /// Who has the token sees everything.
    Token,
    /// The Kubernetes API server decides.
    Kubernetes,
}

/// Who may read the API in a browser.
#[derive(Debug, Args)]
pub(super) struct Origins {
    /// The origins whose pages may read the API in a browser besides its own, such as `https://grafana.example.org`, by
    /// comma or repeated; `*` for every one [default: none].
    #[arg(
        long,
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = values::origin,
        env = "HIGHWATER_CORS_ALLOW_ORIGIN"
    )]
    pub(super) cors_allow_origin: Vec<http::HeaderValue>,
}

/// How deep the metrics go.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum MetricsDetail {
    /// A few series a group.
    Group,
    /// And some for each of its topics.
    Topic,
    /// And some for each of their partitions.
    Partition,
}

impl From<MetricsDetail> for Detail {
    fn from(detail: MetricsDetail) -> Self {
        match detail {
            MetricsDetail::Group => Self::Group,
            MetricsDetail::Topic => Self::Topic,
            MetricsDetail::Partition => Self::Partition,
        }
    }
}

/// When the process counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReadyWhen {
    /// Once documents are read and the server is up, whatever the clusters do.
    Serving,
    /// Only while every cluster answered its last sample.
    Connected,
}

/// `highwater consumer-lag`.
#[derive(Debug, Args)]
pub(super) struct ConsumerLag {
    /// The bootstrap servers, host:port, by comma.
    #[arg(
        long,
        visible_alias = "bootstrap-server",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        value_parser = values::broker,
        env = "HIGHWATER_BROKERS"
    )]
    pub(super) brokers: Vec<String>,
    /// A Kafka client properties file with security settings; PEM and PKCS12 stores.
    #[arg(long, value_name = "FILE", env = "HIGHWATER_COMMAND_CONFIG")]
    pub(super) command_config: Option<PathBuf>,
    /// How to print.
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum, default_value = "table", env = "HIGHWATER_OUTPUT")]
    pub(super) output: Format,
    /// Groups to show: names, globs, or /regular expressions/; by comma or repeated.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', default_value = "*", env = "HIGHWATER_GROUP")]
    pub(super) group: Vec<String>,
    /// Topics to show, likewise [default: all but those that begin with two underscores].
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', env = "HIGHWATER_TOPIC")]
    pub(super) topic: Vec<String>,
    /// Shows only groups and topics in one of these states: ONLINE, OFFLINE, RECOVERING.
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = values::state, env = "HIGHWATER_STATE")]
    pub(super) state: Vec<State>,
    /// Shows only groups and topics whose data is at least this old, such as 90s, 5m, 1h30m.
    #[arg(long, value_name = "AGE", env = "HIGHWATER_MIN_LAG")]
    pub(super) min_lag: Option<Duration>,
    /// Ends with exit code 3 when some shown data is older than this, such as 90s, 5m, 1h30m; ends --watch as well. It is
    /// 1 when no group that matches has an age.
    #[arg(long, value_name = "AGE", env = "HIGHWATER_FAIL_OVER")]
    pub(super) fail_over: Option<Duration>,
    /// Looks again and again, with this time between, 100ms to 1h, such as 90s, 5m [default when given without a
    /// value: 2s].
    #[arg(
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        default_missing_value = "2s",
        value_parser = values::wait,
        env = "HIGHWATER_WATCH"
    )]
    pub(super) watch: Option<Duration>,
    /// How long to wait for brokers, 100ms to 1h, such as 90s, 5m.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::wait, env = "HIGHWATER_TIMEOUT")]
    pub(super) timeout: Duration,
    /// What lag counts to: every record (ReadUncommitted), or those before the first open transaction (ReadCommitted).
    #[arg(
        long,
        value_name = "LEVEL",
        value_enum,
        default_value = "ReadUncommitted",
        env = "HIGHWATER_ISOLATION_LEVEL",
        ignore_case = true
    )]
    pub(super) isolation_level: IsolationLevel,
}

/// What lag counts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(super) enum IsolationLevel {
    /// Every record.
    ReadUncommitted,
    /// Records before the first open transaction.
    ReadCommitted,
}
