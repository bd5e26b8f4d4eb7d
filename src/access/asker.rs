//! Who asks: a token, and the address that it comes from.

use std::net::{IpAddr, Ipv6Addr};

/// Who asks for something.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The token, where there is one.
    pub token: Option<Token>,
    /// The address, or its network where each client has more addresses than can be counted.
    pub from: IpAddr,
}

/// A token, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token in this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether a text is one word of letters, digits and `-._~+/=`, as headers and cookies hold it.
    pub fn is_word(text: &[u8]) -> bool {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        !text.is_empty() && text.iter().all(plain)
    }

    /// Its text, to be compared or sent to who judges.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl Asker {
    /// Who asks from this address.
    pub fn new(token: Option<Token>, address: IpAddr) -> Self {
        Self { token, from: network(address) }
    }
}

/// The address of a client, or of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| Asker::new(None, text.parse().unwrap()).from;
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn a_token_is_not_shown() {
        let asker = Asker::new(Some(Token::new("s3cret")), [10, 0, 0, 1].into());
        assert_eq!(format!("{asker:?}"), "Asker { token: Some(Token(…)), from: 10.0.0.1 }");
    }
}
