//! The audit: what happened to which thread, and why.

use std::path::Path;

use lab::Client;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::stage::{PROXY, Stage, id_of, spawn_child};

/// A value that no entry may hold: the value of a server's variable in the user's config.
const SECRET: &str = "s3cret-token";

async fn audit(host: &Client, params: Value) -> Vec<Value> {
    let page = host.request("capability/audit/list", params).await.unwrap();
    assert_eq!(page["nextCursor"], Value::Null);
    page["data"].as_array().unwrap().clone()
}

/// Runs SQL on a database, as another process would.
async fn sql(database: &Path, text: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut connection = sqlx::SqliteConnection::connect_with(&options)
        .await
        .unwrap();
    sqlx::query(text).execute(&mut connection).await.unwrap();
}

/// Event and cause of each entry.
fn told(entries: &[Value]) -> Vec<(String, String)> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    entries
        .iter()
        .map(|entry| (text(entry, "event"), text(entry, "cause")))
        .collect()
}

fn pair(event: &str, cause: impl Into<String>) -> (String, String) {
    (event.to_owned(), cause.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_thread_is_written_down_with_its_cause() {
    let stage = Stage::standard().await;
    let config = stage.home.codex_home().join("config.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text.push_str(&format!(
        "\n[mcp_servers.with-secret]\ncommand = \"true\"\nenv = {{ TOKEN = \"{SECRET}\" }}\n"
    ));
    std::fs::write(&config, &text).unwrap();
    let host = stage.host().await;
    assert_eq!(audit(&host, json!({})).await, Vec::<Value>::new());
    let (thread, receipt) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    host.turn(&thread, "hello").await.unwrap();
    let forked = host
        .request("thread/fork", json!({ "threadId": thread }))
        .await
        .unwrap();
    let apart = json!({ "threadId": thread, "capabilitySelection": { "skills": ["repo-review"] } });
    let apart = host.request("thread/fork", apart).await.unwrap();
    let child = spawn_child(&host, &thread).await;
    stage.add_noticed_skill(&host, "newcomer").await;
    host.turn(&thread, "hello again, $newcomer").await.unwrap();
    let update = |selection: Value| json!({ "threadId": thread, "capabilitySelection": selection });
    let wrong = update(json!({ "skills": ["no-such"] }));
    host.refusal("thread/capability/update", wrong)
        .await
        .unwrap();
    let updated = update(json!({ "skills": ["repo-review"] }));
    host.request("thread/capability/update", updated)
        .await
        .unwrap();
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    host.request("thread/capability/update", update(Value::Null))
        .await
        .unwrap();

    let of_thread = audit(&host, json!({ "threadId": thread })).await;
    assert_eq!(
        told(&of_thread),
        [
            pair("start", "thread/start"),
            pair("rebind", "new: skill `newcomer`"),
            pair(
                "refusal",
                "thread/capability/update: there is no skill `no-such`"
            ),
            pair("update", "thread/capability/update"),
            pair("resume", "thread/resume"),
            pair("update", "thread/capability/update: back to native"),
        ]
    );
    assert_eq!(of_thread[0]["digest"], receipt["digest"]);
    assert_eq!(of_thread[1]["digest"], receipt["digest"]);
    assert_eq!(of_thread[2]["error"], "unknownCapability");
    assert_ne!(of_thread[3]["digest"], receipt["digest"]);
    assert_eq!(of_thread[5]["digest"], Value::Null);
    for (other, event, cause) in [
        (id_of(&forked), "fork", format!("fork of {thread}")),
        (
            id_of(&apart),
            "fork",
            format!("fork of {thread}, with a loadout of its own"),
        ),
        (child.clone(), "spawn", format!("spawned by {thread}")),
    ] {
        let entries = told(&audit(&host, json!({ "threadId": other })).await);
        assert_eq!(entries[0], pair(event, cause));
    }
    let refused = stage.refused(&host, json!({ "skills": "all" })).await;
    assert_eq!(refused.data["kind"], "invalidSelection");
    let all = audit(&host, json!({ "limit": 1000 })).await;
    let last = all.last().unwrap();
    assert_eq!(
        (&last["event"], &last["threadId"], &last["error"]),
        (&json!("refusal"), &Value::Null, &json!("invalidSelection"))
    );
    let times: Vec<i64> = all
        .iter()
        .map(|entry| entry["at"].as_i64().unwrap())
        .collect();
    assert!(times.is_sorted() && times[0] > 1_700_000_000, "{times:?}");

    // Pages, and the other door.
    let first = json!({ "limit": 3 });
    let first = host.request("capability/audit/list", first).await.unwrap();
    let rest = json!({ "cursor": first["nextCursor"], "limit": 1000 });
    let mut paged = first["data"].as_array().unwrap().clone();
    paged.extend(audit(&host, rest).await);
    assert_eq!(paged, all);
    let printed = stage.verb(&["audit", "--json"]);
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(printed, json!({ "data": all, "nextCursor": null }));
    let table = stage.verb(&["audit", "--thread", &thread, "--since", "1h"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert_eq!(table.lines().count(), 1 + of_thread.len(), "{table}");
    assert!(table.contains("new: skill `newcomer`"), "{table}");
    assert!(table.contains("(unknownCapability)"), "{table}");

    // Codex quotes a config that it can't read; the audit does not.
    text.push_str(&format!("enabled = \"{SECRET}\"\n"));
    std::fs::write(&config, &text).unwrap();
    let quoting = stage
        .refused(&host, json!({ "skills": ["planning"] }))
        .await;
    assert!(quoting.message.contains(SECRET), "{}", quoting.message);
    let all = audit(&host, json!({ "limit": 1000 })).await;
    assert_eq!(all.last().unwrap()["error"], quoting.data["kind"]);
    assert!(!Value::from(all).to_string().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_audit_reads_what_happens_in_any_process_and_who_asked() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    stage.start(&host, json!({ "skills": ["planning"] })).await;
    let follow = ["audit", "--follow", "--json", "--event", "refusal"];
    let command = stage.home.command(Path::new(PROXY), &follow);
    let mut following = lab::Process::spawn(command).unwrap();
    let patience = std::time::Duration::from_secs(20);
    let other = stage.host().await;
    for (host, name) in [(&host, "first"), (&other, "second"), (&host, "third")] {
        stage.refused(host, json!({ "skills": [name] })).await;
        let line = following.read_line(patience).await.unwrap().unwrap();
        let entry: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(entry["event"], "refusal");
        assert!(entry["cause"].as_str().unwrap().contains(name), "{entry}");
        assert_eq!(entry["actor"], "lab");
    }
    following.kill9().await.unwrap();
    let by = |filter: &[&str]| -> Vec<String> {
        let verb = [&["audit", "--json"], filter].concat();
        let page: Value = serde_json::from_slice(&stage.verb(&verb).stdout).unwrap();
        let entries = page["data"].as_array().unwrap().iter();
        entries
            .map(|it| it["event"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(by(&["--event", "start"]), ["start"]);
    assert_eq!(by(&["--actor", "lab"]).len(), 4);
    assert_eq!(by(&["--actor", "cli"]), Vec::<String>::new());
    assert_eq!(by(&["--until", "1h"]), Vec::<String>::new());
    let wrong = stage.verb(&["audit", "--event", "stat"]);
    let why = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        wrong.status.code() == Some(2) && why.contains("bundleAdd"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loadout_is_given_only_with_its_entry_and_a_refusal_without_one_is_one_all_the_same() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    host.turn(&thread, "hello").await.unwrap();
    let database = stage.home.path().join(".codex-loadout/state-v1.sqlite3");
    let spoil = "CREATE TRIGGER spoil BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END";
    sql(&database, spoil).await;
    let error = stage
        .refused(&host, json!({ "skills": ["repo-review"] }))
        .await;
    assert_eq!(error.data["kind"], "loadoutLost");
    let error = stage.refused(&host, json!({ "skills": ["no-such"] })).await;
    assert_eq!(error.data["kind"], "unknownCapability");
    // The thread goes on, bound anew, though that can't be written down.
    stage.add_noticed_skill(&host, "newcomer").await;
    let promise = lab::Promise::of_skills(&["planning"]);
    stage.check(&host, &thread, &promise).await;
    sql(&database, "DROP TRIGGER spoil").await;
    let events = told(&audit(&host, json!({})).await);
    assert_eq!(events, [pair("start", "thread/start")]);
}
