//! What there is to convert in a folder: a plugin, a marketplace's plugins, a folder of skills, or one of plugins.

mod outline;
mod signs;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use codex_loadout_converter::marketplace::{Availability, Entry, Marketplace};
use codex_loadout_converter::{ConversionError, Source};

use crate::materializer::{Limits, ReadError, read_tree_within};
use outline::outline;
use signs::{MANIFESTS, is_plugin, manifest, plugins_in};

/// So many plugins of a marketplace are converted together: each knows the names of all.
const ENTRIES: usize = 10_000;

/// One plugin of a folder.
#[derive(Debug)]
pub enum FoundPlugin {
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
    /// Its marketplace lists more plugins than are converted together.
    #[error(
        "the marketplace `{name}` lists {listed} plugins, and at most {ENTRIES} are converted together"
    )]
    TooMany {
        /// The marketplace's name.
        name: String,
        /// How many it lists.
        listed: usize,
    },
}

/// Finds the plugins of a folder.
///
/// # Errors
/// [`FolderError`] if there is no such folder, or its marketplace file is broken. What is wrong with
/// one plugin is told of that plugin.
pub fn find_plugins(folder: &Path) -> Result<Vec<FoundPlugin>, FolderError> {
    let folder = folder
        .canonicalize()
        .ok()
        .filter(|folder| folder.is_dir())
        .ok_or_else(|| FolderError::NoFolder(folder.to_owned()))?;
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    match Marketplace::read(&outline(&folder), &name)? {
        Some(market) if market.entries.len() > ENTRIES => Err(FolderError::TooMany {
            listed: market.entries.len(),
            name: market.name,
        }),
        Some(market) => Ok(listed(&folder, &market)),
        None => unlisted(&folder, name),
    }
}

/// The plugins of a marketplace.
fn listed(folder: &Path, market: &Marketplace) -> Vec<FoundPlugin> {
    let itself = itself(folder, market);
    let entries = market.entries.iter().enumerate();
    let found = entries.map(|(index, entry)| {
        let inner = match &entry.availability {
            Availability::Elsewhere { .. } if itself == Some(index) => "",
            Availability::Elsewhere { reason, .. } => {
                return FoundPlugin::Elsewhere {
                    name: entry.name.clone(),
                    reason: reason.clone(),
                };
            }
            Availability::Here(inner) => inner,
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
    let is_here = |entry: &Entry| matches!(&entry.availability, Availability::Here(inner) if inner.is_empty());
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
    matches!(&entry.availability, Availability::Elsewhere { kind, .. } if kind != "path")
}

/// The plugins of a folder without a marketplace: it is one, or holds some, or – where it has skills and no manifest – both.
fn unlisted(folder: &Path, name: String) -> Result<Vec<FoundPlugin>, FolderError> {
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
                    found.extend(find_plugins(&real)?);
                    seen.push(real);
                }
            }
            _ => found.push(FoundPlugin::Unreadable {
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

fn read(folder: &Path, within: &Path, name: String, add: impl FnOnce(&mut Source)) -> FoundPlugin {
    match read_tree_within(folder, within, Limits::default()) {
        Ok(tree) => {
            let mut source = Source {
                tree,
                folder: name,
                ..Source::default()
            };
            add(&mut source);
            FoundPlugin::Here(Box::new(source), folder.to_owned())
        }
        Err(error) => FoundPlugin::Unreadable { name, error },
    }
}
