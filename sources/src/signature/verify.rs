//! Whether a signature is one of somebody who may sign.

use std::time::SystemTime;

use ssh_key::public::KeyData;
use ssh_key::{HashAlg, SshSig};

use super::allowed_signers::{AllowedSigner, AllowedSigners};
use super::commit::signed_commit;
use super::error::SignatureError;
use crate::toml_text::plain;

/// What git signs for.
const GIT: &str = "git";
/// What `ssh-keygen -Y sign` is asked to sign a file for.
const FILE: &str = "file";
/// Longer than a signature of the largest key.
const MOST_BYTES: usize = 64 << 10;
/// How a security key ends its signature: a byte of flags, of which the first says that it was touched, and a counter.
const TOUCHED: u8 = 1;
const FLAGS_FROM_END: usize = 5;

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// As the list of allowed signers names them.
    pub name: String,
    /// SHA-256 of the key, as `ssh-keygen -l` says it.
    pub fingerprint: String,
}

/// Who signed a commit, of those who may and whose key is valid `now`.
///
/// The bytes are the commit as `git cat-file commit` prints it. That they are the commit of a certain id is git's to
/// say: it has computed the id of what it fetched.
///
/// The time in a commit is not asked: whoever has an expired key can write any.
///
/// # Errors
/// Why the signature does not count.
pub fn verify_commit(
    commit: &[u8],
    signers: &AllowedSigners,
    now: SystemTime,
) -> Result<Signer, SignatureError> {
    let signed = signed_commit(commit)?;
    verify(&signed.content, &signed.signature, signers, GIT, now)
}

/// Who signed a file, of those who may and whose key is valid `now`. The signature is what `ssh-keygen -Y sign -n file`
/// writes beside it.
///
/// # Errors
/// Why the signature does not count.
pub fn verify_file(
    content: &[u8],
    signature: &[u8],
    signers: &AllowedSigners,
    now: SystemTime,
) -> Result<Signer, SignatureError> {
    verify(content, signature, signers, FILE, now)
}

fn verify(
    content: &[u8],
    signature: &[u8],
    signers: &AllowedSigners,
    namespace: &'static str,
    now: SystemTime,
) -> Result<Signer, SignatureError> {
    let signature = read(signature)?;
    let key = signature.public_key();
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    let lines: Vec<&AllowedSigner> = signers.of_key(key).collect();
    let Some(first) = lines.first() else {
        return Err(SignatureError::OtherKey { fingerprint });
    };
    let name = first.name.clone();
    if signature.namespace() != namespace {
        return Err(SignatureError::OtherNamespace {
            found: signature.namespace().to_owned(),
            expected: namespace,
        });
    }
    first
        .key
        .verify(namespace, content, &signature)
        .map_err(|_| SignatureError::OtherContent)?;
    if is_untouched(&signature) {
        return Err(SignatureError::Untouched { name });
    }
    // A key may stand in several lines: one that trusts it for this and now is enough.
    let mut refused = SignatureError::NotForThis { name, namespace };
    for line in lines.into_iter().filter(|line| line.is_for(namespace)) {
        let name = line.name.clone();
        if line.valid_after.is_some_and(|begin| now < begin) {
            refused = SignatureError::NotYetValid { name };
        } else if line.valid_before.is_some_and(|end| now >= end) {
            refused = SignatureError::Expired { name };
        } else {
            return Ok(Signer { name, fingerprint });
        }
    }
    Err(refused)
}

fn read(signature: &[u8]) -> Result<SshSig, SignatureError> {
    let text = signature.trim_ascii();
    if text.is_empty() {
        return Err(SignatureError::Unsigned);
    }
    if text.len() > MOST_BYTES {
        return Err(SignatureError::Unreadable("it is too long".to_owned()));
    }
    for (begin, kind) in [
        (b"-----BEGIN PGP ".as_slice(), "PGP"),
        (b"-----BEGIN SIGNED MESSAGE-----", "X.509"),
        (b"-----BEGIN CERTIFICATE-----", "X.509"),
    ] {
        if text.starts_with(begin) {
            return Err(SignatureError::OtherKind(kind));
        }
    }
    let text = [text, b"\n"].concat();
    SshSig::from_pem(&text).map_err(|error| SignatureError::Unreadable(plain(&error.to_string())))
}

fn is_untouched(signature: &SshSig) -> bool {
    let is_security_key = matches!(
        signature.public_key(),
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)
    );
    let bytes = signature.signature_bytes();
    let flags = bytes
        .len()
        .checked_sub(FLAGS_FROM_END)
        .and_then(|at| bytes.get(at));
    is_security_key && flags.is_none_or(|flags| flags & TOUCHED == 0)
}
