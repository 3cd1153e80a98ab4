//! What is under way at Codex, noted so that whoever comes after a crash can finish it.

use std::time::Duration;

use sqlx::Row;
use uuid::Uuid;

use super::error::RecordsError;
use super::store::Records;

/// Codex makes a fork in milliseconds; a thread made later than this is another one.
const MADE_WITHIN: Duration = Duration::from_secs(60);

impl Records {
    /// Notes that a thread is about to be in Codex's archive for a moment.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn begin_unloading(&self, thread_id: &str) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        sqlx::query(
            "INSERT INTO unloading (thread_id) VALUES ($1) ON CONFLICT (thread_id) DO NOTHING",
        )
        .bind(thread_id)
        .execute(&mut *write)
        .await?;
        Ok(write.commit().await?)
    }

    /// The thread is back.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn end_unloading(&self, thread_id: &str) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        sqlx::query("DELETE FROM unloading WHERE thread_id = $1")
            .bind(thread_id)
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// Threads that somebody who did not live to do it should have brought back.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn unloading(&self) -> Result<Vec<String>, RecordsError> {
        let threads = sqlx::query_scalar("SELECT thread_id FROM unloading ORDER BY thread_id");
        Ok(threads.fetch_all(self.database.reader()).await?)
    }

    /// Notes that a fork of this thread is about to be made that is to have this root, and not its
    /// source's. `mark` is a UUID v7 made just now.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn begin_forking(
        &self,
        root: &str,
        source: &str,
        mark: &str,
    ) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        sqlx::query("INSERT INTO forking (root, source, mark) VALUES ($1, $2, $3)")
            .bind(root)
            .bind(source)
            .bind(mark)
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// The fork has its root, or will not be.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn end_forking(&self, root: &str) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        sqlx::query("DELETE FROM forking WHERE root = $1")
            .bind(root)
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// The root that this fork was to get from somebody who did not live to give it.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn unfinished_fork(
        &self,
        source: &str,
        fork: &str,
    ) -> Result<Option<String>, RecordsError> {
        let rows =
            sqlx::query("SELECT root, mark FROM forking WHERE source = $1 ORDER BY mark DESC")
                .bind(source)
                .fetch_all(self.database.reader())
                .await?;
        for row in rows {
            let mark: String = row.try_get("mark")?;
            if is_made_right_after(&mark, fork) {
                return Ok(Some(row.try_get("root")?));
            }
        }
        Ok(None)
    }
}

/// Whether a thread may be the fork that a mark was made for. Ids of threads are UUIDs v7, as marks are: they tell
/// when they were made.
#[must_use]
pub fn is_made_right_after(mark: &str, thread: &str) -> bool {
    let millis = |id: &str| {
        let (seconds, nanos) = Uuid::try_parse(id).ok()?.get_timestamp()?.to_unix();
        Some(u128::from(seconds) * 1000 + u128::from(nanos) / 1_000_000)
    };
    match (millis(mark), millis(thread)) {
        (Some(mark), Some(thread)) => mark <= thread && thread - mark < MADE_WITHIN.as_millis(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fork_is_known_by_its_source_and_its_time() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let mark = "01a1fd83-1794-7723-ab89-1b61196c0ec1";
        let soon = "01a1fd83-2121-7f73-9eba-452a26d472e2";
        let late = "01a1fd85-2121-7f73-9eba-452a26d472e2";
        let early = "01a1fd83-1793-7f73-9eba-452a26d472e2";
        records.begin_forking("r", "s", mark).await.unwrap();
        for (source, fork, root) in [
            ("s", soon, Some("r")),
            ("s", mark, Some("r")),
            ("s", late, None),
            ("s", early, None),
            ("s", "no-uuid", None),
            ("other", soon, None),
        ] {
            let found = records.unfinished_fork(source, fork).await.unwrap();
            assert_eq!(found.as_deref(), root, "{source} {fork}");
        }
        records.end_forking("r").await.unwrap();
        assert_eq!(records.unfinished_fork("s", soon).await.unwrap(), None);
    }
}
