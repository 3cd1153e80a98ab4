//! Archives and packages, from files and from servers.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use codex_loadout_sources::{FetchErrorKind, Source};
use data_encoding::{BASE64, HEXLOWER};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256, Sha512};

use crate::support::{Answer, Machine, Server, paths};

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, path, text.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn zip() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer
        .start_file("r/SKILL.md", zip::write::SimpleFileOptions::default())
        .unwrap();
    writer.write_all(b"zip").unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn files_and_folders_of_them_pinned_by_their_checksum() {
    let machine = Machine::new();
    let content = archive(&[("r-1/SKILL.md", "root"), ("r-1/sub/SKILL.md", "sub")]);
    let sha256 = HEXLOWER.encode(&Sha256::digest(&content));
    machine.write("a.tar.gz", &content);
    machine.write("a.zip", zip());
    for (line, expected) in [
        ("AT/a.tar.gz".to_owned(), "SKILL.md sub/SKILL.md"),
        ("AT/a.tar.gz --path sub".to_owned(), "SKILL.md"),
        (
            format!("AT/a.tar.gz --sha256 {}", sha256.to_uppercase()),
            "SKILL.md sub/SKILL.md",
        ),
        ("AT/a.zip".to_owned(), "SKILL.md"),
    ] {
        let fetched = machine.fetch(&line).unwrap();
        assert_eq!(paths(&fetched), expected, "{line}");
        let origin = codex_loadout_sources::Origin {
            source: fetched.resolved,
            plugin: None,
        };
        let again = machine.fetch_origin(&origin).unwrap();
        assert_eq!((again.tree, again.sha256), (fetched.tree, fetched.sha256));
    }
    for (line, kind, why) in [
        (
            format!("AT/a.zip --sha256 {sha256}"),
            FetchErrorKind::Mismatch,
            "checksum",
        ),
        (
            "AT/a.tar.gz --path none".to_owned(),
            FetchErrorKind::NotFound,
            "no folder",
        ),
    ] {
        let error = machine.fetch(&line).unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(why), "{error}");
    }
}

#[test]
fn each_redirect_is_asked_for() {
    let content = archive(&[("r/SKILL.md", "")]);
    let server = Server::new(move |path| match path {
        "/a.tar.gz?token=hidden" => Answer::Redirect("/b".to_owned()),
        "/b" => Answer::Redirect("c.tgz".to_owned()),
        "/c.tgz" => Answer::Content(content.clone()),
        "/round.zip" => Answer::Redirect("/round.zip".to_owned()),
        "/out.zip" => Answer::Redirect("http://example.com/x".to_owned()),
        "/file.zip" => Answer::Redirect("file:///etc/passwd".to_owned()),
        "/secret.zip" => Answer::Status(403),
        "/broken.zip" => Answer::Status(500),
        "/page.zip" => Answer::Content(b"<html>".to_vec()),
        _ => Answer::Status(404),
    });
    let at = &server.address;
    let mut machine = Machine::new();
    let fetched = machine
        .fetch(&format!("{at}/a.tar.gz?token=hidden"))
        .unwrap();
    assert_eq!(paths(&fetched), "SKILL.md");
    assert_eq!(
        machine.asked(),
        [
            format!("{at}/a.tar.gz?…"),
            format!("→ {at}/b"),
            format!("→ {at}/c.tgz")
        ]
    );
    let all = format!(
        "{:?} {:?} {:?}",
        fetched.resolved, fetched.steps, fetched.warnings
    );
    assert!(
        !all.contains("hidden") && fetched.warnings[0].contains("query"),
        "{all}"
    );
    assert!(
        matches!(&fetched.resolved, Source::Archive { location, .. } if *location == format!("{at}/a.tar.gz"))
    );
    for (path, kind) in [
        ("round.zip", FetchErrorKind::Unreachable),
        ("out.zip", FetchErrorKind::Unsafe),
        ("file.zip", FetchErrorKind::Unsafe),
        ("secret.zip", FetchErrorKind::NotFound),
        ("broken.zip", FetchErrorKind::Unreachable),
        ("none.zip", FetchErrorKind::NotFound),
        ("page.zip", FetchErrorKind::Unreadable),
    ] {
        let error = machine.fetch(&format!("{at}/{path}?token=hidden")).err();
        let error = error
            .or_else(|| machine.fetch(&format!("{at}/{path}")).err())
            .unwrap();
        assert!(!error.message.contains("hidden"), "{error}");
        let error = machine.fetch(&format!("{at}/{path}")).unwrap_err();
        assert_eq!(error.kind, kind, "{path}: {error}");
    }
    machine.gate.forbidden = Some("c.tgz");
    server.asked.lock().unwrap().clear();
    let error = machine
        .fetch(&format!("{at}/a.tar.gz?token=hidden"))
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Refused);
    assert!(
        !server
            .asked
            .lock()
            .unwrap()
            .iter()
            .any(|path| path == "/c.tgz")
    );
}

#[test]
fn a_download_ends_when_it_is_called_off_takes_too_long_or_is_too_much() {
    let big = vec![0; 200_000];
    let server = Server::new(move |path| match path {
        "/big.zip" => Answer::Content(big.clone()),
        _ => Answer::Stalled,
    });
    let at = &server.address;
    for (path, kind) in [
        ("stalled.zip", FetchErrorKind::Cancelled),
        ("stalled.zip", FetchErrorKind::TimedOut),
        ("big.zip", FetchErrorKind::TooLarge),
    ] {
        let mut machine = Machine::new();
        machine.limits.transfer = 100_000;
        match kind {
            FetchErrorKind::Cancelled => {
                machine.on_progress = Box::new(|progress, cancel| {
                    if progress.bytes == Some(5) {
                        cancel.store(true, Ordering::Relaxed);
                    }
                });
            }
            FetchErrorKind::TimedOut => machine.time = Duration::from_millis(300),
            _ => {}
        }
        let begun = Instant::now();
        let error = machine.fetch(&format!("{at}/{path}")).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

/// A registry with one package, its file changed or named elsewhere as is said.
fn registry(integrity: Option<&str>, file: &'static str) -> Server {
    let content = archive(&[
        ("package/SKILL.md", "npm"),
        (
            "package/package.json",
            r#"{"scripts":{"postinstall":"touch marker"}}"#,
        ),
    ]);
    let integrity = match integrity {
        Some(integrity) => integrity.to_owned(),
        None => format!("sha512-{}", BASE64.encode(&Sha512::digest(&content))),
    };
    let address = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let own = std::sync::Arc::clone(&address);
    let server = Server::new(move |path| match path {
        "/@s%2fp" => {
            let file = file.replace("HERE", own.get().unwrap());
            let dist = format!(r#"{{"tarball":"{file}","integrity":"{integrity}"}}"#);
            let package = format!(
                r#"{{"dist-tags":{{"latest":"1.2.3"}},"versions":{{"1.0.0":{{}},"1.2.3":{{"dist":{dist}}}}}}}"#
            );
            Answer::Content(package.into_bytes())
        }
        "/p.tgz" => Answer::Content(content.clone()),
        _ => Answer::Status(404),
    });
    address.set(server.address.clone()).unwrap();
    server
}

#[test]
fn a_package_of_a_registry() {
    let server = registry(None, "HERE/p.tgz");
    let mut machine = Machine::new();
    machine.registry = Some(server.address.clone());
    let fetched = machine.fetch("npm:@s/p@^1").unwrap();
    assert_eq!(paths(&fetched), "SKILL.md package.json");
    assert_eq!(fetched.version.as_deref(), Some("1.2.3"));
    assert_eq!(
        fetched.resolved,
        Source::Npm {
            package: "@s/p".to_owned(),
            version: Some("1.2.3".to_owned()),
            registry: None
        }
    );
    assert_eq!(
        machine.asked(),
        [
            "npm:@s/p@^1".to_owned(),
            format!("→ {}/p.tgz", server.address)
        ]
    );
    assert_eq!(fetched.content(None).unwrap().name, "p");
    let error = machine.fetch("npm:@s/p@^3").unwrap_err();
    assert_eq!(
        (error.kind, error.items[0].as_str()),
        (FetchErrorKind::NotFound, "1.2.3")
    );
    let error = machine.fetch("npm:none").unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::NotFound);
    machine.gate.forbidden = Some("→");
    server.asked.lock().unwrap().clear();
    let error = machine.fetch("npm:@s/p").unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Refused);
    assert_eq!(*server.asked.lock().unwrap(), ["/@s%2fp"]);
}

#[test]
fn a_package_that_is_not_what_it_says() {
    for (integrity, file, kind) in [
        (Some("sha512-AAAA"), "HERE/p.tgz", FetchErrorKind::Mismatch),
        (Some("sha1-AAAA"), "HERE/p.tgz", FetchErrorKind::Unreachable),
        (Some(""), "HERE/p.tgz", FetchErrorKind::Unreachable),
        (None, "http://example.com/p.tgz", FetchErrorKind::Unsafe),
        (None, "file:///etc/passwd", FetchErrorKind::Unsafe),
        (None, "HERE/none.tgz", FetchErrorKind::NotFound),
    ] {
        let server = registry(integrity, file);
        let mut machine = Machine::new();
        machine.registry = Some(server.address.clone());
        let error = machine.fetch("npm:@s/p").unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

#[test]
fn a_marketplace_in_an_archive_leads_to_a_package() {
    let server = registry(None, "HERE/p.tgz");
    let mut machine = Machine::new();
    machine.registry = Some(server.address.clone());
    let market = r#"{"name":"m","plugins":[{"name":"e","source":{"source":"npm","package":"@s/p","version":"1.2.3"}},{"name":"f","source":"./f"},{"name":"g","source":{"source":"npm","package":"x","registry":"https://h"}}]}"#;
    machine.write(
        "m.tgz",
        archive(&[
            ("m/.claude-plugin/marketplace.json", market),
            ("m/f/SKILL.md", "here"),
        ]),
    );
    let fetched = machine.fetch("AT/m.tgz --plugin e").unwrap();
    assert_eq!(
        (fetched.name.as_str(), paths(&fetched)),
        ("e", "SKILL.md package.json".to_owned())
    );
    assert_eq!(fetched.steps.len(), 2);
    let fetched = machine.fetch("AT/m.tgz --plugin f").unwrap();
    assert_eq!(
        (fetched.name.as_str(), paths(&fetched)),
        ("f", "SKILL.md".to_owned())
    );
    assert!(matches!(fetched.resolved, Source::Archive { .. }));
}
