//! SSH signatures as git and `ssh-keygen -Y sign` make them: who signed a commit or a file.
//!
//! *Architecture invariant:* bytes and a time in, a signer out.

mod allowed_signers;
mod commit;
mod error;
mod verify;

pub use allowed_signers::{AllowedSigners, SignersFault};
pub use error::SignatureError;
pub use verify::{Signer, verify_commit, verify_file};

#[cfg(test)]
mod tests;
