//! Which messages change what Codex has to offer.

/// Requests and notifications of Codex 0.169 after which skills, plugins or servers may be others.
const CHANGING: [&str; 21] = [
    "account/login/completed",
    "account/login/start",
    "account/logout",
    "account/updated",
    "accountSession/switch",
    "app/list/updated",
    "config/batchWrite",
    "config/mcpServer/reload",
    "config/value/write",
    "experimentalFeature/enablement/set",
    "externalAgentConfig/import",
    "externalAgentConfig/import/completed",
    "marketplace/add",
    "marketplace/remove",
    "marketplace/upgrade",
    "plugin/install",
    "plugin/reconcile",
    "plugin/uninstall",
    "skills/changed",
    "skills/config/write",
    "skills/extraRoots/set",
];

/// Whether a message with this method changes it.
#[must_use]
pub fn is_changed_by(method: &str) -> bool {
    CHANGING.binary_search(&method).is_ok()
}

/// Whether Codex gives the servers of its config of now to threads that are loaded, after a message with this
/// method (0.157 to 0.169): at once after `config/mcpServer/reload` on 0.169, with their next turn at the latest.
#[must_use]
pub fn reloads_servers(method: &str) -> bool {
    let by = ["config/", "externalAgentConfig/", "marketplace/", "plugin/"];
    is_changed_by(method) && by.iter().any(|start| method.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_reading_changes_nothing() {
        assert!(CHANGING.is_sorted());
        assert!(CHANGING.iter().all(|method| is_changed_by(method)));
        assert!(
            !is_changed_by("skills/list") && !is_changed_by("turn/start") && !is_changed_by("")
        );
        assert!(reloads_servers("config/mcpServer/reload") && reloads_servers("plugin/install"));
        assert!(!reloads_servers("skills/changed") && !reloads_servers("config/read"));
    }
}
