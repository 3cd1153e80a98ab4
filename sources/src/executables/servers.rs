//! MCP servers, by name and by how they are reached.

use codex_loadout_bundle::{Digest, Tree};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::manifest::Manifest;
use super::{Executable, ExecutableKind};
use crate::address::{escaped, shown};
use crate::redact;

/// Where a skill says which servers it needs: Codex offers to install them.
const SKILL_NEEDS: &str = "/agents/openai.yaml";

pub(super) fn of(tree: &Tree, manifest: &Manifest) -> Vec<Executable> {
    let default = match manifest.is_agent_plugin {
        true => "mcp.json",
        false => ".mcp.json",
    };
    let mut found = Vec::new();
    for (file, value) in manifest.declared(tree, "mcpServers", default) {
        let wrapped = value.get("mcpServers").and_then(Value::as_object);
        let servers = wrapped.or_else(|| value.as_object());
        for (name, definition) in servers.into_iter().flatten() {
            if let Value::Object(definition) = definition {
                let whole = Value::Object(definition.clone()).to_string();
                found.push(server(name, how(definition), &whole, &file));
            }
        }
    }
    for (path, content) in tree.iter().filter(|(path, _)| path.ends_with(SKILL_NEEDS)) {
        let read = std::str::from_utf8(&content.bytes).ok();
        let read = read.and_then(|text| serde_saphyr::from_str::<SkillNeeds>(text).ok());
        let needed = read.unwrap_or_default().dependencies.tools;
        for tool in needed.into_iter().filter(|tool| tool.kind == "mcp") {
            let how = match (&tool.command, &tool.url) {
                (Some(command), _) => redact::command(command),
                (None, Some(url)) => shown(url),
                (None, None) => continue,
            };
            let whole = tool.command.or(tool.url).unwrap_or_default();
            found.push(server(&tool.value, how, &whole, path));
        }
    }
    found
}

fn server(name: &str, detail: String, whole: &str, file: &str) -> Executable {
    Executable {
        kind: ExecutableKind::McpServer,
        name: escaped(name),
        detail,
        path: file.to_owned(),
        digest: Digest::of_parts([whole.as_bytes()]),
    }
}

/// The command line and the names of variables, which may make it run something else; or the address. The values of
/// variables and headers are not said.
fn how(definition: &Map<String, Value>) -> String {
    let text = |key: &str| definition.get(key).and_then(Value::as_str);
    if let Some(command) = text("command") {
        let args = definition.get("args").and_then(Value::as_array);
        let args = args.into_iter().flatten().filter_map(Value::as_str);
        let line: Vec<&str> = std::iter::once(command).chain(args).collect();
        let mut how = redact::command(&line.join(" "));
        let variables = definition.get("env").and_then(Value::as_object);
        let names: Vec<String> = variables
            .into_iter()
            .flatten()
            .map(|(name, _)| escaped(name))
            .collect();
        if !names.is_empty() {
            how.push_str(&format!(", with {} in its environment", names.join(", ")));
        }
        return how;
    }
    match text("url").or_else(|| text("httpUrl")) {
        Some(url) => shown(url),
        None => "neither a command nor an address".to_owned(),
    }
}

#[derive(Default, Deserialize)]
struct SkillNeeds {
    #[serde(default)]
    dependencies: Dependencies,
}

#[derive(Default, Deserialize)]
struct Dependencies {
    #[serde(default)]
    tools: Vec<Needed>,
}

#[derive(Deserialize)]
struct Needed {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    url: Option<String>,
}
