//! Small questions about what stands around a place in a text. None looks further than a bounded way.

use std::ops::Range;

/// The character before a place.
pub(super) fn before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

/// The character at a place.
pub(super) fn after(text: &str, at: usize) -> Option<char> {
    text[at..].chars().next()
}

/// Whether a character goes on with a word or name beside it: letters of scripts that put no spaces
/// between words, or join words to others, do not.
pub(super) fn is_word(c: char) -> bool {
    let spaced = c < '\u{590}' || ('\u{1E00}'..'\u{2000}').contains(&c);
    c == '_' || spaced && c.is_alphanumeric()
}

/// Whether a character is a letter of such a script.
pub(super) fn is_unspaced(c: char) -> bool {
    c.is_alphanumeric() && !is_word(c)
}

/// Words of English between letters of such a script, set off by spaces.
pub(super) fn set_off(text: &str, range: &Range<usize>, said: &str) -> String {
    let space = |c: Option<char>| if c.is_some_and(is_unspaced) { " " } else { "" };
    let (lead, tail) = (before(text, range.start), after(text, range.end));
    format!("{}{said}{}", space(lead), space(tail))
}

/// Whether a character can be part of the name of a plugin, skill or agent.
pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// How far characters of a kind go on from a place, at most `limit` bytes.
pub(super) fn run(text: &str, at: usize, limit: usize, of: impl Fn(char) -> bool) -> Range<usize> {
    let length: usize = text[at..]
        .chars()
        .take_while(|c| of(*c))
        .map(char::len_utf8)
        .take_while({
            let mut sum = 0;
            move |length| {
                sum += length;
                sum <= limit
            }
        })
        .sum();
    at..at + length
}

/// Whether what ends at a place goes on as a path or a pattern: `/name/x`, `/name*.md`, `/name{a,b}`.
pub(super) fn goes_on(text: &str, end: usize) -> bool {
    let mut rest = text[end..].chars();
    match rest.next() {
        Some('*') => rest
            .next()
            .is_some_and(|c| is_word(c) || matches!(c, '.' | '/')),
        Some('~') => rest.next() != Some('~'),
        Some(c) => matches!(c, '/' | '\\' | '=' | '{' | '$') || c != '_' && is_word(c),
        None => false,
    }
}

/// The last `limit` bytes before a place, or fewer.
pub(super) fn lead(text: &str, at: usize, limit: usize) -> &str {
    let mut start = at.saturating_sub(limit);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..at]
}

/// The next `limit` bytes from a place, or fewer.
pub(super) fn tail(text: &str, at: usize, limit: usize) -> &str {
    let mut end = at.saturating_add(limit).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[at..end]
}

/// Whether a place begins a sentence: after a mark of Markdown, after a full stop, at the start of a paragraph.
pub(super) fn begins_sentence(text: &str, at: usize) -> bool {
    let lead = lead(text, at, 40);
    let (above, line) = match lead.rsplit_once('\n') {
        Some((above, line)) => (Some(above), line),
        None if lead.len() == at => (None, lead),
        None => return ends_sentence(lead, false),
    };
    let bare = line.trim_end_matches([' ', '*', '_', '"', '`', '(']);
    if !is_marker(bare) {
        return ends_sentence(line, false);
    }
    let is_plain = bare.trim_matches([' ', '\t', '>']).is_empty() && !line.contains("* ");
    !is_plain || above.is_none_or(|above| ends_sentence(above, true))
}

/// Whether what stands before leaves nothing to go on with; a blank line does not.
fn ends_sentence(lead: &str, line: bool) -> bool {
    let bare = lead.trim_end_matches([' ', '\t', '\r', '>', '*', '_', '"', '`', '(']);
    let ends = bare.ends_with(['.', '!', '?']);
    if line {
        ends || bare.is_empty() || bare.ends_with(['\n', ':'])
    } else {
        ends && bare.len() < lead.len()
    }
}

/// Whether all of a line's beginning is marks of Markdown: quotes, bullets, numbers, headings.
pub(super) fn is_marker(text: &str) -> bool {
    text.trim_start_matches(|c: char| c.is_ascii_digit() || " \t>-*+#.)|".contains(c))
        .is_empty()
}

/// A sentence's first word as it stands in the middle of one.
pub(super) fn capitalized(text: &str, yes: bool) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if yes => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// A name's words, without the marks of code or quotation around them.
pub(super) fn unquoted(text: &str) -> &str {
    text.trim_matches(['`', '"', '\'', '\\', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_after_marks_and_full_stops() {
        for (text, begins) in [
            ("", true),
            ("- ", true),
            ("x\n  2. **", true),
            ("x\n* ", true),
            ("one\n", false),
            ("one.\n", true),
            ("one\n\n", true),
            ("> one\n> ", false),
            ("Do it. ", true),
            ("Do it: ", false),
            ("use ", false),
            ("e.g.", false),
            (&"long ".repeat(20), false),
        ] {
            assert_eq!(begins_sentence(text, text.len()), begins, "{text}");
        }
        assert_eq!(capitalized("spawn it", true), "Spawn it");
        assert_eq!(run("aab", 0, 9, |c| c == 'a'), 0..2);
        assert_eq!(run("ééé", 0, 3, |_| true), 0..2);
        assert_eq!((lead("éa", 3, 2), tail("aé", 0, 2)), ("a", "a"));
    }
}
