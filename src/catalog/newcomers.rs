//! Skills that Codex will find when it looks again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::model::{Catalog, HostSkill, SkillScope};
use super::skill_header::read_skill_header;

/// Of these `SKILL.md` files, those that a catalog does not list under the name they have now.
/// Blocking: it reads files.
pub(super) fn newcomers(catalog: &Catalog, files: &[PathBuf]) -> Vec<HostSkill> {
    let listed: HashSet<(PathBuf, String)> = catalog
        .skills
        .iter()
        .map(|skill| (resolved(&skill.path), own_name(&skill.name).to_owned()))
        .collect();
    let mut found: Vec<HostSkill> = files
        .iter()
        .filter_map(|file| {
            let header = read_skill_header(file)?;
            let folder = file.parent()?.file_name()?.to_string_lossy();
            let name = header.name.unwrap_or_else(|| folder.into_owned());
            (!listed.contains(&(resolved(file), name.clone()))).then(|| HostSkill {
                name,
                namespace: None,
                description: header.description,
                path: file.clone(),
                scope: SkillScope::User,
                enabled: true,
                mention_only: false,
            })
        })
        .collect();
    found.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    found.dedup();
    found
}

/// A manifest above the skill may give its name a namespace.
fn own_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_as_it_is_now_is_no_newcomer() {
        let home = tempfile::tempdir().unwrap();
        let write = |folder: &str, name: &str| {
            let file = home.path().join(folder).join("SKILL.md");
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let text = format!("---\nname: {name}\ndescription: It is.\n---\n");
            std::fs::write(&file, text).unwrap();
            file
        };
        let listed = |name: &str, path: &Path| HostSkill {
            name: name.to_owned(),
            namespace: None,
            description: String::new(),
            path: path.to_owned(),
            scope: SkillScope::User,
            enabled: true,
            mention_only: false,
        };
        let (old, renamed, new) = (
            write("old", "old"),
            write("renamed", "after"),
            write("new", "new"),
        );
        let catalog = Catalog {
            skills: vec![listed("ns:old", &old), listed("before", &renamed)],
            ..Catalog::default()
        };
        let broken = home.path().join("broken/SKILL.md");
        let found = newcomers(&catalog, &[old, renamed, new, broken]);
        let names: Vec<&str> = found.iter().map(|skill| skill.name.as_str()).collect();
        assert_eq!(names, ["after", "new"]);
    }
}
