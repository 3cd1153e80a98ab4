//! What a selection gives, in all three modes, seen by the model.

use lab::Promise;
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, LINEAR_TOOLS, NOTES_TOOLS, Stage, warnings};

/// A selection, what the model is to see, and the codes of the receipt's warnings.
type Case = (Value, Promise, &'static [&'static str]);

async fn check_all(stage: &Stage, cases: Vec<Case>) {
    let before = stage.home.fingerprint().unwrap();
    let host = stage.host().await;
    let mut started = Vec::new();
    for (selection, promise, codes) in cases {
        let (thread, receipt) = stage.start(&host, selection.clone()).await;
        assert_eq!(warnings(&receipt), codes, "{selection}");
        started.push((selection, thread, promise));
    }
    for (selection, thread, promise) in started {
        host.turn(&thread, "What can you do?").await.unwrap();
        let breaches = promise.breaches(&stage.model.seen(&thread).unwrap());
        assert_eq!(breaches, Vec::<String>::new(), "{selection}");
    }
    assert!(host.shutdown().await.unwrap().success());
    stage.home.wait_for_mcp_processes(0).await.unwrap();
    assert_eq!(
        stage.home.fingerprint().unwrap().changes_since(&before),
        Vec::<String>::new()
    );
}

fn github() -> Promise {
    Promise::of_skills(&["github:pull-request"]).server("github", &GITHUB_TOOLS)
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_gives_what_is_named_and_nothing_else() {
    let stage = Stage::standard().await;
    let cases: Vec<Case> = vec![
        (json!({}), Promise::default(), &[]),
        (json!({ "plugins": ["github@internal"] }), github(), &[]),
        // By its bare name; installed, but disabled by the user.
        (
            json!({ "plugins": ["sentry"] }),
            Promise::of_skills(&["sentry:error-triage"]).server("sentry", &["search_events"]),
            &["enabledForThread"],
        ),
        (
            json!({ "plugins": [{ "id": "github@internal", "mcpServers": [] }] }),
            Promise::of_skills(&["github:pull-request"]),
            &[],
        ),
        (
            json!({ "plugins": [{ "id": "github@internal", "skills": [] }] }),
            Promise::default().server("github", &GITHUB_TOOLS),
            &[],
        ),
        // User, project, system, and one of a plugin that is not chosen as a whole.
        (
            json!({ "skills": ["repo-review", "planning", "house-style", "skill-creator", "linear:issue-writing"] }),
            Promise::of_skills(&[
                "house-style",
                "linear:issue-writing",
                "planning",
                "repo-review",
                "skill-creator",
            ]),
            &[],
        ),
        // Of the config, of a plugin that is not chosen, and cut to some tools.
        (
            json!({ "mcpServers": [{ "name": "team-notes", "tools": ["write_note"] }, "linear"] }),
            Promise::default()
                .server("team-notes", &["write_note"])
                .server("linear", &LINEAR_TOOLS),
            &[],
        ),
        // Present, the list says it all: the plugin's own server is not in it.
        (
            json!({ "plugins": ["github@internal"], "mcpServers": ["team-notes"] }),
            Promise::of_skills(&["github:pull-request"]).server("team-notes", &NOTES_TOOLS),
            &[],
        ),
    ];
    check_all(&stage, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restrict_cuts_the_users_own_set_down() {
    let stage = Stage::standard().await;
    let all = [
        "dependency-upgrade",
        "house-style",
        "incident-debugging",
        "planning",
        "release-notes",
        "repo-review",
    ];
    let plugin_skills = ["github:pull-request", "linear:issue-writing"];
    let cases: Vec<Case> = vec![
        (json!({ "mode": "restrict" }), Promise::native(), &[]),
        (
            json!({ "mode": "restrict", "plugins": [] }),
            Promise::of_skills(&all)
                .and_bundled_skills()
                .server("team-notes", &NOTES_TOOLS),
            &[],
        ),
        (
            json!({ "mode": "restrict", "skills": ["planning"] }),
            Promise::of_skills(&[&plugin_skills[..], &["planning"]].concat())
                .server("github", &GITHUB_TOOLS)
                .server("linear", &LINEAR_TOOLS)
                .server("team-notes", &NOTES_TOOLS),
            &[],
        ),
        (
            json!({ "mode": "restrict", "mcpServers": [{ "name": "github", "tools": ["read_diff"] }] }),
            Promise::of_skills(&[&all[..], &plugin_skills].concat())
                .and_bundled_skills()
                .server("github", &["read_diff"]),
            &[],
        ),
        (
            json!({ "mode": "restrict", "plugins": ["linear@internal"], "skills": [], "mcpServers": [] }),
            Promise::of_skills(&["linear:issue-writing"]),
            &[],
        ),
    ];
    check_all(&stage, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extend_adds_to_the_users_own_set() {
    let stage = Stage::standard().await;
    let cases: Vec<Case> = vec![
        (json!({ "mode": "extend" }), Promise::native(), &[]),
        (
            json!({ "mode": "extend", "plugins": ["sentry@internal"] }),
            Promise::native()
                .and_skills(&["sentry:error-triage"])
                .server("sentry", &["search_events"]),
            &["enabledForThread"],
        ),
        (
            json!({ "mode": "extend", "skills": ["sentry:error-triage"] }),
            Promise::native().and_skills(&["sentry:error-triage"]),
            &[],
        ),
    ];
    check_all(&stage, cases).await;
}
