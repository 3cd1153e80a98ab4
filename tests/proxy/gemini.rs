//! `codex-loadout convert --target gemini`, and what the real Gemini CLI makes of its extensions.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lab::{GeminiModel, gemini};
use serde_json::{Value, json};

use crate::claude::FORGE;
use crate::convert::write;
use crate::stage::PROXY;

/// What only this test needs: text that the CLI puts in by itself, a skill that only users call, hooks.
const MORE: [(&str, &str); 5] = [
    (
        "commands/git/sum.md",
        "---\ndescription: Sums up\n---\n\nSum up $ARGUMENTS for @notes.txt and `git log @{u}`.\n\n@${CLAUDE_PLUGIN_ROOT}/shared/rules.md\n",
    ),
    (
        "skills/ship/SKILL.md",
        "---\nname: ship\ndescription: Ships it\ndisable-model-invocation: true\n---\n\nShip $ARGUMENTS with `sh ${CLAUDE_SKILL_DIR}/ship.sh`.\n",
    ),
    ("skills/ship/ship.sh", "echo shipped\n"),
    (
        "hooks/hooks.json",
        r#"{"hooks":{
            "SessionStart":[{"matcher":"startup","hooks":[{"type":"command","command":"touch \"$CLAUDE_PROJECT_DIR\"/started"}]},
                {"matcher":"resume","hooks":[{"type":"command","command":"touch resumed"}]}],
            "UserPromptSubmit":[{"hooks":[{"type":"command","command":"sh ${CLAUDE_PLUGIN_ROOT}/hooks/prompt.sh ${user_config.tone}"}]}]}}"#,
    ),
    (
        "hooks/prompt.sh",
        "cat > prompt.json\necho '{\"hookSpecificOutput\":{\"hookEventName\":\"UserPromptSubmit\",\"additionalContext\":\"from the hook, in a tone that is '$1, $CLAUDE_PLUGIN_OPTION_TONE'\"}}'\n",
    ),
];

fn forge_in(folder: &Path) {
    let manifest = r#"{"name":"forge","version":"1.2.3","userConfig":{"tone":{"type":"string","description":"How it writes"}}}"#;
    write(folder, ".claude-plugin/plugin.json", manifest);
    for (path, text) in FORGE.iter().chain(&MORE) {
        write(folder, path, text);
    }
}

fn convert(plugin: &Path, out: &Path) -> Output {
    Command::new(PROXY)
        .arg("convert")
        .arg(plugin)
        .args(["--target", "gemini", "--verify", "--json", "--gemini"])
        .arg(gemini().unwrap())
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

/// Runs the CLI for a throwaway user whose model is on loopback.
async fn run(home: &Path, model: &GeminiModel, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(gemini().unwrap());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GOOGLE_") {
            command.env_remove(name);
        }
    }
    let output = command
        .args(arguments)
        .current_dir(home.join("project"))
        .env("HOME", home)
        .env("GEMINI_CLI_HOME", home)
        .env("GEMINI_API_KEY", "none")
        .env("GOOGLE_GEMINI_BASE_URL", model.url())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
}

/// All texts of the last message to the model.
fn last_message(request: &Value) -> String {
    let message = request["contents"].as_array().unwrap().last().unwrap();
    let parts = message["parts"].as_array().unwrap().iter();
    parts.filter_map(|part| part["text"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_becomes_an_extension_that_the_cli_has_whole() {
    let home = tempfile::tempdir().unwrap();
    let (plugin, out) = (home.path().join("plugin"), home.path().join("out"));
    forge_in(&plugin);
    let output = convert(&plugin, &out);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert!(output.status.success(), "{report:#}");
    let forge = &report["plugins"][0];
    assert_eq!(
        (&forge["status"], &forge["missing"]),
        (&json!("converted"), &json!([]))
    );
    let targets: Vec<&str> = forge["report"]["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|account| account["target"].as_str())
        .collect();
    assert_eq!(
        targets,
        [
            "audit",
            "forge:ship",
            "forge:git:sum",
            "forge:prd",
            "forge-reviewer",
            "SessionStart",
            "SessionStart",
            "BeforeAgent",
            "forge",
            "CLAUDE_PLUGIN_OPTION_TONE"
        ]
    );

    // Installed by its own verb, the extension works in a session.
    let settings = r#"{"security":{"folderTrust":{"enabled":false},"auth":{"selectedType":"gemini-api-key"}}}"#;
    write(home.path(), ".gemini/settings.json", settings);
    write(home.path(), "project/notes.txt", "NOTES OF THE PROJECT\n");
    let model = GeminiModel::start().await.unwrap();
    let extension = out.join("forge").to_str().unwrap().to_owned();
    let install = [
        "extensions",
        "install",
        &extension,
        "--consent",
        "--skip-settings",
    ];
    run(home.path(), &model, &install).await;
    // What the user answers, where the CLI keeps it.
    let answers = ".gemini/extensions/forge/.env";
    write(home.path(), answers, "CLAUDE_PLUGIN_OPTION_TONE=dry\n");
    let command = "/forge:git:sum \"one two\" three";
    run(
        home.path(),
        &model,
        &["-m", "gemini-2.5-flash", "-p", command],
    )
    .await;
    let requests = model.requests();
    let request = requests.last().unwrap();
    let message = last_message(request);
    for part in [
        "Sum up \"one two\" three for NOTES OF THE PROJECT",
        "`git log @ {u}`",
        "Be brief.",
        "from the hook, in a tone that is dry, dry",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let system = request["systemInstruction"].to_string();
    for part in ["Audits: everything", "forge-reviewer", "Reviews a PRD"] {
        assert!(system.contains(part), "{part}");
    }
    assert!(!system.contains("Ships it"), "only users call it");
    // The hook that the matcher wants has run, the other one has not; the prompt was told as Claude tells it.
    let project = home.path().join("project");
    assert!(project.join("started").exists() && !project.join("resumed").exists());
    let told = fs::read(project.join("prompt.json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["hook_event_name"], "UserPromptSubmit");
}

#[test]
fn real_plugins_become_extensions_that_the_cli_has_whole() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if !corpora.is_dir() {
        println!("SKIPPED: no plugins at {}", corpora.display());
        return;
    }
    for (corpus, plugins) in [("spec-forge", 1), ("superpowers", 1), ("thrum", 2)] {
        let out = tempfile::tempdir().unwrap();
        let output = convert(&corpora.join(corpus), out.path());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{report:#}");
        let all = report["plugins"].as_array().unwrap();
        assert_eq!(all.len(), plugins, "{corpus}");
        for plugin in all {
            assert_eq!(plugin["missing"], json!([]), "{}", plugin["name"]);
        }
    }
}
