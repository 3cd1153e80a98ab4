//! A marketplace's file at a place: which plugin of it is meant, and where that lies.

use codex_loadout_bundle::{Tree, TreeFile};
use codex_loadout_converter::marketplace::{Availability, Entry, Marketplace};
use serde_json::{Map, Value};

use crate::address::escaped;
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::place::{Place, names};
use crate::source::Source;

mod next;

/// Where the file may lie.
pub(crate) const FILES: [&str; 2] = [
    ".claude-plugin/marketplace.json",
    ".agents/plugins/marketplace.json",
];

/// What makes a folder a plugin, or a folder of skills, whatever a marketplace's file beside it says.
const MANIFESTS: [&str; 4] = [
    ".claude-plugin/plugin.json",
    ".codex-plugin/plugin.json",
    "plugin.json",
    "SKILL.md",
];

/// What of a place is meant.
#[derive(Debug)]
pub(crate) enum Meant {
    /// The place itself.
    Itself,
    /// A plugin that the marketplace lists.
    Listed {
        /// The marketplace's own name.
        marketplace: String,
        /// The plugin's entry.
        entry: Map<String, Value>,
        /// Where the plugin lies.
        at: At,
    },
}

/// Where a listed plugin lies.
#[derive(Debug)]
pub(crate) enum At {
    /// In this folder of the marketplace.
    Here(String),
    /// At another place.
    Elsewhere(Source),
}

/// Finds out what is meant by `plugin` in a folder of a place; `from` is where that is.
///
/// # Errors
/// If there is no such plugin, there are several and none is named, or its entry leads where it may not.
pub(crate) fn meant(
    place: &dyn Place,
    folder: &str,
    plugin: Option<&str>,
    from: &Source,
    cx: &FetchContext<'_>,
) -> Result<Meant, FetchError> {
    let Some(marketplace) = read(place, folder, from, cx)? else {
        return match plugin {
            None => Ok(Meant::Itself),
            Some(plugin) => Err(FetchError::new(
                FetchErrorKind::NotFound,
                format!(
                    "there is no marketplace there that could list `{}`",
                    escaped(plugin)
                ),
                "leave `--plugin` out, or name the place whose .claude-plugin or .agents/plugins has a marketplace.json",
            )),
        };
    };
    let names: Vec<String> = marketplace
        .entries
        .iter()
        .map(|it| escaped(&it.name))
        .collect();
    let entry = match plugin {
        Some(plugin) => marketplace
            .entries
            .iter()
            .find(|it| it.name == plugin)
            .ok_or_else(|| {
                FetchError::new(
                    FetchErrorKind::NotFound,
                    format!(
                        "the marketplace `{}` lists no plugin `{}`",
                        escaped(&marketplace.name),
                        escaped(plugin)
                    ),
                    "name one that it lists",
                )
                .with_items(names.clone())
            })?,
        None => {
            for manifest in MANIFESTS {
                if place.file(&join(folder, manifest), cx)?.is_some() {
                    return Ok(Meant::Itself);
                }
            }
            match marketplace.entries.as_slice() {
                [entry] => entry,
                [] => return Ok(Meant::Itself),
                several => {
                    return Err(FetchError::new(
                        FetchErrorKind::Ambiguous,
                        format!(
                            "the marketplace `{}` lists {} plugins",
                            escaped(&marketplace.name),
                            several.len()
                        ),
                        "name one with `--plugin`",
                    )
                    .with_items(names));
                }
            }
        }
    };
    listed(&marketplace, entry, folder, from)
}

fn listed(
    marketplace: &Marketplace,
    entry: &Entry,
    folder: &str,
    from: &Source,
) -> Result<Meant, FetchError> {
    let at = match &entry.availability {
        Availability::Here(inner) => At::Here(join(folder, inner)),
        Availability::Elsewhere { reason, .. } => At::Elsewhere(next::source(entry, reason, from)?),
    };
    Ok(Meant::Listed {
        marketplace: marketplace.name.clone(),
        entry: entry.entry.clone(),
        at,
    })
}

/// Reads the marketplace's file of a folder.
fn read(
    place: &dyn Place,
    folder: &str,
    from: &Source,
    cx: &FetchContext<'_>,
) -> Result<Option<Marketplace>, FetchError> {
    let mut sketch = Tree::default();
    for file in FILES {
        if let Some(bytes) = place.file(&join(folder, file), cx)? {
            let named = folders_named(&bytes);
            sketch.insert(file, TreeFile::plain(bytes));
            for inner in named {
                // What lies in it is not read yet: that something does is enough to know that the plugin is here.
                if place.has_folder(&join(folder, &inner)) {
                    sketch.insert(join(&inner, "is-there"), TreeFile::plain(""));
                }
            }
            break;
        }
    }
    if sketch.is_empty() {
        return Ok(None);
    }
    Marketplace::read(&sketch, &crate::fetch::name_of(from)).map_err(|error| {
        FetchError::new(
            FetchErrorKind::Unreadable,
            escaped(&error.to_string()),
            error.hint(),
        )
    })
}

/// Every folder that entries may mean: by their source, by their name, below the folder that the file names for all.
fn folders_named(bytes: &[u8]) -> Vec<String> {
    let read: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let root = read.pointer("/metadata/pluginRoot").and_then(Value::as_str);
    let mut named = Vec::new();
    for entry in read
        .get("plugins")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let source = entry.get("source");
        let inner = |key: &str| source.and_then(|source| source.get(key));
        for word in [source, inner("path"), inner("url"), entry.get("name")] {
            let Some(word) = word.and_then(Value::as_str) else {
                continue;
            };
            named.extend(names::inside(word));
            named.extend(root.and_then(|root| names::inside(&format!("{root}/{word}"))));
        }
    }
    named.retain(|folder| !folder.is_empty());
    named
}

fn join(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, path) => format!("{folder}/{path}"),
    }
}
