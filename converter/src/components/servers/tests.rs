use std::process::Command;

use codex_loadout_bundle::TreeFile;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::names::Names;
use crate::options::BundleRoot;
use crate::source::Source;
use crate::target::Codex;

fn server(name: &str, definition: Value) -> ServerSource {
    ServerSource {
        name: name.to_owned(),
        file: ".mcp.json".to_owned(),
        line: 3,
        definition,
    }
}

fn converted(servers: Vec<ServerSource>, options: &Options) -> ConvertedServers {
    let mut source = Source::default();
    source.tree.insert(
        "server.js",
        TreeFile::plain(
            "const key = process.env.SEARCH_KEY; process.env['OTHER_KEY']; process.env.PATH",
        ),
    );
    let plugin = Plugin {
        name: "plug".to_owned(),
        servers,
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

fn at() -> Options {
    Options {
        root: BundleRoot::At("/plugs/p 1".to_owned()),
        data_folder: Some("/data/p".to_owned()),
        ..Options::default()
    }
}

fn one(definition: Value, options: &Options) -> (Value, Account) {
    let mut result = converted(vec![server("s", definition)], options);
    let account = result.accounts.remove(0);
    let definition = result.servers.remove("s").unwrap_or(Value::Null);
    (definition, account)
}

fn codes(account: &Account) -> Vec<&'static str> {
    let of_stdio = |code: &&str| *code != "env-filtered";
    account
        .warnings
        .iter()
        .map(|finding| finding.code.as_str())
        .filter(of_stdio)
        .collect()
}

#[test]
fn processes() {
    let root = "/plugs/p 1";
    for (definition, becomes, warnings) in [
        (
            json!({"command": "npx", "args": ["-y", "x"], "env": {"A": "${A}", "B": "c"}, "type": "stdio"}),
            json!({"command": "npx", "args": ["-y", "x"], "env": {"B": "c"}, "env_vars": ["A"]}),
            vec![],
        ),
        (
            json!({"command": "${CLAUDE_PLUGIN_ROOT}/run", "args": ["${CLAUDE_PLUGIN_DATA}/db"]}),
            json!({"command": format!("{root}/run"), "args": ["/data/p/db"], "env": {"CLAUDE_PLUGIN_ROOT": root}}),
            vec![],
        ),
        (
            json!({"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/server.js"]}),
            json!({"command": "node", "args": [format!("{root}/server.js")], "env": {"CLAUDE_PLUGIN_ROOT": root}, "env_vars": ["OTHER_KEY", "SEARCH_KEY"]}),
            vec![],
        ),
        (
            json!({"command": "docker", "args": ["-e", "T=${T}", "${U:-a b}"], "cwd": "${CLAUDE_PROJECT_DIR}"}),
            json!({"command": "sh", "args": ["-c", "exec docker -e \"T=${T}\" \"${U:-a b}\""], "env_vars": ["T", "U"]}),
            vec!["mcp-shell-wrapped"],
        ),
        (
            json!({"command": "x", "env": {"A": "${B}", "C": "c", "P": "${CLAUDE_PROJECT_DIR}"}, "cwd": "${H}/y"}),
            json!({"command": "sh", "args": ["-c", "export A=\"${B}\"; export P=\"$PWD\"; cd \"${H}/y\" && exec x"], "env": {"C": "c"}, "env_vars": ["B", "H"]}),
            vec!["mcp-shell-wrapped"],
        ),
        (
            json!({"command": "x", "args": ["${user_config.key}"]}),
            json!({"command": "sh", "args": ["-c", "exec x \"${CLAUDE_PLUGIN_OPTION_KEY}\""], "env_vars": ["CLAUDE_PLUGIN_OPTION_KEY"]}),
            vec!["env-var-unset", "mcp-shell-wrapped"],
        ),
        (
            json!({"command": "x", "args": "a b", "env": {"N": 1, "no name": "x"}, "timeout": 30000, "env_vars": ["E"]}),
            json!({"command": "x", "args": ["a", "b"], "env": {"N": "1"}, "env_vars": ["E"], "tool_timeout_sec": 30.0}),
            vec![
                "mcp-field-repaired",
                "mcp-field-repaired",
                "mcp-field-dropped",
            ],
        ),
        (
            json!({"command": "x", "description": "d", "alwaysLoad": true, "startup_timeout_sec": 5, "enabled_tools": ["t"], "disabled_tools": "t", "url": "https://x"}),
            json!({"command": "x", "startup_timeout_sec": 5, "enabled_tools": ["t"]}),
            vec![
                "mcp-key-ignored",
                "mcp-field-dropped",
                "mcp-field-dropped",
                "mcp-field-dropped",
            ],
        ),
    ] {
        let (definition, account) = one(definition, &at());
        assert_eq!(definition, becomes);
        assert_eq!(codes(&account), warnings, "{becomes}");
    }
}

#[test]
fn processes_of_a_bundle_that_can_be_moved() {
    for (definition, becomes, warnings) in [
        (
            json!({"command": "${CLAUDE_PLUGIN_ROOT}/run", "args": ["--dir=${CLAUDE_PLUGIN_ROOT}"]}),
            json!({"command": "./run", "args": ["--dir=."], "cwd": ".", "env": {"CLAUDE_PLUGIN_ROOT": "."}}),
            vec!["mcp-cwd-differs"],
        ),
        (
            json!({"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/x.js"], "cwd": "${CLAUDE_PLUGIN_ROOT}/a/b"}),
            json!({"command": "node", "args": ["../../x.js"], "cwd": "a/b", "env": {"CLAUDE_PLUGIN_ROOT": "../.."}}),
            vec![],
        ),
        (
            json!({"command": "x", "env": {"D": "${CLAUDE_PLUGIN_DATA}"}}),
            json!({"command": "sh", "args": ["-c", "mkdir -p \"${CODEX_HOME:-$HOME/.codex}/plugins/data/plug\"; export D=\"${CODEX_HOME:-$HOME/.codex}/plugins/data/plug\"; exec x"], "env_vars": ["CODEX_HOME"]}),
            vec!["mcp-shell-wrapped"],
        ),
        (
            json!({"command": "${CLAUDE_PLUGIN_ROOT}/x", "args": ["${CLAUDE_PROJECT_DIR}"]}),
            Value::Null,
            vec!["mcp-cwd-differs"],
        ),
        (
            json!({"command": "${CLAUDE_PLUGIN_ROOT}/x", "cwd": "${CLAUDE_PLUGIN_ROOT}/../y"}),
            Value::Null,
            vec!["mcp-malformed"],
        ),
    ] {
        let (definition, account) = one(definition, &Options::default());
        assert_eq!(definition, becomes);
        assert_eq!(codes(&account), warnings, "{becomes}");
    }
}

#[test]
fn addresses() {
    let url = "https://x.test/mcp";
    for (definition, becomes, warnings) in [
        (
            json!({"type": "http", "url": url}),
            json!({"url": url}),
            vec![],
        ),
        (
            json!({"type": "http", "url": url, "headers": {"Authorization": "Bearer ${T}", "X-K": "${K:-}", "X-D": "${D:-d}", "X-C": "c"}}),
            json!({"url": url, "http_headers": {"X-D": "d", "X-C": "c"}, "env_http_headers": {"X-K": "K", "X-D": "D"}, "bearer_token_env_var": "T"}),
            vec![],
        ),
        (
            json!({"url": url, "headers": {"authorization": "Token ${T}", "X-M": "a${M:-b}", "X-K": "${K}"}, "env_http_headers": {"x-k": "OWN"}}),
            json!({"url": url, "http_headers": {"X-M": "ab"}, "env_http_headers": {"x-k": "OWN"}}),
            vec!["mcp-header-dropped", "env-var-unset"],
        ),
        (
            json!({"url": url, "headers": {"Authorization": "Bearer ${T:-}"}}),
            json!({"url": url, "bearer_token_env_var": "T"}),
            vec!["env-var-unset"],
        ),
        (
            json!({"type": "sse", "url": url, "command": "x"}),
            json!({"url": url}),
            vec!["mcp-transport-unsupported", "mcp-field-dropped"],
        ),
        (
            json!({"url": "https://${H:-x.test}/mcp"}),
            json!({"url": url}),
            vec!["env-var-unset"],
        ),
        (
            json!({"url": "https://${H}/mcp"}),
            Value::Null,
            vec!["env-var-unset"],
        ),
        (
            json!({"type": "http", "url": ""}),
            Value::Null,
            vec!["mcp-malformed"],
        ),
        (
            json!({"type": "ws", "url": "ws://x"}),
            Value::Null,
            vec!["mcp-transport-unsupported"],
        ),
        (
            json!({"url": url, "headersHelper": "x"}),
            Value::Null,
            vec!["mcp-transport-unsupported"],
        ),
        (
            json!({"url": url, "oauth": {"clientId": "c", "callbackPort": 1, "scopes": "a b"}}),
            json!({"url": url, "scopes": ["a", "b"], "oauth": {"client_id": "c"}}),
            vec!["mcp-field-dropped"],
        ),
        (
            json!("./x.mcpb"),
            Value::Null,
            vec!["mcp-transport-unsupported"],
        ),
        (json!(["x"]), Value::Null, vec!["mcp-malformed"]),
        (json!({"args": []}), Value::Null, vec!["mcp-malformed"]),
    ] {
        let (definition, account) = one(definition, &at());
        assert_eq!(definition, becomes);
        assert_eq!(codes(&account), warnings, "{becomes}");
        let outcome = match (&becomes, account.warnings.iter().any(|w| w.code.loses())) {
            (Value::Null, _) => Outcome::Dropped,
            (_, true) => Outcome::Lossy,
            _ => Outcome::Converted,
        };
        assert_eq!(account.outcome, outcome, "{becomes}");
        assert_eq!(account.reason.is_some(), becomes.is_null());
    }
}

#[test]
fn names_are_free_and_allowed() {
    let plugin = |names: &[&str]| Plugin {
        name: "plug".to_owned(),
        servers: names.iter().map(|name| server(name, json!({}))).collect(),
        ..Plugin::default()
    };
    let options = Options {
        taken_servers: vec!["db".to_owned(), "plug-mail".to_owned(), "mail".to_owned()],
        ..Options::default()
    };
    let names = names(
        &plugin(&[
            "db",
            "mail",
            "google calendar",
            "google-calendar",
            "é",
            "ok_1",
        ]),
        &options,
        &Codex,
    );
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("db", "plug-db"),
            ("google calendar", "plug-google-calendar"),
            ("google-calendar", "google-calendar"),
            ("mail", "plug-mail-2"),
            ("ok_1", "ok_1"),
            ("é", "server"),
        ]
    );
}

#[test]
fn of_two_definitions_of_a_name_the_later_is_used() {
    let result = converted(
        vec![
            server("s", json!({"command": "a"})),
            server("s", json!({"command": "b"})),
        ],
        &at(),
    );
    assert_eq!(result.servers["s"]["command"], "b");
    assert_eq!(result.accounts[0].outcome, Outcome::Dropped);
    assert_eq!(result.accounts.len(), 2);
}

#[test]
fn the_shell_starts_what_the_definition_says() {
    let (definition, _) = one(
        json!({"command": "printf", "args": ["%s|", "it's", "T=${T}", "${U:-d \"e\"}", "$T `T`", "${CLAUDE_PROJECT_DIR}/x"]}),
        &at(),
    );
    let output = Command::new("sh")
        .args(
            definition["args"]
                .as_array()
                .unwrap()
                .iter()
                .map(|arg| arg.as_str().unwrap()),
        )
        .env("T", "a b$(c)")
        .env_remove("U")
        .current_dir("/")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "it's|T=a b$(c)|d \"e\"|$T `T`|//x|"
    );
}

/// JSON of any form, with the keys that mean something among its keys.
pub(crate) fn any_json(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "(\\$\\{[A-Za-z_.:}-]{0,12}|\\}|/|https://x|\\||\\*|\\(|Bash|x){0,5}".prop_map(Value::from),
        Just(json!("${CLAUDE_PLUGIN_ROOT}/x")),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        let key = prop_oneof![prop::sample::select(keys).prop_map(str::to_owned), ".{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_source_has_one_account(
        sources in prop::collection::vec(
            (".{0,6}", any_json(&["command", "args", "env", "cwd", "url", "type", "headers", "timeout", "oauth", "env_vars", "http_headers"])),
            0..6,
        ),
        portable in any::<bool>(),
    ) {
        let servers: Vec<ServerSource> = sources.into_iter().map(|(name, value)| server(&name, value)).collect();
        let options = if portable { Options::default() } else { at() };
        let result = converted(servers.clone(), &options);
        let accounts: Vec<&str> = result.accounts.iter().map(|account| account.name.as_str()).collect();
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        prop_assert_eq!(accounts, names);
        let kept = result.accounts.iter().filter(|account| account.outcome != Outcome::Dropped).count();
        prop_assert_eq!(kept, result.servers.len());
        for (name, definition) in &result.servers {
            prop_assert!(!name.is_empty() && name.chars().all(|c| Codex.is_server_name(c)));
            prop_assert!(definition.get("command").is_some() != definition.get("url").is_some());
        }
    }
}
