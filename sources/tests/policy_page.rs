//! What `docs/policy.md` shows is what holds.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use codex_loadout_sources::Source;
use codex_loadout_sources::policy::{Policy, PolicyFile};
use codex_loadout_sources::signature::AllowedSigners;

const PAGE: &str = include_str!("../../docs/policy.md");

fn policy(text: &str) -> Policy {
    let signers = blocks("text").remove(0);
    let file = PolicyFile::parse(Path::new("/etc/codex-loadout/policy.toml"), text, |_| {
        Ok(signers.clone())
    });
    Policy::merge(Some(file.unwrap()), None)
}

/// The blocks of code of a language.
fn blocks(language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let blocks = PAGE.split(&begin).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// What stands in backticks on a line.
fn codes(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn every_example_is_read() {
    let examples = blocks("toml");
    assert_eq!(examples.len(), 1);
    for example in examples {
        let policy = policy(&example);
        assert!(
            policy.hooks().is_err()
                && policy.servers().is_err()
                && policy.project_profiles().is_err()
        );
    }
    let rules: Vec<&str> = PAGE
        .lines()
        .flat_map(codes)
        .filter(|code| code.starts_with('{'))
        .collect();
    assert!(rules.len() >= 8, "{rules:?}");
    for rule in rules {
        policy(&format!("[sources]\nallow = [{rule}]"));
    }
    for signers in blocks("text") {
        AllowedSigners::default().add_all(&signers).unwrap();
    }
}

#[test]
fn hosts_that_look_alike_are_judged_as_the_page_says() {
    let section = PAGE.split("### Hosts that look alike").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rule = codes(section).find(|code| code.starts_with('{')).unwrap();
    let policy = policy(&format!("[sources]\nallow = [{rule}]"));
    let (mut allowed, mut refused) = (0, 0);
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let is_allowed = cells[1].starts_with("allowed");
        for address in codes(cells[0]).filter(|code| code.contains("://") || code.contains("git@"))
        {
            let source = Source::Git {
                url: address.to_owned(),
                reference: None,
                path: None,
            };
            assert_eq!(policy.allows(&source).is_ok(), is_allowed, "{address}");
            *if is_allowed {
                &mut allowed
            } else {
                &mut refused
            } += 1;
        }
    }
    assert!(allowed >= 2 && refused >= 6, "{allowed} {refused}");
}
