//! The rules of the house that no compiler knows: what may use what, how long
//! a file may be, what must not be left behind. They read the source tree.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the tree; `path` is relative to the root, with `/`.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Rust that ends up in a program or library: neither tests nor guests
    /// (whose `src` lies one level deeper).
    fn is_program(&self) -> bool {
        let in_src = self.path.split('/').nth(1) == Some("src");
        let test = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        self.is_rust() && in_src && !test
    }

    /// Numbered lines without those that are comments: prose may name anything.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }
}

/// What a rule found, as `file:line: what`.
struct Findings {
    rule: &'static str,
    reason: &'static str,
    found: Vec<String>,
}

impl Findings {
    fn new(rule: &'static str, reason: &'static str) -> Self {
        let found = Vec::new();
        Self {
            rule,
            reason,
            found,
        }
    }

    fn add(&mut self, source: &Source, line: usize, what: &str) {
        self.found.push(format!("{}:{line}: {what}", source.path));
    }

    /// Adds each place where code of `scope` has one of `words`.
    fn search(&mut self, words: &[&str], scope: impl Fn(&Source) -> bool) {
        for source in tree().iter().filter(|source| scope(source)) {
            for (number, line) in source.code() {
                for word in words.iter().filter(|word| has_word(line, word)) {
                    self.add(source, number, word);
                }
            }
        }
    }

    fn assert_none(self) {
        let Self {
            rule,
            reason,
            found,
        } = self;
        assert!(
            found.is_empty(),
            "\n{}\nrule: {rule}\nreason: {reason}\n",
            found.join("\n")
        );
    }
}

/// Fails where code of `scope` has one of `words`.
fn forbid(
    rule: &'static str,
    reason: &'static str,
    words: &[&str],
    scope: impl Fn(&Source) -> bool,
) {
    let mut findings = Findings::new(rule, reason);
    findings.search(words, scope);
    findings.assert_none();
}

/// Whether `word` stands in `line` and is not the tail of a longer name:
/// `operand::` is no `rand::`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

const OUTSIDE_WORLD: [&str; 8] = [
    "tokio",
    "axum",
    "Instant::now",
    "SystemTime",
    "std::net",
    "std::fs",
    "rand::",
    "tracing",
];

#[test]
fn the_core_is_pure() {
    forbid(
        "broker/src/core has no I/O, no clock, no runtime, no random source",
        "the simulation replays it from events and a seed alone",
        &OUTSIDE_WORLD,
        |source| source.is_rust() && source.path.starts_with("broker/src/core/"),
    );
}

#[test]
fn shared_and_the_wasi_host_are_pure() {
    let mut words = OUTSIDE_WORLD.to_vec();
    words.push("std::thread");
    forbid(
        "shared and wasi-host have no I/O, no clock, no threads, no random source",
        "they are compiled for the browser too, where none of them exists",
        &words,
        |source| {
            let pure = ["shared/src/", "wasi-host/src/"];
            source.is_rust() && pure.iter().any(|folder| source.path.starts_with(folder))
        },
    );
}

#[test]
fn libraries_stay_behind_their_doors() {
    // With `::`: a log filter or a message may name what it doesn't use.
    let doors: [(&[&str], &[&str]); 5] = [
        (
            &["axum::"],
            &["broker/src/http", "broker/src/lib.rs", "broker/src/main.rs"],
        ),
        (&["rusqlite::", "object_store::"], &["broker/src/store"]),
        (
            &["wtransport::"],
            &["broker/src/transport", "provider-native/src/connection"],
        ),
        (&["tungstenite::"], &["provider-native/src/connection"]),
        (
            &["wasmtime::", "wasmtime_wasi::"],
            &["provider-native/src/engine", "provider-native/src/sandbox"],
        ),
    ];
    let mut findings = Findings::new(
        "axum, rusqlite, object_store, wtransport and wasmtime are each used in one place only",
        "a library that can be exchanged, or upgraded, by reading one folder",
    );
    for (libraries, allowed) in doors {
        findings.search(libraries, |source| {
            // The load generator of evaluation/ speaks for itself.
            let exempt = source.path.starts_with("evaluation/");
            let behind = allowed.iter().any(|door| source.path.starts_with(door));
            source.is_program() && !exempt && !behind
        });
    }
    findings.assert_none();
}

#[test]
fn files_can_be_read_in_one_sitting() {
    const MOST: usize = 700;
    let mut findings = Findings::new(
        "no Rust file is longer than 700 lines, tests included",
        "a longer one holds two ideas: give each its file",
    );
    for source in tree().iter().filter(|source| source.is_rust()) {
        let count = source.lines().count();
        if count > MOST {
            findings.add(source, MOST + 1, &format!("{count} lines"));
        }
    }
    findings.assert_none();
}

#[test]
fn nothing_is_left_behind() {
    forbid(
        "no macro that stands for missing code or for debugging",
        "what is committed is finished",
        // In two parts, or this file would break its own rule.
        &[
            concat!("todo", "!("),
            concat!("unimplemented", "!("),
            concat!("dbg", "!("),
        ],
        Source::is_rust,
    );
}

#[test]
fn no_path_of_one_machine() {
    let homes = [concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut findings = Findings::new(
        "no file names a path in somebody's home",
        "it would work on that one machine only",
    );
    for source in &tree() {
        for (number, line) in source.lines() {
            for home in homes.iter().filter(|home| has_word(line, home)) {
                findings.add(source, number, home);
            }
        }
    }
    findings.assert_none();
}

#[test]
fn libraries_open_with_their_layout() {
    let mut findings = Findings::new(
        "each lib.rs opens with a //! text that has a heading `# Layout`",
        "whoever opens the library must see what lies where",
    );
    for source in tree()
        .iter()
        .filter(|source| source.path.ends_with("/src/lib.rs"))
    {
        let mut opening = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"));
        if !opening.any(|line| line.trim_end() == "//! # Layout") {
            findings.add(source, 1, "no `# Layout` in the opening text");
        }
    }
    findings.assert_none();
}

/// Every text file of the tree, in the order of their paths.
fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace");
    let mut sources = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let name = path.file_name().unwrap_or_default();
            if path.is_symlink()
                || ["target", "node_modules", ".git"]
                    .iter()
                    .any(|skip| name == *skip)
            {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            // What isn't UTF-8 is no text; what vanished meanwhile isn't there.
            } else if let Ok(text) = fs::read_to_string(&path) {
                let inside = path.strip_prefix(root).expect("found below the root");
                let path = inside.to_string_lossy().replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    assert!(!sources.is_empty(), "no sources below {}", root.display());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    listing.flatten().map(|entry| entry.path()).collect()
}
