//! `loadout.lock`: the bundles that a project's profiles need, to the byte.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_files::read_at_most;
use codex_loadout_protocol::bundle::{Executable, ExecutableKind, bundle_id, bundle_name};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::Source;
use codex_loadout_sources::lock::{LOCK_FILE, LoadoutLock, LockError, LockedBundle};

use super::add::origin_of;
use crate::loadouts::naming::plugins_named;
use crate::loadouts::state::{Loadouts, blocking};
use crate::profiles::folders::{self, OF_PROJECT};
use crate::records::BundleRecord;

/// A lock is a few kilobytes.
const LIMIT: u64 = 4 * 1024 * 1024;

/// A project, as far as bundles are concerned.
#[derive(Debug, Clone)]
pub(crate) struct LockedProject {
    /// Its folder.
    pub folder: PathBuf,
    /// What its lock says; `None`: it has none.
    pub lock: Option<LoadoutLock>,
    /// Bundles that its profiles name, by name.
    pub needed: BTreeSet<String>,
}

impl LockedProject {
    /// The lock's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(OF_PROJECT).join(LOCK_FILE)
    }

    /// Reads the lock and the profiles of the project around a folder. Blocking.
    ///
    /// # Errors
    /// `invalidSelection` for a lock or a profile that can't be read.
    pub(super) fn read(state_home: &Path, cwd: &Path) -> Result<Self, LoadoutError> {
        let mut project = Self::around(state_home, cwd)?;
        for profile in folders::of_project(&project.folder)? {
            let profile = folders::parsed(&profile)?;
            project.needed.extend(plugins_named(&profile.selection));
        }
        Ok(project)
    }

    /// The project around a folder with what its lock says. Blocking.
    ///
    /// # Errors
    /// `invalidSelection` for a lock that can't be read.
    pub(super) fn around(state_home: &Path, cwd: &Path) -> Result<Self, LoadoutError> {
        let found = folders::project_with(LOCK_FILE, cwd, state_home);
        let mut project = Self {
            folder: found.unwrap_or_else(|| cwd.to_owned()),
            lock: None,
            needed: BTreeSet::new(),
        };
        let file = project.file();
        if file.symlink_metadata().is_ok() {
            let text = read_at_most(&file, LIMIT);
            let text = text.map_err(|error| unreadable(&file, &error.to_string()))?;
            let text = String::from_utf8(text);
            let text = text.map_err(|error| unreadable(&file, &error.to_string()))?;
            let lock = LoadoutLock::parse(&text, &folder_of(&file));
            project.lock = Some(lock.map_err(|error| invalid(&file, &error))?);
        }
        Ok(project)
    }

    /// Writes the lock, whole or not at all. Blocking.
    ///
    /// # Errors
    /// `stateUnavailable` if it can't be written.
    pub(super) fn write(&self, lock: &LoadoutLock) -> Result<(), LoadoutError> {
        let file = self.file();
        let text = lock
            .print(&folder_of(&file))
            .map_err(|error| invalid(&file, &error))?;
        let write = || -> std::io::Result<()> {
            let folder = folder_of(&file);
            std::fs::create_dir_all(&folder)?;
            let mut staged = tempfile::NamedTempFile::new_in(&folder)?;
            std::io::Write::write_all(&mut staged, text.as_bytes())?;
            #[cfg(unix)]
            {
                // It is checked in: whoever may read the project may read it.
                use std::os::unix::fs::PermissionsExt;
                staged
                    .as_file()
                    .set_permissions(std::fs::Permissions::from_mode(0o644))?;
            }
            staged
                .persist(&file)
                .map(|_| ())
                .map_err(|error| error.error)
        };
        write().map_err(|error| {
            LoadoutError::new(
                ErrorKind::StateUnavailable,
                format!("`{}` can't be written: {error}", file.display()),
            )
            .with_hint("Check that the project's folder can be written.")
        })
    }

    /// The names of bundles that the profiles need, as far as they can only be bundles, or are some that are here.
    pub(super) fn needed_of(&self, known: &[BundleRecord]) -> BTreeSet<String> {
        let names = self.needed.iter().filter_map(|named| {
            let is_here = known.iter().any(|bundle| bundle.name == *named);
            bundle_name(named).or(is_here.then_some(named))
        });
        names.map(str::to_owned).collect()
    }
}

impl Loadouts {
    /// Writes down in a project's lock what its profiles need, and what is named besides. Entries that are there stay.
    ///
    /// # Errors
    /// `unknownCapability` for a bundle that is not here, `invalidSelection` where nothing is needed, or a profile or
    /// the lock can't be read.
    pub(crate) async fn lock_bundles(
        self: &Arc<Self>,
        cwd: &Path,
        names: &[String],
    ) -> Result<(PathBuf, LoadoutLock), LoadoutError> {
        let project = self.locked_project(cwd).await?;
        let known = match self.existing_records().await? {
            Some(records) => records.bundles().await?,
            None => Vec::new(),
        };
        let mut wanted = project.needed_of(&known);
        wanted.extend(
            names
                .iter()
                .map(|name| bundle_name(name).unwrap_or(name).to_owned()),
        );
        if wanted.is_empty() {
            return Err(nothing_needed(&project.folder));
        }
        let mut lock = LoadoutLock::default();
        for name in wanted {
            let (_, bundle) = self.known_bundle(&name).await?;
            lock.bundles.insert(name, locked(&bundle, &project.folder)?);
        }
        let mut all = project.lock.clone().unwrap_or_default();
        all.merge(lock);
        let file = project.file();
        let written = all.clone();
        blocking(move || project.write(&written)).await?;
        Ok((file, all))
    }

    /// The project around a folder.
    ///
    /// # Errors
    /// As [`LockedProject::read`].
    pub(super) async fn locked_project(
        self: &Arc<Self>,
        cwd: &Path,
    ) -> Result<LockedProject, LoadoutError> {
        let (state_home, cwd) = (self.state_home().to_owned(), cwd.to_owned());
        blocking(move || LockedProject::read(&state_home, &cwd)).await
    }
}

/// A bundle as a lock has it. What lies in the project lies there on another machine, too.
pub(super) fn locked(bundle: &BundleRecord, project: &Path) -> Result<LockedBundle, LoadoutError> {
    let lost = || {
        let message = format!("the record of bundle `{}` can't be read", bundle.name);
        LoadoutError::new(ErrorKind::LoadoutLost, message)
            .with_hint("Remove the bundle, and add it anew.")
    };
    if bundle.link.is_some() {
        return Err(linked(&bundle.name));
    }
    let origin = origin_of(bundle).ok_or_else(lost)?;
    let resolved: Option<Source> =
        serde_json::from_value(bundle.current.resolved.clone().into()).ok();
    let relative = match &origin.source {
        Source::Folder { path } => path.starts_with(project),
        Source::Archive { location, .. } => Path::new(location).starts_with(project),
        Source::Git { .. } | Source::Npm { .. } => false,
    };
    Ok(LockedBundle {
        resolved: resolved.filter(|resolved| *resolved != origin.source),
        origin,
        relative,
        commit: bundle.current.commit.clone(),
        digest: bundle.current.digest.parse().map_err(|_| lost())?,
        executes: bundle.current.executes.iter().map(line).collect(),
    })
}

/// What can run, as a lock says it.
fn line(runs: &Executable) -> String {
    let kind = match runs.kind {
        ExecutableKind::Hook => "hook",
        ExecutableKind::McpServer => "server",
        ExecutableKind::Script => return format!("script {}", runs.name),
    };
    format!("{kind} {}: {}", runs.name, runs.detail)
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(file).to_owned()
}

fn linked(name: &str) -> LoadoutError {
    let message = format!(
        "bundle `{name}` is tied to a folder of this machine, whatever that holds: it can't be locked"
    );
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Add it without `--link`.")
        .with_items(vec![ErrorItem::named(bundle_id(name))])
}

fn nothing_needed(folder: &Path) -> LoadoutError {
    let message = format!(
        "no profile in `{}` names a bundle",
        folder.join(OF_PROJECT).display()
    );
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Name the bundles: `codex-loadout bundle lock NAME…`.")
}

fn unreadable(file: &Path, why: &str) -> LoadoutError {
    LoadoutError::new(ErrorKind::InvalidSelection, format!("`{}` can't be read: {why}", file.display()))
        .with_hint("Bring it back from the project's history, or write it anew with `codex-loadout bundle lock`.")
}

pub(super) fn invalid(file: &Path, error: &LockError) -> LoadoutError {
    let line = error
        .line
        .map_or_else(String::new, |line| format!(", line {line}"));
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`{}`{line}: {error}", file.display()),
    )
    .with_hint(error.hint.clone())
}
