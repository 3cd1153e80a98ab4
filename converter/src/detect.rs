//! Whether a plugin needs conversion at all.

use codex_loadout_bundle::Tree;

/// Claude substitutes these in texts; Codex shows them as they are.
const VARIABLES: [&[u8]; 2] = [b"${CLAUDE_", b"$CLAUDE_"];

/// Whether a plugin was made for Claude, at least in part: it has a manifest of Claude's or none of
/// Codex's, commands, agents, or texts with Claude's variables. What is Codex's alone is best left as it is.
#[must_use]
pub fn is_made_for_claude(tree: &Tree) -> bool {
    tree.get(".codex-plugin/plugin.json").is_none()
        || tree.iter().any(|(path, file)| {
            path.starts_with(".claude-plugin/")
                || path.ends_with(".md")
                    && (path.starts_with("commands/") || path.starts_with("agents/"))
                || [".md", ".json"].iter().any(|end| path.ends_with(end))
                    && names_variable(&file.bytes)
        })
}

fn names_variable(text: &[u8]) -> bool {
    VARIABLES
        .iter()
        .any(|variable| memchr::memmem::find(text, variable).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use codex_loadout_bundle::TreeFile;

    #[test]
    fn one_sign_is_enough() {
        let made = |files: &[(&str, &str)]| {
            let tree: Tree = files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), TreeFile::plain((*text).to_owned())))
                .collect();
            is_made_for_claude(&tree)
        };
        let codex = (".codex-plugin/plugin.json", "{}");
        for more in [
            (".claude-plugin/plugin.json", "{}"),
            ("commands/git/push.md", ""),
            ("agents/reviewer.md", ""),
            ("skills/a/SKILL.md", "Run ${CLAUDE_PLUGIN_ROOT}/x"),
            (".mcp.json", "\"$CLAUDE_PROJECT_DIR\""),
        ] {
            assert!(made(&[codex, more]), "{more:?}");
            assert!(made(&[more]), "{more:?}");
        }
        assert!(!made(&[
            codex,
            ("skills/a/SKILL.md", "CLAUDE.md is a file"),
            ("docs/agents/x.md", "")
        ]));
    }
}
