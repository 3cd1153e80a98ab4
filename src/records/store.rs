//! The records in a database. The SQL is such that PostgreSQL takes it as well.

use std::path::{Path, PathBuf};

use codex_loadout_protocol::audit::AuditEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::audit::{Happening, add};
use super::database::Database;
use super::error::SelectionsError;
use super::opening::{FileId, file_id, prepare, take_turn};
use super::record::ThreadRecord;
use super::rootless;

/// The number in the name is that of a layout that no migration leads to.
const FILE: &str = "state-v1.sqlite3";
/// Held while the database is opened.
const LOCK: &str = "state-v1.lock";
/// The shape of the JSON in `record`.
const FORMAT: i64 = 1;

/// The records of one state folder. Several processes may have them open.
#[derive(Debug)]
pub struct Records {
    pub(super) database: Database,
    state_home: PathBuf,
    /// Which file it is, whatever lies at its path later.
    file: Option<FileId>,
}

impl Records {
    /// Opens the records of a state folder, making what is missing.
    ///
    /// # Errors
    /// [`SelectionsError::Unopenable`].
    pub async fn open(state_home: &Path) -> Result<Self, SelectionsError> {
        let path = state_home.join(FILE);
        let unopenable = |reason: String| SelectionsError::Unopenable {
            path: path.clone(),
            reason,
        };
        prepare(state_home, &path).map_err(|error| unopenable(error.to_string()))?;
        // On SQLite, two that make a database, or bring one up to date, at once are not kept apart.
        let turn = take_turn(&state_home.join(LOCK))
            .await
            .map_err(|error| unopenable(error.to_string()))?;
        let opened = Database::open(&path).await;
        drop(turn);
        let database = opened.map_err(|error| unopenable(error.to_string()))?;
        let selections = Self {
            database,
            state_home: state_home.to_owned(),
            file: file_id(&path),
        };
        selections.fill_in_origins().await?;
        // Those that were recorded before there were notes of them, and whose notes were lost.
        for thread in selections.rootless_threads().await? {
            selections.note_rootless(&thread)?;
        }
        selections.check_marker().await?;
        Ok(selections)
    }

    /// The folder that they lie in.
    pub(super) fn state_home(&self) -> &Path {
        &self.state_home
    }

    /// Whether the database still lies at its path. Where somebody has removed or replaced it, what is written here is
    /// seen by nobody.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        file_id(&self.state_home.join(FILE)) == self.file
    }

    /// Lets go of the database.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn rootless_threads(&self) -> Result<Vec<String>, SelectionsError> {
        let rootless = sqlx::query_scalar("SELECT thread_id FROM threads WHERE root IS NULL");
        Ok(rootless.fetch_all(self.database.reader()).await?)
    }

    fn note_rootless(&self, thread_id: &str) -> Result<(), SelectionsError> {
        rootless::note(&self.state_home, thread_id)
            .map_err(|error| SelectionsError::Database(error.into()))
    }

    /// Opens the records if there are any; creates nothing.
    ///
    /// # Errors
    /// [`SelectionsError::Unopenable`].
    pub async fn open_existing(state_home: &Path) -> Result<Option<Self>, SelectionsError> {
        if state_home.join(FILE).exists() {
            Self::open(state_home).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Records a thread's loadout, and in the audit by what it came; both are on disk when this returns,
    /// or neither is.
    ///
    /// # Errors
    /// [`SelectionsError::Database`].
    pub async fn put_thread(
        &self,
        record: &ThreadRecord,
        event: AuditEvent,
        cause: &str,
    ) -> Result<(), SelectionsError> {
        if record.loadout.root.is_none() {
            self.note_rootless(&record.thread_id)?;
        }
        let mut write = self.database.write().await?;
        sqlx::query(
            "INSERT INTO threads (thread_id, root, recorded_at, format, record, lineage, inherited_from) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (thread_id) DO UPDATE SET root = excluded.root, recorded_at = excluded.recorded_at, format = excluded.format, record = excluded.record,
             lineage = excluded.lineage, inherited_from = excluded.inherited_from",
        )
        .bind(&record.thread_id)
        .bind(&record.loadout.root)
        .bind(record.loadout.recorded_at)
        .bind(FORMAT)
        .bind(encode(&record.thread_id, record)?)
        .bind(record.lineage.as_str())
        .bind(&record.inherited_from)
        .execute(&mut *write)
        .await?;
        add(&mut write, &Happening::to(record, event, cause)).await?;
        write.commit().await?;
        if record.loadout.root.is_some() {
            rootless::forget(&self.state_home, &record.thread_id);
        }
        Ok(())
    }

    /// Changes what is said in a thread's record, the loadout staying as it is; one that is not there is no
    /// error.
    ///
    /// # Errors
    /// [`SelectionsError`] if the record can't be read or written.
    pub async fn change_thread(
        &self,
        thread_id: &str,
        change: impl FnOnce(&mut ThreadRecord),
    ) -> Result<(), SelectionsError> {
        let Some(mut record) = self.thread(thread_id).await? else {
            return Ok(());
        };
        change(&mut record);
        let mut write = self.database.write().await?;
        sqlx::query("UPDATE threads SET record = $1 WHERE thread_id = $2")
            .bind(encode(thread_id, &record)?)
            .bind(thread_id)
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// A thread's record.
    ///
    /// # Errors
    /// [`SelectionsError`] if it can't be read.
    pub async fn thread(&self, thread_id: &str) -> Result<Option<ThreadRecord>, SelectionsError> {
        let row =
            sqlx::query("SELECT thread_id AS id, format, record FROM threads WHERE thread_id = $1")
                .bind(thread_id)
                .fetch_optional(self.database.reader())
                .await?;
        row.as_ref().map(decode).transpose()
    }

    /// Every thread's record that can be read, the newest first.
    ///
    /// # Errors
    /// [`SelectionsError::Database`].
    pub async fn threads(&self) -> Result<Vec<ThreadRecord>, SelectionsError> {
        let rows = sqlx::query("SELECT thread_id AS id, format, record FROM threads ORDER BY recorded_at DESC, thread_id DESC").fetch_all(self.database.reader()).await?;
        let readable = rows.iter().filter_map(|row| {
            decode(row)
                .map_err(|error| tracing::warn!(%error, "left out"))
                .ok()
        });
        Ok(readable.collect())
    }

    /// The threads that have this root.
    ///
    /// # Errors
    /// [`SelectionsError::Database`].
    pub async fn threads_of_root(&self, root: &str) -> Result<Vec<String>, SelectionsError> {
        let of_root = "SELECT thread_id FROM threads WHERE root = $1 ORDER BY thread_id";
        Ok(sqlx::query_scalar(of_root)
            .bind(root)
            .fetch_all(self.database.reader())
            .await?)
    }

    /// Removes the record of a thread that is gone; one that is not there is no error.
    ///
    /// # Errors
    /// [`SelectionsError::Database`].
    pub async fn delete_thread(&self, thread_id: &str) -> Result<(), SelectionsError> {
        let mut write = self.database.write().await?;
        delete(&mut write, thread_id).await?;
        write.commit().await?;
        rootless::forget(&self.state_home, thread_id);
        Ok(())
    }

    /// Removes the record of a thread that goes back to native, and says so in the audit.
    ///
    /// # Errors
    /// [`SelectionsError::Database`].
    pub async fn drop_loadout(&self, thread_id: &str, cause: &str) -> Result<(), SelectionsError> {
        let mut write = self.database.write().await?;
        delete(&mut write, thread_id).await?;
        let happening = Happening::new(AuditEvent::Update, cause).to_thread(thread_id);
        add(&mut write, &happening).await?;
        write.commit().await?;
        rootless::forget(&self.state_home, thread_id);
        Ok(())
    }
}

async fn delete(connection: &mut SqliteConnection, thread_id: &str) -> Result<(), SelectionsError> {
    sqlx::query("DELETE FROM threads WHERE thread_id = $1")
        .bind(thread_id)
        .execute(connection)
        .await?;
    Ok(())
}

fn encode<T: Serialize>(id: &str, record: &T) -> Result<String, SelectionsError> {
    serde_json::to_string(record).map_err(|error| SelectionsError::Unreadable {
        id: id.to_owned(),
        reason: error.to_string(),
    })
}

pub(super) fn decode<T: DeserializeOwned>(row: &SqliteRow) -> Result<T, SelectionsError> {
    let id: String = row.try_get("id")?;
    let unreadable = |reason: String| SelectionsError::Unreadable {
        id: id.clone(),
        reason,
    };
    match row.try_get("format")? {
        FORMAT => {}
        other => {
            return Err(unreadable(format!(
                "it has format {other}, this version reads {FORMAT}"
            )));
        }
    }
    let text: String = row.try_get("record")?;
    serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use codex_loadout_protocol::{ErrorKind, LoadoutError};

    use super::super::record::Lineage;
    use super::super::record::tests::loadout;
    use super::*;

    fn record(thread_id: &str, recorded_at: i64) -> ThreadRecord {
        let loadout = loadout(recorded_at);
        ThreadRecord {
            thread_id: thread_id.to_owned(),
            lineage: Lineage::Started,
            inherited_from: None,
            loadout,
        }
    }

    #[tokio::test]
    async fn records_are_kept_replaced_listed_and_removed() {
        let home = tempfile::tempdir().unwrap();
        assert!(Records::open_existing(home.path()).await.unwrap().is_none());
        let selections = Records::open(home.path()).await.unwrap();
        for (thread, at) in [("a", 1), ("b", 2)] {
            selections
                .put_thread(&record(thread, at), AuditEvent::Start, "test")
                .await
                .unwrap();
        }
        assert_eq!(selections.thread("a").await.unwrap(), Some(record("a", 1)));
        selections
            .put_thread(&record("a", 3), AuditEvent::Start, "test")
            .await
            .unwrap();
        let listed: Vec<String> = selections
            .threads()
            .await
            .unwrap()
            .into_iter()
            .map(|record| record.thread_id)
            .collect();
        assert_eq!(listed, ["a", "b"]);
        assert_eq!(
            selections.threads_of_root("root").await.unwrap(),
            ["a", "b"]
        );
        selections.begin_unloading("a").await.unwrap();
        selections.begin_unloading("a").await.unwrap();
        assert_eq!(selections.unloading().await.unwrap(), ["a"]);
        selections.end_unloading("a").await.unwrap();
        assert!(selections.unloading().await.unwrap().is_empty());
        selections.delete_thread("a").await.unwrap();
        selections.delete_thread("a").await.unwrap();
        assert_eq!(selections.thread("a").await.unwrap(), None);
    }

    #[tokio::test]
    async fn two_processes_may_write_at_once() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = tokio::join!(Records::open(home.path()), Records::open(home.path()));
        let stores = [one.unwrap(), two.unwrap()];
        let writes = stores.iter().enumerate().map(|(index, store)| async move {
            for number in 0..25 {
                store
                    .put_thread(
                        &record(&format!("{index}-{number}"), number),
                        AuditEvent::Start,
                        "test",
                    )
                    .await
                    .unwrap();
            }
        });
        let mut writes = writes.collect::<Vec<_>>().into_iter();
        tokio::join!(writes.next().unwrap(), writes.next().unwrap());
        assert_eq!(stores[0].threads().await.unwrap().len(), 50);
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_an_error_and_spoils_no_list() {
        let home = tempfile::tempdir().unwrap();
        let selections = Records::open(home.path()).await.unwrap();
        selections
            .put_thread(&record("good", 1), AuditEvent::Start, "test")
            .await
            .unwrap();
        for (thread, format, text) in [("broken", 1, "{"), ("newer", 2, "{}")] {
            let insert = "INSERT INTO threads (thread_id, recorded_at, format, record) VALUES ($1, 1, $2, $3)";
            let mut write = selections.database.write().await.unwrap();
            sqlx::query(insert)
                .bind(thread)
                .bind(format)
                .bind(text)
                .execute(&mut *write)
                .await
                .unwrap();
            write.commit().await.unwrap();
            let error = LoadoutError::from(selections.thread(thread).await.unwrap_err());
            assert_eq!(
                (error.kind, error.items[0].name.as_str()),
                (ErrorKind::LoadoutLost, thread)
            );
        }
        assert_eq!(selections.threads().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(
            home.path().join(FILE),
            "not a database, but long enough to look like one",
        )
        .unwrap();
        let error = Records::open(home.path()).await.unwrap_err();
        assert!(error.to_string().contains(FILE), "{error}");
    }

    #[tokio::test]
    async fn a_thread_with_a_loadout_and_no_root_is_known_without_the_database() {
        let home = tempfile::tempdir().unwrap();
        let selections = Records::open(home.path()).await.unwrap();
        let thread = uuid::Uuid::now_v7().to_string();
        let mut record = record(&thread, 1);
        for root in [None, Some("root".to_owned()), None] {
            record.loadout.root = root;
            let put = selections.put_thread(&record, AuditEvent::Start, "test");
            put.await.unwrap();
            let expected = record.loadout.root.is_none();
            assert_eq!(rootless::may_be(home.path(), &thread), expected);
        }
        // One that nobody noted is noted when the records are opened.
        rootless::forget(home.path(), &thread);
        assert!(!rootless::may_be(home.path(), &thread));
        let selections = Records::open(home.path()).await.unwrap();
        assert!(rootless::may_be(home.path(), &thread));
        selections.drop_loadout(&thread, "test").await.unwrap();
        assert!(!rootless::may_be(home.path(), &thread));
        assert!(rootless::may_be(home.path(), "../no-uuid"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_the_records() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        Records::open(&state).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join(FILE))), (0o700, 0o600));
    }
}
