//! Hosts that use what is ours are told when what could be selected has changed, whoever has changed it.

use lab::Client;
use serde_json::json;

use crate::stage::Stage;

const CHANGED: &str = "capability/changed";

async fn told(host: &Client, mark: usize) {
    let told = host.wait_for(mark, |it| it["method"] == CHANGED).await;
    assert_eq!(told.unwrap(), json!({ "method": CHANGED, "params": {} }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_any_process_is_told_to_hosts_that_use_what_is_ours() {
    let stage = Stage::standard().await;
    let text = "skills = [\"planning\"]\n";
    stage.home.add_profile("before", text).unwrap();
    let (host, writer, native) = (stage.host().await, stage.host().await, stage.host().await);
    for host in [&host, &writer] {
        let list = json!({ "cwd": stage.home.project() });
        host.request("capability/list", list).await.unwrap();
    }
    let plain = json!({ "cwd": stage.home.project() });
    native.request("thread/start", plain).await.unwrap();
    let by_verbs: [&[&str]; 4] = [
        &["binding", "write", "before", "--default"],
        &["binding", "delete", "--default"],
        &["profile", "delete", "before"],
        &["trust", "project", "."],
    ];
    for verb in by_verbs {
        let mark = host.mark();
        let done = stage.verb(verb);
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{verb:?}: {why}");
        told(&host, mark).await;
    }
    let mark = host.mark();
    let write = json!({ "name": "after", "selection": { "skills": ["planning"] } });
    writer
        .request("capability/profile/write", write)
        .await
        .unwrap();
    told(&host, mark).await;
    assert!(native.messages().iter().all(|it| it["method"] != CHANGED));
}
