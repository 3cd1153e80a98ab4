//! Components in are components accounted for: each is written down when it is found, and ticked off by its account.

use std::collections::BTreeMap;

use crate::discovery::{Discovered, skill_file};
use crate::error::ConversionError;
use crate::report::{Account, Kind, Location};
use crate::source::{CommandText, Plugin};

/// What a component is known by: several can stand on one line, so they are counted.
type Key = (Kind, Location);

/// Every component that was found.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    open: BTreeMap<Key, (usize, String)>,
}

impl Inventory {
    /// Writes down all that discovery has found.
    pub(super) fn new(found: &Discovered, plugin: &Plugin) -> Self {
        // Taken apart by name, so that a kind that is added can't be forgotten here.
        let Plugin {
            name: _,
            version: _,
            description: _,
            manifest: _,
            own_manifest: _,
            skills,
            commands,
            agents,
            hooks,
            servers,
            others,
        } = plugin;
        let mut inventory = Self::default();
        for skill in skills {
            let file = skill_file(&skill.folder);
            inventory.add(Kind::Skill, &skill.folder, Location::new(file, 1));
        }
        for command in commands {
            let (CommandText::File(file) | CommandText::Inline { file, .. }) = &command.text;
            inventory.add(Kind::Command, &command.name, Location::new(file, 1));
        }
        for agent in agents {
            inventory.add(Kind::Agent, &agent.name, Location::new(&agent.file, 1));
        }
        for hook in hooks {
            inventory.add(
                Kind::Hook,
                &hook.event,
                Location::new(&hook.file, hook.line),
            );
        }
        for server in servers {
            let at = Location::new(&server.file, server.line);
            inventory.add(Kind::McpServer, &server.name, at);
        }
        for other in others {
            let at = Location::new(&other.file, other.line);
            inventory.add(Kind::Other(other.kind), &other.name, at);
        }
        for account in &found.accounts {
            inventory.add(account.kind, &account.name, account.source.clone());
        }
        inventory
    }

    fn add(&mut self, kind: Kind, name: &str, at: Location) {
        let (count, _) = self
            .open
            .entry((kind, at))
            .or_insert_with(|| (0, name.to_owned()));
        *count += 1;
    }

    /// Ticks off every account.
    ///
    /// # Errors
    /// If a component has none, or an account has no component.
    pub(super) fn settle(
        mut self,
        accounts: Vec<Account>,
    ) -> Result<Vec<Account>, ConversionError> {
        for account in &accounts {
            // A file that is no text is accounted for at the line where it ceases to be one.
            let exact = (account.kind, account.source.clone());
            let begin = (account.kind, Location::new(&account.source.file, 1));
            let key = if self.open.contains_key(&exact) {
                exact
            } else {
                begin
            };
            match self.open.get_mut(&key) {
                Some((count, _)) if *count > 0 => *count -= 1,
                _ => {
                    return Err(ConversionError::Unaccounted {
                        kind: account.kind,
                        name: account.name.clone(),
                        location: account.source.clone(),
                        problem: "in the report but not in the plugin",
                    });
                }
            }
        }
        match self.open.into_iter().find(|(_, (count, _))| *count > 0) {
            None => Ok(accounts),
            Some(((kind, location), (_, name))) => Err(ConversionError::Unaccounted {
                kind,
                name,
                location,
                problem: "in no account of the report",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::dropped;
    use crate::report::Code;
    use crate::source::{OtherSource, SkillSource};

    fn account(kind: Kind, file: &str, line: usize) -> Account {
        dropped(
            kind,
            "x",
            Location::new(file, line),
            Code::FieldDropped,
            "why",
        )
    }

    #[test]
    fn each_component_has_one_account() {
        let plugin = Plugin {
            skills: vec![SkillSource {
                folder: "skills/a".to_owned(),
            }],
            others: vec![
                OtherSource {
                    kind: "bin",
                    name: "b".to_owned(),
                    file: "m".to_owned(),
                    line: 2,
                },
                OtherSource {
                    kind: "bin",
                    name: "c".to_owned(),
                    file: "m".to_owned(),
                    line: 2,
                },
            ],
            ..Plugin::default()
        };
        let skill = || account(Kind::Skill, "skills/a/SKILL.md", 1);
        let other = || account(Kind::Other("bin"), "m", 2);
        for (accounts, problem) in [
            (vec![skill(), other(), other()], None),
            (vec![skill(), other()], Some("no account")),
            (vec![other(), other()], Some("no account")),
            (
                vec![skill(), skill(), other(), other()],
                Some("not in the plugin"),
            ),
            (
                vec![skill(), other(), other(), other()],
                Some("not in the plugin"),
            ),
            (vec![], Some("no account")),
        ] {
            let settled = Inventory::new(&Discovered::default(), &plugin).settle(accounts);
            match (settled, problem) {
                (Ok(_), None) => {}
                (Err(error), Some(problem)) => {
                    assert!(error.to_string().contains(problem), "{error}")
                }
                (settled, _) => panic!("{settled:?}"),
            }
        }
    }
}
