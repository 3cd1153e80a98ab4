//! The profiles that there are, and those of the user's written and removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::profile::{
    CapabilityProfileWriteParams, Profile, ProfileEntry, ProfileLayer,
};
use codex_loadout_protocol::selection::ProfileNames;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};

use super::state::{Loadouts, blocking};
use crate::profiles::folders::{self, ProfileFolders, schema_of_user};
use crate::profiles::{
    Found, ProfileFile, SCHEMA_LINE, Shelf, expand, is_profile_name, parse, print, unknown_profile,
};

impl Loadouts {
    /// The profiles that there are for a folder, also those that do not count or can't be used.
    ///
    /// # Errors
    /// `invalidSelection` if a folder of profiles can't be read.
    pub(crate) async fn profiles(
        self: &Arc<Self>,
        cwd: &Path,
    ) -> Result<Vec<ProfileEntry>, LoadoutError> {
        let folders = self.profile_folders(cwd).await?;
        blocking(move || {
            let profiles = folders.look()?;
            let shelf = shelf(&profiles);
            let entries = profiles.iter().map(|found| entry(found, &shelf));
            Ok(entries.collect())
        })
        .await
    }

    /// A profile as it counts in a folder.
    ///
    /// # Errors
    /// `unknownCapability` if there is none, or what is wrong with it.
    pub(crate) async fn profile(
        self: &Arc<Self>,
        name: String,
        cwd: &Path,
    ) -> Result<Profile, LoadoutError> {
        let folders = self.profile_folders(cwd).await?;
        blocking(move || read(&folders, &name)).await
    }

    /// Makes or replaces a profile of the user's. One that can't be used is not written; what is wrong with its text
    /// stands in the file that it comes from.
    ///
    /// # Errors
    /// What is wrong with it, or `stateUnavailable` if it can't be written.
    pub(crate) async fn write_profile(
        self: &Arc<Self>,
        wanted: CapabilityProfileWriteParams,
        from: Option<PathBuf>,
        cwd: &Path,
    ) -> Result<Profile, LoadoutError> {
        self.claim_state()?;
        let folders = self.profile_folders(cwd).await?;
        let written = blocking(move || write(&folders, wanted, from)).await?;
        self.capabilities_changed().await;
        Ok(written)
    }

    /// Removes a profile of the user's.
    ///
    /// # Errors
    /// `unknownCapability` if the user has none of that name.
    pub(crate) async fn delete_profile(
        self: &Arc<Self>,
        name: String,
        cwd: &Path,
    ) -> Result<(), LoadoutError> {
        let folders = self.profile_folders(cwd).await?;
        blocking(move || {
            check_name(&name)?;
            if folders.delete(&name)? {
                return Ok(());
            }
            let mut profiles = folders.look()?;
            profiles.retain(|found| found.layer == ProfileLayer::User);
            let error = unknown_profile(&[&name], &shelf(&profiles), None);
            Err(error.with_hint("A profile of the user's can be removed; a project's and an administrator's are files of theirs."))
        })
        .await?;
        self.capabilities_changed().await;
        Ok(())
    }

    /// Says to hosts of all processes that what could be selected has changed, as far as that can be done.
    async fn capabilities_changed(&self) {
        let said = async {
            let records = self.records().await?;
            Ok::<(), LoadoutError>(records.capabilities_changed().await?)
        };
        if let Err(error) = said.await {
            tracing::warn!(%error, "hosts are not told of a change");
        }
    }

    /// How often what could be selected has changed through us; nothing is made for it.
    ///
    /// # Errors
    /// `loadoutLost` if that can't be read.
    pub(crate) async fn capability_changes(&self) -> Result<i64, LoadoutError> {
        match self.watched_records().await? {
            Some(records) => Ok(records.capability_changes().await?),
            None => Ok(0),
        }
    }

    /// Whether all of these profiles count in a folder.
    ///
    /// # Errors
    /// `unknownCapability` with those that do not.
    pub(crate) async fn check_profiles(
        self: &Arc<Self>,
        names: ProfileNames,
        cwd: &Path,
    ) -> Result<(), LoadoutError> {
        let folders = self.profile_folders(cwd).await?;
        blocking(move || {
            let profiles = folders.look()?;
            expand(CapabilitySelection::of_profiles(names.0), &shelf(&profiles)).map(|_| ())
        })
        .await
    }
}

fn shelf(profiles: &[Found]) -> Shelf<'_> {
    Shelf {
        profiles,
        read: &folders::read,
    }
}

fn entry(found: &Found, shelf: &Shelf<'_>) -> ProfileEntry {
    let file = folders::parsed(&found.path);
    let active = shelf.find(&found.name) == Some(found);
    // What it begins with may be what is wrong.
    let expanded = match active {
        true => {
            let selection = CapabilitySelection::of_profiles(vec![found.name.clone()]);
            expand(selection, shelf).err()
        }
        false => None,
    };
    let (file, error) = match file {
        Ok(file) => (file, expanded),
        Err(error) => (ProfileFile::default(), Some(error)),
    };
    ProfileEntry {
        name: found.name.clone(),
        layer: found.layer,
        path: found.path.display().to_string(),
        active,
        description: file.description,
        extends: file.extends,
        error: error.map(|error| error.message),
    }
}

fn read(folders: &ProfileFolders, name: &str) -> Result<Profile, LoadoutError> {
    let profiles = folders.look()?;
    let shelf = shelf(&profiles);
    let Some(found) = shelf.find(name) else {
        return Err(unknown_profile(&[&name.to_owned()], &shelf, None));
    };
    let text = folders::read(&found.path)?;
    let file = parse(&found.path, &text)?;
    let selection = CapabilitySelection::of_profiles(vec![name.to_owned()]);
    let selection = CapabilitySelection {
        profile: ProfileNames::default(),
        ..expand(selection, &shelf)?.selection
    };
    Ok(Profile {
        name: found.name.clone(),
        layer: found.layer,
        path: found.path.display().to_string(),
        description: file.description,
        extends: file.extends,
        text,
        selection,
    })
}

fn write(
    folders: &ProfileFolders,
    wanted: CapabilityProfileWriteParams,
    from: Option<PathBuf>,
) -> Result<Profile, LoadoutError> {
    let CapabilityProfileWriteParams {
        name,
        description,
        extends,
        selection,
        text,
    } = wanted;
    check_name(&name)?;
    let has_parts = description.is_some() || !extends.is_empty() || selection.is_some();
    let path = folders.of_user(&name);
    let text = match text {
        Some(_) if has_parts => {
            return Err(invalid(
                "text",
                "`text` is a whole profile: `description`, `extends` and `selection` stand in it",
            ));
        }
        Some(text) => text,
        None => {
            let selection = selection.unwrap_or_default();
            if !selection.profile.is_empty() {
                return Err(invalid(
                    "selection.profile",
                    "a profile begins with others by `extends`",
                ));
            }
            let file = ProfileFile::new(description, extends.0, selection);
            print(&schema_of_user(), &file)
        }
    };
    let mut profiles = folders.look()?;
    if let Some(first) = shelf(&profiles).find(&name)
        && first.layer == ProfileLayer::Admin
    {
        let path = first.path.display();
        let why = format!("`{path}` is an administrator's, and no other takes its place");
        return Err(LoadoutError::new(ErrorKind::BlockedByPolicy, why)
            .with_hint("Write it under another name; it may extend that one.")
            .with_items(vec![ErrorItem::named(name)]));
    }
    // As it will be read: with what it begins with, and over what is there now. What is wrong stands where it comes
    // from.
    let from = from.unwrap_or_else(|| path.clone());
    profiles.retain(|found| found.name != name);
    profiles.push(Found {
        name: name.clone(),
        layer: ProfileLayer::User,
        path: from.clone(),
        trusted: true,
    });
    let read_new = |wanted: &Path| match wanted == from {
        true => Ok(text.clone()),
        false => folders::read(wanted),
    };
    let shelf = Shelf {
        profiles: &profiles,
        read: &read_new,
    };
    let selection = CapabilitySelection::of_profiles(vec![name.clone()]);
    let expanded = expand(selection, &shelf)?;
    let file = parse(&from, &text)?;
    let text = match text.contains(SCHEMA_LINE) {
        true => text,
        false => {
            let text = text.trim_start_matches('\u{feff}');
            format!("{SCHEMA_LINE}{}\n{text}", schema_of_user())
        }
    };
    folders.write(&name, &text)?;
    Ok(Profile {
        name,
        layer: ProfileLayer::User,
        path: path.display().to_string(),
        description: file.description,
        extends: file.extends,
        selection: CapabilitySelection {
            profile: ProfileNames::default(),
            ..expanded.selection
        },
        text,
    })
}

fn check_name(name: &str) -> Result<(), LoadoutError> {
    match is_profile_name(name) {
        true => Ok(()),
        false => Err(invalid(
            "name",
            "a profile's name has 1 to 64 letters, digits, `-`, `_` and `.`, and no `.` first",
        )),
    }
}

fn invalid(item: &str, why: &str) -> LoadoutError {
    LoadoutError::new(ErrorKind::InvalidSelection, why)
        .with_hint("`codex-loadout schema profile` prints the JSON Schema of a profile.")
        .with_items(vec![ErrorItem::named(item)])
}
