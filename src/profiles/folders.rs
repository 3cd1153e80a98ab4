//! The files of profiles: found, read, written.

use std::io::Write;
use std::path::{Path, PathBuf};

use codex_loadout_files::read_at_most;
use codex_loadout_protocol::profile::ProfileLayer;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError, schema};

use super::expand::Found;
use super::file::{ProfileFile, is_profile_name, parse};
use crate::paths::private_folder;

/// Where an administrator's profiles lie.
const ADMIN: &str = "/etc/codex-loadout/profiles";
/// What of a project is ours.
pub(crate) const OF_PROJECT: &str = ".codex-loadout";
/// The folder of profiles, there and in the state folder.
const PROFILES: &str = "profiles";
/// The schema that profiles written here name, beside that folder.
const SCHEMA: &str = "schema/profile.json";
/// How long a profile may be.
const LIMIT: u64 = 256 * 1024;

/// The folders whose profiles count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProfileFolders {
    /// The administrator's.
    pub admin: PathBuf,
    /// The state folder: the user's lie in it.
    pub state_home: PathBuf,
    /// The project that a thread's folder is of.
    pub project: Option<PathBuf>,
    /// Whether the user trusts it.
    pub project_trusted: bool,
    /// The policy file by which no project's profiles count.
    pub denied_by: Option<String>,
}

impl ProfileFolders {
    /// Those of a user, for a folder.
    #[must_use]
    pub(crate) fn of(state_home: &Path, cwd: &Path) -> Self {
        Self {
            admin: PathBuf::from(ADMIN),
            state_home: state_home.to_owned(),
            project: project_of(cwd, state_home),
            project_trusted: false,
            denied_by: None,
        }
    }

    /// Whether the user or the administrator has any. Blocking.
    #[must_use]
    pub(crate) fn has_any(state_home: &Path) -> bool {
        let folders = [PathBuf::from(ADMIN), state_home.join(PROFILES)];
        let has_entry = |folder: &PathBuf| {
            std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
        };
        folders.iter().any(has_entry)
    }

    /// The file of a profile of the user's.
    #[must_use]
    pub(crate) fn of_user(&self, name: &str) -> PathBuf {
        self.state_home.join(PROFILES).join(format!("{name}.toml"))
    }

    /// All profiles that there are, in the order in which they count, each layer's sorted by name. Blocking.
    ///
    /// # Errors
    /// `invalidSelection` for a folder that can't be read: what would count is not known.
    pub(crate) fn look(&self) -> Result<Vec<Found>, LoadoutError> {
        let mut found = Vec::new();
        list(&self.admin, ProfileLayer::Admin, true, &mut found)?;
        if let Some(project) = &self.project {
            let folder = project.join(OF_PROJECT).join(PROFILES);
            list(
                &folder,
                ProfileLayer::Project,
                self.project_trusted,
                &mut found,
            )?;
        }
        let of_user = self.state_home.join(PROFILES);
        list(&of_user, ProfileLayer::User, true, &mut found)?;
        Ok(found)
    }

    /// Writes a profile of the user's, whole or not at all, with the schema that it names. Blocking.
    ///
    /// # Errors
    /// `stateUnavailable` if it can't be written.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, LoadoutError> {
        let path = self.of_user(name);
        let write = || -> std::io::Result<()> {
            private_folder(&self.state_home)?;
            put(&self.state_home.join(SCHEMA), &schema::profile())?;
            put(&path, text)
        };
        write().map_err(|error| unwritable(&path, &error))?;
        Ok(path)
    }

    /// Removes a profile of the user's; tells whether it was there. Blocking.
    ///
    /// # Errors
    /// `stateUnavailable` if it can't be removed.
    pub(crate) fn delete(&self, name: &str) -> Result<bool, LoadoutError> {
        let path = self.of_user(name);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }
}

/// The schema, as a profile of the user's names it.
#[must_use]
pub(crate) fn schema_of_user() -> String {
    format!("../{SCHEMA}")
}

fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    private_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> LoadoutError {
    let message = format!("`{}` can't be written: {error}", path.display());
    LoadoutError::new(ErrorKind::StateUnavailable, message)
        .with_hint("Check that the disk of CODEX_LOADOUT_HOME has space and can be written.")
}

/// Reads a profile or a selection that somebody wrote. Blocking.
///
/// # Errors
/// `invalidSelection` if it can't be read, or is too long.
pub(crate) fn read(path: &Path) -> Result<String, LoadoutError> {
    let unreadable = |why: String| {
        LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{}` can't be read: {why}", path.display()),
        )
        .with_hint(
            "See to it that it is a file of at most 256 kB that you may read, or name another.",
        )
        .with_items(vec![ErrorItem::named(path.display().to_string())])
    };
    let bytes = read_at_most(path, LIMIT).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))
}

/// A profile that somebody wrote. Blocking.
///
/// # Errors
/// As [`read`], and for what is no profile.
pub(crate) fn parsed(path: &Path) -> Result<ProfileFile, LoadoutError> {
    parse(path, &read(path)?)
}

/// The project around a folder that has profiles, or this file of ours.
#[must_use]
pub(crate) fn project_with(file: &str, cwd: &Path, state_home: &Path) -> Option<PathBuf> {
    let has_file = |folder: &&Path| folder.join(OF_PROJECT).join(file).is_file();
    let with_file = cwd.ancestors().find(has_file).map(Path::to_owned);
    with_file.or_else(|| project_of(cwd, state_home))
}

/// The files of a project's own profiles, sorted. Blocking.
///
/// # Errors
/// `invalidSelection` if the folder can't be read.
pub(crate) fn of_project(project: &Path) -> Result<Vec<PathBuf>, LoadoutError> {
    let mut found = Vec::new();
    let folder = project.join(OF_PROJECT).join(PROFILES);
    list(&folder, ProfileLayer::Project, true, &mut found)?;
    Ok(found.into_iter().map(|found| found.path).collect())
}

/// The nearest folder above that has profiles of its own. The state folder of a user is none.
fn project_of(cwd: &Path, state_home: &Path) -> Option<PathBuf> {
    let has_profiles = |folder: &&Path| {
        let own = folder.join(OF_PROJECT);
        own.join(PROFILES).is_dir() && own.canonicalize().ok() != state_home.canonicalize().ok()
    };
    cwd.ancestors().find(has_profiles).map(Path::to_owned)
}

fn list(
    folder: &Path,
    layer: ProfileLayer,
    trusted: bool,
    found: &mut Vec<Found>,
) -> Result<(), LoadoutError> {
    let unreadable = |error: std::io::Error| {
        LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!(
                "the profiles in `{}` can't be read: {error}",
                folder.display()
            ),
        )
        .with_hint("See to it that you may read that folder: what its profiles say is not known.")
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // What an untrusted project has counts for nothing.
        Err(_) if !trusted => return Ok(()),
        Err(error) => match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => return Ok(()),
            _ => return Err(unreadable(error)),
        },
    };
    let begin = found.len();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let is_toml = path.extension().is_some_and(|end| end == "toml");
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        if is_toml && is_profile_name(name) {
            found.push(Found {
                name: name.to_owned(),
                layer,
                trusted,
                path,
            });
        }
    }
    if let Some(own) = found.get_mut(begin..) {
        own.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(home: &Path) -> ProfileFolders {
        ProfileFolders {
            admin: home.join("admin"),
            ..ProfileFolders::of(&home.join(".codex-loadout"), &home.join("work/shop/src"))
        }
    }

    #[test]
    fn profiles_are_found_where_they_may_lie() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let make = |path: &str| {
            let path = home.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        make("admin/base.toml");
        make(".codex-loadout/profiles/review.toml");
        make(".codex-loadout/profiles/a b.toml");
        make(".codex-loadout/profiles/notes.txt");
        std::fs::create_dir_all(home.join("work/shop/src")).unwrap();
        let found = |folders: &ProfileFolders| {
            let found = folders.look().unwrap().into_iter();
            let told = found.map(|one| format!("{} {}", one.layer.as_str(), one.name));
            told.collect::<Vec<_>>()
        };
        // The user's state folder lies above, and is no project's.
        assert_eq!(folders(home).project, None);
        assert_eq!(found(&folders(home)), ["admin base", "user review"]);
        make("work/.codex-loadout/profiles/far.toml");
        make("work/shop/.codex-loadout/profiles/review.toml");
        let folders = folders(home);
        assert_eq!(folders.project.as_deref(), Some(&*home.join("work/shop")));
        assert_eq!(
            found(&folders),
            ["admin base", "project review", "user review"]
        );
        assert!(!folders.look().unwrap()[1].trusted);
    }

    #[test]
    fn a_profile_is_written_with_its_schema_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let folders = folders(home.path());
        let path = folders
            .write("review", "#:schema ../schema/profile.json\n")
            .unwrap();
        let schema = path.parent().unwrap().join(schema_of_user());
        assert!(
            std::fs::read_to_string(schema)
                .unwrap()
                .contains("mcp_servers")
        );
        assert_eq!(read(&path).unwrap(), "#:schema ../schema/profile.json\n");
        assert!(folders.delete("review").unwrap());
        assert!(!folders.delete("review").unwrap());
        assert_eq!(read(&path).unwrap_err().kind, ErrorKind::InvalidSelection);
    }
}
