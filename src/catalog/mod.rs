//! What exists: everything that could be selected, as Codex itself reports it.

mod answers;
mod model;
mod plugin_folder;
mod read;
mod skill_header;

pub use model::{
    Catalog, ConfigServer, HostSkill, InstalledPlugin, PluginServer, PluginSkill, SkillScope,
};
pub use plugin_folder::MANIFESTS;
pub use read::read_catalog;
