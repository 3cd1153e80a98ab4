//! Real plugins: nothing panics, no gate fires on prose, and a second conversion changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use codex_loadout_bundle::{Tree, TreeFile};

use super::world::World;
use crate::names::{Names, PluginNames};
use crate::options::BundleRoot;
use crate::report::Code;
use crate::source::SkillSource;
use crate::text::{Arguments, ConvertedText, Role, Text};

/// One text of a plugin.
struct Piece {
    file: String,
    bundle_file: String,
    kind: char,
    body: String,
    first_line: usize,
}

fn corpora() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: the corpora are not at {}", folder.display());
    None
}

/// Folders that are plugins.
fn plugins(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.join(".claude-plugin/plugin.json").is_file()
        || folder.join("skills").is_dir()
        || folder.join("commands").is_dir()
    {
        found.push(folder.to_owned());
        return;
    }
    let mut inside: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    inside.sort();
    for path in inside {
        plugins(&path, found);
    }
}

fn read(folder: &Path, path: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let inside = if path.is_empty() {
            name
        } else {
            format!("{path}/{name}")
        };
        if entry.path().is_dir() {
            read(&entry.path(), &inside, tree);
        } else {
            tree.insert(
                inside,
                TreeFile::plain(std::fs::read(entry.path()).unwrap()),
            );
        }
    }
}

/// Header, body, and the line on which the body begins.
fn split(text: &str) -> (&str, &str, usize) {
    let end = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.find("\n---\n").map(|end| end + 9));
    match end {
        Some(end) => (
            &text[..end],
            &text[end..],
            1 + text[..end].matches('\n').count(),
        ),
        None => ("", text, 1),
    }
}

fn header_name(header: &str) -> Option<&str> {
    header
        .lines()
        .find_map(|line| line.strip_prefix("name:"))
        .map(|name| name.trim().trim_matches('"'))
}

/// A plugin as the other parts would find it, roughly.
fn load(folder: &Path) -> (World, Vec<Piece>) {
    let mut tree = Tree::default();
    read(folder, "", &mut tree);
    let name = tree
        .get(".claude-plugin/plugin.json")
        .and_then(|file| serde_json::from_slice::<serde_json::Value>(&file.bytes).ok())
        .and_then(|manifest| Some(manifest["name"].as_str()?.to_owned()))
        .unwrap_or_else(|| folder.file_name().unwrap().to_str().unwrap().to_owned());
    let mut world = World::default();
    world.plugin.name = name.clone();
    let mut names = PluginNames::default();
    let mut pieces = Vec::new();
    for (path, file) in tree.iter() {
        let Ok(text) = std::str::from_utf8(&file.bytes) else {
            continue;
        };
        let (header, body, first_line) = split(text);
        let parts: Vec<&str> = path.split('/').collect();
        let (kind, bundle_file) = match parts.as_slice() {
            ["skills", skill, "SKILL.md"] => {
                let folder = format!("skills/{skill}");
                names
                    .skills
                    .insert((*skill).to_owned(), (*skill).to_owned());
                world.plugin.skills.push(SkillSource { folder });
                ('s', path.to_owned())
            }
            ["commands", command] if command.ends_with(".md") => {
                let command = command.trim_end_matches(".md").to_owned();
                let new = format!("skills/{command}/SKILL.md");
                world.moved.insert(path.to_owned(), new.clone());
                names.skills.insert(command.clone(), command);
                ('c', new)
            }
            ["agents", agent] if agent.ends_with(".md") => {
                let agent = header_name(header).unwrap_or(agent.trim_end_matches(".md"));
                names.agents.insert(agent.to_owned());
                ('a', path.to_owned())
            }
            _ if path.ends_with(".md") && path.contains('/') => ('x', path.to_owned()),
            _ => continue,
        };
        pieces.push(Piece {
            file: path.to_owned(),
            bundle_file,
            kind,
            body: body.to_owned(),
            first_line,
        });
    }
    world.names = Names {
        plugins: BTreeMap::from([(name, names)]),
    };
    (world.with_tree(tree), pieces)
}

fn text<'a>(piece: &'a Piece, folder: &'a str) -> Text<'a> {
    Text {
        body: &piece.body,
        file: &piece.file,
        first_line: piece.first_line,
        bundle_file: &piece.bundle_file,
        role: match piece.kind {
            's' => Role::Skill {
                folder,
                arguments: Arguments::default(),
            },
            'c' => Role::Command {
                arguments: Arguments::default(),
            },
            'a' => Role::Agent,
            _ => Role::Support,
        },
    }
}

/// To read what becomes of the texts: `TEXTS_OUT=folder cargo test real_texts` writes each before and after.
fn write_out(world: &World, piece: &Piece, new: &ConvertedText) {
    let Ok(out) = std::env::var("TEXTS_OUT") else {
        return;
    };
    let root = match world.options.root {
        BundleRoot::Portable => "portable",
        BundleRoot::At(_) => "at",
    };
    let path = Path::new(&out)
        .join(root)
        .join(&world.plugin.name)
        .join(&piece.file);
    let findings: Vec<String> = new
        .findings
        .iter()
        .map(|found| format!("{} {} {}\n", found.location, found.code, found.message))
        .collect();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path.with_extension("old"), &piece.body).unwrap();
    std::fs::write(path.with_extension("findings"), findings.concat()).unwrap();
    std::fs::write(&path, &new.body).unwrap();
}

#[test]
fn real_texts_come_through() {
    let Some(corpora) = corpora() else {
        return;
    };
    let mut found = Vec::new();
    plugins(&corpora, &mut found);
    let mut loaded: Vec<(World, Vec<Piece>)> = found.iter().map(|folder| load(folder)).collect();
    let mut all: BTreeMap<String, PluginNames> = BTreeMap::new();
    for (name, names) in loaded.iter().flat_map(|(world, _)| &world.names.plugins) {
        let known = all.entry(name.clone()).or_default();
        known.skills.extend(names.skills.clone());
        known.agents.extend(names.agents.clone());
    }
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    let mut files = BTreeSet::new();
    let mut failures = Vec::new();
    for (world, pieces) in &mut loaded {
        world.names.plugins = all.clone();
        for root in [
            BundleRoot::Portable,
            BundleRoot::At("/bundles/p".to_owned()),
        ] {
            world.options.root = root.clone();
            for piece in pieces.iter() {
                let folder = piece.file.trim_end_matches("/SKILL.md");
                let new = world.convert(text(piece, folder));
                files.insert((world.plugin.name.clone(), piece.file.clone()));
                let lines = piece.first_line..=piece.first_line + piece.body.matches('\n').count();
                for finding in &new.findings {
                    assert!(lines.contains(&finding.location.line), "{finding:?}");
                    *counts.entry(finding.code).or_default() += 1;
                    if finding.code.fails() {
                        failures.push(format!("{}: {finding:?}", world.plugin.name));
                    }
                }
                let again = world.convert(Text {
                    body: &new.body,
                    ..text(piece, folder)
                });
                if piece.file == piece.bundle_file {
                    assert_eq!(again.body, new.body, "{}", piece.file);
                }
                write_out(world, piece, &new);
            }
        }
    }
    println!("{} texts of {} plugins", files.len(), found.len());
    for (code, count) in &counts {
        println!("{count:6} {code}");
    }
    assert!(files.len() > 100, "the corpora hold few texts");
    assert_eq!(failures, Vec::<String>::new());
}
