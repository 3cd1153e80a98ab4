//! A marketplace's file: which of its plugins are here, and why the others are not.
//!
//! Nothing is fetched: a plugin whose files lie elsewhere is named with the place they lie at.

use codex_loadout_bundle::Tree;
use serde_json::{Map, Value};

use crate::discovery::{CLAUDE_MARKETPLACE, Json};
use crate::error::ConversionError;
use crate::paths::join;
use crate::report::Location;
use crate::source::Source;

/// Where the file may lie, the first that is there counts: Claude's, since it says more (`strict`), then Codex's.
const FILES: &[&str] = &[CLAUDE_MARKETPLACE, ".agents/plugins/marketplace.json"];

/// A marketplace, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Marketplace {
    /// Its name.
    pub name: String,
    /// The file that was read.
    pub file: String,
    /// Its entries, in order.
    pub entries: Vec<Entry>,
}

/// One plugin that a marketplace lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name; where the entry has none, its number in the list.
    pub name: String,
    /// Where the entry stands.
    pub location: Location,
    /// The entry itself.
    pub entry: Map<String, Value>,
    /// Where its files are.
    pub availability: Availability,
}

/// Where the files of a plugin are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// In this folder of the marketplace; empty for its root.
    Here(String),
    /// Not here.
    Elsewhere {
        /// The entry's own word for it: `github`, `url`, `git-subdir`, `npm`, …; `path` where a local path leads nowhere.
        kind: String,
        /// One sentence.
        reason: String,
    },
}

impl Marketplace {
    /// Reads a tree's marketplace file; `None` if it has none.
    ///
    /// # Errors
    /// If the file is not JSON, or holds no list of plugins.
    pub fn read(tree: &Tree, folder: &str) -> Result<Option<Self>, ConversionError> {
        let found = FILES.iter().find_map(|path| Some((*path, tree.get(path)?)));
        let Some((path, file)) = found else {
            return Ok(None);
        };
        let json = Json::read(path, file)?;
        let Some(plugins) = json.value.get("plugins").and_then(Value::as_array) else {
            return Err(ConversionError::Shape {
                location: json.at("/plugins"),
                message: "a marketplace has a list `plugins`".to_owned(),
            });
        };
        let root = json
            .value
            .get("metadata")
            .and_then(|metadata| metadata.get("pluginRoot"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let entries = plugins
            .iter()
            .enumerate()
            .map(|(index, value)| {
                entry(
                    tree,
                    root,
                    value,
                    index,
                    json.at(&format!("/plugins/{index}")),
                )
            })
            .collect();
        let name = json.value.get("name").and_then(Value::as_str);
        Ok(Some(Self {
            name: name.unwrap_or(folder).to_owned(),
            file: path.to_owned(),
            entries,
        }))
    }

    /// What is to be converted for an entry; `None` if its files are not here.
    #[must_use]
    pub fn source(&self, tree: &Tree, entry: &Entry) -> Option<Source> {
        let Availability::Here(folder) = &entry.availability else {
            return None;
        };
        let skip = if folder.is_empty() {
            0
        } else {
            folder.len() + 1
        };
        let tree = tree
            .under(folder)
            .filter_map(|(path, file)| Some((path.get(skip..)?.to_owned(), file.clone())))
            .collect();
        Some(Source {
            tree,
            folder: entry.name.clone(),
            entry: Some(entry.entry.clone()),
            marketplace: Some(self.name.clone()),
        })
    }
}

fn entry(tree: &Tree, root: &str, value: &Value, index: usize, location: Location) -> Entry {
    let map = value.as_object().cloned().unwrap_or_default();
    let name = map
        .get("name")
        .and_then(Value::as_str)
        .map_or_else(|| format!("#{}", index + 1), str::to_owned);
    let availability = availability(tree, root, &name, map.get("source"));
    Entry {
        name,
        location,
        entry: map,
        availability,
    }
}

fn availability(tree: &Tree, root: &str, name: &str, source: Option<&Value>) -> Availability {
    match source {
        Some(Value::String(path)) => local(tree, root, path),
        Some(Value::Object(source)) => {
            let word = |key: &str| source.get(key).and_then(Value::as_str);
            let kind = word("source").unwrap_or_default();
            match (kind, word("path")) {
                ("local" | "", Some(path)) => local(tree, root, path),
                _ => remote(tree, root, kind, word("url")),
            }
        }
        // A bare entry means the folder of its name.
        None => local(tree, root, name),
        Some(_) => Availability::Elsewhere {
            kind: "path".to_owned(),
            reason: "its `source` is neither a path nor a map".to_owned(),
        },
    }
}

/// A source that has to be fetched; `url` may also be a path of this tree, as in files written for Codex.
fn remote(tree: &Tree, root: &str, kind: &str, url: Option<&str>) -> Availability {
    if let Some(path) = url.filter(|url| url.starts_with("./")) {
        return local(tree, root, path);
    }
    Availability::Elsewhere {
        kind: kind.to_owned(),
        reason: format!("its files are not here: they come by `{kind}`"),
    }
}

fn local(tree: &Tree, root: &str, path: &str) -> Availability {
    let elsewhere = |reason: String| Availability::Elsewhere {
        kind: "path".to_owned(),
        reason,
    };
    if path.contains("://") || path.starts_with("git@") {
        return remote(tree, root, "url", None);
    }
    let is_there = |folder: &String| tree.under(folder).next().is_some();
    let inside = |path: &str| (!path.starts_with('/')).then(|| join("", path)).flatten();
    let (Some(from_top), Some(under_root)) = (inside(path), inside(&format!("./{root}/{path}")))
    else {
        return elsewhere(format!("`{path}` leads out of the marketplace"));
    };
    // Claude takes bare names from `pluginRoot`; a path that begins with a dot is first seen from the top.
    let candidates = if path.starts_with('.') {
        [from_top, under_root]
    } else {
        [under_root, from_top]
    };
    candidates.into_iter().find(is_there).map_or_else(
        || elsewhere(format!("the folder `{path}` is not there")),
        Availability::Here,
    )
}

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::TreeFile;
    use serde_json::json;

    use super::*;
    use crate::test_table::{self as table, rows};

    fn tree(marketplace: &Value) -> Tree {
        [
            (CLAUDE_MARKETPLACE, marketplace.to_string()),
            ("plugins/a/commands/x.md", "x".to_owned()),
            ("b/skills/s/SKILL.md", "s".to_owned()),
            ("skills/t/SKILL.md", "t".to_owned()),
        ]
        .into_iter()
        .map(|(path, text)| (path.to_owned(), TreeFile::plain(text)))
        .collect()
    }

    #[test]
    fn each_entry_is_here_or_said_to_be_elsewhere() {
        for [root, source, expected] in rows(
            r#"
                null ⇒ "./plugins/a" ⇒ at plugins/a
                null ⇒ "plugins/a/" ⇒ at plugins/a
                "./plugins" ⇒ "a" ⇒ at plugins/a
                "./plugins" ⇒ "./b" ⇒ at b
                "plugins" ⇒ "b" ⇒ at b
                null ⇒ "./" ⇒ at
                null ⇒ "." ⇒ at
                null ⇒ {"source": "local", "path": "./b"} ⇒ at b
                null ⇒ {"source": "url", "url": "./"} ⇒ at
                null ⇒ null ⇒ path
                null ⇒ "./none" ⇒ path
                null ⇒ "../b" ⇒ path
                null ⇒ "/b" ⇒ path
                null ⇒ 7 ⇒ path
                null ⇒ "https://x/y.git" ⇒ url
                null ⇒ {"source": "github", "repo": "o/r"} ⇒ github
                null ⇒ {"source": "url", "url": "https://x/y"} ⇒ url
                null ⇒ {"source": "git-subdir", "url": "u", "path": "p"} ⇒ git-subdir
                null ⇒ {"source": "npm", "package": "p"} ⇒ npm
                null ⇒ {"source": "archive", "path": "./b"} ⇒ archive
            "#,
        ) {
            let tree = tree(&json!({
                "name": "m",
                "metadata": {"pluginRoot": table::json(&root)},
                "plugins": [{"name": "p", "source": table::json(&source)}],
            }));
            let market = Marketplace::read(&tree, "f").unwrap().unwrap();
            let place = match &market.entries[0].availability {
                Availability::Here(folder) => format!("at {folder}").trim().to_owned(),
                Availability::Elsewhere { kind, .. } => kind.clone(),
            };
            assert_eq!(place, expected, "{root} {source}");
            assert_eq!(
                market.source(&tree, &market.entries[0]).is_some(),
                expected.starts_with("at")
            );
        }
    }

    #[test]
    fn a_source_has_the_files_of_its_folder() {
        let tree =
            tree(&json!({"plugins": [{"name": "a", "source": "./plugins/a"}, {"name": "b"}]}));
        let market = Marketplace::read(&tree, "f").unwrap().unwrap();
        assert_eq!(market.name, "f");
        let source = market.source(&tree, &market.entries[0]).unwrap();
        let paths: Vec<&str> = source.tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["commands/x.md"]);
        assert_eq!(
            market.entries[1].availability,
            Availability::Here("b".to_owned())
        );
    }

    #[test]
    fn what_is_no_marketplace() {
        assert_eq!(Marketplace::read(&Tree::default(), "f").unwrap(), None);
        for value in [json!({}), json!([]), json!({"plugins": {}})] {
            assert!(matches!(
                Marketplace::read(&tree(&value), "f"),
                Err(ConversionError::Shape { .. })
            ));
        }
    }
}
