//! Many hosts on one Codex, by all doors: a thread that several have open has one loadout.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use lab::{Client, Promise, RpcError};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of, spawn_child};

const UPDATED: &str = "thread/capability/updated";

/// The proxy at a Unix socket, a port and stdio.
pub(crate) struct Doors {
    /// The host that has started it.
    pub(crate) stdio: Client,
    pub(crate) unix: String,
    pub(crate) web_socket: String,
}

impl Doors {
    pub(crate) async fn open(stage: &Stage) -> Self {
        Self::of(stage, stage.proxy()).await
    }

    /// Those of a proxy that is started like this.
    pub(crate) async fn of(stage: &Stage, mut proxy: Command) -> Self {
        let unix = format!("unix://{}", stage.home.path().join("hosts.sock").display());
        for address in ["stdio://", &unix, "ws://127.0.0.1:0"] {
            proxy.args(["--listen", address]);
        }
        let stdio = Client::spawn(proxy).unwrap();
        stdio.initialize(true).await.unwrap();
        // It says so before it serves anybody.
        let said = stdio.stderr();
        let web_socket = said
            .lines()
            .find_map(|line| line.split_once("listening on: "));
        let web_socket = web_socket.unwrap().1.to_owned();
        Self {
            stdio,
            unix,
            web_socket,
        }
    }

    pub(crate) async fn host(&self, address: &str) -> Client {
        let host = Client::connect(address).await.unwrap();
        host.initialize(true).await.unwrap();
        host
    }
}

/// How many hosts a proxy says that it has.
pub(crate) fn connected(stage: &Stage, address: &str) -> usize {
    let status = stage.verb(&["status", "--listen", address, "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    status["hosts"].as_array().unwrap().len()
}

fn skills(names: &[&str]) -> Value {
    json!({ "skills": names })
}

async fn resume(host: &Client, thread: &str) -> Value {
    let named = json!({ "threadId": thread });
    host.request("thread/resume", named).await.unwrap()
}

async fn update(host: &Client, thread: &str, selection: Value) -> Result<Value, RpcError> {
    let params = json!({ "threadId": thread, "capabilitySelection": selection });
    match host.request("thread/capability/update", params).await {
        Ok(mut updated) => Ok(updated["capabilitySelection"].take()),
        Err(lab::RequestError::Refused(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// One runs a turn in it: its model sees exactly this, and all of them hear it.
async fn heard_turn(stage: &Stage, by: &Client, all: &[&Client], thread: &str, promise: &Promise) {
    let marks: Vec<usize> = all.iter().map(|host| host.mark()).collect();
    stage.check(by, thread, promise).await;
    for (host, mark) in all.iter().zip(marks) {
        host.wait_for(mark, |it| {
            it["method"] == "turn/completed" && it["params"]["threadId"] == thread
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_several_hosts_have_open_has_one_loadout() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let (a, b) = (
        doors.host(&doors.unix).await,
        doors.host(&doors.web_socket).await,
    );
    let c = &doors.stdio;
    let all = [&a, &b, c];

    let (thread, receipt) = stage.start(&a, skills(&["planning"])).await;
    // Codex has nothing to resume of a thread without a turn.
    let planning = Promise::of_skills(&["planning"]);
    stage.check(&a, &thread, &planning).await;
    for host in [&b, c] {
        let resumed = resume(host, &thread).await;
        assert_eq!(resumed["capabilitySelection"]["digest"], receipt["digest"]);
    }
    for by in all {
        heard_turn(&stage, by, &all, &thread, &planning).await;
    }

    let marks = [a.mark(), b.mark()];
    let updated = update(&b, &thread, skills(&["release-notes"])).await;
    let updated = updated.unwrap();
    for (host, mark) in [&a, &b].into_iter().zip(marks) {
        let heard = host.wait_for(mark, |it| it["method"] == UPDATED).await;
        let heard = heard.unwrap();
        assert_eq!(heard["params"]["threadId"], thread.as_str());
        assert!(
            heard
                .to_string()
                .contains(updated["digest"].as_str().unwrap())
        );
    }
    let notes = Promise::of_skills(&["release-notes"]);
    for by in all {
        heard_turn(&stage, by, &all, &thread, &notes).await;
    }
    // It has used nothing of ours.
    assert!(c.messages().iter().all(|it| it["method"] != UPDATED));

    let params = json!({ "threadId": thread, "capabilitySelection": skills(&["repo-review"]) });
    a.request("thread/resume", params).await.unwrap();
    let review = Promise::of_skills(&["repo-review"]);
    for by in all {
        heard_turn(&stage, by, &all, &thread, &review).await;
    }

    // A turn of one makes it busy for the other.
    let mark = a.mark();
    let input = json!([{ "type": "text", "text": "HOLD" }]);
    let held = json!({ "threadId": thread, "input": input });
    let asked = stage.model.requests().len();
    a.request("turn/start", held).await.unwrap();
    stage.model.wait_for(asked + 1).await.unwrap();
    let busy = update(&b, &thread, skills(&["planning"])).await;
    assert_eq!(busy.unwrap_err().data["kind"], "threadBusy");
    stage.model.release();
    a.wait_for(mark, |it| it["method"] == "turn/completed")
        .await
        .unwrap();
    heard_turn(&stage, &b, &all, &thread, &review).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_of_different_hosts_stay_apart_and_children_are_heard_by_all() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let (a, b) = (
        doors.host(&doors.unix).await,
        doors.host(&doors.web_socket).await,
    );
    let (of_a, _) = stage.start(&a, skills(&["planning"])).await;
    let (of_b, _) = stage.start(&b, skills(&["release-notes"])).await;
    let native = json!({ "cwd": stage.home.project() });
    let native = id_of(&doors.stdio.request("thread/start", native).await.unwrap());
    let planning = Promise::of_skills(&["planning"]);
    let notes = Promise::of_skills(&["release-notes"]);
    for _ in 0..2 {
        stage.check(&a, &of_a, &planning).await;
        stage.check(&b, &of_b, &notes).await;
        stage.check(&doors.stdio, &native, &Promise::native()).await;
        update(&b, &of_b, skills(&["release-notes"])).await.unwrap();
    }

    let is_of = |it: &Value, thread: &str| it["params"]["threadId"] == thread;
    // Some notices go to every host, as from Codex alone; what a thread says does not.
    let overheard = b.messages().into_iter().filter(|it| is_of(it, &of_a));
    let overheard: BTreeSet<_> = overheard.map(|it| it["method"].to_string()).collect();
    assert_eq!(overheard, ["\"thread/status/changed\"".to_owned()].into());
    resume(&b, &of_a).await;
    let mark = b.mark();
    let child = spawn_child(&a, &of_a).await;
    b.wait_for(mark, |it| {
        it["method"] == "turn/completed" && is_of(it, &child)
    })
    .await
    .unwrap();
    let seen = stage.model.seen(&child).unwrap();
    assert_eq!(planning.breaches(&seen), Vec::<String>::new());
    let read = b.request("thread/capability/read", json!({ "threadId": child }));
    let read = read.await.unwrap();
    assert_eq!(read["capabilitySelection"]["inheritedFrom"], of_a.as_str());
}

/// A host that has left is not heard of by those that stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_up_takes_nothing_from_the_others() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let a = doors.host(&doors.unix).await;
    let (thread, _) = stage.start(&a, skills(&["planning"])).await;
    let planning = Promise::of_skills(&["planning"]);
    stage.check(&a, &thread, &planning).await;
    let b = doors.host(&doors.web_socket).await;
    resume(&b, &thread).await;
    drop(a);
    heard_turn(&stage, &b, &[&b], &thread, &planning).await;
    let updated = tokio::time::timeout(
        Duration::from_secs(20),
        update(&b, &thread, skills(&["release-notes"])),
    );
    updated.await.unwrap().unwrap();
    let notes = Promise::of_skills(&["release-notes"]);
    heard_turn(&stage, &b, &[&b], &thread, &notes).await;
}
