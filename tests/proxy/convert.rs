//! `codex-loadout convert`, and what the real Codex makes of its bundles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::claude::FORGE;
use crate::stage::PROXY;

pub(crate) fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The plugin of the thread tests, as a folder.
fn forge_in(folder: &Path) {
    write(
        folder,
        ".claude-plugin/plugin.json",
        r#"{"name":"forge","version":"1.2.3"}"#,
    );
    for (path, text) in FORGE {
        write(folder, path, text);
    }
}

fn convert(plugin: &Path, out: &Path, more: &[&str]) -> Output {
    let codex = lab::codex(lab::DEFAULT_VERSION).unwrap();
    Command::new(PROXY)
        .arg("convert")
        .arg(plugin)
        .arg("--out")
        .arg(out)
        .args(more)
        .env("CODEX_LOADOUT_CODEX", codex)
        .output()
        .unwrap()
}

/// An absolute path as a relative one.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").unwrap())
}

fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_plugin_becomes_a_bundle_that_codex_has_whole() {
    let home = tempfile::tempdir().unwrap();
    let (plugin, out) = (home.path().join("plugin"), home.path().join("out"));
    forge_in(&plugin);
    let output = convert(&plugin, &out, &["--report", "json", "--verify"]);
    let report = printed(&output);
    assert!(output.status.success(), "{report:#}");
    let forge = &report["plugins"][0];
    assert_eq!(
        (&forge["status"], &forge["missing"]),
        (&json!("converted"), &json!([]))
    );
    let bundle = out.join("forge");
    assert_eq!(forge["bundle"], json!(bundle));
    for path in [
        ".codex-plugin/plugin.json",
        ".mcp.json",
        "agents/reviewer.toml",
        "scripts/go.sh",
        "shared/rules.md",
        "skills/audit/SKILL.md",
        "skills/prd/SKILL.md",
    ] {
        assert!(bundle.join(path).is_file(), "{path}");
    }
    assert!(!bundle.join("commands").exists());

    // The same input gives the same bundle, wherever it is written.
    let again = home.path().join("again");
    let second = printed(&convert(&plugin, &again, &["--json"]));
    assert_eq!(
        second["plugins"][0]["report"]["digest"],
        forge["report"]["digest"]
    );
    let same = Command::new("diff")
        .arg("-r")
        .args([&out, &again])
        .output()
        .unwrap();
    assert!(
        same.status.success(),
        "{}",
        String::from_utf8_lossy(&same.stdout)
    );
}

#[test]
fn a_bundle_is_replaced_only_by_force() {
    let home = tempfile::tempdir().unwrap();
    let (plugin, out) = (home.path().join("plugin"), home.path().join("out"));
    forge_in(&plugin);
    assert!(convert(&plugin, &out, &[]).status.success());
    let output = convert(&plugin, &out, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("--force"), "{text}");
    assert!(convert(&plugin, &out, &["--force"]).status.success());
}

#[test]
fn a_plugin_that_fails_leaves_its_neighbours_and_the_rest_of_the_disk_alone() {
    let home = tempfile::tempdir().unwrap();
    let (market, out) = (home.path().join("market"), home.path().join("out"));
    write(
        &market,
        ".claude-plugin/marketplace.json",
        r#"{"name":"m","plugins":[{"name":"forge","source":"./forge"},{"name":"include","source":"./include"},
            {"name":"json","source":"./json"},{"name":"../../escape","source":"./escape"},{"name":"far","source":{"source":"github","repo":"a/b"}}]}"#,
    );
    forge_in(&market.join("forge"));
    write(
        &market,
        "include/commands/go.md",
        "---\ndescription: d\n---\n\n@../shared/gone.md\n",
    );
    write(
        &market,
        "json/.claude-plugin/plugin.json",
        "{\n  \"name\": \"json\",\n}\n",
    );
    write(
        &market,
        "escape/commands/go.md",
        "---\ndescription: d\n---\nGo.\n",
    );
    let output = convert(&market, &out, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = printed(&output);
    let of = |name: &str| {
        let mut plugins = report["plugins"].as_array().unwrap().iter();
        plugins.find(|plugin| plugin["name"] == name).unwrap()
    };
    assert_eq!(of("forge")["status"], "converted");
    let failure = &of("include")["report"]["failures"][0];
    assert_eq!(
        (&failure["code"], &failure["file"], &failure["line"]),
        (
            &json!("include-unresolved"),
            &json!("commands/go.md"),
            &json!(5)
        )
    );
    let error = of("json")["error"].as_str().unwrap();
    assert!(
        error.contains("plugin.json") && error.contains("line 3"),
        "{error}"
    );
    assert_eq!(of("far")["status"], "elsewhere");
    assert_eq!(names(home.path()), ["market", "out"]);
    for name in names(&out) {
        assert!(
            ["forge", "escape"].iter().any(|part| name.ends_with(part)),
            "{name}"
        );
    }
}

#[test]
fn strict_and_aliases_count() {
    let home = tempfile::tempdir().unwrap();
    let (plugin, out) = (home.path().join("plugin"), home.path().join("out"));
    forge_in(&plugin);
    let strict = convert(&plugin, &out, &["--strict", "--json"]);
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(printed(&strict)["plugins"][0]["status"], "failed");
    assert!(!out.join("forge").exists());

    let aliases = home.path().join("aliases.toml");
    fs::write(&aliases, "[plugins.forge.skills]\naudit = \"check\"\n").unwrap();
    let output = convert(
        &plugin,
        &from_here(&out),
        &["--aliases", aliases.to_str().unwrap(), "--verify"],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(out.join("forge/skills/check/SKILL.md").is_file());
    let command = fs::read_to_string(out.join("forge/skills/prd/SKILL.md")).unwrap();
    assert!(command.contains("$forge:check"), "{command}");

    fs::write(&aliases, "[plugins.forge]\nskils = 1\n").unwrap();
    let output = convert(&plugin, &out, &["--aliases", aliases.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && text.contains("hint:"),
        "{text}"
    );
}

#[test]
fn codex_has_skills_under_names_with_colons_and_spaces() {
    let home = tempfile::tempdir().unwrap();
    let (plugin, out) = (home.path().join("plugin"), home.path().join("out"));
    for (path, text) in [
        (".claude-plugin/plugin.json", "{\"name\": \"odd\"}"),
        (
            "skills/review/SKILL.md",
            "---\nname: \"Review: Fast\"\ndescription: \"Reviews: fast.\"\n---\nDo.\n",
        ),
        (
            "skills/two  words/SKILL.md",
            "---\ndescription: d\n---\nDo.\n",
        ),
        ("commands/go  on.md", "---\ndescription: d\n---\nGo.\n"),
    ] {
        write(&plugin, path, text);
    }
    let report = printed(&convert(&plugin, &out, &["--json", "--verify"]));
    assert_eq!(report["plugins"][0]["missing"], json!([]), "{report:#}");
}

#[test]
fn a_skill_that_codex_has_no_room_to_list_is_not_missing() {
    let home = tempfile::tempdir().unwrap();
    let (plugin, out) = (home.path().join("plugin"), home.path().join("out"));
    write(
        &plugin,
        ".claude-plugin/plugin.json",
        "{\"name\": \"many\"}",
    );
    for number in 0..400 {
        let text = format!(
            "---\nname: part-{number:03}\ndescription: Handles part {number} of the work when it is asked for by its number\n---\nDo.\n"
        );
        write(&plugin, &format!("skills/part-{number:03}/SKILL.md"), &text);
    }
    let output = convert(&plugin, &out, &["--json", "--verify"]);
    let report = printed(&output);
    let many = &report["plugins"][0];
    assert!(output.status.success(), "{}", many["missing"]);
    assert_eq!(many["missing"], json!([]));
    let unlisted = many["unlisted"].as_array().unwrap();
    assert!((1..400).contains(&unlisted.len()), "{}", unlisted.len());
}

#[cfg(unix)]
#[test]
fn the_outcome_says_what_happened() {
    let market = |source: &str| {
        format!("{{\"name\":\"m\",\"plugins\":[{{\"name\":\"p\",\"source\":{source}}}]}}")
    };
    let far = market(r#"{"source":"github","repo":"a/b"}"#);
    let lsp = r#"{"name":"p","lspServers":{"go":{}}}"#.to_owned();
    let skill = "---\nname: s\ndescription: d\n---\nx\n".to_owned();
    let (list, own) = (
        ".claude-plugin/marketplace.json",
        ".claude-plugin/plugin.json",
    );
    for (files, code, bundles, said) in [
        (
            vec![
                ("bin/tool", String::new()),
                ("package.json", "{}".to_owned()),
            ],
            1,
            vec![],
            "holds no plugin",
        ),
        (vec![(list, far.clone())], 1, vec![], "fetched first"),
        (vec![(own, lsp)], 1, vec!["p"], "fetched first"),
        (
            vec![
                (list, far),
                (own, "{\"name\":\"p\"}".to_owned()),
                ("skills/s/SKILL.md", skill.clone()),
            ],
            0,
            vec!["p"],
            "",
        ),
        (
            vec![
                ("skills/s/SKILL.md", skill.clone()),
                (
                    "plugins/q/.claude-plugin/plugin.json",
                    "{\"name\":\"q\"}".to_owned(),
                ),
                ("plugins/q/skills/s/SKILL.md", skill),
            ],
            0,
            vec!["plugin", "q"],
            "",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (plugin, out) = (home.path().join("plugin"), home.path().join("out"));
        for (path, text) in &files {
            write(&plugin, path, text);
        }
        let output = convert(&plugin, &out, &[]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{files:?} {text}");
        assert!(
            text.contains(said) && (code == 0 || text.contains("hint:")),
            "{files:?} {text}"
        );
        let made = if out.is_dir() { names(&out) } else { vec![] };
        assert_eq!(made, bundles, "{files:?}");
    }
}

/// Makes files in a folder.
type Make = fn(&Path);

/// What has no end, or more than a plugin can have: each ends soon, by an account that says why.
#[cfg(unix)]
#[test]
fn limits_hold() {
    use std::os::unix::fs::symlink;
    let pipe = |path: PathBuf| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    let home = tempfile::tempdir().unwrap();
    pipe(home.path().join("pipe/.claude-plugin/marketplace.json"));
    pipe(home.path().join("other-pipe/x-marketplace.json"));
    let rows: [(&str, Make, &str); 11] = [
        ("pipe", |_| {}, "neither a file nor a folder"),
        ("other-pipe", |_| {}, "neither a file nor a folder"),
        (
            "links",
            |folder| {
                for name in ["a", "b", "c"] {
                    symlink(".", folder.join(name)).unwrap();
                }
            },
            "round in a circle",
        ),
        (
            "sparse",
            |folder| {
                write(folder, ".claude-plugin/plugin.json", "{}");
                let file = fs::File::create(folder.join(".mcp.json")).unwrap();
                file.set_len(10 << 20).unwrap();
            },
            "larger than 8 MiB",
        ),
        (
            "deep",
            |folder| {
                write(folder, ".claude-plugin/plugin.json", "{}");
                fs::create_dir_all(folder.join("d/".repeat(1500))).unwrap();
            },
            "100 folders in each other",
        ),
        (
            "entries",
            |folder| {
                let entry = |number| {
                    format!(r#"{{"name":"p{number}","source":{{"source":"github","repo":"a/b"}}}}"#)
                };
                let entries: Vec<String> = (0..9_000).map(entry).collect();
                let list = format!(r#"{{"name":"m","plugins":[{}]}}"#, entries.join(","));
                write(folder, ".claude-plugin/marketplace.json", &list);
            },
            "fetched first",
        ),
        (
            "same",
            |folder| {
                let entry = |number| format!(r#"{{"name":"p{number}","source":"./p"}}"#);
                let entries: Vec<String> = (0..50_000).map(entry).collect();
                let list = format!(r#"{{"name":"m","plugins":[{}]}}"#, entries.join(","));
                write(folder, ".claude-plugin/marketplace.json", &list);
                write(folder, "p/commands/go.md", "Go.");
            },
            "lists 50000 plugins",
        ),
        (
            "huge",
            |folder| {
                write(folder, ".claude-plugin/plugin.json", "{}");
                let file = fs::File::create(folder.join(".mcp.json")).unwrap();
                file.set_len(200 << 30).unwrap();
            },
            "holds more than",
        ),
        (
            "texts",
            |folder| {
                write(
                    folder,
                    "skills/s/SKILL.md",
                    "---\nname: s\ndescription: d\n---\nS\n",
                );
                for number in 0..60 {
                    let file = fs::File::create(folder.join(format!("skills/s/{number}.md")));
                    file.unwrap().set_len(4 << 20).unwrap();
                }
            },
            "bytes of texts",
        ),
        (
            "market",
            |folder| {
                let far = folder.with_file_name("far-plugin");
                write(&far, "commands/go.md", "Go.");
                let list = r#"{"name":"m","plugins":[{"name":"p","source":"./p"}]}"#;
                write(folder, ".claude-plugin/marketplace.json", list);
                symlink(far, folder.join("p")).unwrap();
            },
            "fetched first",
        ),
        (
            "out",
            |folder| {
                let far = folder.with_file_name("far");
                write(&far, ".claude-plugin/plugin.json", "{}");
                symlink(far, folder.join("far")).unwrap();
            },
            "out of the folder",
        ),
    ];
    for (name, make, said) in rows {
        let folder = home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        make(&folder);
        let began = std::time::Instant::now();
        let output = convert(&folder, &home.path().join("bundles"), &[]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert!(text.contains(said), "{name}: {text}");
        assert!(text.contains("hint:"), "{name}: {text}");
        // It took minutes and gigabytes, or never ended.
        assert!(began.elapsed().as_secs() < 60, "{name}");
    }
}

/// Real plugins, which are no part of the repository: beside it, or where the variable says.
#[test]
fn codex_has_every_part_of_real_plugins() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let corpora = std::env::var_os("CODEX_LOADOUT_CORPORA").map_or(beside, PathBuf::from);
    if !corpora.is_dir() {
        eprintln!("SKIPPED: no plugins at {}", corpora.display());
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let mut converted = 0;
    for corpus in names(&corpora) {
        let folder = corpora.join(&corpus);
        for plugin in [
            folder.clone(),
            folder.join("claude-plugin"),
            folder.join("codex-plugin"),
        ] {
            // A folder that only holds such folders is no plugin itself.
            let inner = folder.join("claude-plugin").is_dir();
            if !plugin.is_dir() || inner && plugin == folder {
                continue;
            }
            let place = out.path().join(&corpus).join(plugin.file_name().unwrap());
            let report = printed(&convert(&plugin, &place, &["--json", "--verify"]));
            for plugin in report["plugins"].as_array().unwrap() {
                if plugin["status"] == "elsewhere" {
                    continue;
                }
                assert_eq!(plugin["status"], "converted", "{plugin:#}");
                assert_eq!(plugin["missing"], json!([]), "{}", plugin["name"]);
                converted += 1;
            }
        }
    }
    assert!(converted >= 20, "{converted}");
}
