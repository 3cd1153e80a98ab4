//! What a thread keeps: over restarts, kills, forks, spawns, archives and lost databases.

use std::fs;
use std::path::PathBuf;

use codex_loadout::records::{Records, ThreadRecord};
use lab::{Client, Promise, Skill};
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, Stage, id_of, spawn_child, warnings};

fn review() -> (Value, Promise) {
    let selection = json!({ "plugins": ["github@internal"], "skills": ["repo-review"] });
    let promise =
        Promise::of_skills(&["github:pull-request", "repo-review"]).server("github", &GITHUB_TOOLS);
    (selection, promise)
}

fn planning() -> (Value, Promise) {
    (
        json!({ "skills": ["planning"] }),
        Promise::of_skills(&["planning"]),
    )
}

async fn resume(host: &Client, thread: &str) -> Value {
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap()
}

/// Codex's session file of a thread.
async fn session_path(host: &Client, thread: &str) -> String {
    let read = host
        .request("thread/read", json!({ "threadId": thread }))
        .await
        .unwrap();
    read["thread"]["path"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loadout_is_back_after_kill_9_by_id_and_by_path_for_resume_and_fork() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = review();
    let (thread, receipt) = stage.start(&host, selection).await;
    let (other, _) = stage.start(&host, planning().0).await;
    let plain = host
        .request("thread/start", json!({ "cwd": stage.home.project() }))
        .await
        .unwrap();
    for id in [&thread, &other, &id_of(&plain)] {
        host.turn(id, "remember this").await.unwrap();
    }
    let path = session_path(&host, &thread).await;
    host.kill9().await.unwrap();

    let host = stage.host().await;
    let resumed = resume(&host, &thread).await;
    assert_eq!(resumed["capabilitySelection"]["digest"], receipt["digest"]);
    stage.check(&host, &thread, &promise).await;
    resume(&host, &other).await;
    stage.check(&host, &other, &planning().1).await;
    let native_again = resume(&host, &id_of(&plain)).await;
    assert_eq!(native_again.get("capabilitySelection"), None);
    stage.check(&host, &id_of(&plain), &Promise::native()).await;
    host.shutdown().await.unwrap();

    let host = stage.host().await;
    for request in [
        json!({ "threadId": thread }),
        json!({ "threadId": "", "path": path }),
    ] {
        let forked = host.request("thread/fork", request.clone()).await.unwrap();
        let fork = id_of(&forked);
        assert_ne!(fork, thread);
        assert_eq!(forked["capabilitySelection"]["digest"], receipt["digest"]);
        assert_eq!(
            forked["capabilitySelection"]["inheritedFrom"],
            json!(thread)
        );
        stage.check(&host, &fork, &promise).await;
    }
    host.shutdown().await.unwrap();

    let host = stage.host().await;
    let by_path = json!({ "threadId": "", "path": path });
    let resumed = host.request("thread/resume", by_path).await.unwrap();
    assert_eq!(id_of(&resumed), thread);
    stage.check(&host, &thread, &promise).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loadout_of_another_state_folder_is_lost_and_not_native() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = planning();
    let (thread, _) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &thread, &promise).await;
    host.shutdown().await.unwrap();

    let state = stage.home.path().join(".codex-loadout");
    let moved = stage.home.path().join("moved");
    for is_moved in [false, true] {
        if is_moved {
            std::fs::remove_dir_all(&moved).unwrap();
            std::fs::rename(&state, &moved).unwrap();
        }
        let mut command = stage.proxy();
        command.env("CODEX_LOADOUT_HOME", &moved);
        let host = Client::spawn(command).unwrap();
        host.initialize(true).await.unwrap();
        for request in [
            json!({ "threadId": thread }),
            json!({ "threadId": thread, "capabilitySelection": selection }),
            json!({ "threadId": thread, "capabilitySelection": null }),
        ] {
            for method in ["thread/resume", "thread/fork"] {
                let error = host.refusal(method, request.clone()).await.unwrap();
                assert_eq!(error.data["kind"], "loadoutLost", "{method} {request}");
            }
        }
        // What is kept there is made.
        stage.start(&host, selection.clone()).await;
        host.shutdown().await.unwrap();
    }
    std::fs::rename(&moved, &state).unwrap();
    let host = stage.host().await;
    resume(&host, &thread).await;
    stage.check(&host, &thread, &promise).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spawned_thread_has_its_parents_loadout_and_keeps_it_by_its_own_id() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = planning();
    let (parent, _) = stage.start(&host, selection).await;
    let child = spawn_child(&host, &parent).await;
    let seen = stage.model.wait_for_thread(&child).await.unwrap();
    assert_eq!(promise.breaches(&seen), Vec::<String>::new());
    let read = host
        .request("thread/capability/read", json!({ "threadId": child }))
        .await
        .unwrap();
    assert_eq!(read["capabilitySelection"]["inheritedFrom"], json!(parent));
    host.kill9().await.unwrap();

    let host = stage.host().await;
    let resumed = resume(&host, &child).await;
    assert_eq!(
        resumed["capabilitySelection"]["inheritedFrom"],
        json!(parent)
    );
    stage.check(&host, &child, &promise).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archive_keeps_the_record_and_delete_removes_it() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = planning();
    let (thread, _) = stage.start(&host, selection).await;
    host.turn(&thread, "hello").await.unwrap();
    let named = json!({ "threadId": thread });
    host.request("thread/archive", named.clone()).await.unwrap();
    let read = || host.request("thread/capability/read", named.clone());
    assert!(read().await.unwrap()["capabilitySelection"].is_object());
    host.request("thread/unarchive", named.clone())
        .await
        .unwrap();
    resume(&host, &thread).await;
    stage.check(&host, &thread, &promise).await;

    host.request("thread/delete", named.clone()).await.unwrap();
    let is_gone = async {
        // Codex has no such thread any more.
        while read().await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), is_gone)
        .await
        .unwrap();
    let listed = host
        .request("thread/capability/list", json!({}))
        .await
        .unwrap();
    assert_eq!(listed, json!({ "data": [], "nextCursor": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_loadout_is_recovered_from_codexs_session_file() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = review();
    let (parent, receipt) = stage.start(&host, selection).await;
    let child = spawn_child(&host, &parent).await;
    stage.model.wait_for_thread(&child).await.unwrap();
    host.shutdown().await.unwrap();
    let state = stage.home.path().join(".codex-loadout");
    for entry in fs::read_dir(&state).unwrap().flatten() {
        if entry.file_name().to_string_lossy().contains("sqlite3") {
            fs::remove_file(entry.path()).unwrap();
        }
    }

    let host = stage.host().await;
    for thread in [&child, &parent] {
        let resumed = resume(&host, thread).await;
        let again = &resumed["capabilitySelection"];
        assert_eq!(again["digest"], receipt["digest"]);
        assert_eq!(warnings(again), ["recovered"]);
        let audit = json!({ "threadId": thread });
        let audit = host.request("capability/audit/list", audit).await.unwrap();
        assert_eq!(audit["data"][0]["event"], "recovered");
        assert_eq!(audit["data"][0]["digest"], receipt["digest"]);
        stage.check(&host, thread, &promise).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_database_refuses_threads_with_a_loadout_and_no_others() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (with_root, _) = stage.start(&host, planning().0).await;
    host.turn(&with_root, "hello").await.unwrap();
    let native = host
        .request("thread/start", json!({ "cwd": stage.home.project() }))
        .await
        .unwrap();
    let native = id_of(&native);
    host.turn(&native, "hello").await.unwrap();
    let forked = host
        .request("thread/fork", json!({ "threadId": native }))
        .await
        .unwrap();
    let native_fork = id_of(&forked);
    host.turn(&native_fork, "hello").await.unwrap();
    // A fork of a native thread has no root, whatever its loadout: its record alone tells.
    let selection =
        json!({ "mode": "restrict", "plugins": [], "skills": ["planning"], "mcpServers": [] });
    let fork = json!({ "threadId": native, "cwd": stage.home.project(), "capabilitySelection": selection });
    let rootless = id_of(&host.request("thread/fork", fork).await.unwrap());
    host.turn(&rootless, "hello").await.unwrap();
    let fork = json!({ "threadId": rootless });
    let rootless_fork = id_of(&host.request("thread/fork", fork).await.unwrap());
    host.turn(&rootless_fork, "hello").await.unwrap();
    host.shutdown().await.unwrap();
    // The log alone brings the database back.
    for file in ["state-v1.sqlite3", "state-v1.sqlite3-wal"] {
        let file = stage.home.path().join(".codex-loadout").join(file);
        fs::write(file, "no database, but long enough to look like one").unwrap();
    }

    let host = stage.host().await;
    for method in ["thread/resume", "thread/fork"] {
        for thread in [&with_root, &rootless, &rootless_fork] {
            let named = json!({ "threadId": thread });
            let error = host.refusal(method, named).await.unwrap();
            assert_eq!(error.data["kind"], "loadoutLost", "{method}");
        }
        for thread in [&native, &native_fork] {
            let named = json!({ "threadId": thread });
            let opened = host.request(method, named).await.unwrap();
            assert_eq!(opened.get("capabilitySelection"), None);
            stage
                .check(&host, &id_of(&opened), &Promise::native())
                .await;
        }
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_brought_back_is_refused_until_the_host_decides() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, planning().0).await;
    host.turn(&thread, "hello").await.unwrap();
    host.shutdown().await.unwrap();
    // Nothing is left of the state but the roots' folder.
    let state = stage.home.path().join(".codex-loadout");
    lab_remove(&state);

    let host = stage.host().await;
    let error = host
        .refusal("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert_eq!(error.data["kind"], "loadoutLost");
    assert!(!error.data["hint"].as_str().unwrap().is_empty());
    let error = host
        .refusal("thread/fork", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert_eq!(error.data["kind"], "loadoutLost");
    let dropped = host
        .request(
            "thread/resume",
            json!({ "threadId": thread, "capabilitySelection": null }),
        )
        .await
        .unwrap();
    assert_eq!(dropped.get("capabilitySelection"), None);
    stage.check(&host, &thread, &Promise::native()).await;
}

/// Removes a store, whose folders are read-only.
fn lab_remove(folder: &PathBuf) {
    let status = std::process::Command::new("chmod")
        .args(["-R", "u+w"])
        .arg(folder)
        .status()
        .unwrap();
    assert!(status.success());
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_loadout_on_resume_and_back_to_native() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, _) = review();
    let (thread, first) = stage.start(&host, selection).await;
    host.turn(&thread, "hello").await.unwrap();
    host.shutdown().await.unwrap();

    let host = stage.host().await;
    let (selection, promise) = planning();
    let resumed = host
        .request(
            "thread/resume",
            json!({ "threadId": thread, "capabilitySelection": selection }),
        )
        .await
        .unwrap();
    let second = &resumed["capabilitySelection"]["digest"];
    assert_ne!(*second, first["digest"]);
    stage.check(&host, &thread, &promise).await;
    host.shutdown().await.unwrap();

    let host = stage.host().await;
    assert_eq!(
        resume(&host, &thread).await["capabilitySelection"]["digest"],
        *second
    );
    stage.check(&host, &thread, &promise).await;
    host.shutdown().await.unwrap();

    let host = stage.host().await;
    host.request(
        "thread/resume",
        json!({ "threadId": thread, "capabilitySelection": null }),
    )
    .await
    .unwrap();
    stage.check(&host, &thread, &Promise::native()).await;
    host.shutdown().await.unwrap();
    let host = stage.host().await;
    assert_eq!(
        resume(&host, &thread).await.get("capabilitySelection"),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_publish_the_same_bundles_at_once() {
    let stage = Stage::standard().await;
    let (one, two) = tokio::join!(stage.host(), stage.host());
    let (selection, promise) = review();
    let ((first, left), (second, right)) = tokio::join!(
        stage.start(&one, selection.clone()),
        stage.start(&two, selection)
    );
    assert_eq!(left["digest"], right["digest"]);
    tokio::join!(
        stage.check(&one, &first, &promise),
        stage.check(&two, &second, &promise)
    );
    // Each thread has a root of its own; what lies there is shared.
    let state = stage.home.path().join(".codex-loadout");
    let entries = |folder: &str| fs::read_dir(state.join(folder)).unwrap().count();
    assert_eq!(entries("store-v1/loadouts"), 1);
    assert_eq!(entries("store-v1/trees"), 2);
    assert_eq!(entries("store-v1/staging"), 0);
    one.shutdown().await.unwrap();
    two.shutdown().await.unwrap();
    assert_eq!(entries("roots"), 4, "a link and a file for each thread");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_files_are_those_of_the_snapshot() {
    use std::os::unix::fs::PermissionsExt;
    let builder = lab::Home::builder().skill(
        lab::Skill::new("with-script")
            .file("scripts/run.sh", "#!/bin/sh\necho ran\n")
            .file("references/deep/more.md", "More.\n"),
    );
    let stage = Stage::of(builder).await;
    let host = stage.host().await;
    let (thread, _) = stage
        .start(&host, json!({ "skills": ["with-script"] }))
        .await;
    stage
        .check(&host, &thread, &Promise::of_skills(&["with-script"]))
        .await;
    let roots = stage.home.path().join(".codex-loadout/roots");
    let root = fs::read_dir(roots)
        .unwrap()
        .flatten()
        .find(|entry| entry.path().is_dir())
        .unwrap();
    let skill = root.path().join("with-script");
    stage
        .home
        .write(
            ".agents/skills/with-script/references/deep/more.md",
            "Changed.\n",
        )
        .unwrap();
    let more = skill.join("references/deep/more.md");
    assert_eq!(fs::read_to_string(&more).unwrap(), "More.\n");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(more), mode(skill.clone())), (0o444, 0o555));
    let ran = std::process::Command::new(skill.join("scripts/run.sh"))
        .output()
        .unwrap();
    assert_eq!(ran.stdout, b"ran\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_of_a_native_thread_may_have_a_loadout_that_needs_no_root() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let started = host
        .request("thread/start", json!({ "cwd": stage.home.project() }))
        .await
        .unwrap();
    host.turn(&id_of(&started), "hello").await.unwrap();
    let fork = |selection: Value| json!({ "threadId": id_of(&started), "cwd": stage.home.project(), "capabilitySelection": selection });
    let selection =
        json!({ "mode": "restrict", "plugins": [], "skills": ["planning"], "mcpServers": [] });
    let forked = host.request("thread/fork", fork(selection)).await.unwrap();
    assert_eq!(forked["capabilitySelection"]["inheritedFrom"], Value::Null);
    stage
        .check(&host, &id_of(&forked), &Promise::of_skills(&["planning"]))
        .await;
    let error = host
        .refusal("thread/fork", fork(json!({ "skills": ["planning"] })))
        .await
        .unwrap();
    assert_eq!(error.data["kind"], "unsupportedUpstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_on_record_from_before_the_list_was_ours_comes_back_exact() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let selection = json!({ "plugins": [{ "id": "github@internal", "mcpServers": [] }], "skills": ["repo-review"] });
    let promise = Promise::of_skills(&["github:pull-request", "repo-review"]);
    let (thread, receipt) = stage.start(&host, selection).await;
    stage.check(&host, &thread, &promise).await;
    assert!(host.shutdown().await.unwrap().success());
    // Such a record says nothing of the list.
    let state_home = stage.home.path().join(".codex-loadout");
    let selections = Records::open(&state_home).await.unwrap();
    let forget = |record: &mut ThreadRecord| record.loadout.plan.skill_list = None;
    selections.change_thread(&thread, forget).await.unwrap();
    drop(selections);
    let host = stage.host().await;
    let named = json!({ "threadId": thread });
    let resumed = host.request("thread/resume", named).await.unwrap();
    assert_eq!(resumed["capabilitySelection"]["digest"], receipt["digest"]);
    stage
        .home
        .add_skill(".agents/skills", &Skill::new("newcomer"))
        .unwrap();
    stage.check(&host, &thread, &promise).await;
    let seen = stage.model.seen(&thread).unwrap();
    assert_eq!(seen.skills_sections, 2, "it is shown in its history");
    let listed = host
        .request("hooks/list", json!({ "threadId": thread }))
        .await;
    assert!(!listed.unwrap().to_string().contains("codex-loadout"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_that_a_thread_has_already_changes_nothing() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let selection = json!({ "skills": ["repo-review"] });
    let (thread, started) = stage.start(&host, selection.clone()).await;
    let promise = Promise::of_skills(&["repo-review"]);
    stage.check(&host, &thread, &promise).await;
    let events = async || {
        let asked = json!({ "threadId": thread });
        let rows = host.request("capability/audit/list", asked).await.unwrap();
        let rows = rows["data"].as_array().unwrap().clone();
        let events = rows
            .iter()
            .map(|row| row["event"].as_str().unwrap().to_owned());
        events.collect::<Vec<_>>()
    };
    let resume = json!({ "threadId": thread, "capabilitySelection": selection });
    let resumed = host.request("thread/resume", resume).await.unwrap();
    assert_eq!(resumed["capabilitySelection"]["digest"], started["digest"]);
    assert_eq!(events().await, ["start", "resume"]);
    stage.check(&host, &thread, &promise).await;
    // What it comes to counts, and not the words.
    stage
        .home
        .add_skill(".agents/skills", &lab::Skill::new("newcomer"))
        .unwrap();
    let other = json!({ "threadId": thread, "capabilitySelection": { "skills": ["newcomer"] } });
    host.request("thread/resume", other).await.unwrap();
    assert_eq!(events().await, ["start", "resume", "update"]);
    stage
        .check(&host, &thread, &Promise::of_skills(&["newcomer"]))
        .await;
    host.shutdown().await.unwrap();
}
