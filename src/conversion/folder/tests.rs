//! What is found in which folder.

use std::fs;

use super::signs::MARKETPLACES;
use super::*;

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn one_bad_plugin_of_a_marketplace_leaves_its_neighbours_alone() {
    let home = tempfile::tempdir().unwrap();
    let market = home.path();
    write(
        market,
        ".claude-plugin/marketplace.json",
        r#"{"name":"m","plugins":[{"name":"good","source":"./good"},{"name":"bad","source":"./bad"},
            {"name":"far","source":{"source":"github","repo":"a/b"}}]}"#,
    );
    write(market, "good/commands/go.md", "Go.");
    write(market, "bad/commands/go.md", "Go.");
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc", market.join("bad/out")).unwrap();
    let found = find_plugins(market).unwrap();
    assert!(
        matches!(&found[0], FoundPlugin::Here(source, _) if source.folder == "good" && source.tree.len() == 1)
    );
    #[cfg(unix)]
    assert!(matches!(
        &found[1],
        FoundPlugin::Unreadable {
            error: ReadError::Link { .. },
            ..
        }
    ));
    assert!(
        matches!(&found[2], FoundPlugin::Elsewhere { reason, .. } if reason.contains("github"))
    );
}

#[cfg(unix)]
#[test]
fn links_round_and_out_are_not_followed_to_find_plugins() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().canonicalize().unwrap();
    write(&root, "a/x.md", "");
    for (target, link) in [("..", "a/up"), ("..", "a/again"), ("/", "out"), ("a", "b")] {
        std::os::unix::fs::symlink(target, root.join(link)).unwrap();
    }
    let outline = outline(&root);
    let names: Vec<&str> = outline.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a/x.md", "b/x.md"]);
}

#[test]
fn a_folder_of_plugins_needs_no_marketplace() {
    let home = tempfile::tempdir().unwrap();
    for name in ["b", "a"] {
        write(
            home.path(),
            &format!("{name}/.claude-plugin/plugin.json"),
            "{}",
        );
    }
    write(home.path(), "c/README.md", "");
    write(
        home.path(),
        "d/.agents/plugins/marketplace.json",
        r#"{"name":"d","plugins":[{"name":"inner","source":"./inner"}]}"#,
    );
    write(home.path(), "d/inner/commands/go.md", "");
    let found = find_plugins(home.path()).unwrap();
    let names: Vec<&str> = found
        .iter()
        .map(|found| match found {
            FoundPlugin::Here(source, _) => source.folder.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["a", "b", "inner"]);
    // Its own skills hide none of them, and hold none of their files.
    write(home.path(), "skills/s/SKILL.md", "");
    write(home.path(), "plugins/core/.codex-plugin/plugin.json", "{}");
    write(home.path(), "plugins/plain/commands/go.md", "");
    write(home.path(), "plugins/program/commands/go.ts", "");
    let found = find_plugins(home.path()).unwrap();
    assert_eq!(found.len(), 6);
    assert!(
        matches!(&found[0], FoundPlugin::Here(own, _) if own.tree.get("skills/s/SKILL.md").is_some()
        && own.tree.iter().all(|(path, _)| !["a/", "plugins/core/", "plugins/plain/"].iter().any(|inner| path.starts_with(inner))))
    );
    // A plugin's folders are its own.
    write(home.path(), ".claude-plugin/plugin.json", "{}");
    assert_eq!(find_plugins(home.path()).unwrap().len(), 1);
}

#[test]
fn a_marketplace_may_name_its_own_folder_by_an_address() {
    let far = r#"{"name":"NAME","source":{"source":"github","repo":"a/b"}}"#;
    let far = |name: &str| far.replace("NAME", name);
    for (manifest, entries, expected) in [
        (Some("p"), vec![far("p")], vec!["p"]),
        (Some("p"), vec![far("q"), far("p")], vec!["far", "p"]),
        (Some("p"), vec![far("q")], vec!["far"]),
        (Some("p"), vec![far("q"), far("r")], vec!["far", "far"]),
        (None, vec![far("q")], vec!["q"]),
        (
            Some("p"),
            vec![far("p"), r#"{"name":"o","source":"./"}"#.to_owned()],
            vec!["far", "o"],
        ),
        (
            Some("p"),
            vec![r#"{"name":"p","source":"./gone"}"#.to_owned()],
            vec!["far"],
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let list = format!(r#"{{"name":"m","plugins":[{}]}}"#, entries.join(","));
        write(home.path(), ".claude-plugin/marketplace.json", &list);
        write(home.path(), "commands/go.md", "");
        if let Some(name) = manifest {
            let text = format!(r#"{{"name":"{name}"}}"#);
            write(home.path(), ".claude-plugin/plugin.json", &text);
        }
        let found = find_plugins(home.path()).unwrap();
        let names: Vec<&str> = found
            .iter()
            .map(|found| match found {
                FoundPlugin::Here(source, _) => source.folder.as_str(),
                _ => "far",
            })
            .collect();
        assert_eq!(names, expected, "{manifest:?} {entries:?}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_of_a_marketplace_and_no_further() {
    use std::os::unix::fs::symlink;
    let home = tempfile::tempdir().unwrap();
    let at = |path: &str| home.path().join(path);
    let list = r#"{"name":"m","plugins":[{"name":"wt","source":"./market/plugins/wt"}]}"#;
    write(
        home.path(),
        "market/.claude-plugin/marketplace.json",
        &list.replace("./market", "."),
    );
    write(home.path(), "market/skills/tree/SKILL.md", "");
    write(
        home.path(),
        "market/plugins/wt/.claude-plugin/plugin.json",
        "{}",
    );
    symlink("../../skills", at("market/plugins/wt/skills")).unwrap();
    let found = find_plugins(&at("market")).unwrap();
    assert!(
        matches!(&found[..], [FoundPlugin::Here(source, _)] if source.tree.get("skills/tree/SKILL.md").is_some())
    );

    // A folder of plugins: what lies elsewhere is told of, and a link round in a circle is no plugin.
    write(home.path(), "far/.claude-plugin/plugin.json", "{}");
    write(home.path(), "all/near/.claude-plugin/plugin.json", "{}");
    for (target, link) in [
        ("../far", "all/far"),
        (".", "all/self"),
        ("near", "all/twin"),
    ] {
        symlink(target, at(link)).unwrap();
    }
    let found = find_plugins(&at("all")).unwrap();
    assert!(
        matches!(&found[..], [FoundPlugin::Unreadable { name, .. }, FoundPlugin::Here(..)] if name == "far"),
        "{found:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_manifests_place_is_not_opened() {
    for path in MANIFESTS
        .iter()
        .chain(&MARKETPLACES)
        .chain(&["my-marketplace.json"])
    {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "commands/go.md", "");
        let pipe = home.path().join(path);
        fs::create_dir_all(pipe.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        // What matters is that it ends.
        let _ = find_plugins(home.path());
    }
}

#[test]
fn what_is_no_folder_is_told() {
    assert!(matches!(
        find_plugins(Path::new("/nowhere/at/all")),
        Err(FolderError::NoFolder(_))
    ));
}
