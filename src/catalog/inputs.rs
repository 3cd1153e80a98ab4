//! The files that a catalog is made from, seen from outside.
//!
//! Codex takes milliseconds to say what exists; whether any file it says that
//! from has changed is known in a fraction of one. So what Codex said is used
//! again as long as they are the same.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::roles::role_folders;
use crate::bundle::Digest;
use crate::freshness::{Names, Targets};

/// Codex 0.169 looks 6 folders deep for skills; a plugin lies 3 folders deep in the cache, its skills folder 1.
const DEPTH: usize = 10;
/// Codex's own limit for one root is 20 000; beyond that nothing is remembered.
const ENTRIES: usize = 50_000;
/// A file may be written again within the resolution of its times, unseen.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// Where the machine's administrator puts config and skills.
const ADMIN_FOLDER: &str = "/etc/codex";

/// Names, sizes, times and inodes of everything a catalog depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    digest: Digest,
    newest: Option<SystemTime>,
}

/// What was seen.
pub(super) struct InputState {
    pub(super) sign: Sign,
    /// What to watch to know that it changes.
    pub(super) targets: Targets,
    /// Every `SKILL.md` where Codex looks for skills outside plugins.
    pub(super) skills: Vec<PathBuf>,
}

/// Looks at everything that a thread's folder depends on. `None` if there is too much to look at.
pub(super) fn look(codex_home: &Path, cwd: &Path) -> Option<InputState> {
    let mut look = InputScan::default();
    let user = std::env::home_dir().unwrap_or_default();
    for folder in [codex_home.to_owned(), PathBuf::from(ADMIN_FOLDER)] {
        look.files_of(&folder, is_config);
        look.deep(&folder.join("skills"), DEPTH)?;
    }
    let of_plugins = look.skills.len();
    look.deep(&codex_home.join("plugins/cache"), DEPTH)?;
    look.skills.truncate(of_plugins);
    for folder in role_folders(codex_home, cwd) {
        look.deep(&folder, DEPTH)?;
    }
    for folder in cwd.ancestors().chain([user.as_path()]) {
        look.file(&folder.join(".git"));
        for config in [
            ".codex",
            ".agents/plugins",
            ".claude-plugin",
            ".cursor-plugin",
        ] {
            look.files_of(&folder.join(config), is_config);
        }
        look.deep(&folder.join(".agents/skills"), DEPTH)?;
        if folder.join(".codex") != codex_home {
            look.deep(&folder.join(".codex/skills"), DEPTH)?;
        }
    }
    Some(InputState {
        sign: look.sign(),
        targets: look.targets,
        skills: look.skills,
    })
}

/// Config and hooks of users and projects, marketplaces, the account.
fn is_config(name: &str) -> bool {
    [".toml", "marketplace.json", "plugin.json", "hooks.json"]
        .iter()
        .any(|end| name.ends_with(end))
        || name == "auth.json"
}

impl Sign {
    /// Whether an equal sign later means equal inputs: nothing was changed just now.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        self.newest.is_none_or(|newest| {
            now.duration_since(newest)
                .is_ok_and(|age| age >= SETTLED_AFTER)
        })
    }
}

#[derive(Default)]
struct InputScan {
    facts: Vec<String>,
    entries: usize,
    newest: Option<SystemTime>,
    seen: HashSet<FolderId>,
    targets: Targets,
    skills: Vec<PathBuf>,
}

impl InputScan {
    /// One file; that it is not there is a fact too.
    fn file(&mut self, path: &Path) {
        self.facts_of(path);
        self.targets.file(path.to_owned());
    }

    fn facts_of(&mut self, path: &Path) -> Option<Metadata> {
        let metadata = fs::metadata(path).ok();
        let facts = metadata.as_ref().map(|metadata| {
            self.newest = self.newest.max(newest(metadata));
            facts(metadata)
        });
        self.facts
            .push(format!("{}\0{}", path.display(), facts.unwrap_or_default()));
        metadata
    }

    /// The files of a folder whose name counts.
    fn files_of(&mut self, folder: &Path, counts: fn(&str) -> bool) {
        self.targets
            .folder(folder.to_owned(), Names::Matching(counts));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(counts) {
                self.file(&entry.path());
            }
        }
    }

    /// A folder of skills or plugins: every folder in it, and the files that say what it holds.
    fn deep(&mut self, folder: &Path, depth: usize) -> Option<()> {
        let Some(metadata) = self.facts_of(folder).filter(Metadata::is_dir) else {
            self.targets.file(folder.to_owned());
            return Some(());
        };
        // Links are followed, as Codex does; each folder once.
        if depth == 0 || !self.seen.insert(folder_id(folder, &metadata)) {
            return Some(());
        }
        self.targets.folder(folder.to_owned(), Names::All);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            // Every entry counts: a link may make it the whole disk.
            self.entries += 1;
            if self.entries > ENTRIES {
                return None;
            }
            let path = entry.path();
            let kind = entry.file_type();
            let is_plain_file = kind.as_ref().is_ok_and(|kind| kind.is_file());
            if !is_plain_file {
                self.deep(&path, depth - 1)?;
            } else if tells_what_is_there(&path) {
                self.facts_of(&path);
                if path.ends_with("SKILL.md") {
                    self.skills.push(path);
                }
            }
        }
        Some(())
    }

    fn sign(&mut self) -> Sign {
        self.facts.sort();
        Sign {
            digest: Digest::of_parts(self.facts.iter().map(String::as_bytes)),
            newest: self.newest,
        }
    }
}

fn tells_what_is_there(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name == "openai.yaml"
        || [".md", ".json", ".toml"]
            .iter()
            .any(|end| name.ends_with(end))
}

#[cfg(unix)]
type FolderId = (u64, u64);

#[cfg(unix)]
fn folder_id(_: &Path, metadata: &Metadata) -> FolderId {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
type FolderId = PathBuf;

#[cfg(not(unix))]
fn folder_id(folder: &Path, _: &Metadata) -> FolderId {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

#[cfg(unix)]
fn facts(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!(
        "{}:{} {} {}.{} {}.{}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}

#[cfg(not(unix))]
fn facts(metadata: &Metadata) -> String {
    format!("{} {:?}", metadata.len(), metadata.modified().ok())
}

/// The later of the times of content and inode: the latter can't be set back.
fn newest(metadata: &Metadata) -> Option<SystemTime> {
    let modified = metadata.modified().ok();
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
        let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        modified.max(changed)
    }
    #[cfg(not(unix))]
    modified
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_that_codex_would_see_changes_the_sign() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let write = |path: &str, text: &str| {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), text).unwrap();
        };
        write("codex/config.toml", "a");
        write("project/sub/x", "");
        let mut last = look(&at("codex"), &at("project/sub")).unwrap().sign;
        assert_eq!(look(&at("codex"), &at("project/sub")).unwrap().sign, last);
        assert!(
            !last.is_settled(SystemTime::now())
                && last.is_settled(SystemTime::now() + Duration::from_secs(3))
        );
        for (path, text) in [
            ("codex/config.toml", "longer"),
            ("codex/skills/a/b/SKILL.md", "x"),
            ("codex/skills/a/b/SKILL.md", "xy"),
            ("codex/plugins/cache/m/p/1.0.0/.mcp.json", "{}"),
            ("codex/plugins/cache/m/p/1.0.0/skills/s/SKILL.md", "x"),
            ("project/.agents/skills/s/SKILL.md", "x"),
            ("project/sub/.codex/config.toml", "x"),
            ("project/.git", "x"),
            ("codex/agents/sub/role.toml", "x"),
            ("project/.codex/agents/role.toml", "x"),
        ] {
            write(path, text);
            let next = look(&at("codex"), &at("project/sub")).unwrap().sign;
            assert_ne!(next, last, "{path}");
            last = next;
        }
        write("project/sub/x", "not looked at");
        assert_eq!(
            look(&at("codex"), &at("project/sub")).unwrap().sign.digest,
            last.digest
        );
    }
}
