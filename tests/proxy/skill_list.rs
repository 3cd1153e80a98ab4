//! The list of skills is ours: what it says, what it joins, and who has it.

use lab::{Client, HomeBuilder, Plugin, Promise, Request, Seen, Skill};
use serde_json::{Value, json};

use crate::stage::{NOTES_TOOLS, Stage, id_of, spawn_child_as, warnings};

const START: &str = "<codex_loadout_skills>";
const END: &str = "</codex_loadout_skills>";

fn of_thread(stage: &Stage, thread: &str) -> std::sync::Arc<Request> {
    let fits = |request: &Request| request.thread.as_deref() == Some(thread);
    stage.model.last_for(fits).unwrap()
}

/// Every text of the developer's that a request holds.
fn developer_texts(request: &Request) -> Vec<String> {
    let input = request.body["input"].as_array().unwrap();
    let messages = input.iter().filter(|item| item["role"] == "developer");
    let parts = messages.flat_map(|message| message["content"].as_array().unwrap());
    parts
        .map(|part| part["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// The lists in a request, in their order.
fn lists(request: &Request) -> Vec<String> {
    let texts = developer_texts(request);
    let lists = texts.iter().flat_map(|text| {
        text.match_indices(START).map(move |(at, _)| {
            let end = text[at..].find(END).unwrap() + END.len();
            text[at..at + end].to_owned()
        })
    });
    lists.collect()
}

/// Sets something that stands above the tables of config.toml.
fn set(stage: &Stage, line: &str) {
    let config = stage.home.codex_home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{line}\n{text}")).unwrap();
}

async fn update(host: &Client, thread: &str, selection: Value) -> Value {
    let params = json!({ "threadId": thread, "capabilitySelection": selection });
    host.request("thread/capability/update", params)
        .await
        .unwrap()
}

async fn compact(stage: &Stage, host: &Client, thread: &str) {
    let mark = host.mark();
    let asked = stage.model.requests().len();
    let named = json!({ "threadId": thread });
    host.request("thread/compact/start", named).await.unwrap();
    stage.model.wait_for(asked + 1).await.unwrap();
    host.wait_for(mark, |message| message["method"] == "turn/completed")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_comes_behind_what_developers_say_and_its_cost_is_exact() {
    let stage = Stage::standard().await;
    set(&stage, "developer_instructions = \"THE USER SAYS.\"");
    let host = stage.host().await;
    let selection =
        json!({ "plugins": ["github@internal"], "skills": ["planning"], "mcpServers": [] });
    let promise = Promise::of_skills(&["github:pull-request", "planning"]);
    let mut params = stage.params(selection.clone());
    params["developerInstructions"] = json!("THE HOST\nSAYS.");
    let started = host.request("thread/start", params).await.unwrap();
    let thread = id_of(&started);
    stage.check(&host, &thread, &promise).await;
    let request = of_thread(&stage, &thread);
    let list = lists(&request);
    assert_eq!(list.len(), 1);
    let chars = &started["capabilitySelection"]["context"]["skillsChars"];
    assert_eq!(*chars, json!(list[0].chars().count()));
    let together = format!("THE HOST\nSAYS.\n\n{}", list[0]);
    assert!(developer_texts(&request).contains(&together));
    assert!(!request.body.to_string().contains("THE USER SAYS"));
    // Each skill's file is there, and says what the list says.
    let lines: Vec<&str> = list[0]
        .lines()
        .filter(|line| line.starts_with("- "))
        .collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let (_, path) = line.split_once(" (file: ").unwrap();
        let text = std::fs::read_to_string(path.trim_end_matches(')')).unwrap();
        assert!(text.starts_with("---\n"), "{path}");
    }
    // What the host said is kept over a resume without it, and a compaction.
    assert!(host.shutdown().await.unwrap().success());
    let host = stage.host().await;
    let named = json!({ "threadId": thread });
    host.request("thread/resume", named.clone()).await.unwrap();
    compact(&stage, &host, &thread).await;
    stage.check(&host, &thread, &promise).await;
    let request = of_thread(&stage, &thread);
    assert_eq!(lists(&request), list);
    assert!(developer_texts(&request).contains(&together));
    // Without a host's words, the user's come first. A fork has the list, too.
    let (other, _) = stage.start(&host, selection).await;
    stage.check(&host, &other, &promise).await;
    let together = format!("THE USER SAYS.\n\n{}", list[0]);
    assert!(developer_texts(&of_thread(&stage, &other)).contains(&together));
    let fork = host.request("thread/fork", named).await.unwrap();
    stage.check(&host, &id_of(&fork), &promise).await;
    assert_eq!(lists(&of_thread(&stage, &id_of(&fork))), list);
    // With another loadout, too.
    update(&host, &thread, json!({ "skills": ["repo-review"] })).await;
    compact(&stage, &host, &thread).await;
    stage
        .check(&host, &thread, &Promise::of_skills(&["repo-review"]))
        .await;
    let request = of_thread(&stage, &thread);
    let together = format!("THE HOST\nSAYS.\n\n{}", lists(&request)[0]);
    assert!(developer_texts(&request).contains(&together));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_is_listed_as_the_selection_says_and_called_by_its_name() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let skills = json!([{ "name": "planning", "list": "name" }, { "name": "repo-review", "list": "manual" }]);
    let plugins = json!([{ "id": "github@internal", "skills": [{ "name": "pull-request", "list": "manual" }], "mcpServers": [] }]);
    let (thread, receipt) = stage
        .start(&host, json!({ "skills": skills, "plugins": plugins }))
        .await;
    assert_eq!(receipt["skills"][0]["list"], "name");
    assert_eq!(receipt["skills"][1]["list"], "manual");
    host.turn(
        &thread,
        "Use $repo-review and $github:pull-request, not $planning-x.",
    )
    .await
    .unwrap();
    let request = of_thread(&stage, &thread);
    let seen = request.seen();
    assert_eq!(seen.skills, ["planning"]);
    assert_eq!(seen.injected_skills, ["github:pull-request", "repo-review"]);
    assert!(lists(&request)[0].contains("- planning: (file: "));
    let selection =
        json!({ "capabilitySelection": { "skills": skills }, "cwd": stage.home.project() });
    let proof = host
        .request("thread/capability/prove", selection)
        .await
        .unwrap();
    assert_eq!(proof["differences"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_list_is_seen_by_the_very_next_request_and_is_the_only_one_after_a_compaction() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let promise = |skill| Promise::of_skills(&[skill]);
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    // Before the first turn there is no history: one list.
    update(&host, &thread, json!({ "skills": ["repo-review"] })).await;
    stage.check(&host, &thread, &promise("repo-review")).await;
    assert_eq!(lists(&of_thread(&stage, &thread)).len(), 1);
    update(&host, &thread, json!({ "skills": ["incident-debugging"] })).await;
    stage
        .check(&host, &thread, &promise("incident-debugging"))
        .await;
    assert_eq!(lists(&of_thread(&stage, &thread)).len(), 2);
    compact(&stage, &host, &thread).await;
    stage
        .check(&host, &thread, &promise("incident-debugging"))
        .await;
    assert_eq!(lists(&of_thread(&stage, &thread)).len(), 1);
    // By a resume; the turn behind it does not wait for the answer.
    let resume = json!({ "threadId": thread, "capabilitySelection": { "skills": ["planning"] } });
    let (resumed, turn) = tokio::join!(host.request("thread/resume", resume), async {
        tokio::task::yield_now().await;
        host.turn(&thread, "And now?").await
    });
    resumed.unwrap();
    turn.unwrap();
    let breaches = promise("planning").breaches(&stage.model.seen(&thread).unwrap());
    assert_eq!(breaches, Vec::<String>::new());
    // To none at all, which the history says.
    update(&host, &thread, json!({})).await;
    stage.check(&host, &thread, &Promise::default()).await;
    let last = lists(&of_thread(&stage, &thread)).pop().unwrap();
    assert!(last.contains("has no skills"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_and_ephemeral_threads_have_it_and_what_comes_in_is_nowhere() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let promise = Promise::of_skills(&["planning"]);
    let mut params = stage.params(json!({ "skills": ["planning"] }));
    params["ephemeral"] = json!(true);
    let started = host.request("thread/start", params).await.unwrap();
    let ephemeral = id_of(&started);
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    stage
        .home
        .add_skill(".agents/skills", &Skill::new("newcomer"))
        .unwrap();
    let look = json!({ "cwds": [stage.home.project()], "forceReload": true });
    host.request("skills/list", look).await.unwrap();
    stage.check(&host, &ephemeral, &promise).await;
    let mark = host.mark();
    let review =
        json!({ "threadId": thread, "target": { "type": "custom", "instructions": "Look." } });
    host.request("review/start", review).await.unwrap();
    host.wait_for(mark, |message| message["method"] == "turn/completed")
        .await
        .unwrap();
    for request in stage.model.requests() {
        assert_eq!(promise.breaches(&request.seen()), Vec::<String>::new());
        assert!(!request.body.to_string().contains("newcomer"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_that_is_not_of_the_loadout_is_no_skill_however_it_is_named() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    let injected = |seen: Seen| seen.injected_skills;
    host.turn(&thread, "Use $planning and $repo-review.")
        .await
        .unwrap();
    assert_eq!(injected(stage.model.seen(&thread).unwrap()), ["planning"]);
    for (number, by) in ["text", "skill", "mention"].into_iter().enumerate() {
        let name = format!("newcomer-{number}");
        stage
            .home
            .add_skill(".agents/skills", &Skill::new(&name))
            .unwrap();
        let path = stage
            .home
            .path()
            .join(format!(".agents/skills/{name}/SKILL.md"));
        let look = json!({ "cwds": [stage.home.project()], "forceReload": true });
        host.request("skills/list", look).await.unwrap();
        // Prices and variables cost nothing.
        let mark = host.mark();
        host.turn(&thread, "It costs $5 in $HOME.").await.unwrap();
        let updated = |message: &&Value| message["method"] == "thread/capability/updated";
        assert!(
            !host.messages()[mark..]
                .iter()
                .any(|message| updated(&message))
        );
        let item = match by {
            "text" => json!({ "type": "text", "text": format!("Use ${name}.") }),
            by => json!({ "type": by, "name": name, "path": path }),
        };
        let mark = host.mark();
        let turn =
            json!({ "threadId": thread, "input": [{ "type": "text", "text": "Go." }, item] });
        host.request("turn/start", turn).await.unwrap();
        host.wait_for(mark, |message| message["method"] == "turn/completed")
            .await
            .unwrap();
        assert_eq!(
            injected(stage.model.seen(&thread).unwrap()),
            ["planning"],
            "{by}"
        );
        let body = of_thread(&stage, &thread).body.to_string();
        assert!(!body.contains(&format!("<name>{name}")), "{by}");
    }
    // While a turn is under way nothing can be told: a message into it that names a newcomer is refused.
    let late = Skill::new("late-one");
    let asked = stage.model.requests().len();
    let hold = json!({ "threadId": thread, "input": [{ "type": "text", "text": "HOLD" }] });
    let mark = host.mark();
    let begun = host.request("turn/start", hold).await.unwrap();
    stage.model.wait_for(asked + 1).await.unwrap();
    stage.home.add_skill(".agents/skills", &late).unwrap();
    let look = json!({ "cwds": [stage.home.project()], "forceReload": true });
    host.request("skills/list", look).await.unwrap();
    for (method, text) in [
        ("turn/steer", "$late-one"),
        ("thread/queue/add", "$late-one"),
    ] {
        let params = json!({ "threadId": thread, "expectedTurnId": begun["turn"]["id"], "clientUserMessageId": "m",
            "input": [{ "type": "text", "text": text }] });
        let refused = host.refusal(method, params).await.unwrap();
        assert_eq!(refused.data["kind"], "threadBusy", "{method}: {refused:?}");
    }
    let fine = json!({ "threadId": thread, "expectedTurnId": begun["turn"]["id"], "input": [{ "type": "text", "text": "$5" }] });
    host.request("turn/steer", fine).await.unwrap();
    stage.model.release();
    host.wait_for(mark, |message| message["method"] == "turn/completed")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_a_role_reads_the_roles_words_and_the_list() {
    let agent = "---\nname: scout\ndescription: Looks.\n---\n\nYou scout ahead.\n";
    let forge = Plugin::new("forge")
        .for_claude()
        .skill(Skill::new("map"))
        .file("agents/scout.md", agent);
    let stage = Stage::of(HomeBuilder::standard().unwrap().plugin(forge)).await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "plugins": ["forge"] })).await;
    let child = spawn_child_as(&host, &thread, "forge:scout").await;
    stage.model.wait_for_thread(&child).await.unwrap();
    let request = of_thread(&stage, &child);
    assert!(request.body.to_string().contains("You scout ahead."));
    assert_eq!(request.seen().skills, ["forge:map"]);
    assert_eq!(lists(&request).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_list_has_none_and_a_large_one_is_said_so() {
    let stage = Stage::standard().await;
    set(&stage, "model_context_window = 2000");
    let host = stage.host().await;
    let (_, receipt) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    assert_eq!(warnings(&receipt), ["skillListLarge"]);
    let off = HomeBuilder::standard()
        .unwrap()
        .config("[skills]\ninclude_instructions = false\n");
    let stage = Stage::of(off).await;
    let host = stage.host().await;
    let (thread, receipt) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    assert_eq!(receipt["context"]["skillsChars"], 0);
    host.turn(&thread, "Use $planning.").await.unwrap();
    let seen = stage.model.seen(&thread).unwrap();
    assert_eq!(seen.skills, Vec::<String>::new());
    assert_eq!(seen.injected_skills, ["planning"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_written_into_the_config_comes_to_no_thread_with_a_loadout() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let selection = json!({ "mcpServers": ["team-notes"] });
    let promise = Promise::default().server("team-notes", &NOTES_TOOLS);
    let (thread, _) = stage.start(&host, selection).await;
    stage.check(&host, &thread, &promise).await;
    let read = json!({ "cwd": stage.home.project() });
    let mut read = host.request("config/read", read).await.unwrap();
    let definition = read["config"]["mcp_servers"]["team-notes"].take();
    let definition = json!({ "command": definition["command"], "args": definition["args"] });
    let goal = json!({ "threadId": thread, "objective": "Go on." });
    let edits = json!({ "edits": [{ "keyPath": "mcp_servers.late", "value": definition, "mergeStrategy": "upsert" }], "reloadUserConfig": true });
    host.request("config/batchWrite", edits).await.unwrap();
    // A goal goes on by itself, so nothing can be looked at before its turns.
    let asked = stage.model.requests().len();
    host.request("thread/goal/set", goal).await.unwrap();
    stage.model.wait_for(asked + 3).await.unwrap();
    for request in stage.model.requests() {
        assert_eq!(promise.breaches(&request.seen()), Vec::<String>::new());
    }
    let native = json!({ "cwd": stage.home.project() });
    let native = id_of(&host.request("thread/start", native).await.unwrap());
    host.turn(&native, "What can you do?").await.unwrap();
    let seen = stage.model.seen(&native).unwrap();
    assert!(seen.mcp_servers.contains_key("mcp__late"), "{seen:?}");
}
