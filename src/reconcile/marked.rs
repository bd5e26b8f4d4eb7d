//! YAML (and so JSON) as plain JSON values that remember on which line each field stands.
//!
//! A file holds several documents, apart by lines that begin with `---`; each is read alone, so that one that can't be
//! read does not hide the others. What the values mean is left to others.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Value};

/// Below it a floating-point number holds every whole number exactly.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// One document of a file. It may hold a Secret, so it has no `Debug` outside of tests.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Where it says it.
    pub lines: Lines,
}

/// The line of each field of a document, from 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lines(BTreeMap<String, usize>);

/// A document that is not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not YAML: {message}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Document {
    /// The documents in it: of a `List`, as kubectl prints several resources, what it lists, and else itself.
    #[must_use]
    pub fn unfolded(self) -> Vec<Self> {
        match self.value.get("items") {
            Some(Value::Array(items)) if self.value.get("kind").is_some_and(|kind| kind == "List") => {
                let item = |(n, value): (usize, &Value)| Self {
                    value: value.clone(),
                    lines: self.lines.below(&format!("items[{n}]")),
                };
                items.iter().enumerate().map(item).collect()
            }
            _ => vec![self],
        }
    }
}

impl Lines {
    /// The lines of the fields of a field, called as if that were the document.
    fn below(&self, field: &str) -> Self {
        let own = self.0.iter().filter_map(|(name, line)| {
            let rest = name.strip_prefix(field)?;
            let rest = if rest.is_empty() { rest } else { rest.strip_prefix('.')? };
            Some((rest.to_owned(), *line))
        });
        Self(own.collect())
    }

    /// The line of a field such as `spec.brokers[0]`; for one that is not written, that of what it belongs to.
    #[must_use]
    pub fn of(&self, field: &str) -> usize {
        let mut field = field;
        loop {
            if let Some(line) = self.0.get(field) {
                return *line;
            }
            match field.rfind(['.', '[']) {
                Some(end) => field = &field[..end],
                None => return self.0.get("").copied().unwrap_or(1),
            }
        }
    }
}

/// Reads every document of a text, in order. Empty ones are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<Result<Document, SyntaxError>> {
    chunks(text).into_iter().flat_map(|(first_line, chunk)| parse_chunk(chunk, first_line)).collect()
}

/// The texts between lines that begin a document, with the number of lines before each.
fn chunks(text: &str) -> Vec<(usize, &str)> {
    let (mut chunks, mut start, mut start_line, mut position) = (vec![], 0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let begins =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if begins && position > start {
            chunks.push((start_line, &text[start..position]));
            (start, start_line) = (position, number);
        }
        position += line.len();
    }
    chunks.push((start_line, &text[start..]));
    chunks
}

fn parse_chunk(chunk: &str, lines_before: usize) -> Vec<Result<Document, SyntaxError>> {
    let documents = match MarkedYaml::load_from_str(chunk) {
        Ok(documents) => documents,
        Err(error) => {
            return vec![Err(SyntaxError {
                line: error.marker().line() + lines_before,
                message: error.info().to_owned(),
            })];
        }
    };
    let read = |node: &MarkedYaml<'_>| {
        let mut lines = Lines::default();
        lines.0.insert(String::new(), node.span.start.line() + lines_before);
        let value = to_json(node, "", lines_before, &mut lines.0);
        Ok(Document { value, lines })
    };
    documents.iter().filter(|node| !node.data.is_null()).map(read).collect()
}

fn to_json(node: &MarkedYaml<'_>, path: &str, before: usize, lines: &mut BTreeMap<String, usize>) -> Value {
    match &node.data {
        YamlData::Value(scalar) => scalar_to_json(scalar),
        YamlData::Sequence(items) => {
            let item = |(index, item): (usize, &MarkedYaml<'_>)| {
                let path = format!("{path}[{index}]");
                lines.insert(path.clone(), item.span.start.line() + before);
                to_json(item, &path, before, lines)
            };
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        YamlData::Mapping(fields) => {
            let mut map = Map::new();
            for (key, value) in fields {
                let name = match scalar_to_json_of(key) {
                    Value::String(name) => name,
                    other => other.to_string(),
                };
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                lines.insert(path.clone(), key.span.start.line() + before);
                map.insert(name, to_json(value, &path, before, lines));
            }
            Value::Object(map)
        }
        YamlData::Tagged(_, inner) => to_json(inner, path, before, lines),
        YamlData::Representation(text, ..) => Value::String(text.to_string()),
        YamlData::Alias(_) | YamlData::BadValue => Value::Null,
    }
}

fn scalar_to_json_of(key: &MarkedYaml<'_>) -> Value {
    match &key.data {
        YamlData::Value(scalar) => scalar_to_json(scalar),
        _ => Value::Null,
    }
}

fn scalar_to_json(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::from(*value),
        // An API server takes 5.0 for an integer, too.
        Scalar::FloatingPoint(value) if value.fract() == 0.0 && value.abs() < WHOLE => Value::from(value.0 as i64),
        // JSON has no infinity; as a text it fails the type check of whatever field holds it.
        Scalar::FloatingPoint(value) => {
            serde_json::Number::from_f64(value.0).map_or_else(|| Value::String(value.to_string()), Value::Number)
        }
        Scalar::String(text) => Value::String(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn knows_the_line_of_every_field() {
        let documents = parse("# note\na: 1\nb:\n  - x\n  - y: true\n---\n\nc: {d: [1, 2.5]}\n---\n# empty\n");
        let [Ok(first), Ok(second)] = &documents[..] else { panic!("{documents:?}") };
        assert_eq!(first.value, json!({"a": 1, "b": ["x", {"y": true}]}));
        assert_eq!(second.value, json!({"c": {"d": [1, 2.5]}}));
        for (field, line) in [("a", 2), ("b", 3), ("b[0]", 4), ("b[1].y", 5), ("b[1].missing.deep", 5), ("nowhere", 2)]
        {
            assert_eq!(first.lines.of(field), line, "{field}");
        }
        assert_eq!(second.lines.of("c.d[1]"), 8);
    }

    #[test]
    fn a_broken_document_does_not_hide_its_neighbours() {
        let documents = parse("a: 1\n---\nb: [1\nc: 2\n---\nd: 4\n");
        assert_eq!(documents.len(), 3, "{documents:?}");
        assert!(documents[0].is_ok() && documents[2].is_ok());
        assert!((3..=4).contains(&documents[1].as_ref().unwrap_err().line), "{documents:?}");
    }

    #[test]
    fn duplicate_keys_are_refused() {
        let documents = parse("a: 1\na: 2\n");
        assert!(documents[0].as_ref().unwrap_err().message.contains("duplicate"), "{documents:?}");
    }

    #[test]
    fn reads_json_too() {
        let documents = parse("{\n\t\"a\": [\n\t\t{\"b\": \"c\"}\n\t]\n}\n");
        assert_eq!(documents[0].as_ref().unwrap().value, json!({"a": [{"b": "c"}]}));
        assert_eq!(documents[0].as_ref().unwrap().lines.of("a[0].b"), 3);
    }

    #[test]
    fn whole_numbers_are_integers_however_they_are_written() {
        let documents = parse("[600.0, 5e3, 2.5, 0o17, 99999999999999999999, .inf, ~, !!str 5]");
        let expected = json!([600, 5000, 2.5, 15, 1e20, "inf", null, "5"]);
        assert_eq!(documents[0].as_ref().unwrap().value, expected);
    }

    #[test]
    fn endless_nesting_is_an_error() {
        assert!(parse(&"[".repeat(100_000))[0].is_err());
        let aliases = (1..30)
            .fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1));
        assert!(parse(&aliases)[0].is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "([a-c]: |- |\\[|\\]|\\{|\\}|---|\n|  |\"|&a |\\*a|[0-9]|!t |\\PC){0,40}") {
            let _ = parse(&text);
        }
    }
}
