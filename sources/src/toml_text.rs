//! TOML that people write: what is wrong with it is said by line and key.

use serde::de::DeserializeOwned;

use crate::address::is_unsafe;

/// What is wrong with a text, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    pub line: Option<usize>,
    pub key: Option<String>,
    pub message: String,
}

/// The line that a byte lies in, from 1.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    1 + text
        .get(..at)
        .map_or(0, |before| before.matches('\n').count())
}

/// Reads a text as what is asked for.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let line = |error: &toml::de::Error| error.span().map(|span| line_at(text, span.start));
    let document = toml::Deserializer::parse(text).map_err(|error| Fault {
        line: line(&error),
        key: None,
        message: format!("this is not TOML: {}", plain(error.message())),
    })?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        // What `toml::Spanned` is within serde is no key of anybody's.
        let key = error
            .path()
            .to_string()
            .replace(".$__serde_spanned_private_value", "");
        Fault {
            line: line(error.inner()),
            key: (key != ".").then(|| plain(&key)),
            message: plain(error.inner().message()),
        }
    })
}

/// Words of a parser on one line that a terminal shows as they are; they may quote what nobody has checked.
pub(crate) fn plain(text: &str) -> String {
    const MOST: usize = 300;
    let mut plain = String::new();
    for letter in text.trim().chars() {
        match letter {
            '\n' => plain.push_str("; "),
            letter if is_unsafe(letter) => plain.extend(letter.escape_unicode()),
            letter => plain.push(letter),
        }
        if plain.len() > MOST {
            plain.push('…');
            break;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parser_quotes_is_made_plain() {
        assert_eq!(
            plain(" a\nb \u{1b}[31m \u{202e}"),
            "a; b \\u{1b}[31m \\u{202e}"
        );
        assert!(plain(&"é".repeat(1000)).ends_with("é…"));
    }
}
