//! Command lines as they may be shown and recorded: without what looks like a secret.

use std::sync::LazyLock;

use regex::Regex;

use crate::address::{escaped, shown};

/// A name that a secret goes by, and what follows it. A value that is a variable is none.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)([\w-]*(?:token|secret|passw(?:or)?d|api[-_]?key|access[-_]?key|private[-_]?key|credential|authorization|bearer)[\w-]*["']?(?:\s*[=:]\s*|\s+)(?:(?:bearer|basic)\s+)?)(["']?)([^\s"'$][^\s"']*)"#,
    )
    .ok()
});

/// An address with a user or a query.
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'`<>|]+"#).ok());

/// A command line, or a part of it, as it is shown.
pub(crate) fn command(text: &str) -> String {
    let mut shown_text = text.to_owned();
    if let Some(address) = &*ADDRESS {
        shown_text = address
            .replace_all(&shown_text, |found: &regex::Captures<'_>| shown(&found[0]))
            .into_owned();
    }
    if let Some(named) = &*NAMED {
        shown_text = named.replace_all(&shown_text, "${1}${2}…").into_owned();
    }
    escaped(&shown_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        for (text, expected) in [
            ("npx -y server@1", "npx -y server@1"),
            ("run --token hidden --port 1", "run --token … --port 1"),
            ("run --api-key=hidden", "run --api-key=…"),
            (
                "docker run -e TFE_TOKEN=hidden x",
                "docker run -e TFE_TOKEN=… x",
            ),
            (
                "docker run -e TFE_TOKEN=${TFE_TOKEN} x",
                "docker run -e TFE_TOKEN=${TFE_TOKEN} x",
            ),
            (
                "curl -H 'Authorization: Bearer hidden'",
                "curl -H 'Authorization: Bearer …'",
            ),
            (
                "curl https://u:hidden@h/x?key=hidden",
                "curl https://…@h/x?…",
            ),
            ("a\u{1b}[2J", "a\\u{1b}[2J"),
        ] {
            let shown = command(text);
            assert!(!shown.contains("hidden"), "{shown}");
            assert_eq!(shown, expected);
        }
    }
}
