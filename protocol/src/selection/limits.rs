//! How large a selection may be.

use super::{CapabilitySelection, FIELD, HookPolicy, McpServerChoice, SkillChoice};
use crate::error::{ErrorItem, ErrorKind, LoadoutError};

/// Bytes of a selection's JSON, at most.
pub const MAX_TEXT: usize = 1024 * 1024;
/// Names in a selection, at most: ten times what a large host has installed.
pub const MAX_NAMES: usize = 5_000;
/// Bytes of a name, at most: a path is one, too.
pub const MAX_NAME: usize = 4096;

impl CapabilitySelection {
    /// Refuses one with more names, or longer ones, than are read.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSelection`].
    pub fn check_size(&self) -> Result<(), LoadoutError> {
        let mut names = 0;
        let mut longest = 0;
        self.each_name(&mut |name| {
            names += 1;
            longest = longest.max(name.len());
        });
        if names > MAX_NAMES {
            return Err(too_large(format!(
                "{names} names, and {MAX_NAMES} are read"
            )));
        }
        if longest > MAX_NAME {
            let why = format!("a name of {longest} bytes, and {MAX_NAME} are read");
            return Err(too_large(why));
        }
        Ok(())
    }

    /// Every name in it, tools of servers among them.
    fn each_name(&self, visit: &mut impl FnMut(&str)) {
        fn all<'a>(names: impl IntoIterator<Item = &'a String>, visit: &mut impl FnMut(&str)) {
            for name in names {
                visit(name);
            }
        }
        fn skills(chosen: &Option<Vec<SkillChoice>>, visit: &mut impl FnMut(&str)) {
            all(chosen.iter().flatten().map(|skill| &skill.name), visit);
        }
        fn servers(chosen: &Option<Vec<McpServerChoice>>, visit: &mut impl FnMut(&str)) {
            for server in chosen.iter().flatten() {
                visit(&server.name);
                all(server.tools.iter().flatten(), visit);
            }
        }
        for plugin in self.plugins.iter().flatten() {
            visit(&plugin.id);
            skills(&plugin.skills, visit);
            servers(&plugin.mcp_servers, visit);
            all(plugin.agents.iter().flatten(), visit);
        }
        skills(&self.skills, visit);
        servers(&self.mcp_servers, visit);
        all(self.agents.iter().flatten(), visit);
        all(self.apps.iter().flatten(), visit);
        all(&self.profile.0, visit);
        all(self.hooks.iter().flat_map(HookPolicy::named), visit);
    }
}

pub(super) fn too_large(what: String) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`{FIELD}` is too large: it has {what}"),
    )
    .with_hint("Choose plugins as a whole, or leave out a list: in `restrict` and `extend` that takes all there is.")
    .with_items(vec![ErrorItem::named(FIELD)])
}
