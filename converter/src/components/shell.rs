//! Words of a POSIX shell.

/// A word that the shell takes as it is; no word has a NUL in it.
pub(crate) fn quoted(text: &str) -> String {
    shlex::Quoter::new()
        .allow_nul(true)
        .quote(text)
        .map(|word| word.replace('\0', ""))
        .unwrap_or_default()
}

/// A text between double quotes that the shell takes as it is.
pub(crate) fn in_double_quotes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '"' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn echoed(word: &str) -> String {
        let script = format!("printf %s {word}");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_shell_gives_back_what_was_quoted() {
        for text in [
            "a",
            "",
            "it's",
            "a b\n\"c\" $HOME `id` \\ é",
            "-e",
            "~",
            "*",
        ] {
            assert_eq!(echoed(&quoted(text)), text);
            let double = format!("\"{}\"", in_double_quotes(text));
            assert_eq!(echoed(&double), text);
            // As the default of a variable, too.
            let default = format!("\"${{UNSET_HERE:-{}}}\"", in_double_quotes(text));
            assert_eq!(echoed(&default), text);
        }
    }
}
