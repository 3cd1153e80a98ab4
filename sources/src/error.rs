//! Why something was not fetched.

use crate::address::escaped;

/// Why something was not fetched. Its texts hold no secret, and nothing that a terminal obeys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FetchError {
    /// What kind of thing stood in the way.
    pub kind: FetchErrorKind,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Names to choose from, where there are some.
    pub items: Vec<String>,
}

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchErrorKind {
    /// The gate does not allow it.
    Refused,
    /// It was called off.
    Cancelled,
    /// It took longer than it may.
    TimedOut,
    /// The place is there, but not what is asked of it; or the place is not there.
    NotFound,
    /// The network, or the other side, does not answer as it should.
    Unreachable,
    /// What lies there is made to do harm, or can't be told from it.
    Unsafe,
    /// It is more than is read.
    TooLarge,
    /// It is not what its checksum says.
    Mismatch,
    /// It has to be said which one is meant.
    Ambiguous,
    /// What lies there can't be read: no archive, no manifest, no plugin.
    Unreadable,
    /// A program that is needed is not installed.
    MissingProgram,
    /// The disk does not take or give what it should.
    Io,
}

impl FetchError {
    pub(crate) fn new(
        kind: FetchErrorKind,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            message: escaped(&message.into()),
            hint: escaped(&hint.into()),
            items: Vec::new(),
        }
    }

    pub(crate) fn with_items(mut self, items: Vec<String>) -> Self {
        self.items = items;
        self
    }

    /// The disk failed at something.
    pub(crate) fn io(doing: &str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| {
            Self::new(
                FetchErrorKind::Io,
                format!("{doing}: {error}"),
                "see that the disk has room and that this user may write to it",
            )
        }
    }

    pub(crate) fn hostile(message: impl Into<String>) -> Self {
        Self::new(
            FetchErrorKind::Unsafe,
            message,
            "nothing of it was kept; tell its author, or take another source",
        )
    }

    pub(crate) fn too_large(what: &str, limit: impl std::fmt::Display) -> Self {
        Self::new(
            FetchErrorKind::TooLarge,
            format!("it has more than {limit} {what}"),
            "name the folder that holds the plugin with `--path`",
        )
    }
}
