//! A policy that can't be read, and what a policy refuses.

use std::fmt;
use std::path::PathBuf;

/// A policy file is there, but can't be read: until it can, nothing is added or fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    /// The file.
    pub path: PathBuf,
    /// From 1, where a line is at fault.
    pub line: Option<usize>,
    /// The key at fault, such as `sources.allow[2].host`.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy `{}`", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ", `{key}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Whose policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyOwner {
    /// Of the machine.
    Administrator,
    /// Of the state folder.
    User,
}

/// Something that a policy does not let happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// Whose policy.
    pub owner: PolicyOwner,
    /// Its file.
    pub path: PathBuf,
    /// The key that decides, such as `sources.deny[0]`.
    pub rule: String,
    /// What is refused, and why.
    pub sentence: String,
    /// What to do.
    pub hint: String,
}
