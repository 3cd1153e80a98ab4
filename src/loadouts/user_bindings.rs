//! Which profile counts where, and which projects are trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::binding::{BindingScope, CapabilityBinding};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::choice::real;
use super::state::Loadouts;

impl Loadouts {
    /// All bindings, the narrowest first.
    ///
    /// # Errors
    /// `loadoutLost` if they can't be read.
    pub(crate) async fn user_bindings(&self) -> Result<Vec<CapabilityBinding>, LoadoutError> {
        match self.existing_records().await? {
            Some(records) => Ok(records.bindings().await?),
            None => Ok(Vec::new()),
        }
    }

    /// Writes a binding to profiles that there are; one of the same scope and key is replaced.
    ///
    /// # Errors
    /// `invalidSelection` for a key that does not fit the scope, what is wrong with a profile, and
    /// `loadoutLost` if it can't be written.
    pub(crate) async fn write_binding(
        self: &Arc<Self>,
        binding: CapabilityBinding,
        cwd: &Path,
    ) -> Result<CapabilityBinding, LoadoutError> {
        let key = key_of(binding.scope, &binding.key, cwd)?;
        let folder = match binding.scope {
            BindingScope::Project => {
                let folder = PathBuf::from(&key);
                if !folder.is_dir() {
                    return Err(unfit(&key, "there is no such folder"));
                }
                folder
            }
            BindingScope::Task | BindingScope::Host | BindingScope::Default => cwd.to_owned(),
        };
        if binding.profile.is_empty() {
            return Err(unfit("profile", "a binding names a profile"));
        }
        self.check_profiles(binding.profile.clone(), &folder)
            .await?;
        let binding = CapabilityBinding { key, ..binding };
        self.records().await?.put_binding(&binding).await?;
        Ok(binding)
    }

    /// Removes a binding.
    ///
    /// # Errors
    /// `unknownCapability` if there is none, `loadoutLost` if it can't be removed.
    pub(crate) async fn delete_binding(
        &self,
        scope: BindingScope,
        key: &str,
        cwd: &Path,
    ) -> Result<(), LoadoutError> {
        let key = key_of(scope, key, cwd)?;
        let deleted = match self.existing_records().await? {
            Some(records) => records.delete_binding(scope, &key).await?,
            None => false,
        };
        if deleted {
            return Ok(());
        }
        let title = match key.as_str() {
            "" => scope.as_str().to_owned(),
            key => format!("{} `{key}`", scope.as_str()),
        };
        Err(LoadoutError::new(
            ErrorKind::UnknownCapability,
            format!("there is no binding for {title}"),
        )
        .with_hint("`codex-loadout binding list` shows those that there are.")
        .with_items(vec![ErrorItem::named(title)]))
    }

    /// Lets the profiles of a project count, or no longer; gives the project's folder.
    ///
    /// # Errors
    /// `invalidSelection` if there is no such folder, `loadoutLost` if it can't be recorded.
    pub(crate) async fn trust_project(
        &self,
        folder: &Path,
        trusts: bool,
    ) -> Result<PathBuf, LoadoutError> {
        let project = real(folder);
        if trusts && !project.is_dir() {
            let name = folder.display().to_string();
            let error = unfit(&name, "there is no such folder");
            return Err(error
                .with_hint("Name the folder of a project that has profiles in `.codex-loadout`."));
        }
        let records = self.records().await?;
        records.trust_project(&project, trusts).await?;
        Ok(project)
    }
}

/// The key as it is kept.
fn key_of(scope: BindingScope, key: &str, cwd: &Path) -> Result<String, LoadoutError> {
    match (scope, key) {
        (BindingScope::Default, "") => Ok(String::new()),
        (BindingScope::Default, key) => Err(unfit(key, "the user's default has no key")),
        (_, "") => Err(unfit("key", "it is missing")),
        (BindingScope::Project, folder) => {
            let folder = real(&cwd.join(folder));
            Ok(folder.to_string_lossy().into_owned())
        }
        (BindingScope::Task | BindingScope::Host, key) => Ok(key.to_owned()),
    }
}

fn unfit(name: &str, why: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`{name}` is not valid: {why}"),
    )
    .with_hint("A binding is for a task by its key, a project by its folder, a host by its name, or this user's default.")
    .with_items(vec![ErrorItem::named(name)])
}
