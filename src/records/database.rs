//! The database file: one connection that writes, one that only reads.
//!
//! Every write is a [`Write`]: what it commits is on disk, and what it does not commit, for whatever reason,
//! takes its connection along. A statement or commit that fails (a full disk, an I/O error) may have ended
//! the transaction or may have left it open, and who counts transactions counts on wrongly from there: what
//! comes after on that connection is acknowledged and never committed, and other processes are locked out.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{QueryBuilder, Sqlite};

/// How long another process may hold the database.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// In WAL, what is committed with NORMAL survives the end of any process, at any moment. What a loss
/// of power may take is found again: Codex's session file names the thread's root, and what that was
/// made for lies beside it. Measured: a commit takes a tenth of the time that it takes with FULL.
const SYNCHRONOUS: SqliteSynchronous = SqliteSynchronous::Normal;

/// Whoever writes has the database from here on: what is read in between stays true, and nobody waits who has read
/// something already. What the audit ends with is read along, as nearly all who write add to it.
const BEGIN: &str = "BEGIN IMMEDIATE; SELECT MAX(id) FROM audit";

static MIGRATIONS: Migrator = sqlx::migrate!("src/records/migrations");

/// The open database.
#[derive(Debug)]
pub(super) struct Database {
    writer: SqlitePool,
    /// Open as long as the writer is, so that a writer that is made anew finds the files that the
    /// connections share: on a full disk they could not be made, and nothing could be read.
    reader: SqlitePool,
}

impl Database {
    /// Opens a database file that is there, and brings it up to date.
    pub(super) async fn open(file: &Path) -> Result<Self, MigrateError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SYNCHRONOUS)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            // 256 KiB: records are read one at a time.
            .pragma("cache_size", "-256");
        let writer = connect(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let reader = connect(options.pragma("query_only", "ON")).await?;
        Ok(Self { writer, reader })
    }

    /// Where to read. The database refuses to write here.
    pub(super) fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// Lets go of the file, once nobody reads or writes any more.
    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Begins a transaction.
    pub(super) async fn write(&self) -> Result<Write, sqlx::Error> {
        let mut write = Write {
            connection: self.writer.acquire().await?,
            newest_entry: None,
            is_committed: false,
        };
        write.newest_entry = sqlx::query_scalar(BEGIN).fetch_one(&mut *write).await?;
        Ok(write)
    }

    /// A whole transaction in one go, where nothing has to be read before. Its statements are asked for once nobody else of
    /// this process writes; each ends with a semicolon. SQLite takes all of them at once, PostgreSQL one by one.
    pub(super) async fn write_at_once<'a>(
        &self,
        statements: impl FnOnce(&mut QueryBuilder<'a, Sqlite>),
    ) -> Result<(), sqlx::Error> {
        let write = Write {
            connection: self.writer.acquire().await?,
            newest_entry: None,
            is_committed: false,
        };
        let mut all = QueryBuilder::new("BEGIN IMMEDIATE; ");
        statements(&mut all);
        write.commit_after(all).await
    }
}

async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(1)
        // The database is a file of ours: a connection to it does not go stale.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
}

/// A transaction. Dropped before it is committed, it is undone by closing its connection.
#[must_use = "nothing is written before it is committed"]
pub(super) struct Write {
    connection: PoolConnection<Sqlite>,
    newest_entry: Option<String>,
    is_committed: bool,
}

impl Write {
    /// The id that the audit ended with when this began.
    pub(super) fn newest_entry(&self) -> Option<&str> {
        self.newest_entry.as_deref()
    }

    /// What was written is on disk when this returns `Ok`, and nowhere otherwise.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.commit_after(QueryBuilder::new("")).await
    }

    /// As [`Self::commit`], after these statements, as [`Database::write_at_once`] takes them. To wait for an answer
    /// takes as long as several statements do.
    pub(super) async fn commit_after(
        mut self,
        mut statements: QueryBuilder<'_, Sqlite>,
    ) -> Result<(), sqlx::Error> {
        let statements = statements.push("COMMIT").build();
        statements.execute(&mut *self).await?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
