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

/// The folder Codex gives a plugin for its data, as an expression between double quotes.
///
/// Codex 0.157 to 0.169: `$CODEX_HOME/plugins/data/<plugin>-<marketplace>`.
pub(crate) fn data_folder(plugin: &str, marketplace: Option<&str>) -> String {
    let id = marketplace.map_or_else(|| plugin.to_owned(), |market| format!("{plugin}-{market}"));
    format!(
        "${{CODEX_HOME:-$HOME/.codex}}/plugins/data/{}",
        in_double_quotes(&id)
    )
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
