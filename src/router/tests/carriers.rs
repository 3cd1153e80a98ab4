//! Loadouts that come by another way than the field.

use super::{Prepared, Script, Settled, bytes};

const START: &str = r#"{"id":1,"method":"thread/start","params":{ "cwd" : "/p" }}"#;

fn to_codex(text: &str) -> [String; 1] {
    [format!("to Codex: {text}")]
}

#[test]
fn a_start_is_looked_at_where_something_may_be_said_of_it() {
    let mut script = Script::new(true);
    assert_eq!(script.host(START), to_codex(START));
    let by_config = r#"{"id":2,"method":"thread/start","params":{"config":{"capability_selection.profile":"a"}}}"#;
    let claimed = [format!("prepare 1 Start: {by_config}")];
    assert_eq!(script.host(by_config), claimed);
    script.event(|router| router.introduce_host(|host| host.set_may_be_chosen(true)));
    assert_eq!(script.host(START), [format!("prepare 2 Start: {START}")]);
    // Nothing is said of it after all: it goes on as it came.
    assert_eq!(
        script.prepared(2, Prepared::Pass(bytes(START))),
        to_codex(START)
    );
}

#[test]
fn what_only_we_asked_for_is_kept_from_the_host() {
    let mut script = Script::default();
    script.event(|router| router.introduce_host(|host| host.set_may_be_carried(true)));
    let hello = |experimental: &str| {
        format!(
            r#"{{"id":0,"method":"initialize","params":{{"capabilities":{{{experimental}}}}}}}"#
        )
    };
    let asking = to_codex(&hello(r#""experimentalApi":true"#));
    assert_eq!(script.host(&hello("")), asking);
    let queue = r#"{"id":1,"method":"thread/queue/list","params":{}}"#;
    let refused = r#"to host: {"id":1,"error":{"code":-32600,"message":"thread/queue/list requires experimentalApi capability"}}"#;
    assert_eq!(script.host(queue), [refused]);
    let read_state = r#"{"method":"thread/readState/changed","params":{}}"#;
    assert_eq!(script.codex(read_state), Vec::<String>::new());
    script.event(|router| router.introduce_host(|host| host.set_may_be_chosen(true)));
    script.host(START);
    script.forward(1, START);
    script.codex(r#"{"id":1,"result":{"thread":{"id":"t1"}}}"#);
    script.settled(1, "receipt", Settled::Loadout);
    let settings = r#"{"method":"thread/settings/updated","params":{"threadId":"t1"}}"#;
    assert_eq!(script.codex(settings), ["settings of t1"]);
    let time = r#"{"id":7,"method":"currentTime/read","params":{}}"#;
    let answered = script.codex(time);
    assert!(
        answered[0].starts_with(r#"to Codex: {"id":7,"error""#),
        "{answered:?}"
    );
    // The field is one of those that take it.
    let field = r#"{"id":2,"method":"thread/start","params":{"capabilitySelection":{}}}"#;
    let refused = script.host(field);
    assert!(
        refused[0].contains("thread/start.capabilitySelection requires"),
        "{refused:?}"
    );
}

#[test]
fn nothing_is_asked_for_where_no_loadout_can_come() {
    let mut script = Script::new(false);
    let queue = r#"{"id":1,"method":"thread/queue/list","params":{}}"#;
    assert_eq!(script.host(queue), to_codex(queue));
}

#[test]
fn before_initialize_what_is_ours_is_answered_as_codex_answers() {
    let mut script = Script::default();
    let read = r#"{"id":1,"method":"thread/capability/read","params":{"threadId":"t"}}"#;
    let refused = r#"to host: {"id":1,"error":{"code":-32600,"message":"Not initialized"}}"#;
    assert_eq!(script.host(read), [refused]);
    let resume = r#"{"id":2,"method":"thread/resume","params":{"threadId":"t"}}"#;
    assert_eq!(script.host(resume), to_codex(resume));
}
