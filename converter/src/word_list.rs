//! Lists of words that are written as a text: a line holds many.

/// Whether a word is one of a list's, which spaces set apart.
pub(crate) fn is_listed(word: &str, list: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == word)
}
