use std::process::Command;

use codex_loadout_bundle::TreeFile;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::names::Names;
use crate::options::BundleRoot;
use crate::source::Source;
use crate::target::Codex;
use crate::test_table::{self as table, rows};

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
    for [definition, becomes, warnings] in rows(
        r#"
            {"command": "npx", "args": ["-y", "x"], "env": {"A": "${A}", "B": "c"}, "type": "stdio"} ⇒ {"command": "npx", "args": ["-y", "x"], "env": {"B": "c"}, "env_vars": ["A"]}
            {"command": "${CLAUDE_PLUGIN_ROOT}/run", "args": ["${CLAUDE_PLUGIN_DATA}/db"]} ⇒ {"command": "ROOT/run", "args": ["/data/p/db"], "env": {"CLAUDE_PLUGIN_ROOT": "ROOT"}}
            {"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/server.js"]} ⇒ {"command": "node", "args": ["ROOT/server.js"], "env": {"CLAUDE_PLUGIN_ROOT": "ROOT"}, "env_vars": ["OTHER_KEY", "SEARCH_KEY"]}
            {"command": "docker", "args": ["-e", "T=${T}", "${U:-a b}"], "cwd": "${CLAUDE_PROJECT_DIR}"} ⇒ {"command": "sh", "args": ["-c", "exec docker -e \\"T=${T}\\" \\"${U:-a b}\\""], "env_vars": ["T", "U"]} ⇒ mcp-shell-wrapped
            {"command": "x", "env": {"A": "${B}", "C": "c", "P": "${CLAUDE_PROJECT_DIR}"}, "cwd": "${H}/y"} ⇒ {"command": "sh", "args": ["-c", "export A=\\"${B}\\"; export P=\\"$PWD\\"; cd \\"${H}/y\\" && exec x"], "env": {"C": "c"}, "env_vars": ["B", "H"]} ⇒ mcp-shell-wrapped
            {"command": "x", "args": ["${user_config.key}"]} ⇒ {"command": "sh", "args": ["-c", "exec x \\"${CLAUDE_PLUGIN_OPTION_KEY}\\""], "env_vars": ["CLAUDE_PLUGIN_OPTION_KEY"]} ⇒ env-var-unset mcp-shell-wrapped
            {"command": "x", "args": "a b", "env": {"N": 1, "no name": "x"}, "timeout": 30000, "env_vars": ["E"]} ⇒ {"command": "x", "args": ["a", "b"], "env": {"N": "1"}, "env_vars": ["E"], "tool_timeout_sec": 30.0} ⇒ mcp-field-repaired mcp-field-repaired mcp-field-dropped
            {"command": "x", "description": "d", "alwaysLoad": true, "startup_timeout_sec": 5, "enabled_tools": ["t"], "disabled_tools": "t", "url": "https://x"} ⇒ {"command": "x", "startup_timeout_sec": 5, "enabled_tools": ["t"]} ⇒ mcp-key-ignored mcp-field-dropped mcp-field-dropped mcp-field-dropped
        "#,
    ) {
        let (definition, account) = one(table::json(&definition), &at());
        let becomes = table::json(
            &becomes
                .replace("ROOT/", "/plugs/p 1/")
                .replace("\"ROOT\"", "\"/plugs/p 1\""),
        );
        assert_eq!(definition, becomes);
        assert_eq!(codes(&account).join(" "), warnings, "{becomes}");
    }
}

#[test]
fn processes_of_a_bundle_that_can_be_moved() {
    for [definition, becomes, warnings] in rows(
        r#"
            {"command": "${CLAUDE_PLUGIN_ROOT}/run", "args": ["--dir=${CLAUDE_PLUGIN_ROOT}"]} ⇒ {"command": "./run", "args": ["--dir=."], "cwd": ".", "env": {"CLAUDE_PLUGIN_ROOT": "."}} ⇒ mcp-cwd-differs
            {"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/x.js"], "cwd": "${CLAUDE_PLUGIN_ROOT}/a/b"} ⇒ {"command": "node", "args": ["../../x.js"], "cwd": "a/b", "env": {"CLAUDE_PLUGIN_ROOT": "../.."}}
            {"command": "x", "env": {"D": "${CLAUDE_PLUGIN_DATA}"}} ⇒ {"command": "sh", "args": ["-c", "mkdir -p \\"${CODEX_HOME:-$HOME/.codex}/plugins/data/plug\\"; export D=\\"${CODEX_HOME:-$HOME/.codex}/plugins/data/plug\\"; exec x"], "env_vars": ["CODEX_HOME"]} ⇒ mcp-shell-wrapped
            {"command": "${CLAUDE_PLUGIN_ROOT}/x", "args": ["${CLAUDE_PROJECT_DIR}"]} ⇒  ⇒ mcp-cwd-differs
            {"command": "${CLAUDE_PLUGIN_ROOT}/x", "cwd": "${CLAUDE_PLUGIN_ROOT}/../y"} ⇒  ⇒ mcp-malformed
        "#,
    ) {
        let (definition, account) = one(table::json(&definition), &Options::default());
        let becomes = table::json(&becomes);
        assert_eq!(definition, becomes);
        assert_eq!(codes(&account).join(" "), warnings, "{becomes}");
    }
}

#[test]
fn addresses() {
    for [definition, becomes, warnings] in rows(
        r#"
            {"type": "http", "url": "https://x.test/mcp"} ⇒ {"url": "https://x.test/mcp"}
            {"type": "http", "url": "https://x.test/mcp", "headers": {"Authorization": "Bearer ${T}", "X-K": "${K:-}", "X-D": "${D:-d}", "X-C": "c"}} ⇒ {"url": "https://x.test/mcp", "http_headers": {"X-D": "d", "X-C": "c"}, "env_http_headers": {"X-K": "K", "X-D": "D"}, "bearer_token_env_var": "T"}
            {"url": "https://x.test/mcp", "headers": {"authorization": "Token ${T}", "X-M": "a${M:-b}", "X-K": "${K}"}, "env_http_headers": {"x-k": "OWN"}} ⇒ {"url": "https://x.test/mcp", "http_headers": {"X-M": "ab"}, "env_http_headers": {"x-k": "OWN"}} ⇒ mcp-header-dropped env-var-unset
            {"url": "https://x.test/mcp", "headers": {"Authorization": "Bearer ${T:-}"}} ⇒ {"url": "https://x.test/mcp", "bearer_token_env_var": "T"} ⇒ env-var-unset
            {"type": "sse", "url": "https://x.test/mcp", "command": "x"} ⇒ {"url": "https://x.test/mcp"} ⇒ mcp-transport-unsupported mcp-field-dropped
            {"url": "https://${H:-x.test}/mcp"} ⇒ {"url": "https://x.test/mcp"} ⇒ env-var-unset
            {"url": "https://${H}/mcp"} ⇒  ⇒ env-var-unset
            {"type": "http", "url": ""} ⇒  ⇒ mcp-malformed
            {"type": "ws", "url": "ws://x"} ⇒  ⇒ mcp-transport-unsupported
            {"url": "https://x.test/mcp", "headersHelper": "x"} ⇒  ⇒ mcp-transport-unsupported
            {"url": "https://x.test/mcp", "oauth": {"clientId": "c", "callbackPort": 1, "scopes": "a b"}} ⇒ {"url": "https://x.test/mcp", "scopes": ["a", "b"], "oauth": {"client_id": "c"}} ⇒ mcp-field-dropped
            "./x.mcpb" ⇒  ⇒ mcp-transport-unsupported
            ["x"] ⇒  ⇒ mcp-malformed
            {"args": []} ⇒  ⇒ mcp-malformed
        "#,
    ) {
        let (definition, account) = one(table::json(&definition), &at());
        let becomes = table::json(&becomes);
        assert_eq!(definition, becomes);
        assert_eq!(codes(&account).join(" "), warnings, "{becomes}");
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
