//! Cases from the field, which are no part of the repository: what users saw go wrong, and what they expect.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::stage::PROXY;

/// What the texts of a case's bundle hold, and what none of them does.
struct Expected {
    case: &'static str,
    code: i32,
    /// Of the bundle's texts, and of what is said.
    has: &'static [&'static str],
    has_not: &'static [&'static str],
}

const CASES: &[Expected] = &[
    Expected {
        case: "dots-in-prose",
        code: 0,
        has: &["stops ../ and ~/ escapes", "(`@docs/...` is taken)"],
        has_not: &[],
    },
    Expected {
        case: "include-folder-and-bare-names",
        code: 0,
        has: &[
            "`go.mod`",
            "`docs/`",
            "`Jenkinsfile`",
            "`.env`",
            "`prisma/schema.prisma`",
            "`app/api/[id]/route.ts`",
        ],
        has_not: &["@"],
    },
    Expected {
        case: "link-inside-marketplace",
        code: 0,
        has: &["name: tree"],
        has_not: &[],
    },
    Expected {
        case: "marketplace-lists-itself-by-address",
        code: 0,
        has: &["name: a", "name: b"],
        has_not: &[],
    },
    Expected {
        case: "nothing-but-bin",
        code: 1,
        has: &["holds no plugin", "hint:"],
        has_not: &[],
    },
    Expected {
        case: "price-zero",
        code: 0,
        has: &["| Free | $0 | 100 |", "$9", "a $5 strap", "$0-$50"],
        has_not: &["argument"],
    },
    Expected {
        case: "root-skills-hide-plugins",
        code: 0,
        has: &["name: house", "name: go", "core:dev"],
        has_not: &[],
    },
    Expected {
        case: "server-script-by-relative-path",
        code: 0,
        has: &["mcp-file-not-found"],
        has_not: &[],
    },
    Expected {
        case: "slash-prefix",
        code: 0,
        has: &["`/tools:`", "`/tools:*`"],
        has_not: &["$slash-prefix"],
    },
    Expected {
        case: "spawn-sentence",
        code: 0,
        has: &[
            "to spawn these three agents in parallel, each",
            "Launch an Agent (agent_type: `spawn-sentence:checker`, model: `opus`) with the list",
            "Launch a second Claude Agent (agent_type: `spawn-sentence:checker`, model: `opus`). Compare",
        ],
        has_not: &["subagent_type"],
    },
    Expected {
        case: "tool-words-grammar",
        code: 0,
        has: &[
            "You MUST call the AskUserQuestion tool to ask",
            "Use the **Task tool** to hand",
            "with Claude Code's Task tool.",
            "The Edit/MultiEdit gate runs first;",
            "ONE question per AskUserQuestion call",
            "(no Task/Agent tool)",
            "`TodoWrite` – keep a checklist",
        ],
        has_not: &["the agent-spawning tool"],
    },
];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        let target = fs::read_to_string(entry.path()).unwrap_or_default();
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else if target.starts_with("../") && !target.contains('\n') {
            // A link, as Git writes it where a disk has none.
            #[cfg(unix)]
            std::os::unix::fs::symlink(target, to).unwrap();
        } else {
            fs::write(&to, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// Everything that a bundle's Markdown and TOML say.
fn texts(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, all);
        } else if path
            .extension()
            .is_some_and(|end| end == "md" || end == "toml")
        {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

fn converted(plugin: &Path, out: &Path) -> Output {
    let mut convert = Command::new(PROXY);
    convert.arg("convert").arg(plugin).arg("--out").arg(out);
    convert.output().unwrap()
}

#[test]
fn cases_from_the_field() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    if !cases.is_dir() {
        println!("SKIPPED: no cases at {}", cases.display());
        return;
    }
    for expected in CASES {
        let home = tempfile::tempdir().unwrap();
        let (plugin, out) = (home.path().join(expected.case), home.path().join("out"));
        copy(&cases.join(expected.case).join("in"), &plugin);
        let output = converted(&plugin, &out);
        let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(expected.code),
            "{}: {said}",
            expected.case
        );
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        texts(&out, &mut said);
        for part in expected.has {
            assert!(said.contains(part), "{} has {part}: {said}", expected.case);
        }
        let mut made = String::new();
        texts(&out, &mut made);
        for part in expected.has_not {
            assert!(
                !made.contains(part),
                "{} has no {part}: {made}",
                expected.case
            );
        }
    }
}
