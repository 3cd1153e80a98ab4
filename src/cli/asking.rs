//! Questions that are answered on the terminal.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Result;

use super::terminal::printable;

/// Asks on the terminal; only a plain yes is one. Where nobody can be asked, the answer is no.
pub(super) fn confirms(question: &str) -> Result<bool> {
    let (input, mut output) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !output.is_terminal() {
        return Ok(false);
    }
    write!(output, "{} [y/N] ", printable(question))?;
    output.flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, yes) in [
            ("y\n", true),
            ("YES\r\n", true),
            ("\n", false),
            ("", false),
            ("yep\n", false),
        ] {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
