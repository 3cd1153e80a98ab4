//! Variables in a server's definition.

use super::super::{settings, shell};

/// A part of a text of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it stands.
    Literal(String),
    /// `${CLAUDE_PLUGIN_ROOT}`.
    Root,
    /// `${CLAUDE_PLUGIN_DATA}`.
    Data,
    /// `${CLAUDE_PROJECT_DIR}`.
    Project,
    /// `${NAME}` or `${NAME:-default}`.
    Variable {
        name: String,
        default: Option<String>,
    },
    /// `${user_config.key}`: Claude Code asks the user for it and sets this variable.
    UserConfig { name: String },
}

/// A text of a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) pieces: Vec<Piece>,
}

impl Text {
    /// Splits a text at its variables; what only looks like one stays text.
    pub(crate) fn of(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, variable) = rest.split_at(start);
            literal.push_str(before);
            let inside = &variable[2..];
            match inside
                .find('}')
                .and_then(|end| piece(&inside[..end]).map(|piece| (piece, &inside[end + 1..])))
            {
                Some((piece, after)) => {
                    push_literal(&mut pieces, &mut literal);
                    pieces.push(piece);
                    rest = after;
                }
                None => {
                    literal.push_str("${");
                    rest = inside;
                }
            }
        }
        literal.push_str(rest);
        push_literal(&mut pieces, &mut literal);
        Self { pieces }
    }

    /// The text, if no variable is in it.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether such a piece is in it.
    pub(crate) fn has(&self, piece: &Piece) -> bool {
        self.pieces.contains(piece)
    }

    /// The same with a text in place of a piece.
    pub(crate) fn with(&self, piece: &Piece, value: &str) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for old in &self.pieces {
            let new = if old == piece {
                Piece::Literal(value.to_owned())
            } else {
                old.clone()
            };
            match (pieces.last_mut(), new) {
                (Some(Piece::Literal(text)), Piece::Literal(more)) => text.push_str(&more),
                (_, new) => pieces.push(new),
            }
        }
        Self { pieces }
    }

    /// Names of the environment's variables in it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { name, .. } | Piece::UserConfig { name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// The text with defaults in place of variables, if each has one.
    pub(crate) fn defaults(&self) -> Option<String> {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(text.as_str()),
                Piece::Variable { default, .. } => default.as_deref(),
                _ => None,
            })
            .collect()
    }

    /// One word of the shell. `data` is an expression between double quotes.
    ///
    /// The plugin's root is `$root`; the project is the folder the shell starts in, `$PWD`.
    pub(crate) fn shell_word(&self, data: &str) -> String {
        if let Some(text) = self.literal() {
            return shell::quoted(text);
        }
        let inside: String = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => shell::in_double_quotes(text),
                Piece::Root => "$root".to_owned(),
                Piece::Project => "$PWD".to_owned(),
                Piece::Data => data.to_owned(),
                Piece::Variable {
                    name,
                    default: Some(default),
                } => format!("${{{name}:-{}}}", shell::in_double_quotes(default)),
                Piece::Variable { name, .. } | Piece::UserConfig { name } => {
                    format!("${{{name}}}")
                }
            })
            .collect();
        format!("\"{inside}\"")
    }
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(std::mem::take(literal)));
    }
}

/// What stands between `${` and `}`.
fn piece(inside: &str) -> Option<Piece> {
    if let Some(key) = inside.strip_prefix("user_config.") {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        return (!key.is_empty() && key.chars().all(is_word)).then(|| Piece::UserConfig {
            name: settings::variable(key),
        });
    }
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inside, None),
    };
    match name {
        // Agent Plugins, and Codex, leave out whose they are.
        "CLAUDE_PLUGIN_ROOT" | "PLUGIN_ROOT" => Some(Piece::Root),
        "CLAUDE_PLUGIN_DATA" | "PLUGIN_DATA" => Some(Piece::Data),
        "CLAUDE_PROJECT_DIR" => Some(Piece::Project),
        _ => is_variable(name).then(|| Piece::Variable {
            name: name.to_owned(),
            default,
        }),
    }
}

/// Whether a variable of the environment can have this name.
pub(crate) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Piece {
        Piece::Literal(text.to_owned())
    }

    fn variable(name: &str, default: Option<&str>) -> Piece {
        Piece::Variable {
            name: name.to_owned(),
            default: default.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn texts_fall_into_pieces() {
        for (text, pieces) in [
            ("", vec![]),
            ("a", vec![literal("a")]),
            ("${CLAUDE_PLUGIN_ROOT}/x", vec![Piece::Root, literal("/x")]),
            ("${CLAUDE_PLUGIN_ROOT:-.}", vec![Piece::Root]),
            (
                "${PLUGIN_ROOT}${PLUGIN_DATA}",
                vec![Piece::Root, Piece::Data],
            ),
            (
                "a${B}c",
                vec![literal("a"), variable("B", None), literal("c")],
            ),
            ("${B:-}", vec![variable("B", Some(""))]),
            ("${B:-x:-y}", vec![variable("B", Some("x:-y"))]),
            (
                "$B ${} ${1} ${a b} ${",
                vec![literal("$B ${} ${1} ${a b} ${")],
            ),
            (
                "${user_config.api-key}",
                vec![Piece::UserConfig {
                    name: "CLAUDE_PLUGIN_OPTION_API_KEY".to_owned(),
                }],
            ),
        ] {
            assert_eq!(Text::of(text).pieces, pieces, "{text}");
        }
    }

    #[test]
    fn words_keep_what_is_not_a_variable() {
        for (text, word) in [
            ("plain", "plain"),
            ("a b", "'a b'"),
            ("T=${A}", "\"T=${A}\""),
            ("$x ${A:-d e}", "\"\\$x ${A:-d e}\""),
            ("${CLAUDE_PROJECT_DIR}/x", "\"$PWD/x\""),
            ("${CLAUDE_PLUGIN_DATA}", "\"DATA\""),
        ] {
            assert_eq!(Text::of(text).shell_word("DATA"), word);
        }
    }
}
