//! Every list of ours comes in pages that fit together.

use lab::Client;
use serde_json::{Value, json};

use crate::stage::Stage;

async fn page(host: &Client, method: &str, cursor: &Value, limit: u32) -> Value {
    let mut params = json!({ "limit": limit });
    if !cursor.is_null() {
        params["cursor"] = cursor.clone();
    }
    host.request(method, params).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_every_list_are_the_whole_and_a_cursor_is_of_its_list_alone() {
    let stage = Stage::standard().await;
    for name in ["a", "b", "c", "d", "e"] {
        let profile = "skills = [\"planning\"]\n";
        stage.home.add_profile(name, profile).unwrap();
    }
    let host = stage.host().await;
    for task in 0..5 {
        let binding = json!({ "scope": "task", "key": task.to_string(), "profile": "a" });
        host.request("capability/binding/write", binding)
            .await
            .unwrap();
    }
    for _ in 0..5 {
        stage.start(&host, json!({ "skills": ["planning"] })).await;
    }
    let mut cursors = Vec::new();
    let methods = [
        "capability/list",
        "capability/profile/list",
        "capability/binding/list",
        "thread/capability/list",
        "capability/audit/list",
    ];
    for method in methods {
        let whole = host.request(method, json!({})).await.unwrap();
        assert_eq!(whole["nextCursor"], Value::Null, "{method}");
        let whole = whole["data"].as_array().unwrap().clone();
        assert!(whole.len() >= 5, "{method}");
        let (mut paged, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let mut page = page(&host, method, &cursor, 2).await;
            let data = page["data"].as_array().unwrap();
            assert!(data.len() <= 2, "{method}");
            paged.extend(data.clone());
            cursor = page["nextCursor"].take();
            if cursor.is_null() {
                break;
            }
            cursors.push((method, cursor.clone()));
        }
        assert_eq!(paged, whole, "{method}");
        for wrong in [
            json!({ "limit": 0 }),
            json!({ "limit": 1001 }),
            json!({ "cursor": "x" }),
        ] {
            let refused = host.refusal(method, wrong.clone()).await.unwrap();
            assert_eq!(refused.data["kind"], "invalidSelection", "{method} {wrong}");
        }
    }
    for (of, cursor) in &cursors {
        let other = methods.iter().find(|method| *method != of).unwrap();
        let refused = host.refusal(other, json!({ "cursor": cursor })).await;
        assert_eq!(refused.unwrap().data["kind"], "invalidSelection", "{of}");
    }
    // What comes before the next page moves nothing of it.
    let first = page(&host, "capability/profile/list", &Value::Null, 2).await;
    stage
        .home
        .add_profile("aa", "skills = [\"planning\"]\n")
        .unwrap();
    let rest = page(&host, "capability/profile/list", &first["nextCursor"], 9).await;
    let names: Vec<&str> = rest["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["c", "d", "e"]);
}
