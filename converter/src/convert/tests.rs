//! Whole plugins, small ones: a row of the conversion table each.

use codex_loadout_bundle::TreeFile;
use serde_json::json;

use super::*;
use crate::discovery::CLAUDE_MANIFEST;
use crate::discovery::tests::tree;
use crate::options::BundleRoot;
use crate::report::{Kind, Report};
use crate::target::Codex;
use crate::test_table::rows;

fn source(files: &[(&str, &str)]) -> Source {
    let mut source = Source {
        tree: tree(files),
        folder: "p".to_owned(),
        ..Source::default()
    };
    if source.tree.get(CLAUDE_MANIFEST).is_none() {
        source
            .tree
            .insert(CLAUDE_MANIFEST, TreeFile::plain("{\"name\": \"p\"}"));
    }
    source
}

fn converted(files: &[(&str, &str)]) -> Conversion {
    convert(&source(files), &Options::default(), &Codex).unwrap()
}

fn text(conversion: &Conversion, path: &str) -> String {
    let file = conversion.bundle.get(path);
    let file = file.unwrap_or_else(|| panic!("no {path}: {}", conversion.report));
    String::from_utf8(file.bytes.to_vec()).unwrap()
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

fn account<'a>(report: &'a Report, kind: Kind, name: &str) -> &'a Account {
    let mut of_name = report
        .components
        .iter()
        .filter(|account| account.kind == kind && account.name == name);
    of_name
        .next()
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// A skill's file and the codes of its account.
fn skill(header: &str, body: &str) -> (String, Vec<&'static str>, Outcome) {
    let file = format!("---\n{header}\n---\n{body}");
    let conversion = converted(&[("skills/s/SKILL.md", &file)]);
    let account = account(&conversion.report, Kind::Skill, "s");
    (
        text(&conversion, "skills/s/SKILL.md"),
        codes(&account.warnings),
        account.outcome,
    )
}

#[test]
fn frontmatter_of_a_skill() {
    for [header, expected, code] in rows(
        r#"
            description: d ⇒ ---\nname: s\ndescription: d\n---\n\nBody
            description: d\nwhen_to_use: w ⇒ description: d w\n
            name: s ⇒ description: Body\n ⇒ description-synthesized
            description: [a, b] ⇒ description: a; b\n ⇒ frontmatter-repaired
            description: d\ndescription: e ⇒ description: e\n ⇒ frontmatter-repaired
            description: d\nlicense: MIT\nversion: 1.10 ⇒ metadata:\n  license: MIT\n  version: "1.10"\n---
            description: d\nmetadata:\n  a: 1\n  b: [x, y] ⇒ metadata:\n  a: "1"\n  b: x; y\n
            description: d\nmetadata: text ⇒ metadata:\n  note: text\n ⇒ frontmatter-repaired
            description: d\nmetadata: [a] ⇒ metadata:\n  note: a\n ⇒ frontmatter-repaired
            description: d\nuser-invocable: no ⇒ description: d\n ⇒ user-invocable-ignored
            description: d\nallowed-tools: Read ⇒ description: d\n ⇒ allowed-tools-dropped
            description: d\ndisallowed-tools: Bash, Edit ⇒ Do not use `Bash`, `Edit` for this. ⇒ restriction-not-enforced
            description: d\nmodel: opus ⇒ description: d\n ⇒ model-dropped
            description: d\nmodel: inherit ⇒ description: d\n
            description: d\neffort: high ⇒ description: d\n ⇒ model-dropped
            description: d\nhooks:\n  Stop: [] ⇒ description: d\n ⇒ skill-hooks-dropped
            description: d\npaths: "*.rs, *.toml" ⇒ Use it for files that match `*.rs`, `*.toml`. ⇒ paths-described
            description: d\nbackground: true ⇒ description: d\n ⇒ frontmatter-field-dropped
            description: d\ninstructions: First this. ⇒ ---\n\nFirst this.\n\nBody
            description: d\ninstructions: Write after !`date`. ⇒ Write after (run `date` first and use its output). ⇒ dynamic-context-deferred
            description: d\nargument-hint: [--timeout 30s] ⇒ `[--timeout 30s]`\n\nBody
            description: d\nargument-hint: <file> ⇒ `<file>`\n\nBody
            description: d\ncontext: fork ⇒ Spawn the `default` agent with exactly the task ⇒ fork-emulated
            description: d\ncontext: fork\nagent: Explore ⇒ Spawn the `explorer` agent ⇒ fork-emulated
        "#,
    ) {
        let (text, codes, outcome) = skill(&header, "Body\n");
        assert!(text.contains(&expected), "{header}\n{text}");
        assert_eq!(codes.join(" "), code, "{header}");
        let loses = Code::ALL
            .iter()
            .any(|known| known.as_str() == code && known.loses());
        assert_eq!(outcome == Outcome::Lossy, loses, "{header}");
    }
    let (long, codes, _) = skill(&format!("description: {}", "word ".repeat(400)), "Body");
    assert!(
        long.lines().nth(2).unwrap().chars().count() < 1024 + 16,
        "{long}"
    );
    assert_eq!(codes, ["description-truncated"]);
}

#[test]
fn instructions_and_body_are_one_text() {
    let said = "`<arguments>` below is what the user wrote";
    for (instructions, body, expected) in [
        ("Take $ARGUMENTS.", "Use $ARGUMENTS.", "Take <arguments>."),
        ("Take care.", "Use $ARGUMENTS.", "Use <arguments>."),
        // They count alike.
        ("Take $1.", "Use $0.", "Take <second argument>."),
        ("Take $2.", "Use $1.", "Take <second argument>."),
    ] {
        let header = format!("description: d\nargument-hint: a b\ninstructions: {instructions}");
        let (text, codes, _) = skill(&header, body);
        assert!(text.contains(expected) && !text.contains('$'), "{text}");
        assert_eq!(text.matches(said).count(), 1, "{text}");
        assert!(codes.contains(&"arguments-described"), "{codes:?}");
        assert!(!codes.contains(&"claude-specific-text"), "{codes:?}");
    }
    let (text, ..) = skill(
        "description: d\ncontext: fork\ninstructions: Take $ARGUMENTS.",
        "Use $ARGUMENTS.",
    );
    // The agent sees the body alone.
    assert_eq!(text.matches(said).count(), 2, "{text}");
}

#[test]
fn a_skill_that_only_users_call_keeps_what_its_policy_file_says() {
    let skill = "---\ndescription: d\ndisable-model-invocation: true\n---\nBody";
    let policy = "interface:\n  display_name: X\n";
    for files in [
        vec![("skills/s/SKILL.md", skill)],
        vec![
            ("skills/s/SKILL.md", skill),
            ("skills/s/agents/openai.yaml", policy),
        ],
        vec![
            ("skills/s/SKILL.md", skill),
            ("skills/s/agents/openai.yaml", "["),
        ],
    ] {
        let conversion = converted(&files);
        let text = text(&conversion, "skills/s/agents/openai.yaml");
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(
            value["policy"]["allow_implicit_invocation"],
            json!(false),
            "{text}"
        );
        let keeps = files.len() > 1 && files[1].1 == policy;
        assert_eq!(value["interface"]["display_name"] == json!("X"), keeps);
    }
}

#[test]
fn commands_become_skills() {
    let conversion = converted(&[
        ("skills/taken/SKILL.md", "---\ndescription: d\n---\n"),
        ("commands/taken.md", "---\ndescription: c\n---\nBody"),
        ("commands/git/push.md", "# Push it\n\nNow."),
        (
            "commands/quiet.md",
            "---\ndescription: c\ndisable-model-invocation: true\n---\nBody",
        ),
    ]);
    let report = &conversion.report;
    assert_eq!(report.failures, []);
    let push = account(report, Kind::Command, "git:push");
    assert_eq!(push.target.as_deref(), Some("p:git:push"));
    assert!(
        text(&conversion, "skills/git-push/SKILL.md")
            .starts_with("---\nname: \"git:push\"\ndescription: Push it\n---\n")
    );
    assert_eq!(codes(&push.warnings), ["description-synthesized"]);
    let taken = account(report, Kind::Command, "taken");
    assert_eq!(taken.target.as_deref(), Some("p:taken-command"));
    assert_eq!(codes(&taken.warnings), ["command-shadowed"]);
    let quiet: Vec<&str> = conversion
        .bundle
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.ends_with("openai.yaml"))
        .collect();
    assert_eq!(
        quiet,
        [
            "skills/quiet/agents/openai.yaml",
            "skills/taken-command/agents/openai.yaml"
        ]
    );
    assert!(!conversion.bundle.has_folder("commands"));
    assert_eq!(conversion.names.skills["git:push"], "git:push");
    assert_eq!(conversion.manifest["skills"], "./skills/");
}

#[test]
fn names_that_no_folder_can_tell_apart_lie_in_folders_of_their_own() {
    let conversion = converted(&[
        (
            "skills/x-y/SKILL.md",
            "---\nname: x-y\ndescription: d\n---\n",
        ),
        ("skills/b/SKILL.md", "---\nname: x:y\ndescription: d\n---\n"),
        ("commands/git/commit.md", "One."),
        ("commands/git-commit.md", "Two, see /p:git:commit."),
        ("agents/a/b.md", "One."),
        ("agents/a-b.md", "Two."),
    ]);
    let report = &conversion.report;
    assert_eq!(report.failures, []);
    assert_eq!(report.summary.dropped, 0);
    for (kind, name, path) in [
        (Kind::Skill, "x-y", "skills/x-y/SKILL.md"),
        (Kind::Skill, "x:y", "skills/x-y-2/SKILL.md"),
        (Kind::Command, "git-commit", "skills/git-commit/SKILL.md"),
        (Kind::Command, "git:commit", "skills/git-commit-2/SKILL.md"),
    ] {
        let account = account(report, kind, name);
        assert_eq!(account.path.as_deref(), Some(path));
        assert_eq!(account.target, Some(format!("p:{name}")));
    }
    assert!(text(&conversion, "skills/git-commit/SKILL.md").contains("see $p:git:commit."));
    assert!(text(&conversion, "agents/a-b.toml").contains("name = \"p:a-b\""));
    assert!(text(&conversion, "agents/a-b-2.toml").contains("name = \"p:a:b\""));
}

#[test]
fn a_forked_skill_hands_on_what_its_agent_can_not_see() {
    let (text, codes, _) = skill(
        "description: d\ncontext: fork\nagent: nobody",
        "Look at $ARGUMENTS.\n",
    );
    assert!(
        text.contains("Spawn the `default` agent (in place of `nobody`, which is not there) with"),
        "{text}"
    );
    assert!(text.contains("Put what the user wrote after the name of this skill into the task"));
    assert_eq!(
        codes,
        ["fork-emulated", "agent-unknown", "arguments-described"]
    );
    let (text, ..) = skill("description: d\ncontext: fork", "Look.\n");
    assert!(!text.contains("what the user wrote"), "{text}");
}

#[test]
fn files_of_a_skill_that_moves_stay_where_scripts_look_for_them() {
    let conversion = converted(&[
        (
            "skills/pdf_tools/SKILL.md",
            "---\nname: PDF Tools\ndescription: d\n---\nRun it.",
        ),
        ("skills/pdf_tools/scripts/x.py", "1"),
        ("skills/pdf_tools/more.md", "Ask by AskUserQuestion."),
        (
            ".mcp.json",
            r#"{"mcpServers":{"s":{"command":"python","args":["./skills/pdf_tools/scripts/x.py"]}}}"#,
        ),
    ]);
    assert_eq!(conversion.report.failures, []);
    for folder in ["skills/PDF Tools", "skills/pdf_tools"] {
        assert_eq!(text(&conversion, &format!("{folder}/scripts/x.py")), "1");
        let more = text(&conversion, &format!("{folder}/more.md"));
        assert!(more.starts_with("Words of Claude Code"), "{more}");
    }
    assert!(conversion.bundle.get("skills/pdf_tools/SKILL.md").is_none());

    // Not in another one's place, by any spelling.
    let skill = |name| format!("---\nname: {name}\ndescription: d\n---\n");
    let conversion = converted(&[
        ("skills/a/SKILL.md", &skill("b")),
        ("skills/a/x", "a"),
        ("skills/b/SKILL.md", &skill("A")),
        ("skills/b/x", "b"),
    ]);
    assert_eq!(conversion.report.failures, []);
    assert_eq!(text(&conversion, "skills/b/x"), "a");
    assert_eq!(text(&conversion, "skills/A/x"), "b");
    assert!(conversion.bundle.get("skills/a/x").is_none());
}

#[test]
fn code_names_what_a_shell_takes_for_one_word() {
    let root = "${CLAUDE_PLUGIN_ROOT}/skills/pdf";
    for (code, expected) in [
        // A file that lies at its old place as well.
        (
            format!("python {root}/scripts/x.py a"),
            "python ../pdf/scripts/x.py a",
        ),
        (format!("ls {root}/scripts/*.py"), "ls ../pdf/scripts/*.py"),
        // One that does not.
        (
            format!("cat {root}/SKILL.md"),
            "cat \"../PDF Tools/SKILL.md\"",
        ),
        (format!("cd {root} && ls"), "cd \"../PDF Tools\" && ls"),
        (
            format!("A={root}/none-*.py:$B"),
            "A=\"../PDF Tools/none\"-*.py:$B",
        ),
        (
            format!("cat \"{root}/SKILL.md\""),
            "cat \"../PDF Tools/SKILL.md\"",
        ),
        (
            format!("sh -c 'cat {root}/SKILL.md'"),
            "sh -c 'cat ../PDF Tools/SKILL.md'",
        ),
        // Not one of two skills that change places.
        (
            "cat ${CLAUDE_PLUGIN_ROOT}/skills/one/x".to_owned(),
            "cat \"../the two/x\"",
        ),
    ] {
        for code in [
            format!("```bash\n{code}\n```\n"),
            format!("Run `{code} `.\n"),
        ] {
            let conversion = converted(&[
                (
                    "skills/pdf/SKILL.md",
                    "---\nname: PDF Tools\ndescription: d\n---\n",
                ),
                ("skills/pdf/scripts/x.py", "1"),
                (
                    "skills/one/SKILL.md",
                    "---\nname: the two\ndescription: d\n---\n",
                ),
                ("skills/one/x", "1"),
                (
                    "skills/two/SKILL.md",
                    "---\nname: one\ndescription: d\n---\n",
                ),
                ("skills/two/x", "2"),
                (
                    "commands/go.md",
                    &format!("---\ndescription: d\n---\n{code}"),
                ),
            ]);
            assert_eq!(conversion.report.failures, []);
            let text = text(&conversion, "skills/go/SKILL.md");
            assert!(text.contains(expected), "{code}\n{text}");
            // What is named is there.
            assert!(conversion.bundle.get("skills/pdf/scripts/x.py").is_some());
        }
    }
}

#[test]
fn scripts_that_name_what_lies_elsewhere_are_told_of() {
    let conversion = converted(&[
        ("commands/go.md", "Go."),
        ("skills/s/SKILL.md", "---\ndescription: d\n---\n"),
        ("skills/s/assets/template/SKILL.md", "---\nname: x\n---\n"),
        (
            "hooks/hooks.json",
            r#"{"hooks":{"SessionStart":[{"hooks":[{"type":"command",
               "command":"cat \"${CLAUDE_PLUGIN_ROOT}/commands/go.md\""}]}]}}"#,
        ),
        (
            "skills/s/scripts/init.sh",
            "cat other/go.md\ncp ../assets/template/SKILL.md ../assets/template/SKILL.md x/\ncat skills/s/SKILL.md",
        ),
        ("docs/notes.md", "See commands/go.md."),
    ]);
    let found: Vec<String> = conversion
        .report
        .warnings
        .iter()
        .filter(|finding| finding.code == Code::MovedFileNamed)
        .map(|finding| finding.location.to_string())
        .collect();
    assert_eq!(found, ["hooks/hooks.json:2", "skills/s/scripts/init.sh:2"]);
}

#[test]
fn agents_become_roles() {
    for [header, expected, absent, code] in rows(
        r#"
            name: a\ndescription: d ⇒ name = "p:a"\ndescription = "d"\ndeveloper_instructions = "Body."\n ⇒ sandbox
            tools: Read, Grep\ndescription: d ⇒ sandbox_mode = "read-only" ⇒  ⇒ tools-not-enforced
            tools: Read\ndescription: d ⇒ Change nothing: write no file ⇒  ⇒ tools-not-enforced
            tools: [Read, "Bash(git:*)"]\ndescription: d ⇒ name ⇒ Change nothing ⇒ tools-not-enforced
            tools: Read, mcp__x__y\ndescription: d ⇒ name ⇒ sandbox ⇒ tools-not-enforced
            disallowedTools: Edit, Write, MultiEdit, NotebookEdit, Bash\ndescription: d ⇒ read-only ⇒  ⇒ tools-not-enforced
            disallowedTools: Edit\ndescription: d ⇒ Do not use these tools: Edit. ⇒ sandbox ⇒ tools-not-enforced
            model: opus\ndescription: d ⇒ name ⇒ opus ⇒ model-dropped
            effort: max\ndescription: d ⇒ model_reasoning_effort = "xhigh" ⇒ max
            effort: odd\ndescription: d ⇒ name ⇒ effort ⇒ agent-field-dropped
            color: red\nmaxTurns: 3\ndescription: d ⇒ name ⇒ red ⇒ agent-field-dropped agent-field-dropped
            skills: s, other:t\ndescription: d ⇒ Read these skills first: $p:s, $other:t.
            name: a ⇒ description = "Body." ⇒  ⇒ description-synthesized
            description: Use it: "x\n<example>\nuser: y\n</example>\ntools: Read ⇒ read-only ⇒  ⇒ frontmatter-repaired tools-not-enforced
        "#,
    ) {
        let file = format!("---\n{header}\n---\nBody.\n");
        let conversion = converted(&[("agents/a.md", &file)]);
        let text = text(&conversion, "agents/a.toml");
        assert!(
            text.contains(&expected) && (absent.is_empty() || !text.contains(&absent)),
            "{header}\n{text}"
        );
        let mut found = codes(&account(&conversion.report, Kind::Agent, "a").warnings);
        found.sort_unstable();
        assert_eq!(found.join(" "), code, "{header}");
        assert_eq!(conversion.agents[0].role, "p:a");
        assert_eq!(conversion.agents[0].path, "agents/a.toml");
        assert!(conversion.bundle.get("agents/a.md").is_some());
    }
}

#[test]
fn what_moves_takes_its_links_along() {
    let conversion = converted(&[
        (
            "SKILL.md",
            "---\nname: root\ndescription: d\n---\n[a](docs/a.md)",
        ),
        ("docs/a.md", "[root](../SKILL.md) [b](../skills/b/SKILL.md)"),
        (
            "skills/b/SKILL.md",
            "---\nname: c\ndescription: d\n---\n[x](x.md) [a](../../docs/a.md)",
        ),
        ("skills/b/x.md", "[back](SKILL.md)"),
        ("skills/b/in/SKILL.md", "---\nname: nested\n---\n"),
    ]);
    assert_eq!(conversion.report.failures, []);
    assert!(text(&conversion, "skills/root/SKILL.md").contains("[a](../../docs/a.md)"));
    assert!(
        text(&conversion, "docs/a.md")
            .contains("[root](../skills/root/SKILL.md) [b](../skills/c/SKILL.md)")
    );
    assert!(text(&conversion, "skills/c/SKILL.md").contains("[x](x.md) [a](../../docs/a.md)"));
    assert!(conversion.bundle.get("skills/c/x.md").is_some());
    assert!(
        conversion
            .bundle
            .get("skills/c/in/SKILL.not-loaded.md")
            .is_some()
    );
    let nested = account(&conversion.report, Kind::Skill, "in");
    assert_eq!(
        (nested.outcome, nested.target.as_deref()),
        (Outcome::Dropped, None)
    );
}

#[test]
fn what_fails_a_plugin() {
    let long = "n".repeat(65);
    let long_skill = format!("---\nname: {long}\ndescription: d\n---\n");
    for (files, code, file) in [
        (
            vec![("skills/s/SKILL.md", long_skill.as_str())],
            "skill-rejected",
            "skills/s/SKILL.md",
        ),
        (
            vec![
                ("skills/s/SKILL.md", "---\ndescription: d\n---\n"),
                ("skills/t/SKILL.md", "---\nname: S\ndescription: d\n---\n"),
            ],
            "name-collision",
            "skills/t/SKILL.md",
        ),
        (
            vec![
                ("skills/a/SKILL.md", "---\nname: b\ndescription: d\n---\n"),
                ("skills/a/x.md", "a"),
                ("skills/b/x.md", "b"),
            ],
            "path-collision",
            "skills/b/x.md",
        ),
    ] {
        let conversion = converted(&files);
        let failures = &conversion.report.failures;
        assert!(
            failures
                .iter()
                .any(|failure| failure.code.as_str() == code && failure.location.file == file),
            "{code} {failures:?}"
        );
        assert!(conversion.bundle.is_empty());
        assert_eq!(conversion.report.digest, None);
    }
    let mut bytes = source(&[]);
    bytes.tree.insert(
        "skills/s/SKILL.md",
        TreeFile::plain(b"---\nname: s\n\xff".as_slice()),
    );
    let report = convert(&bytes, &Options::default(), &Codex).unwrap().report;
    assert_eq!(codes(&report.failures), ["not-utf8"]);
    assert_eq!(
        report.failures[0].location,
        Location::new("skills/s/SKILL.md", 3)
    );
}

#[test]
fn strict_fails_warnings_and_no_notes() {
    let loses = "---\ndescription: d\nmodel: opus\n---\n$ARGUMENTS";
    let is_noted = "---\nargument-hint: x\n---\nDo $ARGUMENTS with TodoWrite.";
    for (text, strict, failures) in [
        (loses, false, vec![]),
        (loses, true, vec!["model-dropped"]),
        (is_noted, true, vec![]),
    ] {
        let source = source(&[("skills/s/SKILL.md", text)]);
        let options = Options {
            strict,
            ..Options::default()
        };
        let conversion = convert(&source, &options, &Codex).unwrap();
        assert_eq!(codes(&conversion.report.failures), failures, "{text}");
        assert!(!conversion.report.components[0].warnings.is_empty());
        assert_eq!(conversion.bundle.is_empty(), !failures.is_empty());
    }
}

#[test]
fn every_part_has_an_account() {
    let files = [
        (
            CLAUDE_MANIFEST,
            "{\"name\": \"p\", \"skills\": \"../x\", \"dependencies\": [\"q\", \"r\"], \"userConfig\": {\"k\": {}}, \"commands\": {\"c\": {\"content\": \"Do it.\"}}}",
        ),
        ("skills/s/SKILL.md", "---\ndescription: d\n---\n"),
        ("agents/a.md", "Text."),
        ("bin/tool", ""),
        (
            "hooks/hooks.json",
            "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"prompt\"}]}], \"Nonsense\": 1}}",
        ),
        (
            ".mcp.json",
            "{\"mcpServers\": {\"m\": {\"command\": \"x\"}}}",
        ),
    ];
    let mut options = Options::default();
    options
        .neighbours
        .plugins
        .entry("q".to_owned())
        .or_default();
    let conversion = convert(&source(&files), &options, &Codex).unwrap();
    let report = &conversion.report;
    assert_eq!(report.failures, []);
    let kinds: Vec<(&str, &str, Outcome)> = report
        .components
        .iter()
        .map(|account| {
            (
                account.kind.as_str(),
                account.name.as_str(),
                account.outcome,
            )
        })
        .collect();
    let dropped: Vec<&str> = kinds
        .iter()
        .filter(|(_, _, outcome)| *outcome == Outcome::Dropped)
        .map(|(_, name, _)| *name)
        .collect();
    assert_eq!(kinds.len(), 11, "{kinds:?}");
    assert_eq!(dropped.len(), 6, "{dropped:?}");
    for name in ["../x", "tool", "Nonsense", "r", "k"] {
        assert!(dropped.contains(&name), "{name} {dropped:?}");
    }
    assert!(text(&conversion, "skills/c/SKILL.md").contains("Do it."));
    assert_eq!(conversion.servers.len(), 1);
    assert!(conversion.hooks.is_empty());
    assert!(conversion.bundle.get("hooks/hooks.json").is_none());
    let summary = report.summary;
    assert_eq!(
        summary.converted + summary.lossy + summary.dropped,
        report.components.len()
    );
}

#[test]
fn what_is_too_large_for_a_text_is_not_converted() {
    let large = "x @../y.md\n".repeat(500_000);
    let beside = converted(&[
        ("skills/a/SKILL.md", "[x](x.md)"),
        ("skills/a/x.md", &large),
    ]);
    let warnings = &account(&beside.report, Kind::Skill, "a").warnings;
    assert!(
        codes(warnings).contains(&"text-too-large"),
        "{}",
        beside.report
    );
    assert_eq!(text(&beside, "skills/a/x.md").len(), large.len());
    for path in ["skills/a/SKILL.md", "commands/a.md", "agents/a.md"] {
        let own = converted(&[(path, &large)]).report;
        assert_eq!(codes(&own.failures), ["component-too-large"], "{path}");
        assert_eq!(own.failures[0].location, Location::new(path, 1));
        assert!(own.failures[0].message.contains("5500000 bytes"), "{own}");
    }
    let manifest = json!({"name": "p", "commands": {"c": {"content": large}}}).to_string();
    let inline = converted(&[(CLAUDE_MANIFEST, &manifest)]).report;
    assert_eq!(codes(&inline.failures), ["component-too-large"]);
}

#[test]
fn what_the_author_says_to_codex_counts() {
    let own = r#"{"name": "q", "version": "2", "description": "For Codex"}"#;
    let claude = r#"{"name": "p", "version": "1", "description": "For Claude", "license": "MIT"}"#;
    let conversion = converted(&[
        (CLAUDE_MANIFEST, claude),
        (".codex-plugin/plugin.json", own),
        ("skills/a/SKILL.md", "x"),
    ]);
    let manifest = json!({"name": "p", "version": "2", "description": "For Codex", "license": "MIT", "skills": "./skills/"});
    assert_eq!(Value::Object(conversion.manifest), manifest);
    assert_eq!(conversion.report.version.as_deref(), Some("2"));
}

#[test]
fn large_plugins_are_converted_whole() {
    let count = 800;
    let files: Vec<(String, String)> = (0..count)
        .flat_map(|n| {
            [
                (
                    format!("skills/s{n}/SKILL.md"),
                    format!("---\nname: s{n}\ndescription: d\n---\nSee [x](x.md) and /p:c{n}."),
                ),
                (format!("skills/s{n}/x.md"), "Text.".to_owned()),
                (format!("commands/c{n}.md"), "Do $ARGUMENTS.".to_owned()),
                (format!("agents/a{n}.md"), format!("Spawn /p:s{n}.")),
                (format!("docs/{n}/SKILL.md"), String::new()),
            ]
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let conversion = converted(&files);
    assert_eq!(conversion.report.failures, []);
    assert_eq!(conversion.report.components.len(), 3 * count);
}

fn any_plugin() -> impl proptest::strategy::Strategy<Value = Vec<(String, String)>> {
    let path = "(skills/|commands/|agents/|more/|hooks/|\\.x/)?([aAb: é]{1,3}/){0,3}(SKILL\\.md|a\\.md|A\\.md|b\\.md|x\\.sh|hooks\\.json)";
    let name = "(name: [aAb:/. é]{1,4}\n)?";
    let header = "(description: [a-z:\"' @{\\[]{0,9}\n)?(tools: [A-Z, (]{0,6}\n)?(context: fork\n)?(disable-model-invocation: yes\n)?";
    let body = "([a-z ]{0,5}|\\[x\\]\\([./ab]{0,6}(SKILL\\.md)?\\)|`[./ab]{0,5}a\\.md`|@\\.\\./a\\.md|/p:[aAb]|\\$ARGUMENTS|\\$\\{CLAUDE_PLUGIN_ROOT\\}/a\\.md|\n){0,6}";
    let text = (name, header, body)
        .prop_map(|(name, header, body)| format!("---\n{name}{header}---\n{body}"));
    let json = "\\{\"hooks\": \\{\"(Stop|PreToolUse|X)\": \\[(\\{\"hooks\": \\[\\{\"type\": \"(command|http)\", \"command\": \"x\"\\}, \\{\\}\\]\\}|1)?\\]\\}\\}";
    let content = prop_oneof![6 => text, 1 => body, 1 => json];
    proptest::collection::vec((path, content), 0..12)
}

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_plugin_is_converted_or_refused(files in any_plugin(), declared in "(skills|commands|agents)", folder in "(\\./more|\\.|\\./a\\.md|\\./commands)", at in any::<bool>()) {
        let manifest = json!({"name": "p", declared: folder}).to_string();
        let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        files.push((CLAUDE_MANIFEST, &manifest));
        let root = if at { BundleRoot::At("/bundles/p".to_owned()) } else { BundleRoot::Portable };
        let options = Options { root, ..Options::default() };
        let source = source(&files);
        match convert(&source, &options, &Codex) {
            Ok(conversion) => {
                let usable = conversion.report.failures.is_empty();
                prop_assert_eq!(usable, !conversion.bundle.is_empty());
                let broken = conversion.report.failures.iter().find(|failure| {
                    matches!(failure.code, Code::SkillRejected | Code::FolderNameDiffers | Code::LinkBroken)
                });
                prop_assert_eq!(broken, None);
                prop_assert_eq!(convert(&source, &options, &Codex).unwrap().report, conversion.report);
            }
            Err(error) => prop_assert!(matches!(error, ConversionError::Json { .. }), "{}", error),
        }
    }
}
