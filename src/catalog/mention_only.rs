//! Skills that stand in no list: the model has them when the user mentions them by `$name`.

use std::collections::BTreeSet;
use std::path::Path;

use codex_loadout_files::read_at_most;
use serde::Deserialize;

use super::model::Catalog;

/// A few lines are usual.
const LIMIT: u64 = 256 * 1024;

/// The names of those that say so in `agents/openai.yaml`, `policy.allow_implicit_invocation: false`
/// (Codex 0.169).
#[must_use]
pub(crate) fn mention_only(catalog: &Catalog) -> BTreeSet<String> {
    let of_host = catalog
        .skills
        .iter()
        .filter(|skill| skill.mention_only)
        .map(|skill| &skill.name);
    let of_plugins = catalog.plugins.iter().flat_map(|plugin| {
        let skills = plugin.native.skills.iter().chain(&plugin.parts().skills);
        skills
            .filter(|skill| skill.mention_only)
            .map(|skill| &skill.name)
    });
    of_host.chain(of_plugins).cloned().collect()
}

/// Whether the skill in a folder says so. Blocking.
pub(crate) fn is_mention_only(folder: &Path) -> bool {
    read_at_most(&folder.join("agents/openai.yaml"), LIMIT)
        .is_ok_and(|text| says_mention_only(&String::from_utf8_lossy(&text)))
}

/// The same, of the file's text.
pub(super) fn says_mention_only(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Agent {
        policy: Option<Policy>,
    }
    #[derive(Deserialize)]
    struct Policy {
        allow_implicit_invocation: Option<bool>,
    }
    serde_saphyr::from_str::<Agent>(text)
        .ok()
        .and_then(|agent| agent.policy?.allow_implicit_invocation)
        == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_explicit_no_counts() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_mention_only(folder.path()));
        std::fs::create_dir(folder.path().join("agents")).unwrap();
        for (text, expected) in [
            ("policy:\n  allow_implicit_invocation: false\n", true),
            ("policy:\n  allow_implicit_invocation: true\n", false),
            ("interface:\n  display_name: x\n", false),
            ("policy: [", false),
        ] {
            std::fs::write(folder.path().join("agents/openai.yaml"), text).unwrap();
            assert_eq!(is_mention_only(folder.path()), expected, "{text}");
        }
    }
}
