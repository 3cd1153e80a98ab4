//! The audit: rows are added, in the transaction of the record they are about where there is one.

use codex_loadout_protocol::audit::{AuditEntry, AuditEvent, CapabilityAuditListParams, MAX_LIMIT};
use codex_loadout_protocol::error::shortened;
use codex_loadout_protocol::method::Page;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::error::RecordsError;
use super::record::ThreadRecord;
use super::store::Records;
use crate::metrics::HappeningCounts;

/// Entries of a page where the host says nothing.
const LIMIT: u32 = 100;

/// Bytes of a cause, at most: what is longer, a host has sent.
const CAUSE: usize = 2048;
/// Bytes of a thread's id, at most: Codex's are of 36.
const THREAD: usize = 128;

/// Something that happened, to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    event: AuditEvent,
    thread: Option<String>,
    digest: Option<String>,
    cause: String,
    error: Option<ErrorKind>,
}

impl Happening {
    /// Something that happened to no thread in particular.
    #[must_use]
    pub fn new(event: AuditEvent, cause: impl Into<String>) -> Self {
        Self {
            event,
            thread: None,
            digest: None,
            cause: shortened(cause.into(), CAUSE),
            error: None,
        }
    }

    /// It happened to this thread.
    #[must_use]
    pub fn to_thread(mut self, thread: impl Into<String>) -> Self {
        self.thread = Some(shortened(thread.into(), THREAD));
        self
    }

    /// It is about a loadout with this digest.
    #[must_use]
    pub fn with_digest(mut self, digest: impl Into<String>) -> Self {
        self.digest = Some(digest.into());
        self
    }

    /// It happened to a recorded thread.
    #[must_use]
    pub fn to(record: &ThreadRecord, event: AuditEvent, cause: impl Into<String>) -> Self {
        Self::new(event, cause)
            .to_thread(&record.thread_id)
            .with_digest(&record.loadout.receipt.digest)
    }

    /// Counts it.
    pub(crate) fn count(&self, counts: &HappeningCounts) {
        counts.happened(self.event, self.error);
    }

    /// A request with this method was refused by us.
    #[must_use]
    pub fn refusal(method: &str, error: &LoadoutError) -> Self {
        let event = match error.kind {
            ErrorKind::Tampered => AuditEvent::Tampered,
            _ => AuditEvent::Refusal,
        };
        Self {
            error: Some(error.kind),
            ..Self::new(event, format!("{method}: {}", own_words(&error.message)))
        }
    }
}

/// What we say ourselves. What Codex, a parser or the system said stands behind a colon in our
/// messages, and may quote anything: a line of a config with a token in it.
fn own_words(message: &str) -> &str {
    message.split(": ").next().unwrap_or_default()
}

impl Records {
    /// Writes down what happened where there is no record to write with it.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn note(&self, happening: &Happening) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        add(&mut write, happening).await?;
        Ok(write.commit().await?)
    }

    /// A page of the audit, the oldest first.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn audit(
        &self,
        wanted: &CapabilityAuditListParams,
    ) -> Result<Page<AuditEntry>, RecordsError> {
        let limit = wanted.limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT);
        let rows = sqlx::query(
            "SELECT id, at, event, thread_id, digest, cause, error FROM audit
             WHERE id > $1 AND at >= $2 AND (CAST($3 AS TEXT) IS NULL OR thread_id = $3)
             ORDER BY id LIMIT $4",
        )
        .bind(wanted.cursor.as_deref().unwrap_or_default())
        .bind(wanted.since.unwrap_or(i64::MIN))
        .bind(&wanted.thread_id)
        // One more, to see whether there is one.
        .bind(i64::from(limit) + 1)
        .fetch_all(self.database.reader())
        .await?;
        let page = &rows[..rows.len().min(limit as usize)];
        let next_cursor = match page.last() {
            Some(last) if page.len() < rows.len() => Some(last.try_get("id")?),
            _ => None,
        };
        let readable = page.iter().filter_map(|row| {
            entry(row)
                .map_err(|error| tracing::warn!(%error, "an entry of the audit is left out"))
                .ok()
        });
        Ok(Page {
            data: readable.collect(),
            next_cursor,
        })
    }
}

/// Adds a row, in the transaction of what it is about.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    happening: &Happening,
) -> Result<(), RecordsError> {
    let id = Uuid::now_v7();
    let seconds = id.get_timestamp().map_or(0, |time| time.to_unix().0);
    sqlx::query(
        "INSERT INTO audit (id, at, event, thread_id, digest, cause, error) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id.to_string())
    .bind(i64::try_from(seconds).unwrap_or(i64::MAX))
    .bind(word(&happening.event))
    .bind(&happening.thread)
    .bind(&happening.digest)
    .bind(&happening.cause)
    .bind(happening.error.map(ErrorKind::as_str))
    .execute(connection)
    .await?;
    Ok(())
}

fn entry(row: &SqliteRow) -> Result<AuditEntry, RecordsError> {
    let id: String = row.try_get("id")?;
    let error: Option<String> = row.try_get("error")?;
    Ok(AuditEntry {
        at: row.try_get("at")?,
        event: read_word(&id, row.try_get("event")?)?,
        thread_id: row.try_get("thread_id")?,
        digest: row.try_get("digest")?,
        cause: row.try_get("cause")?,
        error: error.map(|error| read_word(&id, error)).transpose()?,
        id,
    })
}

/// The word that stands for a value on the wire.
fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn read_word<T: DeserializeOwned>(id: &str, word: String) -> Result<T, RecordsError> {
    serde_json::from_value(word.into()).map_err(|error| RecordsError::Unreadable {
        id: id.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(since: Option<i64>, thread: Option<&str>, limit: u32) -> CapabilityAuditListParams {
        CapabilityAuditListParams {
            since,
            thread_id: thread.map(str::to_owned),
            cursor: None,
            limit: Some(limit),
        }
    }

    #[tokio::test]
    async fn pages_follow_one_another_and_filters_count() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        for number in 0..5 {
            let happening = Happening::new(AuditEvent::Rebind, number.to_string())
                .to_thread(if number % 2 == 0 { "even" } else { "odd" });
            records.note(&happening).await.unwrap();
        }
        let causes = |page: &Page<AuditEntry>| -> String {
            page.data.iter().map(|entry| entry.cause.as_str()).collect()
        };
        let first = records.audit(&wanted(None, None, 3)).await.unwrap();
        assert_eq!(causes(&first), "012");
        let mut rest = wanted(None, None, 2);
        rest.cursor = first.next_cursor;
        let rest = records.audit(&rest).await.unwrap();
        assert_eq!((causes(&rest).as_str(), rest.next_cursor), ("34", None));
        let even = records.audit(&wanted(None, Some("even"), 9)).await.unwrap();
        assert_eq!(causes(&even), "024");
        let at = first.data[0].at;
        for (since, found) in [(at, 5), (at + 3600, 0)] {
            let page = records.audit(&wanted(Some(since), None, 9)).await.unwrap();
            assert_eq!(page.data.len(), found, "{since}");
        }
        // An entry of a kind that only a newer version knows spoils no page.
        let mut write = records.database.write().await.unwrap();
        sqlx::query("UPDATE audit SET event = 'newer' WHERE cause = '1'")
            .execute(&mut *write)
            .await
            .unwrap();
        write.commit().await.unwrap();
        let page = records.audit(&wanted(None, None, 9)).await.unwrap();
        assert_eq!(causes(&page), "0234");
    }

    #[tokio::test]
    async fn what_a_host_sent_makes_no_large_row() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let long = "x".repeat(1_000_000);
        let error = LoadoutError::new(ErrorKind::UnknownCapability, format!("no {long}"));
        let refusal = Happening::refusal(&long, &error).to_thread(&long);
        records.note(&refusal).await.unwrap();
        let page = records.audit(&wanted(None, None, 9)).await.unwrap();
        let row = serde_json::to_string(&page.data[0]).unwrap();
        assert!(row.len() < 3000, "{}", row.len());
    }

    #[test]
    fn a_refusal_is_told_in_our_own_words() {
        let told = |kind, message: &str| {
            let error = LoadoutError::new(kind, message);
            let happening = Happening::refusal("thread/start", &error);
            (happening.event, happening.cause)
        };
        assert_eq!(
            told(ErrorKind::UnknownCapability, "there is no skill `no-such`"),
            (
                AuditEvent::Refusal,
                "thread/start: there is no skill `no-such`".to_owned()
            )
        );
        assert_eq!(
            told(ErrorKind::Tampered, "the snapshot of `/a` was changed").0,
            AuditEvent::Tampered
        );
        assert_eq!(
            told(
                ErrorKind::UnsupportedUpstream,
                "Codex refused `thread/start`: config.toml: token = \"s3cret\""
            )
            .1,
            "thread/start: Codex refused `thread/start`"
        );
    }
}
