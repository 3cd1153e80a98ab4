//! What there is to convert in a folder: a plugin, a marketplace's plugins, a folder of skills, or one of plugins.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use codex_loadout_converter::marketplace::{Entry, Marketplace, Place};
use codex_loadout_converter::{ConversionError, LARGEST_MANIFEST, Source};
use serde_json::Value;

use crate::bounded_file::open_regular;
use crate::bundle::{Tree, TreeFile};
use crate::materializer::{Limits, ReadError, read_tree_within};

/// More files and folders than this are not looked at to find a marketplace's plugins.
const NAMES: usize = 200_000;
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
    match Marketplace::read(&sketch(&folder), &name)? {
        Some(market) => Ok(listed(&folder, &market)),
        None => unlisted(&folder, name),
    }
}

/// The plugins of a marketplace.
fn listed(folder: &Path, market: &Marketplace) -> Vec<Found> {
    let itself = itself(folder, market);
    let entries = market.entries.iter().enumerate();
    let found = entries.map(|(index, entry)| {
        let inner = match &entry.place {
            Place::Elsewhere { .. } if itself == Some(index) => "",
            Place::Elsewhere { reason, .. } => {
                return Found::Elsewhere {
                    name: entry.name.clone(),
                    reason: reason.clone(),
                };
            }
            Place::Here(inner) => inner,
        };
        read(&folder.join(inner), folder, entry.name.clone(), |source| {
            source.entry = Some(entry.entry.clone());
            source.marketplace = Some(market.name.clone());
        })
    });
    found.collect()
}

/// The entry by which a marketplace names its own folder by an address: that of the plugin's name; its only one, if the
/// plugin has none.
fn itself(folder: &Path, market: &Marketplace) -> Option<usize> {
    let entries = &market.entries;
    let is_here = |entry: &Entry| matches!(&entry.place, Place::Here(inner) if inner.is_empty());
    if !is_plugin(folder) || entries.iter().any(is_here) {
        return None;
    }
    let manifests = MANIFESTS.iter().filter_map(|path| manifest(folder, path));
    let names: Vec<String> = manifests
        .filter_map(|manifest| Some(manifest.get("name")?.as_str()?.to_owned()))
        .collect();
    let by_name = entries.iter().position(|entry| names.contains(&entry.name));
    by_name
        .or((entries.len() == 1 && names.is_empty()).then_some(0))
        .filter(|index| is_fetched(&entries[*index]))
}

/// Whether an entry's files come by an address, and not by a path that leads nowhere.
fn is_fetched(entry: &Entry) -> bool {
    matches!(&entry.place, Place::Elsewhere { kind, .. } if kind != "path")
}

/// The plugins of a folder without a marketplace: it is one, or holds some, or – where it has skills and no manifest – both.
fn unlisted(folder: &Path, name: String) -> Result<Vec<Found>, FolderError> {
    let inner = plugins_in(folder);
    let has_manifest = MANIFESTS
        .iter()
        .any(|path| manifest(folder, path).is_some());
    if has_manifest || inner.is_empty() {
        return Ok(vec![read(folder, folder, name, |_| {})]);
    }
    let mut found = Vec::new();
    if is_plugin(folder) {
        found.push(read(folder, folder, name, |source| {
            let is_inner = |path: &str| {
                let mut names = inner.iter();
                names.any(|name| {
                    path.strip_prefix(name)
                        .is_some_and(|rest| rest.starts_with('/'))
                })
            };
            source.tree.retain(|path, _| !is_inner(path));
        }));
    }
    let mut seen = Vec::new();
    for name in inner {
        let path = folder.join(&name);
        match path.canonicalize() {
            // Always deeper, so that links can't lead round in a circle.
            Ok(real) if real.starts_with(folder) && real != folder => {
                if !seen.contains(&real) {
                    // One of them may be a marketplace.
                    found.extend(look(&real)?);
                    seen.push(real);
                }
            }
            _ => found.push(Found::Unreadable {
                name,
                error: ReadError::Link {
                    path,
                    why: "leads out of the folder",
                },
            }),
        }
    }
    Ok(found)
}

/// What says of a folder that it is a plugin.
const MANIFESTS: [&str; 3] = [
    ".claude-plugin/plugin.json",
    ".codex-plugin/plugin.json",
    PORTABLE,
];

/// The manifest of Agent Plugins 1.0: it names its `$schema`.
const PORTABLE: &str = "plugin.json";

/// What else makes a folder a plugin.
const PARTS: [&str; 6] = [
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

/// Folders in which no plugin is looked for: they are parts of one, or of a program.
const NO_PLUGINS: [&str; 5] = ["skills", "commands", "agents", "hooks", "node_modules"];

fn is_plugin(folder: &Path) -> bool {
    MANIFESTS
        .iter()
        .any(|path| manifest(folder, path).is_some())
        || PARTS.iter().any(|part| folder.join(part).exists())
}

/// A manifest, empty if it can't be read; `None` if it is not there, or is a program's.
fn manifest(folder: &Path, path: &str) -> Option<Value> {
    let bytes = regular_file(&folder.join(path))?;
    let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    (path != PORTABLE || manifest.get("$schema").is_some_and(Value::is_string)).then_some(manifest)
}

/// Folders that say that they are plugins or marketplaces, by their paths: here, or one folder down.
fn plugins_in(folder: &Path) -> Vec<String> {
    let says_so = |path: &Path| {
        MANIFESTS.iter().any(|name| manifest(path, name).is_some())
            || MARKETPLACES.iter().any(|name| path.join(name).is_file())
    };
    let mut found = Vec::new();
    for name in folders_in(folder) {
        let path = folder.join(&name);
        if says_so(&path) {
            found.push(name);
        } else if !path.is_symlink() && !name.starts_with('.') && !NO_PLUGINS.contains(&&*name) {
            let below = folders_in(&path).into_iter();
            let below = below.filter(|below| says_so(&path.join(below)));
            found.extend(below.map(|below| format!("{name}/{below}")));
        }
    }
    found
}

/// The names of the folders in a folder, sorted; of links to some, too.
fn folders_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn read(folder: &Path, within: &Path, name: String, add: impl FnOnce(&mut Source)) -> Found {
    match read_tree_within(folder, within, Limits::default()) {
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

/// The content of a regular file – a pipe would never end –, at most one byte more than a manifest may have.
fn regular_file(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_regular(path).ok()?;
    file.take(LARGEST_MANIFEST + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
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
        .filter_map(|name| {
            let bytes = if MARKETPLACES.contains(&name.as_str()) {
                regular_file(&folder.join(&name))?
            } else {
                Vec::new()
            };
            Some((name, TreeFile::plain(bytes)))
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
        // Its own skills hide none of them, and hold none of their files.
        write(home.path(), "skills/s/SKILL.md", "");
        write(home.path(), "plugins/core/.codex-plugin/plugin.json", "{}");
        let found = look(home.path()).unwrap();
        assert_eq!(found.len(), 5);
        assert!(
            matches!(&found[0], Found::Here(own, _) if own.tree.get("skills/s/SKILL.md").is_some()
            && own.tree.iter().all(|(path, _)| !path.starts_with("a/") && !path.starts_with("plugins/")))
        );
        // A plugin's folders are its own.
        write(home.path(), ".claude-plugin/plugin.json", "{}");
        assert_eq!(look(home.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_marketplace_may_name_its_own_folder_by_an_address() {
        let far = r#"{"name":"NAME","source":{"source":"github","repo":"a/b"}}"#;
        let far = |name: &str| far.replace("NAME", name);
        for (manifest, entries, expected) in [
            (Some("p"), vec![far("p")], vec!["p"]),
            (Some("p"), vec![far("q"), far("p")], vec!["far", "p"]),
            (Some("p"), vec![far("q")], vec!["far"]),
            (Some("p"), vec![far("q"), far("r")], vec!["far", "far"]),
            (None, vec![far("q")], vec!["q"]),
            (
                Some("p"),
                vec![far("p"), r#"{"name":"o","source":"./"}"#.to_owned()],
                vec!["far", "o"],
            ),
            (
                Some("p"),
                vec![r#"{"name":"p","source":"./gone"}"#.to_owned()],
                vec!["far"],
            ),
        ] {
            let home = tempfile::tempdir().unwrap();
            let list = format!(r#"{{"name":"m","plugins":[{}]}}"#, entries.join(","));
            write(home.path(), ".claude-plugin/marketplace.json", &list);
            write(home.path(), "commands/go.md", "");
            if let Some(name) = manifest {
                let text = format!(r#"{{"name":"{name}"}}"#);
                write(home.path(), ".claude-plugin/plugin.json", &text);
            }
            let found = look(home.path()).unwrap();
            let names: Vec<&str> = found
                .iter()
                .map(|found| match found {
                    Found::Here(source, _) => source.folder.as_str(),
                    _ => "far",
                })
                .collect();
            assert_eq!(names, expected, "{manifest:?} {entries:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_of_a_marketplace_and_no_further() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let list = r#"{"name":"m","plugins":[{"name":"wt","source":"./market/plugins/wt"}]}"#;
        write(
            home.path(),
            "market/.claude-plugin/marketplace.json",
            &list.replace("./market", "."),
        );
        write(home.path(), "market/skills/tree/SKILL.md", "");
        write(
            home.path(),
            "market/plugins/wt/.claude-plugin/plugin.json",
            "{}",
        );
        symlink("../../skills", at("market/plugins/wt/skills")).unwrap();
        let found = look(&at("market")).unwrap();
        assert!(
            matches!(&found[..], [Found::Here(source, _)] if source.tree.get("skills/tree/SKILL.md").is_some())
        );

        // A folder of plugins: what lies elsewhere is told of, and a link round in a circle is no plugin.
        write(home.path(), "far/.claude-plugin/plugin.json", "{}");
        write(home.path(), "all/near/.claude-plugin/plugin.json", "{}");
        for (target, link) in [
            ("../far", "all/far"),
            (".", "all/self"),
            ("near", "all/twin"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        let found = look(&at("all")).unwrap();
        assert!(
            matches!(&found[..], [Found::Unreadable { name, .. }, Found::Here(..)] if name == "far"),
            "{found:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_a_manifests_place_is_not_opened() {
        for path in MANIFESTS
            .iter()
            .chain(&MARKETPLACES)
            .chain(&["my-marketplace.json"])
        {
            let home = tempfile::tempdir().unwrap();
            write(home.path(), "commands/go.md", "");
            let pipe = home.path().join(path);
            fs::create_dir_all(pipe.parent().unwrap()).unwrap();
            let made = std::process::Command::new("mkfifo").arg(&pipe).status();
            assert!(made.unwrap().success());
            // What matters is that it ends.
            let _ = look(home.path());
        }
    }

    #[test]
    fn what_is_no_folder_is_told() {
        assert!(matches!(
            look(Path::new("/nowhere/at/all")),
            Err(FolderError::NoFolder(_))
        ));
    }
}
