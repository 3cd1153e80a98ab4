//! Statements and commits that fail: what was acknowledged is there, and nothing else.

use std::path::Path;

use codex_loadout_protocol::audit::AuditEvent;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

use super::database::BUSY;
use super::record::tests::loadout;
use super::record::{Lineage, ThreadRecord};
use super::store::Records;

/// What goes wrong, as SQLite's own failures leave a transaction: with the statement undone (ABORT), with
/// what it did kept (FAIL), with the whole transaction gone (ROLLBACK: what a full disk does), and a commit
/// that fails and leaves the transaction open.
const FAULTS: [&str; 7] = [
    "CREATE TRIGGER fault BEFORE INSERT ON threads BEGIN SELECT RAISE(ABORT, 'fault'); END",
    "CREATE TRIGGER fault AFTER INSERT ON threads BEGIN SELECT RAISE(FAIL, 'fault'); END",
    "CREATE TRIGGER fault BEFORE INSERT ON threads BEGIN SELECT RAISE(ROLLBACK, 'fault'); END",
    "CREATE TRIGGER fault BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'fault'); END",
    "CREATE TRIGGER fault AFTER INSERT ON audit BEGIN SELECT RAISE(FAIL, 'fault'); END",
    "CREATE TRIGGER fault BEFORE INSERT ON audit BEGIN SELECT RAISE(ROLLBACK, 'fault'); END",
    "CREATE TRIGGER fault AFTER INSERT ON audit BEGIN INSERT INTO dangling VALUES (1); END",
];

/// A connection of somebody else's, who waits for a lock as another proxy does.
async fn somebody_else(state_home: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(state_home.join("state-v1.sqlite3"))
        .busy_timeout(BUSY);
    options.connect().await.unwrap()
}

fn record(thread_id: &str) -> ThreadRecord {
    ThreadRecord {
        thread_id: thread_id.to_owned(),
        lineage: Lineage::Started,
        inherited_from: None,
        loadout: loadout(1),
    }
}

#[tokio::test]
async fn whatever_fails_twice_in_whatever_way_what_is_acknowledged_is_there_for_others() {
    let dangling = "CREATE TABLE parent (id BIGINT PRIMARY KEY);
        CREATE TABLE dangling (id BIGINT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)";
    for first in FAULTS {
        for second in FAULTS {
            let home = tempfile::tempdir().unwrap();
            let records = Records::open(home.path()).await.unwrap();
            let mut other = somebody_else(home.path()).await;
            other.execute(dangling).await.unwrap();
            let put = async |thread: &str| {
                let record = record(thread);
                records.put_thread(&record, AuditEvent::Start, "t").await
            };
            put("before").await.unwrap();
            for fault in [first, second] {
                other.execute(fault).await.unwrap();
                put("refused").await.unwrap_err();
                // Reading goes on.
                assert!(records.thread("before").await.unwrap().is_some());
                // Locked out: what was begun holds the database still.
                let mended = other.execute("DROP TRIGGER fault").await;
                mended.unwrap_or_else(|error| panic!("{first}\n{second}\n{error}"));
            }
            put("after").await.unwrap();
            records.drop_loadout("before", "t").await.unwrap();
            let threads: Vec<String> = sqlx::query_scalar("SELECT thread_id FROM threads")
                .fetch_all(&mut other)
                .await
                .unwrap();
            assert_eq!(threads, ["after"], "{first}\n{second}");
            let entries: Vec<String> =
                sqlx::query_scalar("SELECT thread_id FROM audit ORDER BY id")
                    .fetch_all(&mut other)
                    .await
                    .unwrap();
            assert_eq!(entries, ["before", "after", "before"], "{first}\n{second}");
        }
    }
}
