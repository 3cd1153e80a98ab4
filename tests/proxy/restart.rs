//! Codex dies, and its hosts stay: nothing is left unanswered, and threads come back with what they had.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use lab::{Client, HomeBuilder, Promise};
use serde_json::{Value, json};

use crate::many_hosts::{Doors, connected};
use crate::stage::Stage;

/// The Codex of a proxy.
pub(crate) fn codex_of(proxy: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut ids = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
    ids.find(|id: &u32| {
        let read = |file| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        let status = read("status");
        let is_child = status.lines().any(|line| line == format!("PPid:\t{proxy}"));
        let is_zombie = status.contains("State:\tZ");
        is_child && !is_zombie && read("cmdline").contains("--listen\0unix://")
    })
}

/// Kills the Codex of a proxy without warning, once it has one.
async fn kill_codex(proxy: u32, unlike: Option<u32>) -> u32 {
    let found = async {
        loop {
            match codex_of(proxy).filter(|found| Some(*found) != unlike) {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), found);
    let found = found.await.unwrap();
    signal(found, "-9");
    found
}

async fn hears(host: &Client, mark: usize, method: &str) -> Value {
    host.wait_for(mark, |it| it["method"] == method)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_dies_and_its_hosts_go_on_with_the_next() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let proxy = doors.stdio.id().unwrap();
    let (a, b) = (
        doors.host(&doors.unix).await,
        doors.host(&doors.web_socket).await,
    );
    let hosts = [&a, &b, &doors.stdio];
    let mut threads = Vec::new();
    for (host, name) in hosts
        .iter()
        .zip(["planning", "release-notes", "repo-review"])
    {
        let (thread, receipt) = stage.start(host, json!({ "skills": [name] })).await;
        let promise = Promise::of_skills(&[name]);
        stage.check(host, &thread, &promise).await;
        threads.push((thread, receipt, promise));
    }
    let marks: Vec<usize> = hosts.iter().map(|host| host.mark()).collect();
    let pending = hosts.iter().map(|host| async {
        let command = json!({ "command": ["sleep", "20"], "timeoutMs": 20000, "sandboxPolicy": { "type": "dangerFullAccess" } });
        let both = [command.clone(), command].map(|it| host.request("command/exec", it));
        futures_util::future::join_all(both).await
    });
    let killed = async {
        // They are under way when their processes run.
        let under_way = async {
            let codex = loop {
                if let Some(codex) = codex_of(proxy) {
                    break codex;
                }
            };
            while sleeping_children(codex) < 2 * hosts.len() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let under_way = tokio::time::timeout(Duration::from_secs(15), under_way);
        under_way.await.unwrap();
        kill_codex(proxy, None).await
    };
    let (answers, _) = tokio::join!(futures_util::future::join_all(pending), killed);
    for answer in answers.into_iter().flatten() {
        assert!(
            matches!(answer, Err(lab::RequestError::Refused(_))),
            "{answer:?}"
        );
    }
    for ((host, mark), (thread, receipt, promise)) in hosts.iter().zip(marks).zip(&threads) {
        let closed = hears(host, mark, "thread/closed").await;
        assert_eq!(closed["params"]["threadId"], thread.as_str());
        hears(host, mark, "warning").await;
        let named = json!({ "threadId": thread });
        let resumed = host.request("thread/resume", named).await.unwrap();
        assert_eq!(resumed["capabilitySelection"]["digest"], receipt["digest"]);
        stage.check(host, thread, promise).await;
    }
    let late = doors.host(&doors.unix).await;
    let (thread, _) = stage.start(&late, json!({ "skills": ["planning"] })).await;
    let planning = Promise::of_skills(&["planning"]);
    stage.check(&late, &thread, &planning).await;
    for host in hosts {
        // A second answer to a request would be one of them.
        assert!(host.messages().iter().all(|it| it["method"].is_string()));
    }
}

fn sleeping_children(codex: u32) -> usize {
    let children = std::process::Command::new("ps")
        .args(["-o", "comm=", "--ppid", &codex.to_string()])
        .output()
        .unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    children.lines().filter(|name| *name == "sleep").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_dies_again_and_again_is_given_up_with_a_word() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let a = doors.host(&doors.unix).await;
    let proxy = doors.stdio.id().unwrap();
    let mut last = None;
    for _ in 0..4 {
        let mark = a.mark();
        last = Some(kill_codex(proxy, last).await);
        // Codex itself has warnings, too, before it can be used.
        let is_ours = |it: &Value| it.to_string().contains("was started again");
        a.wait_for(mark, is_ours).await.unwrap();
    }
    kill_codex(proxy, last).await;
    let said = a.wait_for(a.mark(), |_| false).await.unwrap_err();
    assert!(said.to_string().contains("gone"), "{said}");
    given_up(doors).await;
}

/// Waits until a proxy has ended because its Codex has, too often.
async fn given_up(doors: Doors) {
    let wait = async {
        while !doors.stdio.stderr().contains("hint") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let wait = tokio::time::timeout(Duration::from_secs(20), wait).await;
    let stderr = doors.stdio.stderr();
    assert!(wait.is_ok(), "{stderr}");
    assert!(
        stderr.contains("Codex has ended 5 times within 60 seconds"),
        "{stderr}"
    );
    let status = doors.stdio.ended_within(Duration::from_secs(20)).await;
    assert_eq!(status.unwrap().code(), Some(1));
}

/// A Codex that ends at once where it is to listen, at these starts.
fn dies_at(stage: &Stage, starts: &str) -> PathBuf {
    let script = stage.home.path().join("dies");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *--listen*)\n  echo >>'{count}'\n  case $(wc -l <'{count}') in {starts}) exit 9;; esac\nesac\nexec '{codex}' \"$@\"\n",
        count = stage.home.path().join("starts").display(),
        codex = stage.home.codex().display(),
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_dies_while_it_is_started_again_is_started_once_more() {
    let stage = Stage::standard().await;
    let doors = Doors::of(&stage, stage.proxy_to(&dies_at(&stage, "2|3"))).await;
    let a = doors.host(&doors.unix).await;
    let (thread, _) = stage.start(&a, json!({ "skills": ["planning"] })).await;
    let planning = Promise::of_skills(&["planning"]);
    stage.check(&a, &thread, &planning).await;
    let mark = a.mark();
    kill_codex(doors.stdio.id().unwrap(), None).await;
    hears(&a, mark, "thread/closed").await;
    // While there is no Codex: hosts come, and what they say waits.
    let late = doors.host(&doors.unix);
    let resumed = async {
        let named = json!({ "threadId": thread });
        a.request("thread/resume", named).await.unwrap();
        stage.check(&a, &thread, &planning).await;
    };
    let (late, ()) = tokio::join!(late, resumed);
    let (thread, _) = stage.start(&late, json!({ "skills": ["planning"] })).await;
    stage.check(&late, &thread, &planning).await;
    let starts = fs::read_to_string(stage.home.path().join("starts")).unwrap();
    assert_eq!(starts.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_is_never_started_again_is_given_up_with_a_word() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let doors = Doors::of(&stage, stage.proxy_to(&dies_at(&stage, "[2-9]"))).await;
    let a = doors.host(&doors.unix).await;
    kill_codex(doors.stdio.id().unwrap(), None).await;
    let said = a.wait_for(a.mark(), |_| false).await.unwrap_err();
    assert!(said.to_string().contains("gone"), "{said}");
    given_up(doors).await;
    let starts = fs::read_to_string(stage.home.path().join("starts")).unwrap();
    assert_eq!(starts.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_proxy_whose_codex_is_being_started_again() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let script = dies_at(&stage, "2");
    // The second one does nothing.
    let text = fs::read_to_string(&script).unwrap();
    fs::write(&script, text.replace("exit 9", "exec sleep 50")).unwrap();
    let doors = Doors::of(&stage, stage.proxy_to(&script)).await;
    let a = doors.host(&doors.unix).await;
    let proxy = doors.stdio.id().unwrap();
    kill_codex(proxy, None).await;
    let started = async {
        let starts = || fs::read_to_string(stage.home.path().join("starts")).unwrap();
        while starts().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), started)
        .await
        .unwrap();
    signal(proxy, "-TERM");
    let ended = doors.stdio.ended_within(Duration::from_secs(5)).await;
    assert!(ended.is_ok(), "{ended:?}");
    let said = a.wait_for(a.mark(), |_| false).await.unwrap_err();
    assert!(said.to_string().contains("gone"), "{said}");
}

pub(crate) fn signal(process: u32, which: &str) {
    let mut kill = std::process::Command::new("kill");
    let sent = kill.args([which, &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

pub(crate) fn descriptors(process: u32) -> usize {
    let folder = format!("/proc/{process}/fd");
    std::fs::read_dir(folder).unwrap().count()
}

/// What Codex has open. What it has open several times counts once: it opens its databases once more whenever much
/// happens at the same time.
pub(crate) fn open_in_codex(codex: u32) -> usize {
    let folder = format!("/proc/{codex}/fd");
    let entries = std::fs::read_dir(folder).unwrap();
    let open = entries.filter_map(|it| std::fs::read_link(it.ok()?.path()).ok());
    open.collect::<std::collections::BTreeSet<_>>().len()
}

pub(crate) fn children(process: u32) -> usize {
    let listed = std::process::Command::new("ps")
        .args(["-o", "pid=", "--ppid", &process.to_string()])
        .output()
        .unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().count()
}

/// What hosts leave behind that are gone without a word: the ends of the proxy and of its Codex.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_die_leave_nothing_and_a_signal_ends_everything() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let proxy = doors.stdio.id().unwrap();
    let codex = codex_of(proxy).unwrap();
    let a = doors.host(&doors.unix).await;
    let (thread, _) = stage.start(&a, json!({ "skills": ["planning"] })).await;
    let planning = Promise::of_skills(&["planning"]);
    stage.check(&a, &thread, &planning).await;
    let counted = || (descriptors(proxy), open_in_codex(codex), children(proxy));
    let come_and_die = |address: String| {
        let (doors, thread) = (&doors, &thread);
        async move {
            let host = doors.host(&address).await;
            let named = json!({ "threadId": thread });
            host.request("thread/resume", named).await.unwrap();
            // In the middle of something.
            let started = host.request("thread/start", json!({ "capabilitySelection": {} }));
            let _ = tokio::time::timeout(Duration::from_millis(3), started).await;
        }
    };
    let round = |count: usize| {
        let addresses = [&doors.unix, &doors.web_socket].into_iter().cycle();
        let hosts = addresses.take(count).map(|it| come_and_die(it.clone()));
        futures_util::future::join_all(hosts)
    };
    // What is opened once stays open.
    round(5).await;
    let comes_to = async |most: (usize, usize, usize)| {
        let wait = async {
            loop {
                let now = counted();
                if now.0 <= most.0 && now.1 <= most.1 && now.2 <= most.2 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(came.is_ok(), "{:?} of at most {most:?}", counted());
    };
    while connected(&stage, &doors.unix) != 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = counted();
    for _ in 0..10 {
        round(5).await;
    }
    // Less than one for each host: Codex itself may keep a thread's file open for a while.
    comes_to((before.0 + 4, before.1 + 20, before.2)).await;
    // Nobody waits for those that are gone.
    let update =
        json!({ "threadId": thread, "capabilitySelection": { "skills": ["release-notes"] } });
    let updated = a.request("thread/capability/update", update);
    let updated = tokio::time::timeout(Duration::from_secs(5), updated).await;
    updated.unwrap().unwrap();
    let notes = Promise::of_skills(&["release-notes"]);
    stage.check(&a, &thread, &notes).await;

    signal(proxy, "-TERM");
    doors
        .stdio
        .ended_within(Duration::from_secs(20))
        .await
        .unwrap();
    let gone = a.wait_for(a.mark(), |_| false).await.unwrap_err();
    assert!(gone.to_string().contains("gone"), "{gone}");
    assert!(!std::path::Path::new(&format!("/proc/{codex}/cmdline")).exists());
    let socket = doors.unix.strip_prefix("unix://").unwrap();
    assert!(std::fs::symlink_metadata(socket).is_err());
}
