//! MCP servers: `.mcp.json`, and what the manifests add: paths, maps, or lists of both.

use std::collections::BTreeSet;

use serde_json::Value;

use super::json::{Json, step};
use super::manifests::Declared;
use super::{Finder, PORTABLE_FILES};
use crate::error::ConversionError;
use crate::report::{Code, Kind, Location};
use crate::source::ServerSource;

const DEFAULT: &str = ".mcp.json";
/// What the `$schema` of a file of Agent Plugins holds.
const AGENT_PLUGINS: &str = "agent-plugins.org/";
/// Servers packed into an archive.
const PACKED: &[&str] = &[".mcpb", ".dxt"];

impl Finder<'_> {
    /// Where two have one name the later counts: the manifest over the file, the author's choice for the target over both.
    pub(super) fn servers(&mut self) -> Result<(), ConversionError> {
        let manifests = self.manifests;
        let mut read = BTreeSet::new();
        if let Some(json) = super::portable(&self.source.tree, PORTABLE_FILES[1]) {
            self.found
                .findings
                .extend(super::manifests::duplicate_keys(&json));
            self.map(&json, "", &json.value);
            read.insert(json.file);
        }
        self.servers_in(DEFAULT, &mut read)?;
        let for_target = manifests.declared_for_target("mcpServers");
        let says_none = |declared: &&Declared<'_>| is_empty(declared.value);
        let wants_none = for_target.as_ref().filter(says_none).is_some();
        let declared = manifests.declared("mcpServers");
        for declared in declared
            .iter()
            .chain(for_target.iter().filter(|_| !wants_none))
            .flat_map(Declared::each)
        {
            match declared.value {
                Value::Object(_) => self.map(declared.json, &declared.pointer, declared.value),
                Value::String(path) if is_packed(path) => self.drop(
                    Kind::McpServer,
                    path,
                    declared.at(),
                    Code::UnsupportedMcpb,
                    "a server packed into an archive can't be run",
                ),
                Value::String(path) => {
                    if let Some(file) = self.file_of(path, &declared, Kind::McpServer) {
                        self.servers_in(&file, &mut read)?;
                    }
                }
                _ => self.ignored(declared.at(), "mcpServers", "a path or a map of servers"),
            }
        }
        if wants_none {
            self.drop_servers();
        }
        Ok(())
    }

    /// The author wants none in the target: Claude's are accounted for, and left out.
    fn drop_servers(&mut self) {
        self.servers.clear();
        for server in std::mem::take(&mut self.found.plugin.servers) {
            self.drop(
                Kind::McpServer,
                &server.name,
                Location::new(&server.file, server.line),
                Code::AuthorManifestUsed,
                "the author's own manifest for the target says that no server runs there",
            );
        }
    }

    fn servers_in(
        &mut self,
        path: &str,
        read: &mut BTreeSet<String>,
    ) -> Result<(), ConversionError> {
        if read.insert(path.to_owned())
            && let Some(json) = self.json(path)?
        {
            self.map(&json, "", &json.value);
        }
        Ok(())
    }

    /// Servers by name; they may stand under `mcpServers`, or by themselves.
    fn map(&mut self, json: &Json, pointer: &str, value: &Value) {
        let is_manifest = !pointer.is_empty();
        let (is_wrapped, pointer, value) = match value.get("mcpServers") {
            Some(servers) if servers.is_object() => {
                (true, format!("{pointer}/mcpServers"), servers)
            }
            _ => (false, pointer.to_owned(), value),
        };
        let Some(servers) = value.as_object() else {
            self.ignored(json.at(&pointer), "mcpServers", "a map of servers");
            return;
        };
        let schema = json.value.get("$schema").and_then(Value::as_str);
        let is_portable = schema.is_some_and(|schema| schema.contains(AGENT_PLUGINS));
        let servers = servers.iter().filter(|(name, _)| *name != "$schema");
        for (name, definition) in servers {
            let line = json.line(&format!("{pointer}{}", step(name)));
            if !definition.is_object() {
                let at = Location::new(&json.file, line);
                // In a file without `mcpServers`, other keys are no servers.
                if is_wrapped || is_manifest {
                    let reason = "its definition is not a map";
                    self.drop(Kind::McpServer, name, at, Code::McpMalformed, reason);
                } else {
                    self.ignored(at, name, "the definition of a server");
                }
                continue;
            }
            let mut definition = definition.clone();
            if is_portable && definition.get("command").is_some() {
                definition["cwd"] = portable_folder(definition.get("cwd"));
            }
            let server = ServerSource {
                name: name.clone(),
                file: json.file.clone(),
                line,
                definition,
            };
            self.server(server);
        }
    }

    fn server(&mut self, server: ServerSource) {
        let servers = &mut self.found.plugin.servers;
        let place = self.servers.entry(server.name.clone());
        let place = *place.or_insert(servers.len());
        let Some(twin) = servers.get_mut(place) else {
            servers.push(server);
            return;
        };
        let replaced = std::mem::replace(twin, server);
        if replaced.definition != twin.definition {
            let reason = format!("the server of that name in `{}` takes its place", twin.file);
            self.drop(
                Kind::McpServer,
                &replaced.name,
                Location::new(&replaced.file, replaced.line),
                Code::McpOverridden,
                &reason,
            );
        }
    }
}

/// Where a process of Agent Plugins starts: in the plugin's folder or one below it, not in the project as Claude's does.
fn portable_folder(written: Option<&Value>) -> Value {
    match written {
        None | Some(Value::Null) => Value::from("${PLUGIN_ROOT}"),
        Some(Value::String(path)) if path == "." || path.starts_with("./") => {
            Value::from(format!("${{PLUGIN_ROOT}}{}", &path[1..]))
        }
        Some(other) => other.clone(),
    }
}

/// Whether a manifest's value says that there are none.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

fn is_packed(path: &str) -> bool {
    PACKED.iter().any(|ending| path.ends_with(ending))
}
