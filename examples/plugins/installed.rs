//! Plugins that are installed as a user installs them, and what Codex then lists.
//!
//! Their MCP servers are counted and not started: they are all switched off in the one thread that is run.

use std::fs;

use anyhow::{Context, Result};
use codex_loadout::bundle::Tree;
use codex_loadout::conversion::{Modes, Replace, folder_name, write};
use lab::{Client, Home, HomeBuilder, Model};
use serde_json::{Map, Value, json};

use crate::tally::Tally;

/// The marketplace that lists the plugins.
const MARKET: &str = "all-of-a-corpus";
/// What Codex calls a command that it made a skill of.
const COMMAND: &str = "source-command-";
/// The agents that every thread has.
const OF_CODEX: [&str; 3] = ["default", "worker", "explorer"];

/// What Codex has of plugins.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    pub(crate) tally: Tally,
    /// Plugins that it did not take, and why.
    pub(crate) refused: Vec<String>,
}

impl Installed {
    /// Installs plugins, each given by its entry in a marketplace and its files, for a throwaway user.
    ///
    /// All come from one local marketplace: what theirs says of where they lie is left out, the rest of the entry is kept.
    pub(crate) async fn of(
        plugins: Vec<(Map<String, Value>, &Tree)>,
        model: &Model,
    ) -> Result<Self> {
        let home = HomeBuilder::default().build(model.url())?;
        let mut names = Vec::new();
        let mut entries = Vec::new();
        let market = home.path().join(MARKET);
        for (mut entry, tree) in plugins {
            let name = entry.get("name").and_then(Value::as_str);
            let name = name.context("an entry has a name")?.to_owned();
            let folder = folder_name(&name);
            write(tree, &market, &folder, &Modes::any(), Replace::Nothing)?;
            entry.insert("source".to_owned(), json!(format!("./{folder}")));
            entries.push(entry);
            names.push(name);
        }
        let listed = json!({ "name": MARKET, "owner": { "name": MARKET }, "plugins": entries });
        let file = market.join(".claude-plugin/marketplace.json");
        fs::create_dir_all(market.join(".claude-plugin"))?;
        fs::write(&file, listed.to_string())?;
        home.run_codex(&["plugin", "marketplace", "add", &market.to_string_lossy()])?;
        let mut installed = Self::default();
        names.retain(|name| {
            match home.run_codex(&["plugin", "add", &format!("{name}@{MARKET}")]) {
                Ok(_) => true,
                Err(error) => {
                    installed
                        .refused
                        .push(format!("Codex does not take `{name}`: {error:#}"));
                    false
                }
            }
        });
        installed.tally = listed_by(&home, model, &names, &json!(file)).await?;
        Ok(installed)
    }
}

async fn listed_by(home: &Home, model: &Model, names: &[String], market: &Value) -> Result<Tally> {
    // Room for a list of any length.
    let arguments = ["app-server", "-c", "model_context_window=10000000"];
    let codex = Client::spawn(home.command(home.codex(), &arguments))?;
    codex.initialize(true).await?;
    let mut tally = Tally::default();
    let here = json!({ "cwds": [home.project()] });
    let skills = codex.request("skills/list", here.clone()).await?;
    for skill in of_plugins(&skills["data"][0]["skills"]) {
        let name = skill["name"].as_str().unwrap_or_default();
        let (_, name) = name.split_once(':').unwrap_or_default();
        if name.starts_with(COMMAND) {
            tally.commands += 1;
        } else {
            tally.skills += 1;
        }
    }
    let hooks = codex.request("hooks/list", here).await?;
    tally.hooks = of_plugins(&hooks["data"][0]["hooks"]).count();

    let mut switched = Map::new();
    for name in names {
        let params = json!({ "marketplacePath": market, "pluginName": name });
        let read = codex.request("plugin/read", params).await?;
        let servers = list(&read["plugin"]["mcpServers"]);
        tally.servers += servers.len();
        let off = servers.iter().filter_map(Value::as_str);
        let off: Map<String, Value> = off
            .map(|server| (server.to_owned(), json!({ "enabled": false })))
            .collect();
        switched.insert(format!("{name}@{MARKET}"), json!({ "mcp_servers": off }));
    }
    let start = json!({ "cwd": home.project(), "config": { "plugins": switched } });
    let started = codex.request("thread/start", start).await?;
    let thread = started["thread"]["id"].as_str().context("an id")?;
    codex.turn(thread, "What can you do?").await?;
    let agents = model.seen(thread)?.agents;
    let others = agents
        .iter()
        .filter(|agent| !OF_CODEX.contains(&agent.as_str()));
    tally.agents = others.count();
    codex.shutdown().await?;
    Ok(tally)
}

fn of_plugins(entries: &Value) -> impl Iterator<Item = &Value> {
    list(entries)
        .iter()
        .filter(|entry| entry["pluginId"].is_string())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
