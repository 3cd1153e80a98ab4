//! The control door: our methods for those who are no hosts, by the socket in the state folder and by HTTP.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Client, Promise};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use crate::stage::{Stage, id_of};

const PATIENCE: Duration = Duration::from_secs(10);

fn sockets(stage: &Stage) -> Vec<PathBuf> {
    let folder = stage.home.path().join(".codex-loadout/control");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_socket = |path: &PathBuf| path.extension().is_some_and(|it| it == "sock");
    paths.filter(is_socket).collect()
}

async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let looked = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap()
}

/// A client of the control socket.
struct Control(BufReader<UnixStream>);

impl Control {
    async fn at(stage: &Stage) -> Self {
        let socket = until(|| sockets(stage).pop()).await;
        // A moment after it is there, somebody listens.
        let mut tries = 0;
        loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => return Self(BufReader::new(stream)),
                Err(error) if tries == 100 => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
            tries += 1;
        }
    }

    async fn say(&mut self, line: &str) -> Value {
        self.0.get_mut().write_all(line.as_bytes()).await.unwrap();
        self.0.get_mut().write_all(b"\n").await.unwrap();
        let mut answer = String::new();
        let read = self.0.read_line(&mut answer);
        tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer:?}"))
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": "a", "method": method, "params": params });
        let mut answer = self.say(&request.to_string()).await;
        assert_eq!(answer["jsonrpc"], "2.0");
        assert_eq!(answer["id"], "a");
        assert_eq!(answer["error"], Value::Null, "{answer}");
        answer["result"].take()
    }

    async fn refused(&mut self, method: &str, params: Value) -> Value {
        let request = json!({ "id": 1, "method": method, "params": params });
        let mut answer = self.say(&request.to_string()).await;
        assert!(answer["error"]["data"]["hint"].is_string(), "{answer}");
        answer["error"].take()
    }
}

fn skills(names: &[&str]) -> Value {
    json!({ "skills": names })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_that_serves_has_a_socket_as_long_as_it_lives_once_there_is_state() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let native = json!({ "cwd": stage.home.project() });
    let native = id_of(&host.request("thread/start", native).await.unwrap());
    host.turn(&native, "hello").await.unwrap();
    // For a host that uses nothing of ours, nothing is made.
    assert!(!stage.home.path().join(".codex-loadout").exists());
    let (thread, receipt) = stage.start(&host, skills(&["planning"])).await;
    let mut control = Control::at(&stage).await;
    let socket = sockets(&stage).pop().unwrap();
    let mode = |path: &Path| path.symlink_metadata().unwrap().mode() & 0o777;
    let folder = socket.parent().unwrap();
    assert_eq!((mode(&socket), mode(folder)), (0o600, 0o700));

    let read = json!({ "threadId": thread });
    let mut there = control.ask("thread/capability/read", read.clone()).await;
    assert_eq!(there["loaded"].take(), true);
    there.as_object_mut().unwrap().remove("loaded");
    let of_host = host.request("thread/capability/read", read).await.unwrap();
    assert_eq!(there, of_host);
    assert_eq!(there["capabilitySelection"]["digest"], receipt["digest"]);
    assert_eq!(there["stale"], false);
    for (method, params) in [
        ("capability/list", json!({ "cwd": stage.home.project() })),
        ("capability/resolve", stage.params(skills(&["repo-review"]))),
        ("capability/profile/list", json!({})),
        ("capability/binding/list", json!({})),
        ("capability/audit/list", json!({ "threadId": thread })),
    ] {
        let there = control.ask(method, params.clone()).await;
        assert_eq!(
            there,
            host.request(method, params).await.unwrap(),
            "{method}"
        );
    }
    let proven = control
        .ask(
            "thread/capability/prove",
            stage.params(skills(&["planning"])),
        )
        .await;
    assert_eq!(proven["differences"], json!([]));
    for (line, id) in [
        ("no json", Value::Null),
        ("[]", Value::Null),
        ("{}", Value::Null),
    ] {
        let answer = control.say(line).await;
        assert_eq!(answer["id"], id);
        assert!(answer["error"]["message"].is_string(), "{answer}");
    }
    let unknown = json!({ "id": 7, "method": "turn/start", "params": {} });
    let unknown = control.say(&unknown.to_string()).await;
    assert_eq!(
        (&unknown["id"], &unknown["error"]["code"]),
        (&json!(7), &json!(-32601))
    );

    // A second process has one of its own; each goes with its process.
    let other = stage.host().await;
    let both = until(|| Some(sockets(&stage)).filter(|found| found.len() == 2)).await;
    assert!(both.contains(&socket));
    host.shutdown().await.unwrap();
    assert!(!socket.exists());
    // What a killed one leaves is of no harm.
    other.kill9().await.unwrap();
    assert_eq!(sockets(&stage).len(), 1);
    let listed = stage.verb(&["threads", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["data"][0]["loaded"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_gets_another_loadout_by_the_control_door_as_by_its_host() {
    let stage = Stage::standard().await;
    stage
        .home
        .add_profile("notes", "skills = [\"release-notes\"]\n")
        .unwrap();
    let host = stage.host().await;
    // Another process on the same state knows the thread, too, and has it not loaded.
    let other = stage.host().await;
    stage.start(&other, skills(&["planning"])).await;
    let (thread, _) = stage.start(&host, skills(&["planning"])).await;
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
    until(|| Some(sockets(&stage)).filter(|found| found.len() == 2)).await;

    let mark = host.mark();
    let updated = stage.verb(&["update", &thread, "-p", "notes", "--json"]);
    let why = String::from_utf8_lossy(&updated.stderr).into_owned();
    assert!(updated.status.success(), "{why}");
    let updated: Value = serde_json::from_slice(&updated.stdout).unwrap();
    assert_eq!(updated["capabilitySelection"]["profile"], json!(["notes"]));
    let told = host
        .wait_for(mark, |it| it["method"] == "thread/capability/updated")
        .await
        .unwrap();
    assert_eq!(
        told["params"]["capabilitySelection"],
        updated["capabilitySelection"]
    );
    stage
        .check(&host, &thread, &Promise::of_skills(&["release-notes"]))
        .await;
    // No answer has come to the host that it did not ask for: its ids still fit.
    let read = json!({ "threadId": thread });
    let read = host.request("thread/capability/read", read).await.unwrap();
    assert_eq!(
        read["capabilitySelection"]["digest"],
        updated["capabilitySelection"]["digest"]
    );

    let shown = |verb: &[&str]| -> Value {
        let shown = stage.verb(verb);
        serde_json::from_slice(&shown.stdout).unwrap()
    };
    let one = shown(&["show", &thread, "--json"]);
    assert_eq!(
        (&one["loaded"], &one["stale"]),
        (&json!(true), &json!(false))
    );
    // A server comes into the user's config.
    let config = stage.home.codex_home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let server = "\n[mcp_servers.late]\ncommand = \"node\"\nargs = [\"/none\"]\n";
    std::fs::write(&config, text + server).unwrap();
    until(|| {
        let shown = shown(&["show", &thread, "--json"]);
        (shown["stale"] == true).then_some(())
    })
    .await;
    let all = shown(&["threads", "--profile", "notes", "--json"]);
    assert_eq!(
        (&all["data"][0]["loaded"], &all["data"][0]["stale"]),
        (&json!(true), &json!(true))
    );

    // What is wrong is told in the same words; a thread that nobody knows is none.
    let mut control = Control::at(&stage).await;
    let wrong = stage.verb(&["update", &thread, "-p", "no-such"]);
    let why = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        !wrong.status.success() && why.contains("no-such") && why.contains("hint: "),
        "{why}"
    );
    let unknown = stage.verb(&["update", "0199a213-81c0-7800-8aa1-bbab2a035a53", "--native"]);
    let why = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && why.contains("hint: "), "{why}");
    let missing = control
        .refused("thread/capability/update", json!({ "threadId": thread }))
        .await;
    assert_eq!(missing["data"]["kind"], "invalidSelection");
    // During a turn it is busy.
    let mark = host.mark();
    let hold = json!({ "threadId": thread, "input": [{ "type": "text", "text": "HOLD" }] });
    let asked = stage.model.requests().len();
    host.request("turn/start", hold).await.unwrap();
    stage.model.wait_for(asked + 1).await.unwrap();
    let params = json!({ "threadId": thread, "capabilitySelection": skills(&["planning"]) });
    let busy = control.refused("thread/capability/update", params).await;
    assert_eq!(busy["data"]["kind"], "threadBusy");
    stage.model.release();
    host.wait_for(mark, |it| it["method"] == "turn/completed")
        .await
        .unwrap();
    let native = stage.verb(&["update", &thread, "--native"]);
    assert!(native.status.success());
    stage.check(&host, &thread, &Promise::native()).await;
    let again = stage.verb(&["update", &thread, "-p", "notes"]);
    assert!(again.status.success());

    let audit = json!({ "threadId": thread, "limit": 1000 });
    let audit = host.request("capability/audit/list", audit).await.unwrap();
    let told: Vec<(&str, &str)> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["event"].as_str().unwrap(),
                entry["actor"].as_str().unwrap_or(""),
            )
        })
        .collect();
    let of_cli = told.iter().filter(|it| **it == ("update", "cli")).count();
    assert_eq!(of_cli, 3, "{told:?}");
    assert!(told.contains(&("refusal", "cli")), "{told:?}");
    assert!(told.contains(&("refusal", "control")), "{told:?}");
    assert_eq!(told[0].0, "start");
    assert!(!["", "cli", "control"].contains(&told[0].1), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_of_many_hosts_gets_another_loadout_by_the_control_door_for_all_of_them() {
    let stage = Stage::standard().await;
    let doors = crate::many_hosts::Doors::open(&stage).await;
    let a = doors.host(&doors.unix).await;
    let b = doors.host(&doors.web_socket).await;
    let (thread, _) = stage.start(&a, skills(&["planning"])).await;
    stage
        .check(&a, &thread, &Promise::of_skills(&["planning"]))
        .await;
    let named = json!({ "threadId": thread, "capabilitySelection": skills(&["planning"]) });
    b.request("thread/resume", named).await.unwrap();
    let mut control = Control::at(&stage).await;
    // Codex takes many connections there: the control door has one of its own.
    let listed = control
        .ask("capability/list", json!({ "cwd": stage.home.project() }))
        .await;
    assert!(!listed["data"].as_array().unwrap().is_empty());
    let marks = [(&a, a.mark()), (&b, b.mark())];
    let params = json!({ "threadId": thread, "capabilitySelection": skills(&["release-notes"]) });
    let updated = control
        .ask("thread/capability/update", params.clone())
        .await;
    for (host, mark) in marks {
        let told = host
            .wait_for(mark, |it| it["method"] == "thread/capability/updated")
            .await
            .unwrap();
        assert_eq!(
            told["params"]["capabilitySelection"],
            updated["capabilitySelection"]
        );
        stage
            .check(host, &thread, &Promise::of_skills(&["release-notes"]))
            .await;
    }
}

/// One request by HTTP; gives the status and the body.
async fn http(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn by_http_our_methods_are_had_with_the_token_and_the_audit_as_it_comes() {
    let stage = Stage::standard().await;
    let mut proxy = stage.proxy();
    proxy.args(["--control", "http://127.0.0.1:0"]);
    let host = Client::spawn(proxy).unwrap();
    host.initialize(true).await.unwrap();
    let said = host.stderr();
    let said = |title: &str| {
        let mut lines = said.lines();
        lines
            .find_map(|line| line.trim().strip_prefix(title))
            .unwrap()
            .to_owned()
    };
    let address = said("listening on: http://");
    let token_file = PathBuf::from(said("token in: "));
    assert_eq!(token_file.metadata().unwrap().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(&token_file).unwrap();
    let get = |path: &str, more: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{more}\r\n"
        )
    };
    let post = |body: &str, kind: &str| {
        let length = body.len();
        format!(
            "POST /rpc HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let (thread, _) = stage.start(&host, skills(&["planning"])).await;

    let request = json!({ "jsonrpc": "2.0", "id": 5, "method": "thread/capability/read", "params": { "threadId": thread } });
    let (status, body) = http(&address, &post(&request.to_string(), "application/json")).await;
    assert_eq!(status, 200, "{body}");
    let by_rpc: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(by_rpc["id"], 5);
    let path = format!("/v1/thread/capability/read?threadId={thread}");
    let (status, body) = http(&address, &get(&path, "")).await;
    assert_eq!(status, 200, "{body}");
    let by_path: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(by_path, by_rpc["result"]);
    let long = post("", "application/json").replace("length: 0", "length: 5000000");
    let without = |request: String, part: &str| request.replace(part, "x-nothing: x");
    let bearer = format!("authorization: Bearer {token}");
    for (request, expected) in [
        (get("/v1/capability/audit/list?limit=1", ""), 200),
        (get("/v1/capability/audit/list?limit=0", ""), 400),
        (get("/v1/capability/audit/list?no-such=1", ""), 400),
        (get("/v1/thread/capability/update", ""), 404),
        (get("/", ""), 404),
        (get("/rpc", ""), 404),
        (get("/events?limit=x", ""), 400),
        (get("/events", "last-event-id: x\r\n"), 400),
        (
            get(
                "/v1/capability/audit/list",
                "origin: http://evil.example\r\n",
            ),
            403,
        ),
        (
            get("/v1/capability/audit/list", "").replace(&address, "evil.example:80"),
            403,
        ),
        (without(get("/v1/capability/audit/list", ""), &bearer), 401),
        (without(get("/events", ""), &bearer), 401),
        (without(post("{}", "application/json"), &bearer), 401),
        (post("{}", "text/plain"), 415),
        (post("{}", "application/json"), 200),
        (long, 413),
    ] {
        let (status, body) = http(&address, &request).await;
        assert_eq!(
            status,
            expected,
            "{} {body}",
            request.lines().next().unwrap()
        );
        assert!(!body.contains(&token));
    }

    // Events: what happens from now on; who comes back misses nothing.
    async fn event(stream: &mut BufReader<TcpStream>) -> (String, Value) {
        let (mut id, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            let read = stream.read_line(&mut line);
            assert_ne!(
                tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap(),
                0
            );
            if let Some(told) = line.strip_prefix("id: ") {
                id = told.trim().to_owned();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return (id, serde_json::from_str(data).unwrap());
            }
        }
    }
    let follow = async |more: &str| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream
            .write_all(get("/events", more).as_bytes())
            .await
            .unwrap();
        let mut stream = BufReader::new(stream);
        // It has begun.
        let mut line = String::new();
        while !line.starts_with(": ") {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
        }
        stream
    };
    let mut events = follow("").await;
    stage.refused(&host, skills(&["first"])).await;
    let (first, data) = event(&mut events).await;
    assert_eq!(
        (&data["id"], &data["event"]),
        (&json!(first), &json!("refusal"))
    );
    drop(events);
    stage.refused(&host, skills(&["second"])).await;
    // Another process writes, too.
    let other = stage.host().await;
    stage.refused(&other, skills(&["third"])).await;
    let mut events = follow(&format!("last-event-id: {first}\r\n")).await;
    for name in ["second", "third"] {
        let (_, data) = event(&mut events).await;
        assert!(data["cause"].as_str().unwrap().contains(name), "{data}");
    }
    host.shutdown().await.unwrap();
    assert!(!token_file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_host_what_needs_none_is_answered_and_the_rest_says_so() {
    let stage = Stage::standard().await;
    stage
        .home
        .add_profile("plan", "skills = [\"planning\"]\n")
        .unwrap();
    let proxy = lab::Process::spawn(stage.proxy()).unwrap();
    let mut control = Control::at(&stage).await;
    let profiles = control.ask("capability/profile/list", json!({})).await;
    assert_eq!(profiles["data"][0]["name"], "plan");
    let update =
        json!({ "threadId": "0199a213-81c0-7800-8aa1-bbab2a035a53", "capabilitySelection": null });
    for (method, params) in [
        ("capability/list", json!({})),
        ("thread/capability/read", json!({ "threadId": "x" })),
        ("thread/capability/update", update),
    ] {
        let refused = control.refused(method, params).await;
        assert_eq!(refused["data"]["kind"], "unsupportedUpstream", "{method}");
    }
    // The same by HTTP, without a token, and for no page of a browser.
    let socket = sockets(&stage).pop().unwrap();
    for (more, status) in [("", "200"), ("origin: null\r\n", "403")] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        let request = format!(
            "GET /v1/capability/profile/list HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    // More clients than there are places: they are let go of, and the others served.
    let mut many = Vec::new();
    for _ in 0..70 {
        many.push(UnixStream::connect(&socket).await.unwrap());
    }
    let profiles = control.ask("capability/profile/list", json!({})).await;
    assert_eq!(profiles["data"][0]["name"], "plan");
    let mut last = many.pop().unwrap();
    let mut nothing = String::new();
    last.read_to_string(&mut nothing).await.unwrap();
    assert_eq!(nothing, "");
    proxy.shutdown().await.unwrap();
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_of_a_host_without_the_experimental_api_is_given_no_loadout() {
    let stage = Stage::standard().await;
    stage
        .home
        .add_profile("plan", "skills = [\"planning\"]\n")
        .unwrap();
    let host = Client::spawn(stage.proxy()).unwrap();
    host.initialize(false).await.unwrap();
    let plain = json!({ "cwd": stage.home.project() });
    let thread = id_of(&host.request("thread/start", plain).await.unwrap());
    let mut control = Control::at(&stage).await;
    let read = control
        .ask("thread/capability/read", json!({ "threadId": thread }))
        .await;
    assert_eq!(read["loaded"], true);
    let params = json!({ "threadId": thread, "capabilitySelection": skills(&["planning"]) });
    let refused = control.refused("thread/capability/update", params).await;
    assert_eq!(refused["data"]["kind"], "unsupportedUpstream");
    stage.check(&host, &thread, &Promise::native()).await;
}
