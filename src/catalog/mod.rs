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
mod read;
mod roles;
mod skill_header;

pub use cache::CatalogCache;
pub use conversion::{ConversionInput, convert};
pub use mention_only::mention_only;
pub use model::{
    Catalog, ConfigServer, Conversion, HostRole, HostSkill, InstalledPlugin, Parts, PluginAgent,
    PluginHook, PluginServer, PluginSkill, SkillScope,
};
