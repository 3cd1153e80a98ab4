//! What holds for whatever comes in: the bodies of the fuzz targets in `fuzz`, which the tests run, too.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "to panic is how a target says that something does not hold"
)]

use std::path::Path;

use bytes::{Bytes, BytesMut};
use codex_loadout_protocol::ErrorKind;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::codec::Decoder;

use crate::connection::web_socket;
use crate::profiles;
use crate::router;
use crate::wire::{Frame, LineCodec, RawObject, insert_into_result, replace_params};

/// The bytes are a stream of lines that comes in pieces: put together, the messages are the stream, and each stays as
/// it is.
pub fn frames(bytes: &[u8]) {
    let size = bytes.first().map_or(1, |first| usize::from(*first).max(1));
    let mut codec = LineCodec::default();
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for piece in bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        while let Some(message) = codec.decode(&mut buffer).expect("a line") {
            messages.push(message);
        }
    }
    while let Some(message) = codec.decode_eof(&mut buffer).expect("a line") {
        messages.push(message);
    }
    let stream = messages.join(&b'\n');
    assert_eq!(bytes.strip_suffix(b"\n").unwrap_or(bytes), stream);
    for message in messages {
        let frame = Frame::new(message.clone());
        let _ = (frame.kind(), frame.method(), frame.id());
        assert_eq!(frame.into_bytes(), message);
    }
}

/// The bytes are a message: where its `params` or `result` are edited, nothing else is touched.
pub fn params(bytes: &[u8]) {
    let message = Bytes::copy_from_slice(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        let edited = replace_params(&message, &RawObject::default());
        assert!(edited.is_err());
        return;
    };
    let Ok(outer) = RawObject::parse(text, "message") else {
        return;
    };
    if let Ok(mut params) = RawObject::parse(outer.get("params").unwrap_or_default(), "params") {
        let before = members(&params, "added");
        params.set("added", "[1]".to_owned());
        if let Ok(edited) = replace_params(&message, &params) {
            let edited = String::from_utf8(edited.to_vec()).expect("text");
            let after = RawObject::parse(&edited, "message").expect("an object");
            assert_eq!(members(&outer, "params"), members(&after, "params"));
            let params = after.get("params").expect("params");
            let params = RawObject::parse(params, "params").expect("an object");
            assert_eq!(before, members(&params, "added"));
            assert_eq!(params.get("added"), Some("[1]"));
        }
    }
    if let Ok(edited) = insert_into_result(&message, "added", "[1]") {
        let edited = String::from_utf8(edited.to_vec()).expect("text");
        let after = RawObject::parse(&edited, "message").expect("an object");
        assert_eq!(members(&outer, "result"), members(&after, "result"));
    }
}

/// The members of an object but one.
fn members(object: &RawObject<'_>, but: &str) -> Vec<(String, String)> {
    let kept = object.iter().filter(|(key, _)| *key != but);
    kept.map(|(key, json)| (key.to_owned(), json.to_owned()))
        .collect()
}

/// The bytes are the file of a profile: what can be read is written as something that reads the same, and what can't be
/// is told with a line that the file has.
pub fn profile(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let file = Path::new("/home/ann/shop/review.toml");
    let read = match profiles::parse(file, &text) {
        Ok(read) => read,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::InvalidSelection);
            let said = error
                .message
                .strip_prefix("`/home/ann/shop/review.toml`, line ");
            let line = said.and_then(|said| said.split(':').next()?.parse().ok());
            let lines = 1 + text.matches('\n').count();
            assert!(
                line.is_some_and(|line| (1..=lines).contains(&line)),
                "{error}"
            );
            return;
        }
    };
    let written = profiles::print("x", &read);
    let again = profiles::parse(file, &written).expect("what was written can be read");
    assert_eq!(
        (&again.description, &again.extends, &again.selection),
        (&read.description, &read.extends, &read.selection)
    );
    assert_eq!(profiles::print("x", &again), written);
    let merged = profiles::merge(read.selection.clone(), read.selection.clone());
    assert_eq!(
        merged, read.selection,
        "nothing comes of a profile that begins with itself"
    );
}

/// The bytes choose what happens, and in which order: no request is lost, and none is answered twice.
pub fn router_events(bytes: &[u8]) {
    router::run_any_order(bytes);
}

/// The bytes are what a host sends on a WebSocket: what is read of them is text, and no more than was sent.
pub fn web_socket_text(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let (mut far, near) = tokio::io::duplex(bytes.len().max(1));
        far.write_all(bytes).await.expect("room");
        // Answers to pings and closes are taken.
        let (mut from, to) = tokio::io::split(far);
        let taken =
            tokio::spawn(async move { tokio::io::copy(&mut from, &mut tokio::io::sink()).await });
        let mut door = web_socket(near, Bytes::new(), Role::Server).await;
        drop(to);
        let mut read = 0;
        let reading = async {
            while let Some(frames) = door.reader.next().await {
                for frame in frames {
                    read += frame.bytes().len();
                    assert!(std::str::from_utf8(frame.bytes()).is_ok());
                }
            }
        };
        tokio::select! {
            () = reading => {}
            // What is whole was read at once: the rest waits for more.
            () = nothing_more() => {}
        }
        assert!(read <= bytes.len());
        drop(door);
        taken.abort();
    });
}

/// Long enough for everything that can go on to go on.
async fn nothing_more() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target); 5] = [
        ("frames", frames),
        ("params", params),
        ("profile", profile),
        ("router_events", router_events),
        ("web_socket_text", web_socket_text),
    ];

    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        let files = fs::read_dir(folder.join(target)).unwrap();
        files
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn it_holds_for_the_seeds_and_what_becomes_of_them_a_byte_at_a_time() {
        for (name, target) in TARGETS {
            let seeds = seeds(name);
            assert!(!seeds.is_empty(), "{name} has seeds");
            for seed in seeds {
                target(&seed);
                for at in 0..seed.len().min(400) {
                    let mut spoiled = seed.clone();
                    spoiled[at] ^= 1 << (at % 8);
                    target(&spoiled);
                    target(&seed[..at]);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn events_in_any_order(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            router_events(&bytes);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            frames(&bytes);
            params(&bytes);
        }

        #[test]
        fn messages_of_any_members(text in r#"\{("(id|method|params|result|x)": ?(1|"é\\n"|\{"a" : 1\.10, "b":\[ \]\}|null|\{\}),? ?){0,5}("params":\{ \})?\}"#) {
            params(text.as_bytes());
        }
    }
}
