//! A Codex that is this program again: a script called `codex` that runs `codex-loadout`, found on `PATH` by the one that
//! it runs. Without an end, each starts the next.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Says which Codex was started last, and how: `spawn` or `exec`, the process, the path.
pub(super) const VARIABLE: &str = "CODEX_LOADOUT_RUN";

/// How a Codex is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As a child.
    Spawn,
    /// In the place of this process.
    Exec,
}

impl Start {
    fn as_str(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Exec => "exec",
        }
    }
}

/// What to say of a Codex that is started now.
pub(super) fn said(start: Start, path: &Path) -> OsString {
    let mut said = OsString::from(format!("{}:{}:", start.as_str(), std::process::id()));
    said.push(path);
    said
}

/// Whether this process is what became of the Codex at this path.
pub(super) fn is_what_became_of(path: &Path) -> bool {
    let Some(said) = std::env::var_os(VARIABLE) else {
        return false;
    };
    let Some((start, process, known)) = read(&said) else {
        return false;
    };
    known == path && Ancestry::of_this_process().is_of(start, process, path)
}

fn read(said: &OsStr) -> Option<(Start, u32, &Path)> {
    let mut parts = said.to_str()?.splitn(3, ':');
    let start = match parts.next()? {
        "spawn" => Start::Spawn,
        "exec" => Start::Exec,
        _ => return None,
    };
    let process = parts.next()?.parse().ok()?;
    Some((start, process, Path::new(parts.next()?)))
}

/// Where a process comes from.
#[derive(Debug, Default)]
struct Ancestry {
    own: u32,
    parent: u32,
    /// The parent's command line, where the system tells it.
    command_of_parent: Vec<OsString>,
    grandparent: Option<u32>,
}

impl Ancestry {
    fn of_this_process() -> Self {
        let parent = parent();
        let (command_of_parent, grandparent) = told_of(parent);
        Self {
            own: std::process::id(),
            parent,
            command_of_parent,
            grandparent,
        }
    }

    /// Whether the process came of the start of a program at this path by that process: in its place, or as the
    /// child of a script that is it. What the real Codex starts is neither.
    fn is_of(&self, start: Start, by: u32, path: &Path) -> bool {
        let is_script = self
            .command_of_parent
            .iter()
            .skip(1)
            .any(|word| Path::new(word) == path);
        match start {
            Start::Exec => self.own == by || self.parent == by && is_script,
            Start::Spawn => self.parent == by || self.grandparent == Some(by) && is_script,
        }
    }
}

#[cfg(unix)]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

#[cfg(not(unix))]
fn parent() -> u32 {
    0
}

/// A process's command line and parent.
#[cfg(target_os = "linux")]
fn told_of(process: u32) -> (Vec<OsString>, Option<u32>) {
    use std::os::unix::ffi::OsStrExt;
    let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let words = command.split(|byte| *byte == 0);
    let words = words
        .map(|word| OsStr::from_bytes(word).to_owned())
        .collect();
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything, in brackets: the state, then the parent.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let parent = behind.split_whitespace().nth(1);
    (words, parent.and_then(|parent| parent.parse().ok()))
}

#[cfg(not(target_os = "linux"))]
fn told_of(_: u32) -> (Vec<OsString>, Option<u32>) {
    (Vec::new(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_known_and_what_the_real_codex_starts_is_not() {
        let path = Path::new("/bin/codex");
        let words = |line: &str| line.split(' ').map(OsString::from).collect();
        let ancestry = |own, parent, command: &str, grandparent| Ancestry {
            own,
            parent,
            command_of_parent: words(command),
            grandparent: Some(grandparent),
        };
        for (start, found, expected) in [
            // A script that became this process.
            (
                Start::Spawn,
                ancestry(3, 7, "codex-loadout app-server", 1),
                true,
            ),
            (Start::Exec, ancestry(7, 2, "sh", 1), true),
            // A script that waits for this process.
            (
                Start::Spawn,
                ancestry(9, 3, "/bin/sh /bin/codex app-server", 7),
                true,
            ),
            (
                Start::Exec,
                ancestry(9, 7, "/bin/sh /bin/codex exec", 2),
                true,
            ),
            // The real Codex, and a shell of its.
            (
                Start::Spawn,
                ancestry(9, 3, "/bin/codex app-server", 7),
                false,
            ),
            (Start::Exec, ancestry(9, 7, "/bin/codex exec", 2), false),
            (
                Start::Spawn,
                ancestry(9, 4, "bash -c codex-loadout", 3),
                false,
            ),
        ] {
            assert_eq!(found.is_of(start, 7, path), expected, "{start:?} {found:?}");
        }
        let told = said(Start::Spawn, path);
        let (start, process, known) = read(&told).unwrap();
        assert_eq!(
            (start, process, known),
            (Start::Spawn, std::process::id(), path)
        );
    }
}
