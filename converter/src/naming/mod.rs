//! What each part is called in the bundle and where it lies there: decided before any text is converted,
//! since texts refer to all of it.

mod agents;
mod aside;
mod commands;
mod skills;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::discovery::dropped;
use crate::frontmatter::Document;
use crate::names::{Names, PluginNames};
use crate::options::{Options, PluginAliases};
use crate::report::{Account, Code, Finding, Kind, Location};
use crate::source::{AgentSource, CommandSource, Plugin, Source};
use crate::target::Target;

/// What each part is called, and where it lies.
#[derive(Debug, Default)]
pub(crate) struct Naming<'a> {
    pub(crate) skills: Vec<NamedSkill<'a>>,
    pub(crate) commands: Vec<NamedCommand<'a>>,
    pub(crate) agents: Vec<NamedAgent<'a>>,
    /// What texts can refer to; servers are not among it yet.
    pub(crate) names: PluginNames,
    /// Files and folders that lie elsewhere in the bundle: new path by old one.
    pub(crate) moved: BTreeMap<String, String>,
    /// Parts that can't be used, and why.
    pub(crate) accounts: Vec<Account>,
    /// What is to be said of the plugin as a whole.
    pub(crate) findings: Vec<Finding>,
}

/// A skill.
#[derive(Debug)]
pub(crate) struct NamedSkill<'a> {
    /// Its folder in the source.
    pub(crate) folder: &'a str,
    /// Its file in the source.
    pub(crate) file: String,
    pub(crate) document: Document<'a>,
    /// The name Claude's users know.
    pub(crate) claude_name: String,
    /// Its name in the bundle.
    pub(crate) name: String,
    /// Its file in the bundle.
    pub(crate) bundle_file: String,
    pub(crate) findings: Vec<Finding>,
}

/// A command.
#[derive(Debug)]
pub(crate) struct NamedCommand<'a> {
    pub(crate) source: &'a CommandSource,
    /// The file its text stands in.
    pub(crate) file: &'a str,
    pub(crate) document: Document<'a>,
    /// Its name in the bundle.
    pub(crate) name: String,
    /// Its file in the bundle.
    pub(crate) bundle_file: String,
    /// Whether a skill of its name hides it in Claude.
    pub(crate) shadowed: bool,
    pub(crate) findings: Vec<Finding>,
}

/// An agent.
#[derive(Debug)]
pub(crate) struct NamedAgent<'a> {
    pub(crate) source: &'a AgentSource,
    pub(crate) document: Document<'a>,
    /// Its name, without the plugin's.
    pub(crate) name: String,
    /// Its file in the bundle.
    pub(crate) bundle_file: String,
    pub(crate) findings: Vec<Finding>,
}

/// Names a plugin's parts.
pub(crate) fn name<'a>(
    source: &'a Source,
    plugin: &'a Plugin,
    options: &Options,
    target: &dyn Target,
) -> Naming<'a> {
    let none = PluginAliases::default();
    let mut namer = Namer {
        source,
        plugin,
        target,
        neighbours: &options.neighbours,
        aliases: options.aliases.plugins.get(&plugin.name).unwrap_or(&none),
        taken: BTreeMap::new(),
        naming: Naming::default(),
    };
    namer.skills();
    namer.commands();
    namer.agents();
    namer.set_aside();
    namer.unused_aliases();
    namer.naming
}

struct Namer<'a, 'b> {
    source: &'a Source,
    plugin: &'a Plugin,
    target: &'b dyn Target,
    neighbours: &'b Names,
    aliases: &'b PluginAliases,
    /// Names by their folder in lower case, and whether a skill has them: what one folder can't hold twice.
    taken: BTreeMap<String, (String, Kind)>,
    naming: Naming<'a>,
}

/// Whether a name is still free.
enum Claim {
    /// It is, and this is its folder's name.
    Free(String),
    /// The very same name has it.
    Twice,
    /// This other name differs by case alone: not every file system can hold both.
    Collides(String),
}

impl<'a> Namer<'a, '_> {
    /// Where names differ only in what no folder can hold, the later one's folder has a number behind it.
    fn claim(&mut self, name: &str, kind: Kind) -> Claim {
        let plain = self.target.skill_folder(name);
        let mut folder = plain.clone();
        for number in 2.. {
            match self.taken.get(&folder.to_lowercase()) {
                None => break,
                Some((taken, _)) if taken == name => return Claim::Twice,
                Some((taken, _)) if taken.to_lowercase() == name.to_lowercase() => {
                    return Claim::Collides(taken.clone());
                }
                Some(_) => folder = format!("{plain}-{number}"),
            }
        }
        self.taken
            .insert(folder.to_lowercase(), (name.to_owned(), kind));
        Claim::Free(folder)
    }

    /// Reads a component's file; one that is no text is accounted for.
    fn text(&mut self, kind: Kind, name: &str, path: &str) -> Option<&'a str> {
        let file = self.source.tree.get(path)?;
        self.read(kind, name, path, &file.bytes)
    }

    fn read(&mut self, kind: Kind, name: &str, path: &str, bytes: &'a [u8]) -> Option<&'a str> {
        let (code, line, reason) = match text(bytes) {
            Ok(text) => return Some(text),
            Err(Unreadable::TooLarge(reason)) => (Code::ComponentTooLarge, 1, reason),
            Err(Unreadable::NotUtf8 { line }) => {
                let reason = "its file is not UTF-8: save it as that";
                (Code::NotUtf8, line, reason.to_owned())
            }
        };
        let at = Location::new(path, line);
        let account = dropped(kind, name, at, code, &reason);
        self.naming.accounts.push(account);
        None
    }

    /// The bundle's file of a skill in this folder.
    fn skill_file(&self, folder: &str) -> String {
        crate::discovery::skill_file(&format!("{}/{folder}", self.target.skills_folder()))
    }

    /// The name a skill is given by the alias file, if any.
    fn alias(&self, name: &str, at: Location, findings: &mut Vec<Finding>) -> String {
        let Some(alias) = self.aliases.skills.get(name) else {
            return name.to_owned();
        };
        findings.push(Finding::new(
            Code::SkillRenamed,
            at,
            format!("the alias file calls it `{alias}`"),
        ));
        clean(alias)
    }

    fn unused_aliases(&mut self) {
        for name in self.aliases.skills.keys() {
            if !self.naming.names.skills.contains_key(name) {
                self.naming.findings.push(Finding::new(
                    Code::AliasUnused,
                    Location::new(crate::discovery::CLAUDE_MANIFEST, 1),
                    format!("the alias file names the skill `{name}`, which is not there"),
                ));
            }
        }
    }
}

/// A larger text is none that someone wrote for a model, and would take long. In bytes.
const LARGEST: usize = 4 << 20;

/// Why a file can't be read as a text.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is larger than texts are: a sentence that says so.
    TooLarge(String),
    /// It is not UTF-8 from this line on.
    NotUtf8 { line: usize },
}

/// The bytes of a file as text.
///
/// # Errors
/// [`Unreadable`] if it is none.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > LARGEST {
        return Err(Unreadable::TooLarge(format!(
            "it has {} bytes, and a text of more than {LARGEST} is not converted",
            bytes.len()
        )));
    }
    std::str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8 {
        line: 1 + bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count(),
    })
}

/// A name on one line, without what no name can hold, and with one space where it has several.
fn clean(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}
