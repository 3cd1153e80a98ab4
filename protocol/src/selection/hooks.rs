//! Which hooks of chosen plugins run.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

const NONE: &str = "none";
const TRUSTED: &str = "trusted";

/// Which hooks of chosen plugins run: `"none"`, `"trusted"`, or a list of events and ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HookPolicy {
    /// None.
    #[default]
    None,
    /// Those that the user approved.
    Trusted,
    /// Those of these events or ids, approved or not: the selection approves them for its thread.
    Only(Vec<String>),
}

impl HookPolicy {
    /// The events and ids that are named.
    #[must_use]
    pub fn named(&self) -> &[String] {
        match self {
            Self::None | Self::Trusted => &[],
            Self::Only(names) => names,
        }
    }
}

impl Serialize for HookPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str(NONE),
            Self::Trusted => serializer.serialize_str(TRUSTED),
            Self::Only(names) => {
                let mut list = serializer.serialize_seq(Some(names.len()))?;
                for name in names {
                    list.serialize_element(name)?;
                }
                list.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for HookPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Policy;
        impl<'de> Visitor<'de> for Policy {
            type Value = HookPolicy;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "`{NONE}`, `{TRUSTED}` or a list of events and ids of hooks"
                )
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
                match word {
                    NONE => Ok(HookPolicy::None),
                    TRUSTED => Ok(HookPolicy::Trusted),
                    other => Err(E::unknown_variant(other, &[NONE, TRUSTED])),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(HookPolicy::Only(names))
            }
        }
        deserializer.deserialize_any(Policy)
    }
}

impl JsonSchema for HookPolicy {
    fn schema_name() -> Cow<'static, str> {
        "HookPolicy".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which hooks of chosen plugins run: none, those that the user approved, or those of these events or ids, approved for this thread.",
            "anyOf": [
                { "type": "string", "enum": [NONE, TRUSTED] },
                { "type": "array", "items": { "type": "string" } }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_word_or_a_list() {
        for (text, policy) in [
            (r#""none""#, HookPolicy::None),
            (r#""trusted""#, HookPolicy::Trusted),
            ("[]", HookPolicy::Only(Vec::new())),
            (
                r#"["Stop","p@m:hooks/hooks.json:stop:0:0"]"#,
                HookPolicy::Only(vec![
                    "Stop".to_owned(),
                    "p@m:hooks/hooks.json:stop:0:0".to_owned(),
                ]),
            ),
        ] {
            assert_eq!(serde_json::from_str::<HookPolicy>(text).unwrap(), policy);
            assert_eq!(serde_json::to_string(&policy).unwrap(), text);
        }
        for text in [r#""Stop""#, "5", "[5]", "{}"] {
            assert!(serde_json::from_str::<HookPolicy>(text).is_err(), "{text}");
        }
    }
}
