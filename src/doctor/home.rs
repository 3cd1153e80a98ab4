//! The home that the checks are made in: skills, two plugins, and a role of the user's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::server;
use crate::connection::UpstreamCommand;
use crate::throwaway::ThrowawayHome;

/// Skills of the user's own.
pub(super) const SKILLS: [&str; 4] = ["one", "two", "three", "four"];
/// The plugin of Codex's kind, with one skill and one server.
pub(super) const PLUGIN: &str = "probe@doctor";
/// Its skill, as the model sees it.
pub(super) const PLUGIN_SKILL: &str = "probe:look";
/// Its server, as the model sees it.
pub(super) const SERVER_NAMESPACE: &str = "mcp__probe";
/// The plugin that was made for Claude and is not installed: a command and an agent.
pub(super) const CLAUDE_PLUGIN: &str = "forge@doctor";
/// Its command as a skill.
pub(super) const CLAUDE_SKILL: &str = "forge:prd";
/// Its agent.
pub(super) const CLAUDE_AGENT: &str = "forge:reviewer";
/// A role of the user's own.
pub(super) const ROLE: &str = "own";
/// What only that role says.
pub(super) const ROLE_WORDS: &str = "the-words-of-a-role";

/// Fills a home, and lets Codex install what is to be installed.
pub(super) fn furnish(home: &ThrowawayHome, codex: &UpstreamCommand) -> Result<()> {
    for skill in SKILLS {
        home.add_skill(skill)?;
    }
    let role = home.codex_home().join("agents/own.toml");
    let text = format!(
        "name = \"{ROLE}\"\ndescription = \"Mine.\"\ndeveloper_instructions = \"{ROLE_WORDS}\"\n"
    );
    write(&role, &text)?;
    let market = home.path().join("market");
    let entry = |name: &str| json!({ "name": name, "source": { "source": "local", "path": format!("./{name}") } });
    let entries = json!({ "name": "doctor", "plugins": [entry("probe"), entry("forge")] });
    let program = UpstreamCommand::this_program()?.path;
    let manifest = json!({ "name": "probe", "version": "1.0.0", "description": "To look at.",
        "skills": "./skills/", "mcpServers": "./.mcp.json" });
    let servers =
        json!({ "mcpServers": { "probe": { "command": program, "args": [server::VERB] } } });
    let claude = json!({ "name": "forge", "version": "1.0.0", "description": "For Claude." });
    for (path, text) in [
        (".agents/plugins/marketplace.json", entries.to_string()),
        ("probe/.codex-plugin/plugin.json", manifest.to_string()),
        ("probe/.mcp.json", servers.to_string()),
        (
            "probe/skills/look/SKILL.md",
            "---\nname: look\ndescription: Looks.\n---\n\nLook.\n".to_owned(),
        ),
        ("forge/.claude-plugin/plugin.json", claude.to_string()),
        (
            "forge/commands/prd.md",
            "---\ndescription: Writes a PRD\n---\n\nWrite a PRD for $ARGUMENTS.\n".to_owned(),
        ),
        (
            "forge/agents/reviewer.md",
            "---\nname: reviewer\ndescription: Reviews\n---\n\nYou review.\n".to_owned(),
        ),
    ] {
        write(&market.join(path), &text)?;
    }
    let market = market.to_string_lossy();
    run(home, codex, &["plugin", "marketplace", "add", &market])?;
    run(home, codex, &["plugin", "add", PLUGIN])
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}

fn run(home: &ThrowawayHome, codex: &UpstreamCommand, arguments: &[&str]) -> Result<()> {
    // It runs in another folder.
    let program = std::path::absolute(&codex.path)?;
    let output = Command::new(program)
        .args(arguments)
        .env("HOME", home.path())
        .env("CODEX_HOME", home.codex_home())
        .current_dir(home.project())
        .output()
        .with_context(|| format!("`{}` can't be run", codex.path.display()))?;
    ensure!(
        output.status.success(),
        "`codex {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
