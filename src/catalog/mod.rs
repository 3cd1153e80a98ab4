//! What exists: everything that could be selected, as Codex itself reports it.

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

pub use cache::CatalogCache;
pub use conversion::{ConversionInput, convert};
pub(crate) use mention_only::is_mention_only;
pub use mention_only::mention_only;
pub use model::{
    Catalog, ConfigServer, Conversion, HostHook, HostRole, HostSkill, InstalledPlugin, Parts,
    PluginAgent, PluginHook, PluginServer, PluginSkill, SkillScope,
};
pub use policy::{Allowed, ManagedLayer, Policy, Requirements};
pub use read::read_policy;
pub(crate) use skill_header::read_skill_header;
