//! A bundle that is taken away, if nothing is told to need it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{CapabilityBundleRemoveResult, bundle_id};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::lock::LockedProject;
use crate::loadouts::state::{Loadouts, blocking};
use crate::profiles::folders::{self, ProfileFolders};
use crate::records::happened;

impl Loadouts {
    /// Removes a bundle. Threads that have it keep their snapshots.
    ///
    /// # Errors
    /// `unknownCapability` if there is none, `bundleInUse` while a profile or a lock names it: of this user, of the
    /// machine, of the project around `cwd`, and of projects that the user trusts.
    pub(crate) async fn remove_bundle(
        self: &Arc<Self>,
        name: &str,
        cwd: &Path,
    ) -> Result<CapabilityBundleRemoveResult, LoadoutError> {
        let (records, bundle) = self.known_bundle(name).await?;
        let mut projects = vec![cwd.to_owned()];
        projects.extend(
            records
                .trusted_projects()
                .await?
                .into_iter()
                .map(PathBuf::from),
        );
        let mut folders = Vec::new();
        for project in &projects {
            folders.push(self.profile_folders(project).await?);
        }
        let name = bundle.name;
        let (of, state_home) = (name.clone(), self.state_home().to_owned());
        let users = blocking(move || {
            let mut users = users_of(&of, folders);
            for project in projects {
                let project = LockedProject::around(&state_home, &project)?;
                let lock = project.lock.as_ref();
                if lock.is_some_and(|lock| lock.bundles.contains_key(&of)) {
                    users.push(project.file().display().to_string());
                }
            }
            users.sort();
            users.dedup();
            Ok(users)
        });
        let users = users.await?;
        if !users.is_empty() {
            return Err(in_use(&name, &users));
        }
        let digest = &bundle.current.digest;
        let happening = happened(AuditEvent::BundleRemove, &name, digest, "removed");
        records.remove_bundle(&name, &happening).await?;
        Ok(CapabilityBundleRemoveResult { name })
    }
}

/// The files that name a bundle.
fn users_of(name: &str, all: Vec<ProfileFolders>) -> Vec<String> {
    let id = bundle_id(name);
    let mut users = Vec::new();
    for layers in all {
        for found in layers.look().into_iter().flatten() {
            let Ok(file) = folders::parsed(&found.path) else {
                continue;
            };
            let names = file.names();
            if names.iter().any(|(named, _)| *named == id || named == name) {
                users.push(found.path.display().to_string());
            }
        }
    }
    users
}

fn in_use(name: &str, users: &[String]) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::BundleInUse,
        format!("bundle `{name}` is needed by `{}`", users.join("`, `")),
    )
    .with_hint("Take it out of these files first.")
    .with_items(users.iter().map(ErrorItem::named).collect())
}
