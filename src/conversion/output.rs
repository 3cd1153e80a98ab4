//! Bundles as folders: each appears whole, by one rename.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::bundle::Tree;

/// A bundle can't be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Something else lies in its place.
    #[error("`{0}` is there already")]
    Taken(PathBuf),
    /// The system refuses.
    #[error("`{path}` can't be written: {source}")]
    Unwritable {
        /// What was written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl OutputError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unwritable { path, source }
    }
}

/// The name of a plugin's folder under `--out`.
#[must_use]
pub fn folder_name(plugin: &str) -> String {
    let plain: String = plugin
        .chars()
        .map(|c| match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' => c,
            _ => '-',
        })
        .collect();
    let plain = plain.trim_start_matches('.');
    if plain.is_empty() { "plugin" } else { plain }.to_owned()
}

/// Writes a bundle to `out/name`. Nothing else of `out` is touched; with `replace`, what lay there goes.
///
/// # Errors
/// [`OutputError`]; then nothing of the bundle is to be seen.
pub fn write(bundle: &Tree, out: &Path, name: &str, replace: bool) -> Result<PathBuf, OutputError> {
    fs::create_dir_all(out).map_err(OutputError::at(out))?;
    let place = out.join(name);
    if place.exists() && !replace {
        return Err(OutputError::Taken(place));
    }
    let staging = TempDir::with_prefix_in(".codex-loadout-", out).map_err(OutputError::at(out))?;
    let fresh = staging.path().join("new");
    for (path, file) in bundle.iter() {
        let path = fresh.join(path);
        write_file(&path, &file.bytes, file.executable).map_err(OutputError::at(&path))?;
    }
    if place.exists() {
        fs::rename(&place, staging.path().join("old")).map_err(OutputError::at(&place))?;
    }
    fs::rename(&fresh, &place).map_err(OutputError::at(&place))?;
    Ok(place)
}

fn write_file(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    if executable {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = executable;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::TreeFile;

    fn bundle(text: &str) -> Tree {
        Tree::from_iter([("a/b.md".to_owned(), TreeFile::plain(text.to_owned()))])
    }

    #[test]
    fn what_is_there_goes_only_when_it_is_asked_for() {
        let out = tempfile::tempdir().unwrap();
        let place = write(&bundle("1"), out.path(), "p", false).unwrap();
        fs::write(place.join("more"), "x").unwrap();
        assert!(matches!(
            write(&bundle("2"), out.path(), "p", false),
            Err(OutputError::Taken(_))
        ));
        assert_eq!(fs::read_to_string(place.join("a/b.md")).unwrap(), "1");
        write(&bundle("2"), out.path(), "p", true).unwrap();
        assert_eq!(fs::read_to_string(place.join("a/b.md")).unwrap(), "2");
        assert!(!place.join("more").exists());
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_are_folders_of_one_part() {
        for (plugin, folder) in [
            ("spec-forge", "spec-forge"),
            ("../../x", "-..-x"),
            ("a/b c", "a-b-c"),
            ("..", "plugin"),
        ] {
            assert_eq!(folder_name(plugin), folder, "{plugin}");
        }
    }
}
