//! What holds for everything that is fetched, however strange, and for what somebody types to have it fetched.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use codex_loadout_sources::{
    AddOptions, FetchContext, Gate, Limits, Origin, Source, fetch, parse, read_archive,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use url::Url;

use super::assert_plain;

/// The bytes are an archive, and a tar that is packed.
pub fn archive(bytes: &[u8]) {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let is_packed = packed.write_all(bytes);
    let packed = packed.finish();
    let packed = is_packed.and(packed).unwrap_or_default();
    for bytes in [bytes, &packed] {
        let limits = Limits {
            bytes: 1 << 20,
            ..Limits::default()
        };
        match read_archive(bytes, &limits) {
            Ok(tree) => {
                assert!(
                    tree.len() <= limits.files,
                    "no more files than there may be"
                );
                let size: usize = tree.iter().map(|(_, file)| file.bytes.len()).sum();
                assert!(
                    size as u64 <= limits.bytes,
                    "no more bytes than there may be"
                );
                for (path, _) in tree.iter() {
                    let stays = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
                    assert!(
                        stays && !path.contains(['\\', '\0', '\n', '\u{1b}']),
                        "{path:?}"
                    );
                    let below = path
                        .match_indices('/')
                        .any(|(at, _)| tree.get(&path[..at]).is_some());
                    assert!(!below, "nothing lies below a file: {path:?}");
                }
            }
            Err(error) => assert_plain(&format!("{error} {}", error.hint)),
        }
    }
}

/// The bytes are a marketplace's file, beside plugins.
pub fn marketplace(bytes: &[u8]) {
    let Ok(machine) = tempfile::tempdir() else {
        return;
    };
    let market = machine.path().join("market");
    let made = ["market/.claude-plugin", "market/p", "outside", "scratch"]
        .iter()
        .map(|folder| fs::create_dir_all(machine.path().join(folder)))
        .chain([
            fs::write(market.join(".claude-plugin/marketplace.json"), bytes),
            fs::write(market.join("p/SKILL.md"), "inside"),
            fs::write(machine.path().join("outside/SKILL.md"), "outside"),
        ]);
    // In order: folders come first.
    if made.collect::<Result<Vec<()>, _>>().is_err() {
        return;
    }
    let gate = OnlyThis(&market);
    for plugin in [None, Some("p".to_owned()), Some(String::new())] {
        let origin = Origin {
            source: Source::Folder {
                path: market.clone(),
            },
            plugin,
        };
        let cx = FetchContext {
            scratch: &machine.path().join("scratch"),
            limits: Limits::default(),
            gate: &gate,
            progress: &|_| (),
            cancel: &AtomicBool::new(false),
            deadline: Instant::now() + Duration::from_secs(60),
            npm_registry: None,
        };
        match fetch(&origin, &cx) {
            Ok(fetched) => {
                let is_outside = fetched.tree.iter().any(|(_, file)| file.bytes == "outside");
                assert!(!is_outside, "what lies outside is not read");
                drop(fetched.content(None));
            }
            Err(error) => assert_plain(&format!("{error} {} {:?}", error.hint, error.items)),
        }
    }
}

/// Lets the marketplace be read and nothing else; looks at what else is asked for.
struct OnlyThis<'a>(&'a Path);

impl Gate for OnlyThis<'_> {
    fn allows(&self, source: &Source) -> Result<(), String> {
        match source {
            Source::Folder { path } if path == self.0 => return Ok(()),
            Source::Folder { path } => {
                panic!("a marketplace leads to the folder {}", path.display())
            }
            Source::Archive { location, .. } => assert!(location.starts_with("http"), "{source}"),
            Source::Git { url, .. } => a_git_url(url),
            Source::Npm { .. } => {}
        }
        assert_plain(&format!("{source} {source:?}"));
        Err("only this".to_owned())
    }

    fn allows_redirect(&self, url: &Url) -> Result<(), String> {
        panic!("nothing was fetched that could lead to {url}")
    }
}

/// The bytes are what somebody types for a place; from the second line on, its options.
pub fn places(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    let mut option = || lines.next().filter(|line| !line.is_empty());
    let options = AddOptions {
        reference: option(),
        path: option(),
        plugin: option(),
        sha256: option(),
    };
    match parse(&first, &options, Path::new("/nowhere")) {
        Ok(origin) => {
            assert_plain(&format!("{} {origin:?}", origin.source));
            if let Source::Git { url, .. } = &origin.source
                && !url.starts_with("file://")
            {
                a_git_url(url);
            }
        }
        Err(error) => assert_plain(&format!("{error} {}", error.hint)),
    }
}

/// Git is given no option, no program, no place of this machine and no password.
fn a_git_url(url: &str) {
    let is_known = [
        "https://",
        "ssh://",
        "http://127.",
        "http://[::1]",
        "http://localhost",
    ]
    .iter()
    .any(|begin| url.to_ascii_lowercase().starts_with(begin));
    let is_short = url.contains('@') && url.contains(':') && !url.contains("://");
    assert!(!url.starts_with('-') && (is_known || is_short), "{url:?}");
    let password = Url::parse(url)
        .ok()
        .and_then(|url| url.password().map(str::to_owned));
    assert_eq!(password, None, "{url:?}");
}
