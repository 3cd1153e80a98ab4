//! What a fetched tree is: a plugin of Claude's or Codex's form, or a folder of skills. It is made a plugin that has a name.

use std::collections::BTreeSet;

use codex_loadout_bundle::{Tree, TreeFile};
use codex_loadout_converter::is_made_for_claude;
use serde_json::{Map, Value, json};

use crate::address::escaped;
use crate::error::{FetchError, FetchErrorKind};
use crate::fetch::Fetched;

/// What a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// A plugin that was made for Claude, at least in part: it is converted.
    ClaudePlugin,
    /// A plugin in Codex's own form.
    CodexPlugin,
    /// An Agent Plugin, which Codex reads as it is.
    AgentPlugin,
    /// Skills without a manifest.
    SkillFolder,
}

/// A plugin with a name.
#[derive(Debug, Clone)]
pub struct Content {
    /// What it was.
    pub kind: ContentKind,
    /// Its name: `[A-Za-z0-9._-]+`.
    pub name: String,
    /// Its version, if something says one: `[A-Za-z0-9._+-]+`.
    pub version: Option<String>,
    /// Its files. Skills without a manifest have one now; a plugin for Claude is as it was, converting it is the next step.
    pub tree: Tree,
}

const CODEX_MANIFEST: &str = ".codex-plugin/plugin.json";
const CLAUDE_MANIFEST: &str = ".claude-plugin/plugin.json";
const AGENT_MANIFEST: &str = "plugin.json";
const AGENT_SCHEMAS: &str = "https://agent-plugins.org/schemas/";
const SKILL_FILE: &str = "SKILL.md";
/// Keys of a marketplace's entry that say what a plugin consists of.
const COMPONENTS: [&str; 6] = [
    "skills",
    "commands",
    "agents",
    "hooks",
    "mcpServers",
    "lspServers",
];

impl Fetched {
    /// What was fetched, as a plugin. `name` is what to call it where neither a manifest nor a marketplace does.
    ///
    /// # Errors
    /// If there is nothing in it that a thread could have.
    pub fn content(&self, name: Option<&str>) -> Result<Content, FetchError> {
        let entry = self.entry.as_ref();
        let kind = kind(&self.tree, entry).ok_or_else(|| nothing(&self.tree))?;
        let manifest = manifest(&self.tree, kind);
        let said = |key: &str| {
            let of = |map: Option<&Map<String, Value>>| {
                let text = map?.get(key)?.as_str()?.trim();
                (!text.is_empty()).then(|| text.to_owned())
            };
            of(manifest.as_ref()).or_else(|| of(entry))
        };
        let name = said("name")
            .or_else(|| name.map(str::to_owned))
            .unwrap_or_else(|| self.name.clone());
        let name = plugin_name(&name);
        let version = said("version").or_else(|| self.version.clone());
        let version = version.filter(|version| version.chars().all(is_version));
        let mut tree = self.tree.clone();
        match kind {
            ContentKind::SkillFolder => {
                tree = with_skills_declared(&tree, &name, version.as_deref(), said("description"));
            }
            ContentKind::CodexPlugin => name_manifest(&mut tree, manifest, &name),
            ContentKind::ClaudePlugin | ContentKind::AgentPlugin => {}
        }
        Ok(Content {
            kind,
            name,
            version,
            tree,
        })
    }
}

/// A character of a version that Codex takes.
fn is_version(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._+-".contains(c)
}

/// A name that Codex takes for a plugin's.
fn plugin_name(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let spelled: String = text
        .chars()
        .map(|c| if is_word(c) { c } else { '-' })
        .collect();
    let short: String = spelled.trim_matches(['-', '.']).chars().take(64).collect();
    match short.trim_end_matches(['-', '.']) {
        "" => "bundle".to_owned(),
        name => name.to_owned(),
    }
}

fn json(tree: &Tree, path: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&tree.get(path)?.bytes).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// What a tree is; `None` if it is nothing that a thread could have.
fn kind(tree: &Tree, entry: Option<&Map<String, Value>>) -> Option<ContentKind> {
    let is_agent_plugin = json(tree, AGENT_MANIFEST).is_some_and(|manifest| {
        let schema = manifest.get("$schema").and_then(Value::as_str);
        schema.is_some_and(|schema| schema.starts_with(AGENT_SCHEMAS))
    });
    let is_declared =
        entry.is_some_and(|entry| COMPONENTS.iter().any(|key| entry.contains_key(*key)));
    if tree.get(CODEX_MANIFEST).is_some() && !is_made_for_claude(tree) && !is_declared {
        return Some(ContentKind::CodexPlugin);
    }
    // Its other parts would be lost to a Codex that takes nothing but what the form has.
    if is_agent_plugin && tree.get(CLAUDE_MANIFEST).is_none() {
        return Some(ContentKind::AgentPlugin);
    }
    let has = |path: &str| tree.get(path).is_some();
    let has_markdown = |folder: &str| tree.under(folder).any(|(path, _)| path.ends_with(".md"));
    if has(CLAUDE_MANIFEST)
        || has(CODEX_MANIFEST)
        || has("hooks/hooks.json")
        || has(".mcp.json")
        || is_declared
        || has_markdown("commands")
        || has_markdown("agents") && !has("agents/SKILL.md") && !has(SKILL_FILE)
    {
        return Some(ContentKind::ClaudePlugin);
    }
    (!skill_folders(tree).is_empty()).then_some(ContentKind::SkillFolder)
}

fn manifest(tree: &Tree, kind: ContentKind) -> Option<Map<String, Value>> {
    match kind {
        ContentKind::AgentPlugin => json(tree, AGENT_MANIFEST),
        _ => json(tree, CLAUDE_MANIFEST).or_else(|| json(tree, CODEX_MANIFEST)),
    }
}

/// Where skills lie that no manifest declares: the root, `skills`, or else each folder at the top that has some in it.
/// Codex looks into no hidden folder.
fn skill_folders(tree: &Tree) -> BTreeSet<&str> {
    let folders = tree
        .iter()
        .filter_map(|(path, _)| match path.strip_suffix(SKILL_FILE)? {
            "" => Some(""),
            folder => folder.strip_suffix('/'),
        });
    let folders: BTreeSet<&str> = folders
        .filter(|folder| folder.split('/').all(|part| !part.starts_with('.')))
        .collect();
    if folders.contains("") {
        return [""].into();
    }
    let tops: BTreeSet<&str> = folders
        .iter()
        .filter_map(|folder| folder.split('/').next())
        .collect();
    if tops.contains("skills") {
        return ["skills"].into();
    }
    tops
}

/// Skills as a plugin.
fn with_skills_declared(
    tree: &Tree,
    name: &str,
    version: Option<&str>,
    description: Option<String>,
) -> Tree {
    let folders = skill_folders(tree);
    let is_one = folders.contains("");
    // A plugin has no skill at its root.
    let mut plugin: Tree = tree
        .iter()
        .map(|(path, file)| {
            let path = match is_one {
                true => format!("skills/{name}/{path}"),
                false => path.to_owned(),
            };
            (path, file.clone())
        })
        .collect();
    let folders: Vec<String> = match is_one {
        true => vec!["./skills/".to_owned()],
        false => folders
            .iter()
            .map(|folder| format!("./{folder}/"))
            .collect(),
    };
    let mut manifest = json!({ "name": name, "version": version.unwrap_or("0.0.0") });
    if let Some(description) = description {
        manifest["description"] = json!(description);
    }
    manifest["skills"] = match folders.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    plugin.insert(CODEX_MANIFEST, TreeFile::plain(format!("{manifest:#}\n")));
    plugin
}

/// Gives a manifest without a name the plugin's. One that can't be read stays: reading the plugin says what is wrong with it.
fn name_manifest(tree: &mut Tree, manifest: Option<Map<String, Value>>, name: &str) {
    if let Some(mut manifest) = manifest
        && manifest.get("name").and_then(Value::as_str) != Some(name)
    {
        manifest.insert("name".to_owned(), json!(name));
        let text = format!("{:#}\n", Value::Object(manifest));
        tree.insert(CODEX_MANIFEST, TreeFile::plain(text));
    }
}

fn nothing(tree: &Tree) -> FetchError {
    let hidden = tree.iter().find_map(|(path, _)| {
        let folder = path.strip_suffix("/SKILL.md")?;
        Some(folder.rsplit_once('/').map_or(folder, |(above, _)| above))
    });
    let hint = match hidden {
        Some(folder) => format!(
            "Codex looks into no hidden folder for skills: name it with `--path {}`",
            escaped(folder)
        ),
        None => "name the folder with the plugin (.claude-plugin or .codex-plugin in it) or with the skills (SKILL.md) by `--path`".to_owned(),
    };
    FetchError::new(
        FetchErrorKind::Unreadable,
        "there is no plugin and no skill in it",
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn fetched(files: &[(&str, &str)], entry: Option<Value>) -> Fetched {
        Fetched {
            name: "my repo!".to_owned(),
            tree: files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), TreeFile::plain((*text).to_owned())))
                .collect(),
            resolved: Source::Folder { path: "/x".into() },
            commit: None,
            commit_object: None,
            sha256: None,
            signed: None,
            version: None,
            entry: entry.and_then(|entry| entry.as_object().cloned()),
            marketplace: None,
            steps: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn each_kind_is_known() {
        use ContentKind::{AgentPlugin, ClaudePlugin, CodexPlugin, SkillFolder};
        let schema = r#"{"$schema":"https://agent-plugins.org/schemas/1.0.0/plugin.schema.json","name":"ap"}"#;
        let codex = (CODEX_MANIFEST, r#"{"name":"c"}"#);
        let skill = ("skills/a/SKILL.md", "");
        for (files, entry, expected) in [
            (vec![codex, skill], None, Some((CodexPlugin, "c"))),
            (
                vec![(CODEX_MANIFEST, "{}"), skill],
                None,
                Some((CodexPlugin, "my-repo")),
            ),
            (
                vec![codex, ("commands/x.md", "")],
                None,
                Some((ClaudePlugin, "c")),
            ),
            (
                vec![(CLAUDE_MANIFEST, r#"{"name":"x"}"#), codex],
                None,
                Some((ClaudePlugin, "x")),
            ),
            (
                vec![("hooks/hooks.json", "{}"), skill],
                None,
                Some((ClaudePlugin, "my-repo")),
            ),
            (
                vec![("plugin.json", schema), skill],
                None,
                Some((AgentPlugin, "ap")),
            ),
            (
                vec![("plugin.json", "{}"), skill],
                None,
                Some((SkillFolder, "my-repo")),
            ),
            (vec![skill], None, Some((SkillFolder, "my-repo"))),
            (
                vec![skill],
                Some(json!({"name": "e"})),
                Some((SkillFolder, "e")),
            ),
            (
                vec![skill],
                Some(json!({"name": "e", "skills": ["./skills/a"]})),
                Some((ClaudePlugin, "e")),
            ),
            (vec![("SKILL.md", "")], None, Some((SkillFolder, "my-repo"))),
            (
                vec![("x/SKILL.md", "")],
                None,
                Some((SkillFolder, "my-repo")),
            ),
            (vec![(".hidden/x/SKILL.md", "")], None, None),
            (vec![("README.md", "")], None, None),
        ] {
            let content = fetched(&files, entry).content(None);
            let got = content
                .as_ref()
                .ok()
                .map(|content| (content.kind, content.name.as_str()));
            assert_eq!(got, expected, "{files:?}");
        }
        let hidden = fetched(&[(".claude/skills/x/SKILL.md", "")], None).content(None);
        assert!(hidden.unwrap_err().hint.contains("--path .claude/skills"));
    }

    #[test]
    fn skills_without_a_manifest_become_a_plugin() {
        for (files, skills, paths) in [
            (
                vec!["SKILL.md", "run.sh"],
                json!("./skills/"),
                "skills/n/SKILL.md skills/n/run.sh",
            ),
            (
                vec!["skills/a/SKILL.md", "docs/x/SKILL.md"],
                json!("./skills/"),
                "docs/x/SKILL.md skills/a/SKILL.md",
            ),
            (
                vec!["a/SKILL.md", "g/b/SKILL.md", "c.md"],
                json!(["./a/", "./g/"]),
                "a/SKILL.md c.md g/b/SKILL.md",
            ),
        ] {
            let files: Vec<(&str, &str)> = files.into_iter().map(|path| (path, "")).collect();
            let content = fetched(&files, None).content(Some("n")).unwrap();
            let manifest = json(&content.tree, CODEX_MANIFEST).unwrap();
            assert_eq!(
                Value::Object(manifest),
                json!({"name": "n", "version": "0.0.0", "skills": skills})
            );
            let rest: Vec<&str> = content.tree.iter().map(|(path, _)| path).skip(1).collect();
            assert_eq!(rest.join(" "), paths);
        }
    }

    #[test]
    fn any_text_gives_a_name() {
        for (text, name) in [
            ("a b/c", "a-b-c"),
            ("..", "bundle"),
            ("", "bundle"),
            ("日本", "bundle"),
            ("-x-", "x"),
            (&"y".repeat(100), &"y".repeat(64)),
        ] {
            assert_eq!(plugin_name(text), name);
        }
    }
}
