//! The bodies of the fuzz targets, on their seeds, on bytes, and on pieces of what authors write.

#![allow(clippy::unwrap_used, reason = "this is a test")]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a crate of its own for the fuzzer")]
mod fuzz;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// The body of a fuzz target.
type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 4] = [
    ("frontmatter", fuzz::frontmatter),
    ("references", fuzz::references),
    ("manifests", fuzz::manifests),
    ("conversion", fuzz::conversion),
];

/// All seeds, by the name of their target.
fn seeds() -> Vec<(&'static str, Target, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut seeds = Vec::new();
    for (name, target) in TARGETS {
        let files = fs::read_dir(folder.join(name)).unwrap();
        seeds.extend(files.map(|file| (name, target, fs::read(file.unwrap().path()).unwrap())));
    }
    seeds
}

#[test]
fn seeds_are_converted_or_refused() {
    let seeds = seeds();
    for (name, _) in TARGETS {
        assert!(seeds.iter().any(|(of, ..)| *of == name), "{name} has seeds");
    }
    for (_, target, seed) in seeds {
        target(&seed);
    }
}

/// A seed that something happened to: cut, doubled, and with bytes of others in it.
fn spoiled() -> impl Strategy<Value = (Target, Vec<u8>)> {
    let seeds = seeds();
    let pieces: Vec<Vec<u8>> = seeds.iter().map(|(.., seed)| seed.clone()).collect();
    let change = (
        any::<prop::sample::Index>(),
        0..24_usize,
        prop::sample::select(pieces),
        any::<prop::sample::Index>(),
        0..24_usize,
    );
    let changes = prop::collection::vec(change, 1..6);
    (prop::sample::select(seeds), changes).prop_map(|((_, target, mut bytes), changes)| {
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
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_converted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn spoiled_seeds_are_converted_or_refused((target, bytes) in spoiled()) {
        target(&bytes);
    }
}
