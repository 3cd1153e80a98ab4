//! Plan + the user's set at this moment -> Codex's own fields.
//!
//! *Architecture invariant:* the only room that names a Codex config key, and
//! pure. When Codex gets a native field for one of these, it is used here and
//! nobody else notices.

mod agents;
mod codex_features;
mod config_write;
mod dotted;
mod drift;
mod features_off;
mod hooks;
mod host_config;
mod host_skills;
mod launch_line;
mod lower;
mod lowered;
mod native_plugins;
mod own_threads;
mod policy;
mod policy_meaning;
mod selected_roots;
mod server_definition;
mod servers;
mod skill_list;

pub(crate) use codex_features::{CodexFeatures, untested};
pub(crate) use config_write::servers_written;
pub(crate) use drift::{SkillRule, drift, new_skill_rules, summary};
pub(crate) use hooks::hook_events;
pub(crate) use host_config::HostConfig;
pub(crate) use lower::{Files, lower};
pub(crate) use lowered::{Lowered, MergeMode};
pub(crate) use own_threads::{trial_request, without_servers};
pub(crate) use policy::held_against_policy;
pub(crate) use policy_meaning::{PolicyMeaning, policy_meaning};
pub(crate) use selected_roots::{ROOT_ID, roots_json};
pub(crate) use server_definition::shows_all_tools;
pub(crate) use skill_list::{developer_instructions, large_list, list_for_history, skill_list};

#[cfg(test)]
mod tests;
