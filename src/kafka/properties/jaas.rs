//! The value of `sasl.jaas.config`: one login module, a control flag, options, a semicolon.

use std::collections::BTreeMap;

/// A login module with its options.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct LoginModule {
    /// The name of its class, without the package.
    pub(super) class: String,
    pub(super) options: BTreeMap<String, String>,
}

/// What a login module looks like.
pub(super) const SHAPE: &str = "one login module that ends with a semicolon, such as \
     org.apache.kafka.common.security.scram.ScramLoginModule required username=\"…\" password=\"…\";";

enum Token {
    Word(String),
    Equals,
    End,
}

/// Reads one login module; `None` when it does not have that shape.
pub(super) fn parse(text: &str) -> Option<LoginModule> {
    let mut tokens = tokens(text)?.into_iter();
    let (Token::Word(class), Token::Word(flag)) = (tokens.next()?, tokens.next()?) else { return None };
    if !["required", "requisite", "sufficient", "optional"].contains(&flag.to_lowercase().as_str()) {
        return None;
    }
    let mut options = BTreeMap::new();
    loop {
        match tokens.next()? {
            Token::End => break,
            Token::Word(key) => {
                let (Token::Equals, Token::Word(value)) = (tokens.next()?, tokens.next()?) else { return None };
                options.insert(key, value);
            }
            Token::Equals => return None,
        }
    }
    let class = class.rsplit('.').next().unwrap_or_default().to_owned();
    tokens.next().is_none().then_some(LoginModule { class, options })
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = vec![];
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            c if c.is_whitespace() => {}
            '=' => tokens.push(Token::Equals),
            ';' => tokens.push(Token::End),
            '"' | '\'' => tokens.push(Token::Word(quoted(c, &mut characters)?)),
            c => {
                let mut word = String::from(c);
                while let Some(c) = characters.next_if(|c| !c.is_whitespace() && !"=;\"'".contains(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

/// What stands up to the closing quote; `None` when there is none.
fn quoted(quote: char, characters: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut word = String::new();
    loop {
        match characters.next()? {
            c if c == quote => return Some(word),
            '\\' => word.push(match characters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                c => c,
            }),
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_modules_as_people_write_them() {
        let module = parse(
            "org.apache.kafka.common.security.plain.PlainLoginModule required\n  username=\"al\\\"ice\" password='p;=\\\\ w' x=1;",
        );
        let options = [("username", "al\"ice"), ("password", "p;=\\ w"), ("x", "1")];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(module, Some(LoginModule { class: "PlainLoginModule".into(), options }));
    }

    #[test]
    fn refuses_other_shapes() {
        for text in [
            "",
            ";",
            "A;",
            "A required",
            "A required x;",
            "A required x=;",
            "A maybe x=1;",
            "A required x=\"1;",
            "A required; B required;",
            "A required =1;",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_password_in_quotes_is_read_back(password in "\\PC{0,30}") {
            let text = format!("a.B required password=\"{}\";", password.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(&parse(&text).unwrap().options["password"], &password);
        }

        #[test]
        fn never_panics(text in "([a-z]|=|;|\"|'|\\\\| |required|\\PC){0,40}") {
            let _ = parse(&text);
        }
    }
}
