//! Bindings, and the projects that the user trusts.

use std::path::Path;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::binding::{BindingScope, CapabilityBinding};
use codex_loadout_protocol::selection::ProfileNames;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::audit::Happening;
use super::changes::count_change;
use super::error::RecordsError;
use super::marker::Marker;
use super::store::Records;

/// Whether there may be bindings. It is one look at a file.
#[must_use]
pub fn may_be_bound(state_home: &Path) -> bool {
    Marker::Bindings.is_there(state_home)
}

impl Records {
    /// All bindings, the narrowest first.
    ///
    /// # Errors
    /// [`RecordsError`] if they can't be read.
    pub async fn bindings(&self) -> Result<Vec<CapabilityBinding>, RecordsError> {
        let all = "SELECT scope, key, profile FROM bindings ORDER BY scope, key";
        let rows = sqlx::query(all).fetch_all(self.database.reader()).await?;
        let mut bindings = rows.iter().map(binding).collect::<Result<Vec<_>, _>>()?;
        bindings.sort_by_key(|binding| binding.scope);
        Ok(bindings)
    }

    /// Writes a binding; one of the same scope and key is replaced.
    ///
    /// # Errors
    /// [`RecordsError`] if it can't be written.
    pub async fn put_binding(&self, binding: &CapabilityBinding) -> Result<(), RecordsError> {
        self.mark(Marker::Bindings)?;
        let profile = serde_json::to_string(&binding.profile).unwrap_or_default();
        let mut write = self.database.write().await?;
        sqlx::query(
            "INSERT INTO bindings (scope, key, profile, written_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (scope, key) DO UPDATE SET profile = excluded.profile, written_at = excluded.written_at",
        )
        .bind(binding.scope.as_str())
        .bind(&binding.key)
        .bind(profile)
        .bind(now())
        .execute(&mut *write)
        .await?;
        count_change(&mut write).await?;
        write.commit().await?;
        self.mark(Marker::Bindings)
    }

    /// Removes a binding; tells whether it was there.
    ///
    /// # Errors
    /// [`RecordsError`] if it can't be removed.
    pub async fn delete_binding(
        &self,
        scope: BindingScope,
        key: &str,
    ) -> Result<bool, RecordsError> {
        let mut write = self.database.write().await?;
        let done = sqlx::query("DELETE FROM bindings WHERE scope = $1 AND key = $2")
            .bind(scope.as_str())
            .bind(key)
            .execute(&mut *write)
            .await?;
        count_change(&mut write).await?;
        write.commit().await?;
        self.unmark_if_none_is_left(Marker::Bindings).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Whether the user trusts a project.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn is_trusted(&self, folder: &Path) -> Result<bool, RecordsError> {
        let found = sqlx::query("SELECT folder FROM trusted_projects WHERE folder = $1")
            .bind(folder.to_string_lossy())
            .fetch_optional(self.database.reader())
            .await?;
        Ok(found.is_some())
    }

    /// The projects that the user trusts.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn trusted_projects(&self) -> Result<Vec<String>, RecordsError> {
        let all = "SELECT folder FROM trusted_projects ORDER BY folder";
        Ok(sqlx::query_scalar(all)
            .fetch_all(self.database.reader())
            .await?)
    }

    /// Lets the profiles of a project count, or no longer, and says so in the audit.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn trust_project(&self, folder: &Path, trusts: bool) -> Result<(), RecordsError> {
        let folder = folder.to_string_lossy();
        let mut write = self.database.write().await?;
        sqlx::query("DELETE FROM trusted_projects WHERE folder = $1")
            .bind(folder.as_ref())
            .execute(&mut *write)
            .await?;
        if trusts {
            sqlx::query("INSERT INTO trusted_projects (folder, trusted_at) VALUES ($1, $2)")
                .bind(folder.as_ref())
                .bind(now())
                .execute(&mut *write)
                .await?;
        }
        let verb = if trusts {
            "trusted"
        } else {
            "no longer trusted"
        };
        let cause = format!("the project `{folder}` is {verb}");
        count_change(&mut write).await?;
        let happening = Happening::new(AuditEvent::Trust, cause);
        Ok(write.commit_noting(&happening).await?)
    }
}

fn now() -> i64 {
    let time = Uuid::now_v7().get_timestamp();
    time.and_then(|time| i64::try_from(time.to_unix().0).ok())
        .unwrap_or_default()
}

fn binding(row: &SqliteRow) -> Result<CapabilityBinding, RecordsError> {
    let scope: String = row.try_get("scope")?;
    let key: String = row.try_get("key")?;
    let profile: String = row.try_get("profile")?;
    let unreadable = |reason: String| RecordsError::Unreadable {
        id: format!("{scope} {key}"),
        reason,
    };
    let profile: ProfileNames =
        serde_json::from_str(&profile).map_err(|error| unreadable(error.to_string()))?;
    let scope = serde_json::from_value(scope.clone().into())
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(CapabilityBinding {
        scope,
        key,
        profile,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(scope: BindingScope, key: &str, profile: &str) -> CapabilityBinding {
        CapabilityBinding {
            scope,
            key: key.to_owned(),
            profile: ProfileNames(vec![profile.to_owned()]),
        }
    }

    #[tokio::test]
    async fn bindings_are_kept_and_a_file_says_that_there_are_some() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        assert!(!may_be_bound(home.path()));
        let of_user = binding(BindingScope::Default, "", "a");
        let of_task = binding(BindingScope::Task, "42", "b");
        for one in [&of_user, &of_task] {
            records.put_binding(one).await.unwrap();
        }
        let of_user = binding(BindingScope::Default, "", "c");
        records.put_binding(&of_user).await.unwrap();
        assert_eq!(records.bindings().await.unwrap(), [of_task, of_user]);
        assert!(may_be_bound(home.path()));
        // Who opens the records looks whether the file is right.
        std::fs::remove_file(home.path().join("bindings-v1")).unwrap();
        let records = Records::open(home.path()).await.unwrap();
        assert!(may_be_bound(home.path()));
        for (scope, key, was_there) in [
            (BindingScope::Task, "42", true),
            (BindingScope::Task, "42", false),
            (BindingScope::Default, "", true),
        ] {
            let deleted = records.delete_binding(scope, key).await.unwrap();
            assert_eq!(deleted, was_there);
        }
        assert!(!may_be_bound(home.path()));
    }

    #[tokio::test]
    async fn trust_in_a_project_is_given_and_taken_back() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let folder = Path::new("/work/shop");
        for trusts in [true, true, false] {
            records.trust_project(folder, trusts).await.unwrap();
            assert_eq!(records.is_trusted(folder).await.unwrap(), trusts);
            let listed = records.trusted_projects().await.unwrap();
            assert_eq!(listed.len(), usize::from(trusts));
        }
    }
}
