//! The text of a lock: sorted, one thing a line where it grows, so that a change of it reads well in a review.

use std::path::Path;

use serde::Serialize;
use toml::ser::ValueSerializer;

use super::read::{is_line, is_name};
use super::{LoadoutLock, LockError, LockedBundle, VERSION, places};
use crate::Source;

const HEAD: &str = "# What this project's profiles need, to the byte. `codex-loadout bundle lock` writes it, `bundle sync` reads it.\n";

impl LoadoutLock {
    /// The text of a lock that lies in this folder.
    ///
    /// # Errors
    /// A bundle that can't be said in a lock: a path that is not Unicode, an address with a password in it.
    pub fn print(&self, folder: &Path) -> Result<String, LockError> {
        let mut text = format!("{HEAD}version = {VERSION}\n");
        for (name, bundle) in &self.bundles {
            print_bundle(&mut text, name, bundle, folder).map_err(|why| {
                LockError::new(format!("`{name}` can't be locked: {why}"), hint(&why))
            })?;
        }
        Ok(text)
    }
}

fn hint(why: &str) -> &'static str {
    match why.contains("password") {
        true => {
            "Add the bundle without it, and let git's credential helper or `.netrc` say who asks."
        }
        false => "Add the bundle from another place, or under another name.",
    }
}

fn print_bundle(
    text: &mut String,
    name: &str,
    bundle: &LockedBundle,
    folder: &Path,
) -> Result<(), String> {
    let plugin = bundle.origin.plugin.as_deref();
    if !is_name(name) || !plugin.is_none_or(is_name) {
        return Err("a name has no spaces, no `@` and no `/`".to_owned());
    }
    text.push_str("\n[[bundle]]\n");
    line(text, "name", &name)?;
    line(
        text,
        "source",
        &place(&bundle.origin.source, bundle.relative, folder)?,
    )?;
    if let Some(plugin) = plugin {
        line(text, "plugin", &plugin)?;
    }
    if let Some(resolved) = &bundle.resolved {
        line(text, "resolved", &place(resolved, bundle.relative, folder)?)?;
    }
    if let Some(commit) = &bundle.commit {
        if !places::is_commit(commit) {
            return Err("its commit is not 40 or 64 hex digits".to_owned());
        }
        line(text, "commit", commit)?;
    }
    line(text, "digest", &bundle.digest)?;
    if bundle.executes.is_empty() {
        text.push_str("executes = []\n");
        return Ok(());
    }
    text.push_str("executes = [\n");
    for what in &bundle.executes {
        if !is_line(what) {
            return Err("what it executes is not a line of letters that can be seen".to_owned());
        }
        text.push_str("    ");
        what.serialize(ValueSerializer::new(text))
            .map_err(|error| error.to_string())?;
        text.push_str(",\n");
    }
    text.push_str("]\n");
    Ok(())
}

fn line(text: &mut String, key: &str, value: &impl Serialize) -> Result<(), String> {
    text.push_str(key);
    text.push_str(" = ");
    value
        .serialize(ValueSerializer::new(text))
        .map_err(|error| error.to_string())?;
    text.push('\n');
    Ok(())
}

fn place(source: &Source, relative: bool, folder: &Path) -> Result<Source, String> {
    if let Some(fault) = places::fault(source) {
        return Err(fault);
    }
    let written = places::with_local_path(source.clone(), |path| {
        let path = match relative {
            true => places::relative(path, folder),
            false => places::absolute(path, folder),
        };
        path.to_str().is_some().then_some(path)
    });
    written.ok_or_else(|| "its path is not Unicode".to_owned())
}
