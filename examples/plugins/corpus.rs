//! Folders of plugins, and the plugins in them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use codex_loadout::conversion::{FoundPlugin, find_plugins};
use codex_loadout_converter::names::Names;
use codex_loadout_converter::target::Codex;
use codex_loadout_converter::{ConversionError, Options, Source, names};
use serde_json::{Map, Value, json};

/// Plugins that know of each other.
pub(crate) struct Corpus {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) plugins: Vec<Plugin>,
}

/// A plugin, and how a marketplace of ours lists it.
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) entry: Map<String, Value>,
    pub(crate) source: Source,
}

impl Corpus {
    /// What their texts can refer to.
    pub(crate) fn names(&self) -> Result<Names> {
        let options = Options::default();
        let plugins = self.plugins.iter();
        let plugins = plugins.map(|plugin| names(&plugin.source, &options, &Codex));
        Ok(Names {
            plugins: plugins.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.name == name)
    }

    fn read(name: String, folder: PathBuf) -> Result<Self> {
        let mut plugins = Vec::new();
        for found in find_plugins(&folder)? {
            match found {
                FoundPlugin::Here(source, _) => plugins.extend(Plugin::of(*source)?),
                FoundPlugin::Unreadable { name, error } => bail!("{name}: {error}"),
                FoundPlugin::Elsewhere { .. } => {}
            }
        }
        Ok(Self {
            name,
            folder,
            plugins,
        })
    }
}

impl Plugin {
    /// `None` if the folder holds nothing to convert.
    fn of(source: Source) -> Result<Option<Self>> {
        let name = match names(&source, &Options::default(), &Codex) {
            Ok((name, _)) => name,
            Err(ConversionError::NoPlugin { .. }) => return Ok(None),
            Err(error) => return Err(error).with_context(|| source.folder.clone()),
        };
        let mut entry = source.entry.clone().unwrap_or_default();
        entry.extend(entry_of(&name));
        Ok(Some(Self {
            name,
            entry,
            source,
        }))
    }
}

/// What a marketplace has to say of a plugin.
pub(crate) fn entry_of(name: &str) -> Map<String, Value> {
    [("name".to_owned(), json!(name))].into_iter().collect()
}

/// Where a marketplace says what it has.
const MARKETPLACES: [&str; 2] = [
    ".claude-plugin/marketplace.json",
    ".agents/plugins/marketplace.json",
];

/// Each folder in `folder`; where such a folder holds marketplaces and is none itself, all in it are corpora of
/// their own.
pub(crate) fn all(folder: &Path) -> Result<Vec<Corpus>> {
    let mut corpora = Vec::new();
    for (name, folder) in folders_in(folder)? {
        let inner = folders_in(&folder)?;
        if is_market(&folder) || !inner.iter().any(|(_, inner)| is_market(inner)) {
            corpora.push(Corpus::read(name, folder)?);
            continue;
        }
        for (inner, folder) in inner {
            corpora.push(Corpus::read(format!("{name}/{inner}"), folder)?);
        }
    }
    corpora.retain(|corpus| !corpus.plugins.is_empty());
    ensure!(
        !corpora.is_empty(),
        "no folder in `{}` holds a plugin",
        folder.display()
    );
    Ok(corpora)
}

fn is_market(folder: &Path) -> bool {
    let mut files = MARKETPLACES.iter();
    files.any(|file| folder.join(file).is_file())
}

fn folders_in(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(name) = path.file_name()
            && path.is_dir()
        {
            folders.push((name.to_string_lossy().into_owned(), path));
        }
    }
    folders.sort();
    Ok(folders)
}
