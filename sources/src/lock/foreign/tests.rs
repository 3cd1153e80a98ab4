use std::path::Path;

use super::*;

const ALPHA: &str = "4e4a934b2bb97621a9a4d186612b453c78594e54e900bef2758aac5eadba330d";

fn read(name: &str, text: &str) -> Result<ForeignLock, LockError> {
    read_foreign(&Path::new("/home/ann/shop").join(name), text)
}

fn git(url: &str, reference: Option<&str>, path: Option<&str>) -> Source {
    Source::Git {
        url: url.to_owned(),
        reference: reference.map(str::to_owned),
        path: path.map(str::to_owned),
    }
}

fn folder(path: &str) -> Source {
    Source::Folder { path: path.into() }
}

fn skill(name: &str, source: Source) -> ForeignEntry {
    ForeignEntry {
        name: name.to_owned(),
        origin: Origin {
            source,
            plugin: None,
        },
        commit: None,
        digest_as_stated: Some(ALPHA.to_owned()),
        skills: vec![name.to_owned()],
    }
}

/// The files were written by `skills` 1.5.18 and `apm` 0.35.0.
#[test]
fn files_that_the_tools_wrote() {
    let project = read(
        "skills-lock.json",
        include_str!("../../../tests/locks/skills-lock.json"),
    )
    .unwrap();
    let kit = || {
        git(
            "https://github.com/acme/kit.git",
            Some("v1"),
            Some("skills/alpha"),
        )
    };
    let expected = [
        skill("alpha", kit()),
        skill(
            "beta",
            git("https://git.example.com/acme/kit.git", None, None),
        ),
        skill("delta", folder("/srv/repo")),
    ];
    assert_eq!(project.entries, expected);
    let global = read(
        ".skill-lock.json",
        include_str!("../../../tests/locks/skill-lock.json"),
    )
    .unwrap();
    assert_eq!(global.entries, [skill("alpha", kit())]);

    for name in ["apm.lock.yaml", "apm.lock"] {
        let apm = read(name, include_str!("../../../tests/locks/apm.lock.yaml")).unwrap();
        let stated = "sha256:347636cdf727de6ca133cf60468d6b8f74baf9165250b9a912faac62f7593591";
        let expected = [
            ForeignEntry {
                digest_as_stated: Some(stated.to_owned()),
                skills: Vec::new(),
                ..skill("one", folder("/home/ann/shop/packages/one"))
            },
            ForeignEntry {
                commit: Some("08ac7e4a02eae55e10f77cd699e32dc959b5bc3e".to_owned()),
                digest_as_stated: Some(format!("sha256:{ALPHA}")),
                skills: Vec::new(),
                ..skill(
                    "alpha",
                    git(
                        "https://github.com/acme/kit",
                        Some("v2"),
                        Some("skills/alpha"),
                    ),
                )
            },
        ];
        assert_eq!(apm.entries, expected);
        assert_eq!(apm.left_out, []);
    }
}

#[test]
fn each_kind_of_the_skills_cli() {
    let commit = "a".repeat(40);
    let table: [(String, Result<Source, &str>); 10] = [
        (r#""source": "git@host:acme/kit.git", "sourceType": "git", "sourceUrl": "git@host:acme/kit.git""#.into(), Ok(git("git@host:acme/kit.git", None, None))),
        (r#""source": "https://gitlab.com/acme/kit.git", "sourceType": "gitlab", "skillPath": "a/b/SKILL.md""#.into(), Ok(git("https://gitlab.com/acme/kit.git", None, Some("a/b")))),
        (format!(r#""source": "acme/kit", "sourceType": "github", "ref": "{commit}""#), Ok(git("https://github.com/acme/kit.git", Some(&commit), None))),
        (r#""source": "../kit", "sourceType": "local""#.into(), Ok(folder("/home/ann/kit"))),
        (r#""source": "@acme/kit", "sourceType": "node_modules""#.into(), Ok(Source::Npm { package: "@acme/kit".into(), version: None, registry: None })),
        (r#""source": "acme/kit", "sourceType": "git""#.into(), Err("the lock has no address")),
        (r#""source": "mintlify.com", "sourceType": "well-known""#.into(), Err("it comes from the `.well-known` folder")),
        (r#""source": "x", "sourceType": "ftp\u001b[2J""#.into(), Err("places of the kind `ftp\\u{1b}[2J` are not known")),
        (r#""source": "acme/kit", "sourceType": "github", "skillPath": "../../x/SKILL.md""#.into(), Err("`path` has to lead to a folder inside")),
        (r#""source": "x", "sourceUrl": "--upload-pack=x:y", "sourceType": "git""#.into(), Err("the address begins with `-`")),
    ];
    for (entry, expected) in table {
        let text = format!(r#"{{"version": 1, "skills": {{"x": {{{entry}}}}}}}"#);
        let read = read("skills-lock.json", &text).unwrap();
        match expected {
            Ok(source) => {
                let pinned =
                    matches!(&source, Source::Git { reference: Some(it), .. } if *it == commit);
                assert_eq!(read.entries.len(), 1, "{entry}: {:?}", read.left_out);
                assert_eq!(read.entries[0].origin.source, source);
                assert_eq!(read.entries[0].commit.is_some(), pinned);
            }
            Err(why) => {
                assert_eq!(read.entries, [], "{entry}");
                assert!(read.left_out[0].why.starts_with(why), "{:?}", read.left_out);
            }
        }
    }
}

#[test]
fn each_kind_of_apm() {
    let sum = "b".repeat(64);
    let commit = "c".repeat(40);
    let archive = Source::Archive {
        location: "https://apm.example.com/v1/x".to_owned(),
        path: None,
        sha256: Some(sum.clone()),
    };
    let table: [(String, &str, Result<Source, &str>); 14] = [
        (
            "repo_url: acme/kit".into(),
            "kit",
            Ok(git("https://github.com/acme/kit", None, None)),
        ),
        (
            "repo_url: acme/kit\n  alias: mine".into(),
            "mine",
            Ok(git("https://github.com/acme/kit", None, None)),
        ),
        (
            "repo_url: acme/kit\n  materialization_repo_url: Acme/Kit".into(),
            "kit",
            Ok(git("https://github.com/Acme/Kit", None, None)),
        ),
        (
            "repo_url: t/kit\n  host: git.example.com\n  port: 7999".into(),
            "kit",
            Ok(git("https://git.example.com:7999/t/kit", None, None)),
        ),
        (
            "repo_url: t/kit\n  host: h.example.com\n  is_insecure: true".into(),
            "kit",
            Ok(git("http://h.example.com/t/kit", None, None)),
        ),
        (
            "repo_url: t/kit\n  host: jf.example.com\n  registry_prefix: artifactory/github".into(),
            "kit",
            Ok(git(
                "https://jf.example.com/artifactory/github/t/kit",
                None,
                None,
            )),
        ),
        (
            "repo_url: org/proj/kit\n  host: dev.azure.com".into(),
            "kit",
            Ok(git("https://dev.azure.com/org/proj/_git/kit", None, None)),
        ),
        (
            "repo_url: org/proj/kit\n  host: org.visualstudio.com".into(),
            "kit",
            Ok(git(
                "https://org.visualstudio.com/proj/_git/kit",
                None,
                None,
            )),
        ),
        (
            format!(
                "repo_url: t/kit\n  source: registry\n  resolved_url: https://apm.example.com/v1/x\n  resolved_hash: sha256:{sum}"
            ),
            "kit",
            Ok(archive),
        ),
        (
            "repo_url: t/kit\n  source: registry\n  resolved_url: https://apm.example.com/v1/x"
                .into(),
            "kit",
            Err("it has no `resolved_hash`"),
        ),
        (
            "repo_url: _local/x\n  source: local\n  local_path: ../x\n  resolved_by: acme/kit"
                .into(),
            "x",
            Err("its folder lies beside the package"),
        ),
        (
            "repo_url: a/kit\n  virtual_path: prompts/a.prompt.md\n  is_virtual: true".into(),
            "a.prompt.md",
            Err("`prompts/a.prompt.md` is a single file"),
        ),
        (
            "repo_url: a/kit\n  replacement: {source: {path: ../kit}, requests: []}".into(),
            "kit",
            Ok(folder("/home/ann/kit")),
        ),
        (
            format!(
                "repo_url: a/kit\n  resolved_ref: main\n  resolved_commit: {commit}\n  replacement: {{source: {{git: \"https://x/fork\", ref: main}}, requests: []}}"
            ),
            "kit",
            Ok(git("https://x/fork", Some("main"), None)),
        ),
    ];
    for (entry, name, expected) in table {
        let text = format!(
            "lockfile_version: '3'\ndependencies:\n- {entry}\n- repo_url: <self>\n  source: local\n  local_path: .\n"
        );
        let read = read("apm.lock.yaml", &text).unwrap();
        match expected {
            Ok(source) => {
                assert_eq!(read.left_out, [], "{entry}");
                assert_eq!(
                    (&*read.entries[0].name, &read.entries[0].origin.source),
                    (name, &source)
                );
                assert_eq!(
                    read.entries[0].commit.as_deref(),
                    entry.contains(&commit).then_some(&*commit)
                );
            }
            Err(why) => {
                assert_eq!((read.entries.len(), &*read.left_out[0].name), (0, name));
                assert!(read.left_out[0].why.starts_with(why), "{:?}", read.left_out);
            }
        }
    }
}

#[test]
fn what_is_no_lock_is_said() {
    for (name, text, said) in [
        (
            "package-lock.json",
            "{}",
            "this is the name of no lock file",
        ),
        (
            "skills-lock.json",
            "{\n\"version\": 2, \"skills\": {}}",
            "`version`: this is version 2, and 1 can be read",
        ),
        (
            ".skill-lock.json",
            "{\"version\": 1, \"skills\": {}}",
            "`version`: this is version 1, and 3 can be read",
        ),
        (
            "skills-lock.json",
            "{\n\"version\": 1.5, \"skills\": {}}",
            "`version`: this is version 1.5",
        ),
        (
            "skills-lock.json",
            "{\n\"version\": 1, \"skills\": {\"a\": {\"source\": 1}}}",
            "line 2, `skills.a.source`: invalid type",
        ),
        ("skills-lock.json", "[", "line 1"),
        (
            "skills-lock.json",
            "{\"version\": 1, \"skills\": {}} x",
            "trailing characters",
        ),
        (
            "apm.lock.yaml",
            "lockfile_version: '4'",
            "`lockfile_version`: this is version 4, and 1, 2, 3 can be read",
        ),
        ("apm.lock.yaml", "dependencies:\n- host: x", "line 2"),
        ("apm.lock.yaml", "a: [", "line"),
        (
            "apm.lock.yaml",
            "a: 1\n<<<<<<< HEAD\n",
            "line 2: a merge conflict",
        ),
    ] {
        let error = read(name, text).unwrap_err();
        assert!(error.to_string().starts_with(said), "{name}: {error}");
        assert!(!error.hint.is_empty());
    }
}
