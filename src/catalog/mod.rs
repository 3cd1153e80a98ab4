//! What exists: everything that could be selected, as Codex itself reports it.

mod answers;
mod cache;
mod inputs;
mod mention_only;
mod model;
mod newcomers;
mod plugin_folder;
mod read;
mod skill_header;

pub use cache::CatalogCache;
pub use mention_only::mention_only;
pub use model::{
    Catalog, ConfigServer, HostSkill, InstalledPlugin, PluginServer, PluginSkill, SkillScope,
};
