//! What a commit holds, out of git's objects.

use std::io::{Seek, Write};

use bytes::Bytes;

use super::program::Git;
use crate::address::escaped;
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::place::listing::{File, Listing};

/// A list of so many bytes names more files than anybody reads.
const LIST: u64 = 64 << 20;
/// No link that leads somewhere is longer.
const LONGEST_LINK: u64 = 4096;

/// Names, the id of each file's content by its number, and the paths of submodules.
pub(super) fn list(
    git: &Git,
    commit: &str,
    cx: &FetchContext<'_>,
) -> Result<(Listing, Vec<String>, Vec<String>), FetchError> {
    let said = git.run(
        &["ls-tree", "-r", "-z", "-l", "--full-tree", commit],
        LIST,
        cx,
    )?;
    let mut listing = Listing::default();
    let (mut ids, mut links, mut submodules) = (Vec::new(), Vec::new(), Vec::new());
    for line in said
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
    {
        let line = String::from_utf8_lossy(line);
        let (head, path) = line.split_once('\t').ok_or_else(odd)?;
        // Deeper than any disk goes.
        if path.len() > cx.limits.path.saturating_mul(4) {
            let begin: String = path.chars().take(60).collect();
            return Err(FetchError::hostile(format!(
                "the path `{}…` is too long",
                escaped(&begin)
            )));
        }
        let mut words = head.split_ascii_whitespace();
        let (mode, id) = (words.next(), words.nth(1));
        let size = words.next().and_then(|size| size.parse().ok()).unwrap_or(0);
        let id = id.ok_or_else(odd)?.to_owned();
        match mode {
            Some("160000") => submodules.push(path.to_owned()),
            Some("120000") if size > LONGEST_LINK => {
                return Err(FetchError::hostile(format!(
                    "the link `{}` is too long",
                    escaped(path)
                )));
            }
            Some("120000") => links.push((path.to_owned(), id)),
            mode => {
                let file = File {
                    number: ids.len(),
                    size,
                    executable: mode == Some("100755"),
                };
                listing.add_file(path, file)?;
                ids.push(id);
            }
        }
    }
    let link_ids: Vec<&str> = links.iter().map(|(_, id)| id.as_str()).collect();
    let targets = read(git, &link_ids, LONGEST_LINK * links.len() as u64, cx)?;
    for ((path, _), target) in links.iter().zip(targets) {
        listing.add_link(path, String::from_utf8_lossy(&target).into_owned())?;
    }
    Ok((listing, ids, submodules))
}

/// The contents with these ids, `sizes` bytes together.
pub(super) fn read(
    git: &Git,
    ids: &[&str],
    sizes: u64,
    cx: &FetchContext<'_>,
) -> Result<Vec<Bytes>, FetchError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // A file, so that neither side waits for the other.
    let keep = || FetchError::io("keeping a list for git");
    let mut list = tempfile::tempfile_in(cx.scratch).map_err(keep())?;
    let text: String = ids.iter().flat_map(|id| [id, "\n"]).collect();
    list.write_all(text.as_bytes()).map_err(keep())?;
    list.rewind().map_err(keep())?;
    let heads = 128 * ids.len() as u64;
    let said = git.run_with(
        &["cat-file", "--batch"],
        list,
        sizes.saturating_add(heads),
        cx,
    )?;
    let mut said = Bytes::from(said);
    let mut contents = Vec::with_capacity(ids.len());
    for _ in ids {
        let end = memchr::memchr(b'\n', &said).ok_or_else(odd)?;
        let head = said.split_to(end + 1);
        let head = String::from_utf8_lossy(&head);
        let mut words = head.split_ascii_whitespace().skip(1);
        if words.next() != Some("blob") {
            return Err(odd());
        }
        let size: usize = words
            .next()
            .and_then(|size| size.parse().ok())
            .ok_or_else(odd)?;
        if said.len() <= size {
            return Err(odd());
        }
        contents.push(said.split_to(size));
        drop(said.split_to(1));
    }
    Ok(contents)
}

/// Git says something that it does not say.
fn odd() -> FetchError {
    FetchError::new(
        FetchErrorKind::Unreadable,
        "git does not give the repository's content as it should",
        "look whether `git fsck` finds something wrong with the repository",
    )
}
