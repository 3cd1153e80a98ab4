//! What records still need of what lies beside them, and what of themselves is old.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sqlx::Row;

use super::error::RecordsError;
use super::store::Records;
use super::threads::decode;
use crate::bundle::Digest;

/// Records that are read at once.
const AT_ONCE: i64 = 50;
/// Rows of the audit that are removed in one transaction.
const ROWS_AT_ONCE: i64 = 5_000;

/// Rows of the audit that are older than this moment ($1), but for the newest of each thread that is recorded.
const OLD_ROWS: &str = "SELECT id FROM audit WHERE at < $1 AND id NOT IN (
    SELECT MAX(audit.id) FROM audit JOIN threads ON threads.thread_id = audit.thread_id GROUP BY audit.thread_id
)";

/// What lies beside the records and is theirs.
#[derive(Debug, Default)]
pub struct NeededByRecords {
    /// Their roots.
    pub roots: HashSet<String>,
    /// The trees of their snapshots.
    pub trees: HashSet<Digest>,
    /// The homes of Codex that they are of.
    pub codex_homes: HashSet<PathBuf>,
    /// The threads.
    pub threads: HashSet<String>,
}

/// A fork that was begun: it is to have a root of its own.
#[derive(Debug, sqlx::FromRow)]
pub struct BegunFork {
    /// The root.
    pub root: String,
    /// The thread it is a fork of.
    pub source: String,
    /// When: a UUID v7.
    pub mark: String,
}

/// That part of a record which says what it needs.
#[derive(Debug, Deserialize)]
struct Needs {
    loadout: LoadoutNeeds,
}

/// The same of a loadout without a thread.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadoutNeeds {
    plan: PlanNeeds,
    /// The home of Codex that it is of.
    pub codex_home: PathBuf,
}

#[derive(Debug, Deserialize)]
struct PlanNeeds {
    bundles: Vec<BundleNeeds>,
}

#[derive(Debug, Deserialize)]
struct BundleNeeds {
    stored: bool,
    digest: Option<Digest>,
    source: PathBuf,
}

impl NeededByRecords {
    /// This loadout is needed, too.
    pub fn add(&mut self, loadout: LoadoutNeeds) {
        for bundle in loadout.plan.bundles.iter().filter(|bundle| bundle.stored) {
            self.trees.extend(bundle.digest);
            self.trees.extend(content_at(&bundle.source));
        }
        self.codex_homes.insert(loadout.codex_home);
    }
}

/// The content of a bundle that was added here, if a snapshot is of one: it lies in the store, and the snapshot can be
/// made of it again.
fn content_at(source: &Path) -> Option<Digest> {
    Digest::from_hex(source.file_name()?.to_str()?).ok()
}

impl Records {
    /// What all records need.
    ///
    /// # Errors
    /// [`RecordsError`], also for a single record that can't be read: what it needs is not known.
    pub async fn needed(&self) -> Result<NeededByRecords, RecordsError> {
        let mut needed = NeededByRecords::default();
        let roots: Vec<String> =
            sqlx::query_scalar("SELECT root FROM threads WHERE root IS NOT NULL")
                .fetch_all(self.database.reader())
                .await?;
        needed.roots.extend(roots);
        let mut last = String::new();
        // A few at a time: others read meanwhile.
        loop {
            let rows = sqlx::query("SELECT thread_id AS id, format, record FROM threads WHERE thread_id > $1 ORDER BY thread_id LIMIT $2")
                .bind(&last)
                .bind(AT_ONCE)
                .fetch_all(self.database.reader())
                .await?;
            let Some(newest) = rows.last() else {
                return Ok(needed);
            };
            last = newest.try_get("id")?;
            let read = tokio::task::spawn_blocking(move || {
                let read = rows.iter().map(|row| {
                    let needs: Needs = decode(row)?;
                    Ok((row.try_get("id")?, needs.loadout))
                });
                read.collect::<Result<Vec<(String, LoadoutNeeds)>, RecordsError>>()
            });
            let read = read.await.map_err(|error| RecordsError::Unreadable {
                id: last.clone(),
                reason: error.to_string(),
            })?;
            for (thread, loadout) in read? {
                needed.threads.insert(thread);
                needed.add(loadout);
            }
        }
    }

    /// The forks that were begun, and of which nobody has said that they are there.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn begun_forks(&self) -> Result<Vec<BegunFork>, RecordsError> {
        let begun = sqlx::query_as("SELECT root, source, mark FROM forking ORDER BY mark");
        Ok(begun.fetch_all(self.database.reader()).await?)
    }

    /// How many rows of the audit are older than a moment, in Unix seconds; the newest of a recorded thread never
    /// is.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn old_audit_rows(&self, moment: i64) -> Result<u64, RecordsError> {
        let count: i64 = sqlx::query_scalar(&format!("SELECT COUNT(*) FROM ({OLD_ROWS}) AS old"))
            .bind(moment)
            .fetch_one(self.database.reader())
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Removes them; tells how many.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn remove_old_audit_rows(&self, moment: i64) -> Result<u64, RecordsError> {
        let delete = format!("DELETE FROM audit WHERE id IN ({OLD_ROWS} LIMIT $2)");
        let mut all = 0;
        loop {
            let mut write = self.database.write().await?;
            let removed = sqlx::query(&delete)
                .bind(moment)
                .bind(ROWS_AT_ONCE)
                .execute(&mut *write)
                .await?;
            write.commit().await?;
            all += removed.rows_affected();
            if removed.rows_affected() == 0 {
                return Ok(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use codex_loadout_protocol::audit::{AuditEvent, CapabilityAuditListParams};

    use super::super::Happening;
    use super::super::record::tests::loadout;
    use super::super::record::{Lineage, ThreadRecord};
    use super::*;

    fn record(thread: &str) -> ThreadRecord {
        ThreadRecord {
            thread_id: thread.to_owned(),
            lineage: Lineage::Started,
            inherited_from: None,
            loadout: loadout(1),
        }
    }

    #[tokio::test]
    async fn old_rows_go_and_the_newest_of_a_recorded_thread_stays() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let start = AuditEvent::Start;
        for thread in ["kept", "gone"] {
            let record = record(thread);
            let put = records.put_thread(&record, start, thread);
            put.await.unwrap();
            let resume = Happening::new(AuditEvent::Resume, format!("{thread} again"));
            records.note(&resume.to_thread(thread)).await.unwrap();
        }
        let refusal = Happening::new(AuditEvent::Refusal, "of nobody");
        records.note(&refusal).await.unwrap();
        records.delete_thread("gone").await.unwrap();
        assert_eq!(records.remove_old_audit_rows(1000).await.unwrap(), 0);
        let far = i64::MAX;
        assert_eq!(records.old_audit_rows(far).await.unwrap(), 4);
        assert_eq!(records.remove_old_audit_rows(far).await.unwrap(), 4);
        let all = CapabilityAuditListParams::default();
        let left = records.audit(&all).await.unwrap().data;
        let causes: Vec<&str> = left.iter().map(|entry| entry.cause.as_str()).collect();
        assert_eq!(causes, ["kept again"]);
    }

    #[tokio::test]
    async fn what_records_need_is_read_as_it_is_written() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let digest = Digest::of_parts([]);
        let mut record = record("t");
        let bundle = serde_json::json!({ "stored": true, "mount": "m", "source": "/s", "digest": digest,
            "content": { "type": "skill", "namespace": null } });
        let bundle: crate::resolver::Bundle = serde_json::from_value(bundle).unwrap();
        let mut not_stored = bundle.clone();
        not_stored.stored = false;
        not_stored.digest = Some(Digest::of_parts([b"x".as_slice()]));
        record.loadout.plan.bundles = vec![bundle, not_stored];
        let put = records.put_thread(&record, AuditEvent::Start, "test");
        put.await.unwrap();
        let needed = records.needed().await.unwrap();
        assert_eq!(needed.roots, ["root".to_owned()].into());
        assert_eq!(needed.trees, [digest].into());
        assert_eq!(needed.codex_homes, [PathBuf::from("/home/.codex")].into());
        // Of one that can't be read, nothing is known.
        let mut write = records.database.write().await.unwrap();
        let newer = "UPDATE threads SET format = 2";
        let done = sqlx::query(newer).execute(&mut *write).await;
        done.unwrap();
        write.commit().await.unwrap();
        assert!(records.needed().await.is_err());
    }
}
