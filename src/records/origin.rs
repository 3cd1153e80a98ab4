//! Which thread came out of which one, without reading any record.

use sqlx::Row;

use super::error::RecordsError;
use super::record::{Lineage, ThreadRecord};
use super::store::Records;
use super::threads::decode;

impl Records {
    /// What these threads spawned, and so on; the earlier ones first.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn spawned_by(&self, threads: &[String]) -> Result<Vec<String>, RecordsError> {
        let mut found = Vec::new();
        for thread in threads {
            let spawned: Vec<String> = sqlx::query_scalar(
                "WITH RECURSIVE family (thread_id) AS (
                    SELECT thread_id FROM threads WHERE inherited_from = $1 AND lineage <> $2
                    UNION
                    SELECT child.thread_id FROM threads AS child
                    JOIN family ON child.inherited_from = family.thread_id WHERE child.lineage <> $2
                 )
                 SELECT thread_id FROM family",
            )
            .bind(thread)
            .bind(Lineage::Forked.as_str())
            .fetch_all(self.database.reader())
            .await?;
            found.extend(spawned);
        }
        // Ids sort by time.
        found.sort();
        found.dedup();
        found.retain(|thread| !threads.contains(thread));
        Ok(found)
    }

    /// Threads that were recorded by a version that wrote their origin into the record alone.
    pub(super) async fn fill_in_origins(&self) -> Result<(), RecordsError> {
        let rows = sqlx::query(
            "SELECT thread_id AS id, format, record FROM threads WHERE lineage IS NULL",
        )
        .fetch_all(self.database.reader())
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut write = self.database.write().await?;
        for row in &rows {
            let record: ThreadRecord = match decode(row) {
                Ok(record) => record,
                Err(error) => {
                    let id: String = row.try_get("id")?;
                    tracing::warn!(%error, id, "where it came from is not known");
                    continue;
                }
            };
            sqlx::query("UPDATE threads SET lineage = $1, inherited_from = $2 WHERE thread_id = $3 AND lineage IS NULL")
                .bind(record.lineage.as_str())
                .bind(&record.inherited_from)
                .bind(&record.thread_id)
                .execute(&mut *write)
                .await?;
        }
        Ok(write.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use codex_loadout_protocol::audit::AuditEvent;

    use super::super::record::tests::loadout;
    use super::*;

    #[tokio::test]
    async fn what_was_spawned_is_found_however_deep_and_by_whatever_version_recorded() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        for (thread, lineage, from) in [
            ("p", Lineage::Started, None),
            ("p1", Lineage::Spawned, Some("p")),
            ("p2", Lineage::Recovered, Some("p1")),
            ("f", Lineage::Forked, Some("p")),
            ("f1", Lineage::Spawned, Some("f")),
            ("loop", Lineage::Spawned, Some("loop")),
        ] {
            let record = ThreadRecord {
                thread_id: thread.to_owned(),
                lineage,
                inherited_from: from.map(str::to_owned),
                loadout: loadout(1),
            };
            let put = records.put_thread(&record, AuditEvent::Start, "test");
            put.await.unwrap();
        }
        let all: [(&[&str], &[&str]); 4] = [
            (&["p"], &["p1", "p2"]),
            (&["p", "f"], &["f1", "p1", "p2"]),
            (&["loop"], &[]),
            (&["none"], &[]),
        ];
        let check = async |records: &Records| {
            for (threads, spawned) in all {
                let threads: Vec<String> = threads.iter().map(|&id| id.to_owned()).collect();
                let found = records.spawned_by(&threads).await.unwrap();
                assert_eq!(found, spawned, "{threads:?}");
            }
        };
        check(&records).await;
        // As an earlier version left them, and one that nobody can read.
        let mut write = records.database.write().await.unwrap();
        for earlier in [
            "UPDATE threads SET lineage = NULL, inherited_from = NULL",
            "INSERT INTO threads (thread_id, recorded_at, format, record) VALUES ('newer', 1, 2, '{}')",
        ] {
            let done = sqlx::query(earlier).execute(&mut *write).await;
            done.unwrap();
        }
        write.commit().await.unwrap();
        check(&Records::open(home.path()).await.unwrap()).await;
    }
}
