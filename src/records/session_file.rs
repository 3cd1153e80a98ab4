//! What Codex's own session file says of a thread: its first line names the
//! roots the thread was started with, and the thread it came out of.
//!
//! Measured on Codex 0.144.1 and 0.169.0: the file appears with the thread's first
//! turn; a fork has its source's roots; a spawned child has its parent's, but on
//! 0.144 names the parent only; archiving moves the file. A revert (0.157 to 0.169)
//! begins another file of the same thread, which from then on is the one that counts.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use codex_loadout_files::open_regular;
use serde::Deserialize;
use url::Url;

use crate::lowering::ROOT_ID;

/// The first line holds the base instructions too; it is never longer than this.
const LINE_LIMIT: u64 = 16 * 1024 * 1024;

/// The characters of a thread's id, a UUID.
const ID_LENGTH: usize = 36;

/// What the first line of a session file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionMeta {
    /// The thread.
    pub thread_id: String,
    /// Its folder when it was made.
    pub cwd: PathBuf,
    /// The thread that spawned it.
    pub parent: Option<String>,
    /// The thread it was forked from.
    pub forked_from: Option<String>,
    /// Its capability roots.
    pub roots: Vec<PathBuf>,
    /// That of them which codex-loadout gave it, in whatever state folder.
    pub loadout_root: Option<PathBuf>,
}

/// A session file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SessionFileError {
    /// The file can't be opened, read or written.
    #[error("the session file `{path}` can't be used: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It may have a first line that counts for Codex, and that is not read here.
    #[error("the session file `{path}` is not one to read: {reason}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Its first line is not what Codex writes.
    #[error("the session file `{path}` does not begin with a session's facts: {reason}")]
    NoMeta {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        reason: String,
    },
}

/// Reads the first line of a session file, and no more. Blocking, but never for a writer.
///
/// # Errors
/// [`SessionFileError`], naming the file.
pub fn read_meta(path: &Path) -> Result<SessionMeta, SessionFileError> {
    parse(&first_line(path)?).map_err(|reason| SessionFileError::NoMeta {
        path: path.to_owned(),
        reason,
    })
}

pub(super) fn first_line(path: &Path) -> Result<Vec<u8>, SessionFileError> {
    let path = || path.to_owned();
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::InvalidInput => SessionFileError::Unfit {
            path: path(),
            reason: source.to_string(),
        },
        _ => SessionFileError::Unreadable {
            path: path(),
            source,
        },
    };
    let file = open_regular(&path()).map_err(unreadable)?;
    let mut line = Vec::new();
    BufReader::new(file.take(LINE_LIMIT))
        .read_until(b'\n', &mut line)
        .map_err(unreadable)?;
    if line.len() as u64 == LINE_LIMIT {
        return Err(SessionFileError::Unfit {
            path: path(),
            reason: format!("its first line has more than {LINE_LIMIT} bytes"),
        });
    }
    Ok(line)
}

pub(super) fn parse(line: &[u8]) -> Result<SessionMeta, String> {
    #[derive(Deserialize)]
    struct Line {
        payload: Payload,
    }
    #[derive(Deserialize)]
    struct Payload {
        id: String,
        #[serde(default)]
        cwd: PathBuf,
        #[serde(default)]
        forked_from_id: Option<String>,
        #[serde(default)]
        parent_thread_id: Option<String>,
        #[serde(default)]
        selected_capability_roots: Option<Vec<Root>>,
    }
    #[derive(Deserialize)]
    struct Root {
        #[serde(default)]
        id: String,
        location: Location,
    }
    #[derive(Deserialize)]
    struct Location {
        #[serde(default)]
        path: Option<String>,
    }
    let payload = serde_json::from_slice::<Line>(line)
        .map_err(|error| error.to_string())?
        .payload;
    let roots: Vec<(String, PathBuf)> = payload
        .selected_capability_roots
        .unwrap_or_default()
        .into_iter()
        .filter_map(|root| Some((root.id, root_path(&root.location.path?)?)))
        .collect();
    let of_ours = roots.iter().find(|(id, _)| id == ROOT_ID);
    Ok(SessionMeta {
        thread_id: payload.id,
        cwd: payload.cwd,
        parent: payload.parent_thread_id,
        forked_from: payload.forked_from_id,
        loadout_root: of_ours.map(|(_, path)| path.clone()),
        roots: roots.into_iter().map(|(_, path)| path).collect(),
    })
}

/// Codex keeps a root as a `file:` URL.
fn root_path(text: &str) -> Option<PathBuf> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        _ => Some(PathBuf::from(text)),
    }
}

/// What every session file says that there is, archived ones included. Blocking.
///
/// # Errors
/// [`SessionFileError::Unfit`] for one that may say something to Codex, and is not read here.
pub fn all(codex_home: &Path) -> Result<Vec<SessionMeta>, SessionFileError> {
    let sessions = codex_home.join("sessions");
    let days = newest_first(&sessions)
        .into_iter()
        .flat_map(|year| newest_first(&year))
        .flat_map(|month| newest_first(&month))
        .chain([codex_home.join("archived_sessions")]);
    let mut found = Vec::new();
    for day in days {
        for entry in fs::read_dir(day).into_iter().flatten().flatten() {
            let path = entry.path();
            if parts_of(&path).is_none() {
                continue;
            }
            match read_meta(&path) {
                Ok(meta) => found.push(meta),
                Err(error @ SessionFileError::Unfit { .. }) => return Err(error),
                // Codex finds nothing there either.
                Err(SessionFileError::Unreadable { .. } | SessionFileError::NoMeta { .. }) => {}
            }
        }
    }
    Ok(found)
}

/// Finds a thread's session file, archived ones included.
#[must_use]
pub fn find(codex_home: &Path, thread_id: &str) -> Option<PathBuf> {
    // An id ends up in a comparison of file names only, never in a path.
    let sessions = codex_home.join("sessions");
    newest_first(&sessions)
        .iter()
        .flat_map(|year| newest_first(year))
        .flat_map(|month| newest_first(&month))
        .chain([codex_home.join("archived_sessions")])
        .find_map(|day| last_file_of(&day, thread_id))
}

/// The thread that a session file is of, by the file's name: `rollout-<time>-<id>.jsonl`, and
/// `rollout-<time>-<id>_<another>.jsonl` once turns of it were reverted.
#[must_use]
pub fn thread_of(session_file: &Path) -> Option<&str> {
    let (id, _) = parts_of(session_file)?;
    Some(id)
}

/// The thread, and of which revert the file comes.
fn parts_of(session_file: &Path) -> Option<(&str, &str)> {
    let name = session_file.file_name()?.to_str()?;
    let stem = name.strip_prefix("rollout-")?.strip_suffix(".jsonl")?;
    let (first, revert) = stem.split_once('_').unwrap_or((stem, ""));
    let id = first.get(first.len().checked_sub(ID_LENGTH)?..)?;
    Some((id, revert))
}

/// Sub-folders by name, the last one first: most threads that are asked for are recent.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    folders.sort_by(|a, b| b.cmp(a));
    folders
}

/// Each revert makes a file, and Codex goes by the last; their ids sort by time.
fn last_file_of(folder: &Path, thread_id: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let of_thread = entries.map(|entry| entry.path()).filter_map(|path| {
        let (id, revert) = parts_of(&path)?;
        let revert = revert.to_owned();
        (id == thread_id).then_some((revert, path))
    });
    of_thread.max().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "01a1fd83-1794-7723-ab89-1b61196c0ec1";

    #[test]
    fn roots_and_lineage_are_read_for_all_versions() {
        let meta = |payload: &str| {
            parse(
                format!(r#"{{"timestamp":"t","type":"session_meta","payload":{payload}}}"#)
                    .as_bytes(),
            )
        };
        let started = meta(r#"{"id":"a","cwd":"/w","selected_capability_roots":[{"id":"x","location":{"type":"environment","environmentId":"local","path":"file:///h/my%20state/roots/r"}}],"more":{}}"#).unwrap();
        assert_eq!(
            (started.thread_id.as_str(), started.cwd.as_path()),
            ("a", Path::new("/w"))
        );
        #[cfg(unix)]
        assert_eq!(started.roots, [PathBuf::from("/h/my state/roots/r")]);
        let child = meta(r#"{"id":"c","parent_thread_id":"a","source":{"subagent":{}}}"#).unwrap();
        assert_eq!((child.parent.as_deref(), child.roots.len()), (Some("a"), 0));
        assert_eq!(
            meta(r#"{"id":"f","forked_from_id":"a"}"#)
                .unwrap()
                .forked_from
                .as_deref(),
            Some("a")
        );
        assert!(meta(r#"{"no":"id"}"#).is_err());
        assert!(parse(b"").is_err() && parse(b"\xff").is_err());
    }

    #[test]
    fn files_are_found_by_id_wherever_they_lie() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "{\"payload\":{\"id\":\"x\"}}\nnot json").unwrap();
            path
        };
        let [live, old, other] = ["1", "2", "3"].map(|end| format!("{}{end}", &LIVE[1..]));
        let live_file = |day: &str, revert: &str| {
            write(&format!(
                "sessions/2026/11/{day}/rollout-2026-11-{day}T05-27-04-{live}{revert}.jsonl"
            ))
        };
        let first = live_file("20", "");
        let archived = write(&format!(
            "archived_sessions/rollout-2026-11-20T05-27-04-{old}.jsonl"
        ));
        assert_eq!(find(home.path(), &live), Some(first));
        assert_eq!(find(home.path(), &old), Some(archived));
        assert_eq!(find(home.path(), &other), None);
        assert_eq!(find(home.path(), &live[1..]), None);
        assert_eq!(find(home.path(), &format!("../{live}")), None);
        // Turns were reverted, on the same day and on a later one.
        for (day, revert) in [("20", "_b"), ("20", "_c"), ("21", "_d")] {
            let last = live_file(day, revert);
            assert_eq!(thread_of(&last), Some(live.as_str()));
            assert_eq!(find(home.path(), &live), Some(last));
        }
        live_file("20", "_a");
        let live = find(home.path(), &live).unwrap();
        assert_eq!(all(home.path()).unwrap().len(), 6);
        write("sessions/2026/11/20/rollout-short.jsonl");
        assert_eq!(all(home.path()).unwrap().len(), 6);
        assert!(all(&home.path().join("none")).unwrap().is_empty());
        assert_eq!(thread_of(Path::new("/rollout-short.jsonl")), None);
        assert_eq!(thread_of(Path::new(&format!("/{LIVE}.jsonl"))), None);
        assert_eq!(read_meta(&live).unwrap().thread_id, "x");
        assert!(matches!(
            read_meta(&home.path().join("none")),
            Err(SessionFileError::Unreadable { .. })
        ));
    }
}
