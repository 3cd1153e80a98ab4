//! The rows of threads: which has which loadout.

use codex_loadout_protocol::audit::AuditEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};

use super::audit::{Happening, is_not_the_newest, next_id};
use super::error::RecordsError;
use super::record::ThreadRecord;
use super::rootless;
use super::store::Records;

/// The shape of the JSON in `record`.
const FORMAT: i64 = 1;

impl Records {
    /// Records a thread's loadout, and in the audit by what it came; both are on disk when this returns,
    /// or neither is.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn put_thread(
        &self,
        record: &ThreadRecord,
        event: AuditEvent,
        cause: &str,
    ) -> Result<(), RecordsError> {
        if record.loadout.root.is_none() {
            self.note_rootless(&record.thread_id)?;
        }
        let happening = Happening::to(record, event, cause);
        let text = encode(&record.thread_id, record)?;
        let written = self.database.write_at_once(|statements| {
            push_record(record, &text, &happening, None, statements);
        });
        match written.await {
            // Another process has written meanwhile, or the clock goes backwards.
            Err(error) if is_not_the_newest(&error) => {
                let write = self.database.write().await?;
                let mut statements = QueryBuilder::new("");
                let newest = write.newest_entry();
                push_record(record, &text, &happening, newest, &mut statements);
                write.commit_after(statements).await?;
            }
            written => written?,
        }
        self.counts.happened(event, None);
        if record.loadout.root.is_some() {
            rootless::forget(self.state_home(), &record.thread_id);
        }
        Ok(())
    }

    /// Changes what is said in a thread's record, the loadout staying as it is; one that is not there is no
    /// error.
    ///
    /// # Errors
    /// [`RecordsError`] if the record can't be read or written.
    pub async fn change_thread(
        &self,
        thread_id: &str,
        change: impl FnOnce(&mut ThreadRecord),
    ) -> Result<(), RecordsError> {
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
    /// [`RecordsError`] if it can't be read.
    pub async fn thread(&self, thread_id: &str) -> Result<Option<ThreadRecord>, RecordsError> {
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
    /// [`RecordsError::Database`].
    pub async fn threads(&self) -> Result<Vec<ThreadRecord>, RecordsError> {
        let rows = sqlx::query("SELECT thread_id AS id, format, record FROM threads ORDER BY recorded_at DESC, thread_id DESC").fetch_all(self.database.reader()).await?;
        let readable = rows.iter().filter_map(|row| {
            decode(row)
                .map_err(|error| tracing::warn!(%error, "left out"))
                .ok()
        });
        Ok(readable.collect())
    }

    /// How many threads have a record.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn thread_count(&self) -> Result<u64, RecordsError> {
        let counted = sqlx::query_scalar("SELECT COUNT(*) FROM threads");
        let count: i64 = counted.fetch_one(self.database.reader()).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// The threads that have this root.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn threads_of_root(&self, root: &str) -> Result<Vec<String>, RecordsError> {
        let of_root = "SELECT thread_id FROM threads WHERE root = $1 ORDER BY thread_id";
        Ok(sqlx::query_scalar(of_root)
            .bind(root)
            .fetch_all(self.database.reader())
            .await?)
    }

    /// Removes the record of a thread that is gone; one that is not there is no error.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn delete_thread(&self, thread_id: &str) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        delete(&mut write, thread_id).await?;
        write.commit().await?;
        rootless::forget(self.state_home(), thread_id);
        Ok(())
    }

    /// Removes the record of a thread that goes back to native, and says so in the audit.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn drop_loadout(&self, thread_id: &str, cause: &str) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        delete(&mut write, thread_id).await?;
        let happening = Happening::new(AuditEvent::Update, cause).to_thread(thread_id);
        write.commit_noting(&happening).await?;
        happening.count(&self.counts);
        rootless::forget(self.state_home(), thread_id);
        Ok(())
    }
}

/// The statements that record a thread, replacing what is there, and write down what has happened to it. `text` is its
/// record, `newest` what the audit ends with, where that is known.
fn push_record<'a>(
    record: &'a ThreadRecord,
    text: &'a str,
    happening: &'a Happening,
    newest: Option<&str>,
    statements: &mut QueryBuilder<'a, Sqlite>,
) {
    statements.push("INSERT INTO threads (thread_id, root, recorded_at, format, record, lineage, inherited_from) VALUES (");
    let mut values = statements.separated(", ");
    values
        .push_bind(&record.thread_id)
        .push_bind(&record.loadout.root)
        .push_bind(record.loadout.recorded_at)
        .push_bind(FORMAT)
        .push_bind(text)
        .push_bind(record.lineage.as_str())
        .push_bind(&record.inherited_from);
    statements.push(
        ") ON CONFLICT (thread_id) DO UPDATE SET root = excluded.root, recorded_at = excluded.recorded_at, format = excluded.format, record = excluded.record,
         lineage = excluded.lineage, inherited_from = excluded.inherited_from; ",
    );
    happening.push_rows(next_id(newest), statements);
}

async fn delete(connection: &mut SqliteConnection, thread_id: &str) -> Result<(), RecordsError> {
    sqlx::query("DELETE FROM threads WHERE thread_id = $1")
        .bind(thread_id)
        .execute(connection)
        .await?;
    Ok(())
}

fn encode<T: Serialize>(id: &str, record: &T) -> Result<String, RecordsError> {
    serde_json::to_string(record).map_err(|error| RecordsError::Unreadable {
        id: id.to_owned(),
        reason: error.to_string(),
    })
}

pub(super) fn decode<T: DeserializeOwned>(row: &SqliteRow) -> Result<T, RecordsError> {
    let id: String = row.try_get("id")?;
    let unreadable = |reason: String| RecordsError::Unreadable {
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
