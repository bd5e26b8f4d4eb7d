//! TLS: what files make a certificate, that it changes under load, and that a handshake that hangs holds up nobody.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509NameBuilder};
use tokio_openssl::SslStream;

use super::connections::Peer;
use super::*;

/// A certificate of its own authority and its key, in PEM; its name is told by who answers with it.
fn pair(name: &str) -> (Vec<u8>, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(9).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap())
}

/// Puts a pair where the kubelet would: in a folder of its own, to which `..data` leads, to which the files lead.
fn mount(folder: &Path, name: &str, (certificate, key): &(Vec<u8>, Vec<u8>)) {
    let version = folder.join(format!("..{name}"));
    fs::create_dir(&version).unwrap();
    fs::write(version.join("tls.crt"), certificate).unwrap();
    fs::write(version.join("tls.key"), key).unwrap();
    symlink(&version, folder.join("..new")).unwrap();
    fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        // It is there from the second time on.
        let _ = symlink(Path::new("..data").join(file), folder.join(file));
    }
}

fn files(folder: &Path) -> [PathBuf; 2] {
    ["tls.crt", "tls.key"].map(|file| folder.join(file))
}

fn load(folder: &Path) -> Result<Certificate, CertificateError> {
    let [certificate, key] = files(folder);
    Certificate::load(certificate, key)
}

/// A connection to the server, and the name on its certificate.
async fn connect(address: std::net::SocketAddr) -> (SslStream<TcpStream>, String) {
    secured(TcpStream::connect(address).await.unwrap()).await
}

async fn secured(stream: TcpStream) -> (SslStream<TcpStream>, String) {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    let ssl = builder.build().configure().unwrap().into_ssl("highwater").unwrap();
    let mut stream = SslStream::new(ssl, stream).unwrap();
    Pin::new(&mut stream).connect().await.unwrap();
    let certificate = stream.ssl().peer_certificate().unwrap();
    let name = certificate.subject_name().entries().next().unwrap().data().to_string().unwrap();
    (stream, name)
}

/// One request on a connection that stays open: it must be answered.
async fn alive(stream: &mut SslStream<TcpStream>) {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"ok\n") {
        let mut some = [0; 1024];
        let read = stream.read(&mut some).await.unwrap();
        assert!(read > 0, "the connection ended");
        text.extend_from_slice(&some[..read]);
    }
    assert!(text.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&text));
}

#[test]
fn files_that_are_no_good_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = files(folder.path());
    let (one, other) = (pair("one"), pair("other"));
    let refusal = || load(folder.path()).unwrap_err().to_string();
    assert_eq!(refusal(), format!("{} cannot be read", certificate.display()));
    fs::write(&certificate, "nothing").unwrap();
    fs::write(&key, "nothing").unwrap();
    assert!(refusal().ends_with("tls.crt holds no certificate in PEM"), "{}", refusal());
    fs::write(&certificate, &one.0).unwrap();
    assert!(refusal().contains("tls.key holds no private key in PEM that needs no password"), "{}", refusal());
    let locked = PKey::private_key_from_pem(&one.1).unwrap();
    let locked = locked.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"secret").unwrap();
    fs::write(&key, locked).unwrap();
    assert!(refusal().contains("needs no password"), "{}", refusal());
    fs::write(&key, &other.1).unwrap();
    assert!(refusal().contains("is not that of the certificate in"), "{}", refusal());
    fs::write(&key, &one.1).unwrap();
    assert!(load(folder.path()).is_ok());
}

#[tokio::test]
async fn a_certificate_changes_under_load_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), "first", &pair("first"));
    let certificate = load(folder.path()).unwrap();
    let edge = Edge { certificate: Some(certificate.clone()), ..Edge::default() };
    let server = start_behind(None, edge).await;
    let (mut kept, name) = connect(server.address).await;
    assert_eq!(name, "first");
    let (asked, done) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (asked, done, address) = (asked.clone(), done.clone(), server.address);
            tokio::spawn(async move {
                while !done.is_cancelled() {
                    alive(&mut connect(address).await.0).await;
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let torn = (pair("torn").0, pair("other").1);
    for (name, pair, shown) in
        [("second", pair("second"), "second"), ("torn", torn, "second"), ("third", pair("third"), "third")]
    {
        mount(folder.path(), name, &pair);
        certificate.look().await;
        assert_eq!(connect(server.address).await.1, shown, "after {name}");
        alive(&mut kept).await;
    }
    fs::remove_file(folder.path().join("..data")).unwrap();
    certificate.look().await;
    assert_eq!(connect(server.address).await.1, "third", "files that are missing are no news");
    done.cancel();
    for task in load {
        task.await.expect("every request is answered");
    }
    assert!(asked.load(Ordering::Relaxed) > 10, "there was load: {asked:?}");
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), "first", &pair("first"));
    let edge = Edge { certificate: Some(load(folder.path()).unwrap()), ..Edge::default() };
    let server = start_behind(None, edge).await;
    let silent: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(server.address).unwrap()).collect();
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    alive(&mut connect(server.address).await.0).await;
    let mut said = Vec::new();
    // Where it ends with a reset, there is no answer either.
    let _ = plain.read_to_end(&mut said).await;
    assert!(!String::from_utf8_lossy(&said).contains("200"), "nothing is said in the clear");
    let mut more = Vec::new();
    for _ in 0..600 {
        more.push(TcpStream::connect(server.address).await.unwrap());
    }
    // Another address of the same machine.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut other = secured(socket.connect(server.address).await.unwrap()).await;
    alive(&mut other.0).await;
    drop((silent, more));
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_ask_again_and_scrapes_go_on() {
    let edge = Edge { requests_a_second: NonZeroU32::new(2), ..Edge::default() };
    let server = start_behind(None, edge).await;
    server.readiness.ready();
    let mut refused = Vec::new();
    for _ in 0..40 {
        let (head, body) = ask(&server, "GET /api/v1/clusters").await;
        if !head.starts_with("http/1.0 200") {
            refused.push((head, body));
        }
    }
    assert!(refused.len() >= 20, "{}", refused.len());
    let (head, body) = &refused[0];
    assert!(head.starts_with("http/1.0 429") && head.contains("retry-after: 1"), "{head}");
    assert!(body.starts_with(r#"{"detail":"too many requests: ask again in 1 s"#), "{body}");
    for path in ["/metrics", "/livez", "/readyz"] {
        assert!(ask(&server, &format!("GET {path}")).await.0.starts_with("http/1.0 200"), "{path}");
    }
    assert!(ask(&server, "GET /").await.0.starts_with("http/1.0 429"), "the page counts as well");
}

#[tokio::test]
async fn an_owner_of_a_good_token_has_an_allowance_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "good").unwrap();
    let access = Access::Token(Arc::new(crate::access::TokenFile::open(&file).unwrap()));
    let limit = Limit::new(NonZeroU32::new(2).unwrap(), access.clone());
    let router = Router::new().route("/", get("ok")).layer(from_fn_with_state(limit, limit::limit));
    let ask = async |token: &str| {
        let mut request = axum::extract::Request::get("/").body(axum::body::Body::empty()).unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        request.extensions_mut().insert(axum::extract::ConnectInfo(Peer([10, 0, 0, 1].into())));
        tower::ServiceExt::oneshot(router.clone(), request).await.unwrap().status()
    };
    let mut invented = 0;
    while ask(&format!("invented-{invented}")).await == StatusCode::OK {
        invented += 1;
    }
    assert!((10..20).contains(&invented), "every invented token is the same client: {invented}");
    assert_eq!(ask("good").await, StatusCode::OK);
}
