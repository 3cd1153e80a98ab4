//! What of a folder's tree a thread gets.

use serde::{Deserialize, Serialize};

use crate::{Tree, TreeFile};

/// Codex 0.144 to 0.169 look for `SKILL.md` this many folders below a root; the bundle's own folder is one of them.
const SKILL_DEPTH: usize = 6;
/// The file that makes a folder a skill, spelled exactly so.
const SKILL_FILE: &str = "SKILL.md";

/// What a bundle is, and what is left out of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum BundleContent {
    /// A plugin's whole tree; of its `SKILL.md` files only those of the kept skills.
    #[serde(rename_all = "camelCase")]
    Plugin {
        /// `name@marketplace`.
        id: String,
        /// Folders of the kept skills, relative to the plugin's root.
        skill_folders: Vec<String>,
    },
    /// One skill's folder.
    #[serde(rename_all = "camelCase")]
    Skill {
        /// The namespace in its name, which a manifest above it gives: `ns` of `ns:skill`.
        namespace: Option<String>,
    },
}

/// A tree can't be what a thread gets.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// Codex would not find the skill.
    #[error("`{0}` lies too deep for Codex to find it under a root")]
    TooDeep(String),
    /// The folder holds no such skill.
    #[error("`{0}` is not there")]
    NoSkill(String),
}

/// Cuts a tree to what a thread gets.
///
/// A root shows every `SKILL.md` below it, declared by the plugin or not; so
/// those that were not chosen are left out. All else stays: scripts, references
/// and shared files may be needed by what is kept. `folder` is the name of the
/// folder the tree was read from.
///
/// # Errors
/// [`ShapeError`] if a kept skill is missing or could not be found by Codex.
pub fn shape(mut tree: Tree, content: &BundleContent, folder: &str) -> Result<Tree, ShapeError> {
    match content {
        BundleContent::Plugin { skill_folders, .. } => {
            keep_skills(&mut tree, skill_folders)?;
            Ok(tree)
        }
        BundleContent::Skill { namespace: None } => {
            keep_skills(&mut tree, &[String::new()])?;
            Ok(tree)
        }
        BundleContent::Skill {
            namespace: Some(namespace),
        } => {
            keep_skills(&mut tree, &[String::new()])?;
            Ok(under_manifest(&tree, namespace, folder))
        }
    }
}

fn keep_skills(tree: &mut Tree, folders: &[String]) -> Result<(), ShapeError> {
    let kept: Vec<String> = folders
        .iter()
        .map(|folder| {
            if folder.is_empty() {
                SKILL_FILE.to_owned()
            } else {
                format!("{folder}/{SKILL_FILE}")
            }
        })
        .collect();
    for path in &kept {
        if tree.get(path).is_none() {
            return Err(ShapeError::NoSkill(path.clone()));
        }
        // The parts of the path are its folders and the file; the bundle's folder comes on top.
        if path.split('/').count() > SKILL_DEPTH {
            return Err(ShapeError::TooDeep(path.clone()));
        }
    }
    let is_skill = |path: &str| path == SKILL_FILE || path.ends_with("/SKILL.md");
    tree.retain(|path, _| !is_skill(path) || kept.iter().any(|kept| kept == path));
    Ok(())
}

/// A namespace is the `name` of a manifest in a folder above: the skill goes into a plugin of its own.
fn under_manifest(tree: &Tree, namespace: &str, folder: &str) -> Tree {
    let manifest =
        serde_json::json!({ "name": namespace, "version": "0.0.0", "skills": "./skills/" });
    let mut plugin: Tree = tree
        .iter()
        .map(|(path, file)| (format!("skills/{folder}/{path}"), file.clone()))
        .collect();
    plugin.insert(
        ".codex-plugin/plugin.json",
        TreeFile::plain(manifest.to_string()),
    );
    plugin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        paths
            .iter()
            .map(|path| ((*path).to_owned(), TreeFile::plain(path.to_string())))
            .collect()
    }

    fn paths(tree: &Tree) -> Vec<String> {
        tree.iter().map(|(path, _)| path.to_owned()).collect()
    }

    #[test]
    fn a_plugin_keeps_all_but_the_skills_that_were_not_chosen() {
        let whole = tree(&[
            "SKILL.md",
            "docs/SKILL.md",
            "shared/x.md",
            "skills/a/SKILL.md",
            "skills/a/run.sh",
            "skills/b/MY-SKILL.md",
            "skills/b/SKILL.md",
        ]);
        let content = BundleContent::Plugin {
            id: "p@m".to_owned(),
            skill_folders: vec!["skills/a".to_owned()],
        };
        assert_eq!(
            paths(&shape(whole, &content, "p").unwrap()),
            [
                "shared/x.md",
                "skills/a/SKILL.md",
                "skills/a/run.sh",
                "skills/b/MY-SKILL.md"
            ]
        );
    }

    #[test]
    fn a_skill_keeps_its_own_file_and_may_be_given_a_namespace() {
        let whole = || tree(&["SKILL.md", "nested/SKILL.md", "ref.md"]);
        assert_eq!(
            paths(&shape(whole(), &BundleContent::Skill { namespace: None }, "s").unwrap()),
            ["SKILL.md", "ref.md"]
        );
        let named = shape(
            whole(),
            &BundleContent::Skill {
                namespace: Some("ns".to_owned()),
            },
            "s",
        )
        .unwrap();
        assert_eq!(
            paths(&named),
            [
                ".codex-plugin/plugin.json",
                "skills/s/SKILL.md",
                "skills/s/ref.md"
            ]
        );
    }

    #[test]
    fn a_skill_that_codex_would_not_find_is_an_error() {
        let content = |folder: &str| BundleContent::Plugin {
            id: "p@m".to_owned(),
            skill_folders: vec![folder.to_owned()],
        };
        assert!(shape(tree(&["a/b/c/d/e/SKILL.md"]), &content("a/b/c/d/e"), "p").is_ok());
        assert!(matches!(
            shape(
                tree(&["a/b/c/d/e/f/SKILL.md"]),
                &content("a/b/c/d/e/f"),
                "p"
            ),
            Err(ShapeError::TooDeep(_))
        ));
        assert!(matches!(
            shape(tree(&["x"]), &content("a"), "p"),
            Err(ShapeError::NoSkill(_))
        ));
    }
}
