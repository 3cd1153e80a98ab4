//! How a refusal of ours looks on the wire: JSON-RPC error with `data.origin = "codex-loadout"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The JSON-RPC code of every refusal of a selection.
pub const INVALID_PARAMS: i64 = -32602;
/// JSON-RPC's code for an internal error.
pub const INTERNAL_ERROR: i64 = -32603;

/// Bytes of a message or a hint, at most.
pub const MAX_MESSAGE: usize = 2048;
/// Items of an error, and names of an item, at most.
pub const MAX_ITEMS: usize = 20;
/// Bytes of a name, at most: a host that sent a longer one knows it by how it begins.
const MAX_NAME: usize = 256;

/// `data.origin` of every error that is ours and not Codex's.
pub const ORIGIN: &str = "codex-loadout";

/// Why a selection was refused. Stable: hosts may match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ErrorKind {
    /// The selection, or the request around it, is not well-formed or contradicts itself.
    InvalidSelection,
    /// A name that nothing has.
    UnknownCapability,
    /// A name that several sources have.
    AmbiguousCapability,
    /// Something that can run code and was not approved.
    Untrusted,
    /// A snapshot no longer has the content it was recorded with.
    Tampered,
    /// A bundle could not be read, converted or stored.
    ConversionFailed,
    /// This Codex has no lever for what was asked.
    UnsupportedUpstream,
    /// The thread runs in an environment that can't see the loadout's files.
    EnvironmentUnsupported,
    /// The thread is in the middle of a turn.
    ThreadBusy,
    /// The thread had a loadout whose record can't be found or read.
    LoadoutLost,
    /// There is no such thread.
    ThreadNotFound,
    /// A layer of config that no thread outranks forces on it what the loadout does not have.
    PolicyConflict,
    /// A layer of config that no thread outranks, or the launch line, takes away what was named.
    BlockedByPolicy,
    /// The state folder is another user's, or open to others.
    StateUnavailable,
    /// A bundle could not be fetched from where it comes from.
    SourceUnavailable,
    /// A profile or a lock needs the bundle that was to be removed.
    BundleInUse,
    /// What is here is not what the lock says, or could not be made so.
    LockMismatch,
}

impl ErrorKind {
    /// The word used for this kind on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSelection => "invalidSelection",
            Self::UnknownCapability => "unknownCapability",
            Self::AmbiguousCapability => "ambiguousCapability",
            Self::Untrusted => "untrusted",
            Self::Tampered => "tampered",
            Self::ConversionFailed => "conversionFailed",
            Self::UnsupportedUpstream => "unsupportedUpstream",
            Self::EnvironmentUnsupported => "environmentUnsupported",
            Self::ThreadBusy => "threadBusy",
            Self::LoadoutLost => "loadoutLost",
            Self::ThreadNotFound => "threadNotFound",
            Self::PolicyConflict => "policyConflict",
            Self::BlockedByPolicy => "blockedByPolicy",
            Self::StateUnavailable => "stateUnavailable",
            Self::SourceUnavailable => "sourceUnavailable",
            Self::BundleInUse => "bundleInUse",
            Self::LockMismatch => "lockMismatch",
        }
    }
}

/// A refusal: a kind for programs, a sentence and a hint for people. It is short, whatever it is about: what
/// does not fit is counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[error("{message}")]
#[serde(rename_all = "camelCase")]
pub struct LoadoutError {
    /// Why.
    pub kind: ErrorKind,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// The names it is about.
    pub items: Vec<ErrorItem>,
}

impl ErrorKind {
    /// JSON-RPC's code: that of an internal error where it is not the request that is at fault.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::StateUnavailable | Self::SourceUnavailable => INTERNAL_ERROR,
            _ => INVALID_PARAMS,
        }
    }
}

impl LoadoutError {
    /// A refusal without a hint or items yet.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: shortened(message.into(), MAX_MESSAGE),
            hint: String::new(),
            items: Vec::new(),
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = shortened(hint.into(), MAX_MESSAGE);
        self
    }

    /// Names what it is about. Where that is more than [`MAX_ITEMS`], the message says how many more.
    #[must_use]
    pub fn with_items(mut self, items: Vec<ErrorItem>) -> Self {
        if let Some(more) = items.len().checked_sub(MAX_ITEMS).filter(|more| *more > 0) {
            let counted = format!(" (and {more} more)");
            self.message = shortened(self.message, MAX_MESSAGE - counted.len()) + &counted;
        }
        let listed = items.into_iter().take(MAX_ITEMS);
        self.items = listed.map(ErrorItem::shortened).collect();
        self
    }

    /// The `error` member of the JSON-RPC answer.
    #[must_use]
    pub fn to_json_rpc(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.kind.code(),
            "message": self.message,
            "data": self.data(),
        })
    }

    /// The `data` member of the JSON-RPC error.
    #[must_use]
    pub fn data(&self) -> serde_json::Value {
        serde_json::json!({
            "origin": ORIGIN,
            "kind": self.kind,
            "message": self.message,
            "hint": self.hint,
            "items": self.items,
        })
    }
}

/// One name a refusal is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorItem {
    /// As the host wrote it, or the path of the offending field.
    pub name: String,
    /// Existing names that look alike, the likeliest first.
    pub did_you_mean: Vec<String>,
    /// The full ids to choose from, where the name is ambiguous.
    pub candidates: Vec<String>,
}

impl ErrorItem {
    /// An item with a name alone.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    fn shortened(self) -> Self {
        let names = |names: Vec<String>| {
            let listed = names.into_iter().take(MAX_ITEMS);
            listed.map(|name| shortened(name, MAX_NAME)).collect()
        };
        Self {
            name: shortened(self.name, MAX_NAME),
            did_you_mean: names(self.did_you_mean),
            candidates: names(self.candidates),
        }
    }
}

/// A text of at most this many bytes. Where something is left out, it ends by saying how much.
#[must_use]
pub fn shortened(mut text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let more = |at: usize| format!("… ({} more bytes)", text.len() - at);
    let mut at = limit.saturating_sub(more(0).len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let more = more(at);
    text.truncate(at);
    // It may have been made for far more.
    text.shrink_to(limit);
    text + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_short_and_says_what_it_leaves_out() {
        let long = "é".repeat(10_000);
        let items = (0..30).map(|number| ErrorItem {
            name: format!("{number}{long}"),
            did_you_mean: vec![long.clone(); 30],
            candidates: vec![long.clone(); 30],
        });
        let error = LoadoutError::new(ErrorKind::UnknownCapability, &long)
            .with_hint(&long)
            .with_items(items.collect());
        assert!(error.message.len() <= MAX_MESSAGE && error.hint.len() <= MAX_MESSAGE);
        assert!(
            error.message.ends_with(" more bytes) (and 10 more)"),
            "{}",
            error.message
        );
        assert_eq!(error.items.len(), MAX_ITEMS);
        for item in &error.items {
            for name in [&item.name]
                .into_iter()
                .chain(&item.did_you_mean)
                .chain(&item.candidates)
            {
                assert!(
                    name.len() <= MAX_NAME && name.contains("more bytes"),
                    "{name}"
                );
            }
            assert_eq!(item.candidates.len(), MAX_ITEMS);
        }
        let kept = LoadoutError::new(ErrorKind::UnknownCapability, "there is no `a`")
            .with_items(vec![ErrorItem::named("a"); MAX_ITEMS]);
        assert_eq!(kept.message, "there is no `a`");
    }

    #[test]
    fn what_is_left_out_is_counted() {
        assert_eq!(shortened("abc".to_owned(), 3), "abc");
        let text = shortened("é".repeat(100), 40);
        assert_eq!(text, format!("{}… (180 more bytes)", "é".repeat(10)));
        assert!(text.len() <= 40);
    }
}
