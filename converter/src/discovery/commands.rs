//! Commands: `commands/**.md`, or what the manifests name instead.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::manifests::Declared;
use super::paths::DeclaredPath;
use super::{Finder, SKILL_FILE};
use crate::paths::{file_name, folder_of};
use crate::report::{Code, Kind};
use crate::source::{CommandSource, CommandText};

/// The words of the manifest's object form, and those of frontmatter.
const WORDS: &[(&str, &str)] = &[
    ("description", "description"),
    ("argumentHint", "argument-hint"),
    ("model", "model"),
    ("allowedTools", "allowed-tools"),
];

impl Finder<'_> {
    pub(super) fn commands(&mut self) {
        let manifests = self.manifests;
        let declared = manifests.declared("commands");
        let mut seen = BTreeSet::new();
        if manifests.default_counts("commands") {
            self.commands_in("commands", &mut seen);
        }
        for declared in declared {
            if let Value::Object(map) = declared.value {
                for (name, value) in map {
                    self.command_of_map(name, &declared.child(name, value), &mut seen);
                }
                continue;
            }
            for declared in declared.each() {
                match self.place(&declared, Kind::Command) {
                    Some(DeclaredPath::Folder(folder)) => self.commands_in(&folder, &mut seen),
                    Some(DeclaredPath::File(file)) => {
                        let name = stem(file_name(&file)).to_owned();
                        self.command(name, file, Map::new(), &mut seen);
                    }
                    None => {}
                }
            }
        }
    }

    fn commands_in(&mut self, folder: &str, seen: &mut BTreeSet<String>) {
        let files = self.files_in(folder, ".md");
        // A folder with a `SKILL.md` is one command, named as the folder.
        let whole: BTreeSet<&str> = files
            .iter()
            .filter(|path| file_name(path) == SKILL_FILE && folder_of(path) != folder)
            .map(|path| folder_of(path))
            .collect();
        for path in files {
            let is_whole = whole.contains(folder_of(path)) && file_name(path) == SKILL_FILE;
            if !is_whole && super::skills::ancestors(path).any(|above| whole.contains(above)) {
                continue;
            }
            let named = if is_whole {
                folder_of(path)
            } else {
                stem(path)
            };
            let name = named.get(folder.len()..).unwrap_or(named);
            let name = name.trim_start_matches('/').replace('/', ":");
            self.command(name, path.to_owned(), Map::new(), seen);
        }
    }

    fn command_of_map(&mut self, name: &str, declared: &Declared<'_>, seen: &mut BTreeSet<String>) {
        let Value::Object(map) = declared.value else {
            // The short form names the file.
            if let Some(file) = self.file_of(name, declared, Kind::Command) {
                self.command(name.to_owned(), file, Map::new(), seen);
            }
            return;
        };
        let header: Map<String, Value> = WORDS
            .iter()
            .filter_map(|(key, word)| Some(((*word).to_owned(), map.get(*key)?.clone())))
            .collect();
        if let Some(source) = map.get("source") {
            let declared = declared.child("source", source);
            if let Some(file) = self.file_of(name, &declared, Kind::Command) {
                self.command(name.to_owned(), file, header, seen);
            }
        } else if let Some(content) = map.get("content").and_then(Value::as_str) {
            self.found.plugin.commands.push(CommandSource {
                name: name.to_owned(),
                text: CommandText::Inline {
                    file: declared.json.file.clone(),
                    content: content.to_owned(),
                },
                header,
            });
        } else {
            self.drop(
                Kind::Command,
                name,
                declared.at(),
                Code::ManifestValueIgnored,
                "it has neither `source` nor `content`",
            );
        }
    }

    fn command(
        &mut self,
        name: String,
        file: String,
        header: Map<String, Value>,
        seen: &mut BTreeSet<String>,
    ) {
        // Several names for one file are several commands; the same file found twice is one.
        if seen.insert(format!("{name}\n{file}")) {
            self.found.plugin.commands.push(CommandSource {
                name,
                text: CommandText::File(file),
                header,
            });
        }
    }
}

fn stem(path: &str) -> &str {
    path.strip_suffix(".md").unwrap_or(path)
}
