//! What holds for every text, however strange: the bodies of the fuzz targets, which the tests of the crate run, too.

mod fetching;

use std::path::Path;
use std::time::{Duration, SystemTime};

use codex_loadout_sources::Source;
use codex_loadout_sources::lock::{FOREIGN_LOCKS, LoadoutLock, read_foreign};
use codex_loadout_sources::policy::{Policy, PolicyFile};
use codex_loadout_sources::signature::{AllowedSigners, verify_commit, verify_file};
use url::Url;

pub use fetching::{archive, marketplace, places};

/// The bytes are a `loadout.lock`: what can be read is written as something that reads the same, in any folder.
pub fn lock(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let folder = Path::new("/home/ann/shop");
    match LoadoutLock::parse(&text, folder) {
        Ok(lock) => {
            let written = lock.print(folder).expect("what was read can be written");
            let again = LoadoutLock::parse(&written, folder).expect("what was written can be read");
            assert_eq!(again, lock);
            assert_eq!(again.print(folder).expect("again"), written);
            assert!(lock.differences(&again).is_empty());
        }
        Err(error) => assert_plain(&error.to_string()),
    }
}

/// The bytes are a lock file of each other tool: what is to be added has a name and a place that can be in a lock of ours.
pub fn foreign_locks(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for name in FOREIGN_LOCKS {
        match read_foreign(&Path::new("/home/ann/shop").join(name), &text) {
            Ok(lock) => {
                for entry in lock.entries {
                    assert_plain(&entry.name);
                    if let Source::Git { url, path, .. } = &entry.origin.source {
                        assert!(!url.starts_with('-'));
                        assert!(
                            !path
                                .iter()
                                .any(|path| path.split('/').any(|part| part == ".."))
                        );
                    }
                }
            }
            Err(error) => assert_plain(&error.to_string()),
        }
    }
}

/// The bytes are a policy; a `\0` ends it, and what follows is an address. With the user's policy on top nothing is
/// gained, whichever of the two it is.
pub fn policy(bytes: &[u8]) {
    let (text, address) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b"https://github.com/acme/kit".as_slice()),
    };
    let (text, address) = (
        String::from_utf8_lossy(text),
        String::from_utf8_lossy(address),
    );
    let read = |text: &str| {
        PolicyFile::parse(Path::new("/etc/policy.toml"), text, |_| Ok(text.to_owned()))
    };
    let file = match read(&text) {
        Ok(file) => file,
        Err(error) => return assert_plain(&error.to_string()),
    };
    let strict = read("[sources]\nallow = [{ host = \"github.com\", owner = \"acme\" }]")
        .expect("it is one");
    let alone = Policy::merge(Some(strict.clone()), None);
    let both = [
        Policy::merge(Some(strict.clone()), Some(file.clone())),
        Policy::merge(Some(file), Some(strict)),
    ];
    let git = Source::Git {
        url: address.clone().into_owned(),
        reference: None,
        path: None,
    };
    let archive = Source::Archive {
        location: address.clone().into_owned(),
        path: None,
        sha256: None,
    };
    for source in [git, archive] {
        for policy in &both {
            let allowed = policy.allows(&source);
            assert!(
                allowed.is_err() || alone.allows(&source).is_ok(),
                "{address}"
            );
            if let Err(refusal) = allowed {
                assert_plain(&refusal.to_string());
            }
            if let Ok(to) = Url::parse(&address) {
                let is_led_on = policy.allows_redirect(&source, &to).is_ok();
                assert!(
                    !is_led_on || alone.allows_redirect(&source, &to).is_ok(),
                    "{to}"
                );
            }
        }
        // What may be fetched leads to the one host for every reader of addresses that can be had here.
        if alone.allows(&source).is_ok()
            && let Ok(url) = Url::parse(&address)
            && !url.cannot_be_a_base()
        {
            let host = url.host_str().unwrap_or_default().trim_end_matches('.');
            assert!(host.eq_ignore_ascii_case("github.com"), "{address}");
        }
    }
}

/// The bytes are a commit, a signature, and a list of who may sign.
pub fn signatures(bytes: &[u8]) {
    let mut signers = AllowedSigners::default();
    if let Err(fault) = signers.add_all(&String::from_utf8_lossy(bytes)) {
        assert_plain(&fault.to_string());
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let nobody = AllowedSigners::default();
    for signers in [&signers, &nobody] {
        for verified in [
            verify_commit(bytes, signers, now),
            verify_file(b"content", bytes, signers, now),
        ] {
            match verified {
                Ok(_) => assert!(!signers.is_empty()),
                Err(error) => assert_plain(&error.to_string()),
            }
        }
    }
}

/// What a terminal is shown is one line that does nothing to it.
fn assert_plain(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
