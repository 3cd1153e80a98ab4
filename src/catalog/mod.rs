//! What exists: everything that could be selected, as Codex itself reports it.

mod added;
mod agent_plugin;
mod answers;
mod cache;
mod conversion;
mod converted;
mod inputs;
mod installed;
mod manifest;
mod mention_only;
mod model;
mod newcomers;
mod parts;
mod plugin_folder;
mod policy;
mod read;
mod roles;
mod skill_header;

pub(crate) use added::AddedBundle;
pub(crate) use cache::CatalogCache;
pub(crate) use conversion::{ConversionInput, convert};
pub(crate) use mention_only::is_mention_only;
pub(crate) use mention_only::mention_only;
pub(crate) use model::{
    Added, Catalog, ConfigServer, Conversion, HostRole, HostSkill, InstalledPlugin, Parts,
    PluginAgent, PluginHook, PluginSkill, SkillScope, hook_id,
};
pub(crate) use policy::{Allowed, MarketplaceRestriction, Policy, marketplace_restriction};
pub(crate) use read::read_policy;
pub(crate) use skill_header::read_skill_header;

#[cfg(test)]
pub(crate) use model::{HostHook, PluginServer};
#[cfg(test)]
pub(crate) use policy::{ManagedLayer, Requirements};
