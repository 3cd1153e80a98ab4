//! Codex's own terminal interface, in a terminal: with the loadout that holds, or that is on record.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::{Promise, Terminal};
use serde_json::Value;

use crate::stage::{PROXY, Stage};

const PATIENCE: Duration = Duration::from_secs(30);

fn line(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = stage.home.command(Path::new(PROXY), arguments);
    command.env("CODEX_LOADOUT_CODEX", stage.home.codex());
    command
}

/// Opens the interface, says something, and leaves. Gives the thread that it was said in.
async fn say(stage: &Stage, arguments: &[&str], text: &str) -> String {
    let before = stage.model.requests().len();
    let mut terminal = Terminal::spawn(&line(stage, arguments)).unwrap();
    terminal.wait_for("for shortcuts", PATIENCE).unwrap();
    terminal.press(text).unwrap();
    terminal.wait_for(text, PATIENCE).unwrap();
    terminal.press("\r").unwrap();
    let requests = stage.model.wait_for(before + 1).await;
    let requests = requests.unwrap_or_else(|error| panic!("{error:#}: {}", terminal.text()));
    terminal.wait_for("done", PATIENCE).unwrap();
    terminal.press("/quit").unwrap();
    terminal.wait_for("/quit", PATIENCE).unwrap();
    terminal.press("\r").unwrap();
    assert_eq!(terminal.ended_within(PATIENCE).unwrap(), 0);
    requests[before].thread.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_interface_runs_with_the_loadout_and_resumes_with_the_one_on_record() {
    let stage = Stage::standard().await;
    stage
        .home
        .add_profile("review", "skills = [\"repo-review\"]\n")
        .unwrap();
    let review = Promise::of_skills(&["repo-review"]);
    let exact = |thread: &str| {
        let breaches = review.breaches(&stage.model.seen(thread).unwrap());
        assert_eq!(breaches, Vec::<String>::new(), "{thread}");
    };
    let thread = say(&stage, &["--loadout", "review"], "hello there").await;
    exact(&thread);
    let shown = stage.verb(&["show", &thread, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["capabilitySelection"]["profile"][0], "review");
    // Nobody says a word of it now.
    assert_eq!(say(&stage, &["resume", &thread], "and again").await, thread);
    exact(&thread);
    let fork = say(&stage, &["fork", &thread], "another way").await;
    assert_ne!(fork, thread);
    exact(&fork);
}
