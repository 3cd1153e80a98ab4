//! What a proxy that runs tells those who watch it.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use codex_loadout::connection::{Door, FrameReader, FrameWriter, UpstreamAddress, connect};
use lab::{Client, HomeBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::stage::Stage;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy that listens at a Unix socket, and at a port of its choice.
struct Listening {
    child: Child,
    unix: String,
    tcp: String,
}

impl Listening {
    async fn start(stage: &Stage) -> Self {
        let unix = format!("unix://{}", stage.home.path().join("ours.sock").display());
        let mut command = Command::from(stage.proxy());
        command
            .args(["--listen", &unix, "--listen", "ws://127.0.0.1:0"])
            .env("CODEX_LOADOUT_LOG", "codex_loadout=info")
            .env("LOG_FORMAT", "JSON")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let tcp = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some((_, address)) = line.split_once("listening on: ") {
                break address.to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, unix, tcp }
    }
}

/// A host that came by a socket.
struct Host {
    reader: FrameReader,
    writer: FrameWriter,
    id: u64,
}

impl Host {
    async fn connect(address: &str, name: &str) -> Self {
        let address: UpstreamAddress = address.parse().unwrap();
        let Door { reader, writer, .. } = connect(&address, None).await.unwrap();
        let mut host = Self {
            reader,
            writer,
            id: 0,
        };
        let client = json!({ "name": name, "version": "1" });
        let hello = json!({ "clientInfo": client, "capabilities": { "experimentalApi": true } });
        host.ask("initialize", hello).await;
        host.writer.send("{\"method\":\"initialized\"}".into());
        host
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let request = json!({ "id": self.id, "method": method, "params": params });
        self.writer.send(request.to_string().into());
        let answered = async {
            loop {
                for frame in self.reader.next().await.unwrap() {
                    let message: Value = serde_json::from_slice(frame.bytes()).unwrap();
                    if message["id"] == self.id && message.get("method").is_none() {
                        return message;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The numbers by name and labels, read as Prometheus reads them.
fn numbers(metrics: &str) -> BTreeMap<String, f64> {
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("codex_loadout_"), "{line}");
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn scraped(stage: &Stage, address: &str) -> BTreeMap<String, f64> {
    let output = stage.verb(&["metrics", "--listen", address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    numbers(&text(&output.stdout))
}

fn status(stage: &Stage, address: &str) -> Value {
    let output = stage.verb(&["status", "--json", "--listen", address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_and_what_has_happened_is_told_at_the_sockets() {
    let stage = Stage::standard().await;
    let proxy = Listening::start(&stage).await;
    let mut one = Host::connect(&proxy.unix, "one").await;
    let mut two = Host::connect(&proxy.tcp, "two").await;
    let secret = "never-to-be-told";
    let params = stage.params(json!({ "skills": ["planning"] }));
    let started = one.ask("thread/start", params).await;
    let thread = started["result"]["thread"]["id"].as_str().unwrap();
    let refused = stage.params(json!({ "skills": [secret] }));
    assert!(two.ask("thread/start", refused).await["error"].is_object());
    let update = json!({ "threadId": thread, "capabilitySelection": { "skills": [] } });
    assert!(one.ask("thread/capability/update", update).await["error"].is_null());
    // A request that the router refuses by itself.
    let odd = json!({ "cwd": "/", "capabilityselection": {} });
    assert!(two.ask("thread/start", odd).await["error"].is_object());

    let seen = status(&stage, &proxy.unix);
    let names: Vec<&Value> = seen["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| &host["name"])
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(seen["pid"], proxy.child.id().unwrap());
    let codex = &seen["codex"];
    assert_eq!(codex["version"], "0.169.0");
    assert_eq!(codex["restarts"], 0);
    let codex = codex["pid"].as_u64().unwrap();
    assert_eq!(seen["threads"][0]["threadId"], thread);
    assert_eq!(seen["threads"].as_array().unwrap().len(), 1);
    assert_eq!(seen["store"]["records"], 1);
    let shown = text(&stage.verb(&["status", "--listen", &proxy.unix]).stdout);
    for part in [
        "one ",
        "two ",
        thread,
        &format!("process {codex}"),
        "started again 0 times",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // It names hosts and threads, so that it is for this user alone.
    let elsewhere = stage.verb(&["status", "--listen", &proxy.tcp]);
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(text(&elsewhere.stderr).contains("hint: The status is told at Unix sockets"));

    for address in [&proxy.unix, &proxy.tcp] {
        let metrics = stage.verb(&["metrics", "--listen", address]);
        for private in [secret, thread, "one", "planning"] {
            assert!(
                !text(&metrics.stdout).contains(&format!("\"{private}\"")),
                "{private}"
            );
        }
        let numbers = scraped(&stage, address);
        for (name, value) in [
            ("connected_hosts", 2.0),
            ("connections_total", 2.0),
            ("loaded_threads", 1.0),
            ("store_records", 1.0),
            ("codex_restarts_total", 0.0),
            ("thread_events_total{event=\"start\"}", 1.0),
            ("thread_events_total{event=\"update\"}", 1.0),
            ("refusals_total{kind=\"unknownCapability\"}", 1.0),
            ("refusals_total{kind=\"invalidSelection\"}", 1.0),
            ("added_latency_seconds_count{request=\"start\"}", 2.0),
            ("added_latency_seconds_count{request=\"update\"}", 1.0),
        ] {
            let found = numbers.get(&format!("codex_loadout_{name}"));
            assert_eq!(found, Some(&value), "{name}: {numbers:?}");
        }
        let at_least = |name: &str, least: f64| {
            let found = numbers[&format!("codex_loadout_{name}")];
            assert!(found >= least, "{name}: {found}");
        };
        at_least("received_messages_total{from=\"host\"}", 8.0);
        at_least("received_bytes_total{from=\"host\"}", 500.0);
        at_least("received_messages_total{from=\"codex\"}", 4.0);
        at_least("store_bytes", 1000.0);
        at_least("added_latency_seconds_sum{request=\"start\"}", 0.0001);
    }

    // A Codex that is killed is another one afterwards.
    let pid = codex.to_string();
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid])
        .status();
    assert!(killed.unwrap().success());
    drop(two);
    let restarted = async {
        loop {
            let seen = status(&stage, &proxy.unix);
            let is_another = seen["codex"]["pid"] != codex && seen["codex"]["restarts"] == 1;
            if is_another && seen["hosts"].as_array().unwrap().len() == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, restarted).await.unwrap();
    let numbers = scraped(&stage, &proxy.unix);
    assert_eq!(numbers["codex_loadout_codex_restarts_total"], 1.0);
    assert_eq!(numbers["codex_loadout_connected_hosts"], 1.0);
    assert_eq!(numbers["codex_loadout_connections_total"], 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_where_no_proxy_listens_is_told_so() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let nobody = stage.verb(&["metrics"]);
    let said = text(&nobody.stderr);
    assert_eq!(nobody.status.code(), Some(1), "{said}");
    assert!(
        said.contains("no codex-loadout listens at unix://"),
        "{said}"
    );
    assert!(
        said.contains("hint: Start one with `codex-loadout app-server --listen unix://`"),
        "{said}"
    );
    // The real Codex alone.
    let socket = format!("unix://{}", stage.home.path().join("codex.sock").display());
    let mut codex = stage.home.codex_app_server();
    codex.args(["--listen", &socket]).stdin(Stdio::null());
    let mut codex = Command::from(codex).kill_on_drop(true).spawn().unwrap();
    let told = async {
        loop {
            let said = text(&stage.verb(&["status", "--listen", &socket]).stderr);
            if !said.contains("no codex-loadout listens") {
                return said;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let said = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(said.contains("is no codex-loadout"), "{said}");
    codex.kill().await.unwrap();
    let odd = stage.verb(&["status", "--listen", "off"]);
    assert!(text(&odd.stderr).contains("is no socket"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_lines_of_json_where_codexs_is() {
    let stage = Stage::of(HomeBuilder::default()).await;
    for (format, is_json) in [("json", true), ("JSON", true), ("text", false), ("", false)] {
        let mut proxy = stage.proxy();
        proxy
            .env("CODEX_LOADOUT_LOG", "codex_loadout=info")
            .env("LOG_FORMAT", format);
        let host = Client::spawn(proxy).unwrap();
        host.initialize(true).await.unwrap();
        stage.refused(&host, json!({ "skills": ["none"] })).await;
        let logged = async {
            loop {
                let lines = host.stderr();
                let ours = lines.lines().find(|line| line.contains("refused"));
                if let Some(ours) = ours {
                    return ours.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ours = tokio::time::timeout(PATIENCE, logged).await.unwrap();
        let read: Option<Value> = serde_json::from_str(&ours).ok();
        assert_eq!(read.is_some(), is_json, "{ours}");
        if let Some(read) = read {
            assert_eq!(read["level"], "INFO");
            assert_eq!(read["fields"]["kind"], "unknownCapability");
            assert!(
                read["target"]
                    .as_str()
                    .unwrap()
                    .starts_with("codex_loadout")
            );
            assert!(read["timestamp"].is_string());
        }
        let lines = host.stderr();
        let of_codex = lines
            .lines()
            .filter(|line| line.contains("codex_app_server"));
        for line in of_codex {
            let read: Result<Value, _> = serde_json::from_str(line);
            assert_eq!(read.is_ok(), is_json, "{line}");
        }
        host.shutdown().await.unwrap();
    }
}
