//! What nobody needs any more goes, and nothing that somebody needs: beside running proxies, after kills, and where
//! records are lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage, id_of, warnings};

fn gc(stage: &Stage, more: &[&str]) -> Value {
    let output = stage.verb(&[&["gc", "--json"], more].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is in a folder of the state.
fn entries(stage: &Stage, folder: &str) -> usize {
    let folder = stage.home.path().join(".codex-loadout").join(folder);
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn only(skill: &str) -> (Value, Promise) {
    (json!({ "skills": [skill] }), Promise::of_skills(&[skill]))
}

async fn check_resumed(stage: &Stage, threads: &[(String, Promise)]) {
    let host = stage.host().await;
    for (thread, promise) in threads {
        let named = json!({ "threadId": thread });
        host.request("thread/resume", named).await.unwrap();
        stage.check(&host, thread, promise).await;
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kills_what_is_nobodys_goes_and_every_thread_has_its_loadout() {
    let stage = Stage::standard().await;
    let mut threads = Vec::new();
    let host = stage.host().await;
    for skill in ["planning", "repo-review"] {
        let (selection, promise) = only(skill);
        let (thread, _) = stage.start(&host, selection).await;
        stage.check(&host, &thread, &promise).await;
        threads.push((thread, promise));
    }
    let (gone, _) = stage
        .start(&host, json!({ "plugins": ["github@internal"] }))
        .await;
    host.turn(&gone, "hello").await.unwrap();
    let named = json!({ "threadId": gone });
    host.request("thread/delete", named).await.unwrap();
    let native = json!({ "cwd": stage.home.project() });
    host.request("thread/start", native).await.unwrap();
    // While it lives, what it has made ahead is its own.
    let beside = gc(&stage, &[]);
    assert_eq!(
        (&beside["roots"], &beside["snapshots"]),
        (&json!(0), &json!(0))
    );
    let before = entries(&stage, "roots");
    host.kill9().await.unwrap();

    let dry = gc(&stage, &["--dry-run"]);
    assert_eq!(dry["dryRun"], true);
    assert_eq!(entries(&stage, "roots"), before);
    let mut done = gc(&stage, &[]);
    assert_eq!(done["leftAlone"], Value::Null);
    assert_eq!(done["roots"].as_u64().unwrap() as usize, before / 2 - 2);
    assert_eq!(done["snapshots"], 1, "that of the deleted thread");
    assert!(done["bytes"].as_u64().unwrap() > 0);
    done["dryRun"] = json!(true);
    assert_eq!(done, dry);
    assert_eq!(entries(&stage, "roots"), 2 * 2, "a link and a file each");
    assert_eq!(entries(&stage, "running"), 0);
    check_resumed(&stage, &threads).await;

    // Codex's session files say which threads have which roots where no record does.
    let state = stage.home.path().join(".codex-loadout");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(state.join(format!("state-v1.sqlite3{end}")));
    }
    gc(&stage, &[]);
    assert_eq!(entries(&stage, "roots"), 2 * 2);
    let host = stage.host().await;
    for (thread, promise) in &threads {
        let named = json!({ "threadId": thread });
        let resumed = host.request("thread/resume", named).await.unwrap();
        assert_eq!(warnings(&resumed["capabilitySelection"]), ["recovered"]);
        stage.check(&host, thread, promise).await;
    }
    host.shutdown().await.unwrap();
    // With their threads gone, nothing of them is left.
    let host = stage.host().await;
    for (thread, _) in &threads {
        let named = json!({ "threadId": thread });
        host.request("thread/delete", named).await.unwrap();
    }
    host.shutdown().await.unwrap();
    gc(&stage, &[]);
    for folder in ["roots", "store-v1/trees", "store-v1/loadouts", "rootless"] {
        assert_eq!(entries(&stage, folder), 0, "{folder}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_never_came_to_be_is_forgotten_and_one_that_did_gets_its_root() {
    let stage = Stage::standard().await;
    let (selection, promise) = only("planning");
    let (other, of_fork) = only("repo-review");
    let host = stage.host().await;
    let (source, _) = stage.start(&host, selection).await;
    stage.check(&host, &source, &promise).await;
    host.shutdown().await.unwrap();
    for (step, is_made) in [("forward", false), ("answer: before record", true)] {
        let mut command = stage.proxy();
        command.env("CODEX_LOADOUT_CRASH_AT", step);
        let host = Client::spawn(command).unwrap();
        host.initialize(true).await.unwrap();
        let fork = json!({ "threadId": source, "capabilitySelection": other });
        assert!(host.request("thread/fork", fork).await.is_err(), "{step}");
        drop(host);
        let done = gc(&stage, &[]);
        assert_eq!(done["notes"], if is_made { 0 } else { 1 }, "{step}");
    }
    let host = stage.host().await;
    let listed = host.request("thread/list", json!({ "limit": 100 })).await;
    let listed = listed.unwrap()["data"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2);
    for thread in listed {
        let thread = thread["id"].as_str().unwrap();
        let named = json!({ "threadId": thread });
        host.request("thread/resume", named).await.unwrap();
        let promise = if thread == source { &promise } else { &of_fork };
        stage.check(&host, thread, promise).await;
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_proxies_that_start_and_change_threads_nothing_of_theirs_goes() {
    let stage = Stage::standard().await;
    let hosts = [stage.host().await, stage.host().await];
    let cleaning = std::sync::atomic::AtomicBool::new(true);
    let mut threads = Vec::new();
    let worked = async {
        for round in 0..4 {
            for (number, host) in hosts.iter().enumerate() {
                let names = ["planning", "repo-review"];
                let (selection, promise) = only(names[(round + number) % 2]);
                let (thread, _) = stage.start(host, selection).await;
                stage.check(host, &thread, &promise).await;
                let (selection, promise) = only(names[(round + number + 1) % 2]);
                let update = json!({ "threadId": thread, "capabilitySelection": selection });
                host.request("thread/capability/update", update)
                    .await
                    .unwrap();
                stage.check(host, &thread, &promise).await;
                let fork = json!({ "threadId": thread, "cwd": stage.home.project() });
                let fork = id_of(&host.request("thread/fork", fork).await.unwrap());
                stage.check(host, &fork, &promise).await;
                threads.extend([(thread, promise.clone()), (fork, promise)]);
                let (gone, _) = stage.start(host, json!({ "plugins": ["linear"] })).await;
                let named = json!({ "threadId": gone });
                host.turn(&gone, "hello").await.unwrap();
                host.request("thread/delete", named).await.unwrap();
            }
        }
        cleaning.store(false, std::sync::atomic::Ordering::Relaxed);
    };
    let cleaned = async {
        let mut times = 0;
        while cleaning.load(std::sync::atomic::Ordering::Relaxed) {
            let done = tokio::task::block_in_place(|| gc(&stage, &[]));
            assert_eq!(done["leftAlone"], Value::Null, "{done}");
            times += 1;
            tokio::task::yield_now().await;
        }
        times
    };
    let ((), times) = tokio::join!(worked, cleaned);
    assert!(times > 1, "{times}");
    for host in hosts {
        host.shutdown().await.unwrap();
    }
    gc(&stage, &[]);
    check_resumed(&stage, &threads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_underneath_a_running_proxy_is_made_anew() {
    let stage = Stage::standard().await;
    let (selection, promise) = only("planning");
    let host = stage.host().await;
    let (living, _) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &living, &promise).await;
    let state = stage.home.path().join(".codex-loadout");
    let mut threads = vec![(living.clone(), promise.clone())];
    for removed in [
        "store-v1/staging",
        "store-v1/trees",
        "store-v1",
        "roots",
        "running",
        "state-v1.sqlite3",
        "",
    ] {
        let path: PathBuf = state.join(removed);
        // Snapshots are closed to whoever would add to them.
        let shell = format!("chmod -R u+w '{0}' && rm -rf '{0}'", path.display());
        let status = std::process::Command::new("sh")
            .args(["-c", &shell])
            .status();
        assert!(status.unwrap().success());
        stage.check(&host, &living, &promise).await;
        let (thread, _) = stage.start(&host, selection.clone()).await;
        stage.check(&host, &thread, &promise).await;
        let named = json!({ "threadId": thread });
        let read = host.request("thread/capability/read", named).await.unwrap();
        assert_eq!(read["capabilitySelection"]["skills"][0]["name"], "planning");
        threads.push((thread, promise.clone()));
    }
    host.shutdown().await.unwrap();
    // Those since the last loss are on record for whoever comes; and the living one was brought back.
    let last = threads.pop().unwrap();
    check_resumed(&stage, &[last, (living, promise)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_went_back_to_native_keeps_its_root_and_can_get_a_loadout_again() {
    let stage = Stage::standard().await;
    let (selection, promise) = only("planning");
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &thread, &promise).await;
    let native = json!({ "threadId": thread, "capabilitySelection": null });
    host.request("thread/capability/update", native)
        .await
        .unwrap();
    stage.check(&host, &thread, &Promise::native()).await;
    host.kill9().await.unwrap();
    // Whoever cleans up may be at home in another Codex.
    let elsewhere = stage
        .home
        .command(Path::new(PROXY), &["gc", "--json"])
        .env("CODEX_HOME", stage.home.path().join("another"))
        .output()
        .unwrap();
    assert!(elsewhere.status.success(), "{elsewhere:?}");
    assert_eq!(entries(&stage, "roots"), 2);
    let host = stage.host().await;
    let again = json!({ "threadId": thread, "capabilitySelection": selection });
    host.request("thread/resume", again).await.unwrap();
    stage.check(&host, &thread, &promise).await;
    let named = json!({ "threadId": thread });
    host.request("thread/delete", named).await.unwrap();
    host.shutdown().await.unwrap();
    gc(&stage, &[]);
    assert_eq!(entries(&stage, "roots"), 0);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_codex_exec_runs_with_is_used_as_long_as_it_runs() {
    let stage = Stage::standard().await;
    let lasting = stage.home.path().join("lasting-codex");
    // It is handed the thread, and goes on for a while.
    let script = format!(
        "#!/bin/sh\nfor word; do if [ \"$word\" = exec ]; then exec sleep 60; fi; done\nexec '{}' \"$@\"\n",
        stage.home.codex().display()
    );
    fs::write(&lasting, script).unwrap();
    fs::set_permissions(&lasting, fs::Permissions::from_mode(0o755)).unwrap();
    let selection = json!({ "skills": ["planning"] }).to_string();
    stage.home.write("selection.json", &selection).unwrap();
    let selection_file = stage.home.path().join("selection.json");
    let mut command = stage.home.command(Path::new(PROXY), &["exec", "go"]);
    command
        .env("CODEX_LOADOUT_CODEX", &lasting)
        .env("CODEX_LOADOUT", selection_file);
    let mut running = command.spawn().unwrap();
    let roles = stage.home.path().join(".codex-loadout/roles-of-agents");
    while entries(&stage, "running") == 0 {
        assert!(running.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Once it has taken our place, it is the one that uses the store.
    let program = format!("/proc/{}/cmdline", running.id());
    while !fs::read_to_string(&program).unwrap().starts_with("sleep") {
        assert!(running.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fs::create_dir_all(&roles).unwrap();
    fs::write(roles.join("x.toml"), "x").unwrap();
    assert_eq!(gc(&stage, &["--dry-run"])["roles"], 0);
    running.kill().unwrap();
    running.wait().unwrap();
    let found = gc(&stage, &["--dry-run"]);
    assert_eq!(
        found["roles"],
        entries(&stage, "roles-of-agents"),
        "{found}"
    );
}
