//! What a host may send that no host should: what comes of it through the proxy is what comes of it at Codex itself, by
//! WebSocket and as lines.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use lab::{HomeBuilder, Process};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::many_hosts::{Doors, connected};
use crate::stage::{Stage, native_codex};

const PATIENCE: Duration = Duration::from_secs(60);
/// After this long without a word, nothing more is expected.
const QUIET: Duration = Duration::from_millis(700);

const HELLO: &str = r#"{"id":"hello","method":"initialize","params":{"clientInfo":{"name":"raw","version":"1"},"capabilities":{"experimentalApi":true}}}"#;
const PROBE: &str = r#"{"id":"probe","method":"thread/loaded/list","params":{}}"#;

/// The first bytes of frames: the last of a message, or not.
mod first {
    pub(super) const TEXT: u8 = 0x81;
    pub(super) const TEXT_BEGINS: u8 = 0x01;
    pub(super) const GOES_ON: u8 = 0x00;
    pub(super) const ENDS: u8 = 0x80;
    pub(super) const BINARY: u8 = 0x82;
    pub(super) const CLOSE: u8 = 0x88;
    pub(super) const PING: u8 = 0x89;
    pub(super) const PONG: u8 = 0x8a;
}

/// A frame of a client: masked with zeros, so that the payload stands in it as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        length => {
            bytes.push(0x80 | 127);
            bytes.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

pub(crate) fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first::TEXT, payload.as_ref())
}

/// A request that is answered.
fn listed(id: &str) -> String {
    format!(r#"{{"id":{id},"method":"thread/loaded/list","params":{{}}}}"#)
}

/// A request of this many bytes.
fn large(length: usize) -> String {
    let (begin, end) = (
        r#"{"id":1,"method":"no/such/method","params":{"x":""#,
        "\"}}",
    );
    format!(
        "{begin}{}{end}",
        "x".repeat(length - begin.len() - end.len())
    )
}

/// Messages that are sent as they are, by whichever door.
fn messages() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let texts: Vec<(&str, Vec<String>)> = vec![
        ("no json", vec!["no json".into()]),
        ("nothing", vec![String::new()]),
        ("spaces", vec!["  ".into()]),
        ("half an object", vec![r#"{"id":1,"method":"#.into()]),
        ("a number", vec!["5".into()]),
        ("null", vec!["null".into()]),
        ("an empty batch", vec!["[]".into()]),
        (
            "a batch",
            vec![format!("[{},{}]", listed("1"), listed("2"))],
        ),
        ("a NUL byte", vec!["\0".into()]),
        ("a NUL byte behind a request", vec![listed("1") + "\0"]),
        (
            "a NUL byte in a method",
            vec!["{\"id\":1,\"method\":\"thread/loaded\0/list\"}".into()],
        ),
        (
            "an escaped NUL",
            vec![r#"{"id":1,"method":"thread\u0000/list"}"#.into()],
        ),
        (
            "a byte order mark",
            vec![format!("\u{feff}{}", listed("1"))],
        ),
        ("a request with a line end", vec![listed("1") + "\r"]),
        ("an id that is a text", vec![listed("\"a \\u0062\"")]),
        ("an id that is empty", vec![listed("\"\"")]),
        ("a negative id", vec![listed("-5")]),
        ("the largest id", vec![listed("9223372036854775807")]),
        (
            "an id that is too large",
            vec![listed("9223372036854775808")],
        ),
        ("an id with a fraction", vec![listed("1.5")]),
        ("an id with an exponent", vec![listed("1e3")]),
        ("an id that is null", vec![listed("null")]),
        ("an id that is a boolean", vec![listed("true")]),
        ("an id that is an object", vec![listed("{}")]),
        ("an id that is a list", vec![listed("[1]")]),
        (
            "no id",
            vec![r#"{"method":"thread/loaded/list","params":{}}"#.into()],
        ),
        (
            "an id that is given twice",
            vec![r#"{"id":1,"id":2,"method":"thread/loaded/list","params":{}}"#.into()],
        ),
        ("ids that are in flight", vec![listed("7"), listed("7")]),
        (
            "an id that looks like one of ours",
            vec![listed(r#""codex-loadout/0/1""#)],
        ),
        (
            "an answer to nobody",
            vec![
                r#"{"id":99,"result":{}}"#.into(),
                r#"{"id":"x","error":{"code":1,"message":"no"}}"#.into(),
            ],
        ),
        (
            "an answer with neither result nor error",
            vec![r#"{"id":99}"#.into()],
        ),
        (
            "an answer that is a request as well",
            vec![r#"{"id":1,"method":"thread/loaded/list","params":{},"result":{}}"#.into()],
        ),
        (
            "a method that is no text",
            vec![r#"{"id":1,"method":5}"#.into()],
        ),
        (
            "a method that nobody has",
            vec![r#"{"id":1,"method":"no/such/method"}"#.into()],
        ),
        (
            "a notification that nobody has",
            vec![r#"{"method":"no/such/method"}"#.into()],
        ),
        (
            "params that are a list",
            vec![r#"{"id":1,"method":"thread/loaded/list","params":[]}"#.into()],
        ),
        (
            "params that are a text",
            vec![r#"{"id":1,"method":"thread/loaded/list","params":"x"}"#.into()],
        ),
        (
            "no params",
            vec![r#"{"id":1,"method":"thread/loaded/list"}"#.into()],
        ),
        (
            "what lies deep",
            vec![format!(
                r#"{{"id":1,"method":"thread/loaded/list","params":{}{}}}"#,
                "[".repeat(200),
                "]".repeat(200)
            )],
        ),
        (
            "initialize once more",
            vec![HELLO.replace("hello", "again")],
        ),
        (
            "a resume of a thread that nobody has",
            vec![r#"{"id":11,"method":"thread/resume","params":{"threadId":"nobody"}}"#.into()],
        ),
        (
            "a turn without params",
            vec![r#"{"id":1,"method":"turn/start"}"#.into()],
        ),
        ("a message of 2 MB", vec![large(2 << 20)]),
    ];
    texts
        .into_iter()
        .map(|(name, texts)| (name, texts.into_iter().map(String::into_bytes).collect()))
        .collect()
}

/// What only frames can do wrong.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let request = listed("1").into_bytes();
    let (front, back) = request.split_at(9);
    let accented = r#"{"id":"é","method":"thread/loaded/list","params":{}}"#.as_bytes();
    let (in_letter, rest) = accented.split_at(8);
    let in_pieces = |message: &str, size: usize| {
        let mut pieces = message.as_bytes().chunks(size).peekable();
        let mut bytes = Vec::new();
        let mut kind = first::TEXT_BEGINS;
        while let Some(piece) = pieces.next() {
            let is_last = pieces.peek().is_none();
            bytes.extend(frame(if is_last { kind | 0x80 } else { kind }, piece));
            kind = first::GOES_ON;
        }
        bytes
    };
    let mut half = text(&request);
    half.truncate(20);
    let mut unmasked = vec![first::TEXT, u8::try_from(request.len()).unwrap()];
    unmasked.extend(&request);
    let slow = r#"{"id":1,"method":"command/exec","params":{"command":["sleep","20"],"timeoutMs":20000,"sandboxPolicy":{"type":"dangerFullAccess"}}}"#;
    vec![
        (
            "a text that is not UTF-8",
            text(b"{\"id\":1,\"method\":\"\xff\"}"),
        ),
        (
            "a binary frame that is not UTF-8",
            frame(first::BINARY, b"\xff\xfe"),
        ),
        (
            "a request in a binary frame",
            frame(first::BINARY, &request),
        ),
        ("an empty binary frame", frame(first::BINARY, b"")),
        (
            "a request in two frames",
            [frame(first::TEXT_BEGINS, front), frame(first::ENDS, back)].concat(),
        ),
        (
            "a request that is cut in a letter",
            [
                frame(first::TEXT_BEGINS, in_letter),
                frame(first::ENDS, rest),
            ]
            .concat(),
        ),
        (
            "a request in a frame for each byte, and pings between",
            [
                frame(first::TEXT_BEGINS, front),
                back.iter()
                    .flat_map(|byte| {
                        let piece = frame(first::GOES_ON, &[*byte]);
                        [piece, frame(first::PING, b"p")].concat()
                    })
                    .collect(),
                frame(first::ENDS, b""),
            ]
            .concat(),
        ),
        (
            "a message within another",
            [
                frame(first::TEXT_BEGINS, front),
                text(&request),
                frame(first::ENDS, back),
            ]
            .concat(),
        ),
        ("the end of no message", frame(first::ENDS, &request)),
        ("a ping", frame(first::PING, b"there?")),
        ("a ping that is too long", frame(first::PING, &[b'x'; 126])),
        ("a ping in two frames", frame(0x09, b"there?")),
        ("a pong to nothing", frame(first::PONG, b"here")),
        ("a kind of frame that is not there", frame(0x83, b"x")),
        ("a frame with a reserved bit", frame(0xc1, &request)),
        ("a frame without a mask", unmasked),
        ("a close", frame(first::CLOSE, b"\x03\xe8bye")),
        ("a close without a reason", frame(first::CLOSE, b"")),
        ("a close of one byte", frame(first::CLOSE, b"\x03")),
        ("a close with no such code", frame(first::CLOSE, b"\0\0")),
        (
            "a close that is not UTF-8",
            frame(first::CLOSE, b"\x03\xe8\xff"),
        ),
        (
            "a close in the middle of a request",
            [text(slow), frame(first::CLOSE, b"\x03\xe8")].concat(),
        ),
        (
            "a close behind half a message",
            [
                frame(first::TEXT_BEGINS, front),
                frame(first::CLOSE, b"\x03\xe8"),
            ]
            .concat(),
        ),
        (
            "a request behind a close",
            [frame(first::CLOSE, b"\x03\xe8"), text(&request)].concat(),
        ),
        ("no frame at all", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("64 MB in pieces", in_pieces(&large(64 << 20), 8 << 20)),
        (
            "a byte more than 64 MB in pieces",
            in_pieces(&large((64 << 20) + 1), 8 << 20),
        ),
        ("16 MB in a frame", text(large(16 << 20))),
        (
            "a byte more than 16 MB in a frame",
            text(large((16 << 20) + 1)),
        ),
    ]
}

/// What is sent before a host is gone without a word.
fn last_words() -> Vec<(&'static str, Vec<u8>)> {
    let request = listed("1").into_bytes();
    let whole = text(&request);
    vec![
        ("nothing", Vec::new()),
        ("half a head", whole[..1].to_vec()),
        ("half a frame", whole[..20].to_vec()),
        ("half a message", frame(first::TEXT_BEGINS, &request[..9])),
        ("a request", whole),
    ]
}

/// What a host hears.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
enum Heard {
    /// The answer to a request, its members in the order of their names.
    Answer(String),
    /// Codex (0.169) sends two for a ping; one to the last of several will do.
    Pong(Vec<u8>),
    /// The connection ends. Codex (0.169) says nothing before; here a close frame comes first, as the protocol has it.
    End,
}

impl Heard {
    fn answer(message: &[u8]) -> Option<Self> {
        let message: Value = serde_json::from_slice(message).unwrap();
        let is_answer = message.get("method").is_none();
        is_answer.then(|| Self::Answer(message.to_string()))
    }

    fn is_answer(&self) -> bool {
        matches!(self, Self::Answer(_))
    }

    fn is_answer_to(&self, id: &str) -> bool {
        matches!(self, Self::Answer(text) if text.contains(&format!("\"id\":\"{id}\"")))
    }
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A WebSocket that says whatever it is told.
pub(crate) struct Raw(pub(crate) Box<dyn Stream>);

impl Raw {
    /// A host that has said hello.
    pub(crate) async fn connect(address: &str) -> Self {
        let stream: Box<dyn Stream> = match address.strip_prefix("unix://") {
            Some(path) => Box::new(UnixStream::connect(path).await.unwrap()),
            None => {
                let host = address.strip_prefix("ws://").unwrap();
                Box::new(TcpStream::connect(host).await.unwrap())
            }
        };
        Self::over(stream).await
    }

    pub(crate) async fn over(mut stream: Box<dyn Stream>) -> Self {
        let upgrade = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
            sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let mut raw = Self(stream);
        raw.0.write_all(&text(HELLO)).await.unwrap();
        while !raw.hear().await.is_answer_to("hello") {}
        raw
    }

    async fn hear(&mut self) -> Heard {
        hear(&mut self.0).await
    }

    /// Says this and a probe, and hears what comes of it: up to the end, or until all is quiet after the answer to
    /// the probe. As many words as were heard elsewhere are waited for.
    async fn say(self, bytes: &[u8], elsewhere: Option<&[Heard]>) -> Vec<Heard> {
        let (mut from, mut to) = tokio::io::split(self.0);
        let said = async {
            // A connection that was given up takes nothing more.
            let _ = to.write_all(bytes).await;
            let _ = to.write_all(&text(PROBE)).await;
        };
        let heard = async {
            let mut heard = Vec::new();
            let mut is_probed = false;
            loop {
                let counted = |all: &[Heard]| all.iter().filter(|it| it.is_answer()).count();
                let expects = elsewhere.is_some_and(|all| counted(&heard) < counted(all));
                let patience = match is_probed && !expects {
                    true => QUIET,
                    false => PATIENCE,
                };
                match tokio::time::timeout(patience, hear(&mut from)).await {
                    Ok(Heard::End) => {
                        heard.push(Heard::End);
                        return heard;
                    }
                    Ok(word) => {
                        is_probed |= word.is_answer_to("probe");
                        heard.push(word);
                    }
                    Err(_) => return heard,
                }
            }
        };
        let ((), heard) = tokio::join!(said, heard);
        heard
    }
}

/// The next that is no notification.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> Heard {
    loop {
        let Ok((first, payload)) = read_frame(stream).await else {
            return Heard::End;
        };
        match first {
            first::TEXT => match Heard::answer(&payload) {
                Some(answer) => return answer,
                None => continue,
            },
            first::PONG => return Heard::Pong(payload),
            first::CLOSE => continue,
            other => panic!("a frame that begins with {other:#x}"),
        }
    }
}

pub(crate) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
) -> std::io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    let length = match stream.read_u8().await? {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await?;
    Ok((first, payload))
}

/// Cases that are tried at the same time: each waits for what does not come, too.
const AT_ONCE: usize = 8;

/// Answers may overtake one another.
fn in_order(mut heard: Vec<Heard>) -> Vec<Heard> {
    heard.sort();
    heard.dedup_by(|one, other| one == other && !one.is_answer());
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_by_web_socket_has_what_it_has_from_codex() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let (native, _codex) = native_codex(&stage).await;
    let doors = Doors::open(&stage).await;
    let mut cases = frames();
    for (name, messages) in messages() {
        cases.push((name, messages.iter().flat_map(text).collect()));
    }
    let (native, doors) = (&native, &doors);
    let compared = cases.iter().map(async |(name, bytes)| {
        let own = Raw::connect(native).await.say(bytes, None).await;
        let mut differences = Vec::new();
        for address in [&doors.unix, &doors.web_socket] {
            let through = Raw::connect(address).await.say(bytes, Some(&own)).await;
            let (own, through) = (in_order(own.clone()), in_order(through));
            if own != through {
                differences.push(format!("{name}: Codex {own:?}, here {through:?}"));
            }
        }
        // Nobody else is any the worse for it.
        let loaded = doors.stdio.request("thread/loaded/list", json!({})).await;
        assert_eq!(loaded.unwrap()["data"], json!([]), "{name}");
        differences
    });
    // All at once, they are too many for Codex.
    let compared = stream::iter(compared).buffer_unordered(AT_ONCE);
    let differences = compared.concat().await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_gone_in_the_middle_of_a_word_are_let_go_of() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let doors = Doors::open(&stage).await;
    for (name, bytes) in last_words() {
        for address in [&doors.unix, &doors.web_socket] {
            let mut host = Raw::connect(address).await;
            host.0.write_all(&bytes).await.unwrap();
            drop(host);
        }
        let left = async {
            while connected(&stage, &doors.unix) != 1 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let left = tokio::time::timeout(PATIENCE, left).await;
        assert!(left.is_ok(), "{name}");
    }
    let late = doors.host(&doors.unix).await;
    late.request("thread/loaded/list", json!({})).await.unwrap();
}

/// Answers to lines, up to the end of what is said.
async fn answers(command: std::process::Command, bytes: &[u8]) -> Vec<Value> {
    let mut process = Process::spawn(command).unwrap();
    process.send(format!("{HELLO}\n").as_bytes()).await.unwrap();
    let mut read = async |patience| match process.read_line(patience).await {
        Ok(line) => line.map(|line| serde_json::from_slice::<Value>(&line).unwrap()),
        Err(_) => None,
    };
    while read(PATIENCE).await.unwrap()["id"] != "hello" {}
    let mut heard = Vec::new();
    // One that was given up takes nothing more.
    let _ = process.send(bytes).await;
    // The first one may be the end of the line before.
    let _ = process.send(format!("{PROBE}\n{PROBE}\n").as_bytes()).await;
    let mut patience = PATIENCE;
    let mut read = async |patience| match process.read_line(patience).await {
        Ok(line) => line.map(|line| serde_json::from_slice::<Value>(&line).unwrap()),
        Err(_) => None,
    };
    while let Some(message) = read(patience).await {
        if message["id"] == "probe" {
            patience = QUIET;
        }
        if message.get("method").is_none() {
            heard.push(message);
        }
    }
    let _ = process.shutdown().await;
    heard.sort_by_key(Value::to_string);
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_as_lines_has_what_it_has_from_codex() {
    let stage = Stage::of(HomeBuilder::default()).await;
    let line = |message: &[u8]| [message, b"\n"].concat();
    let all: Vec<u8> = messages()
        .iter()
        .flat_map(|(_, messages)| messages.iter().flat_map(|it| line(it)))
        .collect();
    let cases = [
        ("every message", all),
        ("64 MB", line(large(64 << 20).as_bytes())),
        ("more than 64 MB", line(large((64 << 20) + 1).as_bytes())),
        ("no UTF-8", line(b"{\"id\":1,\"method\":\"\xff\"}")),
        (
            "half a line, and then another",
            b"{\"id\":1,\"meth".to_vec(),
        ),
    ];
    for (name, bytes) in &cases {
        let own = answers(stage.home.codex_app_server(), bytes).await;
        let through = answers(stage.proxy(), bytes).await;
        assert_eq!(own, through, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_line_at_the_end_is_read_as_codex_reads_it() {
    let stage = Stage::of(HomeBuilder::default()).await;
    for last in [listed("1"), listed("1")[..20].to_owned(), "\0".to_owned()] {
        let mut outcomes = Vec::new();
        for command in [stage.home.codex_app_server(), stage.proxy()] {
            let process = Process::spawn(command).unwrap();
            let bytes = format!("{HELLO}\n{last}");
            process.send(bytes.as_bytes()).await.unwrap();
            outcomes.push(process.shutdown().await.unwrap().code());
        }
        assert_eq!(outcomes[0], outcomes[1], "{last}");
    }
}
