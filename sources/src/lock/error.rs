//! What is wrong with a lock file.

use std::fmt;

use crate::toml_text::Fault;

/// A lock that can't be read or written: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LockError {
    /// From 1, where a line is at fault.
    pub line: Option<usize>,
    /// The key at fault, such as `bundle[2].digest`.
    pub key: Option<String>,
    /// One sentence, without the file's name.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl LockError {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            line: None,
            key: None,
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(super) fn from_fault(fault: Fault, hint: &str) -> Self {
        Self {
            line: fault.line,
            key: fault.key,
            message: fault.message,
            hint: hint.to_owned(),
        }
    }

    pub(super) fn at(mut self, line: usize, key: impl Into<String>) -> Self {
        self.line = Some(line);
        self.key = Some(key.into());
        self
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.key) {
            (Some(line), Some(key)) => write!(f, "line {line}, `{key}`: ")?,
            (Some(line), None) => write!(f, "line {line}: ")?,
            (None, Some(key)) => write!(f, "`{key}`: ")?,
            (None, None) => {}
        }
        f.write_str(&self.message)
    }
}
