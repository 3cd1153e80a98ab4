//! The bodies of the fuzz targets, on their seeds, on bytes, and on seeds that were spoiled.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/src/lib.rs"]
#[allow(
    unreachable_pub,
    clippy::expect_used,
    reason = "it is a crate of its own for the fuzzer"
)]
mod fuzz;

/// The body of a fuzz target.
type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 7] = [
    ("lock", fuzz::lock),
    ("foreign_locks", fuzz::foreign_locks),
    ("policy", fuzz::policy),
    ("signatures", fuzz::signatures),
    ("archive", fuzz::archive),
    ("marketplace", fuzz::marketplace),
    ("places", fuzz::places),
];

/// All seeds, with their target.
fn seeds() -> Vec<(Target, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut seeds = Vec::new();
    for (name, target) in TARGETS {
        let files = fs::read_dir(folder.join(name)).unwrap();
        let before = seeds.len();
        seeds.extend(files.map(|file| (target, fs::read(file.unwrap().path()).unwrap())));
        assert!(seeds.len() > before, "{name} has seeds");
    }
    seeds
}

#[test]
fn seeds_are_read_or_refused() {
    for (target, seed) in seeds() {
        target(&seed);
    }
}

/// A seed that something happened to: cut, and with bytes of others in it.
fn spoiled() -> impl Strategy<Value = (Target, Vec<u8>)> {
    let seeds = seeds();
    let pieces: Vec<Vec<u8>> = seeds.iter().map(|(_, seed)| seed.clone()).collect();
    let change = (
        any::<prop::sample::Index>(),
        0..24_usize,
        prop::sample::select(pieces),
        any::<prop::sample::Index>(),
        0..24_usize,
    );
    let changes = prop::collection::vec(change, 1..4);
    (prop::sample::select(seeds), changes).prop_map(|((target, mut bytes), changes)| {
        for (at, removed, piece, from, added) in changes {
            let at = at.index(bytes.len() + 1);
            let from = from.index(piece.len());
            let end = (at + removed).min(bytes.len());
            let piece = &piece[from..(from + added).min(piece.len())];
            bytes.splice(at..end, piece.iter().copied());
        }
        (target, bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn spoiled_seeds_are_read_or_refused((target, bytes) in spoiled()) {
        target(&bytes);
    }

    #[test]
    fn any_text_is_a_place_or_none(text in "\\PC{0,60}", more in "[a-z@:/.#?+%-]{0,40}") {
        fuzz::places(text.as_bytes());
        for begin in ["", "https://", "git+", "git@", "npm:", "github:", "ssh://", "file://"] {
            fuzz::places(format!("{begin}{more}").as_bytes());
        }
    }
}
