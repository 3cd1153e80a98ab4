//! Eight hosts that come, start, fork, update, resume, run turns and leave at random, on threads that they share.
//!
//! `CHURN_SEED=N` makes the same choices again; `CHURN_SECONDS=600 CHURN_HOSTS=8` is the long form.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::{Client, Crowd, Dice};
use serde_json::{Value, json};

use crate::load::setting;
use crate::many_hosts::Doors;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn eight_hosts_at_random_see_no_thread_wider_and_lose_no_answer() {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = setting("CHURN_SEED", u64::from(now.subsec_nanos()));
    println!("CHURN_SEED={seed}");
    let stage = Stage::standard().await;
    let mut proxy = stage.proxy();
    proxy.env("CODEX_LOADOUT_LOG", "codex_loadout=debug");
    let doors = Doors::of(&stage, proxy).await;
    let addresses = [doors.unix.as_str(), &doors.unix, &doors.web_socket];
    let lasts = Duration::from_secs(setting("CHURN_SECONDS", 15));
    let crowd = Crowd::new(&addresses, stage.home.project(), lasts);
    let hosts = (0..setting("CHURN_HOSTS", 8))
        .map(|number| crowd.live(number, Dice::new(seed.wrapping_add(number << 32))));
    let hosts = futures_util::future::join_all(hosts);
    let outcomes = letting_go(&stage, hosts).await;
    for outcome in outcomes {
        outcome.unwrap_or_else(|error| {
            let story = crowd.story(&error);
            let stderr = doors.stdio.stderr();
            panic!("CHURN_SEED={seed}: {error}\n{story}\n{stderr}")
        });
    }
    letting_go(&stage, at_rest(&stage, &doors, &crowd)).await;
    let requests = stage.model.requests();
    let wrong = crowd.breaches(&requests);
    assert!(wrong.is_empty(), "CHURN_SEED={seed}: {wrong:#?}");
    let counts = crowd.counts();
    println!("{} model requests, {counts:#?}", requests.len());
    assert!(requests.len() > 20 && counts["answered"] > 100);
}

/// Turns that are held go on now and then meanwhile.
async fn letting_go<T>(stage: &Stage, work: impl Future<Output = T>) -> T {
    let go_on = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stage.model.release();
        }
    };
    tokio::select! {
        done = work => done,
        () = go_on => unreachable!(),
    }
}

/// Each thread is what its receipt says that it is, once nobody changes it any more.
async fn at_rest(stage: &Stage, doors: &Doors, crowd: &Crowd) {
    let host = doors.host(&doors.unix).await;
    let mut digests = BTreeMap::new();
    for (number, (selection, _)) in crowd.loadouts.iter().enumerate() {
        let asked = host.request("capability/resolve", stage.params(selection.clone()));
        let resolved = asked.await.unwrap();
        let digest = resolved["capabilitySelection"]["digest"].to_string();
        digests.insert(digest, number);
    }
    for (thread, known) in crowd.threads().iter().filter(|it| it.1.has_turn) {
        let named = json!({ "threadId": thread });
        let resumed = host.request("thread/resume", named.clone()).await.unwrap();
        let digest = resumed["capabilitySelection"]["digest"].to_string();
        let number = digests[&digest];
        assert!(known.had.contains(&number), "{thread}: {known:?}, {digest}");
        // A turn that was held may be under way still.
        while is_active(&host, named.clone()).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let promise = &crowd.loadouts[number].1;
        stage.check(&host, thread, promise).await;
        host.request("thread/unsubscribe", named).await.unwrap();
    }
}

async fn is_active(host: &Client, named: Value) -> bool {
    let read = host.request("thread/read", named).await.unwrap();
    read["thread"]["status"]["type"] == "active"
}
