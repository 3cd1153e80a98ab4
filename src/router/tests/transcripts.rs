//! Transcripts: a script of events, and in the snapshot below each what it leads to.
//!
//! | a line of a script | is |
//! |---|---|
//! | `host 1 thread/read {…}` | the host's request of this id; `-` for a notification |
//! | `codex turn/started {…}` | a notification of Codex's |
//! | `codex 1 result {…}` | Codex's answer |
//! | `prepared 1 pass` | the first claimed request goes on as it came; or `forward`, `hold` (forwarded, and what follows waits), `reply`, `rebind t1 t2`, `drain t1` |
//! | `rebound 2 pass` | threads were bound anew for the second |
//! | `settled 1 loadout` | what the first made is on record; or `native`, `hidden` |
//! | `made 1`, `adopted t2`, `late 1`, `gone` | the other events |
//! | `thread t1` | a start with a loadout, from its request to its receipt; not shown |
//!
//! `t1` in place of params is `{"threadId":"t1"}`.

use std::fmt::Write as _;

use super::{MARK, Script, bytes};
use crate::router::{Prepared, Rebound, Settled};
use crate::threads::HostId;

/// A transcript: each line of the script, and below it what came of it.
fn transcript(script: &str) -> String {
    let mut actor = Script::new(true);
    let mut text = String::new();
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(thread) = line.strip_prefix("thread ") {
            let number = actor.claimed() + 1;
            actor.thread(number, thread);
            continue;
        }
        let _ = writeln!(text, "{line}");
        if line.starts_with('#') {
            continue;
        }
        // A number before an event: another host of the same Codex.
        let (host, event) = match line.split_once(' ') {
            Some((number, event)) if number.parse::<u64>().is_ok() => (number, event),
            _ => ("1", line),
        };
        actor.at = HostId(host.parse().unwrap());
        for effect in perform(&mut actor, event) {
            let _ = writeln!(text, "    {effect}");
        }
    }
    let _ = write!(text, "all forwarded: {}", actor.all_forwarded());
    text
}

fn perform(actor: &mut Script, line: &str) -> Vec<String> {
    let (event, rest) = line.split_once(' ').unwrap_or((line, ""));
    match event {
        "host" => actor.host(&message(rest)),
        "codex" => actor.codex(&message(rest)),
        "joins" => actor.join(),
        "leaves" => actor.leave(),
        "adopted" => actor.adopted(rest),
        "gone" => actor.gone(),
        "server" => actor.event(|router| router.on_server_came_in(rest.to_owned())),
        _ => {
            let (number, outcome) = rest.split_once(' ').unwrap_or((rest, ""));
            let number = number.parse().unwrap();
            match event {
                "late" => actor.late(number),
                "made" => actor.made(number),
                "settled" => actor.settled(number, "answer", settled(outcome)),
                "prepared" => {
                    let prepared = prepared(actor, number, outcome);
                    actor.prepared(number, prepared)
                }
                "rebound" => {
                    let then = prepared(actor, number, outcome);
                    let request = actor.worked_on(number);
                    let rebound = Rebound {
                        notices: vec![bytes("updated")],
                        ..Rebound::only(then)
                    };
                    actor.event(|router| router.on_rebound(request, rebound))
                }
                other => panic!("no event: {other}"),
            }
        }
    }
}

/// The JSON that a line stands for.
fn message(line: &str) -> String {
    let words: Vec<&str> = line.splitn(3, ' ').collect();
    let params = |text: &str| match text {
        "" => String::new(),
        json if json.starts_with(['{', '[', '"']) => format!(r#","params":{json}"#),
        thread => format!(r#","params":{{"threadId":"{thread}"}}"#),
    };
    match words[..] {
        [id, member @ ("result" | "error"), json] => format!(r#"{{"id":{id},"{member}":{json}}}"#),
        ["-", method, rest] => format!(r#"{{"method":"{method}"{}}}"#, params(rest)),
        [id, method, rest] if !id.contains('/') => {
            format!(r#"{{"id":{id},"method":"{method}"{}}}"#, params(rest))
        }
        [id, method] if !id.contains('/') => format!(r#"{{"id":{id},"method":"{method}"}}"#),
        [method, ..] => {
            let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
            format!(r#"{{"method":"{method}"{}}}"#, params(rest))
        }
        [] => String::new(),
    }
}

fn settled(outcome: &str) -> Settled {
    match outcome {
        "loadout" => Settled::Loadout,
        "native" => Settled::Native,
        "hidden" => Settled::Hidden,
        other => panic!("no outcome: {other}"),
    }
}

fn prepared(actor: &Script, number: u64, outcome: &str) -> Prepared {
    let (outcome, threads) = outcome.split_once(' ').unwrap_or((outcome, ""));
    let threads = threads.split_whitespace().map(str::to_owned).collect();
    let request = || actor.worked_on[&(actor.at, number)].frame.bytes().clone();
    match outcome {
        "pass" => Prepared::Pass(request()),
        "reply" => Prepared::Reply(bytes("reply")),
        "forward" | "hold" => Prepared::Forward {
            request: bytes("forwarded"),
            mark: MARK.to_owned(),
            holds: outcome == "hold",
        },
        "rebind" | "drain" => Prepared::Rebind {
            threads,
            patient: outcome == "drain",
        },
        other => panic!("no outcome: {other}"),
    }
}

/// One test each.
macro_rules! transcripts {
    ($($(#[doc = $doc:literal])* $name:ident: $script:literal;)*) => {
        $(
            $(#[doc = $doc])*
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), transcript($script));
            }
        )*
    };
}

transcripts! {
    nothing_of_a_new_thread_is_shown_before_its_loadout_is_on_disk: r#"
        host 1 thread/start {"capabilitySelection":{}}
        prepared 1 forward
        # Codex may speak of it before it answers; of older threads it speaks on.
        codex thread/started {"thread":{"id":"t1"}}
        codex turn/started a1
        codex 1 result {"thread":{"id":"t1"}}
        codex thread/status/changed t1
        settled 1 loadout
        codex thread/status/changed t1
    "#;
    a_thread_hidden_on_suspicion_is_shown_when_it_turns_out_to_be_anothers: r#"
        host 1 thread/start {"capabilitySelection":{}}
        prepared 1 forward
        codex thread/started {"thread":{"id":"t9"}}
        codex 1 result {"thread":{"id":"t1"}}
    "#;
    a_start_that_codex_does_not_answer_keeps_nothing_back_for_long: r#"
        host 1 thread/start {"capabilitySelection":{}}
        prepared 1 forward
        codex thread/started {"thread":{"id":"t9"}}
        late 1
        codex thread/started {"thread":{"id":"t8"}}
        # Its answer counts all the same.
        codex 1 result {"thread":{"id":"t1"}}
    "#;
    whose_turn_it_is_has_to_be_said_where_threads_have_loadouts: r#"
        host 7 turn/start ["t1",[]]
        codex 7 result {}
        thread t1
        host 7 turn/start ["t1",[]]
        host 8 turn/start {"threadId":"t1","thread":5}
        prepared 2 pass
        codex 8 result {}
        host 8 turn/start {"threadId":"x","threadId":"t1"}
    "#;
    a_refusal_of_codex_is_settled_and_holds_nothing_back: r#"
        host 1 thread/fork a
        prepared 1 forward
        codex thread/started {"thread":{"id":"t9"}}
        codex 1 error {"code":-32600,"message":"no"}
        settled 1 native
    "#;
    of_a_fork_with_a_loadout_of_its_own_the_host_hears_once: r#"
        thread t1
        host 2 thread/fork {"threadId":"t1","capabilitySelection":{}}
        prepared 2 forward
        codex 2 result {"thread":{"id":"t2"}}
        codex thread/started {"thread":{"id":"t2","forkedFromId":"t1"}}
        made 2
        codex thread/closed t2
        codex thread/started {"thread":{"id":"t2","forkedFromId":"t1"}}
        codex mcpServer/startupStatus/updated t2
        settled 2 loadout
        codex thread/name/updated t2
    "#;
    a_fork_without_a_loadout_is_not_taken_for_a_thread_that_its_source_spawned: r#"
        thread t1
        host 2 thread/fork {"threadId":"t1","capabilitySelection":null}
        prepared 2 forward
        codex 2 result {"thread":{"id":"t2"}}
        made 2
        codex thread/started {"thread":{"id":"t2","forkedFromId":"t1"}}
        settled 2 native
        codex thread/name/updated t2
    "#;
    of_a_fork_that_could_not_be_split_the_host_hears_nothing: r#"
        thread t1
        host 2 thread/fork {"threadId":"t1","capabilitySelection":{}}
        prepared 2 forward
        codex 2 result {"thread":{"id":"t2"}}
        made 2
        codex thread/started {"thread":{"id":"t2","forkedFromId":"t1"}}
        settled 2 hidden
        codex thread/deleted t2
    "#;
    while_a_resume_is_prepared_only_its_own_thread_waits: r#"
        host 1 thread/resume t1
        host 2 turn/start t1
        host 3 thread/resume t1
        host 4 turn/start t2
        # What waited goes in order; the second resume holds the thread again.
        prepared 1 pass
        host 5 turn/start t1
        prepared 2 reply
    "#;
    a_turn_waits_until_it_is_known_what_its_input_names: r#"
        thread t1
        host 5 turn/start t1
        host 6 turn/interrupt t1
        prepared 2 pass
        # From there on it is Codex's: nothing is held back.
        codex 5 result {"turn":{"id":"u"}}
        host 7 turn/interrupt t1
        host 8 turn/steer t1
        prepared 3 pass
        host 9 thread/queue/add t1
        prepared 4 pass
        host 10 thread/goal/set t1
        prepared 5 pass
        # Turns of native threads do not wait.
        host 11 turn/start t2
    "#;
    servers_are_reloaded_once_threads_with_a_loadout_are_told_to_leave_them_out: r#"
        host 6 config/mcpServer/reload
        codex 6 result {}
        thread t1
        host 6 config/mcpServer/reload
        prepared 2 rebind t1
        rebound 2 pass
    "#;
    servers_are_reloaded_when_turns_under_way_have_ended_and_no_other_begins_meanwhile: r#"
        thread t1
        host 5 turn/start t1
        prepared 2 pass
        # Sent, and not yet begun.
        host 6 config/mcpServer/reload
        prepared 3 drain t1
        codex 5 result {"turn":{"id":"u"}}
        codex turn/started t1
        host 9 turn/start t1
        host 8 turn/interrupt t1
        codex turn/completed t1
        host 10 turn/interrupt t1
        rebound 3 pass
    "#;
    what_waits_for_a_thread_waits_for_every_host_that_has_it_open: r#"
        thread t1
        2 joins
        2 host 1 thread/resume t1
        2 prepared 1 forward
        2 codex 1 result {"thread":{"id":"t1"}}
        2 settled 1 loadout
        # The first host changes it: what the second sends waits, and neither hears anything.
        host 5 thread/capability/update {"threadId":"t1"}
        2 host 6 turn/interrupt t1
        2 host 7 turn/start other
        prepared 2 rebind t1
        2 codex thread/status/changed t1
        codex thread/status/changed t1
        # Each that uses what is ours hears of it, and the second's frames go on as its own.
        rebound 2 reply
        2 codex thread/status/changed t1
    "#;
    a_turn_of_one_host_keeps_another_from_changing_the_thread: r#"
        thread t1
        2 joins
        2 host 1 thread/resume t1
        2 prepared 1 forward
        2 codex 1 result {"thread":{"id":"t1"}}
        2 settled 1 loadout
        2 host 3 turn/start t1
        2 prepared 2 pass
        host 5 thread/capability/update {"threadId":"t1"}
        prepared 2 rebind t1
        2 codex 3 result {"turn":{"id":"u1"}}
        codex - turn/started {"threadId":"t1","turn":{"id":"u1"}}
        codex - turn/completed {"threadId":"t1","turn":{"id":"u1"}}
        host 6 turn/start t1
        prepared 3 pass
        codex 6 result {"turn":{"id":"u2"}}
        # The second hears late of the turn that is over: the next one is under way all the same.
        2 codex - turn/started {"threadId":"t1","turn":{"id":"u1"}}
        2 codex - turn/completed {"threadId":"t1","turn":{"id":"u1"}}
        2 host 8 thread/capability/update {"threadId":"t1"}
        2 prepared 3 rebind t1
    "#;
    of_a_new_thread_no_host_hears_before_its_loadout_is_on_disk: r#"
        2 joins
        host 1 thread/start {"capabilitySelection":{}}
        prepared 1 forward
        2 codex - thread/started {"thread":{"id":"t2"}}
        codex 1 result {"thread":{"id":"t2"}}
        2 codex thread/status/changed t2
        settled 1 loadout
    "#;
    of_spawned_threads_no_host_hears_before_their_loadouts_are_on_disk: r#"
        thread t1
        2 joins
        codex - thread/started {"thread":{"id":"t3","parentThreadId":"t1"}}
        2 codex - thread/started {"thread":{"id":"t3","parentThreadId":"t1"}}
        2 codex thread/status/changed t3
        adopted t3
    "#;
    a_reload_waits_for_turns_of_all_hosts_and_goes_on_for_the_one_that_asked: r#"
        thread t1
        2 joins
        host 5 turn/start t1
        prepared 2 pass
        2 host 6 config/mcpServer/reload
        2 prepared 1 drain t1
        2 host 7 turn/start t1
        codex 5 result {"turn":{"id":"u"}}
        codex - turn/completed {"threadId":"t1","turn":{"id":"u"}}
        2 rebound 1 pass
    "#;
    a_host_that_outlives_codex_is_told_what_has_become_of_its_requests_and_threads: r#"
        thread t1
        2 joins
        2 host 1 thread/resume t1
        2 prepared 1 forward
        2 codex 1 result {"thread":{"id":"t1"}}
        2 settled 1 loadout
        2 host 2 model/list {}
        2 host 3 thread/start {}
        2 codex 3 result {"thread":{"id":"t9"}}
        2 host 4 thread/fork t1
        2 prepared 2 forward
        2 gone
        2 leaves
        host 9 model/list {}
    "#;
    a_turn_that_codex_refuses_never_began: r#"
        thread t1
        host 5 turn/start t1
        prepared 2 pass
        host 6 config/mcpServer/reload
        prepared 3 drain t1
        codex 5 error {"code":-32600,"message":"no"}
    "#;
    a_reload_that_waits_too_long_is_refused_and_what_waited_for_it_goes_on: r#"
        thread t1
        host 5 turn/start t1
        prepared 2 pass
        host 6 config/mcpServer/reload
        prepared 3 drain t1
        host 9 turn/start t1
        late 3
    "#;
    a_host_that_wants_no_news_of_turns_has_no_turn_that_never_ends: r#"
        host 0 initialize {"capabilities":{"experimentalApi":true,"optOutNotificationMethods":["turn/completed"]}}
        thread t1
        host 5 turn/start t1
        prepared 2 pass
        codex turn/started t1
        host 6 turn/start t1
        # Whether one is under way is asked for when it counts.
        prepared 3 rebind t1
    "#;
    what_follows_on_another_loadout_waits_until_that_is_in_effect: r#"
        host 1 thread/resume {"threadId":"t1","capabilitySelection":{}}
        prepared 1 hold
        host 2 turn/start t1
        codex 1 result {"thread":{"id":"t1"}}
        settled 1 loadout
    "#;
    a_turn_that_codex_begins_while_its_thread_is_bound_anew_is_heard_of: r#"
        thread t1
        host 5 thread/capability/update t1
        prepared 2 rebind t1
        codex thread/closed t1
        codex turn/started t1
        codex item/started t1
    "#;
    while_threads_are_bound_anew_the_host_hears_nothing_of_them_and_they_nothing_of_it: r#"
        thread t1
        codex item/completed {"threadId":"t1","item":{"receiverThreadIds":["t2"]}}
        adopted t2
        host 5 turn/start t1
        prepared 2 rebind t1 t2
        codex thread/closed t1
        host 6 thread/read t2
        codex turn/started t9
        rebound 2 pass
        # From here on, closed means closed.
        codex thread/closed t1
        codex 5 result {}
        host 7 turn/start t1
    "#;
    a_thread_with_a_turn_under_way_is_not_bound_anew: r#"
        thread t1
        codex turn/started t1
        host 5 turn/start t1
        prepared 2 rebind t1
        codex turn/completed t1
        host 6 turn/start t1
        prepared 3 rebind t1
    "#;
    settings_of_threads_with_a_loadout_are_kept: r#"
        thread t1
        host 9 thread/settings/update t1
        codex thread/settings/updated t1
        codex thread/settings/updated n
    "#;
    spawned_threads_are_recorded_before_the_host_hears_of_them: r#"
        thread t1
        codex item/completed {"threadId":"t1","item":{"receiverThreadIds":["t2"]}}
        codex turn/started t2
        codex item/completed {"threadId":"t2","item":{"receiverThreadIds":["t3"]}}
        adopted t2
        adopted t3
        # A message about a child that is known already waits for nothing.
        codex item/completed {"threadId":"t1","item":{"receiverThreadIds":["t2"]}}
        # A native thread's children are nobody's business.
        codex item/completed {"threadId":"n","item":{"receiverThreadIds":["t8"]}}
    "#;
    a_deleted_thread_is_forgotten_whoever_deleted_it: r#"
        codex thread/deleted t1
    "#;
    the_end_of_a_turn_is_heard_by_each_host_though_the_thread_is_bound_anew_meanwhile: r#"
        thread t1
        2 joins
        codex turn/started {"threadId":"t1","turn":{"id":"a"}}
        2 codex turn/started {"threadId":"t1","turn":{"id":"a"}}
        codex turn/completed {"threadId":"t1","turn":{"id":"a"}}
        # Who has heard of its end first gives the thread another loadout.
        host 2 thread/capability/update t1
        prepared 2 rebind t1
        2 codex item/completed {"threadId":"t1","item":{}}
        2 codex thread/status/changed t1
        2 codex turn/completed {"threadId":"t1","turn":{"id":"a"}}
        # What comes now is of the thread as it is loaded again.
        2 codex thread/closed t1
        codex thread/closed t1
        rebound 2 reply
        2 codex thread/status/changed t1
    "#;
    answers_to_our_own_requests_never_reach_the_host: r#"
        codex "codex-loadout/x/12" result {}
        codex "codex-loadout/x/" result {}
        codex "codex-loadout/y/1" result {}
        codex 12 result {}
    "#;
    what_changes_the_catalog_is_told_whoever_says_it: r#"
        host 1 config/batchWrite {}
        codex skills/changed {}
    "#;
    when_codex_dies_each_claimed_request_it_had_is_answered_once: r#"
        host "b" thread/start {"capabilitySelection":{}}
        host 2 thread/start {"capabilitySelection":{}}
        prepared 1 forward
        prepared 2 forward
        codex thread/started {"thread":{"id":"t9"}}
        gone
        gone
    "#;
    when_codex_dies_what_waits_behind_a_resume_goes_on: r#"
        thread t1
        2 joins
        host 2 thread/resume {"threadId":"t1","capabilitySelection":{}}
        prepared 2 hold
        host 3 thread/read t1
        2 host 3 thread/read t1
        gone
    "#;
    a_second_request_with_the_id_of_one_under_way_is_refused_and_the_first_goes_on: r#"
        host 7 thread/start {"capabilitySelection":{}}
        host 7 thread/start {"capabilitySelection":{}}
        # Whatever it asks for: Codex's answer could be taken for the other one's.
        host 7 model/list
        host "7" model/list
        prepared 1 forward
        host 7 thread/start {"capabilitySelection":{}}
        codex 7 result {"thread":{"id":"t1"}}
        host 7 thread/start {"capabilitySelection":{}}
        settled 1 loadout
        # It has its answer: the id is free again.
        host 7 thread/start {"capabilitySelection":{}}
        prepared 2 reply
        host 7 turn/start t1
        prepared 3 pass
        host 7 thread/start {"capabilitySelection":{}}
        codex 7 result {}
        host 7 thread/start {"capabilitySelection":{}}
    "#;
}

#[test]
fn a_host_without_experimental_api_is_refused_as_codex_refuses() {
    let mut actor = Script::new(false);
    let mut text = String::new();
    for line in [
        r#"host 1 thread/start {"threadId":"t","capabilitySelection":{}}"#,
        r#"host 2 thread/resume {"threadId":"t","capabilitySelection":{}}"#,
        r#"host 3 thread/fork {"threadId":"t","capabilitySelection":{}}"#,
        r#"host 4 thread/resume {"threadId":"t","capabilitySelection":null}"#,
        r#"host 5 thread/fork {"threadId":"t","capabilitySelection":null}"#,
        "host 6 thread/capability/update t",
        "# What a thread has recorded is applied for every host.",
        "host 7 thread/resume t",
    ] {
        let _ = writeln!(text, "{line}");
        if !line.starts_with('#') {
            // A number before an event: another host of the same Codex.
            let (host, event) = match line.split_once(' ') {
                Some((number, event)) if number.parse::<u64>().is_ok() => (number, event),
                _ => ("1", line),
            };
            actor.at = HostId(host.parse().unwrap());
            for effect in perform(&mut actor, event) {
                let _ = writeln!(text, "    {effect}");
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_thread_that_codex_gave_a_server_is_told_anew_and_its_turns_wait() {
    insta::assert_snapshot!(transcript(
        r#"
        thread t1
        server t1
        # The same is told by another server, and a turn comes.
        server t1
        host 5 turn/start t1
        prepared 2 rebind t1
        rebound 2 pass
        prepared 3 pass
        # What is under way sees to it, or has been too early.
        server t1
        codex 5 result {"turn":{"id":"u"}}
        server t1
        codex turn/completed {"threadId":"t1","turn":{"id":"u"}}
        # There is nothing to tell, or no way.
        server t1
        prepared 4 pass
        server t1
        prepared 5 reply
        # A thread without a loadout.
        server t2
    "#
    ));
}
