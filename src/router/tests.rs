//! Transcripts: what is said to the router, and what it wants done, line by line.

use std::collections::HashMap;

use bytes::Bytes;
use codex_loadout_protocol::method::{METHODS, THREAD_CAPABILITY_UPDATE};
use proptest::prelude::*;

use super::{Effect, Host, Prepared, Rebound, Request, Router, Settled};
use crate::threads::Threads;
use crate::wire::Frame;

const OWN_IDS: &str = "codex-loadout/x/";
/// Sorts before the threads below that are named `t…`, as a UUID v7 of an earlier moment would.
const MARK: &str = "m1";

struct Script {
    of_host: Host<()>,
    threads: Threads<()>,
    /// Requests that are worked on, by number.
    worked_on: HashMap<u64, Request<()>>,
}

impl Script {
    /// A connection whose host asked for experimental API, or not.
    fn new(experimental: bool) -> Self {
        let mut script = Self {
            of_host: Host::new(OWN_IDS),
            threads: Threads::default(),
            worked_on: HashMap::new(),
        };
        let hello = format!(
            r#"{{"id":0,"method":"initialize","params":{{"capabilities":{{"experimentalApi":{experimental}}}}}}}"#
        );
        assert_eq!(script.host(&hello), [format!("to Codex: {hello}")]);
        let answer =
            r#"{"id":0,"result":{"userAgent":"lab/0.169.0 (Linux)","codexHome":"/h/.codex"}}"#;
        assert_eq!(
            script.codex(answer),
            [
                "connected to 0.169.0".to_owned(),
                format!("to host: {answer}")
            ]
        );
        script
    }

    /// One event, and what comes of it.
    fn event(&mut self, event: impl FnOnce(&mut Router<'_, (), ()>)) -> Vec<String> {
        let mut effects = Vec::new();
        event(&mut Router {
            host: &mut self.of_host,
            threads: &mut self.threads,
            effects: &mut effects,
        });
        let lines = effects.into_iter().map(|effect| self.line(effect));
        lines.collect()
    }

    fn work_on(&mut self, request: Request<()>) -> u64 {
        let number = request.number;
        self.worked_on.insert(number, request);
        number
    }

    fn worked_on(&mut self, number: u64) -> Request<()> {
        self.worked_on.remove(&number).unwrap()
    }

    fn host(&mut self, text: &str) -> Vec<String> {
        self.event(|router| router.on_host(frame(text)))
    }

    fn codex(&mut self, text: &str) -> Vec<String> {
        self.event(|router| router.on_upstream(frame(text)))
    }

    fn late(&mut self, number: u64) -> Vec<String> {
        self.event(|router| router.on_late(number))
    }

    fn prepared(&mut self, number: u64, prepared: Prepared) -> Vec<String> {
        let request = self.worked_on(number);
        self.event(|router| router.on_prepared(request, prepared))
    }

    fn forward(&mut self, number: u64, request: &str) -> Vec<String> {
        let prepared = Prepared::Forward {
            request: bytes(request),
            mark: MARK.to_owned(),
            holds: false,
        };
        self.prepared(number, prepared)
    }

    fn settled(&mut self, number: u64, answer: &str, settled: Settled) -> Vec<String> {
        let request = self.worked_on(number);
        self.event(|router| router.on_settled(request, bytes(answer), settled))
    }

    fn made(&mut self, number: u64) -> Vec<String> {
        let request = self.worked_on(number);
        self.event(|router| router.on_made(request))
    }

    fn rebind(&mut self, number: u64, threads: &[&str]) -> Vec<String> {
        let threads = threads.iter().map(|thread| (*thread).to_owned()).collect();
        let patient = false;
        self.prepared(number, Prepared::Rebind { threads, patient })
    }

    fn rebound(&mut self, number: u64, then: Prepared) -> Vec<String> {
        let request = self.worked_on(number);
        let rebound = Rebound {
            notices: vec![bytes("updated")],
            ..Rebound::only(then)
        };
        self.event(|router| router.on_rebound(request, rebound))
    }

    fn adopted(&mut self, child: &str) -> Vec<String> {
        self.event(|router| router.on_adopted(&[child.to_owned()]))
    }

    fn all_forwarded(&mut self) -> bool {
        let mut all = false;
        self.event(|router| all = router.all_forwarded());
        all
    }

    fn gone(&mut self) -> Vec<String> {
        self.event(|router| router.on_upstream_gone())
    }

    /// A thread with a loadout, made on this connection.
    fn thread(&mut self, ticket: u64, id: &str) {
        let request = format!(
            r#"{{"id":{ticket},"method":"thread/start","params":{{"capabilitySelection":{{}}}}}}"#
        );
        assert_eq!(
            self.host(&request),
            [format!("prepare {ticket} Start: {request}")]
        );
        let sent = format!(r#"{{"id":{ticket},"method":"thread/start","params":{{}}}}"#);
        assert_eq!(
            self.forward(ticket, &sent),
            [
                format!("to Codex: {sent}"),
                format!("late {ticket} after 60 s")
            ]
        );
        let answer = format!(r#"{{"id":{ticket},"result":{{"thread":{{"id":"{id}"}}}}}}"#);
        assert_eq!(self.codex(&answer), [format!("settle {ticket}: {answer}")]);
        assert_eq!(
            self.settled(ticket, "receipt", Settled::Loadout),
            ["to host: receipt"]
        );
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn frame(text: &str) -> Frame {
    Frame::parse(bytes(text))
}

impl Script {
    fn line(&mut self, effect: Effect<()>) -> String {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        match effect {
            Effect::ToHost(frame) => format!("to host: {}", text(&frame)),
            Effect::ToUpstream(frame) => format!("to Codex: {}", text(&frame)),
            Effect::Prepare(request) => {
                let what = format!("{:?}: {}", request.kind, text(request.frame.bytes()));
                format!("prepare {} {what}", self.work_on(request))
            }
            Effect::Settle { request, response } => {
                format!(
                    "settle {}: {}",
                    self.work_on(request),
                    text(response.bytes())
                )
            }
            Effect::Split(request) => format!("split {}", self.work_on(request)),
            Effect::Rebind(request) => format!("rebind {}", self.work_on(request)),
            Effect::Abandoned(request) => format!("abandoned {}", request.number),
            Effect::Adopt { parent, children } => {
                format!("adopt {} of {parent}", children.join(","))
            }
            Effect::Late { number, after } => format!("late {number} after {} s", after.as_secs()),
            Effect::SettingsAsked { thread, .. } => format!("settings asked for {thread}"),
            Effect::ServerStatus { thread, .. } => format!("server status of {thread}"),
            Effect::TurnEnded { thread } => format!("turn of {thread} ended"),
            Effect::Settings { thread, .. } => format!("settings of {thread}"),
            Effect::Forget { thread } => format!("forget {thread}"),
            Effect::Answered { number, .. } => format!("answered {number}"),
            Effect::CatalogMayHaveChanged => "catalog may have changed".to_owned(),
            Effect::Connected(info) => format!("connected to {}", info.version),
        }
    }
}

const NONE: [&str; 0] = [];

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
fn a_host_without_experimental_api_is_refused_as_codex_refuses() {
    let mut script = Script::new(false);
    for method in ["thread/start", "thread/resume", "thread/fork"] {
        let refused = script.host(&format!(
            r#"{{"id":"x","method":"{method}","params":{{"threadId":"t","capabilitySelection":{{}}}}}}"#
        ));
        assert_eq!(
            refused,
            [format!(
                "to host: {{\"id\":\"x\",\"error\":{{\"code\":-32600,\"message\":\"{method}.capabilitySelection requires experimentalApi capability\"}}}}\n"
            )]
        );
    }
    for request in [
        r#"{"id":"x","method":"thread/resume","params":{"threadId":"t","capabilitySelection":null}}"#,
        r#"{"id":"x","method":"thread/fork","params":{"threadId":"t","capabilitySelection":null}}"#,
        r#"{"id":"x","method":"thread/capability/update","params":{"threadId":"t"}}"#,
    ] {
        let refused = script.host(request);
        assert!(
            refused.len() == 1 && refused[0].contains("requires experimentalApi"),
            "{refused:?}"
        );
    }
    // What a thread has recorded is re-applied for every host.
    let resume = r#"{"id":1,"method":"thread/resume","params":{"threadId":"t"}}"#;
    assert_eq!(script.host(resume), [format!("prepare 1 Resume: {resume}")]);
}

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
fn nothing_of_a_new_thread_is_shown_before_its_loadout_is_on_disk() {
    let mut script = Script::new(true);
    script.host(r#"{"id":1,"method":"thread/start","params":{"capabilitySelection":{}}}"#);
    script.forward(1, "start");
    // Codex may speak of it before it answers; of older threads it speaks on.
    let early = r#"{"method":"thread/started","params":{"thread":{"id":"t1"}}}"#;
    assert_eq!(script.codex(early), NONE);
    let old = r#"{"method":"turn/started","params":{"threadId":"a1"}}"#;
    assert_eq!(script.codex(old), [format!("to host: {old}")]);
    let answer = r#"{"id":1,"result":{"thread":{"id":"t1"}}}"#;
    assert_eq!(script.codex(answer), [format!("settle 1: {answer}")]);
    let late = r#"{"method":"thread/status/changed","params":{"threadId":"t1"}}"#;
    assert_eq!(script.codex(late), NONE);
    assert_eq!(
        script.settled(1, "receipt", Settled::Loadout),
        [
            format!("to host: {early}"),
            "to host: receipt".to_owned(),
            format!("to host: {late}")
        ]
    );
    assert_eq!(script.codex(late), [format!("to host: {late}")]);
}

#[test]
fn a_gate_closed_on_suspicion_opens_when_the_thread_turns_out_to_be_anothers() {
    let mut script = Script::new(true);
    script.host(r#"{"id":1,"method":"thread/start","params":{"capabilitySelection":{}}}"#);
    script.forward(1, "start");
    let native = r#"{"method":"thread/started","params":{"thread":{"id":"t9"}}}"#;
    assert_eq!(script.codex(native), NONE);
    let answer = r#"{"id":1,"result":{"thread":{"id":"t1"}}}"#;
    assert_eq!(
        script.codex(answer),
        [format!("settle 1: {answer}"), format!("to host: {native}")]
    );
}

#[test]
fn a_start_that_codex_does_not_answer_keeps_nothing_back_for_long() {
    let mut script = Script::new(true);
    script.host(r#"{"id":1,"method":"thread/start","params":{"capabilitySelection":{}}}"#);
    script.forward(1, "start");
    let native = r#"{"method":"thread/started","params":{"thread":{"id":"t9"}}}"#;
    assert_eq!(script.codex(native), NONE);
    assert_eq!(script.late(1), [format!("to host: {native}")]);
    let later = r#"{"method":"thread/started","params":{"thread":{"id":"t8"}}}"#;
    assert_eq!(script.codex(later), [format!("to host: {later}")]);
    // Its answer counts all the same.
    let answer = r#"{"id":1,"result":{"thread":{"id":"t1"}}}"#;
    assert_eq!(script.codex(answer), [format!("settle 1: {answer}")]);
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
fn whose_turn_it_is_has_to_be_said_where_threads_have_loadouts() {
    let mut script = Script::new(true);
    let list = r#"{"id":7,"method":"turn/start","params":["t1",[]]}"#;
    assert_eq!(script.host(list), [format!("to Codex: {list}")]);
    script.thread(1, "t1");
    let refused = script.host(list);
    assert!(refused[0].contains("`params` is a list"), "{refused:?}");
    for params in [
        r#"{"threadId":"t1","thread":5}"#,
        r#"{"threadId":"x","threadId":"t1"}"#,
    ] {
        let turn = format!(r#"{{"id":8,"method":"turn/start","params":{params}}}"#);
        let ticket = script.of_host.claimed + 1;
        assert_eq!(
            script.host(&turn),
            [format!("prepare {ticket} Turn: {turn}")]
        );
        script.prepared(ticket, Prepared::Pass(bytes(&turn)));
    }
}

#[test]
fn a_refusal_of_codex_is_settled_and_opens_every_gate() {
    let mut script = Script::new(true);
    script.host(r#"{"id":1,"method":"thread/fork","params":{"threadId":"a"}}"#);
    script.forward(1, "fork");
    let other = r#"{"method":"thread/started","params":{"thread":{"id":"t9"}}}"#;
    assert_eq!(script.codex(other), NONE);
    let refusal = r#"{"id":1,"error":{"code":-32600,"message":"no"}}"#;
    assert_eq!(
        script.codex(refusal),
        [format!("settle 1: {refusal}"), format!("to host: {other}")]
    );
    assert_eq!(
        script.settled(1, refusal, Settled::Native),
        [format!("to host: {refusal}")]
    );
}

#[test]
fn of_a_fork_that_is_set_apart_the_host_hears_once() {
    let started =
        r#"{"method":"thread/started","params":{"thread":{"id":"t2","forkedFromId":"t1"}}}"#;
    let closed = r#"{"method":"thread/closed","params":{"threadId":"t2"}}"#;
    let named = r#"{"method":"thread/name/updated","params":{"threadId":"t2"}}"#;
    let server = r#"{"method":"mcpServer/startupStatus/updated","params":{"threadId":"t2"}}"#;
    for (settled, told) in [
        (
            Settled::Loadout,
            vec![
                "to host: answer",
                "to host: {started}",
                "server status of t2",
                "to host: {server}",
                "to host: {named}",
            ],
        ),
        // Nor is it taken for a thread that its source spawned.
        (
            Settled::Native,
            vec![
                "to host: answer",
                "to host: {started}",
                "to host: {server}",
                "to host: {named}",
            ],
        ),
        (Settled::Hidden, vec!["to host: answer"]),
    ] {
        let mut script = Script::new(true);
        script.thread(1, "t1");
        script.host(r#"{"id":2,"method":"thread/fork","params":{"threadId":"t1","capabilitySelection":null}}"#);
        script.forward(2, "fork");
        let answer = r#"{"id":2,"result":{"thread":{"id":"t2"}}}"#;
        assert_eq!(script.codex(answer), [format!("settle 2: {answer}")]);
        assert_eq!(script.codex(started), NONE);
        assert_eq!(script.made(2), ["split 2"]);
        for held_or_unheard in [closed, started, server] {
            assert_eq!(script.codex(held_or_unheard), NONE);
        }
        let mut heard = script.settled(2, "answer", settled);
        heard.extend(script.codex(named));
        let told = told.iter().map(|line| {
            line.replace("{started}", started)
                .replace("{server}", server)
                .replace("{named}", named)
        });
        assert_eq!(heard, told.collect::<Vec<_>>(), "{settled:?}");
    }
}

#[test]
fn while_a_resume_is_prepared_only_its_own_thread_waits() {
    let mut script = Script::new(true);
    let resume = r#"{"id":1,"method":"thread/resume","params":{"threadId":"t1"}}"#;
    assert_eq!(script.host(resume), [format!("prepare 1 Resume: {resume}")]);
    let turn = r#"{"id":2,"method":"turn/start","params":{"threadId":"t1"}}"#;
    assert_eq!(script.host(turn), NONE);
    let second = r#"{"id":3,"method":"thread/resume","params":{"threadId":"t1"}}"#;
    assert_eq!(script.host(second), NONE);
    let other = r#"{"id":4,"method":"turn/start","params":{"threadId":"t2"}}"#;
    assert_eq!(script.host(other), [format!("to Codex: {other}")]);
    // What waited goes in order; the second resume closes the gate again.
    assert_eq!(
        script.prepared(1, Prepared::Pass(bytes("resume"))),
        [
            "to Codex: resume".to_owned(),
            format!("to Codex: {turn}"),
            format!("prepare 2 Resume: {second}")
        ]
    );
    assert!(!script.all_forwarded());
    assert_eq!(script.host(turn), NONE);
    assert_eq!(
        script.prepared(2, Prepared::Reply(bytes("refused"))),
        ["to host: refused".to_owned(), format!("to Codex: {turn}")]
    );
    assert!(script.all_forwarded());
}

#[test]
fn a_turn_waits_until_it_is_known_what_its_input_names() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let interrupt = r#"{"id":6,"method":"turn/interrupt","params":{"threadId":"t1"}}"#;
    for (ticket, method) in [
        "turn/start",
        "turn/steer",
        "thread/queue/add",
        "thread/goal/set",
    ]
    .into_iter()
    .enumerate()
    {
        let ticket = ticket as u64 + 2;
        let turn = format!(r#"{{"id":5,"method":"{method}","params":{{"threadId":"t1"}}}}"#);
        assert_eq!(
            script.host(&turn),
            [format!("prepare {ticket} Turn: {turn}")]
        );
        assert_eq!(script.host(interrupt), NONE);
        assert_eq!(
            script.prepared(ticket, Prepared::Pass(bytes(&turn))),
            [
                format!("to Codex: {turn}"),
                format!("to Codex: {interrupt}")
            ]
        );
        // From there on it is Codex's: nothing is held back.
        let accepted = r#"{"id":5,"result":{"turn":{"id":"u"}}}"#;
        assert_eq!(script.codex(accepted), [format!("to host: {accepted}")]);
        // Other requests, and turns of native threads, do not wait.
        let native = turn.replace("t1", "t2");
        for text in [native.as_str(), interrupt] {
            assert_eq!(script.host(text), [format!("to Codex: {text}")]);
        }
    }
}

#[test]
fn servers_are_reloaded_once_threads_with_a_loadout_are_told_to_leave_them_out() {
    let mut script = Script::new(true);
    let reload = r#"{"id":6,"method":"config/mcpServer/reload"}"#;
    let sent = format!("to Codex: {reload}");
    let changed = "catalog may have changed".to_owned();
    assert_eq!(script.host(reload), [changed.clone(), sent.clone()]);
    script.thread(1, "t1");
    let claimed = format!("prepare 2 ServersReload: {reload}");
    assert_eq!(script.host(reload), [changed.clone(), claimed]);
    assert_eq!(script.rebind(2, &["t1"]), ["rebind 2"]);
    assert_eq!(
        script.rebound(2, Prepared::Pass(bytes(reload))),
        ["to host: updated".to_owned(), sent]
    );
}

#[test]
fn servers_are_reloaded_when_turns_under_way_have_ended_and_no_other_begins_meanwhile() {
    let reload = r#"{"id":6,"method":"config/mcpServer/reload"}"#;
    let turn = r#"{"id":5,"method":"turn/start","params":{"threadId":"t1"}}"#;
    let patient = || Prepared::Rebind {
        threads: vec!["t1".to_owned()],
        patient: true,
    };
    let draining = || {
        let mut script = Script::new(true);
        script.thread(1, "t1");
        script.host(turn);
        // Sent, and not yet begun.
        script.prepared(2, Prepared::Pass(bytes(turn)));
        script.host(reload);
        assert_eq!(script.prepared(3, patient()), ["late 3 after 30 s"]);
        script.codex(r#"{"method":"turn/started","params":{"threadId":"t1"}}"#);
        assert_eq!(script.host(turn), NONE);
        assert!(!script.all_forwarded());
        script
    };
    let interrupt = r#"{"id":8,"method":"turn/interrupt","params":{"threadId":"t1"}}"#;
    let ended = r#"{"method":"turn/completed","params":{"threadId":"t1"}}"#;
    let mut script = draining();
    assert_eq!(script.host(interrupt), [format!("to Codex: {interrupt}")]);
    assert_eq!(
        script.codex(ended),
        [
            "turn of t1 ended".to_owned(),
            format!("to host: {ended}"),
            "rebind 3".to_owned()
        ]
    );
    assert_eq!(script.host(interrupt), NONE);
    assert_eq!(
        script.rebound(3, Prepared::Pass(bytes(reload))),
        [
            "to host: updated".to_owned(),
            format!("to Codex: {reload}"),
            format!("prepare 4 Turn: {turn}"),
        ]
    );

    // One that was refused never began.
    let mut script = draining();
    let refused = r#"{"id":5,"error":{"code":-32600,"message":"no"}}"#;
    assert_eq!(
        script.codex(refused),
        [format!("to host: {refused}"), "rebind 3".to_owned()]
    );

    // In the end it is refused, and what waited goes on.
    let mut script = draining();
    let late = script.late(3);
    assert!(late[0].contains("threadBusy"), "{}", late[0]);
    assert_eq!(late[1], "abandoned 3");
    assert_eq!(late[2], format!("prepare 4 Turn: {turn}"));
}

#[test]
fn a_host_that_wants_no_news_of_turns_has_no_turn_that_never_ends() {
    let mut script = Script::new(true);
    let capabilities = r#"{"experimentalApi":true,"optOutNotificationMethods":["turn/completed"]}"#;
    script.host(&format!(
        r#"{{"id":0,"method":"initialize","params":{{"capabilities":{capabilities}}}}}"#
    ));
    script.thread(1, "t1");
    let turn = r#"{"id":5,"method":"turn/start","params":{"threadId":"t1"}}"#;
    script.host(turn);
    script.prepared(2, Prepared::Pass(bytes(turn)));
    script.codex(r#"{"method":"turn/started","params":{"threadId":"t1"}}"#);
    script.host(turn);
    // Whether one is under way is asked for when it counts.
    assert_eq!(script.rebind(3, &["t1"]), ["rebind 3"]);
}

#[test]
fn what_follows_on_another_loadout_waits_until_that_is_in_effect() {
    let mut script = Script::new(true);
    script.host(
        r#"{"id":1,"method":"thread/resume","params":{"threadId":"t1","capabilitySelection":{}}}"#,
    );
    let forward = Prepared::Forward {
        request: bytes("resume"),
        mark: MARK.to_owned(),
        holds: true,
    };
    assert_eq!(script.prepared(1, forward), ["to Codex: resume"]);
    let turn = r#"{"id":2,"method":"turn/start","params":{"threadId":"t1"}}"#;
    assert_eq!(script.host(turn), NONE);
    let answer = r#"{"id":1,"result":{"thread":{"id":"t1"}}}"#;
    assert_eq!(script.codex(answer), [format!("settle 1: {answer}")]);
    assert!(!script.all_forwarded());
    assert_eq!(
        script.settled(1, "receipt", Settled::Loadout),
        [
            "to host: receipt".to_owned(),
            format!("prepare 2 Turn: {turn}")
        ]
    );
}

#[test]
fn a_turn_that_codex_begins_while_its_thread_is_bound_anew_is_heard_of() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let update =
        r#"{"id":5,"method":"thread/capability/update","params":{"threadId":"t1","x":null}}"#;
    script.host(update);
    assert_eq!(script.rebind(2, &["t1"]), ["rebind 2"]);
    let closed = r#"{"method":"thread/closed","params":{"threadId":"t1"}}"#;
    assert_eq!(script.codex(closed), NONE);
    let started = r#"{"method":"turn/started","params":{"threadId":"t1"}}"#;
    assert_eq!(script.codex(started), [format!("to host: {started}")]);
    let item = r#"{"method":"item/started","params":{"threadId":"t1"}}"#;
    assert_eq!(script.codex(item), [format!("to host: {item}")]);
}

#[test]
fn while_threads_are_bound_anew_the_host_hears_nothing_of_them_and_they_nothing_of_it() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    script.codex(r#"{"method":"item/completed","params":{"threadId":"t1","item":{"receiverThreadIds":["t2"]}}}"#);
    script.adopted("t2");
    let turn = r#"{"id":5,"method":"turn/start","params":{"threadId":"t1"}}"#;
    script.host(turn);
    assert_eq!(script.rebind(2, &["t1", "t2"]), ["rebind 2"]);
    assert!(!script.all_forwarded());
    let closed = r#"{"method":"thread/closed","params":{"threadId":"t1"}}"#;
    assert_eq!(script.codex(closed), NONE);
    let of_child = r#"{"id":6,"method":"thread/read","params":{"threadId":"t2"}}"#;
    assert_eq!(script.host(of_child), NONE);
    let other = r#"{"method":"turn/started","params":{"threadId":"t9"}}"#;
    assert_eq!(script.codex(other), [format!("to host: {other}")]);
    assert_eq!(
        script.rebound(2, Prepared::Pass(bytes(turn))),
        [
            "to host: updated".to_owned(),
            format!("to Codex: {turn}"),
            format!("to Codex: {of_child}")
        ]
    );
    // From here on, closed means closed.
    assert_eq!(script.codex(closed), [format!("to host: {closed}")]);
    assert!(!script.threads.is("t1", |it| it.has_loadout));
    assert_eq!(script.host(turn), [format!("to Codex: {turn}")]);
}

#[test]
fn a_thread_with_a_turn_under_way_is_not_bound_anew() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let started = r#"{"method":"turn/started","params":{"threadId":"t1"}}"#;
    assert_eq!(script.codex(started), [format!("to host: {started}")]);
    let turn = r#"{"id":5,"method":"turn/start","params":{"threadId":"t1"}}"#;
    script.host(turn);
    let refused = script.rebind(2, &["t1"]);
    assert_eq!((refused.len(), refused[1].as_str()), (2, "abandoned 2"));
    assert!(
        refused[0].contains(r#""id":5"#) && refused[0].contains("threadBusy"),
        "{}",
        refused[0]
    );
    script.codex(r#"{"method":"turn/completed","params":{"threadId":"t1"}}"#);
    script.host(turn);
    assert_eq!(script.rebind(3, &["t1"]), ["rebind 3"]);
}

#[test]
fn settings_of_threads_with_a_loadout_are_kept() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let asked = r#"{"id":9,"method":"thread/settings/update","params":{"threadId":"t1"}}"#;
    assert_eq!(
        script.host(asked),
        [
            "settings asked for t1".to_owned(),
            format!("to Codex: {asked}")
        ]
    );
    let settings = |thread: &str| {
        format!(r#"{{"method":"thread/settings/updated","params":{{"threadId":"{thread}"}}}}"#)
    };
    assert_eq!(
        script.codex(&settings("t1")),
        [
            "settings of t1".to_owned(),
            format!("to host: {}", settings("t1"))
        ]
    );
    assert_eq!(
        script.codex(&settings("n")),
        [format!("to host: {}", settings("n"))]
    );
}

#[test]
fn spawned_threads_are_recorded_before_the_host_hears_of_them() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let spawned = r#"{"method":"item/completed","params":{"threadId":"t1","item":{"receiverThreadIds":["t2"]}}}"#;
    assert_eq!(script.codex(spawned), ["adopt t2 of t1"]);
    let of_child = r#"{"method":"turn/started","params":{"threadId":"t2"}}"#;
    assert_eq!(script.codex(of_child), NONE);
    let grandchild = r#"{"method":"item/completed","params":{"threadId":"t2","item":{"receiverThreadIds":["t3"]}}}"#;
    assert_eq!(script.codex(grandchild), NONE);
    assert_eq!(
        script.adopted("t2"),
        [
            format!("to host: {spawned}"),
            format!("to host: {of_child}"),
            "adopt t3 of t2".to_owned()
        ]
    );
    assert_eq!(script.adopted("t3"), [format!("to host: {grandchild}")]);
    // A message about a child that is known already waits for nothing.
    assert_eq!(script.codex(spawned), [format!("to host: {spawned}")]);
    // A native thread's children are nobody's business.
    let native = r#"{"method":"item/completed","params":{"threadId":"n","item":{"receiverThreadIds":["t8"]}}}"#;
    assert_eq!(script.codex(native), [format!("to host: {native}")]);
}

#[test]
fn a_deleted_thread_is_forgotten_whoever_deleted_it() {
    let mut script = Script::new(true);
    let deleted = r#"{"method":"thread/deleted","params":{"threadId":"t1"}}"#;
    assert_eq!(
        script.codex(deleted),
        ["forget t1".to_owned(), format!("to host: {deleted}")]
    );
}

#[test]
fn answers_to_our_own_requests_never_reach_the_host() {
    let mut script = Script::new(true);
    assert_eq!(
        script.codex(r#"{"id":"codex-loadout/x/12","result":{}}"#),
        ["answered 12"]
    );
    for not_ours in [
        r#"{"id":"codex-loadout/x/","result":{}}"#,
        r#"{"id":"codex-loadout/y/1","result":{}}"#,
        r#"{"id":12,"result":{}}"#,
    ] {
        assert_eq!(script.codex(not_ours), [format!("to host: {not_ours}")]);
    }
}

#[test]
fn what_changes_the_catalog_is_told_whoever_says_it() {
    let mut script = Script::new(true);
    let write = r#"{"id":1,"method":"config/batchWrite","params":{}}"#;
    assert_eq!(
        script.host(write),
        [
            "catalog may have changed".to_owned(),
            format!("to Codex: {write}")
        ]
    );
    let changed = r#"{"method":"skills/changed","params":{}}"#;
    assert_eq!(
        script.codex(changed),
        [
            "catalog may have changed".to_owned(),
            format!("to host: {changed}")
        ]
    );
}

#[test]
fn when_codex_dies_each_claimed_request_it_had_is_answered_once() {
    let mut script = Script::new(true);
    for id in [r#""b""#, "2"] {
        script.host(&format!(
            r#"{{"id":{id},"method":"thread/start","params":{{"capabilitySelection":{{}}}}}}"#
        ));
    }
    script.forward(1, "one");
    script.forward(2, "two");
    let other = r#"{"method":"thread/started","params":{"thread":{"id":"t9"}}}"#;
    assert_eq!(script.codex(other), NONE);
    let mut answers = script.gone();
    assert_eq!(answers.pop(), Some(format!("to host: {other}")));
    assert_eq!(answers.len(), 2);
    for (answer, id) in answers.iter().zip([r#""b""#, "2"]) {
        assert!(
            answer.starts_with(&format!(r#"to host: {{"id":{id},"error":"#)),
            "{answer}"
        );
        assert!(answer.contains("Codex ended before it answered"));
    }
    assert_eq!(script.gone(), NONE);
}

#[test]
fn one_id_may_be_used_again_once_it_was_answered() {
    let mut script = Script::new(true);
    script.thread(1, "t1");
    let again = r#"{"id":1,"result":{}}"#;
    assert_eq!(script.codex(again), [format!("to host: {again}")]);
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
