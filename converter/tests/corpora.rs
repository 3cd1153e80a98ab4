//! Real plugins, if they are there: every skill is converted, hardly anything else is dropped, nothing fails.
//!
//! They are no part of the repository: `../shared/corpora` beside it, or the folder that `CODEX_LOADOUT_CORPORA` names.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use codex_loadout_bundle::{Tree, TreeFile};
use codex_loadout_converter::marketplace::Marketplace;
use codex_loadout_converter::names::Names;
use codex_loadout_converter::report::{Kind, Outcome};
use codex_loadout_converter::target::{Codex, Gemini};
use codex_loadout_converter::{BundleRoot, Conversion, Options, Report, Source, convert, names};

fn corpora() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let folder = std::env::var_os("CODEX_LOADOUT_CORPORA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no plugins at {}", folder.display());
    None
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn read(root: &Path) -> Tree {
    fn walk(folder: &Path, root: &Path, files: &mut Vec<(String, TreeFile)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                let file = TreeFile::plain(std::fs::read(&path).unwrap());
                files.push((name.to_owned(), file));
            }
        }
    }
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files.into_iter().collect()
}

/// Every plugin of a corpus: those of its marketplace, or each folder that has a manifest.
fn sources(corpus: &Path) -> Vec<Source> {
    let tree = read(corpus);
    if let Some(market) = Marketplace::read(&tree, &name_of(corpus)).unwrap() {
        let here = |entry| market.source(&tree, entry);
        return market.entries.iter().filter_map(here).collect();
    }
    let mut found = Vec::new();
    let mut waiting = vec![corpus.to_owned()];
    while let Some(folder) = waiting.pop() {
        let has = |manifest: &str| folder.join(manifest).join("plugin.json").is_file();
        if has(".claude-plugin") || has(".codex-plugin") {
            found.push(Source {
                tree: read(&folder),
                folder: name_of(&folder),
                ..Source::default()
            });
        } else {
            waiting.extend(folders_in(&folder));
        }
    }
    found
}

/// A line of the table.
#[derive(Default)]
struct Row {
    plugins: usize,
    /// Converted, lossy, dropped.
    counts: BTreeMap<&'static str, [usize; 3]>,
    time: Duration,
}

const KINDS: [&str; 6] = ["skill", "command", "agent", "hook", "mcpServer", "others"];

impl Row {
    fn add(&mut self, report: &Report) {
        self.plugins += 1;
        for account in &report.components {
            let kind = match account.kind {
                Kind::Other(_) => "others",
                kind => kind.as_str(),
            };
            let column = match account.outcome {
                Outcome::Converted => 0,
                Outcome::Lossy => 1,
                Outcome::Dropped => 2,
            };
            self.counts.entry(kind).or_default()[column] += 1;
        }
    }

    fn of(&self, kind: &str) -> [usize; 3] {
        self.counts.get(kind).copied().unwrap_or_default()
    }

    fn print(&self, corpus: &str) {
        let cells: String = KINDS
            .map(|kind| {
                let [converted, lossy, dropped] = self.of(kind);
                format!("{:>12}", format!("{converted}/{lossy}/{dropped}"))
            })
            .concat();
        let plugins = self.plugins;
        let time = self.time.as_millis();
        println!("{corpus:<24}{plugins:>8}{cells}{time:>7}");
    }
}

/// Each finding names a line that its file has.
fn places_are_in_the_source(source: &Source, report: &Report) {
    let accounts = report.components.iter();
    let of_parts = accounts.flat_map(|account| &account.warnings);
    for finding in of_parts.chain(&report.warnings) {
        if let Some(file) = source.tree.get(&finding.location.file) {
            let lines = file.bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
            assert!((1..=lines).contains(&finding.location.line), "{finding:?}");
        }
    }
}

/// What is converted has nothing left in it to convert.
fn a_second_conversion_changes_no_skill(once: &Conversion, source: &Source, options: &Options) {
    let again = Source {
        tree: once.bundle.clone(),
        folder: source.folder.clone(),
        ..Source::default()
    };
    let again = convert(&again, options, &Codex).unwrap();
    assert_eq!(again.report.failures, [], "{}", source.folder);
    for (path, file) in once.bundle.iter() {
        if path.starts_with("skills/") && path.ends_with("/SKILL.md") {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let new = again.bundle.get(path).map(|file| text(&file.bytes));
            assert_eq!(new, Some(text(&file.bytes)), "{path} of {}", source.folder);
        }
    }
}

#[test]
fn real_plugins_are_converted() {
    let Some(corpora) = corpora() else { return };
    println!("\nconverted/lossy/dropped");
    let head: String = KINDS.map(|kind| format!("{kind:>12}")).concat();
    println!("{:<24}{:>8}{head}{:>7}", "corpus", "plugins", "ms");
    let mut total = Row::default();
    let mut reports = Vec::new();
    for folder in folders_in(&corpora) {
        let sources = sources(&folder);
        let mut neighbours = Names::default();
        for source in &sources {
            let (name, names) = names(source, &Options::default(), &Codex).unwrap();
            neighbours.plugins.insert(name, names);
        }
        let mut row = Row::default();
        for root in [
            BundleRoot::At("/bundles/x".to_owned()),
            BundleRoot::Portable,
        ] {
            let options = Options {
                root,
                neighbours: neighbours.clone(),
                ..Options::default()
            };
            for source in &sources {
                let begun = Instant::now();
                let conversion = convert(source, &options, &Codex).unwrap();
                let time = begun.elapsed();
                let report = conversion.report.clone();
                assert_eq!(report.failures, [], "{}", source.folder);
                assert_eq!(report.digest, Some(conversion.bundle.digest()));
                places_are_in_the_source(source, &report);
                a_second_conversion_changes_no_skill(&conversion, source, &options);
                assert_eq!(convert(source, &options, &Codex).unwrap().report, report);
                if options.root == BundleRoot::Portable {
                    row.time += time;
                    total.time += time;
                    row.add(&report);
                    total.add(&report);
                    reports.push(report);
                }
            }
        }
        row.print(&name_of(&folder));
    }
    total.print("all");
    for report in reports {
        println!("\n{report}");
    }
    let [converted, lossy, dropped] = total.of("skill");
    assert!(converted + lossy > 0);
    assert_eq!(dropped, 0, "skills");
    for kind in ["command", "agent"] {
        let [converted, lossy, dropped] = total.of(kind);
        assert!(
            (converted + lossy) >= dropped * 19,
            "{kind}: {dropped} dropped"
        );
    }
}

#[test]
fn real_plugins_are_converted_for_the_gemini_cli() {
    let Some(corpora) = corpora() else { return };
    for folder in folders_in(&corpora) {
        for source in sources(&folder) {
            let conversion = convert(&source, &Options::default(), &Gemini).unwrap();
            let report = conversion.report;
            assert_eq!(report.failures, [], "{}", source.folder);
            let is_dropped = |kind: Kind| {
                let mut accounts = report.components.iter();
                accounts.any(|one| one.kind == kind && one.outcome == Outcome::Dropped)
            };
            assert!(!is_dropped(Kind::Skill), "{report}");
            assert!(!is_dropped(Kind::Command), "{report}");
            assert!(!is_dropped(Kind::Agent), "{report}");
            for (path, file) in conversion.bundle.iter() {
                if path.starts_with("commands/") && path.ends_with(".toml") {
                    let text = std::str::from_utf8(&file.bytes).unwrap();
                    let command: toml::Table = text.parse().unwrap();
                    let prompt = command["prompt"].as_str().unwrap();
                    assert!(!prompt.contains("$ARGUMENTS"), "{path}: {prompt}");
                }
            }
        }
    }
}
