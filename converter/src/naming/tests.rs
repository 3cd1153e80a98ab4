//! Who is called what, and what has to move for it.

use codex_loadout_bundle::TreeFile;

use super::*;
use crate::discovery::discover;
use crate::discovery::tests::tree;
use crate::target::{Codex, Layout as _};

/// Names by component, moves, and codes of what was found.
fn named(
    files: &[(&str, &str)],
    aliases: &[(&str, &str)],
) -> (Vec<String>, Vec<String>, Vec<&'static str>) {
    let mut source = Source {
        tree: tree(files),
        folder: "p".to_owned(),
        ..Source::default()
    };
    source.tree.insert(
        crate::discovery::CLAUDE_MANIFEST,
        TreeFile::plain("{\"skills\": [\"./more\"]}"),
    );
    let mut options = Options::default();
    let own = options.aliases.plugins.entry("p".to_owned()).or_default();
    own.skills = aliases
        .iter()
        .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
        .collect();
    let plugin = discover(&source, Codex.manifest_file()).unwrap().plugin;
    let naming = name(&source, &plugin, &options, &Codex);
    let skills = naming
        .skills
        .iter()
        .map(|skill| (&skill.name, &skill.bundle_file));
    let commands = naming
        .commands
        .iter()
        .map(|command| (&command.name, &command.bundle_file));
    let agents = naming
        .agents
        .iter()
        .map(|agent| (&agent.name, &agent.bundle_file));
    let names = skills
        .chain(commands)
        .chain(agents)
        .map(|(name, file)| format!("{name} @ {file}"))
        .collect();
    let moved = naming
        .moved
        .iter()
        .map(|(old, new)| format!("{old} > {new}"))
        .collect();
    let of_parts = naming.skills.iter().flat_map(|skill| &skill.findings);
    let of_parts = of_parts.chain(naming.commands.iter().flat_map(|command| &command.findings));
    let of_parts = of_parts.chain(naming.agents.iter().flat_map(|agent| &agent.findings));
    let of_accounts = naming.accounts.iter().flat_map(|account| &account.warnings);
    let codes = of_parts
        .chain(of_accounts)
        .chain(&naming.findings)
        .filter(|finding| finding.code != Code::PathMissing)
        .map(|finding| finding.code.as_str())
        .collect();
    (names, moved, codes)
}

#[test]
fn who_lies_where() {
    for (files, names, moved, codes) in [
        (
            vec![("skills/a/SKILL.md", "")],
            vec!["a @ skills/a/SKILL.md"],
            vec![],
            vec![],
        ),
        (
            vec![
                ("skills/a/SKILL.md", "---\nname: b\n---\n"),
                ("skills/a/x.md", ""),
            ],
            vec!["b @ skills/b/SKILL.md"],
            vec!["skills/a > skills/b"],
            vec!["skill-moved"],
        ),
        (
            vec![("skills/a/SKILL.md", "---\nname: x/y\n---\n")],
            vec!["x/y @ skills/x-y/SKILL.md"],
            vec!["skills/a > skills/x-y"],
            vec!["skill-moved"],
        ),
        // Codex shows one space where a name has several.
        (
            vec![
                ("skills/two  words/SKILL.md", ""),
                ("commands/go  on.md", ""),
            ],
            vec![
                "two words @ skills/two words/SKILL.md",
                "go on @ skills/go on/SKILL.md",
            ],
            vec![
                "commands/go  on.md > skills/go on/SKILL.md",
                "skills/two  words > skills/two words",
            ],
            vec!["skill-moved"],
        ),
        (
            vec![("skills/x-y/SKILL.md", "---\nname: x:y\n---\n")],
            vec!["x:y @ skills/x-y/SKILL.md"],
            vec![],
            vec![],
        ),
        (
            vec![("SKILL.md", "---\nname: root\n---\n"), ("x.md", "")],
            vec!["root @ skills/root/SKILL.md"],
            vec!["SKILL.md > skills/root/SKILL.md"],
            vec!["skill-moved"],
        ),
        (
            vec![("SKILL.md", "text")],
            vec!["p @ skills/p/SKILL.md"],
            vec!["SKILL.md > skills/p/SKILL.md"],
            vec!["skill-moved"],
        ),
        (
            vec![("more/c/SKILL.md", ""), ("more/c/x.md", "")],
            vec!["c @ skills/c/SKILL.md"],
            vec!["more/c > skills/c"],
            vec![],
        ),
        (
            vec![
                ("skills/a/SKILL.md", ""),
                ("skills/a/in/SKILL.md", ""),
                ("docs/SKILL.md", ""),
            ],
            vec!["a @ skills/a/SKILL.md"],
            vec![
                "docs/SKILL.md > docs/SKILL.not-loaded.md",
                "skills/a/in/SKILL.md > skills/a/in/SKILL.not-loaded.md",
            ],
            vec!["skill-file-set-aside"],
        ),
        (
            vec![
                ("skills/a/SKILL.md", ""),
                ("skills/b/SKILL.md", "---\nname: a\n---\n"),
            ],
            vec!["a @ skills/a/SKILL.md"],
            vec!["skills/b/SKILL.md > skills/b/SKILL.not-loaded.md"],
            vec!["duplicate-skill-name", "skill-file-set-aside"],
        ),
        (
            vec![
                ("skills/a/SKILL.md", "---\nname: b\n---\n"),
                ("skills/b/SKILL.md", ""),
            ],
            vec!["b @ skills/b/SKILL.md"],
            vec!["skills/a/SKILL.md > skills/a/SKILL.not-loaded.md"],
            vec!["duplicate-skill-name", "skill-file-set-aside"],
        ),
        (
            vec![
                ("commands/a/SKILL.md", ""),
                ("commands/a/more.md", ""),
                ("commands/b.txt", ""),
            ],
            vec!["a @ skills/a/SKILL.md"],
            vec![
                "commands/a/SKILL.md > skills/a/SKILL.md",
                "commands/a/more.md > commands-not-loaded/a/more.md",
            ],
            vec!["command-file-set-aside"],
        ),
        (
            vec![
                ("skills/a/SKILL.md", ""),
                ("skills/b/SKILL.md", "---\nname: A\n---\n"),
            ],
            vec!["a @ skills/a/SKILL.md", "A @ skills/A/SKILL.md"],
            vec!["skills/b > skills/A"],
            vec!["name-collision", "skill-moved"],
        ),
        (
            vec![("commands/a.md", ""), ("commands/git/push.md", "")],
            vec![
                "a @ skills/a/SKILL.md",
                "git:push @ skills/git-push/SKILL.md",
            ],
            vec![
                "commands/a.md > skills/a/SKILL.md",
                "commands/git/push.md > skills/git-push/SKILL.md",
            ],
            vec![],
        ),
        (
            vec![("skills/a/SKILL.md", ""), ("commands/A.md", "")],
            vec![
                "a @ skills/a/SKILL.md",
                "A-command @ skills/A-command/SKILL.md",
            ],
            vec!["commands/A.md > skills/A-command/SKILL.md"],
            vec!["command-shadowed"],
        ),
        (
            vec![
                ("skills/a/SKILL.md", ""),
                ("skills/a-command/SKILL.md", ""),
                ("commands/a.md", ""),
            ],
            vec![
                "a-command @ skills/a-command/SKILL.md",
                "a @ skills/a/SKILL.md",
            ],
            vec!["commands/a.md > commands-not-loaded/a.md"],
            vec!["command-file-set-aside", "command-shadowed"],
        ),
        (
            vec![("commands/a/b.md", ""), ("commands/a-b.md", "")],
            vec!["a-b @ skills/a-b/SKILL.md", "a:b @ skills/a-b-2/SKILL.md"],
            vec![
                "commands/a-b.md > skills/a-b/SKILL.md",
                "commands/a/b.md > skills/a-b-2/SKILL.md",
            ],
            vec![],
        ),
        (
            vec![("commands/a.md", ""), ("commands/A.md", "")],
            vec!["A @ skills/A/SKILL.md", "a @ skills/a/SKILL.md"],
            vec![
                "commands/A.md > skills/A/SKILL.md",
                "commands/a.md > skills/a/SKILL.md",
            ],
            vec!["name-collision"],
        ),
        (
            vec![
                ("agents/x.md", "---\nname: y\n---\n"),
                ("agents/in/z.md", "---\nname: w\n---\n"),
                ("agents/y.toml", ""),
            ],
            vec!["in:w @ agents/in-w.toml", "y @ agents/y-converted.toml"],
            vec![],
            vec![],
        ),
        (
            vec![
                ("agents/x.md", ""),
                ("agents/y.md", "---\nname: x\n---\n"),
                ("agents/z.md", "---\nname: X\n---\n"),
            ],
            vec!["x @ agents/x.toml", "X @ agents/X.toml"],
            vec![],
            vec!["name-collision", "duplicate-agent-name"],
        ),
    ] {
        let (found_names, found_moved, mut found_codes) = named(&files, &[]);
        assert_eq!(found_names, names, "{files:?}");
        assert_eq!(found_moved, moved, "{files:?}");
        found_codes.sort_unstable();
        let mut codes = codes;
        codes.sort_unstable();
        assert_eq!(found_codes, codes, "{files:?}");
    }
}

#[test]
fn aliases_mean_skills_first() {
    let files = [
        ("skills/prd-generation/SKILL.md", ""),
        ("commands/prd.md", ""),
        ("commands/other.md", ""),
    ];
    let (names, _, codes) = named(
        &files,
        &[
            ("prd-generation", "prd"),
            ("other", "renamed"),
            ("none", "x"),
        ],
    );
    assert_eq!(
        names,
        [
            "prd @ skills/prd/SKILL.md",
            "renamed @ skills/renamed/SKILL.md",
            "prd-command @ skills/prd-command/SKILL.md",
        ]
    );
    assert_eq!(
        codes,
        [
            "skill-renamed",
            "skill-moved",
            "skill-renamed",
            "command-shadowed",
            "alias-unused"
        ]
    );
}
