//! What a bundle can run: what a user approves, and what a change of it would add.

use codex_loadout_bundle::{Digest, Tree};
use serde::{Deserialize, Serialize};

mod hooks;
mod manifest;
mod scripts;
mod servers;

/// One thing that a bundle can run. Its texts hold no values of environments and headers, nothing that looks like a
/// secret, and nothing that a terminal obeys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Executable {
    /// What it is.
    pub kind: ExecutableKind,
    /// A script's path; a hook's event, and what it is matched with; a server's name.
    pub name: String,
    /// Who names a script; a hook's command; a server's command or address.
    pub detail: String,
    /// The file that it is, or that declares it.
    pub path: String,
    /// Of all that is declared of it, what is not shown included; of a script, of its content.
    pub digest: Digest,
}

/// What runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExecutableKind {
    /// Codex, by itself, when something happens.
    Hook,
    /// Codex, by itself, when a thread has it.
    McpServer,
    /// The model, where a skill tells it to, or a hook or a server.
    Script,
}

impl ExecutableKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::McpServer => "MCP server",
            Self::Script => "script",
        }
    }
}

/// What a bundle can run, sorted. The bundle is one that Codex is given: a plugin for Claude is converted first, since
/// what runs of it is what it was converted to. Where a file can be read in two ways, what either would run is listed.
#[must_use]
pub fn executables(bundle: &Tree) -> Vec<Executable> {
    let manifest = manifest::Manifest::of(bundle);
    let mut found = hooks::of(bundle, &manifest);
    found.extend(servers::of(bundle, &manifest));
    found.extend(scripts::of(bundle));
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::TreeFile;

    use super::*;

    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let tree = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), TreeFile::plain((*text).to_owned())))
            .collect();
        executables(&tree)
            .into_iter()
            .map(|it| {
                format!(
                    "{} {}: {} ({})",
                    it.kind.as_str(),
                    it.name,
                    it.detail,
                    it.path
                )
            })
            .collect()
    }

    #[test]
    fn each_way_to_declare_something() {
        let hooks = r#"{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"say done"}]}],
            "PreToolUse":[{"matcher":"Bash","hooks":[{"type":"mcp_tool","server":"s","tool":"t"}]}]}}"#;
        let inline = r#"{"name":"p","hooks":{"Stop":[{"hooks":[{"command":"inline"}]}]},"mcpServers":{"a":{"command":"./run","args":["--token","hidden"],"env":{"K":"hidden"}}}}"#;
        let listed = r#"{"hooks":["./h.json",{"hooks":{"Stop":[{"hooks":[{"command":"second"}]}]}}],"mcpServers":"./m.json"}"#;
        let servers = r#"{"mcpServers":{"b":{"url":"https://u:hidden@h/mcp?k=hidden","headers":{"A":"hidden"}}}}"#;
        let agent = r#"{"$schema":"https://agent-plugins.org/schemas/1.0.0/plugin.schema.json","name":"p"}"#;
        let skill_needs = "dependencies:\n  tools:\n    - type: mcp\n      value: docs\n      command: npx docs\n";
        for (files, expected) in [
            (
                vec![("hooks/hooks.json", hooks)],
                vec![
                    "hook PreToolUse Bash: tool t of the MCP server s (hooks/hooks.json)",
                    "hook Stop: say done (hooks/hooks.json)",
                ],
            ),
            (
                vec![
                    (".claude-plugin/plugin.json", inline),
                    (".mcp.json", servers),
                ],
                vec![
                    "hook Stop: inline (.claude-plugin/plugin.json)",
                    "MCP server a: ./run --token …, with K in its environment (.claude-plugin/plugin.json)",
                    "MCP server b: https://…@h/mcp?… (.mcp.json)",
                ],
            ),
            (
                vec![
                    (".codex-plugin/plugin.json", listed),
                    ("h.json", hooks),
                    ("m.json", servers),
                    (".mcp.json", "{\"c\":{\"command\":\"x\"}}"),
                ],
                vec![
                    "hook PreToolUse Bash: tool t of the MCP server s (h.json)",
                    "hook Stop: say done (h.json)",
                    "hook Stop: second (.codex-plugin/plugin.json)",
                    "MCP server b: https://…@h/mcp?… (m.json)",
                ],
            ),
            (
                vec![
                    ("plugin.json", agent),
                    ("mcp.json", servers),
                    ("hooks/hooks.json", hooks),
                ],
                vec!["MCP server b: https://…@h/mcp?… (mcp.json)"],
            ),
            (
                vec![("skills/a/agents/openai.yaml", skill_needs)],
                vec!["MCP server docs: npx docs (skills/a/agents/openai.yaml)"],
            ),
            (
                vec![
                    ("skills/a/SKILL.md", "Run scripts/x.py, then tool"),
                    ("skills/a/scripts/x.py", ""),
                    ("skills/a/tool", "#!/bin/sh"),
                    ("skills/a/notes.md", ""),
                ],
                vec![
                    "script skills/a/scripts/x.py: named by skills/a/SKILL.md (skills/a/scripts/x.py)",
                    "script skills/a/tool: named by skills/a/SKILL.md (skills/a/tool)",
                ],
            ),
            (vec![("hooks/hooks.json", "{,"), (".mcp.json", "7")], vec![]),
        ] {
            assert_eq!(shown(&files), expected);
        }
    }

    #[test]
    fn what_can_be_run_by_its_form() {
        let tree: Tree = [
            ("a.sh", "", false),
            ("b", "", true),
            ("c.md", "", true),
            ("d.md", "#!/bin/sh", false),
            ("e", "\u{7f}ELF", false),
            ("f", "text", false),
            ("g.json", "{}", true),
        ]
        .into_iter()
        .map(|(path, text, executable)| {
            let bytes = text.as_bytes().to_vec().into();
            (path.to_owned(), TreeFile { bytes, executable })
        })
        .collect();
        let names: Vec<String> = executables(&tree).into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["a.sh", "b", "d.md", "e"]);
    }
}
