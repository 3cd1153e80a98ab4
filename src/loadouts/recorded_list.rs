//! The skill list of a plan that was recorded by a version that left the list to Codex: read off its snapshots.

use std::path::{Path, PathBuf};

use codex_loadout_protocol::selection::SkillListing;

use super::state::Loadouts;
use crate::bundle::BundleContent;
use crate::catalog::{is_mention_only, read_skill_header};
use crate::resolver::{ListedSkill, Plan};

impl Loadouts {
    /// The plan's skills as their files say, sorted by name. What can't be read is not listed. Blocking.
    pub(super) fn skill_list_on_disk(&self, plan: &Plan) -> Vec<ListedSkill> {
        let of_plugins = plan
            .plugins
            .iter()
            .flat_map(|plugin| plugin.skills.iter().map(|name| (name, plugin.bundle)));
        let single = plan.skills.iter().map(|skill| (&skill.name, skill.bundle));
        let mut listed: Vec<ListedSkill> = of_plugins
            .chain(single)
            .filter_map(|(name, bundle)| self.listed_on_disk(plan, name, bundle))
            .collect();
        listed.sort_by(|a, b| (&a.name, a.bundle).cmp(&(&b.name, b.bundle)));
        listed
    }

    fn listed_on_disk(&self, plan: &Plan, name: &str, bundle: usize) -> Option<ListedSkill> {
        let folder = plan.bundles.get(bundle)?;
        let root = match folder.stored {
            true => self.snapshot(plan, bundle),
            false => folder.source.clone(),
        };
        let (namespace, folders) = match &folder.content {
            BundleContent::Plugin { id, skill_folders } => {
                (id.split('@').next(), skill_folders.clone())
            }
            BundleContent::Skill { namespace } => match namespace {
                Some(namespace) if folder.stored => {
                    let name = folder.source.file_name()?.to_string_lossy();
                    (Some(namespace.as_str()), vec![format!("skills/{name}")])
                }
                namespace => (namespace.as_deref(), vec![String::new()]),
            },
        };
        folders.into_iter().find_map(|inner| {
            let place = root.join(&inner);
            let header = read_skill_header(&place.join("SKILL.md"))?;
            let own = header
                .name
                .or_else(|| folder_name(&inner, &folder.source))?;
            let full = match namespace {
                Some(namespace) => format!("{namespace}:{own}"),
                None => own,
            };
            (full == name).then(|| ListedSkill {
                name: full,
                description: header.description,
                bundle,
                file: PathBuf::from(inner)
                    .join("SKILL.md")
                    .to_string_lossy()
                    .into_owned(),
                list: match is_mention_only(&place) {
                    true => SkillListing::Manual,
                    false => SkillListing::Full,
                },
            })
        })
    }
}

/// A skill without a name is named as its folder; the snapshot's own is named by its digest.
fn folder_name(inner: &str, source: &Path) -> Option<String> {
    let folder = match inner {
        "" => source,
        inner => Path::new(inner),
    };
    Some(folder.file_name()?.to_string_lossy().into_owned())
}
