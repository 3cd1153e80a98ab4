//! The command line of a handler.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use crate::components::{settings, shell};
use crate::context::Context;
use crate::options::BundleRoot;

/// What stands for the plugin's folder in commands of plugins' hooks, and for that of its data.
const ROOT: [&str; 2] = ["${CLAUDE_PLUGIN_ROOT}", "${PLUGIN_ROOT}"];
const DATA: [&str; 2] = ["${CLAUDE_PLUGIN_DATA}", "${PLUGIN_DATA}"];

/// What a handler runs, as one line for the shell; `None` if there is nothing to run.
pub(super) fn of(handler: &Map<String, Value>) -> Option<String> {
    let command = handler.get("command")?.as_str()?.trim();
    if command.is_empty() {
        return None;
    }
    let line = match handler.get("args") {
        Some(Value::Array(args)) => {
            let words: Option<Vec<&str>> = args.iter().map(Value::as_str).collect();
            std::iter::once(command)
                .chain(words?)
                .map(word)
                .collect::<Vec<_>>()
                .join(" ")
        }
        _ => command.to_owned(),
    };
    if handler.get("shell").and_then(Value::as_str) == Some("powershell") {
        let quoted = shell::quoted(&line);
        return Some(format!("pwsh -NoProfile -NonInteractive -Command {quoted}"));
    }
    Some(line)
}

/// A word of the exec form: nothing but the variables that are put in is special.
fn word(text: &str) -> String {
    if text.contains("${CLAUDE_") || text.contains("${PLUGIN_") || text.contains("${user_config.") {
        let escaped = shell::in_double_quotes(text);
        let open = ["\\${CLAUDE_", "\\${PLUGIN_", "\\${user_config."]
            .iter()
            .fold(escaped, |text, name| text.replace(name, &name[1..]));
        return format!("\"{open}\"");
    }
    shell::quoted(text)
}

static SETTING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$\{user_config\.([A-Za-z0-9_-]+)\}").unwrap_or_else(|error| panic!("{error}"))
});

/// The settings that Claude Code asks the user for, as the variables it sets for a plugin's processes.
pub(super) fn with_settings(command: &str) -> (String, Vec<String>) {
    let mut names = Vec::new();
    let command = SETTING.replace_all(command, |found: &Captures<'_>| {
        let name = settings::variable(&found[1]);
        names.push(name.clone());
        format!("${{{name}}}")
    });
    (command.into_owned(), names)
}

/// The command with the bundle's place in it, where that is known; else what the target puts it in for.
pub(super) fn placed(command: &str, context: &Context<'_>) -> String {
    let mut command = command.to_owned();
    let folder = match &context.options.root {
        BundleRoot::At(root) => root,
        BundleRoot::Portable => context.target.hook_folder(),
    };
    if !ROOT.contains(&folder) {
        command = ROOT
            .iter()
            .fold(command, |text, name| text.replace(name, folder));
    }
    if let (BundleRoot::At(_), Some(data)) = (&context.options.root, &context.options.data_folder) {
        command = DATA
            .iter()
            .fold(command, |text, name| text.replace(name, data));
    }
    command
}

/// What has to be set before the command, where the target does not set it.
pub(super) fn exports(context: &Context<'_>, project: bool) -> String {
    let mut exports = String::new();
    let target = context.target;
    let root = match &context.options.root {
        BundleRoot::At(root) => Some(shell::quoted(root)),
        BundleRoot::Portable if target.sets_plugin_variables() => None,
        BundleRoot::Portable => Some(format!("\"{}\"", target.hook_folder())),
    };
    if let Some(root) = root {
        let data = match &context.options.data_folder {
            Some(data) => shell::quoted(data),
            None => {
                let market = context.source.marketplace.as_deref();
                format!("\"{}\"", target.data_folder(&context.plugin.name, market))
            }
        };
        exports.push_str(&format!(
            "export CLAUDE_PLUGIN_ROOT={root} PLUGIN_ROOT={root} CLAUDE_PLUGIN_DATA={data} PLUGIN_DATA={data}; "
        ));
    }
    if project {
        // Hooks start in the thread's folder.
        exports.push_str("export CLAUDE_PROJECT_DIR=\"$PWD\"; ");
    }
    exports
}

/// The command run by the adapter: the bundle's own, or the program that stands in for it.
///
/// Where what it needs is not there, a hook that guards a tool blocks it: a guard that is not there must not let pass.
/// Any other one warns and lets go.
pub(super) fn adapted(
    command: &str,
    spec: &Map<String, Value>,
    adapter: &str,
    guards: bool,
    context: &Context<'_>,
) -> String {
    let (is_there, needs, run) = match &context.options.adapter {
        Some((program, verb)) => (
            format!("[ -x {program} ]"),
            "codex-loadout, which is no longer where it was",
            format!("{program} {verb}"),
        ),
        None => {
            let folder = match &context.options.root {
                BundleRoot::At(root) => shell::quoted(&format!("{root}/{adapter}")),
                BundleRoot::Portable => format!("\"{}/{adapter}\"", context.target.hook_folder()),
            };
            (
                "command -v node >/dev/null 2>&1".to_owned(),
                "Node.js, and there is no node in PATH",
                format!("node {folder}"),
            )
        }
    };
    let plugin = context.plugin.name.replace('\'', " ");
    let spec = shell::quoted(&Value::Object(spec.clone()).to_string());
    let command = shell::quoted(command);
    let code = if guards { 2 } else { 1 };
    format!(
        "{is_there} || {{ echo 'A hook of the plugin {plugin} needs {needs}.' >&2; exit {code}; }}; exec {run} {spec} {command}"
    )
}
