//! What a PEM text holds: certificates, and a private key. Nothing is decrypted here.
//!
//! Blocks are taken out of whatever stands around them and written anew, so that a certificate on a single line, as
//! properties files have it, is one too.

use openssl::x509::X509;

/// The certificates of a text, as PEM; `None` when there is none, or one that can't be read.
#[must_use]
pub fn certificates(text: &str) -> Option<String> {
    let pem = blocks(text, |label| label == "CERTIFICATE");
    let readable = X509::stack_from_pem(pem.as_bytes()).is_ok_and(|certificates| !certificates.is_empty());
    readable.then_some(pem)
}

/// The private key of a text, as PEM; `None` when there is not exactly one.
#[must_use]
pub fn private_key(text: &str) -> Option<String> {
    let pem = blocks(text, |label| label.ends_with("PRIVATE KEY"));
    (pem.matches("-----BEGIN ").count() == 1).then_some(pem)
}

/// Whether a private key needs a password.
#[must_use]
pub fn is_encrypted(key: &str) -> bool {
    key.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || key.contains("Proc-Type: 4,ENCRYPTED")
}

fn blocks(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let (mut pem, mut rest) = (String::new(), text);
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        rest = begun;
        let Some((label, body)) = begun.split_once("-----") else { break };
        let Some((body, behind)) = body.split_once(&format!("-----END {label}-----")) else { continue };
        if wanted(label) {
            pem.push_str(&format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", rewrapped(body)));
        }
        rest = behind;
    }
    pem
}

/// Base64 in lines of 64 characters. A body with headers, as old encrypted keys have them, stays as it is.
fn rewrapped(body: &str) -> String {
    if body.contains(':') {
        return body.trim().to_owned();
    }
    let base64: Vec<char> = body.chars().filter(|c| !c.is_whitespace()).collect();
    base64.chunks(64).map(String::from_iter).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use proptest::prelude::*;

    use super::*;

    /// A self-signed certificate with its key.
    pub(crate) fn certificate(name: &str) -> (X509, PKey<Private>) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = openssl::x509::X509NameBuilder::new().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder.set_issuer_name(&subject).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        (builder.build(), key)
    }

    /// The same as PEM texts.
    pub(crate) fn certificate_pem(name: &str) -> (String, String) {
        let (certificate, key) = certificate(name);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(certificate.to_pem().unwrap()), text(key.private_key_to_pem_pkcs8().unwrap()))
    }

    #[test]
    fn takes_each_block_out_of_a_file_that_holds_all() {
        let ((a, key), (b, _)) = (certificate_pem("a"), certificate_pem("b"));
        let file = format!("Bag Attributes\n{key}subject=a\n{a}\n# next\n{b}");
        assert_eq!(certificates(&file), Some(format!("{a}{b}")));
        assert_eq!(private_key(&file), Some(key.clone()));
        assert_eq!(certificates(&a.replace('\n', " ")), Some(a));
        assert!(!is_encrypted(&key));
    }

    #[test]
    fn is_not_fooled_by_what_only_looks_like_it() {
        let (a, key) = certificate_pem("a");
        for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, &a[..80]] {
            assert_eq!(certificates(text), None, "{text}");
        }
        assert_eq!(private_key(&a), None);
        assert_eq!(private_key(&format!("{key}{key}")), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(-----BEGIN |-----END |CERTIFICATE|-----|\n|\\PC){0,20}") {
            let _ = (certificates(&text), private_key(&text));
        }
    }
}
