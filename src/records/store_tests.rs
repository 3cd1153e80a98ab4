//! The records of threads, held against a database.

use codex_loadout_protocol::{ErrorKind, LoadoutError};

use std::path::Path;

use super::record::tests::loadout;
use super::record::{Lineage, ThreadRecord};
use super::rootless;
use super::store::{FILE, Records};
use codex_loadout_protocol::audit::AuditEvent;

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
    let records = Records::open(home.path()).await.unwrap();
    for (thread, at) in [("a", 1), ("b", 2)] {
        records
            .put_thread(&record(thread, at), AuditEvent::Start, "test")
            .await
            .unwrap();
    }
    assert_eq!(records.thread("a").await.unwrap(), Some(record("a", 1)));
    records
        .put_thread(&record("a", 3), AuditEvent::Start, "test")
        .await
        .unwrap();
    let listed: Vec<String> = records
        .threads()
        .await
        .unwrap()
        .into_iter()
        .map(|record| record.thread_id)
        .collect();
    assert_eq!(listed, ["a", "b"]);
    assert_eq!(records.threads_of_root("root").await.unwrap(), ["a", "b"]);
    records.begin_unloading("a").await.unwrap();
    records.begin_unloading("a").await.unwrap();
    assert_eq!(records.unloading().await.unwrap(), ["a"]);
    records.end_unloading("a").await.unwrap();
    assert!(records.unloading().await.unwrap().is_empty());
    records.delete_thread("a").await.unwrap();
    records.delete_thread("a").await.unwrap();
    assert_eq!(records.thread("a").await.unwrap(), None);
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
    let records = Records::open(home.path()).await.unwrap();
    records
        .put_thread(&record("good", 1), AuditEvent::Start, "test")
        .await
        .unwrap();
    for (thread, format, text) in [("broken", 1, "{"), ("newer", 2, "{}")] {
        let insert =
            "INSERT INTO threads (thread_id, recorded_at, format, record) VALUES ($1, 1, $2, $3)";
        let mut write = records.database.write().await.unwrap();
        sqlx::query(insert)
            .bind(thread)
            .bind(format)
            .bind(text)
            .execute(&mut *write)
            .await
            .unwrap();
        write.commit().await.unwrap();
        let error = LoadoutError::from(records.thread(thread).await.unwrap_err());
        assert_eq!(
            (error.kind, error.items[0].name.as_str()),
            (ErrorKind::LoadoutLost, thread)
        );
    }
    assert_eq!(records.threads().await.unwrap().len(), 1);
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
    let records = Records::open(home.path()).await.unwrap();
    let thread = uuid::Uuid::now_v7().to_string();
    let mut record = record(&thread, 1);
    for root in [None, Some("root".to_owned()), None] {
        record.loadout.root = root;
        let put = records.put_thread(&record, AuditEvent::Start, "test");
        put.await.unwrap();
        let expected = record.loadout.root.is_none();
        assert_eq!(rootless::may_be(home.path(), &thread), expected);
    }
    // One that nobody noted is noted when the records are opened.
    rootless::forget(home.path(), &thread);
    assert!(!rootless::may_be(home.path(), &thread));
    let records = Records::open(home.path()).await.unwrap();
    assert!(rootless::may_be(home.path(), &thread));
    records.drop_loadout(&thread, "test").await.unwrap();
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
