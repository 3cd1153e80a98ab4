//! Which files are which parts, manifest by manifest.

use codex_loadout_bundle::{Tree, TreeFile};
use serde_json::{Value, json};

use super::*;
use crate::source::CommandText;
use crate::test_table::{self as table, rows};

/// Where an author writes for the target of these tests.
const CODEX_MANIFEST: &str = ".codex-plugin/plugin.json";

fn discover(source: &Source) -> Result<Discovered, ConversionError> {
    super::discover(source, CODEX_MANIFEST)
}

pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), TreeFile::plain((*text).to_owned())))
        .collect()
}

fn source(files: &[(&str, &str)], manifest: &Value, entry: Option<Value>) -> Source {
    let mut tree = tree(files);
    if !manifest.is_null() {
        tree.insert(CLAUDE_MANIFEST, TreeFile::plain(manifest.to_string()));
    }
    Source {
        tree,
        folder: "folder".to_owned(),
        entry: entry.map(|entry| entry.as_object().unwrap().clone()),
        marketplace: None,
    }
}

fn found(files: &[(&str, &str)], manifest: &Value, entry: Option<Value>) -> Discovered {
    discover(&source(files, manifest, entry)).unwrap()
}

/// The folders of its skills.
fn folders_of(found: &Discovered) -> String {
    let folders = found
        .plugin
        .skills
        .iter()
        .map(|skill| skill.folder.as_str());
    folders.collect::<Vec<_>>().join(" ")
}

/// Files without content.
fn empty(paths: &str) -> Vec<(&str, &str)> {
    table::words(paths)
        .into_iter()
        .map(|path| (path, ""))
        .collect()
}

fn codes(found: &Discovered) -> Vec<&'static str> {
    let of_accounts = found.accounts.iter().flat_map(|account| &account.warnings);
    of_accounts
        .chain(&found.findings)
        .map(|finding| finding.code.as_str())
        .collect()
}

const SKILLS: &[(&str, &str)] = &[
    ("skills/a/SKILL.md", ""),
    ("skills/a/deep/SKILL.md", ""),
    ("skills/group/b/SKILL.md", ""),
    ("more/c/SKILL.md", ""),
    ("more/d/SKILL.md", ""),
    (".hidden/e/SKILL.md", ""),
    ("docs/f/SKILL.md", ""),
];

#[test]
fn skills_are_added_to_the_default_folder() {
    for [manifest, entry, folders, dropped] in rows(
        r#"
            {} ⇒  ⇒ skills/a ⇒ deep b
            {"skills": "./more"} ⇒  ⇒ skills/a more/c more/d ⇒ deep b
            {"skills": ["./more/c/", "./skills/group"]} ⇒  ⇒ skills/a more/c skills/group/b ⇒ deep
            {"skills": "./more/d/SKILL.md"} ⇒  ⇒ skills/a more/d ⇒ deep b
            {"skills": "${CLAUDE_PLUGIN_ROOT}/more/c"} ⇒  ⇒ skills/a more/c ⇒ deep b
            {"skills": ["./none", 7]} ⇒  ⇒ skills/a ⇒ ./none deep b
            {"skills": ["../x", "/etc", "./a/../../x"]} ⇒  ⇒ skills/a ⇒ ../x /etc ./a/../../x deep b
            {} ⇒ {"skills": ["./more/c"]} ⇒ skills/a more/c ⇒ deep b
            {"skills": "./more/d"} ⇒ {"skills": ["./more/c"]} ⇒ skills/a more/d more/c ⇒ deep b
            null ⇒ {"strict": false, "skills": ["./more/c"]} ⇒ more/c
            {"skills": "./more/d"} ⇒ {"strict": false, "skills": ["./more/c"]} ⇒ more/c
            null ⇒ {"strict": false} ⇒ skills/a ⇒ deep b
        "#,
    ) {
        let found = found(
            SKILLS,
            &table::json(&manifest),
            Some(table::json(&entry)).filter(Value::is_object),
        );
        assert_eq!(folders_of(&found), folders, "{manifest} {entry}");
        let lost: Vec<&str> = found
            .accounts
            .iter()
            .map(|account| account.name.as_str())
            .collect();
        assert_eq!(lost.join(" "), dropped, "{manifest} {entry}");
    }
    let outside = found(SKILLS, &json!({"skills": "../x"}), None);
    assert!(codes(&outside).contains(&"path-outside-plugin"));
    assert!(codes(&found(SKILLS, &json!({"skills": "./none"}), None)).contains(&"path-missing"));
    assert!(codes(&found(SKILLS, &json!({"skills": 7}), None)).contains(&"manifest-value-ignored"));
}

/// Name, place and code of each part that is dropped.
fn dropped_parts(found: &Discovered) -> Vec<String> {
    let told = |account: &Account| {
        let (name, at, code) = (&account.name, &account.source, account.warnings[0].code);
        format!("{} {name} @ {at} {code}", account.kind.as_str())
    };
    found.accounts.iter().map(told).collect()
}

#[test]
fn what_leads_nowhere_is_accounted_for_where_it_is_declared() {
    let manifest = "{\n\"commands\": {\n\"lost\": {\"source\": \"./no.md\"},\n\"short\": \"./no.md\",\n\"odd\": 7,\n\"of\": {\"source\": 7},\n\"dir\": \"./agents\"},\n\
        \"skills\": [\"./none\"],\n\"agents\": [\n\"./agents\", \"./no.md\"],\n\"hooks\": [\"./no.json\", \"./agents\"],\n\"mcpServers\":\n \"./no.json\"}";
    let found = discover(&source(
        &[(CLAUDE_MANIFEST, manifest), ("agents/x.md", "")],
        &json!(null),
        None,
    ))
    .unwrap();
    let mut dropped = dropped_parts(&found);
    dropped.sort();
    let at =
        |what: &str, line: usize, code: &str| format!("{what} @ {CLAUDE_MANIFEST}:{line} {code}");
    assert_eq!(
        dropped,
        [
            at("agent ./no.md", 10, "path-missing"),
            at("command dir", 7, "path-missing"),
            at("command lost", 3, "path-missing"),
            at("command odd", 5, "manifest-value-ignored"),
            at("command of", 6, "manifest-value-ignored"),
            at("command short", 4, "path-missing"),
            at("hook ./agents", 11, "path-missing"),
            at("hook ./no.json", 11, "path-missing"),
            at("mcpServer ./no.json", 12, "path-missing"),
            at("skill ./none", 8, "path-missing"),
        ]
    );
    assert_eq!(found.plugin.agents.len(), 1);
}

#[test]
fn files_that_only_look_like_skills_are_accounted_for() {
    for [files, manifest, skills, dropped] in rows(
        r#"
            a/SKILL.md grp/gamma/SKILL.md .git/x/SKILL.md ⇒ null ⇒ a ⇒ skill gamma @ grp/gamma/SKILL.md:1 nested-skill-dropped
            a/SKILL.md lower/skill.md a/skill.md b/c/skill.md ⇒ null ⇒ a ⇒ skill lower @ lower/skill.md:1 skill-file-misspelled
            skills/a/SKILL.md skills/lower/Skill.md skills/a/x/skill.md docs/skill.md ⇒ {} ⇒ skills/a ⇒ skill lower @ skills/lower/Skill.md:1 skill-file-misspelled
            skill.md more/one/skill.md ⇒ {"skills": "./more/one"} ⇒  ⇒ skill one @ more/one/skill.md:1 skill-file-misspelled, skill folder @ skill.md:1 skill-file-misspelled
            // What a plugin that is one skill holds besides need not be skills.
            SKILL.md docs/x/SKILL.md docs/skill.md ⇒ {}
        "#,
    ) {
        let found = found(&empty(&files), &table::json(&manifest), None);
        assert_eq!(folders_of(&found), skills, "{files}");
        assert_eq!(dropped_parts(&found).join(", "), dropped, "{files}");
    }
}

#[test]
fn a_plugin_can_be_one_skill_and_a_folder_can_be_many() {
    // The plugin's own folder has no name here.
    for [files, manifest, folders] in rows(
        r#"
            SKILL.md ⇒ null
            SKILL.md ⇒ {"skills": "."}
            SKILL.md x/SKILL.md ⇒ {"skills": ["./"]}
            SKILL.md skills/x/SKILL.md ⇒ {} ⇒ skills/x
            a/SKILL.md b/SKILL.md .c/SKILL.md ⇒ null ⇒ a b
            a/SKILL.md ⇒ {"skills": "./"} ⇒ a
            a/SKILL.md ⇒ {}
        "#,
    ) {
        let found = found(&empty(&files), &table::json(&manifest), None);
        assert_eq!(folders_of(&found).trim(), folders, "{files} {manifest}");
        assert_eq!(
            found
                .plugin
                .skills
                .iter()
                .any(|skill| skill.folder.is_empty()),
            files.starts_with("SKILL.md")
        );
        assert_eq!(found.plugin.name, "folder");
    }
    let nothing = discover(&source(&[("README.md", "")], &json!(null), None));
    assert!(matches!(nothing, Err(ConversionError::NoPlugin { .. })));
}

#[test]
fn commands_and_agents_replace_their_folder() {
    let files = &[
        ("commands/a.md", ""),
        ("commands/git/push.md", ""),
        ("commands/whole/SKILL.md", ""),
        ("commands/whole/part.md", ""),
        ("commands/old.md.deprecated", ""),
        ("more/b.md", ""),
        ("agents/x.md", ""),
        ("agents/in/y.md", ""),
        ("more/z.md", ""),
    ];
    for (manifest, names) in [
        (json!({}), vec!["a", "git:push", "whole"]),
        (json!({"commands": "./more/b.md"}), vec!["b"]),
        (
            json!({"commands": ["./more", "./more/b.md"]}),
            vec!["b", "z"],
        ),
        (
            json!({"commands": ["./commands/", "./more/b.md"]}),
            vec!["a", "git:push", "whole", "b"],
        ),
        (
            json!({"commands": {
                "one": {"source": "./more/b.md", "description": "D", "argumentHint": "[x]", "allowedTools": ["A"]},
                "two": {"content": "text"},
                "three": "./more/z.md",
                "none": {},
            }}),
            vec!["one", "two", "three"],
        ),
        (json!({"commands": {"one": {"source": "../b.md"}}}), vec![]),
    ] {
        let found = found(files, &manifest, None);
        let found: Vec<&str> = found
            .plugin
            .commands
            .iter()
            .map(|command| command.name.as_str())
            .collect();
        assert_eq!(found, names, "{manifest}");
    }
    let mapped = found(
        files,
        &json!({"commands": {"one": {"source": "./more/b.md", "argumentHint": "[x]"}, "none": {}}}),
        None,
    );
    assert_eq!(
        mapped.plugin.commands[0].header,
        *json!({"argument-hint": "[x]"}).as_object().unwrap()
    );
    assert_eq!(
        mapped.plugin.commands[0].text,
        CommandText::File("more/b.md".to_owned())
    );
    assert_eq!(mapped.accounts[0].name, "none");
    for (manifest, names) in [
        (json!({}), vec!["in:y", "x"]),
        (json!({"agents": "./more/z.md"}), vec!["z"]),
        (
            json!({"agents": ["./agents/x.md", "./agents"]}),
            vec!["x", "in:y"],
        ),
    ] {
        let found = found(files, &manifest, None);
        let found: Vec<&str> = found
            .plugin
            .agents
            .iter()
            .map(|agent| agent.name.as_str())
            .collect();
        assert_eq!(found, names, "{manifest}");
    }
}

#[test]
fn hooks_are_merged_each_handler_with_its_line() {
    let handler = json!({"type": "command", "command": "x"});
    let event = |name: &str| json!({name: [{"matcher": "Bash", "hooks": [handler.clone()]}]});
    let default = "{\"hooks\": {\n\"Stop\": [\n{\"hooks\": [\n{\"type\": \"command\"},\n{\"type\": \"prompt\"}]},\n{\"hooks\": [{}]}]}}";
    let other = event("PreToolUse").to_string();
    let files = &[
        ("hooks/hooks.json", default),
        ("h/other.json", other.as_str()),
    ];
    let all = found(
        files,
        &json!({"hooks": ["./h/other.json", "./hooks/hooks.json", event("Stop"), {"hooks": event("SessionStart")}]}),
        None,
    );
    let hooks: Vec<(&str, &str, usize, usize)> = all
        .plugin
        .hooks
        .iter()
        .map(|hook| {
            (
                hook.file.as_str(),
                hook.event.as_str(),
                hook.group,
                hook.line,
            )
        })
        .collect();
    assert_eq!(
        hooks,
        [
            ("hooks/hooks.json", "Stop", 0, 4),
            ("hooks/hooks.json", "Stop", 0, 5),
            ("hooks/hooks.json", "Stop", 1, 6),
            ("h/other.json", "PreToolUse", 0, 1),
            (CLAUDE_MANIFEST, "Stop", 2, 1),
            (CLAUDE_MANIFEST, "SessionStart", 0, 1),
        ]
    );
    assert_eq!(all.plugin.hooks[3].matcher.as_deref(), Some("Bash"));
    for (hooks, dropped) in [
        (json!({"Stop": [{"type": "command"}]}), 1),
        (json!({"Stop": {}}), 1),
        (json!({"Stop": [{"hooks": ["x"]}]}), 1),
        (json!("../x.json"), 1),
        (json!(7), 0),
    ] {
        let found = found(&[], &json!({"hooks": hooks}), None);
        assert_eq!(
            (found.plugin.hooks.len(), found.accounts.len()),
            (0, dropped),
            "{hooks}"
        );
        assert!(!codes(&found).is_empty());
    }
}

#[test]
fn the_authors_own_choice_of_hooks_counts() {
    let claude = "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\"}]}]}}";
    for (own, kept, dropped, native) in [
        (json!({"name": "p"}), 1, 0, false),
        (json!({"name": "p", "hooks": {}}), 0, 1, true),
        (
            json!({"name": "p", "hooks": "./hooks/hooks.json"}),
            1,
            0,
            true,
        ),
    ] {
        let own = own.to_string();
        let for_codex_alone = discover(&Source {
            tree: tree(&[("hooks/hooks.json", claude), (CODEX_MANIFEST, &own)]),
            ..Source::default()
        });
        let hooks = for_codex_alone.unwrap().plugin.hooks;
        assert!(hooks.iter().all(|hook| hook.is_native), "{own}");
        let found = found(
            &[("hooks/hooks.json", claude), (CODEX_MANIFEST, &own)],
            &json!({}),
            None,
        );
        assert_eq!(
            (found.plugin.hooks.len(), found.accounts.len()),
            (kept, dropped),
            "{own}"
        );
        let hooks = &found.plugin.hooks;
        assert!(hooks.iter().all(|hook| hook.is_native == native), "{own}");
        assert!(codes(&found).contains(&"author-manifest-used"));
        assert_eq!(found.plugin.name, "p");
    }
}

#[test]
fn servers_are_merged_and_the_later_wins() {
    let files = &[
        (
            ".mcp.json",
            "{\"mcpServers\": {\n\"a\": {\"command\": \"1\"},\n\"b\": {\"command\": \"1\"}}}",
        ),
        ("more.json", "{\"c\": {\"url\": \"u\"}, \"$schema\": \"s\"}"),
    ];
    let found = found(
        files,
        &json!({"mcpServers": ["./more.json", "./.mcp.json", {"b": {"command": "2"}}, "./x.mcpb", "https://x/y.dxt"]}),
        None,
    );
    let servers: Vec<(&str, &str, usize)> = found
        .plugin
        .servers
        .iter()
        .map(|server| (server.name.as_str(), server.file.as_str(), server.line))
        .collect();
    assert_eq!(
        servers,
        [
            ("a", ".mcp.json", 2),
            ("b", CLAUDE_MANIFEST, 1),
            ("c", "more.json", 1)
        ]
    );
    let lost: Vec<&str> = found
        .accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    assert_eq!(lost, ["b", "./x.mcpb", "https://x/y.dxt"]);
}

#[test]
fn what_is_no_server_is_accounted_for() {
    for (file, manifest, dropped) in [
        (
            "{\"mcpServers\": {\n\"arr\": [],\n\"ok\": {}}}",
            json!({}),
            vec!["mcpServer arr @ .mcp.json:2 mcp-malformed".to_owned()],
        ),
        (
            "{\"ok\": {}, \"inputs\": []}",
            json!({"mcpServers": {"text": "x"}}),
            vec![format!(
                "mcpServer text @ {CLAUDE_MANIFEST}:1 mcp-malformed"
            )],
        ),
    ] {
        let found = found(&[(".mcp.json", file)], &manifest, None);
        assert_eq!(found.plugin.servers.len(), 1, "{file}");
        assert_eq!(dropped_parts(&found), dropped, "{file}");
    }
}

#[test]
fn the_author_can_want_no_servers_in_codex() {
    let file = "{\"mcpServers\": {\n\"a\": {\"command\": \"x\"}}}";
    for (own, kept) in [
        (json!({}), vec!["a", "b"]),
        (json!({"mcpServers": null}), vec!["a", "b"]),
        (
            json!({"mcpServers": {"c": {"command": "x"}}}),
            vec!["a", "b", "c"],
        ),
        (json!({"mcpServers": {}}), vec![]),
        (json!({"mcpServers": []}), vec![]),
        (json!({"mcpServers": ""}), vec![]),
    ] {
        let own = own.to_string();
        let found = found(
            &[(".mcp.json", file), (CODEX_MANIFEST, &own)],
            &json!({"mcpServers": {"b": {"command": "x"}}}),
            None,
        );
        let servers = found
            .plugin
            .servers
            .iter()
            .map(|server| server.name.as_str());
        assert_eq!(servers.collect::<Vec<_>>(), kept, "{own}");
        let dropped = if kept.is_empty() {
            let code = "author-manifest-used";
            vec![
                format!("mcpServer a @ .mcp.json:2 {code}"),
                format!("mcpServer b @ {CLAUDE_MANIFEST}:1 {code}"),
            ]
        } else {
            vec![]
        };
        assert_eq!(dropped_parts(&found), dropped, "{own}");
    }
}

#[test]
fn processes_of_agent_plugins_start_in_the_plugins_folder() {
    let schema = "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json";
    for (cwd, expected) in [
        (json!({}), json!("${PLUGIN_ROOT}")),
        (json!({"cwd": "."}), json!("${PLUGIN_ROOT}")),
        (json!({"cwd": "./a"}), json!("${PLUGIN_ROOT}/a")),
        (json!({"cwd": "${PLUGIN_DATA}"}), json!("${PLUGIN_DATA}")),
    ] {
        let mut server = json!({"type": "stdio", "command": "x"});
        server
            .as_object_mut()
            .unwrap()
            .extend(cwd.as_object().unwrap().clone());
        let web = json!({"type": "streamable-http", "url": "https://x"});
        let file = json!({"$schema": schema, "mcpServers": {"s": server, "w": web}}).to_string();
        let servers = found(&[("mcp.json", &file)], &json!({}), None)
            .plugin
            .servers;
        assert_eq!(servers[0].definition["cwd"], expected);
        assert_eq!(servers[1].definition, web);
    }
}

#[test]
fn agent_plugins_say_what_claude_does_not() {
    let schema = "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json";
    let manifest =
        json!({"$schema": schema, "name": "portable", "version": "1.2.0", "skills": "./more"})
            .to_string();
    let servers = json!({"$schema": schema, "mcpServers": {"side": {"command": "a"}}}).to_string();
    let bare = json!({"$schema": schema, "side": {"command": "a"}}).to_string();
    let plain = json!({"name": "a program's", "mcpServers": {"no": {"command": "x"}}}).to_string();
    let other =
        json!({"mcpServers": {"side": {"command": "b"}, "more": {"command": "c"}}}).to_string();
    let claude = json!({"name": "claude", "skills": "./other"});
    for (files, own, name, version, expected) in [
        (
            vec![("plugin.json", &manifest), ("mcp.json", &servers)],
            json!(null),
            "portable",
            "1.2.0",
            "more/s side=a",
        ),
        (
            vec![("plugin.json", &manifest), ("mcp.json", &bare)],
            json!(null),
            "portable",
            "1.2.0",
            "more/s side=a",
        ),
        // Beside Claude's files, those come first.
        (
            vec![("plugin.json", &manifest), ("mcp.json", &servers)],
            claude.clone(),
            "claude",
            "1.2.0",
            "other/s side=a",
        ),
        (
            vec![("mcp.json", &servers), (".mcp.json", &other)],
            claude,
            "claude",
            "",
            "other/s more=c side=b",
        ),
        // Without a schema they are a program's own.
        (
            vec![
                ("plugin.json", &plain),
                ("mcp.json", &plain),
                (".mcp.json", &other),
            ],
            json!(null),
            "folder",
            "",
            "more=c side=b",
        ),
    ] {
        let skills = [("more/s/SKILL.md", ""), ("other/s/SKILL.md", "")];
        let skills = skills
            .into_iter()
            .filter(|_| !files.iter().any(|(_, text)| **text == plain));
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .chain(skills)
            .collect();
        let plugin = found(&files, &own, None).plugin;
        let skills = plugin.skills.iter().map(|skill| skill.folder.clone());
        let servers = plugin.servers.iter().map(|server| {
            format!(
                "{}={}",
                server.name,
                server.definition["command"].as_str().unwrap()
            )
        });
        let mut servers: Vec<String> = servers.collect();
        servers.sort();
        let parts: Vec<String> = skills.chain(servers).collect();
        assert_eq!(
            (
                plugin.name.as_str(),
                plugin.version.as_deref().unwrap_or_default(),
                parts.join(" ").as_str()
            ),
            (name, version, expected)
        );
    }
}

#[test]
fn a_programs_folders_make_no_plugin() {
    for path in [
        "bin/tool",
        "themes/dark.json",
        "workflows/ci.js",
        "settings.json",
    ] {
        let source = source(&[(path, "{}"), ("package.json", "{}")], &json!(null), None);
        assert!(
            matches!(discover(&source), Err(ConversionError::NoPlugin { .. })),
            "{path}"
        );
    }
    assert_eq!(
        found(&[("bin/tool", "")], &json!({"name": "p"}), None)
            .plugin
            .others
            .len(),
        1
    );
}

#[test]
fn what_has_no_counterpart_is_found() {
    let files = &[
        ("output-styles/terse.md", ""),
        ("workflows/scan.js", ""),
        ("workflows/notes.md", ""),
        ("bin/tool", ""),
        ("settings.json", "{\"agent\": \"x\"}"),
        (".lsp.json", "{\"go\": {}}"),
        ("monitors/monitors.json", "[{\"name\": \"m\"}]"),
    ];
    let manifest = json!({
        "lspServers": {"ts": {}},
        "userConfig": {"key": {}},
        "channels": [{"name": "c"}],
        "dependencies": ["other@market", {"name": "third"}],
        "experimental": {"themes": "./t.json", "evals": ["e"]},
    });
    let found = found(files, &manifest, None);
    let mut others: Vec<String> = found
        .plugin
        .others
        .iter()
        .map(|other| format!("{} {}", other.kind, other.name))
        .collect();
    others.sort();
    assert_eq!(
        others,
        [
            "bin tool",
            "channel c",
            "dependency other@market",
            "dependency third",
            "eval e",
            "lspServer go",
            "lspServer ts",
            "monitor m",
            "outputStyle terse",
            "settings agent",
            "theme ./t.json",
            "userConfig key",
            "workflow scan",
        ]
    );
}

#[test]
fn what_can_not_be_read_says_where() {
    for (path, text, line) in [
        (CLAUDE_MANIFEST, "{\n\"name\": \"p\",\n}", 3),
        (CLAUDE_MANIFEST, "[]", 1),
        (CODEX_MANIFEST, "{", 1),
        ("hooks/hooks.json", "{\"hooks\":\n{,}}", 2),
        (".mcp.json", "\n\nx", 3),
        (".mcp.json", &" ".repeat(9 << 20), 1),
    ] {
        let error = discover(&source(&[(path, text)], &json!(null), None)).unwrap_err();
        let location = error.location().unwrap();
        assert_eq!(
            (location.file.as_str(), location.line),
            (path, line),
            "{error}"
        );
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn an_entry_adds_to_what_a_plugin_has() {
    let files = &[
        ("commands/base.md", ""),
        ("agents/base.md", ""),
        ("extra/e.md", ""),
        ("extra/a.md", ""),
    ];
    let entry = |strict: bool| json!({"strict": strict, "commands": ["./extra/e.md"], "agents": ["./extra/a.md"]});
    for (manifest, strict, commands, agents) in [
        (
            json!({"name": "p"}),
            true,
            vec!["base", "e"],
            vec!["a", "base"],
        ),
        (json!({"name": "p"}), false, vec!["e"], vec!["a"]),
        // Without a manifest, the entry is it: what it lists takes the folders' place.
        (json!(null), true, vec!["e"], vec!["a"]),
        (
            json!({"name": "p", "commands": "./extra/e.md"}),
            true,
            vec!["e"],
            vec!["a", "base"],
        ),
    ] {
        let plugin = found(files, &manifest, Some(entry(strict))).plugin;
        let mut names = [
            plugin
                .commands
                .into_iter()
                .map(|command| command.name)
                .collect::<Vec<_>>(),
            plugin.agents.into_iter().map(|agent| agent.name).collect(),
        ];
        names.iter_mut().for_each(|names| names.sort());
        assert_eq!(names[0], commands, "{manifest} {strict}");
        let agent = |name: &str| name.strip_suffix(".md").unwrap_or(name).to_owned();
        let found: Vec<String> = names[1].iter().map(|name| agent(name)).collect();
        assert_eq!(found, agents, "{manifest} {strict}");
    }
}

#[test]
fn names_and_facts_are_merged() {
    for (manifest, entry, name, version) in [
        (
            json!({"name": "m", "version": "1"}),
            Some(json!({"name": "e", "version": "2"})),
            "m",
            Some("1"),
        ),
        (
            json!({"name": "m"}),
            Some(json!({"name": "e", "version": "2"})),
            "m",
            Some("2"),
        ),
        (json!(null), Some(json!({"name": "e"})), "e", None),
        (
            json!({"name": "m"}),
            Some(json!({"name": "e", "strict": false})),
            "e",
            None,
        ),
        (json!({"name": " "}), None, "folder", None),
    ] {
        let plugin = found(&[], &manifest, entry).plugin;
        assert_eq!(
            (plugin.name.as_str(), plugin.version.as_deref()),
            (name, version),
            "{manifest}"
        );
        assert!(!plugin.manifest.contains_key("strict"));
    }
    let twice = Source {
        tree: tree(&[(CLAUDE_MANIFEST, "{\"name\": \"a\",\n\"name\": \"b\"}")]),
        ..Source::default()
    };
    let found = discover(&twice).unwrap();
    assert_eq!(found.plugin.name, "b");
    assert_eq!(found.findings[0].location.line, 2);
}

fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "(\\./|\\.\\./|/)?(skills|hooks/hooks.json|a|SKILL.md)?(/[.a]{0,3})?".prop_map(Value::from),
    ];
    let key = "skills|commands|agents|hooks|mcpServers|lspServers|experimental|name|source|content|command|Stop|x";
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn any_manifest_is_read_or_refused(manifest in any_json(), own in any_json(), hooks in any_json(), entry in any_json()) {
        let own = own.to_string();
        let hooks = hooks.to_string();
        let files = [
            (CODEX_MANIFEST, own.as_str()),
            ("hooks/hooks.json", hooks.as_str()),
            (".mcp.json", hooks.as_str()),
            ("skills/a/SKILL.md", ""),
            ("a/SKILL.md", ""),
        ];
        let mut source = source(&files, &manifest, None);
        source.entry = entry.as_object().cloned();
        let _ = discover(&source);
    }
}
