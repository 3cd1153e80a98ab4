//! The table in `docs/hosts.md` says what the tests do: the versions that are installed, the tests that run them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

struct Row {
    host: String,
    set_up: String,
    test: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn rows() -> Vec<Row> {
    let page = read("docs/hosts.md");
    let table = page.lines().filter(|line| line.starts_with("| "));
    let rows = table.skip(1).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [host, set_up, run, _, test] = cells[..] else {
            panic!("{line}");
        };
        assert!(!run.is_empty(), "{line}");
        Row {
            host: host.to_owned(),
            set_up: set_up.to_owned(),
            test: test.trim_matches('`').to_owned(),
        }
    });
    rows.collect()
}

/// What stands between backticks.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The hosts that are installed: where from, and in which version.
fn pinned() -> BTreeSet<String> {
    let mut pinned = BTreeSet::new();
    for folder in ["tests/hosts", "tests/hosts/happy"] {
        let json = |file: &str| -> Value {
            serde_json::from_str(&read(&format!("{folder}/{file}"))).unwrap()
        };
        let (wanted, locked) = (json("package.json"), json("package-lock.json"));
        for name in wanted["dependencies"].as_object().unwrap().keys() {
            let version = &locked["packages"][format!("node_modules/{name}")]["version"];
            let version = version.as_str().unwrap();
            // A peer of one of them.
            if name != "zod" {
                pinned.insert(format!("npm `{name}` {version}"));
            }
        }
    }
    for line in read("tests/hosts/requirements.txt").lines() {
        for name in ["openai-codex", "websockets"] {
            if let Some(version) = line.strip_prefix(name).and_then(|it| it.strip_prefix("==")) {
                pinned.insert(format!("PyPI `{name}` {version}"));
            }
        }
    }
    pinned
}

fn scripts(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let ends = ["mjs", "py"].map(std::ffi::OsStr::new);
    let scripts = paths.filter(|path| path.extension().is_some_and(|end| ends.contains(&end)));
    scripts
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn its_versions_are_those_that_are_installed() {
    let named = rows().into_iter().map(|row| row.host);
    let named = named.filter(|host| host.starts_with("npm ") || host.starts_with("PyPI "));
    assert_eq!(named.collect::<BTreeSet<_>>(), pinned());
}

#[test]
fn each_row_names_its_test_and_each_test_has_its_row() {
    let mut named = BTreeSet::new();
    for Row { host, test, .. } in rows() {
        let (room, function) = test.split_once("::").unwrap();
        let tests = read(&format!("tests/proxy/{room}.rs"));
        let is_there = tests.contains(&format!("async fn {function}()"));
        assert!(is_there, "{host}: {test}");
        named.insert(test);
    }
    let hosts = read("tests/proxy/hosts.rs");
    let functions = hosts.lines().filter_map(|line| {
        let name = line.strip_prefix("async fn ")?.strip_suffix("() {")?;
        Some(format!("hosts::{name}"))
    });
    let functions: BTreeSet<String> = functions.collect();
    assert!(
        functions.len() >= 5 && functions.is_subset(&named),
        "{functions:?}"
    );
}

#[test]
fn what_is_set_up_is_what_the_tests_set_up() {
    let folder = root().join("tests/hosts");
    let scripts = scripts(&folder) + &scripts(&folder.join("happy"));
    let tests = read("tests/proxy/hosts.rs");
    for Row { host, set_up, .. } in rows() {
        for code in codes(&set_up) {
            let is_set_up = match code.strip_prefix("codex-loadout ") {
                // The words are there one by one; what is in capitals stands for something.
                Some(line) => line
                    .split(' ')
                    .filter(|word| *word != word.to_uppercase())
                    .all(|word| tests.contains(&format!("\"{word}\""))),
                None => scripts.contains(code) || tests.contains(code),
            };
            assert!(is_set_up, "{host}: {code}");
        }
    }
}
