//! What is printed is text: names of others can't make the terminal do anything.

use std::borrow::Cow;
use std::io::Write;

use anyhow::Result;

/// A text in which everything that a terminal would obey is written out. Lines stay lines; JSON stays what it is,
/// since it may write any character that way.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    written_out(text, |character| is_obeyed(character) && character != '\n')
}

/// The same for what has to stay on its line.
pub(super) fn on_one_line(text: &str) -> Cow<'_, str> {
    written_out(text, is_obeyed)
}

fn written_out(text: &str, is_obeyed: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_obeyed(character) {
            true => safe.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

/// Control characters, and those that turn the direction or the line of the text after them.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// All that is printed goes through here. A reader that has seen enough is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    is_read(text).map(|_| ())
}

/// The same; tells whether somebody reads on.
pub(super) fn is_read(text: &str) -> Result<bool> {
    match std::io::stdout().write_all(printable(text).as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// All that is said on stderr goes through here.
pub(super) fn say_error(line: &str) {
    // Nobody is left to tell if stderr is closed.
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, safe) in [
            ("plain é 漢 \n", "plain é 漢 \n"),
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
            (
                "\u{9b}31m\u{7f}\r\u{8}\t",
                "\\u009b31m\\u007f\\u000d\\u0008\\u0009",
            ),
            ("\u{202e}gnp.exe", "\\u202egnp.exe"),
        ] {
            assert_eq!(printable(text), safe);
        }
        assert_eq!(on_one_line("a\nb"), "a\\u000ab");
        let json = serde_json::to_string(&["\u{9b}\u{7f}\u{202e}\u{1b}"]).unwrap();
        let read: Vec<String> = serde_json::from_str(&printable(&json)).unwrap();
        assert_eq!(read, ["\u{9b}\u{7f}\u{202e}\u{1b}"]);
    }
}
