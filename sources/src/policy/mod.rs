//! `policy.toml`: what may be fetched, what has to be pinned and signed, and what may run.
//!
//! An administrator's file and a user's are asked one after the other, and each can only refuse: so a user's can't
//! loosen an administrator's. A file that is there and can't be read refuses everything.
//!
//! In reading order: `file` is the text, `address` says where a source lies, `rule` what a rule matches, and `decide`
//! answers the questions.
//!
//! *Architecture invariant:* only `read` touches files; the decisions are pure.

mod address;
mod decide;
mod error;
mod file;
mod read;
mod rule;

pub use error::{PolicyError, PolicyOwner, Refusal};
pub use file::{Offline, PolicyFile};

/// The administrator's.
pub const ADMIN_POLICY: &str = "/etc/codex-loadout/policy.toml";
/// The user's, in the state folder.
pub const POLICY_FILE: &str = "policy.toml";

/// The policy files that hold, the administrator's first.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    layers: Vec<(PolicyOwner, PolicyFile)>,
}

impl Policy {
    /// What holds where these files are there.
    #[must_use]
    pub fn merge(admin: Option<PolicyFile>, user: Option<PolicyFile>) -> Self {
        let admin = admin.map(|file| (PolicyOwner::Administrator, file));
        let user = user.map(|file| (PolicyOwner::User, file));
        Self {
            layers: admin.into_iter().chain(user).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
