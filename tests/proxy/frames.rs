//! Recorded frames of the real Codex: what the readings in `src` are tested on.
//!
//! `UPDATE_FRAMES=1 cargo test --test proxy -- --ignored frames` records them anew, for every version
//! in `protocol/frames`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use lab::{Client, HomeBuilder};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of};

/// Versions with a file, by their age.
const RECORDED: [&str; 2] = ["0.144.1", "0.169.0"];
/// Messages of Codex that mean something to the proxy.
const NOTIFICATIONS: [&str; 4] = [
    "thread/started",
    "item/completed",
    "thread/closed",
    "thread/deleted",
];

fn file(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("protocol/frames/{version}.json"))
}

/// What the proxy reads of Codex, one frame of each kind: answers by their method, notifications.
async fn record(version: &str) -> BTreeMap<String, Value> {
    let stage = Stage::of(HomeBuilder::standard().unwrap().codex_version(version)).await;
    let host = Client::spawn(stage.home.codex_app_server()).unwrap();
    let mut frames = BTreeMap::new();
    let hello = host.initialize(true).await.unwrap();
    frames.insert("initialize".to_owned(), json!({ "id": 1, "result": hello }));
    let cwd = stage.home.project();
    let start = json!({ "cwd": cwd, "ephemeral": false });
    let thread = id_of(&host.request("thread/start", start).await.unwrap());
    host.turn(
        &thread,
        r#"CALL multi_agent_v1 spawn_agent {"message":"look"}"#,
    )
    .await
    .unwrap();
    let questions = [
        ("skills/list", json!({ "cwds": [cwd] })),
        ("plugin/installed", json!({ "cwds": [cwd] })),
        ("plugin/list", json!({ "cwds": [cwd] })),
        ("hooks/list", json!({ "cwds": [cwd] })),
        ("config/read", json!({ "cwd": cwd })),
        ("thread/loaded/list", json!({})),
        ("thread/read", json!({ "threadId": thread })),
        ("thread/resume", json!({ "threadId": thread })),
        ("thread/fork", json!({ "threadId": thread })),
        ("thread/start", json!({ "cwd": cwd })),
    ];
    for (method, params) in questions {
        let result = host.request(method, params).await.unwrap();
        frames.insert(method.to_owned(), json!({ "id": 1, "result": result }));
    }
    let refused = host
        .refusal("thread/resume", json!({ "threadId": "nobody" }))
        .await
        .unwrap();
    frames.insert(
        "error".to_owned(),
        json!({ "id": 1, "error": { "code": refused.code, "message": refused.message } }),
    );
    for message in host.messages() {
        let method = message["method"].as_str().unwrap_or_default();
        let spawned = message["params"]["item"]["receiverThreadIds"][0].is_string();
        if NOTIFICATIONS.contains(&method) && (spawned || method != "item/completed") {
            frames.insert(method.to_owned(), message);
        }
    }
    let home = stage.home.path().to_string_lossy().into_owned();
    let text = json!(frames).to_string().replace(&home, "/home/user");
    serde_json::from_str(&numbered(&text)).unwrap()
}

/// The ids of a run say nothing: each becomes a number, in the order they appear.
fn numbered(text: &str) -> String {
    let is_id =
        |word: &&str| word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let mut ids: Vec<&str> = Vec::new();
    for word in text.split(|c: char| !c.is_ascii_hexdigit() && c != '-') {
        if is_id(&word) && !ids.contains(&word) {
            ids.push(word);
        }
    }
    let number = |index: usize| format!("01f00000-0000-7000-8000-{index:012}");
    ids.iter()
        .enumerate()
        .fold(text.to_owned(), |text, (index, id)| {
            text.replace(id, &number(index))
        })
}

/// Every path to a value that is there in a frame, with lists as one.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                paths(value, &format!("{at}.{name}"), found);
            }
        }
        Value::Array(items) => {
            for item in items {
                paths(item, &format!("{at}[]"), found);
            }
        }
        _ => {
            found.insert(at.to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_frames_are_what_codex_says_today() {
    let version = lab::DEFAULT_VERSION;
    let recorded: BTreeMap<String, Value> =
        serde_json::from_slice(&fs::read(file(version)).unwrap()).unwrap();
    let now = record(version).await;
    assert_eq!(
        recorded.keys().collect::<Vec<_>>(),
        now.keys().collect::<Vec<_>>()
    );
    for (kind, frame) in recorded {
        let (mut then, mut today) = (BTreeSet::new(), BTreeSet::new());
        paths(&frame, &kind, &mut then);
        paths(&now[&kind], &kind, &mut today);
        assert_eq!(then, today, "record them anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "records anew, on two versions of Codex"]
async fn frames() {
    assert!(
        std::env::var_os("UPDATE_FRAMES").is_some(),
        "set UPDATE_FRAMES=1 to write"
    );
    for version in RECORDED {
        let frames = record(version).await;
        let text = serde_json::to_string_pretty(&frames).unwrap();
        fs::write(file(version), format!("{text}\n")).unwrap();
    }
}
