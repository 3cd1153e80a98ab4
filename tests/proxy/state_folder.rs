//! The state folder is its owner's alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use lab::Promise;
use serde_json::json;

use crate::stage::{Stage, id_of};

/// A user that nobody is.
const NOBODY: u32 = 65534;

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_is_open_to_others_or_another_users_is_refused_until_it_is_not() {
    let stage = Stage::standard().await;
    let state = stage.home.path().join(".codex-loadout");
    fs::create_dir(&state).unwrap();
    let mine = fs::metadata(&state).unwrap().uid();
    let host = stage.host().await;
    let native = json!({ "cwd": stage.home.project() });
    let native = id_of(&host.request("thread/start", native).await.unwrap());
    host.turn(&native, "hello").await.unwrap();
    // Only root can give a folder away.
    let owners: &[u32] = if mine == 0 { &[mine, NOBODY] } else { &[mine] };
    for owner in owners {
        chown(&state, Some(*owner), None).unwrap();
        let modes: &[u32] = if *owner == mine {
            &[0o755, 0o701, 0o710]
        } else {
            &[0o700]
        };
        for mode in modes {
            fs::set_permissions(&state, Permissions::from_mode(*mode)).unwrap();
            let error = stage.refused(&host, json!({})).await;
            assert_eq!(error.data["kind"], "stateUnavailable", "{mode:o} {owner}");
            assert!(
                error.message.contains(".codex-loadout"),
                "{}",
                error.message
            );
            assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "{mode:o} {owner}");
            let verb = stage.verb(&["threads"]);
            assert!(!verb.status.success());
            // Native threads need no state.
            let named = json!({ "threadId": native });
            host.request("thread/resume", named).await.unwrap();
            stage.check(&host, &native, &Promise::native()).await;
        }
    }
    chown(&state, Some(mine), None).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    stage.start(&host, json!({})).await;
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_umask_others_can_enter_no_folder_and_read_no_record() {
    let stage = Stage::standard().await;
    let host = stage.host_after(&["sh"], "umask 0").await;
    stage.start(&host, json!({ "skills": ["planning"] })).await;
    host.shutdown().await.unwrap();
    let state = stage.home.path().join(".codex-loadout");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let mut folders = 0;
    for folder in [state.clone(), state.join("store-v1")] {
        assert_eq!(mode(&folder), 0o700, "{folder:?}");
        for entry in fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if entry.is_dir() {
                folders += 1;
                assert_eq!(mode(&entry), 0o700, "{entry:?}");
            } else if entry.to_string_lossy().contains(".sqlite3") {
                assert_eq!(mode(&entry), 0o600, "{entry:?}");
            }
        }
    }
    assert!(folders >= 4, "{folders}");
    let roots = fs::read_dir(state.join("roots")).unwrap();
    for file in roots.map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|end| end == "json") {
            assert_eq!(mode(&file), 0o600, "{file:?}");
        }
    }
}
