//! The lab's client against servers of a few lines, which do what Codex does rarely.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::process::Command;
use std::time::Duration;

use codex_loadout_lab::{Client, Process, RequestError, RpcError};
use serde_json::{Value, json};

/// A Node program that gets every line as `message` and has `say`.
fn node(body: &str) -> Command {
    let script = format!(
        "const say = (m) => console.log(JSON.stringify(m));
         require('node:readline').createInterface({{ input: process.stdin }})
           .on('line', (line) => {{ const message = JSON.parse(line); {body} }});"
    );
    let mut command = Command::new("node");
    command.args(["-e", &script]);
    command
}

#[tokio::test]
async fn the_servers_requests_are_answered() {
    let server = "if (message.method) say({id: 'ask', method: 'approve', params: {of: message.id}});
                  else say({id: message.result?.of ?? 2, result: message.error?.code ?? 'approved'});";
    let client = Client::spawn(node(server)).unwrap();
    client.on_request(|method, params| {
        assert_eq!(method, "approve");
        match params["of"].as_u64() {
            Some(1) => Ok(params.clone()),
            _ => Err(RpcError {
                code: 7,
                message: "no".to_owned(),
                data: Value::Null,
            }),
        }
    });
    assert_eq!(
        client.request("first", json!({})).await,
        Ok(json!("approved"))
    );
    assert_eq!(client.request("second", json!({})).await, Ok(json!(7)));
    assert_eq!(
        client.messages().len(),
        2,
        "requests of the server are kept"
    );
}

#[tokio::test]
async fn a_refusal_has_its_data() {
    let client = Client::spawn(node(
        "say({id: message.id, error: {code: -32602, message: 'no', data: {kind: 'k'}}});",
    ))
    .unwrap();
    let error = client.refusal("x", json!({})).await.unwrap();
    assert_eq!((error.code, error.data), (-32602, json!({"kind": "k"})));
}

#[tokio::test]
async fn no_notification_is_lost() {
    let client = Client::spawn(node(
        "for (let n = 0; n < 500; n++) say({method: 'n', params: n}); say({id: message.id});",
    ))
    .unwrap();
    client.request("go", json!({})).await.unwrap();
    let mark = client.mark();
    assert_eq!(mark, 500);
    assert_eq!(
        client
            .wait_for(0, |message| message["params"] == 250)
            .await
            .unwrap()["params"],
        250
    );
    let late = client
        .wait_within(Duration::from_millis(50), mark, |message| {
            message["method"] == "n"
        })
        .await;
    assert!(late.unwrap_err().to_string().contains("no such message"));
}

#[tokio::test]
async fn a_server_that_dies_is_said_to_be_gone() {
    let client = Client::spawn(node("console.error('so long'); process.exit(3);")).unwrap();
    let error = client.request("x", json!({})).await.unwrap_err();
    assert!(matches!(&error, RequestError::Gone(_)), "{error}");
    assert!(client.wait_for(0, |_| true).await.is_err());
    assert_eq!(client.shutdown().await.unwrap().code(), Some(3));
}

#[tokio::test]
async fn bytes_pass_as_they_are() {
    let mut echo = Process::spawn({
        let mut command = Command::new("node");
        command.args(["-e", "process.stdin.pipe(process.stdout)"]);
        command
    })
    .unwrap();
    let lines = b"{ \"spaced\" :  1 }\r\n\xff\xfe not text\n";
    echo.send(lines).await.unwrap();
    let patience = Duration::from_secs(10);
    let first = echo.read_line(patience).await.unwrap().unwrap();
    let second = echo.read_line(patience).await.unwrap().unwrap();
    assert_eq!([first, second].concat(), lines);
    assert!(!echo.kill9().await.unwrap().success());
}
