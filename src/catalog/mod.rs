//! What exists: everything that could be selected, as Codex itself reports it.

mod model;

pub use model::{
    Catalog, ConfigServer, HostSkill, InstalledPlugin, PluginServer, PluginSkill, SkillScope,
};
