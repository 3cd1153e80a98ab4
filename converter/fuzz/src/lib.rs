//! What holds for every plugin, however strange: the bodies of the fuzz targets, which the tests of the converter run, too.

use std::fmt::Write;

use codex_loadout_bundle::{Tree, TreeFile};
use codex_loadout_converter::marketplace::Marketplace;
use codex_loadout_converter::names::Names;
use codex_loadout_converter::report::{Finding, Outcome};
use codex_loadout_converter::target::{Codex, Gemini, Target};
use codex_loadout_converter::{
    BundleRoot, Conversion, ConversionError, Options, Source, convert, names,
};

const MANIFEST: &str = ".claude-plugin/plugin.json";

/// The bytes are frontmatter, and then a whole file, of a skill, a command and an agent.
pub fn frontmatter(bytes: &[u8]) {
    for content in [
        [b"---\n", bytes, b"\n---\nBody.\n"].concat(),
        bytes.to_vec(),
    ] {
        any_plugin(&Source {
            tree: parts(&content),
            folder: "p".to_owned(),
            ..Source::default()
        });
    }
}

/// The bytes are the text of a skill, a command and an agent, and of a file that they read.
pub fn references(bytes: &[u8]) {
    let head = b"---\nname: s\ndescription: d\n---\n@../../shared/rules.md\n\n".as_slice();
    let mut tree = parts(&[head, bytes].concat());
    tree.insert("shared/rules.md", TreeFile::plain(bytes.to_vec()));
    any_plugin(&Source {
        tree,
        folder: "p".to_owned(),
        ..Source::default()
    });
}

/// The bytes are each of the files that say what a plugin consists of.
pub fn manifests(bytes: &[u8]) {
    for path in [
        MANIFEST,
        ".codex-plugin/plugin.json",
        "hooks/hooks.json",
        ".mcp.json",
        ".lsp.json",
    ] {
        let mut tree = parts(b"---\nname: s\ndescription: d\n---\nBody.\n");
        tree.insert(path, TreeFile::plain(bytes.to_vec()));
        any_plugin(&Source {
            tree,
            folder: "p".to_owned(),
            ..Source::default()
        });
    }
    let mut tree = parts(b"---\nname: s\ndescription: d\n---\nBody.\n");
    tree.insert(
        ".claude-plugin/marketplace.json",
        TreeFile::plain(bytes.to_vec()),
    );
    if let Ok(Some(market)) = Marketplace::read(&tree, "m") {
        // As many as that say all there is to say.
        for entry in market.entries.iter().take(4) {
            if let Some(source) = market.source(&tree, entry) {
                any_plugin(&source);
            }
        }
    }
}

/// The bytes are all files of a plugin: each begins with a line `-- its/path --`.
pub fn conversion(bytes: &[u8]) {
    let mut tree = Tree::default();
    let mut open: Option<(String, Vec<u8>)> = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(path) = path_of(line) {
            if let Some((path, content)) = open.replace((path, Vec::new())) {
                add(&mut tree, path, content);
            }
        } else if let Some((_, content)) = &mut open {
            content.extend_from_slice(line);
        }
    }
    if let Some((path, content)) = open {
        add(&mut tree, path, content);
    }
    any_plugin(&Source {
        tree,
        folder: "p".to_owned(),
        ..Source::default()
    });
}

/// The path that a line names. A tree holds relative paths, without empty parts and without `.` or `..`.
fn path_of(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let path = line.strip_prefix("-- ")?.strip_suffix(" --")?;
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(is_part).then(|| path.to_owned())
}

/// On a disk, nothing lies below a file.
fn add(tree: &mut Tree, path: String, content: Vec<u8>) {
    let is_below_a_file = path
        .match_indices('/')
        .any(|(at, _)| tree.get(&path[..at]).is_some());
    if !is_below_a_file && !tree.has_folder(&path) {
        tree.insert(path, TreeFile::plain(content));
    }
}

/// A skill, a command and an agent, all of this content.
fn parts(content: &[u8]) -> Tree {
    ["skills/s/SKILL.md", "commands/c.md", "agents/a.md"]
        .into_iter()
        .map(|path| (path.to_owned(), TreeFile::plain(content.to_vec())))
        .collect()
}

/// Converts a plugin in all ways, beside one that it can refer to.
fn any_plugin(source: &Source) {
    let neighbour = Source {
        tree: parts(b"---\nname: s\ndescription: d\n---\nBody.\n"),
        folder: "other".to_owned(),
        ..Source::default()
    };
    let targets: [&dyn Target; 2] = [&Codex, &Gemini];
    for target in targets {
        let neighbour = names(&neighbour, &Options::default(), target);
        for root in [BundleRoot::Portable, BundleRoot::At("/b".to_owned())] {
            let options = Options {
                root,
                neighbours: Names {
                    plugins: neighbour.clone().into_iter().collect(),
                },
                ..Options::default()
            };
            match convert(source, &options, target) {
                Ok(conversion) => {
                    holds(source, &conversion);
                    let again = convert(source, &options, target).map(|again| again.report);
                    assert_eq!(again.as_ref(), Ok(&conversion.report), "the same again");
                }
                // The converter's own fault.
                Err(error @ ConversionError::Unaccounted { .. }) => panic!("{error}"),
                Err(error) => drop(error.to_string()),
            }
        }
    }
}

fn holds(source: &Source, conversion: &Conversion) {
    let report = &conversion.report;
    let usable = report.failures.is_empty();
    assert_eq!(
        usable,
        report.digest.is_some(),
        "a digest of what is usable"
    );
    assert_eq!(usable, !conversion.bundle.is_empty(), "a bundle if usable");
    if usable {
        assert_eq!(report.digest, Some(conversion.bundle.digest()));
    }
    let summary = &report.summary;
    assert_eq!(
        summary.converted + summary.lossy + summary.dropped,
        report.components.len(),
        "the summary counts every component"
    );
    for account in &report.components {
        let dropped = account.outcome == Outcome::Dropped;
        assert_eq!(dropped, account.reason.is_some(), "{account:?}");
        assert_eq!(dropped, account.path.is_none(), "{account:?}");
        if usable && let Some(path) = &account.path {
            assert!(conversion.bundle.get(path).is_some(), "{account:?}");
        }
        account.warnings.iter().for_each(|it| is_there(source, it));
    }
    let of_all = report.warnings.iter().chain(&report.failures);
    of_all.for_each(|finding| is_there(source, finding));
    let mut text = String::new();
    assert!(write!(text, "{report}").is_ok(), "the report can be read");
}

/// A finding names a line that its file has.
fn is_there(source: &Source, finding: &Finding) {
    let Some(file) = source.tree.get(&finding.location.file) else {
        return;
    };
    let lines = 1 + file.bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!((1..=lines).contains(&finding.location.line), "{finding:?}");
}
