//! From what a host wrote to what there is: exact ids, bare names, and what to
//! write instead where neither fits.

use std::path::Path;
use std::rc::Rc;

use codex_loadout_protocol::alike::alike;

use super::name_error::NameError;
use crate::catalog::{Catalog, HostSkill, InstalledPlugin, PluginAgent, PluginSkill};

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
