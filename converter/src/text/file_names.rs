//! What the name of a file looks like in a text.

use super::words;
use crate::word_list::is_listed;

/// Endings of files that `@` is put before; what has none of them and isn't a known path is a user's name, a decorator, a package, …
const ENDINGS: &str = "
    adoc astro bash bat bib c cc cfg cjs clj cmake conf cpp cs css csv cts dart diff ejs env ex exs go gradle
    graphql h hbs hcl hpp hs html ini ipynb j2 java jpeg jpg js json json5 jsonc jsonl jsx kt kts less lock log lua
    md mdc mdx mjs mk mod mts nix patch pdf php plist png prisma properties proto ps1 py rb rs rst sass scala scss
    sh sol sql sum svelte svg swift tex tf tfvars toml tpl ts tsv tsx txt vue webp xml yaml yml zig zsh";

/// Files without an ending that are called so in any project.
const BARE_NAMES: &str = "
    AUTHORS CHANGELOG CODEOWNERS CONTRIBUTING COPYING LICENSE NOTICE README VERSION gradlew mvnw";

/// Texts that every project has.
const PROJECT_FILES: &str = "README.md CHANGELOG.md CONTRIBUTING.md CLAUDE.md AGENTS.md";

/// Whether every project has a text of this name: by it, the user's own is meant.
pub(super) fn is_in_every_project(name: &str) -> bool {
    is_listed(name, PROJECT_FILES)
}

/// Endings of what programs for the web import.
const MODULES: &str = "css js jsx scss svelte ts tsx vue";

/// Folders of a project: a package's scope is called otherwise.
const FOLDERS: &str = "
    api app assets bin build client components config core dist docs examples hooks lib packages pages public
    scripts server src static test tests tools utils web";

/// Folders at a computer's root.
const ROOT_FOLDERS: &str = "
    Users Volumes dev etc home mnt opt private proc root srv sys tmp usr var";

/// Whether something is written like a file's path: it has a known ending, or is called as such files are.
pub(super) fn looks_like_file(written: &str) -> bool {
    let name = written.rsplit('/').next().unwrap_or(written);
    ending(name).is_some_and(|ending| is_listed(&ending, ENDINGS))
        || is_listed(name, BARE_NAMES)
        || is_build_file(name.split('.').next().unwrap_or(name))
}

/// `Makefile`, `Jenkinsfile`, `Gemfile`, `Dockerfile.dev`; a `@Profile` is a Java program's.
fn is_build_file(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && name.ends_with("file") && name != "Profile"
}

/// What a path that follows an `@` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    /// That of a file or folder of a project.
    Project,
    /// It may be that of a folder, or the scope of packages.
    MayBeFolder,
    /// None: a user, a decorator, a package.
    None,
}

/// Tells paths of a project from what else follows an `@`.
pub(super) fn kind(written: &str) -> PathKind {
    let hidden = written.strip_prefix('.').unwrap_or_default();
    let is_hidden = hidden.starts_with(char::is_alphanumeric);
    if written.starts_with("~/") || is_hidden || looks_like_file(written) {
        return PathKind::Project;
    }
    let bare = written.strip_prefix("./").unwrap_or(written);
    let (first, rest) = bare.split_once('/').unwrap_or((bare, ""));
    if first.is_empty() && bare.len() < written.len() {
        return PathKind::Project;
    }
    let is_known = is_listed(first, FOLDERS) || bare.len() < written.len();
    if first.is_empty() && is_of_root(rest) {
        return PathKind::Project;
    }
    let is_folder = bare.ends_with('/');
    let is_deep = rest.trim_end_matches('/').contains('/');
    let has_ending = ending(rest).is_some_and(|ending| ending.starts_with(char::is_alphabetic));
    if first.is_empty() {
        PathKind::None
    } else if is_folder && (is_known || !rest.is_empty()) || has_ending && (is_known || is_deep) {
        PathKind::Project
    } else if is_folder || is_listed(first, FOLDERS) {
        PathKind::MayBeFolder
    } else {
        PathKind::None
    }
}

/// Whether a path from a computer's root begins with a folder that is there.
fn is_of_root(path: &str) -> bool {
    path.split_once('/')
        .is_some_and(|(first, rest)| !rest.is_empty() && is_listed(first, ROOT_FOLDERS))
}

fn ending(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit_once('.')?;
    (!stem.is_empty()).then(|| ending.to_ascii_lowercase())
}

/// Whether what follows an `@` names a package or a module: `types/chart.js` of `@types/chart.js`, and
/// `/components/button.tsx` of `@/components/button.tsx`, where `@/` is a project's short form of its root.
pub(super) fn is_package(written: &str) -> bool {
    let ends = |endings: &str| ending(written).is_some_and(|ending| is_listed(&ending, endings));
    match written.split_once('/') {
        Some(("", path)) => !is_of_root(path) && (ends(MODULES) || !looks_like_file(path)),
        Some((scope, name)) => {
            !name.contains('/')
                && ends("js")
                && !is_listed(scope, FOLDERS)
                && scope
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        }
        None => false,
    }
}

/// A path without the text after it, in scripts that put no space between them: `x.md` of `x.mdを読む`.
pub(super) fn without_text_after(path: &str) -> &str {
    let bounds = path
        .char_indices()
        .filter(|(_, c)| words::is_unspaced(*c))
        .map(|(at, _)| at);
    bounds
        .map(|at| &path[..at])
        .find(|before| looks_like_file(before))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_modules_are_no_files() {
        for written in [
            "types/chart.js",
            "my-org/bn.js",
            "/components/ui/button.tsx",
            "/lib/utils",
        ] {
            assert!(is_package(written), "{written}");
        }
        for written in [
            "src/index.js",
            "lib/index.js",
            "types/chart.d.ts",
            "docs/plan.md",
            "a/b/c.js",
            "main.js",
            "/etc/hosts.md",
        ] {
            assert!(!is_package(written), "{written}");
        }
    }

    #[test]
    fn paths_of_a_project_have_many_forms() {
        use PathKind::{MayBeFolder, None, Project};
        for (written, expected) in [
            ("docs/", Project),
            ("./", Project),
            ("./notes/", Project),
            (".github/workflows/", Project),
            ("packages/core/", Project),
            ("acme/", MayBeFolder),
            ("go.mod", Project),
            ("prisma/schema.prisma", Project),
            ("deep/down/data.parquet", Project),
            ("src/data.parquet", Project),
            ("Jenkinsfile", Project),
            ("docker/Dockerfile.dev", Project),
            ("README", Project),
            (".env", Project),
            (".env.local", Project),
            (".gitignore", Project),
            ("app/api/[id]/route.ts", Project),
            ("app.route", None),
            ("Profile", None),
            ("acme/some.thing", None),
            ("acme/pkg", None),
            ("docs", MayBeFolder),
            ("src/components", MayBeFolder),
            ("/etc/hosts", Project),
            ("/docs/", None),
            ("alice", None),
        ] {
            assert_eq!(kind(written), expected, "{written}");
        }
    }

    #[test]
    fn a_path_ends_where_text_without_spaces_goes_on() {
        for (written, path) in [
            ("../r.mdを読む", "../r.md"),
            ("docs/設計.mdに従う", "docs/設計.md"),
            ("docs/設計.md", "docs/設計.md"),
            ("設計", "設計"),
            ("x.md", "x.md"),
        ] {
            assert_eq!(without_text_after(written), path);
        }
    }
}
