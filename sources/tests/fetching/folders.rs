//! Folders, and marketplaces in them.

use codex_loadout_sources::{ContentKind, FetchErrorKind, Source};

use crate::support::{Machine, paths};

#[cfg(unix)]
#[test]
fn links_stay_in_the_folder_or_its_marketplace() {
    use std::os::unix::fs::symlink;
    for (market, link, target, expected) in [
        (false, "p/l", "inner", Ok("SKILL.md inner/x l/x")),
        (false, "p/l", "../shared", Err("leads out")),
        (true, "p/l", "../shared", Ok("SKILL.md inner/x l/y")),
        (true, "p/l", "../../outside", Err("leads out")),
        (true, "p/l", "/etc", Err("leads out")),
        (false, "p/l", "nothing", Err("leads to nothing")),
        (false, "p/l", ".", Err("circle")),
        (false, "p/inner/l", "..", Err("circle")),
    ] {
        let machine = Machine::new();
        machine.write("outside/secret", "");
        machine.write("m/p/SKILL.md", "");
        machine.write("m/p/inner/x", "");
        machine.write("m/p/.git/config", "");
        machine.write("m/shared/y", "");
        if market {
            machine.write(
                "m/.claude-plugin/marketplace.json",
                r#"{"plugins":[{"name":"p"}]}"#,
            );
        }
        symlink(target, machine.at("m").join(link)).unwrap();
        let fetched = machine.fetch("AT/m/p");
        match expected {
            Ok(expected) => assert_eq!(paths(&fetched.unwrap()), expected),
            Err(why) => {
                let error = fetched.unwrap_err();
                assert!(error.message.contains(why), "{target}: {error}");
                assert_eq!(error.kind, FetchErrorKind::Unsafe);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn names_and_kinds_of_files_that_do_harm() {
    for (name, why) in [
        ("a\nb", "terminal"),
        ("a\u{1b}[31m", "terminal"),
        ("readme.MD", "upper and lower case"),
        ("pipe", "a pipe"),
    ] {
        let machine = Machine::new();
        machine.write("p/SKILL.md", "");
        machine.write("p/README.md", "");
        if name == "pipe" {
            let made = std::process::Command::new("mkfifo")
                .arg(machine.at("p/pipe"))
                .status();
            assert!(made.unwrap().success());
        } else {
            machine.write(&format!("p/{name}"), "");
        }
        let error = machine.fetch("AT/p").unwrap_err();
        assert!(error.message.contains(why), "{error}");
        assert!(!error.message.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn a_folder_has_limits_and_is_asked_for() {
    let mut machine = Machine::new();
    machine.write("p/SKILL.md", "0123456789");
    machine.limits.bytes = 9;
    let error = machine.fetch("AT/p").unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::TooLarge);
    machine.gate.forbidden = Some("/p");
    let error = machine.fetch("AT/p").unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Refused);
    assert!(error.message.contains("the rule"), "{error}");
}

#[test]
fn which_plugin_of_a_marketplace_is_meant() {
    let two = r#"{"name":"m","plugins":[{"name":"a"},{"name":"b","source":"./x/b"},{"name":"c","source":"./none"}]}"#;
    let one = r#"{"plugins":[{"name":"a","version":"2"}]}"#;
    for (market, own_plugin, line, expected) in [
        (two, false, "AT/m --plugin b", Ok("b: SKILL.md run.sh")),
        (
            two,
            false,
            "AT/m --plugin a",
            Ok("a: .claude-plugin/plugin.json"),
        ),
        (
            two,
            false,
            "AT/m",
            Err((FetchErrorKind::Ambiguous, vec!["a", "b", "c"])),
        ),
        (
            two,
            false,
            "AT/m --plugin d",
            Err((FetchErrorKind::NotFound, vec!["a", "b", "c"])),
        ),
        (
            two,
            false,
            "AT/m --plugin c",
            Err((FetchErrorKind::Unreadable, vec![])),
        ),
        (two, false, "AT/m/x/b", Ok("b: SKILL.md run.sh")),
        (
            two,
            false,
            "AT/m/x/b --plugin b",
            Err((FetchErrorKind::NotFound, vec![])),
        ),
        (one, false, "AT/m", Ok("a: .claude-plugin/plugin.json")),
        (
            one,
            true,
            "AT/m --plugin a",
            Ok("a: .claude-plugin/plugin.json"),
        ),
        (
            one,
            true,
            "AT/m --path a",
            Ok("a: .claude-plugin/plugin.json"),
        ),
        (
            "{,",
            false,
            "AT/m",
            Err((FetchErrorKind::Unreadable, vec![])),
        ),
    ] {
        let machine = Machine::new();
        machine.write("m/.claude-plugin/marketplace.json", market);
        machine.write("m/a/.claude-plugin/plugin.json", "{}");
        machine.write("m/x/b/SKILL.md", "");
        machine.write("m/x/b/run.sh", "");
        if own_plugin {
            machine.write("m/.claude-plugin/plugin.json", "{}");
        }
        let fetched = machine.fetch(line);
        match expected {
            Ok(expected) => {
                let fetched = fetched.unwrap();
                assert_eq!(format!("{}: {}", fetched.name, paths(&fetched)), expected);
            }
            Err((kind, items)) => {
                let error = fetched.unwrap_err();
                assert_eq!(
                    (error.kind, error.items),
                    (kind, items.iter().map(|it| (*it).to_owned()).collect()),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn a_plugin_of_codexs_own_form_in_its_marketplace() {
    let machine = Machine::new();
    machine.write("m/.agents/plugins/marketplace.json", r#"{"name":"m","plugins":[{"name":"thrum","source":{"source":"local","path":"./plugins/thrum"},"policy":{"installation":"AVAILABLE"}}]}"#);
    machine.write(
        "m/plugins/thrum/.codex-plugin/plugin.json",
        r#"{"name":"thrum","version":"0.10.6","skills":"./skills/","hooks":"./hooks/hooks.json"}"#,
    );
    machine.write("m/plugins/thrum/skills/a/SKILL.md", "");
    for line in [
        "AT/m",
        "AT/m/.agents/plugins/marketplace.json",
        "AT/m --plugin thrum",
        "AT/m/plugins/thrum",
    ] {
        let fetched = machine.fetch(line).unwrap();
        let content = fetched.content(None).unwrap();
        assert_eq!(
            (
                content.kind,
                content.name.as_str(),
                content.version.as_deref()
            ),
            (ContentKind::CodexPlugin, "thrum", Some("0.10.6")),
            "{line}"
        );
        assert_eq!(content.tree, fetched.tree);
    }
}

/// A marketplace of elsewhere leads nobody to files of this machine, nor to programs.
#[test]
fn where_a_marketplace_may_not_lead() {
    for source in [
        r#"{"source":"url","url":"file:///etc"}"#,
        r#"{"source":"url","url":"ext::sh -c x"}"#,
        r#"{"source":"url","url":"--upload-pack=x"}"#,
        r#"{"source":"url","url":"/etc"}"#,
        r#"{"source":"url","url":"git://h/x"}"#,
        r#"{"source":"url","url":"http://h/x"}"#,
        r#"{"source":"url","url":"https://u:hidden@h/x"}"#,
        r#"{"source":"github","repo":"../x"}"#,
        r#"{"source":"github","repo":"o/r","ref":"-x"}"#,
        r#"{"source":"github"}"#,
        r#"{"source":"git-subdir","url":"https://h/x","path":"../../etc"}"#,
        r#"{"source":"npm","package":"../x"}"#,
        r#"{"source":"npm","package":"x","registry":"http://h"}"#,
        r#"{"source":"command","command":"x"}"#,
        r#"{"source":"local","path":"../outside"}"#,
        r#""../outside""#,
        r#""/etc""#,
        r#""file:///etc""#,
    ] {
        let machine = Machine::new();
        machine.write("outside/SKILL.md", "");
        machine.write(
            "m/.claude-plugin/marketplace.json",
            format!(r#"{{"plugins":[{{"name":"p","source":{source}}}]}}"#),
        );
        let error = machine.fetch("AT/m --plugin p").expect_err(source);
        assert_eq!(machine.asked(), ["AT/m"], "{source}");
        assert!(
            !error.hint.is_empty() && !format!("{error}{}", error.hint).contains("hidden"),
            "{error}"
        );
    }
}

/// The gate is asked where a marketplace leads, before anything is opened there.
#[test]
fn another_place_is_asked_for_again() {
    for (source, asked) in [
        (
            r#"{"source":"github","repo":"o/r","ref":"v1"}"#,
            "https://github.com/o/r.git at v1",
        ),
        (
            r#"{"source":"url","url":"https://h/x.git","sha":"abc","ref":"v1"}"#,
            "https://h/x.git at abc",
        ),
        (r#"{"source":"url","url":"git@h:o/r"}"#, "git@h:o/r"),
        (r#""https://h/x.git""#, "https://h/x.git"),
        (
            r#"{"source":"git-subdir","url":"https://h/x","path":"./a/b"}"#,
            "https://h/x, folder a/b",
        ),
        (
            r#"{"source":"git-subdir","url":"o/r","path":"a"}"#,
            "https://github.com/o/r.git, folder a",
        ),
        (
            r#"{"source":"npm","package":"@s/p","version":"^1"}"#,
            "npm:@s/p@^1",
        ),
        (
            r#"{"source":"npm","package":"p","registry":"https://h/"}"#,
            "npm:p of https://h/",
        ),
    ] {
        let mut machine = Machine::new();
        machine.write(
            "m/.claude-plugin/marketplace.json",
            format!(r#"{{"plugins":[{{"name":"p","source":{source}}}]}}"#),
        );
        machine.gate.forbidden = Some(asked);
        let error = machine.fetch("AT/m --plugin p").unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Refused, "{error}");
        assert_eq!(machine.asked(), ["AT/m", asked]);
    }
}

#[test]
fn what_is_recorded_of_a_folder() {
    let machine = Machine::new();
    machine.write("p/SKILL.md", "");
    let fetched = machine.fetch("p").unwrap();
    let place = Source::Folder {
        path: machine.at("p"),
    };
    assert_eq!(
        (&fetched.resolved, fetched.steps.as_slice()),
        (&place, [place.clone()].as_slice())
    );
    assert_eq!(fetched.name, "p");
}
