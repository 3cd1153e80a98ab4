//! What a converted plugin gives a thread.

use std::collections::BTreeSet;

use codex_loadout_converter::report::Kind;
use codex_loadout_converter::target::SkillHeader;
use codex_loadout_converter::target::hook_trust::hook_key;
use codex_loadout_converter::{self as converter};
use serde_json::Value;

use super::mention_only::says_mention_only;
use super::model::{Parts, PluginAgent, PluginHook, PluginServer, PluginSkill};

impl Parts {
    /// What a bundle gives a thread. All of it is on: what the user switched off is for others to say.
    #[must_use]
    pub fn of(converted: &converter::Conversion) -> Self {
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
                description: SkillHeader::parse(&text(path)?).ok()?.description,
                folder: folder.to_owned(),
                enabled: true,
                mention_only: policy.is_some_and(|policy| says_mention_only(&policy)),
            })
        });
        let mut skills: Vec<PluginSkill> = skills.collect();
        skills.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
        let servers = converted
            .servers
            .iter()
            .filter_map(|(name, definition)| match definition {
                Value::Object(definition) => Some((
                    name.clone(),
                    PluginServer {
                        definition: definition.clone(),
                        enabled: true,
                    },
                )),
                _ => None,
            });
        let agents = converted.agents.iter().map(|agent| PluginAgent {
            name: agent.role.clone(),
            description: agent.description.clone(),
            file: agent.path.clone(),
        });
        Self {
            skills,
            servers: servers.collect(),
            older_servers: BTreeSet::new(),
            agents: agents.collect(),
            hooks: converted.hooks.iter().map(hook).collect(),
        }
    }
}

fn hook(hook: &converter::BundleHook) -> PluginHook {
    let origin = &hook.origin;
    PluginHook {
        event: hook.event.clone(),
        matcher: hook.matcher.clone(),
        handler: hook.handler.clone(),
        origin: hook_key(&origin.file, &hook.event, origin.group, origin.handler),
        trusted: false,
    }
}
