//! Bundles that were added here, as plugins of a catalog.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use codex_loadout_converter::is_made_for_claude;
use codex_loadout_converter::names::Names;
use codex_loadout_protocol::bundle::bundle_id;
use serde_json::{Map, Value};

use super::cache::CatalogCache;
use super::conversion::{ConversionInput, convert};
use super::converted::Conversions;
use super::installed::as_agent_plugin;
use super::model::{Added, Catalog, Conversion, InstalledPlugin, Parts, PluginServer};
use super::plugin_folder::{PluginFolder, PluginFolderError};
use crate::bundle::{Digest, Tree};
use crate::paths;

/// A bundle that was added here.
#[derive(Debug, Clone)]
pub(crate) struct AddedBundle {
    /// Its name.
    pub name: String,
    /// The name of the plugin in it: the namespace of its skills.
    pub plugin: String,
    /// Its entry in the marketplace that it was found by.
    pub entry: Option<Map<String, Value>>,
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
    fn conversion_input(&self) -> ConversionInput {
        ConversionInput {
            plugin: self.plugin.clone(),
            data_folder: self.data_folder(),
            entry: self.entry.clone(),
            neighbours: Names::default(),
            renamed_servers: BTreeMap::new(),
        }
    }

    /// Without a state folder nothing can be given to a thread anyway.
    fn data_folder(&self) -> PathBuf {
        paths::data_folder(&bundle_id(&self.name)).unwrap_or_default()
    }

    /// It, as a plugin that a selection can name. Blocking: it reads its folder.
    ///
    /// # Errors
    /// Why it is no plugin.
    fn read(&self, conversions: &Conversions) -> Result<InstalledPlugin, PluginFolderError> {
        let converted = conversions.of(&self.root, &self.root, &self.conversion_input());
        self.as_plugin(converted)
    }

    /// It, with what has become of it if it was made for Claude. Blocking: it reads its folder.
    ///
    /// # Errors
    /// Why it is no plugin.
    fn as_plugin(
        &self,
        converted: Option<Conversion>,
    ) -> Result<InstalledPlugin, PluginFolderError> {
        let data_folder = self.data_folder();
        let folder = PluginFolder::read(&self.root, &self.plugin, &data_folder)?;
        let servers = folder.servers.into_iter().map(|(name, definition)| {
            let enabled = true;
            (
                name,
                PluginServer {
                    definition,
                    enabled,
                },
            )
        });
        let native = Parts {
            skills: folder.skills,
            servers: servers.collect(),
            older_servers: folder.older_servers,
            hooks: folder.hooks,
            agents: Vec::new(),
        };
        let converted = match folder.is_agent_plugin {
            true => converted.map(|converted| as_agent_plugin(converted, &native)),
            false => converted,
        };
        let mut plugin = InstalledPlugin {
            id: bundle_id(&self.name),
            name: self.plugin.clone(),
            version: self.version.clone().unwrap_or_default(),
            installed: false,
            enabled: false,
            blocked: None,
            root: self.root.clone(),
            within: None,
            description: folder.description,
            native,
            data_folder,
            entry: self.entry.clone(),
            converted,
            added: None,
        };
        plugin.be_added(self.added.clone());
        Ok(plugin)
    }
}

/// What there is in the content of a bundle.
pub(crate) struct BundleParts {
    /// What a thread can be given of it.
    pub parts: Parts,
    /// What a thread is given of a plugin that was made for Claude.
    pub converted: Option<Tree>,
    /// What became of each part of such a plugin.
    pub report: Option<Value>,
}

impl AddedBundle {
    /// Reads what there is in it. Blocking: its folder is read and converted.
    ///
    /// # Errors
    /// Why it can't be read or converted.
    pub(crate) fn parts(&self, tree: &Tree) -> Result<BundleParts, String> {
        let converted = match is_made_for_claude(tree) {
            true => {
                let converted = convert(tree.clone(), &self.conversion_input());
                Some(converted.map_err(|reasons| reasons.join("; "))?)
            }
            false => None,
        };
        let given = converted
            .as_ref()
            .map(|converted| Arc::new(Parts::of(converted)));
        let plugin = self.as_plugin(given.map(Conversion::Done));
        let plugin = plugin.map_err(|error| error.to_string())?;
        let report = converted.as_ref().map(|converted| &converted.report);
        Ok(BundleParts {
            parts: plugin.parts().clone(),
            report: report.and_then(|report| serde_json::to_value(report).ok()),
            converted: converted.map(|converted| converted.bundle),
        })
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
