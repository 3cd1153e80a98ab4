//! What exists: everything that could be selected, as Codex itself reports it.

mod model;
mod plugin_folder;
mod skill_header;

pub use model::{
    Catalog, ConfigServer, HostSkill, InstalledPlugin, PluginServer, PluginSkill, SkillScope,
};
