//! The bodies of the fuzz targets, on their seeds, on bytes, and on spoiled seeds.

#![allow(clippy::unwrap_used, reason = "this is a test")]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a crate of its own for the fuzzer")]
mod fuzz;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// The body of a fuzz target.
type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 3] = [
    ("archive", fuzz::archive),
    ("marketplace", fuzz::marketplace),
    ("places", fuzz::places),
];

fn seeds() -> Vec<(Target, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut seeds = Vec::new();
    for (name, target) in TARGETS {
        let files: Vec<_> = fs::read_dir(folder.join(name)).unwrap().collect();
        assert!(!files.is_empty(), "{name} has seeds");
        seeds.extend(
            files
                .into_iter()
                .map(|file| (target, fs::read(file.unwrap().path()).unwrap())),
        );
    }
    seeds
}

#[test]
fn seeds_are_read_or_refused() {
    for (target, seed) in seeds() {
        target(&seed);
    }
}

/// A seed with some bytes in other places.
fn spoiled() -> impl Strategy<Value = (Target, Vec<u8>)> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    let changes = prop::collection::vec(change, 1..6);
    (prop::sample::select(seeds()), changes).prop_map(|((target, mut bytes), changes)| {
        for (at, byte, how) in changes {
            let at = at.index(bytes.len().max(1));
            match how {
                _ if at >= bytes.len() => bytes.push(byte),
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        (target, bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

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
