use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::components::servers::tests::any_json;
use crate::names::Names;
use crate::options::{BundleRoot, Options};
use crate::source::{Plugin, ServerSource, Source};
use crate::target::Codex;
use crate::test_table::{self as table, rows};

pub(super) fn hook(event: &str, matcher: Option<&str>, handler: Value) -> HookSource {
    HookSource {
        file: "hooks/hooks.json".to_owned(),
        line: 7,
        event: event.to_owned(),
        matcher: matcher.map(ToOwned::to_owned),
        group: 0,
        handler,
        is_native: false,
    }
}

/// Converts hooks of a plugin that has this script.
pub(super) fn converted(hooks: Vec<HookSource>, script: &str, options: &Options) -> ConvertedHooks {
    let mut source = Source::default();
    source
        .tree
        .insert("hooks/run.sh", TreeFile::plain(script.to_owned()));
    let plugin = Plugin {
        name: "plug".to_owned(),
        hooks,
        servers: vec![ServerSource {
            name: "db".to_owned(),
            file: ".mcp.json".to_owned(),
            line: 1,
            definition: json!({"command": "db"}),
        }],
        ..Plugin::default()
    };
    convert(&Context {
        source: &source,
        plugin: &plugin,
        options,
        target: &Codex,
        names: &Names::default(),
        moved: &BTreeMap::new(),
    })
}

fn codes(account: &Account) -> Vec<&'static str> {
    let of_all = ["hook-untrusted", "hook-adapted", "hook-loop-capped"];
    account
        .warnings
        .iter()
        .map(|finding| finding.code.as_str())
        .filter(|code| !of_all.contains(code))
        .collect()
}

/// A handler of a table, in which `RUN` is the plugin's own script; it is a command if it does not say otherwise.
fn handler_of(cell: &str) -> Value {
    let mut handler = table::json(&cell.replace("RUN", &json!(RUN).to_string()));
    if let Some(handler) = handler
        .as_object_mut()
        .filter(|it| !it.contains_key("type"))
    {
        handler.insert("type".to_owned(), json!("command"));
    }
    handler
}

fn some(cell: &str) -> Option<&str> {
    Some(cell).filter(|cell| !cell.is_empty())
}

const RUN: &str = "\"${CLAUDE_PLUGIN_ROOT}\"/hooks/run.sh";

#[test]
fn a_hook_written_for_codex_goes_through_unchanged() {
    let script = "echo '{\"decision\": \"block\"}'; jq .transcript_path; cd $CLAUDE_PROJECT_DIR";
    for (event, matcher, handler) in [
        (
            "Stop",
            None,
            json!({"type": "command", "command": RUN, "timeout": 15}),
        ),
        (
            "PreToolUse",
            Some("apply_patch"),
            json!({"type": "command", "command": RUN, "new": 1}),
        ),
        (
            "PostToolUse",
            Some("^Read$"),
            json!({"type": "mcp_tool", "server": "x", "tool": "t"}),
        ),
    ] {
        let native = HookSource {
            is_native: true,
            ..hook(event, matcher, handler.clone())
        };
        let result = converted(vec![native], script, &Options::default());
        let group = &result.file.unwrap()["hooks"][event][0];
        assert_eq!(group["hooks"], json!([handler]), "{event}");
        assert_eq!(group.get("matcher").and_then(Value::as_str), matcher);
        assert!(result.files.is_empty(), "{event}");
        assert_eq!(codes(&result.accounts[0]), Vec::<&str>::new());
    }
    // What loses Codex's whole file, and what it does not know, stays out here too.
    for (event, handler, code) in [
        (
            "Setup",
            json!({"type": "command", "command": RUN}),
            "hook-event-unsupported",
        ),
        (
            "Stop",
            json!({"type": "http", "url": "x"}),
            "hook-http-dropped",
        ),
    ] {
        let native = HookSource {
            is_native: true,
            ..hook(event, None, handler)
        };
        let result = converted(vec![native], "", &Options::default());
        assert_eq!(codes(&result.accounts[0]), [code]);
    }
}

#[test]
fn a_hook_that_works_unaided_goes_through_unchanged() {
    for (event, matcher) in [
        ("PreToolUse", Some("Bash")),
        ("PostToolUse", Some("Bash")),
        ("UserPromptSubmit", None),
        ("SessionStart", Some("startup|clear|compact")),
        ("PreCompact", Some("")),
    ] {
        let handler =
            json!({"type": "command", "command": RUN, "timeout": 5, "statusMessage": "s"});
        let result = converted(
            vec![hook(event, matcher, handler.clone())],
            "exit 0",
            &Options::default(),
        );
        let file = result.file.unwrap();
        assert_eq!(
            file["hooks"][event][0]["hooks"],
            json!([handler]),
            "{event}"
        );
        let kept = file["hooks"][event][0]
            .get("matcher")
            .and_then(Value::as_str);
        assert_eq!(kept, matcher, "{event}");
        assert!(result.files.is_empty(), "{event}");
        assert_eq!(result.accounts[0].outcome, Outcome::Converted);
    }
}

#[test]
fn handlers_that_codex_reads_otherwise() {
    for [event, matcher, handler, warnings, becomes] in rows(
        r#"
            PreToolUse ⇒ Bash ⇒ {"command": RUN, "timeout": "10"} ⇒ hook-timeout-changed ⇒ {"command": RUN, "timeout": 10}
            SessionEnd ⇒  ⇒ {"command": RUN, "timeout": 60} ⇒ hook-timeout-changed ⇒ {"command": RUN, "timeout": 3}
            PreToolUse ⇒ Bash ⇒ {"command": RUN, "asyncRewake": true, "once": true} ⇒ hook-field-dropped ⇒ {"command": RUN, "async": true}
            SessionStart ⇒  ⇒ {"type": "command", "command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/a b.js", "$x"]} ⇒  ⇒ {"type": "command", "command": "node \\"${CLAUDE_PLUGIN_ROOT}/a b.js\\" '$x'"}
            SessionStart ⇒  ⇒ {"type": "command", "command": "Get-Date", "shell": "powershell"} ⇒  ⇒ {"type": "command", "command": "pwsh -NoProfile -NonInteractive -Command Get-Date"}
            SessionStart ⇒  ⇒ {"type": "command", "command": "echo ${user_config.k}"} ⇒ env-var-unset ⇒ {"type": "command", "command": "echo ${CLAUDE_PLUGIN_OPTION_K}"}
            SessionStart ⇒  ⇒ {"type": "command", "command": "echo $CLAUDE_PROJECT_DIR"} ⇒  ⇒ {"type": "command", "command": "export CLAUDE_PROJECT_DIR=\\"$PWD\\"; echo $CLAUDE_PROJECT_DIR"}
            PostToolUse ⇒ Bash ⇒ {"type": "mcp_tool", "server": "db", "tool": "t", "input": {"a": 1, "b": null}} ⇒  ⇒ {"type": "mcp_tool", "server": "db", "tool": "t", "input": {"a": 1}}
            SessionEnd ⇒  ⇒ {"type": "mcp_tool", "server": "db", "tool": "t"} ⇒ hook-type-unsupported
            Notification ⇒  ⇒ {"command": RUN} ⇒ hook-event-unsupported
            PreToolUse ⇒ Bash ⇒ {"type": "http", "url": "https://x"} ⇒ hook-http-dropped
            Stop ⇒  ⇒ {"type": "prompt", "prompt": "x"} ⇒ hook-type-unsupported
            Stop ⇒  ⇒ {"type": "agent", "prompt": "x"} ⇒ hook-type-unsupported
            PreToolUse ⇒ WebFetch|Read ⇒ {"command": RUN} ⇒ hook-matcher-never-fires
            PreToolUse ⇒ Bash( ⇒ {"command": RUN} ⇒ hook-matcher-invalid
            SessionStart ⇒ a( ⇒ {"command": RUN} ⇒ hook-matcher-invalid
            PreToolUse ⇒ Bash ⇒ {"command": RUN, "if": "Read(x)"} ⇒ hook-matcher-never-fires
            Stop ⇒  ⇒ {"command": RUN, "if": "Bash(x)"} ⇒ hook-condition-unsupported
            PreToolUse ⇒ Bash ⇒ {"command": RUN, "if": 1} ⇒ hook-condition-unsupported
            PreToolUse ⇒ Bash ⇒ {"type": "mcp_tool", "server": "db", "tool": "t", "if": "Bash(x)"} ⇒ hook-condition-unsupported
            Stop ⇒  ⇒ {"type": "command", "command": " "} ⇒ hook-malformed
            Stop ⇒  ⇒ ["x"] ⇒ hook-malformed
        "#,
    ) {
        let handler = handler_of(&handler);
        let becomes = (!becomes.is_empty()).then(|| handler_of(&becomes));
        let result = converted(
            vec![hook(&event, some(&matcher), handler.clone())],
            "exit 0",
            &Options::default(),
        );
        let account = &result.accounts[0];
        assert_eq!(codes(account).join(" "), warnings, "{event} {handler}");
        assert_eq!(
            (
                account.outcome == Outcome::Dropped,
                account.reason.is_some()
            ),
            (becomes.is_none(), becomes.is_none()),
            "{event} {handler}"
        );
        let written = result
            .file
            .map(|file| file["hooks"][&event][0]["hooks"][0].clone());
        assert_eq!(written, becomes, "{event} {handler}");
    }
}

#[test]
fn hooks_that_need_the_adapter_get_it() {
    for [event, matcher, handler, script, codex, spec, warnings] in rows(
        r#"
            PreToolUse ⇒ Write|Edit|MultiEdit|NotebookEdit ⇒ {"type": "command", "command": RUN} ⇒ exit 0 ⇒ Bash|apply_patch ⇒ {"matcher": "Write|Edit|MultiEdit|NotebookEdit"} ⇒ hook-input-differs hook-matcher-rewritten
            PostToolUse ⇒ Edit|Read ⇒ {"command": RUN} ⇒ exit 0 ⇒ apply_patch ⇒ {"matcher": "Edit|Read"} ⇒ hook-matcher-never-fires hook-input-differs hook-matcher-rewritten
            PreToolUse ⇒ Bash ⇒ {"command": RUN, "if": "Bash(git *)"} ⇒ exit 0 ⇒ Bash ⇒ {"matcher": "Bash", "if": "Bash(git *)"} ⇒ hook-condition-emulated
            PreToolUse ⇒ Bash ⇒ {"command": RUN} ⇒ echo '{"permissionDecision":"ask"}' ⇒ Bash ⇒ {"matcher": "Bash"} ⇒ hook-decision-unsupported
            PreToolUse ⇒ Bash ⇒ {"command": "npx guard"} ⇒ exit 0 ⇒ Bash ⇒ {"matcher": "Bash"}
            PreToolUse ⇒ mcp__plugin_plug_db__query ⇒ {"command": RUN} ⇒ exit 0 ⇒ mcp__db__query ⇒ {"servers": {"db": "plugin_plug_db"}, "matcher": "mcp__plugin_plug_db__query"} ⇒ hook-matcher-rewritten
            PreToolUse ⇒  ⇒ {"command": RUN} ⇒ exit 0 ⇒  ⇒ {"servers": {"db": "plugin_plug_db"}} ⇒ hook-input-differs
            Stop ⇒ x ⇒ {"command": RUN} ⇒ jq .transcript_path ⇒  ⇒ {"transcript": true} ⇒ hook-input-differs
            SessionStart ⇒  ⇒ {"command": RUN} ⇒ echo '{"additional_context":"x"}'; echo >> $CLAUDE_ENV_FILE ⇒  ⇒ {} ⇒ hook-env-file-unsupported
            SubagentStop ⇒ general-purpose, plug:x ⇒ {"command": RUN} ⇒ exit 0 ⇒ default|plug:x ⇒ {} ⇒ hook-matcher-rewritten
        "#,
    ) {
        let result = converted(
            vec![hook(&event, some(&matcher), handler_of(&handler))],
            &script,
            &Options::default(),
        );
        let group = &result.file.unwrap()["hooks"][&event][0];
        assert_eq!(
            group.get("matcher").and_then(Value::as_str),
            some(&codex),
            "{event} {matcher:?}"
        );
        let command = group["hooks"][0]["command"].as_str().unwrap();
        let blocks = event == "PreToolUse";
        assert!(
            command.contains(if blocks { "exit 2; }" } else { "exit 1; }" }),
            "{command}"
        );
        let end = format!(
            "exec node \"${{CLAUDE_PLUGIN_ROOT}}/hooks/codex-adapter.mjs\" {}",
            crate::components::shell::quoted(&table::json(&spec).to_string())
        );
        assert!(command.contains(&end), "{command}\n{end}");
        assert_eq!(
            codes(&result.accounts[0]).join(" "),
            warnings,
            "{event} {matcher:?}"
        );
        assert_eq!(result.files[0].0, "hooks/codex-adapter.mjs");
    }
}

#[test]
fn at_a_known_place_a_command_needs_nothing_of_codex() {
    let options = Options {
        root: BundleRoot::At("/plugs/p 1".to_owned()),
        data_folder: Some("/data/p".to_owned()),
        ..Options::default()
    };
    let handler =
        json!({"command": "\"${CLAUDE_PLUGIN_ROOT}/hooks/run.sh\" ${CLAUDE_PLUGIN_DATA}"});
    let result = converted(
        vec![
            hook("SessionStart", None, handler.clone()),
            hook("Stop", None, handler),
        ],
        "exit 0",
        &options,
    );
    let file = result.file.unwrap();
    let exports = "export CLAUDE_PLUGIN_ROOT='/plugs/p 1' PLUGIN_ROOT='/plugs/p 1' CLAUDE_PLUGIN_DATA=/data/p PLUGIN_DATA=/data/p; ";
    let command = |event: &str| {
        file["hooks"][event][0]["hooks"][0]["command"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        command("SessionStart"),
        format!("{exports}\"/plugs/p 1/hooks/run.sh\" /data/p")
    );
    assert!(command("Stop").starts_with(&format!("{exports}command -v node")));
    assert!(command("Stop").contains("exec node '/plugs/p 1/hooks/codex-adapter.mjs' '{}'"));
}

#[test]
fn groups_and_names_stay() {
    let unaided = json!({"command": RUN});
    let mut other = hook("PreToolUse", Some("Bash"), unaided.clone());
    other.group = 1;
    let hooks = vec![
        hook("PreToolUse", Some("Bash"), unaided.clone()),
        hook(
            "PreToolUse",
            Some("Bash"),
            json!({"command": RUN, "timeout": 1}),
        ),
        other,
    ];
    let result = converted(hooks, "exit 0", &Options::default());
    let names: Vec<&str> = result
        .accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "PreToolUse:Bash#1",
            "PreToolUse:Bash#2",
            "PreToolUse:Bash#3"
        ]
    );
    let groups = result.file.unwrap()["hooks"]["PreToolUse"].clone();
    let sizes: Vec<usize> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["hooks"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [2, 1]);
    assert_eq!(
        result.accounts[0].source,
        Location::new("hooks/hooks.json", 7)
    );
}

proptest! {
    #[test]
    fn every_source_has_one_account(
        sources in prop::collection::vec(
            (
                prop_oneof!["PreToolUse", "PostToolUse", "Stop", "SessionStart", "SubagentStop", ".{0,6}"],
                prop::option::of("([A-Za-z|*.()\\[^$_, ]{0,12}|Bash|Write\\|Edit|mcp__.*)"),
                any_json(&["type", "command", "args", "if", "timeout", "async", "shell", "server", "tool", "input"]),
                0_usize..3,
            ),
            0..8,
        ),
    ) {
        let hooks: Vec<HookSource> = sources
            .into_iter()
            .map(|(event, matcher, handler, group)| HookSource { group, ..hook(&event, matcher.as_deref(), handler) })
            .collect();
        let result = converted(hooks.clone(), "exit 0", &Options::default());
        prop_assert_eq!(result.accounts.len(), hooks.len());
        let kept = result.accounts.iter().filter(|account| account.outcome != Outcome::Dropped).count();
        let written = result.file.map_or(0, |file| {
            let events = file["hooks"].as_object().unwrap().clone();
            events
                .values()
                .flat_map(|groups| groups.as_array().unwrap())
                .map(|group| group["hooks"].as_array().unwrap().len())
                .sum()
        });
        prop_assert_eq!(kept, written);
    }
}

/// What a hook of each event answers where there is no Node.js: only what guards a tool holds it back.
#[cfg(unix)]
#[test]
fn without_node_a_hook_guards_tools_and_lets_prompts_go() {
    let script = "jq .transcript_path; echo '{\"permissionDecision\": \"ask\"}'; jq .tool_response";
    for (event, matcher, code) in [
        ("PreToolUse", Some("Bash"), 2),
        ("PermissionRequest", Some("Bash"), 2),
        ("PostToolUse", Some("Bash"), 1),
        ("UserPromptSubmit", None, 1),
        ("Stop", None, 1),
        ("SessionStart", None, 1),
    ] {
        let handler = json!({"type": "command", "command": RUN});
        let result = converted(
            vec![hook(event, matcher, handler)],
            script,
            &Options::default(),
        );
        let file = result.file.unwrap();
        let command = file["hooks"][event][0]["hooks"][0]["command"]
            .as_str()
            .unwrap();
        assert!(command.contains("exec node"), "{event}: {command}");
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", command])
            .env("PATH", "/nowhere")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{event}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("needs Node.js"));
    }
}
