//! Trust stores and key stores, as PEM and as PKCS#12. JKS is refused with the command that converts it.

use std::path::Path;

use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};

use super::{Properties, PropertiesError, value};
use crate::kafka::connection::{ClientCertificate, Secret};
use crate::kafka::pem;

const KEYSTORE: &str = "ssl.keystore.location";
const TRUSTSTORE: &str = "ssl.truststore.location";

/// The bytes that every Java key store of the old format begins with.
const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// What a store holds.
enum Store {
    Pem(String),
    Pkcs12(ParsedPkcs12_2),
}

/// The certificates to trust; `None` for the system's roots.
pub(super) fn truststore(properties: &mut Properties) -> Result<Option<String>, PropertiesError> {
    let kind = kind(properties, "ssl.truststore.type")?;
    let password = properties.remove("ssl.truststore.password");
    let location = properties.remove(TRUSTSTORE);
    if let Some(text) = properties.remove("ssl.truststore.certificates") {
        if location.is_some() || kind.is_some_and(|kind| kind != "PEM") {
            let allowed = "it with ssl.truststore.type=PEM and without ssl.truststore.location";
            return Err(value("ssl.truststore.certificates", allowed));
        }
        let none = || value("ssl.truststore.certificates", "PEM certificates");
        return pem::certificates(&text).ok_or_else(none).map(Some);
    }
    let Some(path) = location else { return Ok(None) };
    let path = Path::new(&path);
    let certificates = match open(TRUSTSTORE, path, kind, password.as_deref())? {
        Store::Pem(text) => pem::certificates(&text),
        Store::Pkcs12(store) => certificates_of(&store).filter(|pem| !pem.is_empty()),
    };
    certificates.map(Some).ok_or_else(|| unusable(TRUSTSTORE, path, "holds no certificate to trust"))
}

/// The client's certificate; `None` for none.
pub(super) fn keystore(properties: &mut Properties) -> Result<Option<ClientCertificate>, PropertiesError> {
    let kind = kind(properties, "ssl.keystore.type")?;
    let store_password = properties.remove("ssl.keystore.password");
    let key_password = properties.remove("ssl.key.password").map(Secret);
    let location = properties.remove(KEYSTORE);
    let (chain, key) = (properties.remove("ssl.keystore.certificate.chain"), properties.remove("ssl.keystore.key"));
    match (location, chain, key) {
        (None, None, None) => Ok(None),
        (None, Some(chain), Some(key)) if kind.is_none_or(|kind| kind == "PEM") => {
            let certificate_pem = pem::certificates(&chain)
                .ok_or_else(|| value("ssl.keystore.certificate.chain", "PEM certificates, the client's own first"))?;
            let key_pem = pem::private_key(&key).ok_or_else(|| value("ssl.keystore.key", "one PEM private key"))?;
            with_password(certificate_pem, key_pem, key_password).map(Some)
        }
        (Some(path), None, None) => {
            let path = Path::new(&path);
            match open(KEYSTORE, path, kind, store_password.as_deref())? {
                Store::Pem(text) => {
                    let (certificates, key) = (pem::certificates(&text), pem::private_key(&text));
                    let both = certificates.zip(key);
                    let (certificate_pem, key_pem) = both.ok_or_else(|| {
                        unusable(KEYSTORE, path, "does not hold one PEM private key and its certificates")
                    })?;
                    with_password(certificate_pem, key_pem, key_password).map(Some)
                }
                Store::Pkcs12(store) => from_pkcs12(path, &store).map(Some),
            }
        }
        _ => Err(value(
            "ssl.keystore",
            "either ssl.keystore.location, or ssl.keystore.key and ssl.keystore.certificate.chain \
             with ssl.keystore.type=PEM",
        )),
    }
}

fn with_password(
    certificate_pem: String,
    key_pem: String,
    key_password: Option<Secret>,
) -> Result<ClientCertificate, PropertiesError> {
    if pem::is_encrypted(&key_pem) && key_password.is_none() {
        return Err(PropertiesError::Missing { key: "ssl.key.password", hint: "the private key is encrypted" });
    }
    Ok(ClientCertificate { certificate_pem, key_pem: Secret(key_pem), key_password })
}

fn from_pkcs12(path: &Path, store: &ParsedPkcs12_2) -> Result<ClientCertificate, PropertiesError> {
    let key = store.pkey.as_ref().and_then(|key| key.private_key_to_pem_pkcs8().ok());
    let key_pem = key.and_then(|pem| String::from_utf8(pem).ok());
    let own = store.cert.as_ref().and_then(|_| certificates_of(store));
    let (key_pem, certificate_pem) =
        key_pem.zip(own).ok_or_else(|| unusable(KEYSTORE, path, "does not hold a private key with its certificate"))?;
    Ok(ClientCertificate { certificate_pem, key_pem: Secret(key_pem), key_password: None })
}

fn certificates_of(store: &ParsedPkcs12_2) -> Option<String> {
    let others = store.ca.iter().flat_map(|ca| ca.iter().map(|certificate| certificate.to_pem()));
    let all: Result<Vec<_>, _> = store.cert.iter().map(|own| own.to_pem()).chain(others).collect();
    String::from_utf8(all.ok()?.concat()).ok()
}

fn kind(properties: &mut Properties, key: &str) -> Result<Option<&'static str>, PropertiesError> {
    let Some(written) = properties.remove(key) else { return Ok(None) };
    match written.to_uppercase().as_str() {
        "PEM" => Ok(Some("PEM")),
        "PKCS12" => Ok(Some("PKCS12")),
        // Java opens a PKCS#12 store under this name as well, so the content decides.
        "JKS" => Ok(None),
        _ => Err(value(key, "PEM or PKCS12")),
    }
}

fn open(key: &'static str, path: &Path, kind: Option<&str>, password: Option<&str>) -> Result<Store, PropertiesError> {
    let bytes = std::fs::read(path).map_err(|error| unusable(key, path, format!("can't be read: {error}")))?;
    if bytes.starts_with(&JKS_MAGIC) {
        return Err(unusable(
            key,
            path,
            "is a JKS store; allowed are PEM and PKCS12: convert it with \
             keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12",
        ));
    }
    let is_pem = kind.map_or_else(|| bytes.windows(11).any(|part| part == b"-----BEGIN "), |kind| kind == "PEM");
    if is_pem {
        let text = String::from_utf8(bytes).map_err(|_| unusable(key, path, "is not PEM"))?;
        return Ok(Store::Pem(text));
    }
    let store = Pkcs12::from_der(&bytes).map_err(|_| unusable(key, path, "is neither PEM nor PKCS12"))?;
    // The library panics at a password with a NUL, which C has no text for; no store opens with one.
    let password = Some(password.unwrap_or_default()).filter(|password| !password.contains('\0'));
    let opened = password.and_then(|password| store.parse2(password).ok());
    let hint = "does not open: its password is another one, or its encryption is that of Java 8 and older (RC2), \
        which a newer keytool -importkeystore replaces";
    opened.map(Store::Pkcs12).ok_or_else(|| unusable(key, path, hint))
}

fn unusable(key: &'static str, path: &Path, problem: impl Into<String>) -> PropertiesError {
    PropertiesError::Store { key, path: path.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::kafka::pem::tests::certificate;

    /// A store that is cut or has another byte somewhere, or what only begins as one does.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        static STORE: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let (crt, key) = certificate("client");
            Pkcs12::builder().pkey(&key).cert(&crt).build2("s3cret").unwrap().to_der().unwrap()
        });
        let changed = (any::<prop::sample::Index>(), prop::option::of(any::<u8>())).prop_map(|(place, byte)| {
            let (mut bytes, place) = (STORE.to_vec(), place.index(STORE.len()));
            match byte {
                Some(byte) => bytes[place] = byte,
                None => bytes.truncate(place),
            }
            bytes
        });
        let begins: [&[u8]; 4] = [b"", b"\x30\x82", b"-----BEGIN ", &JKS_MAGIC];
        let rest = prop::collection::vec(any::<u8>(), 0..100);
        let begun = (prop::sample::select(begins.to_vec()), rest).prop_map(|(begin, rest)| [begin, &rest[..]].concat());
        prop_oneof![changed, begun]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

        #[test]
        fn any_bytes_are_a_store_or_refused_by_the_property_that_names_it(
            bytes in damaged(),
            kind in prop::option::of(prop::sample::select(vec!["PEM", "PKCS12", "JKS"])),
            password in "s3cret|\\PC{0,5}|a\0b",
        ) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let properties = |store: &str| {
                let location = file.path().to_str();
                let written = [("location", location), ("password", Some(password.as_str())), ("type", kind)];
                let written = written.into_iter().filter_map(|(name, value)| Some((name, value?)));
                written.map(|(name, value)| (format!("ssl.{store}.{name}"), value.to_owned())).collect::<Properties>()
            };
            let trusted = truststore(&mut properties("truststore")).map(drop);
            let own = keystore(&mut properties("keystore")).map(drop);
            for error in [trusted, own].into_iter().filter_map(Result::err) {
                prop_assert!(matches!(error, PropertiesError::Store { .. }), "{error}");
            }
        }
    }
}
