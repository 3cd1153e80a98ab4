//! Bundles that were added here, as plugins of a catalog.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use codex_loadout_converter::names::Names;
use codex_loadout_protocol::bundle::bundle_id;

use super::cache::CatalogCache;
use super::conversion::ConversionInput;
use super::converted::Conversions;
use super::model::{Added, Catalog, Conversion, InstalledPlugin, Parts};
use super::plugin_folder::{PluginFolder, PluginFolderError};
use crate::bundle::Digest;
use crate::paths;

/// A bundle that was added here.
#[derive(Debug, Clone)]
pub(crate) struct AddedBundle {
    /// Its name.
    pub name: String,
    /// Its author's word for the version.
    pub version: Option<String>,
    /// Where its content lies.
    pub root: PathBuf,
    /// The digest of its content: what lies there never changes.
    pub content: Digest,
    /// What is to be known of it besides.
    pub added: Added,
}

impl AddedBundle {
    /// It, as a plugin that a selection can name. Blocking: it reads its folder.
    ///
    /// # Errors
    /// Why it is no plugin.
    pub(super) fn read(
        &self,
        conversions: &Conversions,
    ) -> Result<InstalledPlugin, PluginFolderError> {
        let id = bundle_id(&self.name);
        let data_folder = paths::data_folder(&id).unwrap_or_default();
        let folder = PluginFolder::read(&self.root, &self.name, &data_folder)?;
        let native = Parts {
            skills: folder.skills,
            servers: folder
                .servers
                .into_iter()
                .map(|(name, definition)| {
                    let enabled = true;
                    (name, super::model::PluginServer { definition, enabled })
                })
                .collect(),
            older_servers: folder.older_servers,
            hooks: folder.hooks,
            agents: Vec::new(),
        };
        let input = ConversionInput {
            plugin: self.name.clone(),
            data_folder: data_folder.clone(),
            entry: None,
            neighbours: Names::default(),
            renamed_servers: BTreeMap::new(),
        };
        let converted = conversions.of(&self.root, &self.root, &input);
        let converted = match converted {
            Some(Conversion::Done(parts)) if folder.is_agent_plugin => {
                Some(super::installed::as_agent_plugin(Conversion::Done(parts), &native))
            }
            other => other,
        };
        let mut plugin = InstalledPlugin {
            id,
            name: self.name.clone(),
            version: self.version.clone().unwrap_or_default(),
            installed: false,
            enabled: false,
            blocked: None,
            root: self.root.clone(),
            within: None,
            description: folder.description,
            native,
            data_folder,
            entry: None,
            converted,
            added: None,
        };
        plugin.be_added(self.added.clone());
        Ok(plugin)
    }
}

impl InstalledPlugin {
    /// Notes what is to be known of a bundle: its hooks are approved with it.
    fn be_added(&mut self, added: Added) {
        for hook in &mut self.native.hooks {
            hook.trusted = added.approved;
        }
        if let Some(Conversion::Done(parts)) = &mut self.converted {
            for hook in &mut Arc::make_mut(parts).hooks {
                hook.trusted = added.approved;
            }
        }
        self.added = Some(added);
    }
}

impl CatalogCache {
    /// A catalog with these bundles in it. Blocking: folders are read. One that can't be read is left out, and is
    /// told of in the log.
    #[must_use]
    pub(crate) fn with_added(&self, catalog: &Catalog, bundles: &[AddedBundle]) -> Catalog {
        let mut catalog = catalog.clone();
        for bundle in bundles {
            match self.added(bundle) {
                Ok(plugin) => catalog.plugins.push(plugin),
                Err(error) => {
                    tracing::warn!(bundle = bundle.name, %error, "the bundle can't be read");
                }
            }
        }
        catalog.plugins.sort_by(|a, b| a.id.cmp(&b.id));
        catalog
    }

    /// One bundle as a plugin. Each content is read once.
    ///
    /// # Errors
    /// Why it is none.
    fn added(&self, bundle: &AddedBundle) -> Result<InstalledPlugin, PluginFolderError> {
        let known = self.added_bundles.get(&bundle.name);
        let known = known.filter(|known| known.0 == bundle.content);
        let known = known.map(|known| known.1.clone());
        let mut plugin = match known {
            Some(plugin) => plugin,
            None => {
                let plugin = bundle.read(&self.conversions)?;
                let entry = (bundle.content, plugin.clone());
                self.added_bundles.insert(bundle.name.clone(), entry);
                plugin
            }
        };
        plugin.be_added(bundle.added.clone());
        Ok(plugin)
    }
}
