//! What README and docs show is what is: hosts run, JSON is of the shapes it is said to be, commands and links exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use codex_loadout_protocol::{CapabilitySelection, Receipt};
use serde_json::Value;

use crate::stage::{PROXY, Stage};

struct Page {
    path: PathBuf,
    text: String,
}

/// A fenced block: its language, its lines.
struct Block {
    language: String,
    text: String,
}

fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = docs
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect();
    paths.sort();
    paths.extend(["README.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        Page { path, text }
    };
    paths.into_iter().map(read).collect()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    blocks
}

fn block(text: &str, language: &str) -> String {
    let mut blocks = blocks(text).into_iter();
    blocks.find(|it| it.language == language).unwrap().text
}

/// Digests and folders differ on each machine, and with a folder's name the length of the list.
fn without_what_differs(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("sha256:") => "sha256:…".clone_into(text),
        Value::String(text) if text.starts_with('/') => "…".clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(without_what_differs),
        Value::Object(members) => {
            members.remove("context");
            members.values_mut().for_each(without_what_differs);
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_of_the_readme_get_its_receipt_and_its_error() {
    let stage = Stage::standard().await;
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut shown: Vec<Value> = blocks(&readme)
        .iter()
        .filter(|block| block.language == "json")
        .map(|block| serde_json::from_str(&block.text).unwrap())
        .collect();
    shown.iter_mut().for_each(without_what_differs);
    let programs = stage.home.path().join("bin");
    fs::create_dir_all(&programs).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(PROXY, programs.join("codex-loadout")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    for (program, language, name) in [("node", "ts", "host.mjs"), ("python3", "python", "host.py")]
    {
        if std::process::Command::new(program)
            .arg("--version")
            .output()
            .is_err()
        {
            eprintln!("SKIPPED: there is no {program} to run the README's host");
            continue;
        }
        let file = stage.home.path().join(name);
        fs::write(&file, block(&readme, language)).unwrap();
        let mut command = stage
            .home
            .command(Path::new(program), &[&file.to_string_lossy()]);
        command
            .current_dir(stage.home.project())
            .env("PATH", &path)
            .env("CODEX_LOADOUT_CODEX", stage.home.codex());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut printed: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        printed.iter_mut().for_each(without_what_differs);
        assert_eq!(
            printed,
            shown,
            "{program}: {}",
            serde_json::to_string(&printed).unwrap()
        );
    }
}

#[test]
fn json_is_of_the_shape_that_it_shows() {
    let without_comments = |text: &str| -> String {
        let lines = text.lines();
        lines
            .map(|line| line.split(" //").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let mut selections = 0;
    for page in pages() {
        for block in blocks(&page.text) {
            if !block.language.starts_with("json") {
                continue;
            }
            let at = page.path.display();
            let value: Value = serde_json::from_str(&without_comments(&block.text))
                .unwrap_or_else(|error| panic!("{at}: {error}\n{}", block.text));
            let params = &value["params"]["capabilitySelection"];
            if params.is_object() {
                CapabilitySelection::from_json(&params.to_string())
                    .unwrap_or_else(|error| panic!("{at}: {error}"));
                selections += 1;
            }
            if value.get("digest").is_some() {
                serde_json::from_value::<Receipt>(value).unwrap();
            }
        }
    }
    assert!(selections > 0);
}

#[test]
fn each_verb_and_flag_that_is_shown_is_there() {
    let help = |arguments: &[&str]| {
        let output = std::process::Command::new(PROXY)
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let verbs: BTreeSet<String> = help(&["--help"])
        .lines()
        .filter_map(|line| {
            line.strip_prefix("  ")?
                .split_whitespace()
                .next()
                .map(str::to_owned)
        })
        .collect();
    let mut checked = 0;
    for page in pages() {
        let code: Vec<&str> = page
            .text
            .split('`')
            .flat_map(str::lines)
            .flat_map(|line| line.split("  "))
            .map(str::trim)
            .filter_map(|text| text.strip_prefix("codex-loadout "))
            .collect();
        for command in code {
            let mut words = command.split_whitespace();
            let verb = words.next().unwrap();
            if !verb.starts_with(|it: char| it.is_ascii_lowercase()) || verb.contains('|') {
                continue;
            }
            assert!(
                verbs.contains(verb),
                "{}: codex-loadout {verb}",
                page.path.display()
            );
            let mut of_verb = help(&["help", verb]);
            let sub = command.split_whitespace().nth(1).unwrap_or_default();
            if of_verb
                .lines()
                .any(|line| line.split_whitespace().next() == Some(sub))
            {
                of_verb += &help(&["help", verb, sub]);
            }
            for flag in words
                .take_while(|word| !word.starts_with('#'))
                .map(|word| word.trim_matches(['[', ']', ',']))
            {
                let flag = flag.split('=').next().unwrap();
                assert!(
                    !flag.starts_with("--") || of_verb.contains(flag),
                    "{}: codex-loadout {command}",
                    page.path.display()
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn links_lead_somewhere_and_every_page_is_in_the_summary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let summary = fs::read_to_string(root.join("docs/SUMMARY.md")).unwrap();
    for page in pages() {
        let folder = page.path.parent().unwrap();
        let name = page
            .path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if folder.ends_with("docs") && name != "SUMMARY.md" {
            assert!(
                summary.contains(&format!("({name})")),
                "{name} is not in the summary"
            );
        }
        for link in page.text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{}: {link}", page.path.display());
            // The book holds its own pages alone.
            let is_of_book = folder.ends_with("docs");
            assert!(
                !is_of_book || !file.contains('/'),
                "{}: {link}",
                page.path.display()
            );
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let slugs = text.lines().filter(|line| line.starts_with('#')).map(slug);
                assert!(
                    slugs.collect::<Vec<_>>().contains(&anchor.to_owned()),
                    "{}: {link}",
                    page.path.display()
                );
            }
        }
    }
}

fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|it| it.is_alphanumeric() || *it == ' ' || *it == '-');
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[test]
fn cargo_commands_name_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages() {
        for (flag, folder) in [("--example ", "examples"), ("--bench ", "benches")] {
            for rest in page.text.split(flag).skip(1) {
                let name: String = rest
                    .chars()
                    .take_while(|it| it.is_alphanumeric() || *it == '_')
                    .collect();
                let file = root.join(folder).join(&name);
                let is_there = file.with_extension("rs").exists() || file.join("main.rs").exists();
                assert!(is_there, "{}: {flag}{name}", page.path.display());
            }
        }
    }
}

#[test]
fn every_kind_of_error_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    let schema = fs::read_to_string(root.join("protocol/schema/LoadoutError.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let kinds: Vec<&str> = schema["$defs"]["ErrorKind"]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["const"].as_str().unwrap())
        .collect();
    assert!(kinds.len() > 10);
    for kind in kinds {
        assert!(page.contains(&format!("| `{kind}` |")), "{kind}");
    }
}
