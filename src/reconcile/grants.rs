//! How whoever owns a namespace lets the operator read what LagMonitors refer to there: a command, ready to be pasted.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::OnceCell;

use super::resolve::Kind;

/// What the name of a ServiceAccount begins with where it is a user.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who the operator is, and which role is there for it.
#[derive(Debug, Default)]
pub struct Grants {
    /// The ClusterRole that a RoleBinding gives to read the Secrets of its namespace; without it a Role is made first.
    secrets_role: Option<String>,
    /// The operator's name, once the API server has told it.
    user: OnceCell<String>,
}

impl Grants {
    /// Binds this ClusterRole where Secrets are to be read.
    #[must_use]
    pub fn new(secrets_role: Option<String>) -> Self {
        Self { secrets_role, user: OnceCell::new() }
    }

    /// What lets the operator get objects of a kind in a namespace, as a sentence.
    pub(super) async fn remedy(&self, client: &Client, kind: Kind, namespace: &str) -> String {
        let user = self.user.get_or_try_init(|| user(client)).await;
        match user.ok().and_then(|user| self.command(user, kind, namespace)) {
            Some(command) => format!("Allow it with: {command}"),
            None => {
                let objects = objects(kind);
                format!("Create a RoleBinding there that gives the operator's user the verb get on {objects}")
            }
        }
    }

    /// The command; `None` for a user whose name a shell might take for something else.
    fn command(&self, user: &str, kind: Kind, namespace: &str) -> Option<String> {
        let subject = match user.strip_prefix(SERVICE_ACCOUNT) {
            Some(account) => format!("--serviceaccount={account}"),
            None => format!("--user={user}"),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.:@/,+".contains(c);
        if user.is_empty() || !subject.chars().all(plain) {
            return None;
        }
        if let (Kind::Secret, Some(role)) = (kind, &self.secrets_role) {
            let binding = format!("kubectl create rolebinding {role} --namespace {namespace}");
            return Some(format!("{binding} --clusterrole={role} {subject}"));
        }
        let objects = objects(kind);
        let role = format!("highwater-{objects}");
        Some(format!(
            "kubectl create role {role} --namespace {namespace} --verb=get --resource={objects} && \
             kubectl create rolebinding {role} --namespace {namespace} --role={role} {subject}"
        ))
    }
}

/// As whom the API server knows this program.
async fn user(client: &Client) -> Result<String, kube::Error> {
    let asked = SelfSubjectReview::default();
    let answer = Api::<SelfSubjectReview>::all(client.clone()).create(&PostParams::default(), &asked).await;
    let answer =
        answer.inspect_err(|error| tracing::warn!(reason = "KubernetesApi", "who this is can't be asked: {error}"))?;
    Ok(answer.status.and_then(|status| status.user_info).and_then(|user| user.username).unwrap_or_default())
}

fn objects(kind: Kind) -> &'static str {
    match kind {
        Kind::Secret => "secrets",
        Kind::ConfigMap => "configmaps",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(role: Option<&str>, user: &str, kind: Kind) -> Option<String> {
        Grants::new(role.map(str::to_owned)).command(user, kind, "shop")
    }

    #[test]
    fn the_role_that_is_there_is_bound_and_where_there_is_none_it_is_made() {
        let account = "system:serviceaccount:watch:highwater";
        let bound = "kubectl create rolebinding hw-secrets --namespace shop --clusterrole=hw-secrets \
                     --serviceaccount=watch:highwater";
        assert_eq!(command(Some("hw-secrets"), account, Kind::Secret).as_deref(), Some(bound));
        let made = "kubectl create role highwater-KIND --namespace shop --verb=get --resource=KIND && kubectl create \
                    rolebinding highwater-KIND --namespace shop --role=highwater-KIND --serviceaccount=watch:highwater";
        assert_eq!(command(None, account, Kind::Secret), Some(made.replace("KIND", "secrets")));
        assert_eq!(command(Some("hw-secrets"), account, Kind::ConfigMap), Some(made.replace("KIND", "configmaps")));
    }

    #[test]
    fn another_user_is_named_unless_a_shell_might_misread_the_name() {
        let told = command(Some("r"), "https://idp.example.com/me@example.com", Kind::Secret).unwrap();
        assert!(told.ends_with(" --user=https://idp.example.com/me@example.com"), "{told}");
        for user in ["", "a b", "a;b", "$(a)", "a'b", "a#b"] {
            assert_eq!(command(None, user, Kind::Secret), None, "{user}");
        }
    }
}
