//! Frontmatter as every YAML reader takes it.

use std::fmt::Write as _;

use indexmap::IndexMap;

/// Words that some YAML reader takes for something else than text.
const NOT_TEXT: &[&str] = &[
    "true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan",
];

/// Frontmatter with its fences: a name, a description, and a map of texts if it is not empty.
pub(crate) fn document(
    name: &str,
    description: &str,
    metadata: &IndexMap<String, String>,
) -> String {
    let mut yaml = format!(
        "---\nname: {}\ndescription: {}\n",
        scalar(name),
        scalar(description)
    );
    if !metadata.is_empty() {
        yaml.push_str("metadata:\n");
        for (key, value) in metadata {
            let _ = writeln!(yaml, "  {}: {}", scalar(key), scalar(value));
        }
    }
    yaml.push_str("---\n");
    yaml
}

/// Text as a YAML scalar on one line: plain where no reader can mistake it, else in double quotes.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // What YAML does not call printable, and breaks of lines in older versions of it.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => {
                let _ = write!(quoted, "\\x{:02x}", c as u32);
            }
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    let plain_char = |c: char| c.is_alphanumeric() || " -_./,;()'+?!…–—→’“”".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(plain_char)
        && !NOT_TEXT.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars() {
        for (text, yaml) in [
            ("plain-name", "plain-name"),
            ("Two words, é", "Two words, é"),
            ("a: b", "\"a: b\""),
            ("Yes", "\"Yes\""),
            ("1.10", "\"1.10\""),
            ("", "\"\""),
            ("ends with ", "\"ends with \""),
            ("a\nb\t\"c\"\\", "\"a\\nb\\t\\\"c\\\"\\\\\""),
            ("\0\u{85}\u{2028}\u{feff}", "\"\\x00\\x85\\u2028\\ufeff\""),
            ("🦀", "\"🦀\""),
        ] {
            assert_eq!(scalar(text), yaml);
        }
    }
}
