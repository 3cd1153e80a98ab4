//! Which levers a Codex version has.

use codex_loadout_protocol::receipt::Warning;

use crate::messages::initialize::CodexVersion;

/// The oldest Codex that the set of levers was seen to work on.
pub(crate) const OLDEST_TESTED: CodexVersion = CodexVersion::new(0, 144, 1);
/// The newest one.
pub(crate) const NEWEST_TESTED: CodexVersion = CodexVersion::new(0, 169, 0);

/// What can be told to a Codex for one thread. Measured on 0.144.1, 0.150.1,
/// 0.157.1, 0.163.0 and 0.169.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodexFeatures {
    /// `plugins."p@m".enabled` and its `mcp_servers` count for a single thread: from 0.157; ignored on 0.144 and 0.150.
    pub native_plugin_switch: bool,
    /// Skills that Codex is sent from elsewhere (`--cloud-skills-snapshot`) can be switched off for one thread: from 0.169.
    pub switches_off_cloud_skills: bool,
    /// `mcpServerStatus/list` tells of one server of a thread, from the connection that the thread has: from 0.169;
    /// all of them are started anew where that is not asked for.
    pub tells_of_one_server: bool,
    /// A thread that nobody is subscribed to can be made to go at once: from 0.169; before, the delay is ignored.
    pub unload_on_unsubscribe: bool,
}

impl CodexFeatures {
    /// The levers of a version; of an unknown newer one, those of the newest known.
    #[must_use]
    pub(crate) fn of(version: CodexVersion) -> Self {
        Self {
            native_plugin_switch: version >= CodexVersion::new(0, 157, 0),
            switches_off_cloud_skills: version >= CodexVersion::new(0, 169, 0),
            tells_of_one_server: version >= CodexVersion::new(0, 169, 0),
            unload_on_unsubscribe: version >= CodexVersion::new(0, 169, 0),
        }
    }
}

/// What a host should know about a Codex outside the versions that the levers were measured on.
#[must_use]
pub(crate) fn untested(version: CodexVersion) -> Option<Warning> {
    let tested = OLDEST_TESTED..=NEWEST_TESTED;
    (!tested.contains(&version)).then(|| {
        let message = format!(
            "Codex {version} is outside the tested versions {OLDEST_TESTED} to {NEWEST_TESTED}; `codex-loadout doctor` shows what holds on it"
        );
        Warning::new("untestedCodex", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_outside_the_tested_ones_are_said_so() {
        let warned = |minor, patch| untested(CodexVersion::new(0, minor, patch)).is_some();
        assert!(warned(144, 0) && warned(169, 1) && warned(200, 0));
        assert!(!warned(144, 1) && !warned(150, 0) && !warned(169, 0));
    }

    #[test]
    fn levers_by_version() {
        let switch = |minor| CodexFeatures::of(CodexVersion::new(0, minor, 1)).native_plugin_switch;
        assert_eq!(
            [144, 150, 157, 163, 169, 180].map(switch),
            [false, false, true, true, true, true]
        );
    }
}
