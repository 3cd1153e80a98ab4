//! Installed plugins as bundles, converted once as long as their folders stay as they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use codex_loadout_converter::report::Kind;
use codex_loadout_converter::{self as converter, is_made_for_claude};
use dashmap::DashMap;
use serde_json::Value;

use super::conversion::{ConversionInput, convert};
use super::mention_only::says_mention_only;
use super::model::{Conversion, Parts, PluginAgent, PluginServer, PluginSkill};
use super::skill_header::SkillHeader;
use crate::materializer::{Limits, Stamp, read_tree, stamp};

/// Conversions by folder.
#[derive(Debug, Default)]
pub(super) struct Conversions {
    known: DashMap<PathBuf, (Stamp, Option<Conversion>)>,
}

impl Conversions {
    /// What becomes of a plugin's folder; `None` if it was not made for Claude. Blocking: it reads files.
    pub(super) fn of(&self, root: &Path, input: &ConversionInput) -> Option<Conversion> {
        let before = match stamp(root, Limits::default()) {
            Ok(stamp) => stamp,
            Err(error) => return Some(Conversion::Failed(vec![error.to_string()])),
        };
        if let Some(known) = self.known.get(root)
            && known.0 == before
        {
            return known.1.clone();
        }
        let conversion = conversion(root, input);
        if before.is_settled(SystemTime::now()) {
            self.known
                .insert(root.to_owned(), (before, conversion.clone()));
        }
        conversion
    }
}

fn conversion(root: &Path, input: &ConversionInput) -> Option<Conversion> {
    let tree = match read_tree(root, Limits::default()) {
        Ok(tree) => tree,
        Err(error) => return Some(Conversion::Failed(vec![error.to_string()])),
    };
    is_made_for_claude(&tree).then(|| match convert(tree, input) {
        Ok(converted) => Conversion::Done(Arc::new(parts(converted))),
        Err(reasons) => Conversion::Failed(reasons),
    })
}

/// What a bundle gives a thread. All of it is on: what the user switched off is for others to say.
fn parts(converted: converter::Conversion) -> Parts {
    let skills = converted.report.components.iter().filter_map(|account| {
        let is_skill = matches!(account.kind, Kind::Skill | Kind::Command);
        let path = account.path.as_deref().filter(|_| is_skill)?;
        let folder = path.strip_suffix("/SKILL.md")?;
        let text = |path: &str| {
            let file = converted.bundle.get(path)?;
            Some(String::from_utf8_lossy(&file.bytes).into_owned())
        };
        let policy = text(&format!("{folder}/agents/openai.yaml"));
        Some(PluginSkill {
            name: account.target.clone()?,
            description: SkillHeader::parse(&text(path)?)?.description,
            folder: folder.to_owned(),
            enabled: true,
            mention_only: policy.is_some_and(|policy| says_mention_only(&policy)),
        })
    });
    let mut skills: Vec<PluginSkill> = skills.collect();
    skills.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
    let servers = converted
        .servers
        .into_iter()
        .filter_map(|(name, definition)| match definition {
            Value::Object(definition) => Some((
                name,
                PluginServer {
                    definition,
                    enabled: true,
                },
            )),
            _ => None,
        });
    let agents = converted.agents.into_iter().map(|agent| PluginAgent {
        name: agent.role,
        description: agent.description,
        file: agent.path,
    });
    Parts {
        skills,
        servers: servers.collect(),
        agents: agents.collect(),
        hooks: Vec::new(),
    }
}
