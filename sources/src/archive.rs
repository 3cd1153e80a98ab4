//! Archives: a file is downloaded or copied, looked at, and read into memory. Nothing is unpacked onto a disk.

use std::fs::File as DiskFile;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use bytes::Bytes;
use codex_loadout_bundle::{Tree, TreeFile};
use codex_loadout_files::open_regular;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use url::Url;

use crate::address::{self, escaped};
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::fetch::{Opened, SignedFile};
use crate::http;
use crate::limits::Limits;
use crate::place::Place;
use crate::place::listing::Listing;

mod bounded;
mod contents;
mod tarball;
mod zipped;

use contents::Contents;

/// Opens an archive.
///
/// # Errors
/// If it is not there, is no archive, is not what its checksum says, or holds what may do harm.
pub(crate) fn open(
    location: &str,
    path: Option<&String>,
    sha256: Option<&String>,
    cx: &FetchContext<'_>,
) -> Result<Opened, FetchError> {
    let mut kept = kept_file(cx)?;
    let mut hashing = Hashing::<Sha256>::new(&mut kept);
    if location.contains("://") {
        let url = Url::parse(location).map_err(|_| {
            FetchError::hostile(format!("`{}` is no address", address::shown(location)))
        })?;
        http::download(&url, "*/*", cx.limits.transfer, &mut hashing, cx)?;
    } else {
        copy(Path::new(location), &mut hashing, cx)?;
    }
    let found = HEXLOWER.encode(&hashing.digest());
    if sha256.is_some_and(|expected| *expected != found) {
        return Err(mismatch(&address::shown(location), &found));
    }
    let resolved = crate::source::Source::Archive {
        location: location.to_owned(),
        path: path.cloned(),
        sha256: Some(found.clone()),
    };
    let signed = match cx.gate.wants_signature(&resolved) {
        true => signed(location, &mut kept, cx)?,
        false => None,
    };
    let place = place(kept, cx)?;
    let mut opened = Opened::new(Box::new(place), path, resolved);
    opened.sha256 = Some(found);
    opened.signed = signed;
    Ok(opened)
}

/// Longer than a signature of the largest key.
const LONGEST_SIGNATURE: u64 = 64 * 1024;

/// The archive file and the signature that lies beside it, under its name and `.sig`; `None` where there is none.
fn signed(
    location: &str,
    kept: &mut DiskFile,
    cx: &FetchContext<'_>,
) -> Result<Option<SignedFile>, FetchError> {
    let mut signature = Vec::new();
    let limited = FetchContext {
        limits: Limits {
            transfer: LONGEST_SIGNATURE,
            ..cx.limits
        },
        ..*cx
    };
    let fetched = match Url::parse(location)
        .ok()
        .filter(|_| location.contains("://"))
    {
        Some(mut url) => {
            url.set_path(&format!("{}.sig", url.path()));
            http::download(&url, "*/*", LONGEST_SIGNATURE, &mut signature, &limited).map(|_| ())
        }
        None => copy(
            Path::new(&format!("{location}.sig")),
            &mut signature,
            &limited,
        ),
    };
    match fetched {
        Ok(()) => {}
        Err(error) if error.kind == FetchErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut content = Vec::new();
    kept.rewind()
        .and_then(|()| kept.read_to_end(&mut content))
        .map_err(FetchError::io("reading the archive again"))?;
    Ok(Some(SignedFile { content, signature }))
}

/// Reads an archive in memory: everything in it, the one folder that all lies in taken away, links resolved.
///
/// # Errors
/// As fetching one.
pub fn read_archive(bytes: &[u8], limits: &Limits) -> Result<Tree, FetchError> {
    let size = bytes.len() as u64;
    let contents = read(io::Cursor::new(bytes), size, limits, &|| Ok(()))?;
    ArchivePlace::new(contents).take("", limits)
}

/// The archive that a file is.
pub(crate) fn place(
    mut file: DiskFile,
    cx: &FetchContext<'_>,
) -> Result<impl Place + use<>, FetchError> {
    let again = || FetchError::io("reading the archive again");
    let size = file.seek(SeekFrom::End(0)).map_err(again())?;
    file.rewind().map_err(again())?;
    cx.tell("reading the archive", None, Some(size));
    let contents = read(io::BufReader::new(file), size, &cx.limits, &|| cx.go_on())?;
    Ok(ArchivePlace::new(contents))
}

/// A file without a name, for what is needed on the way.
pub(crate) fn kept_file(cx: &FetchContext<'_>) -> Result<DiskFile, FetchError> {
    tempfile::tempfile_in(cx.scratch).map_err(FetchError::io("making a file for the archive"))
}

/// By its first bytes: names lie.
fn read(
    mut archive: impl Read + Seek,
    size: u64,
    limits: &Limits,
    go_on: &dyn Fn() -> Result<(), FetchError>,
) -> Result<Contents, FetchError> {
    let mut begin = Vec::new();
    (&mut archive)
        .take(4)
        .read_to_end(&mut begin)
        .and_then(|_| archive.rewind())
        .map_err(FetchError::io("reading the archive"))?;
    let contents = Contents::new(limits, size);
    match begin.as_slice() {
        [0x1f, 0x8b, ..] => tarball::read(archive, contents, go_on),
        b"PK\x03\x04" | b"PK\x05\x06" => zipped::read(archive, contents, go_on),
        _ => Err(unreadable("it is neither a .tar.gz nor a .zip")),
    }
}

fn unreadable(why: &str) -> FetchError {
    FetchError::new(
        FetchErrorKind::Unreadable,
        format!("the archive can't be read: {}", escaped(why)),
        "look whether it was downloaded whole; a page to log in is often found in its place",
    )
}

pub(crate) fn mismatch(what: &str, found: &str) -> FetchError {
    FetchError::new(
        FetchErrorKind::Mismatch,
        format!(
            "`{}` is not what its checksum says: it is {found}",
            escaped(what)
        ),
        "if whoever gave you the checksum has a new one, give that; else somebody has changed the file",
    )
}

fn copy(path: &Path, to: &mut dyn Write, cx: &FetchContext<'_>) -> Result<(), FetchError> {
    let shown = escaped(&path.to_string_lossy());
    let mut file = open_regular(path).map_err(|error| {
        FetchError::new(
            FetchErrorKind::NotFound,
            format!("`{shown}` can't be read: {error}"),
            "name a file that this user can read",
        )
    })?;
    let mut chunk = vec![0; 64 * 1024];
    let mut count = 0;
    loop {
        cx.go_on()?;
        let read = file
            .read(&mut chunk)
            .map_err(FetchError::io(&format!("reading `{shown}`")))?;
        let Some(new) = chunk.get(..read).filter(|new| !new.is_empty()) else {
            return Ok(());
        };
        count += new.len() as u64;
        if count > cx.limits.transfer {
            return Err(FetchError::too_large("bytes", cx.limits.transfer));
        }
        to.write_all(new)
            .map_err(FetchError::io("copying the archive"))?;
    }
}

/// Writes on, and digests what is written.
pub(crate) struct Hashing<'a, D> {
    to: &'a mut dyn Write,
    digest: D,
}

impl<'a, D: Digest> Hashing<'a, D> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        Self {
            to,
            digest: D::new(),
        }
    }

    /// The digest of all that was written.
    pub(crate) fn digest(self) -> Vec<u8> {
        self.digest.finalize().to_vec()
    }
}

impl<D: Digest> Write for Hashing<'_, D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.digest.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// An archive that was read.
struct ArchivePlace {
    listing: Listing,
    contents: Vec<Bytes>,
}

impl ArchivePlace {
    fn new(contents: Contents) -> Self {
        let (mut listing, contents) = contents.into_parts();
        listing.strip_only_folder();
        Self { listing, contents }
    }

    fn take(&self, folder: &str, limits: &Limits) -> Result<Tree, FetchError> {
        let taken = self.listing.take(folder, limits)?;
        Ok(taken
            .into_iter()
            .filter_map(|(path, file)| {
                let bytes = self.contents.get(file.number)?.clone();
                let executable = file.executable;
                Some((path, TreeFile { bytes, executable }))
            })
            .collect())
    }
}

impl Place for ArchivePlace {
    fn file(&self, path: &str, _: &FetchContext<'_>) -> Result<Option<Bytes>, FetchError> {
        let file = self.listing.file(path);
        Ok(file.and_then(|file| self.contents.get(file.number).cloned()))
    }

    fn has_folder(&self, path: &str) -> bool {
        self.listing.has_folder(path)
    }

    fn tree(&self, folder: &str, cx: &FetchContext<'_>) -> Result<Tree, FetchError> {
        self.take(folder, &cx.limits)
    }
}

#[cfg(test)]
mod tests;
