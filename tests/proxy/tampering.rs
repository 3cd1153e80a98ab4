//! A snapshot that somebody changes is noticed before it is used again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use lab::{Promise, Skill};
use serde_json::json;

use crate::stage::{Stage, warnings};

/// The snapshot's own `SKILL.md`, made writable as an attacker of the same user could.
fn snapshot(stage: &Stage) -> PathBuf {
    let trees = stage.home.path().join(".codex-loadout/store-v1/trees");
    let tree = fs::read_dir(trees).unwrap().next().unwrap().unwrap().path();
    let file = tree.join("SKILL.md");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_snapshot_is_healed_or_refused() {
    let stage = Stage::of(lab::Home::builder().skill(Skill::new("alone"))).await;
    let alone = Promise::of_skills(&["alone"]);
    let selection = json!({ "skills": ["alone"] });
    let host = stage.host().await;
    let (thread, receipt) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &thread, &alone).await;
    host.shutdown().await.unwrap();
    let source = stage.home.path().join(".agents/skills/alone/SKILL.md");
    let good = fs::read_to_string(&source).unwrap();

    // With the source as it was: healed, and said so.
    fs::write(
        snapshot(&stage),
        "---\nname: alone\ndescription: Evil.\n---\n",
    )
    .unwrap();
    let host = stage.host().await;
    let named = json!({ "threadId": thread });
    let resumed = host.request("thread/resume", named.clone()).await.unwrap();
    assert_eq!(warnings(&resumed["capabilitySelection"]), ["healed"]);
    assert_eq!(resumed["capabilitySelection"]["digest"], receipt["digest"]);
    assert_eq!(fs::read_to_string(snapshot(&stage)).unwrap(), good);
    host.shutdown().await.unwrap();

    // Also when another thread is started with it, in one process.
    let host = stage.host().await;
    stage.start(&host, selection.clone()).await;
    fs::write(
        snapshot(&stage),
        "---\nname: alone\ndescription: Evil.\n---\n",
    )
    .unwrap();
    let (_, again) = stage.start(&host, selection).await;
    assert_eq!(again["digest"], receipt["digest"]);
    assert_eq!(fs::read_to_string(snapshot(&stage)).unwrap(), good);
    host.shutdown().await.unwrap();

    // And before each turn of a thread that lives.
    let host = stage.host().await;
    let (living, _) = stage.start(&host, json!({ "skills": ["alone"] })).await;
    stage.check(&host, &living, &alone).await;
    fs::write(
        snapshot(&stage),
        "---\nname: alone\ndescription: Evil.\n---\n",
    )
    .unwrap();
    stage.check(&host, &living, &alone).await;
    assert_eq!(fs::read_to_string(snapshot(&stage)).unwrap(), good);
    // Or what leads to the snapshot.
    let loadouts = stage.home.path().join(".codex-loadout/store-v1/loadouts");
    let entries = fs::read_dir(loadouts).unwrap().map(|entry| entry.unwrap());
    let loadout = entries
        .map(|entry| entry.path())
        .find(|loadout| fs::read_dir(loadout).unwrap().count() == 1)
        .unwrap();
    fs::set_permissions(&loadout, fs::Permissions::from_mode(0o755)).unwrap();
    let evil = loadout.join("more/SKILL.md");
    fs::create_dir(loadout.join("more")).unwrap();
    fs::write(&evil, "---\nname: more\ndescription: Evil.\n---\n").unwrap();
    stage.check(&host, &living, &alone).await;
    assert!(!evil.exists());
    host.shutdown().await.unwrap();

    // With the source changed too, there is no good copy.
    fs::write(
        snapshot(&stage),
        "---\nname: alone\ndescription: Evil.\n---\n",
    )
    .unwrap();
    fs::write(&source, "---\nname: alone\ndescription: Another.\n---\n").unwrap();
    let host = stage.host().await;
    for method in ["thread/resume", "thread/fork"] {
        let error = host.refusal(method, named.clone()).await.unwrap();
        assert_eq!(error.data["kind"], "tampered", "{method}");
        assert!(!error.data["hint"].as_str().unwrap().is_empty());
    }
    let audit = host
        .request("capability/audit/list", json!({}))
        .await
        .unwrap();
    let of = |event: &str| {
        let entries = audit["data"].as_array().unwrap().iter();
        let threads = entries.filter(|entry| entry["event"] == event);
        threads
            .map(|entry| entry["threadId"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("healed"),
        [json!(thread), json!(null), json!(living), json!(living)]
    );
    assert_eq!(of("tampered"), [json!(thread), json!(thread)]);
}
