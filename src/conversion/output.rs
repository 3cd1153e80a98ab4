//! Bundles as folders: each appears whole, by one rename.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::modes::Modes;
use crate::bundle::Tree;
use crate::paths::private_temporary_folder;

/// A bundle can't be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Something else lies in its place.
    #[error("`{0}` is there already")]
    Taken(PathBuf),
    /// What lies in its place is not an earlier bundle of the plugin.
    #[error("`{0}` is not a bundle of this plugin, and is not replaced")]
    NotOurs(PathBuf),
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

/// What may be replaced.
#[derive(Debug, Clone, Copy)]
pub enum Replace<'a> {
    /// Nothing.
    Nothing,
    /// An earlier bundle of the plugin, but not this folder, from which it was made.
    Bundle {
        /// The plugin's folder.
        source: &'a Path,
        /// The file that makes a folder a bundle, and says whose.
        manifest: &'a str,
    },
}

/// Writes a bundle to `out/name`, open to whom its source is. Nothing else of `out` is touched.
///
/// # Errors
/// [`OutputError`]; then nothing of the bundle is to be seen, and what lay there is as it was.
pub fn write(
    bundle: &Tree,
    out: &Path,
    name: &str,
    modes: &Modes,
    replace: Replace<'_>,
) -> Result<PathBuf, OutputError> {
    fs::create_dir_all(out).map_err(OutputError::at(out))?;
    let place = out.join(name);
    if place.symlink_metadata().is_ok() {
        match replace {
            Replace::Nothing => return Err(OutputError::Taken(place)),
            Replace::Bundle { source, manifest } => {
                if !is_bundle(&place, bundle, source, manifest) {
                    return Err(OutputError::NotOurs(place));
                }
            }
        }
    }
    let staging = private_temporary_folder(".codex-loadout-", out).map_err(OutputError::at(out))?;
    let fresh = staging.path().join("new");
    modes
        .create_folder(&fresh, "")
        .map_err(OutputError::at(&fresh))?;
    for (name, file) in bundle.iter() {
        let path = fresh.join(name);
        let written = folders_above(name)
            .try_for_each(|folder| modes.create_folder(&fresh.join(folder), folder))
            .and_then(|()| modes.create(&path, name, file.executable))
            .and_then(|mut made| made.write_all(&file.bytes));
        written.map_err(OutputError::at(&path))?;
    }
    if place.exists() {
        fs::rename(&place, staging.path().join("old")).map_err(OutputError::at(&place))?;
    }
    if let Err(error) = fs::rename(&fresh, &place) {
        // Nothing is there if nothing was.
        let _ = fs::rename(staging.path().join("old"), &place);
        return Err(OutputError::at(&place)(error));
    }
    Ok(place)
}

/// Whether a folder is an earlier bundle of the same plugin: its manifest names it.
fn is_bundle(place: &Path, bundle: &Tree, source: &Path, manifest: &str) -> bool {
    let name = |text: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(text).ok()?;
        value.get("name")?.as_str().map(str::to_owned)
    };
    let new = bundle.get(manifest).and_then(|file| name(&file.bytes));
    let old = fs::read(place.join(manifest))
        .ok()
        .and_then(|text| name(&text));
    let is_source = match (place.canonicalize(), source.canonicalize()) {
        (Ok(place), Ok(source)) => source.starts_with(place),
        _ => true,
    };
    !is_source && new.is_some() && new == old
}

/// The folders on the way to a file, the outermost first.
fn folders_above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::TreeFile;

    const MANIFEST: &str = ".codex-plugin/plugin.json";

    fn bundle(text: &str) -> Tree {
        let manifest = r#"{"name":"p"}"#.to_owned();
        Tree::from_iter([
            ("a/b.md".to_owned(), TreeFile::plain(text.to_owned())),
            (MANIFEST.to_owned(), TreeFile::plain(manifest)),
        ])
    }

    #[test]
    fn an_earlier_bundle_goes_only_when_it_is_asked_for() {
        let out = tempfile::tempdir().unwrap();
        let source = tempfile::tempdir().unwrap();
        let earlier = Replace::Bundle {
            source: source.path(),
            manifest: MANIFEST,
        };
        let place = write(
            &bundle("1"),
            out.path(),
            "p",
            &Modes::any(),
            Replace::Nothing,
        )
        .unwrap();
        fs::write(place.join("more"), "x").unwrap();
        assert!(matches!(
            write(
                &bundle("2"),
                out.path(),
                "p",
                &Modes::any(),
                Replace::Nothing
            ),
            Err(OutputError::Taken(_))
        ));
        assert_eq!(fs::read_to_string(place.join("a/b.md")).unwrap(), "1");
        write(&bundle("2"), out.path(), "p", &Modes::any(), earlier).unwrap();
        assert_eq!(fs::read_to_string(place.join("a/b.md")).unwrap(), "2");
        assert!(!place.join("more").exists());
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_but_a_bundle_of_the_plugin_is_replaced() {
        let out = tempfile::tempdir().unwrap();
        let place = out.path().join("p");
        let elsewhere = tempfile::tempdir().unwrap();
        for (manifest, source) in [
            (None, elsewhere.path()),
            (Some(r#"{"name":"other"}"#), elsewhere.path()),
            (Some(r#"{"name":"p"}"#), place.as_path()),
            (Some(r#"{"name":"p"}"#), &place.join("inner")),
        ] {
            fs::create_dir_all(place.join(".codex-plugin")).unwrap();
            fs::create_dir_all(place.join("inner")).unwrap();
            fs::write(place.join("thesis.txt"), "x").unwrap();
            if let Some(manifest) = manifest {
                fs::write(place.join(MANIFEST), manifest).unwrap();
            }
            let written = write(
                &bundle("2"),
                out.path(),
                "p",
                &Modes::any(),
                Replace::Bundle {
                    source,
                    manifest: MANIFEST,
                },
            );
            assert!(
                matches!(written, Err(OutputError::NotOurs(_))),
                "{manifest:?}"
            );
            assert!(place.join("thesis.txt").exists());
            assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_bundle_is_as_narrow_as_what_it_is_made_of() {
        use std::os::unix::fs::PermissionsExt;
        let (out, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let narrow = |path: &str, mode: u32| {
            let path = source.path().join(path);
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir(source.path().join("a")).unwrap();
        fs::write(source.path().join("a/b.md"), "x").unwrap();
        fs::write(source.path().join(".mcp.json"), "secret").unwrap();
        let mut bundle = bundle("1");
        for (name, executable) in [(".mcp.json", false), ("run", true)] {
            let bytes = "x".as_bytes().into();
            bundle.insert(
                name.to_owned(),
                crate::bundle::TreeFile { bytes, executable },
            );
        }
        let modes = |name: &str| {
            let modes = Modes::of(source.path());
            let place = write(&bundle, out.path(), name, &modes, Replace::Nothing).unwrap();
            let of = ["", "a", "a/b.md", ".mcp.json", MANIFEST, "run"];
            of.map(|path| mode(&place.join(path)))
        };
        narrow("", 0o755);
        narrow("a", 0o755);
        narrow("a/b.md", 0o644);
        narrow(".mcp.json", 0o644);
        assert_eq!(modes("open"), [0o755, 0o755, 0o644, 0o644, 0o644, 0o755]);
        narrow(".mcp.json", 0o600);
        // What is made of several files may hold what stands in the narrowest.
        assert_eq!(modes("servers"), [0o755, 0o755, 0o644, 0o600, 0o600, 0o700]);
        narrow("", 0o700);
        narrow("a", 0o750);
        assert_eq!(modes("folders"), [0o700, 0o750, 0o644, 0o600, 0o600, 0o700]);
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
