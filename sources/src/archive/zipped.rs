//! `.zip`.

use std::io::{Read, Seek};

use zip::ZipArchive;

use super::bounded::{Bounded, Ended};
use super::contents::{Contents, LONGEST_LINK, refused};
use super::unreadable;
use crate::error::FetchError;

/// The kinds of files in the mode of Unix.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

pub(super) fn read(
    archive: impl Read + Seek,
    mut contents: Contents,
    go_on: &dyn Fn() -> Result<(), FetchError>,
) -> Result<Contents, FetchError> {
    let ended = Ended::default();
    let mut archive = ZipArchive::new(archive).map_err(|error| ended.because(&error))?;
    if archive.has_duplicate_names() {
        return Err(FetchError::hostile(
            "the archive has two entries of one name",
        ));
    }
    for index in 0..archive.len() {
        go_on()?;
        let entry = archive
            .by_index(index)
            .map_err(|error| ended.because(&error))?;
        let name = entry.name_raw().to_vec();
        let Some(path) = contents.path(&name)? else {
            continue;
        };
        let mode = entry.unix_mode().unwrap_or(REGULAR);
        let most = match mode & KIND {
            LINK => LONGEST_LINK,
            REGULAR | 0 => contents.left(),
            FOLDER => {
                return Err(refused(
                    &path,
                    "is a folder by its mode and none by its name",
                ));
            }
            _ => return Err(refused(&path, "is a device, a pipe or a socket")),
        };
        if entry.encrypted() {
            return Err(refused(&path, "is encrypted"));
        }
        let size = entry.size();
        let mut bytes = Vec::new();
        Bounded {
            from: entry,
            left: most,
            go_on,
            ended: &ended,
        }
        .read_to_end(&mut bytes)
        .map_err(|error| ended.because(&error))?;
        if bytes.len() as u64 != size {
            return Err(unreadable("a file in it has another size than it says"));
        }
        match mode & KIND {
            LINK => contents.add_link(&path, &bytes)?,
            _ => contents.add_file(&path, bytes, mode & 0o111 != 0)?,
        }
    }
    Ok(contents)
}
