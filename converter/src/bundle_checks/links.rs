//! Links that led somewhere in the source lead somewhere in the bundle.

use std::collections::BTreeSet;

use codex_loadout_bundle::Tree;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::ConvertedFile;
use crate::context::Context;
use crate::frontmatter;
use crate::options::BundleRoot;
use crate::paths::{folder_of, join};
use crate::report::{Code, Finding, Location};

/// Links that lead nowhere, but for those that led nowhere before. A folder that is empty now, since all that
/// lay in it has moved, is worth a note only.
pub(super) fn check(
    bundle: &Tree,
    texts: &[ConvertedFile<'_>],
    context: &Context<'_>,
) -> Vec<Finding> {
    let root = match &context.options.root {
        BundleRoot::At(root) => Some(root.as_str()),
        BundleRoot::Portable => None,
    };
    let mut found = Vec::new();
    for text in texts {
        let broken = broken(bundle, text.bundle_file, root);
        if broken.is_empty() {
            continue;
        }
        let before = self::broken(&context.source.tree, text.source_file, None);
        for link in broken.difference(&before) {
            let folder = folder_of(text.bundle_file);
            let was_folder = path_of(folder, link, root)
                .flatten()
                .is_some_and(|path| context.source.tree.has_folder(&path));
            let code = if was_folder {
                Code::DanglingLink
            } else {
                Code::LinkBroken
            };
            found.push(Finding::new(
                code,
                Location::new(text.source_file, 1),
                format!("the link to `{link}` leads nowhere in the bundle"),
            ));
        }
    }
    found
}

/// Links of a file to files of its tree that are not there.
fn broken(tree: &Tree, path: &str, root: Option<&str>) -> BTreeSet<String> {
    let Some(file) = tree.get(path) else {
        return BTreeSet::new();
    };
    let text = String::from_utf8_lossy(&file.bytes);
    let body = frontmatter::read(&text).body;
    Parser::new_ext(body, Options::ENABLE_TABLES)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url)
            }
            _ => None,
        })
        .filter(|link| !leads_somewhere(tree, folder_of(path), link, root))
        .map(|link| link.to_string())
        .collect()
}

fn leads_somewhere(tree: &Tree, folder: &str, link: &str, root: Option<&str>) -> bool {
    match path_of(folder, link, root) {
        None => true,
        Some(path) => path.is_some_and(|path| tree.get(&path).is_some() || tree.has_folder(&path)),
    }
}

/// The path of the tree that a link means; within, `None` if it leads out of the tree. `None` if it means no path:
/// addresses, anchors, absolute paths, words with braces.
fn path_of(folder: &str, link: &str, root: Option<&str>) -> Option<Option<String>> {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    let path = path.replace("%20", " ");
    let in_bundle = root
        .and_then(|root| path.strip_prefix(root))
        .filter(|inside| inside.is_empty() || inside.starts_with('/'));
    if let Some(inside) = in_bundle {
        return Some(join("", inside));
    }
    let is_path =
        !path.is_empty() && !path.starts_with(['/', '~', '$', '<', '{']) && !path.contains(':');
    is_path.then(|| join(folder, &path))
}

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::TreeFile;

    use super::*;

    #[test]
    fn what_leads_nowhere() {
        let tree: Tree = [
            ("a/b.md", "[x](c.md) [y](../d/) [z](https://e) [f](#g) [h](none.md#i) ![j](../../out.png) `[k](no.md)` [l](/abs) [m](/root/a/c.md) [n](/root/no)"),
            ("a/c.md", ""),
            ("d/e", ""),
        ]
        .iter()
        .map(|(path, text)| ((*path).to_owned(), TreeFile::plain(*text)))
        .collect();
        let list = |root| {
            broken(&tree, "a/b.md", root)
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(list(None), ["../../out.png", "none.md#i"]);
        assert_eq!(
            list(Some("/root")),
            ["../../out.png", "/root/no", "none.md#i"]
        );
    }
}
