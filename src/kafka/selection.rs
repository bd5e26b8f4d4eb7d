//! Which consumer groups and topics are meant: by exact name, by glob, or by regular expression between slashes.
//!
//! A name is selected when it matches an include and no exclude. Asking the cluster for names is left to others.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{RegexBuilder, RegexSet};

/// The groups and topics of one cluster that are meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// By group id.
    pub groups: Patterns,
    /// By topic name.
    pub topics: Patterns,
}

/// Names to include and names to exclude.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns {
    include: Matcher,
    exclude: Matcher,
}

/// A pattern that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing is written.
    #[error(
        "a pattern is empty: write a name, a glob such as orders-*, or a regular expression such as /^orders-[0-9]+$/"
    )]
    Empty,
    /// The glob does not parse.
    #[error(
        "{pattern:?} is no glob ({cause}): allowed are *, ?, [a-z], {{a,b}}, \
         and \\ before a character that is meant as written"
    )]
    Glob {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The regular expression does not parse.
    #[error(
        "{pattern:?} is no regular expression ({cause}): write it between slashes, \
         such as /^orders-[0-9]+$/; look-around and back-references are not allowed"
    )]
    Regex {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The regular expression matches the empty text, and so every name.
    #[error(
        "{pattern:?} matches every name: write * for all, \
         or a regular expression that needs at least one character, such as /^orders-/"
    )]
    MatchesEverything {
        /// The pattern as written.
        pattern: String,
    },
    /// Nothing is included.
    #[error("no pattern is included: write at least one, * for all")]
    NothingIncluded,
}

#[derive(Debug, Clone)]
struct Matcher {
    written: Vec<String>,
    literals: Vec<String>,
    globs: GlobSet,
    regexes: RegexSet,
}

impl Patterns {
    /// Compiles patterns. `include` needs at least one.
    ///
    /// # Errors
    /// The first pattern that can't be used, by name, with what is allowed.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, PatternError> {
        if include.is_empty() {
            return Err(PatternError::NothingIncluded);
        }
        Ok(Self { include: Matcher::new(include)?, exclude: Matcher::new(exclude)? })
    }

    /// Checks one pattern alone.
    ///
    /// # Errors
    /// As [`Patterns::new`].
    pub fn check(pattern: &str) -> Result<(), PatternError> {
        Matcher::new(&[pattern.to_owned()]).map(drop)
    }

    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.include.matches(name) && !self.exclude.matches(name)
    }

    /// The names that are written out and not excluded, sorted: those of which silence means that rights are missing,
    /// or that they do not exist.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.include.literals.iter().map(String::as_str).filter(|name| !self.exclude.matches(name))
    }
}

/// Compiled patterns can't be compared; the same patterns as written mean the same.
impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Matcher {
    fn new(patterns: &[String]) -> Result<Self, PatternError> {
        let (mut literals, mut globs, mut regexes) = (vec![], GlobSetBuilder::new(), vec![]);
        for pattern in patterns {
            if let Some(expression) = expression_of(pattern) {
                regexes.push(checked_regex(pattern, expression)?);
            } else if pattern.is_empty() {
                return Err(PatternError::Empty);
            } else if pattern.contains(['*', '?', '[', ']', '{', '}', '\\']) {
                globs.add(glob(pattern)?);
            } else {
                literals.push(pattern.clone());
            }
        }
        literals.sort();
        literals.dedup();
        let all = patterns.join(" ");
        let globs =
            globs.build().map_err(|error| PatternError::Glob { pattern: all.clone(), cause: error.to_string() })?;
        let regexes =
            RegexSet::new(regexes).map_err(|error| PatternError::Regex { pattern: all, cause: error.to_string() })?;
        Ok(Self { written: patterns.to_vec(), literals, globs, regexes })
    }

    fn matches(&self, name: &str) -> bool {
        self.literals.binary_search_by(|literal| literal.as_str().cmp(name)).is_ok()
            || self.globs.is_match(name)
            || self.regexes.is_match(name)
    }
}

/// The most bytes that a compiled expression may take: names are short, and so is the patience of others.
const LARGEST_REGEX: usize = 1 << 20;

/// What stands between the slashes of a regular expression.
fn expression_of(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'))
}

fn checked_regex<'a>(pattern: &str, expression: &'a str) -> Result<&'a str, PatternError> {
    let regex = RegexBuilder::new(expression).size_limit(LARGEST_REGEX).build().map_err(|error| {
        // The error draws the expression over several lines; its last line says what is wrong.
        let cause = error.to_string();
        let cause = cause.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        PatternError::Regex { pattern: pattern.to_owned(), cause }
    })?;
    if regex.is_match("") {
        return Err(PatternError::MatchesEverything { pattern: pattern.to_owned() });
    }
    Ok(expression)
}

fn glob(pattern: &str) -> Result<globset::Glob, PatternError> {
    GlobBuilder::new(pattern)
        .backslash_escape(true)
        .build()
        .map_err(|error| PatternError::Glob { pattern: pattern.to_owned(), cause: error.kind().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> Result<Patterns, PatternError> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        Patterns::new(&owned(include), &owned(exclude))
    }

    #[test]
    fn matches_names_globs_and_regular_expressions() {
        let selected =
            patterns(&["orders", "pay.*", "/^billing-[0-9]+$/", "{a,b}[0-9]?"], &["*-canary", "pay.x"]).unwrap();
        for name in ["orders", "pay.", "pay.a.b/c", "billing-7", "a1x", "b2y"] {
            assert!(selected.matches(name), "{name}");
        }
        for name in ["order", "orders2", "billing-x", "pay.x", "pay.1-canary", "a1", "c1x", "", "xbilling-7"] {
            assert!(!selected.matches(name), "{name}");
        }
    }

    #[test]
    fn an_escaped_star_is_a_star() {
        let selected = patterns(&["a\\*"], &[]).unwrap();
        assert!(selected.matches("a*"));
        assert!(!selected.matches("ab"));
    }

    #[test]
    fn tells_the_names_that_are_written_out() {
        let selected = patterns(&["b", "x-*", "a", "/^c$/", "gone"], &["go*"]).unwrap();
        assert_eq!(selected.literals().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_bad_pattern_is_named_with_what_is_allowed() {
        for (pattern, expected) in [
            ("", "a pattern is empty: write a name"),
            ("//", "\"//\" matches every name: write * for all"),
            ("/.*/", "\"/.*/\" matches every name"),
            ("/(/", "\"/(/\" is no regular expression (unclosed group): write it between slashes"),
            ("/(?=a)b/", "look-around"),
            ("a[", "\"a[\" is no glob (unclosed character class; missing ']'): allowed are *, ?, [a-z], {a,b}, and \\"),
            ("{a", "is no glob"),
        ] {
            let error = patterns(&["ok", pattern], &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(Patterns::check(pattern).unwrap_err().to_string(), error);
        }
        assert_eq!(patterns(&[], &[]).unwrap_err(), PatternError::NothingIncluded);
    }

    proptest! {
        #[test]
        fn never_panics(pattern in "\\PC{0,40}", name in "\\PC{0,20}") {
            if let Ok(patterns) = patterns(&[&pattern], &[]) {
                let _ = patterns.matches(&name);
            }
        }

        #[test]
        fn a_plain_name_matches_itself_alone(name in "[A-Za-z0-9._-]{1,40}", other in "[A-Za-z0-9._-]{1,40}") {
            let selected = patterns(&[&name], &[]).unwrap();
            prop_assert!(selected.matches(&name));
            prop_assert_eq!(selected.matches(&other), name == other);
            prop_assert!(!patterns(&["*"], &[&name]).unwrap().matches(&name));
        }
    }
}
