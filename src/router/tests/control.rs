//! Requests of the control door.

use super::*;

const UPDATE: &str = r#"{"id":"c","method":"thread/capability/update","params":{"threadId":"t1"}}"#;

#[test]
fn a_request_of_the_control_door_is_answered_there_and_keeps_hosts_off_its_thread_meanwhile() {
    let mut script = Script::new(true);
    let asked = script.event(|router| router.on_control(7, frame(UPDATE)));
    assert_eq!(asked, [format!("prepare 1 Update: {UPDATE}")]);
    let of_host = r#"{"id":5,"method":"turn/start","params":{"threadId":"t1"}}"#;
    assert_eq!(script.host(of_host), Vec::<String>::new());
    let other = r#"{"id":6,"method":"turn/start","params":{"threadId":"t2"}}"#;
    assert_eq!(script.host(other), [format!("to Codex: {other}")]);
    // It waits behind nothing: whoever asks can ask again.
    let second = script.event(|router| router.on_control(8, frame(UPDATE)));
    assert!(second[0].starts_with("to control 8: ") && second[0].contains("threadBusy"));
    let request = script.worked_on(1);
    let answered = Prepared::Reply(bytes("{}"));
    let done = script.event(|router| router.on_prepared(request, answered));
    let goes_on = format!("to Codex: {of_host}");
    assert_eq!(done, ["to control 7: {}".to_owned(), goes_on]);
}

#[test]
fn a_turn_under_way_is_told_to_the_control_door_and_not_to_the_host() {
    let mut script = Script::new(true);
    script.threads.change("t1", |it| it.has_loadout = true);
    script.codex(r#"{"method":"turn/started","params":{"threadId":"t1","turn":{"id":"u"}}}"#);
    script.event(|router| router.on_control(1, frame(UPDATE)));
    let request = script.worked_on(1);
    let rebind = Prepared::Rebind {
        threads: vec!["t1".to_owned()],
        patient: false,
    };
    let refused = script.event(|router| router.on_prepared(request, rebind));
    assert!(refused[0].starts_with("to control 1: ") && refused[0].contains("threadBusy"));
    assert_eq!(refused[1..], ["abandoned 1"]);
}
