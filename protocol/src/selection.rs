//! `capabilitySelection`: which capabilities one thread gets.
//!
//! Every list is tri-state: omitted (or `null`), empty, or a list of names. What
//! omitted means depends on [`Mode`].

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::error::{ErrorItem, ErrorKind, LoadoutError};

/// The field name on `thread/start`, `thread/resume` and `thread/fork`.
pub const FIELD: &str = "capabilitySelection";

/// Bytes of a selection's JSON, at most.
pub const MAX_TEXT: usize = 1024 * 1024;
/// Names in a selection, at most: ten times what a large host has installed.
pub const MAX_NAMES: usize = 5_000;
/// Bytes of a name, at most: a path is one, too.
pub const MAX_NAME: usize = 4096;

/// What a host asks for on `thread/start`, `thread/resume` or `thread/fork`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilitySelection {
    /// How the named capabilities relate to the user's own set.
    pub mode: Mode,
    /// Profiles to start from, merged left to right; the fields beside it are merged on top.
    #[serde(skip_serializing_if = "ProfileNames::is_empty")]
    pub profile: ProfileNames,
    /// Plugins, each bringing its skills, agents, hooks and MCP servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<PluginChoice>>,
    /// Skills outside the chosen plugins, by logical name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<SkillChoice>>,
    /// MCP servers, wherever they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<Vec<McpServerChoice>>,
    /// Agents (Codex: roles) outside the chosen plugins, by logical name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
    /// Connectors of the user's account, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apps: Option<Vec<String>>,
    /// Whether approved hooks of chosen plugins run.
    pub hooks: HookPolicy,
    /// What becomes of what an administrator's layer of config forces on every thread.
    #[serde(skip_serializing_if = "ManagedPolicy::is_default")]
    pub managed: ManagedPolicy,
}

impl CapabilitySelection {
    /// Reads a selection from the JSON text of the field.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSelection`], naming the path of the offending field.
    pub fn from_json(text: &str) -> Result<Self, LoadoutError> {
        if text.len() > MAX_TEXT {
            return Err(too_large(format!("more than {MAX_TEXT} bytes")));
        }
        // serde reads a struct from a JSON list as well, field by field.
        if !text.trim_start().starts_with('{') {
            return Err(LoadoutError::new(
                ErrorKind::InvalidSelection,
                format!("`{FIELD}` is not valid: expected an object"),
            )
            .with_hint("Send an object, or leave the field out for Codex's own behaviour.")
            .with_items(vec![ErrorItem::named(FIELD)]));
        }
        let deserializer = &mut serde_json::Deserializer::from_str(text);
        let selection: Self = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let inner = error.path().to_string();
            let path = match inner.as_str() {
                // Where the text ends or is no JSON, there is no field to name.
                "." | "?" => FIELD.to_owned(),
                inner => format!("{FIELD}.{}", inner.trim_end_matches(".?")),
            };
            let cause = error.into_inner().to_string();
            // serde_json ends its messages with a position in the field's own
            // text, which means nothing to whoever wrote the whole request.
            let cause = cause.split(" at line ").next().unwrap_or(&cause);
            LoadoutError::new(
                ErrorKind::InvalidSelection,
                format!("`{path}` is not valid: {cause}"),
            )
            .with_hint("`codex-loadout schema CapabilitySelection` prints the shape of each field.")
            .with_items(vec![ErrorItem::named(path)])
        })?;
        let mut names = 0;
        let mut longest = 0;
        selection.each_name(&mut |name| {
            names += 1;
            longest = longest.max(name.len());
        });
        if names > MAX_NAMES {
            return Err(too_large(format!(
                "{names} names, and {MAX_NAMES} are read"
            )));
        }
        if longest > MAX_NAME {
            let why = format!("a name of {longest} bytes, and {MAX_NAME} are read");
            return Err(too_large(why));
        }
        Ok(selection)
    }

    /// Every name in it, tools of servers among them.
    fn each_name(&self, visit: &mut impl FnMut(&str)) {
        fn all<'a>(names: impl IntoIterator<Item = &'a String>, visit: &mut impl FnMut(&str)) {
            for name in names {
                visit(name);
            }
        }
        fn skills(chosen: &Option<Vec<SkillChoice>>, visit: &mut impl FnMut(&str)) {
            all(chosen.iter().flatten().map(|skill| &skill.name), visit);
        }
        fn servers(chosen: &Option<Vec<McpServerChoice>>, visit: &mut impl FnMut(&str)) {
            for server in chosen.iter().flatten() {
                visit(&server.name);
                all(server.tools.iter().flatten(), visit);
            }
        }
        for plugin in self.plugins.iter().flatten() {
            visit(&plugin.id);
            skills(&plugin.skills, visit);
            servers(&plugin.mcp_servers, visit);
            all(plugin.agents.iter().flatten(), visit);
        }
        skills(&self.skills, visit);
        servers(&self.mcp_servers, visit);
        all(self.agents.iter().flatten(), visit);
        all(self.apps.iter().flatten(), visit);
        all(&self.profile.0, visit);
    }
}

fn too_large(what: String) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`{FIELD}` is too large: it has {what}"),
    )
    .with_hint("Choose plugins as a whole, or leave out a list: in `restrict` and `extend` that takes all there is.")
    .with_items(vec![ErrorItem::named(FIELD)])
}

/// How the named capabilities relate to the user's own set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The thread gets what is named and nothing else.
    #[default]
    Replace,
    /// The user's own set, each given list cut down to what it names.
    Restrict,
    /// The user's own set, plus what is named.
    Extend,
}

impl Mode {
    /// The word used for this mode on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Restrict => "restrict",
            Self::Extend => "extend",
        }
    }
}

/// Whether approved hooks of chosen plugins run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookPolicy {
    /// No hook of a chosen plugin runs.
    #[default]
    None,
    /// Hooks of chosen plugins run if the user approved them.
    Trusted,
}

/// What becomes of what an administrator's layer of config forces on every thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ManagedPolicy {
    /// The request fails with `policyConflict`.
    #[default]
    Refuse,
    /// The thread has it, and the receipt lists it.
    Include,
}

impl ManagedPolicy {
    /// Whether it is what holds where nothing is said.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks it")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One profile name or a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ProfileNames(#[schemars(schema_with = "one_or_many_names")] pub Vec<String>);

impl ProfileNames {
    /// Whether no profile was named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for ProfileNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = ProfileNames;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a profile name or a list of profile names")
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(ProfileNames(vec![name.to_owned()]))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(ProfileNames::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(ProfileNames(names))
            }
        }
        deserializer.deserialize_any(Names)
    }
}

/// A chosen plugin: its id alone, or an object that narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginChoice {
    /// `name@marketplace`, `name@bundle`, or a bare name that only one source has.
    pub id: String,
    /// Keep only these of the plugin's skills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<SkillChoice>>,
    /// Keep only these of the plugin's agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
    /// Keep only these of the plugin's MCP servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<Vec<McpServerChoice>>,
}

/// The object form of [`PluginChoice`].
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PluginObject {
    /// `name@marketplace`, `name@bundle`, or a bare name that only one source has.
    id: String,
    /// Keep only these of the plugin's skills; omitted keeps all.
    #[serde(default)]
    skills: Option<Vec<SkillChoice>>,
    /// Keep only these of the plugin's agents; omitted keeps all.
    #[serde(default)]
    agents: Option<Vec<String>>,
    /// Keep only these of the plugin's MCP servers; omitted keeps all.
    #[serde(default)]
    mcp_servers: Option<Vec<McpServerChoice>>,
}

impl<'de> Deserialize<'de> for PluginChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = PluginChoice;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plugin id or an object with `id`")
            }
            fn visit_str<E>(self, id: &str) -> Result<Self::Value, E> {
                Ok(PluginChoice {
                    id: id.to_owned(),
                    ..PluginChoice::default()
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let object = PluginObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(PluginChoice {
                    id: object.id,
                    skills: object.skills,
                    agents: object.agents,
                    mcp_servers: object.mcp_servers,
                })
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

impl JsonSchema for PluginChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PluginChoice".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        string_or::<PluginObject>(generator)
    }
}

/// How a skill stands in the list that the model reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SkillListing {
    /// By its name and description.
    #[default]
    Full,
    /// By its name alone.
    Name,
    /// Not at all: it is called with `$name`.
    Manual,
}

impl SkillListing {
    /// Whether it is the one that a skill has where nobody says otherwise.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// A chosen skill: its name alone, or an object that says how it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkillChoice {
    /// The skill's logical name.
    pub name: String,
    /// How it is listed; `None`: as its author has it.
    pub list: Option<SkillListing>,
}

impl From<&str> for SkillChoice {
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            list: None,
        }
    }
}

/// The object form of [`SkillChoice`].
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SkillObject {
    /// The skill's logical name.
    name: String,
    /// How it is listed; omitted: as its author has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<SkillListing>,
}

impl Serialize for SkillChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.list {
            None => serializer.serialize_str(&self.name),
            list => SkillObject {
                name: self.name.clone(),
                list,
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SkillChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = SkillChoice;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a skill name or an object with `name`")
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(SkillChoice::from(name))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let SkillObject { name, list } =
                    SkillObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(SkillChoice { name, list })
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

impl JsonSchema for SkillChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SkillChoice".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        string_or::<SkillObject>(generator)
    }
}

/// A chosen MCP server: its name alone, or an object that cuts it to some tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct McpServerChoice {
    /// The server's name as configured, or `plugin:server` where several sources have the name.
    pub name: String,
    /// Keep only these tools, by the names the server gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
}

/// The object form of [`McpServerChoice`].
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct McpServerObject {
    /// The server's name as configured, or `plugin:server` where several sources have the name.
    name: String,
    /// Keep only these tools, by the names the server gives them; omitted keeps all.
    #[serde(default)]
    tools: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for McpServerChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = McpServerChoice;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an MCP server name or an object with `name`")
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(McpServerChoice {
                    name: name.to_owned(),
                    tools: None,
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let object = McpServerObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(McpServerChoice {
                    name: object.name,
                    tools: object.tools,
                })
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

impl JsonSchema for McpServerChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "McpServerChoice".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        string_or::<McpServerObject>(generator)
    }
}

fn string_or<T: JsonSchema>(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let object = generator.subschema_for::<T>();
    schemars::json_schema!({ "anyOf": [{ "type": "string" }, object] })
}

fn one_or_many_names(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> CapabilitySelection {
        CapabilitySelection::from_json(text).unwrap()
    }

    #[test]
    fn lists_are_tri_state() {
        let selection = parse(r#"{"plugins":[],"skills":null}"#);
        assert_eq!(selection.plugins, Some(vec![]));
        assert_eq!(selection.skills, None);
        assert_eq!(selection.mcp_servers, None);
        assert_eq!(selection.mode, Mode::Replace);
    }

    #[test]
    fn the_contract_example_parses_and_round_trips() {
        let selection = parse(
            r#"{ "mode": "replace", "profile": "review",
                 "plugins": ["github@internal", { "id": "linear@internal", "mcpServers": [] }],
                 "skills": ["repo-review", "github:github-skill"],
                 "mcpServers": ["usermcp", { "name": "sentry", "tools": ["search"] }],
                 "agents": ["spec-forge:reviewer"], "apps": [], "hooks": "none" }"#,
        );
        assert_eq!(selection.profile.0, ["review"]);
        let plugins = selection.plugins.as_ref().unwrap();
        assert_eq!(plugins[1].mcp_servers, Some(vec![]));
        let servers = selection.mcp_servers.as_ref().unwrap();
        assert_eq!(servers[1].tools, Some(vec!["search".to_owned()]));
        assert_eq!(
            parse(&serde_json::to_string(&selection).unwrap()),
            selection
        );
    }

    #[test]
    fn a_skill_may_say_how_it_is_listed() {
        let text = r#"{"skills":["a",{"name":"b","list":"name"},{"name":"c"}],"plugins":[{"id":"p","skills":[{"name":"d","list":"manual"}]}]}"#;
        let selection = parse(text);
        let skills = selection.skills.as_ref().unwrap();
        let lists: Vec<_> = skills.iter().map(|skill| skill.list).collect();
        assert_eq!(lists, [None, Some(SkillListing::Name), None]);
        let of_plugin = selection.plugins.as_ref().unwrap()[0]
            .skills
            .as_ref()
            .unwrap();
        assert_eq!(of_plugin[0].list, Some(SkillListing::Manual));
        assert_eq!(
            parse(&serde_json::to_string(&selection).unwrap()),
            selection
        );
        assert!(
            CapabilitySelection::from_json(r#"{"skills":[{"name":"b","list":"none"}]}"#).is_err()
        );
    }

    #[test]
    fn what_is_too_large_is_refused_in_a_few_words() {
        let names = |count: usize, length: usize| {
            let name = "n".repeat(length);
            serde_json::json!({ "skills": vec![name; count] }).to_string()
        };
        for text in [
            names(1, MAX_TEXT),
            names(1, MAX_NAME + 1),
            names(MAX_NAMES + 1, 1),
            format!(r#"{{"skills":5,"{}":1}}"#, "k".repeat(MAX_TEXT)),
            format!(r#"{{"{}":1}}"#, "k".repeat(MAX_TEXT / 2)),
        ] {
            let error = CapabilitySelection::from_json(&text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidSelection);
            assert!(error.to_json_rpc().to_string().len() < 8192);
        }
        for text in [names(MAX_NAMES, 100), names(200, MAX_NAME)] {
            assert!(CapabilitySelection::from_json(&text).is_ok());
        }
        let tools =
            serde_json::json!({ "mcpServers": [{ "name": "s", "tools": vec!["t"; MAX_NAMES] }] });
        assert!(CapabilitySelection::from_json(&tools.to_string()).is_err());
    }

    #[test]
    fn a_wrong_type_names_the_path_of_the_field() {
        for (text, path) in [
            (r#"{"mode":"replacing"}"#, "capabilitySelection.mode"),
            (r#"{"skills":"repo-review"}"#, "capabilitySelection.skills"),
            (r#"{"skills":["a",5]}"#, "capabilitySelection.skills[1]"),
            (
                r#"{"mcpServers":[{"name":"s","tools":[1]}]}"#,
                "capabilitySelection.mcpServers[0].tools[0]",
            ),
            (
                r#"{"plugins":["a",{"id":"b","skill":[]}]}"#,
                "capabilitySelection.plugins[1].skill",
            ),
            (r#"{"hooks":true}"#, "capabilitySelection.hooks"),
            (r#"[]"#, "capabilitySelection"),
            (r#""review""#, "capabilitySelection"),
        ] {
            let error = CapabilitySelection::from_json(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidSelection, "{text}");
            assert_eq!(error.items[0].name, path, "{text}: {}", error.message);
        }
    }
}
