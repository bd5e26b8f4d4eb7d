//! Properties files as people have them, and the sentences for those that can't be used.

use std::fs;

use openssl::pkcs12::Pkcs12;
use openssl::stack::Stack;
use openssl::x509::X509;

use super::*;
use crate::kafka::connection::{ClientCertificate, Oauth, PasswordMechanism, Sasl, Secret, Tls};
use crate::kafka::pem::tests::{certificate, certificate_pem};

fn connection(text: &str) -> Connection {
    parse(text).unwrap().connection
}

#[test]
fn an_empty_file_is_plaintext() {
    assert_eq!(connection(""), Connection::default());
}

#[test]
fn reads_scram_over_tls() {
    let text = "bootstrap.servers=a:9093, SASL_SSL://b:9093\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
        sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  username=\"alice\" \\\n  password=\"s3cret\";\n\
        ssl.endpoint.identification.algorithm=\nrequest.timeout.ms=30000\nclient.id=me\nclient.dns.lookup=use_all_dns_ips\n\
        group.id=x\nkey.deserializer=y\n";
    let read = parse(text).unwrap();
    assert_eq!(read.ignored, ["group.id", "key.deserializer"]);
    let settings = [("client.dns.lookup", "use_all_dns_ips"), ("client.id", "me"), ("socket.timeout.ms", "30000")];
    let expected = Connection {
        brokers: vec!["a:9093".into(), "b:9093".into()],
        tls: Some(Tls { ca_pem: None, client: None, skip_hostname_check: true }),
        sasl: Some(Sasl::Password {
            mechanism: PasswordMechanism::ScramSha512,
            username: "alice".into(),
            password: Secret("s3cret".into()),
        }),
        properties: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    };
    assert_eq!(read.connection, expected);
    assert!(!format!("{read:?}").contains("s3cret"));
}

#[test]
fn reads_oauth_in_both_spellings() {
    let start = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.token.endpoint.url=https://a/t\n\
        sasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler\n";
    let in_module = "sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=\"me\" clientSecret='s3cret' scope=k;";
    let in_properties = "sasl.oauthbearer.client.credentials.client.id=me\nsasl.oauthbearer.client.credentials.client.secret=s3cret\nsasl.oauthbearer.scope=k\nsasl.login.refresh.buffer.seconds=5\n";
    let expected = Oauth {
        token_endpoint: "https://a/t".into(),
        client_id: "me".into(),
        client_secret: Secret("s3cret".into()),
        scope: Some("k".into()),
    };
    for rest in [in_module, in_properties] {
        assert_eq!(connection(&format!("{start}{rest}")).sasl, Some(Sasl::OauthBearer(expected.clone())));
    }
}

#[test]
fn what_the_protocol_leaves_out_is_ignored_by_name() {
    let text = "ssl.truststore.location=/nowhere\nsasl.mechanism=GSSAPI\n";
    let read = parse(text).unwrap();
    assert_eq!(read.connection, Connection::default());
    assert_eq!(read.ignored, ["sasl.mechanism", "ssl.truststore.location"]);
}

#[test]
fn reads_pem_stores_from_files_and_from_the_text() {
    let ((ca, _), (crt, key)) = (certificate_pem("ca"), certificate_pem("client"));
    let folder = tempfile::tempdir().unwrap();
    let (ca_path, client_path) = (folder.path().join("ca.pem"), folder.path().join("client.pem"));
    fs::write(&ca_path, &ca).unwrap();
    fs::write(&client_path, format!("{key}{crt}")).unwrap();
    let client = ClientCertificate { certificate_pem: crt.clone(), key_pem: Secret(key.clone()), key_password: None };
    let expected = Tls { ca_pem: Some(ca.clone()), client: Some(client), skip_hostname_check: false };
    let (ca_path, client_path) = (ca_path.display(), client_path.display());
    let files =
        format!("ssl.truststore.location={ca_path}\nssl.keystore.location={client_path}\nssl.keystore.type=PEM\n");
    let one_line = |pem: &str| pem.replace('\n', " ");
    let inline = format!(
        "ssl.truststore.type=PEM\nssl.truststore.certificates={}\nssl.keystore.key={}\nssl.keystore.certificate.chain={}\n",
        one_line(&ca),
        one_line(&key),
        one_line(&crt)
    );
    for text in [files, inline] {
        assert_eq!(connection(&format!("security.protocol=SSL\n{text}")).tls, Some(expected.clone()));
    }
}

#[test]
fn reads_pkcs12_stores() {
    let ((ca, _), (crt, key)) = (certificate("ca"), certificate("client"));
    let stack = |certificate: &X509| {
        let mut stack = Stack::new().unwrap();
        stack.push(certificate.clone()).unwrap();
        stack
    };
    let folder = tempfile::tempdir().unwrap();
    let (trust_path, key_path) = (folder.path().join("trust.p12"), folder.path().join("key.p12"));
    fs::write(&trust_path, Pkcs12::builder().ca(stack(&ca)).build2("s3cret").unwrap().to_der().unwrap()).unwrap();
    let keystore = Pkcs12::builder().pkey(&key).cert(&crt).ca(stack(&ca)).build2("s3cret").unwrap();
    fs::write(&key_path, keystore.to_der().unwrap()).unwrap();
    let (trust_path, key_path) = (trust_path.display(), key_path.display());
    let text = format!(
        "security.protocol=SSL\nssl.truststore.location={trust_path}\nssl.truststore.password=s3cret\n\
         ssl.keystore.location={key_path}\nssl.keystore.type=PKCS12\nssl.keystore.password=s3cret\n"
    );
    let tls = connection(&text).tls.unwrap();
    let client = tls.client.unwrap();
    assert_eq!(X509::stack_from_pem(tls.ca_pem.unwrap().as_bytes()).unwrap(), std::slice::from_ref(&ca));
    assert_eq!(X509::stack_from_pem(client.certificate_pem.as_bytes()).unwrap(), [crt, ca]);
    assert!(client.key_pem.0.starts_with("-----BEGIN PRIVATE KEY-----"));
    let error = parse(&text.replace("password=s3cret", "password=wr0ng")).unwrap_err().to_string();
    assert!(
        error.contains("ssl.truststore.location: ") && error.contains("does not open: its password is another one"),
        "{error}"
    );
    assert!(!error.contains("wr0ng"));
}

#[test]
fn a_jks_store_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.jks");
    fs::write(&path, [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]).unwrap();
    let text = format!("security.protocol=SSL\nssl.truststore.type=JKS\nssl.truststore.location={}", path.display());
    let error = parse(&text).unwrap_err().to_string();
    assert!(
        error.contains("ssl.truststore.location: ")
            && error.contains("is a JKS store")
            && error.contains("keytool -importkeystore"),
        "{error}"
    );
}

#[test]
fn what_can_not_be_used_is_told_by_its_key_and_never_by_its_value() {
    refuses(&[
        ("security.protocol=s3cret", "security.protocol: write PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ("security.protocol=SASL_SSL", "sasl.mechanism: write PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
        (
            "ssl.engine.factory.class=s3cret",
            "ssl.engine.factory.class is not supported: allowed are ssl.enabled.protocols, ",
        ),
        (
            "sasl.kerberos.service.name=s3cret",
            "sasl.kerberos.service.name is not supported: allowed are sasl.jaas.config, ",
        ),
        ("security.protocol=SSL\nssl.protocol=SSLv3", "ssl.protocol: write TLSv1.2 or TLSv1.3"),
        ("security.protocol=SSL\nssl.truststore.type=s3cret", "ssl.truststore.type: write PEM or PKCS12"),
        (
            "security.protocol=SSL\nssl.truststore.location=/nowhere",
            "ssl.truststore.location: /nowhere can't be read: ",
        ),
        (
            "security.protocol=SSL\nssl.truststore.location=/dev/null",
            "ssl.truststore.location: /dev/null is neither PEM nor PKCS12",
        ),
        (
            "security.protocol=SSL\nssl.truststore.certificates=s3cret",
            "ssl.truststore.certificates: write PEM certificates",
        ),
        ("security.protocol=SSL\nssl.keystore.key=s3cret", "ssl.keystore: write either ssl.keystore.location, or "),
        (
            "security.protocol=SSL\nssl.endpoint.identification.algorithm=none",
            "ssl.endpoint.identification.algorithm: write https, or nothing",
        ),
        ("bootstrap.servers=s3cret", "bootstrap.servers: write host:port, several with commas between them"),
        ("request.timeout.ms=soon", "request.timeout.ms: write a whole number from 10 to 300000"),
        ("client.dns.lookup=default", "client.dns.lookup: write use_all_dns_ips or "),
        ("a=b\nc=\\u12", "line 2: write \\u and four hexadecimal digits"),
    ]);
    assert!(load(Path::new("/nowhere")).unwrap_err().to_string().starts_with("/nowhere can't be read: "));
}

#[test]
fn a_login_module_that_can_not_be_used_is_told_likewise() {
    let scram = "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n";
    let oauth = "security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\n";
    refuses(&[
        (scram, "sasl.jaas.config is missing: write one login module with username and password"),
        (
            &format!("{scram}sasl.jaas.config=s3cret"),
            "sasl.jaas.config: write one login module that ends with a semicolon",
        ),
        (
            &format!("{scram}sasl.jaas.config=a.PlainLoginModule required;"),
            "sasl.jaas.config: write ScramLoginModule for this sasl.mechanism",
        ),
        (
            &format!("{scram}sasl.jaas.config=a.ScramLoginModule required username=s3cret;"),
            "sasl.jaas.config: write username=\"…\" and password=\"…\"",
        ),
        (
            &format!("{scram}sasl.jaas.config=a.ScramLoginModule required tokenauth=true;"),
            "sasl.jaas.config: write the login module without tokenauth",
        ),
        (oauth, "sasl.oauthbearer.token.endpoint.url is missing: "),
        (
            &format!("{oauth}sasl.oauthbearer.token.endpoint.url=file:///s3cret"),
            "sasl.oauthbearer.token.endpoint.url: write a URL that begins with https://",
        ),
        (
            &format!("{oauth}sasl.oauthbearer.token.endpoint.url=https://a"),
            "sasl.jaas.config: write clientId=\"…\" and clientSecret=\"…\"",
        ),
        (
            &format!("{oauth}sasl.login.callback.handler.class=s3cret"),
            "sasl.login.callback.handler.class: write org.apache.kafka.common.security.oauthbearer.",
        ),
    ]);
}

fn refuses(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!format!("{error} {error:?}").replace("/s3cret", "").contains("s3cret"), "{error:?}");
    }
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "((security.protocol|sasl.mechanism|sasl.jaas.config|ssl.truststore.certificates|request.timeout.ms|bootstrap.servers)=(SSL|SASL_SSL|PLAIN|OAUTHBEARER|a:1|\\PC{0,20})\n){0,6}") {
        let _ = parse(&text);
    }
}
