//! What the benches share.

#![allow(dead_code, reason = "each bench uses its part")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Client, Home};
use serde_json::{Value, json};

/// What the list of skills begins with that the proxy writes; a line for each skill follows.
const LIST: &str = "## Skills\nA skill is a folder with instructions in its `SKILL.md`. These are all that this conversation has. When the user names one, or the task is what its description says, read its file first and follow it. Its paths are relative to its folder.\n### Available skills\n";

/// A list of skills as long as the one that the proxy writes.
fn list(skills: &[String]) -> String {
    let line = |name: &String| {
        format!(
            "- {name}: Reviews a repository. (file: /home/user/.codex-loadout/store-v1/trees/0123456789012345678901234567890123456789012345678901234567890123/SKILL.md)\n"
        )
    };
    skills
        .iter()
        .fold(LIST.to_owned(), |list, name| list + &line(name))
}

/// Names of skills that a user has beside those of [`lab::HomeBuilder::standard`].
pub(crate) fn many_names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("many-{number}")).collect()
}

/// What a thread gets.
pub(crate) struct Chosen<'a> {
    /// Skills of `~/.agents/skills`.
    pub(crate) skills: &'a [String],
    /// Whether it gets the plugin `github` as well, without its server.
    pub(crate) with_plugin: bool,
}

pub(crate) async fn connect(home: &Home, program: &Path, more: &[&str]) -> Result<Client> {
    let mut arguments = vec!["app-server"];
    arguments.extend(more);
    let client = Client::spawn(home.command(program, &arguments))?;
    client.initialize(true).await?;
    Ok(client)
}

/// The levers of `codex-0.169`, written out by hand for the same choice. `more` are names of further skills that the
/// user has.
pub(crate) fn by_hand(home: &Home, chosen: &Chosen<'_>, more: &[String]) -> Result<Value> {
    // The same shape of root: a link to a folder of links.
    let hand = home.path().join("by-hand");
    let root = hand.join("root");
    let mut mounts: Vec<&str> = chosen.skills.iter().map(String::as_str).collect();
    if chosen.with_plugin {
        let plugin = home.codex_home().join("plugins/cache/internal/github");
        let version = fs::read_dir(&plugin)?
            .next()
            .context("the plugin is installed")??;
        copy(&version.path(), &hand.join("trees/github"))?;
        mounts.push("github");
    }
    for name in chosen.skills {
        let skill = home.path().join(".agents/skills").join(name);
        copy(&skill, &hand.join("trees").join(name))?;
    }
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
        "developerInstructions": list(chosen.skills),
        "config": {
            "thread_unload_delay_secs": 0,
            "features": { "plugins": false, "apps": false, "hooks": false },
            "skills": { "bundled": { "enabled": false }, "include_instructions": false, "config": rules },
            "mcp_servers": { "team-notes": { "enabled": false } },
        },
        "selectedCapabilityRoots": [{ "id": "by-hand", "location": { "type": "environment", "environmentId": "local", "path": root } }],
    }))
}

/// As `cp -r`.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
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
