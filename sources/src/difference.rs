//! What changes from one version of a bundle to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use codex_loadout_bundle::Tree;
use serde::Serialize;

use crate::address::escaped;
use crate::executables::{Executable, ExecutableKind};

/// What changes from one version of a bundle to the next. As text, what can run comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What can run and could not.
    pub executables_gained: Vec<Executable>,
    /// What could run and can't.
    pub executables_lost: Vec<Executable>,
    /// What runs otherwise: another command, another content.
    pub executables_changed: Vec<ExecutableChange>,
    /// Folders of skills that are new.
    pub skills_gained: Vec<String>,
    /// Folders of skills that are gone.
    pub skills_lost: Vec<String>,
    /// Files that are new.
    pub files_added: Vec<String>,
    /// Files that are gone.
    pub files_removed: Vec<String>,
    /// Files with another content, or another run bit.
    pub files_changed: Vec<String>,
}

/// Something that runs otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutableChange {
    /// As it was.
    pub old: Executable,
    /// As it is.
    pub new: Executable,
}

impl Difference {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something can run that could not, or runs otherwise.
    #[must_use]
    pub fn gains_executables(&self) -> bool {
        !self.executables_gained.is_empty() || !self.executables_changed.is_empty()
    }
}

/// What changes from `old` to `new`, each a bundle and what it can run.
#[must_use]
pub fn difference(old: (&Tree, &[Executable]), new: (&Tree, &[Executable])) -> Difference {
    let mut difference = Difference::default();
    files(old.0, new.0, &mut difference);
    runs(old.1, new.1, &mut difference);
    let (was, is) = (skills(old.0), skills(new.0));
    difference.skills_gained = is.difference(&was).cloned().collect();
    difference.skills_lost = was.difference(&is).cloned().collect();
    difference
}

fn files(old: &Tree, new: &Tree, difference: &mut Difference) {
    for (path, file) in new.iter() {
        match old.get(path) {
            None => difference.files_added.push(path.to_owned()),
            Some(other) if other != file => difference.files_changed.push(path.to_owned()),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|(path, _)| new.get(path).is_none());
    difference.files_removed = gone.map(|(path, _)| path.to_owned()).collect();
}

/// What goes by one name, in one file: a hook's event may have several.
type Name<'a> = (ExecutableKind, &'a str, &'a str);

fn by_name(executables: &[Executable]) -> BTreeMap<Name<'_>, Vec<&Executable>> {
    let mut named: BTreeMap<Name<'_>, Vec<&Executable>> = BTreeMap::new();
    for it in executables {
        let name = (it.kind, it.name.as_str(), it.path.as_str());
        named.entry(name).or_default().push(it);
    }
    named
}

fn runs(old: &[Executable], new: &[Executable], difference: &mut Difference) {
    let (mut was, is) = (by_name(old), by_name(new));
    for (name, now) in is {
        let before = was.remove(&name).unwrap_or_default();
        // Who names a script is no matter of what it does; of a hook's detail and a server's the digest is one, too.
        let is_in = |it: &Executable, others: &[&Executable]| {
            others.iter().any(|other| other.digest == it.digest)
        };
        let gained: Vec<_> = now.iter().filter(|it| !is_in(it, &before)).collect();
        let lost: Vec<_> = before.iter().filter(|it| !is_in(it, &now)).collect();
        match (lost.as_slice(), gained.as_slice()) {
            ([old], [new]) => difference.executables_changed.extend(change(old, new)),
            (lost, gained) => {
                let owned = |list: &[&&Executable]| -> Vec<Executable> {
                    list.iter().map(|it| (**it).clone()).collect()
                };
                difference.executables_lost.extend(owned(lost));
                difference.executables_gained.extend(owned(gained));
            }
        }
    }
    let gone = was.into_values().flatten().cloned();
    difference.executables_lost.extend(gone);
}

fn change(old: &Executable, new: &Executable) -> [ExecutableChange; 1] {
    [ExecutableChange {
        old: old.clone(),
        new: new.clone(),
    }]
}

fn skills(tree: &Tree) -> BTreeSet<String> {
    let folders = tree
        .iter()
        .filter_map(|(path, _)| path.strip_suffix("SKILL.md"));
    folders
        .filter(|folder| folder.is_empty() || folder.ends_with('/'))
        .map(|folder| folder.trim_end_matches('/').to_owned())
        .collect()
}

/// So many names of one kind are listed.
const LISTED: usize = 20;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changes\n");
        }
        for it in &self.executables_gained {
            writeln!(
                f,
                "! new {} {}: {}",
                it.kind.as_str(),
                escaped(&it.name),
                it.detail
            )?;
        }
        for ExecutableChange { old, new } in &self.executables_changed {
            write!(
                f,
                "! changed {} {}: ",
                new.kind.as_str(),
                escaped(&new.name)
            )?;
            match new.kind {
                ExecutableKind::Script => f.write_str("another content\n")?,
                _ if old.detail == new.detail => {
                    writeln!(f, "{}\n{:13}with other values", new.detail, "")?;
                }
                _ => writeln!(f, "{}\n{:>12} {}", new.detail, "was:", old.detail)?,
            }
        }
        for it in &self.executables_lost {
            writeln!(f, "- {} {}", it.kind.as_str(), escaped(&it.name))?;
        }
        list(f, "+ skill ", &self.skills_gained)?;
        list(f, "- skill ", &self.skills_lost)?;
        list(f, "+ ", &self.files_added)?;
        list(f, "- ", &self.files_removed)?;
        list(f, "~ ", &self.files_changed)
    }
}

fn list(f: &mut fmt::Formatter<'_>, sign: &str, names: &[String]) -> fmt::Result {
    for name in names.iter().take(LISTED) {
        writeln!(f, "{sign}{}", escaped(name))?;
    }
    match names.len().checked_sub(LISTED) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(f, "{sign}… and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::TreeFile;

    use super::*;
    use crate::executables::executables;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), TreeFile::plain((*text).to_owned())))
            .collect()
    }

    fn text(old: &[(&str, &str)], new: &[(&str, &str)]) -> String {
        let (old, new) = (tree(old), tree(new));
        difference((&old, &executables(&old)), (&new, &executables(&new))).to_string()
    }

    #[test]
    fn what_can_run_stands_out() {
        let hooks = |command: &str| {
            format!(r#"{{"hooks":{{"Stop":[{{"hooks":[{{"command":"{command}"}}]}}]}}}}"#)
        };
        let (one, two) = (hooks("a"), hooks("b"));
        let servers = r#"{"s":{"command":"x"}}"#;
        let variable = |value: &str| {
            format!(r#"{{"s":{{"command":"x","env":{{"NODE_OPTIONS":"{value}"}}}}}}"#)
        };
        let (three, four) = (variable("a"), variable("hidden"));
        for (old, new, expected) in [
            (vec![("a.md", "")], vec![("a.md", "")], "nothing changes\n"),
            (vec![("a.md", "")], vec![("a.md", "x")], "~ a.md\n"),
            (
                vec![],
                vec![("hooks/hooks.json", one.as_str()), (".mcp.json", servers)],
                "! new hook Stop: a\n! new MCP server s: x\n+ .mcp.json\n+ hooks/hooks.json\n",
            ),
            (
                vec![("hooks/hooks.json", one.as_str())],
                vec![("hooks/hooks.json", two.as_str())],
                "! changed hook Stop: b\n        was: a\n~ hooks/hooks.json\n",
            ),
            (
                vec![(".mcp.json", three.as_str())],
                vec![(".mcp.json", four.as_str())],
                "! changed MCP server s: x, with NODE_OPTIONS in its environment\n             with other values\n~ .mcp.json\n",
            ),
            (
                vec![("a.sh", "1"), ("b.sh", ""), ("s/SKILL.md", "")],
                vec![("a.sh", "2"), ("c.sh", ""), ("t/SKILL.md", "a.sh")],
                "! new script c.sh: named by no skill\n! changed script a.sh: another content\n- script b.sh\n+ skill t\n- skill s\n+ c.sh\n+ t/SKILL.md\n- b.sh\n- s/SKILL.md\n~ a.sh\n",
            ),
        ] {
            assert_eq!(text(&old, &new), expected);
        }
    }
}
