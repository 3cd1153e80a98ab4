//! Why a signature does not count.

use crate::toml_text::plain;

/// Why nobody who may sign has signed this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("it is not signed")]
    Unsigned,
    /// It is signed in a way that is not SSH's.
    #[error("it is signed with {0}, not with an SSH key")]
    OtherKind(&'static str),
    /// The signature can't be read.
    #[error("its signature can't be read: {0}")]
    Unreadable(String),
    /// Nobody who may sign has this key.
    #[error("it is signed by the key {fingerprint}, which is nobody's who may sign")]
    OtherKey {
        /// SHA-256 of the key, as `ssh-keygen -l` says it.
        fingerprint: String,
    },
    /// The key signed something else.
    #[error("its signature is of other content: it was changed after it was signed")]
    OtherContent,
    /// The signature was made for another use, or the key may not be used for this one.
    #[error(
        "its signature is made for `{}`, and what counts here is one for `{expected}`",
        plain(found)
    )]
    OtherNamespace {
        /// What it is made for.
        found: String,
        /// What it has to be made for.
        expected: &'static str,
    },
    /// The key of the signature is not trusted for this use.
    #[error("the key of {name} may not sign for `{namespace}`")]
    NotForThis {
        /// Whose key.
        name: String,
        /// The use.
        namespace: &'static str,
    },
    /// The key was trusted once.
    #[error("the key of {name} is expired")]
    Expired {
        /// Whose key.
        name: String,
    },
    /// The key is not trusted yet.
    #[error("the key of {name} is not valid yet")]
    NotYetValid {
        /// Whose key.
        name: String,
    },
    /// A security key signed without anybody having touched it.
    #[error("the security key of {name} was not touched when it signed")]
    Untouched {
        /// Whose key.
        name: String,
    },
}

impl SignatureError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unsigned => {
                "Ask its author to sign: `git commit -S` with `gpg.format` set to `ssh`, or `ssh-keygen -Y sign -n file` for an archive, with `.sig` beside it."
            }
            Self::OtherKind(_) => {
                "Ask its author to sign with an SSH key: `git config gpg.format ssh`."
            }
            Self::Unreadable(_) => {
                "Fetch it again; if that does not help, its author has to sign it anew."
            }
            Self::OtherKey { .. } => {
                "If the signer is to be trusted, add the key to `allowed_signers` in `policy.toml`; compare the fingerprint over another way first."
            }
            Self::OtherContent => {
                "Do not use it. Fetch it again, and tell its author if it stays so."
            }
            Self::OtherNamespace { .. } => {
                "Its author has to sign for the right use: git does so for commits, `ssh-keygen -Y sign -n file` for archives."
            }
            Self::NotForThis { .. } => {
                "Add the use to `namespaces=\"…\"` of the key in the list of allowed signers."
            }
            Self::Expired { .. } | Self::NotYetValid { .. } => {
                "Its author has to sign with a key that is valid now, or `valid-after` and `valid-before` in the list of allowed signers have to be changed."
            }
            Self::Untouched { .. } => {
                "Its author has to sign it anew, with a key that asks to be touched."
            }
        }
    }
}
