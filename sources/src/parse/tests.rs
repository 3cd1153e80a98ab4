use std::fs;

use super::*;

fn machine() -> tempfile::TempDir {
    let machine = tempfile::tempdir().unwrap();
    let at = |path: &str| machine.path().join(path);
    for folder in [
        "plain/sub",
        "work/.git",
        "bare.d/objects",
        "bare.d/refs",
        "m/.claude-plugin",
        "m/.agents/plugins",
    ] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    for file in [
        "bare.d/HEAD",
        "a.tar.gz",
        "b.tgz",
        "c.ZIP",
        "d.txt",
        "marketplace.json",
        "m/.claude-plugin/marketplace.json",
        "m/.agents/plugins/marketplace.json",
    ] {
        fs::write(at(file), "").unwrap();
    }
    machine
}

/// `text --option value …` as a user writes it, and the origin as it is shown.
fn shown(line: &str, cwd: &Path) -> Result<String, SourceError> {
    let mut words = line.split(' ');
    let text = words.next().unwrap();
    let mut options = AddOptions::default();
    while let Some(option) = words.next() {
        let value = words.next().map(str::to_owned);
        match option {
            "--ref" => options.reference = value,
            "--path" => options.path = value,
            "--plugin" => options.plugin = value,
            "--sha256" => options.sha256 = value,
            other => panic!("{other}"),
        }
    }
    let origin = parse(&text.replace("CWD", &cwd.to_string_lossy()), &options, cwd)?;
    let plugin = origin.plugin.map(|plugin| format!(" plugin {plugin}"));
    let shown = format!("{:?}{}", origin.source, plugin.unwrap_or_default());
    Ok(shown.replace(&*cwd.to_string_lossy(), "CWD"))
}

#[test]
fn what_a_user_types() {
    let machine = machine();
    let hash = "AB".repeat(32);
    for (line, expected) in [
        ("plain", "Folder(CWD/plain)"),
        ("./plain/../plain/.", "Folder(CWD/plain)"),
        ("plain --path ./sub/", "Folder(CWD/plain/sub)"),
        ("plain --plugin p", "Folder(CWD/plain) plugin p"),
        ("work", "Folder(CWD/work)"),
        ("work --ref v1", "Git(file://CWD/work at v1)"),
        ("bare.d", "Git(file://CWD/bare.d)"),
        ("file://CWD/plain", "Folder(CWD/plain)"),
        ("file://CWD/work", "Git(file://CWD/work)"),
        ("file://CWD/plain --ref x", "Git(file://CWD/plain at x)"),
        ("file://CWD/x.git", "Git(file://CWD/x.git)"),
        ("file://CWD/a.tar.gz", "Archive(CWD/a.tar.gz)"),
        (
            "m/.claude-plugin/marketplace.json --plugin p",
            "Folder(CWD/m) plugin p",
        ),
        ("m/.agents/plugins/marketplace.json", "Folder(CWD/m)"),
        ("a.tar.gz", "Archive(CWD/a.tar.gz)"),
        ("b.tgz --path a", "Archive(CWD/b.tgz, folder a)"),
        ("c.ZIP", "Archive(CWD/c.ZIP)"),
        ("https://h/x.git", "Git(https://h/x.git)"),
        (
            "https://h/x.git/ --ref main --path a/b",
            "Git(https://h/x.git at main, folder a/b)",
        ),
        ("https://h/x --ref main", "Git(https://h/x at main)"),
        ("https://github.com/o/r", "Git(https://github.com/o/r)"),
        (
            "https://www.github.com/o/r/",
            "Git(https://www.github.com/o/r)",
        ),
        (
            "https://codeberg.org/o/r#v1",
            "Git(https://codeberg.org/o/r at v1)",
        ),
        ("https://gitlab.com/g/h/r", "Git(https://gitlab.com/g/h/r)"),
        ("git+https://h/x", "Git(https://h/x)"),
        ("git+ssh://git@h/x", "Git(ssh://git@h/x)"),
        ("http://127.0.0.1:8/x.git", "Git(http://127.0.0.1:8/x.git)"),
        ("ssh://git@h:22/x", "Git(ssh://git@h:22/x)"),
        ("git@h:o/r", "Git(git@h:o/r)"),
        ("git@h:o/r.git --ref a/b", "Git(git@h:o/r.git at a/b)"),
        ("github:o/r", "Git(https://github.com/o/r.git)"),
        (
            "github:o/r.git#main",
            "Git(https://github.com/o/r.git at main)",
        ),
        ("https://h/x.tar.gz", "Archive(https://h/x.tar.gz)"),
        (
            "https://github.com/o/r/archive/refs/heads/main.zip",
            "Archive(https://github.com/o/r/archive/refs/heads/main.zip)",
        ),
        ("https://h/x.tgz?token=hidden", "Archive(https://h/x.tgz?…)"),
        (
            "http://localhost:8/x.zip",
            "Archive(http://localhost:8/x.zip)",
        ),
        (
            &format!("https://h/download --sha256 {hash}"),
            "Archive(https://h/download)",
        ),
        ("npm:p", "Npm(npm:p)"),
        ("npm:p@^1.2", "Npm(npm:p@^1.2)"),
        ("npm:@s/p", "Npm(npm:@s/p)"),
        ("npm:@s/p@next", "Npm(npm:@s/p@next)"),
    ] {
        let got = shown(line, machine.path());
        assert_eq!(got.as_deref(), Ok(expected), "{line}");
    }
}

#[test]
fn what_is_refused() {
    let machine = machine();
    for (line, message, hint) in [
        ("", "no place", "name a folder"),
        ("nothing", "nothing at", "name a folder"),
        ("owner/repo", "nothing at", "github:owner/repo"),
        ("d.txt", "no archive", "folder that it lies in"),
        (
            "marketplace.json",
            "no marketplace's file",
            ".claude-plugin",
        ),
        (
            "https://h/.claude-plugin/marketplace.json",
            "alone",
            "repository",
        ),
        ("--upload-pack=touch", "is an option", "./-name"),
        ("ext::sh", "helper program", "https://"),
        ("fd::17", "helper program", "https://"),
        ("git+ext::sh", "helper program", "https://"),
        ("git+-x", "is an option", "./-name"),
        ("git://h/x", "encrypted", "https://"),
        ("git+rsync://h/x", "of a kind", "https://"),
        ("ftp://h/x.git", "of a kind", "https://"),
        ("http://h/x.git", "not encrypted", "use https"),
        ("http://h/x.zip", "not encrypted", "use https"),
        ("http://localhost.h/x.zip", "not encrypted", "use https"),
        ("https://u:hidden@h/x.git", "password", "credential helper"),
        (
            "https://hidden@github.com/o/r",
            "password",
            "credential helper",
        ),
        ("https://hidden@h/x.zip", "password", "take it out"),
        ("https://h/x.git?t=hidden", "query", "credential helper"),
        ("ssh://git:hidden@h/x", "password", "key"),
        ("ssh://-oProxyCommand=x/y", "", ""),
        ("git@-oProxyCommand=x:y", "ssh", "user@host"),
        ("-x@h:y", "option", ""),
        ("git@h:-x", "ssh", "user@host"),
        ("https://h/x", "may be", ".git"),
        ("https://github.com/o/r/tree/main/a", "page", "--path"),
        ("github:o", "no repository", "owner/repo"),
        ("github:o/../x", "no repository", "owner/repo"),
        ("file:/// --ref v1", "no folder", "file:///path"),
        ("git+file:////", "no folder", "file:///path"),
        ("git+file:/a://", "no address", "://"),
        ("git+https:h/a://b", "no address", "://"),
        ("File:///x.git", "no address", "lower case"),
        ("gopher://h/x", "no https", "https"),
        ("npm:", "no name", "npm:package"),
        ("npm:../x", "no name", "npm:package"),
        ("npm:@s", "no name", "npm:package"),
        ("npm:p@git+https://h", "no version", "1.2.3"),
        ("a.tar.gz --ref x", "`--ref` does not go", "git"),
        ("plain --sha256 00", "`--sha256` does not go", "archives"),
        ("npm:p --path a", "`--path` does not go", "folders"),
        ("npm:p --ref a", "`--ref` does not go", "git"),
        ("a.tar.gz --sha256 00", "no SHA-256", "64"),
        ("plain --path ../x", "no folder", "relative"),
        ("plain --path /x", "no folder", "relative"),
        (
            "https://h/x.git --ref -x",
            "no name of a branch",
            "whole hash",
        ),
        (
            "https://h/x.git --ref a..b",
            "no name of a branch",
            "whole hash",
        ),
        ("https://h/x.git#a --ref b", "another", "once"),
        ("a\u{1b}[2J", "characters", "name a folder"),
    ] {
        let error = shown(line, machine.path()).expect_err(line);
        assert!(error.message.contains(message), "{line:?}: {error}");
        assert!(error.hint.contains(hint), "{line:?}: {}", error.hint);
        let all = format!("{error} {}", error.hint);
        assert!(
            !all.contains("hidden") && !all.contains(char::is_control),
            "{all}"
        );
    }
}
