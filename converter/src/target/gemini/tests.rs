//! Small plugins as extensions.

use codex_loadout_bundle::TreeFile;
use serde_json::{Value, json};

use super::Gemini;
use crate::discovery::CLAUDE_MANIFEST;
use crate::discovery::tests::tree;
use crate::test_table::rows;
use crate::{BundleRoot, Conversion, Options, Source, convert};

fn converted(files: &[(&str, &str)]) -> Conversion {
    let mut source = Source {
        tree: tree(files),
        folder: "p".to_owned(),
        ..Source::default()
    };
    if source.tree.get(CLAUDE_MANIFEST).is_none() {
        let manifest = TreeFile::plain("{\"name\": \"p\", \"version\": \"1.0\"}");
        source.tree.insert(CLAUDE_MANIFEST, manifest);
    }
    let conversion = convert(&source, &Options::default(), &Gemini).unwrap();
    assert_eq!(conversion.report.failures, []);
    assert_eq!(conversion.report.digest, Some(conversion.bundle.digest()));
    conversion
}

fn text(conversion: &Conversion, path: &str) -> String {
    let file = conversion.bundle.get(path);
    let file = file.unwrap_or_else(|| panic!("no {path}: {}", conversion.report));
    String::from_utf8(file.bytes.to_vec()).unwrap()
}

fn codes(conversion: &Conversion) -> Vec<&'static str> {
    let accounts = conversion.report.components.iter();
    let findings = accounts.flat_map(|account| &account.warnings);
    findings.map(|finding| finding.code.as_str()).collect()
}

#[test]
fn what_the_cli_puts_into_commands() {
    for [body, prompt, found] in rows(
        r#"
            Do $ARGUMENTS. ⇒ Do {{args}}.
            Do `$ARGUMENTS`. ⇒ Do `{{args}}`.
            Log: !`git log "$ARGUMENTS"`. ⇒ Log: !{git log {{args}}}.
            ```!\ngit log\ngit diff\n``` ⇒ !{\ngit log\ngit diff\n}
            See @src/a.rs. ⇒ See @{src/a.rs}.
            See @~/.bashrc now. ⇒ See `~/.bashrc` now.
            @${CLAUDE_PLUGIN_ROOT}/rules.md ⇒ Be brief.
            Mind ${CLAUDE_PLUGIN_ROOT}/rules.md. ⇒ Mind ~/.gemini/extensions/p/rules.md.
            Reset to `@{u}`, not !{x} nor {{args}}. ⇒ Reset to `@ {u}`, not ! {x} nor { {args}}. ⇒ expansion-set-apart expansion-set-apart expansion-set-apart
            Use `/p:b`, /p:s and mcp__plugin_p_d_b__q. ⇒ Use `/p:b`, /s and mcp_d-b_q.
        "#,
    ) {
        let command = format!("---\ndescription: d\n---\n{body}\n");
        let conversion = converted(&[
            ("commands/a.md", &command),
            ("commands/b.md", "---\ndescription: d\n---\nB\n"),
            (
                "skills/s/SKILL.md",
                "---\nname: s\ndescription: d\n---\nS\n",
            ),
            ("rules.md", "Be brief.\n"),
            (".mcp.json", r#"{"d_b": {"command": "x"}}"#),
        ]);
        let file: toml::Table = text(&conversion, "commands/p/a.toml").parse().unwrap();
        assert_eq!(file["prompt"].as_str().unwrap().trim(), prompt, "{body}");
        let codes: Vec<&str> = codes(&conversion);
        let codes: Vec<&str> = codes
            .into_iter()
            .filter(|code| *code != "mcp-renamed")
            .collect();
        assert_eq!(codes.join(" "), found, "{body}");
    }
}

#[test]
fn single_arguments_are_named() {
    let conversion = converted(&[(
        "commands/a.md",
        "---\ndescription: d\nargument-hint: <a> <b>\n---\nMove $1 to $2.\n",
    )]);
    let file: toml::Table = text(&conversion, "commands/p/a.toml").parse().unwrap();
    let prompt = file["prompt"].as_str().unwrap();
    assert!(prompt.contains("\n---\n{{args}}\n---\n"), "{prompt}");
    assert!(
        prompt.contains("Move <first argument> to <second argument>."),
        "{prompt}"
    );
}

#[test]
fn skills_and_agents_name_the_extensions_folder() {
    let conversion = converted(&[
        (
            "skills/s/SKILL.md",
            "---\nname: s:t\ndescription: d\n---\nRun `sh ${CLAUDE_SKILL_DIR}/x.sh $ARGUMENTS`.\n",
        ),
        ("skills/s/x.sh", ""),
        (
            "agents/rev.md",
            "---\nname: Rev\ndescription: \"R: all\"\ntools: Read, Bash(ls), Task, mcp__d__q\nmaxTurns: 5\nmodel: opus\n---\nMind ${CLAUDE_PLUGIN_ROOT}/rules.md and ${HOME}.\n",
        ),
        ("rules.md", "Be brief.\n"),
        ("docs/SKILL.md", "no skill"),
    ]);
    let skill = text(&conversion, "skills/s-t/SKILL.md");
    assert!(skill.starts_with("---\nname: s-t\n"), "{skill}");
    assert!(
        skill.contains("`sh ${extensionPath}/skills/s-t/x.sh <arguments>`"),
        "{skill}"
    );
    assert_eq!(
        text(&conversion, "agents/Rev.md"),
        "---\nname: p-rev\ndescription: \"R: all\"\ntools: [\"mcp_d_q\",\"read_file\",\"run_shell_command\"]\nmax_turns: 5\n---\n\n\
         Mind `rules.md` in the folder of the extension and ${HOME-}.\n"
            .replace("`rules.md` in the folder of the extension", "${extensionPath}/rules.md")
    );
    assert!(conversion.bundle.get("agents/rev.md").is_none());
    // It is none to this platform.
    assert!(conversion.bundle.get("docs/SKILL.md").is_some());
    assert!(!codes(&conversion).contains(&"tools-not-enforced"));
}

#[test]
fn a_skill_that_only_users_call_is_a_command() {
    let conversion = converted(&[
        (
            "skills/ship/SKILL.md",
            "---\nname: ship\ndescription: d\ndisable-model-invocation: true\n---\nRun `${CLAUDE_SKILL_DIR}/x.sh`.\n",
        ),
        ("skills/ship/x.sh", ""),
    ]);
    assert!(conversion.bundle.get("skills/ship/SKILL.md").is_none());
    assert!(conversion.bundle.get("skills/ship/x.sh").is_some());
    let file = text(&conversion, "commands/p/ship.toml");
    assert!(
        file.contains("~/.gemini/extensions/p/skills/ship/x.sh"),
        "{file}"
    );
}

#[test]
fn servers() {
    for (source, expected, found) in [
        (
            json!({"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/s.js", "${CLAUDE_PROJECT_DIR}", "${A:-b}"], "env": {"T": "${T}"}, "timeout": 5}),
            json!({"command": "node", "args": ["${extensionPath}/s.js", "${workspacePath}", "${A:-b}"], "env": {"T": "${T}", "API_KEY": "${API_KEY:-}"}, "timeout": 5}),
            vec![],
        ),
        (
            json!({"type": "sse", "url": "https://x/${A}", "headers": {"Authorization": "Bearer ${T}"}, "alwaysLoad": true}),
            json!({"url": "https://x/${A}", "type": "sse", "headers": {"Authorization": "Bearer ${T}"}}),
            vec!["mcp-key-ignored"],
        ),
        (
            json!({"command": "x", "env": {"K": "${user_config.key}"}}),
            json!({"command": "x", "env": {"K": "${CLAUDE_PLUGIN_OPTION_KEY}"}}),
            vec!["env-var-unset"],
        ),
        (
            json!({"url": "ws://x"}),
            Value::Null,
            vec!["mcp-transport-unsupported"],
        ),
    ] {
        let file = json!({ "s": source }).to_string();
        let conversion = converted(&[
            (".mcp.json", &file),
            ("s.js", "process.env.API_KEY; process.env.NODE_ENV"),
            ("skills/s/SKILL.md", "---\nname: s\ndescription: d\n---\n"),
        ]);
        let manifest: Value =
            serde_json::from_str(&text(&conversion, "gemini-extension.json")).unwrap();
        assert_eq!(manifest["mcpServers"]["s"], expected, "{source}");
        assert_eq!(codes(&conversion), found, "{source}");
    }
}

#[test]
fn hooks_run_through_the_adapter() {
    let hooks = json!({"hooks": {
        "PreToolUse": [{"matcher": "Bash|mcp__plugin_p_d__q", "hooks": [{"type": "command", "command": "${CLAUDE_PLUGIN_ROOT}/h.sh", "timeout": 3}]}],
        "PermissionRequest": [{"hooks": [{"type": "command", "command": "x"}]}],
        "SessionStart": [{"matcher": "startup|clear", "hooks": [{"type": "command", "command": "x"}]}],
    }});
    let conversion = converted(&[
        ("hooks/hooks.json", &hooks.to_string()),
        (".mcp.json", r#"{"d": {"command": "x"}}"#),
        ("h.sh", ""),
    ]);
    let file: Value = serde_json::from_str(&text(&conversion, "hooks/hooks.json")).unwrap();
    let tool = &file["hooks"]["BeforeTool"][0];
    assert_eq!(tool["matcher"], "^(?:mcp_d_q|run_shell_command)$");
    assert_eq!(tool["hooks"][0]["timeout"], 3000);
    let command = tool["hooks"][0]["command"].as_str().unwrap();
    for part in [
        "export CLAUDE_PLUGIN_ROOT=\"${extensionPath}\"",
        "exit 2; }",
        "exec node \"${extensionPath}/hooks/gemini-adapter.mjs\"",
        "${extensionPath}/h.sh",
    ] {
        assert!(command.contains(part), "{part}: {command}");
    }
    let start = &file["hooks"]["SessionStart"][0];
    assert_eq!(start.get("matcher"), None);
    assert!(
        start["hooks"][0]["command"]
            .as_str()
            .unwrap()
            .contains("startup|clear")
    );
    assert!(conversion.bundle.get("hooks/gemini-adapter.mjs").is_some());
    assert!(codes(&conversion).contains(&"hook-event-unsupported"));
}

#[test]
fn what_claude_asks_the_user_for_is_asked_for() {
    let conversion = converted(&[
        (
            ".claude-plugin/plugin.json",
            r#"{"name": "p", "version": "1", "userConfig": {"api-key": {"type": "string", "title": "API key", "description": "Yours", "sensitive": true},
                "site": {}}, "mcpServers": {"s": {"command": "x", "args": ["${user_config.site}"], "env": {"K": "${user_config.api-key}"}},
                "t": {"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/t.js"]}},
                "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "echo ${user_config.site}"}]}]}}"#,
        ),
        ("t.js", "process.env.CLAUDE_PLUGIN_OPTION_SITE"),
    ]);
    let manifest: Value =
        serde_json::from_str(&text(&conversion, "gemini-extension.json")).unwrap();
    assert_eq!(
        manifest["settings"],
        json!([
            {"name": "API key", "description": "Yours", "envVar": "CLAUDE_PLUGIN_OPTION_API_KEY", "sensitive": true},
            {"name": "site", "description": "site", "envVar": "CLAUDE_PLUGIN_OPTION_SITE", "sensitive": false},
        ])
    );
    let servers = &manifest["mcpServers"];
    assert_eq!(
        servers["s"]["args"],
        json!(["${CLAUDE_PLUGIN_OPTION_SITE}"])
    );
    assert_eq!(servers["s"]["env"]["K"], "${CLAUDE_PLUGIN_OPTION_API_KEY}");
    assert_eq!(
        servers["t"]["env"]["CLAUDE_PLUGIN_OPTION_SITE"],
        "${CLAUDE_PLUGIN_OPTION_SITE:-}"
    );
    let summary = conversion.report.summary;
    assert_eq!(
        (summary.lossy, summary.dropped),
        (0, 0),
        "{}",
        conversion.report
    );
}

#[test]
fn a_bundle_at_a_place_names_it() {
    let source = Source {
        tree: tree(&[
            ("commands/a.md", "Run ${CLAUDE_PLUGIN_ROOT}/x.sh."),
            ("x.sh", ""),
        ]),
        folder: "p".to_owned(),
        ..Source::default()
    };
    let options = Options {
        root: BundleRoot::At("/e/p".to_owned()),
        ..Options::default()
    };
    let conversion = convert(&source, &options, &Gemini).unwrap();
    assert!(text(&conversion, "commands/p/a.toml").contains("/e/p/x.sh"));
}
