//! Agents of one thread, roles in Codex's words: those that it gets, and the user's own that it is kept from.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::lower::Lowering;
use super::skill_list::role_with_list;
use crate::bundle::Digest;
use crate::resolver::Scope;

/// A role file that says nothing: what a role that is not of the loadout is led to.
const NO_ROLE_FILE: &str = "# The role is not of this thread's loadout.\n";
/// What the spawn tool tells of a role that is not of the loadout: Codex has no lever to hide it.
const NO_ROLE: &str = "Not available here: the same as `default`.";

impl Lowering<'_> {
    /// The plan's agents, and nothing behind the names of the user's other roles.
    pub(super) fn agents(&mut self) {
        self.empty_host_roles();
        for agent in &self.plan.agents {
            let file = (self.files.snapshot)(agent.bundle).join(&agent.file);
            let file = self.role_file_with_list(&file).unwrap_or(file);
            let role = json!({ "description": agent.description, "config_file": file });
            self.set(&["agents", &agent.name], role);
        }
    }

    /// A role of the user's own can't be taken away, but it can be given another file: a loaded thread
    /// gets no role that comes later, and a role of the same name in the thread's config wins, from
    /// wherever the other comes (Codex 0.144 to 0.169).
    fn empty_host_roles(&mut self) {
        let (Scope::Only(kept), Some(roles)) = (&self.plan.host_roles, self.files.roles) else {
            return;
        };
        let file = self.role_file(roles, NO_ROLE_FILE.to_owned());
        let named = self.catalog.roles.iter().map(|role| &role.name);
        for name in named.filter(|name| !kept.contains(name)) {
            let nothing = json!({ "description": NO_ROLE, "config_file": file });
            self.set(&["agents", name], nothing);
        }
    }

    /// The role with the thread's list of skills in it, if the thread has one.
    fn role_file_with_list(&mut self, file: &Path) -> Option<PathBuf> {
        let list = self.skill_list.as_deref().filter(|list| !list.is_empty())?;
        let roles = self.files.roles?;
        let with_list = role_with_list(&(self.files.role)(file)?, list)?;
        Some(self.role_file(roles, with_list))
    }

    /// A role file of ours, named by what it says.
    fn role_file(&mut self, roles: &Path, text: String) -> PathBuf {
        let digest = Digest::of_parts([text.as_bytes()]);
        let file = roles.join(format!("{}.toml", digest.hex()));
        self.role_files.insert(file.clone(), text);
        file
    }
}
