//! The arguments of a call as texts write it: `Task(subagent_type="x", prompt="…")`.

use std::ops::Range;

use super::words;

/// One argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argument {
    /// Its name; empty if it has none.
    pub(super) key: Range<usize>,
    /// Its value, quotation marks included.
    pub(super) value: Range<usize>,
}

/// A call's arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// Those that could be read.
    pub(super) arguments: Vec<Argument>,
    /// After the closing parenthesis; `None` if it was not found.
    pub(super) end: Option<usize>,
}

impl Call {
    /// The value of the first argument that has one of these names.
    pub(super) fn value(&self, text: &str, keys: &[&str]) -> Option<&Argument> {
        self.arguments
            .iter()
            .find(|argument| keys.contains(&words::unquoted(&text[argument.key.clone()])))
    }
}

/// How much of a call is read.
const LIMIT: usize = 4096;

/// Reads the arguments that begin after an opening parenthesis.
pub(super) fn read(text: &str, start: usize) -> Call {
    let window = words::tail(text, start, LIMIT);
    let mut call = Call::default();
    let mut at = 0;
    let mut item = 0;
    let mut separator = None;
    let mut depth = 0_usize;
    while let Some(c) = window[at..].chars().next() {
        match c {
            '"' | '\'' if is_quote(window, at) => {
                let Some(end) = quoted(window, at) else {
                    break;
                };
                at = end;
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                call.end = Some(start + at + 1);
                break;
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '=' | ':' if depth <= 1 && separator.is_none() && is_key(&window[item..at]) => {
                separator = Some(at);
            }
            ',' if depth <= usize::from(window.trim_start().starts_with('{')) => {
                call.arguments
                    .extend(argument(window, start, item..at, separator));
                item = at + 1;
                separator = None;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    call.arguments
        .extend(argument(window, start, item..at, separator));
    call
}

/// Whether what stands before a `:` or `=` names an argument: `plugin:agent` does not.
fn is_key(text: &str) -> bool {
    if text.len() > 80 {
        return false;
    }
    let key = words::unquoted(text.trim().trim_start_matches('{').trim());
    !key.is_empty()
        && key.len() <= 40
        && key
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_uppercase() || c == '_')
}

fn argument(
    window: &str,
    start: usize,
    item: Range<usize>,
    separator: Option<usize>,
) -> Option<Argument> {
    let trim = |range: Range<usize>| {
        let text = &window[range.clone()];
        let inner = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '{' | '}'));
        let from = range.start
            + (text.len()
                - text
                    .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '{' | '}'))
                    .len());
        start + from..start + from + inner.len()
    };
    let (key, value) = match separator {
        // `plugin:agent` without a space is one value.
        Some(at)
            if window[at..].starts_with(':')
                && window[at + 1..].starts_with(words::is_word)
                && !window[..at].ends_with("subagent_type") =>
        {
            (start + item.start..start + item.start, trim(item))
        }
        Some(at) => (trim(item.start..at), trim(at + 1..item.end)),
        None => (start + item.start..start + item.start, trim(item)),
    };
    (!value.is_empty()).then_some(Argument { key, value })
}

/// A `'` inside of a word is an apostrophe.
fn is_quote(window: &str, at: usize) -> bool {
    window[at..].starts_with('"') || !words::before(window, at).is_some_and(words::is_word)
}

/// The end of a quotation: `"…"`, `'…'`, `"""…"""`; escaped marks belong to it.
fn quoted(window: &str, at: usize) -> Option<usize> {
    let mark = &window[at..=at];
    let escaped = words::before(window, at) == Some('\\');
    let close = match (escaped, window[at..].starts_with(&mark.repeat(3))) {
        (true, _) => format!("\\{mark}"),
        (false, true) => mark.repeat(3),
        (false, false) => mark.to_owned(),
    };
    let mut from = at + if close.len() == 3 { 3 } else { 1 };
    loop {
        let end = from + window.get(from..)?.find(&close)?;
        if escaped || words::before(window, end) != Some('\\') {
            return Some(end + close.len());
        }
        from = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_in_their_many_spellings() {
        let read = |text: &str| {
            let call = read(text, 0);
            let arguments: Vec<String> = call
                .arguments
                .iter()
                .map(|a| format!("{}|{}", &text[a.key.clone()], &text[a.value.clone()]))
                .collect();
            (arguments.join(" "), call.end.is_some())
        };
        for (text, arguments, closed) in [
            (r#"subagent_type="x")"#, r#"subagent_type|"x""#, true),
            (
                r#"subagent_type: "x", prompt: 'a, (b) "c"')"#,
                r#"subagent_type|"x" prompt|'a, (b) "c"'"#,
                true,
            ),
            (
                r#"{ subagent_type: "x", prompt: "y" })"#,
                r#"subagent_type|"x" prompt|"y""#,
                true,
            ),
            ("p:x, it's done)", "|p:x |it's done", true),
            (
                "\n  subagent_type=\"x\",\n  prompt=\"\"\"a \"b\" c\"\"\"\n)",
                "subagent_type|\"x\" prompt|\"\"\"a \"b\" c\"\"\"",
                true,
            ),
            (
                r#"subagent_type=\"x\", prompt=\"y\")"#,
                r#"subagent_type|\"x\" prompt|\"y\""#,
                true,
            ),
            ("subagent_type=x", "subagent_type|x", false),
            ("", "", false),
            (")", "", true),
        ] {
            assert_eq!(read(text), (arguments.to_owned(), closed), "{text}");
        }
    }
}
