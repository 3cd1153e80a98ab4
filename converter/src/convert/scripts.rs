//! Scripts, hooks and servers that name a file which lies elsewhere in the bundle: a command, a `SKILL.md`.
//! They are not changed; it is said.

use std::collections::{BTreeMap, BTreeSet};

use crate::context::Context;
use crate::discovery::skill_file;
use crate::naming;
use crate::paths::file_name;
use crate::report::{Code, Finding, Location};

/// Endings of scripts.
const SCRIPTS: &[&str] = &[
    "bash", "bat", "cjs", "cmd", "js", "mjs", "pl", "ps1", "py", "rb", "sh", "ts", "zsh",
];

/// No path that is looked at is longer, in bytes.
const LONGEST: usize = 300;

/// What such files name.
pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let moved = moved(context);
    if moved.is_empty() {
        return Vec::new();
    }
    let plugin = context.plugin;
    let declaring: BTreeSet<&str> = plugin
        .hooks
        .iter()
        .map(|hook| hook.file.as_str())
        .chain(plugin.servers.iter().map(|server| server.file.as_str()))
        .collect();
    let mut found = Vec::new();
    for (path, file) in context.source.tree.iter() {
        let is_script = file_name(path)
            .rsplit_once('.')
            .map_or(file.executable, |(_, ending)| SCRIPTS.contains(&ending));
        // Declarations of components name commands: that is no use of the files.
        let declares = declaring.contains(path) && !path.ends_with("plugin.json");
        if (is_script || declares)
            && let Ok(text) = naming::text(&file.bytes)
        {
            named(path, text, &moved, &mut found);
        }
    }
    found
}

/// The files that are not where they were, by the ends of their paths: the folder goes with the name.
fn moved(context: &Context<'_>) -> BTreeMap<String, (String, String)> {
    let mut moved = BTreeMap::new();
    for (old, new) in context.moved {
        let (old, new) = if context.source.tree.get(old).is_some() {
            (old.clone(), new.clone())
        } else {
            // All else of a folder lies in both places.
            (skill_file(old), skill_file(new))
        };
        let ends: Vec<usize> = old.match_indices('/').map(|(at, _)| at + 1).collect();
        let ends = std::iter::once(0).chain(ends);
        for end in ends.filter(|end| old[*end..].contains('/') || *end == 0) {
            // At the plugin's root, the name alone may be any file's: only as `…_ROOT}/name`.
            let key = if old.contains('/') {
                old[end..].to_owned()
            } else {
                format!("ROOT/{old}")
            };
            moved.insert(key, (old.clone(), new.clone()));
        }
    }
    moved
}

fn named(
    path: &str,
    text: &str,
    moved: &BTreeMap<String, (String, String)>,
    found: &mut Vec<Finding>,
) {
    let mut said = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        for (at, ending) in line.match_indices(".md") {
            let mut start = (at + ending.len()).saturating_sub(LONGEST);
            while !line.is_char_boundary(start) {
                start += 1;
            }
            let lead = &line[start..at + ending.len()];
            let written = lead
                .rsplit(|c: char| {
                    !(c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '}' | ':'))
                })
                .next()
                .unwrap_or(lead)
                .replace("ROOT}", "ROOT");
            let named = ends(&written).find_map(|end| moved.get(end));
            if let Some((old, new)) = named
                && said.insert(old)
            {
                found.push(Finding::new(
                    Code::MovedFileNamed,
                    Location::new(path, index + 1),
                    format!("it names `{old}`, which lies at `{new}` in the bundle"),
                ));
            }
        }
    }
}

/// A path, and what is left of it after each of its folders.
fn ends(path: &str) -> impl Iterator<Item = &str> {
    let after = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    let root = path.rfind("ROOT/").map(|at| &path[at..]);
    std::iter::once(path).chain(after).chain(root)
}
