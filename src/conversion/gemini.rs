//! Extensions, held against what the real Gemini CLI makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use codex_loadout_converter::Conversion as Extension;
use codex_loadout_converter::report::Kind;
use codex_loadout_protocol::method::CapabilityKind;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::{Missing, Verified};
use crate::throwaway::ThrowawayFolder;

/// Nobody is asked whether a folder is trusted, and nothing is sent anywhere.
const SETTINGS: &str = r#"{"security":{"folderTrust":{"enabled":false}},"general":{"enableAutoUpdate":false},"privacy":{"usageStatisticsEnabled":false}}"#;

/// What `gemini extensions list` says of one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    #[serde(default)]
    mcp_servers: BTreeMap<String, Value>,
    #[serde(default)]
    skills: Vec<Named>,
    #[serde(default)]
    agents: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// Installs extensions in a throwaway home, by the CLI's own `extensions install`, and tells of each what is not in its
/// `extensions list` under its name.
///
/// Nothing of an extension is run, and nothing is asked of a network.
///
/// # Errors
/// If the CLI can't be started, or refuses an extension.
pub async fn verify_with_gemini(
    gemini: &Path,
    extensions: &[(&Path, &Extension)],
) -> Result<Vec<Verified>> {
    let mut all = Vec::new();
    let mut waiting = extensions;
    while !waiting.is_empty() {
        // One home takes one extension of a name.
        let mut names = BTreeSet::new();
        let fit = waiting
            .iter()
            .take_while(|(_, extension)| names.insert(&extension.report.plugin));
        let (fitting, rest) = waiting.split_at(fit.count());
        let home = Throwaway::new()?;
        for (place, _) in fitting {
            let place = std::path::absolute(place)?;
            let place = place.to_string_lossy();
            let install = [
                "extensions",
                "install",
                &place,
                "--consent",
                "--skip-settings",
            ];
            home.run(gemini, &install).await?;
        }
        let listed = home
            .run(gemini, &["extensions", "list", "-o", "json"])
            .await?;
        let listed = read_list(&listed)?;
        for (place, extension) in fitting {
            let name = &extension.report.plugin;
            let found = listed.iter().find(|listed| listed.name == *name);
            let found = found.with_context(|| format!("`{}` is not loaded", place.display()))?;
            all.push(Verified {
                missing: missing(extension, found),
                unlisted: Vec::new(),
            });
        }
        waiting = rest;
    }
    Ok(all)
}

/// What the report promises and the list does not have. Commands stand in no list: their files were checked when they
/// were written.
fn missing(extension: &Extension, listed: &Listed) -> Vec<Missing> {
    let has = |named: &[Named], name: &str| named.iter().any(|own| own.name == name);
    let is_command = |path: &Option<String>| {
        let path = path.as_deref().unwrap_or_default();
        path.ends_with(".toml")
    };
    let mut missing = Vec::new();
    for account in &extension.report.components {
        let Some(name) = &account.target else {
            continue;
        };
        let (kind, is_there) = match account.kind {
            Kind::Skill | Kind::Command if is_command(&account.path) => continue,
            Kind::Skill | Kind::Command => (CapabilityKind::Skill, has(&listed.skills, name)),
            Kind::Agent => (CapabilityKind::Agent, has(&listed.agents, name)),
            Kind::McpServer => (
                CapabilityKind::McpServer,
                listed.mcp_servers.contains_key(name),
            ),
            Kind::Hook | Kind::Other(_) => continue,
        };
        if !is_there {
            let name = name.clone();
            missing.push(Missing { kind, name });
        }
    }
    missing.sort();
    missing
}

/// A home that is there for a check alone.
struct Throwaway(ThrowawayFolder);

impl Throwaway {
    fn new() -> Result<Self> {
        let home = ThrowawayFolder::new().context("no throwaway home can be made")?;
        let settings = home.path().join(".gemini");
        std::fs::create_dir_all(&settings)?;
        std::fs::create_dir_all(home.path().join("project"))?;
        std::fs::write(settings.join("settings.json"), SETTINGS)?;
        Ok(Self(home))
    }

    async fn run(&self, gemini: &Path, arguments: &[&str]) -> Result<String> {
        let home = self.0.path();
        let mut command = Command::new(gemini);
        // Variables of the user's could lead to another home, a sandbox or an account.
        for (name, _) in std::env::vars_os() {
            let written = name.to_string_lossy();
            if ["GEMINI_", "GOOGLE_"]
                .iter()
                .any(|own| written.starts_with(own))
            {
                command.env_remove(name);
            }
        }
        // What it writes into a pipe is cut when it ends (0.61); and its list goes to stderr.
        let written = home.join("written");
        let file = std::fs::File::create(&written)?;
        let status = command
            .args(arguments)
            .current_dir(home.join("project"))
            .env("HOME", home)
            .env("GEMINI_CLI_HOME", home)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .status()
            .await;
        let status = status.with_context(|| {
            format!(
                "`{}` can't be run: name the Gemini CLI by `--gemini`, or install it (npm `@google/gemini-cli`)",
                gemini.display()
            )
        })?;
        let said = std::fs::read(&written)?;
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(
            status.success(),
            "`gemini {}` failed: {}",
            arguments.join(" "),
            said.trim()
        );
        Ok(said)
    }
}

/// Reads the list out of all that was written with it.
fn read_list(said: &str) -> Result<Vec<Listed>> {
    let lines = said.split_inclusive('\n');
    let head: usize = lines
        .take_while(|line| !line.starts_with('['))
        .map(str::len)
        .sum();
    let mut list = serde_json::Deserializer::from_str(&said[head..]).into_iter();
    let list = list
        .next()
        .context("`gemini extensions list` gave no list")?;
    list.context("`gemini extensions list` gave no list that can be read")
}
