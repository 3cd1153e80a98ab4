//! Which agent a text means.

use crate::context::Context;

/// An agent of the platform, as it is spawned there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Its full name, Codex's `plugin:agent`, or the platform's own word.
    pub(crate) role: String,
    /// What is to be said of it besides.
    pub(crate) besides: Option<String>,
    /// Whether it is the one that is meant, not one in its place.
    pub(crate) known: bool,
}

impl Agent {
    /// "`role` agent".
    pub(crate) fn noun(&self) -> String {
        match &self.besides {
            None => format!("`{}` agent", self.role),
            Some(besides) => format!("`{}` agent ({besides})", self.role),
        }
    }
}

impl Context<'_> {
    /// The agent for tasks of any kind: what Claude spawns where none is named.
    pub(crate) fn any_agent(&self) -> Agent {
        self.built_in("general-purpose").unwrap_or(Agent {
            role: "general-purpose".to_owned(),
            besides: None,
            known: false,
        })
    }

    /// One of Claude's own agents.
    pub(crate) fn built_in(&self, written: &str) -> Option<Agent> {
        let (role, besides) = self.target.built_in_agent(written)?;
        Some(Agent {
            role: role.to_owned(),
            besides: besides.map(str::to_owned),
            known: true,
        })
    }

    /// The agent that a name means: of the plugin that it names, of this one, of Claude Code, of the only other plugin that has it.
    pub(crate) fn agent(&self, written: &str) -> Option<Agent> {
        let plugins = &self.names.plugins;
        let own = self.plugin.name.as_str();
        let found = if let Some((plugin, name)) = written.split_once(':') {
            self.agent_of(plugin, name)
        } else if let Some(role) = self.agent_of(own, written) {
            Some(role)
        } else if let Some(agent) = self.built_in(written) {
            return Some(agent);
        } else {
            let mut others = plugins
                .keys()
                .filter(|plugin| plugin.as_str() != own)
                .filter_map(|plugin| self.agent_of(plugin, written));
            let first = others.next();
            first.filter(|_| others.next().is_none())
        };
        found.map(|role| Agent {
            role,
            besides: None,
            known: true,
        })
    }

    /// One of the plugin's own agents, by its bare name.
    pub(crate) fn own_agent(&self, name: &str) -> Option<Agent> {
        let role = self.agent_of(&self.plugin.name, name)?;
        Some(Agent {
            role,
            besides: None,
            known: true,
        })
    }

    /// The agent a name means, or the one for any task in its place.
    pub(crate) fn agent_or_any(&self, written: &str) -> Agent {
        self.agent(written).unwrap_or_else(|| {
            let mut agent = self.any_agent();
            agent.known = false;
            agent.besides = Some(format!("in place of `{written}`, which is not there"));
            agent
        })
    }

    /// An agent of one plugin. Some authors put the plugin's name before the agent's, in the text or in the agent's own name.
    fn agent_of(&self, plugin: &str, name: &str) -> Option<String> {
        let agents = &self.names.plugins.get(plugin)?.agents;
        let without = name
            .strip_prefix(plugin)
            .and_then(|rest| rest.strip_prefix('-'));
        let with = format!("{plugin}-{name}");
        [Some(name), without, Some(with.as_str())]
            .into_iter()
            .flatten()
            .find(|name| agents.contains(*name))
            .map(|name| self.target.agent_name(plugin, name))
    }
}
