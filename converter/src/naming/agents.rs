//! Agents: named by their frontmatter, their folder in front.

use std::collections::BTreeMap;

use super::{NamedAgent, Namer, clean};
use crate::discovery::dropped;
use crate::frontmatter;
use crate::report::{Code, Finding, Kind, Location};

impl Namer<'_, '_> {
    pub(super) fn agents(&mut self) {
        let plugin = self.plugin;
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        for agent in &plugin.agents {
            let Some(text) = self.text(Kind::Agent, &agent.name, &agent.file) else {
                continue;
            };
            let document = frontmatter::read(text);
            let at = Location::new(&agent.file, document.header.line("name"));
            let own = document.header.text("name").map(|name| clean(&name));
            let name = match (
                own.filter(|name| !name.is_empty()),
                agent.name.rsplit_once(':'),
            ) {
                (Some(own), Some((folders, _))) => format!("{folders}:{own}"),
                (Some(own), None) => own,
                (None, _) => agent.name.clone(),
            };
            let bundle_file = self.agent_file(&name, &taken);
            let mut findings = Vec::new();
            match taken.get(&bundle_file.to_lowercase()) {
                Some(other) if *other == name => {
                    self.naming.accounts.push(dropped(
                        Kind::Agent,
                        &name,
                        Location::new(&agent.file, 1),
                        Code::DuplicateAgentName,
                        "another agent of the plugin has its name",
                    ));
                    continue;
                }
                Some(other) => findings.push(Finding::new(
                    Code::NameCollision,
                    at,
                    format!("`{name}` and `{other}` can't both be files: rename one of them"),
                )),
                None => {
                    taken.insert(bundle_file.to_lowercase(), name.clone());
                }
            }
            self.naming.names.agents.insert(name.clone());
            self.naming.agents.push(NamedAgent {
                source: agent,
                document,
                name,
                bundle_file,
                findings,
            });
        }
    }

    /// Whether a file is an agent's own, and the converted one takes its place.
    fn is_replaced(&self, file: &str) -> bool {
        let agents = &self.plugin.agents;
        self.target.agents_lie_where_claudes_do() && agents.iter().any(|agent| agent.file == file)
    }

    /// The file of an agent: one that the plugin has already is left alone, and so is that of another agent, by
    /// its file's name in lower case, unless that one's name differs by case alone.
    fn agent_file(&self, name: &str, taken: &BTreeMap<String, String>) -> String {
        let is_other = |file: &str| {
            taken
                .get(&file.to_lowercase())
                .is_some_and(|other| other.to_lowercase() != name.to_lowercase())
        };
        let mut stem = self.target.skill_folder(name);
        let plain = stem.clone();
        for number in 2.. {
            let file = self.target.agent_file(&stem);
            if is_other(&file) {
                stem = format!("{plain}-{number}");
            } else if self.source.tree.get(&file).is_some() && !self.is_replaced(&file) {
                stem = format!("{stem}-converted");
            } else {
                break;
            }
        }
        self.target.agent_file(&stem)
    }
}
