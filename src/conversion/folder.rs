//! What there is to convert in a folder: a plugin, a marketplace's plugins, a folder of skills, or one of plugins.

use std::fs;
use std::path::{Path, PathBuf};

use codex_loadout_converter::marketplace::{Marketplace, Place};
use codex_loadout_converter::{ConversionError, Source};

use crate::bounded_file::read_at_most;
use crate::bundle::{Tree, TreeFile};
use crate::materializer::{Limits, ReadError, read_tree};

/// More files and folders than this are not looked at to find a marketplace's plugins.
const NAMES: usize = 200_000;
/// The file of a marketplace of thousands of plugins has a few megabytes.
const MARKETPLACE_LIMIT: u64 = 16 * 1024 * 1024;
/// Deeper folders are not looked at for that.
const DEPTH: usize = 32;

/// One plugin of a folder.
#[derive(Debug)]
pub enum Found {
    /// Its files, and the folder they lie in.
    Here(Box<Source>, PathBuf),
    /// Its files can't be read.
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        error: ReadError,
    },
    /// A marketplace lists it, and its files are not there.
    Elsewhere {
        /// Its name.
        name: String,
        /// One sentence.
        reason: String,
    },
}

/// The folder itself can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there, or no folder.
    #[error("`{0}` is not a folder")]
    NoFolder(PathBuf),
    /// Its marketplace file is broken.
    #[error("{0}")]
    Marketplace(#[from] ConversionError),
}

/// Finds the plugins of a folder.
///
/// # Errors
/// [`FolderError`] if there is no such folder, or its marketplace file is broken. What is wrong with
/// one plugin is told of that plugin.
pub fn look(folder: &Path) -> Result<Vec<Found>, FolderError> {
    let folder = folder
        .canonicalize()
        .ok()
        .filter(|folder| folder.is_dir())
        .ok_or_else(|| FolderError::NoFolder(folder.to_owned()))?;
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let Some(market) = Marketplace::read(&sketch(&folder), &name)? else {
        let inner = plugins_in(&folder);
        if is_plugin(&folder) || inner.is_empty() {
            return Ok(vec![read(&folder, name, |_| {})]);
        }
        let mut found = Vec::new();
        for name in inner {
            // One of them may be a marketplace.
            found.extend(look(&folder.join(name))?);
        }
        return Ok(found);
    };
    let found = market.entries.iter().map(|entry| match &entry.place {
        Place::Here(inner) => read(&folder.join(inner), entry.name.clone(), |source| {
            source.entry = Some(entry.entry.clone());
            source.marketplace = Some(market.name.clone());
        }),
        Place::Elsewhere { reason, .. } => Found::Elsewhere {
            name: entry.name.clone(),
            reason: reason.clone(),
        },
    });
    Ok(found.collect())
}

/// What makes a folder a plugin.
const OF_PLUGINS: [&str; 8] = [
    ".claude-plugin/plugin.json",
    ".codex-plugin/plugin.json",
    "SKILL.md",
    "skills",
    "commands",
    "agents",
    "hooks/hooks.json",
    ".mcp.json",
];

/// What makes a folder a marketplace.
const MARKETPLACES: [&str; 2] = [
    ".claude-plugin/marketplace.json",
    ".agents/plugins/marketplace.json",
];

fn is_plugin(folder: &Path) -> bool {
    OF_PLUGINS.iter().any(|part| folder.join(part).exists())
}

/// Folders that say that they are plugins or marketplaces, by name.
fn plugins_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| {
            OF_PLUGINS
                .iter()
                .take(2)
                .chain(&MARKETPLACES)
                .any(|manifest| entry.path().join(manifest).is_file())
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn read(folder: &Path, name: String, add: impl FnOnce(&mut Source)) -> Found {
    match read_tree(folder, Limits::default()) {
        Ok(tree) => {
            let mut source = Source {
                tree,
                folder: name,
                ..Source::default()
            };
            add(&mut source);
            Found::Here(Box::new(source), folder.to_owned())
        }
        Err(error) => Found::Unreadable { name, error },
    }
}

/// The names of all files, and the content of the marketplace's: a plugin whose files can't be read is
/// no reason not to find its neighbours.
fn sketch(folder: &Path) -> Tree {
    let mut sketch = Sketch {
        root: folder,
        left: NAMES,
        names: Vec::new(),
    };
    sketch.list(folder, "", DEPTH);
    sketch
        .names
        .into_iter()
        .map(|name| {
            let bytes = if name.ends_with("marketplace.json") {
                read_at_most(&folder.join(&name), MARKETPLACE_LIMIT).unwrap_or_default()
            } else {
                Vec::new()
            };
            (name, TreeFile::plain(bytes))
        })
        .collect()
}

struct Sketch<'a> {
    root: &'a Path,
    /// So many more files and folders are looked at.
    left: usize,
    names: Vec<String>,
}

impl Sketch<'_> {
    fn list(&mut self, folder: &Path, prefix: &str, depth: usize) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name == ".git" || self.left == 0 {
                continue;
            }
            self.left -= 1;
            let path = format!("{prefix}{name}");
            let Some(real) = self.inside(&entry.path()) else {
                continue;
            };
            if !real.is_dir() {
                self.names.push(path);
            } else if depth > 0 && !folder.starts_with(&real) {
                self.list(&real, &format!("{path}/"), depth - 1);
            }
        }
    }

    /// Where a path really leads, if that is in the folder.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let real = if path.is_symlink() {
            path.canonicalize().ok()?
        } else {
            path.to_owned()
        };
        real.starts_with(self.root).then_some(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn one_bad_plugin_of_a_marketplace_leaves_its_neighbours_alone() {
        let home = tempfile::tempdir().unwrap();
        let market = home.path();
        write(
            market,
            ".claude-plugin/marketplace.json",
            r#"{"name":"m","plugins":[{"name":"good","source":"./good"},{"name":"bad","source":"./bad"},
                {"name":"far","source":{"source":"github","repo":"a/b"}}]}"#,
        );
        write(market, "good/commands/go.md", "Go.");
        write(market, "bad/commands/go.md", "Go.");
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", market.join("bad/out")).unwrap();
        let found = look(market).unwrap();
        assert!(
            matches!(&found[0], Found::Here(source, _) if source.folder == "good" && source.tree.len() == 1)
        );
        #[cfg(unix)]
        assert!(matches!(
            &found[1],
            Found::Unreadable {
                error: ReadError::Link { .. },
                ..
            }
        ));
        assert!(matches!(&found[2], Found::Elsewhere { reason, .. } if reason.contains("github")));
    }

    #[cfg(unix)]
    #[test]
    fn links_round_and_out_are_not_followed_to_find_plugins() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        write(&root, "a/x.md", "");
        for (target, link) in [("..", "a/up"), ("..", "a/again"), ("/", "out"), ("a", "b")] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let sketch = sketch(&root);
        let names: Vec<&str> = sketch.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a/x.md", "b/x.md"]);
    }

    #[test]
    fn a_folder_of_plugins_needs_no_marketplace() {
        let home = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            write(
                home.path(),
                &format!("{name}/.claude-plugin/plugin.json"),
                "{}",
            );
        }
        write(home.path(), "c/README.md", "");
        write(
            home.path(),
            "d/.agents/plugins/marketplace.json",
            r#"{"name":"d","plugins":[{"name":"inner","source":"./inner"}]}"#,
        );
        write(home.path(), "d/inner/commands/go.md", "");
        let found = look(home.path()).unwrap();
        let names: Vec<&str> = found
            .iter()
            .map(|found| match found {
                Found::Here(source, _) => source.folder.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["a", "b", "inner"]);
        write(home.path(), "skills/s/SKILL.md", "");
        assert_eq!(look(home.path()).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_folder_is_told() {
        assert!(matches!(
            look(Path::new("/nowhere/at/all")),
            Err(FolderError::NoFolder(_))
        ));
    }
}
