//! SSH signatures as git and `ssh-keygen -Y sign` make them: who signed a commit or a file.
//!
//! *Architecture invariant:* bytes and a time in, a signer out.

mod allowed_signers;

pub use allowed_signers::{AllowedSigners, SignersFault};
