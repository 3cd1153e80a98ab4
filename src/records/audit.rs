//! The audit: rows are added, in the transaction of the record they are about where there is one.

use std::collections::HashMap;

use codex_loadout_protocol::audit::{AuditEntry, AuditEvent, CapabilityAuditListParams};
use codex_loadout_protocol::error::shortened;
use codex_loadout_protocol::method::{MAX_LIMIT, Page};
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};
use uuid::Uuid;

use super::actor::actor;
use super::database::Write;
use super::error::RecordsError;
use super::record::ThreadRecord;
use super::store::Records;
use crate::metrics::HappeningCounts;

/// Entries of a page where the host says nothing.
const LIMIT: u32 = 100;

/// Rows that one statement adds, at most: a database takes so many values (32,766 in SQLite).
const ROWS_AT_ONCE: usize = 1000;
/// Bytes of a cause, at most: what is longer, a host has sent.
const CAUSE: usize = 2048;
/// Bytes of a thread's id, at most: Codex's are of 36.
const THREAD: usize = 128;
/// Bytes of a host's name, at most.
const ACTOR: usize = 128;

/// Something that happened, to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    event: AuditEvent,
    thread: Option<String>,
    digest: Option<String>,
    cause: String,
    error: Option<ErrorKind>,
    plugins: Vec<String>,
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
            plugins: Vec::new(),
        }
    }

    /// It is about a plugin or bundle with this id.
    #[must_use]
    pub fn about_plugin(mut self, id: impl Into<String>) -> Self {
        self.plugins.push(id.into());
        self
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
        let receipt = &record.loadout.receipt;
        let plugins = receipt.plugins.iter().map(|plugin| plugin.id.clone());
        Self {
            plugins: plugins.collect(),
            ..Self::new(event, cause)
                .to_thread(&record.thread_id)
                .with_digest(&receipt.digest)
        }
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
        let write = self.database.write().await?;
        Ok(write.commit_noting(happening).await?)
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
            "SELECT id, at, event, thread_id, digest, cause, error, actor FROM audit
             WHERE id > $1 AND at >= $2 AND at < $3
             AND (CAST($4 AS TEXT) IS NULL OR thread_id = $4)
             AND (CAST($5 AS TEXT) IS NULL OR event = $5)
             AND (CAST($6 AS TEXT) IS NULL OR actor = $6)
             AND (CAST($7 AS TEXT) IS NULL OR id IN (SELECT audit_id FROM audit_plugins WHERE plugin = $7 OR name = $7))
             ORDER BY id LIMIT $8",
        )
        .bind(wanted.cursor.as_deref().unwrap_or_default())
        .bind(wanted.since.unwrap_or(i64::MIN))
        .bind(wanted.until.unwrap_or(i64::MAX))
        .bind(&wanted.thread_id)
        .bind(wanted.event.map(AuditEvent::as_str))
        .bind(&wanted.actor)
        .bind(&wanted.plugin)
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
        let mut data: Vec<AuditEntry> = readable.collect();
        self.name_plugins(&mut data).await?;
        Ok(Page { data, next_cursor })
    }

    /// The newest entry of the audit: what happens from now on sorts behind it.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn newest_audit_id(&self) -> Result<Option<String>, RecordsError> {
        let newest = sqlx::query_scalar("SELECT MAX(id) FROM audit");
        Ok(newest.fetch_one(self.database.reader()).await?)
    }

    /// Says of entries which plugins they are about.
    async fn name_plugins(&self, entries: &mut [AuditEntry]) -> Result<(), RecordsError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        let rows = sqlx::query(
            "SELECT audit_id, plugin FROM audit_plugins WHERE audit_id >= $1 AND audit_id <= $2 ORDER BY plugin",
        )
        .bind(&first.id)
        .bind(&last.id)
        .fetch_all(self.database.reader())
        .await?;
        let mut plugins = HashMap::<String, Vec<String>>::new();
        for row in rows {
            let plugin = row.try_get("plugin")?;
            plugins
                .entry(row.try_get("audit_id")?)
                .or_default()
                .push(plugin);
        }
        for entry in entries {
            entry.plugins = plugins.remove(&entry.id).unwrap_or_default();
        }
        Ok(())
    }
}

impl Write {
    /// Commits, and writes down what has happened with it.
    pub(super) async fn commit_noting(self, happening: &Happening) -> Result<(), sqlx::Error> {
        let mut statements = QueryBuilder::new("");
        happening.push_rows(next_id(self.newest_entry()), &mut statements);
        self.commit_after(statements).await
    }
}

impl Happening {
    /// The statements that write it down with this id, for the transaction of what it is about. They fail where the
    /// audit has a later one ([`is_not_the_newest`]).
    pub(super) fn push_rows<'a>(&'a self, id: String, statements: &mut QueryBuilder<'a, Sqlite>) {
        let seconds = Uuid::now_v7().get_timestamp();
        let seconds = seconds.map_or(0, |time| time.to_unix().0);
        statements.push(
            "INSERT INTO audit (id, at, event, thread_id, digest, cause, error, actor) VALUES ((SELECT CAST(",
        );
        statements.push_bind(id.clone());
        statements.push(" AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM audit WHERE id >= ");
        statements.push_bind(id.clone()).push(")), ");
        let mut values = statements.separated(", ");
        values
            .push_bind(i64::try_from(seconds).unwrap_or(i64::MAX))
            .push_bind(self.event.as_str())
            .push_bind(&self.thread)
            .push_bind(&self.digest)
            .push_bind(&self.cause)
            .push_bind(self.error.map(ErrorKind::as_str))
            .push_bind(actor().map(|actor| shortened(actor.to_string(), ACTOR)));
        statements.push("); ");
        for plugins in self.plugins.chunks(ROWS_AT_ONCE) {
            statements.push("INSERT INTO audit_plugins (audit_id, plugin, name) ");
            statements.push_values(plugins, |mut row, plugin| {
                row.push_bind(id.clone())
                    .push_bind(plugin)
                    .push_bind(plugin.split('@').next());
            });
            statements.push(" ON CONFLICT DO NOTHING; ");
        }
    }
}

/// Whether an entry could not be written because one with a later id is there.
pub(super) fn is_not_the_newest(error: &sqlx::Error) -> bool {
    let of_database = error.as_database_error();
    of_database.is_some_and(|it| it.kind() == sqlx::error::ErrorKind::NotNullViolation)
}

/// An id behind the newest that there is, whatever the clock says and however many processes write: who has read up to
/// an entry misses none that is written later.
pub(super) fn next_id(newest: Option<&str>) -> String {
    let newest = newest.and_then(|id| Uuid::parse_str(id).ok());
    let now = Uuid::now_v7();
    let next = match newest {
        Some(newest) if newest >= now => Uuid::from_u128(newest.as_u128().saturating_add(1)),
        _ => now,
    };
    next.to_string()
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
        actor: row.try_get("actor")?,
        plugins: Vec::new(),
        id,
    })
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
    use crate::records::asked_by;
    use crate::records::record::Lineage;
    use crate::records::record::tests::loadout;

    fn wanted(since: Option<i64>, thread: Option<&str>, limit: u32) -> CapabilityAuditListParams {
        CapabilityAuditListParams {
            since,
            thread_id: thread.map(str::to_owned),
            limit: Some(limit),
            ..CapabilityAuditListParams::default()
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
    async fn an_entry_says_who_asked_and_what_it_is_about_and_is_found_by_each() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let bundle = |event, cause: &str, id: &str| Happening::new(event, cause).about_plugin(id);
        let by = async |actor: &str, happening: &Happening| {
            asked_by(Some(actor.into()), records.note(happening))
                .await
                .unwrap();
        };
        by("cli", &bundle(AuditEvent::BundleAdd, "a", "github@team")).await;
        by(
            "host",
            &bundle(AuditEvent::BundleUpdate, "b", "github@team"),
        )
        .await;
        by("host", &bundle(AuditEvent::BundleAdd, "c", "git@hub")).await;
        let both = bundle(AuditEvent::BundleAdd, "d", "x@y").about_plugin("github@other");
        records.note(&both.about_plugin("x@y")).await.unwrap();
        let entries = records.audit(&wanted(None, None, 9)).await.unwrap().data;
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.actor.as_deref(), entry.plugins.join(" ")))
            .collect();
        let github = "github@team".to_owned();
        assert_eq!(
            told,
            [
                (Some("cli"), github.clone()),
                (Some("host"), github),
                (Some("host"), "git@hub".to_owned()),
                (None, "github@other x@y".to_owned()),
            ]
        );
        let everything = || wanted(None, None, 9);
        let at = entries[0].at;
        for (wanted, found) in [
            (
                CapabilityAuditListParams {
                    actor: Some("host".into()),
                    ..everything()
                },
                "bc",
            ),
            (
                CapabilityAuditListParams {
                    actor: Some("nobody".into()),
                    ..everything()
                },
                "",
            ),
            (
                CapabilityAuditListParams {
                    event: Some(AuditEvent::BundleAdd),
                    ..everything()
                },
                "acd",
            ),
            (
                CapabilityAuditListParams {
                    plugin: Some("github@team".into()),
                    ..everything()
                },
                "ab",
            ),
            (
                CapabilityAuditListParams {
                    plugin: Some("github".into()),
                    ..everything()
                },
                "abd",
            ),
            (
                CapabilityAuditListParams {
                    plugin: Some("git".into()),
                    ..everything()
                },
                "c",
            ),
            (
                CapabilityAuditListParams {
                    plugin: Some("%".into()),
                    ..everything()
                },
                "",
            ),
            (
                CapabilityAuditListParams {
                    until: Some(at),
                    ..everything()
                },
                "",
            ),
            (
                CapabilityAuditListParams {
                    until: Some(at + 3600),
                    ..everything()
                },
                "abcd",
            ),
        ] {
            let page = records.audit(&wanted).await.unwrap();
            let causes: String = page.data.iter().map(|entry| entry.cause.as_str()).collect();
            assert_eq!(causes, found, "{wanted:?}");
        }
        // What it is about goes with an entry.
        assert_eq!(records.remove_old_audit_rows(at + 3600).await.unwrap(), 4);
        let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit_plugins")
            .fetch_one(records.database.reader())
            .await
            .unwrap();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn a_later_entry_sorts_behind_all_others_whatever_the_clock_says() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let note = async |cause: &str| {
            let happening = Happening::new(AuditEvent::Rebind, cause);
            records.note(&happening).await.unwrap();
        };
        note("a").await;
        // As a process would have written it whose clock is ahead.
        let ahead = "ffffffff-ffff-7fff-bfff-000000000000";
        let mut write = records.database.write().await.unwrap();
        sqlx::query("UPDATE audit SET id = $1")
            .bind(ahead)
            .execute(&mut *write)
            .await
            .unwrap();
        write.commit().await.unwrap();
        assert_eq!(
            records.newest_audit_id().await.unwrap().as_deref(),
            Some(ahead)
        );
        note("b").await;
        note("c").await;
        let record = ThreadRecord {
            thread_id: "t".to_owned(),
            lineage: Lineage::Started,
            inherited_from: None,
            loadout: loadout(1),
        };
        let put = records.put_thread(&record, AuditEvent::Start, "d");
        put.await.unwrap();
        let mut wanted = wanted(None, None, 9);
        wanted.cursor = Some(ahead.to_owned());
        let page = records.audit(&wanted).await.unwrap();
        let causes: String = page.data.iter().map(|entry| entry.cause.as_str()).collect();
        assert_eq!(causes, "bcd");
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
