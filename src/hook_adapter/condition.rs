//! Matchers and conditions as Claude Code reads them.

use fancy_regex::Regex;
use serde_json::Value;

use super::Spec;
use super::calls::resolved;

/// Tools that edit files.
const EDITS: [&str; 4] = ["Edit", "Write", "MultiEdit", "NotebookEdit"];
/// Words before a command that are none of it.
const BEFORE: [&str; 8] = ["sudo", "exec", "time", "nohup", "then", "do", "else", "!"];

/// Whether a matcher wants a tool: names with `|` or `,` between them, or a pattern.
pub(super) fn wants(matcher: Option<&str>, tool: &str) -> bool {
    let matcher = matcher.unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | ',' | '|' | '-');
    if matcher.is_empty() || matcher == "*" {
        true
    } else if matcher.chars().all(is_name) {
        matcher.split(['|', ',']).any(|name| name.trim() == tool)
    } else {
        // As in Claude Code: what is no pattern matches nothing.
        Regex::new(matcher).is_ok_and(|pattern| pattern.is_match(tool).unwrap_or(false))
    }
}

/// Claude's permission rules as conditions: `Bash(git commit:*)`, `Edit(src/**)`, `Bash`.
pub(super) fn is_met(spec: &Spec, call: &Value, folder: &str) -> bool {
    let Some(rule) = spec.condition.as_deref().filter(|rule| !rule.is_empty()) else {
        return true;
    };
    let rule = rule.trim();
    let (tool, pattern) = match rule.split_once('(') {
        Some((tool, rest)) => (tool, rest.strip_suffix(')').unwrap_or(rest)),
        None => (rule, ""),
    };
    let name = call["tool_name"].as_str().unwrap_or_default();
    let is_agent = |name: &str| matches!(name, "Agent" | "Task");
    let is_named = tool == name
        || is_agent(tool) && is_agent(name)
        // `Edit(…)` speaks of every tool that edits files.
        || tool == "Edit" && EDITS.contains(&name)
        || tool.starts_with("mcp__") && name.starts_with(&format!("{tool}__"));
    if !is_named || pattern.is_empty() || pattern == "*" {
        return is_named;
    }
    let given = |key: &str| call["tool_input"][key].as_str();
    if tool == "Bash" {
        let line = given("command").unwrap_or_default();
        return commands(line).any(|part| command_fits(pattern, part));
    }
    match given("file_path") {
        Some(path) => path_fits(pattern, path, folder),
        None => given("subagent_type") == Some(pattern),
    }
}

/// The commands in a line, without variables set before them. Rather one too many than one too few.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split(|c: char| ";|&\n(){}`".contains(c));
    std::iter::once(line.trim()).chain(parts.map(bare))
}

/// A command without what stands before it.
fn bare(part: &str) -> &str {
    let mut part = part.trim();
    loop {
        let Some((word, rest)) = part.split_once(char::is_whitespace) else {
            return part;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let sets_variable = word
            .split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(is_name));
        if !sets_variable && !BEFORE.contains(&word) {
            return part;
        }
        part = rest.trim_start();
    }
}

fn command_fits(pattern: &str, part: &str) -> bool {
    let prefix = pattern
        .split_once(":*")
        .filter(|(_, rest)| rest.is_empty())
        .map(|(prefix, _)| prefix)
        .or_else(|| {
            pattern
                .strip_suffix(" *")
                .filter(|prefix| !prefix.contains('*'))
        });
    if let Some(prefix) = prefix {
        let rest = part.strip_prefix(prefix);
        return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    }
    let pieces: Vec<String> = pattern
        .split('*')
        .map(|piece| fancy_regex::escape(piece).into_owned())
        .collect();
    fits(&format!("(?s)^{}$", pieces.join(".*")), part)
}

/// As in .gitignore: a name without a slash is meant in every folder.
fn path_fits(pattern: &str, path: &str, folder: &str) -> bool {
    let path = resolved(folder, path);
    let home = std::env::var("HOME").unwrap_or_default();
    let (pattern, is_from_root) = if let Some(rest) = pattern.strip_prefix("//") {
        (format!("/{rest}"), true)
    } else if let Some(rest) = pattern.strip_prefix("~/") {
        (resolved(&home, rest), true)
    } else if let Some(rest) = pattern.strip_prefix('/') {
        (resolved(folder, rest), true)
    } else {
        (
            pattern.strip_prefix("./").unwrap_or(pattern).to_owned(),
            false,
        )
    };
    let path = match is_from_root {
        true => path,
        false => relative(folder, &path),
    };
    let glob = glob(&pattern);
    let name = path.rsplit('/').next().unwrap_or_default();
    fits(&format!("(?s)^{glob}(?:/.*)?$"), &path)
        || !pattern.contains('/') && fits(&format!("(?s)^{glob}$"), name)
}

/// The way from a folder to a path.
fn relative(folder: &str, path: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        let path = resolved("/", path);
        path.split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (from, to) = (parts(folder), parts(path));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - shared);
    up.chain(to[shared..].iter().cloned())
        .collect::<Vec<_>>()
        .join("/")
}

/// A pattern of paths as a regular expression.
fn glob(pattern: &str) -> String {
    let mut written = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['*', '?']) {
        written.push_str(&fancy_regex::escape(&rest[..at]));
        let signs = [
            ("**/", "(?:.*/)?"),
            ("**", ".*"),
            ("*", "[^/]*"),
            ("?", "[^/]"),
        ];
        for (sign, meaning) in signs {
            if let Some(after) = rest[at..].strip_prefix(sign) {
                written.push_str(meaning);
                rest = after;
                break;
            }
        }
    }
    written.push_str(&fancy_regex::escape(rest));
    written
}

fn fits(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text).unwrap_or(false))
}
