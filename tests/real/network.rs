//! What a client may meet in place of a broker: nobody, somebody who is silent, another name; and a token endpoint.
//!
//! Each lives as long as the test process.

use std::io::{BufRead, BufReader, Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread::spawn;

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod};
use serde_json::json;

use crate::client::now;

/// An address on which nobody listens.
pub(crate) fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// An address on which connections are taken and never answered.
pub(crate) fn silent() -> String {
    let (listener, address) = listen("127.0.0.1:0");
    spawn(move || listener.incoming().collect::<Vec<_>>());
    address
}

/// Another address of a broker: one that its certificate does not name.
pub(crate) fn other_name(broker: &str) -> String {
    let (listener, address) = listen("127.0.0.2:0");
    let broker = broker.to_owned();
    spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(broker) = TcpStream::connect(&broker) else { continue };
            let (from, to) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
            spawn(move || pass(client, broker));
            spawn(move || pass(to, from));
        }
    });
    address
}

/// The URL of an OAuth token endpoint that gives tokens for `observer` to the client `highwater` who knows the secret.
///
/// They are tokens without a signature, which a broker with Kafka's own defaults takes.
pub(crate) fn token_endpoint() -> String {
    let (listener, address) = listen("127.0.0.1:0");
    spawn(move || listener.incoming().flatten().for_each(give_token));
    format!("http://{address}/token")
}

/// The same over TLS, with the certificate and the key in `broker.crt` and `broker.key` of a folder.
pub(crate) fn encrypted_token_endpoint(tls: &Path) -> String {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_certificate_chain_file(tls.join("broker.crt")).unwrap();
    acceptor.set_private_key_file(tls.join("broker.key"), SslFiletype::PEM).unwrap();
    let (acceptor, (listener, address)) = (acceptor.build(), listen("127.0.0.1:0"));
    let accepted = move |stream| acceptor.accept(stream).ok();
    spawn(move || listener.incoming().flatten().filter_map(accepted).for_each(give_token));
    format!("https://{address}/token")
}

fn give_token(mut stream: impl Read + Write) {
    let Some(form) = posted(&mut stream) else { return };
    let sent = |field: &str, value: &str| form.split('&').any(|pair| pair == format!("{field}={value}"));
    let known = sent("grant_type", "client_credentials") && sent("client_id", "highwater");
    let (status, body) = match known && sent("client_secret", "client-secret") {
        true => ("200 OK", json!({ "access_token": token("observer"), "expires_in": 600 })),
        false => ("401 Unauthorized", json!({ "error": "invalid_client" })),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok();
}

fn listen(address: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Both).ok();
}

/// The body of a request.
fn posted(stream: &mut impl Read) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().to_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

fn token(principal: &str) -> String {
    let seconds = now() / 1000;
    let header = json!({ "alg": "none", "typ": "JWT" });
    let claims = json!({ "sub": principal, "iat": seconds, "exp": seconds + 600 });
    format!("{}.{}.", base64url(&header.to_string()), base64url(&claims.to_string()))
}

fn base64url(text: &str) -> String {
    let block = openssl::base64::encode_block(text.as_bytes());
    block.trim_end_matches('=').replace('+', "-").replace('/', "_")
}
