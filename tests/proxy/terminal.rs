//! Names of others don't reach the terminal as anything but text.

use std::fs;

use lab::Skill;
use serde_json::{Value, json};

use crate::stage::Stage;

/// Sets a terminal's title, rings, and turns the text around.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";
/// The same in the header of a skill.
const IN_HEADER: &str = r#""\u001b]0;owned\u0007\u009b31m\u202e""#;

fn is_text(bytes: &[u8]) -> bool {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    !text
        .chars()
        .any(|one| (one.is_control() && one != '\n') || one == '\u{202e}')
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_prints_what_a_terminal_obeys() {
    let stage = Stage::of(lab::Home::builder().skill(Skill::new("plain"))).await;
    let skill = stage.home.path().join(".agents/skills/plain/SKILL.md");
    let header = format!("---\nname: plain\ndescription: {IN_HEADER}\n---\n");
    fs::write(skill, header).unwrap();
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "skills": ["plain"] })).await;
    stage.refused(&host, json!({ "skills": [EVIL] })).await;
    host.shutdown().await.unwrap();
    let plugin = stage.home.path().join("evil");
    fs::create_dir_all(plugin.join(".claude-plugin")).unwrap();
    let manifest = json!({ "name": "evil", "description": EVIL });
    fs::write(
        plugin.join(".claude-plugin/plugin.json"),
        manifest.to_string(),
    )
    .unwrap();
    for folder in ["commands", "agents"] {
        fs::create_dir(plugin.join(folder)).unwrap();
        let text = format!("---\ndescription: {IN_HEADER}\n---\nDo. @{EVIL}.md\n");
        fs::write(plugin.join(folder).join(format!("{EVIL}.md")), text).unwrap();
    }
    let wrong = stage.home.path().join("wrong.json");
    fs::write(&wrong, json!({ "skills": [EVIL] }).to_string()).unwrap();
    let (plugin, wrong) = (plugin.to_str().unwrap(), wrong.to_str().unwrap());
    let out = stage.home.path().join("out");
    let out = out.to_str().unwrap();
    let verbs: [&[&str]; 8] = [
        &["list"],
        &["audit"],
        &["threads"],
        &["show", &thread],
        &["show", EVIL],
        &["resolve", wrong],
        &["convert", plugin, "--out", out],
        &["list", "--no-such-option", EVIL],
    ];
    let mut shown = 0;
    for verb in verbs {
        let output = stage.verb(verb);
        assert!(is_text(&output.stdout), "{verb:?}: {output:?}");
        // Codex writes there, too, in colours.
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_obeyed = ["\u{1b}]", "\u{7}", "\u{9b}", "\u{202e}"].map(|one| stderr.contains(one));
        assert_eq!(is_obeyed, [false; 4], "{verb:?}: {output:?}");
        let both = [output.stdout, output.stderr].concat();
        shown += usize::from(String::from_utf8_lossy(&both).contains("\\u001b]0;owned"));
    }
    assert!(shown >= 4, "{shown}");
    let listed = stage.verb(&["list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let skills = listed["data"].as_array().unwrap();
    assert!(skills.iter().any(|skill| skill["description"] == EVIL));
}
