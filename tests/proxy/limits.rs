//! Whatever a host sends, it costs no memory for good, no long answer and nobody else's time.

use std::time::{Duration, Instant};

use lab::{Client, Process, Skill};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of};

/// Kibibytes of a process that are in memory now.
#[cfg(target_os = "linux")]
pub(crate) fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let size = line.unwrap().split_whitespace().nth(1).unwrap();
    size.parse().unwrap()
}

/// The queues of changes that a process has.
#[cfg(target_os = "linux")]
fn queues(process: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let targets = open.flatten().map(|entry| std::fs::read_link(entry.path()));
    targets
        .filter(|target| {
            let target = target.as_ref().map(|target| target.to_string_lossy());
            target.is_ok_and(|target| target.contains("inotify"))
        })
        .count()
}

async fn stage() -> Stage {
    Stage::of(lab::Home::builder().skill(Skill::new("alone"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_in_a_few_words_and_holds_up_nobody() {
    let stage = stage().await;
    let host = stage.host().await;
    let long = "n".repeat(8_000_000);
    let many: Vec<String> = (0..300_000).map(|number| number.to_string()).collect();
    let unknown: Vec<String> = (0..500).map(|number| format!("none-{number}")).collect();
    for (selection, kind) in [
        (json!({ "skills": [long] }), "invalidSelection"),
        (json!({ "skills": many }), "invalidSelection"),
        (json!({ long.clone(): 1 }), "invalidSelection"),
        (json!({ "skills": unknown }), "unknownCapability"),
    ] {
        for method in ["thread/start", "capability/resolve"] {
            let begin = Instant::now();
            let error = host
                .refusal(method, stage.params(selection.clone()))
                .await
                .unwrap();
            assert_eq!(error.data["kind"], kind, "{method}");
            assert!(error.message.len() <= 2048, "{}", error.message.len());
            let answer = json!([error.message, error.data]).to_string();
            assert!(answer.len() < 50_000, "{}", answer.len());
            assert!(error.data["items"].as_array().unwrap().len() <= 20);
            let took = begin.elapsed();
            assert!(took < Duration::from_secs(15), "{method} took {took:?}");
        }
    }
    let error = stage.refused(&host, json!({ "skills": unknown })).await;
    assert!(
        error.message.ends_with("(and 480 more)"),
        "{}",
        error.message
    );
    for (method, params) in [
        ("thread/resume", json!({ "threadId": long })),
        ("thread/capability/read", json!({ "threadId": long })),
        (
            "thread/capability/update",
            json!({ "threadId": long, "capabilitySelection": {} }),
        ),
        ("capability/list", json!({ long.clone(): 1 })),
    ] {
        let _ = host.request(method, params).await;
    }
    let audit = host
        .request("capability/audit/list", json!({ "limit": 1000 }))
        .await
        .unwrap();
    for row in audit["data"].as_array().unwrap() {
        assert!(row.to_string().len() < 4096, "{}", row.to_string().len());
    }
    host.shutdown().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_large_is_given_back_and_many_loadouts_take_one_queue() {
    let stage = stage().await;
    let host = stage.host().await;
    let process = host.id().unwrap();
    stage.start(&host, json!({ "skills": ["alone"] })).await;
    let before = resident(process);
    let line = "x".repeat(64 * 1024 * 1024);
    let echo = host.request("no/method", json!({ "filler": line })).await;
    assert!(echo.is_err());
    drop(line);
    let begin = Instant::now();
    while resident(process) > before + 20_000 {
        let now = resident(process);
        assert!(begin.elapsed() < Duration::from_secs(20), "{before} {now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for number in 0..20 {
        let name = format!("more-{number}");
        stage
            .home
            .add_skill(".agents/skills", &Skill::new(&name))
            .unwrap();
    }
    for number in 0..20 {
        let skills = [format!("more-{number}"), "alone".to_owned()];
        stage.start(&host, json!({ "skills": skills })).await;
    }
    assert_eq!(queues(process), 1);
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_twice_makes_one_thread() {
    let stage = stage().await;
    let mut process = Process::spawn(stage.proxy()).unwrap();
    let start = |selection: Value| {
        let params = stage.params(selection);
        json!({ "id": 4711, "method": "thread/start", "params": params })
    };
    let hello = json!({ "id": 0, "method": "initialize", "params": {
        "clientInfo": { "name": "lab", "version": "0" }, "capabilities": { "experimentalApi": true } } });
    let (one, other) = (json!({ "skills": ["alone"] }), json!({ "skills": [] }));
    let lines = format!("{hello}\n{}\n{}\n", start(one), start(other));
    process.send(lines.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let line = process.read_line(Duration::from_secs(20)).await.unwrap();
        let message: Value = serde_json::from_slice(&line.unwrap()).unwrap();
        if message["id"] == 4711 {
            answers.push(message);
        }
    }
    let (refused, started) = (&answers[0], &answers[1]);
    assert_eq!(refused["error"]["data"]["kind"], "invalidSelection");
    let receipt = &started["result"]["capabilitySelection"];
    assert_eq!(receipt["skills"][0]["name"], "alone", "{started}");
    assert!(process.shutdown().await.unwrap().success());
    let threads = stage.verb(&["threads", "--json"]);
    let threads: Value = serde_json::from_slice(&threads.stdout).unwrap();
    assert_eq!(threads["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_object_of_params_is_codexs_to_judge_unless_a_loadout_is_named() {
    let stage = stage().await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "skills": ["alone"] })).await;
    host.turn(&thread, "hello").await.unwrap();
    let native = json!({ "cwd": stage.home.project() });
    let native = id_of(&host.request("thread/start", native).await.unwrap());
    host.turn(&native, "hello").await.unwrap();
    let by_hand = Client::spawn(stage.home.command(stage.home.codex(), &["app-server"])).unwrap();
    by_hand.initialize(true).await.unwrap();
    for method in ["thread/resume", "thread/fork"] {
        for params in [json!([native]), json!([]), json!("x"), json!([5, null])] {
            let of_codex = by_hand.refusal(method, params.clone()).await.unwrap();
            let ours = host.refusal(method, params).await.unwrap();
            assert_eq!(ours, of_codex, "{method}");
        }
        let error = host.refusal(method, json!([thread])).await.unwrap();
        assert_eq!(error.data["kind"], "invalidSelection");
        assert_eq!(error.data["items"][0]["name"], "params");
    }
    host.shutdown().await.unwrap();
}
