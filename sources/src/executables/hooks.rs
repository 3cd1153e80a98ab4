//! Hooks, by event and command.

use std::sync::LazyLock;

use codex_loadout_bundle::{Digest, PROGRAM_AT, Tree};
use regex::Regex;
use serde_json::{Map, Value};

use super::manifest::Manifest;
use super::{Executable, ExecutableKind};
use crate::address::escaped;
use crate::redact;

pub(super) fn of(tree: &Tree, manifest: &Manifest) -> Vec<Executable> {
    if manifest.is_agent_plugin {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (file, value) in manifest.declared(tree, "hooks", "hooks/hooks.json") {
        let wrapped = value.get("hooks").filter(|hooks| hooks.is_object());
        let Some(events) = wrapped.unwrap_or(&value).as_object() else {
            continue;
        };
        for (event, groups) in events {
            for group in groups.as_array().into_iter().flatten() {
                let handlers = group.get("hooks").and_then(Value::as_array);
                for handler in handlers.into_iter().flatten().filter_map(Value::as_object) {
                    let matcher = group.get("matcher").and_then(Value::as_str);
                    found.push(Executable {
                        kind: ExecutableKind::Hook,
                        name: name(event, matcher),
                        detail: what_it_runs(handler),
                        path: file.clone(),
                        digest: Digest::of_parts([
                            matcher.unwrap_or_default().as_bytes(),
                            Value::Object(handler.clone()).to_string().as_bytes(),
                        ]),
                    });
                }
            }
        }
    }
    found
}

fn name(event: &str, matcher: Option<&str>) -> String {
    match matcher {
        None | Some("" | "*") => escaped(event),
        Some(matcher) => escaped(&format!("{event} {matcher}")),
    }
}

fn what_it_runs(handler: &Map<String, Value>) -> String {
    let text = |key: &str| handler.get(key).and_then(Value::as_str);
    if let Some(command) = text("command") {
        let args = handler.get("args").and_then(Value::as_array);
        let args = args.into_iter().flatten().filter_map(Value::as_str);
        let line: Vec<&str> = std::iter::once(command).chain(args).collect();
        let line = line.join(" ");
        return redact::command(&adapted(&line).unwrap_or(line));
    }
    let kind = text("type").unwrap_or("nothing");
    match (text("server"), text("tool"), text("url").or(text("prompt"))) {
        (Some(server), Some(tool), _) => {
            escaped(&format!("tool {tool} of the MCP server {server}"))
        }
        (_, _, Some(more)) => redact::command(&format!("{kind}: {more}")),
        _ => escaped(kind),
    }
}

/// How the command of a hook begins that a program in the bundle's place runs, as converting writes it.
static ADAPTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let program = regex::escape(PROGRAM_AT);
    Regex::new(&format!(
        r"^\[ -x {program} \] \|\| \{{ echo '[^']*' >&2; exit [12]; \}}; exec {program} [a-z-]+ "
    ))
    .ok()
});

/// The command of a hook that the adapter runs. Only what is word for word as converting writes it is seen through:
/// anything else may run more than its last word.
fn adapted(line: &str) -> Option<String> {
    let begin = ADAPTED.as_ref()?.find(line)?;
    let rest = line.get(begin.end()..)?;
    let words = shlex::split(rest)?;
    let [spec, command] = words.as_slice() else {
        return None;
    };
    let again = format!(
        "{} {}",
        shlex::try_quote(spec).ok()?,
        shlex::try_quote(command).ok()?
    );
    (again == rest).then(|| command.clone())
}

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::TreeFile;
    use codex_loadout_converter::target::Codex;
    use codex_loadout_converter::{Options, Source, convert};
    use serde_json::json;

    use super::*;

    /// The hooks of a converted plugin, for Claude, whose one hook is this command.
    fn converted(command: &str) -> Vec<Executable> {
        let manifest = json!({
            "name": "p",
            "hooks": {"Stop": [{"hooks": [{"type": "command", "command": command}]}]},
        });
        let manifest = TreeFile::plain(manifest.to_string());
        let source = Source {
            tree: [(".claude-plugin/plugin.json".to_owned(), manifest)]
                .into_iter()
                .collect(),
            ..Source::default()
        };
        let options = Options {
            adapter: Some((PROGRAM_AT.to_owned(), "hook-adapter".to_owned())),
            ..Options::default()
        };
        let bundle = convert(&source, &options, &Codex).unwrap().bundle;
        of(&bundle, &Manifest::of(&bundle))
    }

    #[test]
    fn the_adapter_is_seen_through_and_nothing_hides_behind_it() {
        for command in [
            "sh \"${CLAUDE_PLUGIN_ROOT}/x.sh\"",
            "echo 'it''s'; run",
            "x",
        ] {
            let found = converted(command);
            assert_eq!((found.len(), found[0].detail.as_str()), (1, command));
        }
        let begin =
            format!("[ -x {PROGRAM_AT} ] || {{ echo 'x' >&2; exit 1; }}; exec {PROGRAM_AT} run ");
        for (line, seen) in [
            (format!("{begin}'{{}}' 'echo hi'"), Some("echo hi")),
            (format!("{begin}\"$(evil)\" 'echo hi'"), None),
            (format!("{begin}'{{}}' x; evil 'echo hi'"), None),
            (format!("evil; {begin}'{{}}' 'echo hi'"), None),
            (format!("{begin}'{{}}' \"`evil`\""), None),
            ("sh x.sh".to_owned(), None),
        ] {
            assert_eq!(adapted(&line).as_deref(), seen, "{line}");
        }
    }
}
