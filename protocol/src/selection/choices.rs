//! One name of a selection's list, or an object that says more than a name.

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

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
