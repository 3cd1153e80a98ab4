//! What the name of a file looks like in a text.

use super::words;

/// Endings of files that `@` is put before; what has none of them and isn't a known path is a user's name, a decorator, a package, …
const ENDINGS: &[&str] = &[
    "bash", "c", "cfg", "conf", "cpp", "cs", "css", "csv", "env", "go", "h", "hpp", "html", "ini",
    "ipynb", "java", "js", "json", "jsonl", "jsx", "kt", "lock", "log", "md", "mdc", "mdx", "php",
    "pdf", "png", "proto", "py", "rb", "rs", "rst", "scss", "sh", "sql", "svelte", "swift", "tf",
    "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zsh",
];

/// Endings of what programs for the web import.
const MODULES: &[&str] = &["css", "js", "jsx", "scss", "svelte", "ts", "tsx", "vue"];

/// Folders of a project: a package's scope is called otherwise.
const FOLDERS: &[&str] = &[
    "api",
    "app",
    "assets",
    "bin",
    "build",
    "client",
    "components",
    "config",
    "core",
    "dist",
    "docs",
    "examples",
    "hooks",
    "lib",
    "packages",
    "pages",
    "public",
    "scripts",
    "server",
    "src",
    "static",
    "test",
    "tests",
    "tools",
    "utils",
    "web",
];

/// Whether something is written like a file's path: it has a known ending, or is called as such files are.
pub(super) fn looks_like_file(written: &str) -> bool {
    let name = written.rsplit('/').next().unwrap_or(written);
    ending(name).is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
        || matches!(name, "Makefile" | "Dockerfile" | "Justfile" | "LICENSE")
}

fn ending(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit_once('.')?;
    (!stem.is_empty()).then(|| ending.to_ascii_lowercase())
}

/// Whether what follows an `@` names a package or a module: `types/chart.js` of `@types/chart.js`, and
/// `/components/button.tsx` of `@/components/button.tsx`, where `@/` is a project's short form of its root.
pub(super) fn is_package(written: &str) -> bool {
    let ends =
        |endings: &[&str]| ending(written).is_some_and(|ending| endings.contains(&ending.as_str()));
    match written.split_once('/') {
        Some(("", path)) => ends(MODULES) || !looks_like_file(path),
        Some((scope, name)) => {
            !name.contains('/')
                && ends(&["js"])
                && !FOLDERS.contains(&scope)
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
