//! Agents: `agents/**.md`, or what the manifests name instead.

use std::collections::BTreeSet;

use super::Finder;
use super::paths::DeclaredPath;
use crate::paths::file_name;
use crate::report::Kind;
use crate::source::AgentSource;

impl Finder<'_> {
    pub(super) fn agents(&mut self) {
        let manifests = self.manifests;
        let declared = manifests.declared("agents");
        let mut seen = BTreeSet::new();
        if manifests.default_counts("agents") {
            self.agents_in("agents", &mut seen);
        }
        for declared in declared.iter().flat_map(super::manifests::Declared::each) {
            match self.place(&declared, Kind::Agent) {
                Some(DeclaredPath::Folder(folder)) => self.agents_in(&folder, &mut seen),
                Some(DeclaredPath::File(file)) => {
                    let name = file_name(&file).to_owned();
                    self.agent(&name, file, &mut seen);
                }
                None => {}
            }
        }
    }

    fn agents_in(&mut self, folder: &str, seen: &mut BTreeSet<String>) {
        for path in self.files_in(folder, ".md") {
            let name = path.get(folder.len()..).unwrap_or(path);
            self.agent(name.trim_start_matches('/'), path.to_owned(), seen);
        }
    }

    fn agent(&mut self, path: &str, file: String, seen: &mut BTreeSet<String>) {
        if seen.insert(file.clone()) {
            let name = path.strip_suffix(".md").unwrap_or(path).replace('/', ":");
            self.found.plugin.agents.push(AgentSource { name, file });
        }
    }
}
