//! The text format of Java's `Properties`: comments, continued lines, escapes.
//!
//! What the properties mean is left to others.

use super::{Properties, PropertiesError};

/// Reads every property; the last of a name wins.
pub(super) fn parse(text: &str) -> Result<Properties, PropertiesError> {
    let mut properties = Properties::new();
    for (number, line) in logical_lines(text) {
        let (key, value) = split(&line);
        let escape = |_| PropertiesError::Escape { line: number };
        properties.insert(unescape(key).map_err(escape)?, unescape(value).map_err(escape)?);
    }
    Ok(properties)
}

/// The lines with their number, comments left out, continued ones put together.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let text = text.replace("\r\n", "\n");
    let mut lines: Vec<(usize, String)> = vec![];
    let mut continued = false;
    for (index, line) in text.split(['\n', '\r']).enumerate() {
        let line = line.trim_start_matches(is_blank);
        if !continued && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        let goes_on = backslashes % 2 == 1;
        let line = if goes_on { &line[..line.len() - 1] } else { line };
        match lines.last_mut().filter(|_| continued) {
            Some((_, begun)) => begun.push_str(line),
            // A backslash alone begins nothing, to Java either.
            None if line.is_empty() => continue,
            None => lines.push((index + 1, line.to_owned())),
        }
        continued = goes_on;
    }
    lines
}

/// Key and value, still with their escapes.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Result<String, BadEscape> {
    let mut units = vec![];
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let c = match c {
            '\\' => match characters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits = characters.as_str().get(..4).ok_or(BadEscape)?;
                    characters.nth(3);
                    let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(digits, 16).ok().filter(|_| hexadecimal).ok_or(BadEscape)?);
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            c => c,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    // Java's escapes are halves of UTF-16 pairs; a half alone is no text.
    String::from_utf16(&units).map_err(|_| BadEscape)
}

struct BadEscape;

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_java_reads() {
        let text = "# a comment \\\n! another\n\n  a = 1\nb:2\nc 3\nd\ne\\ f\\=g = h\\\n     i\\\\\nj=\\u00e4\\t\\ud83d\\ude00\nk=x # y \r\nl==\nm=a\\\n#b\n\\\n# c\n";
        let expected = [
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("d", ""),
            ("e f=g", "hi\\"),
            ("j", "ä\t😀"),
            ("k", "x # y "),
            ("l", "="),
            ("m", "a#b"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(parse(text).unwrap(), Properties::from(expected));
    }

    #[test]
    fn a_bad_escape_is_told_by_its_line() {
        for bad in ["\\u12", "\\u12g4", "\\u+123", "\\ud800", "\\u12é"] {
            assert_eq!(parse(&format!("a=1\n\nb={bad}")), Err(PropertiesError::Escape { line: 3 }), "{bad}");
        }
    }

    fn escaped(text: &str) -> String {
        text.chars().fold(String::new(), |line, c| match c {
            '\n' => line + "\\n",
            '\r' => line + "\\r",
            '\\' | ' ' | '\t' | '\u{c}' | '=' | ':' | '#' | '!' => format!("{line}\\{c}"),
            c => format!("{line}{c}"),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(properties in proptest::collection::btree_map("[^\t\u{c}]{1,12}", "[^\t\u{c}]{0,20}", 0..6)) {
            let text = properties.iter().map(|(key, value)| format!("{}={}\n", escaped(key), escaped(value)));
            prop_assert_eq!(parse(&text.collect::<String>()), Ok(properties));
        }

        #[test]
        fn never_panics(text in "([a-z]|=|:|\\\\|\n|\r|#| |\\\\u[0-9a-f]{0,4}|\\PC){0,60}") {
            let _ = parse(&text);
        }
    }
}
