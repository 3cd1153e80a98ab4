//! Collects the folders that a plan is made of, each once, each under a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Bundle;
use crate::bundle::BundleContent;
use crate::catalog::{HostSkill, InstalledPlugin};

/// The folders of a plan under way.
#[derive(Debug, Default)]
pub(super) struct Bundles {
    list: Vec<Bundle>,
    mounts: BTreeSet<String>,
    /// Stored folders of plugins, by plugin id.
    stored_plugins: BTreeMap<String, usize>,
}

impl Bundles {
    /// A plugin's folder with the skills that are kept; a stored one is shared by all that need it.
    pub(super) fn plugin(
        &mut self,
        plugin: &InstalledPlugin,
        skills: &[String],
        stored: bool,
        mounted: bool,
    ) -> usize {
        if stored && let Some(at) = self.stored_plugins.get(&plugin.id) {
            return *at;
        }
        let parts = if stored {
            plugin.parts()
        } else {
            &plugin.native
        };
        let mut skill_folders: Vec<String> = parts
            .skills
            .iter()
            .filter(|skill| skills.contains(&skill.name))
            .map(|skill| skill.folder.clone())
            .collect();
        skill_folders.sort();
        let mount = (stored && mounted).then(|| self.free_mount(&plugin.name));
        self.list.push(Bundle {
            stored,
            mount,
            source: plugin.root.clone(),
            within: plugin.within.clone(),
            conversion: None,
            content: BundleContent::Plugin {
                id: plugin.id.clone(),
                skill_folders,
            },
            digest: None,
        });
        let at = self.list.len() - 1;
        if stored {
            self.stored_plugins.insert(plugin.id.clone(), at);
        }
        at
    }

    /// The folder of a skill outside plugins.
    pub(super) fn skill(&mut self, skill: &HostSkill, stored: bool) -> usize {
        let source = skill.path.parent().unwrap_or(&skill.path).to_owned();
        let folder = source
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mount = stored.then(|| self.free_mount(&folder));
        let content = BundleContent::Skill {
            namespace: skill.namespace.clone(),
        };
        self.list.push(Bundle {
            stored,
            mount,
            source,
            within: None,
            conversion: None,
            content,
            digest: None,
        });
        self.list.len() - 1
    }

    pub(super) fn into_list(self) -> Vec<Bundle> {
        self.list
    }

    /// Codex passes hidden folders over, so a mount never begins with a dot.
    fn free_mount(&mut self, name: &str) -> String {
        let plain: String = name
            .trim_start_matches('.')
            .chars()
            .filter(|c| !matches!(c, '/' | '\\' | '\0'))
            .collect();
        let plain = if plain.is_empty() {
            "bundle".to_owned()
        } else {
            plain
        };
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let mut names = std::iter::once(plain.clone()).chain(numbered);
        let free = names
            .find(|name| !self.mounts.contains(&name.to_lowercase()))
            .unwrap_or(plain);
        self.mounts.insert(free.to_lowercase());
        free
    }
}
