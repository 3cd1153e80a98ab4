//! Hosts and a Codex that are slow: nobody else waits for them, and what waits takes no memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lab::{Client, HomeBuilder, Promise, RequestError};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::limits::resident;
use crate::many_hosts::{Doors, connected};
use crate::restart::{children, codex_of, descriptors, open_in_codex, signal};
use crate::stage::{Stage, native_codex};
use crate::wire_faults::{Raw, read_frame, text};

/// Requests of a host that reads no answer. Codex's refusal of each has some 8 kB.
const ASKED: usize = 20_000;
/// What they may take of the proxy's memory, in KiB: the answers have 40 times as much.
const TAKES: u64 = 24 * 1024;
/// Codex's code where its queue is full.
const OVERLOADED: i64 = -32001;
/// Its code for a method that nobody has.
const INVALID: i64 = -32600;
const PATIENCE: Duration = Duration::from_secs(60);
/// What is not taken within this time is not taken.
const STUCK: Duration = Duration::from_secs(2);

/// Half of the round trips take less than this.
async fn round_trip(host: &Client) -> Duration {
    let mut times = Vec::new();
    while times.len() < 101 {
        let begun = Instant::now();
        match host.request("thread/loaded/list", json!({})).await {
            Ok(_) => times.push(begun.elapsed()),
            // Codex has one queue for all hosts, and says so to whoever comes while it is full.
            Err(RequestError::Refused(error)) if error.code == OVERLOADED => {}
            Err(error) => panic!("{error}"),
        }
    }
    times.sort();
    times[times.len() / 2]
}

/// What comes of requests whose answers nobody reads for a while: how many were taken, and how many answers of
/// which kind there are once they are read.
struct Outcome {
    taken: usize,
    answers: BTreeMap<i64, usize>,
    /// Requests with more than one answer.
    twice: usize,
    /// Whether the connection was ended.
    ended: bool,
}

async fn never_reads(raw: &mut Raw, filler: &str) -> usize {
    for number in 0..ASKED {
        let request = format!(r#"{{"id":{number},"method":"no/such/method","x":"{filler}"}}"#);
        let request = text(request);
        match tokio::time::timeout(STUCK, raw.0.write_all(&request)).await {
            Ok(Ok(())) => {}
            _ => return number,
        }
    }
    ASKED
}

async fn reads_at_last(mut raw: Raw, taken: usize) -> Outcome {
    let mut answers = BTreeMap::new();
    let mut seen = vec![0; ASKED + 1];
    let mut ended = false;
    while answers.values().sum::<usize>() < taken {
        let read = tokio::time::timeout(STUCK, read_frame(&mut raw.0)).await;
        let Ok(Ok((_, payload))) = read else {
            ended = read.is_ok();
            break;
        };
        let message: Value = match serde_json::from_slice(&payload) {
            Ok(message) => message,
            // A close frame.
            Err(_) => continue,
        };
        if let (Some(id), Some(code)) = (message["id"].as_u64(), message["error"]["code"].as_i64())
        {
            seen[usize::try_from(id).unwrap()] += 1;
            *answers.entry(code).or_default() += 1;
        }
    }
    Outcome {
        taken,
        answers,
        twice: seen.iter().filter(|count| **count > 1).count(),
        ended,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_reads_nothing_costs_no_memory_and_nobody_time() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let (native, _codex) = native_codex(&stage).await;
    let mut raw = Raw::connect(&native).await;
    let taken = never_reads(&mut raw, "").await;
    let own = reads_at_last(raw, taken).await;

    let doors = Doors::open(&stage).await;
    let proxy = doors.stdio.id().unwrap();
    let other = doors.host(&doors.unix).await;
    let alone = round_trip(&other).await;
    let before = resident(proxy);
    let mut raw = Raw::connect(&doors.unix).await;
    let taken = never_reads(&mut raw, "").await;
    let beside = round_trip(&other).await;
    let grown = resident(proxy).saturating_sub(before);
    assert!(grown < TAKES, "{grown} KiB");
    let slower = beside.as_secs_f64() / alone.as_secs_f64();
    assert!(slower < 4.0, "{beside:?}, alone {alone:?}");
    let through = reads_at_last(raw, taken).await;
    // Each has one answer: what Codex says of it, or that Codex has too much to do.
    for outcome in [own, through] {
        assert_eq!(outcome.taken, ASKED);
        let kinds: Vec<_> = outcome.answers.keys().copied().collect();
        assert_eq!(kinds, [INVALID, OVERLOADED]);
        assert_eq!(outcome.answers.values().sum::<usize>(), ASKED);
        assert_eq!((outcome.twice, outcome.ended), (0, false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_reads_nothing_costs_no_memory_and_the_rest_is_served() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let doors = Doors::open(&stage).await;
    let proxy = doors.stdio.id().unwrap();
    let codex = codex_of(proxy).unwrap();
    let other = doors.host(&doors.web_socket).await;
    let mut raw = Raw::connect(&doors.unix).await;
    let before = resident(proxy);
    signal(codex, "-STOP");
    // 160 MB.
    let filler = "x".repeat(8000);
    let taken = never_reads(&mut raw, &filler).await;
    let grown = resident(proxy).saturating_sub(before);
    // The proxy itself is there for others.
    assert_eq!(connected(&stage, &doors.unix), 3);
    let waits = other.request("thread/loaded/list", json!({}));
    let resolved = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        signal(codex, "-CONT");
    };
    let (waited, ()) = tokio::join!(waits, resolved);
    assert!(waited.is_ok(), "{waited:?}");
    assert!(grown < TAKES, "{grown} KiB");
    assert!(taken < ASKED, "{taken}");
    let outcome = reads_at_last(raw, taken).await;
    assert_eq!(outcome.answers.values().sum::<usize>(), taken);
    assert_eq!((outcome.twice, outcome.ended), (0, false));
}

/// Where a host comes from in the system's list of connections, and whether its peer is asked now and then.
fn is_asked(port: &str, peer: u16) -> bool {
    let listed = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port: u16 = port.parse().unwrap();
    let near = format!("0100007F:{port:04X}");
    let far = format!("0100007F:{peer:04X}");
    let line = listed.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1] == near && fields[2] == far).then(|| fields[5].to_owned())
    });
    // The kind of timer that runs: 2 is the one of a question.
    line.unwrap().starts_with("02:")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_in_the_middle_of_a_turn_leaves_nothing() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let proxy = doors.stdio.id().unwrap();
    let codex = codex_of(proxy).unwrap();
    let counted = || (descriptors(proxy), open_in_codex(codex), children(proxy));
    let killed = async |address: &str, hold: bool| {
        let host = doors.host(address).await;
        let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
        host.turn(&thread, "go on").await.unwrap();
        if hold {
            let input = json!([{ "type": "text", "text": "HOLD" }]);
            let held = json!({ "threadId": thread, "input": input });
            host.request("turn/start", held).await.unwrap();
        }
        drop(host);
        thread
    };
    let gone = async || {
        while connected(&stage, &doors.unix) != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Its threads go with it, once their turns have ended.
        let loaded = async || {
            let asked = doors.stdio.request("thread/loaded/list", json!({})).await;
            asked.unwrap()["data"].as_array().unwrap().len()
        };
        while loaded().await > 0 {
            stage.model.release();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // What is opened once stays open.
    killed(&doors.unix, false).await;
    killed(&doors.web_socket, false).await;
    tokio::time::timeout(PATIENCE, gone()).await.unwrap();
    let before = counted();
    let mut threads = Vec::new();
    for address in [
        &doors.unix,
        &doors.web_socket,
        &doors.unix,
        &doors.web_socket,
    ] {
        threads.push(killed(address, true).await);
    }
    tokio::time::timeout(PATIENCE, gone()).await.unwrap();
    let after = counted();
    assert!(
        after.0 <= before.0 + 1 && after.2 <= before.2,
        "{before:?} {after:?}"
    );
    // Codex keeps a connection to the model of each turn for a while: not one more for each.
    assert!(after.1 < before.1 + 8, "{before:?} {after:?}");
    let metrics = stage.verb(&["metrics", "--listen", &doors.unix]);
    let metrics = String::from_utf8(metrics.stdout).unwrap();
    assert!(
        metrics.contains("codex_loadout_connected_hosts 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("codex_loadout_loaded_threads 0\n"),
        "{metrics}"
    );
    // Who comes later has them as they were.
    let host = doors.host(&doors.unix).await;
    for thread in threads {
        let named = json!({ "threadId": thread });
        host.request("thread/resume", named).await.unwrap();
        let planning = Promise::of_skills(&["planning"]);
        stage.check(&host, &thread, &planning).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_machine_is_gone_is_asked_now_and_then_whether_it_is_there() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let doors = Doors::open(&stage).await;
    let address = doors.web_socket.strip_prefix("ws://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let peer = stream.local_addr().unwrap().port();
    let _host = Raw::over(Box::new(stream)).await;
    let (_, port) = address.rsplit_once(':').unwrap();
    let asked = async {
        while !is_asked(port, peer) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(STUCK, asked).await.is_ok());
}
