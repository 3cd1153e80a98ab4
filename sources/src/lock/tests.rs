use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const FOLDER: &str = "/home/ann/shop/.codex-loadout";

fn parse(text: &str) -> Result<LoadoutLock, LockError> {
    LoadoutLock::parse(text, Path::new(FOLDER))
}

fn print(lock: &LoadoutLock) -> String {
    lock.print(Path::new(FOLDER)).unwrap()
}

fn digest(of: &str) -> Digest {
    Digest::of_parts([of.as_bytes()])
}

fn bundle(source: Source) -> LockedBundle {
    LockedBundle {
        origin: Origin {
            source,
            plugin: None,
        },
        relative: false,
        resolved: None,
        commit: None,
        digest: digest("content"),
        executes: BTreeSet::new(),
    }
}

fn git(url: &str) -> Source {
    Source::Git {
        url: url.to_owned(),
        reference: None,
        path: None,
    }
}

fn lock<const N: usize>(bundles: [(&str, LockedBundle); N]) -> LoadoutLock {
    LoadoutLock {
        bundles: bundles
            .map(|(name, bundle)| (name.to_owned(), bundle))
            .into(),
    }
}

#[test]
fn a_lock_is_sorted_text_that_reads_back() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let forge = LockedBundle {
        origin: Origin {
            source: Source::Git {
                url: "https://github.com/acme/market.git".to_owned(),
                reference: Some("v1".to_owned()),
                path: Some("plugins".to_owned()),
            },
            plugin: Some("forge".to_owned()),
        },
        resolved: Some(git("git@github.com:acme/forge.git")),
        commit: Some(commit.to_owned()),
        executes: ["server github: npx gh", "hook Stop: say \"done\""]
            .map(str::to_owned)
            .into(),
        ..bundle(git(""))
    };
    let ours = LockedBundle {
        relative: true,
        ..bundle(Source::Folder {
            path: PathBuf::from("/home/ann/shop/skills"),
        })
    };
    let lock = lock([("ours", ours), ("forge", forge)]);
    let content = digest("content");
    let text = format!(
        r#"# What this project's profiles need, to the byte. `codex-loadout bundle lock` writes it, `bundle sync` reads it.
version = 1

[[bundle]]
name = "forge"
source = {{ kind = "git", url = "https://github.com/acme/market.git", ref = "v1", path = "plugins" }}
plugin = "forge"
resolved = {{ kind = "git", url = "git@github.com:acme/forge.git" }}
commit = "{commit}"
digest = "{content}"
executes = [
    'hook Stop: say "done"',
    "server github: npx gh",
]

[[bundle]]
name = "ours"
source = {{ kind = "folder", path = "../skills" }}
digest = "{content}"
executes = []
"#
    );
    assert_eq!(print(&lock), text);
    assert_eq!(parse(&text).unwrap(), lock);
    let elsewhere = LoadoutLock::parse(&text, Path::new("/srv/shop/.codex-loadout")).unwrap();
    let there = Source::Folder {
        path: PathBuf::from("/srv/shop/skills"),
    };
    assert_eq!(elsewhere.bundles["ours"].origin.source, there);
    assert_eq!(
        elsewhere
            .print(Path::new("/srv/shop/.codex-loadout"))
            .unwrap(),
        text
    );
}

#[test]
fn what_is_wrong_is_said_by_line_and_key() {
    let entry = |lines: &str| format!("version = 1\n[[bundle]]\n{lines}\nexecutes = []\n");
    let whole = format!(
        "digest = \"{}\"\nsource = {{ kind = \"folder\", path = \"x\" }}",
        digest("a")
    );
    let table = [
        ("versio = 1".to_owned(), "`version` is missing"),
        (
            "version = 2\nnew = 1".to_owned(),
            "line 1, `version`: this is version 2",
        ),
        (
            "version = \"1\"".to_owned(),
            "line 1, `version`: invalid type",
        ),
        (
            "version = 1\nother = 2".to_owned(),
            "line 2, `other`: unknown field",
        ),
        ("version = ".to_owned(), "line 1: this is not TOML"),
        (
            "version = 1\n<<<<<<< ours\n".to_owned(),
            "line 2: a merge conflict",
        ),
        (
            entry("name = \"x\""),
            "line 2, `bundle[0]`: missing field `source`",
        ),
        (
            entry(&format!("name = \"x\"\n{whole}\ncolour = 1")),
            "line 6, `bundle[0].colour`: unknown field",
        ),
        (
            entry(&format!("name = \"a@b\"\n{whole}")),
            "line 3, `bundle[0].name`: a name has no spaces",
        ),
        (
            entry(&format!("name = \"a\"\n{whole}\ncommit = \"main\"")),
            "line 6, `bundle[0].commit`: a commit is",
        ),
        (
            entry("name = \"x\"\ndigest = \"md5:1\""),
            "line 4, `bundle[0].digest`: `md5:1` is not a sha256 digest",
        ),
        (
            entry("name = \"x\"\nsource = { kind = \"svn\" }"),
            "line 4, `bundle[0].source.kind`: unknown variant `svn`",
        ),
        (
            entry(&format!(
                "name = \"x\"\ndigest = \"{}\"\nsource = {{ kind = \"archive\", location = \"https://h/x.zip?t=hidden\" }}",
                digest("a")
            )),
            "line 5, `bundle[0].source`: an address with a query",
        ),
        (
            entry("name = \"x\"\nsource = { kind = \"git\", uri = \"\" }"),
            "line 4, `bundle[0].source`: unknown field `uri`",
        ),
        (
            format!(
                "{}\n[[bundle]]\nname = \"x\"\n{whole}\nexecutes = []",
                entry(&format!("name = \"x\"\n{whole}"))
            ),
            "line 9, `bundle[1].name`: `x` stands here a second time",
        ),
        (
            format!(
                "version = 1\n[[bundle]]\nname = \"x\"\n{whole}\nexecutes = [\"a\\u001b[2Kb\"]"
            ),
            "line 6, `bundle[0].executes`: each is a line of letters that can be seen",
        ),
    ];
    for (text, said) in table {
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().starts_with(said), "{text}\n=> {error}");
        assert!(!error.hint.is_empty());
    }
}

#[test]
fn places_that_must_not_stand_in_a_lock_are_neither_written_nor_read() {
    let archive = |location: &str, path: Option<&str>, sha256: Option<&str>| Source::Archive {
        location: location.to_owned(),
        path: path.map(str::to_owned),
        sha256: sha256.map(str::to_owned),
    };
    let table = [
        (git("https://ann:secret@host/x"), "password or token"),
        (git("https://ghp_token@host/x"), "password or token"),
        (git("ssh://git:secret@host/x"), "password or token"),
        (git("--upload-pack=touch x"), "begins with `-`"),
        (git(""), "the address is empty"),
        (git("https://host/\u{202e}x"), "a letter that can't be seen"),
        (
            archive("{ ://host]/a.zip#x", None, None),
            "the address can't be read",
        ),
        (
            archive("https://host/a.zip", Some("../x"), None),
            "a folder inside",
        ),
        (
            archive("https://host/a.zip", Some("/x"), None),
            "a folder inside",
        ),
        (
            archive("https://host/a.zip", None, Some("abc")),
            "64 hex digits",
        ),
    ];
    for (source, why) in table {
        let written = lock([("x", bundle(source.clone()))])
            .print(Path::new(FOLDER))
            .unwrap_err();
        assert!(written.message.contains(why), "{written}");
        assert!(!written.to_string().contains("secret"), "{written}");
        let mut place = String::new();
        serde::Serialize::serialize(&source, toml::ser::ValueSerializer::new(&mut place)).unwrap();
        let text = format!(
            "version = 1\n[[bundle]]\nname = \"x\"\ndigest = \"{}\"\nsource = {place}\nexecutes = []",
            digest("a")
        );
        let read = parse(&text).unwrap_err();
        assert!(read.message.contains(why), "{read}");
        assert_eq!(
            (read.line, read.key.as_deref()),
            (Some(5), Some("bundle[0].source"))
        );
    }
    for fine in [
        "ssh://git@host/x",
        "git@host:x",
        "file:///srv/x",
        "https://host/x",
    ] {
        let lock = lock([("x", bundle(git(fine)))]);
        assert_eq!(parse(&print(&lock)).unwrap(), lock);
    }
}

#[test]
fn a_merge_replaces_by_name() {
    let mut ours = lock([
        ("a", bundle(git("https://x/a"))),
        ("b", bundle(git("https://x/b"))),
    ]);
    ours.merge(lock([
        ("b", bundle(git("https://y/b"))),
        ("c", bundle(git("https://x/c"))),
    ]));
    let expected = [
        ("a", "https://x/a"),
        ("b", "https://y/b"),
        ("c", "https://x/c"),
    ];
    assert_eq!(
        ours,
        lock(expected.map(|(name, url)| (name, bundle(git(url)))))
    );
}

#[test]
fn each_difference_is_a_sentence() {
    let plain = bundle(git("https://x/a"));
    let commit = |letter: &str| Some(letter.repeat(40));
    let table: [(Option<LockedBundle>, Option<LockedBundle>, &[&str]); 7] = [
        (Some(plain.clone()), Some(plain.clone()), &[]),
        (
            Some(plain.clone()),
            None,
            &["`x` is in the lock, but not here."],
        ),
        (
            None,
            Some(plain.clone()),
            &["`x` is here, but not in the lock."],
        ),
        (
            Some(plain.clone()),
            Some(LockedBundle {
                digest: digest("new"),
                commit: commit("a"),
                ..plain.clone()
            }),
            &["`x` has other content: sha256:"],
        ),
        (
            Some(plain.clone()),
            Some(LockedBundle {
                commit: commit("a"),
                ..plain.clone()
            }),
            &[
                "`x` is of another commit: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa here, no commit in the lock.",
            ],
        ),
        (
            Some(plain.clone()),
            Some(bundle(git("https://evil/a"))),
            &["`x` is here from another place than the lock names."],
        ),
        (
            Some(LockedBundle {
                executes: ["hook Stop: a".to_owned()].into(),
                ..plain.clone()
            }),
            Some(LockedBundle {
                executes: ["hook Stop: b".to_owned()].into(),
                ..plain
            }),
            &[
                "`x` executes something else than the lock says; not in the lock: `hook Stop: b`; only in the lock: `hook Stop: a`.",
            ],
        ),
    ];
    for (locked, have, said) in table {
        let of = |bundle: Option<LockedBundle>| LoadoutLock {
            bundles: bundle.map(|it| ("x".to_owned(), it)).into_iter().collect(),
        };
        let differences = of(locked).differences(&of(have));
        let sentences: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(sentences.len(), said.len(), "{sentences:?}");
        for (sentence, said) in sentences.iter().zip(said) {
            assert!(sentence.starts_with(said), "{sentence}");
        }
    }
}

#[test]
fn relative_paths_lead_back() {
    for (path, folder, written) in [
        ("/a/b/c", "/a/b", "c"),
        ("/a/b", "/a/b", "."),
        ("/a", "/a/b", ".."),
        ("/x", "/a/b", "../../x"),
        ("/a/./b/../c", "/a", "c"),
    ] {
        let relative = places::relative(Path::new(path), Path::new(folder));
        assert_eq!(relative, Path::new(written));
        let back = places::absolute(&relative, Path::new(folder));
        assert_eq!(back, places::absolute(Path::new(path), Path::new("/")));
    }
}

fn sources() -> impl Strategy<Value = Source> {
    let word = "[a-zA-Z0-9éß'\"#][a-zA-Z0-9 ._'\"#=-]{0,12}";
    let inner = || proptest::option::of("[a-z0-9'\"]{1,5}(/[a-z0-9 #]{1,5}){0,2}");
    let absolute = "(/[a-zé0-9 '\"-]{1,6}){1,4}";
    prop_oneof![
        absolute.prop_map(|path| Source::Folder { path: path.into() }),
        (word, proptest::option::of(word), inner()).prop_map(|(url, reference, path)| {
            Source::Git {
                url,
                reference,
                path,
            }
        }),
        (
            "https://[a-z]{1,8}/[a-z]{1,4}|/srv/[a-z]{1,4}",
            inner(),
            proptest::option::of("[0-9a-f]{64}")
        )
            .prop_map(|(location, path, sha256)| Source::Archive {
                location,
                path,
                sha256
            }),
        (
            word,
            proptest::option::of(word),
            proptest::option::of("https://[a-z.]{1,9}x/")
        )
            .prop_map(|(package, version, registry)| Source::Npm {
                package,
                version,
                registry
            }),
    ]
}

fn bundles() -> impl Strategy<Value = LockedBundle> {
    let plugin = proptest::option::of("[a-z][a-z0-9._-]{0,8}");
    let commit = proptest::option::of("[0-9a-f]{40}|[0-9a-f]{64}");
    let executes = proptest::collection::btree_set("[ -~é]{1,30}", 0..4);
    (
        sources(),
        plugin,
        proptest::option::of(sources()),
        commit,
        ".*",
        executes,
        any::<bool>(),
    )
        .prop_map(
            |(source, plugin, resolved, commit, content, executes, relative)| {
                let has_path = |source| places::local_path(source).is_some();
                let relative =
                    relative && (has_path(&source) || resolved.as_ref().is_some_and(has_path));
                LockedBundle {
                    origin: Origin { source, plugin },
                    relative,
                    resolved,
                    commit,
                    digest: digest(&content),
                    executes,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(bundles in proptest::collection::btree_map("[a-zé0-9._][a-zé0-9._-]{0,9}", bundles(), 0..5)) {
        let lock = LoadoutLock { bundles };
        let text = print(&lock);
        let read = parse(&text).unwrap();
        prop_assert_eq!(&read, &lock);
        prop_assert_eq!(print(&read), text);
        prop_assert_eq!(lock.differences(&read), vec![]);
    }

    #[test]
    fn no_text_is_too_strange(text in "(version = 1\n)?(\\[\\[bundle\\]\\]\n|name = \"a\"\n|source = \\{ kind = \"folder\", path = \"\\PC*\" \\}\n|digest = [\"\\PC]*\n|\\PC*\n){0,8}") {
        if let Ok(lock) = parse(&text) {
            prop_assert_eq!(parse(&print(&lock)).unwrap(), lock);
        }
    }
}
