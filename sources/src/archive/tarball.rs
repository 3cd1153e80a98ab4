//! `.tar.gz`.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::bounded::{Bounded, Ended};
use super::contents::{Contents, refused};
use super::unreadable;
use crate::error::FetchError;

/// Of an archive's own words, for each entry: its head, how it is filled up, a long name.
const HEADS: u64 = 64 * 1024 * 1024;

pub(super) fn read(
    archive: impl Read,
    mut contents: Contents,
    go_on: &dyn Fn() -> Result<(), FetchError>,
) -> Result<Contents, FetchError> {
    let ended = Ended::default();
    let unpacked = Bounded {
        from: MultiGzDecoder::new(io::BufReader::new(archive)),
        left: contents.left().saturating_add(HEADS),
        go_on,
        ended: &ended,
    };
    let mut archive = Archive::new(unpacked);
    let entries = archive.entries().map_err(|error| ended.because(&error))?;
    let mut is_empty = true;
    for entry in entries {
        let mut entry = entry.map_err(|error| ended.because(&error))?;
        is_empty = false;
        let kind = entry.header().entry_type();
        // What git says of the whole archive.
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&name).into_owned();
        let what = match kind {
            EntryType::Regular
            | EntryType::Continuous
            | EntryType::Directory
            | EntryType::Symlink => None,
            EntryType::Link => Some("is a hard link: a bundle's files are its own"),
            EntryType::Char | EntryType::Block => Some("is a device"),
            EntryType::Fifo => Some("is a pipe"),
            _ => Some("is of a kind that is not read"),
        };
        if let Some(what) = what {
            return Err(refused(&shown, what));
        }
        let Some(path) = contents.path(&name)? else {
            continue;
        };
        match kind {
            EntryType::Directory => {}
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                contents.add_link(&path, &target)?;
            }
            _ => {
                let mode = entry
                    .header()
                    .mode()
                    .map_err(|error| ended.because(&error))?;
                let mut bytes = Vec::new();
                let most = contents.left().saturating_add(1);
                (&mut entry)
                    .take(most)
                    .read_to_end(&mut bytes)
                    .map_err(|error| ended.because(&error))?;
                let is_short = (bytes.len() as u64) < entry.size().min(most);
                if is_short {
                    return Err(unreadable("it ends too early"));
                }
                contents.add_file(&path, bytes, mode & 0o111 != 0)?;
            }
        }
    }
    match is_empty {
        true => Err(unreadable("there is nothing in it")),
        false => Ok(contents),
    }
}
