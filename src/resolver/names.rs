//! From what a host wrote to what there is: exact ids, bare names, and what to
//! write instead where neither fits.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use codex_loadout_protocol::alike::alike;
use codex_loadout_protocol::error::MAX_ITEMS;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::plan::RequestServers;
use crate::catalog::{Catalog, HostSkill, InstalledPlugin, PluginAgent, PluginSkill};

/// Qualifies a server of the user's or the project's config.
pub(super) const CONFIG_QUALIFIER: &str = "config";

/// Looks for names that are like one; done for those alone that are told.
type Suggest<'a> = Box<dyn FnOnce(&str) -> Vec<String> + 'a>;

/// A name that leads to nothing, or to too much.
pub(super) enum NameError<'a> {
    Unknown {
        what: &'static str,
        name: String,
        suggest: Suggest<'a>,
    },
    UnknownTool {
        server: String,
        name: String,
        has: Arc<BTreeSet<String>>,
    },
    Ambiguous {
        what: &'static str,
        item: ErrorItem,
    },
    Blocked {
        id: String,
        why: String,
    },
    /// A skill that is there, and that Codex can't read.
    Broken {
        name: String,
        file: &'a Path,
        why: &'a str,
    },
}

impl<'a> NameError<'a> {
    fn unknown(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str> + 'a,
    ) -> Self {
        Self::Unknown {
            what,
            name: name.to_owned(),
            suggest: Box::new(|name| alike(name, known)),
        }
    }

    /// A tool that a server is known not to have.
    pub(super) fn unknown_tool(
        server: &FoundServer<'_>,
        tool: &str,
        has: &Arc<BTreeSet<String>>,
    ) -> Self {
        Self::UnknownTool {
            server: server.name().to_owned(),
            name: tool.to_owned(),
            has: has.clone(),
        }
    }

    fn ambiguous(what: &'static str, name: &str, mut candidates: Vec<String>) -> Self {
        candidates.sort();
        Self::Ambiguous {
            what,
            item: ErrorItem {
                name: name.to_owned(),
                did_you_mean: Vec::new(),
                candidates,
            },
        }
    }
}

/// One error for all problems, the unknown names first. Of many, it tells some and counts the others.
pub(super) fn report(problems: Vec<NameError<'_>>) -> Result<(), LoadoutError> {
    let mut unknown = Vec::new();
    let mut ambiguous = Vec::new();
    let mut sentences = Vec::new();
    let is_blocked = |problem: &NameError<'_>| matches!(problem, NameError::Blocked { .. });
    let all_are_blocked = problems.iter().all(is_blocked);
    let is_tool = |problem: &NameError<'_>| matches!(problem, NameError::UnknownTool { .. });
    let all_are_tools = problems.iter().all(is_tool);
    for problem in problems {
        match problem {
            NameError::Blocked { id, why } => {
                sentences.push(format!("plugin `{id}` is disabled by policy: {why}"));
                unknown.push(ErrorItem::named(id));
            }
            NameError::Unknown {
                what,
                name,
                suggest,
            } => {
                let mut item = ErrorItem::named(name);
                if unknown.len() < MAX_ITEMS {
                    sentences.push(format!("there is no {what} `{}`", item.name));
                    item.did_you_mean = suggest(&item.name);
                }
                unknown.push(item);
            }
            NameError::UnknownTool { server, name, has } => {
                let mut item = ErrorItem::named(name);
                if unknown.len() < MAX_ITEMS {
                    sentences.push(format!("MCP server `{server}` has no tool `{}`", item.name));
                    item.did_you_mean = alike(&item.name, has.iter().map(String::as_str));
                }
                unknown.push(item);
            }
            NameError::Broken { name, file, why } => {
                sentences.push(format!(
                    "the skill `{name}` can't be used, Codex says of `{}`: {why}",
                    file.display()
                ));
                unknown.push(ErrorItem::named(name));
            }
            NameError::Ambiguous { what, item } => ambiguous.push((what, item)),
        }
    }
    if !unknown.is_empty() && all_are_blocked {
        return Err(
            LoadoutError::new(ErrorKind::BlockedByPolicy, sentences.join("; "))
                .with_hint("Leave it out of the selection, or ask your administrator; `codex-loadout doctor` says what policy is in force.")
                .with_items(unknown),
        );
    }
    if !unknown.is_empty() {
        for (what, item) in ambiguous {
            if unknown.len() < MAX_ITEMS {
                sentences.push(format!("several sources have the {what} `{}`", item.name));
            }
            unknown.push(item);
        }
        let suggested = unknown.iter().any(|item| !item.did_you_mean.is_empty());
        let hint = if all_are_tools {
            "Use a name that Codex's `mcpServerStatus/list` shows for the server; one that it got a moment ago counts once a thread has started with all of its tools."
        } else if suggested {
            "Use one of the suggested names; `capability/list` (or `codex-loadout list`) shows all there are."
        } else {
            "`capability/list` (or `codex-loadout list`) shows everything that can be selected in this folder."
        };
        return Err(
            LoadoutError::new(ErrorKind::UnknownCapability, sentences.join("; "))
                .with_hint(hint)
                .with_items(unknown),
        );
    }
    if ambiguous.is_empty() {
        return Ok(());
    }
    let sentences: Vec<String> = ambiguous
        .iter()
        .take(MAX_ITEMS)
        .map(|(what, item)| format!("several sources have the {what} `{}`", item.name))
        .collect();
    Err(
        LoadoutError::new(ErrorKind::AmbiguousCapability, sentences.join("; "))
            .with_hint("Write one of the candidates instead.")
            .with_items(ambiguous.into_iter().map(|(_, item)| item).collect()),
    )
}

/// A connector: there is none to choose yet.
pub(super) fn unknown_app<'a>(id: &str) -> NameError<'a> {
    NameError::unknown("app", id, [])
}

/// `name@marketplace`, or a bare name that one source has.
pub(super) fn find_plugin<'a>(
    catalog: &'a Catalog,
    id: &str,
) -> Result<&'a InstalledPlugin, NameError<'a>> {
    let fitting: Vec<&InstalledPlugin> = catalog
        .plugins
        .iter()
        .filter(|plugin| plugin.id == id || plugin.name == id)
        .collect();
    let plugin = match fitting.as_slice() {
        [] => {
            if let Some(hidden) = catalog.policy.hides(id) {
                let why = format!("`{}` hides it", catalog.policy.requirements.name);
                let id = hidden.to_owned();
                return Err(NameError::Blocked { id, why });
            }
            let known = catalog
                .plugins
                .iter()
                .flat_map(|plugin| [plugin.id.as_str(), plugin.name.as_str()])
                .chain(catalog.offered.iter().map(String::as_str));
            return Err(NameError::Unknown {
                what: "plugin",
                name: id.to_owned(),
                suggest: Box::new(|id| {
                    let mut alike = alike(id, known);
                    // A name and its id are one suggestion: the id is what to write.
                    alike.retain(|name| name.contains('@'));
                    alike
                }),
            });
        }
        [plugin] => *plugin,
        several => match several.iter().find(|plugin| plugin.id == id) {
            Some(plugin) => plugin,
            None => {
                return Err(NameError::ambiguous(
                    "plugin",
                    id,
                    several.iter().map(|plugin| plugin.id.clone()).collect(),
                ));
            }
        },
    };
    match &plugin.blocked {
        Some(why) => Err(NameError::Blocked {
            id: plugin.id.clone(),
            why: why.clone(),
        }),
        None => Ok(plugin),
    }
}

/// The full name of a skill or agent of one plugin, of its bare or its full name.
pub(super) fn full_name<'a>(
    what: &'static str,
    plugin: &str,
    name: &str,
    known: &Rc<[&'a str]>,
) -> Result<String, NameError<'a>> {
    let full = format!("{plugin}:{name}");
    let mut names = known.iter().copied();
    let found = names.find(|known| *known == name || *known == full);
    let known = known.clone();
    let unknown = || NameError::Unknown {
        what,
        name: name.to_owned(),
        suggest: Box::new(move |name| alike(name, known.iter().copied())),
    };
    found.map(str::to_owned).ok_or_else(unknown)
}

/// An agent by its name, or by its name without the plugin's if only one has it.
pub(super) fn find_agent<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<(&'a InstalledPlugin, &'a PluginAgent), NameError<'a>> {
    let usable = move || {
        let plugins = catalog
            .plugins
            .iter()
            .filter(|plugin| plugin.blocked.is_none());
        plugins.flat_map(|plugin| {
            plugin
                .parts()
                .agents
                .iter()
                .map(move |agent| (plugin, agent))
        })
    };
    let own_name = |agent: &PluginAgent| own_part(&agent.name) == name;
    let exact: Vec<_> = usable()
        .filter(|(plugin, agent)| agent.name == name || is_part_of(plugin, &agent.name, name))
        .collect();
    let fitting = if exact.is_empty() {
        usable().filter(|(_, agent)| own_name(agent)).collect()
    } else {
        exact
    };
    match fitting.as_slice() {
        [one] => Ok(*one),
        [] => {
            let of_plugins = usable().map(|(_, agent)| agent.name.as_str());
            let own = catalog.roles.iter().map(|role| role.name.as_str());
            Err(NameError::unknown("agent", name, of_plugins.chain(own)))
        }
        several => {
            let candidates = several
                .iter()
                .map(|(plugin, agent)| part_of(plugin, &agent.name));
            Err(NameError::ambiguous("agent", name, candidates.collect()))
        }
    }
}

/// The name of a plugin's part without the plugin's.
fn own_part(name: &str) -> &str {
    name.split_once(':').map_or("", |(_, own)| own)
}

/// A plugin's part by a name that no other has: `plugin@marketplace:part`.
fn part_of(plugin: &InstalledPlugin, part: &str) -> String {
    format!("{}:{}", plugin.id, own_part(part))
}

/// Whether a plugin's part is meant by the name that no other has.
fn is_part_of(plugin: &InstalledPlugin, part: &str, name: &str) -> bool {
    let of_plugin = name.strip_prefix(plugin.id.as_str());
    of_plugin.and_then(|rest| rest.strip_prefix(':')) == Some(own_part(part))
}

/// A server of one plugin.
pub(super) fn check_server_of<'a>(
    plugin: &'a InstalledPlugin,
    name: &str,
) -> Result<(), NameError<'a>> {
    if plugin.parts().servers.contains_key(name) {
        return Ok(());
    }
    Err(NameError::unknown(
        "MCP server in that plugin named",
        name,
        plugin.parts().servers.keys().map(String::as_str),
    ))
}

/// What a skill's name leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum FoundSkill<'a> {
    Host(&'a HostSkill),
    OfPlugin(&'a InstalledPlugin, &'a PluginSkill),
}

/// A skill by its name, by the bare name of a plugin's skill that nothing else has, by its path, or as
/// `plugin@marketplace:skill`.
pub(super) fn find_skill<'a>(
    catalog: &'a Catalog,
    name: &str,
) -> Result<FoundSkill<'a>, NameError<'a>> {
    let of_plugins = || {
        let usable = catalog
            .plugins
            .iter()
            .filter(|plugin| plugin.blocked.is_none());
        usable.flat_map(|plugin| {
            let skills = plugin.parts().skills.iter();
            skills.map(move |skill| FoundSkill::OfPlugin(plugin, skill))
        })
    };
    let own_name = |found: &FoundSkill<'_>| match found {
        FoundSkill::OfPlugin(_, skill) => own_part(&skill.name) == name,
        FoundSkill::Host(_) => false,
    };
    let is_named = |found: &FoundSkill<'_>| match found {
        FoundSkill::OfPlugin(plugin, skill) => {
            skill.name == name || is_part_of(plugin, &skill.name, name)
        }
        FoundSkill::Host(_) => false,
    };
    let exact: Vec<FoundSkill<'a>> = catalog
        .skills
        .iter()
        .filter(|skill| skill.name == name || is_path_of(skill, name))
        .map(FoundSkill::Host)
        .chain(of_plugins().filter(is_named))
        .collect();
    let fitting = if exact.is_empty() {
        of_plugins().filter(own_name).collect()
    } else {
        exact
    };
    match fitting.as_slice() {
        [one] => Ok(*one),
        [] => {
            let is_of = |file: &Path| {
                let folder = file.parent().and_then(Path::file_name);
                folder.is_some_and(|folder| folder == name) || file == Path::new(name)
            };
            let mut broken = catalog.broken_skills.iter();
            if let Some((file, why)) = broken.find(|(file, _)| is_of(file)) {
                return Err(NameError::Broken {
                    name: name.to_owned(),
                    file,
                    why,
                });
            }
            let host = catalog.skills.iter().map(|skill| skill.name.as_str());
            let plugins = catalog.plugins.iter().flat_map(|plugin| {
                plugin
                    .parts()
                    .skills
                    .iter()
                    .map(|skill| skill.name.as_str())
            });
            Err(NameError::unknown("skill", name, host.chain(plugins)))
        }
        several => {
            let candidates = several.iter().map(|found| match found {
                FoundSkill::Host(skill) => skill.path.to_string_lossy().into_owned(),
                FoundSkill::OfPlugin(plugin, skill) => part_of(plugin, &skill.name),
            });
            Err(NameError::ambiguous("skill", name, candidates.collect()))
        }
    }
}

/// Where several skills have one name, the path of `SKILL.md` or of its folder tells them apart.
fn is_path_of(skill: &HostSkill, name: &str) -> bool {
    let path = Path::new(name);
    path.is_absolute() && (skill.path == path || skill.path.parent() == Some(path))
}

/// What a server's name leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum FoundServer<'a> {
    Request(&'a str),
    Config(&'a str),
    OfPlugin(&'a InstalledPlugin, &'a str),
}

impl FoundServer<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Request(name) | Self::Config(name) | Self::OfPlugin(_, name) => name,
        }
    }
}

/// A server by its name, or by `plugin:server`, `plugin@marketplace:server`, `config:server`. The request's own
/// comes first; of several other sources, a single chosen plugin is meant.
pub(super) fn find_server<'a>(
    catalog: &'a Catalog,
    request: &'a RequestServers,
    name: &str,
    is_chosen: impl Fn(&InstalledPlugin) -> bool,
) -> Result<FoundServer<'a>, NameError<'a>> {
    if let Some((name, _)) = request.get_key_value(name) {
        return Ok(FoundServer::Request(name));
    }
    let mut fitting = servers_named(catalog, None, name);
    if fitting.is_empty()
        && let Some((qualifier, own)) = name.split_once(':')
    {
        fitting = servers_named(catalog, Some(qualifier), own);
    }
    match fitting.as_slice() {
        [one] => return Ok(*one),
        [] => {
            let of_plugins = catalog
                .plugins
                .iter()
                .flat_map(|plugin| plugin.parts().servers.keys());
            let own = catalog.servers.keys().chain(request.keys());
            let known = own.chain(of_plugins).map(String::as_str);
            return Err(NameError::unknown("MCP server", name, known));
        }
        _ => {}
    }
    let chosen: Vec<FoundServer<'a>> = fitting
        .iter()
        .copied()
        .filter(|found| matches!(found, FoundServer::OfPlugin(plugin, _) if is_chosen(plugin)))
        .collect();
    match chosen.as_slice() {
        [one] => Ok(*one),
        _ => Err(NameError::ambiguous(
            "MCP server",
            name,
            fitting.iter().map(qualified).collect(),
        )),
    }
}

fn servers_named<'a>(
    catalog: &'a Catalog,
    qualifier: Option<&str>,
    name: &str,
) -> Vec<FoundServer<'a>> {
    let config = catalog
        .servers
        .get_key_value(name)
        .filter(|_| qualifier.is_none_or(|qualifier| qualifier == CONFIG_QUALIFIER));
    let of_plugins = catalog
        .plugins
        .iter()
        .filter(|plugin| {
            plugin.blocked.is_none()
                && qualifier
                    .is_none_or(|qualifier| plugin.id == qualifier || plugin.name == qualifier)
        })
        .filter_map(|plugin| {
            let found = plugin.parts().servers.get_key_value(name);
            found.map(|(name, _)| FoundServer::OfPlugin(plugin, name))
        });
    config
        .map(|(name, _)| FoundServer::Config(name))
        .into_iter()
        .chain(of_plugins)
        .collect()
}

fn qualified(found: &FoundServer<'_>) -> String {
    match found {
        FoundServer::Request(name) => (*name).to_owned(),
        FoundServer::Config(name) => format!("{CONFIG_QUALIFIER}:{name}"),
        FoundServer::OfPlugin(plugin, name) => format!("{}:{name}", plugin.id),
    }
}
