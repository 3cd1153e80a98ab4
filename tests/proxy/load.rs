//! Many threads with different loadouts, turns in parallel, and churn underneath.
//!
//! The long form: `LOAD_THREADS=60 LOAD_SECONDS=120 cargo test --release --test proxy load:: -- --nocapture`, and the
//! same with `LOAD_CHANGE_MS=70`. No turn is refused, however fast things change.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lab::{Client, Promise, Skill};
use serde_json::{Value, json};

use crate::stage::{NOTES_TOOLS, Stage};

fn loadouts() -> Vec<(Value, Promise)> {
    vec![
        (
            json!({ "plugins": [{ "id": "github@internal", "mcpServers": [] }], "skills": ["repo-review"] }),
            Promise::of_skills(&["github:pull-request", "repo-review"]),
        ),
        (
            json!({ "skills": ["planning"] }),
            Promise::of_skills(&["planning"]),
        ),
        (
            json!({ "plugins": [{ "id": "sentry@internal", "mcpServers": [] }] }),
            Promise::of_skills(&["sentry:error-triage"]),
        ),
        (json!({}), Promise::default()),
        (
            json!({ "skills": ["release-notes"], "mcpServers": ["team-notes"] }),
            Promise::of_skills(&["release-notes"]).server("team-notes", &NOTES_TOOLS),
        ),
    ]
}

/// A number of the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Skills and servers come and go, a plugin is switched on and off.
async fn churn(stage: &Stage, host: &Client, until: Instant) -> usize {
    let config = stage.home.codex_home().join("config.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let skills = stage.home.path().join(".agents/skills");
    let every = Duration::from_millis(setting("LOAD_CHANGE_MS", 400));
    let mut steps = 0;
    while Instant::now() < until {
        let name = format!("churn-{}", steps % 5);
        if steps % 2 == 0 {
            stage
                .home
                .add_skill(".agents/skills", &Skill::new(&name))
                .unwrap();
        } else {
            // It may be there no longer.
            let _ = std::fs::remove_dir_all(skills.join(&name));
        }
        match steps % 8 {
            3 => {
                let late = "\n[mcp_servers.late]\ncommand = \"node\"\nargs = [\"/none.mjs\"]\n";
                std::fs::write(&config, format!("{before}{late}")).unwrap();
                host.request("config/mcpServer/reload", Value::Null)
                    .await
                    .unwrap();
            }
            5 => {
                let on = before.replace("enabled = false", "enabled = true");
                std::fs::write(&config, on).unwrap();
            }
            7 => std::fs::write(&config, &before).unwrap(),
            _ => {}
        }
        steps += 1;
        tokio::time::sleep(every).await;
    }
    std::fs::write(&config, before).unwrap();
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn no_model_request_ever_holds_more_than_its_threads_loadout() {
    let threads = usize::try_from(setting("LOAD_THREADS", 6)).unwrap();
    let seconds = Duration::from_secs(setting("LOAD_SECONDS", 6));
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let mut promises: BTreeMap<String, Promise> = BTreeMap::new();
    for (selection, promise) in loadouts().into_iter().cycle().take(threads) {
        let (thread, _) = stage.start(&host, selection).await;
        promises.insert(thread, promise);
    }
    let until = Instant::now() + seconds;
    let failed = AtomicBool::new(false);
    let turns = AtomicUsize::new(0);
    let work = promises.keys().map(|thread| {
        let (host, failed, turns) = (&host, &failed, &turns);
        async move {
            while Instant::now() < until && !failed.load(Ordering::Relaxed) {
                if let Err(error) = host.turn(thread, "go on").await {
                    failed.store(true, Ordering::Relaxed);
                    panic!("{thread}: {error:#}");
                }
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    let (steps, _) = tokio::join!(
        churn(&stage, &host, until),
        futures_util::future::join_all(work)
    );
    let mut wider = Vec::new();
    for request in stage.model.requests() {
        let thread = request.thread.clone().unwrap();
        let breaches = promises[&thread].breaches(&request.seen());
        wider.extend(
            breaches
                .into_iter()
                .filter(|breach| breach.starts_with("saw"))
                .map(|breach| format!("{thread} {breach}")),
        );
    }
    println!(
        "{} model requests of {threads} threads, {steps} changes underneath",
        stage.model.requests().len()
    );
    assert_eq!(wider, Vec::<String>::new());
    assert!(turns.load(Ordering::Relaxed) >= threads && steps > 5);
}
