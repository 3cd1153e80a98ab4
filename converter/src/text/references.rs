//! `/plugin:skill`, `/command`, `Skill(plugin:skill)`: calls of skills, in the platform's own way.

use std::ops::Range;

use super::scan::Place;
use super::words;
use super::work::Work;
use crate::report::Code;

/// Claude Code's own commands: also where a plugin has one of the same name, the short form may mean them.
const BUILT_IN: &[&str] = &[
    "add-dir",
    "agents",
    "bug",
    "clear",
    "compact",
    "config",
    "context",
    "cost",
    "doctor",
    "exit",
    "export",
    "help",
    "hooks",
    "ide",
    "init",
    "login",
    "logout",
    "mcp",
    "memory",
    "model",
    "permissions",
    "plugin",
    "plugins",
    "quit",
    "resume",
    "rewind",
    "skills",
    "terminal-setup",
    "tasks",
    "theme",
    "usage",
    "vim",
];

/// What comes after the colon of a mounted volume, not of a plugin.
const VOLUME_MODES: &[&str] = &["ro", "rw", "z", "Z", "cached", "delegated"];

/// What a `/name` is where the word after it says so.
const NOT_COMMANDS: &[&str] = &[
    "directory",
    "endpoint",
    "endpoints",
    "folder",
    "page",
    "path",
    "route",
    "routes",
    "url",
];

/// Rewrites all calls outside of blocks of code.
pub(super) fn run(work: &mut Work<'_>) {
    let body = work.body();
    for (at, _) in body.match_indices('/') {
        if may_begin(work, at) {
            slash(work, at);
        }
    }
    for (at, _) in body.match_indices("Skill(") {
        skill_call(work, at);
    }
    qualified(work);
}

/// Whether a `/` can begin a call: not in a block, not inside a path, address or tag; in a span of code only at its start.
fn may_begin(work: &Work<'_>, at: usize) -> bool {
    let body = work.body();
    match work.place(at) {
        Place::Block(_) | Place::Link => false,
        Place::Span(index) => work.scan.spans[index].content.start == at,
        Place::Prose => words::before(body, at).is_none_or(|c| {
            c.is_whitespace()
                || matches!(
                    c,
                    '`' | '('
                        | '['
                        | '"'
                        | '\''
                        | '*'
                        | '_'
                        | '|'
                        | '“'
                        | '‘'
                        | '→'
                        | '—'
                        | '>'
                        | '='
                        | ','
                )
        }),
    }
}

/// The name after a `/`: `plugin:skill`, `command`, `git:push`.
fn name(body: &str, start: usize) -> Range<usize> {
    let run = words::run(body, start, 256, |c| words::is_name(c) || c == ':');
    start..start + body[run].trim_end_matches(['.', ':', '-']).len()
}

fn slash(work: &mut Work<'_>, at: usize) {
    let body = work.body();
    let name = name(body, at + 1);
    let written = &body[name.clone()];
    let next = words::after(body, name.end);
    let is_path = words::goes_on(body, name.end);
    if !written.starts_with(|c: char| c.is_ascii_alphabetic()) || is_path {
        return;
    }
    let range = at..name.end;
    if let Some((plugin, skill)) = written.split_once(':') {
        match resolve(work, plugin, skill) {
            Some((full, length)) => {
                let end = name.start + plugin.len() + 1 + length;
                let call = work.context.target.skill_call(&full);
                work.replace(at..end, &call);
            }
            None if work.is_skill(&work.context.plugin.name, written) => own(work, range, written),
            None => unknown(work, at, plugin, skill),
        }
        return;
    }
    let is_other = BUILT_IN.contains(&written) || is_address(body, &range);
    let is_port = next == Some(':') && body[name.end + 1..].starts_with(words::is_name);
    if !is_other && !is_port {
        own(work, range, written);
    }
}

/// `/command` of the plugin itself.
fn own(work: &mut Work<'_>, range: Range<usize>, written: &str) {
    if let Some((full, length)) = resolve(work, &work.context.plugin.name, written)
        && length == written.len()
    {
        let call = work.context.target.skill_call(&full);
        work.replace(range, &call);
    }
}

/// Whether the words around say that `/name` is an address or a folder.
fn is_address(body: &str, range: &Range<usize>) -> bool {
    let before = words::lead(body, range.start, 12).trim_end_matches([' ', '`', '"']);
    let before = before
        .rsplit(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    let after = words::tail(body, range.end, 16).trim_start_matches([' ', '`', '"']);
    let after = after
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    matches!(
        before,
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS"
    ) || NOT_COMMANDS.contains(&after.to_ascii_lowercase().as_str())
}

impl Work<'_> {
    /// Whether a plugin has a skill or command of this name, old or new.
    pub(super) fn is_skill(&self, plugin: &str, name: &str) -> bool {
        self.context.names.plugins.get(plugin).is_some_and(|names| {
            names.skills.contains_key(name) || names.skills.values().any(|new| new == name)
        })
    }
}

/// The full name of a skill in the bundle, and how much of what is written is its name.
fn resolve(work: &Work<'_>, plugin: &str, written: &str) -> Option<(String, usize)> {
    let skills = &work.context.names.plugins.get(plugin)?.skills;
    let mut name = written;
    loop {
        if let Some(new) = skills.get(name) {
            return Some((format!("{plugin}:{new}"), name.len()));
        }
        name = name.rsplit_once(':')?.0;
    }
}

fn unknown(work: &mut Work<'_>, at: usize, plugin: &str, skill: &str) {
    let is_known = work.context.names.plugins.contains_key(plugin);
    let is_name = |name: &str| {
        name.len() > 1
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| words::is_name(c) || c == ':')
    };
    let looks_like_call = is_known || is_name(plugin) && is_name(skill);
    if VOLUME_MODES.contains(&skill) || !looks_like_call {
        return;
    }
    let what = if is_known {
        format!("the plugin `{plugin}` has no skill or command `{skill}`")
    } else {
        format!("the plugin `{plugin}` of `/{plugin}:{skill}` is not known")
    };
    work.find(at, Code::UnresolvedReference, what);
}

/// `Skill(plugin:skill)`, `Skill("x")`, `Skill(skill="plugin:skill", args="…")`.
fn skill_call(work: &mut Work<'_>, at: usize) {
    let body = work.body();
    let place = work.place(at);
    if matches!(place, Place::Block(_)) || words::before(body, at).is_some_and(words::is_word) {
        return;
    }
    let start = at + "Skill(".len();
    let rest = words::tail(body, start, 400);
    let Some(end) = rest
        .find([')', '\n'])
        .filter(|end| rest[*end..].starts_with(')'))
    else {
        return;
    };
    let inside = &rest[..end];
    let (first, more) = inside.split_once(',').map_or((inside, ""), |(a, b)| (a, b));
    let value = first.split_once(['=']).map_or(first, |(_, value)| value);
    let value = value.trim().strip_prefix("skill:").unwrap_or(value);
    let value = words::unquoted(value.trim()).trim_start_matches('/');
    let (written, arguments) = value.split_once(' ').unwrap_or((value, ""));
    if written.is_empty() || !written.chars().all(|c| words::is_name(c) || c == ':') {
        return;
    }
    let own = work.context.plugin.name.clone();
    let (plugin, skill) = written.split_once(':').unwrap_or((&own, written));
    let Some((full, _)) = resolve(work, plugin, skill).filter(|(_, length)| *length == skill.len())
    else {
        work.find(
            at,
            Code::UnresolvedReference,
            format!("no skill `{written}` is known"),
        );
        return;
    };
    let mut call = work.context.target.skill_call(&full);
    let more = more.trim();
    let more = more.split_once('=').map_or(more, |(_, value)| value);
    let more = words::unquoted(more);
    // What is written after the name, `*` meaning anything.
    for arguments in [arguments, more] {
        if !arguments.is_empty() && arguments != "*" && !arguments.contains(['$', '@']) {
            call = format!("{call} {arguments}");
        }
    }
    let range = at..start + end + 1;
    let call = match place {
        Place::Span(_) => call,
        _ => work.as_code(&range, &call),
    };
    work.replace(range, &call);
}

/// `plugin:skill` without a slash: already what the platform calls it, unless the skill has a new name.
fn qualified(work: &mut Work<'_>) {
    let body = work.body();
    for (colon, _) in body.match_indices(':') {
        let lead = words::lead(body, colon, 128);
        let plugin = lead
            .rsplit(|c| !words::is_name(c))
            .next()
            .unwrap_or_default();
        let start = colon - plugin.len();
        if plugin.is_empty()
            || matches!(work.place(colon), Place::Block(_) | Place::Link)
            || words::before(body, start)
                .is_some_and(|c| matches!(c, '/' | '@' | ':' | '$') || words::is_word(c))
        {
            continue;
        }
        let name = name(body, colon + 1);
        let next = words::after(body, name.end);
        if let Some((full, length)) = resolve(work, plugin, &body[name.clone()])
            && length == name.len()
            && next.is_none_or(|c| c != '/' && !words::is_word(c))
            && full != body[start..name.end]
        {
            work.replace(start..name.end, &full);
        }
    }
}
