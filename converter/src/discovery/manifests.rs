//! What says of what a plugin consists: Claude's manifest, the marketplace's entry, the author's own manifest for the target.

use serde_json::{Map, Value};

use super::json::{Json, step};
use super::{CLAUDE_MANIFEST, CLAUDE_MARKETPLACE, PORTABLE_FILES, portable};
use crate::error::ConversionError;
use crate::report::{Code, Finding, Location};
use crate::source::{Plugin, Source};

/// Keys that declare parts.
const PART_KEYS: &[&str] = &[
    "skills",
    "commands",
    "agents",
    "hooks",
    "mcpServers",
    "lspServers",
    "outputStyles",
    "workflows",
    "channels",
    "experimental",
    "themes",
    "monitors",
];

/// Keys of a marketplace's entry that are not those of a manifest.
const ENTRY_KEYS: &[&str] = &["source", "strict", "category", "tags", "relevance"];

/// What says of what a plugin consists.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    claude: Option<Json>,
    entry: Option<Json>,
    /// That of the author for the target.
    own: Option<Json>,
    /// That of Agent Plugins 1.0: it says what Claude's does not.
    portable: Option<Json>,
    /// Whether the entry alone says what there is (`strict: false`).
    entry_alone: bool,
    pub(super) findings: Vec<Finding>,
}

/// A value that declares parts, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Declared<'a> {
    pub(super) json: &'a Json,
    /// Path to the value, as [`Json::line`] takes it.
    pub(super) pointer: String,
    pub(super) value: &'a Value,
}

impl<'a> Declared<'a> {
    pub(super) fn at(&self) -> Location {
        self.json.at(&self.pointer)
    }

    /// What lies below a key.
    pub(super) fn child(&self, key: &str, value: &'a Value) -> Self {
        Self {
            json: self.json,
            pointer: format!("{}{}", self.pointer, step(key)),
            value,
        }
    }

    /// The elements of a list, or the one value itself.
    pub(super) fn each(&self) -> Vec<Self> {
        match self.value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, value)| self.child(&index.to_string(), value))
                .collect(),
            _ => vec![self.clone()],
        }
    }
}

impl Manifests {
    /// Reads them all.
    ///
    /// # Errors
    /// If one is not a JSON object.
    pub(super) fn read(source: &Source, own: &str) -> Result<Self, ConversionError> {
        let read = |path: &str| -> Result<Option<Json>, ConversionError> {
            let Some(file) = source.tree.get(path) else {
                return Ok(None);
            };
            let json = Json::read(path, file)?;
            if json.value.is_object() {
                Ok(Some(json))
            } else {
                Err(ConversionError::Shape {
                    location: Location::new(path, 1),
                    message: "a manifest is a JSON object".to_owned(),
                })
            }
        };
        let entry = source
            .entry
            .clone()
            .map(|entry| Json::without_lines(CLAUDE_MARKETPLACE, Value::Object(entry)));
        let entry_alone = entry
            .as_ref()
            .is_some_and(|entry| entry.value.get("strict") == Some(&Value::Bool(false)));
        let mut manifests = Self {
            claude: read(CLAUDE_MANIFEST)?,
            entry,
            own: read(own)?,
            portable: portable(&source.tree, PORTABLE_FILES[0]),
            entry_alone,
            findings: Vec::new(),
        };
        for json in [&manifests.claude, &manifests.own, &manifests.portable]
            .into_iter()
            .flatten()
        {
            manifests.findings.extend(duplicate_keys(json));
        }
        if let (true, Some(claude)) = (entry_alone, &manifests.claude) {
            for key in PART_KEYS
                .iter()
                .filter(|key| claude.value.get(**key).is_some())
            {
                manifests.findings.push(Finding::new(
                    Code::ManifestValueIgnored,
                    claude.at(&step(key)),
                    format!("`{key}` is ignored: the marketplace says `strict: false`, so its entry alone declares the parts"),
                ));
            }
        }
        if let Some(own) = &manifests.own {
            manifests.findings.push(Finding::new(
                Code::AuthorManifestUsed,
                own.at(""),
                "the author's own manifest for the target is used; what it leaves out is taken from Claude's",
            ));
        }
        Ok(manifests)
    }

    /// Whether nothing says that this is a plugin.
    pub(super) fn are_none(&self) -> bool {
        let all = [&self.claude, &self.entry, &self.own, &self.portable];
        all.iter().all(|json| json.is_none())
    }

    /// Whether the author has written for the target and not for Claude.
    pub(super) fn are_for_target_alone(&self) -> bool {
        self.claude.is_none() && self.portable.is_none() && self.own.is_some()
    }

    /// Whether only what the entry lists of a kind counts, default folders left aside.
    pub(super) fn entry_alone_lists(&self, key: &str) -> bool {
        self.entry_alone
            && self
                .entry
                .as_ref()
                .is_some_and(|entry| entry.value.get(key).is_some())
    }

    /// Whether a default folder counts: nothing is declared in its place, or only by the entry of a plugin that
    /// has a manifest of its own, to which an entry adds (`strict: true`).
    pub(super) fn default_counts(&self, key: &str) -> bool {
        let says = |json: &Option<Json>| {
            let json = json.as_ref();
            json.is_some_and(|json| declared_in(json, key).is_some())
        };
        let own = [&self.claude, &self.own, &self.portable];
        let entry_adds = !self.entry_alone && own.iter().any(|json| json.is_some());
        let is_replaced = says(&self.claude) || says(&self.portable);
        (!is_replaced || self.entry_alone) && (!says(&self.entry) || entry_adds)
    }

    /// What Claude's manifest and the entry declare under a key.
    pub(super) fn declared(&self, key: &str) -> Vec<Declared<'_>> {
        let own = [&self.claude, &self.portable]
            .into_iter()
            .flatten()
            .filter(|_| !self.entry_alone)
            .find_map(|json| declared_in(json, key));
        let entry = self.entry.as_ref().and_then(|json| declared_in(json, key));
        own.into_iter().chain(entry).collect()
    }

    /// What the author's own manifest for the target declares under a key.
    pub(super) fn declared_for_target(&self, key: &str) -> Option<Declared<'_>> {
        declared_in(self.own.as_ref()?, key)
    }

    /// The plugin, without its parts.
    pub(super) fn plugin(&self, source: &Source) -> Plugin {
        let object = |json: &Option<Json>| {
            json.as_ref()
                .and_then(|json| json.value.as_object())
                .cloned()
        };
        let entry: Map<String, Value> = object(&self.entry)
            .unwrap_or_default()
            .into_iter()
            .filter(|(key, _)| !ENTRY_KEYS.contains(&key.as_str()))
            .collect();
        let mut claude = object(&self.claude).unwrap_or_default();
        for (key, value) in object(&self.portable).unwrap_or_default() {
            if key != "$schema" {
                claude.entry(key).or_insert(value);
            }
        }
        let own_manifest = object(&self.own);
        let (mut manifest, fills) = if self.entry_alone {
            let claude = claude
                .into_iter()
                .filter(|(key, _)| !PART_KEYS.contains(&key.as_str()))
                .collect();
            (entry, claude)
        } else {
            (claude, entry)
        };
        for (key, value) in fills {
            manifest.entry(key).or_insert(value);
        }
        let text_of = |manifests: [Option<&Map<String, Value>>; 2], key: &str| {
            manifests
                .into_iter()
                .flatten()
                .filter_map(|map| map.get(key)?.as_str())
                .map(str::trim)
                .find(|text| !text.is_empty())
                .map(str::to_owned)
        };
        // Claude's users know its name; what it is for, the author has told the target.
        let name = text_of([Some(&manifest), own_manifest.as_ref()], "name");
        let own = |key: &str| text_of([own_manifest.as_ref(), Some(&manifest)], key);
        Plugin {
            name: name.unwrap_or_else(|| source.folder.clone()),
            version: own("version"),
            description: own("description"),
            own_manifest: own_manifest.clone(),
            manifest: manifest.clone(),
            ..Plugin::default()
        }
    }
}

fn declared_in<'a>(json: &'a Json, key: &str) -> Option<Declared<'a>> {
    let value = json.value.get(key).filter(|value| !value.is_null())?;
    Some(Declared {
        json,
        pointer: step(key),
        value,
    })
}

/// A key that stands twice is lost but for its last value: said.
pub(super) fn duplicate_keys(json: &Json) -> Vec<Finding> {
    json.duplicates
        .iter()
        .map(|(key, line)| {
            Finding::new(
                Code::DuplicateKey,
                Location::new(&json.file, *line),
                format!("the key `{key}` stands twice: the last one counts"),
            )
        })
        .collect()
}
