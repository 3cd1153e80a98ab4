//! `/plugin:skill`, `/command`, `Skill(plugin:skill)`: calls of skills, in the platform's own way.

use std::ops::Range;

use super::calls;
use super::draft::TextDraft;
use super::scan::Markup;
use super::words;
use crate::report::Code;
use crate::word_list::is_listed;

/// Claude Code's own commands: also where a plugin has one of the same name, the short form may mean them.
const BUILT_IN: &str = "
    add-dir agents bug clear compact config context cost doctor exit export help hooks ide init login logout mcp
    memory model permissions plugin plugins quit resume rewind skills terminal-setup tasks theme usage vim";

/// What comes after the colon of a mounted volume, not of a plugin.
const VOLUME_MODES: &[&str] = &["ro", "rw", "z", "Z", "cached", "delegated"];

/// What a `/name` is where the word after it says so.
const NOT_COMMANDS: &str = "directory endpoint endpoints folder page path route routes url";

/// Rewrites all calls outside of blocks of code.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for at in words::each(body, "/") {
        match beginning(draft, at) {
            Beginning::Any => slash(draft, at),
            Beginning::Full => {
                full_name(draft, at);
            }
            Beginning::None => {}
        }
    }
    for at in words::each(body, "Skill(") {
        skill_call(draft, at);
    }
    qualified(draft);
}

/// What can begin at a `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// A call, by whatever name.
    Any,
    /// Only a call by a full name that is known.
    Full,
    /// None: it is inside of a block, a path, an address, a tag.
    None,
}

/// What can begin here; in a span of code a call stands at its start.
fn beginning(draft: &TextDraft<'_>, at: usize) -> Beginning {
    let body = draft.body();
    match draft.place(at) {
        Markup::Block(_) | Markup::Link => return Beginning::None,
        Markup::Span(index) if draft.scan.spans[index].content.start != at => {
            return Beginning::None;
        }
        Markup::Span(_) => return Beginning::Any,
        Markup::Prose => {}
    }
    let Some(before) = words::before(body, at) else {
        return Beginning::Any;
    };
    if is_argument(body, at) {
        return Beginning::None;
    }
    match before {
        '`' | '(' | '[' | '"' | '\'' | '*' | '_' | '|' | '>' | '=' | ',' => Beginning::Any,
        ';' | ':' | '{' | '~' => Beginning::Full,
        c if c.is_whitespace() || !c.is_ascii() && !words::is_word(c) => Beginning::Any,
        _ => Beginning::None,
    }
}

/// `("/x` after a word is a program's: `router.get("/users")`.
fn is_argument(body: &str, at: usize) -> bool {
    let lead = words::lead(body, at, 8);
    lead.strip_suffix(['"', '\''])
        .and_then(|lead| lead.strip_suffix('('))
        .is_some_and(|lead| lead.ends_with(words::is_word))
}

/// What may be the name after a `/`: `plugin:skill`, `command`, `git:push`. The longer one has letters of
/// every script; it is one only if it is known.
pub(super) fn names(body: &str, slash: usize) -> [Range<usize>; 2] {
    let start = slash + 1;
    let is_name = |c| words::is_name(c) || c == ':';
    let trimmed = |run: Range<usize>| {
        let mut name = body[run].trim_end_matches(['.', ':', '-']);
        if words::before(body, slash) == Some('_') {
            name = name.trim_end_matches('_');
        }
        start..start + name.len()
    };
    [
        trimmed(words::run(body, start, 256, |c| {
            is_name(c) || c.is_alphanumeric()
        })),
        trimmed(words::run(body, start, 256, is_name)),
    ]
}

/// `/plugin:skill` by a name that is known; whether it is one.
fn full_name(draft: &mut TextDraft<'_>, at: usize) -> bool {
    let body = draft.body();
    for name in names(body, at) {
        if let Some((plugin, skill)) = body[name.clone()].split_once(':')
            && !words::goes_on(body, name.end)
            && let Some((full, length)) = resolve(draft, plugin, skill)
        {
            let end = name.start + plugin.len() + 1 + length;
            let call = draft.context.target.skill_call(&full);
            draft.replace(at..end, &call);
            return true;
        }
    }
    false
}

fn slash(draft: &mut TextDraft<'_>, at: usize) {
    let body = draft.body();
    let own_name = draft.context.plugin.name.as_str();
    let [long, name] = names(body, at);
    if is_family(body, draft.place(at), name.end) || full_name(draft, at) {
        return;
    }
    let name = match &body[long.clone()] {
        written if draft.is_skill(own_name, written) => long,
        _ => name,
    };
    let written = &body[name.clone()];
    let next = words::after(body, name.end);
    if !written.starts_with(char::is_alphabetic) || words::goes_on(body, name.end) {
        return;
    }
    let range = at..name.end;
    if let Some((plugin, skill)) = written.split_once(':') {
        if draft.is_skill(own_name, written) {
            own(draft, range, written);
        } else {
            unknown(draft, at, plugin, skill);
        }
        return;
    }
    let is_other = is_listed(written, BUILT_IN) || is_address(body, &range);
    let is_port = next == Some(':') && body[name.end + 1..].starts_with(words::is_name);
    if !is_other && !is_port {
        own(draft, range, written);
    }
}

/// Whether all commands that begin with a name are meant: `/tools:*`, or `/tools:` as code.
pub(super) fn is_family(body: &str, place: Markup, end: usize) -> bool {
    let Some(rest) = body[end..].strip_prefix(':') else {
        return false;
    };
    let is_code = matches!(place, Markup::Span(_));
    is_code && rest.starts_with('`') || rest.starts_with(['*', '<', '{', '[', '…', '.'])
}

/// `/command` of the plugin itself.
fn own(draft: &mut TextDraft<'_>, range: Range<usize>, written: &str) {
    if let Some(call) = call(draft, &draft.context.plugin.name, written) {
        draft.replace(range, &call);
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
    ) || [before, after]
        .iter()
        .any(|word| is_listed(word.to_ascii_lowercase().as_str(), NOT_COMMANDS))
}

impl TextDraft<'_> {
    /// Whether a plugin has a skill or command of this name, old or new.
    pub(super) fn is_skill(&self, plugin: &str, name: &str) -> bool {
        self.context.names.plugins.get(plugin).is_some_and(|names| {
            names.skills.contains_key(name) || names.skills.values().any(|new| new == name)
        })
    }
}

/// How the platform calls what is written as the skill of a plugin, if it is one.
pub(super) fn call(draft: &TextDraft<'_>, plugin: &str, written: &str) -> Option<String> {
    let (full, length) = resolve(draft, plugin, written)?;
    (length == written.len()).then(|| draft.context.target.skill_call(&full))
}

/// The full name of a skill in the bundle, and how much of what is written is its name.
fn resolve(draft: &TextDraft<'_>, plugin: &str, written: &str) -> Option<(String, usize)> {
    let skills = &draft.context.names.plugins.get(plugin)?.skills;
    let mut name = written;
    loop {
        // Texts may have the new name already.
        let new = skills
            .get(name)
            .or_else(|| skills.values().find(|new| *new == name));
        if let Some(new) = new {
            let full = draft.context.target.skill_name(plugin, new);
            return Some((full, name.len()));
        }
        name = name.rsplit_once(':')?.0;
    }
}

fn unknown(draft: &mut TextDraft<'_>, at: usize, plugin: &str, skill: &str) {
    let is_known = draft.context.names.plugins.contains_key(plugin);
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
    draft.find(at, Code::UnresolvedReference, what);
}

/// `Skill(plugin:skill)`, `Skill("x")`, `Skill(skill="plugin:skill", args="…")`, `Skill({skill: "x"})`.
fn skill_call(draft: &mut TextDraft<'_>, at: usize) {
    let body = draft.body();
    let place = draft.place(at);
    if matches!(place, Markup::Block(_)) || words::before(body, at).is_some_and(words::is_word) {
        return;
    }
    let call = calls::read(body, at + "Skill(".len());
    let Some(end) = call.end.filter(|end| !body[at..*end].contains('\n')) else {
        return;
    };
    let value = |argument: &calls::Argument| words::unquoted(&body[argument.value.clone()]);
    let bare: Vec<&str> = call
        .arguments
        .iter()
        .filter(|argument| argument.key.is_empty())
        .map(value)
        .collect();
    let keyed = |keys: &[&str]| call.value(body, keys).map(value);
    let Some(first) = keyed(&["skill", "command", "name"]).or(bare.first().copied()) else {
        return;
    };
    let first = first.trim_start_matches('/');
    let (written, arguments) = first.split_once(' ').unwrap_or((first, ""));
    if written.is_empty() || !written.chars().all(|c| words::is_name(c) || c == ':') {
        return;
    }
    let own = draft.context.plugin.name.clone();
    let (plugin, skill) = written.split_once(':').unwrap_or((&own, written));
    let Some((full, _)) =
        resolve(draft, plugin, skill).filter(|(_, length)| *length == skill.len())
    else {
        draft.find(
            at,
            Code::UnresolvedReference,
            format!("no skill `{written}` is known"),
        );
        return;
    };
    let mut said = draft.context.target.skill_call(&full);
    let more = keyed(&["args", "arguments"]).or(bare.get(1).copied());
    // What is written after the name, `*` meaning anything.
    for arguments in [arguments, more.unwrap_or_default()] {
        if !arguments.is_empty() && arguments != "*" && !arguments.contains(['$', '@']) {
            said = format!("{said} {arguments}");
        }
    }
    let range = at..end;
    let said = match place {
        Markup::Span(_) => said,
        _ => draft.as_code(&range, &said),
    };
    draft.replace(range, &said);
}

/// `plugin:skill` without a slash: already what the platform calls it, unless the skill has a new name.
fn qualified(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for colon in words::each(body, ":") {
        let lead = words::lead(body, colon, 128);
        let plugin = lead
            .rsplit(|c| !words::is_name(c))
            .next()
            .unwrap_or_default();
        let start = colon - plugin.len();
        if plugin.is_empty()
            || matches!(draft.place(colon), Markup::Block(_) | Markup::Link)
            || words::before(body, start)
                .is_some_and(|c| matches!(c, '/' | '@' | ':' | '$') || words::is_word(c))
        {
            continue;
        }
        let [_, name] = names(body, colon);
        let next = words::after(body, name.end);
        if let Some((full, length)) = resolve(draft, plugin, &body[name.clone()])
            && length == name.len()
            && next.is_none_or(|c| c != '/' && !words::is_word(c))
            && full != body[start..name.end]
        {
            draft.replace(start..name.end, &full);
        }
    }
}
