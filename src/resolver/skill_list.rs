//! The list of skills that the model reads: which of them stand in it, and how.

use std::path::Path;

use codex_loadout_protocol::selection::SkillListing;

use super::plan::{Bundle, ListedSkill, PlannedPlugin, PlannedSkill};
use super::resolve::Resolver;
use crate::bundle::BundleContent;
use crate::catalog::PluginSkill;

/// The file that makes a folder a skill.
const SKILL_FILE: &str = "SKILL.md";

impl Resolver<'_> {
    /// All skills of the thread: those of its plugins and single ones, sorted by name.
    pub(super) fn plan_skill_list(
        &self,
        plugins: &[PlannedPlugin],
        skills: &[PlannedSkill],
        bundles: &[Bundle],
    ) -> Vec<ListedSkill> {
        let of_plugins = plugins.iter().flat_map(|planned| {
            let found = self.skills_of(&planned.id, planned.native);
            let kept = found.filter(|skill| planned.skills.contains(&skill.name));
            kept.map(|skill| self.listed(&planned.id, skill, planned.bundle))
        });
        let single = skills.iter().filter_map(|planned| {
            let mut of_plugin = self.skills_of(&planned.source, false);
            if let Some(skill) = of_plugin.find(|skill| skill.name == planned.name) {
                return Some(self.listed(&planned.source, skill, planned.bundle));
            }
            let mut host = self.catalog.skills.iter();
            let skill = host.find(|skill| skill.path == planned.path)?;
            let path = planned.path.to_string_lossy().into_owned();
            Some(ListedSkill {
                name: planned.name.clone(),
                description: planned.description.clone(),
                bundle: planned.bundle,
                file: file_of_single(bundles.get(planned.bundle)?),
                list: self.listing("", path, skill.mention_only),
            })
        });
        let mut listed: Vec<ListedSkill> = of_plugins.chain(single).collect();
        listed.sort_by(|a, b| (&a.name, a.bundle, &a.file).cmp(&(&b.name, b.bundle, &b.file)));
        listed
    }

    fn skills_of(&self, plugin: &str, native: bool) -> impl Iterator<Item = &PluginSkill> {
        let mut plugins = self.catalog.plugins.iter();
        let plugin = plugins.find(|known| known.id == plugin);
        let parts = plugin.map(|plugin| match native {
            true => &plugin.native,
            false => plugin.parts(),
        });
        parts.into_iter().flat_map(|parts| &parts.skills)
    }

    fn listed(&self, plugin: &str, skill: &PluginSkill, bundle: usize) -> ListedSkill {
        ListedSkill {
            name: skill.name.clone(),
            description: skill.description.clone(),
            bundle,
            file: match skill.folder.as_str() {
                "" => SKILL_FILE.to_owned(),
                folder => format!("{folder}/{SKILL_FILE}"),
            },
            list: self.listing(plugin, skill.name.clone(), skill.mention_only),
        }
    }

    /// What the selection says; else as the author has it.
    fn listing(&self, source: &str, name: String, mention_only: bool) -> SkillListing {
        let said = self.listings.get(&(source, name)).copied();
        said.unwrap_or(match mention_only {
            true => SkillListing::Manual,
            false => SkillListing::Full,
        })
    }
}

/// Where the `SKILL.md` of a skill outside plugins lies in its folder as the thread has it: a stored one that has
/// a namespace lies in a plugin of its own (`shape`).
fn file_of_single(bundle: &Bundle) -> String {
    let folder = bundle.source.file_name().unwrap_or_default();
    match &bundle.content {
        BundleContent::Skill { namespace: Some(_) } if bundle.stored => Path::new("skills")
            .join(folder)
            .join(SKILL_FILE)
            .to_string_lossy()
            .into_owned(),
        _ => SKILL_FILE.to_owned(),
    }
}
