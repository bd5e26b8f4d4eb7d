//! `highwater groups`, `group`, `topic` and `alerts`: what a Highwater that runs says, once.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::asking::{Alerts, Asked, Groups, One};
use super::kubeconfig::config;
use super::{FAILED, GOOD, OVER, REFUSED, Usage, screen};
use crate::crd::duration;
use crate::output::listed::{Layout, Listed, oldest, render};
use crate::output::word::word as text;
use crate::remote::{Direct, Error, Proxied, Server, Service, Token, segment};

/// Where `run`, `operator` and `demo` serve.
const HERE: &str = "http://127.0.0.1:8080";

/// Where the chart puts the operator, when release and namespace are called as in the README.
const SERVICE: &str = "highwater/highwater";

/// Lists groups.
pub(super) async fn groups(arguments: Groups) -> anyhow::Result<u8> {
    let state = arguments.state.map(text);
    let query = [
        ("q", arguments.search.as_deref()),
        ("state", state.as_deref()),
        ("topic", arguments.topic.as_deref()),
        ("team", arguments.team.as_deref()),
        ("alerting", arguments.alerting.then_some("true")),
        ("sort", Some(arguments.sort.field())),
    ];
    let found = list(&arguments.asked, "api/v1/consumers/groups", &query).await;
    show(found, Listed::Groups, &arguments.asked, arguments.fail_over)
}

/// Lists alerts.
pub(super) async fn alerts(arguments: Alerts) -> anyhow::Result<u8> {
    let (severity, kind) = (arguments.severity.map(text), arguments.kind.map(text));
    let query = [
        ("severity", severity.as_deref()),
        ("kind", kind.as_deref()),
        ("group_id", arguments.group.as_deref()),
        ("team", arguments.team.as_deref()),
    ];
    let found = list(&arguments.asked, "api/v1/alerts", &query).await;
    show(found, Listed::Alerts, &arguments.asked, None)
}

/// Shows one group.
pub(super) async fn group(arguments: One) -> anyhow::Result<u8> {
    let path = format!("api/v1/consumers/groups/{}", segment(&arguments.name));
    show(one(&arguments.asked, &path).await, Listed::Group, &arguments.asked, arguments.fail_over)
}

/// Shows one topic.
pub(super) async fn topic(arguments: One) -> anyhow::Result<u8> {
    let path = format!("api/v1/consumers/topics/{}/detail", segment(&arguments.name));
    show(one(&arguments.asked, &path).await, Listed::Topic, &arguments.asked, arguments.fail_over)
}

async fn list(asked: &Asked, path: &str, query: &[(&str, Option<&str>)]) -> anyhow::Result<Value> {
    let cluster = [("cluster_id", asked.cluster.as_deref())];
    let set = query.iter().chain(&cluster).filter_map(|(name, value)| value.map(|value| (*name, value)));
    Ok(Value::Array(server(asked).await?.list(path, &set.collect::<Vec<_>>()).await?))
}

async fn one(asked: &Asked, path: &str) -> anyhow::Result<Value> {
    let query: Vec<(&str, &str)> = asked.cluster.iter().map(|cluster| ("cluster_id", cluster.as_str())).collect();
    Ok(server(asked).await?.get(path, &query).await?)
}

/// Prints what was found, and judges it; a wrong question is a wrong command line.
fn show(
    found: anyhow::Result<Value>,
    listed: Listed,
    asked: &Asked,
    limit: Option<duration::Duration>,
) -> anyhow::Result<u8> {
    let answer = match found {
        Ok(answer) => answer,
        Err(error) => {
            let (hint, code) = match error.downcast_ref() {
                Some(Error::Wrong(_)) => ("", REFUSED),
                Some(Error::Token(_)) => (" (--token-file FILE, or HIGHWATER_TOKEN)", FAILED),
                _ if error.is::<Usage>() => ("", REFUSED),
                _ => ("", FAILED),
            };
            screen::complain(&format!("{}{hint}", screen::told(&error)));
            return Ok(code);
        }
    };
    let text = render(&answer, listed, asked.output, screen::colours())?;
    if text.is_empty() && asked.output == Layout::Table {
        screen::complain(if listed == Listed::Alerts { "no alerts" } else { "no group matches" });
    }
    screen::print(&text)?;
    let Some(limit) = limit else { return Ok(GOOD) };
    let Some(age) = oldest(&answer, listed) else {
        screen::complain("--fail-over: nothing that matches has an age");
        return Ok(FAILED);
    };
    Ok(if age > limit.millis() as f64 / 1e3 { OVER } else { GOOD })
}

/// The server that the flags name.
async fn server(asked: &Asked) -> anyhow::Result<Server> {
    let (token, timeout) = (token(asked)?, Duration::from_millis(asked.timeout.millis().unsigned_abs()));
    let Asked { kubeconfig, context, service, service_account, .. } = asked;
    if kubeconfig.is_none() && context.is_none() && service.is_none() && service_account.is_none() {
        let ca = match &asked.ca_file {
            Some(file) => Some(std::fs::read(file).with_context(|| format!("--ca-file {}", file.display()))?),
            None => None,
        };
        let direct = Direct::new(asked.server.as_deref().unwrap_or(HERE), token, ca.as_deref(), timeout);
        return Ok(Server::Direct(direct.context("--ca-file: there is no certificate in it, or not in PEM")?));
    }
    let service: Service = match service {
        Some(service) => service.clone(),
        None => SERVICE.parse().map_err(anyhow::Error::msg)?,
    };
    let config = config(kubeconfig.as_deref(), context.as_deref()).await?;
    let proxied = Proxied::new(kube::Client::try_from(config)?, service, token, timeout);
    Ok(Server::Proxied(match service_account {
        Some((namespace, name)) => proxied.as_account(namespace, name).await.context("--service-account")?,
        None => proxied,
    }))
}

fn token(asked: &Asked) -> anyhow::Result<Option<Token>> {
    let (text, whence) = match (&asked.token_file, std::env::var("HIGHWATER_TOKEN")) {
        (Some(file), _) => {
            let whence = format!("--token-file {}", file.display());
            (std::fs::read_to_string(file).with_context(|| whence.clone())?, whence)
        }
        (None, Ok(text)) if !text.is_empty() => (text, "HIGHWATER_TOKEN".to_owned()),
        _ => return Ok(None),
    };
    let token = Token::new(&text);
    Ok(Some(token.with_context(|| format!("{whence}: a token is one word of letters, digits and -._~+/="))?))
}
