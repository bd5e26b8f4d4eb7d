//! The rules of the house, kept by reading the source. A rule that is not a test is a wish.
//!
//! Each test is one rule: a sentence that says it, a pure function that finds the lines that break it, samples that it
//! must catch, so that it cannot silently rot, and then the repository. What the compiler and clippy keep is left to them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

/// The rooms, from the innermost layer outwards. A room imports from layers before its own only.
const LAYERS: [&[&str]; 6] = [
    &["lag", "crd"],
    &["clock"],
    &["kafka", "store", "board", "sim"],
    &["monitor", "output", "access", "remote"],
    &["http", "reconcile"],
    &["cli"],
];

/// Finds what breaks a rule in the file at a path: line numbers from 1, with a word or two.
type Find = fn(&str, &str) -> Vec<(usize, String)>;

/// Holds a rule: it catches each `bad` file, lets `good` pass, and finds nothing in the repository.
fn rule(sentence: &str, find: Find, bad: &[(&str, &str)], good: (&str, &str)) {
    for (path, text) in bad {
        assert!(!find(path, text).is_empty(), "the rule no longer catches a sample:\n{path}:\n{text}");
    }
    assert_eq!(find(good.0, good.1), [], "the rule catches what is allowed");
    let mut broken = Vec::new();
    for path in files() {
        // A binary file has no lines to look at.
        let Ok(text) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)) else { continue };
        broken.extend(find(&path, &text).into_iter().map(|(line, what)| format!("{path}:{line}: {what}")));
    }
    assert!(broken.is_empty(), "{sentence}\n{}", broken.join("\n"));
}

#[test]
fn layers() {
    rule(
        "A room imports from inner layers only; rooms of one layer do not know each other, and every room has a layer.",
        |path, text| {
            let Some(room) = room(path) else { return Vec::new() };
            let Some(own) = layer(&room) else { return vec![(1, format!("{room} has no layer in tests/tidy.rs"))] };
            let depth = path.matches('/').count();
            let escapes = lines(&code(path, text), &format!(r"\b(super::){{{depth},}}"));
            let foreign = imports(&code(path, text))
                .into_iter()
                .filter(|(_, other)| *other != room && layer(other).is_none_or(|layer| layer >= own));
            foreign.chain(escapes).collect()
        },
        &[
            ("src/lag/history.rs", "//! x\nuse crate::store::Row;\n"),
            ("src/kafka.rs", "//! x\nfn f() { crate::store::open() }\n"),
            ("src/output.rs", "//! x\nuse crate::{\n    lag::Report,\n    http::{self, Server},\n};\n"),
            ("src/store.rs", "//! x\nuse super::sim::Broker;\n"),
            ("src/extra.rs", "//! x\n"),
        ],
        (
            "src/kafka/admin.rs",
            "//! x\nuse crate::{clock::Clock, lag::{Millis, Offset}};\nuse crate::kafka::pass;\nuse super::connection;\n",
        ),
    );
}

#[test]
fn the_lag_room_is_pure() {
    rule(
        "`lag` is pure: no async, no clock, no input or output, no framework, and no function that returns a Result: \
         what it does not know, an `Estimate` says, with the reason.",
        |path, text| {
            if room(path).as_deref() != Some("lag") {
                return Vec::new();
            }
            let code = code(path, text);
            let mut found = lines(
                &code,
                r"\basync\b|\.await\b|\bnow\(\)|\b(tokio|rdkafka|rusqlite|kube|tracing|Instant|SystemTime)\b|\bstd::(fs|io|net|env|process)\b",
            );
            let signature = Regex::new(r"\bfn (\w+)[^{;]*->[^{;]*\bResult<").unwrap();
            // Serde's own trait decides what `serialize` returns.
            let fallible = signature.captures_iter(&code).filter(|found| &found[1] != "serialize");
            found.extend(
                fallible.map(|found| (line_of(&code, found.get(0).unwrap().start()), format!("fn {}", &found[1]))),
            );
            found
        },
        &[
            ("src/lag/state.rs", "//! x\npub async fn judge() {}\n"),
            ("src/lag/state.rs", "//! x\nlet t = clock.now();\n"),
            ("src/lag.rs", "//! x\nuse tokio::sync::watch;\n"),
            ("src/lag/history.rs", "//! x\npub fn row(\n    at: Millis,\n) -> Result<Row, Error> {\n"),
        ],
        (
            "src/lag/report.rs",
            "//! tokio is not used\nfn serialize<S>(&self, s: S) -> Result<S::Ok, S::Error> {\n}\nfn a() -> Option<u8> {}\n",
        ),
    );
}

#[test]
fn unsafe_code_is_in_one_place() {
    rule(
        "Unsafe code is in src/kafka/admin.rs and below it alone.",
        |path, text| match path {
            "src/kafka/admin.rs" | "src/kafka/admin/readers.rs" => Vec::new(),
            _ if rust(path) => lines(&without_words(text), r"\bunsafe\b"),
            _ => Vec::new(),
        },
        &[("src/kafka/list.rs", "//! x\n    unsafe { call() }\n"), ("tests/real/main.rs", "//! x\nunsafe fn f() {}\n")],
        (
            "src/kafka/list.rs",
            "//! unsafe is elsewhere\n#![deny(unsafe_code)]\nlet a = ['\"', '\\''];\nlet b: &'static str = r#\"\"unsafe\"\"#;\nlet c = \"unsafe\\\"\";\n",
        ),
    );
}

#[test]
fn errors_are_returned() {
    rule(
        "Outside tests nothing unwraps, expects or panics: return an error that says what a person can do.",
        |path, text| match source(path) {
            true => lines(&code(path, text), r"\.unwrap\(\)|\.expect\(|\b(panic|todo|unimplemented|dbg)!"),
            false => Vec::new(),
        },
        &[("src/cli.rs", "//! x\nlet a = b.unwrap();\n"), ("src/cli.rs", "//! x\n#[cfg(test)]\nmod tests;\ntodo!()\n")],
        ("src/cli.rs", "//! x\nlet a = b.unwrap_or_default();\n#[cfg(test)]\nmod tests { fn f() { a.unwrap(); } }\n"),
    );
}

#[test]
fn anyhow_is_for_the_command_line() {
    rule(
        "`anyhow` is for `cli` alone: elsewhere an error enum names what a person can do.",
        |path, text| match room(path).is_some_and(|room| room != "cli") {
            true => lines(&code(path, text), r"\banyhow\b"),
            false => Vec::new(),
        },
        &[("src/store.rs", "//! x\nuse anyhow::Context;\n")],
        ("src/cli/run.rs", "//! x\nuse anyhow::Context;\n"),
    );
}

#[test]
fn files_open_with_what_they_do() {
    rule(
        "A Rust file opens with `//!`: what it does, and what it leaves to others.",
        |path, text| match rust(path) && !text.starts_with("//! ") {
            true => vec![(1, text.lines().next().unwrap_or_default().to_owned())],
            false => Vec::new(),
        },
        &[("src/cli.rs", "use std::fs;\n"), ("tests/real/main.rs", "")],
        ("src/cli.rs", "//! The commands.\n"),
    );
}

#[test]
fn files_are_one_idea() {
    rule(
        "A file has 500 lines at most: it is one idea.",
        |path, text| match text.lines().count() {
            count if rust(path) && count > 500 => vec![(count, format!("{count} lines"))],
            _ => Vec::new(),
        },
        &[("src/cli.rs", &"\n".repeat(501))],
        ("src/cli.rs", &"\n".repeat(500)),
    );
}

#[test]
fn functions_fit_a_screen() {
    rule(
        "A function has 60 lines at most: it fits a screen.",
        |path, text| if rust(path) { long_functions(text) } else { Vec::new() },
        &[("src/cli.rs", &format!("    pub(crate) async fn f(\n    ) {{\n{}    }}\n", "        a();\n".repeat(58)))],
        (
            "src/cli.rs",
            &format!("fn f() {{\n{}}}\nfn g(\n    a: u8,\n);\n{}}}\n", "    a();\n".repeat(58), "x\n".repeat(99)),
        ),
    );
}

#[test]
fn names_say_what_is_inside() {
    rule(
        "A file is named for what is in it, not mod, util, common, types, manager, service or helper.",
        |path, _| {
            let vague =
                Regex::new(r"(^|[/_])(mod|utils?|common|types|managers?|services?|helpers?)(\.rs|/|_|$)").unwrap();
            if rust(path) && vague.is_match(path) { vec![(1, path.to_owned())] } else { Vec::new() }
        },
        &[("src/lag/mod.rs", ""), ("tests/common/x.rs", ""), ("src/http_utils.rs", ""), ("src/store/service.rs", "")],
        ("src/lag/model.rs", ""),
    );
}

#[test]
fn tests_run() {
    rule(
        "A test runs, or is not there.",
        |path, text| {
            if rust(path) { lines(&without_words(text), r"#\[ignore\b|\bcfg_attr\(.*\bignore\b") } else { Vec::new() }
        },
        &[("src/cli.rs", "#[test]\n#[ignore]\nfn f() {}\n"), ("tests/real/bed.rs", "#[ignore = \"slow\"]\n")],
        ("src/cli.rs", "#[test]\nfn ignore() {}\n"),
    );
}

#[test]
fn the_repository_speaks_of_the_product_alone() {
    rule(
        "The repository stands alone: it names no folder of one machine, no package registry's host, no unfinished work.",
        |path, text| match path {
            // Lock files name where packages come from, by their nature.
            "Cargo.lock" => Vec::new(),
            _ => lines(text, &forbidden_words()),
        },
        &[
            ("README.md", concat!("see ../sha", "red/design\n")),
            (".ci/run", concat!("cd /wo", "rk/main\n")),
            ("tests/run", concat!("curl https://static.crates", ".io/x\n")),
            ("src/cli.rs", concat!("// TO", "DO: later\n")),
        ],
        ("README.md", "Kafka comes from Maven Central; `share` groups\n"),
    );
}

/// The words are put together here, so that this file has none of them.
fn forbidden_words() -> String {
    let folders = [r"\.\./sha", "red|/(wo", "rk|ro", "ot)/"].concat();
    let hosts = ["crates|io", "repo1?|maven", "pypi|org", "npmjs|", "proxy|golang", "deb|debian", "docker|io"]
        .map(|host| format!(r"\b{}", host.replace('|', r"\.")))
        .join("|");
    let unfinished = ["TO", "DO|FIX", "ME|XX", "X|HA", "CK"].concat();
    format!(r"{folders}|{hosts}|\b({unfinished})\b")
}

#[test]
fn dependencies_are_sorted() {
    rule(
        "Dependencies in Cargo.toml are sorted by name.",
        |path, text| if path == "Cargo.toml" { unsorted_dependencies(text) } else { Vec::new() },
        &[
            ("Cargo.toml", "[dependencies]\nb = \"1\"\na = \"1\"\n"),
            ("Cargo.toml", "[dev-dependencies]\na-b = 1\na = 1\n"),
        ],
        ("Cargo.toml", "[dependencies]\nb = \"1\"\n\n[dev-dependencies]\na = \"1\"\n\n[lints]\nz = 1\na = 1\n"),
    );
}

#[test]
fn failure_modes_name_tests_that_exist() {
    rule(
        "docs/failure-modes.md names a test in each row, and each is there: `file: name`.",
        |path, text| if path == "docs/failure-modes.md" { missing_tests(text) } else { Vec::new() },
        &[
            ("docs/failure-modes.md", "|---|---|\n| a fault | `tests/tidy.rs: no_such_test` |\n"),
            ("docs/failure-modes.md", "|---|---|\n| a fault | nothing shows it |\n"),
            ("docs/failure-modes.md", "|---|---|\n| a fault | `tests/scenarios/basics.txt: no such story` |\n"),
        ],
        ("docs/failure-modes.md", "|---|---|\n| a fault | `tests/tidy.rs: failure_modes_name_tests_that_exist` * |\n"),
    );
}

/// Every file of the checkout that git knows or would add.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    assert!(names.contains("Cargo.toml"), "git lists the files: {}", String::from_utf8_lossy(&output.stderr));
    names.split_terminator('\0').map(str::to_owned).collect()
}

fn rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn source(path: &str) -> bool {
    rust(path) && path.starts_with("src/")
}

/// The room that a source file belongs to; none for the two crate roots.
fn room(path: &str) -> Option<String> {
    let name = path.strip_prefix("src/")?.split(['/', '.']).next()?;
    (rust(path) && !["lib", "main"].contains(&name)).then(|| name.to_owned())
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The text with comments and the contents of string literals taken out, line numbers kept.
fn without_words(text: &str) -> String {
    let comment = r"//[^\n]*";
    let string = r##"\br#"[\s\S]*?"#|\br"[^"]*"|"(?:[^"\\]|\\[\s\S])*""##;
    let character = r"'(?:[^'\\]|\\[^\n]+?)'";
    let words = Regex::new(&format!("{comment}|{string}|{character}")).unwrap();
    let blank = |found: &regex::Captures<'_>| "\n".repeat(found[0].matches('\n').count());
    words.replace_all(text, blank).into_owned()
}

/// What of a file runs in the product: without comments, words, and tests, which stand last or in files of their own.
fn code(path: &str, text: &str) -> String {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return String::new();
    }
    let tests = Regex::new(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))? )?mod \w+ \{").unwrap();
    let text = without_words(text);
    tests.splitn(&text, 2).next().unwrap_or_default().to_owned()
}

fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

fn lines(text: &str, pattern: &str) -> Vec<(usize, String)> {
    let pattern = Regex::new(pattern).unwrap();
    let found = text.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
    found.map(|(n, line)| (n + 1, line.trim().to_owned())).collect()
}

/// The rooms that code names as `crate::room` or within `crate::{…}`.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, prefix) in code.match_indices("crate::") {
        let rest = &code[start + prefix.len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => first_names(list),
            None => first_names(rest).into_iter().take(1).collect(),
        };
        found.extend(names.into_iter().map(|name| (line_of(code, start), name)));
    }
    found
}

/// The first name of each entry of a `use` list, up to the brace that closes it.
fn first_names(list: &str) -> Vec<String> {
    let (mut depth, mut fresh, mut names) = (0, true, Vec::new());
    let tokens = Regex::new(r"\w+|[{},;]").unwrap();
    for token in tokens.find_iter(list).map(|token| token.as_str()) {
        match token {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            ";" => break,
            "," => fresh |= depth == 0,
            name if fresh => {
                names.push(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// Functions over 60 lines. rustfmt puts the closing brace below the `fn`, so that is where one ends.
fn long_functions(text: &str) -> Vec<(usize, String)> {
    let header = Regex::new(r#"^( *)(?:pub(?:\([^)]*\))? )?(?:(?:const|async|unsafe|extern "C") )*fn (\w+)"#).unwrap();
    let all: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in all.iter().enumerate() {
        let Some(head) = header.captures(line) else { continue };
        // A signature without a body, and a function on one line, end here.
        if all[start..].iter().find(|line| line.ends_with(['{', '}', ';'])).is_none_or(|line| !line.ends_with('{')) {
            continue;
        }
        let end = format!("{}}}", &head[1]);
        let length = all[start..].iter().position(|line| *line == end).map_or(0, |length| length + 1);
        if length > 60 {
            found.push((start + 1, format!("fn {} has {length} lines", &head[2])));
        }
    }
    found
}

/// Rows of a table whose last cell names no test, or one that is nowhere.
fn missing_tests(page: &str) -> Vec<(usize, String)> {
    let named = Regex::new(r"\| `([^`:]+): ([^`]+)`(?: \*)? \|$").unwrap();
    let (mut inside, mut found) = (false, Vec::new());
    for (n, line) in page.lines().enumerate() {
        let is_row = line.starts_with('|');
        if is_row && inside {
            let exists = named.captures(line).is_some_and(|named| {
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(&named[1]);
                let text = fs::read_to_string(file).unwrap_or_default();
                let (function, story) = (format!("fn {}(", &named[2]), format!("story: {}\n", &named[2]));
                text.contains(&function) || text.contains(&story)
            });
            if !exists {
                found.push((n + 1, line.to_owned()));
            }
        }
        inside = is_row && (inside || line.starts_with("|---"));
    }
    found
}

fn unsorted_dependencies(manifest: &str) -> Vec<(usize, String)> {
    let (mut inside, mut last, mut found) = (false, String::new(), Vec::new());
    for (n, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            (inside, last) = (line.ends_with("dependencies]"), String::new());
        } else if let Some((name, _)) = line.split_once(['=', '.']).filter(|_| inside) {
            let name = name.trim().to_owned();
            if name < last {
                found.push((n + 1, format!("{name} comes before {last}")));
            }
            last = name;
        }
    }
    found
}
