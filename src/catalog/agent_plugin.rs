//! MCP servers of an Agent Plugin, in the words of Codex's config.
//!
//! Codex 0.157 to 0.169 reads `mcp.json` by its schema and to the letter: a file or a server with a
//! field too many is none. `${PLUGIN_ROOT}` and `${PLUGIN_DATA}` stand for the plugin's folder and for where it
//! may keep data.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::bundle::KEPT_AT;

const SCHEMA: &str = "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json";
const ROOT: &str = "${PLUGIN_ROOT}";
const DATA: &str = "${PLUGIN_DATA}";
/// Headers that only the client of a server may set.
const OF_THE_CLIENT: [&str; 16] = [
    "accept",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Server {
    #[serde(rename = "stdio")]
    Stdio {
        command: String,
        #[serde(default)]
        args: Vec<String>,
        #[serde(default)]
        env: BTreeMap<String, String>,
        #[serde(default = "root")]
        cwd: String,
    },
    #[serde(rename = "streamable-http")]
    Http {
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
}

fn root() -> String {
    ROOT.to_owned()
}

/// The servers of the plugin's `mcp.json`, by name, for the place that its bundle is kept at.
pub(super) fn servers(
    folder: &Path,
    file: &Map<String, Value>,
    data_folder: &Path,
) -> BTreeMap<String, Map<String, Value>> {
    let is_known = file
        .keys()
        .all(|key| matches!(key.as_str(), "$schema" | "mcpServers"))
        && file.get("$schema").and_then(Value::as_str) == Some(SCHEMA);
    let servers = file.get("mcpServers").and_then(Value::as_object);
    let known = servers.filter(|_| is_known).into_iter().flatten();
    known
        .filter_map(|(name, server)| {
            let server = serde_json::from_value(server.clone()).ok()?;
            let Value::Object(definition) = for_codex(folder, server, data_folder)? else {
                return None;
            };
            Some((name.clone(), definition))
        })
        .collect()
}

fn for_codex(folder: &Path, server: Server, data_folder: &Path) -> Option<Value> {
    let data = data_folder.to_string_lossy();
    let named = |text: &str| text.replace(ROOT, KEPT_AT).replace(DATA, &data);
    match server {
        Server::Stdio {
            command,
            args,
            mut env,
            cwd,
        } => {
            let command = match command.strip_prefix("./") {
                Some(path) if stays_inside(path, folder) => format!("{KEPT_AT}/{path}"),
                None if is_bare(&command) => command,
                _ => return None,
            };
            if env.contains_key("PLUGIN_ROOT") || env.contains_key("PLUGIN_DATA") {
                return None;
            }
            let cwd = match cwd.strip_prefix(ROOT).or(cwd.strip_prefix(".")) {
                Some(path) if path.is_empty() && cwd == "." => return None,
                Some(path) => inner(path, folder).map(|path| format!("{KEPT_AT}{path}"))?,
                None => {
                    let path = cwd.strip_prefix(DATA)?;
                    inner(path, data_folder).map(|path| format!("{data}{path}"))?
                }
            };
            env.values_mut().for_each(|value| *value = named(value));
            env.insert("PLUGIN_ROOT".to_owned(), KEPT_AT.to_owned());
            env.insert("PLUGIN_DATA".to_owned(), data.clone().into_owned());
            let args: Vec<String> = args.iter().map(|arg| named(arg)).collect();
            Some(json!({ "command": command, "args": args, "env": env, "cwd": cwd }))
        }
        Server::Http { url, mut headers } => {
            if !is_allowed(&url) {
                return None;
            }
            headers.retain(|name, _| {
                !OF_THE_CLIENT
                    .iter()
                    .any(|own| name.eq_ignore_ascii_case(own))
            });
            let mut definition = json!({ "url": url });
            if !headers.is_empty() {
                definition["http_headers"] = json!(headers);
            }
            Some(definition)
        }
    }
}

fn is_bare(command: &str) -> bool {
    !command.is_empty() && !command.contains(['/', '\\'])
}

/// What follows a folder's name: nothing, or a path that stays in it.
fn inner<'a>(path: &'a str, folder: &Path) -> Option<&'a str> {
    match path.strip_prefix('/') {
        None if path.is_empty() => Some(path),
        Some(inside) if inside.is_empty() || stays_inside(inside, folder) => {
            Some(path.trim_end_matches('/'))
        }
        _ => None,
    }
}

fn stays_inside(path: &str, folder: &Path) -> bool {
    let is_plain = !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
    let leads_out = || match (folder.join(path).canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => !path.starts_with(folder),
        _ => false,
    };
    is_plain && !leads_out()
}

/// HTTPS anywhere, HTTP on this machine; no user, no fragment.
fn is_allowed(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') || url.contains('#') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => is_here,
        _ => false,
    }
}
