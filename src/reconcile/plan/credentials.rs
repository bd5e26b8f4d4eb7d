//! The TLS and SASL settings of a plan from the objects that a LagMonitor refers to, in the shapes that Kubernetes,
//! cert-manager and Strimzi give them.

use super::super::resolve::{Data, Kind, Resolved};
use super::{Invalid, Problem};
use crate::crd::sasl::{self, Mechanism};
use crate::crd::tls::{self, KeyReference};
use crate::kafka::connection::{ClientCertificate, Oauth, PasswordMechanism, Sasl, Secret, Tls};
use crate::kafka::pem;

/// The objects of one namespace.
pub(super) struct Lookup<'a> {
    pub(super) namespace: &'a str,
    pub(super) resolved: &'a Resolved,
}

/// The names of a certificate and its key in a Secret: Kubernetes' own, and Strimzi's.
const CLIENT_KEYS: [(&str, &str); 2] = [("tls.crt", "tls.key"), ("user.crt", "user.key")];

const A_CERTIFICATE: &str = "a PEM certificate: it begins with -----BEGIN CERTIFICATE-----";
const A_KEY: &str = "one unencrypted PEM private key: it begins with -----BEGIN PRIVATE KEY-----";

impl Lookup<'_> {
    pub(super) fn tls(&self, spec: &tls::Tls) -> Result<Tls, Invalid> {
        let ca_pem = spec.ca.as_ref().map(|ca| self.ca(ca)).transpose()?.flatten();
        let client = spec.client_secret_ref.as_ref().map(|secret| self.client(&secret.name)).transpose()?;
        Ok(Tls { ca_pem, client, skip_hostname_check: false })
    }

    pub(super) fn sasl(&self, spec: &sasl::Sasl) -> Result<Sasl, Invalid> {
        let mechanism = match spec.mechanism {
            Mechanism::Plain => PasswordMechanism::Plain,
            Mechanism::ScramSha256 => PasswordMechanism::ScramSha256,
            Mechanism::ScramSha512 => PasswordMechanism::ScramSha512,
            Mechanism::OauthBearer => return self.oauth(spec),
        };
        let field = "spec.sasl.passwordSecretRef";
        let reference = spec.password_secret_ref.as_ref().ok_or_else(|| required(field))?;
        let password = Secret(self.line(reference, field)?);
        let username = match &spec.username {
            Some(username) => username.clone(),
            None if self.object(Kind::Secret, &reference.name, field)?.contains_key("username") => {
                self.line(&KeyReference { name: reference.name.clone(), key: "username".into() }, field)?
            }
            None => reference.name.clone(),
        };
        Ok(Sasl::Password { mechanism, username, password })
    }

    fn oauth(&self, spec: &sasl::Sasl) -> Result<Sasl, Invalid> {
        let oauth = spec.oauth.as_ref().ok_or_else(|| required("spec.sasl.oauth"))?;
        Ok(Sasl::OauthBearer(Oauth {
            token_endpoint: oauth.token_endpoint.clone(),
            client_id: oauth.client_id.clone(),
            client_secret: Secret(self.line(&oauth.client_secret_ref, "spec.sasl.oauth.clientSecretRef")?),
            scope: oauth.scope.clone(),
        }))
    }

    fn ca(&self, ca: &tls::CaSource) -> Result<Option<String>, Invalid> {
        let secret = ca.secret_ref.as_ref().map(|key| (Kind::Secret, key, "spec.tls.ca.secretRef"));
        let map = ca.config_map_ref.as_ref().map(|key| (Kind::ConfigMap, key, "spec.tls.ca.configMapRef"));
        let Some((kind, reference, field)) = secret.or(map) else { return Ok(None) };
        let text = self.text(kind, reference, field)?;
        pem::certificates(&text).map(Some).ok_or_else(|| unfit(kind, reference, field, A_CERTIFICATE))
    }

    fn client(&self, name: &str) -> Result<ClientCertificate, Invalid> {
        let field = "spec.tls.clientSecretRef";
        let data = self.object(Kind::Secret, name, field)?;
        let present = CLIENT_KEYS.iter().find(|(crt, key)| data.contains_key(*crt) && data.contains_key(*key));
        let Some((crt, key)) = present else {
            return Err(missing(Kind::Secret, name, "tls.crt with tls.key, or user.crt with user.key", data, field));
        };
        let reference = |key: &str| KeyReference { name: name.to_owned(), key: key.to_owned() };
        let (crt, key) = (reference(crt), reference(key));
        let certificate = self.text(Kind::Secret, &crt, field)?;
        let certificate_pem =
            pem::certificates(&certificate).ok_or_else(|| unfit(Kind::Secret, &crt, field, A_CERTIFICATE))?;
        let key_pem = pem::private_key(&self.text(Kind::Secret, &key, field)?);
        let key_pem = key_pem.filter(|pem| !pem::is_encrypted(pem));
        let key_pem = key_pem.ok_or_else(|| unfit(Kind::Secret, &key, field, A_KEY))?;
        Ok(ClientCertificate { certificate_pem, key_pem: Secret(key_pem), key_password: None })
    }

    fn object(&self, kind: Kind, name: &str, field: &str) -> Result<&Data, Invalid> {
        self.resolved.get(kind, name).ok_or_else(|| Invalid {
            field: field.to_owned(),
            problem: Problem::NotFound { kind, namespace: self.namespace.to_owned(), name: name.to_owned() },
        })
    }

    fn text(&self, kind: Kind, reference: &KeyReference, field: &str) -> Result<String, Invalid> {
        let data = self.object(kind, &reference.name, field)?;
        let bytes =
            data.get(&reference.key).ok_or_else(|| missing(kind, &reference.name, &reference.key, data, field))?;
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        text.map(str::to_owned).ok_or_else(|| unfit(kind, reference, field, "text in UTF-8"))
    }

    /// A user, password or client secret. The line break that `echo` leaves behind is nobody's intention.
    fn line(&self, reference: &KeyReference, field: &str) -> Result<String, Invalid> {
        let text = self.text(Kind::Secret, reference, field)?;
        let line = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        if line.is_empty() || line.contains('\n') {
            return Err(unfit(Kind::Secret, reference, field, "one line of text"));
        }
        Ok(line.to_owned())
    }
}

/// The rules of the schema ask for it already.
fn required(field: &str) -> Invalid {
    Invalid { field: field.to_owned(), problem: Problem::Required }
}

fn missing(kind: Kind, name: &str, wanted: &str, data: &Data, field: &str) -> Invalid {
    let keys: Vec<_> = data.keys().map(String::as_str).collect();
    let present = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
    let problem = Problem::KeyMissing { kind, name: name.to_owned(), wanted: wanted.to_owned(), present };
    Invalid { field: field.to_owned(), problem }
}

fn unfit(kind: Kind, reference: &KeyReference, field: &str, expected: &'static str) -> Invalid {
    let (name, key) = (reference.name.clone(), reference.key.clone());
    Invalid { field: field.to_owned(), problem: Problem::Content { kind, name, key, expected } }
}
