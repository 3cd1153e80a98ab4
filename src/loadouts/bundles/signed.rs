//! Who signed what was fetched, where a policy asks for that.

use std::time::SystemTime;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use codex_loadout_sources::Fetched;
use codex_loadout_sources::policy::Policy;
use codex_loadout_sources::signature::{SignatureError, verify_commit, verify_file};

use super::gate::refused;

/// Who signed it; `None` where nobody has to.
///
/// # Errors
/// `blockedByPolicy` if a list of those who may sign does not know who did.
pub(super) fn signer(policy: &Policy, fetched: &Fetched) -> Result<Option<String>, LoadoutError> {
    let mut signer = None;
    for signers in policy
        .requires_signature(&fetched.resolved)
        .map_err(refused)?
    {
        let now = SystemTime::now();
        let verified = match (&fetched.commit_object, &fetched.signed) {
            (Some(commit), _) => verify_commit(commit, signers, now),
            (None, Some(file)) => verify_file(&file.content, &file.signature, signers, now),
            (None, None) => Err(SignatureError::Unsigned),
        };
        signer = Some(verified.map_err(|error| not_signed(fetched, &error))?.name);
    }
    Ok(signer)
}

fn not_signed(fetched: &Fetched, error: &SignatureError) -> LoadoutError {
    let message = format!("`{}` has to be signed: {error}", fetched.resolved);
    LoadoutError::new(ErrorKind::BlockedByPolicy, message).with_hint(error.hint())
}
