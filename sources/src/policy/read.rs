//! Policy files from the disk: one that is not there says nothing, one that can't be read ends it all.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use codex_loadout_files::{open_regular, read_open_at_most};

use super::{Policy, PolicyError, PolicyFile};

/// Of a policy, and of a file of signers.
const MOST_BYTES: u64 = 1 << 20;

impl Policy {
    /// Reads the files that are there.
    ///
    /// # Errors
    /// One is there, but can't be read, is no policy, or can be written by everybody. Nothing may be added or fetched then.
    pub fn read(admin: Option<&Path>, user: Option<&Path>) -> Result<Self, PolicyError> {
        let read = |path: Option<&Path>| path.map(read_file).transpose().map(Option::flatten);
        Ok(Self::merge(read(admin)?, read(user)?))
    }
}

fn read_file(path: &Path) -> Result<Option<PolicyFile>, PolicyError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let text = read_text(path).map_err(|message| PolicyError {
        path: path.to_owned(),
        line: None,
        key: None,
        message,
        hint: "Make the file readable for you and writable for its owner only: until then nothing is added or fetched."
            .to_owned(),
    })?;
    PolicyFile::parse(path, &text, read_signers).map(Some)
}

fn read_signers(path: &Path) -> Result<String, String> {
    read_text(path).map_err(|why| format!("`{}`: {why}", path.display()))
}

fn read_text(path: &Path) -> Result<String, String> {
    let plain = |error: std::io::Error| error.to_string();
    let file = open_regular(path).map_err(plain)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if file.metadata().map_err(plain)?.mode() & 0o002 != 0 {
            return Err("everybody can write to it".to_owned());
        }
    }
    let text = read_open_at_most(file, MOST_BYTES).map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}
