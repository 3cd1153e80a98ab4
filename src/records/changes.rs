//! That what could be selected has changed, for other processes to see.

use sqlx::sqlite::SqliteConnection;

use super::audit::Happening;
use super::database::Write;
use super::error::RecordsError;
use super::store::Records;

impl Records {
    /// How often what could be selected has changed.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn capability_changes(&self) -> Result<i64, RecordsError> {
        let count = sqlx::query_scalar("SELECT count FROM changes WHERE what = 'capabilities'");
        Ok(count.fetch_one(self.database.reader()).await?)
    }

    /// What could be selected has changed, and no record with it.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn capabilities_changed(&self) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        count_change(&mut write).await?;
        Ok(write.commit().await?)
    }

    /// Commits a change of what could be selected, with its row in the audit.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub(super) async fn commit_change(
        &self,
        mut write: Write,
        happening: &Happening,
    ) -> Result<(), RecordsError> {
        count_change(&mut write).await?;
        write.commit_noting(happening).await?;
        happening.count(&self.counts);
        Ok(())
    }
}

/// Says so in the transaction of what has changed.
pub(super) async fn count_change(connection: &mut SqliteConnection) -> Result<(), RecordsError> {
    sqlx::query("UPDATE changes SET count = count + 1 WHERE what = 'capabilities'")
        .execute(connection)
        .await?;
    Ok(())
}
