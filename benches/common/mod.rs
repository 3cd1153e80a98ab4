//! What the benches share.

#![allow(dead_code, reason = "each bench uses its part")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Client, Home};
use serde_json::{Value, json};

/// As long as the list of skills that the proxy writes for one skill.
const LIST: &str = "## Skills\nA skill is a folder with instructions in its `SKILL.md`. These are all that this conversation has. When the user names one, or the task is what its description says, read its file first and follow it. Its paths are relative to its folder.\n### Available skills\n- repo-review: Reviews a repository. (file: /home/user/.codex-loadout/store-v1/trees/0123456789012345678901234567890123456789012345678901234567890123/SKILL.md)\n";

pub(crate) async fn connect(home: &Home, program: &Path, more: &[&str]) -> Result<Client> {
    let mut arguments = vec!["app-server"];
    arguments.extend(more);
    let client = Client::spawn(home.command(program, &arguments))?;
    client.initialize(true).await?;
    Ok(client)
}

/// The levers of `codex-0.169`, written out by hand for the same choice: one skill, and one plugin without its
/// server if that is wanted. `more` are names of further skills that the user has.
pub(crate) fn by_hand(home: &Home, with_plugin: bool, more: &[String]) -> Result<Value> {
    // The same shape of root: a link to a folder of links.
    let hand = home.path().join("by-hand");
    let root = hand.join("root");
    let mut mounts = vec!["repo-review"];
    if with_plugin {
        let plugin = home.codex_home().join("plugins/cache/internal/github");
        let version = fs::read_dir(&plugin)?
            .next()
            .context("the plugin is installed")??;
        copy(&version.path(), &hand.join("trees/github"))?;
        mounts.push("github");
    }
    copy(
        &home.path().join(".agents/skills/repo-review"),
        &hand.join("trees/repo-review"),
    )?;
    fs::create_dir_all(hand.join("loadout"))?;
    for name in mounts {
        symlink(
            Path::new("../trees").join(name),
            hand.join("loadout").join(name),
        )?;
    }
    symlink("loadout", &root)?;
    let host_skills = [
        "repo-review",
        "incident-debugging",
        "release-notes",
        "planning",
        "dependency-upgrade",
        "house-style",
    ];
    let more = more.iter().map(String::as_str);
    let rules: Vec<Value> = host_skills
        .into_iter()
        .chain(more)
        .map(|name| json!({ "name": name, "enabled": false }))
        .collect();
    Ok(json!({
        "cwd": home.project(),
        "developerInstructions": LIST,
        "config": {
            "thread_unload_delay_secs": 0,
            "features": { "plugins": false, "apps": false, "hooks": false },
            "skills": { "bundled": { "enabled": false }, "include_instructions": false, "config": rules },
            "mcp_servers": { "team-notes": { "enabled": false } },
        },
        "selectedCapabilityRoots": [{ "id": "by-hand", "location": { "type": "environment", "environmentId": "local", "path": root } }],
    }))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
