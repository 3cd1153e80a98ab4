//! What is claimed and what is not, and how much may wait.

use codex_loadout_protocol::method::{METHODS, THREAD_CAPABILITY_UPDATE};

use super::{Script, bytes};
use crate::router::limits::BYTES;
use crate::router::{Prepared, Settled};

#[test]
fn every_method_of_ours_is_answered_here() {
    let mut script = Script::new(true);
    for (index, method) in METHODS.iter().enumerate() {
        let kind = match *method {
            THREAD_CAPABILITY_UPDATE => "Update",
            _ => "Own",
        };
        let request = format!(r#"{{"id":{index},"method":"{method}","params":{{}}}}"#);
        let ticket = index as u64 + 1;
        assert_eq!(
            script.host(&request),
            [format!("prepare {ticket} {kind}: {request}")]
        );
        assert_eq!(
            script.prepared(ticket, Prepared::Reply(bytes("answer"))),
            ["to host: answer"]
        );
    }
}

#[test]
fn what_codex_will_not_answer_is_not_claimed() {
    let mut script = Script::new(true);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (id, config) in [
        ("1.5", "{}"),
        ("null", "{}"),
        ("99999999999999999999", "{}"),
        ("1", &deep),
    ] {
        let params = format!(r#"{{"config":{config},"capabilitySelection":{{}}}}"#);
        let start = format!(r#"{{"id":{id},"method":"thread/start","params":{params}}}"#);
        let refused = script.host(&start);
        let begins = format!(r#"to host: {{"id":{id},"error":"#);
        assert!(
            refused.len() == 1 && refused[0].starts_with(&begins),
            "{refused:?}"
        );
        let resume = format!(
            r#"{{"id":{id},"method":"thread/resume","params":{{"threadId":"t","config":{config}}}}}"#
        );
        assert_eq!(script.host(&resume), [format!("to Codex: {resume}")]);
    }
    assert!(script.all_forwarded());
}

#[test]
fn what_waits_for_a_thread_has_a_limit_and_what_is_beyond_has_an_answer() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let resume = r#"{"id":2,"method":"thread/resume","params":{"threadId":"t1"}}"#;
    script.host(resume);
    let filler = "x".repeat(BYTES / 64);
    let mut sent = Vec::new();
    let refused = loop {
        let id = 100 + sent.len();
        let turn = format!(
            r#"{{"id":{id},"method":"turn/start","params":{{"threadId":"t1","x":"{filler}"}}}}"#
        );
        let lines = script.host(&turn);
        if !lines.is_empty() {
            break lines;
        }
        sent.push(turn);
        assert!(sent.len() < 100, "nothing is too much");
    };
    assert!(sent.len() > 50, "{}", sent.len());
    assert!(refused[0].contains("-32001") && refused[0].contains("Server overloaded"));
    // What wants no answer waits for nothing then, and other threads go on.
    let note = format!(r#"{{"method":"x","params":{{"threadId":"t1","x":"{filler}"}}}}"#);
    assert_eq!(script.host(&note), [format!("to Codex: {note}")]);
    let other = r#"{"id":1,"method":"turn/start","params":{"threadId":"t2"}}"#;
    assert_eq!(script.host(other), [format!("to Codex: {other}")]);
    let mut lines = script.prepared(2, Prepared::Pass(bytes(resume)));
    assert_eq!(lines.remove(0), format!("to Codex: {resume}"));
    // Those that waited go on, one after the other.
    assert_eq!(lines, [format!("prepare 3 Turn: {}", sent[0])]);
    for (number, turn) in (3..).zip(&sent) {
        let lines = script.prepared(number, Prepared::Pass(bytes(turn)));
        assert_eq!(lines[0], format!("to Codex: {turn}"));
    }
    script.host(resume);
    assert!(
        script
            .host(&sent[0].replace("\"id\":100", "\"id\":9"))
            .is_empty()
    );
}

#[test]
fn more_requests_at_once_than_anybody_has_are_refused() {
    let mut script = Script::new(true);
    let list = |id: usize| format!(r#"{{"id":{id},"method":"capability/list"}}"#);
    let taken = (1..=1025).filter(|id| script.host(&list(*id))[0].starts_with("prepare"));
    assert_eq!(taken.count(), 1024);
    script.prepared(1, Prepared::Reply(bytes("listed")));
    assert!(script.host(&list(2000))[0].starts_with("prepare"));
}

#[test]
fn what_codex_says_of_a_hidden_thread_has_a_limit_and_its_turns_are_told_all_the_same() {
    let mut script = Script::new(true);
    let start = r#"{"id":1,"method":"thread/start","params":{"capabilitySelection":{}}}"#;
    script.host(start);
    script.forward(1, r#"{"id":1,"method":"thread/start","params":{}}"#);
    let filler = "x".repeat(BYTES / 64);
    let delta = format!(
        r#"{{"method":"item/agentMessage/delta","params":{{"threadId":"t1","delta":"{filler}"}}}}"#
    );
    for _ in 0..100 {
        assert!(script.codex(&delta).is_empty());
    }
    let ask = format!(
        r#"{{"id":7,"method":"item/permissions/requestApproval","params":{{"threadId":"t1","x":"{filler}"}}}}"#
    );
    let refused = script.codex(&ask);
    let begins = r#"to Codex: {"id":7,"error":{"code":-32001"#;
    assert!(
        refused.len() == 1 && refused[0].starts_with(begins),
        "{refused:?}"
    );
    let ended = format!(
        r#"{{"method":"turn/completed","params":{{"threadId":"t1","turn":{{"id":"u","x":"{filler}"}}}}}}"#
    );
    assert!(script.codex(&ended).is_empty());
    // Threads that hosts know are heard of as ever.
    let other = r#"{"method":"item/agentMessage/delta","params":{"threadId":"a"}}"#;
    assert_eq!(script.codex(other), [format!("to host: {other}")]);
    script.codex(r#"{"id":1,"result":{"thread":{"id":"t1"}}}"#);
    let told = script.settled(1, "receipt", Settled::Loadout);
    let deltas = format!("to host: {delta}");
    let kept = told.iter().filter(|line| **line == deltas).count();
    assert!((50..64).contains(&kept), "{kept}");
    assert!(told.contains(&format!("to host: {ended}")));
    // There is room again.
    script.host(&start.replace("\"id\":1", "\"id\":2"));
    script.forward(2, r#"{"id":2,"method":"thread/start","params":{}}"#);
    script.codex(r#"{"id":2,"result":{"thread":{"id":"t2"}}}"#);
    script.codex(&delta.replace("t1", "t2"));
    let told = script.settled(2, "receipt", Settled::Loadout);
    assert_eq!(told.len(), 2, "{}", told.len());
}
