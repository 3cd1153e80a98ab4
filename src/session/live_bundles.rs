//! Threads follow the folder of a bundle that is linked live: once it has changed, idle threads that have the bundle are
//! given what it holds now, as by `thread/capability/update`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use codex_loadout_protocol::ErrorKind;
use serde_json::json;
use tokio::task::JoinHandle;

use super::control::OfProcess;
use super::process::CodexProcess;
use crate::bundle::Digest;
use crate::control::UpdatesThreads as _;
use crate::loadouts::AppliedConfig;
use crate::records::asked_by;

/// How often it is looked: at the threads that have a bundle, and then at the folders.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Who asks, as the audit has it.
const ACTOR: &str = "bundle";

/// Follows the folders as long as this is there.
#[derive(Debug)]
pub(super) struct LiveBundles {
    following: JoinHandle<()>,
}

impl LiveBundles {
    pub(super) fn follow(process: &Arc<CodexProcess>) -> Self {
        let process = process.clone();
        let following = tokio::spawn(asked_by(Some(ACTOR.into()), async move {
            let mut refused = Refused::new();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                update_threads(&process, &mut refused).await;
            }
        }));
        Self { following }
    }
}

impl Drop for LiveBundles {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// By thread, what it could not be given: it is not tried again and again.
type Refused = HashMap<String, Vec<Digest>>;

async fn update_threads(process: &Arc<CodexProcess>, refused: &mut Refused) {
    let mut threads = process.applied.all();
    threads.retain(|(_, applied)| applied.loadout.plan.has_added_bundles());
    if threads.is_empty() {
        return;
    }
    let live = match process.loadouts.live_bundles().await {
        Ok(live) => live,
        Err(error) => {
            tracing::debug!(%error, "what linked folders hold is not known");
            return;
        }
    };
    for (thread, applied) in threads {
        let plan = &applied.loadout.plan;
        let now = plan
            .added_bundles()
            .map(|(id, content)| (live.get(id).copied(), content));
        let news = now.filter_map(|(now, content)| now.filter(|now| *now != content));
        let news: Vec<Digest> = news.collect();
        if news.is_empty() || refused.get(&thread) == Some(&news) {
            continue;
        }
        let params = json!({ "threadId": thread, "capabilitySelection": asked_for(&applied) });
        let updated = OfProcess(process.clone()).update(params.to_string()).await;
        match updated {
            Ok(_) => tracing::debug!(thread, "has what a linked folder holds now"),
            // It is looked again when the turn may have ended.
            Err(error) if error.kind == ErrorKind::ThreadBusy => {}
            Err(error) => {
                tracing::warn!(thread, %error, "stays with what it has of a linked folder");
                refused.insert(thread, news);
            }
        }
    }
}

/// What the thread's loadout was asked for by: with profiles by their names.
fn asked_for(applied: &AppliedConfig) -> serde_json::Value {
    let rule = applied.loadout.rule.as_ref();
    let asked = rule.and_then(|rule| rule.selection.as_ref());
    json!(asked.unwrap_or(&applied.loadout.selection))
}
