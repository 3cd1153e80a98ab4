//! A commit without its signature, which is what was signed, and the signature.

use super::error::SignatureError;

/// A commit taken apart.
#[derive(Debug)]
pub(super) struct SignedCommit {
    /// The commit without its signatures.
    pub content: Vec<u8>,
    /// The text of the signature.
    pub signature: Vec<u8>,
}

/// Takes the signature out of a commit.
///
/// A commit may have two, one over it in either kind of repository; the kind shows in the length of its tree's id, and
/// git signs the commit without both.
pub(super) fn signed_commit(commit: &[u8]) -> Result<SignedCommit, SignatureError> {
    let unreadable = |why: &str| SignatureError::Unreadable(why.to_owned());
    let tree = commit
        .strip_prefix(b"tree ")
        .and_then(|rest| rest.split(|byte| *byte == b'\n').next())
        .map(<[u8]>::len);
    let (header, other) = match tree {
        Some(40) => (b"gpgsig ".as_slice(), b"gpgsig-sha256 ".as_slice()),
        Some(64) => (b"gpgsig-sha256 ".as_slice(), b"gpgsig ".as_slice()),
        _ => return Err(unreadable("this is no commit")),
    };
    let mut content = Vec::new();
    let mut signature = None;
    let mut part = Part::Signed;
    let mut rest = commit;
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        if line == b"\n" {
            // The message, where a line that looks like a header is none.
            content.extend_from_slice(rest);
            break;
        }
        rest = after;
        part = if line.starts_with(b" ") {
            part
        } else if line.starts_with(header) {
            Part::Signature
        } else if line.starts_with(other) {
            Part::Other
        } else {
            Part::Signed
        };
        match (part, &mut signature) {
            (Part::Signed, _) => content.extend_from_slice(line),
            (Part::Other, _) => {}
            (Part::Signature, None) => signature = line.strip_prefix(header).map(<[u8]>::to_vec),
            (Part::Signature, Some(text)) => match line.strip_prefix(b" ") {
                Some(more) => text.extend_from_slice(more),
                None => return Err(unreadable("there are two")),
            },
        }
    }
    let signature = signature.ok_or(SignatureError::Unsigned)?;
    Ok(SignedCommit { content, signature })
}

#[derive(Clone, Copy)]
enum Part {
    Signed,
    Signature,
    Other,
}
