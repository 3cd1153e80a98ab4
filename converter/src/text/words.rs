//! Small questions about what stands around a place in a text. None looks further than a bounded way.

use std::ops::Range;

/// Each place at which a word begins, those that overlap an earlier one left out. It is the way to look through a whole
/// text: a search of `str`'s own takes several times as long.
pub(super) fn each<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + use<'t> {
    memchr::memmem::find_iter(text.as_bytes(), word.as_bytes())
}

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

/// Whether all of a line's beginning is marks of Markdown: quotes, bullets, numbers, headings.
pub(super) fn is_marker(text: &str) -> bool {
    text.trim_start_matches(|c: char| c.is_ascii_digit() || " \t>-*+#.)|".contains(c))
        .is_empty()
}

/// A name's words, without the marks of code or quotation around them.
pub(super) fn unquoted(text: &str) -> &str {
    text.trim_matches(['`', '"', '\'', '\\', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_place_is_bounded() {
        assert_eq!(run("aab", 0, 9, |c| c == 'a'), 0..2);
        assert_eq!(run("ééé", 0, 3, |_| true), 0..2);
        assert_eq!((lead("éa", 3, 2), tail("aé", 0, 2)), ("a", "a"));
    }
}
