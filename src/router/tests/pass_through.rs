//! What is not ours goes on as it came.

use proptest::prelude::*;

use super::Script;
use crate::router::Settled;

#[test]
fn what_is_not_ours_goes_on_as_it_came_both_ways() {
    let mut script = Script::new(true);
    for text in [
        r#"{"id":1,"method":"thread/start","params":{"cwd":"/p"}}"#,
        r#"{"id":"a b","method":"turn/start","params":{"threadId":"t1","input":[]},"trace":{"x":1}}"#,
        r#"{"id":9007199254740993,"method":"unknown/method"}"#,
        r#"{"method":"initialized"}"#,
        r#"{"id":5,"result":{"decision":"accept"}}"#,
        r#"{"id":5,"error":{"code":-1,"message":"no"}}"#,
        "garbage \u{1F980}",
        "[1,2]",
        "",
    ] {
        assert_eq!(script.host(text), [format!("to Codex: {text}")]);
    }
    for text in [
        r#"{"id":1,"result":{"thread":{"id":"t1"}}}"#,
        r#"{"id":7,"method":"item/commandExecution/requestApproval","params":{"threadId":"t1"}}"#,
        r#"{"method":"thread/started","params":{"thread":{"id":"t2","parentThreadId":"t1"}}}"#,
        r#"{"method":"codex/event","params":null}"#,
        "not json",
    ] {
        assert_eq!(script.codex(text), [format!("to host: {text}")]);
    }
}

#[test]
fn what_codex_says_of_servers_is_looked_at_and_goes_on_as_it_came() {
    let mut script = Script::new(true);
    for (id, params, of) in [
        ("1", "{}", "all threads"),
        ("\"a\"", r#"{"threadId":"t1"}"#, "t1"),
    ] {
        let list = format!(r#"{{"id":{id},"method":"mcpServerStatus/list","params":{params}}}"#);
        assert_eq!(script.host(&list), [format!("to Codex: {list}")]);
        let answer = format!(r#"{{"id":{id},"result":{{"data":[]}}}}"#);
        assert_eq!(
            script.codex(&answer),
            [
                format!("servers of {of} listed"),
                format!("to host: {answer}")
            ]
        );
        assert_eq!(script.codex(&answer), [format!("to host: {answer}")]);
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1e400".to_owned()),
        "-?[1-9][0-9]{0,25}(\\.[0-9]{1,20})?",
        "\"([a-z /]|\\\\n|\\\\u00e9){0,9}\"",
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            proptest::collection::vec(("[a-zA-Z]{1,9}", inner), 0..4).prop_map(|members| {
                let members = members
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\": {value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    /// Whatever is no claimed request leaves as it came: ids, unknown members, order and number text.
    #[test]
    fn any_other_frame_passes_unchanged(
        id in prop_oneof![Just(None), "-?[1-9][0-9]{0,18}".prop_map(Some), "\"[a-z0-9/]{0,9}\"".prop_map(Some)],
        method in proptest::option::of("[a-z]{1,9}/[a-z]{1,9}"),
        params in json(),
        extra in json(),
        from_host in any::<bool>(),
    ) {
        let mut members = vec![format!("\"extra\":{extra}"), format!("\"params\" : {params}")];
        members.extend(id.map(|id| format!("\"id\":{id}")));
        members.extend(method.map(|method| format!("\"method\":\"{method}\"")));
        let text = format!("{{{}}}\r\n", members.join(", "));
        let mut script = Script::new(true);
        let (told, to) = if from_host {
            (script.host(&text), "Codex")
        } else {
            (script.codex(&text), "host")
        };
        prop_assert_eq!(told, [format!("to {to}: {text}")]);
    }
}

#[test]
fn that_a_split_fork_has_no_goal_is_told_once_it_had_one() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let fork =
        r#"{"id":2,"method":"thread/fork","params":{"threadId":"t1","capabilitySelection":{}}}"#;
    script.host(fork);
    script.forward(2, r#"{"id":2,"method":"thread/fork","params":{}}"#);
    script.codex(r#"{"id":2,"result":{"thread":{"id":"t2"}}}"#);
    assert_eq!(script.made(2), ["split 2"]);
    script.settled(2, "receipt", Settled::Loadout);
    let cleared = r#"{"method":"thread/goal/cleared","params":{"threadId":"t2"}}"#;
    assert!(script.codex(cleared).is_empty());
    assert_eq!(script.codex(cleared), [format!("to host: {cleared}")]);
    let of_source = cleared.replace("t2", "t1");
    assert_eq!(script.codex(&of_source), [format!("to host: {of_source}")]);
}
