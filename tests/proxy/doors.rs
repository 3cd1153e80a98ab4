//! The sockets of the proxy beside those of the real Codex.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use codex_loadout::connection::{
    CodexCommand, CodexServer, Door, FrameReader, Listener, UpstreamCommand, WebSocketAuthFlags,
};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use lab::Home;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::stage::Stage;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const UPGRADE: [&str; 4] = [
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// Codex's own listener, at a port of its choice.
struct RealListener {
    child: Child,
    address: SocketAddr,
}

impl RealListener {
    fn start(home: &Home, flags: &[String]) -> Self {
        let mut child = home
            .codex_app_server()
            .args(["--listen", "ws://127.0.0.1:0"])
            .args(flags)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| Some(line.unwrap().split_once("listening on: ws://")?.1.parse()))
            .unwrap()
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }
}

impl Drop for RealListener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    auth: WebSocketAuthFlags,
}

fn flags_of(flags: &[String]) -> WebSocketAuthFlags {
    let line = std::iter::once("codex-loadout").chain(flags.iter().map(String::as_str));
    Line::try_parse_from(line).unwrap().auth
}

/// The status, and the words if it is no upgrade.
fn answer(address: SocketAddr, first: &str, headers: &[String]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let head = format!("{first}\r\nHost: here\r\n{}\r\n\r\n", headers.join("\r\n"));
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.to_ascii_lowercase());
    }
    let length = lines
        .iter()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; if first.starts_with("HEAD") { 0 } else { length }];
    reader.read_exact(&mut body).unwrap();
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn jwt(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let signature = BASE64URL_NOPAD.encode(&mac.finalize().into_bytes());
    format!("{message}.{signature}")
}

/// Tokens as they are shown, good and bad.
fn shown() -> Vec<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let good = json!({ "exp": now + 1000, "iss": "me", "aud": "you" });
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let mut shown: Vec<String> = [
        "",
        "tok",
        "Basic tok",
        "Bearer",
        "Bearer ",
        "bearer  tok ",
        "Bearer\ttok",
        "Bearer tok x",
        "Bearer tok",
    ]
    .map(str::to_owned)
    .to_vec();
    for (name, value) in [
        ("other", json!(1)),
        ("aud", json!(["a", "you"])),
        ("aud", json!("a")),
        ("aud", Value::Null),
        ("aud", json!(5)),
        ("iss", json!("a")),
        ("iss", json!(["me"])),
        ("iss", Value::Null),
        // Far enough from the limits that the time this takes does not count.
        ("exp", json!(now - 200)),
        ("exp", json!(now - 400)),
        ("exp", json!(now as f64 + 1000.0)),
        ("exp", json!("1000")),
        ("exp", Value::Null),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("nbf", json!(now + 200)),
        ("nbf", json!(now + 400)),
        ("nbf", Value::Null),
        ("nbf", json!("x")),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        shown.push(format!("Bearer {}", jwt(&hs256, &claims, SECRET)));
    }
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS512" }),
        json!({ "alg": "HS256", "kid": 1 }),
        json!({ "alg": "HS256", "crit": ["b64"] }),
        json!({}),
    ] {
        shown.push(format!("Bearer {}", jwt(&header, &good, SECRET)));
    }
    let token = jwt(&hs256, &good, SECRET);
    shown.push(format!("Bearer {token}="));
    shown.push(format!("Bearer {token}.x"));
    shown.push(format!("bEARER {token}"));
    shown.push(format!("Bearer {}", jwt(&hs256, &good, "another")));
    shown.push(format!(
        "Bearer {}",
        jwt(&hs256, &json!([now + 1000, null, "me", "you"]), SECRET)
    ));
    shown
}

/// Requests with their headers.
fn requests() -> Vec<(String, Vec<String>)> {
    let upgrade = UPGRADE.map(str::to_owned).to_vec();
    let mut requests: Vec<(String, Vec<String>)> = Vec::new();
    for method in ["GET", "HEAD", "POST"] {
        for path in ["/", "/readyz", "/healthz", "/metrics", "/any/path?x=1"] {
            let first = format!("{method} {path} HTTP/1.1");
            requests.push((first.clone(), Vec::new()));
            requests.push((first.clone(), vec!["Origin: null".to_owned()]));
            requests.push((first, upgrade.clone()));
        }
    }
    let get = "GET / HTTP/1.1".to_owned();
    for left_out in 0..UPGRADE.len() {
        let mut headers = upgrade.clone();
        headers.remove(left_out);
        requests.push((get.clone(), headers));
    }
    for added in [
        "Origin: http://localhost",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Sec-WebSocket-Protocol: a",
    ] {
        requests.push((get.clone(), [&upgrade[..], &[added.to_owned()]].concat()));
    }
    let headers = upgrade.iter().map(|header| header.replace("13", "12"));
    requests.push((get.clone(), headers.collect()));
    requests.push(("GET / HTTP/1.0".to_owned(), upgrade.clone()));
    for shown in shown() {
        let header = format!("Authorization: {shown}");
        requests.push((get.clone(), [&upgrade[..], &[header]].concat()));
    }
    for two in [["Bearer tok", "Bearer x"], ["Bearer x", "Bearer tok"]] {
        let two = two.map(|shown| format!("Authorization: {shown}"));
        requests.push((get.clone(), [&upgrade[..], &two].concat()));
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_answers_as_codex_does_whoever_comes() {
    let stage = Stage::of(Home::builder()).await;
    let file = |name: &str, text: &str| {
        let path = stage.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (token, secret) = (
        file("token", "tok\n"),
        file("secret", &format!("{SECRET}\n")),
    );
    let words = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let signed = format!("--ws-auth signed-bearer-token --ws-shared-secret-file {secret}");
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for flags in [
        Vec::new(),
        words(format!(
            "--ws-auth capability-token --ws-token-file {token}"
        )),
        words(format!(
            "{signed} --ws-issuer me --ws-audience you --ws-max-clock-skew-seconds 300"
        )),
        words(signed),
    ] {
        let real = RealListener::start(&stage.home, &flags);
        let auth = flags_of(&flags).read().unwrap().map(Arc::new);
        let address = "ws://127.0.0.1:0".parse().unwrap();
        let ours = Listener::bind(&address, Path::new("/"), auth, None)
            .await
            .unwrap();
        let address = ours.address().unwrap();
        let hosts = tokio::spawn(async move {
            let mut ours = ours;
            loop {
                ours.accept().await;
            }
        });
        for (first, headers) in requests() {
            let ask = move |address| {
                let (first, headers) = (first.clone(), headers.clone());
                async move {
                    let asked = (first.clone(), headers.clone());
                    let answer =
                        tokio::task::spawn_blocking(move || answer(address, &first, &headers));
                    (asked, answer.await.unwrap())
                }
            };
            let (expected, found) = (ask.clone()(real.address).await, ask(address).await);
            assert_eq!(found, expected, "{flags:?}");
            *statuses.entry(found.1.0).or_default() += 1;
        }
        hosts.abort();
    }
    assert_eq!(
        statuses.keys().copied().collect::<Vec<_>>(),
        [101, 200, 400, 401, 403, 405, 426]
    );
    assert!(statuses[&401] > 80 && statuses[&101] > 40, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_that_codex_refuses_are_refused_in_its_words() {
    let stage = Stage::of(Home::builder()).await;
    let file = |name: &str, text: &str| {
        let path = stage.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (long, short, empty) = (
        file("long", SECRET),
        file("short", "tok"),
        file("empty", "\n"),
    );
    let (token, signed) = (
        "--ws-auth capability-token",
        "--ws-auth signed-bearer-token",
    );
    for line in [
        token.to_owned(),
        signed.to_owned(),
        format!("--ws-token-file {long}"),
        "--ws-issuer me".to_owned(),
        format!("{token} --ws-token-file {empty}"),
        format!("{token} --ws-token-file {long}-none"),
        format!("{token} --ws-token-file {long} --ws-token-sha256 00"),
        format!("{token} --ws-token-sha256 00"),
        format!("{token} --ws-token-file {long} --ws-audience you"),
        format!("{signed} --ws-shared-secret-file {short}"),
        format!("{signed} --ws-shared-secret-file {long} --ws-token-file {long}"),
        format!(
            "{signed} --ws-shared-secret-file {long} --ws-max-clock-skew-seconds {}",
            u64::MAX
        ),
    ] {
        let flags: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut codex = stage.home.codex_app_server();
        codex.args(["--listen", "ws://127.0.0.1:0"]).args(&flags);
        let said = String::from_utf8(codex.output().unwrap().stderr).unwrap();
        let error = flags_of(&flags).read().unwrap_err();
        assert!(
            said.lines().any(|line| line == format!("Error: {error}")),
            "{error}: {said}"
        );
    }
}

fn codex(home: &Home, arguments: &[&str]) -> CodexCommand {
    let command = UpstreamCommand::find(Some(home.codex().to_owned())).unwrap();
    CodexCommand {
        command: command
            .with("HOME", home.path())
            .with("CODEX_HOME", home.codex_home()),
        arguments: arguments.iter().map(Into::into).collect(),
    }
}

async fn next_answer(reader: &mut FrameReader) -> Value {
    while let Some(frames) = reader.next().await {
        for frame in frames {
            let message: Value = serde_json::from_slice(frame.bytes()).unwrap();
            if message["id"].is_number() {
                return message;
            }
        }
    }
    panic!("Codex hung up");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn one_codex_serves_many_hosts_and_leaves_nothing_behind() {
    let stage = Stage::of(Home::builder()).await;
    let ended = CodexServer::start(&codex(&stage.home, &["app-server", "--no-such-flag"])).await;
    let ended = ended.unwrap_err();
    assert_eq!(
        ended.message,
        "Codex ended before it could be used (exit status: 2)"
    );
    let server = CodexServer::start(&codex(&stage.home, &["app-server"]))
        .await
        .unwrap();
    let mut hosts = Vec::new();
    for name in ["one", "two"] {
        let Door {
            mut reader, writer, ..
        } = server.connect().await.unwrap();
        let client = json!({ "name": name, "version": "1" });
        let hello = json!({ "id": 1, "method": "initialize", "params": { "clientInfo": client } });
        writer.send(hello.to_string().into());
        let agent = next_answer(&mut reader).await["result"]["userAgent"].to_string();
        assert!(agent.contains(&format!("({name}; 1)")), "{agent}");
        hosts.push((reader, writer));
    }
    // A message that is longer than what Codex takes in one frame.
    let long = "x".repeat(20 << 20);
    let (reader, writer) = &mut hosts[0];
    let request = json!({ "id": 2, "method": "thread/read", "params": { "threadId": long } });
    writer.send(request.to_string().into());
    assert_eq!(next_answer(reader).await["id"], 2);
    let pid = server.child.id().unwrap();
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    let socket = line
        .split('\0')
        .find_map(|word| word.strip_prefix("unix://"));
    let socket = Path::new(socket.unwrap()).to_owned();
    let behind = std::fs::read_link(&socket).unwrap();
    let lock = behind.with_extension("lock");
    assert!(behind.exists() && lock.exists());
    drop(server);
    let (mut reader, _writer) = hosts.pop().unwrap();
    // What it still had to say, and then the end.
    while reader.next().await.is_some() {}
    assert!(!behind.exists() && !lock.exists() && !socket.parent().unwrap().exists());
}
