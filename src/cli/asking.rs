//! What can be typed to ask a Highwater that runs: of whom, of what, and how to print it.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::values;
use crate::crd::duration::Duration;
use crate::lag::report::{AlertKind, Severity, State};
use crate::output::listed::Layout;
use crate::remote::Service;

/// Whom to ask, and how to print it.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// Where Highwater serves its API, such as `https://lag.example.org/highwater` [default: http://127.0.0.1:8080].
    #[arg(
        long,
        value_name = "URL",
        value_parser = values::server,
        env = "HIGHWATER_SERVER",
        conflicts_with_all = ["kubeconfig", "context", "service", "service_account"],
        help_heading = "Whom to ask"
    )]
    pub(super) server: Option<String>,
    /// The file with the token that shows who asks; without it, the environment variable HIGHWATER_TOKEN.
    #[arg(long, value_name = "FILE", env = "HIGHWATER_TOKEN_FILE", help_heading = "Whom to ask")]
    pub(super) token_file: Option<PathBuf>,
    /// The certificates, in PEM, by which --server is known [default: those of the system].
    #[arg(long, value_name = "FILE", env = "HIGHWATER_CA_FILE", requires = "server", help_heading = "Whom to ask")]
    pub(super) ca_file: Option<PathBuf>,
    /// Asks through the API server of this kubeconfig [default with --context or --service: $KUBECONFIG or
    /// ~/.kube/config].
    #[arg(long, value_name = "FILE", env = "HIGHWATER_KUBECONFIG", help_heading = "Whom to ask")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Asks through the API server of this context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME", env = "HIGHWATER_CONTEXT", help_heading = "Whom to ask")]
    pub(super) context: Option<String>,
    /// The Service of Highwater in that cluster, with `https:` before it where it has TLS [default:
    /// highwater/highwater].
    #[arg(long, value_name = "NAMESPACE/NAME", env = "HIGHWATER_SERVICE", help_heading = "Whom to ask")]
    pub(super) service: Option<Service>,
    /// Asks as this ServiceAccount of that cluster, with a token of ten minutes that is made for it.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        value_parser = values::account,
        env = "HIGHWATER_SERVICE_ACCOUNT",
        conflicts_with = "token_file",
        help_heading = "Whom to ask"
    )]
    pub(super) service_account: Option<(String, String)>,
    /// How long to wait for an answer, 100ms to 1h, such as 90s, 5m.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10s",
        value_parser = values::wait,
        env = "HIGHWATER_TIMEOUT",
        help_heading = "Whom to ask"
    )]
    pub(super) timeout: Duration,
    /// The cluster that is meant: the name given to it, or Kafka's own id.
    #[arg(long, value_name = "CLUSTER", env = "HIGHWATER_CLUSTER")]
    pub(super) cluster: Option<String>,
    /// How to print.
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum, default_value = "table", env = "HIGHWATER_OUTPUT")]
    pub(super) output: Layout,
}

/// `highwater groups`.
#[derive(Debug, Args)]
pub(super) struct Groups {
    /// Only groups with this in their id, in whatever case.
    #[arg(long, value_name = "TEXT", env = "HIGHWATER_SEARCH")]
    pub(super) search: Option<String>,
    /// Only groups in this state: ONLINE, OFFLINE, RECOVERING.
    #[arg(long, value_name = "STATE", value_parser = values::state, env = "HIGHWATER_STATE")]
    pub(super) state: Option<State>,
    /// Only groups of this topic.
    #[arg(long, value_name = "TOPIC", env = "HIGHWATER_TOPIC")]
    pub(super) topic: Option<String>,
    /// Only groups of LagMonitors with this label `highwater.dev/team`.
    #[arg(long, value_name = "TEAM", env = "HIGHWATER_TEAM")]
    pub(super) team: Option<String>,
    /// Only groups with an alert.
    #[arg(long, value_parser = BoolishValueParser::new(), env = "HIGHWATER_ALERTING")]
    pub(super) alerting: bool,
    /// What to sort by.
    #[arg(long, value_name = "FIELD", value_enum, default_value = "age", env = "HIGHWATER_SORT")]
    pub(super) sort: Sort,
    /// Ends with exit code 3 when some shown data is older than this, such as 90s, 5m, 1h30m.
    #[arg(long, value_name = "AGE", env = "HIGHWATER_FAIL_OVER")]
    pub(super) fail_over: Option<Duration>,
    /// Whom to ask, and how to print it.
    #[command(flatten)]
    pub(super) asked: Asked,
}

/// What groups are sorted by.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Sort {
    /// The oldest first.
    Age,
    /// The most records first.
    Lag,
    /// By name.
    Group,
    /// By state.
    State,
    /// The worst compliance first.
    Objective,
    /// The most alerts first.
    Alerts,
}

impl Sort {
    /// As the API has it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Age => "-max_lag_seconds",
            Self::Lag => "-total_lag_records",
            Self::Group => "group_id",
            Self::State => "state",
            Self::Objective => "slo_compliance",
            Self::Alerts => "-alerts",
        }
    }
}

/// `highwater group` and `highwater topic`.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// Ends with exit code 3 when its data is older than this, such as 90s, 5m, 1h30m.
    #[arg(long, value_name = "AGE", env = "HIGHWATER_FAIL_OVER")]
    pub(super) fail_over: Option<Duration>,
    /// Whom to ask, and how to print it.
    #[command(flatten)]
    pub(super) asked: Asked,
}

/// `highwater alerts`.
#[derive(Debug, Args)]
pub(super) struct Alerts {
    /// Only alerts of this severity.
    #[arg(long, value_name = "SEVERITY", value_parser = values::severity, env = "HIGHWATER_SEVERITY")]
    pub(super) severity: Option<Severity>,
    /// Only alerts of this kind.
    #[arg(long, value_name = "KIND", value_parser = values::alert, env = "HIGHWATER_KIND")]
    pub(super) kind: Option<AlertKind>,
    /// Only alerts of this group.
    #[arg(long, value_name = "GROUP", env = "HIGHWATER_GROUP")]
    pub(super) group: Option<String>,
    /// Only alerts of LagMonitors with this label `highwater.dev/team`.
    #[arg(long, value_name = "TEAM", env = "HIGHWATER_TEAM")]
    pub(super) team: Option<String>,
    /// Whom to ask, and how to print it.
    #[command(flatten)]
    pub(super) asked: Asked,
}
