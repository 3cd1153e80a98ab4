//! A host that did not ask for Codex's experimental API, where we do: it gets its loadout, and nothing else of that.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use codex_loadout::messages::experimental::{FIELDS, METHODS, OF_APPROVAL, REQUESTS, VERIFICATION};
use lab::{Client, Home, Promise, RequestError};
use serde_json::{Value, json};

use crate::schema::schemas;
use crate::stage::{GITHUB_TOOLS, Stage, id_of, warnings};

async fn profiled() -> Stage {
    let stage = Stage::standard().await;
    let write = |name, text| stage.home.add_profile(name, text).unwrap();
    write("plan", "skills = [\"planning\"]\nmcp_servers = []\n");
    let github = "skills = [\"repo-review\"]\nplugins = [\"github@internal\"]\n";
    write("github", github);
    stage
}

/// Starts a thread with these params beside its folder.
async fn start(stage: &Stage, host: &Client, mut params: Value) -> (String, Value) {
    params["cwd"] = json!(stage.home.project());
    let mut started = host.request("thread/start", params).await.unwrap();
    (id_of(&started), started["capabilitySelection"].take())
}

/// A host that did not ask for the experimental API.
async fn plain_host_of(command: Command) -> Client {
    let host = Client::spawn(command).unwrap();
    host.initialize(false).await.unwrap();
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_experimental_api_gets_a_loadout_and_nothing_else_of_it() {
    let stage = profiled().await;
    let native = plain_host_of(stage.home.codex_app_server()).await;
    let mut command = stage.proxy();
    command.args(["--loadout", "github"]);
    let host = plain_host_of(command).await;
    let (thread, receipt) = start(&stage, &host, json!({})).await;
    assert_eq!(warnings(&receipt), Vec::<String>::new());
    let github =
        Promise::of_skills(&["github:pull-request", "repo-review"]).server("github", &GITHUB_TOOLS);
    stage.check(&host, &thread, &github).await;
    // Its root is there: a mention puts in the body.
    host.turn(&thread, "Use $repo-review").await.unwrap();
    let seen = stage.model.seen(&thread).unwrap();
    assert_eq!(seen.injected_skills, ["repo-review"]);
    let config = json!({ "config": { "capability_selection": "plan" } });
    let (thread, _) = start(&stage, &host, config).await;
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
    for (method, params) in [
        ("collaborationMode/list", json!({})),
        ("thread/queue/list", json!({ "threadId": thread })),
        ("thread/start", json!({ "environments": [] })),
        ("thread/start", json!({ "selectedCapabilityRoots": [] })),
        (
            "thread/resume",
            json!({ "threadId": thread, "path": "/none" }),
        ),
        ("thread/list", json!({ "includeAttachedThreads": true })),
        (
            "turn/start",
            json!({ "threadId": thread, "input": [], "environments": [] }),
        ),
    ] {
        let of_codex = native.refusal(method, params.clone()).await.unwrap();
        assert_eq!(
            host.refusal(method, params).await.unwrap(),
            of_codex,
            "{method}"
        );
    }
    // Other settings are told to those who asked; that they count for the loadout is seen all the same.
    let other = json!({ "threadId": thread, "model": "gpt-5.2", "cwd": stage.home.path(),
        "input": [{ "type": "text", "text": "And now?" }] });
    let mark = host.mark();
    host.request("turn/start", other).await.unwrap();
    host.wait_for(mark, |message| message["method"] == "turn/completed")
        .await
        .unwrap();
    let told = host.messages();
    let hidden = ["thread/readState/changed", "thread/settings/updated"];
    let of_others = told
        .iter()
        .find(|message| hidden.iter().any(|method| message["method"] == *method));
    assert_eq!(of_others, None);
    let refused = stage.refused(&host, json!({ "skills": [] })).await;
    assert!(
        refused.message.contains("requires experimentalApi"),
        "{}",
        refused.message
    );
    for host in [native, host] {
        host.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_could_have_told_config_gives_a_loadout_without_a_root() {
    let stage = Stage::standard().await;
    let host = plain_host_of(stage.proxy()).await;
    let config = json!({ "config": { "capability_selection": { "skills": ["planning"], "plugins": ["github"] } } });
    let (thread, receipt) = start(&stage, &host, config).await;
    assert_eq!(warnings(&receipt), ["withoutRoot"]);
    let promise =
        Promise::of_skills(&["github:pull-request", "planning"]).server("github", &GITHUB_TOOLS);
    stage.check(&host, &thread, &promise).await;
    host.shutdown().await.unwrap();
    let host = plain_host_of(stage.proxy()).await;
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    stage.check(&host, &thread, &promise).await;
    host.shutdown().await.unwrap();
}

#[test]
fn what_takes_the_experimental_api_is_what_codex_says() {
    let [stable, all] = schemas("ClientRequest.json");
    let (stable, all) = (stable.params_by_method(), all.params_by_method());
    let methods: Vec<&String> = all
        .keys()
        .filter(|method| !stable.contains_key(*method))
        .collect();
    assert_eq!(methods, METHODS);
    let fields: Vec<(&String, Vec<&String>)> = stable
        .iter()
        .map(|(method, fields)| (method, all[method].difference(fields).collect()))
        .filter(|(_, fields): &(_, Vec<_>)| !fields.is_empty())
        .collect();
    let known: Vec<(&str, Vec<&str>)> = FIELDS
        .iter()
        .map(|(method, fields)| (*method, fields.to_vec()))
        .collect();
    assert_eq!(json!(fields), json!(known));
}

/// What a thread has beside, in notifications: Codex sends it either way (seen on 0.169), as in its answers.
const OF_THREADS: [(&str, &[&str]); 2] = [
    (
        "Thread",
        &[
            "attachedToThreadId",
            "canAcceptDirectInput",
            "daybreakEnabled",
            "environments",
            "extra",
        ],
    ),
    ("ThreadSettings", &["environments", "multiAgentMode"]),
];

#[test]
fn what_comes_of_it_is_what_codex_says() {
    let more = |file: &str| -> BTreeMap<String, BTreeSet<String>> {
        let [stable, all] = schemas(file);
        let (stable, all) = (stable.members(), all.members());
        let more = all.into_iter().map(|(name, members)| {
            let known = stable.get(&name).cloned().unwrap_or_default();
            (name, members.difference(&known).cloned().collect())
        });
        more.filter(|(_, more): &(_, BTreeSet<String>)| !more.is_empty())
            .collect()
    };
    let known: BTreeMap<_, _> = OF_THREADS.into_iter().collect();
    assert_eq!(json!(more("ServerNotification.json")), json!(known));
    let (member, kind) = VERIFICATION;
    let known = json!({
        "CommandExecutionRequestApprovalParams": OF_APPROVAL,
        // Values of members that say which kind it is.
        "McpServerElicitationRequestParams": ["challenge", "description", format!("{member}={kind}"), "title"],
        "method": REQUESTS,
        "CurrentTimeReadParams": ["threadId"],
    });
    assert_eq!(json!(more("ServerRequest.json")), known);
}

/// What is said where a request is refused.
async fn refusal(host: &Client, method: &str, params: &Value) -> Option<String> {
    match host.request(method, params.clone()).await {
        Err(RequestError::Refused(error)) => Some(error.message),
        Ok(_) => None,
        Err(other) => panic!("{method} {params}: {other}"),
    }
}

/// What takes the experimental API, where it is refused for that.
fn takes(refusal: Option<&String>) -> Option<&str> {
    refusal?.strip_suffix(" requires experimentalApi capability")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_value_that_the_schemas_allow_is_refused_as_codex_refuses_it() {
    let stage = Stage::of(Home::builder()).await;
    let native = plain_host_of(stage.home.codex_app_server()).await;
    let mut command = stage.proxy();
    command.env("CODEX_LOADOUT", r#"{"skills":[]}"#);
    let host = plain_host_of(command).await;
    let [_, all] = schemas("ClientRequest.json");
    // Those that open threads and turns, and log in without a browser; of threads that there are none of.
    let tried = |method: &str, params: &Value| {
        let opens = ["thread/", "turn/", "review/"];
        opens.iter().any(|start| method.starts_with(start))
            || method == "account/login/start"
                && !["chatgpt", "chatgptDeviceCode"]
                    .contains(&params["type"].as_str().unwrap_or_default())
    };
    let mut refused = BTreeSet::new();
    for (method, params) in all.samples() {
        if !tried(&method, &params) {
            continue;
        }
        let of_codex = refusal(&native, &method, &params).await;
        let of_proxy = refusal(&host, &method, &params).await;
        let is_read = |said: &String| !said.starts_with("Invalid request");
        if of_codex.as_ref().is_none_or(is_read) {
            let (of_proxy, of_codex) = (takes(of_proxy.as_ref()), takes(of_codex.as_ref()));
            assert_eq!(of_proxy, of_codex, "{method} {params}");
        } else {
            assert!(of_proxy.is_some(), "{method} {params}");
        }
        refused.extend(takes(of_codex.as_ref()).map(str::to_owned));
    }
    // It is no small part of what there is.
    for asked in [
        "askForApproval.granular",
        "account/login/start.amazonBedrock",
        "thread/items/list.deferOutput.mcpToolCall",
    ] {
        assert!(refused.contains(asked), "{asked}: {refused:?}");
    }
    assert!(refused.len() > 60, "{refused:?}");
    host.shutdown().await.unwrap();
    native.shutdown().await.unwrap();
}
