//! The bundle's tree: the plugin's own, with what was made laid over it.

use std::collections::BTreeSet;

use codex_loadout_bundle::{Tree, TreeFile};
use serde_json::{Map, Value, json};

use super::Texts;
use crate::components::Converted;
use crate::components::hooks::ConvertedHooks;
use crate::context::{Context, relocated};
use crate::discovery::{self, PORTABLE_FILES, SKILL_FILE};
use crate::naming::Naming;
use crate::paths::file_name;
use crate::report::{Code, Finding, Location};
use crate::source::CommandText;

/// All that was made.
pub(super) struct BundleParts<'a> {
    pub(super) parts: &'a [Converted],
    pub(super) supports: &'a Texts,
    pub(super) hooks: &'a ConvertedHooks,
    pub(super) servers: &'a Map<String, Value>,
    pub(super) manifest: &'a Map<String, Value>,
}

/// Lays the files; two that would lie at one path are a failure.
pub(super) fn assemble(
    made: &BundleParts<'_>,
    naming: &Naming<'_>,
    context: &Context<'_>,
) -> (Tree, Vec<Finding>) {
    let target = context.target;
    let mut replaced: BTreeSet<&str> = [
        target.manifest_file(),
        target.servers_file(),
        target.hooks_file(),
    ]
    .into();
    // What they say is in the target's own files now: both would count.
    let is_portable = |path: &&str| discovery::portable(&context.source.tree, path).is_some();
    replaced.extend(PORTABLE_FILES.into_iter().filter(is_portable));
    replaced.extend(naming.skills.iter().map(|skill| skill.file.as_str()));
    replaced.extend(
        naming
            .commands
            .iter()
            .filter(|command| matches!(command.source.text, CommandText::File(_)))
            .map(|command| command.file),
    );
    if target.agents_lie_where_claudes_do() {
        replaced.extend(naming.agents.iter().map(|agent| agent.source.file.as_str()));
    }
    let mut bundle = Tree::default();
    let mut failures = Vec::new();
    for (path, file) in context.source.tree.iter() {
        if replaced.contains(path) {
            continue;
        }
        let (place, file) = match made.supports.get(path) {
            Some(support) => (support.bundle_file.clone(), &support.file),
            None => (relocated(context.moved, path), file),
        };
        if bundle.get(&place).is_some() {
            failures.push(collision(path, &place));
        }
        bundle.insert(place, file.clone());
    }
    for part in made.parts {
        for (index, (place, file)) in part.files.iter().enumerate() {
            // Other files than the component's own are meant to replace what is there.
            if index == 0 && bundle.get(place).is_some() {
                failures.push(collision(&part.account.source.file, place));
            }
            bundle.insert(place.clone(), file.clone());
        }
    }
    for (place, file) in &made.hooks.files {
        bundle.insert(place.clone(), file.clone());
    }
    if let Some(hooks) = &made.hooks.file {
        bundle.insert(target.hooks_file(), json_file(hooks));
    }
    if !made.servers.is_empty() && target.servers_file() != target.manifest_file() {
        bundle.insert(
            target.servers_file(),
            json_file(&json!({ "mcpServers": made.servers })),
        );
    }
    let manifest = Value::Object(made.manifest.clone());
    bundle.insert(target.manifest_file(), json_file(&manifest));
    keep_in_place(&mut bundle, &replaced, made.supports, context);
    (bundle, failures)
}

/// Scripts, hooks and servers look for the files of a skill that moves where they were: they lie there, too,
/// unless something else does, by whatever spelling.
fn keep_in_place(
    bundle: &mut Tree,
    replaced: &BTreeSet<&str>,
    supports: &Texts,
    context: &Context<'_>,
) {
    let is_left = |path: &str| !replaced.contains(path) && !context.moved.contains_key(path);
    let moved = context
        .source
        .tree
        .iter()
        .filter(|(path, _)| is_left(path) && relocated(context.moved, path) != *path);
    let copies: Vec<(&str, TreeFile)> = moved
        .map(|(path, file)| {
            let converted = supports.get(path).map(|support| &support.file);
            (path, converted.unwrap_or(file).clone())
        })
        .collect();
    if copies.is_empty() {
        return;
    }
    let taken: BTreeSet<String> = bundle.iter().map(|(path, _)| path.to_lowercase()).collect();
    for (path, file) in copies {
        let is_skill = file_name(path) == SKILL_FILE;
        if !is_skill && !taken.contains(&path.to_lowercase()) {
            bundle.insert(path, file);
        }
    }
}

fn collision(source: &str, place: &str) -> Finding {
    Finding::new(
        Code::PathCollision,
        Location::new(source, 1),
        format!("it would lie at `{place}`, where another file lies already"),
    )
}

fn json_file(value: &Value) -> TreeFile {
    TreeFile::plain(format!("{value:#}\n"))
}
